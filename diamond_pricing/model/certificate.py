"""Proof that no price falls when a stone improves, by trying every stone of a grid.

Every weight of 0.20 to 5.00 ct in steps of 0.01, of 0.005 below 1.00 ct and of 0.0025 below
0.50 ct, and a hair below each weight at which the price jumps, with every combination of the
grades that the model knows: each is compared with the next heavier and with one grade better
of cut, color and clarity, with its proportions missing and with dimensions that grow with the
weight; and with one grade of cut better at whatever proportions favour the worse cut most.
All at the blend and on the base list.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import mul
from typing import NamedTuple

import msgspec
import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.proportions import features, is_proportion
from diamond_pricing.model.training import Training
from diamond_pricing.stones import ATTRIBUTES, GRADES, LISTING, MEASURES, Grade, Stones
from diamond_pricing.stones.checks import expected_diameter
from diamond_pricing.terms import Averages, Rows, Steps, Term, looked_up

# Carats: all hundredths, and more where a hundredth is much of the weight.
WEIGHTS = np.concatenate(
    [np.arange(80, 200) / 400, np.arange(100, 200) / 200, np.arange(100, 501) / 100]
)
TYPICAL = {"depth": 61.8, "table": 57.0}  # per cent, of the stones with dimensions
MISSING, MOVING, ANY = "missing", "moving with the weight", "any that stay the same"
AXES = ("carat", "cut", "color", "clarity")


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the exhaustive check found.

    Attributes
    ----------
    compared : int
        Pairs of stones compared.
    inversions : dict[str, int]
        Pairs whose better or heavier stone is cheaper, by the attribute that improves.
    lightest, heaviest, step : float
        The weights tried, carats; ``step`` is the largest between two.
    lists : tuple[str, ...]
        The prices tried.
    dimensions : tuple[str, ...]
        The dimensions tried.
    """

    compared: int
    inversions: dict[str, int]
    lightest: float
    heaviest: float
    step: float
    lists: tuple[str, ...]
    dimensions: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether there is no inversion."""
        return not any(self.inversions.values())


class Grid(NamedTuple):
    """All combinations of some weights and grades, with one way to fill the dimensions.

    Attributes
    ----------
    values : Mapping[str, Sequence]
        Weights in carats; codes of the grades, worst first.
    dimensions : str
        ``MISSING``, ``MOVING`` or ``ANY``.
    listing : int
        Code of the price list, −1 for the blend.
    """

    values: Mapping[str, Sequence[float]]
    dimensions: str
    listing: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis."""
        return tuple(len(self.values[axis]) for axis in AXES)

    def stones(self, axes: Sequence[str] = AXES) -> Stones:
        """Stones over some axes, the last fastest; the other axes stay at their first value."""
        counts = [len(self.values[a]) if a in axes else 1 for a in AXES]
        n = reduce(mul, counts)
        index = np.unravel_index(np.arange(n), counts)
        place = {a: np.asarray(self.values[a])[i] for a, i in zip(AXES, index, strict=True)}
        return self.at(place)

    def at(self, place: Mapping[str, Vector]) -> Stones:
        """Stones of given weights and grade codes, each shape (n,)."""
        n = len(place["carat"])
        columns = {m.name: np.full(n, np.nan) for m in MEASURES}
        columns |= {g.name: np.full(n, -1) for g in GRADES}
        columns |= {LISTING.name: np.full(n, self.listing)}
        for axis in AXES:
            columns[axis] = place[axis]
        if self.dimensions == MOVING:
            across = expected_diameter(place["carat"], np.full(n, TYPICAL["depth"]))
            columns |= {name: np.full(n, value) for name, value in TYPICAL.items()}
            columns |= {"x": across, "y": across, "z": across * TYPICAL["depth"] / 100}
        return Stones(columns)

    def spanned(self, attributes: Sequence[str]) -> tuple[str, ...]:
        """The axes that an effect over some attributes varies along."""
        own = {a for a in attributes if a in AXES}
        others = {a for a in attributes if a not in AXES and a != LISTING.name}
        if others - {m.name for m in MEASURES}:
            own |= {"carat", "cut"}  # missing in every grid
        if others:
            own |= {"carat", "cut"} if self.dimensions == MISSING else {"carat"}
        return tuple(a for a in AXES if a in own)


