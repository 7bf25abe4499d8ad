"""A pyGAM fit of log price, compiled to a PriceModel."""

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.errors import FitError, MissingExtraError, NotCompilableError
from diamond_pricing.fitting.compile import Piece, Side, compiled
from diamond_pricing.fitting.sales import Sales, read_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import ATTRIBUTES, Grade, Stones
from diamond_pricing.terms import Levels, Slope, Spline, parse

if TYPE_CHECKING:
    import pandas as pd


def design_matrix(sales: "pd.DataFrame", columns: Sequence[str]) -> Matrix:
    """Make the matrix that pyGAM wants: numbers, grades as codes.

    Parameters
    ----------
    sales : DataFrame
        As for `fit`.
    columns : Sequence[str]
        For each column a grade (``"cut"``) or arithmetic over measures (``"log(carat)"``).

    Returns
    -------
    Matrix
        Shape (n, len(columns)). The code of a grade is its place among the grades that
        stand in ``sales``, worst first, from 0.
    """
    return encoded(Stones.from_frame(sales), columns)


def from_pygam(
    gam: Any,
    columns: Sequence[str],
    sales: "pd.DataFrame",
    *,
    currency: str | None = None,
    effective: str | None = None,
    family: str = "pygam",
) -> PriceModel:
    """Compile a fitted ``LinearGAM`` of log price to a model that explains itself.

    Understood are the terms ``s``, ``f``, ``l`` and ``te``, with ``by``.

    Parameters
    ----------
    gam : LinearGAM
        Fitted to ``design_matrix(sales, columns)`` and ``np.log(sales.price)``.
    columns : Sequence[str]
        What each column of that matrix is.
    sales : DataFrame
        The sales it was fitted on.
    currency, effective, family
        As for `from_statsmodels`.

    Raises
    ------
    NotCompilableError
        Naming the term that has no exact counterpart, or when the fit is not one of log
        price on these sales.
    """
    try:
        import pygam
    except ImportError as error:
        raise MissingExtraError("from_pygam", "fit") from error
    if not isinstance(gam, pygam.LinearGAM):
        raise NotCompilableError(
            f"{type(gam).__name__} cannot be compiled; fit a LinearGAM to np.log(price)."
        )
    if not hasattr(gam, "coef_"):
        raise NotCompilableError("this LinearGAM has not been fitted.")
    checked = read_sales(sales, currency=currency, effective=effective)
    X = encoded(checked.stones, columns)
    if X.shape[1] != gam.statistics_["m_features"]:
        raise NotCompilableError(
            f"the fit has {gam.statistics_['m_features']} columns, named are {len(columns)}."
        )
    return compiled_gam(gam, columns, checked, family, {})


def compiled_gam(
    gam: Any, columns: Sequence[str], sales: Sales, family: str, left_out: dict[str, int]
) -> PriceModel:
    """Compile a fitted ``LinearGAM``, of sales already checked."""
    import pygam

    try:
        fitted = np.asarray(gam.predict(encoded(sales.stones, columns)), float)
    except ValueError as error:
        raise NotCompilableError(f"pyGAM cannot predict these sales: {error}") from error
    _check_fitted_on(gam, fitted, sales)
    return compiled(
        sales,
        left_out,
        family=family,
        origin=f"pyGAM {pygam.__version__} LinearGAM: {_described(gam, columns)}",
        pieces=[
            _piece(gam, i, term, columns, sales.stones) for i, term in enumerate(gam.terms)
        ],
        coefficients=np.asarray(gam.coef_, float),
        covariance=np.asarray(gam.statistics_["cov"], float),
        fitted=fitted,
        edf=float(gam.statistics_["edof"]),
    )


