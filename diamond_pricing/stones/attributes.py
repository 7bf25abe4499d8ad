"""The one table of what a diamond's attributes are.

Command line, checks, documents and errors read this table; an attribute that is added
here is known to all of them.

Grades follow the Gemological Institute of America for color (D to Z) and clarity (FL to
I3). The cut grades are those of the packaged sales, whose sellers call a grade between
Very Good and Ideal "Premium".
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite, isnan
from numbers import Real
from types import MappingProxyType

from diamond_pricing.errors import StoneError, UnknownGradeError


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
    """

    name: str
    label: str
    unit: str
    low: float
    high: float
    line: str
    required: bool = False
    aliases: tuple[str, ...] = ()

    def parse(self, text: str) -> float:
        """Read a number that a person typed, with or without its unit."""
        plain = text.strip().casefold().removesuffix(self.unit)
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
        if isinstance(given, bool) or not isinstance(given, Real):
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
class Grade:
    """An attribute that is one of an ordered list of grades.

    Attributes
    ----------
    name, label, line, required, aliases
        As for `Measure`.
    grades : tuple[str, ...]
        Worst to best.
    spellings : Mapping[str, str]
        Other ways to write a grade, folded, and the grade meant.
    """

    name: str
    label: str
    grades: tuple[str, ...]
    line: str
    required: bool = False
    aliases: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)

    def parse(self, text: str) -> str:
        """Read a grade that a person typed."""
        return self.read(text)

    def read(self, given: object) -> str:
        """Turn what a person wrote into the grade they meant, or say why not."""
        if type(given) is str and given in self.grades:
            return given
        found = self.find(given)
        if found is not None:
            return found
        if absent(given):
            wrong = "is missing"
        else:
            wrong = f"{shown(given)} is not a grade{self._hint(given)}"
        raise UnknownGradeError(
            f"{self.name} {wrong}; known, worst to best: {', '.join(self.grades)}.",
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
        return self.spellings.get(folded)

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


def _spellings(**groups: str) -> Mapping[str, str]:
    """``Very_Good="vg, v good"`` → {"vg": "Very Good", "vgood": "Very Good"}."""
    return MappingProxyType(
        {
            fold(word): grade.replace("_", " ")
            for grade, words in groups.items()
            for word in words.split(",")
        }
    )


_TABLE: Sequence[Attribute] = (
    Measure(
        "carat", "Weight", "ct", 0.01, 100, "carat", required=True,
        aliases=("carats", "ct", "cts", "weight", "carat weight"),
    ),
    Grade(
        "cut", "Cut", ("Fair", "Good", "Very Good", "Premium", "Ideal"), "cut", required=True,
        aliases=("cut grade",),
        spellings=_spellings(
            Fair="F, fr", Good="G, gd", Very_Good="VG, v good", Ideal="I, id",
            Premium="prem",  # not P, which is Poor to a laboratory
        ),
    ),
    Grade(
        "color", "Color", tuple("ZYXWVUTSRQPONMLKJIHGFED"), "color", required=True,
        aliases=("colour", "col", "color grade"),
    ),
    Grade(
        "clarity", "Clarity",
        ("I3", "I2", "I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF", "FL"),
        "clarity", required=True,
        aliases=("clar", "clarity grade"),
        spellings=_spellings(
            IF="internally flawless, loupe clean, lc", FL="flawless",
            VVS1="very very slightly included 1", VVS2="very very slightly included 2",
            VS1="very slightly included 1", VS2="very slightly included 2",
            SI1="slightly included 1", SI2="slightly included 2",
            I1="included 1, p1", I2="included 2, p2", I3="included 3, p3",
        ),
    ),
    Measure(
        "depth", "Depth", "%", 30, 90, "proportions",
        aliases=("depth %", "depth percent", "total depth"),
    ),
    Measure(
        "table", "Table", "%", 30, 100, "proportions",
        aliases=("table %", "table percent", "table width"),
    ),
    Measure("x", "Length", "mm", 1, 40, "proportions", aliases=("length", "length mm")),
    Measure("y", "Width", "mm", 1, 40, "proportions", aliases=("width", "width mm")),
    Measure("z", "Height", "mm", 0.5, 30, "proportions", aliases=("height", "height mm")),
    # Not of the stone but of its sale: which of the two paired price lists recorded it.
    # The order in which length and width were written down tells them apart.
    Grade("listing", "Price list", ("x<y", "x=y", "x>y"), "listing"),
)  # fmt: skip

ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({a.name: a for a in _TABLE})
MEASURES: tuple[Measure, ...] = tuple(a for a in _TABLE if isinstance(a, Measure))
GRADES: tuple[Grade, ...] = tuple(
    a for a in _TABLE if isinstance(a, Grade) and a.name != "listing"
)
LISTING: Grade = next(a for a in _TABLE if isinstance(a, Grade) and a.name == "listing")

# The lines of an explanation, in the order in which a client reads them. Weight has two:
# what it costs carat by carat, and the jumps at the weights that sellers cut to.
MAGIC_LINE = "magic"
LINES: Mapping[str, str] = MappingProxyType(
    {"carat": "Weight", MAGIC_LINE: "Magic weight"}
    | {a.line: {"proportions": "Proportions"}.get(a.line, a.label) for a in _TABLE}
)


def carats(weight: float) -> str:
    """Write a weight with two decimals, or up to four where it needs them: ``0.996 ct``."""
    text = f"{weight:.4f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2} ct"


_NAMES = {fold(word): a.name for a in _TABLE for word in (a.name, *a.aliases)}


def attribute_named(word: str) -> str | None:
    """Give the attribute that a column header or option means; None if it means none."""
    return _NAMES.get(fold(word))
