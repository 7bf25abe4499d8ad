"""Many stones as columns."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import nan
from numbers import Real
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import doubles
from diamond_pricing.errors import StoneError
from diamond_pricing.stones.attributes import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    MEASURES,
    Grade,
    Measure,
    absent,
    attribute_named,
    shown,
)
from diamond_pricing.stones.checks import READ, Problem, implausible, in_words
from diamond_pricing.stones.stone import Stone

_SLIP = 1000.0  # mm; a dimension up to here is a slip of the pen, beyond it the file is wrong
_SHOWN = 3  # rows named in an error
_WRONG = -2  # a code for what is no grade


class Frame(Protocol):
    """What we ask of a data frame; pandas and Polars both have it."""

    @property
    def columns(self) -> Iterable[Any]:
        """Names of the columns."""
        ...

    def __getitem__(self, name: Any, /) -> Any: ...


class Coded(NamedTuple):
    """A column of grades that repeats few texts.

    Attributes
    ----------
    texts : list[str or None]
        The d different texts.
    codes : ndarray of int, shape (n,)
        Position of each row's text.
    """

    texts: list[str | None]
    codes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Stones:
    """n stones, checked once at the door.

    Attributes
    ----------
    columns : Mapping[str, ndarray]
        A read-only column for each attribute, shape (n,). Measures are floats, NaN where
        missing. Grades are positions in the attribute's list of grades, worst first, −1
        where missing; so is ``listing``, where the order of length and width is not known.
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
        for measure in MEASURES:
            values = (getattr(stone, measure.name) for stone in rows)
            read[measure.name] = np.array([nan if v is None else v for v in values], float)
        for grade in GRADES:
            codes = {None: -1} | {name: code for code, name in enumerate(grade.grades)}
            read[grade.name] = np.array([codes[getattr(s, grade.name)] for s in rows], np.int64)
        return cls._settled(read)

    @classmethod
    def from_frame(cls, frame: Frame) -> "Stones":
        """Take the columns of a pandas or Polars data frame.

        Column names may be written as people write them (``Colour``, ``Carat Weight``);
        columns that are no attribute are ignored, those for shape and origin too: what kind
        of stones a model prices is what it was fitted on. Optional columns may be absent, their
        values missing. A measurement that contradicts the others (a length of zero, say)
        counts as missing and is listed in ``left_out``: one slip does not spoil a batch.

        Raises
        ------
        StoneError
            For a required column that is absent, two columns of one meaning, or values
            that no diamond has; the first rows are named.
        """
        if not hasattr(frame, "columns"):
            raise StoneError(f"give a data frame of stones, not {type(frame).__name__}.")
        named: dict[str, Any] = {}
        for column in frame.columns:
            name = attribute_named(str(column))
            if name in named:
                raise StoneError(
                    f"columns {named[name]!r} and {column!r} both mean {name}; keep one.",
                    attribute=name or "",
                )
            if name is not None:
                named[name] = column
        read: dict[str, NDArray[Any]] = {}
        rows = len(np.asarray(frame[named["carat"]])) if "carat" in named else 0
        attributes: list[Measure | Grade] = [*MEASURES, *GRADES]
        for attribute in attributes:
            if attribute.name in named:
                column = frame[named[attribute.name]]
                if isinstance(attribute, Measure):
                    read[attribute.name] = _measures(attribute, np.asarray(column))
                elif isinstance(column, Coded):
                    texts = np.array(column.texts, object)
                    read[attribute.name] = _codes(attribute, texts)[column.codes]
                else:
                    read[attribute.name] = _codes(attribute, np.asarray(column))
            elif attribute.required:
                raise StoneError(
                    f"no column for {attribute.name}; the frame has "
                    f"{', '.join(map(str, frame.columns)) or 'no columns'}.",
                    attribute=attribute.name,
                )
            elif isinstance(attribute, Measure):
                read[attribute.name] = np.full(rows, nan)
            else:
                read[attribute.name] = np.full(rows, -1)
        return cls._settled(read)

    @classmethod
    def _settled(cls, read: dict[str, NDArray[Any]]) -> "Stones":
        """Blank the dimensions that cannot be right and derive the price list."""
        flags = implausible(*(read[name] for name in READ))
        left_out = [
            (int(row), in_words(name, {key: float(read[key][row]) for key in read}))
            for name, flag in flags.items()
            for row in np.flatnonzero(flag)
        ]
        for name, flag in flags.items():
            read[name] = np.where(flag, nan, read[name])
        x, y = read["x"], read["y"]
        known = ~(np.isnan(x) | np.isnan(y))
        order = 1 + (x > y).astype(np.int64) - (x < y)
        read[LISTING.name] = np.where(known, order, -1)
        for column in read.values():
            column.setflags(write=False)
        return cls(MappingProxyType(read), tuple(sorted(left_out, key=itemgetter(0))))

    def __len__(self) -> int:
        return len(self.columns["carat"])

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (dict(self.columns), self.left_out)

    def __getitem__(self, attribute: str) -> NDArray[Any]:
        return self.columns[attribute]

    def labels(self, attribute: str) -> NDArray[Any]:
        """Grades as text, shape (n,); empty where missing."""
        grade = ATTRIBUTES[attribute]
        assert isinstance(grade, Grade)
        labels: NDArray[Any] = np.array([*grade.grades, ""])[self.columns[attribute]]
        return labels

    def known(self, attribute: str) -> NDArray[np.bool_]:
        """Whether each stone has the attribute, shape (n,)."""
        column = self.columns[attribute]
        known: NDArray[np.bool_] = (
            ~np.isnan(column) if column.dtype.kind == "f" else column >= 0
        )
        return known

    def take(self, rows: Any) -> "Stones":
        """Give some of the stones, by numpy index or mask."""
        if isinstance(rows, np.ndarray):
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows
            columns = {name: column.take(rows) for name, column in self.columns.items()}
        else:
            columns = {name: column[rows] for name, column in self.columns.items()}
        left_out = []
        if self.left_out:
            place = np.full(len(self), -1)
            place[rows] = np.arange(len(columns["carat"]))
            left_out = [(int(place[row]), p) for row, p in self.left_out if place[row] >= 0]
        return Stones(MappingProxyType(columns), tuple(left_out))

    def stone(self, row: int) -> Stone:
        """One of the stones; dimensions that were left out are missing."""
        values: dict[str, Any] = {g.name: str(self.labels(g.name)[row]) or None for g in GRADES}
        for measure in MEASURES:
            value = float(self.columns[measure.name][row])
            values[measure.name] = None if np.isnan(value) else value
        return Stone(**values)

    def with_columns(self, **columns: NDArray[Any]) -> "Stones":
        """Give the same stones with some columns exchanged, unchecked; for internal use."""
        return replace(self, columns=MappingProxyType({**self.columns, **columns}))


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
        if absent(value) and not grade.required:
            codes[value] = -1
            continue
        found = grade.find(value)
        codes[value] = _WRONG if found is None else grade.grades.index(found)
    read = np.array([codes[value] for value in given.tolist()], np.int64)
    _refuse(grade.name, read == _WRONG, given, grade.read)
    return read


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
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        error.args = (
            f"{len(rows)} of {len(values)} rows: {error} "
            f"(row {', '.join(map(str, rows[:_SHOWN]))}{more}, counted from 0)",
        )
        raise
    raise AssertionError(f"{name} row {rows[0]} was refused in the batch but not alone")
