"""What the monotone additive model is made of: its terms, and how finely each may bend.

The trade quotes diamonds on a grid of weight band by color by clarity; the terms follow it.
A curve over weight is bent by cut, color and clarity, the jump at each magic weight differs
by grade, and proportions count by cut. What differs between the two price lists stands
beside it, times a contrast. Every term is centred on its margins, so that each adds only
what smaller terms could not say. docs/explanation/experiments.md tells what was tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, prod
from typing import Any

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.engine.design import Design, Margin, learned, sheets
from diamond_pricing.fitting.engine.tables import axis, coded, columns, rows_of, taken
from diamond_pricing.fitting.recipe import SPREAD, WEIGHT
from diamond_pricing.stones import ATTRIBUTES, LISTING, Day, Grade, Measure, Stones
from diamond_pricing.stones.attributes import parts_of_calendar
from diamond_pricing.stones.kinds import KINDS
from diamond_pricing.stones.trade import OTHERS, graded
from diamond_pricing.terms import (
    AnyBasis,
    Averages,
    Contrast,
    Levels,
    Periods,
    Spline,
    Steps,
    looked_up,
    parse,
)
from diamond_pricing.terms.basis import UNRECORDED, codes_to_positions

# The bands of the price grid itself.
BANDED = (0.30, 0.33, 0.35, 0.38, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 1.0, 1.2, 1.5, 1.7, 2.0)
# Weights that sellers cut to: below each there are few stones, at it there are many. All
# bands are among them, so that no stone need be cheaper for having reached the next.
MAGIC = tuple(sorted((*BANDED, 0.75, 1.25, 2.5, 3.0)))
# What the trade sells apart: a market of small stones may fall while that of large ones rises.
SEGMENTS = (0.50, 1.0, 1.5, 2.0)
HEAVIEST_HUNDREDTH = 1.3  # carats; heavier stones are too few for a step of their own
FEWEST_BESIDE = 20  # sales on either side of a magic weight
SALES_PER_COLUMN = 2  # of an interaction, at least; few sales are left with few terms

RATIO = "log(max(x, y) / min(x, y))"  # how far from round
LENGTH_TO_WIDTH = "ratio"  # the attribute that says the same
DENSITY = "log(carat / (x * y * z))"  # weight in its box
SHAPES = "shape"  # the attribute that says the outline
STATED = "log(200 * z / ((x + y) * depth))"  # measured against stated depth
SHAPE = ("depth", "table", SPREAD, RATIO, DENSITY, STATED)
OUTSIDE = 0.001  # share of the sales at either end over which a curve of proportions is level

MOST_MONTHS = 60  # with a level of their own; a longer history has longer periods

# Expression, B-splines, and the degree if not 3; or a date, months of a period, and 0.
Curve = tuple[str, int] | tuple[str, int, int]
Part = str | Curve

PARTED: dict[Part, tuple[float, ...]] = {"magic": MAGIC, "bands": BANDED, "segments": SEGMENTS}
FEWEST_SPLINES = 4  # as many as a cubic has coefficients
SPECIAL = ("magic", "bands", "segments", "hundredths", "contrast")
MANY = 15_000  # sales from which curves may bend more


def structure(
    many: bool,
    shape: Sequence[str],
    lists: bool,
    others: Sequence[str] = (),
    pairs: Sequence[tuple[str, str]] = (),
) -> list[tuple[Part, ...]]:
    """Give the terms: tuples of attributes, curves and the parts of `_basis`.

    Each of the ``others``, further attributes of the trade, has an effect of its own, and what
    stones of each shape are worth depends on all else. The ``pairs`` of a further grade and
    what bends it are those that the sales show.
    """

    def curve(text: str, fine: int, coarse: int) -> Curve:
        return (text, fine if many else coarse)

    weight = partial(curve, WEIGHT)

    terms: list[tuple[Part, ...]] = [
        (weight(40, 25),),
        ("magic",),
        ("cut",),
        ("color",),
        ("clarity",),
        (weight(14, 8), "color"),
        (weight(14, 8), "clarity"),
        (weight(10, 7), "cut"),
        ("magic", "color"),
        ("magic", "clarity"),
        ("magic", "cut"),
        ("color", "clarity"),
        ("bands", "color", "clarity"),
        ("cut", "color"),
        ("cut", "clarity"),
    ]
    if many:
        terms.append(("hundredths",))
    for text in shape:
        terms.append((curve(text, 14, 10),))
        if text != RATIO:
            terms.append((curve(text, 8, 6), "cut"))
    for name in others:
        if isinstance(ATTRIBUTES[name], Day):
            month = (name, 1, 0)
            kinds = ["segments", *(kind for kind in KINDS if kind in others)]
            terms += [(month,), *((month, kind) for kind in kinds)]
            continue
        if isinstance(ATTRIBUTES[name], Measure):
            terms.append((curve(name, 14, 8),))
            continue
        terms.append((name,))
        if name == SHAPES:
            every = [weight(25, 16), "cut", "color", "clarity", "magic"]
            terms += [(part, name) for part in (*every, *(curve(t, 8, 6) for t in shape))]
    for name, other in pairs:
        terms.append((weight(14, 8) if other == "carat" else other, name))
    if lists:
        terms += [
            (LISTING.name,),
            (weight(40, 20), "contrast"),
            ("cut", "contrast"),
            ("color", "contrast"),
            ("clarity", "contrast"),
            (weight(16, 10), "clarity", "contrast"),
            (weight(16, 10), "color", "contrast"),
            (weight(12, 7), "cut", "contrast"),
        ]
        if many:
            terms.append(("hundredths", "contrast"))
        for text in shape:
            terms.append((curve(text, 8, 6), "contrast"))
            if text != RATIO:
                terms.append((curve(text, 6, 6), "cut", "contrast"))
    return terms


def check(terms: Sequence[tuple[Part, ...]], stones: Stones) -> None:
    """Raise FitError for what is no term of these stones."""
    if isinstance(terms, str) or not isinstance(terms, Sequence):
        raise FitError(f"terms must be a list of tuples, not {terms!r}.")
    for i, term in enumerate(terms):
        if isinstance(term, tuple) and term and _is_part(term, stones):
            raise FitError(f"{term!r} is a curve; as a term it is ({term!r},).")
        if not (isinstance(term, tuple) and term and all(_is_part(p, stones) for p in term)):
            raise FitError(
                f"{term!r} is no term: give a tuple of grades, curves (expression, number of "
                f"B-splines, {FEWEST_SPLINES} or more), or {', '.join(SPECIAL)}."
            )
        if term in terms[:i]:
            raise FitError(f"the term {term!r} is given twice.")
    if not any(term[0][0] == WEIGHT and len(term) == 1 for term in terms):
        raise FitError(f"a term of the weight is missing, such as (({WEIGHT!r}, 25),).")


def _is_part(part: object, stones: Stones) -> bool:
    if isinstance(part, str):
        return part in SPECIAL or isinstance(ATTRIBUTES.get(part), Grade)
    if not (isinstance(part, tuple) and len(part) in (2, 3) and isinstance(part[0], str)):
        return False
    if not all(isinstance(count, int) for count in part[1:]):
        return False
    for name in parse(part[0]).attributes:
        if not stones.known(name).any():
            raise FitError(f"a curve over {part[0]} needs {name}, which no sale records.")
    dated = len(part) == 3 and part[2] == 0  # months of a period
    fewest = 1 if dated else FEWEST_SPLINES
    return bool(part[1] >= fewest)


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The design of a fit and where each sale stands in it."""

    design: Design
    axes: dict[str, Vector]  # bins of each feature
    codes: dict[str, Integers]  # bin of each sale in each feature, shape (n,)

    def fitted(
        self, beta: Vector, rows: Integers | None = None, listing: int | None = None
    ) -> Vector:
        """Fitted log base price of some sales, or all, perhaps on another list; shape (n,)."""
        some = slice(None) if rows is None else rows
        codes = {feature: code[some] for feature, code in self.codes.items()}
        if listing is not None:
            (place,) = np.flatnonzero(self.axes[LISTING.name] == listing)
            codes[LISTING.name] = np.full_like(codes[LISTING.name], place)
        total: Vector = np.zeros(len(next(iter(codes.values()))))
        for sheet in self.design.sheets:
            bases = [margin.basis for margin in sheet.margins]
            placed = [taken(b.placed(self.axes[b.feature]), codes[b.feature]) for b in bases]
            table = sheet.transform @ beta[sheet.columns]
            table = table.reshape([basis.width for basis in bases])
            total = total + looked_up(table, placed, len(total))
        return total

    def rows(self, some: Integers) -> Matrix:
        """Rows of the design matrix of some sales, shape (m, p)."""
        codes = {feature: code[some] for feature, code in self.codes.items()}
        return rows_of(self.design, self.axes, codes)


