"""The family ``loglinear``: the shortest explanation, by statsmodels."""

from typing import TYPE_CHECKING

import numpy as np  # the formula calls it by this name too

from diamond_pricing.errors import FitError, MissingExtraError
from diamond_pricing.fitting.from_statsmodels import compiled_regression
from diamond_pricing.fitting.recipe import WEIGHT, prepared
from diamond_pricing.fitting.sales import Sales, read_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    MEASURES,
    OTHERS,
    Grade,
    stone_keys,
)

if TYPE_CHECKING:
    import pandas as pd

POWERS = 3  # of log carat
SALES_PER_COLUMN = 3


def fit_loglinear(
    sales: "pd.DataFrame", currency: str | None = None, effective: str | None = None
) -> PriceModel:
    """Regress log price on a cubic in log carat, the grades and the proportions.

    Standard errors are clustered by stone: robust to heteroskedasticity, and to one stone
    standing in the sales under two price lists.

    Parameters, returns and errors as `diamond_pricing.fitting.fit`.
    """
    try:
        import statsmodels.formula.api as smf
    except ImportError as error:
        raise MissingExtraError("family 'loglinear'", "fit") from error
    kept, features, left_out = prepared(
        read_sales(sales, currency=currency, effective=effective)
    )
    regression = smf.ols(f"np.log(price) ~ {right_side(features)}", regressors(kept))
    if len(kept) < SALES_PER_COLUMN * regression.exog.shape[1]:
        raise FitError(
            f"{len(kept)} sales cannot carry {regression.exog.shape[1]} coefficients; at least "
            f"{SALES_PER_COLUMN} sales for each."
        )
    if np.linalg.matrix_rank(regression.exog) < regression.exog.shape[1]:
        raise FitError(
            f"the sales do not tell {', '.join(features)} apart: some determine others. "
            "Leave a column out, or bring more sales."
        )
    result = regression.fit(cov_type="cluster", cov_kwds={"groups": stone_keys(kept.stones)})
    return compiled_regression(result, kept, "loglinear", left_out)


def regressors(sales: Sales) -> "pd.DataFrame":
    """The columns that a formula of the family speaks of."""
    import pandas as pd

    columns = {name: sales.stones[name] for name in (m.name for m in MEASURES)}
    columns |= {g.name: sales.stones.labels(g.name) for g in (*GRADES, LISTING)}
    for other in OTHERS:
        if other.name in sales.stones.columns:
            graded = isinstance(other, Grade)
            columns[other.name] = (sales.stones.labels if graded else sales.stones.__getitem__)(
                other.name
            )
    return pd.DataFrame(columns | {"price": sales.price})


def right_side(features: tuple[str, ...]) -> str:
    """The right side of a formula, as patsy reads it."""
    parts = []
    for feature in features:
        if feature == WEIGHT:
            parts.append("np.log(carat)")
            parts += [f"I(np.log(carat) ** {power})" for power in range(2, POWERS + 1)]
        elif isinstance(ATTRIBUTES.get(feature), Grade):
            parts.append(f"C({feature})")
        else:
            parts.append(f"I({feature.replace('log', 'np.log')})")
    return " + ".join(parts)
