"""What a home keeps beside its models: settings, deliveries, and the sales that count."""

import hashlib
import io
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from diamond_pricing import __version__
from diamond_pricing.errors import FitError, RegistryError, StoneError
from diamond_pricing.fitting import DEFAULT, FAMILIES, Sales, read_sales
from diamond_pricing.intake import Source, read_sales_file, recorded_sales
from diamond_pricing.intake.headers import understood
from diamond_pricing.model.training import CURRENCY, EFFECTIVE
from diamond_pricing.refit.deliveries import WITHDRAWN, Delivery, Withdrawal, declared
from diamond_pricing.refit.gates import Gates
from diamond_pricing.refit.offsets import Offset, taken_off
from diamond_pricing.registry import Entry, Store, activations
from diamond_pricing.registry.registry import content_key
from diamond_pricing.stones import Stones, stone_keys
from diamond_pricing.stones.keys import IDENTITY, KnownSales, in_share

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
FROZEN = 10  # one stone in so many is held out for ever, to judge by


class Home(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``home.toml``: what holds for all that a home keeps."""

    currency: str = "USD"  # of all prices
    effective: str = "undated"  # when prices are true, for the documents: a year or date
    family: str = DEFAULT  # of the models


def home_of(store: Store) -> Home:
    """Read ``home.toml``; FitError names what is wrong with it."""
    try:
        home = msgspec.convert(tomllib.loads(store.read("home.toml").decode("utf-8-sig")), Home)
    except FileNotFoundError:
        return Home()
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise FitError(f"home.toml: {error}") from error
    if home.family not in FAMILIES:
        raise FitError(f"home.toml: family must be one of {', '.join(FAMILIES)}.")
    if not CURRENCY.fullmatch(home.currency) or not EFFECTIVE.fullmatch(home.effective):
        raise FitError("home.toml: currency must be three capitals, effective a year or date.")
    return home


def gates_of(store: Store) -> Gates:
    """Read ``gates.toml``."""
    try:
        return Gates.from_toml(store.read("gates.toml").decode("utf-8-sig"))
    except FileNotFoundError:
        return Gates()
    except UnicodeDecodeError as error:
        raise FitError(f"gates.toml: {error}") from error


def settings_hash(store: Store) -> str:
    """Hash of all that a file is read and judged by."""
    text = msgspec.json.encode((gates_of(store), home_of(store), __version__))
    for name in sorted(store.names("sources")):
        text += msgspec.json.encode(
            (name, hashlib.sha256(store.read(f"sources/{name}")).hexdigest())
        )
    with suppress(FileNotFoundError):
        text += store.read("trade.toml")
    return hashlib.sha256(text).hexdigest()[:16]


def deliveries_of(entries: Sequence[Entry]) -> dict[str, Delivery]:
    """The latest state of every file that a home has seen, by its hash.

    A rollback withdraws what led to the model that it leaves; nothing of a model that was
    promoted by hand.
    """
    return _followed(entries)[0]


def withdrawals_of(entries: Sequence[Entry]) -> dict[str, Withdrawal]:
    """By the hash of each file that is withdrawn when that was, and all names of the file."""
    known, when = _followed(entries)
    names: dict[str, set[str]] = {}
    for entry in entries:
        for delivery in recorded_deliveries(entry):
            names.setdefault(delivery.sha256, set()).add(delivery.file)
    return {
        file: Withdrawal(at, frozenset(names[file]))
        for file, at in when.items()
        if known[file].status == WITHDRAWN
    }


def _followed(entries: Sequence[Entry]) -> tuple[dict[str, Delivery], dict[str, str]]:
    """The latest state of every file, and when it was withdrawn last, by its hash."""
    found: dict[str, Delivery] = {}
    when: dict[str, str] = {}
    _, left = activations(entries)
    for entry in entries:
        found |= {delivery.sha256: delivery for delivery in recorded_deliveries(entry)}
        for gone in left.get(entry.number, []):
            for delivery in recorded_deliveries(gone):
                if delivery.status == "accepted":
                    reason = f"the model that it led to was rolled back: {entry.reason}"
                    found[delivery.sha256] = msgspec.structs.replace(
                        delivery, status=WITHDRAWN, reason=reason
                    )
                    when[delivery.sha256] = entry.at
    return found, when


def settled(
    entries: Sequence[Entry], known: Mapping[str, Delivery]
) -> Iterator[tuple[Entry, list[Delivery]]]:
    """Each entry, with the deliveries whose present status it was first to record."""
    done: set[str] = set()
    for entry in entries:
        found = []
        for delivery in recorded_deliveries(entry):
            file = delivery.sha256
            if file not in done and delivery.status == known[file].status:
                done.add(file)
                found.append(delivery)
        yield entry, found


def offsets_of(entries: Sequence[Entry]) -> dict[str, Offset]:
    """The offsets that the active model was fitted with, by source."""
    for entry in reversed(entries):
        if "offsets" in entry.details and entry.active == entries[-1].active:
            return {o.source: o for o in _recorded(entry, "offsets", Offset)}
    return {}


def recorded_deliveries(entry: Entry) -> list[Delivery]:
    """The files that an entry of the log speaks of."""
    return _recorded(entry, "deliveries", Delivery)


def _recorded(entry: Entry, name: str, kind: type[T]) -> list[T]:
    """What an entry of the log says under a name; RegistryError when it is of no such kind."""
    try:
        return msgspec.convert(entry.details.get(name, []), list[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise RegistryError(
            f"entry {entry.number} of the log has {name} that cannot be read: {error}."
        ) from error


def declared_sources(store: Store, names: Iterable[str]) -> dict[str, Source]:
    """What the home says of each of these sources, where it says anything."""
    found = {name: declared(store, name) for name in sorted(set(names))}
    return {name: source for name, source in found.items() if source is not None}


def stored_sales(store: Store, deliveries: Iterable[Delivery]) -> "pd.DataFrame | None":
    """The sales of deliveries, each once, at the prices that were delivered."""
    parts = [checked(store, d.sales) for d in deliveries if d.sales]
    return once(parts) if parts else None


def once(parts: "Iterable[pd.DataFrame]") -> "pd.DataFrame":
    """Each sale of several deliveries once: one that was held may repeat others."""
    import pandas as pd

    known, kept = KnownSales(), []
    for part in parts:
        sales = recorded_sales(part)
        new = [not match for match in known.matches(sales)]
        known.add(sale for sale, is_new in zip(sales, new, strict=True) if is_new)
        kept.append(part[new])
    return pd.concat(kept, ignore_index=True)


def accepted_sales(store: Store, entries: Sequence[Entry]) -> "pd.DataFrame":
    """All sales that count, at the prices that were delivered; FitError when there are none."""
    known = deliveries_of(entries).values()
    sales = stored_sales(store, [d for d in known if d.status == "accepted"])
    if sales is None:
        raise FitError(f"there are no sales in {store} yet.")
    return sales


def counted_sales(store: Store, entries: Sequence[Entry]) -> "pd.DataFrame":
    """All sales that count, as models are fitted to them: offsets of sources taken off."""
    frame = accepted_sales(store, entries)
    sources = declared_sources(store, frame["source"])
    home = home_of(store)
    counted = frame.assign(price=taken_off(frame, sources, offsets_of(entries)))
    counted.attrs = {"currency": home.currency, "effective": home.effective}
    return counted


def sales_of(store: Store, entries: Sequence[Entry]) -> Sales:
    """The same, checked."""
    return read_sales(counted_sales(store, entries))


def stock_of(store: Store) -> "pd.DataFrame | None":
    """The stones of ``stock.csv``; None without such a file, FitError when it is unreadable."""
    import pandas as pd

    try:
        stock = pd.read_csv(io.BytesIO(store.read("stock.csv")))
        named = {header: (understood(str(header)) or ("",))[0] for header in stock.columns}
        numbers = [header for header, name in named.items() if name == IDENTITY]
        stock = stock.rename(columns=dict.fromkeys(numbers[:1], IDENTITY))
        Stones.from_frame(stock)
    except FileNotFoundError:
        return None
    except (StoneError, ValueError) as error:
        raise FitError(f"stock.csv: {error}") from error
    return stock


def stones_compared(store: Store, sales: "Callable[[], pd.DataFrame]") -> Stones:
    """The stones whose prices two models are compared by: the stock, else all sold."""
    stock = stock_of(store)
    if stock is not None:
        return Stones.from_frame(stock)
    stones = Stones.from_frame(sales())
    return stones.take(np.sort(np.unique(stone_keys(stones), return_index=True)[1]))


def held_out(sales: "pd.DataFrame") -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which sales are of stones that no model of a home is ever fitted on, shape (n,)."""
    return in_share(Stones.from_frame(sales), FROZEN)


def checked(store: Store, key: str) -> "pd.DataFrame":
    """Read a file of sales that is what its name says."""
    data = store.read(key)
    if content_key("sales", data, ".parquet") != key:
        raise RegistryError(f"{key} is not what its name says; 'registry verify' tells more.")
    return read_sales_file(data)
