"""Fit a family of models to sales."""

from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.errors import FitError, MissingExtraError
from diamond_pricing.fitting.gam import fit_gam
from diamond_pricing.fitting.loglinear import fit_loglinear
from diamond_pricing.model import PriceModel
from diamond_pricing.stones.trade import use

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    import pandas as pd

    from diamond_pricing.arrays import Integers, Vector


def _fit_monotone(
    sales: "pd.DataFrame",
    currency: str | None = None,
    effective: str | None = None,
    weights: "Vector | None" = None,
    groups: "Integers | None" = None,
) -> PriceModel:
    try:
        from diamond_pricing.fitting.monotone import fit_monotone
    except ImportError as error:
        raise MissingExtraError("family 'monotone'", "fit") from error
    return fit_monotone(sales, currency, effective, weights, groups)


FAMILIES = {"monotone": _fit_monotone, "gam": fit_gam, "loglinear": fit_loglinear}
DEFAULT = "monotone"


def fit(
    sales: "pd.DataFrame",
    family: str = DEFAULT,
    *,
    currency: str | None = None,
    effective: str | None = None,
    trade: "str | PathLike[str] | Mapping[str, Any] | None" = None,
    weights: Any = None,
    groups: Any = None,
) -> PriceModel:
    """Fit a price model to sales.

    Parameters
    ----------
    sales : DataFrame
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
        line of like sales count every sale once. For ``monotone`` alone.
    groups : array-like, optional
        Sales of one value are held out together where ranges are measured, shape (n,).
        Default: those of one stone. For ``monotone`` alone.

    Returns
    -------
    PriceModel

    Raises
    ------
    FitError
        When the sales cannot support the model, or weights or groups are not valid.
    StoneError
        For stones that cannot be; the rows are named.
    TradeError
        For attributes that cannot be.
    """
    if trade is not None:
        use(trade)
    if family not in FAMILIES:
        raise FitError(f"family {family!r} is not known; choose {' or '.join(FAMILIES)}.")
    if weights is None and groups is None:
        return FAMILIES[family](sales, currency, effective)
    if family != DEFAULT:
        raise FitError(f"weights and groups are read by {DEFAULT!r} alone, not {family!r}.")
    return _fit_monotone(
        sales, currency, effective, _weighed(weights, len(sales)), _grouped(groups, len(sales))
    )


def _weighed(given: Any, n: int) -> "Vector | None":
    if given is None:
        return None
    weights = np.asarray(given, np.float64)
    if weights.shape != (n,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise FitError(f"weights must be {n:,} positive numbers, one for each sale.")
    return weights


def _grouped(given: Any, n: int) -> "Integers | None":
    if given is None:
        return None
    groups = np.asarray(given)
    if groups.shape != (n,) or len(found := np.unique(groups, return_inverse=True)[1]) != n:
        raise FitError(f"groups must be {n:,} values, one for each sale.")
    if found.max() < 4:
        raise FitError("groups must have five different values or more.")
    return np.asarray(found, np.int64)