def laid_out(
    terms: Sequence[tuple[Part, ...]],
    stones: Stones,
    averages: Averages,
    calendar: tuple[float, float] | None = None,
) -> Structure:
    """Learn the bases of terms from n stones; what is missing counts as usual for the shape.

    Periods are those of the ``calendar``, its first and last day; default: of the stones.
    """
    axes: dict[str, Vector] = {}
    codes: dict[str, Integers] = {}
    margins: dict[Part, Margin] = {}

    def margin(basis: AnyBasis, **how: Any) -> Margin:
        bins = axes[basis.feature]
        count = np.bincount(codes[basis.feature], minlength=len(bins)).astype(float)
        return learned(basis, columns(basis, bins), count, **how)

    for part in dict.fromkeys(part for term in terms for part in term):
        basis, values = _basis(part, stones, calendar)
        if basis is None:  # what does not vary says nothing
            continue
        if basis.feature not in axes:
            axes[basis.feature] = axis(values)
            codes[basis.feature] = coded(values, axes[basis.feature])
        basis = basis.averaged(stones, averages)
        alike = _undecided(basis, stones) if part == "cut" else None
        margins[part] = margin(basis, alike=alike)
    made = []
    for term in terms:
        if not margins.keys() >= set(term):
            continue
        sides = tuple(margins[part] for part in term)
        if silent := _silent(term, sides, stones):
            of = sides[1].basis
            if of.width - len(silent) < 2:
                continue
            sides = (sides[0], margin(of, silent=silent))
        wide = prod(m.transform.shape[1] for m in sides) * SALES_PER_COLUMN > len(stones)
        if len(sides) == 1 or not wide:
            made.append(sides)
    return Structure(sheets(made), axes, codes)


