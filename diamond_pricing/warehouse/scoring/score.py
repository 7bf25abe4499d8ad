"""Price files of any size."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diamond_pricing.errors import SourceError, StoneError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.explanation import RANGE
from diamond_pricing.model.ranges import _check
from diamond_pricing.model.support import BLEND, listed
from diamond_pricing.stones import ATTRIBUTES, Coded, Measure, Stones, attribute_named
from diamond_pricing.warehouse.scoring.batches import STATUS, Outcome, outcome
from diamond_pricing.warehouse.scoring.files import arrow, batches, rows_in, sources, writing

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of the rows.

    Attributes
    ----------
    rows, priced, with_caution : int
        All rows; those with a price; those of them with few sales behind it.
    refused : dict[str, int]
        Rows without a price, by code.
    """

    rows: int
    priced: int
    with_caution: int
    refused: dict[str, int]


def score(
    source: str | Path, target: str | Path, model: PriceModel, *, level: float = RANGE,
    listing: str = BLEND, prefix: str = "", progress: Progress | None = None,
) -> Scored:  # fmt: skip
    """Price the stones of files.

    Parameters
    ----------
    source : str or Path
        A Parquet or CSV file (``.csv.gz`` too), or a pattern of several of the same columns.
    target : str or Path
        ``.parquet`` or ``.csv``; has the columns of the source and behind them ours.
    level : float
        Share of such sales within the range.
    prefix : str
        Put before the names of our columns, where the source has such names itself.
    progress : callable, optional
        Told how many rows are done, and of how many, if that is known.

    Raises
    ------
    SourceError
        When a file cannot be read, lacks a column, or has one of a name of ours.
    """
    files, out = sources(str(source)), Path(target)
    if out.suffix.lower() not in (".parquet", ".csv"):
        raise SourceError(f"{out} must end in .parquet or .csv.")
    if out.resolve() in {file.resolve() for file in files}:
        raise SourceError(f"{out} is also what is read; write to another file.")
    _check(level)
    if listing != "recorded":
        listed(Stones.of([model.reference]), listing, model.training)
    total, done = rows_in(files), 0
    counts: Counter[str] = Counter()
    statuses = np.zeros(3, np.int64)
    stream = (batch for file in files for batch in batches(file))
    first = next(stream)  # of no rows where a file has none
    ours = _schema(model, prefix)
    known = _attributes(first.schema, {field.name for field in ours})
    schema = arrow().schema([*first.schema, *ours])
    with writing(out, schema) as writer:
        batch: Any = first
        while batch is not None:
            if not batch.schema.equals(first.schema):
                raise SourceError("the files do not have the same columns of the same types.")
            found = _one(model, batch, known, level, listing)
            answer = _answer(found, batch, schema)
            writer.write_batch(answer)
            done += batch.num_rows
            counts.update(code for code, _ in found.reasons.values())
            statuses += np.bincount(found.status, minlength=3)
            if progress is not None:
                progress(done, total)
            batch = next(stream, None)
    priced = int(statuses[0] + statuses[1])
    return Scored(done, priced, int(statuses[1]), dict(counts.most_common()))


def _schema(model: PriceModel, prefix: str) -> list[Any]:
    """Our columns."""
    pa = arrow()
    money = ["price", "low", "high", "reference", *model.lines]
    fields = [("status", pa.string()), *((f"{name}_cents", pa.int64()) for name in money)]
    fields += [("code", pa.string()), ("error", pa.string())]
    return [pa.field(prefix + name, kind) for name, kind in fields]


def _attributes(schema: Any, ours: set[str]) -> dict[str, str]:
    """By attribute the column that means it."""
    known: dict[str, str] = {}
    for column in schema.names:
        if column in ours:
            raise SourceError(
                f"the source has a column {column!r} itself; put a prefix before ours."
            )
        name = attribute_named(column)
        if name in known:
            raise SourceError(f"columns {known[name]!r} and {column!r} both mean {name}.")
        if name is not None and name != "listing":
            known[name] = column
    for name, attribute in ATTRIBUTES.items():
        if attribute.required and name not in known:
            raise SourceError(
                f"no column for {name}; the source has {', '.join(schema.names) or 'none'}."
            )
        if name in known:
            _kind(attribute, schema.field(known[name]))
    return known


def _kind(attribute: Any, field: Any) -> None:
    """Refuse a column of another type than its attribute can have."""
    types, kind = arrow().types, field.type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if types.is_null(kind) or text or (number and isinstance(attribute, Measure)):
        return
    wanted = "numbers" if isinstance(attribute, Measure) else "text"
    raise SourceError(f"column {field.name!r} must hold {wanted}, not {kind}.")


def _one(
    model: PriceModel, batch: Any, known: dict[str, str], level: float, listing: str
) -> Outcome:
    columns = {}
    for name, column in known.items():
        attribute, values = ATTRIBUTES[name], batch.column(column)
        number = isinstance(attribute, Measure)
        columns[name] = _numbers(attribute, values) if number else _texts(values)
    return outcome(model, columns, batch.num_rows, level, listing)


def _numbers(attribute: Any, values: Any) -> Any:
    """Numbers of a column; what is none in a text stays text, to be refused."""
    pa = arrow()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    with suppress(pa.ArrowInvalid):
        numbers: Any = values.cast(pa.float64(), safe=False)
        return numbers.to_numpy(zero_copy_only=False)
    texts = values.to_pylist()
    read = {text: _typed(attribute, text) for text in set(texts)}
    column = np.empty(len(texts), object)
    column[:] = [read[text] for text in texts]
    return column


def _typed(attribute: Any, text: str | None) -> Any:
    if text is None or not text.strip():
        return np.nan
    try:
        return attribute.parse(text)
    except StoneError:
        with suppress(ValueError):
            return float(text)  # a number, which is refused as one
        return text


def _texts(values: Any) -> Coded:
    pa = arrow()
    if pa.types.is_null(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    texts = values.dictionary.to_pylist()
    indices = values.indices.cast(pa.int64())  # small ones cannot count one entry more
    return Coded([*texts, None], indices.fill_null(len(texts)).to_numpy(zero_copy_only=False))


def _answer(found: Outcome, batch: Any, schema: Any) -> Any:
    """The batch with our columns behind."""
    pa = arrow()
    gone = found.status == 2
    words = pa.array(STATUS).take(pa.array(found.status))
    ends = []
    for end in (found.low, found.high):
        missing = np.isnan(end)
        whole = np.rint(np.where(missing, 0.0, end) * 100).astype(np.int64)
        ends.append(pa.array(whole, mask=missing))
    lines = [pa.array(line, mask=gone) for line in np.ascontiguousarray(found.cents.T)]
    price = pa.array(found.cents.sum(axis=1), mask=gone)
    said = [pa.nulls(len(gone), pa.string())] * 2
    if found.reasons:
        rows = list(found.reasons)
        for j in (0, 1):
            column = np.full(len(gone), None, object)
            column[rows] = [reason[j] for reason in found.reasons.values()]
            said[j] = pa.array(column, pa.string())
    return pa.record_batch([*batch.columns, words, price, *ends, *lines, *said], schema=schema)
