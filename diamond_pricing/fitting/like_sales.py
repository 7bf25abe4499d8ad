"""Learn what like sales fetched beyond the terms, so that no price falls as a stone improves.

The errors are those of fits that had not seen the stone. Two tables take what is in them that
no pair of attributes explains: over weight, cut, color and clarity, and over weight, cut,
table and depth, on each price list (docs/explanation/experiments.md). Both are then moved to
the nearest that the order of prices leaves room for.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.model.certificate import grids, jumps, steps
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.like_sales import STEP, Cells, Likeness, LikeSales, Side
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.training import Training
from diamond_pricing.stones import LISTING, Stones
from diamond_pricing.stones.trade import graded

LEAN = 10.0  # sales of no effect that each cell leans on
MOST = 0.4  # log price; a sale counts as no further off than this
EARNED = 0.0025  # share by which held-out errors must fall for the line to be there
# How far a sale counts, in cells: the standard deviation of a normal curve; others, none.
REACH = {"carat": 0.7, "color": 0.9, "clarity": 0.58, "table": 0.7, "depth": 0.7}
BINS = {"table": 10, "depth": 12}
GRADED, SHAPED = ("carat", "cut", "color", "clarity"), ("carat", "cut", "table", "depth")
SWEEPS = 60  # towards the nearest effects in order
SETTLED = 1e-4  # log price


def every_side(
    grades: Mapping[str, Collection[str]],
    weights: tuple[float, float],
    quantiles: Mapping[str, Sequence[float]],
    edges: Collection[float],
    *,
    lists: bool,
) -> list[tuple[Side, ...]]:
    """The sides of each table, on each price list if there are lists.

    The grades are those of the sales, the weights the lightest and the heaviest, the quantiles
    of measures that most sales have, at the ``shares`` of each. Edges are weights that the
    prices of the terms jump at: elsewhere a price has no room to fall, and cells may not part.
    """
    low, high = weights
    sides = {
        "carat": Side("carat", edges=tuple(at for at in sorted(edges) if low < at <= high))
    }
    for name in (LISTING.name, *GRADED[1:]):
        order = [g for g in graded(name).grades if g in grades.get(name, ())]
        if name != LISTING.name or lists:
            sides[name] = Side(name, grades=tuple(order))
    for name, found in quantiles.items():
        between = np.unique(np.round(found, 1)) + 0.05  # measures have one decimal
        sides[name] = Side(name, edges=tuple(np.round(between, 2).tolist()))
    first = (sides[LISTING.name],) if lists else ()
    return [
        (*first, *(sides[name] for name in names))
        for names in (GRADED, SHAPED)
        if sides.keys() >= set(names)
    ]


def shares(name: str) -> Vector:
    """Where quantiles of a measure are taken to part its cells."""
    return np.arange(1, BINS[name]) / BINS[name]


class Summed(NamedTuple):
    """What sales left unexplained, counted by fold and cell; shapes (folds, *cells)."""

    total: Vector  # log price, each within ``MOST``
    sales: Vector
    squares: float  # sum of squares of all


Ways = Mapping[str, Summed]  # ``recorded``, by list if there are lists; and ``blend``
# Counts what is left beside tables that are known already, each as of every fold.
Counting = Callable[[Sequence[Side], Sequence[Sequence[Cells]]], Ways]


def learned(sides: Sequence[Side], counted: Ways, without: int) -> tuple[Vector, Vector]:
    """Kernel means of all folds but one, and the sales behind each; of the shape of `Cells`.

    ``without`` is the fold, or the number of folds for all of them.
    """
    lists = sides[0].attribute == LISTING.name
    found = []
    for way in ("recorded", "blend") if lists else ("recorded",):
        some = sides[1:] if way == "blend" else sides
        both = np.stack([counted[way].total, counted[way].sales])
        sums = both.sum(axis=1)
        if without < both.shape[1]:
            sums = sums - both[:, without]
        for axis, side in enumerate(some, 1):
            if (reach := REACH.get(side.attribute)) is not None:
                i = np.arange(sums.shape[axis])
                kernel = np.exp(-0.5 * ((i[:, None] - i) / reach) ** 2)
                sums = np.moveaxis(np.tensordot(kernel, sums, (1, axis)), 0, axis)
        found.append(sums[:, None] if way == "blend" else sums)
    total, count = np.concatenate(found, axis=1)
    return total / (count + LEAN), count


def in_order(effects: Vector, sales: Vector, room: Mapping[int, Vector]) -> Vector:
    """The nearest effects that fall from no cell to the next by more than there is room.

    Two in the wrong order are brought together, each as far as the other has more sales, over
    and over (cyclic projections); what is left is mended exactly, halfway between the least
    effects above and the greatest below. The room is by axis how far they may fall, one less
    along it, and broadcast to the effects.
    """
    # Rounding may take a step off; where there is less room than that, there is none.
    room = {axis: np.maximum(of - 1.01 * STEP, 0.0) for axis, of in room.items()}
    found, weight = effects.copy(), sales + LEAN / 10
    for _ in range(SWEEPS):
        worst = 0.0
        for (axis, of), odd in product(room.items(), (0, 1)):
            low = np.arange(odd, effects.shape[axis] - 1, 2)
            a, b = np.take(found, low, axis), np.take(found, low + 1, axis)
            over = np.maximum(a - b - np.take(of, low, axis), 0.0)
            wa, wb = np.take(weight, low, axis), np.take(weight, low + 1, axis)
            _put(found, axis, low, a - over * wb / (wa + wb))
            _put(found, axis, low + 1, b + over * wa / (wa + wb))
            worst = max(worst, float(over.max(initial=0.0)))
        if worst < SETTLED:
            break
    return (_raised(found, room) - _raised(-found, room, back=True)) / 2


def _put(table: Vector, axis: int, places: Integers, values: Vector) -> None:
    table[(slice(None),) * axis + (places,)] = values


def _raised(effects: Vector, room: Mapping[int, Vector], *, back: bool = False) -> Vector:
    """The least effects above some that are in order; with ``back`` read from the far end."""
    found, before = effects.copy(), None
    while before is None or (found != before).any():
        before = found.copy()
        for axis, of in room.items():
            n = found.shape[axis]
            for i in reversed(range(n - 1)) if back else range(n - 1):
                start, end = (i + 1, i) if back else (i, i + 1)
                least = np.take(found, start, axis) - np.take(of, i, axis)
                higher = np.maximum(np.take(found, end, axis), least)
                _put(found, axis, np.array(end), higher)
    return found


class Found(NamedTuple):
    """Tables that earn their place."""

    like: LikeSales  # of all sales
    folds: list[list[Cells]]  # by table what the sales outside each fold say


def like_sales(
    every: Sequence[tuple[Side, ...]],
    counting: Counting,
    effects: Effects,
    training: Training,
    markup: Markup | None,
) -> Found | None:
    """Learn what like sales say, in tables one after the other.

    A table is kept where tables made without a fold reduce the errors of that fold's sales;
    the lists as recorded and the blend are judged separately.
    """
    if not every:
        return None
    first = counting(every[0], [])

    def made(*, ordered: bool) -> tuple[list[Cells], list[list[Cells]], dict[str, float]]:
        cells: list[Cells] = []
        folds: list[list[Cells]] = []
        gain: dict[str, float] = {}
        before: dict[str, float] = {}
        for sides in every:
            room = _room(sides, effects, training, markup, cells) if ordered else {}
            counted = counting(sides, folds) if folds else first
            last = len(counted["recorded"].total)
            of = [
                Cells.of(sides, in_order(found, sales, room), sales)
                for found, sales in (learned(sides, counted, k) for k in range(last + 1))
            ]
            cells.append(of.pop())
            folds.append(of)
            for way, summed in counted.items():
                before.setdefault(way, summed.squares)
                left = _left(summed, folds[-1], way)
                if left > summed.squares:  # what a table does not gain it does not say
                    cells[-1] = cells[-1].without(way)
                    folds[-1] = [table.without(way) for table in folds[-1]]
                gain[way] = 1 - (min(left, summed.squares) / before[way]) ** 0.5
        return cells, folds, {way: round(g, 4) for way, g in gain.items() if g >= EARNED}

    if not made(ordered=False)[2]:
        return None
    cells, folds, gain = made(ordered=True)
    if not gain:
        return None
    for way in {"recorded", "blend"} - gain.keys():
        cells = [table.without(way) for table in cells]
        folds = [[table.without(way) for table in of] for of in folds]
    return Found(LikeSales(tuple(cells), LEAN, gain), folds)


def _left(summed: Summed, folds: Sequence[Cells], way: str) -> float:
    """Sum of squares that is left when the sales of each fold have what the others say."""
    said = np.stack([table.of_way(way) for table in folds])
    left = summed.squares + (said * (said * summed.sales - 2 * summed.total)).sum()
    return float(max(left, 0.0))


def counting_of(
    stones: Stones, held: Mapping[str, Vector], log_price: Vector, fold: Integers
) -> Counting:
    """Count n sales that are at hand, by what they fetched and the fold of each; (n,).

    Held are log prices by a fit without the stone, ``recorded`` and ``blend``, NaN where that
    declines it.
    """

    def counting(sides: Sequence[Side], before: Sequence[Sequence[Cells]]) -> Ways:
        added = said(before, stones, fold)
        place = [side.place(stones) for side in sides]
        fine = np.all([at < len(side) for at, side in zip(place, sides, strict=True)], axis=0)
        found = {}
        for way, price in held.items():
            skip = int(way == "blend" and sides[0].attribute == LISTING.name)
            left = np.clip(log_price - price - added[way], -MOST, MOST)
            known = ~np.isnan(left)
            some = np.flatnonzero(fine & known)
            shape = (int(fold.max()) + 1, *map(len, sides[skip:]))
            cell = np.ravel_multi_index([fold[some], *(p[some] for p in place[skip:])], shape)
            size = int(np.prod(shape))
            found[way] = Summed(
                np.bincount(cell, left[some], size).astype(float).reshape(shape),
                np.bincount(cell, minlength=size).reshape(shape).astype(float),
                float((left[known] ** 2).sum()),
            )
        return found

    return counting


def said(folds: Sequence[Sequence[Cells]], stones: Stones, fold: Integers) -> dict[str, Vector]:
    """What tables made without the fold of each sale add to it; shapes (n,)."""
    added = {way: np.zeros(len(stones)) for way in ("recorded", "blend")}
    blind = stones.with_columns(listing=np.full(len(stones), -1))
    for k in range(fold.max() + 1) if folds else ():
        rows = np.flatnonzero(fold == k)
        one = Likeness(LikeSales(tuple(of[k] for of in folds), LEAN, {}))
        for way, of in (("recorded", stones), ("blend", blind)):
            added[way][rows] = one.of(of.take(rows))
    return added


def _room(
    sides: Sequence[Side],
    effects: Effects,
    training: Training,
    markup: Markup | None,
    before: Sequence[Cells],
) -> dict[int, Vector]:
    """How far effects may fall along each side that prices must rise along.

    Found on the grids of the certificate, the blend and the base list; by axis of the cells.
    At the weights where schedules of mark-ups part there is none, because the mark-up was
    fitted to the rise of the terms there.
    """
    like = Likeness(LikeSales(tuple(before), LEAN, {})) if before else None
    names = [side.attribute for side in sides]
    places = {side.attribute: side for side in sides}
    graded_too = set(GRADED) <= set(names)
    carat, cut = places["carat"], places["cut"]
    sizes = (len(carat), len(cut.grades), *(len(training.grades[n]) for n in GRADED[2:]))
    lists = (*sides[0].grades, "") if sides[0].attribute == LISTING.name else ("",)
    room = {}
    for i, axis in enumerate(GRADED):
        room[axis] = np.full([len(lists), *(n - (j == i) for j, n in enumerate(sizes))], np.inf)
    listings = (-1, 0) if LISTING.name in effects.attributes else (-1,)
    for grid in grids(training, effects.terms, listings, jumps(effects.terms)):
        # What is not certified has the room of the blend.
        base = [lists.index(LISTING.grades[0])] if grid.listing >= 0 else []
        on = base or [i for i, name in enumerate(lists) if name != LISTING.grades[0]]
        band = np.searchsorted(carat.edges, grid.values["carat"], side="right")
        at = [_levels(name, grid.values[name], training) for name in GRADED[1:]]
        for i, (axis, step) in enumerate(
            (axis, of) for axis, of in steps(effects, grid, None, like).items() if axis in room
        ):
            if axis == "carat":
                for k in np.flatnonzero(np.diff(band)):
                    for cell in range(band[k], band[k + 1]):
                        some = np.ix_(on, [cell], *at)
                        room[axis][some] = np.minimum(room[axis][some], step[k])
                continue
            ends = [of[:-1] if j + 1 == i else of for j, of in enumerate(at)]
            for cell in range(len(carat)):
                inside = step[band == cell]
                if len(inside):
                    some = np.ix_(on, [cell], *ends)
                    room[axis][some] = np.minimum(room[axis][some], inside.min(axis=0))
    for edge in () if markup is None else markup.parted_at:
        if edge in carat.edges:
            room["carat"][:, carat.edges.index(edge)] = 0.0
    shift = names.index("carat")
    if not shift:
        room = {axis: of[0] for axis, of in room.items()}
    if graded_too:
        return {GRADED.index(axis) + shift: of for axis, of in room.items()}
    tail = (None,) * (len(names) - shift - 2)
    return {
        names.index(axis): room[axis].min(axis=(-1, -2))[(..., *tail)]
        for axis in ("carat", "cut")
    }


def _levels(name: str, codes: Sequence[float], training: Training) -> list[int]:
    """Place of grades among those of the sales, by code."""
    order = [g for g in graded(name).grades if g in training.grades[name]]
    return [order.index(graded(name).grades[int(code)]) for code in codes]
