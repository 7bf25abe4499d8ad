"""How one source writes its files: a few declared lines instead of a script for each."""

import re
import tomllib

import msgspec

from diamond_pricing.errors import SourceError, StoneError
from diamond_pricing.intake.dates import DAY_FIRST, FILE_NAME, MONTH_FIRST, day_in
from diamond_pricing.intake.headers import MEASUREMENTS, PRICES, UNITS
from diamond_pricing.stones import ATTRIBUTES, Grade
from diamond_pricing.stones.keys import IDENTITY
from diamond_pricing.stones.kinds import KINDS, OTHER

ROW = "row"
DROP, REFUSE = "drop", "refuse"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # marks at the beginning of a text
FITTED = "fitted"  # an offset that is estimated with each model
_ENCODINGS = """utf-8 utf-16 cp1252 cp1250 cp1251 iso-8859-1 iso-8859-15 mac-roman shift-jis
    gb18030 big5"""
ENCODINGS = _ENCODINGS.split()


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a source's columns are called and how it writes what is in them.

    Attributes
    ----------
    columns : dict[str, str]
        By our name theirs: carat, cut …, price or price_per_carat; measurements for three
        numbers in one column; list_price_per_carat and discount, from which a price follows;
        identity for the number of a certificate or of the stock.
    units : dict[str, str]
        By our name the unit of their numbers, where it is not ours.
    grades : dict[str, dict[str, str]]
        By our name their words and our grades.
    currency : str
        Of their prices; empty when it is that of the home.
    rates : dict[str, float]
        What one unit of other currencies is in that of the home.
    offset : float or str
        What their prices are divided by when a model is fitted: 1.05 for somebody who prices
        5 % high; ``fitted`` to estimate it with each model against all other sources.
    decimal : str
        ``.`` or ``,``; empty to tell from the numbers.
    delimiter, encoding : str
        Of CSV files; empty to tell from the file.
    identity : str
        ``row`` where every row is a stone, however alike two are; empty to tell from whether
        a number or measurements say which stone it is.
    signs : str
        What a sign behind a grade (``F+``, ``VS1-``) means: ``drop``, the default, or
        ``refuse``, which sets such rows aside.
    dates : str
        ``day first`` or ``month first``; empty to tell from the dates.
    delivered : str
        The day of sales that say none: a date, or ``file name`` where each file's name holds
        one (``2026-09-30``, ``20260930``, or ``2026-09``, which is its last day).
    """

    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    grades: dict[str, dict[str, str]] = {}
    currency: str = ""
    rates: dict[str, float] = {}
    offset: float | str = 1.0
    decimal: str = ""
    delimiter: str = ""
    encoding: str = ""
    identity: str = ""
    signs: str = ""
    dates: str = ""
    delivered: str = ""

    @classmethod
    def from_toml(cls, text: str | bytes) -> "Source":
        """Read a declaration; bytes are UTF-8, or UTF-16 with its mark at their beginning.

        Raises
        ------
        SourceError
            Naming what is wrong with it.
        """
        try:
            if isinstance(text, bytes):
                text = text.decode("utf-16" if text[:2] in UTF_16 else "utf-8-sig")
            read = msgspec.convert(tomllib.loads(text), cls)
        except (ValueError, msgspec.ValidationError, RecursionError) as error:
            raise SourceError(f"this source cannot be read: {error}") from error
        if read.delimiter and (len(read.delimiter) != 1 or read.delimiter in '"\r\n\0'):
            raise SourceError(f"delimiter must be one character, not {read.delimiter!r}.")
        if read.encoding and read.encoding.casefold() not in ENCODINGS:
            raise SourceError(f"encoding must be one of {', '.join(ENCODINGS)}.")
        if read.currency and not re.fullmatch("[A-Z]{3}", read.currency):
            raise SourceError(f"currency must be three capitals, not {read.currency!r}.")
        ours = {*PRICES, MEASUREMENTS, IDENTITY}
        known = (ours | set(ATTRIBUTES)) - {"listing"}
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
                raise SourceError(f"grades: {name!r} is not a grade.")
            for grade_name in words.values():
                if grade_name == OTHER and name in KINDS:
                    continue
                try:
                    grade.read(grade_name)
                except StoneError as error:
                    raise SourceError(f"grades: {error}") from error
        if read.identity not in ("", ROW):
            raise SourceError(f"identity must be {ROW!r}, not {read.identity!r}.")
        if read.signs not in ("", DROP, REFUSE):
            raise SourceError(f"signs must be {DROP!r} or {REFUSE!r}, not {read.signs!r}.")
        if read.dates not in ("", DAY_FIRST, MONTH_FIRST):
            raise SourceError(f"dates must be {DAY_FIRST!r} or {MONTH_FIRST!r}.")
        if read.delivered not in ("", FILE_NAME) and day_in(read.delivered) is None:
            raise SourceError(
                f"delivered must be a date as 2026-09-30, or {FILE_NAME!r}; not "
                f"{read.delivered!r}."
            )
        if read.decimal not in ("", ".", ","):
            raise SourceError(f"decimal must be '.' or ',', not {read.decimal!r}.")
        if not all(1e-6 < rate < 1e6 for rate in read.rates.values()):
            raise SourceError("a rate must be positive, from 0.000001 to 1000000.")
        offset = read.offset
        if offset != FITTED and (isinstance(offset, str) or not 0.2 < offset < 5):
            raise SourceError(f"offset must be from 0.2 to 5, or {FITTED!r}; not {offset!r}.")
        return read

    def to_toml(self) -> str:
        """Write the declaration, as a person would complete it."""
        given = {
            name: getattr(self, name) for name in self.__struct_fields__ if name != "offset"
        }
        words = {
            name: value for name, value in given.items() if value and isinstance(value, str)
        }
        lines = [f"{name} = {_quoted(word)}" for name, word in words.items()]
        if self.offset != 1:
            lines.append(f"offset = {_written(self.offset)}")
        for table in ("columns", "units", "rates"):
            values: dict[str, str | float] = getattr(self, table)
            if values:
                lines += ["", f"[{table}]"]
                lines += [f"{name} = {_written(value)}" for name, value in values.items()]
        for name, words in self.grades.items():
            lines += ["", f"[grades.{name}]"]
            lines += [f"{_quoted(word)} = {_quoted(grade)}" for word, grade in words.items()]
        return "\n".join(lines).strip() + "\n"


def _written(value: float | str) -> str:
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
