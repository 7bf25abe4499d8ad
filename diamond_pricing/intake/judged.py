"""Price columns of stones: a row that cannot be priced gets its reason and stops no other."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Flags, Integers, Vector
from diamond_pricing.errors import StoneError, UnknownGradeError, UnsupportedStoneError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.verdict import CAUTION, FEW, PRICED
from diamond_pricing.stones import ATTRIBUTES, GRADES, OTHERS, Coded, Columns, Stones
from diamond_pricing.stones.attributes import Attribute, Day, Grade, absent, blank
from diamond_pricing.stones.kinds import KINDS, LABORATORY, kinds_known, of_other_kind
from diamond_pricing.stones.stones import _SLIP
from diamond_pricing.stones.trade import graded

REFUSED = "refused"
STATUS = (PRICED, CAUTION, REFUSED)


@dataclass(frozen=True, slots=True)
class Judged:
    """Prices of n rows."""

    status: NDArray[np.int8]  # position in ``STATUS``, shape (n,)
    cents: Integers  # of the reference and each line, shape (n, 1 + k); zero where refused
    low: Vector  # dollars, shape (n,); NaN where refused or where the model states no ranges
    high: Vector
    # When each price is true, see `Day`, shape (n,); NaN where refused, or where the model
    # reads no dates.
    days: Vector
    errors: dict[int, StoneError]  # why each row that was refused cannot be priced


def code_of(error: StoneError) -> str:
    """The stable code of a reason."""
    if error.code:
        return error.code
    return "unknown_grade" if isinstance(error, UnknownGradeError) else "impossible_value"


def judged(
    model: PriceModel, columns: Mapping[str, Any], n: int, level: float, listing: str
) -> Judged:
    """Price n rows.

    Parameters
    ----------
    columns : Mapping[str, Any]
        By attribute: numbers as arrays of floats, or of objects where some are none; grades
        as `Coded` or as objects. Attributes that the model does not read are passed over,
        but stones of another kind than it prices are refused.
    """
    errors: dict[int, StoneError] = {}
    known, reads = model.training.grades, model._effects.attributes
    unread = {other.name for other in OTHERS} - reads
    # A grade that no sale of the model had is not looked at.
    unread |= {grade.name for grade in GRADES if grade.ungraded and grade.name not in known}
    read: dict[str, Any] = {}
    bad = np.zeros(n, bool)
    for name in (kind for kind in KINDS if kind in unread and kind in columns):
        bad |= _of_other_kind(name, columns[name], known, errors)
    for name, attribute in ATTRIBUTES.items():
        if name in columns and name not in unread:
            wrong, read[name] = _read(attribute, columns[name])
            for row in np.flatnonzero(wrong & ~bad).tolist():
                errors[row] = _unreadable(attribute, columns[name], row)
            bad |= wrong
    if LABORATORY in columns and LABORATORY not in read:  # whose the other grades are
        texts, codes = _coded(columns[LABORATORY])
        read[LABORATORY] = Coded([graded(LABORATORY).find(text) for text in texts], codes)
    good = np.flatnonzero(~bad)
    if bad.any():
        read = {name: _taken(column, good) for name, column in read.items()}
    stones = Stones.from_frame(Columns(read))
    for row, problem in stones.left_out:
        at, name = int(good[row]), problem.attribute
        text = f"{problem.reason}. Correct it, or leave it out."
        given = _given(columns[name], at)
        error = StoneError(text, attribute=name, given=given, code=problem.code)
        errors.setdefault(at, error)
    for why in model._unsupported(stones):
        for row in np.flatnonzero(why.stones).tolist():
            at, given = int(good[row]), why.value(row)
            if at not in errors:
                errors[at] = UnsupportedStoneError(
                    f"{why.sentence(row)} {why.remedy}",
                    attribute=why.attribute,
                    given=given,
                    code=why.code,
                    nearest=why.nearest(given),
                )
    if errors:
        kept = np.flatnonzero([at not in errors for at in good.tolist()])
        stones, good = stones.take(kept), good[kept]
    status = np.full(n, 2, np.int8)
    cents = np.zeros((n, 1 + len(model.lines)), np.int64)
    low, high, days = np.full((3, n), np.nan)
    if len(good):
        found, *ends = model.appraise(stones, level=level, listing=listing)
        if len(good) == n:
            cents = found
        else:
            cents[good] = found
        low[good], high[good] = (np.round(end, 2) for end in ends)
        near = model.support.near(stones) if model.support is not None else FEW
        days[good] = model.days(stones)
        status[good] = np.less(near, FEW) | (days[good] > (model.last_day or np.inf))
    return Judged(status, cents, low, high, days, errors)


def _of_other_kind(
    name: str, column: Any, known: Mapping[str, Any], errors: dict[int, StoneError]
) -> Flags:
    """Which rows are of a shape or origin that the model does not price."""
    column, only = _coded(column), kinds_known(name, known)
    wrong = of_other_kind(name, column.texts, only)
    found = np.isin(column.codes, list(wrong))
    for row in np.flatnonzero(found).tolist():
        code = int(column.codes[row])
        error = UnknownGradeError(
            f"{wrong[code]}.", attribute=name, given=str(column.texts[code])[:60], allowed=only
        )
        error.code = f"{name}_not_priced"
        errors.setdefault(row, error)
    return found


def _read(attribute: Attribute, column: Any) -> tuple[Flags, Any]:
    """Which rows no stone can have, and the column as `Stones` takes it."""
    if isinstance(attribute, Grade):
        texts, codes = _coded(column)
        none = attribute.ungraded or None
        meant = [attribute.find(t) or (none if blank(t) else None) for t in texts]
        gone = [not attribute.required and blank(text) for text in texts]
        refused = [m is None and not g for m, g in zip(meant, gone, strict=True)]
        worst = attribute.grades[0]  # of rows that are refused, and so are not priced
        fine = [m or (None if g else worst) for m, g in zip(meant, gone, strict=True)]
        return np.array(refused, bool)[codes], Coded(fine, codes)
    column = np.asarray(column)
    if column.dtype.kind == "f":
        wrong, values = np.zeros(len(column), bool), column
    else:
        every = [_number(attribute, value) for value in column.tolist()]
        wrong = np.array([value is None for value in every], bool)
        values = np.array([np.nan if value is None else value for value in every], float)
    fine = (values >= attribute.low) & (values <= attribute.high)
    if attribute.name in ("x", "y", "z"):
        fine |= np.abs(values) < _SLIP  # a slip of the pen, which contradicts the weight
    if not attribute.required:
        fine |= np.isnan(values)
    return wrong | ~fine, values


def _number(attribute: Attribute, value: Any) -> float | None:
    """A value as a number, NaN where it says nothing; None where it is none."""
    if absent(value):
        return np.nan
    if isinstance(attribute, Day):
        if blank(value):
            return np.nan
        try:
            return attribute.read(value)
        except StoneError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None


def _coded(column: Any) -> Coded:
    """A column of grades, whatever is in it, as its different values and which is where."""
    if isinstance(column, Coded):
        return column
    keys = [(type(v), v if isinstance(v, Hashable) else id(v)) for v in column]
    texts = dict(zip(keys, column, strict=True))
    place = {key: i for i, key in enumerate(texts)}
    return Coded(list(texts.values()), np.array([place[key] for key in keys], np.int64))


def _given(column: Any, row: int) -> Any:
    value = column.texts[column.codes[row]] if isinstance(column, Coded) else column[row]
    value = value.item() if isinstance(value, np.generic) else value
    return None if value != value else value


def _unreadable(attribute: Attribute, column: Any, row: int) -> StoneError:
    """Why a value is that of no stone."""
    try:
        attribute.read(_given(column, row))
    except StoneError as error:
        return error
    raise AssertionError(f"{attribute.name} of row {row} was refused but can be read")


def _taken(column: Any, rows: Integers) -> Any:
    if isinstance(column, Coded):
        return Coded(column.texts, column.codes[rows])
    return column[rows]
