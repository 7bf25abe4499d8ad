"""Sales beside what they are expected to fetch, and the groups that they are looked at in."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.exhibits import written
from diamond_pricing.fitting import Sales
from diamond_pricing.fitting.scatter import BANDS
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones, stone_keys

EDGES = (*BANDS, 2.0)  # carats, of the groups by weight
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


def bands(stones: Stones, edges: Sequence[float] = EDGES) -> NDArray[np.str_]:
    """Weight band of each stone in words, shape (n,)."""
    names = np.array(written.bands([f"{edge:g}" for edge in edges]))
    found: NDArray[np.str_] = names[np.searchsorted(edges, stones["carat"], side="right")]
    return found


def in_order(stones: Stones, by: str) -> tuple[NDArray[np.str_], list[str]]:
    """Label of each stone by ``weight`` band or a grade, and the labels, least first."""
    labels = bands(stones) if by == "weight" else stones.labels(by)
    order = np.argsort(stones["carat" if by == "weight" else by], kind="stable")
    return labels, list(dict.fromkeys(labels[order].tolist()))


def groups(
    stones: Stones, by: str, least: int = FEWEST, *, whole: bool = False
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each group of enough stones, and which they are, shape (n,); ``whole``: all before."""
    labels, names = in_order(stones, by)
    for name in ("all", *names) if whole else names:
        of = np.ones(len(labels), bool) if name == "all" else labels == name
        if of.sum() >= least:
            yield name, of


def supported(sales: Sales, models: Iterable[PriceModel]) -> Sales:
    """The sales whose stones every model prices."""
    rows = np.flatnonzero(np.all([m.supports(sales.stones) for m in models], axis=0))
    return sales.take(rows)


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


def relative_change(before: Vector, after: Vector, stone: Integers) -> tuple[float, str]:
    """Change of the mean of n values, relative to it, and its 95 % limits."""
    mean, error = clustered_mean(after - before, stone)
    base = float(before.mean())
    low, high = ((mean + side * Z * error) / base for side in (-1, 1))
    return mean / base, written.between(low, high, written.signed)


def clustered_mean(value: Vector, stone: Integers) -> tuple[float, float]:
    """Mean of n values and its standard error, values of one stone taken together."""
    _, at = np.unique(stone, return_inverse=True)
    mean = float(value.mean())
    total = np.bincount(at, value - mean)
    return mean, float(np.sqrt(np.sum(total**2))) / len(value)
