"""Does a new expert price as the vanished one did? A blind test, and what it says.

The expert prices stones whose recorded price is close to the model's, without seeing either.
The log of their price over the model's has a mean, their bias, and a spread. A bias can be
taken off as an offset of the source; a spread cannot, and dilutes the model if it is large.
"""

import csv
import io
from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError, StoneError
from diamond_pricing.fitting import Sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import MEASURES, Stones, stone_keys

CLOSE = 0.04  # log distance of recorded and model price of the stones to judge
MARGIN = 0.03  # bias that counts as none
CONFIDENCE = 0.95
FEWEST = 12  # stones of a group that is told apart
BANDS = (0.5, 1.0, 1.5)
SHOWN = ("carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z")


@dataclass(frozen=True, slots=True)
class Bias:
    """A mean log ratio of the expert's prices to the model's.

    Attributes
    ----------
    group : str
    n : int
    mean, low, high : float
        With simultaneous confidence limits over the groups.
    """

    group: str
    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a blind test says of an expert.

    Attributes
    ----------
    n : int
    overall : Bias
    groups : tuple[Bias, ...]
        By weight band, color and clarity.
    spread, spread_low, spread_high : float
        Standard deviation of the log ratios around the mean, with its limits.
    noise : float
        That of sales around the model.
    power : float
        Probability that a bias of 5 % would have shown with so many stones and this spread.
    agrees : bool
        Whether the bias is surely within the margin and the spread neither surely above the
        noise nor surely below half of it.
    offset : float
        What the expert's prices are to be divided by.
    """

    n: int
    overall: Bias
    groups: tuple[Bias, ...]
    spread: float
    spread_low: float
    spread_high: float
    noise: float
    power: float
    agrees: bool
    offset: float

    @property
    def copies(self) -> bool:
        """Whether the spread is surely less than half the noise."""
        return self.spread_high < self.noise / 2

    def __str__(self) -> str:
        """Write it for the owner."""
        mean, low, high = (
            100 * np.expm1(v) for v in (self.overall.mean, self.overall.low, self.overall.high)
        )
        lines = [
            f"{self.n} stones. The expert prices {mean:+.1f} % from the model "
            f"(95 % limits {low:+.1f} to {high:+.1f} %).",
            f"The spread around that is {100 * self.spread:.1f} % "
            f"({100 * self.spread_low:.1f} to {100 * self.spread_high:.1f} %); "
            f"sales scatter by {100 * self.noise:.1f} %.",
            f"A bias of 5 % would have shown with a probability of {100 * self.power:.0f} %.",
        ]
        surely = [g for g in self.groups if g.low > 0 or g.high < 0]
        for group in surely:
            lines.append(
                f"Of {group.group} ({group.n} stones) the bias is "
                f"{100 * np.expm1(group.mean):+.1f} % "
                f"({100 * np.expm1(group.low):+.1f} to {100 * np.expm1(group.high):+.1f} %)."
            )
        if self.agrees:
            lines.append(
                "Expert and model agree; the expert's prices can be taken as they are."
            )
        elif self.copies:
            lines.append(
                "The expert scatters surely less than half as much as sales do, as one does "
                "who copies a list or this model. Ask how the prices came about."
            )
        elif self.spread_low > self.noise:
            lines.append(
                "The expert scatters more than sales do: these prices would blur the model."
            )
        else:
            lines.append(
                "It is not shown that they agree. To take the bias off, declare in the "
                f'expert\'s source: offset = {self.offset:.4f}; or offset = "fitted" to '
                "estimate it anew with each model."
            )
        return "\n".join(lines)


def plan(model: PriceModel, sales: Sales, n: int, seed: int = 0) -> Stones:
    """Choose stones to be priced blind.

    Their recorded price is within 4 % of the model's; they are spread over weight, color
    and clarity by taking from each cell in turn.

    Raises
    ------
    FitError
        When there are not so many.
    """
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
    turn = np.zeros(len(rows), np.int64)
    for which in np.unique(cell):
        of = np.flatnonzero(cell == which)
        turn[of] = np.arange(len(of))
    chosen = rows[np.argsort(turn, kind="stable")[:n]]
    return stones.take(rng.permutation(chosen))


def sheet(stones: Stones) -> str:
    """Stones as a CSV file with an empty column for the price."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*SHOWN, "price"])
    measures = {m.name for m in MEASURES}
    columns = [
        ["" if v != v else f"{v:g}" for v in stones[name].tolist()]
        if name in measures
        else stones.labels(name).tolist()
        for name in SHOWN
    ]
    table.writerows([*row, ""] for row in zip(*columns, strict=True))
    return text.getvalue()


def judge_expert(model: PriceModel, sales: Sales) -> Verdict:
    """Say how an expert's prices of n stones compare with the model's.

    Raises
    ------
    FitError
        For fewer than 12 stones that the model supports.
    """
    from scipy import stats

    rows = np.flatnonzero(model.supports(sales.stones))
    n = len(rows)
    if n < FEWEST:
        raise FitError(f"{n} stones are too few to judge an expert by; at least {FEWEST}.")
    stones = sales.stones.take(rows)
    # What a client is told: an expert does not know on which list a stone was once priced.
    ratio = np.log(sales.price[rows]) - model.log_price(stones)
    labels = {
        "weight": np.array(["under 0.5 ct", "0.5 to 1 ct", "1 to 1.5 ct", "from 1.5 ct"])[
            np.searchsorted(BANDS, stones["carat"], side="right")
        ],
        "color": stones.labels("color"),
        "clarity": stones.labels("clarity"),
    }
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
    within = abs(overall.mean) + limit < MARGIN
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
        agrees=within and low <= noise <= 2 * high,
        offset=float(np.exp(overall.mean)),
    )


def _bias(group: str, ratio: Vector, groups: int) -> Bias:
    """Mean with limits that hold for all groups at once (Bonferroni)."""
    from scipy import stats

    n = len(ratio)
    if n < 2:
        raise StoneError("a group needs two stones.")
    quantile = float(stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / groups, n - 1))
    reach = quantile * float(np.std(ratio, ddof=1)) / sqrt(n)
    mean = float(ratio.mean())
    return Bias(group, n, mean, mean - reach, mean + reach)
