"""One run: new files → checked sales → candidate → decision → one entry of the log.

Everything is written before the entry that names it; the entry is the moment at which the
run has happened. A run that dies earlier leaves nothing that anybody reads.
"""

import hashlib
import io
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
import numpy as np

from diamond_pricing import __version__
from diamond_pricing.errors import DiamondPricingError, FitError
from diamond_pricing.fitting import DEFAULT, FAMILIES, Sales, fit, read_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.model.training import CURRENCY, EFFECTIVE
from diamond_pricing.refit.deliveries import (
    Arrival,
    Delivery,
    arrived,
    doubts,
    new_files,
    screened,
    settled,
    without_known,
)
from diamond_pricing.refit.gates import Gates
from diamond_pricing.refit.judgement import Decision, Evaluation, Finding, judge
from diamond_pricing.refit.ledger import Ledger, ledger
from diamond_pricing.registry import Entry, Registry, RegistryError, Store
from diamond_pricing.registry.registry import content_key
from diamond_pricing.stones import Stones, stone_keys
from diamond_pricing.warehouse import read_sales_file, written_sales
from diamond_pricing.warehouse.intake import quarantine_csv, row_keys

if TYPE_CHECKING:
    import pandas as pd

PROMOTED, KEPT, NOTHING, REJECTED = "promoted", "kept", "nothing new", "data rejected"
FROZEN = 10  # one stone in so many is held out for ever, to judge by
FEWEST_FROZEN = 20  # sales

Tell = Callable[[str], None]


