"""What is charged and what is quoted, written together and by the many.

Requests that arrive while a transaction is being flushed are written by the next one, all at
once: a flush costs the same for one quote as for a hundred. Within the transaction keys are
looked at once more and quotas are counted, so that neither a revoked key nor many servers at
one database get more than they may.
"""

import asyncio
import hashlib
import queue
import re
import secrets
import threading
import time
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    select,
    tuple_,
    update,
)

from diamond_pricing.errors import StorageError
from diamond_pricing.web.storage.audit import stamp
from diamond_pricing.web.storage.database import Database, inserting
from diamond_pricing.web.storage.keys import Caller
from diamond_pricing.web.storage.tables import keys, numbered, quotes, spent, usage

NAME = re.compile(r"q_[0-9a-f]{32}")
LABEL = re.compile(r"[Qq]-([0-9]{4})-([0-9]{1,9})")
LINGER = 0.003  # seconds
MOST = 512  # requests of one transaction
PATIENCE = 6.0  # seconds that a request waits for the database
WAITING = 20_000  # beyond these the database is too slow


class NewQuote(msgspec.Struct, frozen=True):
    """A quote to be stored."""

    model: str  # SHA-256 of the model document
    asked: str  # the request, JSON
    cents: int
    idempotency: str = ""  # the client's key, or nothing
    pin: str = ""  # the model that the client asked for by id, or nothing
    title: str = ""  # the stone in words
    currency: str = ""
    client: str = ""  # for whom it is, or nothing
    client_reference: str = ""  # what they call it, or nothing
    valid_until: str = ""  # a date, or nothing
    words: str = ""  # what else it may be looked for by

    @property
    def fingerprint(self) -> str:
        """Of the request, to tell a repetition from another request."""
        return hashlib.sha256(f"{self.pin}\n{self.asked}".encode()).hexdigest()


class StoredQuote(msgspec.Struct, frozen=True):
    """A quote as it is kept."""

    id: str
    tenant: str
    created: str
    model: str
    asked: str
    cents: int
    year: int | None = None
    number: int | None = None
    title: str | None = None
    currency: str | None = None
    client: str | None = None
    client_reference: str | None = None
    valid_until: str | None = None
    shares: int = 0

    @property
    def label(self) -> str:
        """What people call it: ``Q-2026-000123``; of an old one its id."""
        return self.id if self.number is None else f"Q-{self.year}-{self.number:06}"


class Spend(msgspec.Struct, frozen=True):
    """What a request costs its tenant."""

    caller: Caller
    kind: str  # of what, for the bill
    units: int  # prices
    quote: NewQuote | None = None


class Receipt(msgspec.Struct, frozen=True):
    """What became of a request."""

    refused: str = ""  # code of a problem, or nothing
    quote: StoredQuote | None = None
    replayed: bool = False  # whether the quote was stored by an earlier request
    left: int | None = None  # prices left in this window; None without a quota
    reset: int = 0  # seconds until the next window


_STORED = tuple(quotes.c[name] for name in StoredQuote.__struct_fields__)
_SAME = [name for name in NewQuote.__struct_fields__ if name in StoredQuote.__struct_fields__]
_Waiting = tuple[Spend, "asyncio.Future[Receipt]"]


