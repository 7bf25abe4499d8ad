"""How far prices lie from sales: those of a model, of candidates for one, and of peers.

Errors are of log price, held out; a positive one means that the sale was dearer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Table, Writer, aligned, table
from diamond_pricing.exhibits.priced import (
    Priced,
    groups,
    relative_change,
    rms_limits,
    supported,
)
from diamond_pricing.fitting import Sales, fit, from_statsmodels, read_sales
from diamond_pricing.fitting.loglinear import regressors
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import stone_keys
from diamond_pricing.validation import Evaluation, Predictions, Scores
from diamond_pricing.validation.baselines import BASELINES
from diamond_pricing.validation.noise_floor import NoiseFloor, noise_floor
from diamond_pricing.validation.scores import scores

if TYPE_CHECKING:
    import pandas as pd

OURS = "ours"  # in the results of the benchmark
# By statsmodels and patsy; each adds to the one before.
FORMULAS = {
    "OLS: log carat": "np.log(price) ~ np.log(carat)",
    "OLS: + cut, color, clarity": "np.log(price) ~ np.log(carat) + C(cut) + C(color)"
    " + C(clarity)",
    "OLS: + a cubic of log carat": "np.log(price) ~ np.log(carat) + I(np.log(carat) ** 2)"
    " + I(np.log(carat) ** 3) + C(cut) + C(color) + C(clarity)",
}
FAMILIES = {"log-linear with proportions and list": "loglinear", "additive (pyGAM)": "gam"}
DEFAULT = "default"
CELLS = {  # of an evaluation
    "n": "{0.n:,}",
    "RMSE": "{0.rmse:,.0f}",
    "MAE": "{0.mae:,.0f}",
    "MAPE %": "{0.mape:.2f}",
    "mdAPE %": "{0.median_ape:.2f}",
    "log-RMSE": "{0.log_rmse:.4f}",
    "R² log": "{0.r2_log:.4f}",
    "R²": "{0.r2:.4f}",
    "COD": "{0.cod:.2f}",
    "PRD": "{0.prd:.3f}",
    "PRB": "{0.prb:+.3f}",
}


def scores_table(
    price: Vector, predicted: Mapping[str, Vector], stone: Integers, currency: str
) -> Table:
    """Errors of several ways to price the same n sales, the best log-RMSE last.

    Limits of the log-RMSE by the variance between stones.
    """
    rows = []
    for name, prices in predicted.items():
        s = scores(price, prices)
        limits = _limits(np.log(prices / price), stone)
        rows.append((name, s.log_rmse, limits, s.mape, s.mae, s.rmse, s.r2_log))
    columns = ("model", "log-RMSE", "95 % limits", "MAPE %", "MAE", "RMSE", "R² log")
    return table(rows, _written(columns, currency))


def _written(columns: Sequence[str], currency: str) -> dict[str, Writer | None]:
    """How the columns of these names are written, in any table of scores."""
    known: dict[str, Writer] = {
        "sales": written.count,
        "log-RMSE": written.places(4),
        "95 % limits": str,
        "median APE %": written.places(2),
        "MAPE %": written.places(2),
        "MAE": written.amounts(currency),
        "RMSE": written.amounts(currency),
        "R² log": written.places(4),
        "log-RMSE against ours": str,
    }
    return {name: known.get(name) for name in columns}


def _limits(error: Vector, stone: Integers) -> str:
    return written.between(*rms_limits(error, stone), "{:.4f}".format)


def scores_by_band(sold: Priced) -> Table:
    """Errors of expected prices for all sales and in each weight band."""
    price, predicted, keys = sold.sales.price, np.exp(sold.recorded), sold.stone
    rows = []
    for label, of in groups(sold.sales.stones, "weight", whole=True):
        s = scores(price[of], predicted[of])
        limits = _limits(sold.error[of], keys[of])
        rows.append((label, s.n, s.log_rmse, limits, s.median_ape, s.mape, s.mae, s.rmse))
    errors = ("log-RMSE", "95 % limits", "median APE %", "MAPE %", "MAE", "RMSE")
    return table(rows, _written(("weight", "sales", *errors), sold.sales.currency))


def floor(model: PriceModel, sold: Priced, most: int = 20_000) -> NoiseFloor | None:
    """How well anyone could price these sales; None where too few are alike to tell."""
    rows = np.flatnonzero(model.supports(sold.sales.stones))
    rows = np.random.default_rng(0).permutation(rows)[:most]
    stones = sold.sales.stones.take(rows)
    lines = model.contributions(stones, listing="recorded")
    try:
        return noise_floor(sold.error[rows], lines, sold.stone[rows], stones["listing"])
    except FitError:  # fewer than 200 pairs: there is nothing to say
        return None


def floor_words(found: NoiseFloor | None) -> str:
    """The noise floor with its limits."""
    if found is None:
        return "not told by so few sales"
    limits = written.between(found.low, found.high, written.share)
    return (
        f"{written.share(found.sd)} (95 % limits {limits}; the nugget of the semivariogram of "
        f"the errors, {found.pairs:,} pairs of neighbours)"
    )


def against_best(models: Mapping[str, Mapping[str, float]]) -> str:
    """Our log-RMSE over that of the best other model, with its limits, in words."""
    best = min((s for name, s in models.items() if name != OURS), key=lambda s: s["log_rmse"])
    middle, *limits = (1 / best[figure] for figure in ("ratio", "high", "low"))
    return f"{middle:.3f} times (95 % limits {limits[0]:.3f} to {limits[1]:.3f})"


def peers(models: Mapping[str, Mapping[str, float]], currency: str) -> Table:
    """Scores of a benchmark's models, as its file of results holds them, the best first."""
    found = []
    for name, s in sorted(models.items(), key=lambda row: row[1]["log_rmse"]):
        against = f"{s['ratio']:.3f} ({s['low']:.3f} to {s['high']:.3f})"
        found.append((name, s["log_rmse"], s["mape"], s["mae"], s["rmse"], against))
    columns = ("model", "log-RMSE", "MAPE %", "MAE", "RMSE", "log-RMSE against ours")
    return table(found, _written(columns, currency))


