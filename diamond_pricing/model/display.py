"""How explanations and models show themselves in a notebook, and as data frames."""

from html import escape
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.model.explanation import RANGE, REFERENCE, PriceExplanation
from diamond_pricing.model.money import written

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.model.price_model import PriceModel


def reasons_html(why: PriceExplanation) -> str:
    """The lines of an explanation as the head and rows of a table, the price at the foot."""
    rows = []
    for line, running in zip(why.lines, why.running, strict=True):
        first = line.name == REFERENCE
        factor = "" if first else f"×{line.factor:.3f}"
        rows.append(
            f'<tr><th scope="row">{escape(line.label)}<small>{escape(line.note)}</small></th>'
            f"<td>{factor}</td><td>{_money(why, line.cents, sign=not first)}</td>"
            f'<td class="total">{_money(why, running)}</td></tr>'
        )
    price = _money(why, why.cents)
    return (
        '<thead><tr><th scope="col">Because of</th><th scope="col">Factor</th>'
        '<th scope="col">Amount</th><th scope="col" class="total">So far</th></tr></thead>\n'
        "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n"
        f'<tfoot><tr><th scope="row">Price</th><td></td><td>{price}</td>'
        '<td class="total"></td></tr></tfoot>'
    )


def explanation_html(why: PriceExplanation) -> str:
    """An explanation in a notebook."""
    told = f"{escape(str(why.stone))}: {_money(why, why.cents)} ({escape(why.money)})"
    below = []
    if found := why.range():
        low, high = (_written(why, round(100 * end)) for end in found)
        below.append(f"{100 * RANGE:g} % of such sales lie between {low} and {high}.")
    below += [f"Caution: {escape(reason.message)}" for reason in why.verdict.reasons]
    return (
        f'<table class="price-explanation"><caption>{told}</caption>\n{reasons_html(why)}\n'
        f"</table>\n<p>{' '.join(below)} Model {escape(why.model)}.</p>"
    )


def explanation_frame(why: PriceExplanation) -> "pd.DataFrame":
    """One row a line: what it compares, factor, log effect and its error, money, so far."""
    import pandas as pd

    return pd.DataFrame(
        {
            "line": [line.name for line in why.lines],
            "label": [line.label for line in why.lines],
            "compares": [line.note for line in why.lines],
            "factor": [line.factor for line in why.lines],
            "log_effect": [line.log_effect for line in why.lines],
            "standard_error": [line.standard_error for line in why.lines],
            "amount": [line.cents / 100 for line in why.lines],
            "so_far": [running / 100 for running in why.running],
        }
    )


def model_html(model: "PriceModel") -> str:
    """A model in a notebook: what it is, and what its lines are."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(fact)}</td></tr>'
        for name, fact in _facts(model)
    )
    title = f"{escape(model.family)} model {model.sha256[:12]}"
    return f'<table class="price-model"><caption>{title}</caption>{rows}</table>'


def _facts(model: "PriceModel") -> list[tuple[str, str]]:
    """What a model is, in pairs of a name and a text."""
    t = model.training
    facts = [
        ("Fitted on", f"{t.rows:,} sales of {t.stones:,} stones, {t.effective} {t.currency}"),
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
    facts.append(("Reference stone", str(model.reference)))
    return facts


def coefficients_frame(model: "PriceModel", level: float = 0.95) -> "pd.DataFrame":
    """One row a coefficient: its term and level, value, standard error, t, p and limits.

    Parameters
    ----------
    level : float
        Of the limits, which are normal around the coefficient.
    """
    import pandas as pd

    terms = [
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
            "term": terms,
            "level": names,
            "coefficient": value,
            "standard_error": error,
            "t": t,
            "p": p,
            "low": value - reach,
            "high": value + reach,
        }
    )


def model_summary(model: "PriceModel", level: float = 0.95) -> str:
    """A model as statsmodels' users know it: what it is, then its coefficients."""
    facts = [f"{name}: {fact}" for name, fact in _facts(model)]
    table = coefficients_frame(model, level).rename(
        columns={
            "coefficient": "coef",
            "standard_error": "std err",
            "p": "P>|t|",
            "low": f"[{(1 - level) / 2:g}",
            "high": f"{(1 + level) / 2:g}]",
        }
    )
    text = table.to_string(index=False, float_format=lambda number: f"{number:.4f}")
    return "\n".join([str(model), *facts, "", text])


def _money(why: PriceExplanation, amount: int, *, sign: bool = False) -> str:
    return escape(written(amount, why.currency, sign=sign))


def _written(why: PriceExplanation, amount: int) -> str:
    return escape(written(amount, why.currency, digits=0))
