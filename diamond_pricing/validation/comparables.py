"""Sales like this stone, each adjusted to it line by line: the evidence beside a price.

How alike two stones are is told by the model: the distance is that of their lines, in log
price. A sale that differs by one grade of clarity is as far away as that grade is worth.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.arrays import Matrix
from diamond_pricing.errors import FitError
from diamond_pricing.fitting import Sales, read_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.model.support import BLEND, RECORDED, listed
from diamond_pricing.stones import LIKE_LINE, LISTING, Stone, stone_keys
from diamond_pricing.stones.keys import same_stone

if TYPE_CHECKING:
    import pandas as pd

ALIKE = 1e-6  # distance of stones that the model does not tell apart, and rounding
MOST_SALES = 4  # looked at for each stone: many stand on two lists, or were sold again


@dataclass(frozen=True, slots=True)
class Comparable:
    """One sale like the stone.

    Attributes
    ----------
    row : int
        Of the sales, counted from 0.
    stone : Stone
    price, adjusted : float
        What it fetched, and what that comes to for the stone asked about.
    factors : dict[str, float]
        The adjustment by line; their product is ``adjusted / price``.
    distance : float
        Between the two stones, log dollars.
    """

    row: int
    stone: Stone
    price: float
    adjusted: float
    factors: dict[str, float]
    distance: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sales nearest to a stone.

    Attributes
    ----------
    comparables : tuple[Comparable, ...]
        Nearest first.
    price : float
        The model's, on the blend of the price lists.
    median, low, high : float
        Of the adjusted prices: half of them lie between the ends. NaN without any.
    """

    comparables: tuple[Comparable, ...]
    price: float
    median: float
    low: float
    high: float


class Comparables:
    """Sales made ready to be searched.

    Parameters
    ----------
    model : PriceModel
    sales : Sales
        Those that the model declines to price are left out.
    """

    def __init__(self, model: PriceModel, sales: "Sales | pd.DataFrame") -> None:
        self.model = model
        sales = sales if isinstance(sales, Sales) else read_sales(sales)
        rows = np.flatnonzero(model.supports(sales.stones))
        if not len(rows):
            raise FitError("the model supports none of these sales.")
        self.rows, self.stones, self.prices = rows, sales.stones.take(rows), sales.price[rows]
        # Once on the blend, for the distance, and once as recorded, for the adjustment.
        self._blend: Matrix = np.ascontiguousarray(model.contributions(self.stones))
        self._squares = np.einsum("ij,ij->i", self._blend, self._blend)
        # Log mark-up of each sale's list over the blend, shape (n,).
        ways = (RECORDED, BLEND)
        own, mean = (model.log_price(self.stones, listing=how) for how in ways)
        self._listed = own - mean
        # The part of it that belongs to the line of like sales.
        self._alike = np.zeros(len(rows))
        if (likeness := model._likeness) is not None:
            recorded, blend = (listed(self.stones, how, model.training) for how in ways)
            self._alike = likeness.of(recorded) - likeness.of(blend)
        self._keys = stone_keys(self.stones)

    def nearest(self, stone: Stone, k: int = 5, price: float | None = None) -> Evidence:
        """Give the k sales nearest to a stone, never of the stone itself; each stone once.

        Many stand on both price lists, their sides the other way round. A stone that nothing
        measures is known among the sales by the ``price`` that it was sold for.

        Raises
        ------
        StoneError
            When the model declines the stone.
        FitError
            For a k that is not from 1 to the number of sales.
        """
        if not 1 <= k <= len(self.rows):
            raise FitError(f"k must be from 1 to {len(self.rows)}, not {k}.")
        why = self.model.explain(stone)
        lines = self.model.lines
        here = np.array([line.log_effect for line in why.lines[1:]])
        # |a − b|² = |a|² − 2a·b + |b|², in one pass over the sales.
        square = self._squares - 2 * (self._blend @ here) + here @ here
        distance = np.sqrt(np.maximum(square, 0))
        distance[same_stone(self.stones, stone)] = np.inf
        own = np.flatnonzero((distance < ALIKE) & (self.prices == price))
        distance[own[:1]] = np.inf
        some, last = k, len(distance) - 1
        while True:
            some = min(MOST_SALES * some, last)
            nearest = np.argpartition(distance, some)[: some + 1]
            nearest = nearest[np.isfinite(distance[nearest])]
            nearest = nearest[np.lexsort((nearest, distance[nearest]))]
            _, first = np.unique(self._keys[nearest], return_index=True)
            if len(first) >= k or some == last:
                break
        found = []
        for i in nearest[np.sort(first)[:k]].tolist():
            steps = dict(zip(lines, (here - self._blend[i]).tolist(), strict=True))
            if LISTING.line in steps:
                steps[LISTING.line] -= float(self._listed[i] - self._alike[i])
            if LIKE_LINE in steps:
                steps[LIKE_LINE] -= float(self._alike[i])
            price = float(self.prices[i])
            found.append(
                Comparable(
                    row=int(self.rows[i]),
                    stone=self.stones.stone(i),
                    price=price,
                    adjusted=price * float(np.exp(sum(steps.values()))),
                    factors={name: float(np.exp(step)) for name, step in steps.items()},
                    distance=float(distance[i]),
                )
            )
        adjusted = [c.adjusted for c in found] or [np.nan]
        low, median, high = np.quantile(adjusted, [0.25, 0.5, 0.75]).tolist()
        return Evidence(tuple(found), why.price, median, low, high)
