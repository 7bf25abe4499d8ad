"""Sales beside what they are expected to fetch, and the groups that they are looked at in."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.fitting import Sales
from diamond_pricing.fitting.scatter import BANDS
from diamond_pricing.stones import Stones, stone_keys

FEWEST = 30  # sales of a group
Z = 1.959964  # 95 %


class Priced(NamedTuple):
    """Sales and what they are expected to fetch.

    Attributes
    ----------
    rows : Integers
        Lines of the file, or rows of the sales, that a person finds them by; shape (m,).
    sales : Sales
        The m sales.
    recorded : Vector
        Expected log price on the list of the sale, shape (m,).
    how : str
        Where the expectation comes from, in a sentence.
    unseen : bool
        Whether what they are held against had not seen the stones.
    """

    rows: Integers
    sales: Sales
    recorded: Vector
    how: str
    unseen: bool = True

    @property
    def error(self) -> Vector:
        """Log price over expected log price, shape (m,)."""
        return np.log(self.sales.price) - self.recorded

    @property
    def stone(self) -> Integers:
        """Equal for sales of one stone, shape (m,)."""
        return stone_keys(self.sales.stones)


def bands(stones: Stones) -> NDArray[np.str_]:
    """Weight band of each stone in words, shape (n,)."""
    edges = [f"{edge:g}" for edge in BANDS]
    between = [f"{a}–{b} ct" for a, b in pairwise(edges)]
    names = np.array([f"under {edges[0]} ct", *between, f"from {edges[-1]} ct"])
    found: NDArray[np.str_] = names[np.searchsorted(BANDS, stones["carat"], side="right")]
    return found


def in_order(stones: Stones, by: str) -> tuple[NDArray[np.str_], list[str]]:
    """Label of each stone by ``weight`` band or a grade, and the labels, least first."""
    labels = bands(stones) if by == "weight" else stones.labels(by)
    order = np.argsort(stones["carat" if by == "weight" else by], kind="stable")
    return labels, list(dict.fromkeys(labels[order].tolist()))


def middle(stones: Stones, attribute: str, share: float = 0.99) -> tuple[float, float]:
    """Ends of the middle of a measure, which holds that share of the stones; 0 without any."""
    known = stones[attribute][stones.known(attribute)]
    if not len(known):
        return 0.0, 0.0
    low, high = np.quantile(known, ((1 - share) / 2, (1 + share) / 2))
    return float(low), float(high)


def rms_limits(error: Vector, stone: Integers) -> tuple[float, float]:
    """95 % limits of a root mean square, errors of one stone taken together."""
    mean, error_of_mean = clustered_mean(error**2, stone)
    low, high = (max(mean + side * Z * error_of_mean, 0.0) for side in (-1, 1))
    return float(np.sqrt(low)), float(np.sqrt(high))


def clustered_mean(value: Vector, stone: Integers) -> tuple[float, float]:
    """Mean of n values and its standard error, values of one stone taken together."""
    _, at = np.unique(stone, return_inverse=True)
    mean = float(value.mean())
    total = np.bincount(at, value - mean)
    return mean, float(np.sqrt(np.sum(total**2))) / len(value)
