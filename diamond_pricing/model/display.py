"""How a model shows itself in a notebook, as text and as a data frame."""

from collections.abc import Sequence
from html import escape
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.terms import Term

if TYPE_CHECKING:
    import pandas as pd


def model_html(title: str, facts: Sequence[tuple[str, str]]) -> str:
    """A model in a notebook: what it is, and what its lines are."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(fact)}</td></tr>'
        for name, fact in facts
    )
    return f'<table class="price-model"><caption>{escape(title)}</caption>{rows}</table>'


def coefficients_frame(
    terms: Sequence[Term], value: Vector, factor: Matrix, level: float = 0.95
) -> "pd.DataFrame":
    """One row a coefficient: its term and level, value, standard error, t, p and limits.

    Parameters
    ----------
    value : Vector
        Coefficients, shape (p,).
    factor : Matrix
        U, shape (p, r); their covariance is UU'.
    level : float
        Of the limits, which are normal around the coefficient.
    """
    import pandas as pd

    features = [
        " × ".join(basis.feature for basis in term.bases) or "intercept"
        for term in terms
        for _ in range(term.width)
    ]
    names = [
        " × ".join(parts)
        for term in terms
        for parts in product(*(basis.names for basis in term.bases))
    ]
    error = np.sqrt(np.square(factor).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, value / error, np.nan)
    normal = NormalDist()
    p = [2 * normal.cdf(-abs(one)) if one == one else one for one in t.tolist()]
    reach = normal.inv_cdf(0.5 + level / 2) * error
    return pd.DataFrame(
        {
            "term": features,
            "level": names,
            "coefficient": value,
            "standard_error": error,
            "t": t,
            "p": p,
            "low": value - reach,
            "high": value + reach,
        }
    )


def model_summary(
    title: str, facts: Sequence[tuple[str, str]], coefficients: "pd.DataFrame", level: float
) -> str:
    """A model as statsmodels' users know it: what it is, then its coefficients."""
    table = coefficients.rename(
        columns={
            "coefficient": "coef",
            "standard_error": "std err",
            "p": "P>|t|",
            "low": f"[{(1 - level) / 2:g}",
            "high": f"{(1 + level) / 2:g}]",
        }
    )
    text = table.to_string(index=False, float_format=lambda number: f"{number:.4f}")
    said = [f"{name}: {fact}" for name, fact in facts]
    return "\n".join([title, *said, "", text])
