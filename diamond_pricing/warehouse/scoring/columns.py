"""Which column of a file is which attribute, and what its cells say."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from diamond_pricing.arrays import doubles
from diamond_pricing.errors import SourceError, StoneError
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import (
    ATTRIBUTES,
    OTHERS,
    Coded,
    Day,
    Grade,
    Measure,
    attribute_named,
)
from diamond_pricing.stones.attributes import fold
from diamond_pricing.stones.keys import IDENTITY
from diamond_pricing.stones.kinds import KINDS, kinds_known, of_other_kind
from diamond_pricing.warehouse.headers import (
    MEASUREMENTS,
    PER_CARAT,
    PRICE,
    SIDES,
    UNITS,
    understood,
)
from diamond_pricing.warehouse.numbers import number, sides
from diamond_pricing.warehouse.scoring.batches import absent
from diamond_pricing.warehouse.scoring.files import arrow
from diamond_pricing.warehouse.source import Source

NOT_PRICED = (PRICE, PER_CARAT, IDENTITY, "listing")  # what says nothing about a stone


class Columns:
    """The columns of files that are alike.

    Parameters
    ----------
    schema : pyarrow.Schema
    ours : set[str]
        Names of the columns that will be added.
    declared : Source
        Names, units, words and decimal sign, as far as they cannot be told from the headers.
    model : PriceModel
        Columns of further attributes that it does not read are carried along.

    Raises
    ------
    SourceError
        When one that is needed is not there, or cannot be.
    """

    def __init__(
        self, schema: Any, ours: set[str], declared: Source, model: PriceModel
    ) -> None:
        self.declared = declared
        read = model._effects.attributes
        self.passed_over = {other.name for other in OTHERS} - set(KINDS) - read
        self.only = {
            name: kinds_known(name, model.training.grades) for name in KINDS if name not in read
        }
        self.units = dict(declared.units)
        self.known = self._known(schema.names, ours)
        for name, attribute in ATTRIBUTES.items():
            if attribute.required and name not in self.known:
                given = ", ".join(schema.names) or "none"
                raise SourceError(
                    f"no column for {name}; the source has {given}. Say with --source what its "
                    "columns are called."
                )
        for name, column in self.known.items():
            _kind(name, schema.field(column))
        self.unread = [h for h in schema.names if h not in self.known.values()]

    def _known(self, headers: Sequence[str], ours: set[str]) -> dict[str, str]:
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
        for named in (attribute_named, _in_other_words):
            found: dict[str, str] = {}
            for column in headers:
                name = named(column) or ""
                if not name or name in taken or column in known.values():
                    continue
                if name in self.passed_over:
                    continue
                if name in found:
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

    def read(self, batch: Any) -> dict[str, Any]:
        """Numbers as arrays of floats, or of objects where some are none; grades coded."""
        columns: dict[str, Any] = {}
        for name, column in self.known.items():
            attribute, values = ATTRIBUTES.get(name), batch.column(column)
            if name in self.only:
                continue
            if isinstance(attribute, Day):
                days = [_day(attribute, value) for value in values.to_pylist()]
                columns[name] = np.array([*days, None], object)[:-1]
            elif isinstance(attribute, Measure):
                columns[name] = self._numbers(attribute, values)
            elif isinstance(attribute, Grade):
                columns[name] = self._grades(name, values)
            elif name == MEASUREMENTS:
                columns |= self._sides(values)
        return columns

    def others(self, batch: Any) -> dict[int, tuple[str, str]]:
        """Code and sentence of each row whose stone is of a kind that no model here prices."""
        found: dict[int, tuple[str, str]] = {}
        for name, only in self.only.items():
            if name not in self.known:
                continue
            column = _texts(batch.column(self.known[name]))
            wrong = of_other_kind(name, column.texts, only, self.declared.grades.get(name, {}))
            for row in np.flatnonzero(np.isin(column.codes, list(wrong))).tolist():
                said = f"{wrong[int(column.codes[row])]}."
                found.setdefault(row, (f"{name}_not_priced", said))
        return found

    def _grades(self, name: str, values: Any) -> Coded:
        column = _texts(values)
        words = {fold(k): v for k, v in self.declared.grades.get(name, {}).items()}
        if not words:
            return column
        texts = [t if t is None else words.get(fold(t), t) for t in column.texts]
        return Coded(texts, column.codes)

    def _numbers(self, attribute: Measure, values: Any) -> Any:
        """Numbers of a column; what is none in a text stays text, to be refused."""
        pa = arrow()
        factor = self._factor(attribute.name)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if not (self.declared.decimal and _text(values.type)):
            with suppress(pa.ArrowInvalid):
                if not pa.types.is_floating(values.type):
                    values = values.cast(pa.float64(), safe=False)
                numbers = doubles(values.to_numpy(zero_copy_only=False))
                return numbers if factor == 1.0 else np.round(numbers * factor, 4)
        texts = values.to_pylist()
        read = {text: self._number(attribute, text, factor) for text in set(texts)}
        column = np.empty(len(texts), object)
        column[:] = [read[text] for text in texts]
        return column

    def _factor(self, name: str) -> float:
        unit = self.units.get(name, self.units.get(MEASUREMENTS, "") if name in SIDES else "")
        return UNITS.get(name, {}).get(unit, 1.0)

    def _number(self, attribute: Measure, text: str | None, factor: float) -> Any:
        if text is None or not text.strip():
            return np.nan
        if self.declared.decimal or factor != 1.0:
            value = number(text, self.declared.decimal or ".")
            return text if value is None else round(value * factor, 4)
        try:
            return attribute.parse(text)
        except StoneError:
            with suppress(ValueError):
                return float(text)  # a number, which is refused as one
            return text

    def _sides(self, values: Any) -> dict[str, Any]:
        """Length, width and height out of one column."""
        texts = _texts(values)
        parts = []
        for text in texts.texts:
            found = ["", "", ""] if absent(text) else sides(str(text))
            parts.append(found if len(found) == len(SIDES) else [str(text)] * len(SIDES))
        columns = {}
        for i, name in enumerate(SIDES):
            attribute = ATTRIBUTES[name]
            assert isinstance(attribute, Measure)
            factor = self._factor(name)
            read = np.empty(len(parts), object)
            read[:] = [self._number(attribute, part[i], factor) for part in parts]
            columns[name] = read[texts.codes]
        return columns


def _day(attribute: Day, value: Any) -> Any:
    """A date as its day; what is none stays as it is, to be refused."""
    try:
        return np.nan if absent(value) else attribute.read(value)
    except StoneError:
        return str(value)


def _in_other_words(header: str) -> str | None:
    meant = understood(header)
    return meant[0] if meant else None


def _kind(name: str, field: Any) -> None:
    """Refuse a column of another type than its attribute can have."""
    types, kind = arrow().types, field.type
    attribute = ATTRIBUTES.get(name)
    kind = kind.value_type if types.is_dictionary(kind) else kind
    text = _text(kind)
    numeric = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if types.is_null(kind) or text or (numeric and isinstance(attribute, Measure)):
        return
    if isinstance(attribute, Day) and types.is_temporal(kind):
        return
    if name in KINDS and (types.is_boolean(kind) or types.is_integer(kind)):
        return  # as of a column "lab grown"
    wanted = "numbers" if isinstance(attribute, Measure) else "text"
    raise SourceError(f"column {field.name!r} must hold {wanted}, not {kind}.")


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
