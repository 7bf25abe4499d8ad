"""Days beyond the sales: prices of the last day carried forward, in ranges that widen.

How far the market may have moved since is told by how far it moved before: the root mean
square of its moves over as many months. Over more than half of the past, where such moves
are few and alike, it grows with the months.
"""

from statistics import NormalDist

import numpy as np

from diamond_pricing.arrays import Vector

MONTH = 365.2425 / 12  # days
FEWEST_MONTHS = 6  # of a past that shows how far prices move


def moves_of(levels: Vector) -> tuple[float, ...]:
    """Root mean square of the moves over 1, 2, … months, to half of the past.

    Parameters
    ----------
    levels : Vector
        Log level of each month, shape (m,).
    """
    most = len(levels) // 2
    return tuple(
        float(np.sqrt(np.mean((levels[k:] - levels[:-k]) ** 2))) for k in range(1, most + 1)
    )


def spread(moves: tuple[float, ...], days: Vector) -> Vector:
    """Standard deviation of the move of log price within some days, shape (n,)."""
    if not moves:
        return np.zeros(len(days))
    months = np.maximum(days, 0) / MONTH
    inside = np.interp(months, range(len(moves) + 1), (0.0, *moves))
    return np.where(months > len(moves), moves[-1] * months / len(moves), inside)


def widened(half: Vector, moved: Vector, level: float) -> Vector:
    """Half widths of ranges of log price with the spread of the market in them."""
    return np.hypot(half, NormalDist().inv_cdf(0.5 + level / 2) * moved)