def _silent(term: tuple[Part, ...], sides: tuple[Margin, ...], stones: Stones) -> list[int]:
    """Levels of a further grade at which the grade beside it does not vary.

    If all fancies have one cut, an interaction of cut and shape can stand in for the effect of
    the shape. It would then reverse the effect of cut in fancies, and the shape constraint,
    which allows no such fall, would flatten the effect of cut in round stones too.
    """
    grades = [ATTRIBUTES.get(part) if isinstance(part, str) else None for part in term]
    if len(term) != 2 or not all(isinstance(grade, Grade) for grade in grades):
        return []
    of = sides[1].basis
    if grades[1] not in OTHERS.items or not isinstance(of, Levels):
        return []
    beside = stones[str(term[0])]
    if isinstance(grades[0], Grade) and grades[0].ungraded:
        beside = np.where(beside == grades[0].grades.index(grades[0].ungraded), -1, beside)
    place = codes_to_positions(of.attribute, of.levels)[stones[of.attribute]]
    silent = []
    for level in range(of.width):
        some = beside[(place == level) & (beside >= 0)]
        if len(some) - np.unique(some, return_counts=True)[1].max(initial=0) < FEWEST_BESIDE:
            silent.append(level)
    return silent


def _undecided(basis: AnyBasis, stones: Stones) -> tuple[int, int] | None:
    """Columns of the ungraded cut and of the most common grade, where they share a coefficient.

    Where every shape is either graded or not, as rounds and fancies often are, the sales cannot
    separate the missing grade from the shape. The difference is given to the shape.
    """
    cut = graded("cut")
    if not isinstance(basis, Levels) or cut.ungraded not in basis.levels:
        return None
    none = stones["cut"] == cut.grades.index(cut.ungraded)
    shape = stones.columns.get("shape", np.zeros(len(none)))
    for of in (shape == code for code in np.unique(shape)):
        if min((of & none).sum(), (of & ~none).sum()) >= FEWEST_BESIDE:
            return None  # stones of one shape are both
    codes, count = np.unique(stones["cut"][~none], return_counts=True)
    usual = cut.grades[codes[count.argmax()]]
    return basis.levels.index(cut.ungraded), basis.levels.index(usual)