class Ledger:
    """Writes spends in a thread; ``unstored`` prices may be owed while the database fails."""

    def __init__(self, database: Database, unstored: int) -> None:
        self.database, self.unstored = database, unstored
        self._owed: list[Spend] = []  # appended to by the loop, taken off by the thread
        self._owing = threading.Lock()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to write, for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    async def settle(self, spend: Spend) -> Receipt:
        """Charge and store; when this returns it has been flushed.

        Raises
        ------
        StorageError
            When it could not be; nothing of it was written.
        """
        if self._loop is None or self._queue.qsize() > WAITING:
            raise StorageError("the database does not keep up.")
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._queue.put((spend, future))
        late = self._loop.call_later(PATIENCE, _given_up, future)
        try:
            return await future
        finally:
            late.cancel()

    def owe(self, spend: Spend) -> bool:
        """Remember a charge until the database works again; say whether there was room."""
        with self._owing:
            if sum(s.units for s in self._owed) + spend.units > self.unstored:
                return False
            self._owed.append(msgspec.structs.replace(spend, quote=None))
            return True

    def quote(self, name: str, tenant: str | None) -> StoredQuote | None:
        """Look a quote up by its id or number; None if it is not this tenant's.

        Of no tenant (None) it is anybody's, by its id alone.
        """
        wanted = [] if tenant is None else [quotes.c.tenant == tenant]
        if NAME.fullmatch(name):
            wanted.append(quotes.c.id == name)
        elif tenant is not None and (found := LABEL.fullmatch(name)):
            year, number = (int(part) for part in found.groups())
            wanted += [quotes.c.year == year, quotes.c.number == number]
        else:
            return None
        return self._one(*wanted)

    def repeated(self, tenant: str, new: NewQuote) -> StoredQuote | None:
        """The quote that the same request was given before under its key, if it was."""
        return self._one(
            quotes.c.tenant == tenant,
            quotes.c.idempotency == new.idempotency,
            quotes.c.fingerprint == new.fingerprint,
        )

    def _one(self, *wanted: ColumnElement[bool]) -> StoredQuote | None:
        with self.database.reading() as connection:
            row = connection.execute(select(*_STORED).where(*wanted)).first()
        return None if row is None else StoredQuote(*row)

    def quotes(
        self, tenant: str, search: str = "", since: str = "", before: str = "", most: int = 50
    ) -> list[StoredQuote] | None:
        """The quotes of a tenant, newest first; None where there is no quote ``before``.

        Each has all words of ``search``, was created ``since`` a date or time, and is older
        than the quote of the id ``before``.
        """
        wanted = select(*_STORED).where(quotes.c.tenant == tenant)
        place = (quotes.c.created, func.coalesce(quotes.c.number, 0), quotes.c.id)
        for word in searchable(search).split()[:12]:
            wanted = wanted.where(quotes.c.search.contains(word, autoescape=True))
        if since:
            wanted = wanted.where(quotes.c.created >= since)
        with self.database.reading() as connection:
            if before:
                found = select(*place).where(quotes.c.id == before, quotes.c.tenant == tenant)
                last = connection.execute(found).first()
                if last is None:
                    return None
                wanted = wanted.where(tuple_(*place) < tuple_(*last))
            order = wanted.order_by(*(column.desc() for column in place)).limit(most)
            return [StoredQuote(*row) for row in connection.execute(order)]

    def revoke_links(self, name: str, tenant: str) -> None:
        """Make the links that were given to a quote so far lead nowhere."""
        one = update(quotes).where(quotes.c.id == name, quotes.c.tenant == tenant)
        with self.database.writing() as connection:
            connection.execute(one.values(shares=quotes.c.shares + 1))

    def used(self, tenant: str, since: str, until: str) -> list[dict[str, Any]]:
        """Usage by hour and kind."""
        wanted = (
            select(usage.c.hour, usage.c.kind, usage.c.requests, usage.c.units)
            .where(usage.c.tenant == tenant, usage.c.hour >= since, usage.c.hour <= until)
            .order_by(usage.c.hour, usage.c.kind)
            .limit(10_000)
        )
        with self.database.reading() as connection:
            return [row._asdict() for row in connection.execute(wanted)]

    def _run(self) -> None:
        crowd = 1
        while True:
            waiting = [self._queue.get()]
            if crowd > 1:  # others are about to come: a transaction costs more than a wait
                time.sleep(LINGER)
            while len(waiting) < MOST:
                try:
                    waiting.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            taken = [item for item in waiting if item is not None]
            crowd = len(taken)
            if taken:
                self._answer(taken)
            if len(taken) < len(waiting):
                return

    def _answer(self, taken: list[_Waiting]) -> None:
        spends = [spend for spend, _ in taken]
        with self._owing:
            owed = list(self._owed)
        answers: list[Receipt] | StorageError
        try:
            with self.database.writing() as connection:
                settled(connection, owed, time.time(), owed=True)
                answers = settled(connection, spends, time.time())
            with self._owing:
                del self._owed[: len(owed)]
        except StorageError as error:
            answers = error
        except Exception as error:  # the thread must outlive whatever this was
            answers = StorageError(f"the ledger failed: {error!r}")
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            assert self._loop is not None
            self._loop.call_soon_threadsafe(_tell, [future for _, future in taken], answers)


