"""Bases over a number: what they share, the number as it is, and parts of the calendar.

The order of length and width, and what stands in for a missing value, are the same for all.
"""

from typing import ClassVar, TypeVar

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.stones import ATTRIBUTES, LISTING, Day, Stones
from diamond_pricing.stones.attributes import iso
from diamond_pricing.terms.basis import Averages, Basis, Rows, averaged_where
from diamond_pricing.terms.expression import Expression, parse

Averaged = TypeVar("Averaged", bound=Basis)


class Over(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """A basis over a number."""

    expression: str  # arithmetic over measures, see `diamond_pricing.terms.expression`

    @property
    def line(self) -> str:
        """The line of its measures; weight gives way to any other."""
        lines = {ATTRIBUTES[name].line for name in self.attributes}
        return (lines - {"carat"} or lines).pop()

    @property
    def attributes(self) -> tuple[str, ...]:
        """The measures it needs: length and width both, where their order counts."""
        expression = parse(self.expression)
        extra = ("x", "y") if expression.ordered else ()
        return tuple(sorted({*expression.attributes, *extra}))

    @property
    def feature(self) -> str:
        """The weight where nothing else is needed, else the arithmetic itself."""
        expression = parse(self.expression)
        return "carat" if expression.attributes == ("carat",) else expression.text

    @property
    def scale(self) -> str:
        """The arithmetic, in its standard spelling."""
        return parse(self.expression).text

    @property
    def width(self) -> int:
        """Number of real columns."""
        raise NotImplementedError

    @property
    def powers(self) -> int:
        """Coefficients of each of its polynomials."""
        raise NotImplementedError

    def at(self, values: Vector) -> Rows:
        """Sparse rows at values of the expression itself, shape (n,)."""
        raise NotImplementedError

    def placed(self, values: Vector) -> Rows:
        """Sparse rows at values of the feature, shape (n,)."""
        return self.at(self.on_scale(values))

    def rows(self, stones: Stones, averages: Averages) -> Rows:
        """Sparse rows of n stones; the mean rows where a measure is missing.

        A number that depends on the order of length and width is taken in both orders, weighed
        by the shares of the price lists, where the list is not known (the blend).
        """
        expression, halves = parse(self.expression), []
        for turned, share in in_both_orders(expression, stones, averages):
            value, missing = expression.known({n: turned[n] for n in expression.attributes})
            rows = self.at(np.where(missing, 1.0, value) if missing.any() else value)
            if missing.any():
                rows = averaged_where(missing, rows, averages.rows(turned), self.width)
            halves.append(Rows(rows.position, rows.weight * share))
        return Rows(*(np.hstack(pair) for pair in zip(*halves, strict=True)))

    def averaged(self: Averaged, stones: Stones, averages: Averages) -> Averaged:
        """Learn the mean rows."""
        if not self.means(averages):
            return self
        means = averages.mean_rows(self, stones)
        return structs.replace(self, average=means)  # type: ignore[type-var]  # a struct too

    def pieces(self, marks: tuple[float, ...]) -> NDArray[np.float64]:
        """Polynomials of each column between the marks, see `Basis`."""
        low, high = np.array(marks[:-1]), np.array(marks[1:])
        along = np.linspace(0, 1, self.powers)
        rows = self.at((low[:, None] + (high - low)[:, None] * along).ravel())
        full = np.zeros((len(rows.position), self.width))
        for position, weight in zip(rows.position.T, rows.weight.T, strict=True):
            full[np.arange(len(full)), position] += weight
        to_powers = np.linalg.inv(np.vander(along, increasing=True))
        found = np.tensordot(to_powers, full.reshape(len(low), len(along), -1), (1, 1))
        return np.moveaxis(found, 0, 1)

    def on_scale(self, values: Vector) -> Vector:
        """Values of the expression at values of the feature, shape (n,)."""
        if self.feature != "carat":
            return values
        return parse(self.expression).evaluate({"carat": values})

    def means(self, averages: Averages) -> int:
        """One a cell, unless only the weight is needed, which every stone has."""
        return 0 if self.attributes == ("carat",) else averages.cells


class Slope(Over, frozen=True, forbid_unknown_fields=True, tag="slope", tag_field="kind"):
    """The value of ``expression``, to be multiplied by one coefficient."""

    # Mean values that stand in where a measure is missing, one a cell of `Averages`; empty when
    # the expression needs only the weight
    average: tuple[tuple[float, ...], ...] = ()
    width: ClassVar[int] = 1
    powers: ClassVar[int] = 2

    def __post_init__(self) -> None:
        parse(self.expression)  # raises for what is not arithmetic

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return (self.expression,)

    @property
    def marks(self) -> tuple[float, ...]:
        """One straight line."""
        return (0.0, 1.0)

    def at(self, values: Vector) -> Rows:
        """Give the value as the weight of column 0."""
        return Rows(np.zeros((len(values), 1), np.int64), values[:, None])


class Periods(Over, frozen=True, forbid_unknown_fields=True, tag="periods", tag_field="kind"):
    """Indicators of the periods that a date may lie in."""

    starts: tuple[float, ...]  # first day of each period, ascending, and the day after the last
    # Rows that stand in where there is no date, one a cell of `Averages`
    average: tuple[tuple[float, ...], ...] = ()
    powers: ClassVar[int] = 1

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

    def at(self, values: Vector) -> Rows:
        """Position of the period of each day, shape (n,)."""
        position = np.searchsorted(self.starts, values, side="right") - 1
        position = position.clip(0, self.width - 1).astype(np.int64)
        return Rows(position[:, None], np.ones((len(values), 1)))

    def until(self, periods: int) -> "Periods":
        """The first of the periods; where there is no date the last of them counts."""
        row = (0.0,) * (periods - 1) + (1.0,)
        return Periods(self.expression, self.starts[: periods + 1], (row,) * len(self.average))

    def on(self, day: float) -> "Periods":
        """The same, with the period of a day where there is no date."""
        row = np.zeros(self.width)
        row[self.at(np.array([day])).position[0, 0]] = 1.0
        return structs.replace(self, average=(tuple(row.tolist()),) * len(self.average))


def in_both_orders(
    expression: Expression, stones: Stones, averages: Averages
) -> list[tuple[Stones, float]]:
    """The stones with their share; twice, with length and width turned, where that counts.

    Where the price list is not known, a stone is as likely longer first as the sales of the
    lists x>y and x<y are many.
    """
    if not expression.ordered:
        return [(stones, 1.0)]
    x, y = stones["x"], stones["y"]
    below, _, above = averages.listings
    unknown = stones[LISTING.name] < 0
    return [
        (
            stones.with_columns(
                x=np.where(unknown, first(x, y), x), y=np.where(unknown, second(x, y), y)
            ),
            share / (above + below) if above + below else 0.5,
        )
        for first, second, share in (
            (np.maximum, np.minimum, above),
            (np.minimum, np.maximum, below),
        )
    ]
