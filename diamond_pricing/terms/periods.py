"""Periods: one column for each month, or other part of the calendar."""

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.stones import ATTRIBUTES, Day, Stones
from diamond_pricing.stones.attributes import iso
from diamond_pricing.terms.basis import Averages, Rows
from diamond_pricing.terms.expression import parse
from diamond_pricing.terms.over import Over, rows_over


class Periods(Over, frozen=True, forbid_unknown_fields=True, tag="periods", tag_field="kind"):
    """Indicators of the periods that a date may lie in.

    Attributes
    ----------
    expression : str
        A date.
    starts : tuple[float, ...]
        First day of each period, ascending, and the day after the last.
    average : tuple[tuple[float, ...], ...]
        Rows that stand in where there is no date, one a cell of `Averages`.
    """

    starts: tuple[float, ...]
    average: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        ascend = len(self.starts) > 1 and bool((np.diff(self.starts) > 0).all())
        if not isinstance(ATTRIBUTES.get(self.expression), Day) or not ascend:
            raise FitError("periods are of a date, and their first days ascend.")

    @property
    def width(self) -> int:
        """One column a period."""
        return len(self.starts) - 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return tuple(iso(d) for d in self.starts[:-1])

    @property
    def marks(self) -> tuple[float, ...]:
        """The first days."""
        return self.starts

    @property
    def powers(self) -> int:
        """Constants."""
        return 1

    def placed(self, values: Vector) -> Rows:
        """Position of the period of each day."""
        return self.at(values)

    def at(self, values: Vector) -> Rows:
        """Give the same, shape (n,)."""
        position = np.searchsorted(self.starts, values, side="right") - 1
        position = position.clip(0, self.width - 1).astype(np.int64)
        return Rows(position[:, None], np.ones((len(values), 1)))

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Position of the period of each stone; the stand-in where there is no date."""
        return rows_over(parse(self.expression), stones, averages, self.at, self.width)

    def averaged(self, stones: Stones, averages: Averages) -> "Periods":
        """Learn what stands in: the last period."""
        return Periods(self.expression, self.starts, averages.mean_rows(self, stones))

    def until(self, periods: int) -> "Periods":
        """The first of the periods; where there is no date the last of them counts."""
        row = (0.0,) * (periods - 1) + (1.0,)
        return Periods(self.expression, self.starts[: periods + 1], (row,) * len(self.average))

    def on(self, day: float) -> "Periods":
        """The same, with the period of a day where there is no date."""
        row = np.zeros(self.width)
        row[self.at(np.array([day])).position[0, 0]] = 1.0
        return Periods(self.expression, self.starts, (tuple(row.tolist()),) * len(self.average))
