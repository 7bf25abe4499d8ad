"""From a sheet of text to sales that are checked, and a reason for each row that is not.

Every row of the file is counted once: accepted, or set aside with the field at fault, the
reason, and the text as it stood in the file.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.errors import RejectedFileError, StoneError
from diamond_pricing.files import harmless
from diamond_pricing.stones import (
    GRADES,
    MEASURES,
    OTHERS,
    Attribute,
    Grade,
    Measure,
    Stones,
)
from diamond_pricing.stones.attributes import fold
from diamond_pricing.stones.keys import IDENTITY, Sale, sales_of
from diamond_pricing.stones.kinds import GONE, ONLY, of_other_kind
from diamond_pricing.warehouse.headers import (
    MEASUREMENTS,
    PER_CARAT,
    PRICE,
    SIDES,
    UNITS,
)
from diamond_pricing.warehouse.mapping import cells, guessed, money_column
from diamond_pricing.warehouse.numbers import currency_named, number, sides
from diamond_pricing.warehouse.reading import Sheet, read_sheet
from diamond_pricing.warehouse.sales_file import OTHER
from diamond_pricing.warehouse.source import Source

if TYPE_CHECKING:
    import pandas as pd

CHEAPEST, DEAREST = 0.01, 1e9
DUPLICATE = "duplicate"  # the field of a row that is there already
OURS = (*(m.name for m in MEASURES), *(g.name for g in GRADES))


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that was set aside.

    Attributes
    ----------
    row : int
        As a person counts the lines of the file.
    field, reason : str
        What is at fault, and why.
    original : str
        The row as it stood in the file.
    """

    row: int
    field: str
    reason: str
    original: str


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """What became of a file.

    Attributes
    ----------
    sales : DataFrame
        One row a sale: our columns, ``price``, ``row``, and other columns of the file as
        text, ``other:`` before their name.
    quarantined : list[Quarantined]
    read : int
        Rows of the file; the sum of the two.
    originals : list[str]
        The accepted rows as they stood in the file.
    """

    sales: "pd.DataFrame"
    quarantined: list[Quarantined]
    read: int
    originals: list[str]

    def aside(self, rows: Iterable[tuple[int, str, str]]) -> "Intake":
        """Set accepted rows aside too: position, field and reason of each."""
        found = {position: (field, reason) for position, field, reason in rows}
        kept = [i for i in range(len(self.sales)) if i not in found]
        more = [
            Quarantined(int(self.sales["row"].iloc[i]), *found[i], self.originals[i])
            for i in sorted(found)
        ]
        return Intake(
            self.sales.iloc[kept].reset_index(drop=True),
            sorted([*self.quarantined, *more], key=lambda q: q.row),
            self.read,
            [self.originals[i] for i in kept],
        )

    def reasons(self) -> dict[str, int]:
        """How many rows were set aside for each field."""
        return dict(sorted(Counter(q.field for q in self.quarantined).items()))


def take_in(
    name: str, data: bytes, source: Source | None = None, *, currency: str = "USD"
) -> Intake:
    """Read, map and check a file of sales.

    Parameters
    ----------
    name : str
        Of the file; its ending tells what it is.
    source : Source, optional
        How it is written; what it does not say is guessed from the headers.
    currency : str
        That prices must be in, or be converted to by a declared rate.

    Raises
    ------
    RejectedFileError
        When the whole file is refused.
    """
    source = source or Source()
    sheet = read_sheet(name, data, encoding=source.encoding, delimiter=source.delimiter)
    source = guessed(sheet, source)
    rate = _rate(source, currency)
    return _Reader(sheet, source, rate, source.currency or currency).intake()


def _rate(source: Source, currency: str) -> float:
    given = source.currency or currency
    if given == currency:
        return 1.0
    if given not in source.rates:
        raise RejectedFileError(
            f"prices are in {given}, this home's in {currency}; declare a rate for {given}."
        )
    return source.rates[given]


