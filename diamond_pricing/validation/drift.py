"""Whether new sales look like the old ones: inputs by PSI and KS, residuals by group."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector

LEAST_SHARE = 0.0005  # a group that is not there counts as this much


class Shift(NamedTuple):
    """Where the residuals of a group lie."""

    group: str
    n: int
    median: float  # log dollars over the model's price
    error: float  # standard error of the median, as for normal residuals


def population_stability(old: NDArray[np.str_], new: NDArray[np.str_]) -> float:
    """Population stability index Σ (q − p)·ln(q/p) over groups, of labels (n,) and (m,).

    In credit scoring under 0.1 counts as stable and from 0.25 as changed (Siddiqi 2006,
    *Credit Risk Scorecards*, ch. 10).
    """
    groups = np.union1d(old, new)
    p, q = (
        np.maximum([(labels == group).mean() for group in groups], LEAST_SHARE)
        for labels in (old, new)
    )
    return float(np.sum((q - p) * np.log(q / p)))


def kolmogorov_smirnov(old: Vector, new: Vector) -> float:
    """Largest distance of two empirical distribution functions, of values (n,) and (m,)."""
    both = np.sort(np.concatenate([old, new]))
    below = [np.searchsorted(np.sort(v), both, side="right") / len(v) for v in (old, new)]
    return float(np.abs(below[0] - below[1]).max())


def shift(group: str, residual: Vector) -> Shift:
    """Median of residuals (n,) and its standard error, the scale from the quartiles."""
    low, median, high = np.quantile(residual, (0.25, 0.5, 0.75))
    scale = (high - low) / 1.349
    error = 1.2533 * scale / len(residual) ** 0.5
    return Shift(group, len(residual), float(median), float(error))
