"""From messages to prices and back: everything about an answer but HTTP and storage."""

from collections.abc import Mapping
from itertools import product
from math import log
from typing import TYPE_CHECKING, Any

from diamond_pricing.errors import FitError, StoneError
from diamond_pricing.exhibits import priced_cells
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.explanation import RANGE
from diamond_pricing.model.market import By, market_index
from diamond_pricing.model.words import LANGUAGES, Words
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    MEASURES,
    OTHERS,
    Grade,
    Stone,
    Stones,
)
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

_CARAT = next(measure for measure in MEASURES if measure.name == "carat")
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


def range_of(why: PriceExplanation, level: float) -> tuple[float, float] | None:
    """The range at a level; at the usual one there may be none."""
    return why.range(None if level == LEVEL else level)


def quoted(
    why: PriceExplanation, model: PriceModel, asked: QuoteIn, stored: StoredQuote | None = None
) -> QuoteOut:
    """An explanation as it is sent; without ``stored`` it is no quote."""
    told = _told(why, model, asked.level, asked.language, asked.line_ranges)
    at: tuple[str | None, ...] = (None,) * 4
    if stored is not None:
        at = (stored.id, stored.label, stored.created, stored.valid_until or None)
    return QuoteOut(
        id=at[0],
        number=at[1],
        created=at[2],
        valid_until=at[3],
        client=asked.client,
        client_reference=asked.client_reference,
        report_number=asked.report_number,
        metadata=asked.metadata,
        **told,
    )


def compared(model: PriceModel, asked: PairIn) -> ComparisonOut:
    """Say why the second stone does not cost what the first does; errors as `priced`."""
    first, second = (
        _priceable(model, given, where)
        for where, given in (("/first", asked.first), ("/second", asked.second))
    )
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
    return [(name, s) for name, s in near if s.carat != 0 and _fine(model, s)]


def _changed(stone: Stone, name: str, value: float | str) -> Stone:
    given = stone.given() | {name: value}
    if name == "carat":
        given = {key: v for key, v in given.items() if key not in ("x", "y", "z")}
    return Stone(**given)  # type: ignore[arg-type]


def _fine(model: PriceModel, stone: Stone) -> bool:
    return not stone.problems() and bool(model.supports(Stones.of([stone]))[0])


def stepped(model: PriceModel, stone: Stone, listing: str, words: Words) -> WhatIfOut:
    """Price the steps from a stone, those that change the price most first."""
    try:
        here = model.explain(stone, listing=listing)
    except StoneError as error:
        raise of_stone(error, "/stone") from error
    steps = []
    for name, other in steps_from(model, stone):
        there = model.explain(other, listing=listing)
        more = there.cents - here.cents
        before, after = getattr(stone, name), getattr(other, name)
        texts = [words.carats(v) if isinstance(v, float) else str(v) for v in (after, before)]
        told = words.rather.format(here=texts[0], there=texts[1])
        amount = words.amount(more, here.currency, sign=True, digits=0)
        label = words.attribute(name)
        steps.append(
            StepOut(
                name,
                label,
                before,
                after,
                other.given(),
                there.cents,
                more,
                f"{label} {told}: {amount}",
            )
        )
    steps.sort(key=lambda step: -abs(step.difference_cents))
    return WhatIfOut(
        stone.given(), here.cents, here.currency, here.effective, steps, model.sha256
    )


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
        wanted = {
            name: list(dict.fromkeys(_grade(name).read(g) for g in given))
            or [*seen[name]][::-1]
            for name, given in (("color", colors), ("clarity", clarities))
        }
        weights = list(dict.fromkeys(_CARAT.read(w) for w in carats or _usual(model)))
        cut = _grade("cut").read(cut or [*seen["cut"]][-1])
    except StoneError as error:
        raise of_parameter(error) from error
    if cut not in seen["cut"]:
        raise of_parameter(
            StoneError(
                f"cut {cut} has not been seen; this model knows {', '.join(seen['cut'])}.",
                attribute="cut",
                given=cut,
            )
        )
    cells = list(product(weights, wanted["color"], wanted["clarity"]))
    if len(cells) > CELLS:
        raise ProblemError(
            "bad_request", f"{len(cells):,} cells are too many; a list has at most {CELLS:,}."
        )
    stones = Stones.of([model.alike(carat, cut, *grades) for carat, *grades in cells])
    found = priced_cells(model, stones)
    columns = (found[name].tolist() for name in ("price", "low", "high", "support"))
    out = []
    for (carat, color, clarity), p, a, b, near in zip(cells, *columns, strict=True):
        price = _plain(p)
        per_carat = None if price is None else round(price / carat, 2)
        out.append(
            CellOut(carat, color, clarity, price, per_carat, _plain(a), _plain(b), int(near))
        )
    return PriceListOut(
        cut,
        model.training.currency,
        model.training.effective,
        weights,
        wanted["color"],
        wanted["clarity"],
        out,
        model.sha256,
    )


