"""Which model is active, and how it came to be: a log that only grows.

Models stand under the hash of their document. What happens to them is a numbered entry;
each entry carries the hash of the one before and its own, and says which model is active
after it. An entry is put where no other may stand, so of two writers one comes second and
is told so. The active model is what the last entry says.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import astuple

from diamond_pricing.errors import ConflictError, DocumentError, RegistryError, TradeError
from diamond_pricing.model import PriceModel
from diamond_pricing.registry.signing import ENTRY as ENTRIES
from diamond_pricing.registry.signing import MODEL, Signing
from diamond_pricing.registry.store import LocalStore, Store, open_store
from diamond_pricing.stones.trade import use

ENTRY = re.compile(r"\d{8}\.json")
ID = re.compile(r"[0-9a-f]{64}")
CONTENT = re.compile(r"[0-9a-f]{64}\.\w+")
SIGNATURES = "signatures"
ATTEMPTS = 50  # of a writer that keeps coming second


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of the log.

    Attributes
    ----------
    number : int
        From 1, without gaps.
    previous : str
        SHA-256 of the entry before; empty for the first.
    at : str
        When, UTC.
    action : str
        ``promote``, ``rollback``, ``pin`` or ``refit``.
    active : str
        Id of the model that is active after this; empty for none.
    anchor : str
        Id of the model that slow drift is measured from; empty for none.
    by, reason : str
        Who, and why in plain words.
    details : dict
        What else a refit records: see `diamond_pricing.refit`.
    """

    number: int
    previous: str
    at: str
    action: str
    active: str
    anchor: str
    by: str
    reason: str
    details: dict[str, Any] = {}


BEFORE_FIRST = Entry(0, "", "", "", "", "", "", "")


class _Stored(msgspec.Struct, frozen=True):
    sales: str = ""
    again: str = ""
    quarantine: str = ""


class _Files(msgspec.Struct, frozen=True):
    """The files that the details of an entry name."""

    record: str = ""
    sealed: str = ""
    deliveries: tuple[_Stored, ...] = ()


def published(entries: Iterable[Entry]) -> dict[str, float]:
    """The index of each month that was published; the first one is 100."""
    found: dict[str, float] = {}
    for entry in entries:
        for month, index in dict(entry.details.get("published", {})).items():
            found.setdefault(str(month), float(index))
    return found


def activations(entries: Iterable[Entry]) -> tuple[list[Entry], dict[int, list[Entry]]]:
    """Entries that made models active and still stand, and what each rollback left, by number.

    A model that a rollback left does not stand any more, whenever it had been made active.
    """
    standing: list[Entry] = []
    left: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.action == "rollback" and entry.active in {e.active for e in standing}:
            gone = left.setdefault(entry.number, [])
            while standing[-1].active != entry.active:
                gone.append(standing.pop())
            models = {e.active for e in gone}
            kept = [e for e in standing if e.active not in models]
            pairs = zip(kept, [None, *kept], strict=False)
            standing = [e for e, one in pairs if one is None or one.active != e.active]
        elif entry.active and (not standing or standing[-1].active != entry.active):
            standing.append(entry)
    return standing, left


