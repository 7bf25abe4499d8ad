"""How one source writes its files: a few declared lines instead of a script for each."""

import re
import tomllib

import msgspec

from diamond_pricing.errors import DiamondPricingError, StoneError
from diamond_pricing.stones import ATTRIBUTES, Grade, Measure, attribute_named
from diamond_pricing.stones.attributes import fold

PRICE, PER_CARAT, SHAPE = "price", "price_per_carat", "shape"
# What one of theirs is in ours.
UNITS = {
    "x": {"mm": 1.0, "cm": 10.0, "in": 25.4},
    "carat": {"ct": 1.0, "g": 5.0, "mg": 0.005, "pt": 0.01},
    "depth": {"%": 1.0, "fraction": 100.0},
}
UNITS |= {"y": UNITS["x"], "z": UNITS["x"], "table": UNITS["depth"]}
ENCODINGS = ("utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "iso-8859-1", "iso-8859-15",
             "mac-roman", "shift-jis", "gb18030", "big5")  # fmt: skip
_WORDS = {"mm": "mm", "cm": "cm", "inch": "in", "inches": "in", "in": "in", "g": "g",
          "gram": "g", "grams": "g", "mg": "mg", "ct": "ct", "cts": "ct", "carat": "ct",
          "points": "pt", "%": "%", "percent": "%"}  # fmt: skip
_PRICES = {
    fold(word)
    for word in (
        "price", "total price", "price usd", "price eur", "price gbp", "price chf", "amount",
        "total", "total amount", "sale price", "selling price", "sold price", "sold for",
        "net price", "value", "cost", "preis", "prix", "prezzo", "precio",
    )
}  # fmt: skip
_PER_CARAT = {
    fold(word)
    for word in ("price per carat", "price/carat", "price/ct", "ppc", "$/ct", "per carat")
}
CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP", "usd": "USD", "eur": "EUR", "gbp": "GBP",
              "chf": "CHF", "us$": "USD"}  # fmt: skip
_UNIT = re.compile(r"^(.*?)[\s_]*[(\[]\s*([^)\]]+?)\s*[)\]]$")


class SourceError(DiamondPricingError, ValueError):
    """A declared source that cannot be read, or that says what cannot be."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a source's columns are called and how it writes what is in them.

    Attributes
    ----------
    columns : dict[str, str]
        By our name (carat, cut … and price or price_per_carat) theirs.
    units : dict[str, str]
        By our name the unit of their numbers, where it is not ours.
    grades : dict[str, dict[str, str]]
        By our name their words and our grades.
    currency : str
        Of their prices; empty when it is that of the home.
    rates : dict[str, float]
        What one unit of other currencies is in that of the home.
    offset : float
        What their prices are divided by: 1.05 for somebody who prices 5 % high.
    decimal : str
        ``.`` or ``,``; empty to tell from the numbers.
    delimiter, encoding : str
        Of CSV files; empty to tell from the file.
    """

    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    grades: dict[str, dict[str, str]] = {}
    currency: str = ""
    rates: dict[str, float] = {}
    offset: float = 1.0
    decimal: str = ""
    delimiter: str = ""
    encoding: str = ""

    @classmethod
    def from_toml(cls, text: str) -> "Source":
        """Read a declaration.

        Raises
        ------
        SourceError
            Naming what is wrong with it.
        """
        try:
            read = msgspec.convert(tomllib.loads(text), cls)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
            raise SourceError(f"this source cannot be read: {error}") from error
        if read.delimiter and (len(read.delimiter) != 1 or read.delimiter in '"\r\n\0'):
            raise SourceError(f"delimiter must be one character, not {read.delimiter!r}.")
        if read.encoding and read.encoding.casefold() not in ENCODINGS:
            raise SourceError(f"encoding must be one of {', '.join(ENCODINGS)}.")
        if read.currency and not re.fullmatch("[A-Z]{3}", read.currency):
            raise SourceError(f"currency must be three capitals, not {read.currency!r}.")
        known = {*ATTRIBUTES, PRICE, PER_CARAT, SHAPE} - {"listing"}
        for name in read.columns:
            if name not in known:
                raise SourceError(f"columns: {name!r} is none of {', '.join(sorted(known))}.")
        for name, unit in read.units.items():
            if unit not in UNITS.get(name, ()):
                allowed = ", ".join(UNITS.get(name, ())) or "none"
                raise SourceError(f"units: {name} in {unit!r}; known: {allowed}.")
        for name, words in read.grades.items():
            grade = ATTRIBUTES.get(name)
            if not isinstance(grade, Grade):
                raise SourceError(f"grades: {name!r} is no grade.")
            for grade_name in words.values():
                try:
                    grade.read(grade_name)
                except StoneError as error:
                    raise SourceError(f"grades: {error}") from error
        if read.decimal not in ("", ".", ","):
            raise SourceError(f"decimal must be '.' or ',', not {read.decimal!r}.")
        if not all(1e-6 < rate < 1e6 for rate in read.rates.values()):
            raise SourceError("a rate must be positive, from 0.000001 to 1000000.")
        if not 0.2 < read.offset < 5:
            raise SourceError(f"offset must be between 0.2 and 5, not {read.offset:g}.")
        return read

    def to_toml(self) -> str:
        """Write the declaration, as a person would complete it."""
        lines = [
            f"{name} = {_quoted(getattr(self, name))}"
            for name in ("currency", "decimal", "delimiter", "encoding")
            if getattr(self, name)
        ]
        if self.offset != 1:
            lines.append(f"offset = {self.offset}")
        for table in ("columns", "units", "rates"):
            values: dict[str, str | float] = getattr(self, table)
            if values:
                lines += ["", f"[{table}]"]
                lines += [
                    f"{name} = {_quoted(v) if isinstance(v, str) else v}"
                    for name, v in values.items()
                ]
        for name, words in self.grades.items():
            lines += ["", f"[grades.{name}]"]
            lines += [f"{_quoted(word)} = {_quoted(grade)}" for word, grade in words.items()]
        return "\n".join(lines).strip() + "\n"


def understood(header: str) -> tuple[str, str, str] | None:
    """Give what a header means: our name, unit and currency; None for none of ours."""
    text, unit, currency = header.strip(), "", ""
    if (found := _UNIT.match(text)) is not None:
        inside = found[2].strip().casefold()
        if inside in _WORDS or inside in CURRENCIES:
            text = found[1]
            unit, currency = _WORDS.get(inside, ""), CURRENCIES.get(inside, "")
    for word in re.split(r"[\s_]+", text.casefold()):
        currency = currency or CURRENCIES.get(word, "")
    if fold(text) == SHAPE:
        return SHAPE, "", ""
    if fold(text) in _PER_CARAT:
        return PER_CARAT, "", currency
    if fold(text) in _PRICES:
        return PRICE, "", currency
    name = attribute_named(text)
    if name is None or name == "listing":
        return None
    attribute = ATTRIBUTES[name]
    if not isinstance(attribute, Measure) or unit == attribute.unit:
        unit = ""
    return name, unit if unit in UNITS.get(name, ()) else "", ""


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