def jumps(terms: Sequence[Term], markup: Markup | None = None) -> tuple[float, ...]:
    """Weights at which the price jumps, carats."""
    found = {at for term in terms for b in term.bases if isinstance(b, Steps) for at in b.at}
    return tuple(sorted(found.union(() if markup is None else markup.parted_at)))


def grids(
    training: Training, listings: Sequence[int], jumps_at: Sequence[float] = ()
) -> Iterator[Grid]:
    """Give the grids of a certificate, every way to fill the dimensions on each list."""
    inside = [at for at in jumps_at if WEIGHTS[0] < at <= WEIGHTS[-1]]
    weights = np.union1d(WEIGHTS, np.nextafter(inside, 0))
    values: dict[str, Sequence[float]] = {"carat": weights.tolist()}
    for axis in AXES[1:]:
        grade = ATTRIBUTES[axis]
        assert isinstance(grade, Grade)
        known = training.grades[axis]
        values[axis] = [code for code, name in enumerate(grade.grades) if name in known]
    for listing in listings:
        for dimensions in (MISSING, MOVING, ANY):
            yield Grid(values, dimensions, listing)


Placed = list[tuple[list[Rows], int, tuple[int, ...]] | None]


def placed(terms: Sequence[Term], averages: Averages, grid: Grid) -> Placed:
    """Rows of each term at the stones of a grid, their number, and their shape.

    Each term is worked out only along the axes that it varies along. Where the dimensions
    may be any, the terms of the proportions are left out.
    """
    found: Placed = []
    for term in terms:
        if grid.dimensions == ANY and is_proportion(term):
            found.append(None)
            continue
        axes = grid.spanned([name for basis in term.bases for name in basis.attributes])
        stones = grid.stones(axes)
        rows = [basis.rows(stones, averages) for basis in term.bases]
        shape = tuple(n if a in axes else 1 for a, n in zip(AXES, grid.shape, strict=True))
        found.append((rows, len(stones), shape))
    return found


def over(effects: Effects, grid: Grid, at: Placed | None = None) -> Vector:
    """Sum of the effects at every stone of a grid, shape `Grid.shape`, log dollars.

    Parameters
    ----------
    at : Placed, optional
        Saves working it out again for other coefficients.
    """
    total = np.zeros(grid.shape)
    at = placed(effects.terms, effects.averages, grid) if at is None else at
    for table, where in zip(effects.tables, at, strict=True):
        if where is not None:
            rows, n, shape = where
            total += looked_up(table, rows, n).reshape(shape)
    return total


def steps(effects: Effects, grid: Grid, markup: Markup | None = None) -> dict[str, Vector]:
    """Log price of each stone less that of its neighbour one step worse, by attribute.

    Where the dimensions may be any, the least that a step can be over all of them, before
    the mark-up; that rises with the base price and turns no order round.
    """
    log_price = over(effects, grid)
    if grid.dimensions == ANY:
        cuts = np.asarray(grid.values["cut"], np.int64)
        found = features(effects.terms, effects.averages, cuts, grid.listing)
        least = sum(
            (f.steps(effects.tables).min(axis=0) for f in found),
            np.zeros(len(cuts) - 1),
        )
        of_axis = {a: np.diff(log_price, axis=i) for i, a in enumerate(AXES)}
        return of_axis | {"cut": of_axis["cut"] + least[None, :, None, None]}
    if markup is not None:
        part = markup.part(np.asarray(grid.values["carat"]))[:, None, None, None]
        how = np.full((1, 1, 1, 1), 2 if grid.listing < 0 else 0)
        log_price = log_price + markup.at(log_price, part, how)
    return {a: np.diff(log_price, axis=i) for i, a in enumerate(AXES)}


def certify(effects: Effects, markup: Markup | None, training: Training) -> Certificate:
    """Compare every stone of the grids with its worse neighbours."""
    listings = {"blend": -1}
    if LISTING.name in effects.attributes:
        listings["x<y"] = 0
    found = dict.fromkeys(AXES, 0)
    compared = 0
    jumps_at = jumps(effects.terms, markup)
    for grid in grids(training, list(listings.values()), jumps_at):
        for axis, step in steps(effects, grid, markup).items():
            found[axis] += int((step < 0).sum())
            compared += step.size
    return Certificate(
        compared=compared,
        inversions=found,
        lightest=float(WEIGHTS[0]),
        heaviest=float(WEIGHTS[-1]),
        step=0.01,
        lists=tuple(listings),
        dimensions=(MISSING, MOVING, ANY),
    )
