"""From messages to prices and back: everything about a quote but HTTP and storage."""

from diamond_pricing.errors import StoneError
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.web.messages import (
    Amounts,
    LineOut,
    PriceOut,
    QuoteIn,
    ReasonOut,
    StoneIn,
    VerdictOut,
    stone_of,
)
from diamond_pricing.web.problems import of_stone


def priced(model: PriceModel, asked: QuoteIn) -> PriceOut:
    """Price a stone and say why.

    Raises
    ------
    Problem
        When it is no stone, or one that the model declines; fields are named.
    """
    reference = None
    if asked.reference is not None:
        try:
            reference = stone_of(asked.reference)
            model.explain(reference)
        except StoneError as error:
            raise of_stone(error, "/reference") from error
    try:
        why = model.explain(stone_of(asked), listing=asked.listing, reference=reference)
        return answered(why, model, asked.level)
    except StoneError as error:
        raise of_stone(error) from error


def compared(model: PriceModel, first: StoneIn, second: StoneIn, level: float) -> PriceOut:
    """Say why the second stone does not cost what the first does; errors as `priced`."""
    stones = []
    for where, given in (("/first", first), ("/second", second)):
        try:
            stones.append(stone_of(given))
            model.explain(stones[-1])
        except StoneError as error:
            raise of_stone(error, where) from error
    return answered(model.compare(*stones), model, level)


def answered(why: PriceExplanation, model: PriceModel, level: float) -> PriceOut:
    """An explanation as it is sent."""
    found = why.range(level)
    lines = []
    for line, running in zip(why.lines, why.running, strict=True):
        low, high = line.factor_range()
        lines.append(
            LineOut(
                line.name, line.label, line.factor, low, high, line.cents, running,
                why.sentence(line),
            )
        )  # fmt: skip
    verdict = why.verdict
    reasons = [ReasonOut(r.code, r.attribute, r.message, r.remedy) for r in verdict.reasons]
    return PriceOut(
        stone=why.stone.given(), reference=why.reference.given(), listing=why.listing,
        price=why.price, cents=why.cents, currency=why.currency, effective=why.effective,
        range=found and Amounts(level, round(found[0], 2), round(found[1], 2)),
        verdict=VerdictOut(verdict.status, reasons), lines=lines, model=model.sha256,
    )  # fmt: skip
