"""Levels: one column for each grade of a graded attribute."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.stones import ATTRIBUTES, LISTING, Grade, Stones
from diamond_pricing.terms.basis import (
    UNRECORDED,
    Averages,
    Rows,
    averaged_where,
    codes_to_positions,
    level_positions,
)


class Levels(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="levels", tag_field="kind"
):
    """Indicators of the grades of ``attribute``.

    Attributes
    ----------
    attribute : str
        A graded attribute.
    levels : tuple[str, ...]
        The grades seen in training, one column each; ``UNRECORDED`` among them where some of
        the sales do not say.
    average : tuple[tuple[float, ...], ...]
        For ``listing`` one mean row, the blend of the price lists; for a grade that a stone
        may lack one a cell of `Averages`; for a required grade empty.
    """

    attribute: str
    levels: tuple[str, ...]
    average: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        attribute = ATTRIBUTES.get(self.attribute)
        if not isinstance(attribute, Grade) or not self.levels:
            raise FitError(f"{self.attribute!r} has no grades to be levels of.")
        if not set(self.levels) <= {*attribute.grades, UNRECORDED}:
            raise FitError(f"the levels of {self.attribute} hold what is not a grade of it.")
        if len(set(self.levels)) < len(self.levels):
            raise FitError(f"the levels of {self.attribute} hold a grade twice.")

    @property
    def width(self) -> int:
        """One column a grade."""
        return len(self.levels)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return self.levels

    @property
    def line(self) -> str:
        """The attribute's own line."""
        return ATTRIBUTES[self.attribute].line

    @property
    def attributes(self) -> tuple[str, ...]:
        """The one attribute."""
        return (self.attribute,)

    @property
    def feature(self) -> str:
        """The attribute."""
        return self.attribute

    @property
    def scale(self) -> str:
        """The attribute."""
        return self.attribute

    @property
    def marks(self) -> tuple[str, ...]:
        """The grades."""
        return self.levels

    @property
    def powers(self) -> int:
        """Constants."""
        return 1

    def pieces(self, marks: tuple[str, ...]) -> NDArray[np.float64]:
        """One column each."""
        return np.eye(self.width)[:, None, :]

    def placed(self, values: Vector) -> Rows:
        """Position of each grade, given by its code."""
        position = codes_to_positions(self.attribute, self.levels)[values.astype(np.int64)]
        return Rows(position[:, None], np.ones((len(values), 1)))

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Position of each stone's grade; mean rows where it is not known."""
        positions = level_positions(stones, self.attribute, self.levels)
        unknown, ones = positions < 0, np.ones((len(stones), 1))
        known = Rows(np.where(unknown, 0, positions)[:, None], ones)
        if not unknown.any():
            return known
        blend = Rows(np.zeros((len(stones), 1), np.int64), ones)
        means = blend if self.attribute == LISTING.name else averages.rows(stones)
        return averaged_where(unknown, known, means, self.width)

    def means(self, averages: Averages) -> int:
        """None for a grade that every stone has, one for the price list, else one a cell."""
        if self.attribute == LISTING.name:
            return 1
        if ATTRIBUTES[self.attribute].required or UNRECORDED in self.levels:
            return 0
        return averages.cells

    def averaged(self, stones: Stones, averages: Averages) -> "Levels":
        """Learn the blend of the lists, or the mean rows of a grade that may be missing."""
        if not self.means(averages):
            return self
        if self.attribute != LISTING.name:
            return Levels(self.attribute, self.levels, averages.mean_rows(self, stones))
        shares = dict(zip(LISTING.grades, averages.listings, strict=True))
        total = sum(shares[level] for level in self.levels)
        blend = tuple(shares[level] / total for level in self.levels)
        return Levels(self.attribute, self.levels, (blend,))
