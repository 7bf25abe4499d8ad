"""The waterfall: from the reference stone's price to this one's, step by step."""

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

from diamond_pricing.errors import MissingExtraError
from diamond_pricing.model import PriceExplanation
from diamond_pricing.model.money import written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's blue and vermilion, which the color-blind tell apart; grey ends.
UP, DOWN, END, THREAD = "#0072b2", "#d55e00", "#5b6875", "#b9c3cc"


def waterfall_svg(why: PriceExplanation) -> str:
    """Draw an explanation as an SVG element with a text alternative.

    Equal explanations give equal bytes. Text stays text.

    Raises
    ------
    MissingExtraError
        Without matplotlib: the extra ``report`` brings it.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the waterfall picture", "report") from error
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "waterfall", "font.size": 10}
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.2, 0.42 * (len(why.lines) + 1) + 0.2))
        _drawn(figure, why)
        file = io.StringIO()
        undated = {"Date": None, "Creator": None}
        figure.savefig(file, format="svg", metadata=undated, transparent=True)
    return _accessible(file.getvalue(), why)


def _drawn(figure: "Figure", why: PriceExplanation) -> None:
    axes = figure.subplots()
    figure.subplots_adjust(left=0.2, right=0.83, top=0.99, bottom=0.01)
    money = why.currency
    labels, before = [], 0
    for row, (line, after) in enumerate(zip(why.lines, why.running, strict=True)):
        labels.append(line.label)
        color = END if row == 0 else UP if line.cents >= 0 else DOWN
        axes.barh(row, (after - before) / 100, left=before / 100, height=0.62, color=color)
        axes.plot([after / 100] * 2, [row, row + 1], color=THREAD, lw=0.8, ls=":", zorder=0)
        amount = written(line.cents, money, sign=row > 0)
        axes.annotate(
            amount,
            (max(before, after) / 100, row),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
        before = after
    labels.append("Price")
    axes.barh(len(why.lines), why.price, height=0.62, color=END)
    axes.annotate(
        written(why.cents, money), (why.price, len(why.lines)), (4, 0),
        textcoords="offset points", va="center", weight="bold",
    )  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(min(0, *why.running) / 100, max(why.running) / 100 * 1.01)
    axes.tick_params(length=0)
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)


def _accessible(svg: str, why: PriceExplanation) -> str:
    """Keep only the element, with a title and a description for those who cannot see it."""
    element = svg[svg.index("<svg") :]
    described = ". ".join(why.sentence(line) for line in why.lines)
    text = (
        '<title id="waterfall-title">How the price is made</title>'
        f'<desc id="waterfall-desc">{escape(described)}. '
        f"Price {escape(written(why.cents, why.currency))}.</desc>"
    )
    element = re.sub(
        r"<svg ([^>]*)>",
        rf'<svg \1 role="img" aria-labelledby="waterfall-title waterfall-desc">{text}',
        element,
        count=1,
    )
    return re.sub(r"<metadata>.*?</metadata>", "", element, count=1, flags=re.DOTALL)
