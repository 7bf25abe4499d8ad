"""Candidate models, from the simplest on, on sales that none of them was fitted to."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.accuracy import scores_table
from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.exhibits.priced import Z, clustered_mean
from diamond_pricing.fitting import Sales, fit, from_statsmodels, read_sales
from diamond_pricing.fitting.loglinear import regressors
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import stone_keys
from diamond_pricing.validation.baselines import BASELINES

if TYPE_CHECKING:
    import pandas as pd

# By statsmodels and patsy; each adds to the one before.
FORMULAS = {
    "OLS: log carat": "np.log(price) ~ np.log(carat)",
    "OLS: + cut, color, clarity": "np.log(price) ~ np.log(carat) + C(cut) + C(color)"
    " + C(clarity)",
    "OLS: + a cubic of log carat": "np.log(price) ~ np.log(carat) + I(np.log(carat) ** 2)"
    " + I(np.log(carat) ** 3) + C(cut) + C(color) + C(clarity)",
}
FAMILIES = {"log-linear with proportions and list": "loglinear", "additive (pyGAM)": "gam"}
OURS = "default"


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
        return scores_table(
            self.sales.price, self.predicted, self._stone(), self.sales.currency
        )

    def gains(self) -> Table:
        """What each candidate takes off the mean squared log error of the one before it.

        With 95 % limits, the differences paired by sale and clustered by stone.
        """
        import pandas as pd

        names = list(self.predicted)
        rows = []
        for before, after in pairwise(names):
            squares = [
                np.log(self.predicted[name] / self.sales.price) ** 2 for name in (before, after)
            ]
            base = float(squares[0].mean())
            mean, error = clustered_mean(squares[1] - squares[0], self._stone())
            low, high = ((mean + side * Z * error) / base for side in (-1, 1))
            rows.append(
                (
                    f"{before} → {after}",
                    mean / base,
                    f"{written.signed(low)} to {written.signed(high)}",
                )
            )
        columns = ["step", "mean squared error", "95 % limits"]
        return Table(
            pd.DataFrame(rows, columns=columns),
            {"mean squared error": written.signed, "95 % limits": str},
        )

    def _stone(self) -> Integers:
        return stone_keys(self.sales.stones)


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
    models[OURS] = default
    kept = np.flatnonzero(np.all([m.supports(test.stones) for m in models.values()], axis=0))
    sales = test.take(kept)
    predicted = {name: baseline(train, sales.stones) for name, baseline in BASELINES.items()}
    for name, m in models.items():
        predicted[name] = m.price(sales.stones, listing="recorded")
    return Candidates(sales, predicted, models, regressions)
