"""Many stones as columns."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from html import escape
from math import nan
from numbers import Real
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import doubles
from diamond_pricing.errors import StoneError
from diamond_pricing.stones.attributes import (
    Attribute,
    Day,
    Grade,
    Measure,
    absent,
    blank,
    several,
    shown,
)
from diamond_pricing.stones.checks import READ, Problem, implausible, in_words
from diamond_pricing.stones.stone import ROUND, Stone
from diamond_pricing.stones.trade import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    MEASURES,
    OTHERS,
    attribute_named,
    graded,
)

_SLIP = 1000.0  # mm; a dimension up to here is a slip of the pen, beyond it the file is wrong
_WRONG = -2  # a code for what is not a grade
SHOWN = 3  # rows named in an error, and stones of many
EPOCH = 719_163  # the day of 1970-01-01, see `Day`


class Coded(NamedTuple):
    """A column of grades that repeats few texts."""

    texts: list[str | None]  # the d different texts
    codes: NDArray[np.int64]  # shape (n,): position of each row's text


@dataclass(frozen=True, slots=True, eq=False)
class Stones:
    """n stones, checked once at the door.

    Attributes
    ----------
    columns : Mapping[str, ndarray]
        A read-only column for each attribute that every trade has, and for each other one
        that is known of some of the stones, shape (n,). Measures are floats, NaN where
        missing; dates are days, see `Day`. Grades are positions in the attribute's list of
        grades, worst first, −1 where missing; so is ``listing``, where the order of length
        and width is not known.
    left_out : tuple[tuple[int, Problem], ...]
        Row and reason of each measurement that was taken as missing because it contradicts
        the others.
    """

    columns: Mapping[str, NDArray[Any]]
    left_out: tuple[tuple[int, Problem], ...] = ()

    @classmethod
    def of(cls, stones: Iterable[Stone]) -> "Stones":
        """Gather single stones into columns."""
        if not isinstance(stones, Iterable):
            raise StoneError(f"give a list of stones, not {type(stones).__name__}.")
        rows = list(stones)
        for i, row in enumerate(rows):
            if not isinstance(row, Stone):
                raise StoneError(
                    f"stone {i} is of type {type(row).__name__}; give a Stone, as in "
                    "Stone(1.01, 'Ideal', 'E', 'VS1').",
                    given=row,
                )
        read: dict[str, NDArray[Any]] = {}
        some = {name for stone in rows for name, _ in stone.others}
        for attribute in (*MEASURES, *GRADES, *(a for a in OTHERS if a.name in some)):
            every = [getattr(stone, attribute.name) for stone in rows]
            if isinstance(attribute, Measure):
                read[attribute.name] = np.array([nan if v is None else v for v in every], float)
                continue
            codes = {None: -1} | {name: code for code, name in enumerate(attribute.grades)}
            read[attribute.name] = np.array([codes[value] for value in every], np.int64)
        return cls._settled(read)

    @classmethod
    def from_frame(cls, frame: Any) -> "Stones":
        """Take the columns of a data frame: pandas, Polars, Arrow, DuckDB, a dict of columns.

        A date is a date or text such as ``2026-11-23``; another is refused.

        Column names may be written as people write them (``Colour``, ``Carat Weight``);
        columns that are no attribute are ignored. Optional columns may be absent, their
        values missing. A measurement that contradicts the others (a length of zero, say)
        and a word that an optional attribute does not know count as missing and are listed
        in ``left_out``: one slip does not spoil a batch. A column of which most words are
        not known is none of that attribute.

        Raises
        ------
        StoneError
            For a required column that is absent, two columns of one meaning, or values
            that no diamond has; the first rows are named.
        """
        frame = columns_of(frame)
        named: dict[str, Any] = {}
        for column in frame:
            name = attribute_named(str(column))
            if name in named:
                if name in {a.name for a in OTHERS}:
                    continue  # the first of several that may be meant
                raise StoneError(
                    f"columns {named[name]!r} and {column!r} both mean {name}; keep one.",
                    attribute=name or "",
                )
            if name is not None:
                named[name] = column
        read: dict[str, NDArray[Any]] = {}
        rows = len(array_of(frame[named["carat"]])) if "carat" in named else 0
        attributes: list[Attribute] = [*MEASURES, *GRADES]
        for attribute in attributes:
            name = attribute.name
            if name not in named:
                if attribute.needed:
                    raise StoneError(
                        f"no column for {name}; the frame has "
                        f"{', '.join(map(str, frame)) or 'no columns'}.",
                        attribute=name,
                    )
                read[name] = np.full(rows, _lacking(attribute))
                continue
            column = frame[named[name]]
            if isinstance(attribute, Measure):
                read[name] = _measures(attribute, array_of(column))
            elif isinstance(column, Coded):
                texts = np.array(column.texts, object)
                try:
                    read[name] = _codes(attribute, texts)[column.codes]
                except StoneError:  # which names rows, not texts
                    read[name] = _codes(attribute, texts[column.codes])
            else:
                read[name] = _codes(attribute, array_of(column))
        unread: list[tuple[int, Problem]] = []
        for attribute in OTHERS:
            if attribute.name in named:
                found = _other(attribute, frame[named[attribute.name]])
                if found is not None:
                    read[attribute.name], problems = found
                    unread += problems
        return cls._settled(read, unread)

    @classmethod
    def _settled(
        cls, read: dict[str, NDArray[Any]], unread: Sequence[tuple[int, Problem]] = ()
    ) -> "Stones":
        """Blank the dimensions that cannot be right and derive the price list."""
        flags = implausible(*(read[name] for name in READ))
        others = np.zeros(len(read["carat"]), bool)
        if "shape" in read:  # the rule and the lists are of round stones
            round_ = graded("shape").grades.index(ROUND)
            others = (read["shape"] >= 0) & (read["shape"] != round_)
            flags = {name: flag & ~others for name, flag in flags.items()}
        left_out = [*unread] + [
            (int(row), in_words(name, {key: float(read[key][row]) for key in read}))
            for name, flag in flags.items()
            for row in np.flatnonzero(flag)
        ]
        for name, flag in flags.items():
            read[name] = np.where(flag, nan, read[name])
        x, y = read["x"], read["y"]
        known = ~(np.isnan(x) | np.isnan(y) | others)
        order = 1 + (x > y).astype(np.int64) - (x < y)
        read[LISTING.name] = np.where(known, order, -1)
        for column in read.values():
            column.setflags(write=False)
        return cls(MappingProxyType(read), tuple(sorted(left_out, key=itemgetter(0))))

    def __len__(self) -> int:
        return len(self.columns["carat"])

    def __repr__(self) -> str:
        return f"<Stones: {self._told}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._told)}</p>"

    @property
    def _told(self) -> str:
        shown = [str(self.stone(row)) for row in range(min(len(self), SHOWN))]
        more = [] if len(self) <= SHOWN else [f"and {len(self) - SHOWN:,} more"]
        return f"{several(len(self), 'stone')}: {', '.join([*shown, *more])}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (dict(self.columns), self.left_out)

    def __getitem__(self, attribute: str) -> NDArray[Any]:
        if attribute in self.columns or attribute not in ATTRIBUTES:
            return self.columns[attribute]
        missing = nan if isinstance(ATTRIBUTES[attribute], Measure) else -1
        return np.full(len(self), missing)

    def labels(self, attribute: str) -> NDArray[Any]:
        """Grades as text, shape (n,); empty where missing."""
        labels: NDArray[Any] = np.array([*graded(attribute).grades, ""])[self[attribute]]
        return labels

    def known(self, attribute: str) -> NDArray[np.bool_]:
        """Whether each stone has the attribute, shape (n,)."""
        column = self[attribute]
        known: NDArray[np.bool_] = (
            ~np.isnan(column) if column.dtype.kind == "f" else column >= 0
        )
        return known

    def take(self, rows: Any) -> "Stones":
        """Give some of the stones, by numpy index or mask."""
        if isinstance(rows, np.ndarray) and rows.dtype == bool:
            rows = np.flatnonzero(rows)
        placed = isinstance(rows, np.ndarray)  # `take` is faster, and takes no slices
        columns = {n: c.take(rows) if placed else c[rows] for n, c in self.columns.items()}
        left_out = []
        if self.left_out:
            place = np.full(len(self), -1)
            place[rows] = np.arange(len(columns["carat"]))
            left_out = [(int(place[row]), p) for row, p in self.left_out if place[row] >= 0]
        return Stones(MappingProxyType(columns), tuple(left_out))

    def stone(self, row: int) -> Stone:
        """One of the stones; dimensions that were left out are missing."""
        core: list[Attribute] = [*MEASURES, *GRADES]
        values: dict[str, Any] = dict.fromkeys(attribute.name for attribute in core)
        for attribute in (*core, *OTHERS):
            if attribute.name in self.columns:
                value = self.columns[attribute.name][row].item()
                if isinstance(attribute, Measure):
                    values[attribute.name] = None if np.isnan(value) else value
                elif value >= 0:
                    values[attribute.name] = attribute.grades[value]
        return Stone(**values)

    def with_columns(self, **columns: NDArray[Any]) -> "Stones":
        """Give the same stones with some columns exchanged, unchecked; for internal use."""
        return replace(self, columns=MappingProxyType({**self.columns, **columns}))


def columns_of(frame: Any) -> Mapping[Any, Any]:
    """The columns of a data frame of any library, by name.

    Raises
    ------
    StoneError
        For what is no data frame, and columns that are no lists.
    """
    if hasattr(frame, "collect") and hasattr(frame, "collect_schema"):
        frame = frame.collect()  # Polars, lazily
    if hasattr(frame, "fetchnumpy"):  # a relation of DuckDB
        frame = frame.fetchnumpy()
    if isinstance(frame, Mapping):
        for name, column in frame.items():
            if isinstance(column, str) or not hasattr(column, "__len__"):
                raise StoneError(
                    f"column {name!r} must be a list of values, not {shown(column)}."
                )
        return frame
    if hasattr(frame, "column_names") and hasattr(frame, "column"):  # Arrow
        names = frame.column_names
        return {name: frame.column(i) for i, name in enumerate(names)}
    if not hasattr(frame, "columns"):
        raise StoneError(f"give a data frame or a dict of columns, not {type(frame).__name__}.")
    names = list(frame.columns)
    if len(set(names)) == len(names):
        return {name: frame[name] for name in names}
    for name in names:
        meant = attribute_named(str(name))
        if meant is not None and names.count(name) > 1:
            raise StoneError(
                f"the frame has the column {name!r} twice; keep one.", attribute=meant
            )
    return {name: frame[name] for name in names if names.count(name) == 1}


def array_of(column: Any) -> NDArray[Any]:
    """A column as an array: numbers, or objects, None or NaN where missing."""
    if isinstance(column, np.ma.MaskedArray):
        gone = np.ma.getmaskarray(column)
        pairs = zip(gone.tolist(), column.data.tolist(), strict=True)
        return np.array([None if missing else value for missing, value in pairs])
    values = np.asarray(column)
    if values.dtype == object and any(isinstance(v, Decimal) for v in values[:1000]):
        return np.array([float(v) if isinstance(v, Decimal) else v for v in values], object)
    return values


def _other(
    attribute: Attribute, column: Any
) -> tuple[NDArray[Any], list[tuple[int, Problem]]] | None:
    """A column of an optional attribute with what it does not know; None if it is none."""
    if isinstance(column, Coded):
        values, place = np.array(column.texts, object), column.codes
    else:
        every = array_of(column)
        every = _days(every) if isinstance(attribute, Day) else every.astype(object)
        texts: dict[Any, int] = {}
        try:
            place = np.array(
                [texts.setdefault(v, len(texts)) for v in every.tolist()], np.int64
            )
        except TypeError:  # lists, say
            return None
        values = np.array([*texts, None], object)[:-1]
    wrong: dict[int, StoneError] = {}
    coded = isinstance(attribute, Grade)
    read = np.full(len(values), -1 if coded else nan)
    for i, value in enumerate(values.tolist()):
        if blank(value):
            found = attribute.find(value) if isinstance(attribute, Grade) else None
            if found is None:
                continue
        try:
            given = attribute.parse(value) if isinstance(value, str) else attribute.read(value)
        except StoneError as error:
            wrong[i] = error
            continue
        read[i] = attribute.grades.index(given) if isinstance(attribute, Grade) else given
    bad = np.isin(place, list(wrong))
    if bad.any() and isinstance(attribute, Day):  # a day that is not read would be another
        _refuse(attribute.name, bad, values[place], attribute.read)
    known = (read >= 0) if coded else ~np.isnan(read)
    if bad.sum() > known[place].sum():
        return None
    problems = [
        (row, Problem("unknown_value", attribute.name, str(wrong[int(place[row])])))
        for row in np.flatnonzero(bad).tolist()
    ]
    return (read.astype(np.int64) if coded else read)[place], problems


def _days(values: NDArray[Any]) -> NDArray[Any]:
    """Dates as days, see `Day`; None where there is none."""
    if values.dtype.kind != "M":
        return values.astype(object)
    days = values.astype("datetime64[D]")
    numbers = (days.astype(np.int64) + EPOCH).astype(object)
    numbers[np.isnat(days)] = None
    return numbers


def _restored(columns: dict[str, NDArray[Any]], left_out: Any) -> Stones:
    """Stones that were pickled or copied."""
    for column in columns.values():
        column.setflags(write=False)
    return Stones(MappingProxyType(columns), left_out)


def _measures(measure: Measure, values: NDArray[Any]) -> NDArray[np.float64]:
    """Check a column of numbers; a dimension of zero passes here and is left out later."""
    if values.dtype.kind not in "iuf":
        for row, value in enumerate(values.tolist()):
            if not absent(value) and (isinstance(value, bool) or not isinstance(value, Real)):
                raise StoneError(
                    f"column {measure.name} must hold numbers of {measure.unit}; "
                    f"row {row}, counted from 0, is {shown(value)}.",
                    attribute=measure.name,
                    given=value,
                )
        values = np.array([nan if absent(value) else _float(value) for value in values])
    read = doubles(values)
    missing = np.isnan(read)
    possible = (read >= measure.low) & (read <= measure.high)
    if measure.name in ("x", "y", "z"):
        possible |= np.abs(read) < _SLIP
    bad = ~possible if measure.required else ~(possible | missing)
    _refuse(measure.name, bad, values, lambda value: measure.read(float(value)))
    return read


def _lacking(attribute: Attribute) -> float:
    """What a column holds of a stone of which nobody says it."""
    if isinstance(attribute, Measure):
        return nan
    return attribute.grades.index(attribute.ungraded) if attribute.ungraded else -1


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return float("inf") if value > 0 else -float("inf")


def _codes(grade: Grade, values: NDArray[Any]) -> NDArray[np.int64]:
    """Check a column of grades and turn each into its position in the list of grades."""
    given = values.astype(object)
    codes: dict[Any, int] = {}
    for row, value in enumerate(given.tolist()):
        if not isinstance(value, Hashable):
            raise StoneError(
                f"column {grade.name} must hold grades; row {row}, counted from 0, is "
                f"{shown(value)}.",
                attribute=grade.name,
                given=value,
            )
    for value in set(given.tolist()):
        if blank(value):
            if not grade.required:
                codes[value] = -1
                continue
            if grade.ungraded:
                codes[value] = grade.grades.index(grade.ungraded)
                continue
        found = grade.find(value)
        codes[value] = _WRONG if found is None else grade.grades.index(found)
    read = np.array([codes[value] for value in given.tolist()], np.int64)
    _refuse(grade.name, read == _WRONG, given, grade.read)
    return read


def named_rows(rows: NDArray[np.int64]) -> str:
    """Name the first of some rows for an error."""
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"(row {', '.join(map(str, rows[:SHOWN]))}{more}, counted from 0)"


def _refuse(
    name: str, bad: NDArray[np.bool_], values: NDArray[Any], read: Callable[[Any], object]
) -> None:
    """Raise the attribute's own error for the first bad row, naming the rows."""
    rows = np.flatnonzero(bad)
    if not len(rows):
        return
    try:
        read(values[rows[0]])
    except StoneError as error:
        error.args = (f"{len(rows)} of {len(values)} rows: {error} {named_rows(rows)}",)
        raise
    raise AssertionError(f"{name} row {rows[0]} was refused in the batch but not alone")
