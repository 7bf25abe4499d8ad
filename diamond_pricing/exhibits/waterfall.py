"""The steps of a price, and where it stands in its range: the same on a page and on paper.

Colors are classes for the page and attributes for paper. Widths are units of the drawing,
not pixels: a phone gets a drawing of its own, so that the letters keep their size. Equal
explanations give equal bytes.
"""

from html import escape
from math import log
from typing import NamedTuple

from diamond_pricing.exhibits.exhibit import Figure
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import Stone

# Blue up, orange down: told apart by the color-blind, and by their direction in grey.
FILLS = {"base": "#8a97a5", "up": "#1f6f9f", "down": "#c2622d", "none": "#c9d1d8",
         "total": "#12324a"}  # fmt: skip
ROW, BAR = 34, 22


def waterfall(
    why: PriceExplanation, words: Words = ENGLISH, ends: tuple[str, str] | None = None
) -> Figure:
    """Show how a price is made, step by step from the reference stone's."""
    import pandas as pd

    rows = [
        (line.name, line.label, line.note, line.factor, line.cents, running)
        for line, running in zip(why.lines, why.running, strict=True)
    ]
    frame = pd.DataFrame(
        rows, columns=["line", "label", "compares", "factor", "cents", "running_cents"]
    )
    ends = ends or (words.reference, words.price)
    alt = spoken(why, words)
    return Figure(waterfall_svg(why, words, alt, ends), alt, frame)


def bridge(model: PriceModel, first: Stone, second: Stone, words: Words = ENGLISH) -> Figure:
    """Show why the second stone does not cost what the first does.

    Raises
    ------
    StoneError
        When the model declines one of them.
    """
    why = model.compare(first, second)
    return waterfall(why, words, (words.first, words.second))


def spoken(why: PriceExplanation, words: Words = ENGLISH) -> str:
    """Say every step and the price."""
    steps = ". ".join(why.sentence(line, words) for line in why.lines)
    return f"{steps}. {words.price}: {words.amount(why.cents, why.currency)}."


def waterfall_svg(
    why: PriceExplanation,
    words: Words,
    title: str,
    ends: tuple[str, str],
    *,
    narrow: bool = False,
) -> str:
    """Draw the steps from one end to the other; money without cents."""
    width = 360 if narrow else 690
    margin, right = (4, 4) if narrow else (160, 92)
    row = 46 if narrow else ROW
    running = (0, *why.running)
    low = min(running)  # below nothing, where the second of two stones is much the cheaper
    scale = (width - margin - right) / max(max(running) - low, 1)
    page = _Page(margin, margin - low * scale, width, scale, narrow)
    parts = []
    y = 4
    entries = [
        (words.label(line.name) if i else ends[0], before, after, line.cents, i == 0)
        for i, (line, before, after) in enumerate(
            zip(why.lines, running[:-1], why.running, strict=True)
        )
    ]
    for label, before, after, cents, first in entries:
        kind = "base" if first else "up" if cents > 0 else "down" if cents < 0 else "none"
        amount = words.amount(cents, why.currency, sign=not first, digits=0)
        parts += _bar(label, amount, (before, after), kind, y, page)
        x = page.zero + after * scale
        bottom = y + row + (0 if narrow else 2)
        parts.append(
            f'<line class="c" x1="{x:.1f}" x2="{x:.1f}" y1="{y + row - ROW + BAR + 2}" '
            f'y2="{bottom}" stroke="#9aa6b2" stroke-dasharray="2 3"/>'
        )
        y += row
    amount = words.amount(why.cents, why.currency, digits=0)
    parts += _bar(ends[1], amount, (0, why.cents), "total", y, page)
    name = "narrow" if narrow else "wide"
    return (
        f'<svg class="waterfall {name}" viewBox="0 0 {width} {y + row}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg" font-family="inherit" font-size="13">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


class _Page(NamedTuple):
    """Where labels end, where nothing is, how wide it is and how many units a cent is."""

    margin: int
    zero: float
    width: int
    scale: float
    narrow: bool


def _bar(
    label: str, amount: str, ends: tuple[int, int], kind: str, y: int, page: _Page
) -> list[str]:
    low, high = sorted(ends)
    x, wide = page.zero + low * page.scale, max((high - low) * page.scale, 1.5)
    bold = ' font-weight="bold"' if kind == "total" else ""
    top = y + 16 if page.narrow else y
    rect = (
        f'<rect class="{kind}" x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{BAR}" rx="2" '
        f'fill="{FILLS[kind]}"/>'
    )
    if page.narrow:
        words = (
            f'<text class="l" x="{page.margin}" y="{y + 11}"{bold}>{escape(label)}</text>'
            f'<text class="v" x="{page.width - 4}" y="{y + 11}" text-anchor="end"{bold}>'
            f"{escape(amount)}</text>"
        )
    else:
        end = x + wide + 7
        words = (
            f'<text class="l" x="{page.margin - 12}" y="{y + 16}" text-anchor="end"{bold}>'
            f"{escape(label)}</text>"
            f'<text class="v" x="{end:.1f}" y="{y + 16}"{bold}>{escape(amount)}</text>'
        )
    return [rect, words]


def band_svg(low: float, price: float, high: float) -> str:
    """Draw where a price stands between the ends of its range, on a scale of ratios."""
    share = (log(price) - log(low)) / (log(high) - log(low)) if high > low > 0 else 0.5
    x = 4 + 292 * min(max(share, 0.0), 1.0)
    return (
        '<svg class="band" viewBox="0 0 300 18" aria-hidden="true" '
        'xmlns="http://www.w3.org/2000/svg">'
        '<rect class="track" x="4" y="6" width="292" height="6" rx="3" fill="#c9dbe6"/>'
        f'<rect class="mark" x="{x - 2:.1f}" y="1" width="4" height="16" rx="2" '
        'fill="#12324a"/></svg>'
    )
