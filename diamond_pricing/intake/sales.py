"""From a sheet of text to sales that are checked, and a reason for each row that is not.

Every row of the file is counted once: accepted, or set aside with the field at fault, the
reason, and the text as it stood in the file.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from diamond_pricing.errors import RejectedFileError, StoneError
from diamond_pricing.files import harmless
from diamond_pricing.intake.dates import FILE_NAME, day_in, day_of_file
from diamond_pricing.intake.headers import (
    DISCOUNT,
    LIST_PRICE,
    MEASUREMENTS,
    PER_CARAT,
    PRICE,
    PRICES,
    SIDES,
    UNITS,
    listed,
    money_column,
)
from diamond_pricing.intake.mapping import (
    ROUNDED,
    dates_notes,
    grade_meant,
    guessed,
    of_houses,
    of_no_stone,
)
from diamond_pricing.intake.numbers import currency_named, decimal_sign, number, reduced, sides
from diamond_pricing.intake.reading import Sheet, read_sheet
from diamond_pricing.intake.source import ROW, Source
from diamond_pricing.intake.stored import OTHER as OTHERS_COLUMN
from diamond_pricing.stones import GRADES, MEASURES, OTHERS, Stones, date_of_sale
from diamond_pricing.stones.attributes import Attribute, Day, Grade, Measure, blank, fold, iso
from diamond_pricing.stones.checks import stray_days
from diamond_pricing.stones.keys import IDENTITY, Sale, sales_of
from diamond_pricing.stones.kinds import KINDS, LABORATORY, OTHER

if TYPE_CHECKING:
    import pandas as pd

CHEAPEST, DEAREST = 0.01, 1e9
DUPLICATE = "duplicate"  # the field of a row that is there already
TOTAL = "total"  # of a row that sums others up, or says something else
_PIECES = listed("pcs, pc, pieces, no of pcs, qty, quantity, stones")  # how many a row has
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
    notes : tuple[str, ...]
        What a person should know of it.
    """

    sales: "pd.DataFrame"
    quarantined: list[Quarantined]
    read: int
    originals: list[str]
    notes: tuple[str, ...] = ()

    def aside(self, rows: Iterable[tuple[int, str, str]]) -> "Intake":
        """Set accepted rows aside too: position, field and reason of each."""
        found = {position: (field, reason) for position, field, reason in rows}
        kept = [i for i in range(len(self.sales)) if i not in found]
        lines = self.sales["row"].tolist()
        more = [Quarantined(lines[i], *found[i], self.originals[i]) for i in sorted(found)]
        return Intake(
            self.sales.iloc[kept].reset_index(drop=True),
            sorted([*self.quarantined, *more], key=lambda q: q.row),
            self.read,
            [self.originals[i] for i in kept],
            self.notes,
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
    return _taken_in(name, data, source or Source(), currency)


def sales_to_fit(
    name: str, data: bytes, source: Source | None = None, *, currency: str | None = None
) -> Intake:
    """Read a file of sales to fit a model to, as `take_in` does for a home.

    Every row is a sale, however alike two are, and measurements that contradict each other
    are left to the fit. The currency, in ``sales.attrs``, is that of the file.
    """
    source = msgspec.structs.replace(source or Source(), identity=ROW)
    return _taken_in(name, data, source, currency or None, to_fit=True)


def _taken_in(
    name: str, data: bytes, source: Source, currency: str | None, *, to_fit: bool = False
) -> Intake:
    declared = source.decimal == ","
    sheet = read_sheet(name, data, encoding=source.encoding, delimiter=source.delimiter)
    source = guessed(sheet, source)
    if currency is None:
        currency = source.currency or "USD"
    given = source.currency or currency
    if given != currency and given not in source.rates:
        raise RejectedFileError(
            f"prices are in {given}, this home's in {currency}; declare a rate for {given}."
        )
    rate = 1.0 if given == currency else source.rates[given]
    reader = _Reader(name, sheet, source, rate, given, declared)
    intake = reader.intake(contradictions=not to_fit)
    if to_fit:
        intake.sales.attrs["currency"] = currency
    return intake


def _delivered(name: str, said: str) -> float:
    """The day that a delivery gives to sales without one."""
    day = day_of_file(name) if said == FILE_NAME else day_in(said)
    if day is None:
        raise RejectedFileError(
            f"sales without a date are of that in the name of their file, and {name!r} has "
            "none; a date is written 2026-09-30."
        )
    return float(day)


@dataclass
class _Reader:
    """Works one sheet off, column by column."""

    name: str
    sheet: Sheet
    source: Source
    rate: float
    currency: str  # of the prices
    declared: bool  # whether the source says that decimals follow a comma
    wrong: dict[int, tuple[str, str]] = field(default_factory=dict)  # first fault of each row
    commas: bool = False

    def __post_init__(self) -> None:
        self.headers = self.sheet.headers
        self.n = len(self.sheet.rows)

    def intake(self, *, contradictions: bool) -> Intake:
        """Check everything."""
        import pandas as pd

        for i, row in enumerate(self.sheet.rows):
            if len(row) != len(self.headers):
                self._set_aside(
                    i, "row", f"it has {len(row)} fields, the header {len(self.headers)}"
                )
            elif of_no_stone(row, self.headers, self.source):
                self._set_aside(i, TOTAL, "a total or a remark, no stone")
        if pieces := [header for header in self.headers if fold(header) in _PIECES]:
            for i, text in enumerate(self.sheet.column(pieces[0])):
                if (number(text) or 1) > 1:
                    self._set_aside(i, TOTAL, f"{text.strip()[:20]} stones in one row")
        columns: dict[str, Any] = {}
        for measure in MEASURES:
            columns[measure.name] = self._measure(measure)
        for grade in GRADES:
            columns[grade.name] = self._grade(grade)
        for other in OTHERS:
            if other.name in self.source.columns:
                columns[other.name] = self._other(other)
        self._days(columns)
        columns[PRICE] = self._price(columns["carat"])
        if contradictions:
            self._contradictions(columns)
        further = [name for name in columns if name not in (*OURS, PRICE)]
        frame = pd.DataFrame(columns)[[*OURS, *further, PRICE]]
        if IDENTITY in self.source.columns:
            frame[IDENTITY] = [text or None for text in self._texts(IDENTITY)]
        if self.source.identity != ROW:
            self._duplicates(frame)
        frame["row"] = self.sheet.lines
        ours = set(self.source.columns.values())
        for header in self.headers:
            if header and header not in ours:
                frame[f"{OTHERS_COLUMN}{header}"] = self.sheet.column(header)
        notes = tuple(dates_notes(self.sheet, self.source))
        every = Intake(frame, [], self.n, list(map(_as_it_stood, self.sheet.rows)), notes)
        return every.aside((i, *fault) for i, fault in self.wrong.items())

    def _days(self, columns: dict[str, Any]) -> None:
        """Give the delivery's day to sales without one; set stray days aside."""
        name = date_of_sale()
        given = columns.get(name, [None] * self.n)
        if self.source.delivered and None in given:
            day = _delivered(self.name, self.source.delivered)
            given = columns[name] = [day if said is None else said for said in given]
        days = np.array([np.nan if said is None else said for said in given], float)
        for i in np.flatnonzero(stray_days(days)).tolist():
            self._set_aside(i, name, f"{iso(days[i])} lies months apart from all others")

    def _set_aside(self, row: int, field: str, reason: str) -> None:
        self.wrong.setdefault(row, (field, reason))

    def _column(self, name: str, read: Callable[[str], Any]) -> list[Any]:
        """Read a column by its distinct texts; an error sets the rows of a text aside."""
        if name not in self.source.columns:
            return [None] * self.n
        texts = self._texts(name)
        if name in self.source.grades and LABORATORY in self.source.columns:
            texts = of_houses(name, texts, self._texts(LABORATORY), self.source)
        known: dict[str, Any] = {}
        faults: dict[str, str] = {}
        for text in set(texts):
            try:
                known[text] = read(text)
            except StoneError as error:
                known[text], faults[text] = None, str(error).rstrip(".")
        for i, text in enumerate(texts):
            if text in faults and len(self.sheet.rows[i]) == len(self.headers):
                self._set_aside(i, name, faults[text])
        return [known[text] for text in texts]

    def _measure(self, measure: Measure) -> Any:
        column = measure.name
        if column not in self.source.columns and column in SIDES:
            column = MEASUREMENTS
        unit = self.source.units.get(measure.name, self.source.units.get(column, ""))
        factor = UNITS.get(measure.name, {}).get(unit, 1.0)

        def read(text: str) -> Any:
            if column == MEASUREMENTS and not blank(text):
                parts = sides(text)
                # Two are length and width beside a column of the height.
                if not len(SIDES) - ("z" in self.source.columns) <= len(parts) <= len(SIDES):
                    raise StoneError(f"measurements are not three numbers: {text[:40]!r}")
                text = parts[SIDES.index(measure.name)]
            if blank(text):
                return _missing(measure)
            value = number(text, self.source.decimal)
            if value is None:
                raise StoneError(f"{measure.name} is not a number: {text[:40]!r}")
            if value == 0 and not measure.required:
                return None  # not measured
            # Four decimals: single-precision files must not make other stones of theirs.
            return measure.read(round(value * factor, 4))

        values = self._column(column, read)
        return np.array([np.nan if v is None else v for v in values], float)

    def _other(self, attribute: Attribute) -> list[Any]:
        """An attribute that a stone may lack: what it does not know counts as missing.

        But a shape or origin that is not known is not priced as if nobody had said it.
        """
        kind = attribute.name in KINDS

        def read(text: str) -> Any:
            said = text
            if isinstance(attribute, Grade):
                said = grade_meant(attribute, text, self.source)
            if isinstance(attribute, Day):
                day = day_in(text, self.source.dates)
                if day is None or not attribute.low <= day <= attribute.high:
                    return None
                if day > date.today().toordinal() + 1:
                    raise StoneError(f"{attribute.name} {text[:40]!r} lies in the future")
                return float(day)
            try:
                if type(attribute) is Measure:
                    value = number(said, self.source.decimal)
                    return None if value is None else attribute.read(value)
                return attribute.parse(said)
            except StoneError as error:
                if not kind or blank(text):
                    return None
                meant = "of another kind" if said == OTHER else "not known"
                raise StoneError(f"{attribute.name} {text[:40]!r} is {meant}") from error

        return self._column(attribute.name, read)

    def _grade(self, grade: Grade) -> list[str | None]:
        def read(text: str) -> str | None:
            said = grade_meant(grade, text, self.source)
            if blank(text) and grade.find(said) is None:  # None is a fluorescence
                return grade.ungraded or _missing(grade)
            return grade.read(said)

        if grade.ungraded and grade.name not in self.source.columns:
            return [grade.ungraded] * self.n
        return self._column(grade.name, read)

    def _price(self, carat: Any) -> Any:
        """Price of each row: as given, by the carat, or by a list price less a discount.

        Where a row says it twice and they disagree it is set aside.
        """
        found: dict[str, Any] = {}
        texts = {name: self._texts(name) for name in PRICES}
        if PRICE in self.source.columns:
            found[PRICE] = self._amounts(texts[PRICE])
        if PER_CARAT in self.source.columns:
            found[PER_CARAT] = np.round(self._amounts(texts[PER_CARAT]) * carat, 2)
        if {LIST_PRICE, DISCOUNT} <= self.source.columns.keys():
            off = self._discounts(texts[DISCOUNT])
            found[LIST_PRICE] = np.round(
                self._amounts(texts[LIST_PRICE]) * (1 - off) * carat, 2
            )
        price = np.full(self.n, np.nan)
        for name, values in found.items():
            differ = np.abs(values / price - 1) > ROUNDED
            for i in np.flatnonzero(differ):
                said = f"the price is {price[i]:g}, by {name.replace('_', ' ')} {values[i]:g}"
                self._set_aside(int(i), PRICE, said)
            price = np.where(np.isnan(price), values, price)
        first, *beside = found
        for row, text in enumerate(texts[PRICE]):
            if first == PRICE and not beside and (twice := reduced(text)):
                reason = f"the price may be {twice[0]} or {twice[1]}: declare"
                self._set_aside(row, PRICE, reason)
        for i in np.flatnonzero(np.isnan(price)):
            self._set_aside(int(i), PRICE, self._why_no_price(texts[first][i]))
        for i in np.flatnonzero(~np.isnan(price) & ~((price >= CHEAPEST) & (price < DEAREST))):
            self._set_aside(int(i), PRICE, f"the price comes out at {price[i]:g}")
        if money := money_column(self.headers):
            for row, text in enumerate(self.sheet.column(money)):
                if text.strip() and currency_named(text) != self.currency:
                    reason = f"the price is in {text.strip()[:20]!r}, not {self.currency}"
                    self._set_aside(row, PRICE, reason)
        return price

    def _texts(self, name: str) -> list[str]:
        header = self.source.columns.get(name)
        if header is None:
            return [""] * self.n
        return [text.strip() for text in self.sheet.column(header)]

    def _why_no_price(self, text: str) -> str:
        """Why an amount could not be read."""
        if blank(text):
            return "price is missing"
        if currency_named(text) not in ("", self.currency):
            return f"price {text[:40]!r} is not in {self.currency}"
        if self._unclear(text):
            return f"price {text[:40]!r} may have thousands or decimals: declare"
        value = number(text, self.source.decimal)
        if value is None:
            return f"price is not a number: {text[:40]!r}"
        return f"price must be positive and under {DEAREST:g}, not {text[:40]}"

    def _unclear(self, text: str) -> bool:
        comma = self.source.decimal == "," and not self.commas
        return comma and bool(re.fullmatch(r"[1-9]\d{0,2},\d{3}", text))

    def _amounts(self, texts: list[str]) -> Any:
        """Amounts in the home's currency, shape (n,); NaN for what is none."""
        self.commas = self.declared or decimal_sign(set(texts)) == ","

        def read(text: str) -> float:
            twice = reduced(text)
            text = twice[1] if twice else text
            if currency_named(text) not in ("", self.currency) or self._unclear(text):
                return np.nan
            value = number(text, self.source.decimal)
            if value is None or not 0 < value < DEAREST:
                return np.nan
            return round(value * self.rate, 2) or value * self.rate

        known = {text: read(text) for text in set(texts)}
        return np.array([known[text] for text in texts], float)

    def _discounts(self, texts: list[str]) -> Any:
        """Shares that are taken off, shape (n,): lists write them with either sign."""
        found = [number(text, self.source.decimal) for text in texts]
        off = np.array([np.nan if v is None else v for v in found], float)
        some = off[~np.isnan(off)]
        if not len(some):
            return off
        off = -off if (some < 0).sum() > (some > 0).sum() else off
        return off if np.abs(some).max() <= 1 else off / 100

    def _contradictions(self, columns: dict[str, Any]) -> None:
        """Set aside stones whose measurements contradict each other."""
        import pandas as pd

        rows = [i for i in range(self.n) if i not in self.wrong]
        if not rows:
            return
        read = [*OURS, *(name for name in KINDS if name in columns)]
        some = {name: pd.Series(columns[name]).iloc[rows].to_numpy() for name in read}
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


def _missing(attribute: Attribute) -> Any:
    """Nothing, of an attribute that a stone may lack."""
    if attribute.required:
        raise StoneError(f"{attribute.name} is missing")
    return None


def _as_it_stood(row: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row)
    return text.getvalue()


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
