"""The steps of a price and where it stands in its range: drawings, tables and a whole page.

Colors are classes for the page and attributes for paper. Widths are units of the drawing,
not pixels: a phone gets a drawing of its own, so that the letters keep their size. Equal
explanations give equal bytes.
"""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import accumulate
from math import log
from string import Template
from typing import NamedTuple

from diamond_pricing.exhibits.exhibit import Figure, Table, frame_of, table
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.details import REFERENCE
from diamond_pricing.model.explanation import reasons_html
from diamond_pricing.model.money import written
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import MEASURES, Stone

# Blue up, orange down: told apart by the color-blind, and by their direction in grey.
FILLS = {"base": "#8a97a5", "up": "#1f6f9f", "down": "#c2622d", "total": "#12324a"}
ROW, BAR = 34, 22
LEAST = 50  # cents that are drawn
SMALL = 0.003  # of the price; smaller lines are drawn as one
BINS, TALL = 24, 34  # of the histogram of like sales


def waterfall(
    why: PriceExplanation, words: Words = ENGLISH, ends: tuple[str, str] | None = None
) -> Figure:
    """Show how a price is made, step by step from the reference stone's."""
    rows = [
        (line.name, line.label, line.note, line.factor, line.cents, running)
        for line, running in zip(why.lines, why.running, strict=True)
    ]
    frame = frame_of(
        rows, columns=["line", "label", "compares", "factor", "cents", "running_cents"]
    )
    alt = spoken(why, words)
    svg = waterfall_svg(why, words, alt, ends or (words.reference, words.price))
    return Figure(svg, alt, frame)


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
    steps = _folded(why, words, ends[0])
    running = (0, *accumulate(cents for _, cents in steps))
    low = min(running)  # below nothing, where the second of two stones is much the cheaper
    scale = (width - margin - right) / max(max(running) - low, 1)
    page = _Page(margin, margin - low * scale, width, scale, narrow)
    parts, y = [], 4
    for i, (label, cents) in enumerate(steps):
        before, after, first = running[i], running[i + 1], i == 0
        kind = "base" if first else "up" if cents > 0 else "down"
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


def _folded(why: PriceExplanation, words: Words, first: str) -> list[tuple[str, int]]:
    """The labels and cents of the lines, those under 0.3 % of the price as one."""
    reference, *lines = why.lines
    small = [line for line in lines if abs(line.cents) < SMALL * why.cents]
    large = [(words.label(line.name), line.cents) for line in lines if line not in small]
    other = sum(line.cents for line in small)
    rest = [(words.other, other)] if abs(other) >= LEAST else []
    return [(first, reference.cents), *large, *rest]


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


def band_svg(
    low: float, price: float, high: float, ends: tuple[str, str], like: Sequence[float] = ()
) -> str:
    """Draw the range of a price with its ends, over a histogram of like sales.

    The scale is of ratios; the range takes the middle two thirds of it.

    Parameters
    ----------
    ends : tuple[str, str]
        The two ends as amounts.
    like : Sequence[float]
        Prices of like sales, each adjusted to the stone.
    """
    wide = log(high / low) if high > low > 0 else 1.0
    start = log(low) - wide / 4

    def at(amount: float) -> float:
        return 4 + 292 * min(max((log(amount) - start) / (1.5 * wide), 0.0), 1.0)

    counts = [0] * BINS
    for x in map(at, like):
        counts[min(int((x - 4) / 292 * BINS), BINS - 1)] += 1
    most, step, base = max(counts), 292 / BINS, (TALL if like else 0) + 4
    bars = "".join(
        f'<rect class="like" x="{4 + i * step + 0.5:.1f}" y="{base - TALL * n / most:.1f}" '
        f'width="{step - 1:.1f}" height="{TALL * n / most:.1f}" fill="#c9d1d8"/>'
        for i, n in enumerate(counts)
        if n
    )
    a, x, b = at(low), at(price), at(high)
    return (
        f'<svg class="band" viewBox="0 0 300 {base + 26}" aria-hidden="true" '
        'xmlns="http://www.w3.org/2000/svg" font-family="inherit" font-size="11">'
        f'{bars}<rect class="track" x="{a:.1f}" y="{base + 2}" width="{b - a:.1f}" height="6" '
        f'rx="3" fill="#c9dbe6"/><rect class="mark" x="{x - 2:.1f}" y="{max(base - 6, 0)}" '
        f'width="4" height="{16 if like else 12}" rx="2" fill="#12324a"/>'
        f'<text class="l" x="{a:.1f}" y="{base + 22}" text-anchor="middle">{escape(ends[0])}'
        f'</text><text class="l" x="{b:.1f}" y="{base + 22}" text-anchor="middle">'
        f"{escape(ends[1])}</text></svg>"
    )


def explanation_page(why: PriceExplanation) -> str:
    """Write the page for an explanation; it asks no other host for anything."""
    page = (files("diamond_pricing.exhibits") / "explanation.html").read_text(encoding="utf-8")
    texts = {
        "stone": str(why.stone),
        "price": written(why.cents, why.currency),
        "money": why.money,
        "reference": str(why.reference),
        "unrecorded": ENGLISH.unrecorded([line.name for line in why.lines]),
        "model": why.model,
    }
    return Template(page).substitute(
        {name: escape(text) for name, text in texts.items()},
        picture=waterfall_svg(why, ENGLISH, spoken(why), (ENGLISH.reference, ENGLISH.price)),
        reasons=reasons_html(why),
    )


def reasons(
    why: PriceExplanation,
    words: Words = ENGLISH,
    heads: Sequence[str] = ("Because of", "Compared", "Factor", "Amount"),
) -> Table:
    """Each line: what it is of, what it compares, its factor and amount; the price last."""
    rows = []
    for line in why.lines:
        first = line.name == REFERENCE
        rows.append(
            (
                words.label(line.name),
                why.details.note(line.name, words),
                "" if first else f"×{words.number(f'{line.factor:.3f}')}",
                words.amount(line.cents, why.currency, sign=not first),
            )
        )
    rows.append((words.price, "", "", words.amount(why.cents, why.currency)))
    return table(rows, {heads[0]: None, heads[1]: None, heads[2]: str, heads[3]: str})


def measures_text(stone: Stone, words: Words = ENGLISH) -> str:
    """The measures of a stone that are known, in words."""
    given = stone.given()
    return ", ".join(
        f"{words.attribute(m.name).lower()} {words.number(f'{given[m.name]:g}')} {m.unit}"
        for m in MEASURES
        if not m.required and m.name in given
    )
