"""An explanation as the templates show it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from diamond_pricing.exhibits import band_svg, measures_text, waterfall_svg
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.details import REFERENCE
from diamond_pricing.model.verdict import FEW
from diamond_pricing.model.words import Words
from diamond_pricing.web.page.phrases import TEXTS, amount_text, count_text
from diamond_pricing.web.pricing import range_of


def shown(
    why: PriceExplanation,
    model: PriceModel,
    words: Words,
    level: float,
    *,
    pair: bool = False,
    full: bool = True,
    like: Sequence[float] = (),
) -> dict[str, Any]:
    """Say everything in the words and numbers of one language; drawings are markup.

    A ``pair`` goes from one stone to another; a ``full`` page has comparable sales too, and
    draws ``like``, their prices adjusted to the stone.
    """
    t = TEXTS[words.code]
    ends = [t["first_stone"], t["second_stone"]] if pair else [words.reference, t["price"]]
    notes = msgspec.structs.replace(words, same=t["same_in_both"]) if pair else words
    price = words.amount(why.cents, why.currency, digits=0)
    found = range_of(why, level)
    told, drawn = "", Markup("")
    if found is not None:
        low, high = (amount_text(end, why.currency, words) for end in found)
        told = t["range"].format(level=f"{100 * level:g}", low=low, high=high)
        drawn = Markup(band_svg(found[0], why.price, found[1], (low, high), like))  # noqa: S704  our own drawing
    drawings = [
        Markup(waterfall_svg(why, words, t["how"], (ends[0], ends[1]), narrow=narrow))  # noqa: S704  likewise
        for narrow in (False, True)
    ]
    per_carat = words.amount(round(why.cents / why.stone.carat), why.currency, digits=0)
    return {
        "kind": f"{words.kind(why.stone)}, {words.carats(why.stone.carat)} {why.stone.graded}",
        "per_carat": t["a_carat"].format(amount=per_carat),
        "stone": words.stone(why.stone),
        "measures": measures_text(why.stone, words),
        "reference": words.stone(why.reference),
        "price": price,
        "exact": words.amount(why.cents, why.currency),
        "range": told,
        "band": drawn,
        "verdict": why.verdict.status,
        "verdict_text": verdict_text(why, model, words, full=full and not pair),
        "caption": t["why_difference" if pair else "why"].format(amount=price),
        "last": ends[1],
        "wide": drawings[0],
        "narrow": drawings[1],
        "lines": [
            {
                "label": ends[0] if line.name == REFERENCE else words.label(line.name),
                "note": why.details.note(line.name, notes),
                "change": "" if line.name == REFERENCE else _change(line.factor, words),
                "amount": words.amount(line.cents, why.currency, sign=line.name != REFERENCE),
            }
            for line in why.lines
        ],
    }


def _change(factor: float, words: Words) -> str:
    """A factor as people say it: ``+81 %``, with a decimal where it is small."""
    change = 100 * (factor - 1)
    text = f"{abs(change):.0f}" if abs(change) >= 10 else f"{abs(change):.1f}"
    sign = "" if float(text) == 0 else "+" if change > 0 else "−"
    return f"{sign}{words.number(text)} %"


def verdict_text(why: PriceExplanation, model: PriceModel, words: Words, *, full: bool) -> str:
    """How sure the price is."""
    if model.support is None:
        return ""
    near = model.support.near_one(why.stone)
    name = "supported" if near >= FEW else "thin_support" if full else "thin_short"
    text = TEXTS[words.code][f"{name}_one" if near == 1 else name]
    return text.format(count=count_text(near, words))
