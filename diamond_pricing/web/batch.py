"""Many stones at once: a bad row gets its own error and leaves the others alone."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np

from diamond_pricing.errors import SourceError
from diamond_pricing.intake.columns import TableColumns
from diamond_pricing.intake.judged import STATUS, Judged, judged
from diamond_pricing.intake.source import Source
from diamond_pricing.model import PriceModel
from diamond_pricing.model.details import REFERENCE
from diamond_pricing.stones import ATTRIBUTES, Coded, Measure
from diamond_pricing.web.problems import Fault, ProblemError, of_stone

ROWS = 16_384  # priced at a time
NAMES = tuple(n for n, a in ATTRIBUTES.items() if n != "listing")
_REQUIRED = tuple(n for n in NAMES if ATTRIBUTES[n].needed)
_KNOWN = frozenset(NAMES)
FEW_TEXTS = 64  # different grades that may be looked at anew for each part


class Part(msgspec.Struct, frozen=True):
    """The answers for some rows, one after another."""

    first: int  # number of the first row, from 0
    found: Judged
    errors: dict[int, Fault]  # by row, counted from the first

    def __len__(self) -> int:
        return len(self.found.status)

    def words(self) -> list[str]:
        """The status of each row."""
        return [STATUS[code] for code in self.found.status.tolist()]


class Asked(msgspec.Struct, frozen=True):
    """How a batch is to be priced."""

    model: PriceModel
    listing: str
    level: float

    @property
    def lines(self) -> list[str]:
        """Names of the columns of ``Part.cents``."""
        return [REFERENCE, *self.model.lines]


# Columns by name, of equal length, as `judged` takes them, and how many rows they have.
Rows = tuple[Mapping[str, Any], int]


def parts(asked: Asked, pieces: Iterable[Rows], wrong: Mapping[int, Fault]) -> Iterator[Part]:
    """Price rows piece by piece; what was found ``wrong`` before is the error of its row."""
    first = 0
    for columns, n in pieces:
        for start in range(0, n, ROWS):
            rows, piece = slice(start, min(start + ROWS, n)), columns
            if n > ROWS:
                piece = {name: _cut(column, rows) for name, column in columns.items()}
            count = rows.stop - start
            found = judged(asked.model, piece, count, asked.level, asked.listing)
            errors = {row: of_stone(error).faults[0] for row, error in found.errors.items()}
            if wrong:
                errors |= {i: wrong[first + i] for i in range(count) if first + i in wrong}
            yield Part(first, found, errors)
            first += count


def _cut(column: Any, rows: slice) -> Any:
    if isinstance(column, Coded) and len(column.texts) <= FEW_TEXTS:
        return Coded(column.texts, column.codes[rows])
    if isinstance(column, Coded):
        used, codes = np.unique(column.codes[rows], return_inverse=True)
        return Coded([column.texts[code] for code in used.tolist()], codes)
    return column[rows]


def columns_of(given: Any, most: int) -> tuple[dict[str, Any], int]:
    """Columns of a JSON body, and how many rows they have.

    Raises
    ------
    ProblemError
        For columns that are none, of unequal lengths, or with more than ``most`` rows.
    """
    if not isinstance(given, dict) or not given:
        raise _shape("/columns", "columns must be an object of lists.")
    for name, column in given.items():
        if name not in NAMES:
            raise _shape(f"/columns/{name}", f"{name[:60]!r} is not an attribute.", list(NAMES))
        if not isinstance(column, list):
            raise _shape(f"/columns/{name}", f"column {name} must be a list.")
    for name in _REQUIRED:
        if name not in given:
            raise _shape(f"/columns/{name}", f"there is no column {name}.")
    lengths = {len(column) for column in given.values()}
    if len(lengths) != 1:
        longest = max(lengths)
        short = next(name for name, column in given.items() if len(column) < longest)
        text = f"The columns have different lengths: {short} is shorter than others."
        raise ProblemError("unequal_columns", text, [Fault(text, f"/columns/{short}")])
    n = lengths.pop()
    counted(n, most)
    return {name: _column(name, column) for name, column in given.items()}, n


def _column(name: str, column: list[Any]) -> Any:
    """A column as `part` takes it: numbers as an array where they are all numbers."""
    numbers = type(ATTRIBUTES[name]) is Measure
    if numbers and {type(value) for value in column} <= {int, float}:
        with suppress(OverflowError):
            return np.array(column, np.float64)
    return np.array([*column, None], object)[:-1]  # a list in it must not become a second axis


def rows_of(given: Any, most: int) -> tuple[dict[str, Any], int, dict[int, Fault]]:
    """Columns of rows of JSON; rows that have no shape of a stone get an error.

    Raises
    ------
    ProblemError
        When it is no list, or of more than ``most`` rows.
    """
    if not isinstance(given, list):
        raise _shape("/rows", "rows must be a list of stones.")
    counted(len(given), most)
    wrong: dict[int, Fault] = {}
    for i, row in enumerate(given):
        if not isinstance(row, dict):
            wrong[i] = Fault("a row must be an object.", "", "wrong_shape")
        elif not row.keys() <= _KNOWN:
            name = next(iter(row.keys() - _KNOWN))[:60]
            text = f"{name!r} is not an attribute."
            wrong[i] = Fault(text, f"/{name}", "wrong_shape", allowed=list(NAMES))
    rows = [{} if i in wrong else row for i, row in enumerate(given)] if wrong else given
    sent = set().union(*(row.keys() for row in rows), _REQUIRED)
    columns = {name: [row.get(name) for row in rows] for name in NAMES if name in sent}
    used = {n: c for n, c in columns.items() if n in _REQUIRED or any(v is not None for v in c)}
    return {name: _column(name, column) for name, column in used.items()}, len(rows), wrong


def counted(n: int, most: int) -> None:
    """Refuse a batch of too many rows."""
    if n > most:
        raise ProblemError("too_many_rows", f"A batch may have {most:,} rows, not {n:,}.")


def _shape(pointer: str, text: str, allowed: Sequence[str] = ()) -> ProblemError:
    fault = Fault(text, pointer, allowed=list(allowed))
    return ProblemError("wrong_shape", text[:1].upper() + text[1:], [fault])


def columns_named(
    headers: list[str], decimal: str = ".", cuts: Collection[str] = ()
) -> TableColumns:
    """What the columns of a table are, whose numbers have this decimal sign.

    Raises
    ------
    ProblemError
        When a column that is needed is not there, as one of cut where all ``cuts`` that a
        model knows are graded, or when two mean the same.
    """
    try:
        declared = Source(decimal="," if decimal == "," else "")
        found = TableColumns(headers, declared, strict=True)
        if cuts:
            found.check_cut(cuts)
        return found
    except SourceError as error:
        raise ProblemError("unreadable", str(error)) from error


def facts(asked: Asked) -> dict[str, Any]:
    """What holds for all rows of an answer."""
    t = asked.model.training
    return {
        "model": asked.model.sha256,
        "currency": t.currency,
        "effective": t.effective,
        "listing": asked.listing,
        "level": asked.level,
    }
