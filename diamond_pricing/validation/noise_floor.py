"""How well anyone could price these stones, given what is recorded of them.

Sales of nearly alike stones still differ: by what nobody recorded. The floor is what is
left of the scatter as the difference between two stones goes to nothing: the *nugget* of
the semivariogram of a model's errors over the distance of the stones (Cressie 1993,
*Statistics for Spatial Data*, §2.3).
"""

from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError

NEIGHBOURS = 2_000_000  # pairs looked at, at most
CLOSEST = 0.2  # share of the pairs that the line is drawn through
FEWEST = 200  # pairs


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """What cannot be explained.

    Attributes
    ----------
    sd : float
        Standard deviation of log price between stones alike in all that is recorded.
    low, high : float
        95 % bootstrap interval of it.
    error : float
        Root mean squared error of the model's log prices.
    pairs : int
        Pairs of neighbours measured.
    """

    sd: float
    low: float
    high: float
    error: float
    pairs: int

    @property
    def reached(self) -> float:
        """Share of the explainable: 1 when the error is the floor."""
        return self.sd / self.error


def noise_floor(
    error: Vector, lines: Matrix, stone: Integers, listing: Integers, seed: int = 0
) -> NoiseFloor:
    """Estimate the floor from held-out errors.

    Parameters
    ----------
    error : Vector
        Held-out errors of log price as recorded, shape (n,).
    lines : Matrix
        Log effect of each line, shape (n, k): stones are near when these are.
    stone, listing : Integers
        Pairs are of different stones on the same price list; shape (n,).

    Raises
    ------
    FitError
        For fewer than 200 pairs.
    """
    # Neighbours along a few random directions in the space of the lines.
    rng = np.random.default_rng(seed)
    spread = lines.std(axis=0)
    scaled = lines[:, spread > 0]
    pairs = []
    for _ in range(max(1, min(40, NEIGHBOURS // max(len(error), 1)))):
        order = np.lexsort((scaled @ rng.normal(size=scaled.shape[1]), listing))
        pairs.append(np.column_stack([order[:-1], order[1:]]))
    a, b = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).T
    apart = (listing[a] == listing[b]) & (stone[a] != stone[b])
    a, b = a[apart], b[apart]
    distance = np.sqrt(((scaled[a] - scaled[b]) ** 2).sum(axis=1))
    near = distance <= np.quantile(distance, CLOSEST) if len(distance) else np.zeros(0, bool)
    a, b, distance = a[near], b[near], distance[near]
    if len(a) < FEWEST:
        raise FitError(f"{len(a)} pairs of near stones are too few to measure the floor.")
    half_square = (error[a] - error[b]) ** 2 / 2
    nugget = _intercept(distance, half_square)
    drawn = []
    for _ in range(200):
        rows = rng.integers(0, len(a), len(a))
        drawn.append(_intercept(distance[rows], half_square[rows]))
    low, high = np.sqrt(np.maximum(np.quantile(drawn, (0.025, 0.975)), 0))
    rms = float(np.sqrt(np.mean(error**2)))
    return NoiseFloor(float(np.sqrt(max(nugget, 0))), float(low), float(high), rms, len(a))


def _intercept(distance: Vector, half_square: Vector) -> float:
    """Of the least-squares line through the semivariogram cloud."""
    centred = distance - distance.mean()
    slope = centred @ half_square / (centred @ centred)
    return float(half_square.mean() - slope * distance.mean())
