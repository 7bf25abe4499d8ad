"""Attributes of a diamond: what each kind of them reads, and how people write it.

Which attributes there are is data: a *trade*, see `diamond_pricing.stones.trade`.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite, isnan
from numbers import Real

from diamond_pricing.errors import StoneError, UnknownGradeError

RISING, FREE = "rising", "free"


@dataclass(frozen=True, slots=True)
class Measure:
    """An attribute that is a number.

    Attributes
    ----------
    name, label : str
        As in a data frame; as a client reads it.
    unit : str
        What the number counts.
    low, high : float
        No polished diamond lies outside these. How far a model can price is another
        matter: that is in its training summary.
    line : str
        The line of an explanation that carries its effect.
    required : bool
        Whether a stone cannot be described without it.
    aliases : tuple[str, ...]
        Other names that people write.
    direction : str
        ``rising`` where no price falls as it rises, ``free`` where one may.
    of_shape : bool
        Whether what is usual depends on the shape.
    labels : Mapping[str, str]
        Labels in other languages, by code.
    """

    name: str
    label: str
    unit: str
    low: float
    high: float
    line: str
    required: bool = False
    aliases: tuple[str, ...] = ()
    direction: str = FREE
    of_shape: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def needed(self) -> bool:
        """Whether somebody who describes a stone must say it."""
        return self.required

    def shown(self, value: float) -> str:
        """A value as people read it, with its unit."""
        return f"{value:g} {self.unit}".strip()

    def parse(self, text: str) -> float:
        """Read a number that a person typed, with or without its unit."""
        plain = text.strip().casefold().removesuffix(self.unit.casefold())
        try:
            return self.read(float(plain.replace("_", "?")))  # Python would take 1_0 for 10
        except ValueError as error:
            if isinstance(error, StoneError):
                raise
        raise StoneError(
            f"{self.name} must be a number of {self.unit}, not {shown(text)}.",
            attribute=self.name,
            given=text,
        )

    def read(self, given: object) -> float:
        """Turn what was given into a number of ``unit``, or say why not."""
        if type(given) is float and self.low <= given <= self.high:
            return given  # most are, and a price takes microseconds
        if isinstance(given, bool) or not isinstance(given, Real | Decimal):
            wrong = f"must be a number of {self.unit}, not {shown(given)}"
            raise StoneError(
                f"{self.name} {'is missing' if given is None else wrong}.",
                attribute=self.name,
                given=given,
            )
        try:
            value = float(given)
        except OverflowError:
            value = float("inf")
        if not isfinite(value) or not self.low <= value <= self.high:
            raise StoneError(
                f"{self.name} must be between {self.low:g} and {self.high:g} {self.unit}, "
                f"not {shown(given)}.",
                attribute=self.name,
                given=given,
                nearest=None if value != value else min(max(value, self.low), self.high),
            )
        return value


@dataclass(frozen=True, slots=True)
class Day(Measure):
    """An attribute that is a date, held as the days since 0001-01-01, that one being 1.

    ``low`` and ``high`` are such days too.
    """

    def shown(self, value: float) -> str:
        """The date: ``2026-11-23``."""
        return iso(round(value))

    def parse(self, text: str) -> float:
        """Read a date that a person typed."""
        return self.read(text.strip())

    def read(self, given: object) -> float:
        """Turn a date, or text such as ``2026-11-23``, into its day, or say why not."""
        if isinstance(given, Real):
            return self._within(float(given), shown(given))
        if type(given).__name__ == "datetime64":  # of numpy, whose days are dates
            given = given.astype("datetime64[D]").item()  # type: ignore[attr-defined]
        if given != given:  # NaT
            given = None
        found = given.date() if isinstance(given, datetime) else given
        if isinstance(found, str):
            try:
                found = datetime.fromisoformat(found).date()
            except ValueError:
                found = None
        if isinstance(found, date):
            return self._within(float(found.toordinal()), found.isoformat())
        wrong = (
            "is missing"
            if given is None
            else f"must be a date as 2026-11-23, not {shown(given)}"
        )
        raise StoneError(f"{self.name} {wrong}.", attribute=self.name, given=given)

    def _within(self, day: float, told: str) -> float:
        if not self.low <= day <= self.high:
            low, high = iso(self.low), iso(self.high)
            raise StoneError(
                f"{self.name} must be a date from {low} to {high}, not {told}.",
                attribute=self.name,
                given=told,
                nearest=low if day < self.low else high,
            )
        return day


def iso(day: float) -> str:
    """A day as people write it to machines: ``2026-11-23``."""
    return date.fromordinal(int(day)).isoformat()


def month_number(day: float) -> int:
    """The month of a day, counted from January of the year 0."""
    of = date.fromordinal(int(day))
    return 12 * of.year + of.month - 1


def first_day(month: int) -> float:
    """The first day of a month, see `month_number`."""
    return float(date(month // 12, month % 12 + 1, 1).toordinal())


def parts_of_calendar(first: float, last: float, months: int) -> tuple[float, ...]:
    """First days of parts of some months each, from that of ``first`` to behind ``last``."""
    begun, ended = month_number(first), month_number(last)
    parts = -(-(ended - begun + 1) // months)
    return tuple(map(first_day, range(begun, begun + parts * months + 1, months)))


def period_of(day: float, by: str) -> str:
    """The ISO week, month or quarter of a day: ``2026-W09``, ``2026-03``, ``2026-Q1``."""
    if by == "week":
        year, week, _ = date.fromordinal(int(day)).isocalendar()
        return f"{year}-W{week:02}"
    month = iso(day)[:7]
    return month if by == "month" else f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}"


@dataclass(frozen=True, slots=True)
class Grade:
    """An attribute that is one of a list of grades.

    Attributes
    ----------
    name, label, line, required, aliases, direction, of_shape, labels
        As for `Measure`.
    grades : tuple[str, ...]
        Worst to best, where there is an order.
    spellings : Mapping[str, str]
        Other ways to write a grade, folded, and the grade meant.
    ordered : bool
        Whether the grades have an order.
    candidates : Mapping[str, tuple[str, ...]]
        Words of other scales, folded, and the grades here that they may mean.
    scales : Mapping[str, tuple[str, ...]]
        By laboratory or house the grades that it gives, worst to best.
    ungraded : str
        The grade of a stone of which nobody says it; it has no place in the order. Empty where
        there is none.
    """

    name: str
    label: str
    grades: tuple[str, ...]
    line: str
    required: bool = False
    aliases: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = True
    candidates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scales: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    direction: str = FREE
    of_shape: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    ungraded: str = ""

    @property
    def needed(self) -> bool:
        """Whether somebody who describes a stone must say it; of some nobody grades it."""
        return self.required and not self.ungraded

    def shown(self, value: str) -> str:
        """A grade as people read it."""
        return value

    def parse(self, text: str) -> str:
        """Read a grade that a person typed."""
        return self.read(text)

    def read(self, given: object) -> str:
        """Turn what a person wrote into the grade they meant, or say why not."""
        if type(given) is str and given in self.grades:
            return given
        if self.ungraded and absent(given):
            return self.ungraded
        found = self.find(given)
        if found is not None:
            return found
        order = ", worst to best" if self.ordered else ""
        candidates = self.candidates.get(fold(given)) if isinstance(given, str) else None
        if absent(given):
            wrong = "is missing"
        elif candidates:
            wrong = (
                f"{shown(given)} is a grade of another scale; here it may be "
                f"{' or '.join(candidates)}: choose one, or map it once in the source"
            )
        else:
            wrong = f"{shown(given)} is not a grade{self._hint(given)}"
        raise UnknownGradeError(
            f"{self.name} {wrong}; known{order}: {', '.join(self.grades)}.",
            attribute=self.name,
            given=given,
            allowed=self.grades,
            nearest=self._close(given),
        )

    def find(self, given: object) -> str | None:
        """The grade that was meant; None if there is none."""
        if not isinstance(given, str) or len(given) > _LONGEST:
            return None
        folded = fold(given)
        for grade in self.grades:
            if fold(grade) == folded:
                return grade
        return self.spellings.get(folded) or self._of_house(given)

    def _of_house(self, given: str) -> str | None:
        """The grade behind the name of a laboratory whose scale has it: ``GIA Excellent``."""
        house, _, word = given.strip().partition(" ")
        of = next((of for h, of in self.scales.items() if fold(h) == fold(house)), ())
        found = self.find(word) if of and word else None
        return found if found in of else None

    def whose(self, grade: str, house: str = "") -> str:
        """Whose scale has a grade, in words; of one laboratory or house if it is known."""
        houses = [h for h, scale in self.scales.items() if grade in scale]
        if house:
            houses = [house] if house in houses else []
        best = [h for h in houses if self.scales[h][-1] == grade]
        if best:
            return f"the best grade of {', '.join(best)}"
        return f"a grade of {', '.join(houses) or 'another scale'}"

    def _close(self, given: object) -> str | None:
        """The grade whose spelling comes nearest, if one comes near."""
        if not isinstance(given, str) or len(given) > 40:
            return None
        folded = {fold(grade): grade for grade in self.grades}
        close = get_close_matches(fold(given), folded, n=1)
        return folded[close[0]] if close else None

    def _hint(self, given: object) -> str:
        if not isinstance(given, str) or len(given) > 40:
            return ""
        for character in unicodedata.normalize("NFKC", given):
            if ord(character) > 127:
                name = unicodedata.name(character, "unnamed")
                return f": it contains {character!r}, {name} (U+{ord(character):04X})"
        close = self._close(given)
        return f" (did you mean {close}?)" if close else ""


Attribute = Measure | Grade
_LONGEST = 60  # characters of a grade in any spelling

_SEPARATORS = re.compile(r"[\s._]+|(?<=\w)-(?=\w)")


# Cells that say nothing.
BLANK = {"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "?", "unknown", "nil"}


def blank(given: object) -> bool:
    """Whether a cell says nothing; "None" may yet be a grade, of fluorescence."""
    return absent(given) or (isinstance(given, str) and given.strip().casefold() in BLANK)


def absent(given: object) -> bool:
    """Whether a value stands for none: None, NaN, or pandas' NA without importing pandas."""
    return (
        given is None
        or (isinstance(given, float) and isnan(given))
        or type(given).__name__ in ("NAType", "NaTType")
    )


def fold(text: str) -> str:
    """Text as we compare it: full-width forms made plain, case and separators dropped.

    A sign at the end stays: in the trade "SI1-" and "VG+" are not SI1 and VG.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    return _SEPARATORS.sub("", plain)


def shown(given: object) -> str:
    """What was given, short enough for one line of an error."""
    if hasattr(given, "item") and getattr(given, "shape", None) == ():
        given = given.item()  # numpy writes np.float64(nan) where a person reads nan
    if isinstance(given, int) and abs(given) > 10**40:
        return f"a whole number of over 40 digits ({given.bit_length()} bits)"
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text)} characters)"


def several(count: int, one: str) -> str:
    """``1 sale`` or ``2,991 sales``."""
    return f"{count:,} {one if count == 1 else f'{one}s'}"


def carats(weight: float) -> str:
    """Write a weight with two decimals, or up to four where it needs them: ``0.996 ct``."""
    text = f"{weight:.4f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2} ct"