def _check_fitted_on(gam: Any, fitted: Vector, sales: Sales) -> None:
    """Refuse sales other than those of the fit, whose codes might mean other grades."""
    wanted = float(np.log(sales.price).mean())
    if abs(fitted.mean() - wanted) > 1:
        raise NotCompilableError(
            f"the fit's mean is {fitted.mean():.4g}, the mean log price {wanted:.4g}: a "
            "product of factors needs a LinearGAM of np.log(price)."
        )
    residual = np.log(sales.price) - fitted
    freedom = len(residual) - gam.statistics_["edof"]
    scale = float(np.sqrt(residual @ residual / freedom))
    if gam.statistics_["n_samples"] != len(sales) or not np.isclose(
        scale, gam.statistics_["scale"], rtol=1e-6
    ):
        raise NotCompilableError(
            f"the fit had {gam.statistics_['n_samples']} rows and a residual scale of "
            f"{gam.statistics_['scale']:.6g}; these sales have {len(sales)} and {scale:.6g}. "
            "Give the very sales that it was fitted on, without weights."
        )


def encoded(stones: Stones, columns: Sequence[str]) -> Matrix:
    """As `design_matrix`, of stones already checked."""
    return np.column_stack([_column(stones, column) for column in columns])


def _column(stones: Stones, column: str) -> Vector:
    if isinstance(ATTRIBUTES.get(column), Grade):
        if (stones[column] < 0).any():
            raise FitError(f"{column} is not known for every sale.")
        return np.unique(stones[column], return_inverse=True)[1].ravel().astype(float)
    return parse(column).evaluate(stones.columns)


def _piece(gam: Any, i: int, term: Any, columns: Sequence[str], stones: Stones) -> Piece:
    indices = gam.terms.get_coef_indices(i)
    where = slice(int(indices[0]), int(indices[-1]) + 1)
    if term.isintercept:
        return (), where
    margins = list(term) if term.istensor else [term]
    sides = [_side(margin, columns, stones) for margin in margins]
    for by in dict.fromkeys(getattr(t, "by", None) for t in (term, *margins)):
        if by is not None:
            if isinstance(ATTRIBUTES.get(columns[by]), Grade):
                raise NotCompilableError(
                    f"{term}: by={by} multiplies by the code of {columns[by]}, which "
                    "is no number; use te() with a factor."
                )
            sides.append((Slope(parse(columns[by]).text), np.eye(1)))
    return sides, where


def _side(margin: Any, columns: Sequence[str], stones: Stones) -> Side:
    """Give the basis of one feature and the matrix from pyGAM's columns to it."""
    column, kind = columns[margin.feature], type(margin).__name__
    if getattr(margin, "basis", "ps") != "ps":
        raise NotCompilableError(f"{margin}: the basis {margin.basis!r} cannot be compiled.")
    attribute = ATTRIBUTES.get(column)
    if isinstance(attribute, Grade):
        codes = np.unique(stones[column])
        levels = tuple(attribute.grades[code] for code in codes)
        # T is pyGAM's own columns at the code of each grade, shape (levels, columns).
        at = np.zeros((len(levels), margin.feature + 1))
        at[:, margin.feature] = np.arange(len(levels))
        alone = copy(margin)
        alone.by = None
        return Levels(column, levels), np.asarray(alone.build_columns(at).toarray(), float)
    text = parse(column).text
    if kind == "LinearTerm":
        return Slope(text), np.eye(1)
    if kind != "SplineTerm" or margin.spline_order < 1:
        raise NotCompilableError(
            f"{margin} over {column}: only s, f, l and te can be compiled."
        )
    basis = Spline(text, _knots(margin), int(margin.spline_order))
    return basis, np.eye(basis.width)


def _knots(margin: Any) -> tuple[float, ...]:
    """All knots of pyGAM's basis, evenly spaced, in the feature's own unit."""
    d, low, high = int(margin.spline_order), *map(float, np.sort(margin.edge_knots_))
    inner = np.linspace(0, 1, 1 + int(margin.n_splines) - d)
    beyond = np.arange(1, d + 1) * (inner[1] - inner[0])
    knots = np.concatenate([-beyond[::-1], inner, 1 + beyond])
    return tuple((low + (high - low) * knots).tolist())


def _described(gam: Any, columns: Sequence[str]) -> str:
    parts = []
    for term in gam.terms:
        if not term.isintercept:
            names = ", ".join(columns[m.feature] for m in (term if term.istensor else [term]))
            parts.append(f"{'te' if term.istensor else term._minimal_name}({names})")
    lam = "; ".join(",".join(f"{value:g}" for value in np.ravel(t)) for t in gam.lam)
    return f"{' + '.join(parts)}; λ = {lam}"
