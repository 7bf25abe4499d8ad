"""Proof that no price falls when a stone improves, by trying every stone of a grid.

Every weight of 0.20 to 5.00 ct in steps of 0.01, of 0.005 below 1.00 ct and of 0.0025 below
0.50 ct, and a hair below each weight at which the price jumps, with every combination of the
grades that the model knows: each is compared with the next heavier and with one grade better
of cut, color and clarity, with its proportions missing and with dimensions that grow with the
weight; and with one grade of cut better at whatever proportions favour the worse cut most.
All at the blend and on the base list, for every shape, and with whatever further grades favour
the worse stone most; at every period of the market, too, where it is not one market for all
weights. Further grades that are to rise are compared too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import NamedTuple

import msgspec
import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.like_sales import Likeness
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.training import Training
from diamond_pricing.stones import GRADES, LISTING, MEASURES, Stones
from diamond_pricing.stones.attributes import RISING
from diamond_pricing.stones.checks import expected_diameter
from diamond_pricing.stones.kinds import SHAPE
from diamond_pricing.stones.trade import graded
from diamond_pricing.terms import (
    AnyBasis,
    Averages,
    Levels,
    Periods,
    Rows,
    Spline,
    Steps,
    Term,
    looked_up,
)

# Carats: all hundredths, and more where a hundredth is much of the weight.
WEIGHTS = np.concatenate(
    [np.arange(80, 200) / 400, np.arange(100, 200) / 200, np.arange(100, 501) / 100]
)
TYPICAL = {"depth": 61.8, "table": 57.0}  # per cent, of the stones with dimensions
POINTS = 200  # of each curve of the proportions
PROPORTIONS = frozenset(m.name for m in MEASURES) - {"carat"}
MISSING, MOVING, ANY = "missing", "moving with the weight", "any that stay the same"
AXES = ("carat", "cut", "color", "clarity")


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the exhaustive check found."""

    compared: int  # pairs of stones compared
    # Pairs whose better or heavier stone is cheaper, by the attribute that improves
    inversions: dict[str, int]
    # The weights tried, carats; ``step`` is the largest between two
    lightest: float
    heaviest: float
    step: float
    lists: tuple[str, ...]  # the prices tried
    dimensions: tuple[str, ...]  # the dimensions tried

    @property
    def holds(self) -> bool:
        """Whether there is no inversion."""
        return not any(self.inversions.values())


