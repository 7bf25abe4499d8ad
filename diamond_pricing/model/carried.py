"""Days beyond the sales: prices of the last day carried forward, in ranges that widen.

How far the market may have moved since is told by how far it moved before: the root mean
square of its moves over as many months. Over more than half of the past, where such moves
are few and alike, it grows with the months.
"""

from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.support import BLEND, listed
from diamond_pricing.model.training import Training
from diamond_pricing.stones import Stone, Stones
from diamond_pricing.stones.attributes import parts_of_calendar
from diamond_pricing.terms import Periods

MONTH = 365.2425 / 12  # days
MIDDLE = 14  # days from the first of a month
FEWEST_MONTHS = 6  # of a past that shows how far prices move


@dataclass(frozen=True, eq=False)
class Past:
    """How far the markets of a model moved before."""

    effects: Effects
    coefficients: Vector
    training: Training
    name: str  # of the date that they read
    _moves: dict[tuple[int, ...], tuple[float, ...]] = field(default_factory=dict)

    def monthly(self, stone: Stone) -> tuple[tuple[float, ...], Stones]:
        """The first days of the months, and a stone in the middle of each."""
        first, last = self.training.ranges[self.name]
        starts = parts_of_calendar(first, last, 1)[:-1]
        given: dict[str, Any] = stone.given()
        days = [min(max(day + MIDDLE, first), last) for day in starts]
        return starts, Stones.of([Stone(**given | {self.name: day}) for day in days])

    def spread(self, stones: Stones, days: Vector) -> Vector:
        """Standard deviation of what log price moved between the sales and some days.

        Shape (n,); 0 for days within the sales.
        """
        first, last = self.training.ranges[self.name]
        away = np.maximum(days - last, first - days).clip(0)
        found, rows = np.zeros(len(stones)), np.flatnonzero(away)
        markets = self._markets(stones.take(rows)) if len(rows) else np.zeros((0, 1), int)
        for market in np.unique(markets, axis=0):
            of = rows[(markets == market).all(axis=1)]
            before = self._moved(stones.stone(int(of[0])), tuple(market.tolist()))
            found[of] = _spread(before, away[of])
        return found

    def _moved(self, stone: Stone, market: tuple[int, ...]) -> tuple[float, ...]:
        """The moves of a market over 1, 2, … months, to half of the past."""
        if market not in self._moves:
            blend = listed(self.monthly(stone)[1], BLEND, self.training)
            levels = self.effects.design(blend) @ self.coefficients
            self._moves[market] = tuple(
                float(np.sqrt(np.mean((levels[k:] - levels[:-k]) ** 2)))
                for k in range(1, len(levels) // 2 + 1)
            )
        return self._moves[market]

    def _markets(self, stones: Stones) -> Integers:
        """What tells apart stones whose markets are not one, shape (n, k)."""
        places = [
            basis.rows(stones, self.effects.averages).position[:, :1]
            for term in self.effects.terms
            if any(isinstance(basis, Periods) for basis in term.bases)
            for basis in term.bases
            if not isinstance(basis, Periods)
        ]
        found: Integers = np.hstack([np.zeros((len(stones), 1), np.int64), *places])
        return found


def _spread(moves: tuple[float, ...], days: Vector) -> Vector:
    if not moves:
        return np.zeros(len(days))
    months = np.maximum(days, 0) / MONTH
    inside = np.interp(months, range(len(moves) + 1), (0.0, *moves))
    return np.where(months > len(moves), moves[-1] * months / len(moves), inside)


def widened(half: Vector, moved: Vector, level: float) -> Vector:
    """Half widths of ranges of log price with the spread of the market in them."""
    return np.hypot(half, NormalDist().inv_cdf(0.5 + level / 2) * moved)
