"""Slope: one column that holds a number as it is."""

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.stones import Stones
from diamond_pricing.terms.basis import Averages, Rows
from diamond_pricing.terms.expression import parse
from diamond_pricing.terms.over import Over, rows_over


class Slope(Over, frozen=True, forbid_unknown_fields=True, tag="slope", tag_field="kind"):
    """The value of ``expression``, to be multiplied by one coefficient.

    Attributes
    ----------
    expression : str
        As in `Over`.
    average : tuple[tuple[float, ...], ...]
        Mean values that stand in where a measure is missing, one a cell of `Averages`;
        empty when the expression needs only the weight.
    """

    average: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        parse(self.expression)  # raises for what is not arithmetic

    @property
    def width(self) -> int:
        """A single column."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return (self.expression,)

    @property
    def marks(self) -> tuple[float, ...]:
        """One straight line."""
        return (0.0, 1.0)

    @property
    def powers(self) -> int:
        """A straight line."""
        return 2

    def placed(self, values: Vector) -> Rows:
        """Give the value as the weight of column 0."""
        return self.at(self.on_scale(values))

    def at(self, values: Vector) -> Rows:
        """Give the same at values of the expression itself, shape (n,)."""
        return Rows(np.zeros((len(values), 1), np.int64), values[:, None])

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Give the value as the weight of column 0."""
        return rows_over(parse(self.expression), stones, averages, self.at, self.width)

    def averaged(self, stones: Stones, averages: Averages) -> "Slope":
        """Learn the mean values."""
        if not self.means(averages):
            return self
        means = averages.mean_rows(self, stones)
        return Slope(self.expression, means)
