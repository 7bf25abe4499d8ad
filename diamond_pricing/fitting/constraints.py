"""The shape: which coefficients make a better stone cheaper, and the nearest that do not."""

from collections.abc import Sequence
from math import ceil

import numpy as np

from diamond_pricing.arrays import Flags, Integers, Matrix, Vector
from diamond_pricing.fitting.engine import Design, PenalisedFit
from diamond_pricing.fitting.engine.shape import BROKEN, shaped, shaped_by
from diamond_pricing.model.certificate import (
    ANY,
    AXES,
    MISSING,
    MOVING,
    Grid,
    levels_of,
    located,
    other_of,
    over,
    rising,
)
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.proportions import Feature, features, is_proportion
from diamond_pricing.stones import ATTRIBUTES, Measure, Stones
from diamond_pricing.terms import Averages, Term, dense, interleaved

SHAPE_ROWS = 30
FEWEST_ROWS = 15
MORE = 1.1  # times as many in each round, so that what is hard ends too
CHUNK = 1_000  # rows at once
SLACK = 0.1  # weight of the least steps of the proportions; sales weigh 1
# The steps that must be kept from falling; all others follow from these, as proportions
# have effects by cut but not by color or clarity. The certificate tries all of them.
NEEDED = {MISSING: ("carat", "color", "clarity"), MOVING: ("carat",), ANY: ("cut",)}
# A model without proportions has this grid alone.
ALONE = {MISSING: AXES}


