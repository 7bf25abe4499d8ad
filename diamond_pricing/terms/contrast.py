"""Contrast: one column that sets the price lists against each other.

A curve times a contrast is how that curve differs between the lists; what the lists share
stays in the curve without it. On the blend the contrast has its mean over the sales.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.stones import LISTING, Stones
from diamond_pricing.terms.basis import Averages, Rows, codes_to_positions, level_positions


class Contrast(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="contrast", tag_field="kind"
):
    """A number for each price list.

    Attributes
    ----------
    levels : tuple[str, ...]
        The price lists seen in training.
    codes : tuple[float, ...]
        The value of the column on each.
    average : tuple[tuple[float, ...], ...]
        Its mean over the blend of the lists.
    """

    levels: tuple[str, ...]
    codes: tuple[float, ...]
    average: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.levels or len(self.levels) != len(self.codes):
            raise FitError("a contrast needs one code for each price list.")
        if not set(self.levels) <= set(LISTING.grades) or len(set(self.levels)) < len(
            self.levels
        ):
            raise FitError("a contrast is over price lists, each once.")

    @property
    def width(self) -> int:
        """A single column."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return (" against ".join(self.levels[::-1]),)

    @property
    def line(self) -> str:
        """The price list's own line."""
        return LISTING.line

    @property
    def attributes(self) -> tuple[str, ...]:
        """The price list."""
        return (LISTING.name,)

    @property
    def feature(self) -> str:
        """The price list."""
        return LISTING.name

    @property
    def scale(self) -> str:
        """The price list."""
        return LISTING.name

    @property
    def marks(self) -> tuple[str, ...]:
        """The lists."""
        return self.levels

    @property
    def powers(self) -> int:
        """Constants."""
        return 1

    def pieces(self, marks: tuple[str, ...]) -> NDArray[np.float64]:
        """The code of each list."""
        return np.array(self.codes)[:, None, None]

    def placed(self, values: Vector) -> Rows:
        """Give the code of each list as the weight of column 0."""
        position = codes_to_positions(LISTING.name, self.levels)[values.astype(np.int64)]
        code = np.array(self.codes)[position]
        return Rows(np.zeros((len(values), 1), np.int64), code[:, None])

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Give the code as the weight of column 0; the mean where the list is not known."""
        position = level_positions(stones, LISTING.name, self.levels)
        unknown = position < 0
        code = np.where(unknown, 1.0, np.array(self.codes)[position])
        return Rows(unknown.astype(np.int64)[:, None], code[:, None])

    def means(self, averages: Averages) -> int:
        """One, of the blend."""
        return 1

    def averaged(self, stones: Stones, averages: Averages) -> "Contrast":
        """Learn the mean of the blend."""
        shares = dict(zip(LISTING.grades, averages.listings, strict=True))
        total = sum(shares[level] for level in self.levels)
        parts = (shares[v] * c for v, c in zip(self.levels, self.codes, strict=True))
        return Contrast(self.levels, self.codes, ((sum(parts) / total,),))
