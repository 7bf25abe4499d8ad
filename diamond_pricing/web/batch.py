"""Many stones at once: a bad row gets its own error and leaves the others alone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import StoneError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.explanation import REFERENCE
from diamond_pricing.model.support import ADVICE
from diamond_pricing.model.verdict import CAUTION, FEW, PRICED
from diamond_pricing.stones import (
    ATTRIBUTES,
    OTHERS,
    Coded,
    Columns,
    Grade,
    Measure,
    Stone,
    Stones,
    attribute_named,
)
from diamond_pricing.stones.kinds import KINDS, kinds_known, of_other_kind
from diamond_pricing.web.problems import Fault, ProblemError, of_stone

ROWS = 16_384  # priced at a time
NAMES = tuple(n for n, a in ATTRIBUTES.items() if n != "listing")
REFUSED = "refused"
FEW_TEXTS = 64  # different grades that may be looked at anew for each part
_STATUS = (PRICED, CAUTION, REFUSED)


class Part(msgspec.Struct, frozen=True):
    """The answers for some rows, one after another.

    Attributes
    ----------
    first : int
        Number of the first row, from 0.
    status : NDArray[np.int8]
        0 priced, 1 with caution, 2 refused; shape (n,).
    cents : Integers
        Reference and lines, shape (n, 1 + k); zero where refused.
    low, high : Vector
        The range, shape (n,); NaN where refused.
    errors : dict[int, Fault]
        By row, counted from ``first``.
    """

    first: int
    status: NDArray[np.int8]
    cents: Integers
    low: Vector
    high: Vector
    errors: dict[int, Fault]

    def __len__(self) -> int:
        return len(self.status)

    def words(self) -> list[str]:
        """The status of each row."""
        return [_STATUS[code] for code in self.status.tolist()]


class Asked(msgspec.Struct, frozen=True):
    """How a batch is to be priced."""

    model: PriceModel
    listing: str
    level: float

    @property
    def lines(self) -> list[str]:
        """Names of the columns of ``Part.cents``."""
        return [REFERENCE, *self.model.lines]


# Columns by name, of equal length; grades as lists or `Coded`. Shape and origin, which are no
# attributes, are `Coded`.
Rows = Mapping[str, Any]


def parts(asked: Asked, columns: Rows, n: int, first: int = 0) -> Iterator[Part]:
    """Price columns piece by piece."""
    for start in range(0, n, ROWS):
        rows = slice(start, min(start + ROWS, n))
        piece = {name: _cut(column, rows) for name, column in columns.items()}
        yield part(asked, piece, rows.stop - start, first + start)


def part(asked: Asked, columns: Rows, n: int, first: int) -> Part:
    """Price some rows."""
    read = asked.model._effects.attributes
    unread = {name: c for name, c in columns.items() if name not in read}
    errors = _of_other_kinds(unread, asked.model.training.grades)
    passed_over = {other.name for other in OTHERS} - read
    columns = {name: column for name, column in columns.items() if name not in passed_over}
    good = np.arange(n)
    try:
        stones = Stones.from_frame(Columns(columns))
    except StoneError:
        stones, good = _each(columns, n, errors)
    for row, problem in stones.left_out:
        at = int(good[row])
        if at not in errors:
            given = _given(columns[problem.attribute], at)
            errors[at] = Fault(
                f"{problem.reason}. Correct it, or leave it out.", f"/{problem.attribute}",
                problem.code, given=given,
            )  # fmt: skip
    for found in asked.model._unsupported(stones):
        for row in np.flatnonzero(found.stones).tolist():
            at = int(good[row])
            if at in errors:
                continue
            given = found.value(row)
            errors[at] = Fault(
                f"{found.sentence(row)} {ADVICE}",
                f"/{found.attribute}" if found.attribute else "", found.code, given=given,
                nearest=found.nearest(given),
            )  # fmt: skip
    if errors:
        kept = np.array([at not in errors for at in good.tolist()], bool)
        stones, good = stones.take(np.flatnonzero(kept)), good[kept]
    return _priced(asked, stones, good, errors, n, first)


def _given(column: Any, row: int) -> Any:
    value = column.texts[column.codes[row]] if isinstance(column, Coded) else column[row]
    return float(value) if isinstance(value, int | float | np.floating) else value


def _of_other_kinds(columns: Rows, grades: Mapping[str, Mapping[str, int]]) -> dict[int, Fault]:
    """An error for each row whose shape or origin the model does not price."""
    errors: dict[int, Fault] = {}
    for name in KINDS:
        if name not in columns:
            continue
        texts, codes = columns[name].texts, columns[name].codes
        only = kinds_known(name, grades)
        wrong = of_other_kind(name, texts, only, {})
        for row in np.flatnonzero(np.isin(codes, list(wrong))).tolist():
            code = int(codes[row])
            fault = Fault(
                f"{wrong[code]}.", f"/{name}", f"{name}_not_priced", given=texts[code][:60],
                allowed=list(only),
            )  # fmt: skip
            errors.setdefault(row, fault)
    return errors


def _priced(
    asked: Asked, stones: Stones, good: Integers, errors: dict[int, Fault], n: int, first: int
) -> Part:
    model = asked.model
    status = np.full(n, 2, np.int8)
    cents = np.zeros((n, 1 + len(model.lines)), np.int64)
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    if len(good):
        found, *ends = model.appraise(stones, level=asked.level, listing=asked.listing)
        whole = len(good) == n
        near = model.support.near(stones) if model.support is not None else np.full(n, FEW)
        status[good] = near < FEW
        if whole:
            cents = found
        else:
            cents[good] = found
        low[good], high[good] = (np.round(end, 2) for end in ends)
    return Part(first, status, cents, low, high, errors)


def _each(columns: Rows, n: int, errors: dict[int, Fault]) -> tuple[Stones, Integers]:
    """Read row by row, where not all of them can be read."""
    read: dict[str, list[Any]] = {name: _listed(column) for name, column in columns.items()}
    stones, good = [], []
    for row in range(n):
        if row in errors:
            continue
        given = {name: column[row] for name, column in read.items()}
        try:
            stone = Stone(**{**dict.fromkeys(_REQUIRED), **_present(given)})
        except StoneError as error:
            errors[row] = of_stone(error).faults[0]
            continue
        if problems := stone.problems():
            p = problems[0]
            errors[row] = Fault(
                f"{p.reason}. Correct it, or leave it out.", f"/{p.attribute}", p.code,
                given=given[p.attribute],
            )  # fmt: skip
            continue
        stones.append(stone)
        good.append(row)
    return Stones.of(stones), np.array(good, np.int64)


_REQUIRED = tuple(n for n in NAMES if ATTRIBUTES[n].required)


def _present(given: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in given.items()
        if value is not None and not (isinstance(value, float) and value != value)
    }


def _cut(column: Any, rows: slice) -> Any:
    if isinstance(column, Coded) and len(column.texts) <= FEW_TEXTS:
        return Coded(column.texts, column.codes[rows])
    if isinstance(column, Coded):
        used, codes = np.unique(column.codes[rows], return_inverse=True)
        return Coded([column.texts[code] for code in used.tolist()], codes)
    return column[rows]


def _listed(column: Any) -> list[Any]:
    if isinstance(column, Coded):
        return [column.texts[code] for code in column.codes.tolist()]
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


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
            raise _shape(f"/columns/{name}", f"{name[:60]!r} is no attribute.", list(NAMES))
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
    if {type(value) for value in column} <= {str}:
        return coded(column)
    return np.array([*column, None], object)[:-1]  # a list in it must not become a second axis


def coded(column: list[str]) -> Coded:
    """Texts as the different ones and which is where."""
    texts = list(dict.fromkeys(column))
    place = {text: code for code, text in enumerate(texts)}
    return Coded(list(texts), np.array([place[text] for text in column], np.int64))


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
                f"{name[:60]!r} is no attribute.", f"/{name[:60]}", "wrong_shape",
                allowed=list(NAMES),
            )  # fmt: skip
    rows = [{} if i in wrong else row for i, row in enumerate(given)] if wrong else given
    sent = set().union(*(row.keys() for row in rows), _REQUIRED)
    columns = {name: [row.get(name) for row in rows] for name in NAMES if name in sent}
    used = {n: c for n, c in columns.items() if n in _REQUIRED or any(v is not None for v in c)}
    return {name: _column(name, column) for name, column in used.items()}, len(rows), wrong


_KNOWN = frozenset(NAMES)
_OTHERS = frozenset(other.name for other in OTHERS)


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


def text_of(value: str, name: str) -> Any:
    """A cell of a CSV file as a value; what is no number stays text, and is refused later."""
    if not value.strip():
        return None
    attribute = ATTRIBUTES[name]
    if isinstance(attribute, Grade):
        return value
    try:
        return attribute.parse(value)
    except StoneError:
        return value


def attributes_of(given: list[str]) -> list[str | None]:
    """What the columns are: attributes, shape, origin; None for a column that is none."""
    names = [attribute_named(name) for name in given]
    names = [name if name in NAMES else None for name in names]
    for at, name in enumerate(names):  # of several that a further attribute may be, the first
        if name in _OTHERS and name in names[:at]:
            names[at] = None
    for name in NAMES:
        if names.count(name) > 1:
            raise ProblemError("unreadable", f"Two columns mean {name}; keep one.")
        if name in _REQUIRED and name not in names:
            joined = ";" in "".join(given) or "\t" in "".join(given)
            raise ProblemError(
                "unreadable",
                f"There is no column for {name}"
                + ("; columns of CSV are parted by commas here." if joined else "."),
                [Fault("the column is missing", f"/{name}", allowed=list(NAMES))],
            )  # fmt: skip
    return names


def facts(asked: Asked, n: int | None = None) -> dict[str, Any]:
    """What holds for all rows of an answer."""
    t = asked.model.training
    facts = {
        "model": asked.model.sha256, "currency": t.currency, "effective": t.effective,
        "listing": asked.listing, "level": asked.level,
    }  # fmt: skip
    return facts if n is None else facts | {"count": n}
