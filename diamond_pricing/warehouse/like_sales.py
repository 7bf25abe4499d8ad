"""What like sales fetched beyond the terms, counted where the sales are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.fitting.like_sales import (
    BINS,
    MOST,
    Counting,
    Summed,
    Ways,
    every_side,
    shares,
)
from diamond_pricing.fitting.structure import SHAPES
from diamond_pricing.model import Training
from diamond_pricing.model.certificate import jumps
from diamond_pricing.model.like_sales import Cells, Side
from diamond_pricing.stones import LISTING
from diamond_pricing.stones.trade import graded
from diamond_pricing.terms import parse
from diamond_pricing.warehouse.relation import ibis
from diamond_pricing.warehouse.tally import (
    EXACT,
    Counted,
    banded,
    flat,
    looked_up,
    steps,
    summed_up,
)


def sides_at(ready: Counted, training: Training) -> list[tuple[Side, ...]]:
    """The sides of each table that the sales can fill; none for stones of several shapes."""
    if SHAPES in ready.frame.bins:
        return []
    quantiles = {}
    for name in BINS:
        if not (feature := _feature_of(ready, name)):
            continue
        codes = ready.table.select(code=ready.table[ready.names[feature]])
        found = codes.group_by("code").aggregate(n=codes.count()).to_pyarrow()
        values = ready.frame.bins[feature].values[found["code"].to_numpy()]
        order = np.argsort(values)
        below = np.cumsum(found["n"].to_numpy()[order])
        place = np.searchsorted(below, shares(name) * below[-1])
        quantiles[name] = values[order][place].tolist()
    lists = LISTING.name in ready.frame.bins
    at = jumps(ready.frame.terms)
    return every_side(training.grades, training.ranges["carat"], quantiles, at, lists=lists)


def _feature_of(ready: Counted, measure: str) -> str:
    """The feature that is a measure, perhaps kept within bounds; empty for none."""
    numbers = (f for f in ready.names if ready.frame.bins[f].kind == "number")
    alone = (f for f in numbers if parse(f).attributes == (measure,))
    return measure if measure in ready.names else next(alone, "")


def counting_at(t: Any, ready: Counted) -> Counting:
    """Count sales with ``y`` and, by the fit without their fold, ``fitted`` and ``blended``."""

    def counting(sides: Sequence[Side], before: Sequence[Sequence[Cells]]) -> Ways:
        left = with_like(t, ready, before)
        for way, price in (("recorded", left.fitted), ("blend", left.blended)):
            error = ibis.greatest(ibis.least(left.y - price, MOST), -MOST)
            left = left.mutate(**{way: steps(error, EXACT)})
        left = left.mutate(cell=_cell(left, ready, sides))
        sums, squares = {"sales": left.count()}, {}
        for way in ("recorded", "blend"):
            square = left[way] * EXACT * left[way] * EXACT
            sums[way] = summed_up(left[way], EXACT)
            squares[way] = summed_up(steps(square, EXACT), EXACT)
        found = left.group_by("cell").aggregate(**sums).to_pyarrow()
        of_all = left.aggregate(**squares).to_pyarrow().to_pylist()[0]
        shape, lists = _shape(ready, sides), sides[0].attribute == LISTING.name
        ways = {}
        for way in ("recorded", "blend"):
            total, sales = np.zeros(shape), np.zeros(shape)
            total.flat[found["cell"].to_numpy()] = found[way].to_numpy()
            sales.flat[found["cell"].to_numpy()] = found["sales"].to_numpy()
            if lists:  # the last is of sales whose list is not known
                fold = (total.sum(axis=1), sales.sum(axis=1))
                total, sales = fold if way == "blend" else (total[:, :-1], sales[:, :-1])
            ways[way] = Summed(total, sales, float(of_all[way]))
        return ways

    return counting


def with_like(t: Any, ready: Counted, tables: Sequence[Sequence[Cells]]) -> Any:
    """Add to ``fitted`` and ``blended`` what tables made without the fold of each sale say."""
    for i, of in enumerate(tables):
        sides = of[0].sides
        shape = _shape(ready, sides)
        columns: dict[str, Vector] = {}
        for name, way in ((f"r{i}", "recorded"), (f"b{i}", "blend")):
            effects = np.stack([table.of_way(way) for table in of])
            if of[0].listed and way == "blend":
                effects = effects[:, None]
            wide = [(0, 0), (0, int(of[0].listed and way == "recorded"))]
            effects = np.pad(effects, wide + [(0, 0)] * (effects.ndim - 2))
            columns[name] = np.ascontiguousarray(np.broadcast_to(effects, shape)).ravel()
        t = looked_up(t, _cell(t, ready, sides), columns, f"like{i}")
        t = t.mutate(fitted=t.fitted + t[f"r{i}"], blended=t.blended + t[f"b{i}"])
    return t


def _shape(ready: Counted, sides: Sequence[Side]) -> tuple[int, ...]:
    """Folds, and cells; of price lists one more where it is not known."""
    sizes = (len(side) + (side.attribute == LISTING.name) for side in sides)
    return (ready.folds, *sizes)


def _cell(t: Any, ready: Counted, sides: Sequence[Side]) -> Any:
    codes = [t.fold]
    for side in sides:
        if side.grades:
            scale = graded(side.attribute).grades
            code = t[side.attribute]
            places = ((code == scale.index(g), i) for i, g in enumerate(side.grades))
            codes.append(ibis.cases(*places, else_=len(side)))
        else:
            feature = _feature_of(ready, side.attribute)
            starts = np.searchsorted(ready.frame.bins[feature].values, side.edges)
            codes.append(banded(starts.tolist(), t[ready.names[feature]]))
    return flat(codes, _shape(ready, sides))
