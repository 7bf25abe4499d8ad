"""The shape: which coefficients make a better stone cheaper, and the nearest that do not."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.fitting.engine.design import Design, Margin
from diamond_pricing.fitting.engine.shape import BROKEN, shaped, shaped_by
from diamond_pricing.fitting.engine.smoothing import PenalisedFit
from diamond_pricing.fitting.engine.tables import joined
from diamond_pricing.model.certificate import (
    ANY,
    AXES,
    MISSING,
    MOVING,
    Feature,
    Grid,
    features,
    is_proportion,
    levels_of,
    located,
    other_of,
    over,
    rising,
)
from diamond_pricing.model.effects import Effects
from diamond_pricing.stones import Stones
from diamond_pricing.terms import Averages, dense, interleaved

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


class _Steps(NamedTuple):
    """Steps of a feature of the proportions, all that it can give, and their least ones."""

    rows: Matrix  # of the design, shape (states · (cuts − 1), columns)
    columns: Integers  # of the design that they are of
    places: slice  # of the least steps behind the coefficients

    def of(self, beta: Vector) -> Matrix:
        """In log dollars, shape (states, cuts − 1)."""
        steps = self.rows @ beta[self.columns]
        return steps.reshape(-1, self.places.stop - self.places.start)


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
        self.least: list[list[_Steps]] = []
        for grid in over_grids:
            found = features(terms, averages, grid) if grid.dimensions == ANY else []
            self.least.append([])
            for feature in found:
                self.least[-1].append(self._steps(feature))
                self.size += feature.cuts - 1

    def _steps(self, feature: Feature) -> _Steps:
        rows, columns = [], []
        for i, of_margins in feature.terms.items():
            sheet = self.design.sheets[i]
            margins = zip(sheet.margins, of_margins, strict=True)
            turned = [dense(m.basis, of) @ m.transform for m, of in margins]
            block = interleaved(turned, len(feature))
            width = block.shape[1]
            steps = np.diff(block.reshape(-1, feature.cuts, width), axis=1)
            rows.append(steps.reshape(-1, width))
            columns.append(np.arange(self.p)[sheet.columns])
        places = slice(self.size, self.size + feature.cuts - 1)
        return _Steps(np.hstack(rows), np.concatenate(columns), places)

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
            for steps in found:
                start[steps.places] = steps.of(free).min(axis=0)
        return wide, start

    def __call__(self, beta: Vector) -> Matrix:
        """Rows that the coefficients break, shape (m, p and the least steps)."""
        parts = zip(self.transforms, self.design.sheets, strict=True)
        coefficients = np.concatenate([T @ beta[sheet.columns] for T, sheet in parts])
        effects = Effects.of(self.terms, coefficients, self.averages)
        # Stones at both ends of steps, their least steps, and whether proportions may be any.
        broken: list[tuple[Sequence[Stones], Matrix, bool]] = []
        below = []  # steps of a feature less the least of them
        self.most = ceil(MORE * self.most)
        for grid, at, least in zip(self.grids, self.at, self.least, strict=True):
            here = over(effects, grid, at)
            for axis in self.needed[grid.dimensions]:
                i = AXES.index(axis)
                step, worst = here.steps(axis)
                for steps in least:
                    step = step + beta[steps.places][None, :, None, None]
                index = _lowest(step, self.most)
                others = {
                    name: self.levels[name][np.broadcast_to(level, step.shape)[index]]
                    for name, level in worst.items()
                }
                ends = [grid.at(_place(grid, index, i, up) | others) for up in (0, 1)]
                part = np.zeros((len(ends[0]), self.size))
                for steps in least:
                    part[np.arange(len(part)), steps.places.start + index[i]] = 1.0
                broken.append((ends, part, grid.dimensions == ANY))
            for steps in least:
                over_least = steps.of(beta) - beta[steps.places]
                state, cut = _lowest(over_least, self.most)
                part = np.zeros((len(cut), self.size))
                part[:, steps.columns] = steps.rows[state * over_least.shape[1] + cut]
                part[np.arange(len(part)), steps.places.start + cut] = -1.0
                below.append(part)
            if grid.dimensions == MISSING:
                for name, order in self.rising.items():
                    level, *rest = _lowest(here.rises(name, order), self.most)
                    codes = self.levels[name][np.asarray(order)]
                    place = _place(grid, rest, -1, 0)
                    ends = [grid.at(place | {name: codes[level + up]}) for up in (0, 1)]
                    broken.append((ends, np.zeros((len(ends[0]), self.size)), False))
        found = np.vstack([self._differences(broken), *below])
        return found[found.any(axis=1)]  # a grade that no term reads rises nowhere

    def _differences(self, broken: list[tuple[Sequence[Stones], Matrix, bool]]) -> Matrix:
        """Rows of the ends of steps; all grids together, as there are many terms to place."""
        rows = np.vstack([part for _, part, _ in broken])
        if len(rows):
            low, high = (_together([ends[up] for ends, *_ in broken]) for up in (0, 1))
            for start in range(0, len(rows), CHUNK):
                some = slice(start, start + CHUNK)
                rows[some, : self.p] = self.of(high.take(some)) - self.of(low.take(some))
            of_any = np.concatenate([np.full(len(part), is_any) for _, part, is_any in broken])
            rows[np.ix_(of_any, np.flatnonzero(self.proportions))] = 0.0
        return rows

    def of(self, stones: Stones) -> Matrix:
        """Rows of the design, shape (m, p)."""

        def side(margin: Margin) -> Matrix:
            rows = margin.basis.rows(stones, self.averages)
            return dense(margin.basis, rows) @ margin.transform

        return joined(self.design, side, len(stones))


def _together(parts: Sequence[Stones]) -> Stones:
    """Stones of several grids; a grade or day that a part has nothing of is not known."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Stones({name: np.concatenate([part[name] for part in parts]) for name in names})


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


def documented(design: Design, found: Matrix) -> Matrix:
    """Coefficients of the bases from those of the fit, or each of k columns of them."""
    return np.concatenate([sheet.transform @ found[sheet.columns] for sheet in design.sheets])
