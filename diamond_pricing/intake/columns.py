"""Which column of a file is which attribute, and what its cells say."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from diamond_pricing.arrays import doubles
from diamond_pricing.errors import MissingExtraError, SourceError, StoneError
from diamond_pricing.intake.dates import day_in
from diamond_pricing.intake.headers import (
    MEASUREMENTS,
    PRICES,
    SIDES,
    UNITS,
    meaning,
    understood,
)
from diamond_pricing.intake.mapping import grade_meant, of_houses
from diamond_pricing.intake.numbers import number, sides
from diamond_pricing.intake.source import Source
from diamond_pricing.stones import ATTRIBUTES, OTHERS, Coded, attribute_named
from diamond_pricing.stones.attributes import Day, Grade, Measure, blank, iso
from diamond_pricing.stones.keys import IDENTITY
from diamond_pricing.stones.kinds import KINDS, LABORATORY
from diamond_pricing.stones.trade import graded

# Columns that say nothing about a stone.
NOT_PRICED = (*PRICES, IDENTITY, "listing")
# Of spaces only those that float takes too; what is around others is read as text.
_NUMBER = re.compile(r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?[ \t]*")


def arrow(what: str = "scoring files") -> Any:
    """Pyarrow, or the extra that it needs."""
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(what, "scale") from error
    return pyarrow


class TableColumns:
    """The columns of tables that are alike.

    Parameters
    ----------
    declared : Source
        Names, units, words and decimal sign that the headers do not give.
    ours : Collection[str]
        Names of the columns to be added; the table must not have them already.
    strict : bool
        Whether a sign behind a grade and a size of zero are wrong, as in a single stone; in
        other people's files the one is dropped and the other says that nothing was measured.

    Raises
    ------
    SourceError
        When a column that is needed is not there, or two mean the same.
    """

    def __init__(
        self,
        headers: Sequence[str],
        declared: Source,
        ours: Collection[str] = (),
        *,
        strict: bool = False,
    ) -> None:
        self.strict, self.declared, self.headers = strict, declared, headers
        self.units = dict(declared.units)
        self.known = self._known(headers, ours)
        for name, attribute in ATTRIBUTES.items():
            if attribute.needed:
                self._need(name)

    def _need(self, name: str) -> None:
        if name not in self.known:
            given = ", ".join(self.headers) or "none"
            raise SourceError(f"no column for {name}; the source has {given}.")

    def _known(self, headers: Sequence[str], ours: Collection[str]) -> dict[str, str]:
        """By our name the column that means it."""
        for header in headers:
            if header in ours:
                raise SourceError(
                    f"the source has a column {header!r} itself; put a prefix before ours."
                )
        known = {}
        for name, column in self.declared.columns.items():
            if name in NOT_PRICED:
                continue
            meant = [header for header in headers if header.strip() == column.strip()]
            if len(meant) != 1:
                how = "is there twice" if meant else "is not there"
                raise SourceError(f"the column {column!r} declared for {name} {how}.")
            known[name] = meant[0]
        taken = set(known) | set(NOT_PRICED)
        # Names that are surely ours come first; other people's words fill what is left.
        for named in (attribute_named, meaning):
            found: dict[str, str] = {}
            for column in headers:
                name = named(column) or ""
                if not name or name in taken or column in known.values():
                    continue
                if name in found:
                    if name in {other.name for other in OTHERS} and column != found[name]:
                        continue  # the first of several that may be meant
                    raise SourceError(
                        f"columns {found[name]!r} and {column!r} both mean {name}."
                    )
                found[name] = column
            known |= found
            taken |= set(found)
        for name, column in known.items():
            unit = (understood(column) or ("", "", ""))[1]
            if name not in self.units and unit in UNITS.get(name, ()):
                self.units[name] = unit
        if any(side in known for side in SIDES):
            known.pop(MEASUREMENTS, None)
        return known

    def check_cut(self, seen: Collection[str]) -> None:
        """Raise SourceError where there is no cut, and a model has no price without one."""
        if graded("cut").ungraded not in seen:
            self._need("cut")

    def check_kinds(self, schema: Any) -> None:
        """Raise SourceError for a column of another Arrow type than its attribute can have."""
        types = arrow().types
        for name, column in self.known.items():
            kind, attribute = schema.field(column).type, ATTRIBUTES.get(name)
            kind = kind.value_type if types.is_dictionary(kind) else kind
            whole = types.is_integer(kind)
            numeric = whole or types.is_floating(kind) or types.is_decimal(kind)
            measure = isinstance(attribute, Measure)
            fine = types.is_null(kind) or _text(kind) or (numeric and measure)
            fine |= isinstance(attribute, Day) and types.is_temporal(kind)
            # As of a column "lab grown".
            fine |= name in KINDS and (types.is_boolean(kind) or whole)
            if not fine:
                wanted = "numbers" if measure else "text"
                raise SourceError(f"column {column!r} must hold {wanted}, not {kind}.")

    def of_texts(self, columns: Sequence[Sequence[str]]) -> dict[str, Any]:
        """What n rows of text say, as `judged` takes it; the columns as the headers stand."""
        at = {header: i for i, header in enumerate(self.headers)}
        return self._read({name: _folded(columns[at[h]]) for name, h in self.known.items()})

    def of_arrow(self, batch: Any) -> dict[str, Any]:
        """What a record batch says."""
        pa = arrow()
        given: dict[str, Any] = {}
        for name, column in self.known.items():
            values, attribute = batch.column(column), ATTRIBUTES.get(name)
            if isinstance(attribute, Day) and pa.types.is_temporal(values.type):
                given[name] = np.array([*values.to_pylist(), None], object)[:-1]
                continue
            if isinstance(attribute, Measure) and not isinstance(attribute, Day):
                if pa.types.is_dictionary(values.type):
                    values = values.dictionary_decode()
                if not (self.declared.decimal and _text(values.type)):
                    with suppress(pa.ArrowInvalid):
                        if not pa.types.is_floating(values.type):
                            values = values.cast(pa.float64(), safe=False)
                        given[name] = doubles(values.to_numpy(zero_copy_only=False))
                        continue
            given[name] = _texts(values)
        return self._read(given)

    def _read(self, given: dict[str, Any]) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for name, column in given.items():
            attribute = ATTRIBUTES.get(name)
            if name == MEASUREMENTS:
                columns |= self._sides(column)
            elif isinstance(attribute, Grade):
                houses = given.get(LABORATORY)
                if houses is not None and name in self.declared.grades:
                    column = _of_houses(name, column, houses, self.declared)
                columns[name] = self._grades(name, column)
            elif isinstance(column, Coded) and isinstance(attribute, Day):
                columns[name] = _spread(self._days(column.texts), column)
            elif isinstance(attribute, Measure):
                if isinstance(column, Coded):
                    column = self._numbers(attribute, column)
                elif (factor := self._factor(name)) != 1.0:
                    column = np.round(column * factor, 4)
                columns[name] = column
        return columns if self.strict else _measured(columns)

    def _days(self, texts: Sequence[str | None]) -> list[str | None]:
        """Dates as ``2026-11-23``; what is none stays, to be refused by name."""
        if self.strict:
            return list(texts)
        days = [None if t is None else day_in(t, self.declared.dates) for t in texts]
        return [t if day is None else iso(day) for t, day in zip(texts, days, strict=True)]

    def _grades(self, name: str, column: Coded) -> Coded:
        if self.strict:
            return column
        grade = graded(name)
        texts = [
            t if blank(t) else grade_meant(grade, str(t), self.declared) for t in column.texts
        ]
        return Coded(texts, column.codes)

    def _numbers(self, attribute: Any, column: Coded) -> Any:
        """Numbers of a column. Text that is no number stays text, and is refused later."""
        factor = self._factor(attribute.name)
        plain = not self.declared.decimal and factor == 1.0
        if plain and all(not t or _NUMBER.fullmatch(t) for t in column.texts):
            return np.array([float(t) if t else np.nan for t in column.texts])[column.codes]
        read = [self._number(attribute, text, factor) for text in column.texts]
        return _spread(read, column)

    def _factor(self, name: str) -> float:
        unit = self.units.get(name, self.units.get(MEASUREMENTS, "") if name in SIDES else "")
        return UNITS.get(name, {}).get(unit, 1.0)

    def _number(self, attribute: Measure, text: str | None, factor: float) -> Any:
        if text is None or blank(text):
            return np.nan
        if not self.declared.decimal and factor == 1.0:
            with suppress(StoneError):
                return attribute.parse(text)
        value = number(text, self.declared.decimal or ".")
        return text if value is None else round(value * factor, 4)

    def _sides(self, column: Coded) -> dict[str, Any]:
        """Length, width and height out of one column."""
        parts = []
        for text in column.texts:
            found = ["", "", ""] if blank(text) else sides(str(text))
            parts.append(found if len(found) == len(SIDES) else [str(text)] * len(SIDES))
        columns = {}
        for i, name in enumerate(SIDES):
            attribute, factor = ATTRIBUTES[name], self._factor(name)
            assert isinstance(attribute, Measure)
            read = [self._number(attribute, part[i], factor) for part in parts]
            columns[name] = _spread(read, column)
        return columns


def _of_houses(name: str, column: Coded, houses: Coded, source: Source) -> Coded:
    pairs, codes = np.unique([column.codes, houses.codes], axis=1, return_inverse=True)
    texts = [column.texts[i] for i in pairs[0]]
    said_by = [houses.texts[i] for i in pairs[1]]
    return Coded(of_houses(name, texts, said_by, source), codes.ravel())


def _measured(columns: dict[str, Any]) -> dict[str, Any]:
    """The same, where zero says that nothing was measured: of all sides at once, or a share."""
    sides_of = [name for name in SIDES if name in columns]
    zero = {
        name: columns[name] == 0 for name in (*sides_of, "depth", "table") if name in columns
    }
    none = np.logical_and.reduce([zero[name] for name in sides_of]) if sides_of else False
    for name, nothing in zero.items():
        gone = none if name in SIDES else nothing
        columns[name] = np.where(gone, np.nan, columns[name])
    return columns


def _spread(values: list[Any], column: Coded) -> Any:
    """Values of the different texts at the rows of the column; objects where some are text."""
    if any(isinstance(value, str | None) for value in values):
        return np.array([*values, None], object)[:-1][column.codes]
    return np.array(values, float)[column.codes]


def _folded(column: Sequence[str]) -> Coded:
    """Texts as the different ones and which is where."""
    place: dict[str, int] = {}
    codes = [place.setdefault(text, len(place)) for text in column]
    return Coded(list(place), np.array(codes, np.int64))


def _text(kind: Any) -> bool:
    types = arrow().types
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    )


def _texts(values: Any) -> Coded:
    pa = arrow()
    if not pa.types.is_dictionary(values.type):
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            values = values.cast(pa.string())
        values = values.dictionary_encode()
    texts = values.dictionary.cast(pa.string()).to_pylist()
    indices = values.indices.cast(pa.int64())  # small ones cannot count one entry more
    return Coded([*texts, None], indices.fill_null(len(texts)).to_numpy(zero_copy_only=False))
