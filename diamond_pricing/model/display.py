"""How a model shows itself in a notebook, as text and as a data frame."""

from html import escape
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def html(model: Any) -> str:
    """A model in a notebook: what it is, and what its lines are."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(fact)}</td></tr>'
        for name, fact in _facts(model)
    )
    title = escape(f"{model.family} model {model.sha256[:12]}")
    return f'<table class="price-model"><caption>{title}</caption>{rows}</table>'


def _facts(model: Any) -> list[tuple[str, str]]:
    """What a model is, in pairs of a name and a text."""
    t = model.training
    sales = f"{t.rows:,} sales of {t.stones:,} stones"
    facts = [
        ("Fitted on", f"{sales}, {t.effective} {t.currency}"),
        ("How", model.origin),
        ("Typical residual", f"{100 * model.residual_sd:.1f} %"),
        ("Effective degrees of freedom", f"{model.edf:.0f}"),
        ("Lines of an explanation", ", ".join(model.lines)),
        ("Weights", "{:g} to {:g} ct".format(*t.ranges["carat"])),
    ]
    if model.certificate is not None:
        compared = f"{model.certificate.compared:,} pairs compared"
        wrong = sum(model.certificate.inversions.values())
        facts.append(("Better stones that are cheaper", f"{wrong:,} ({compared})"))
    return [*facts, ("Reference stone", str(model.reference))]


def coefficients(model: Any, level: float) -> "pd.DataFrame":
    """One row a coefficient: its term and level, value, standard error, t, p and limits.

    The limits are normal around the coefficient.
    """
    import pandas as pd

    features = [
        " × ".join(basis.feature for basis in term.bases) or "intercept"
        for term in model.terms
        for _ in range(term.width)
    ]
    names = [
        " × ".join(parts)
        for term in model.terms
        for parts in product(*(basis.names for basis in term.bases))
    ]
    value, error = model.coefficients, np.sqrt(np.square(model.factor).sum(axis=1))
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


def summary(model: Any, level: float) -> str:
    """A model as statsmodels' users know it: what it is, then its coefficients."""
    table = coefficients(model, level).rename(
        columns={
            "coefficient": "coef",
            "standard_error": "std err",
            "p": "P>|t|",
            "low": f"[{(1 - level) / 2:g}",
            "high": f"{(1 + level) / 2:g}]",
        }
    )
    text = table.to_string(index=False, float_format=lambda number: f"{number:.4f}")
    said = [f"{name}: {fact}" for name, fact in _facts(model)]
    return "\n".join([str(model), *said, "", text])
