"""A statsmodels fit of log price through a patsy formula, compiled to a PriceModel."""

import ast
from itertools import chain
from typing import Any

import numpy as np

from diamond_pricing.arrays import Matrix
from diamond_pricing.errors import ExpressionError, NotCompilableError, UnknownGradeError
from diamond_pricing.fitting.compile import Piece, Side, compiled
from diamond_pricing.fitting.sales import Sales, read_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import ATTRIBUTES, Grade
from diamond_pricing.terms import Levels, Slope, Spline, parse


def from_statsmodels(
    result: Any,
    *,
    currency: str | None = None,
    effective: str | None = None,
    family: str = "statsmodels",
) -> PriceModel:
    """Compile a linear statsmodels result to a model that explains itself.

    Understood in the formula: the attributes of a stone by name; ``np.log``, ``np.sqrt``,
    ``np.exp``, ``I(…)`` and arithmetic; ``C(…)`` with any contrasts; ``bs(…)``;
    interactions of these. The left side must be ``np.log(price)``.

    Parameters
    ----------
    result : RegressionResults
        From ``ols``, ``wls``, ``gls`` or ``rlm`` of ``statsmodels.formula.api``, fitted to a
        data frame with the columns of `load_sales`.
    currency, effective : str, optional
        Default: what the data frame's ``attrs`` say, else ``USD`` and ``undated``.
    family : str
        Name to give the model.

    Returns
    -------
    PriceModel
        Its prices on the recorded lists equal ``exp`` of statsmodels' predictions, but for
        stones whose measurements contradict each other: the measurement at fault is
        averaged here, while the fit used it as it was.

    Raises
    ------
    NotCompilableError
        Naming the part of the formula that has no exact counterpart.

    Examples
    --------
    >>> import statsmodels.formula.api as smf
    >>> from diamond_pricing import Stone, load_sales
    >>> fit = smf.ols("np.log(price) ~ np.log(carat) + cut + color + clarity", load_sales())
    >>> model = from_statsmodels(fit.fit(cov_type="HC3"))
    >>> model.explain(Stone(1.01, "Ideal", "E", "VS1")).currency
    'USD'
    """
    model: Any = getattr(result, "model", None)
    if not hasattr(getattr(getattr(model, "data", None), "model_spec", None), "term_codings"):
        raise NotCompilableError(
            "only fits through a patsy formula can be compiled (statsmodels.formula.api)."
        )
    if not hasattr(result, "cov_params"):
        raise NotCompilableError(f"{type(result).__name__} has no covariance to compile.")
    _check_response(model)
    frame = model.data.frame
    used = np.ones(len(frame), bool)
    used[np.asarray(model.data.missing_row_idx, np.int64)] = False
    sales = read_sales(frame[used], currency=currency, effective=effective)
    dropped = {"value missing in the formula": int((~used).sum())} if not used.all() else {}
    return compiled_regression(result, sales, family, dropped)


def compiled_regression(
    result: Any, sales: Sales, family: str, left_out: dict[str, int]
) -> PriceModel:
    """Compile a result that `from_statsmodels` understands, of sales already checked."""
    import statsmodels

    model = result.model
    if len(model.endog) != len(sales) or not np.allclose(
        model.endog, np.log(sales.price), rtol=1e-12
    ):
        raise NotCompilableError(
            "the data frame does not hold exactly these sales any more: prices or rows were "
            "changed after the fit. Fit again."
        )
    return compiled(
        sales,
        left_out,
        family=family,
        origin=(
            f"statsmodels {statsmodels.__version__} {type(model).__name__}: {model.formula}; "
            f"covariance {getattr(result, 'cov_type', 'default')}"
        ),
        pieces=_pieces(model.data.model_spec, sales),
        coefficients=np.asarray(result.params, float),
        covariance=np.asarray(result.cov_params(), float),
        fitted=np.asarray(result.fittedvalues, float),
        edf=float(result.df_model) + 1,
    )