def price_matrix(model: PriceModel, cut: str) -> MatrixOut:
    """Prices per carat at those weights of the open feed that the model knows."""
    low, high = model.training.ranges["carat"]
    weights = [weight for weight in MATRIX if low <= weight <= high]
    found = price_list(model, cut, weights, [], [])
    cells = {(c.carat, c.color, c.clarity): c.per_carat for c in found.cells}
    logs = {
        f"{weight:.1f}": [
            None if (per := cells[weight, r, c]) is None else round(log(per), 6)
            for r in found.colors
            for c in found.clarities
        ]
        for weight in found.carats
    }
    return MatrixOut(
        logs,
        found.colors,
        found.clarities,
        [len(found.colors), len(found.clarities)],
        found.effective,
        found.cut,
        found.currency,
        found.model,
    )


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
        PeriodOut(p.period, p.sales, p.index, p.low, p.high, _two_places(once.get(p.period)))
        for p in periods
    ]
    return IndexOut(by, RANGE, told, model.sha256)


def _two_places(index: float | None) -> float | None:
    return None if index is None else round(index, 2)


def dated(model: PriceModel, as_of: str) -> PriceModel:
    """The model as of a day, if one is asked for."""
    try:
        return model.as_of(as_of) if as_of else model
    except FitError as error:
        fault = Fault(str(error), parameter="as_of", given=as_of[:40])
        raise ProblemError("not_dated", str(error), [fault]) from error
    except StoneError as error:
        raise of_parameter(error, "as_of") from error


def _usual(model: PriceModel) -> list[float]:
    low, high = model.training.ranges["carat"]
    return [weight for weight in CARATS if low <= weight <= high]


def _grade(name: str) -> Grade:
    grade = ATTRIBUTES[name]
    assert isinstance(grade, Grade)
    return grade


def of_parameter(error: StoneError, name: str = "") -> ProblemError:
    """A problem of a query parameter, which has no JSON pointer."""
    found = of_stone(error)
    faults = [
        Fault(
            f.message,
            "",
            f.code,
            f.given,
            f.nearest,
            f.allowed,
            parameter=name or error.attribute,
        )
        for f in found.faults
    ]
    return ProblemError(found.code, found.detail, faults)


# ------------------------------------------------------------------------ answers


def _told(
    why: PriceExplanation, model: PriceModel, level: float, language: str, line_ranges: bool
) -> dict[str, Any]:
    words = LANGUAGES[language]
    found = range_of(why, level)
    lines = [
        LineOut(
            line.name,
            words.label(line.name),
            line.factor,
            line.factor_range() if line_ranges else None,
            line.cents,
            running,
            why.sentence(line, words),
        )
        for line, running in zip(why.lines, why.running, strict=True)
    ]
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


def _plain(value: float | None) -> float | None:
    return None if value is None or value != value else round(value, 2)