def searchable(text: str) -> str:
    """A text as it is searched: small letters without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def _given_up(future: "asyncio.Future[Receipt]") -> None:
    if not future.done():
        future.set_exception(StorageError("the database does not answer in time."))


def _tell(
    futures: list["asyncio.Future[Receipt]"], answers: list[Receipt] | StorageError
) -> None:
    for i, future in enumerate(futures):
        if future.done():  # whoever asked has gone
            continue
        if isinstance(answers, StorageError):
            future.set_exception(answers)
        else:
            future.set_result(answers[i])


def settled(
    connection: Connection, spends: Sequence[Spend], now: float, *, owed: bool = False
) -> list[Receipt]:
    """Write spends within a transaction; ``owed`` prices were delivered and are not refused."""
    if not spends:
        return []
    tenants = sorted({s.caller.tenant for s in spends})  # in one order: no deadlock
    windows = _windows(connection, tenants)
    good = _good_keys(connection, {s.caller.key for s in spends if s.caller.key}, now)
    earlier = _earlier(connection, spends)
    created = stamp(now)
    year = int(created[:4])
    # The tenants' windows are locked, and so are their numbers.
    numbers = _numbers(connection, {s.caller.tenant for s in spends if s.quote}, year)
    receipts, rows = [], []
    bill: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for spend in spends:
        caller, quote = spend.caller, spend.quote
        if caller.key and caller.key not in good and not owed:
            receipts.append(Receipt("unauthorized"))
            continue
        start, units = windows[caller.tenant]
        seconds = caller.seconds or 0
        window = int(now) // seconds * seconds if seconds else 0
        if 0 < start - window <= seconds:
            window = start  # a clock that went back begins no window anew
        elif start != window:
            units = 0
        left = None if caller.quota is None else caller.quota - units
        reset = max(1, window + seconds - int(now)) if seconds else 0
        known = earlier.get((caller.tenant, quote.idempotency)) if quote else None
        if known is not None and quote is not None:
            stored, fingerprint = known
            if fingerprint != quote.fingerprint:
                receipts.append(Receipt("idempotency_key_reused", left=left, reset=reset))
            else:
                receipts.append(Receipt("", stored, True, left, reset))
            continue
        if left is not None and left < spend.units and not owed:
            receipts.append(Receipt("too_many_requests", left=max(left, 0), reset=reset))
            continue
        windows[caller.tenant] = (window, units + spend.units)
        left = None if left is None else max(left - spend.units, 0)
        billed = bill[caller.tenant, spend.kind]
        billed[0] += 1
        billed[1] += spend.units
        if quote is None:
            receipts.append(Receipt("", None, False, left, reset))
            continue
        numbers[caller.tenant] = number = numbers.get(caller.tenant, 0) + 1
        name = f"q_{secrets.token_hex(16)}"
        same = {field: getattr(quote, field) for field in _SAME}
        stored = StoredQuote(name, caller.tenant, created, year=year, number=number, **same)
        rows.append(
            msgspec.structs.asdict(stored)
            | {"idempotency": quote.idempotency or None, "fingerprint": quote.fingerprint}
            | {"search": _search(stored, quote)}
        )
        if quote.idempotency:
            earlier[caller.tenant, quote.idempotency] = (stored, quote.fingerprint)
        receipts.append(Receipt("", stored, False, left, reset))
    if rows:
        connection.execute(insert(quotes), rows)
        last = [
            {"tenant": tenant, "year": year, "last": numbers[tenant]}
            for tenant in sorted({row["tenant"] for row in rows})
        ]
        fresh = inserting(connection, numbered)
        fresh = fresh.on_conflict_do_update(
            index_elements=["tenant", "year"], set_={"last": fresh.excluded.last}
        )
        connection.execute(fresh, last)
    if bill:
        _billed(connection, bill, created[:13])
        changed = [
            {"name": t, "start": windows[t][0], "units": windows[t][1]}
            for t in sorted({t for t, _ in bill})
        ]
        wanted = update(spent).where(spent.c.tenant == bindparam("name"))
        connection.execute(wanted, changed)
    return receipts


def _search(stored: StoredQuote, quote: NewQuote) -> str:
    """All that a quote may be looked for by."""
    day = stored.created[:10]
    words = [
        stored.label,
        f"Q-{stored.year}-{stored.number}",
        day,
        "/".join(reversed(day.split("-"))),
        quote.title,
        quote.title.replace(".", ",", 1),
        quote.client,
        quote.client_reference,
        quote.words,
        quote.words.replace(" ", ""),
    ]
    return searchable(" ".join(words))


def _windows(connection: Connection, tenants: list[str]) -> dict[str, tuple[int, int]]:
    """Start and units of each tenant's window, held against other servers."""
    wanted = (
        select(spent.c.tenant, spent.c.start, spent.c.units)
        .where(spent.c.tenant.in_(tenants))
        .order_by(spent.c.tenant)
        .with_for_update()
    )
    found = {row.tenant: (row.start, row.units) for row in connection.execute(wanted)}
    if len(found) < len(tenants):
        fresh = [{"tenant": t, "start": 0, "units": 0} for t in tenants if t not in found]
        connection.execute(inserting(connection, spent).on_conflict_do_nothing(), fresh)
        found = {row.tenant: (row.start, row.units) for row in connection.execute(wanted)}
    return found


