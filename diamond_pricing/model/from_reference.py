"""Lines of any stone from one reference stone, in microseconds.

Measured from a fixed stone and on the blend, the share of a line in a table is a table again.
All of them are added up beforehand. Weights are mostly recorded in hundredths of a carat: for
those the tables over the weight are added up too, and for stones without any measurement
what stands in for the measures.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import product
from math import log
from operator import attrgetter
from typing import Any

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.model.tables import (
    CHUNK,
    Axis,
    Placed,
    Spot,
    Table,
    Tables,
    Values,
    cells,
    over,
    shared,
    spots,
)
from diamond_pricing.stones import LISTING, Stone, Stones
from diamond_pricing.terms import Averages, parse

HEAVIEST = 600  # hundredths of a carat that effects are kept ready for
LARGEST = 4_096  # cells of a table that others are joined to
LISTED = 40_000  # numbers of a table that are kept as plain ones too
HUNDREDTHS, CELL = "hundredths of a carat", "cell of the averages"
Homes = dict[tuple[Axis, ...], Values]  # by axes: rows of each, powers of each, lines


class FromReference:
    """Log effects of single lines from a reference stone, a single one on the blend.

    ``range_of_weights`` are the carats that stones are supported in.
    """

    def __init__(
        self, tables: Tables, reference: Stones, range_of_weights: tuple[float, float]
    ) -> None:
        self.tables, self.count = tables, len(tables.lines)
        self.averages = tables.averages
        self.homes = moved = _moved(tables, tables.placed(reference))
        measured = {axes: v for axes, v in moved.items() if any(map(_lacking, axes))}
        weighed = {axes: v for axes, v in moved.items() if axes not in measured}
        self.optional = sorted(
            {n for axes in measured for a in axes if _lacking(a) for n in a.attributes}
            - {"carat"}
        )
        low, high = range_of_weights
        self.first, self.last = max(1, int(low * 100)), min(int(high * 100) + 1, HEAVIEST)
        at_hundredths = _at_hundredths(weighed, self.first, self.last, self.averages)
        bare = _without_measures(measured)
        self.measured, self.weighed, self.at_hundredths, self.bare = (
            [_Sums(axes, values) for axes, values in homes.items()]
            for homes in (measured, weighed, at_hundredths, bare)
        )
        every = (*self.measured, *self.weighed, *self.at_hundredths, *self.bare)
        axes = tuple(dict.fromkeys(axis for sums in every for axis in sums.axes))
        # One stone is looked up in plain numbers, but for what is rare.
        features = [a.feature for a in axes if not a.graded]
        self.plain = not any(parse(f).ordered for f in features if f not in (HUNDREDTHS, CELL))
        self.nodes = [log(carat) for carat in self.averages.carats]
        self.groups = {g or None: i for i, g in enumerate(self.averages.groups)}
        self.group = attrgetter(self.averages.grade)
        self.placing = [self._placing(axis) for axis in axes]
        for sums in every:
            sums.number(axes)

    # ------------------------------------------------------------------ many stones

    def many(self, stones: Stones) -> Matrix:
        """Log effect of each line for n stones, shape (n, k)."""
        total = np.zeros((self.count, len(stones)))
        if not self.plain:  # the order of the sides tells the list, which is not asked here
            stones = stones.with_columns(listing=np.full(len(stones), -1))
        for start in range(0, len(stones), CHUNK):
            part = stones
            if len(stones) > CHUNK:
                part = stones.take(slice(start, start + CHUNK))
            hundredth = np.rint(part["carat"] * 100)
            # A hair below a hundredth is below a weight that prices jump at.
            ready = part["carat"] == hundredth / 100
            ready &= (hundredth >= self.first) & (hundredth <= self.last)
            known = np.zeros(len(part), bool)
            for name in self.optional:
                known |= part.known(name)
            kind = 2 * ready + known
            count = np.bincount(kind, minlength=4)
            # All go the way of most; those of another kind then once more, their own way.
            order = np.argsort(-count, kind="stable")[: np.count_nonzero(count)]
            most, *others = order.tolist()
            self._add(self._of(most), part, total[:, start : start + len(part)])
            for which in others:
                few = np.flatnonzero(kind == which)
                added = np.zeros((self.count, len(few)))
                self._add(self._of(which), part.take(few), added)
                total[:, start + few] = added
        return total.T

    def _of(self, kind: int) -> list["_Sums"]:
        """The tables of one kind of stones: 2 for those at hundredths, and 1 for measured."""
        weighed = self.at_hundredths if kind >= 2 else self.weighed
        return weighed + (self.measured if kind % 2 else self.bare)

    def _add(self, sums: list["_Sums"], stones: Stones, total: Matrix) -> None:
        placed: dict[Axis, Sequence[Spot]] = {}
        for one in sums:
            for axis in one.axes:
                if axis in placed:
                    continue
                if axis.feature == CELL:
                    placed[axis] = [Spot(*cells(stones, self.averages, slice(None)), 1.0)]
                elif axis.feature == HUNDREDTHS:
                    row = np.rint(stones["carat"] * 100).astype(np.int64) - self.first
                    row = row.clip(0, self.last - self.first)
                    placed[axis] = [Spot(row, row, 1.0)]
                else:
                    placed[axis] = spots(axis, stones, self.averages)
            one.add(placed, total)

    # -------------------------------------------------------------------- one stone

    def one(self, stone: Stone) -> list[float]:
        """Log effect of each line of one stone, as `many` gives it."""
        if not self.plain:
            found: list[float] = self.many(Stones.of([stone]))[0].tolist()
            return found
        total = [0.0] * self.count
        hundredth = round(stone.carat * 100)
        ready = hundredth / 100 == stone.carat and self.first <= hundredth <= self.last
        known = any(getattr(stone, name) is not None for name in self.optional)
        where: list[tuple[int, float] | None] = [None] * len(self.placing)
        for sums in self._of(2 * ready + known):
            at, alongs = 0, []
            for axis, size, steep in sums.steps:
                spot = where[axis]
                if spot is None:
                    spot = where[axis] = self.placing[axis](stone)
                at = at * size + spot[0]
                if steep:
                    alongs.append(spot[1])
            cell = sums.cell(at)
            if not alongs:
                for line, effect in zip(sums.lines, cell):  # noqa: B905  hot
                    total[line] += effect
            elif len(alongs) == 1:
                (along,) = alongs
                if sums.cubic:
                    for line, (a, b, c, d) in zip(sums.lines, cell):  # noqa: B905  hot
                        total[line] += a + along * (b + along * (c + along * d))
                    continue
                for line, powers in zip(sums.lines, cell):  # noqa: B905  hot
                    value = 0.0
                    for power in reversed(powers):
                        value = value * along + power
                    total[line] += value
            else:
                for line, powers in zip(sums.lines, cell):  # noqa: B905  hot
                    total[line] += _value(powers, alongs)
        return total

    def _placing(self, axis: Axis) -> Callable[[Stone], tuple[int, float]]:
        """Where one stone lies on an axis."""
        if axis.feature == CELL:
            return self._cell
        if axis.feature == HUNDREDTHS:
            first = self.first
            return lambda stone: (round(stone.carat * 100) - first, 0.0)

        def averaged(stone: Stone) -> tuple[int, float]:
            cell, along = self._cell(stone)
            return axis.known + cell, along

        if axis.graded:
            read = attrgetter(axis.feature)
            codes = {g or None: (i, 0.0) for i, g in enumerate(axis.marks)}
            return lambda stone: codes.get(read(stone)) or averaged(stone)
        value, edges = parse(axis.feature).of, list(axis.marks)

        def number(stone: Stone) -> tuple[int, float]:
            x = value(stone)
            if x is None:
                return averaged(stone)
            i = min(max(bisect_right(edges, x) - 1, 0), len(edges) - 2)
            return i, (x - edges[i]) / (edges[i + 1] - edges[i])

        return number

    def _cell(self, stone: Stone) -> tuple[int, float]:
        nodes, at = self.nodes, log(stone.carat)
        i = min(max(bisect_right(nodes, at) - 1, 0), max(len(nodes) - 2, 0))
        along = 0.0
        if len(nodes) > 1:
            along = min(max((at - nodes[i]) / (nodes[i + 1] - nodes[i]), 0.0), 1.0)
        return self.groups[self.group(stone)] * len(nodes) + i, along


class _Sums:
    """A table of the effects of several lines; ``lines`` are those that it moves."""

    def __init__(self, axes: tuple[Axis, ...], values: Values) -> None:
        k = len(axes)
        self.axes = axes
        self.sizes = values.shape[:k]
        self.lines = np.flatnonzero(values.any(axis=tuple(range(2 * k)))).tolist()
        powers = np.moveaxis(values[..., self.lines], -1, 0)  # lines, rows, powers
        # What is constant along an axis needs no polynomial there.
        for i in range(k):
            used = powers.any(axis=tuple(j for j in range(powers.ndim) if j != 1 + k + i))
            most = int(np.flatnonzero(used).max(initial=0)) + 1
            powers = powers[(*(slice(None),) * (1 + k + i), slice(most))]
        self.steep = [powers.shape[1 + k + i] > 1 for i in range(k)]
        cells = int(np.prod(self.sizes))
        steep = [n for n in powers.shape[1 + k :] if n > 1]
        powers = powers.reshape(len(self.lines), cells, *steep)
        self.powers = np.ascontiguousarray(np.moveaxis(powers, 1, -1))  # lines, powers, cells
        self.cubic = self.powers.shape[1:-1] == (4,)
        self._cells: Any = None
        self.steps: list[tuple[int, int, bool]] = []

    def number(self, axes: Sequence[Axis]) -> None:
        """Say where each of its axes stands among all."""
        places = [axes.index(axis) for axis in self.axes]
        self.steps = list(zip(places, self.sizes, self.steep, strict=True))

    def add(self, placed: Placed, total: Matrix) -> None:
        """Add the effects of n stones to a total, shape (lines, n)."""
        for where in product(*(placed[axis] for axis in self.axes)):
            at: Any = 0
            share: Any = 1.0
            alongs = []
            for spot, size, steep in zip(where, self.sizes, self.steep, strict=True):
                at = at * size + spot.row
                share = share * spot.share
                if steep:
                    alongs.append(spot.along)
            for line, powers in zip(self.lines, self.powers, strict=True):
                effect = _taken(powers, at, alongs)
                total[line] += (
                    effect if isinstance(share, float) and share == 1 else effect * share
                )

    def cell(self, at: int) -> list[Any]:
        """The polynomials of each line in one cell, as plain numbers."""
        if self._cells is None:
            cells = np.ascontiguousarray(np.moveaxis(self.powers, -1, 0))
            self._cells = cells if cells.size > LISTED else cells.tolist()
        found: Any = self._cells[at]
        return found if isinstance(found, list) else found.tolist()


def _taken(powers: Values, at: Integers, alongs: Sequence[Vector]) -> Vector:
    """Polynomials of n cells at their places, shape (n,)."""
    if not alongs:
        return powers.take(at)
    value = _taken(powers[-1], at, alongs[1:])
    for power in powers[-2::-1]:
        value *= alongs[0]
        value += _taken(power, at, alongs[1:])
    return value


def _value(powers: Any, alongs: Sequence[float]) -> float:
    """The same of one cell in plain numbers."""
    if not alongs:
        one: float = powers
        return one
    rest = alongs[1:]
    value = _value(powers[-1], rest) if rest else powers[-1]
    for power in powers[-2::-1]:
        value = value * alongs[0] + (_value(power, rest) if rest else power)
    return value


# ------------------------------------------------------------------------ homes


def _lacking(axis: Axis) -> bool:
    """Whether a stone may lack what places it on an axis."""
    return axis.powers > 1 if axis.graded else axis.attributes != ("carat",)


def _moved(tables: Tables, there: Placed) -> Homes:
    """Effects of each line when a stone moves from one that is placed ``there``."""
    found: Homes = {}
    for table in tables.tables:
        plain = _on_the_blend(table)
        if not plain.axes:
            continue
        lines = plain.lines
        corners = [
            _contracted(plain, {a for j, a in enumerate(lines) if not place >> j & 1}, there)
            for place in range(1 << len(lines))
        ]
        shape = (*(plain.values.shape), len(tables.lines))
        home = found.setdefault(plain.axes, np.zeros(shape))
        for line, effect in zip(lines, shared(len(lines), corners), strict=True):
            home[..., tables.lines.index(line)] += effect
    return found


def _on_the_blend(table: Table) -> Table:
    """The table without the price list, which no stone moves here."""
    axes, values = table.axes, table.values
    for i in reversed(range(len(axes))):
        if axes[i].feature == LISTING.name:
            values = np.take(np.take(values, 0, axis=len(axes) + i), axes[i].known, axis=i)
            axes = axes[:i] + axes[i + 1 :]
    return Table(axes, values)


def _contracted(table: Table, lines: set[str], there: Placed) -> Values:
    """Effects where the axes of some lines stay at one stone; no higher powers there."""
    values, k = table.values, len(table.axes)
    for i, axis in enumerate(table.axes):
        if axis.line in lines:
            level: Any = 0.0
            for row, along, share in there[axis]:
                part = np.take(values, row, axis=i)
                weight = np.asarray(share) * along[0] ** np.arange(axis.powers)
                level = level + np.expand_dims(np.tensordot(part, weight, (k + i, 0)), k + i)
            values = np.zeros((*level.shape[: k + i], axis.powers, *level.shape[k + i + 1 :]))
            values[(*(slice(None),) * (k + i), slice(0, 1))] = level
    return values


def _joined(homes: Homes) -> Homes:
    """Effects over few axes added to those over more; small ones without weight together."""
    found: Homes = {}
    for axes in sorted(homes, key=lambda a: (-len(a), a)):
        target = next((home for home in found if set(axes) <= set(home)), None)
        if target is None:
            target = axes
            for home in found:
                both = tuple(dict.fromkeys((*home, *axes)))
                size = np.prod([max(len(a.marks), 1) for a in both])
                if not any(a.feature == HUNDREDTHS for a in both) and size <= LARGEST:
                    found[both] = over(both, home, found.pop(home))
                    target = both
                    break
        found[target] = found.get(target, 0.0) + over(target, axes, homes[axes])
    return found


def _at_hundredths(weighed: Homes, first: int, last: int, averages: Averages) -> Homes:
    """Effects of weight and grades at every hundredth of a carat."""
    if last < first:
        return weighed
    weights = np.arange(first, last + 1) / 100
    stones = Stones({"carat": weights, "cut": np.zeros(len(weights), np.int64)})
    every = Axis(HUNDREDTHS, "", tuple(weights.tolist()), 1)
    found: Homes = {}
    for axes, values in weighed.items():
        k, numbers = len(axes), [i for i, a in enumerate(axes) if not a.graded]
        grades = tuple(a for a in axes if a.graded)
        if not numbers:
            found[axes] = found.get(axes, 0.0) + values
            continue
        placed = [spots(axes[i], stones, averages)[0] for i in numbers]
        # The weight in front: rows, then what is left of the axes, powers and lines.
        at = np.moveaxis(values, numbers, range(len(numbers)))[tuple(s.row for s in placed)]
        for i, spot in sorted(zip(numbers, placed, strict=True), reverse=True):
            # The rows of the numbers are one axis now.
            power = 1 + (k - len(numbers)) + i
            terms = np.moveaxis(at, power, 0)
            along = spot.along.reshape(-1, *(1,) * (terms.ndim - 2))
            level = terms[-1]
            for term in terms[-2::-1]:
                level = term + along * level
            at = level
        at = np.expand_dims(at, 1 + len(grades))  # the powers of the weight: a constant
        home = (every, *grades)
        found[home] = found.get(home, 0.0) + at
    return _joined(found)


def _without_measures(measured: Homes) -> Homes:
    """What stands in for the measures of a stone that has none, added up."""
    found: Homes = {}
    for axes, values in measured.items():
        places, k = [i for i, a in enumerate(axes) if _lacking(a)], len(axes)
        if len(places) != 1 or not all(a.graded or _lacking(a) for a in axes):
            return measured
        (i,) = places
        axis = axes[i]
        means = np.moveaxis(values, (i, k + i), (0, k))[axis.known :]
        means = means[(slice(None),) * k + (slice(2),)]
        home = (
            Axis(CELL, "", tuple(range(len(means))), 2),
            *(a for j, a in enumerate(axes) if j != i),
        )
        found[home] = found.get(home, 0.0) + means
    return _joined(found)
