"""Cross-validation grouped by stone: every price is predicted by a model that never saw it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting import fit, read_sales
from diamond_pricing.stones import stone_keys
from diamond_pricing.validation.baselines import BASELINES
from diamond_pricing.validation.scores import Scores, scores

if TYPE_CHECKING:
    import pandas as pd

BANDS = (0.0, 0.4, 0.7, 1.0, 1.5, 2.0, float("inf"))  # carats
LISTINGS = ("recorded", "blend")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Held-out predictions of one way of pricing.

    Attributes
    ----------
    name : str
        A family or a baseline.
    listing : str
        ``recorded`` or ``blend``; empty for a baseline, which knows of no lists.
    price : Vector
        Predicted prices, shape (n,); NaN where the model of that fold knew no such stone.
    """

    name: str
    listing: str
    price: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What cross-validation found.

    Attributes
    ----------
    price, carat : Vector
        Of the n sales.
    folds : Integers
        Fold of each sale, shape (n,).
    predictions : tuple[Predictions, ...]
        Baselines first.
    currency, effective : str
    """

    price: Vector
    carat: Vector
    folds: Integers
    predictions: tuple[Predictions, ...]
    currency: str
    effective: str

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{escape(p.name)}</th>"
            f"<td>{s.log_rmse:.4f}</td><td>{s.mape:.2f} %</td>"
            f"<td>{self.unpriced(p):,}</td></tr>"
            for p in self.predictions
            for s in [self.overall(p)]
        )
        return (
            f"<table><caption>{len(self.price):,} sales held out, {self.effective} "
            f"{self.currency}</caption><thead><tr><th></th><th>log-RMSE</th><th>MAPE</th>"
            f"<th>not priced</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def overall(self, prediction: Predictions) -> Scores:
        """Scores over all sales that could be priced."""
        return self._scores(prediction, np.ones(len(self.price), bool))

    def by_band(self, prediction: Predictions) -> tuple[tuple[str, Scores], ...]:
        """Scores in each weight band that has sales; below its upper edge."""
        found = []
        for low, high in pairwise(BANDS):
            inside = (self.carat >= low) & (self.carat < high)
            if (inside & np.isfinite(prediction.price)).any():
                name = f"from {low:g} ct" if np.isinf(high) else f"{low:g}–{high:g} ct"
                found.append((name, self._scores(prediction, inside)))
        return tuple(found)

    def unpriced(self, prediction: Predictions) -> int:
        """How many sales could not be priced."""
        return int(np.isnan(prediction.price).sum())

    def _scores(self, prediction: Predictions, inside: NDArray[np.bool_]) -> Scores:
        inside = inside & np.isfinite(prediction.price)
        return scores(self.price[inside], prediction.price[inside])


def grouped_folds(groups: Integers, folds: int = 5, seed: int = 0) -> Integers:
    """Assign each row to a fold, all rows of a group to the same one; shape (n,).

    Parameters
    ----------
    groups : Integers
        Equal for rows that must stay together, shape (n,).
    folds : int
        How many; at least 2 and at most the number of groups.
    seed : int
        Shuffles the groups.

    Raises
    ------
    FitError
        For a number of folds that the groups cannot fill.
    """
    distinct, member = np.unique(groups, return_inverse=True)
    if not 2 <= folds <= len(distinct):
        raise FitError(f"{folds} folds of {len(distinct)} stones; choose 2 to {len(distinct)}.")
    order = np.random.default_rng(seed).permutation(len(distinct))
    fold_of_group = np.empty(len(distinct), np.int64)
    fold_of_group[order] = np.arange(len(distinct)) % folds
    return fold_of_group[member.ravel()]


def cross_validate(
    frame: "pd.DataFrame",
    families: Sequence[str] = ("loglinear", "monotone"),
    *,
    folds: int = 5,
    seed: int = 0,
    progress: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Fit each family on all folds but one and price that one, in turn.

    Everything that a fit chooses, smoothing parameters included, it chooses on the
    training folds.

    Parameters
    ----------
    frame : DataFrame
        Sales, as for `diamond_pricing.fitting.fit`.
    progress : callable
        Told before each fit what is fitted.

    Raises
    ------
    FitError
        When the sales cannot be read, split or fitted.
    """
    sales = read_sales(frame)
    fold = grouped_folds(stone_keys(sales.stones), folds, seed)
    ways = [(name, "") for name in BASELINES]
    ways += [(family, listing) for family in families for listing in LISTINGS]
    prices = {way: np.full(len(sales), np.nan) for way in ways}
    for k in range(folds):
        held_out, training = fold == k, fold != k
        stones = sales.stones.take(held_out)
        train = read_sales(frame[training])
        for name, baseline in BASELINES.items():
            prices[name, ""][held_out] = baseline(train, stones)
        for family in families:
            progress(f"{family}, fold {k + 1} of {folds}")
            model = fit(frame[training], family)
            known = model.supports(stones, extrapolate=True)
            for listing in LISTINGS:
                prices[family, listing][np.flatnonzero(held_out)[known]] = model.price(
                    stones.take(known), listing=listing, extrapolate=True
                )
    if not all(np.isfinite(price).any() for price in prices.values()):
        raise FitError("no held-out stone could be priced; the sales are too few or too alike.")
    return Evaluation(
        price=sales.price,
        carat=sales.stones["carat"],
        folds=fold,
        predictions=tuple(Predictions(*way, price) for way, price in prices.items()),
        currency=sales.currency,
        effective=sales.effective,
    )
