"""Which stones a model can price, and on which price list."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Set
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.errors import ContradictionError, DocumentError, UnsupportedStoneError
from diamond_pricing.model.training import Training
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    MEASURES,
    OTHERS,
    Day,
    Grade,
    Measure,
    Stone,
    Stones,
    shown,
)
from diamond_pricing.stones.kinds import KINDS, LABORATORY, ORIGIN, kinds_known
from diamond_pricing.stones.stones import named_rows
from diamond_pricing.stones.trade import graded

BLEND, RECORDED = "blend", "recorded"
INFERRED = "inferred"
MOST = 2**53  # stones of a cell; sums of cells stay whole numbers
ADVICE = "Refit on sales of such stones, or price it by hand."
ORIGIN_NOT_SAID = "origin_not_said"
SAY_WHICH = "Say whether it is natural or laboratory-grown."


def listed(stones: Stones, listing: str, training: Training) -> Stones:
    """Put stones on a price list; on the blend the list is not known.

    A recorded list that training has not seen counts as not known; another that it has not seen
    is refused.
    """
    if not isinstance(listing, str):
        raise UnsupportedStoneError(
            f"a price list has a name, which {shown(listing)} is not.", attribute=LISTING.name
        )
    seen = training.grades.get(LISTING.name, {})
    if listing == RECORDED:
        known = np.array([*(name in seen for name in LISTING.grades), False])
        code = np.where(known[stones[LISTING.name]], stones[LISTING.name], -1)
        return stones.with_columns(listing=code)
    if listing == BLEND:
        return stones.with_columns(listing=np.full(len(stones), -1))
    if listing == INFERRED:
        raise UnsupportedStoneError(
            "an inferred list mixes two prices and has no lines of its own: ask for its price "
            "or its range, and for the reasons of the guess at `model.inference.reasons`.",
            attribute=LISTING.name,
            given=listing,
            code="listing_not_known",
        )
    if listing not in seen:
        raise UnsupportedStoneError(
            f"listing {shown(listing)} is not known to this model; choose "
            f"{', '.join((BLEND, RECORDED, *seen))}.",
            attribute=LISTING.name,
            given=listing,
            code="listing_not_known",
        )
    place = LISTING.grades.index(listing)
    x, y = stones["x"], stones["y"]
    smaller, larger = np.minimum(x, y), np.maximum(x, y)
    first, second = ((smaller, larger), (x, y), (larger, smaller))[place]
    return stones.with_columns(listing=np.full(len(stones), place), x=first, y=second)


Around = dict[tuple[str, str], list[int]]


class Support(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Sales in each cell of the price grid."""

    bands: tuple[float, ...]  # weights that part the bands, carats, ascending
    # The grades seen, worst first
    colors: tuple[str, ...]
    clarities: tuple[str, ...]
    counts: tuple[int, ...]  # distinct stones of each band, color and clarity, the last fastest
    # Where the sales are of several shapes or origins: by attribute and grade the distinct
    # stones of each band; of those that do not say, under an empty grade
    kinds: dict[str, dict[str, tuple[int, ...]]] = {}

    def __post_init__(self) -> None:
        cells = (len(self.bands) + 1) * len(self.colors) * len(self.clarities)
        sound = cells > 0 and all(0 <= count < MOST for count in self.counts)
        every = [row for rows in self.kinds.values() for row in rows.values()]
        sound &= all(len(row) == len(self.bands) + 1 and min(row) >= 0 for row in every)
        if len(self.counts) != cells or not sound or not self.kinds.keys() <= KINDS.keys():
            raise DocumentError("the support has a count for each cell of its grid.")

    @property
    def needed(self) -> frozenset[str]:
        """Kinds that a stone must state: every sale did, and each kind is priced apart."""
        return frozenset(name for name, of in self.kinds.items() if not any(of.get("", ())))

    def around(self) -> NDArray[np.int64]:
        """Stones in each cell and its neighbours in color and clarity, by code of the grades.

        Neighbours on the scale of grades: a model that saw D to F and J has nothing next to
        its J. A grade that was not seen has 0. Shape (bands, colors of the scale, clarities
        of the scale).
        """
        scales = [graded(name).grades for name in ("color", "clarity")]
        counts = np.zeros((len(self.bands) + 1, *map(len, scales)), np.int64)
        colors = [code_of("color", grade) for grade in self.colors]
        clarities = [code_of("clarity", grade) for grade in self.clarities]
        seen = np.ix_(range(len(counts)), colors, clarities)
        counts[seen] = np.reshape(self.counts, (-1, len(colors), len(clarities)))
        wide = np.pad(counts, ((0, 0), (1, 1), (1, 1)))
        _, m, n = counts.shape
        around = (wide[:, i : i + m, j : j + n] for i in range(3) for j in range(3))
        counts[seen] = sum(around, np.zeros_like(counts))[seen]
        return counts

    def near(self, stones: Stones) -> NDArray[np.int64]:
        """Stones seen in the same band with color and clarity within a grade; shape (n,).

        No more than there are of the same shape and origin in the band.
        """
        band = np.searchsorted(self.bands, stones["carat"], side="right")
        near: NDArray[np.int64] = self.around()[band, stones["color"], stones["clarity"]]
        for name, rows in self.kinds.items():
            grades = (*graded(name).grades, "")
            table = np.array(
                [rows.get(grade, (0,) * (len(self.bands) + 1)) for grade in grades]
            )
            near = np.minimum(near, table[stones[name], band])
        return near

    def near_one(self, stone: Stone, around: Around | None = None) -> int:
        """The same for one stone; ``around`` may be given as `by_name` makes it."""
        around = self.by_name() if around is None else around
        counts = around.get((stone.color, stone.clarity))
        band = bisect_right(self.bands, stone.carat)
        near = counts[band] if counts else 0
        for name, rows in self.kinds.items():
            row = rows.get(getattr(stone, name) or "")
            near = min(near, row[band] if row else 0)
        return near

    def by_name(self) -> Around:
        """Stones near by, in each band, by color and clarity."""
        around = self.around()
        return {
            (c, q): around[:, code_of("color", c), code_of("clarity", q)].tolist()
            for c in self.colors
            for q in self.clarities
        }


