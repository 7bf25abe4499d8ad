"""What the bases over a number share: the order of length and width, missing values."""

from collections.abc import Callable

import msgspec
import numpy as np

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
    if not expression.ordered:
        return _one_order(expression, stones, averages, placed, width)
    x, y = stones["x"], stones["y"]
    below, _, above = averages.listings
    unknown = stones[LISTING.name] < 0
    halves = []
    for first, second, share in (
        (np.maximum, np.minimum, above),
        (np.minimum, np.maximum, below),
    ):
        turned = stones.with_columns(
            x=np.where(unknown, first(x, y), x), y=np.where(unknown, second(x, y), y)
        )
        rows = _one_order(expression, turned, averages, placed, width)
        scaled = share / (above + below) if above + below else 0.5
        halves.append(Rows(rows.position, rows.weight * scaled))
    return Rows(*(np.hstack(pair) for pair in zip(*halves, strict=True)))


def _one_order(
    expression: Expression, stones: Stones, averages: Averages, placed: Placed, width: int
) -> Rows:
    columns = {name: stones[name] for name in expression.attributes}
    value, missing = expression.known(columns)
    if not missing.any():
        return placed(value)
    known = placed(np.where(missing, 1.0, value))
    return averaged_where(missing, known, averages.rows(stones), width)
