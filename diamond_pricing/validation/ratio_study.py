"""A ratio study: how appraisals lie to sale prices, with limits for each figure.

After the International Association of Assessing Officers (2013), *Standard on Ratio
Studies*, which calls COD from 5 to 15, PRD from 0.98 to 1.03 and PRB within ±0.05 good.
"""

from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.validation.scores import scores

RESAMPLES = 300
SHUFFLES = 300


@dataclass(frozen=True, slots=True)
class RatioStudy:
    """Ratios of predicted to sale price of n sales; each figure with its 95 % limits.

    Attributes
    ----------
    n : int
    median, cod, prd, prb : tuple[float, float, float]
        Figure, lower and upper limit; see `Scores`.
    """

    n: int
    median: tuple[float, float, float]
    cod: tuple[float, float, float]
    prd: tuple[float, float, float]
    prb: tuple[float, float, float]


def by_chance(
    price: Vector, predicted: Vector, seed: int = 0
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where PRD and PRB lie when errors have nothing to do with the price.

    The 2.5 % and 97.5 % quantiles of PRD, and of PRB, with errors of log price exchanged among
    n sales at random. A single dear sale moves the one figure, and noise where prices span
    little the other, without any bias of the model.
    """
    rng = np.random.default_rng(seed)
    error = np.log(price / predicted)
    drawn = []
    for _ in range(SHUFFLES):
        s = scores(predicted * np.exp(rng.permutation(error)), predicted)
        drawn.append((s.prd, s.prb))
    low, high = np.nanquantile(np.array(drawn), (0.025, 0.975), axis=0).tolist()
    return (low[0], high[0]), (low[1], high[1])


def ratio_study(price: Vector, predicted: Vector, stone: Integers, seed: int = 0) -> RatioStudy:
    """Study n sales; limits by a percentile bootstrap over stones.

    Parameters
    ----------
    stone : Integers
        Equal for sales of one stone, shape (n,).
    """

    def figures(rows: Integers) -> list[float]:
        s = scores(price[rows], predicted[rows])
        return [float(np.median(predicted[rows] / price[rows])), s.cod, s.prd, s.prb]

    n = len(price)
    _, member = np.unique(stone, return_inverse=True)
    order = np.argsort(member, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(member))])
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        stones = rng.integers(0, len(starts) - 1, len(starts) - 1)
        sizes = starts[stones + 1] - starts[stones]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        drawn.append(figures(order[np.repeat(starts[stones], sizes) + within]))
    low, high = np.nanquantile(np.array(drawn), (0.025, 0.975), axis=0)
    found = figures(np.arange(n))
    limits = [(f, float(a), float(b)) for f, a, b in zip(found, low, high, strict=True)]
    return RatioStudy(n, *limits)