class _Reader:
    """Works one sheet off, column by column."""

    def __init__(self, sheet: Sheet, source: Source, rate: float, currency: str) -> None:
        self.sheet, self.source, self.rate = sheet, source, rate
        self.currency = currency
        self.headers = [header.strip() for header in sheet.header]
        self.n = len(sheet.rows)
        self.wrong: dict[int, tuple[str, str]] = {}  # the first fault of each row

    def intake(self) -> Intake:
        """Check everything."""
        import pandas as pd

        for i, row in enumerate(self.sheet.rows):
            if len(row) != len(self.headers):
                self._set_aside(
                    i, "row", f"it has {len(row)} fields, the header {len(self.headers)}"
                )
        for name in ONLY:
            self._only(name)
        columns: dict[str, Any] = {}
        for measure in MEASURES:
            columns[measure.name] = self._measure(measure)
        for grade in GRADES:
            columns[grade.name] = self._grade(grade)
        for other in OTHERS:
            if other.name in self.source.columns and other.name not in ONLY:
                columns[other.name] = self._other(other)
        columns[PRICE] = self._price(columns["carat"])
        self._contradictions(columns)
        further = [name for name in columns if name not in (*OURS, PRICE)]
        frame = pd.DataFrame(columns)[[*OURS, *further, PRICE]]
        if IDENTITY in self.source.columns:
            at = self.headers.index(self.source.columns[IDENTITY].strip())
            frame[IDENTITY] = [text.strip() or None for text in cells(self.sheet, at)]
        self._duplicates(frame)
        frame["row"] = self.sheet.lines
        ours = set(self.source.columns.values())
        for at, header in enumerate(self.headers):
            if header and header not in ours:
                frame[f"{OTHER}{header}"] = cells(self.sheet, at)
        kept = [i for i in range(self.n) if i not in self.wrong]
        aside = [
            Quarantined(self.sheet.lines[i], *self.wrong[i], self._original(i))
            for i in sorted(self.wrong)
        ]
        accepted = frame.iloc[kept].reset_index(drop=True)
        return Intake(accepted, aside, self.n, [self._original(i) for i in kept])

    def _set_aside(self, row: int, field: str, reason: str) -> None:
        self.wrong.setdefault(row, (field, reason))

    def _original(self, row: int) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(self.sheet.rows[row])
        return text.getvalue()

    def _column(self, name: str, read: Callable[[str], tuple[Any, str]]) -> list[Any]:
        """Read a column by its distinct texts: a value, and what is wrong with it."""
        header = self.source.columns.get(name)
        if header is None:
            return [None] * self.n
        texts = [c.strip() for c in cells(self.sheet, self.headers.index(header.strip()))]
        known = {text: read(text) for text in set(texts)}
        values = []
        for i, text in enumerate(texts):
            value, fault = known[text]
            if fault and len(self.sheet.rows[i]) == len(self.headers):
                self._set_aside(i, name, fault)
            values.append(value)
        return values

    def _only(self, name: str) -> None:
        """Set aside what is not of the one shape, or origin, that these models price."""
        declared = self.source.grades.get(name)

        def read(text: str) -> tuple[str, str]:
            return text, of_other_kind(name, [text], declared).get(0, "")

        self._column(name, read)

    def _measure(self, measure: Measure) -> Any:
        column = measure.name
        if column not in self.source.columns and column in SIDES:
            column = MEASUREMENTS
        unit = self.source.units.get(measure.name, self.source.units.get(column, ""))
        factor = UNITS.get(measure.name, {}).get(unit, 1.0)

        def read(text: str) -> tuple[float | None, str]:
            if column == MEASUREMENTS and text.casefold() not in GONE:
                parts = sides(text)
                if len(parts) != len(SIDES):
                    return None, f"measurements are not three numbers: {text[:40]!r}"
                text = parts[SIDES.index(measure.name)]
            if text.casefold() in GONE:
                return None, f"{measure.name} is missing" if measure.required else ""
            value = number(text, self.source.decimal)
            if value is None:
                return None, f"{measure.name} is not a number: {text[:40]!r}"
            try:
                # Four decimals: single-precision files must not make other stones of theirs.
                return measure.read(round(value * factor, 4)), ""
            except StoneError as error:
                return None, str(error).rstrip(".")

        values = self._column(column, read)
        return np.array([np.nan if v is None else v for v in values], float)

    def _other(self, attribute: Attribute) -> list[Any]:
        """An attribute that a stone may lack: what it does not know counts as missing."""
        words = {fold(k): v for k, v in self.source.grades.get(attribute.name, {}).items()}

        def read(text: str) -> tuple[Any, str]:
            said = words.get(fold(text), text)
            try:
                if type(attribute) is Measure:
                    value = number(said, self.source.decimal)
                    return (None if value is None else attribute.read(value)), ""
                return attribute.parse(said), ""
            except StoneError:
                return None, ""

        return self._column(attribute.name, read)

    def _grade(self, grade: Grade) -> list[str | None]:
        words = {fold(k): v for k, v in self.source.grades.get(grade.name, {}).items()}
        own = re.compile(rf"\s+(?:{grade.name}|colour|grade)$", re.I)  # "H Color" is H

        def read(text: str) -> tuple[str | None, str]:
            said = words.get(fold(text), own.sub("", text))
            if text.casefold() in GONE and grade.find(said) is None:  # None is a fluorescence
                return None, f"{grade.name} is missing" if grade.required else ""
            try:
                return grade.read(said), ""
            except StoneError as error:
                return None, str(error).rstrip(".")

        return self._column(grade.name, read)

    def _price(self, carat: Any) -> Any:
        name = PRICE if PRICE in self.source.columns else PER_CARAT

        def read(text: str) -> tuple[float | None, str]:
            if text.casefold() in GONE:
                return None, "price is missing"
            if currency_named(text) not in ("", self.currency):
                return None, f"price {text[:40]!r} is not in {self.currency}"
            value = number(text, self.source.decimal)
            if self.source.decimal == "," and re.fullmatch(r"\d{1,3},\d{3}", text):
                return None, f"price {text[:40]!r} may have thousands or decimals: declare"
            if value is None:
                return None, f"price is not a number: {text[:40]!r}"
            if not 0 < value < DEAREST:
                return None, f"price must be positive and under {DEAREST:g}, not {text[:40]}"
            return round(value * self.rate, 2) or value * self.rate, ""

        values = self._column(name, read)
        price = np.array([np.nan if v is None else v for v in values], float)
        if name == PER_CARAT:
            price = np.round(price * carat, 2)
        for i in np.flatnonzero(~np.isnan(price) & ~((price >= CHEAPEST) & (price < DEAREST))):
            self._set_aside(int(i), PRICE, f"the price comes out at {price[i]:g}")
        if money := money_column(self.headers):
            told = cells(self.sheet, self.headers.index(money))
            for row, text in enumerate(told):
                if text.strip() and currency_named(text) != self.currency:
                    reason = f"the price is in {text.strip()[:20]!r}, not {self.currency}"
                    self._set_aside(row, PRICE, reason)
        return price

    def _contradictions(self, columns: dict[str, Any]) -> None:
        """Set aside stones whose measurements contradict each other."""
        import pandas as pd

        rows = [i for i in range(self.n) if i not in self.wrong]
        if not rows:
            return
        some = {name: pd.Series(columns[name]).iloc[rows].to_numpy() for name in OURS}
        for at, problem in Stones.from_frame(pd.DataFrame(some)).left_out:
            self._set_aside(rows[at], problem.attribute, problem.reason.rstrip("."))

    def _duplicates(self, frame: "pd.DataFrame") -> None:
        seen: dict[Sale, int] = {}
        for i, key in enumerate(recorded_sales(frame)):
            if i in self.wrong:
                continue
            if key in seen:
                first = self.sheet.lines[seen[key]]
                self._set_aside(i, DUPLICATE, f"the same sale as row {first}")
            else:
                seen[key] = i


def recorded_sales(frame: "pd.DataFrame") -> list[Sale]:
    """The sales of a frame as they are compared with others."""
    return sales_of(frame, (*OURS, *(other.name for other in OTHERS)))


def quarantine_csv(file: str, rows: list[Quarantined]) -> bytes:
    """Write the rows that were set aside."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "field", "reason", "original"])
    writer.writerows(
        (harmless(file), q.row, q.field, q.reason, harmless(q.original)) for q in rows
    )
    return text.getvalue().encode("utf-8", "replace")