def code_of(attribute: str, name: str) -> int:
    """Position of a grade on the scale of its attribute, worst first."""
    return graded(attribute).grades.index(name)


class Unsupported(NamedTuple):
    """Stones that a model cannot price, for one reason."""

    code: str  # as in `diamond_pricing.model.verdict`
    attribute: str
    stones: NDArray[np.bool_]  # which of n, shape (n,)
    values: NDArray[Any]  # shape (n,): what the stones have
    why: str  # the rest of a sentence that begins with attribute and value
    known: tuple[Any, ...]  # the grades, or the least and largest value, that are supported

    def value(self, row: int) -> Any:
        """What one of the stones has, as a plain value."""
        given = self.values[row]
        return given.item() if hasattr(given, "item") else given

    def given(self, row: int) -> Any:
        """The same as people write it: a date for a day."""
        attribute = ATTRIBUTES.get(self.attribute)
        value = self.value(row)
        if isinstance(attribute, Day):
            return attribute.shown(value)
        return None if value == "" else value

    def sentence(self, row: int, where: str = "") -> str:
        """What is wrong with one of the stones, and perhaps where else it is."""
        given = self.value(row)
        attribute = ATTRIBUTES.get(self.attribute)
        text = f"{given:g}" if isinstance(given, float) else given
        if isinstance(attribute, Day):
            text = attribute.shown(given)
        words = filter(None, (self.attribute or "stone", str(text), self.why))
        return f"{' '.join(words)}{where}."

    @property
    def remedy(self) -> str:
        """What would make such stones priceable."""
        return SAY_WHICH if self.code == ORIGIN_NOT_SAID else ADVICE

    def nearest(self, given: Any) -> Any:
        """Nearest supported value to ``given``."""
        if not self.known or given == "":
            return None
        if isinstance(attribute := ATTRIBUTES.get(self.attribute), Grade):
            if given == attribute.ungraded:
                return None
            return _nearest(self.attribute, self.known, given)
        low, high = self.known
        nearest = min(max(given, low), high)
        return attribute.shown(nearest) if isinstance(attribute, Day) else nearest


def _nearest(name: str, known: tuple[str, ...], given: str) -> str:
    place = graded(name).grades.index
    return min(known, key=lambda grade: abs(place(grade) - place(given)))


