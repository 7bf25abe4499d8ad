"""Slope: one column that holds a number as it is."""

import msgspec
import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.stones import Stones
from diamond_pricing.terms.basis import Averages, Rows
from diamond_pricing.terms.expression import parse
from diamond_pricing.terms.over import attributes_of, line_of, rows_over


class Slope(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="slope", tag_field="kind"
):
    """The value of ``expression``, to be multiplied by one coefficient.

    Attributes
    ----------
    expression : str
        Arithmetic over measures, see `diamond_pricing.terms.expression`.
    average : tuple[tuple[float, ...], ...]
        Mean values that stand in where a measure is missing, one a cell of `Averages`;
        empty when the expression needs only the weight.
    """

    expression: str
    average: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        parse(self.expression)  # raises for what is not arithmetic

    @property
    def width(self) -> int:
        """A single column."""
        return 1

    @property
    def line(self) -> str:
        """The line of the measures in the expression."""
        return line_of(parse(self.expression))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The measures in the expression."""
        return attributes_of(parse(self.expression))

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Give the value as the weight of column 0."""
        return rows_over(parse(self.expression), stones, averages, _placed, self.width)

    def means(self, averages: Averages) -> int:
        """One a cell, unless only the weight is needed, which every stone has."""
        return 0 if self.attributes == ("carat",) else averages.cells

    def averaged(self, stones: Stones, averages: Averages) -> "Slope":
        """Learn the mean values."""
        if not self.means(averages):
            return self
        means = averages.mean_rows(self, stones)
        return Slope(self.expression, means)


def _placed(values: Vector) -> Rows:
    return Rows(np.zeros((len(values), 1), np.int64), values[:, None])
