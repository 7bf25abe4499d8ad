"""What the market did: an index of prices, drawn and in tables; what grades are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.errors import ReportError
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Figure, Table, frame_of, table
from diamond_pricing.exhibits.style import BLUE, NAVY, ORANGE, drawing
from diamond_pricing.model import PriceModel
from diamond_pricing.model.market import Period, market_index
from diamond_pricing.stones import Stone, Stones
from diamond_pricing.stones.kinds import KINDS

if TYPE_CHECKING:
    from diamond_pricing.fitting.grade_worth import Worth

LABELS = 9  # of periods, as many as have room
WEIGHTS = (0.3, 0.7, 1.0, 1.5, 2.0)  # of segments
MOST_KINDS = 4  # shapes that have a column


def index_chart(periods: Sequence[Period]) -> Figure:
    """Draw an index of prices with its limits, where it has any.

    A period without an index is a gap in the line.

    Raises
    ------
    ReportError
        When no period has an index.
    """
    frame = frame_of([asdict(period) for period in periods])
    ends = frame[["index", "low", "high"]].astype(float)
    known = np.flatnonzero(ends["index"].notna())
    if not len(known):
        raise ReportError("no period has an index, so there is nothing to draw.")
    frame[ends.columns] = ends
    place = np.arange(len(frame))
    with drawing(2.6) as sheet:
        axes = sheet.axes
        axes.axhline(100, color=ORANGE, lw=0.8)
        axes.fill_between(place, ends["low"], ends["high"], color=BLUE, alpha=0.25, lw=0)
        axes.plot(place, ends["index"], color=NAVY, marker="o", ms=2.5)
        some = place[:: -(-len(place) // LABELS)]
        axes.set_xticks(some, frame["period"].iloc[some])
        axes.grid(axis="x", visible=False)
        axes.set_ylabel(f"{frame['period'].iloc[known[0]]} = 100")
        last = frame.iloc[known[-1]]
        limits = f" ({last['low']:.1f} to {last['high']:.1f})" if last["low"] > 0 else ""
        alt = (
            f"Index of prices at constant quality: {last['index']:.1f}{limits} in "
            f"{last['period']}, {frame['period'].iloc[known[0]]} being 100; lowest "
            f"{ends['index'].min():.1f}, highest {ends['index'].max():.1f}."
        )
        return sheet.exhibit(alt, frame)


def index_table(periods: Sequence[Period], published: Mapping[str, float]) -> Table:
    """The index of each period with its limits, and what was published of it."""
    frame = frame_of([asdict(period) for period in periods])
    frame["published"] = [published.get(period.period) for period in periods]
    frame = frame.astype(dict.fromkeys(("index", "low", "high", "published"), float))
    numbers = dict.fromkeys(("index", "low", "high", "published"), written.places(1))
    return Table(frame, numbers | {"sales": written.count})


def segments_table(model: PriceModel) -> Table:
    """The index by quarter of stones of other weights, shapes and origins.

    Raises
    ------
    ReportError
        For a model whose sales have no dates.
    """
    usual: dict[str, Any] = model.reference.given()
    low, high = model.training.ranges["carat"]
    asked: dict[str, dict[str, Any]] = {
        f"{c:g} ct": {"carat": c} for c in WEIGHTS if low <= c <= high
    }
    for kind in KINDS:
        if kind in model._effects.attributes:
            counts = model.training.grades[kind]
            most = sorted(counts, key=lambda grade: -counts[grade])[:MOST_KINDS]
            asked |= {grade: {kind: grade} for grade in most}
    columns: dict[str, list[Any]] = {}
    for name, other in asked.items():
        stone = Stone(**usual | other)
        if not model.supports(Stones.of([stone]))[0]:
            continue
        found = market_index(model, "quarter", of=stone)
        columns["quarter"] = [period.period for period in found]
        columns["sales"] = [period.sales for period in found]
        columns[name] = [period.index for period in found]
    numbers = dict.fromkeys(asked, written.places(1))
    return Table(frame_of(columns), numbers | {"sales": written.count})


def worth_table(rows: "Sequence[Worth]") -> Table:
    """What grades are worth by period, a column each."""
    frame = frame_of([asdict(row) for row in rows])
    grades = list(dict.fromkeys(frame["grade"]))
    wide = frame.pivot_table(index="period", columns="grade", values="worth", sort=True)
    wide = wide.reindex(columns=grades, index=sorted(set(frame["period"]))).reset_index()
    return Table(wide, dict.fromkeys(grades, written.places(3)))


def told_table(scores: Sequence[Any]) -> Table:
    """Sealed predictions against the prices that stones fetched."""
    columns = {
        "stones of": None,
        "age": None,
        "sales": written.count,
        "within 10 %": written.share,
        "half within": written.share,
        "level": written.signed,
        "in range": written.share,
    }
    rows = [(s.of, s.age, s.n, s.near, s.error, s.level, s.held) for s in scores]
    return table(rows, columns)