def unsupported(
    stones: Stones,
    training: Training,
    read: Set[str],
    support: Support | None = None,
    *,
    extrapolate: bool = False,
    carried: bool = False,
) -> Iterator[Unsupported]:
    """Find the stones outside what a model has seen of the attributes that it reads.

    With ``extrapolate`` measures beyond their range and cells without support pass; when
    ``carried`` days after the sales pass, as many as the sales cover.
    """
    others = [a for a in OTHERS if a.name in read]
    for grade in (*GRADES, *(a for a in others if isinstance(a, Grade))):
        if not (grade.required or grade.name in read):
            continue
        known = training.grades[grade.name]
        missing = not grade.required  # the last place is that of −1
        seen = np.array([*(name in known for name in grade.grades), missing])
        unseen = ~seen[stones[grade.name]]
        if not unseen.any():
            continue
        labels, houses = stones.labels(grade.name), stones.labels(LABORATORY)
        found: dict[tuple[str, tuple[str, ...]], Any] = {}
        for given, house in dict.fromkeys(zip(labels[unseen], houses[unseen], strict=True)):
            here = unseen & (labels == given) & (houses == house)
            said = _not_seen(grade, given, known, house)
            found[said] = found.get(said, False) | here
        for (why, names), here in found.items():
            yield Unsupported("grade_not_seen", grade.name, here, labels, why, names)
    for kind in KINDS:
        if kind in read or kind not in stones.columns:
            continue
        only = kinds_known(kind, training.grades)
        other = ~np.isin(stones.labels(kind), [*only, ""])
        if other.any():
            why = f"is not priced; this model knows {', '.join(only)}"
            yield Unsupported(f"{kind}_not_priced", kind, other, stones.labels(kind), why, only)
    for measure in (*MEASURES, *(a for a in others if isinstance(a, Measure))):
        if extrapolate or measure.name not in read | {"carat"}:
            continue
        low, high = training.ranges[measure.name]
        values = stones[measure.name]
        dated = isinstance(measure, Day)
        high = 2 * high - low if dated and carried else high
        outside = (values < low) | (values > high)
        if outside.any():
            why = (
                f"is outside what this model has seen, {measure.shown(low)} to "
                f"{measure.shown(high)}"
            )
            if dated and not (values < low).any():
                why = (
                    f"lies farther ahead than the sales go back; prices are carried forward to "
                    f"{measure.shown(high)}"
                    if carried
                    else f"{why}; a later day is priced by carry_forward, in a wider range"
                )
            code = (
                "weight_outside_range" if measure.name == "carat" else "measure_outside_range"
            )
            yield Unsupported(code, measure.name, outside, values, why, (low, high))
    if support is not None and not extrapolate:
        near = support.near(stones)
        of = f"{', '.join(['weight', *support.kinds, 'color'])} and clarity"
        unsaid = np.zeros(len(stones), bool)
        if ORIGIN in support.kinds:
            unsaid = stones[ORIGIN] < 0
        if (unsaid := (near == 0) & unsaid).any():
            why = "is not said; natural and laboratory-grown stones are priced apart"
            kinds = tuple(kinds_known(ORIGIN, training.grades))
            nothing = np.full(len(stones), "", dtype=object)
            yield Unsupported(ORIGIN_NOT_SAID, ORIGIN, unsaid, nothing, why, kinds)
        if (alone := (near == 0) & ~unsaid).any():
            some = stones.take(alone)
            parts = [some.labels(name) for name in (*support.kinds, "color", "clarity")]
            words = [
                " ".join([f"{c:g} ct", *filter(None, grades)])
                for c, *grades in zip(some["carat"], *parts, strict=True)
            ]
            values = np.full(len(stones), "", dtype=object)
            values[alone] = words
            why = f"has no sale of about its {of} behind it"
            yield Unsupported("cell_without_support", "", alone, values, why, ())


def _not_seen(
    grade: Grade, given: str, known: Collection[str], house: str = ""
) -> tuple[str, tuple[str, ...]]:
    """Why no stone of a grade is priced, and the grades that it may be here."""
    of = next((c for word, c in grade.candidates.items() if grade.find(word) == given), ())
    names = tuple(name for name in of if name in known)
    if given and given == grade.ungraded:
        give = f"give the grade of its {grade.name}; this model knows {', '.join(known)}"
        return f"has not been seen: {give}", tuple(known)
    if not names:
        return f"has not been seen; this model knows {', '.join(known)}", tuple(known)
    choose = "choose one" if len(names) > 1 else "choose it"
    return (
        f"is {grade.whose(given, house)}; this model knows {' and '.join(names)}: {choose}, "
        "or map it once in the source",
        names,
    )


def seen_grade(name: str, given: str, training: Training) -> str:
    """The grade meant, which some sale had.

    Raises
    ------
    StoneError
        For no grade, or one that the model has not seen.
    """
    grade, known = graded(name), training.grades[name]
    meant = grade.read(given)
    if meant not in known:
        why, names = _not_seen(grade, meant, known)
        raise UnsupportedStoneError(
            f"{name} {meant} {why}.",
            attribute=name,
            given=meant,
            nearest=_nearest(name, names, meant),
            code="grade_not_seen",
        )
    return meant


def refuse(found: Iterator[Unsupported]) -> None:
    """Raise an `UnsupportedStoneError` for the first reason, naming the first rows."""
    for reason in found:
        rows = np.flatnonzero(reason.stones)
        where = f" {named_rows(rows)}" if len(reason.stones) > 1 else ""
        raise UnsupportedStoneError(
            f"{reason.sentence(rows[0], where)} {reason.remedy}",
            attribute=reason.attribute,
            given=reason.given(rows[0]),
            code=reason.code,
            nearest=reason.nearest(reason.value(rows[0])),
        )


def refuse_contradictory(stone: Stone) -> None:
    """Raise for measurements that contradict each other, with every reason in words."""
    if found := stone.problems():
        raise ContradictionError(
            f"{'; '.join(problem.reason for problem in found)}. Correct it, or leave it out.",
            attribute=found[0].attribute,
            given=getattr(stone, found[0].attribute),
            code=found[0].code,
        )
