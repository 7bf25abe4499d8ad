"""Predictions that are sealed in the log, and scored when the stones are sold.

Each run predicts the prices of its deliveries by the model that was active before it, which
an earlier entry of the log names and which has not seen them, and those of the stock. The
entry of the run holds the hash of the predictions: whoever has the model can work them out
again, and those of the stock stand in the log before the stones are sold.
"""

import csv
import io
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.intake import recorded_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.model.carried import MONTH
from diamond_pricing.refit import home as homes
from diamond_pricing.refit.days import sale_days, within
from diamond_pricing.refit.deliveries import Arrival
from diamond_pricing.refit.ledger import csv_text
from diamond_pricing.refit.listings import Listing, listings
from diamond_pricing.refit.offsets import taken_off
from diamond_pricing.registry import Entry, Store
from diamond_pricing.stones import Stones
from diamond_pricing.stones.attributes import iso
from diamond_pricing.stones.keys import stone_name

if TYPE_CHECKING:
    import pandas as pd

STOCK, DELISTED = "stock", "delisted"
COLUMNS = ("of", "row", "stone", "as_of", "price", "low", "high")
MONTHS = (1.0, 3.0, 6.0)
AGES = ("under 1 month", "1 to 3 months", "3 to 6 months", "from 6 months")
NEAR = 0.10


@dataclass(frozen=True, slots=True)
class Score:
    """Predictions against the prices that stones fetched, or were last asked for.

    Attributes
    ----------
    of : str
        ``deliveries``, priced as they came in; ``stock``, priced before it was sold;
        ``delisted``, priced as they came in, and held against the last price that was asked
        before the stone left its feed.
    """

    of: str
    age: str  # of the model's latest sale
    n: int
    near: float  # share of the predictions within 10 % of the price fetched
    error: float  # median of the absolute errors, as a share of the price fetched
    level: float  # median of prediction over price fetched, less 1
    held: float | None  # share within the 90 % ranges


def sealed(
    model: PriceModel, arrivals: Sequence[Arrival], stock: "pd.DataFrame | None", at: str
) -> bytes:
    """Price what came in and what is in stock, as a CSV file.

    Stones that the model does not support are left out. A model without dates is of the day
    of the run, ``at``.
    """
    parts = [(a.delivery.sha256, a.intake.sales) for a in arrivals if a.intake is not None]
    if stock is not None:
        parts.append((STOCK, stock))
    as_of = at[:10] if model.last_day is None else iso(model.last_day)
    lines: list[tuple[object, ...]] = [COLUMNS]
    for of, frame in parts:
        if not len(frame):
            continue
        known, price, low, high = _priced(model, Stones.from_frame(frame))
        rows = frame["row"] if "row" in frame else range(len(frame))
        names = [stone_name(sale) for sale in recorded_sales(frame.assign(price=0.0))]
        for row, name, is_known, *amounts in zip(
            rows, names, known, price, low, high, strict=True
        ):
            if is_known:
                told = ("" if v != v else f"{v:.2f}" for v in amounts)
                lines.append((of, row, name, as_of, *told))
    return csv_text(lines).encode()


def _priced(model: PriceModel, stones: Stones) -> tuple[Any, Vector, Vector, Vector]:
    """Which stones are priced, and their prices with both ends; NaN where there is none."""
    try:
        model = model.carry_forward()
    except FitError:
        stones = within(model, stones)
    known = model.supports(stones)
    price, low, high = np.full((3, len(stones)), np.nan)
    some = stones.take(known)
    if len(some):
        price[known] = model.price(some)
        if model.ranges is not None:
            low[known], high[known] = model.range(some)
    return known, price, low, high


def scored(store: Store, entries: Sequence[Entry]) -> list[Score]:
    """Compare all sealed predictions with what their stones fetched or asked, by age."""
    found: dict[tuple[str, int], list[list[float]]] = {}
    for of, days, *amounts in _outcomes(store, entries):
        age = bisect(MONTHS, days / MONTH)
        found.setdefault((of, age), []).append(amounts)
    scores = []
    for (of, age), rows in sorted(found.items(), key=itemgetter(0)):
        fetched, told, low, high = np.array(rows).T
        off = told / fetched - 1
        ranged = ~np.isnan(low)
        inside = (low <= fetched) & (fetched <= high)
        scores.append(
            Score(
                of,
                AGES[age],
                len(rows),
                float((np.abs(off) <= NEAR).mean()),
                float(np.median(np.abs(off))),
                float(np.median(off)),
                float(inside[ranged].mean()) if ranged.any() else None,
            )
        )
    return scores


def _outcomes(store: Store, entries: Sequence[Entry]) -> Iterator[tuple[Any, ...]]:
    """Of each sale predicted: of what, age in days, price fetched, prediction, both ends."""
    known = homes.deliveries_of(entries)
    accepted = {f: d for f, d in known.items() if d.status == "accepted" and d.sales}
    offsets = homes.offsets_of(entries)
    stock: dict[str, list[str]] = {}
    told: dict[tuple[str, str], list[str]] = {}
    for entry, deliveries in homes.settled(entries, known):
        rows: list[list[str]] = []
        if key := entry.details.get("sealed"):
            rows = list(csv.reader(io.StringIO(store.read(str(key)).decode())))[1:]
        told |= {(row[0], row[1]): row for row in rows if row[0] != STOCK}
        for delivery in deliveries:
            if delivery.sha256 not in accepted:
                continue
            frame = homes.checked(store, delivery.sales)
            sources = homes.declared_sources(store, [delivery.source])
            for sale, fetched, day, row in zip(
                recorded_sales(frame),
                taken_off(frame, sources, offsets).tolist(),
                sale_days(frame, entry.at),
                frame["row"],
                strict=True,
            ):
                for of, before in (
                    ("deliveries", told.get((delivery.sha256, str(row)))),
                    (STOCK, stock.pop(stone_name(sale), None)),
                ):
                    if before is not None:
                        yield _outcome(of, before, day, fetched)
        stock |= {row[2]: row for row in rows if row[0] == STOCK and row[2]}
    early: dict[tuple[str, str], list[str]] = {}
    for (sha256, _), row in told.items():
        if sha256 in accepted and row[2]:
            early.setdefault((accepted[sha256].source, row[2]), row)
    left = [one for one in _left(listings(store, entries)) if (one.source, one.stone) in early]
    feeds = [one.source for one in left]
    asked: dict[str, list[Any]] = {"source": feeds, "price": [one.prices[-1] for one in left]}
    sources = homes.declared_sources(store, feeds)
    for one, price in zip(left, taken_off(asked, sources, offsets).tolist(), strict=True):
        day = date.fromisoformat(one.last).toordinal()
        yield _outcome(DELISTED, early[one.source, one.stone], day, price)


def _left(found: Sequence[Listing]) -> Iterator[Listing]:
    """Stones that a feed, which lists stones again, lists no longer."""
    last: dict[str, str] = {}
    for one in found:
        last[one.source] = max(one.last, last.get(one.source, ""))
    feeds = {one.source for one in found if one.seen > 1}
    yield from (one for one in found if one.source in feeds and one.last < last[one.source])


def _outcome(of: str, row: list[str], day: float, price: float) -> tuple[Any, ...]:
    age = max(day - date.fromisoformat(row[3]).toordinal(), 0.0)
    return of, age, price, *(float(v) if v else np.nan for v in row[4:])
