"""Does a new expert price as the vanished one did? A blind test, and what it says.

The expert prices stones whose recorded price is close to the model's, without seeing either.
The log of their price over the model's has a mean, their bias, and a spread. A bias can be
taken off as an offset of the source; a spread cannot, and dilutes the model if it is large.
"""

from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting import Sales
from diamond_pricing.model import PriceModel
from diamond_pricing.refit.ledger import SHOWN, csv_text, shown
from diamond_pricing.stones import Stones, stone_keys

CLOSE = 0.04  # log distance of recorded and model price of the stones to judge
MARGIN = 0.03  # bias that counts as none
CONFIDENCE = 0.95
FEWEST = 12  # stones of a group that is told apart
BANDS = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Bias:
    """A mean log ratio of the expert's prices to the model's, with limits for all groups."""

    group: str
    n: int
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write it in percent."""
        mean, low, high = (100 * np.expm1(v) for v in (self.mean, self.low, self.high))
        return f"{mean:+.1f} % ({low:+.1f} to {high:+.1f} %)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a blind test says of an expert."""

    n: int
    overall: Bias
    groups: tuple[Bias, ...]  # by weight band, color and clarity
    spread: float  # standard deviation of the log ratios around the mean, with its limits
    spread_low: float
    spread_high: float
    noise: float  # that of sales around the model
    power: float  # probability that a bias of 5 % would have shown with these stones
    agrees: bool  # surely within the margin; the spread surely neither above nor half the noise
    offset: float  # what the expert's prices are to be divided by

    def __str__(self) -> str:
        """Write it for the owner."""
        overall = str(self.overall).replace("(", "from the model (95 % limits ")
        lines = [
            f"{self.n} stones. The expert prices {overall}.",
            f"The spread around that is {100 * self.spread:.1f} % "
            f"({100 * self.spread_low:.1f} to {100 * self.spread_high:.1f} %); "
            f"sales scatter by {100 * self.noise:.1f} %.",
            f"A bias of 5 % would have shown with a probability of {100 * self.power:.0f} %.",
        ]
        lines += [
            f"Of {group.group} ({group.n} stones) the bias is {group}."
            for group in self.groups
            if group.low > 0 or group.high < 0
        ]
        if self.agrees:
            says = "Expert and model agree; the expert's prices can be taken as they are."
        elif self.spread_high < self.noise / 2:
            says = (
                "The expert scatters surely less than half as much as sales do, as one does "
                "who copies a list or this model. Ask how the prices came about."
            )
        elif self.spread_low > self.noise:
            says = "The expert scatters more than sales do: these prices would blur the model."
        else:
            says = (
                "It is not shown that they agree. To take the bias off, declare in the "
                f'expert\'s source: offset = {self.offset:.4f}; or offset = "fitted" to '
                "estimate it anew with each model."
            )
        return "\n".join([*lines, says])


def plan(model: PriceModel, sales: Sales, n: int, seed: int = 0) -> Stones:
    """Choose stones to be priced blind.

    Their recorded price is within 4 % of the model's; they are spread over weight, color
    and clarity by taking from each cell in turn. FitError when there are not so many.
    """
    import pandas as pd

    rows = np.flatnonzero(model.supports(sales.stones))
    stones, price = sales.stones.take(rows), np.log(sales.price[rows])
    near = np.abs(price - model.log_price(stones, listing="recorded")) < CLOSE
    _, first = np.unique(stone_keys(stones), return_index=True)
    rows = np.intersect1d(np.flatnonzero(near), first)
    if len(rows) < n:
        raise FitError(f"only {len(rows)} stones are priced alike by sales and model.")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(rows)
    band = np.searchsorted(BANDS, stones["carat"][rows], side="right")
    cell = (band * 100 + stones["color"][rows]) * 100 + stones["clarity"][rows]
    turn = pd.Series(cell).groupby(cell).cumcount().to_numpy()
    chosen = rows[np.argsort(turn, kind="stable")[:n]]
    return stones.take(rng.permutation(chosen))


def sheet(stones: Stones) -> str:
    """Stones as a CSV file with an empty column for the price."""
    rows = ([*row, ""] for row in zip(*shown(stones), strict=True))
    return csv_text([[*SHOWN, "price"], *rows])


def judge_expert(model: PriceModel, sales: Sales) -> Verdict:
    """Say how an expert's prices compare with the model's.

    FitError for fewer than 12 stones that the model supports.
    """
    from scipy import stats

    rows = np.flatnonzero(model.supports(sales.stones))
    n = len(rows)
    if n < FEWEST:
        raise FitError(f"{n} stones are too few to judge an expert by; at least {FEWEST}.")
    stones = sales.stones.take(rows)
    # What a client is told: an expert does not know on which list a stone was once priced.
    ratio = np.log(sales.price[rows]) - model.log_price(stones)
    weights = np.array(["under 0.5 ct", "0.5 to 1 ct", "1 to 1.5 ct", "from 1.5 ct"])
    labels = {"weight": weights[np.searchsorted(BANDS, stones["carat"], side="right")]}
    labels |= {name: stones.labels(name) for name in ("color", "clarity")}
    groups = [
        (f"{name} {group}", ratio[label == group])
        for name, label in labels.items()
        for group in np.unique(label)
        if (label == group).sum() >= FEWEST
    ]
    overall = _bias("all", ratio, 1)
    spread = float(np.std(ratio, ddof=1))
    tail = (1 - CONFIDENCE) / 2
    low, high = (
        spread * sqrt((n - 1) / float(stats.chi2.ppf(q, n - 1))) for q in (1 - tail, tail)
    )
    error = spread / sqrt(n)
    # Two one-sided tests: within the margin at both ends.
    limit = float(stats.t.ppf(CONFIDENCE, n - 1)) * error
    noise = model.residual_sd
    needed = NormalDist().inv_cdf(1 - tail)
    power = NormalDist().cdf(log(1.05) / max(error, 1e-12) - needed)
    return Verdict(
        n=n,
        overall=overall,
        groups=tuple(_bias(g, r, len(groups)) for g, r in groups),
        spread=spread,
        spread_low=low,
        spread_high=high,
        noise=noise,
        power=power,
        agrees=abs(overall.mean) + limit < MARGIN and low <= noise <= 2 * high,
        offset=float(np.exp(overall.mean)),
    )


def _bias(group: str, ratio: Vector, groups: int) -> Bias:
    """Mean with limits that hold for all groups at once (Bonferroni)."""
    from scipy import stats

    n = len(ratio)
    quantile = float(stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / groups, n - 1))
    reach = quantile * float(np.std(ratio, ddof=1)) / sqrt(n)
    mean = float(ratio.mean())
    return Bias(group, n, mean, mean - reach, mean + reach)
