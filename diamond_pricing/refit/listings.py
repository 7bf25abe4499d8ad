"""Stones that a feed lists for months: one stone, its first and last day, its prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from diamond_pricing.intake import recorded_sales
from diamond_pricing.refit import home as homes
from diamond_pricing.refit.days import sale_days
from diamond_pricing.registry import Entry, Store
from diamond_pricing.stones.attributes import iso
from diamond_pricing.stones.keys import stone_name


@dataclass(frozen=True, slots=True)
class Listing:
    """One stone of a source, over all deliveries."""

    source: str
    stone: str  # the report or stock number, or the measures, that tell it from others
    first: str  # days on which it was seen first and last
    last: str
    seen: int  # deliveries that had it
    prices: tuple[float, ...]  # in order of the days; one that did not change stands once


def listings(store: Store, entries: Sequence[Entry]) -> list[Listing]:
    """Every stone that can be told from others, in order of its first day.

    A sale that came again at the same price is fitted once; here it is not forgotten. What a
    rollback withdrew, or the gates hold, does not count.
    """
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for entry, deliveries in homes.settled(entries, homes.deliveries_of(entries)):
        for delivery in deliveries:
            keys = {"accepted": [delivery.again, delivery.sales], "rejected": [delivery.again]}
            for key in filter(None, keys.get(delivery.status, [])):
                frame = homes.checked(store, key)
                rows = zip(sale_days(frame, entry.at), frame["price"].tolist(), strict=True)
                for sale, row in zip(recorded_sales(frame), rows, strict=True):
                    if name := stone_name(sale):
                        found.setdefault((delivery.source, name), []).append(row)
    made = []
    for (source, stone), seen in found.items():
        seen.sort(key=itemgetter(0))
        prices = [price for _, price in seen]
        changes = [p for p, before in zip(prices, [None, *prices], strict=False) if p != before]
        first, last = iso(seen[0][0]), iso(seen[-1][0])
        made.append(Listing(source, stone, first, last, len(seen), tuple(changes)))
    return sorted(made, key=attrgetter("first", "source", "stone"))