class Constraints:
    """The constraints on coefficients, as rows of the design where they are broken.

    Where the proportions may be any, the step from a cut to the next is the sum of what the
    other terms give and of the least that each feature of the proportions can. Each of
    these least steps is an unknown of its own behind the p coefficients, below all that its
    feature gives; otherwise every state of one feature would have to be met with every
    state of the others.
    """

    def __init__(self, design: Design, averages: Averages, over_grids: list[Grid]) -> None:
        self.design, self.averages, self.grids = design, averages, over_grids
        self.terms = terms = tuple(sheet.term for sheet in design.sheets)
        self.transforms = [sheet.transform for sheet in design.sheets]
        self.at = [located(terms, averages, grid) for grid in over_grids]
        self.p = self.size = design.p
        self.proportions = np.zeros(design.p, bool)
        for sheet in design.sheets:
            self.proportions[sheet.columns] = is_proportion(sheet.term)
        groups = {(grid.shape, tuple(grid.values["cut"])) for grid in over_grids}
        self.most = max(SHAPE_ROWS // len(groups), FEWEST_ROWS)
        self.needed = NEEDED if self.proportions.any() else ALONE
        self.rising = rising(terms)
        others = [basis for basis in map(other_of, terms) if basis is not None]
        self.levels = {basis.attributes[0]: np.array([*levels_of(basis)]) for basis in others}
        self.binding = np.empty((0, design.p))
        self.least: list[list[tuple[Matrix, slice]]] = []
        for grid in over_grids:
            cuts = np.asarray(grid.values["cut"], np.int64)
            found = (
                features(terms, averages, cuts, grid.listing, grid.shape)
                if grid.dimensions == ANY
                else []
            )
            self.least.append([])
            for feature in found:
                places = slice(self.size, self.size + len(cuts) - 1)
                self.least[-1].append((self._steps(feature), places))
                self.size = places.stop

    def _steps(self, feature: Feature) -> Matrix:
        """Design rows of the steps of a feature, shape (states · (cuts − 1), p)."""
        steps = np.zeros((len(feature) // feature.cuts, feature.cuts - 1, self.p))
        for i, rows in feature.terms.items():
            sheet = self.design.sheets[i]
            turned = [
                dense(m.basis, of) @ m.transform
                for m, of in zip(sheet.margins, rows, strict=True)
            ]
            block = interleaved(turned, len(feature)).reshape(
                *steps.shape[:1], feature.cuts, -1
            )
            steps[:, :, sheet.columns] = np.diff(block, axis=1)
        return steps.reshape(-1, self.p)

    def shaped(self, fit: PenalisedFit) -> Vector:
        """Coefficients that break none, as near as possible to the free ones; shape (p,)."""
        beta, self.binding = shaped(*self._wide(fit), self)
        return beta[: self.p]

    def shaped_alike(self, fit: PenalisedFit) -> Vector:
        """The same for a fit to most of the sales, by the rows that bound for all."""
        return shaped_by(*self._wide(fit), self.binding)[: self.p]

    def _wide(self, fit: PenalisedFit) -> tuple[Matrix, Vector]:
        """The programme with the least steps as unknowns behind the coefficients."""
        free = fit.coefficients
        if self.size == self.p:
            return fit.factor, free
        wide = np.zeros((self.size, self.size), order="F")
        wide[: self.p, : self.p] = fit.factor
        behind = np.arange(self.p, self.size)
        wide[behind, behind] = np.sqrt(SLACK)
        start = np.concatenate([free, np.zeros(self.size - self.p)])
        for found in self.least:
            for steps, places in found:
                each = (steps @ free).reshape(-1, places.stop - places.start)
                start[places] = each.min(axis=0)
        return wide, start

    def __call__(self, beta: Vector) -> Matrix:
        """Rows that the coefficients break, shape (m, p and the least steps)."""
        parts = zip(self.transforms, self.design.sheets, strict=True)
        coefficients = np.concatenate([T @ beta[sheet.columns] for T, sheet in parts])
        effects = Effects.of(self.terms, coefficients, self.averages)
        broken = _Broken(self)
        self.most = ceil(MORE * self.most)
        for grid, at, least in zip(self.grids, self.at, self.least, strict=True):
            here = over(effects, grid, at)
            for axis in self.needed[grid.dimensions]:
                i = AXES.index(axis)
                step, worst = here.steps(axis)
                for _, places in least:
                    step = step + beta[places][None, :, None, None]
                index = _lowest(step, self.most)
                others = {
                    name: self.levels[name][np.broadcast_to(level, step.shape)[index]]
                    for name, level in worst.items()
                }
                ends = [grid.at(_place(grid, index, i, up) | others) for up in (0, 1)]
                broken.differ(ends, grid.dimensions, [of.start + index[i] for _, of in least])
            for steps, places in least:
                over_least = (steps @ beta[: self.p]).reshape(-1, places.stop - places.start)
                over_least -= beta[places]
                state, cut = _lowest(over_least, self.most)
                broken.over_least(steps[state * over_least.shape[1] + cut], places.start + cut)
            if grid.dimensions == MISSING:
                for name, order in self.rising.items():
                    level, *rest = _lowest(here.rises(name, order), self.most)
                    codes = self.levels[name][np.asarray(order)]
                    place = _place(grid, rest, -1, 0)
                    ends = [grid.at(place | {name: codes[level + up]}) for up in (0, 1)]
                    broken.differ(ends, grid.dimensions, [])
        return broken.rows()

    def of(self, stones: Stones) -> Matrix:
        """Rows of the design, shape (m, p)."""
        turned: dict[int, Matrix] = {}
        blocks = []
        for sheet in self.design.sheets:
            for m in sheet.margins:
                if id(m) not in turned:
                    rows = dense(m.basis, m.basis.rows(stones, self.averages))
                    turned[id(m)] = rows @ m.transform
            blocks.append(interleaved([turned[id(m)] for m in sheet.margins], len(stones)))
        return np.hstack(blocks)


class _Broken:
    """Rows that are broken, of all grids together: a design has many terms to place."""

    def __init__(self, of: Constraints) -> None:
        self.constraints = of
        self.ends: tuple[list[Stones], list[Stones]] = ([], [])
        self.parts = [np.empty((0, of.size))]
        self.any: list[Flags] = []
        self.steps = [np.empty((0, of.size))]

    def differ(
        self, ends: Sequence[Stones], dimensions: str, least: Sequence[Integers]
    ) -> None:
        """Take the stones of one end of each step from those of the other."""
        n = len(ends[0])
        part = np.zeros((n, self.constraints.size))
        for places in least:
            part[np.arange(n), places] = 1.0
        self.parts.append(part)
        self.any.append(np.full(n, dimensions == ANY))
        for all_of, end in zip(self.ends, ends, strict=True):
            all_of.append(end)

    def over_least(self, steps: Matrix, places: Integers) -> None:
        """Steps of a feature less the least of them."""
        part = np.hstack(
            [steps, np.zeros((len(steps), self.constraints.size - steps.shape[1]))]
        )
        part[np.arange(len(part)), places] = -1.0
        self.steps.append(part)

    def rows(self) -> Matrix:
        """All of them, shape (m, size)."""
        of, differ = self.constraints, np.vstack(self.parts)
        if len(differ):
            low, high = (_together(end) for end in self.ends)
            for start in range(0, len(differ), CHUNK):
                some = slice(start, start + CHUNK)
                differ[some, : of.p] = of.of(high.take(some)) - of.of(low.take(some))
            differ[np.ix_(np.concatenate(self.any), np.flatnonzero(of.proportions))] = 0.0
        return np.vstack([differ, *self.steps])


def _together(parts: Sequence[Stones]) -> Stones:
    """Stones of several grids; a grade or day that a part has nothing of is not known."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Stones(
        {
            name: np.concatenate(
                [part.columns.get(name, np.full(len(part), _unknown(name))) for part in parts]
            )
            for name in names
        }
    )


def _unknown(name: str) -> float:
    return np.nan if isinstance(ATTRIBUTES[name], Measure) else -1


def _place(grid: Grid, index: Sequence[Integers], axis: int, up: int) -> dict[str, Vector]:
    """Weights and codes at places of a grid, or one step up along an axis."""
    return {
        a: np.asarray(grid.values[a])[np.minimum(i, n - 1) + up * (j == axis)]
        for j, (a, i, n) in enumerate(zip(AXES, index, grid.sizes, strict=True))
    }


def _lowest(step: Vector, most: int) -> tuple[Integers, ...]:
    """Places of the lowest steps that are too low, an index for each axis.

    Of neighbours along the first axis only the lowest: they say nearly the same.
    """
    low = step < BROKEN
    low[1:] &= step[1:] < step[:-1]
    low[:-1] &= step[:-1] <= step[1:]
    (places,) = np.nonzero(low.ravel())
    places = places[np.argsort(step.ravel()[places])[:most]]
    return tuple(np.unravel_index(places, step.shape))


def documented(design: Design, beta: Vector) -> tuple[tuple[Term, ...], Vector, Matrix]:
    """Terms, their coefficients, and the matrix that takes those of the fit to them."""
    width = sum(sheet.term.width for sheet in design.sheets)
    wide = np.zeros((width, design.p))
    row = 0
    for sheet in design.sheets:
        T = sheet.transform
        wide[row : row + len(T), sheet.columns] = T
        row += len(T)
    return tuple(sheet.term for sheet in design.sheets), wide @ beta, wide
