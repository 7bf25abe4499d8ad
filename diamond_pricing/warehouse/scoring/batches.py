"""Price columns of stones: a row that cannot be priced gets its reason and stops no other."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import StoneError, UnknownGradeError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.support import ADVICE
from diamond_pricing.model.verdict import CAUTION, FEW, PRICED
from diamond_pricing.stones import ATTRIBUTES, Coded, Columns, Grade, Measure, Stones
from diamond_pricing.stones.kinds import GONE
from diamond_pricing.stones.stones import _SLIP

REFUSED = "refused"
STATUS = (PRICED, CAUTION, REFUSED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Prices of n rows.

    Attributes
    ----------
    status : NDArray[np.int8]
        Position in ``STATUS``, shape (n,).
    cents : Integers
        Price of the reference and each line, shape (n, 1 + k); zero where refused.
    low, high : Vector
        Dollars, shape (n,); NaN where refused or where the model states no ranges.
    reasons : dict[int, tuple[str, str]]
        Code and sentence of each row that was refused.
    """

    status: NDArray[np.int8]
    cents: Integers
    low: Vector
    high: Vector
    reasons: dict[int, tuple[str, str]]


def outcome(
    model: PriceModel, columns: Mapping[str, Any], n: int, level: float, listing: str,
    others: Mapping[int, tuple[str, str]] = MappingProxyType({}),
) -> Outcome:  # fmt: skip
    """Price n rows.

    Parameters
    ----------
    columns : Mapping[str, Any]
        By attribute: numbers as arrays of floats, or of objects where some are none; grades
        as `Coded`.
    others : Mapping[int, tuple[str, str]]
        Code and sentence of rows that are refused whatever stands in the columns.
    """
    reasons = dict(others)
    read: dict[str, Any] = {}
    bad = np.zeros(n, bool)
    bad[list(others)] = True
    for name, attribute in ATTRIBUTES.items():
        if name not in columns:
            continue
        wrong, read[name] = _read(attribute, columns[name])
        for row in np.flatnonzero(wrong & ~bad).tolist():
            reasons[row] = _unreadable(attribute, columns[name], row)
        bad |= wrong
    good = np.flatnonzero(~bad)
    if bad.any():
        read = {name: _taken(column, good) for name, column in read.items()}
    stones = Stones.from_frame(Columns(read))
    for row, problem in stones.left_out:
        text = f"{problem.reason}. Correct it, or leave it out."
        reasons.setdefault(int(good[row]), (problem.code, text))
    for found in model._unsupported(stones):
        for row in np.flatnonzero(found.stones).tolist():
            at = int(good[row])
            if at not in reasons:
                reasons[at] = (found.code, f"{found.sentence(row)} {ADVICE}")
    if reasons:
        refused = np.zeros(n, bool)
        refused[list(reasons)] = True
        kept = np.flatnonzero(~refused[good])
        stones, good = stones.take(kept), good[kept]
    return _priced(model, stones, good, n, level, listing, reasons)


def _priced(
    model: PriceModel, stones: Stones, good: Integers, n: int, level: float, listing: str,
    reasons: dict[int, tuple[str, str]],
) -> Outcome:  # fmt: skip
    status = np.full(n, 2, np.int8)
    cents = np.zeros((n, 1 + len(model.lines)), np.int64)
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    if len(good):
        cents[good], low[good], high[good] = model.appraise(
            stones, level=level, listing=listing
        )
        near = model.support.near(stones) if model.support is not None else FEW
        status[good] = np.less(near, FEW)
    return Outcome(status, cents, low, high, reasons)


def absent(text: str | None) -> bool:
    """Whether a cell says nothing."""
    return text is None or text.strip().casefold() in GONE


def _read(attribute: Measure | Grade, column: Any) -> tuple[NDArray[np.bool_], Any]:
    """Which rows no stone can have, and the column as `Stones` takes it."""
    if isinstance(attribute, Grade):
        none = attribute.ungraded or None
        meant = [attribute.find(t) or (none if absent(t) else None) for t in column.texts]
        gone = [not attribute.required and absent(text) for text in column.texts]
        refused = [m is None and not g for m, g in zip(meant, gone, strict=True)]
        wrong = np.array(refused, bool)[column.codes]
        worst = attribute.grades[0]  # of rows that are refused, and so are not priced
        texts = [m or (None if g else worst) for m, g in zip(meant, gone, strict=True)]
        return wrong, Coded(texts, column.codes)
    if column.dtype.kind == "O":
        wrong = np.array([isinstance(value, str) for value in column.tolist()], bool)
        values = np.where(wrong, np.nan, column).astype(np.float64)
    else:
        wrong, values = np.zeros(len(column), bool), column
    fine = (values >= attribute.low) & (values <= attribute.high)
    if attribute.name in ("x", "y", "z"):
        fine |= np.abs(values) < _SLIP  # a slip of the pen, which contradicts the weight
    if not attribute.required:
        fine |= np.isnan(values)
    return wrong | ~fine, values


def _unreadable(attribute: Measure | Grade, column: Any, row: int) -> tuple[str, str]:
    """Code and sentence for a value that no stone has."""
    if isinstance(column, Coded):
        given: Any = column.texts[column.codes[row]]
    else:
        given = column[row]
        given = None if given != given else given
    try:
        attribute.read(given)
    except UnknownGradeError as error:
        return error.code or "unknown_grade", str(error)
    except StoneError as error:
        return error.code or "impossible_value", str(error)
    raise AssertionError(f"{attribute.name} of row {row} was refused but can be read")


def _taken(column: Any, rows: Integers) -> Any:
    if isinstance(column, Coded):
        return Coded(column.texts, column.codes[rows])
    return column[rows]
