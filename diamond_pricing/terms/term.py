"""A term: the tensor product of bases, each over one feature of the stone.

No basis makes the intercept, one a main effect, two an interaction or a surface. So every
kind of effect is a choice of bases, and a new kind of effect is a new basis.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import product
from math import prod

import msgspec
import numpy as np

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.stones import Stones
from diamond_pricing.terms.basis import Averages, Rows, expansion
from diamond_pricing.terms.levels import Contrast, Levels
from diamond_pricing.terms.over import Periods, Slope
from diamond_pricing.terms.spline import Spline
from diamond_pricing.terms.steps import Steps

MOST_BASES = 5
LARGEST = 2_000_000  # coefficients and mean rows of one term

AnyBasis = (
    Levels | Slope | Spline | Steps | Contrast | Periods
)  # one entry here registers a kind of basis


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tensor product of ``bases``; the last basis varies fastest."""

    bases: tuple[AnyBasis, ...] = ()  # empty for the intercept

    @property
    def width(self) -> int:
        """Number of coefficients."""
        return prod(basis.width for basis in self.bases)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of an explanation among which its effect is divided."""
        return tuple(dict.fromkeys(basis.line for basis in self.bases))

    def check(self, averages: Averages) -> None:
        """Refuse too many bases, and mean rows that are too few, too many or too wide."""
        spread = prod(basis.width + basis.means(averages) for basis in self.bases)
        if len(self.bases) > MOST_BASES or spread > LARGEST:
            raise FitError(
                f"a term of {len(self.bases)} bases and {self.width:,} coefficients is too "
                f"large; at most {MOST_BASES} bases, {LARGEST:,} coefficients and mean rows."
            )
        for basis in self.bases:
            wanted = (basis.means(averages), basis.width)
            if [len(row) for row in basis.average] != [wanted[1]] * wanted[0]:
                raise FitError(
                    f"the basis over {', '.join(basis.attributes)} needs {wanted[0]} mean rows "
                    f"of {wanted[1]}."
                )

    def averaged(self, stones: Stones, averages: Averages) -> "Term":
        """Give the same term with the mean rows of its bases learned."""
        return Term(tuple(basis.averaged(stones, averages) for basis in self.bases))

    def effects_of_rows(self, coefficients: Vector) -> Vector:
        """Coefficients of the real columns and of the mean rows, for `looked_up`."""
        table = coefficients.reshape([basis.width for basis in self.bases])
        for axis, basis in enumerate(self.bases):
            table = np.moveaxis(np.tensordot(expansion(basis), table, (1, axis)), 0, axis)
        return np.ascontiguousarray(table)


def interleaved(columns: Sequence[Matrix], n: int) -> Matrix:
    """Row-wise tensor product of matrices (n, w₁), (n, w₂) …, the last fastest."""

    def pair(left: Matrix, right: Matrix) -> Matrix:
        width = left.shape[1] * right.shape[1]
        return (left[:, :, None] * right[:, None, :]).reshape(n, width)

    return reduce(pair, columns, np.ones((n, 1)))


def looked_up(table: Vector, rows: Sequence[Rows], n: int) -> Vector:
    """Effect of n stones, shape (n,), log dollars.

    Sums entry by entry in a fixed order, not by BLAS, so that a stone has the same effect
    to the last bit alone and in any batch.
    """
    total = np.zeros(n)
    for entries in product(*(range(row.position.shape[1]) for row in rows)):
        weight: Vector | float = 1.0
        for row, entry in zip(rows, entries, strict=True):
            weight = weight * row.weight[:, entry]
        place = tuple(row.position[:, entry] for row, entry in zip(rows, entries, strict=True))
        total = total + table[place] * weight
    return total
