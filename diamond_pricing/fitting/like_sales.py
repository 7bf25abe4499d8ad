"""Learn what like sales fetched beyond the terms, so that no price falls as a stone improves.

The errors are those of fits that had not seen the stone. Two tables take what is in them that
no pair of attributes explains: over weight, cut, color and clarity, and over weight, cut,
table and depth, on each price list (docs/explanation/experiments.md). Both are then moved to
the nearest that the order of prices leaves room for.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import product

import numpy as np

from diamond_pricing.arrays import Flags, Integers, Vector
from diamond_pricing.fitting.structure import MAGIC
from diamond_pricing.model.certificate import grids, jumps, steps
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.like_sales import STEP, Cells, Likeness, LikeSales, Side
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.training import Training
from diamond_pricing.stones import ATTRIBUTES, LISTING, Measure, Stones
from diamond_pricing.stones.trade import graded

LEAN = 10.0  # sales of no effect that each cell leans on
MOST = 0.4  # log price; a sale counts as no further off than this
EARNED = 0.0025  # share by which held-out errors must fall for the line to be there
# How far a sale counts, in cells: the standard deviation of a normal curve; others, none.
REACH = {"carat": 0.7, "color": 0.9, "clarity": 0.58, "table": 0.7, "depth": 0.7}
BINS = {"table": 10, "depth": 12}
GRADED, SHAPED = ("carat", "cut", "color", "clarity"), ("carat", "cut", "table", "depth")
ENOUGH = 0.5  # share of the sales that must say what a table reads
SWEEPS = 60  # towards the nearest effects in order
SETTLED = 1e-4  # log price


def sides_of(
    stones: Stones, names: Sequence[str], grades: Mapping[str, Collection[str]], *, lists: bool
) -> tuple[Side, ...]:
    """Cells over some attributes, on each price list if there are lists."""
    sides = []
    for name in (*((LISTING.name,) if lists else ()), *names):
        if name == "carat":
            low, high = stones["carat"].min(), stones["carat"].max()
            edges = [at for at in MAGIC if low < at <= high]
            sides.append(Side(name, edges=tuple(edges)))
        elif isinstance(ATTRIBUTES[name], Measure):
            known = stones[name][stones.known(name)]
            inner = np.quantile(known, np.arange(1, BINS[name]) / BINS[name])
            edges = np.unique(np.round(inner, 1) + 0.05).tolist()
            sides.append(Side(name, edges=tuple(round(at, 2) for at in edges)))
        else:
            seen = grades[name]
            order = [g for g in graded(name).grades if g in seen]
            sides.append(Side(name, grades=tuple(order)))
    return tuple(sides)


def learned(
    sides: Sequence[Side], stones: Stones, residual: Mapping[str, Vector], use: Flags
) -> tuple[Vector, Vector]:
    """Kernel means of the residuals of some sales, and how many sales each stands for.

    Parameters
    ----------
    residual : Mapping[str, Vector]
        Log price less what fits without the stone say, of n sales, ``recorded`` and
        ``blend``; NaN where they decline it.
    use : Flags
        Which sales, shape (n,).

    Returns
    -------
    tuple
        Effects and numbers, each of the shape of `Cells`.
    """
    lists = sides[0].attribute == LISTING.name
    place = [side.place(stones) for side in sides]
    totals, counts = [], []
    for of in ("recorded", "blend") if lists else ("recorded",):
        some = sides[1:] if of == "blend" else sides
        at = place[1:] if of == "blend" else place
        shape = tuple(map(len, some))
        fine = use & ~np.isnan(residual[of])
        for cell, n in zip(at, shape, strict=True):
            fine = fine & (cell < n)
        cells = np.ravel_multi_index([cell[fine] for cell in at], shape)
        value = np.clip(residual[of][fine], -MOST, MOST)
        total = np.bincount(cells, value, np.prod(shape)).reshape(shape)
        count = np.bincount(cells, minlength=np.prod(shape)).reshape(shape).astype(float)
        for axis, side in enumerate(some):
            if (reach := REACH.get(side.attribute)) is not None:
                i = np.arange(shape[axis])
                kernel = np.exp(-0.5 * ((i[:, None] - i) / reach) ** 2)
                total = np.moveaxis(np.tensordot(kernel, total, (1, axis)), 0, axis)
                count = np.moveaxis(np.tensordot(kernel, count, (1, axis)), 0, axis)
        totals.append(total[None] if of == "blend" else total)
        counts.append(count[None] if of == "blend" else count)
    total, count = np.concatenate(totals), np.concatenate(counts)
    return total / (count + LEAN), count


def in_order(effects: Vector, sales: Vector, room: Mapping[int, Vector]) -> Vector:
    """The nearest effects that fall from no cell to the next by more than there is room.

    Two in the wrong order are brought together, each as far as the other has more sales, over
    and over (cyclic projections); what is left is mended exactly, halfway between the least
    effects above and the greatest below.

    Parameters
    ----------
    effects, sales : Vector
        Of each cell.
    room : Mapping[int, Vector]
        By axis how far they may fall, one less along it; broadcast to the effects.
    """
    # Rounding may take a step off; where there is less room than that, there is none.
    room = {axis: np.maximum(of - 1.01 * STEP, 0.0) for axis, of in room.items()}
    found, weight = effects.copy(), sales + LEAN / 10
    for _ in range(SWEEPS):
        worst = 0.0
        for (axis, of), odd in product(room.items(), (0, 1)):
            low = np.arange(odd, effects.shape[axis] - 1, 2)
            if not len(low):
                continue
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


def like_sales(
    stones: Stones, held: Mapping[str, Vector], log_price: Vector, fold: Integers,
    effects: Effects, training: Training, markup: Markup | None,
) -> tuple[LikeSales, dict[str, Vector]] | None:  # fmt: skip
    """Learn what like sales say, and say it of the sales of each fold by all others.

    Parameters
    ----------
    held : Mapping[str, Vector]
        Log price of each of n sales by a fit without it, ``recorded`` and ``blend``.
    log_price : Vector
        What it fetched, shape (n,).
    fold : Integers
        Fold of its stone, shape (n,).

    Returns
    -------
    tuple or None
        The tables, and what they add to ``held``; None where they do not earn their place.
    """
    lists = LISTING.name in effects.attributes
    blind = stones.with_columns(listing=np.full(len(stones), -1))
    on = {"recorded": stones, "blend": blind}
    error = {name: log_price - price for name, price in held.items()}
    every = [
        sides_of(stones, names, training.grades, lists=lists)
        for names in (GRADED, SHAPED)
        if all(stones.known(name).mean() >= ENOUGH for name in names)
    ]

    def made(*, ordered: bool) -> tuple[list[Cells], dict[str, Vector], dict[str, float]]:
        """Tables of all sales, what those of the others add to each, and what that gains."""
        cells: list[Cells] = []
        left = dict(error)
        added = {name: np.zeros(len(stones)) for name in held}
        for sides in every:
            room = _room(sides, effects, training, markup, cells) if ordered else {}
            for k in range(fold.max() + 1 + ordered):  # the last is of none, for all
                found, sales = learned(sides, stones, left, fold != k)
                table = Cells.of(sides, in_order(found, sales, room), sales)
                said, rows = Likeness(LikeSales((table,), LEAN, {})), fold == k
                for name, of in on.items():
                    added[name][rows] += said.of(of.take(rows))
            cells.append(table)
            left = {name: of - added[name] for name, of in error.items()}
        gain = {name: 1 - _size(of) / _size(error[name]) for name, of in left.items()}
        return cells, added, {n: round(g, 4) for n, g in gain.items() if g >= EARNED}

    if not made(ordered=False)[2]:
        return None
    cells, added, gain = made(ordered=True)
    for name in held.keys() - gain.keys():
        added[name][:] = 0.0
        cells = [table.without(name) for table in cells]
    return (LikeSales(tuple(cells), LEAN, gain), added) if gain else None


def _size(residual: Vector) -> float:
    return float(np.sqrt(np.nanmean(residual**2)))


def _room(
    sides: Sequence[Side], effects: Effects, training: Training, markup: Markup | None,
    before: Sequence[Cells],
) -> dict[int, Vector]:  # fmt: skip
    """How far effects may fall along each side that prices must rise along.

    Found on the grids of the certificate, the blend and the base list; by axis of the cells.
    Where schedules of mark-ups part there is none: they lean on the rise of the terms.
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
