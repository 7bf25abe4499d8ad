"""What the bases over a number share: the order of length and width, missing values."""

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.stones import ATTRIBUTES, LISTING, Stones
from diamond_pricing.terms.basis import Averages, Rows, averaged_where
from diamond_pricing.terms.expression import Expression, parse

Placed = Callable[[Vector], Rows]


class Over(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """A basis over a number.

    Attributes
    ----------
    expression : str
        Arithmetic over measures, see `diamond_pricing.terms.expression`.
    """

    expression: str

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


def rows_over(
    expression: Expression, stones: Stones, averages: Averages, placed: Placed, width: int
) -> Rows:
    """Rows of a basis over the values of ``expression``.

    A number that depends on the order of length and width is taken in both orders, weighed
    by the shares of the price lists, where the list is not known (the blend).

    Parameters
    ----------
    placed : callable
        Values (n,) → rows over the ``width`` real columns.
    """
    halves = []
    for turned, share in in_both_orders(expression, stones, averages):
        rows = _one_order(expression, turned, averages, placed, width)
        halves.append(Rows(rows.position, rows.weight * share))
    return Rows(*(np.hstack(pair) for pair in zip(*halves, strict=True)))


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


def _one_order(
    expression: Expression, stones: Stones, averages: Averages, placed: Placed, width: int
) -> Rows:
    columns = {name: stones[name] for name in expression.attributes}
    value, missing = expression.known(columns)
    if not missing.any():
        return placed(value)
    known = placed(np.where(missing, 1.0, value))
    return averaged_where(missing, known, averages.rows(stones), width)
