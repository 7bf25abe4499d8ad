"""The family ``loglinear``: the shortest explanation, by statsmodels."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np  # the formula calls it by this name too
from numpy.typing import NDArray

from diamond_pricing.errors import FitError, MissingExtraError
from diamond_pricing.fitting.from_statsmodels import compiled_regression, from_statsmodels
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

    from diamond_pricing.arrays import Integers, Vector

POWERS = 3  # of log carat
SALES_PER_COLUMN = 3
DUMMY = "C(period_of_sale)"


def fit_loglinear(
    sales: "pd.DataFrame", currency: str | None = None, effective: str | None = None
) -> PriceModel:
    """Regress log price on a cubic in log carat, the grades and the proportions.

    Standard errors are clustered by stone: robust to heteroskedasticity, and to one stone
    standing in the sales under two price lists.

    Parameters, returns and errors as `diamond_pricing.fitting.fit`.
    """
    read = read_sales(sales, currency=currency, effective=effective)
    kept, features, left_out = prepared(read)
    return compiled_regression(regression(kept, features), kept, "loglinear", left_out)


def fit_formula(
    sales: "pd.DataFrame",
    formula: str,
    currency: str | None = None,
    effective: str | None = None,
    weights: "Vector | None" = None,
    groups: "Integers | None" = None,
) -> PriceModel:
    """Regress log price by a formula of patsy; standard errors are clustered.

    Parameters, returns and errors as `diamond_pricing.fitting.fit`.
    """
    try:
        import statsmodels.formula.api as smf
        from patsy import PatsyError
    except ImportError as error:
        raise MissingExtraError("a formula", "fit") from error
    read = read_sales(sales, currency=currency, effective=effective)
    frame = regressors(read).replace("", None)
    text = formula if "~" in formula else f"np.log(price) ~ {formula}"
    try:
        wls = smf.wls(text, frame, weights=np.ones(len(frame)) if weights is None else weights)
    except PatsyError as error:
        raise FitError(f"formula {formula!r}: {error}") from error
    used = np.delete(np.arange(len(frame)), np.asarray(wls.data.missing_row_idx, np.int64))
    clusters = (stone_keys(read.stones) if groups is None else groups)[used]
    result = wls.fit(cov_type="cluster", cov_kwds={"groups": clusters})
    return from_statsmodels(
        result, currency=read.currency, effective=read.effective, family="formula"
    )


def regression(
    sales: Sales, features: tuple[str, ...], periods: NDArray[Any] | None = None
) -> Any:
    """Regress log price of n sales on features that all have, as `prepared` gives them.

    The result is that of statsmodels, its standard errors clustered by stone. Raises
    FitError for fewer than three sales a coefficient, or collinear terms.

    Parameters
    ----------
    periods : ndarray of str, shape (n,), optional
        When each was sold: adds a dummy, `DUMMY` followed by ``[T.…]``, for each but the first.
        The features may then be collinear among themselves.
    """
    try:
        import statsmodels.formula.api as smf
    except ImportError as error:
        raise MissingExtraError("family 'loglinear'", "fit") from error
    frame, right = regressors(sales), right_side(features)
    if periods is not None:
        frame = frame.assign(period_of_sale=periods)
        right = " + ".join([part for part in (right, DUMMY) if part])
    ols = smf.ols(f"np.log(price) ~ {right}", frame)
    if len(sales) < SALES_PER_COLUMN * ols.exog.shape[1]:
        raise FitError(
            f"{len(sales)} sales cannot carry {ols.exog.shape[1]} coefficients; at least "
            f"{SALES_PER_COLUMN} sales for each."
        )
    # An index needs its dummies alone: collinear features do no harm.
    aside = np.array([name.startswith(DUMMY) for name in ols.exog_names])
    needed = int(aside.sum()) or len(aside)
    rest = np.linalg.matrix_rank(ols.exog[:, ~aside]) if aside.any() else 0
    if np.linalg.matrix_rank(ols.exog) - rest < needed:
        raise FitError(
            f"the sales do not tell {', '.join(features)} apart: some determine others. "
            "Leave a column out, or bring more sales."
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The design matrix is rank-deficient")
        return ols.fit(cov_type="cluster", cov_kwds={"groups": stone_keys(sales.stones)})


def regressors(sales: Sales) -> "pd.DataFrame":
    """The columns that a formula of the family speaks of."""
    import pandas as pd

    stones = sales.stones
    others = [other for other in OTHERS if other.name in stones.columns]
    columns = {
        of.name: stones.labels(of.name) if isinstance(of, Grade) else stones[of.name]
        for of in (*MEASURES, *GRADES, LISTING, *others)
    }
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