class Home(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``home.toml``: what holds for all that a home keeps.

    Attributes
    ----------
    currency : str
        Of all prices.
    effective : str
        When prices are true, for the documents: a year or date, or ``undated``.
    family : str
        Of the models.
    """

    currency: str = "USD"
    effective: str = "undated"
    family: str = DEFAULT


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run came to.

    Attributes
    ----------
    verdict : str
        ``promoted``, ``kept``, ``nothing new`` or ``data rejected``.
    says : str
        One paragraph.
    record : dict
        Everything that the decision rests on; empty when there was nothing new.
    entry : Entry or None
        Of the log; None when nothing was written.
    """

    verdict: str
    says: str
    record: dict[str, Any]
    entry: Entry | None = None


def refit(
    inbox: Path, store: Store, *, at: str, by: str, dry_run: bool = False, force: str = "",
    tell: Tell = lambda _: None,
) -> Outcome:  # fmt: skip
    """Take new files in, refit, judge, and promote or keep.

    Parameters
    ----------
    at, by : str
        When and who, for the log.
    dry_run : bool
        Decide, and write nothing.
    force : str
        A reason to promote in spite of the gates; held deliveries are looked at again. What
        no reason helps against: a fit that fails, or no proof of the shape.

    Raises
    ------
    BusyError
        When another run is under way.
    """
    root = getattr(store, "root", None)
    if root is not None and root.resolve().is_relative_to(inbox.resolve()):
        raise FitError(f"the home {root} lies in the inbox; keep them apart.")
    if not inbox.is_dir():
        raise FileNotFoundError(2, "there is no such inbox", str(inbox))
    if dry_run:
        return _Run(inbox, store, at, by, force, tell).decide(write=False)
    with store.writing(wait=False):
        return _Run(inbox, store, at, by, force, tell).decide(write=True)


class _Run:
    def __init__(
        self, inbox: Path, store: Store, at: str, by: str, force: str, tell: Tell
    ) -> None:
        self.inbox, self.store, self.at, self.by = inbox, store, at, by
        self.force, self.tell = force.strip(), tell
        self.registry = Registry(store)
        self.home = _home(store)
        self.gates = _gates(store)

    def decide(self, *, write: bool) -> Outcome:
        entries = self.registry.entries()
        known = deliveries_of(entries)
        settings = self._settings()
        seen = {k for k, d in known.items() if d.status == "accepted" or d.settings == settings}
        files = new_files(self.inbox, seen, self.tell)
        again = {hashlib.sha256(data).hexdigest() for _, _, data in files}
        held = [
            d for d in known.values()
            if self.force and d.status == "held" and d.sha256 not in again
        ]  # fmt: skip
        if not files and not held:
            return Outcome(NOTHING, f"Nothing new in {self.inbox}.", {})
        last = entries[-1] if entries else None
        champion = self.registry.model(last.active) if last and last.active else None
        anchor = self.registry.model(last.anchor) if last and last.anchor else None
        old = self._sales([d for d in known.values() if d.status == "accepted"])

        arrivals = []
        keys = set(row_keys(old)) if old is not None else set()
        for name, source, data in files:
            self.tell(f"Reading {name} …")
            arrival = arrived(name, source, data, self.store, self.home.currency)
            arrival = screened(without_known(arrival, keys), champion, self.gates)
            arrival.delivery = msgspec.structs.replace(arrival.delivery, settings=settings)
            arrivals.append(arrival)
        arrivals = settled(arrivals)
        findings: list[Finding] = []
        for arrival in arrivals:
            if arrival.delivery.status != "rejected":
                arrival.findings = doubts(arrival, old, champion, anchor, self.gates)
                findings += arrival.findings
        good = [a for a in arrivals if a.delivery.status != "rejected"]
        if not self.force:
            for arrival in good:
                failed = [f for f in arrival.findings if not f.passed]
                if failed:
                    reason = "; ".join(f.says for f in failed) + "."
                    arrival.delivery = msgspec.structs.replace(
                        arrival.delivery, status="held", reason=reason
                    )
            good = [a for a in good if a.delivery.status == "accepted"]
        if not good and not held:
            return self._close(
                REJECTED, arrivals, held, findings, None, None, None, champion, last, write
            )
        return self._judged(arrivals, good, held, findings, champion, anchor, old, last, write)

    def _judged(
        self, arrivals: list[Arrival], good: list[Arrival], held: list[Delivery],
        findings: list[Finding], champion: PriceModel | None, anchor: PriceModel | None,
        old: "pd.DataFrame | None", last: Entry | None, write: bool,
    ) -> Outcome:  # fmt: skip
        import pandas as pd

        new = [a.intake.sales for a in good if a.intake is not None]
        parts = [p for p in (old, self._sales(held), *new) if p is not None]
        sales = pd.concat(parts, ignore_index=True)
        # Held deliveries may repeat each other, and what came after them.
        sales = sales[~pd.Series(row_keys(sales)).duplicated()].reset_index(drop=True)
        frozen = held_out(sales)
        self.tell(f"Fitting {self.home.family} to {int((~frozen).sum()):,} sales …")
        try:
            candidate = fit(
                sales[~frozen], self.home.family, currency=self.home.currency,
                effective=self.home.effective,
            )  # fmt: skip
            decision = self._decision(candidate, champion, anchor, sales[frozen])
        except DiamondPricingError as error:
            if champion is None and not isinstance(error, FitError):
                raise
            finding = Finding("fit", "", 0.0, 1.0, False, f"the fit failed: {error}")
            decision, candidate = Decision(False, (finding,)), None
        sure = all(f.passed for f in decision.findings if f.gate in ("certificate", "fit"))
        promote = decision.promote or (bool(self.force) and sure)
        if not promote:
            reason = "; ".join(f.says for f in decision.failed) + "."
            for arrival in good:
                arrival.delivery = msgspec.structs.replace(
                    arrival.delivery, status="held", reason=reason
                )
        findings = [*findings, *decision.findings]
        moves = None
        if promote and champion is not None and candidate is not None:
            self.tell("Comparing the prices of all stones …")
            moves = ledger(champion, candidate, _stock(self.store, sales))
        verdict = PROMOTED if promote else KEPT
        numbers = {"trained_on": int((~frozen).sum()), "judged_on": int(frozen.sum())}
        return self._close(
            verdict, arrivals, held, findings, candidate, moves, numbers, champion, last, write
        )

    def _decision(
        self, candidate: PriceModel, champion: PriceModel | None, anchor: PriceModel | None,
        frozen: "pd.DataFrame",
    ) -> Decision:  # fmt: skip
        """Judge on the frozen sales that every one of the models supports."""
        stones = Stones.from_frame(frozen)
        models = [m for m in (candidate, champion, anchor) if m is not None]
        rows = np.flatnonzero(np.all([m.supports(stones) for m in models], axis=0))
        if len(rows) < FEWEST_FROZEN:
            raise FitError(
                f"only {len(rows)} sales are held out to judge by; at least {FEWEST_FROZEN} "
                "are needed. Bring more sales."
            )
        price = frozen["price"].to_numpy(float)[rows]
        sales = Sales(stones.take(rows), price, self.home.currency, self.home.effective)
        first, *others = (Evaluation.of(m, sales) for m in models)
        before = others[0] if champion is not None else None
        pinned = others[-1] if anchor is not None else None
        return judge(first, before, pinned, self.gates)

    def _sales(self, deliveries: Sequence[Delivery]) -> "pd.DataFrame | None":
        import pandas as pd

        parts = [checked_sales(self.store, d.sales) for d in deliveries if d.sales]
        return pd.concat(parts, ignore_index=True) if parts else None

    def _settings(self) -> str:
        """Hash of all that a file is read and judged by."""
        text = msgspec.json.encode((self.gates, self.home, __version__))
        for name in self.store.names("sources"):
            text += self.store.read(f"sources/{name}")
        return hashlib.sha256(text).hexdigest()[:16]

    def _close(
        self, verdict: str, arrivals: list[Arrival], held: list[Delivery],
        findings: list[Finding], candidate: PriceModel | None, moves: Ledger | None,
        numbers: dict[str, int] | None, champion: PriceModel | None, last: Entry | None,
        write: bool,
    ) -> Outcome:  # fmt: skip
        """Write everything, the entry last."""
        promoted = verdict == PROMOTED and candidate is not None
        files: dict[str, bytes] = {}
        deliveries = [_counted(a, files) for a in arrivals]
        if promoted:
            deliveries += [msgspec.structs.replace(d, status="accepted") for d in held]
        record: dict[str, Any] = {
            "verdict": verdict,
            "deliveries": [msgspec.to_builtins(d) for d in deliveries],
            "findings": [msgspec.to_builtins(f) for f in findings],
            "gates": msgspec.to_builtins(self.gates),
            "home": msgspec.to_builtins(self.home),
            "champion": champion.sha256 if champion else "",
            "anchor": last.anchor if last else "",
            "candidate": candidate.sha256 if candidate else "",
            "forced": self.force,
            "version": __version__,
            **(numbers or {}),
        }
        if moves is not None:
            text = moves.to_csv()
            record["ledger"] = content_key("ledgers", text, ".csv")
            record["movers"] = moves.movers()
            files[record["ledger"]] = text
        record["says"] = _paragraph(verdict, deliveries, findings, moves, self.force, numbers)
        if not write:
            return Outcome(verdict, record["says"], record)
        body = msgspec.json.format(msgspec.json.encode(record, order="deterministic"), indent=1)
        files[key := content_key("records", body, ".json")] = body
        for name, data in files.items():
            self.store.put(name, data)
        if candidate is not None:
            self.registry.add(candidate)
        details = {"verdict": verdict, "record": key, "deliveries": record["deliveries"]}
        first = promoted and (last is None or not last.anchor)
        entry = self.registry.append(
            "refit", at=self.at, by=self.by, reason=self.force or record["says"],
            after=last.number if last else 0,
            active=candidate.sha256 if promoted and candidate else None,
            anchor=candidate.sha256 if first and candidate else None,
            details=details,
        )  # fmt: skip
        return Outcome(verdict, record["says"], record, entry)


def deliveries_of(entries: Sequence[Entry]) -> dict[str, Delivery]:
    """The latest state of every file that a home has seen, by its hash."""
    found: dict[str, Delivery] = {}
    for entry in entries:
        for read in entry.details.get("deliveries", []):
            delivery = msgspec.convert(read, Delivery)
            found[delivery.sha256] = delivery
    return found


def known_stones(store: Store, deliveries: Sequence[Delivery]) -> Stones:
    """The stock of a home."""
    import pandas as pd

    keys = [d.sales for d in deliveries if d.sales and d.status == "accepted"]
    parts = [checked_sales(store, key) for key in keys]
    if not parts:
        raise FitError(f"there are no sales in {store} yet.")
    return _stock(store, pd.concat(parts, ignore_index=True))


def sales_of(store: Store, entries: Sequence[Entry]) -> Sales:
    """All accepted sales of a home."""
    import pandas as pd

    known = deliveries_of(entries).values()
    keys = [d.sales for d in known if d.sales and d.status == "accepted"]
    if not keys:
        raise FitError(f"there are no sales in {store} yet.")
    home = _home(store)
    frame = pd.concat([checked_sales(store, key) for key in keys], ignore_index=True)
    return read_sales(frame, currency=home.currency, effective=home.effective)


def held_out(sales: "pd.DataFrame") -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which sales are of stones that no model of a home is ever fitted on, shape (n,)."""
    names = ("carat", "color", "clarity", "depth", "table", "x", "y")
    columns = {name: sales[name].tolist() for name in names}
    frozen = np.zeros(len(sales), bool)
    for i, row in enumerate(zip(*columns.values(), strict=True)):
        carat, color, clarity, depth, table, x, y = row
        sides = (min(x, y), max(x, y)) if x == x and y == y else (depth, table)
        frozen[i] = crc32(f"{carat:g}|{color}|{clarity}|{sides}".encode()) % FROZEN == 0
    return frozen


def checked_sales(store: Store, key: str) -> "pd.DataFrame":
    """Read a file of sales that is what its name says."""
    data = store.read(key)
    if content_key("sales", data, ".parquet") != key:
        raise RegistryError(f"{key} is not what its name says; 'registry verify' tells more.")
    return read_sales_file(data)


def _home(store: Store) -> Home:
    try:
        home = msgspec.convert(tomllib.loads(store.read("home.toml").decode()), Home)
    except FileNotFoundError:
        return Home()
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise FitError(f"home.toml: {error}") from error
    if home.family not in FAMILIES:
        raise FitError(f"home.toml: family must be one of {', '.join(FAMILIES)}.")
    if not CURRENCY.fullmatch(home.currency) or not EFFECTIVE.fullmatch(home.effective):
        raise FitError("home.toml: currency must be three capitals, effective a year or date.")
    return home


def _gates(store: Store) -> Gates:
    try:
        return Gates.from_toml(store.read("gates.toml").decode())
    except FileNotFoundError:
        return Gates()
    except UnicodeDecodeError as error:
        raise FitError(f"gates.toml: {error}") from error


def _stock(store: Store, sales: "pd.DataFrame") -> Stones:
    """The stones of ``stock.csv`` in the home, else each stone of the sales once."""
    import pandas as pd

    try:
        return Stones.from_frame(pd.read_csv(io.BytesIO(store.read("stock.csv"))))
    except FileNotFoundError:
        stones = Stones.from_frame(sales)
        return stones.take(np.sort(np.unique(stone_keys(stones), return_index=True)[1]))


def _counted(arrival: Arrival, files: dict[str, bytes]) -> Delivery:
    """The delivery with its counts, its files put to those that are to be written."""
    delivery, intake = arrival.delivery, arrival.intake
    if intake is None:
        return delivery
    sales = quarantine = ""
    if intake.quarantined:
        text = quarantine_csv(delivery.file, intake.quarantined)
        files[quarantine := content_key("quarantine", text, ".csv")] = text
    if len(intake.sales):
        data = written_sales(intake.sales, delivery.source)
        files[sales := content_key("sales", data, ".parquet")] = data
    return msgspec.structs.replace(
        delivery, read=intake.read, accepted=len(intake.sales),
        quarantined=len(intake.quarantined), faults=intake.reasons(), sales=sales,
        quarantine=quarantine,
    )  # fmt: skip


def _paragraph(
    verdict: str, deliveries: list[Delivery], findings: list[Finding], moves: Ledger | None,
    force: str, numbers: dict[str, int] | None,
) -> str:  # fmt: skip
    """The decision for somebody who reads nothing else."""
    read = sum(d.read for d in deliveries)
    aside = sum(d.quarantined for d in deliveries)
    files = "1 file" if len(deliveries) == 1 else f"{len(deliveries)} files"
    text = [f"{read:,} rows came in {files}; {aside:,} were set aside."]
    for d in deliveries:
        if d.status != "accepted":
            text.append(f"{d.file} is {d.status}: {d.reason}")
    if numbers is not None:
        text.append(
            f"A candidate was fitted to {numbers['trained_on']:,} sales and judged on "
            f"{numbers['judged_on']:,} that no model was fitted on."
        )
        told = {f.gate: f.says for f in findings if f.gate in ("error", "coverage")}
        text += [f"{says[:1].upper()}{says[1:]}." for says in told.values()]
    if moves is not None and len(moves.old):
        change = np.abs(moves.new / np.maximum(moves.old, 1) - 1)
        text.append(
            f"Of {len(moves.old):,} stones half move by less than "
            f"{100 * np.median(change):.1f} %; the largest movement is {moves.movers(1)[0]}"
        )
    failed = [f for f in findings if not f.passed]
    against = [f"{f.says}." for f in failed] + [d.reason for d in deliveries if d.reason]
    if verdict == PROMOTED and force:
        text.append(f"It was promoted by force: {force}.")
        text += [f"Against it stood: {' '.join(dict.fromkeys(against))}"] if against else []
    elif verdict == PROMOTED:
        text.append(f"All {len(findings)} gates passed; it is promoted.")
    elif numbers is not None:
        text.append(f"{len(failed)} of {len(findings)} gates failed: the active model is kept.")
    else:
        text.append("Nothing was fitted; the active model is kept.")
    return " ".join(text)
