"""Stones that a feed lists for months: one stone, its first and last day, its prices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diamond_pricing.intake import recorded_sales
from diamond_pricing.refit import home as homes
from diamond_pricing.refit.days import sale_days
from diamond_pricing.registry import Entry, Store
from diamond_pricing.stones.attributes import iso
from diamond_pricing.stones.keys import stone_name


@dataclass(frozen=True, slots=True)
class Listing:
    """One stone of a source, over all deliveries.

    Attributes
    ----------
    source, stone : str
        The report or stock number, or the measures, that tell the stone from others.
    first, last : str
        Days on which it was seen first and last.
    seen : int
        Deliveries that had it.
    prices : tuple[float, ...]
        In order of the days; one that did not change stands once.
    """

    source: str
    stone: str
    first: str
    last: str
    seen: int
    prices: tuple[float, ...]


def listings(store: Store, entries: Sequence[Entry]) -> list[Listing]:
    """Every stone that can be told from others, in order of its first day.

    A sale that came again at the same price is fitted once; here it is not forgotten. What a
    rollback withdrew, or the gates hold, does not count.
    """
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for source, stone, day, price in _seen(store, entries):
        found.setdefault((source, stone), []).append((day, price))
    made = []
    for (source, stone), rows in found.items():
        rows.sort(key=lambda row: row[0])
        prices = [price for _, price in rows]
        changes = [p for p, before in zip(prices, [None, *prices], strict=False) if p != before]
        first, last = iso(rows[0][0]), iso(rows[-1][0])
        made.append(Listing(source, stone, first, last, len(rows), tuple(changes)))
    return sorted(made, key=lambda one: (one.first, one.source, one.stone))


def _seen(store: Store, entries: Sequence[Entry]) -> Iterator[tuple[str, str, float, float]]:
    """Source, stone, day and price of each row of a delivery that can be told from others."""
    known = homes.deliveries_of(entries)
    done: set[str] = set()
    for entry in entries:
        for delivery in homes.recorded_deliveries(entry):
            status = known[delivery.sha256].status
            if delivery.sha256 in done or status not in ("accepted", "rejected"):
                continue
            if delivery.status != status:
                continue
            done.add(delivery.sha256)
            keys = [delivery.again, *([delivery.sales] if status == "accepted" else [])]
            for key in filter(None, keys):
                frame = homes.checked(store, key)
                days = sale_days(frame, entry.at)
                for sale, day, price in zip(
                    recorded_sales(frame), days, frame["price"].tolist(), strict=True
                ):
                    if name := stone_name(sale):
                        yield delivery.source, name, day, price
