"""From messages to prices and back: everything about an answer but HTTP and storage."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import log
from typing import TYPE_CHECKING, Any

import msgspec

from diamond_pricing.errors import FitError, StoneError
from diamond_pricing.exhibits import priced_cells
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.explanation import RANGE
from diamond_pricing.model.market import By, market_index
from diamond_pricing.model.support import seen_grade
from diamond_pricing.model.words import LANGUAGES, Words
from diamond_pricing.stones import ATTRIBUTES, GRADES, LISTING, OTHERS, Grade, Stone, Stones
from diamond_pricing.stones.trade import graded
from diamond_pricing.web.messages import (
    LEVEL,
    MOST,
    Amounts,
    CellOut,
    ComparableOut,
    ComparablesOut,
    ComparisonOut,
    IndexOut,
    LineOut,
    MatrixOut,
    PairIn,
    PeriodOut,
    PriceListOut,
    QuoteIn,
    QuoteOut,
    ReasonOut,
    StepOut,
    StoneIn,
    VerdictOut,
    WhatIfOut,
    stone_of,
)
from diamond_pricing.web.problems import Fault, ProblemError, of_stone
from diamond_pricing.web.storage.ledger import StoredQuote

if TYPE_CHECKING:
    from diamond_pricing.validation import Evidence

FARTHEST = 1.35  # ratio of weights that is still a step
CELLS = 5_000  # of one price list
MATRIX = (0.3, 0.4, 0.5, 0.7, 0.9, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)
CARATS = (0.3, 0.4, 0.5, 0.7, 0.9, 1.0, 1.25, 1.5, 2.0)  # of a list that names none


def priced(model: PriceModel, asked: QuoteIn) -> PriceExplanation:
    """Price a stone and say why.

    Raises
    ------
    ProblemError
        When it is no stone, or one that the model declines; fields are named.
    """
    if not 0 < asked.level <= MOST:
        text = f"level must be over 0 and at most {MOST:g}, not {asked.level:g}."
        fault = Fault(text, "/level", "level_not_possible", asked.level, MOST, [0, MOST])
        raise ProblemError("impossible_value", text, [fault])
    reference = None
    if asked.reference is not None:
        reference = _priceable(model, asked.reference, "/reference")
    if asked.carry_forward:
        try:
            model = model.carry_forward()
        except FitError as error:
            fault = Fault(str(error), "/carry_forward", "impossible_value", True)
            raise ProblemError("impossible_value", str(error), [fault]) from error
    try:
        why = model.explain(stone_at(asked), listing=asked.listing, reference=reference)
        if asked.level != LEVEL:  # one that too few errors were measured for is refused
            range_of(why, asked.level)
    except StoneError as error:
        raise of_stone(error) from error
    return why


class KeptQuote(msgspec.Struct, frozen=True):
    """A quote that is kept, and its price worked out again."""

    stored: StoredQuote
    asked: QuoteIn
    model: PriceModel
    why: PriceExplanation


def range_of(why: PriceExplanation, level: float) -> tuple[float, float] | None:
    """The range at a level; at the usual one there may be none."""
    return why.range(None if level == LEVEL else level)


def quoted(
    why: PriceExplanation, model: PriceModel, asked: QuoteIn, stored: StoredQuote | None = None
) -> QuoteOut:
    """An explanation as it is sent; without ``stored`` it is no quote."""
    told = _told(why, model, asked.level, asked.language, asked.line_ranges)
    return QuoteOut(
        id=stored.id if stored else None,
        number=stored.label if stored else None,
        created=stored.created if stored else None,
        valid_until=(stored.valid_until if stored else None) or None,
        client=asked.client,
        client_reference=asked.client_reference,
        report_number=asked.report_number,
        metadata=asked.metadata,
        **told,
    )


def compared(model: PriceModel, asked: PairIn) -> ComparisonOut:
    """Say why the second stone does not cost what the first does; errors as `priced`."""
    first = _priceable(model, asked.first, "/first")
    second = _priceable(model, asked.second, "/second")
    try:
        why = model.compare(first, second, listing=asked.listing)
        range_of(why, asked.level)
    except StoneError as error:
        raise of_stone(error) from error
    told = _told(why, model, asked.level, asked.language, asked.line_ranges)
    return ComparisonOut(difference_cents=why.cents - why.lines[0].cents, **told)


def comparables(evidence: "Evidence", model: PriceModel) -> ComparablesOut:
    """Sales like a stone as they are sent."""
    return ComparablesOut(
        price=evidence.price,
        **{
            name: round(getattr(evidence, name), 2) if evidence.comparables else None
            for name in ("median", "low", "high")
        },
        currency=model.training.currency,
        effective=model.training.effective,
        comparables=[
            ComparableOut(c.stone.given(), c.price, round(c.adjusted, 2), c.factors, c.distance)
            for c in evidence.comparables
        ],
        model=model.sha256,
    )


def stone_at(given: StoneIn | QuoteIn, where: str = "") -> Stone:
    """The stone at a place of the body; every field at fault is named."""
    try:
        return stone_of(given)
    except StoneError as error:
        first = of_stone(error, where)
        faults: list[Fault] = []
        for name, attribute in ATTRIBUTES.items():
            value = getattr(given, name, None)
            if value is None or name == LISTING.name:
                continue
            try:
                attribute.read(value)
            except StoneError as other:
                faults += of_stone(other, where).faults
        raise ProblemError(first.code, first.detail, faults or first.faults) from error


def _priceable(model: PriceModel, given: StoneIn, where: str) -> Stone:
    stone = stone_at(given, where)
    try:
        model.explain(stone)
    except StoneError as error:
        raise of_stone(error, where) from error
    return stone


# ------------------------------------------------------------------------- steps


def steps_from(model: PriceModel, stone: Stone) -> list[tuple[str, Stone]]:
    """The stones one step away that the model prices, and the attribute of each step.

    One grade up or down; the next weight that prices jump at, and the weight just under the
    last one. Measurements stay as they are; with another weight those of the size are left
    out, as they would contradict it.
    """
    near: list[tuple[str, Stone]] = []
    others = [o for o in OTHERS if o.name in model.lines and isinstance(o, Grade) and o.ordered]
    for grade in (*GRADES, *others):
        seen = list(model.training.grades.get(grade.name, {}))
        given = getattr(stone, grade.name)
        if given in seen:
            place = seen.index(given)
            near += [
                (grade.name, _changed(stone, grade.name, seen[other]))
                for other in (place - 1, place + 1)
                if 0 <= other < len(seen)
            ]
    jumps = model.magic_weights
    above = [weight for weight in jumps if weight > stone.carat]
    below = [weight for weight in jumps if weight <= stone.carat]
    weights = above[:1] + [round(weight - 0.01, 2) for weight in below[-1:]]
    near += [
        ("carat", _changed(stone, "carat", weight))
        for weight in weights
        if FARTHEST > weight / stone.carat > 1 / FARTHEST
    ]
    return [
        (name, s)
        for name, s in near
        if s.carat != 0 and not s.problems() and model.supports(Stones.of([s]))[0]
    ]


def _changed(stone: Stone, name: str, value: float | str) -> Stone:
    given = stone.given() | {name: value}
    if name == "carat":
        given = {key: v for key, v in given.items() if key not in ("x", "y", "z")}
    return Stone(**given)  # type: ignore[arg-type]


def stepped(model: PriceModel, stone: Stone, listing: str, words: Words) -> WhatIfOut:
    """Price the steps from a stone, those that change the price most first."""
    try:
        here = model.explain(stone, listing=listing)
    except StoneError as error:
        raise of_stone(error, "/stone") from error
    steps = []
    for name, other in steps_from(model, stone):
        there = model.explain(other, listing=listing)
        label, more = words.attribute(name), there.cents - here.cents
        before, after = getattr(stone, name), getattr(other, name)
        told = words.rather.format(here=step_text(after, words), there=step_text(before, words))
        told = f"{label} {told}: {words.amount(more, here.currency, sign=True, digits=0)}"
        given = other.given()
        steps.append(StepOut(name, label, before, after, given, there.cents, more, told))
    steps.sort(key=lambda step: -abs(step.difference_cents))
    return WhatIfOut(
        stone.given(), here.cents, here.currency, here.effective, steps, model.sha256
    )


def step_text(value: float | str, words: Words) -> str:
    """A weight or grade in words."""
    return words.carats(value) if isinstance(value, float) else str(value)


# --------------------------------------------------------------------- price list


def price_list(
    model: PriceModel, cut: str, carats: list[float], colors: list[str], clarities: list[str]
) -> PriceListOut:
    """Prices of all combinations; those without sales behind them have none.

    Raises
    ------
    ProblemError
        For a weight or grade that is none, or a list of more than ``CELLS`` cells.
    """
    seen = model.training.grades
    try:
        colors, clarities = (
            list(dict.fromkeys(graded(name).read(grade) for grade in given))
            or [*seen[name]][::-1]
            for name, given in (("color", colors), ("clarity", clarities))
        )
        read = ATTRIBUTES["carat"].read
        weights = [float(read(weight)) for weight in carats or _known(model, CARATS)]
        weights = list(dict.fromkeys(weights))
        cut = seen_grade("cut", cut or [*seen["cut"]][-1], model.training)
    except StoneError as error:
        raise of_parameter(error) from error
    cells = list(product(weights, colors, clarities))
    if len(cells) > CELLS:
        text = f"{len(cells):,} cells are too many; a list has at most {CELLS:,}."
        raise ProblemError("bad_request", text)
    stones = Stones.of([model.alike(carat, cut, *grades) for carat, *grades in cells])
    found = priced_cells(model, stones)
    columns = (found[name].tolist() for name in ("price", "low", "high", "support"))
    out = []
    for (weight, color, clarity), *amounts, near in zip(cells, *columns, strict=True):
        price, low, high = (_rounded(amount) for amount in amounts)
        each = None if price is None else round(price / weight, 2)
        out.append(CellOut(weight, color, clarity, price, each, low, high, int(near)))
    t = model.training
    return PriceListOut(
        cut, t.currency, t.effective, weights, colors, clarities, out, model.sha256
    )


def price_matrix(model: PriceModel, cut: str) -> MatrixOut:
    """Prices per carat at those weights of the open feed that the model knows."""
    found = price_list(model, cut, _known(model, MATRIX), [], [])
    cells = {(c.carat, c.color, c.clarity): c.per_carat for c in found.cells}
    rows, columns = found.colors, found.clarities
    logs = {
        f"{weight:.1f}": [
            None if (per := cells[weight, *grades]) is None else round(log(per), 6)
            for grades in product(rows, columns)
        ]
        for weight in found.carats
    }
    shape, when = [len(rows), len(columns)], found.effective
    return MatrixOut(logs, rows, columns, shape, when, found.cut, found.currency, found.model)


def index_of(
    model: PriceModel, by: By, shape: str, carat: float | None, published: Mapping[str, float]
) -> IndexOut:
    """What the market did, by the dates of the sales."""
    if model.dates is None:
        raise ProblemError("not_dated", "The sales of this model have no dates: no index.")
    try:
        of: dict[str, Any] = model.reference.given() | ({"shape": shape} if shape else {})
        of |= {} if carat is None else {"carat": carat}
        periods = market_index(model, by, of=Stone(**of), level=RANGE)
    except StoneError as error:
        raise of_parameter(error) from error
    once = {} if shape or carat is not None else published
    told = [
        PeriodOut(p.period, p.sales, p.index, p.low, p.high, _rounded(once.get(p.period)))
        for p in periods
    ]
    return IndexOut(by, RANGE, told, model.sha256)


def dated(model: PriceModel, as_of: str) -> PriceModel:
    """The model as of a day, if one is asked for."""
    try:
        return model.as_of(as_of) if as_of else model
    except FitError as error:
        fault = Fault(str(error), parameter="as_of", given=as_of[:40])
        raise ProblemError("not_dated", str(error), [fault]) from error
    except StoneError as error:
        raise of_parameter(error, "as_of") from error


def _known(model: PriceModel, weights: Sequence[float]) -> list[float]:
    """Those weights that the model knows."""
    low, high = model.training.ranges["carat"]
    return [weight for weight in weights if low <= weight <= high]


def of_parameter(error: StoneError, name: str = "") -> ProblemError:
    """A problem of a query parameter, which has no JSON pointer."""
    found, name = of_stone(error), name or error.attribute
    replace = msgspec.structs.replace
    faults = [replace(fault, pointer="", parameter=name) for fault in found.faults]
    return ProblemError(found.code, found.detail, faults)


# ------------------------------------------------------------------------ answers


def _told(
    why: PriceExplanation, model: PriceModel, level: float, language: str, line_ranges: bool
) -> dict[str, Any]:
    words = LANGUAGES[language]
    found = range_of(why, level)
    lines = []
    for line, running in zip(why.lines, why.running, strict=True):
        label, limits = words.label(line.name), line.factor_range() if line_ranges else None
        said = why.sentence(line, words)
        lines.append(LineOut(line.name, label, line.factor, limits, line.cents, running, said))
    verdict = why.verdict
    reasons = [ReasonOut(r.code, r.attribute, r.message, r.remedy) for r in verdict.reasons]
    cents = why.cents
    return {
        "stone": why.stone.given(),
        "reference": why.reference.given(),
        "listing": why.listing,
        "price": cents / 100,
        "cents": cents,
        "currency": why.currency,
        "effective": why.effective,
        "range": found and Amounts(level, round(found[0], 2), round(found[1], 2)),
        "verdict": VerdictOut(verdict.status, reasons),  # type: ignore[arg-type]
        "lines": lines,
        "model": model.sha256,
        "not_counted": list(why.not_counted),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or value != value else round(value, 2)