class Grid(NamedTuple):
    """All combinations of some weights and grades, with one way to fill the dimensions."""

    values: Mapping[str, Sequence[float]]  # weights in carats; codes of the grades, worst first
    dimensions: str  # ``MISSING``, ``MOVING`` or ``ANY``
    listing: int  # code of the price list, −1 for the blend
    shape: int = -1  # code of the shape of all its stones, −1 where it is not known

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each axis."""
        return tuple(len(self.values[axis]) for axis in AXES)

    def stones(self, axes: Sequence[str] = AXES, others: Mapping[str, float] = {}) -> Stones:
        """Stones over some axes, the last fastest; the other axes stay at their first value.

        ``others`` are codes of further grades, or a day, the same for all.
        """
        counts = [len(self.values[a]) if a in axes else 1 for a in AXES]
        n = prod(counts)
        index = np.unravel_index(np.arange(n), counts)
        place = {a: np.asarray(self.values[a])[i] for a, i in zip(AXES, index, strict=True)}
        return self.at(place | {name: np.full(n, code) for name, code in others.items()})

    def at(self, place: Mapping[str, Vector]) -> Stones:
        """Stones of given weights and codes of grades, each shape (n,)."""
        n = len(place["carat"])
        columns = {m.name: np.full(n, np.nan) for m in MEASURES}
        columns |= {g.name: np.full(n, -1) for g in GRADES}
        columns |= {LISTING.name: np.full(n, self.listing), SHAPE: np.full(n, self.shape)}
        if self.dimensions == MOVING:
            across = expected_diameter(place["carat"], np.full(n, TYPICAL["depth"]))
            columns |= {name: np.full(n, value) for name, value in TYPICAL.items()}
            columns |= {"x": across, "y": across, "z": across * TYPICAL["depth"] / 100}
        return Stones(columns | dict(place))

    def spanned(self, attributes: Sequence[str]) -> tuple[str, ...]:
        """The axes that an effect over some attributes varies along."""
        own = {a for a in attributes if a in AXES}
        others = {a for a in attributes if a not in AXES and a != LISTING.name}
        if others - {m.name for m in MEASURES}:
            own |= {"carat", "cut"}  # what stands in for one that is missing
        if others:
            own |= {"carat", "cut"} if self.dimensions == MISSING else {"carat"}
        return tuple(a for a in AXES if a in own)


def jumps(terms: Sequence[Term], markup: Markup | None = None) -> tuple[float, ...]:
    """Weights at which the price jumps, carats."""
    found = {at for term in terms for b in term.bases if isinstance(b, Steps) for at in b.at}
    return tuple(sorted(found.union(() if markup is None else markup.parted_at)))


def grids(
    training: Training,
    terms: Sequence[Term],
    listings: Sequence[int],
    jumps_at: Sequence[float] = (),
) -> Iterator[Grid]:
    """Give the grids of a certificate, every way to fill the dimensions on each list.

    Where no term reads them there is nothing to fill. Every shape that the terms know has its
    own grids; stones without a cut grade are compared among themselves.
    """
    bases = (basis for term in terms for basis in term.bases)
    levels = {b.levels for b in bases if isinstance(b, Levels) and b.attribute == SHAPE}
    shapes = [code for some in levels for code in _codes(SHAPE, some)] or [-1]
    inside = [at for at in jumps_at if WEIGHTS[0] < at <= WEIGHTS[-1]]
    weights = np.union1d(WEIGHTS, np.nextafter(inside, 0))
    values: dict[str, Sequence[float]] = {"carat": weights.tolist()}
    ungraded: list[float] = []
    for axis in AXES[1:]:
        grade = graded(axis)
        known = training.grades[axis]
        seen = [name for name in grade.grades if name in known and name != grade.ungraded]
        values[axis] = _codes(axis, seen)
        if grade.ungraded in known:
            ungraded = [grade.grades.index(grade.ungraded)]
    every = [values] if values["cut"] else []
    every += [values | {"cut": ungraded}] if ungraded else []
    for shape, listing in product(shapes, listings):
        for some, dimensions in product(every, dimensions_of(terms)):
            yield Grid(some, dimensions, listing, shape)


def is_proportion(term: Term) -> bool:
    """Whether a term reads a measure besides the weight."""
    return any(PROPORTIONS & set(basis.attributes) for basis in term.bases)


def dimensions_of(terms: Sequence[Term]) -> tuple[str, ...]:
    """The ways to fill the dimensions that differ."""
    return (MISSING, MOVING, ANY) if any(map(is_proportion, terms)) else (MISSING,)


def _codes(attribute: str, levels: Sequence[str]) -> list[int]:
    """Codes of grades, −1 for those that are not recorded."""
    scale = graded(attribute).grades
    return [scale.index(level) if level in scale else -1 for level in levels]


class Located(NamedTuple):
    """A term at the stones of a grid."""

    other: str  # the further grade, or date, that it depends on, or empty
    sides: list[list[Rows]]  # for each level of that grade the rows of its bases
    sizes: tuple[int, ...]  # stones along each axis, 1 where it does not vary along it

    def effects(self, table: Vector) -> Vector:
        """Log effects, shape (levels, *sizes)."""
        n = prod(self.sizes)
        found = [looked_up(table, rows, n) for rows in self.sides]
        return np.stack(found).reshape(-1, *self.sizes)


def other_of(term: Term) -> Levels | Periods | None:
    """The levels of a further grade, not the shape, among the bases of a term.

    Periods too, where the market of one weight or grade is not that of another.
    """
    for basis in term.bases:
        if isinstance(basis, Levels) and basis.attribute not in (*AXES, LISTING.name, SHAPE):
            return basis
    varies = any(set(basis.attributes) & set(AXES) for basis in term.bases)
    periods = [basis for basis in term.bases if isinstance(basis, Periods)]
    return periods[0] if periods and varies else None


def levels_of(basis: Levels | Periods) -> Sequence[float]:
    """Codes of what a stone may have, −1 is that it is not known; or the first days."""
    if isinstance(basis, Periods):
        return list(basis.starts[:-1])
    found = _codes(basis.attribute, basis.levels)
    return found if -1 in found else [*found, -1]


def located(terms: Sequence[Term], averages: Averages, grid: Grid) -> list[Located | None]:
    """Every term at the stones of a grid, worked out only along the axes that it varies along.

    Where the dimensions may be any, the terms of the proportions are left out.
    """
    found: list[Located | None] = []
    for term in terms:
        if grid.dimensions == ANY and is_proportion(term):
            found.append(None)
            continue
        other = other_of(term)
        axes = grid.spanned([name for basis in term.bases for name in basis.attributes])
        name = "" if other is None else other.attributes[0]
        codes = [{}] if other is None else [{name: code} for code in levels_of(other)]
        sides = []
        for each in codes:
            stones = grid.stones(axes, each)
            sides.append([basis.rows(stones, averages) for basis in term.bases])
        sizes = tuple(n if a in axes else 1 for a, n in zip(AXES, grid.sizes, strict=True))
        found.append(Located(name, sides, sizes))
    return found


class Over(NamedTuple):
    """Log effects at every stone of a grid."""

    base: Vector  # of all terms without a further grade, shape `Grid.sizes`
    # By further grade the effects of each of its terms, shape (levels, *sizes)
    others: dict[str, list[Vector]]

    def steps(self, axis: str) -> tuple[Vector, dict[str, Integers]]:
        """What one step along an axis adds at least, whatever the further grades are.

        And by further grade the place of the level that this least is at, of a shape that the
        steps can be broadcast to.
        """
        i = AXES.index(axis)
        least, worst = np.diff(self.base, axis=i), {}
        for name, parts in self.others.items():
            moving = [np.diff(p, axis=1 + i) for p in parts if p.shape[1 + i] > 1]
            if moving:
                step = sum(moving[1:], start=moving[0])
                worst[name] = np.asarray(step.argmin(axis=0))
                least = least + step.min(axis=0)
        return least, worst

    def rises(self, name: str, ordered: Sequence[int]) -> Vector:
        """What each step of a further grade adds, for its levels in order; none is negative."""
        parts = self.others[name]
        return np.diff(sum(parts[1:], start=parts[0])[list(ordered)], axis=0)


def over(
    effects: Effects,
    grid: Grid,
    at: Sequence[Located | None] | None = None,
    like: Likeness | None = None,
) -> Over:
    """Effects at every stone of a grid, with what like sales fetched beyond.

    ``at`` saves working `located` out again for other coefficients.
    """
    others: dict[str, list[Vector]] = {}
    alike: dict[tuple[int, ...], Vector] = {}  # added up before they are spread over the grid
    at = located(effects.terms, effects.averages, grid) if at is None else at
    for table, where in zip(effects.tables, at, strict=True):
        if where is None:
            continue
        found = where.effects(table)
        if where.other:
            others.setdefault(where.other, []).append(found)
        else:
            alike[where.sizes] = alike.get(where.sizes, 0.0) + found[0]
    base = np.zeros(grid.sizes)
    for found in alike.values():
        base += found
    if like is not None:
        base += like.of(grid.stones()).reshape(grid.sizes)
    return Over(base, others)


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A feature of the proportions in all its states, with each cut, on one price list."""

    cuts: int  # how many
    # By the place of each term over it: rows of its bases, shape (states · cuts, m)
    terms: dict[int, list[Rows]]

    def __len__(self) -> int:
        return len(next(iter(self.terms.values()))[0].position)

    def steps(self, tables: Sequence[Vector]) -> Matrix:
        """Log effect of each cut less that of the next worse, shape (states, cuts − 1)."""
        effect = np.zeros(len(self))
        for i, rows in self.terms.items():
            effect += looked_up(tables[i], rows, len(self))
        return np.diff(effect.reshape(-1, self.cuts), axis=1)


