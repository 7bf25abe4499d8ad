"""What every kind of basis promises, and what stands in where a stone does not say.

A basis spreads one feature of a stone over w columns of the design: grades over
indicators, a weight over B-splines. For most stones few of the columns are not zero, so a
basis answers with *rows*: for each stone m positions and m weights.

A missing measure is averaged: the stone gets the mean row of the training stones of about
its weight and of its cut. Those mean rows count as further columns behind the w real ones,
so that known and missing stones take the same path; `expansion` turns the coefficients of
the real columns into those of all.
"""

from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError, UnsupportedStoneError
from diamond_pricing.stones import ATTRIBUTES, LISTING, Day, Stones
from diamond_pricing.stones.trade import graded

ROUNDING = 9  # decimals of a stored mean row
UNRECORDED = ""  # the level of stones of which a grade is not recorded
PRIOR_STONES = 10.0  # a cell of few stones leans this much on its cut's mean, that on all


class Rows(NamedTuple):
    """Sparse rows of a basis: position and weight of each entry, shapes (n, m)."""

    position: Integers
    weight: Matrix


class Averages(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which stones a missing attribute is averaged over."""

    # Weights at which means were taken, ascending; between them the mean is interpolated in log
    # carat, beyond them it stays
    carats: tuple[float, ...]
    cuts: tuple[str, ...]  # cut grades seen in training, worst first
    # Shares of the lists x<y, x=y, x>y in training, summing to 1: the blend
    listings: tuple[float, ...]
    # Shapes seen in training, where there are several, and ``UNRECORDED``: what is usual
    # depends on them rather than on the cut
    shapes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.carats or any(b <= a for a, b in pairwise((0.0, *self.carats))):
            raise FitError("the weights of the averages must be positive and ascend.")
        if not self.cuts or len(set(self.cuts)) < len(self.cuts):
            raise FitError("the cuts of the averages must be there, each once.")
        if (
            len(self.listings) != len(LISTING.grades)
            or min(self.listings) < 0
            or abs(sum(self.listings) - 1) > 1e-9
        ):
            raise FitError("the shares of the price lists must be three that sum to 1.")

    @property
    def cells(self) -> int:
        """How many mean rows a basis keeps."""
        return len(self.carats) * len(self.groups)

    @property
    def grade(self) -> str:
        """What parts the stones, beside the weight: the cut, or the shape."""
        return "shape" if self.shapes else "cut"

    @property
    def groups(self) -> tuple[str, ...]:
        """Its grades."""
        return self.shapes or self.cuts

    def nodes(self, carat: Vector) -> tuple[Integers, Vector]:
        """The weight that a mean was taken at below each of n, and how far to the next."""
        at = np.log(self.carats)
        place = np.interp(np.log(carat), at, np.arange(len(at)))
        node = np.minimum(place.astype(np.int64), max(len(at) - 2, 0))
        return node, place - node

    def rows(self, stones: Stones) -> Rows:
        """Cell and weight of the two means that each stone lies between; shapes (n, 2)."""
        at, (node, share) = self.carats, self.nodes(stones["carat"])
        above = np.minimum(node + 1, len(at) - 1)
        group = level_positions(stones, self.grade, self.groups) * len(at)
        return Rows(
            np.column_stack([group + node, group + above]), np.column_stack([1 - share, share])
        )

    def mean_rows(self, basis: "Basis", stones: Stones) -> tuple[tuple[float, ...], ...]:
        """Mean row of ``basis`` over the stones of each cell, shape (cells, w).

        Stones that lack one of its attributes do not count. A cell with few stones leans
        on the mean of its cut or shape, one of these with few on that of all. What is priced
        without a date is priced as of the last day.
        """
        stones = stones.take(np.all([stones.known(a) for a in basis.attributes], axis=0))
        if isinstance(ATTRIBUTES[basis.attributes[0]], Day):
            last = stones.take(slice(int(stones[basis.attributes[0]].argmax()), None))
            row = dense(basis, basis.rows(last.take(slice(0, 1)), self))[0]
            return (tuple(row.round(ROUNDING).tolist()),) * self.cells
        rows = dense(basis, basis.rows(stones, self))
        overall = rows.mean(axis=0)
        index, weight = self.rows(stones)
        cell = np.zeros((self.cells, len(stones)))
        for i, w in zip(index.T, weight.T, strict=True):
            cell[i, np.arange(len(stones))] += w
        sums, counts = cell @ rows, cell.sum(axis=1, keepdims=True)
        by_group = (len(self.groups), len(self.carats), -1)
        group_counts = counts.reshape(by_group).sum(axis=1, keepdims=True)
        group_means = (
            sums.reshape(by_group).sum(axis=1, keepdims=True) + PRIOR_STONES * overall
        ) / (group_counts + PRIOR_STONES)
        leaned = (sums.reshape(by_group) + PRIOR_STONES * group_means) / (
            counts.reshape(by_group) + PRIOR_STONES
        )
        means = leaned.reshape(self.cells, -1).round(ROUNDING)
        return tuple(tuple(row) for row in means.tolist())


class Basis(Protocol):
    """One feature of a stone, spread over columns. Learned, immutable, plain values."""

    @property
    def average(self) -> tuple[tuple[float, ...], ...]:
        """Mean rows that stand in where a stone does not say, shape (means, w)."""

    @property
    def width(self) -> int:
        """Number of real columns w."""

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""

    @property
    def line(self) -> str:
        """The line of an explanation that this feature belongs to."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes it reads."""

    @property
    def feature(self) -> str:
        """The attribute, or the arithmetic over measures, that it is spread over."""

    @property
    def scale(self) -> str:
        """The attribute, or the arithmetic itself that its marks are values of."""

    @property
    def marks(self) -> tuple[Any, ...]:
        """Its grades, or where a polynomial ends and the next begins, both ends included."""

    @property
    def powers(self) -> int:
        """Coefficients of each of its polynomials."""

    def pieces(self, marks: tuple[Any, ...]) -> NDArray[np.float64]:
        """Coefficients of each column, the constant first, shape (rows, powers, w).

        A row is one of the grades ``marks``, or the interval between two of the numbers
        ``marks``, along which a number runs from 0 to 1.
        """

    def placed(self, values: Vector) -> Rows:
        """Sparse rows at values of the feature, shape (n,); a grade counts as its code."""

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Sparse rows over the w real columns and the mean rows behind them."""

    def means(self, averages: Averages) -> int:
        """How many mean rows it must have."""

    def averaged(self, stones: Stones, averages: Averages) -> "Basis":
        """Give the same basis with its mean rows learned from ``stones``."""


def averaged_where(missing: NDArray[np.bool_], known: Rows, means: Rows, width: int) -> Rows:
    """Take ``means`` where missing, shape (n,), else ``known``.

    The positions are among the mean rows, which stand behind ``width`` real columns.
    """
    wide = max(known.position.shape[1], means.position.shape[1])
    pairs = ((means.position + width, known.position), (means.weight, known.weight))
    return Rows(
        *(np.where(missing[:, None], _widened(m, wide), _widened(k, wide)) for m, k in pairs)
    )


def _widened(entries: NDArray[Any], wide: int) -> NDArray[Any]:
    """Append entries of position 0 and weight 0."""
    padding = np.zeros((len(entries), wide - entries.shape[1]), entries.dtype)
    return np.hstack([entries, padding])


def expansion(basis: Basis) -> Matrix:
    """Real columns over mean rows, shape (w + cells, w)."""
    means = np.array(basis.average).reshape(-1, basis.width)
    return np.vstack([np.eye(basis.width), means])


def dense(basis: Basis, rows: Rows) -> Matrix:
    """Rows of ``basis`` over its real columns, shape (n, w)."""
    index, weight = rows
    full = np.zeros((len(index), basis.width + len(basis.average)))
    for i, w in zip(index.T, weight.T, strict=True):
        full[np.arange(len(index)), i] += w
    return full @ expansion(basis)


def codes_to_positions(attribute: str, levels: tuple[str, ...]) -> Integers:
    """Position in ``levels`` by the code of a grade; ``len(levels)`` where it is not there.

    The last entry is that of a grade that is not known, whose code is −1: the place of
    `UNRECORDED` where that is a level, else −1.
    """
    return _positions(graded(attribute).grades, levels)


@cache
def _positions(grades: tuple[str, ...], levels: tuple[str, ...]) -> Integers:
    where = {name: i for i, name in enumerate(levels)}
    places = np.array(
        [*(where.get(name, len(levels)) for name in grades), where.get(UNRECORDED, -1)]
    )
    places.setflags(write=False)
    return places


def level_positions(stones: Stones, attribute: str, levels: tuple[str, ...]) -> Integers:
    """Position in ``levels`` of each stone's grade, see `codes_to_positions`; shape (n,).

    Refuses a grade that is not among ``levels``: it has no fitted effect.
    """
    unseen = len(levels)
    positions: Integers = codes_to_positions(attribute, levels)[stones[attribute]]
    if (positions == unseen).any():
        row = int(np.argmax(positions == unseen))
        given = str(stones.labels(attribute)[row])
        raise UnsupportedStoneError(
            f"{attribute} {given!r} has no fitted effect; this model knows "
            f"{', '.join(levels)}. Refit on sales that include {given}, or price it by hand.",
            attribute=attribute,
            given=given,
        )
    return positions