def _numbers(connection: Connection, tenants: set[str], year: int) -> dict[str, int]:
    """The last number of a quote of each tenant in a year."""
    if not tenants:
        return {}
    wanted = select(numbered.c.tenant, numbered.c.last).where(
        numbered.c.tenant.in_(tenants), numbered.c.year == year
    )
    return {row.tenant: row.last for row in connection.execute(wanted)}


def _good_keys(connection: Connection, named: set[str], now: float) -> set[str]:
    if not named:
        return set()
    valid = keys.c.expires.is_(None) | (keys.c.expires > stamp(now))
    wanted = select(keys.c.id).where(keys.c.id.in_(named), keys.c.revoked.is_(None), valid)
    return set(connection.execute(wanted).scalars())


def _earlier(
    connection: Connection, spends: Sequence[Spend]
) -> dict[tuple[str, str], tuple[StoredQuote, str]]:
    """Quotes that were stored under the same idempotency keys."""
    named = {
        (s.caller.tenant, s.quote.idempotency)
        for s in spends
        if s.quote and s.quote.idempotency
    }
    if not named:
        return {}
    wanted = select(*_STORED, quotes.c.idempotency, quotes.c.fingerprint).where(
        quotes.c.tenant.in_({tenant for tenant, _ in named}),
        quotes.c.idempotency.in_({key for _, key in named}),
    )
    return {
        (row.tenant, row.idempotency): (StoredQuote(*row[: len(_STORED)]), row.fingerprint)
        for row in connection.execute(wanted)
    }


def _billed(connection: Connection, bill: dict[tuple[str, str], list[int]], hour: str) -> None:
    rows = [
        {"tenant": tenant, "hour": hour, "kind": kind, "requests": requests, "units": units}
        for (tenant, kind), (requests, units) in sorted(bill.items())
    ]
    fresh = inserting(connection, usage)
    more = {name: usage.c[name] + fresh.excluded[name] for name in ("requests", "units")}
    fresh = fresh.on_conflict_do_update(index_elements=["tenant", "hour", "kind"], set_=more)
    connection.execute(fresh, rows)
