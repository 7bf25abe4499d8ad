"""Steps: the bands between the weights at which prices jump.

Sellers cut to 0.50, 0.70 or 1.00 ct, and buyers pay for having reached such a *magic*
weight. One column a band; the difference of two neighbouring bands is the jump at the
weight between them.
"""

from itertools import pairwise
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.stones import MAGIC_LINE, Stones
from diamond_pricing.terms.basis import Averages, Rows


class Steps(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="steps", tag_field="kind"
):
    """Indicators of the bands of weight that ``at`` parts."""

    # Weights, carats, ascending; a stone of exactly that weight has reached it
    at: tuple[float, ...]
    average: ClassVar[tuple[tuple[float, ...], ...]] = ()  # every stone has a weight
    line: ClassVar[str] = MAGIC_LINE
    attributes: ClassVar[tuple[str, ...]] = ("carat",)
    feature: ClassVar[str] = "carat"
    scale: ClassVar[str] = "carat"
    powers: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not self.at or self.at[0] <= 0 or any(b <= a for a, b in pairwise(self.at)):
            raise FitError("the magic weights must be positive and ascend.")

    @property
    def width(self) -> int:
        """One column a band."""
        return len(self.at) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return (f"under {self.at[0]:g}", *(f"from {weight:g}" for weight in self.at))

    @property
    def marks(self) -> tuple[float, ...]:
        """The weights, with an end on either side."""
        return (0.0, *self.at, 2 * self.at[-1])

    def pieces(self, marks: tuple[float, ...]) -> NDArray[np.float64]:
        """The band that each interval lies in."""
        middle = (np.array(marks[:-1]) + np.array(marks[1:])) / 2
        found: NDArray[np.float64] = np.eye(self.width)[self.placed(middle).position]
        return found

    def placed(self, values: Vector) -> Rows:
        """Position of the band of each weight."""
        band = np.searchsorted(self.at, values, side="right")
        return Rows(band[:, None], np.ones((len(values), 1)))

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Position of each stone's band."""
        return self.placed(stones["carat"])

    def means(self, averages: Averages) -> int:
        """None."""
        return 0

    def averaged(self, stones: Stones, averages: Averages) -> "Steps":
        """Give itself: nothing is averaged."""
        return self