def _check_response(model: Any) -> None:
    link = getattr(getattr(model, "family", None), "link", None)
    if link is not None:
        raise NotCompilableError(
            f"{type(model).__name__} with the link {type(link).__name__} cannot be compiled; "
            "fit np.log(price) by ols, wls, gls or rlm."
        )
    if type(model).__name__ not in ("OLS", "WLS", "GLS", "RLM"):
        raise NotCompilableError(
            f"{type(model).__name__} cannot be compiled; use ols, wls, gls or rlm."
        )
    response = str(model.endog_names).replace("np.", "").replace(" ", "")
    if response != "log(price)":
        raise NotCompilableError(
            f"the left side is {model.endog_names}; a product of factors needs np.log(price)."
        )


def _pieces(design: Any, sales: Sales) -> list[Piece]:
    """Each coded part of each term."""
    found: list[Piece] = []
    start = 0
    for subterm in chain.from_iterable(design.term_codings.values()):
        sides = []
        for factor in subterm.factors:
            info, contrasts = design.factor_infos[factor], subterm.contrast_matrices
            if factor in contrasts:
                sides.append(_categorical(info, contrasts[factor].matrix, sales))
            else:
                sides.append(_numerical(info))
        stop = start + subterm.num_columns
        # patsy lets the first factor vary fastest; our last basis does.
        found.append((sides[::-1], slice(start, stop)))
        start = stop
    return found


def _categorical(info: Any, contrasts: Matrix, sales: Sales) -> Side:
    name = _attribute_of(info.factor.code)
    attribute = ATTRIBUTES.get(name)
    if not isinstance(attribute, Grade):
        raise NotCompilableError(
            f"{info.factor.code} makes categories of {name!r}, which is not graded; graded are "
            f"{', '.join(a.name for a in ATTRIBUTES.values() if isinstance(a, Grade))}."
        )
    try:
        levels = tuple(attribute.read(level) for level in info.categories)
    except UnknownGradeError as error:
        raise NotCompilableError(f"{info.factor.code}: {error}") from error
    empty = sorted(set(levels) - set(np.unique(sales.stones.labels(attribute.name)).tolist()))
    if empty:
        raise NotCompilableError(
            f"no sale has {attribute.name} {', '.join(empty)}, so the fit knows nothing of "
            f"{'it' if len(empty) == 1 else 'them'}. Drop the empty levels and fit again: "
            f"frame[{name!r}] = frame[{name!r}].cat.remove_unused_categories()."
        )
    return Levels(attribute.name, levels), np.asarray(contrasts, float)


def _attribute_of(code: str) -> str:
    """Name inside ``C(cut, Treatment('Ideal'))`` or ``Q('cut')``."""
    node = ast.parse(code, mode="eval").body
    while isinstance(node, ast.Call) and node.args:
        node = node.args[0]
    if isinstance(node, ast.Constant):
        return str(node.value)
    return node.id if isinstance(node, ast.Name) else code


def _numerical(info: Any) -> Side:
    code = info.factor.code
    node = ast.parse(code, mode="eval").body
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "bs":
        return _bspline(info, ast.unparse(node.args[0]))
    try:
        return Slope(parse(code).text), np.eye(1)
    except ExpressionError as error:
        raise NotCompilableError(f"{code} cannot be compiled: {error}") from error


def _bspline(info: Any, inner: str) -> Side:
    (transform,) = info.state["transforms"].values()
    knots, degree = transform._all_knots, int(transform._degree)
    try:
        basis = Spline(parse(inner).text, tuple(float(knot) for knot in knots), degree)
    except ExpressionError as error:
        raise NotCompilableError(f"{info.factor.code} cannot be compiled: {error}") from error
    dropped = basis.width - info.num_columns  # patsy leaves out the first unless told
    return basis, np.eye(basis.width)[:, dropped:]
