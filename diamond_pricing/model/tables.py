"""A model as a few tables, and the one way to read them.

A table stands over a few *axes*. An axis is a grade, or a number cut into intervals on each of
which every effect is a polynomial; what stands in where a stone does not say is a few rows
more. Prices, lines from any reference stone and exports read these tables and nothing else.

An effect of one line's features is that line's. An effect of several (a surface over weight
and color, say) is divided by Shapley's rule: each line is moved from the reference stone to
the stone in every order, and gets the mean of what it changed. So a line whose features do
not change is exactly nothing, and exchanging the two stones turns every line around. For two
lines f(a, b) this is the familiar

    Δ_a = ½[f(a, b) − f(a₀, b)] + ½[f(a, b₀) − f(a₀, b₀)].
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.stones import ATTRIBUTES, LISTING, Stones
from diamond_pricing.terms import AnyBasis, Averages, Term, parse
from diamond_pricing.terms.basis import codes_to_positions
from diamond_pricing.terms.over import in_both_orders

MOST_CELLS = 4096
CHUNK = 16_384  # stones at a time, so that what is worked on stays in the cache

Values = NDArray[np.float64]


class Axis(NamedTuple):
    """What a table is spread over."""

    feature: str  # a grade, or arithmetic over measures
    line: str  # the line of an explanation that it belongs to
    marks: tuple[Any, ...]  # the grades, or the edges of the intervals, ascending
    powers: int  # coefficients of its polynomials, the constant first

    @property
    def graded(self) -> bool:
        """Whether it is a grade."""
        return isinstance(self.marks[0], str)

    @property
    def known(self) -> int:
        """Rows in front of those that stand in for a missing value."""
        return len(self.marks) if self.graded else len(self.marks) - 1

    @property
    def attributes(self) -> tuple[str, ...]:
        """What a stone has to say to be placed on it."""
        return (self.feature,) if self.graded else parse(self.feature).attributes


class Spot(NamedTuple):
    """Where n stones lie on an axis: the row, how far along it, and the share of this spot.

    A number that depends on the order of length and width has two spots, others have one.
    """

    row: Integers
    along: Vector
    share: Vector | float


class Table(NamedTuple):
    """Effects over some axes."""

    axes: tuple[Axis, ...]
    # Log dollars; in front the rows of each of the axes, then the powers of each
    values: Values

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that share its effects."""
        return tuple(dict.fromkeys(axis.line for axis in self.axes))


