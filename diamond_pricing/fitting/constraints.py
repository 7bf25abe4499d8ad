"""The shape: which coefficients make a better stone cheaper, and the nearest that do not."""

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.fitting.engine import Design
from diamond_pricing.fitting.engine.shape import shaped
from diamond_pricing.model.certificate import ANY, AXES, MISSING, MOVING, Grid, over, placed
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.proportions import Feature, features, is_proportion
from diamond_pricing.stones import ATTRIBUTES
from diamond_pricing.stones.attributes import RISING
from diamond_pricing.terms import Averages, Levels, Term, dense, interleaved

SHAPE_ROWS = 250  # broken constraints added at a time, for each axis of each grid
SLACK = 0.1  # weight of the least steps of the proportions; sales weigh 1
# The steps that must be kept from falling; all others follow from these, as proportions
# have effects by cut but not by color or clarity. The certificate tries all of them.
NEEDED = {MISSING: ("carat", "color", "clarity"), MOVING: ("carat",), ANY: ("cut",)}


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
        terms = tuple(sheet.term for sheet in design.sheets)
        self.at = [placed(terms, averages, grid) for grid in over_grids]
        self.p = self.size = design.p
        self.proportions = np.zeros(design.p, bool)
        for sheet in design.sheets:
            self.proportions[sheet.columns] = is_proportion(sheet.term)
        self.rising = _rising(design)
        self.least: list[list[tuple[Matrix, slice]]] = []
        for grid in over_grids:
            cuts = np.asarray(grid.values["cut"], np.int64)
            found = (
                features(terms, averages, cuts, grid.listing) if grid.dimensions == ANY else []
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

    def shaped(self, A: Matrix, free: Vector) -> Vector:
        """Coefficients that break none, as near as possible to the free ones; shape (p,)."""
        if self.size == self.p:
            return shaped(A, free, self)
        wide = np.zeros((self.size, self.size))
        wide[: self.p, : self.p] = A
        wide[self.p :, self.p :] = SLACK * np.eye(self.size - self.p)
        start = np.concatenate([free, np.zeros(self.size - self.p)])
        for found in self.least:
            for steps, places in found:
                each = (steps @ free).reshape(-1, places.stop - places.start)
                start[places] = each.min(axis=0)
        return shaped(wide, start, self)[: self.p]

    def __call__(self, beta: Vector) -> Matrix:
        """Rows that the coefficients break, shape (m, p and the least steps)."""
        terms, coefficients, _ = documented(self.design, beta[: self.p])
        effects = Effects.of(terms, coefficients, self.averages)
        lower = self.rising @ beta[: self.p] < 0
        rows = [np.pad(self.rising[lower], ((0, 0), (0, len(beta) - self.p)))]
        for grid, at, least in zip(self.grids, self.at, self.least, strict=True):
            log_price = over(effects, grid, at)
            for axis in NEEDED[grid.dimensions]:
                i = AXES.index(axis)
                step = np.diff(log_price, axis=i)
                for _, places in least:
                    step = step + beta[places][None, :, None, None]
                worst = _lowest(step)
                if not len(worst):
                    continue
                index = np.unravel_index(worst, step.shape)
                broken = np.zeros((len(worst), self.size))
                broken[:, : self.p] = self._row(grid, index, i, 1) - self._row(
                    grid, index, i, 0
                )
                if grid.dimensions == ANY:
                    broken[:, : self.p][:, self.proportions] = 0.0
                for _, places in least:
                    broken[np.arange(len(worst)), places.start + index[i]] = 1.0
                rows.append(broken)
            for steps, places in least:
                over_least = (steps @ beta[: self.p]).reshape(-1, places.stop - places.start)
                over_least -= beta[places]
                worst = _lowest(over_least)
                broken = np.zeros((len(worst), self.size))
                broken[:, : self.p] = steps[worst]
                cut = worst % over_least.shape[1]
                broken[np.arange(len(worst)), places.start + cut] = -1.0
                rows.append(broken)
        return np.vstack(rows)

    def _row(self, grid: Grid, index: tuple[Integers, ...], axis: int, up: int) -> Matrix:
        """Rows of the design at places of a grid, shape (m, p)."""
        place = {
            a: np.asarray(grid.values[a])[i + up * (j == axis)]
            for j, (a, i) in enumerate(zip(AXES, index, strict=True))
        }
        stones = grid.at(place)
        turned: dict[int, Matrix] = {}
        blocks = []
        for sheet in self.design.sheets:
            for m in sheet.margins:
                if id(m) not in turned:
                    rows = dense(m.basis, m.basis.rows(stones, self.averages))
                    turned[id(m)] = rows @ m.transform
            blocks.append(interleaved([turned[id(m)] for m in sheet.margins], len(stones)))
        return np.hstack(blocks)


def _rising(design: Design) -> Matrix:
    """Steps from grade to grade of further attributes whose prices rise, shape (m, p)."""
    found = [np.empty((0, design.p))]
    for sheet in design.sheets:
        bases = [margin.basis for margin in sheet.margins]
        attribute = ATTRIBUTES.get(bases[0].feature) if len(bases) == 1 else None
        if attribute is None or attribute.name in AXES or attribute.direction != RISING:
            continue
        if isinstance(bases[0], Levels):
            steps = np.zeros((len(sheet.transform) - 1, design.p))
            steps[:, sheet.columns] = np.diff(sheet.transform, axis=0)
            found.append(steps)
    return np.vstack(found)


def _lowest(step: Vector) -> Integers:
    """Places of the lowest steps below zero, in the flattened array.

    Of neighbours along the first axis only the lowest: they say nearly the same.
    """
    low = step < 0
    low[1:] &= step[1:] < step[:-1]
    low[:-1] &= step[:-1] <= step[1:]
    (places,) = np.nonzero(low.ravel())
    return np.asarray(places[np.argsort(step.ravel()[places])[:SHAPE_ROWS]])


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
