"""Smooth curves: a B-spline basis over a number.

The recurrence is that of de Boor (2001), *A Practical Guide to Splines*, rev. ed., ch. IX–X;
t are the knots, d the degree. Beyond the boundary knots t[d] and t[-d-1] a curve goes on as
a straight line, so that a price just outside the data moves on and does not explode.
"""

from itertools import pairwise

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.terms.basis import Rows
from diamond_pricing.terms.expression import parse
from diamond_pricing.terms.over import Over


class Spline(Over, frozen=True, forbid_unknown_fields=True, tag="spline", tag_field="kind"):
    """B-splines of ``degree`` over ``knots``, evaluated at ``expression``."""

    # All knots, the ``degree`` outer ones at either end included; not descending
    knots: tuple[float, ...]
    degree: int = 3  # 1 for straight pieces, 3 for cubic
    # Mean rows that stand in where a measure is missing, one a cell of `Averages`; empty when
    # the expression needs only the weight
    average: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        parse(self.expression)  # raises for what is not arithmetic
        if not 1 <= self.degree <= 5 or self.width < self.degree + 1:
            raise FitError(
                f"a spline of degree {self.degree} cannot stand on {len(self.knots)} knots."
            )
        low, high = self.knots[self.degree], self.knots[-self.degree - 1]
        if any(b < a for a, b in pairwise(self.knots)) or not low < high:
            raise FitError(f"the knots of the spline over {self.expression} must ascend.")

    @property
    def width(self) -> int:
        """Number of B-splines."""
        return len(self.knots) - self.degree - 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each real column, for tables of coefficients."""
        return tuple(f"B{i}" for i in range(self.width))

    @property
    def marks(self) -> tuple[float, ...]:
        """The knots, and a straight line beyond either end."""
        inner = self.knots[self.degree : -self.degree]
        far = inner[-1] - inner[0]
        return (inner[0] - far, *dict.fromkeys(inner), inner[-1] + far)

    @property
    def powers(self) -> int:
        """Those of its degree."""
        return self.degree + 1

    def at(self, values: Vector) -> Rows:
        """Give the degree + 1 B-splines that are not zero at each value."""
        t, d = np.array(self.knots), self.degree
        inside = np.clip(values, t[d], t[-d - 1])
        interval = np.searchsorted(t, inside, side="right") - 1
        # The last interval that is not empty holds the right boundary too.
        last = int(np.searchsorted(t, t[-d - 1], side="left")) - 1
        interval = np.minimum(interval, last)
        weight = _nonzero(t, d, interval, inside)
        outside = values - inside
        if outside.any():
            slope = _slopes(t, d, interval, inside)
            weight = [w + outside * s for w, s in zip(weight, slope, strict=True)]
        index = interval[:, None] + np.arange(-d, 1)
        return Rows(index, np.column_stack(weight))


def _nonzero(t: Vector, d: int, interval: Integers, x: Vector) -> list[Vector]:
    """Values of the d + 1 B-splines of degree d that are not zero on ``interval``."""
    values = [np.ones(len(x))]
    for degree in range(1, d + 1):
        carried = np.zeros(len(x))
        raised = []
        for r, value in enumerate(values):
            right, left = t[interval + r + 1], t[interval + 1 - degree + r]
            part = value / (right - left)
            raised.append(carried + (right - x) * part)
            carried = (x - left) * part
        values = [*raised, carried]
    return values


def _slopes(t: Vector, d: int, interval: Integers, x: Vector) -> list[Vector]:
    """First derivatives of those d + 1 B-splines."""
    lower = _nonzero(t, d - 1, interval, x)
    steps = [
        d * value / (t[interval + r + 1] - t[interval + 1 - d + r])
        for r, value in enumerate(lower)
    ]
    nothing = np.zeros(len(x))
    return [a - b for a, b in zip([nothing, *steps], [*steps, nothing], strict=True)]
