"""Sums over sales: all that a fit needs, of a size that does not grow with their number.

X'WX, X'Wy and y'Wy over the columns of a `Frame`, made block by block from tables of the
sales by bins (Wood, Li, Shaddick & Augustin 2017). For a model of p columns the tables of a
day are larger than the day's sales, the sums are not: they have p² numbers. Sums over parts
of the sales add up to those of the whole, and can be taken away again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add, sub
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sparse

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.atscale.frame import Frame, Group, feature_of
from diamond_pricing.fitting.engine.tables import Gram, spread, taken
from diamond_pricing.stones import ATTRIBUTES, LISTING, Day
from diamond_pricing.stones.attributes import first_day
from diamond_pricing.stones.trade import graded
from diamond_pricing.terms import Periods, Term

GRID = ("carat", "cut", "color", "clarity", LISTING.name)
FINE = 100  # bins of an error in each factor of e
SMALLEST = 1e-5  # log dollars; smaller errors are in the first bin


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Numbers of sales by cells, shapes (m,)."""

    cell: Integers = field(default_factory=lambda: np.zeros(0, np.int64))  # flat, ascending
    count: Integers = field(default_factory=lambda: np.zeros(0, np.int64))

    def __add__(self, other: "Counts") -> "Counts":
        cell, at = np.unique(np.concatenate([self.cell, other.cell]), return_inverse=True)
        count = np.zeros(len(cell), np.int64)
        np.add.at(count, at, np.concatenate([self.count, other.count]))
        return Counts(cell[count != 0], count[count != 0])

    def __sub__(self, other: "Counts") -> "Counts":
        return self + Counts(other.cell, -other.count)


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """How far log prices were from those of a model: sales by segment and size of error.

    A cell is band of the ranges, clarity, cut, color and bin of the absolute error, flat,
    the last fastest. Bins are even in the logarithm, a hundredth each, so that a quantile
    is known to half a per cent of itself.
    """

    recorded: Counts = field(default_factory=Counts)  # of the price on the list of the sale
    blend: Counts = field(default_factory=Counts)
    squares: float = 0.0  # sum of the squared errors on the list of the sale

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.recorded + other.recorded,
            self.blend + other.blend,
            self.squares + other.squares,
        )

    def __sub__(self, other: "Errors") -> "Errors":
        return Errors(
            self.recorded - other.recorded,
            self.blend - other.blend,
            self.squares - other.squares,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over sales, by fold."""

    frame: Frame
    grams: tuple[Gram, ...]  # over the columns of a document with the frame's terms; by fold
    weight: Mapping[str, Vector]  # sum of weights by bin of each feature
    grid: Counts  # sales by weight, cut, color, clarity and price list
    # Least and largest value of each measure. Taking sales away does not narrow it.
    extent: Mapping[str, tuple[float, float]]
    left_out: Mapping[str, int] = field(default_factory=dict)  # unusable sales, by reason
    # Of the founding model, over sales that it was not fitted on.
    errors: Errors = field(default_factory=Errors)
    # Sales of each month, as ``2026-09``, where the frame reads their dates.
    months: Mapping[str, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of sales."""
        return sum(gram.n for gram in self.grams)

    @property
    def whole(self) -> Gram:
        """All folds together."""
        return reduce(add, self.grams)

    def __add__(self, other: "Moments") -> "Moments":
        """Put two parts of the sales together.

        Raises FitError when they were taken over different terms, bins or weights.
        """
        ends = {
            name: (min(low, other.extent[name][0]), max(high, other.extent[name][1]))
            for name, (low, high) in self.extent.items()
            if name in other.extent
        }
        return self._combined(other, add, ends)

    def __sub__(self, other: "Moments") -> "Moments":
        """Take a part of the sales away again.

        Raises FitError when it was never part of them, as far as the counts show.
        """
        left = self._combined(other, sub, self.extent)
        parts = (left.grid, left.errors.recorded, left.errors.blend)
        few = min(left.months.values(), default=0) < 0 or left.n < 0
        if few or any((c.count < 0).any() for c in parts):
            raise FitError("sales are taken away that were never counted here.")
        return left._within_months()

    def _within_months(self) -> "Moments":
        """The same with dates within the months that have sales."""
        if not self.months:
            return self
        extent = dict(self.extent)
        first, last = (month_of(end) for end in (min(self.months), max(self.months)))
        for name in (n for n in extent if isinstance(ATTRIBUTES[n], Day)):
            low, high = extent[name]
            extent[name] = (max(low, first_day(first)), min(high, first_day(last + 1) - 1))
        return replace(self, extent=extent)

    def without_months_ahead(self) -> "Moments":
        """The same, over columns that end with the last period in which there are sales."""
        if not self.n:
            raise FitError("these sums are over no sales; nothing can be fitted to them.")
        frame = self.frame
        ahead = {
            name: int(np.flatnonzero(self.weight[name])[-1]) + 1
            for name, bins in frame.bins.items()
            if bins.kind == "months"
        }
        if all(kept == len(frame.bins[name]) for name, kept in ahead.items()):
            return self
        terms, columns = [], []
        for term in frame.terms:
            kept = [ahead.get(basis.feature, basis.width) for basis in term.bases]
            inside = np.zeros([basis.width for basis in term.bases], bool)
            inside[tuple(slice(k) for k in kept)] = True
            columns.append(inside.ravel())
            bases = zip(term.bases, kept, strict=True)
            terms.append(
                Term(tuple(b.until(k) if isinstance(b, Periods) else b for b, k in bases))
            )
        at = np.flatnonzero(np.concatenate(columns))
        bins = {
            name: replace(of, values=of.values[: ahead.get(name, len(of))])
            for name, of in frame.bins.items()
        }
        weight = {name: w[: len(bins[name])] for name, w in self.weight.items()}
        grams = tuple(gram.only(at) for gram in self.grams)
        frame = replace(frame, terms=tuple(terms), bins=bins)
        return replace(self, frame=frame, grams=grams, weight=weight)

    def _combined(
        self,
        other: "Moments",
        combine: Callable[[Any, Any], Any],
        extent: Mapping[str, tuple[float, float]],
    ) -> "Moments":
        """Both added, or the other subtracted, if they are of like frames."""
        self._check_alike(other)
        grams = (combine(self.whole, other.whole),)
        if len(self.grams) == len(other.grams):
            grams = tuple(map(combine, self.grams, other.grams))
        return Moments(
            self.frame,
            grams,
            {name: combine(w, other.weight[name]) for name, w in self.weight.items()},
            combine(self.grid, other.grid),
            extent,
            _counted(self.left_out, other.left_out, combine),
            combine(self.errors, other.errors),
            _counted(self.months, other.months, combine),
        )

    def _check_alike(self, other: "Moments") -> None:
        mine, theirs = self.frame, other.frame
        founding = [frame.founding and frame.founding.sha256 for frame in (mine, theirs)]
        same = (
            founding[0] == founding[1]
            and mine.terms == theirs.terms
            and mine.seen == theirs.seen
            and mine.bins.keys() == theirs.bins.keys()
        )
        if not same or not all(
            np.array_equal(b.values, theirs.bins[f].values) for f, b in mine.bins.items()
        ):
            raise FitError(
                "sums with different founding models cannot be put together; count one of "
                "them anew like the other."
            )

    def cells(self) -> dict[str, Integers]:
        """Bins of the cells of the grid by feature, shape (m,)."""
        sizes = [grid_size(self.frame, name) for name in GRID]
        return dict(zip(GRID, np.unravel_index(self.grid.cell, sizes), strict=True))


def grid_size(frame: Frame, name: str) -> int:
    """Bins of an axis of the grid; a list that is not known counts as the last."""
    if name == "carat":
        return len(frame.bins["carat"])
    return len(graded(name).grades) + (name == LISTING.name)


def month_of(name: str) -> int:
    """The number of a month from its name, ``2026-09``; see `month_number`."""
    return 12 * int(name[:4]) + int(name[5:]) - 1


def _counted(
    a: Mapping[str, int], b: Mapping[str, int], combine: Callable[[int, int], int]
) -> dict[str, int]:
    found = {name: combine(a.get(name, 0), b.get(name, 0)) for name in (*a, *b)}
    return {name: count for name, count in found.items() if count}


class Table(NamedTuple):
    """Sales by cells of some features and by fold, shapes (m,)."""

    codes: dict[str, Integers]  # bin of each cell by feature
    fold: Integers
    weight: Vector  # sum of weights
    total: Vector  # sum of weight times log price


class Sums:
    """X'WX and X'Wy, filled in table by table."""

    def __init__(self, frame: Frame, folds: int) -> None:
        self.frame, self.folds = frame, folds
        self.XX = np.zeros((folds, frame.p, frame.p))
        self.Xy = np.zeros((folds, frame.p))
        self.weight: dict[str, Vector] = {}
        self._blocks: dict[int, Any] = {}

    def take(self, table: Table, pairs: Sequence[tuple[int, int]]) -> None:
        """Fill in the blocks of pairs of groups."""
        frame = self.frame
        for name, bins in frame.bins.items():
            if bins.kind == "bands":
                carat = table.codes.get("carat")
                if carat is not None and name not in table.codes:
                    table.codes[name] = np.searchsorted(bins.starts, carat, side="right")
            if name in table.codes and name not in self.weight:
                count = np.bincount(table.codes[name], table.weight, len(bins))
                self.weight[name] = count.astype(float)
        for g, h in pairs:
            first, second = frame.groups[g], frame.groups[h]
            i, j = (self._flat(table, group) for group in (first, second))
            sizes = frame.size(first.features), frame.size(second.features)
            for k in range(self.folds):
                of = table.fold == k if self.folds > 1 else slice(None)
                N = sparse.coo_matrix((table.weight[of], (i[of], j[of])), shape=sizes).tocsr()
                N.sort_indices()  # engines give cells in any order; sums must not depend on it
                block: Matrix = (self._block(g).T @ (N @ self._block(h))).toarray()
                if g == h:
                    block = (block + block.T) / 2
                at, to = self._places(first), self._places(second)
                self.XX[k][np.ix_(at, to)] = block
                self.XX[k][np.ix_(to, at)] = block.T
                if g == h:
                    total = np.bincount(i[of], table.total[of], sizes[0]).astype(float)
                    self.Xy[k][at] = self._block(g).T @ total

    def _flat(self, table: Table, group: Group) -> Integers:
        flat = np.zeros(len(table.weight), np.int64)
        for name in group.features:
            flat = flat * len(self.frame.bins[name]) + table.codes[name]
        return flat

    def _places(self, group: Group) -> Integers:
        every = np.arange(self.frame.p)
        return np.concatenate([every[self.frame.columns[i]] for i in group.terms])

    def _block(self, g: int) -> Any:
        """Columns of the terms of a group in every cell over its features; sparse."""
        if g not in self._blocks:
            frame, (features, terms) = self.frame, self.frame.groups[g]
            n, at = frame.size(features), frame.cells(features)
            blocks = []
            for term in (frame.terms[i] for i in terms):
                of = [taken(frame.placed(b, term), at[feature_of(b, term)]) for b in term.bases]
                made = spread(of, [basis.width for basis in term.bases], n)
                made.eliminate_zeros()
                blocks.append(made)
            self._blocks[g] = sparse.hstack(blocks).tocsr()
        return self._blocks[g]