def evaluation_table(evaluation: Evaluation) -> str:
    """Lay an evaluation out for a terminal; money is in the currency of the sales."""
    n, folds = len(evaluation.price), int(evaluation.folds.max()) + 1
    dated = "" if evaluation.effective == "undated" else f"{evaluation.effective} "
    rows = [["", *_cells(evaluation.overall(p)), _name(p)] for p in evaluation.predictions]
    text = [
        f"{n:,} sales, {folds} folds grouped by stone; money in {dated}{evaluation.currency}.",
        "recorded: on the price list of the sale; blend: without knowing the list.",
        "",
        *_lines("model", rows),
    ]
    for p in evaluation.predictions:
        if p.listing == "recorded":
            bands = [[band, *_cells(s), ""] for band, s in evaluation.by_band(p)]
            text += ["", f"{_name(p)}, by weight:", *_lines("", bands)]
        if unpriced := evaluation.unpriced(p):
            text.append(f"{_name(p)}: {unpriced} sales of kinds unseen in training not priced.")
    return "\n".join(text)


def _name(prediction: Predictions) -> str:
    return f"{prediction.name}, {prediction.listing}" if prediction.listing else prediction.name


def _cells(s: Scores) -> list[str]:
    cells = [form.format(s) for form in CELLS.values()]
    return ["–" if "nan" in cell else cell for cell in cells]


def _lines(last: str, rows: list[list[str]]) -> list[str]:
    right = [False, *(True for _ in CELLS), False]
    return aligned([["", *CELLS, last], *rows], right)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Models fitted to the same sales and what they say of others.

    Attributes
    ----------
    sales : Sales
        The n held-out sales that every one of them prices.
    predicted : dict[str, Vector]
        Prices as recorded by each candidate, shape (n,).
    models : dict[str, PriceModel]
    regressions : dict[str, Any]
        The statsmodels results behind the formulas.
    """

    sales: Sales
    predicted: dict[str, Vector]
    models: dict[str, PriceModel]
    regressions: dict[str, Any]

    def table(self) -> Table:
        """Errors of each candidate."""
        sales, keys = self.sales, stone_keys(self.sales.stones)
        return scores_table(sales.price, self.predicted, keys, sales.currency)

    def gains(self) -> Table:
        """What each candidate takes off the mean squared log error of the one before it.

        With 95 % limits, the differences paired by sale and clustered by stone.
        """
        rows, keys = [], stone_keys(self.sales.stones)
        for before, after in pairwise(self.predicted):
            squares = [
                np.log(self.predicted[name] / self.sales.price) ** 2 for name in (before, after)
            ]
            change = relative_change(squares[0], squares[1], keys)
            rows.append((f"{before} → {after}", *change))
        columns = {"step": None, "mean squared error": written.signed, "95 % limits": str}
        return table(rows, columns)


def candidates(
    training: "pd.DataFrame", held_out: "pd.DataFrame", default: PriceModel
) -> Candidates:
    """Fit every candidate to some sales and price others.

    Parameters
    ----------
    default : PriceModel
        The default family, fitted to the same training sales.

    Raises
    ------
    FitError
        When the sales cannot support one of them.
    """
    import statsmodels.formula.api as smf

    train, test = read_sales(training), read_sales(held_out)
    complete = regressors(train)
    models, regressions = {}, {}
    for name, formula in FORMULAS.items():
        regressions[name] = smf.ols(formula, complete).fit(
            cov_type="cluster", cov_kwds={"groups": stone_keys(train.stones)}
        )
        models[name] = from_statsmodels(regressions[name])
    for name, family in FAMILIES.items():
        models[name] = fit(training, family)
    models[DEFAULT] = default
    sales = supported(test, models.values())
    predicted = {name: baseline(train, sales.stones) for name, baseline in BASELINES.items()}
    for name, m in models.items():
        predicted[name] = m.price(sales.stones, listing="recorded")
    return Candidates(sales, predicted, models, regressions)