Placed = Mapping[Axis, Sequence[Spot]]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """All effects of a model."""

    base: float  # what every stone has, log dollars
    tables: tuple[Table, ...]
    lines: tuple[str, ...]  # in the order in which a client reads them
    averages: Averages

    @classmethod
    def of(
        cls,
        terms: Sequence[Term],
        runs: Sequence[Values],
        averages: Averages,
        lines: tuple[str, ...],
    ) -> "Tables":
        """Compile terms; those over the same axes, or over fewer of them, share a table.

        ``runs`` are as `Term.effects_of_rows` gives them.
        """
        axis = _axes(terms)
        spreads = {basis: _spread(basis, on, averages) for basis, on in axis.items()}
        base, parts = 0.0, []
        for term, values in zip(terms, runs, strict=True):
            if not term.bases:
                base += values.item()
                continue
            for i, basis in enumerate(term.bases):
                found = np.tensordot(spreads[basis], values, (2, i))
                values = np.moveaxis(found, (0, 1), (i, -1))
            parts.append((tuple(axis[basis] for basis in term.bases), values))
        if averages.shapes:
            parts = [told for part in parts for told in _by_kind(*part, averages)]
        homes: list[tuple[Axis, ...]] = []
        for axes in sorted({a for a, _ in parts}, key=lambda a: (-len(a), a)):
            if _home(axes, homes) is None:
                homes.append(tuple(sorted(axes, key=lambda axis: (not axis.graded, axis))))
        whole: dict[tuple[Axis, ...], Values] = {}
        for axes, values in parts:
            home = _home(axes, homes)
            assert home is not None
            whole[home] = whole.get(home, 0.0) + over(home, axes, values)
        return cls(base, tuple(Table(a, v) for a, v in whole.items()), lines, averages)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Of all tables, each once."""
        return tuple(dict.fromkeys(axis for table in self.tables for axis in table.axes))

    def placed(self, stones: Stones) -> Placed:
        """Where n stones lie on every axis; a number without a value is refused."""
        return {axis: spots(axis, stones, self.averages) for axis in self.axes}

    def total(self, here: Placed, n: int) -> Vector:
        """Sum of all effects of n stones, shape (n,), log dollars."""
        total = np.full(n, self.base)
        for table in self.tables:
            total = total + _read(table, here, n)
        return total

    def divided(self, here: Placed, there: Placed, n: int) -> tuple[Matrix, Vector, Vector]:
        """Log effect of each line between one or n stones and n others, shape (n, k).

        Also the sums of all effects there and here, as `total` gives them.
        """
        effects = np.zeros((n, len(self.lines)))
        before, after = np.full(n, self.base), np.full(n, self.base)
        ends = {axis: _paired(there[axis], here[axis], n) for axis in self.axes}
        place = {line: i for i, line in enumerate(self.lines)}
        for start in range(0, n, CHUNK):
            rows = slice(start, start + CHUNK)
            for table in self.tables:
                lines = table.lines
                corners = _corners(table, ends, rows)
                before[rows] += corners[0]
                after[rows] += corners[-1]
                for line, effect in zip(lines, shared(len(lines), corners), strict=True):
                    effects[rows, place[line]] += effect
        return effects, before, after


# --------------------------------------------------------------------------- shares


@cache
def coalitions(k: int) -> tuple[tuple[tuple[int, int, float], ...], ...]:
    """Shapley's rule for k lines: for each the pairs of sets without it, and what they count.

    A set is a number whose bit j says whether line j is in it. Two sets that make up all the
    other lines are a pair. The share of a line is the sum over the pairs of weight · (what the
    line changes beside the one set + what it changes beside the other); a set that is its own
    pair counts once.
    """
    found = []
    for line in range(k):
        others = (1 << k) - 1 - (1 << line)
        sets = [s for s in range(1 << k) if not s & ~others and s <= others ^ s]
        sizes = [s.bit_count() for s in sets]
        weights = [factorial(s) * factorial(k - 1 - s) / factorial(k) for s in sizes]
        pairs = zip(sets, (others ^ s for s in sets), weights, strict=True)
        found.append(tuple(pairs))
    return tuple(found)


@cache
def weights_of_sets(k: int) -> Matrix:
    """What the value of each set counts for each of k lines, shape (2ᵏ, k)."""
    found = np.zeros((1 << k if k else 0, k))
    for line, pairs in enumerate(coalitions(k)):
        for first, second, weight in pairs:
            for place in {first, second}:
                found[place | 1 << line, line] += weight
                found[place, line] -= weight
    return found


def shared(k: int, corners: Sequence[Values]) -> list[Values]:
    """Divide the change from ``corners[0]`` to ``corners[-1]`` among k lines.

    A line whose own features do not change gets exactly nothing, and exchanging two stones
    turns the signs, to the last bit. A corner is the effect when just the lines of one set,
    numbered as in `coalitions`, are as in the stone and the others as in the reference.
    """
    found = []
    for line, pairs in enumerate(coalitions(k)):
        total: Any = 0.0
        for first, second, weight in pairs:
            step = corners[first | 1 << line] - corners[first]
            if first != second:
                step = step + (corners[second | 1 << line] - corners[second])
            total = total + weight * step
        found.append(total)
    return found


# --------------------------------------------------------------------------- axes


def _axes(terms: Sequence[Term]) -> dict[AnyBasis, Axis]:
    """The axis of each basis; bases of one line over the same number share the intervals."""
    bases = list(dict.fromkeys(basis for term in terms for basis in term.bases))
    edges: dict[tuple[str, str], set[float]] = {}
    powers: dict[tuple[str, str], int] = {}
    for basis in bases:
        key = (basis.scale, basis.line)
        averaged = 2 if len(basis.average) > 1 else 1  # between two means lies a straight line
        powers[key] = max(powers.get(key, averaged), basis.powers)
        edges.setdefault(key, set()).update(m for m in basis.marks if not isinstance(m, str))
    return {
        b: Axis(
            b.scale,
            b.line,
            tuple(sorted(edges[b.scale, b.line])) or b.marks,
            powers[b.scale, b.line],
        )
        for b in bases
    }


def _spread(basis: AnyBasis, axis: Axis, averages: Averages) -> Values:
    """From columns and mean rows of a basis to its axis: (rows, powers, columns and means)."""
    pieces = basis.pieces(axis.marks)
    means, nodes = len(basis.average), len(averages.carats)
    spread = np.zeros((axis.known + means, axis.powers, basis.width + means))
    spread[: axis.known, : pieces.shape[1], : basis.width] = pieces
    for i in range(means):
        row = spread[axis.known + i]
        row[0, basis.width + i] = 1.0
        if means > 1 and (i + 1) % nodes:  # a straight line to the next weight
            row[1, basis.width + i], row[1, basis.width + i + 1] = -1.0, 1.0
    return spread


def _by_kind(
    axes: tuple[Axis, ...], values: Values, averages: Averages
) -> list[tuple[tuple[Axis, ...], Values]]:
    """Effects of a measure, and apart from it what they come to in the usual stone of a kind.

    Measures of one shape are unlike those of another, and so are the curves over them. What
    is usual for a shape and weight is told on their lines; the line of the measure tells how
    a stone differs from that.
    """
    measures = [a for a in axes if not a.graded]
    if len(measures) != 1 or measures[0].attributes == ("carat",):
        return [(axes, values)]
    (axis,), groups, nodes = measures, averages.groups, np.log(averages.carats)
    i, k = axes.index(axis), len(axes)
    means = np.moveaxis(values, (i, k + i), (0, 1))[axis.known :, :2]
    means = means.reshape(len(groups), len(nodes), *means.shape[1:])
    ends = means[:, [0, -1]].copy()  # beyond the outermost weights a mean stays
    ends[:, :, 1:] = 0
    means = np.concatenate([ends[:, :1], means[:, :-1], ends[:, 1:]], 1)
    rest = [a for a in axes if a != axis]
    for j in reversed(range(len(rest))):
        if rest[j].feature == averages.grade:  # the curve of the shape itself
            place = [rest[j].marks.index(g) if g in rest[j].marks else 0 for g in groups]
            means = np.stack([m.take(p, 2 + j) for m, p in zip(means, place, strict=True)])
            means = means.squeeze(2 + len(rest) + j)
            del rest[j]
    powers = means.shape[2]
    means = np.expand_dims(np.moveaxis(means, 2, 2 + len(rest)), 2 + len(rest))
    marks = (nodes[0] - 10, *nodes, nodes[-1] + 10)
    own = tuple(a._replace(line=axis.line) if a.feature == averages.grade else a for a in axes)
    return [(own, values)] + [
        (
            (
                Axis(averages.grade, kind, groups, 1),
                Axis("log(carat)", weight, tuple(map(float, marks)), powers),
                *rest,
            ),
            means * sign,
        )
        for kind, weight, sign in (
            (ATTRIBUTES[averages.grade].line, ATTRIBUTES["carat"].line, 1.0),
            (axis.line, axis.line, -1.0),
        )
    ]


def _home(axes: tuple[Axis, ...], homes: Iterable[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
    """The first that has all of some axes, and no measure that they have not."""
    return next(
        (
            home
            for home in homes
            if set(axes) <= set(home)
            and all(a in axes or a.graded or a.attributes == ("carat",) for a in home)
        ),
        None,
    )


def over(home: tuple[Axis, ...], axes: tuple[Axis, ...], values: Values) -> Values:
    """The same effects over all axes of a home; dimensions behind the powers stay."""
    k, order = len(axes), sorted(range(len(axes)), key=lambda i: home.index(axes[i]))
    behind = range(2 * k, values.ndim)
    values = values.transpose([*order, *(k + i for i in order), *behind])
    gone = [i for i, axis in enumerate(home) if axis not in axes]
    values = np.expand_dims(values, [*gone, *(len(home) + i for i in gone)])
    # What is the same along an axis has no higher powers there.
    wide = [(0, axis.powers - 1 if i in gone else 0) for i, axis in enumerate(home)]
    return np.pad(values, [(0, 0)] * len(home) + wide + [(0, 0)] * len(behind))


def cells(stones: Stones, averages: Averages, rows: Any) -> tuple[Integers, Vector]:
    """The mean row that stands in for what some stones do not say, and how far to the next."""
    node, share = averages.nodes(stones["carat"][rows])
    group = _positions(averages.grade, averages.groups)[stones[averages.grade][rows]]
    return group * len(averages.carats) + node, share


def spots(axis: Axis, stones: Stones, averages: Averages) -> list[Spot]:
    """Where n stones lie on an axis."""
    if axis.graded:
        row = _positions(axis.feature, axis.marks)[stones[axis.feature]]
        missing = row < 0
        if axis.feature == LISTING.name:  # the blend, on a single row
            return [Spot(np.where(missing, axis.known, row), np.zeros(len(row)), 1.0)]
        along = np.zeros(len(row))
        return [_averaged(axis, Spot(row, along, 1.0), missing, stones, averages)]
    expression, within = parse(axis.feature), _intervals(axis.marks)
    found = []
    for turned, share in in_both_orders(expression, stones, averages):
        x, missing = expression.known({name: turned[name] for name in expression.attributes})
        row, along = within.of(np.where(missing, axis.marks[0], x) if missing.any() else x)
        found.append(_averaged(axis, Spot(row, along, share), missing, stones, averages))
    return found


def _averaged(
    axis: Axis, spot: Spot, missing: NDArray[np.bool_], stones: Stones, averages: Averages
) -> Spot:
    """The spot with what stands in for the missing; its arrays are written to."""
    if missing.any():
        rows = np.flatnonzero(missing)
        cell, spot.along[rows] = cells(stones, averages, rows)
        spot.row[rows] = axis.known + cell
    return spot


def _positions(grade: str, levels: tuple[str, ...]) -> Integers:
    """Place of each grade of the scale among the levels, by its code; −1 for a missing one.

    A grade that is not among them has place 0: whoever prices asks first what is supported.
    """
    places = codes_to_positions(grade, levels)
    return np.where(places == len(levels), 0, places)


class Intervals:
    """Finds the interval between ascending edges that many numbers lie in.

    Even cells, each with one edge at most, tell the interval but for one comparison; that
    is several times faster than a binary search.
    """

    def __init__(self, edges: Vector) -> None:
        self.edges, self.lengths = edges, np.diff(edges)
        inner = edges[1:-1] if len(edges) > 3 else edges
        width = np.diff(inner).min() / 2
        cells = int((inner[-1] - inner[0]) / width) + 2
        self.start, self.scale = inner[0], 1 / width
        self.first: Integers | None = None
        if cells <= MOST_CELLS:
            begin = inner[0] + (np.arange(cells) - 0.01) * width  # a little early: rounding
            self.first = self._searched(begin)

    def _searched(self, x: Vector) -> Integers:
        return (np.searchsorted(self.edges, x, side="right") - 1).clip(0, len(self.edges) - 2)

    def of(self, x: Vector) -> tuple[Integers, Vector]:
        """Interval of each number, and how far along it is; shapes (n,)."""
        if self.first is None or len(x) < MOST_CELLS:
            i = self._searched(x)
        else:
            cell = ((x - self.start) * self.scale).clip(0, len(self.first) - 1)
            i = self.first.take(cell.astype(np.int64))
            i += x >= self.edges[1:].take(i)
            np.minimum(i, len(self.edges) - 2, out=i)
        return i, (x - self.edges.take(i)) / self.lengths.take(i)


@cache
def _intervals(marks: tuple[float, ...]) -> Intervals:
    return Intervals(np.array(marks))


def _read(table: Table, here: Placed, n: int) -> Vector:
    """Effects of n stones, added up entry by entry: alone or in a batch, bit for bit."""
    total = np.zeros(n)
    for where in product(*(here[axis] for axis in table.axes)):
        value = table.values[tuple(spot.row for spot in where)]
        share: Vector | float = 1.0
        for spot in reversed(where):
            value = horner(value, spot.along)
            share = share * spot.share
        total = total + value * share
    return total


def _paired(there: Sequence[Spot], here: Sequence[Spot], n: int) -> list[Any]:
    """The spots of both ends above one another, shape (2, n)."""

    def both(a: Any, b: Any) -> NDArray[Any]:
        pair = np.empty((2, n), np.asarray(a).dtype)
        pair[0], pair[1] = a, b
        return pair

    return [Spot(*map(both, a, b)) for a, b in zip(there, here, strict=True)]


def _corners(table: Table, ends: Mapping[Axis, list[Any]], rows: slice) -> list[Vector]:
    """Effects by set of lines, numbered as in `coalitions`, when just these have moved."""
    lines = table.lines
    k = len(lines)
    total: Values = np.zeros((2,) * k + (1,))
    for where in product(*(ends[axis] for axis in table.axes)):
        # Each line has a dimension of its own, along which its axes are at either end.
        shapes = [
            (*(2 if line == axis.line else 1 for line in lines), -1) for axis in table.axes
        ]
        spread: list[Any] = [
            tuple(part[:, rows].reshape(shape) for part in spot)
            for spot, shape in zip(where, shapes, strict=True)
        ]
        value = table.values[tuple(row for row, _, _ in spread)]
        for _, along, _ in reversed(spread):
            value = horner(value, along)
        for _, _, share in spread:
            value = value * share
        total = total + value
    return [total[tuple(place >> j & 1 for j in range(k))] for place in range(1 << k)]


def horner(powers: Values, along: Values) -> Values:
    """Polynomials whose coefficients stand along the last axis, the constant first."""
    value: Values = powers[..., -1]
    for j in range(powers.shape[-1] - 2, -1, -1):
        value = (
            powers[..., j]
            + along.reshape(along.shape + (1,) * (value.ndim - along.ndim)) * value
        )
    return value
