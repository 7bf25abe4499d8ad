"""Many stones at once: a bad row gets its own error and leaves the others alone."""

from collections.abc import Iterator, Mapping, Sequence
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
FEW_TEXTS = 64  # different grades that may be looked at anew for each part


class Part(msgspec.Struct, frozen=True):
    """The answers for some rows, one after another.

    Attributes
    ----------
    first : int
        Number of the first row, from 0.
    found : Judged
    errors : dict[int, Fault]
        By row, counted from ``first``.
    """

    first: int
    found: Judged
    errors: dict[int, Fault]

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


# Columns by name, of equal length, as `judged` takes them.
Rows = Mapping[str, Any]


def parts(asked: Asked, columns: Rows, n: int, first: int = 0) -> Iterator[Part]:
    """Price columns piece by piece."""
    for start in range(0, n, ROWS):
        rows = slice(start, min(start + ROWS, n))
        piece = {name: _cut(column, rows) for name, column in columns.items()}
        yield part(asked, piece, rows.stop - start, first + start)


def part(asked: Asked, columns: Rows, n: int, first: int) -> Part:
    """Price some rows."""
    found = judged(asked.model, columns, n, asked.level, asked.listing)
    errors = {row: of_stone(error).faults[0] for row, error in found.errors.items()}
    return Part(first, found, errors)


def _cut(column: Any, rows: slice) -> Any:
    if isinstance(column, Coded) and len(column.texts) <= FEW_TEXTS:
        return Coded(column.texts, column.codes[rows])
    if isinstance(column, Coded):
        used, codes = np.unique(column.codes[rows], return_inverse=True)
        return Coded([column.texts[code] for code in used.tolist()], codes)
    return column[rows]


_REQUIRED = tuple(n for n in NAMES if ATTRIBUTES[n].needed)


# --------------------------------------------------------------------- JSON bodies


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
    if type(ATTRIBUTES[name]) is Measure:
        if {type(value) for value in column} <= {int, float}:
            with suppress(OverflowError):
                return np.array(column, np.float64)
        return np.array([*column, None], object)[:-1]
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
            name = next(iter(row.keys() - _KNOWN))
            wrong[i] = Fault(
                f"{name[:60]!r} is not an attribute.",
                f"/{name[:60]}",
                "wrong_shape",
                allowed=list(NAMES),
            )
    rows = [{} if i in wrong else row for i, row in enumerate(given)] if wrong else given
    sent = set().union(*(row.keys() for row in rows), _REQUIRED)
    columns = {name: [row.get(name) for row in rows] for name in NAMES if name in sent}
    used = {n: c for n, c in columns.items() if n in _REQUIRED or any(v is not None for v in c)}
    return {name: _column(name, column) for name, column in used.items()}, len(rows), wrong


_KNOWN = frozenset(NAMES)


def with_errors(part: Part, wrong: dict[int, Fault]) -> Part:
    """The same with errors that were found before, which say more."""
    for row in range(len(part)):
        if part.first + row in wrong:
            part.errors[row] = wrong[part.first + row]
    return part


def counted(n: int, most: int) -> None:
    """Refuse a batch of too many rows."""
    if n > most:
        raise ProblemError("too_many_rows", f"A batch may have {most:,} rows, not {n:,}.")


def _shape(pointer: str, text: str, allowed: Sequence[str] = ()) -> ProblemError:
    fault = Fault(text, pointer, allowed=list(allowed))
    return ProblemError("wrong_shape", text[:1].upper() + text[1:], [fault])


def columns_named(headers: list[str], decimal: str = ".") -> TableColumns:
    """What the columns of a table are, whose numbers have this decimal sign.

    Raises
    ------
    ProblemError
        When a column that is needed is not there, or two mean the same.
    """
    try:
        return TableColumns(headers, Source(decimal="," if decimal == "," else ""), strict=True)
    except SourceError as error:
        raise ProblemError("unreadable", str(error)) from error


def facts(asked: Asked, n: int | None = None) -> dict[str, Any]:
    """What holds for all rows of an answer."""
    t = asked.model.training
    facts = {
        "model": asked.model.sha256,
        "currency": t.currency,
        "effective": t.effective,
        "listing": asked.listing,
        "level": asked.level,
    }
    return facts if n is None else facts | {"count": n}
