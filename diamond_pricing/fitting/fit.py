"""Fit a family of models to sales."""

from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.errors import FitError, MissingExtraError
from diamond_pricing.fitting.gam import fit_gam
from diamond_pricing.fitting.loglinear import fit_formula, fit_loglinear
from diamond_pricing.fitting.sales import columns_of_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones.attributes import absent
from diamond_pricing.stones.stones import array_of
from diamond_pricing.stones.trade import use

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    import pandas as pd

    from diamond_pricing.arrays import Integers, Vector


def _fit_monotone(
    sales: "pd.DataFrame",
    currency: str | None = None,
    effective: str | None = None,
    **asked: Any,
) -> PriceModel:
    try:
        from diamond_pricing.fitting.monotone import fit_held_out
    except ImportError as error:
        raise MissingExtraError("family 'monotone'", "fit") from error
    return fit_held_out(sales, currency, effective, **asked)[0]


FAMILIES = {"monotone": _fit_monotone, "gam": fit_gam, "loglinear": fit_loglinear}
DEFAULT = "monotone"


def fit(
    sales: Any,
    family: str = DEFAULT,
    *,
    currency: str | None = None,
    effective: str | None = None,
    trade: "str | PathLike[str] | Mapping[str, Any] | None" = None,
    weights: Any = None,
    groups: Any = None,
    folds: Any = None,
    terms: "Sequence[tuple[Any, ...]] | None" = None,
    formula: str | None = None,
    progress: "Callable[[str, float, int], None] | None" = None,
) -> PriceModel:
    """Fit a price model to sales.

    Parameters
    ----------
    sales : data frame of any library, or dict of columns
        One row a sale: carat, cut, color, clarity, price, and as far as known depth, table,
        x, y, z. Names and grades may be written as people write them. Terms over columns
        that are absent are left out of the model.
    family : str
        ``monotone``, the default: our own penalised additive model on the trade's price
        grid, its smoothness by REML, whose prices never fall when a stone improves and
        which states ranges. ``loglinear``: a short log-linear regression by statsmodels,
        with standard errors robust to heteroskedasticity and to the same stone standing in
        the sales twice. ``gam``: smooth curves by pyGAM, their smoothness searched by
        generalised cross-validation.
    currency, effective : str, optional
        What the prices are, and of when. Default: what ``sales.attrs`` says, else ``USD``
        and ``undated``.
    trade : str, Path or Mapping, optional
        Attributes to add to those that are known, see `diamond_pricing.stones.trade.use`;
        they stay known to this process.
    weights : array-like, optional
        What each sale counts for in the coefficients, shape (n,), positive; ranges and the
        line of like sales count every sale once.
    groups : array-like, optional
        Sales of one value are held out together where ranges are measured, shape (n,).
        Default: those of one stone. Of a formula they are the clusters of standard errors.
    folds : array-like, optional
        Fold of each sale where ranges are measured, shape (n,), instead of ``groups``.
    terms : Sequence[tuple], optional
        What the default family is made of, instead of `default_terms`.
    formula : str, optional
        A regression of log price by statsmodels, as patsy reads it: all of it, or the part
        behind ``~``. Columns have the trade's names, grades are text; what it may hold says
        `from_statsmodels`. Instead of a family.
    progress : callable, optional
        Called with what is done, the share of the work behind, and the number of sales.

    Returns
    -------
    PriceModel

    Raises
    ------
    FitError
        When the sales cannot support the model, or an argument is not valid or has no
        meaning for the family: all but the first five are of ``monotone``, ``weights`` and
        ``groups`` of formulas too.
    NotCompilableError
        For a part of a formula that has no exact counterpart.
    StoneError
        For stones that cannot be; the rows are named.
    TradeError
        For attributes that cannot be.
    """
    if trade is not None:
        use(trade)
    if family not in FAMILIES:
        raise FitError(f"family {family!r} is not known; choose {' or '.join(FAMILIES)}.")
    sales = columns_of_sales(sales)
    n = len(array_of(sales[next(iter(sales))])) if len(sales) else 0
    given: dict[str, Any] = {
        "weights": _weighed(weights, n),
        "groups": _numbered(groups, n, "groups", 5),
        "folds": _numbered(folds, n, "folds", 2),
        "terms": terms,
        "progress": progress,
    }
    if progress is not None and not callable(progress):
        raise FitError("progress must be a function of what is done, its share and the sales.")
    asked = {name: value for name, value in given.items() if value is not None}
    if formula is not None and family != DEFAULT:
        raise FitError("give a family or a formula, not both.")
    known = set(given) if family == DEFAULT else set()
    known &= set(given) if formula is None else {"weights", "groups"}
    if strange := [name for name in asked if name not in known]:
        of = f"the family {family}" if formula is None else "a formula"
        raise FitError(f"{strange[0]} has no meaning for {of}.")
    if {"folds", "groups"} <= set(asked):
        raise FitError("give folds or groups, not both.")
    if formula is not None:
        return fit_formula(sales, formula, currency, effective, **asked)
    return FAMILIES[family](sales, currency, effective, **asked)


def _weighed(given: Any, n: int) -> "Vector | None":
    if given is None:
        return None
    weights = np.asarray(given)
    if weights.dtype.kind not in "fiu" or weights.shape != (n,) or not (weights > 0).all():
        raise FitError(f"weights must be {n:,} positive numbers, one for each sale.")
    if not np.isfinite(weights).all():
        raise FitError("weights must be finite.")
    return weights.astype(np.float64)


def _numbered(given: Any, n: int, name: str, fewest: int) -> "Integers | None":
    """Groups or folds, numbered from 0."""
    if given is None:
        return None
    values = np.asarray(given)
    if values.shape != (n,):
        raise FitError(f"{name} must be {n:,} values, one for each sale.")
    if any(absent(value) for value in values.tolist()):
        raise FitError(f"{name} are missing for some sales; give one for each.")
    found = np.unique(values, return_inverse=True)[1]
    if found.max(initial=0) + 1 < fewest:
        raise FitError(f"{name} must have {fewest} different values or more.")
    return np.asarray(found, np.int64)
