"""Which sales lie farther from the model than the scatter of the bulk explains.

The scatter is that of like sales: in each part (weight band and clarity) the distance of the
quartiles of the held-out errors gives the standard deviation of an *empirical null*, normal
around the part's median (Efron 2004, *JASA* 99, 96–104), and never narrower than the noise
floor: a price within what stones alike in everything recorded differ by says nothing.
Two-sided p-values against it are
turned into q-values by Benjamini and Hochberg (1995, *JRSS B* 57, 289–300): of the sales
with q ≤ 0.1 no more than a tenth are expected to be ordinary ones.
"""

from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError

FALSE = 0.10  # share of the flagged that may be ordinary
FEWEST = 30  # sales of a part; smaller parts lean on all
NORMAL = 1.3489795  # distance of the quartiles, in standard deviations


@dataclass(frozen=True, slots=True, eq=False)
class Mispricing:
    """How far n sales lie out.

    Attributes
    ----------
    z : Vector
        Error in standard deviations of the part's ordinary scatter, shape (n,).
    q : Vector
        Share of ordinary sales expected among all that lie as far out or farther, (n,).
    scatter : Vector
        Ordinary standard deviation of log price of each sale, shape (n,).
    """

    z: Vector
    q: Vector
    scatter: Vector


def mispriced(
    error: Vector, expected: Vector, part: Integers, floor: float = 0.0
) -> Mispricing:
    """Hold errors against the scatter of their part.

    Parameters
    ----------
    error : Vector
        Log price less the held-out log price, shape (n,).
    expected : Vector
        What such errors are divided by before they are compared, shape (n,).
    part : Integers
        Sales of a part scatter alike, shape (n,).
    floor : float
        Standard deviation that nobody could explain; the yardstick is never shorter.

    Raises
    ------
    FitError
        For fewer than 30 sales.
    """
    from scipy.special import ndtr

    if len(error) < FEWEST:
        raise FitError(f"{len(error)} sales are too few to tell what ordinary scatter is.")
    score = error / expected
    low, middle, high = np.quantile(score, (0.25, 0.5, 0.75))
    centre, spread = np.full(len(score), middle), np.full(len(score), (high - low) / NORMAL)
    for k in np.unique(part):
        of = part == k
        if of.sum() >= FEWEST:
            low, middle, high = np.quantile(score[of], (0.25, 0.5, 0.75))
            centre[of], spread[of] = middle, (high - low) / NORMAL
    scatter = np.maximum(spread * expected, floor)
    z = (error - centre * expected) / scatter
    return Mispricing(z, q_values(2 * ndtr(-np.abs(z))), scatter)


def q_values(p: Vector) -> Vector:
    """Benjamini and Hochberg's adjusted p-values, shape (n,)."""
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return q