def features(terms: Sequence[Term], averages: Averages, grid: Grid) -> list[Feature]:
    """Every feature of the proportions that some terms read, with the cuts of a grid.

    Whatever the proportions of a stone are, a better cut must not make it cheaper. Their
    effects add up feature by feature, so the worst case over all of them together is the sum
    of the worst cases of each: anywhere on its curve, or missing.
    """
    cuts = np.asarray(grid.values["cut"], np.int64)
    if len(cuts) < 2:
        return []
    known, missing = (
        grid.at({"carat": np.repeat(carats, len(cuts)), "cut": np.tile(cuts, len(carats))})
        for carats in (np.ones(POINTS), np.array(averages.carats))
    )
    found: dict[str, list[int]] = {}
    ends: dict[str, list[float]] = {}
    for i, term in enumerate(terms):
        for basis in term.bases:
            if PROPORTIONS & set(basis.attributes):
                found.setdefault(basis.feature, []).append(i)
                if isinstance(basis, Spline):
                    reach = basis.knots[basis.degree], basis.knots[-basis.degree - 1]
                    ends.setdefault(basis.feature, []).extend(reach)

    def rows(basis: AnyBasis) -> Rows:
        if PROPORTIONS & set(basis.attributes):
            low, high = min(ends[basis.feature]), max(ends[basis.feature])
            there = basis.placed(np.repeat(np.linspace(low, high, POINTS), len(cuts)))
        else:
            there = basis.rows(known, averages)
        return _stacked(there, basis.rows(missing, averages))

    return [
        Feature(len(cuts), {i: [rows(basis) for basis in terms[i].bases] for i in places})
        for places in found.values()
    ]


