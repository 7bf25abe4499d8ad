"""The family ``gam``: a generalised additive model by pyGAM, its smoothness searched."""

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError, MissingExtraError
from diamond_pricing.fitting.from_pygam import compiled_gam, encoded
from diamond_pricing.fitting.recipe import WEIGHT, prepared
from diamond_pricing.fitting.sales import read_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import ATTRIBUTES, Grade, Stones, stone_keys

if TYPE_CHECKING:
    import pandas as pd

SEARCHED_ON = 8_000  # stones; the λ that cross-validation prefers hardly moves with more
LAMBDAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
SPLINES = {WEIGHT: 30}  # others get 15
SEED = 20081


def fit_gam(
    sales: "pd.DataFrame", currency: str | None = None, effective: str | None = None
) -> PriceModel:
    """Fit smooth curves of weight and proportions beside a factor for each grade.

    The smoothing parameters are searched by generalised cross-validation on at most 8,000
    stones, one row each: rows of one stone under two price lists would pass for
    replication and leave the curves too rough. Then the model is fitted to all sales.

    Parameters, returns and errors as `diamond_pricing.fitting.fit`.
    """
    try:
        import pygam  # noqa: F401  only to say early that it is not there
    except ImportError as error:
        raise MissingExtraError("family 'gam'", "fit") from error
    read = read_sales(sales, currency=currency, effective=effective)
    kept, columns, left_out = prepared(read)
    X, y = encoded(kept.stones, columns), np.log(kept.price)
    splines = [
        # never more than a quarter of the distinct values carry
        int(np.clip(len(np.unique(values)) // 4, 4, SPLINES.get(column, 15)))
        for column, values in zip(columns, X.T, strict=True)
    ]
    sample = _one_row_a_stone(kept.stones)
    lam = _searched(X[sample], y[sample], columns, splines)
    gam = _fitted(_terms(columns, splines, lam), X, y)
    if not gam.logs_["diffs"] or not gam.logs_["diffs"][-1] <= gam.tol:
        raise FitError("the additive model did not converge; are two columns the same?")
    return compiled_gam(gam, columns, kept, "gam", left_out)


def _one_row_a_stone(stones: Stones) -> Integers:
    order = np.random.default_rng(SEED).permutation(len(stones))
    first = np.unique(stone_keys(stones)[order], return_index=True)[1]
    return np.sort(order[np.sort(first)][:SEARCHED_ON])


def _terms(columns: tuple[str, ...], splines: list[int], lam: list[float]) -> Any:
    from pygam import f, s

    terms = [
        f(j, lam=lam[j])
        if isinstance(ATTRIBUTES.get(column), Grade)
        else s(j, n_splines=splines[j], lam=lam[j])
        for j, column in enumerate(columns)
    ]
    return sum(terms[1:], start=terms[0])


def _fitted(terms: Any, X: Matrix, y: Vector) -> Any:
    """Fit, keeping to ourselves what pyGAM prints; the caller judges what came out."""
    from pygam import LinearGAM

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return LinearGAM(terms).fit(X, y)


def _searched(
    X: Matrix, y: Vector, columns: tuple[str, ...], splines: list[int]
) -> list[float]:
    """Smoothing parameter of each term with the least GCV score.

    First one λ for all, then each curve's own in turn, on the grid ``LAMBDAS``.
    """

    # A grade or edge that the sample lacks would change the columns, so they are not
    # those of the final fit; the smoothing parameters are.
    def best(candidates: list[list[float]]) -> list[float]:
        scores = [
            _fitted(_terms(columns, splines, lam), X, y).statistics_["GCV"]
            for lam in candidates
        ]
        if np.isnan(scores).all():
            raise FitError("no smoothness fits these sales; are they too few or too alike?")
        return candidates[int(np.nanargmin(scores))]

    chosen = best([[lam] * len(columns) for lam in LAMBDAS])
    for j, column in enumerate(columns):
        if not isinstance(ATTRIBUTES.get(column), Grade):
            chosen = best([[*chosen[:j], lam, *chosen[j + 1 :]] for lam in LAMBDAS])
    return chosen