class Registry:
    """Models and their log in one storage.

    Parameters
    ----------
    store : Store
    signing : Signing, optional
        Default: as the environment says.
    """

    def __init__(self, store: Store, signing: Signing | None = None) -> None:
        self.store = store
        self.signing = Signing.configured() if signing is None else signing
        # The attributes that its sales and models have beside those that everybody knows.
        try:
            use(store.read("trade.toml").decode("utf-8-sig"))
        except FileNotFoundError:
            pass
        except UnicodeDecodeError as error:
            raise TradeError(f"trade.toml cannot be read: {error}.") from error

    @classmethod
    def at(cls, home: str) -> "Registry":
        """The registry of a home that is there: a directory, or a URL.

        Raises
        ------
        RegistryError
            When there is no such directory.
        """
        store = open_store(home)
        if isinstance(store, LocalStore) and not store.root.is_dir():
            raise RegistryError(f"there is no home at {home}.")
        return cls(store)

    def add(self, model: PriceModel) -> str:
        """Keep a model; give its id. Adding it again changes nothing."""
        self._sign(MODEL, model.sha256)
        self.store.put(_model_key(model.sha256), model.to_json().encode())
        return model.sha256

    def model(self, name: str) -> PriceModel:
        """Read a model by its id, or by the first 8 or more characters of it.

        Raises
        ------
        RegistryError
            When there is none, more than one, or its document is damaged.
        """
        wanted = self.find(name)
        try:
            found = PriceModel.from_json(self.store.read(_model_key(wanted)))
        except DocumentError as error:
            raise RegistryError(f"model {wanted[:12]}: {error}") from error
        except FileNotFoundError as error:
            raise RegistryError(f"there is no model {wanted[:12]} in {self.store}.") from error
        if found.sha256 != wanted:
            raise RegistryError(f"the file of model {wanted[:12]} holds another model.")
        self._check(MODEL, wanted)
        return found

    def models(self) -> list[str]:
        """Ids of all models, sorted."""
        names = self.store.names("models")
        return [name.removesuffix(".json") for name in names if CONTENT.fullmatch(name)]

    def find(self, name: str) -> str:
        """Complete an id of which only the beginning is given."""
        if ID.fullmatch(name):
            return name
        found = [full for full in self.models() if full.startswith(name) and len(name) >= 8]
        if len(found) != 1:
            how = "no model" if not found else f"{len(found)} models"
            raise RegistryError(
                f"{how} in {self.store} with an id that begins with {name!r}; give 8 or more "
                "of its characters."
            )
        return found[0]

    def last(self) -> Entry | None:
        """The last entry; None in an empty registry."""
        names = self._log()
        if not names:
            return None
        entry = self._read(len(names), names)
        self._check(ENTRIES, _sealed(entry)[1])
        return entry

    def active(self) -> PriceModel | None:
        """The active model; None when there is none yet."""
        name = (self.last() or BEFORE_FIRST).active
        return self.model(name) if name else None

    def entries(self) -> list[Entry]:
        """The whole log, its chain checked.

        Raises
        ------
        RegistryError
            When an entry is damaged or missing.
        """
        names = self._log()
        found: list[Entry] = []
        previous = ""
        for number in range(1, len(names) + 1):
            entry = self._read(number, names)
            if entry.previous != previous:
                raise RegistryError(
                    f"entry {number} of the log does not follow from entry {number - 1}."
                )
            previous = _sealed(entry)[1]
            found.append(entry)
        if found:  # each entry holds the hash of the one before: the last stands for all
            self._check(ENTRIES, previous)
        return found

    def append(
        self,
        action: str,
        *,
        at: str,
        by: str,
        reason: str,
        after: int | None = None,
        active: str | None = None,
        anchor: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> Entry:
        """Add an entry.

        Parameters
        ----------
        after : int, optional
            The number of the last entry that the decision rests on; by default it rests on
            none, and whoever comes second tries again.
        active, anchor : str, optional
            Default: as before.

        Raises
        ------
        ConflictError
            When another entry stands there already.
        """
        for _ in range(ATTEMPTS):
            last = self.last() or BEFORE_FIRST
            if after is not None and after != last.number:
                raise ConflictError(
                    f"the log has gone on to entry {last.number} since {after} was read; "
                    "nothing was changed. Run again."
                )
            entry = Entry(
                number=last.number + 1,
                previous=_sealed(last)[1] if last.number else "",
                at=at,
                action=action,
                active=last.active if active is None else active,
                anchor=last.anchor if anchor is None else anchor,
                by=by,
                reason=reason,
                details=details or {},
            )
            text, digest = _sealed(entry)
            self._sign(ENTRIES, digest)
            if self.store.put(f"log/{entry.number:08d}.json", text):
                return entry
        raise ConflictError(f"others kept writing to {self.store}; nothing was changed.")

    def promote(self, name: str, *, at: str, by: str, reason: str) -> Entry:
        """Make a model active. The first one is also the anchor."""
        model = self.model(name)
        first = not (self.last() or BEFORE_FIRST).anchor
        return self.append(
            "promote",
            at=at,
            by=by,
            reason=reason,
            active=model.sha256,
            anchor=model.sha256 if first else None,
        )

    def rollback(self, *, at: str, by: str, reason: str) -> Entry:
        """Make the model active that was promoted before the present one.

        Again, and it goes one further: a model that was left is not gone back to.

        Raises
        ------
        RegistryError
            When there is no earlier one.
        """
        standing, _ = activations(self.entries())
        if len(standing) < 2:
            raise RegistryError("there is no earlier model to go back to.")
        model = self.model(standing[-2].active)
        return self.append("rollback", at=at, by=by, reason=reason, active=model.sha256)

    def pin(self, name: str, *, at: str, by: str, reason: str) -> Entry:
        """Make a model the anchor that slow drift is measured from."""
        model = self.model(name)
        return self.append("pin", at=at, by=by, reason=reason, anchor=model.sha256)

    def sign(self) -> int:
        """Sign the last entry, which stands for the log, and every model; give their number.

        For a home that was begun without signatures, and for another key.

        Raises
        ------
        RegistryError
            When an entry or a model is damaged, or there is no key.
        """
        bare = Registry(self.store, Signing())
        names = bare.models()
        for name in names:
            self._sign(MODEL, bare.model(name).sha256)
        entries = bare.entries()
        if entries:
            self._sign(ENTRIES, _sealed(entries[-1])[1])
        return len(names) + bool(entries)

    def verify(self, head: str = "") -> list[str]:
        """Check everything; give what is wrong, in words.

        Parameters
        ----------
        head : str
            `seal` of the last entry as it was noted earlier, elsewhere: entries that were
            removed since, or written anew, show only against that.
        """
        wrong = []
        try:
            entries = self.entries()
        except RegistryError as error:
            return [str(error)]
        if head and head not in {seal(entry) for entry in entries}:
            wrong.append(f"the log has no entry {head}: it was cut off or written anew.")
        named = {m for e in entries for m in (e.active, e.anchor) if m}
        for entry in entries:
            try:
                files = msgspec.convert(entry.details, _Files)
            except msgspec.ValidationError as error:
                wrong.append(f"entry {entry.number} names files that cannot be read: {error}.")
                continue
            stored = (key for delivery in files.deliveries for key in astuple(delivery))
            for key in filter(None, (files.record, files.sealed, *stored)):
                folder, _, name = key.partition("/")
                if name not in self.store.names(folder):
                    wrong.append(f"{key}, which entry {entry.number} names, is missing.")
        for name in sorted(named | set(self.models())):
            try:
                self.model(name)
            except RegistryError as error:
                wrong.append(str(error))
        for folder in ("sales", "quarantine", "records", "ledgers", "sealed"):
            for name in self.store.names(folder):
                key, ours = f"{folder}/{name}", CONTENT.fullmatch(name)
                if ours and content_key(folder, self.store.read(key), Path(name).suffix) != key:
                    wrong.append(f"{key} is not what its name says.")
        return wrong

    def _sign(self, kind: str, sha256: str) -> None:
        """Put the signature of what is about to be written: nothing stands without."""
        if not self.signing.wanted:
            return
        text = self.signing.sign(kind, sha256)
        key = f"{SIGNATURES}/{sha256}.{self.signing.name}"
        if not self.store.put(key, text) and self.store.read(key) != text:
            raise RegistryError(f"{key} is damaged; remove it from the home and sign again.")

    def _check(self, kind: str, sha256: str) -> None:
        if not self.signing.wanted:
            return
        names = [name for name in self.store.names(SIGNATURES) if name.startswith(sha256)]
        found = [self.store.read(f"{SIGNATURES}/{name}") for name in names]
        try:
            self.signing.check(kind, sha256, found)
        except RegistryError as error:
            raise RegistryError(
                f"{error} If it is yours, 'diamond-pricing registry sign' says so."
            ) from error

    def _log(self) -> list[str]:
        """Names of the entries; what a desktop or a copy left beside them is none."""
        return [name for name in self.store.names("log") if ENTRY.fullmatch(name)]

    def _read(self, number: int, names: list[str]) -> Entry:
        name = f"{number:08d}.json"
        if name not in names:
            raise RegistryError(f"entry {number} of the log is missing.")
        data = self.store.read(f"log/{name}")
        try:
            sealed = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            entry = msgspec.json.decode(sealed["entry"], type=Entry)
            if _sealed(entry)[0] != data or entry.number != number:
                raise ValueError("it is not what was sealed under this number")
        except (msgspec.MsgspecError, KeyError, ValueError, RecursionError) as error:
            raise RegistryError(f"entry {number} of the log is damaged.") from error
        return entry


def seal(entry: Entry) -> str:
    """Number and hash of an entry, ``12:3ddb4d29…``: they stand for the log up to it."""
    return f"{entry.number}:{_sealed(entry)[1]}"


def content_key(folder: str, data: bytes, suffix: str) -> str:
    """Name a file by its content."""
    return f"{folder}/{hashlib.sha256(data).hexdigest()}{suffix}"


def _sealed(entry: Entry) -> tuple[bytes, str]:
    """An entry as it is written, and its hash."""
    body = msgspec.json.encode(entry, order="deterministic")
    digest = hashlib.sha256(body).hexdigest()
    return b'{"entry":' + body + b',"sha256":"' + digest.encode() + b'"}\n', digest


def _model_key(name: str) -> str:
    return f"models/{name}.json"