def _stacked(first: Rows, second: Rows) -> Rows:
    wide = max(part.position.shape[1] for part in (first, second))
    return Rows(
        *(
            np.vstack([np.pad(part, ((0, 0), (0, wide - part.shape[1]))) for part in pair])
            for pair in zip(first, second, strict=True)
        )
    )


def rising(terms: Sequence[Term]) -> dict[str, list[int]]:
    """Further grades whose prices rise, and the places of their levels from worst to best."""
    found = {}
    for basis in (other_of(term) for term in terms):
        if not isinstance(basis, Levels):
            continue
        grade = graded(basis.attribute)
        if grade.direction == RISING and grade.ordered:
            places = {level: i for i, level in enumerate(basis.levels)}
            order = [places[g] for g in grade.grades if g in places and g != grade.ungraded]
            found[basis.attribute] = order
    return found


def steps(
    effects: Effects, grid: Grid, markup: Markup | None = None, like: Likeness | None = None
) -> dict[str, Vector]:
    """Log price of each stone less that of its neighbour one step worse, by attribute.

    Further grades are those at which the step is least. Where the dimensions may be any, so
    are they, before the mark-up; that rises with the base price and turns no order round.
    """
    here = over(effects, grid, like=like)
    of_axis = {axis: here.steps(axis)[0] for axis in AXES}
    if grid.dimensions == ANY:
        found = features(effects.terms, effects.averages, grid)
        cuts = grid.values["cut"]
        least = sum(
            (f.steps(effects.tables).min(axis=0) for f in found), np.zeros(len(cuts) - 1)
        )
        of_axis["cut"] = of_axis["cut"] + least[None, :, None, None]
        if like is not None:
            names = [graded("cut").grades[int(code)] for code in cuts]
            worst = like.worst_cuts(np.asarray(grid.values["carat"]), names, grid.listing)
            of_axis["cut"] = of_axis["cut"] + worst[:, :, None, None]
    elif markup is not None:
        part = markup.part(np.asarray(grid.values["carat"]))[:, None, None, None]
        how = np.full((1, 1, 1, 1), 2 if grid.listing < 0 else 0)
        low = here.base + markup.at(here.base, part, how)
        for i, (axis, step) in enumerate(of_axis.items()):
            n = step.shape[i]
            below = np.take(here.base, range(n), axis=i)
            above = np.take(part, range(1, n + 1), axis=i) if axis == "carat" else part
            better = below + step
            start = np.take(low, range(n), axis=i)
            of_axis[axis] = better + markup.at(better, above, how) - start
    of_axis |= {name: here.rises(name, order) for name, order in rising(effects.terms).items()}
    return of_axis


def certify(
    effects: Effects, markup: Markup | None, training: Training, like: Likeness | None = None
) -> Certificate:
    """Compare every stone of the grids with its worse neighbours."""
    listings = {"blend": -1}
    if LISTING.name in effects.attributes:
        listings["x<y"] = 0
    found = dict.fromkeys((*AXES, *rising(effects.terms)), 0)
    compared = 0
    jumps_at = jumps(effects.terms, markup)
    for grid in grids(training, effects.terms, list(listings.values()), jumps_at):
        for axis, step in steps(effects, grid, markup, like).items():
            found[axis] += int((step < 0).sum())
            compared += step.size
    return Certificate(
        compared=compared,
        inversions=found,
        lightest=float(WEIGHTS[0]),
        heaviest=float(WEIGHTS[-1]),
        step=0.01,
        lists=tuple(listings),
        dimensions=dimensions_of(effects.terms),
    )
