"""Bases over a graded attribute: a column for each grade, or one that contrasts the lists."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np
from msgspec import structs
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
    """Indicators of the grades of ``attribute``."""

    attribute: str  # a graded attribute
    # The grades seen in training, one column each; ``UNRECORDED`` among them where some of the
    # sales do not say
    levels: tuple[str, ...]
    # For ``listing`` one mean row, the blend of the price lists; for a grade that a stone may
    # lack one a cell of `Averages`; for a required grade empty
    average: tuple[tuple[float, ...], ...] = ()
    powers: ClassVar[int] = 1

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
            return structs.replace(self, average=averages.mean_rows(self, stones))
        shares = _shares(self.levels, averages)
        blend = tuple(share / sum(shares) for share in shares)
        return structs.replace(self, average=(blend,))


class Contrast(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="contrast", tag_field="kind"
):
    """A number for each price list: one column that sets them against each other.

    A curve times a contrast is how that curve differs between the lists; what the lists share
    stays in the curve without it. On the blend the contrast has its mean over the sales.
    """

    levels: tuple[str, ...]  # the price lists seen in training
    codes: tuple[float, ...]  # the value of the column on each
    average: tuple[tuple[float, ...], ...] = ()  # its mean over the blend of the lists
    width: ClassVar[int] = 1
    line: ClassVar[str] = LISTING.line
    attributes: ClassVar[tuple[str, ...]] = (LISTING.name,)
    feature: ClassVar[str] = LISTING.name
    scale: ClassVar[str] = LISTING.name
    powers: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not self.levels or len(self.levels) != len(self.codes):
            raise FitError("a contrast needs one code for each price list.")
        different = set(self.levels)
        if not different <= set(LISTING.grades) or len(different) < len(self.levels):
            raise FitError("a contrast is over price lists, each once.")

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return (" against ".join(self.levels[::-1]),)

    @property
    def marks(self) -> tuple[str, ...]:
        """The lists."""
        return self.levels

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
        shares = _shares(self.levels, averages)
        mean = sum(s * c for s, c in zip(shares, self.codes, strict=True)) / sum(shares)
        return structs.replace(self, average=((mean,),))


def _shares(levels: Sequence[str], averages: Averages) -> list[float]:
    """Share of each of some price lists in the sales."""
    shares = dict(zip(LISTING.grades, averages.listings, strict=True))
    return [shares[level] for level in levels]