def _basis(
    part: Part, stones: Stones, calendar: tuple[float, float] | None
) -> tuple[AnyBasis | None, Vector]:
    """Basis of one part, and the values of its feature; None when it does not vary.

    Beside attributes and curves a part may be ``magic`` (jumps at the magic weights),
    ``bands`` (those of the price grid), ``segments`` (of the market), ``hundredths`` (an
    effect of every hundredth of a carat) or ``contrast`` (one price list against the other).
    """
    if part in PARTED:
        carat = stones["carat"]
        at = tuple(
            w
            for w in PARTED[part]
            if FEWEST_BESIDE <= (carat >= w).sum() <= len(carat) - FEWEST_BESIDE
        )
        return (Steps(at) if at else None), carat
    if part == "contrast":
        return Contrast(LISTING.grades, (-0.5, 0.0, 0.5)), stones[LISTING.name].astype(float)
    if part == "hundredths":
        return _hundredths(stones["carat"]), stones["carat"]
    if isinstance(part, str):
        grade = ATTRIBUTES[part]
        assert isinstance(grade, Grade)
        labels = stones.labels(part)
        levels = tuple(name for name in grade.grades if (labels == name).any())
        if not grade.required and grade != LISTING:  # a price is asked for without it too
            levels = (UNRECORDED, *levels)
        basis = Levels(part, levels) if len(levels) > 1 else None
        return basis, stones[part].astype(float)
    text, k, degree = part if len(part) == 3 else (*part, 3)
    expression = parse(text)
    values = _filled(expression.evaluate(stones.columns), stones)
    if isinstance(ATTRIBUTES.get(text), Day):
        return _periods(text, values, k, calendar)
    if text != WEIGHT:
        low, high = (float(f"{v:.4g}") for v in np.quantile(values, (OUTSIDE, 1 - OUTSIDE)))
        low = 0.0 if text == RATIO else low
        expression = parse(f"min(max({expression.text}, {low}), {high})")
        values = values.clip(low, high)
    distinct = np.unique(values)
    if len(distinct) < 2:
        if text == WEIGHT:
            raise FitError("all stones have the same weight; there is no price curve to fit.")
        return None, values
    k = max(degree + 1, min(k, len(distinct) - 1))
    spline = Spline(expression.text, _knots(values, distinct, k, degree), degree)
    return spline, stones["carat"] if spline.feature == "carat" else values


def _periods(
    name: str, days: Vector, months: int, calendar: tuple[float, float] | None
) -> tuple[AnyBasis | None, Vector]:
    """Parts of the calendar of some months each; the days as the first ones of theirs.

    Markets jump, and quotes hold for a while: a level for each month, drawn to those beside
    it as far as the sales show nothing else.
    """
    first, last = calendar or (days.min(), days.max())
    each = ceil((len(parts_of_calendar(first, last, 1)) - 1) / MOST_MONTHS)
    fine = np.array(parts_of_calendar(first, last, each))
    parts = parts_of_calendar(first, last, months * each)
    month = fine[np.searchsorted(fine, days, side="right") - 1]
    return (Periods(name, parts) if len(parts) > 2 else None), month


def _filled(values: Vector, stones: Stones) -> Vector:
    """Values of a measure, with the median of the shape where it is not recorded."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    filled = np.where(missing, np.nanmedian(values), values)
    for code in np.unique(stones["shape"]):
        of = stones["shape"] == code
        if (known := of & ~missing).any():
            filled[of & missing] = np.median(values[known])
    return filled


def _hundredths(carat: Vector) -> AnyBasis | None:
    """Straight pieces between all hundredths of a carat that are often sold."""
    weights, count = np.unique(np.round(carat, 2), return_counts=True)
    often = weights[count >= FEWEST_BESIDE]
    if len(often) < 4:
        return None
    low, high = float(often[0]), float(min(often[-1], HEAVIEST_HUNDREDTH))
    knots = np.round(np.arange(low, high + 0.005, 0.01), 2)
    if len(knots) < 4:
        return None
    first, last = (round(float(knots[i]) + step, 2) for i, step in ((0, -0.01), (-1, 0.01)))
    text = parse(f"min(max(carat, {low}), {high})").text
    return Spline(text, (first, *knots.tolist(), last), 1)


def _knots(values: Vector, distinct: Vector, k: int, degree: int) -> tuple[float, ...]:
    """Knots of k B-splines, halfway between even ones and quantiles."""
    inner = k - degree + 1
    even = np.linspace(distinct[0], distinct[-1], inner)
    knots = (np.quantile(values, np.linspace(0, 1, inner)) + even) / 2
    first, last = knots[1] - knots[0], knots[-1] - knots[-2]
    below, above = np.arange(degree, 0, -1), np.arange(1, degree + 1)
    whole = np.concatenate([knots[0] - first * below, knots, knots[-1] + last * above])
    return tuple(float(f"{knot:.12g}") for knot in whole)
