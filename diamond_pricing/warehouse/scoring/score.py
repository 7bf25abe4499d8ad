"""Price files of any size."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from diamond_pricing.errors import RejectedFileError, SourceError
from diamond_pricing.intake.columns import TableColumns, arrow
from diamond_pricing.intake.judged import STATUS, Judged, code_of, judged
from diamond_pricing.intake.mapping import guessed
from diamond_pricing.intake.reading import Sheet
from diamond_pricing.intake.source import Source
from diamond_pricing.model import PriceModel
from diamond_pricing.model.explanation import RANGE
from diamond_pricing.model.ranges import check_level
from diamond_pricing.model.support import BLEND, listed
from diamond_pricing.stones import OTHERS, Stones
from diamond_pricing.stones.kinds import KINDS, LABORATORY
from diamond_pricing.warehouse.scoring.files import batches, rows_in, sources, writing

SAMPLE = 5_000  # rows that tell what the columns are

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
    unread : tuple[str, ...]
        Columns of the source that say nothing, as far as known.
    """

    rows: int
    priced: int
    with_caution: int
    refused: dict[str, int]
    unread: tuple[str, ...] = ()


def score(
    source: str | Path,
    target: str | Path,
    model: PriceModel,
    *,
    level: float = RANGE,
    listing: str = BLEND,
    prefix: str = "",
    declared: Source | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Price the stones of files.

    Parameters
    ----------
    source : str or Path
        A Parquet or CSV file (``.csv.gz`` too) of any size, a spreadsheet or JSON, or a
        pattern of several of the same columns.
    target : str or Path
        ``.parquet`` or ``.csv``; has the columns of the source and behind them ours.
    level : float
        Share of such sales within the range.
    prefix : str
        Put before the names of our columns, where the source has such names itself.
    declared : Source, optional
        What its columns are called and how it writes what is in them, as far as that cannot
        be told.
    progress : callable, optional
        Told how many rows are done, and of how many, if that is known.

    Raises
    ------
    SourceError
        When a file cannot be read, lacks a column, or has one of a name of ours.
    """
    for given, kinds in ((source, str | Path), (model, PriceModel)):
        if not isinstance(given, kinds):
            raise SourceError(
                f"score takes the name of a file, the name of another and a model, not "
                f"{type(given).__name__}; for what is in memory there is model.appraise."
            )
    files, out = sources(str(source)), Path(target)
    if out.suffix.lower() not in (".parquet", ".csv"):
        raise SourceError(f"{out} must end in .parquet or .csv.")
    if out.resolve() in {file.resolve() for file in files}:
        raise SourceError(f"{out} is also what is read; write to another file.")
    check_level(level)
    if listing != "recorded":
        listed(Stones.of([model.reference]), listing, model.training)
    total, done = rows_in(files), 0
    counts: Counter[str] = Counter()
    statuses = np.zeros(3, np.int64)
    how = declared or Source()
    stream: Iterator[Any] = (batch for file in files for batch in batches(file, how))
    begun = list(islice(stream, 2))  # the first may have no rows
    first, stream = begun[0], chain(begun, stream)
    how = _told(begun[-1], how)
    pa = arrow()
    money = ["price", "low", "high", "reference", *model.lines]
    types = {"status": pa.string()} | {f"{name}_cents": pa.int64() for name in money}
    types |= {"code": pa.string(), "error": pa.string()}
    ours = [pa.field(prefix + name, kind) for name, kind in types.items()]
    try:
        columns = TableColumns(first.schema.names, how, {field.name for field in ours})
    except SourceError as error:
        raise SourceError(f"{error} Say with --source what its columns are called.") from error
    columns.check_kinds(first.schema)
    schema = pa.schema([*first.schema, *ours])
    with writing(out, schema) as writer:
        for batch in stream:
            names = batch.schema.names
            if names != first.schema.names and sorted(names) == sorted(set(first.schema.names)):
                batch = batch.select(first.schema.names)  # by name, whatever their order
            if not batch.schema.equals(first.schema):
                raise SourceError("the files do not have the same columns of the same types.")
            found = judged(model, columns.of_arrow(batch), batch.num_rows, level, listing)
            writer.write_batch(_answer(found, batch, schema))
            done += batch.num_rows
            counts.update(map(code_of, found.errors.values()))
            statuses += np.bincount(found.status, minlength=3)
            if progress is not None:
                progress(done, total)
    priced = int(statuses[0] + statuses[1])
    passed_over = {a.name for a in OTHERS} - set(KINDS) - model._effects.attributes
    if columns.declared.grades:  # where a word may be that of one laboratory
        passed_over -= {LABORATORY}
    read = {at for name, at in columns.known.items() if name not in passed_over}
    unread = tuple(header for header in first.schema.names if header not in read)
    return Scored(done, priced, int(statuses[1]), dict(counts.most_common()), unread)


def _told(batch: Any, declared: Source) -> Source:
    """What the cells say of the columns, as where sales are read."""
    names = batch.schema.names
    columns = [column.to_pylist() for column in batch.slice(0, SAMPLE)]
    some = [["" if cell is None else str(cell) for cell in column] for column in columns]
    try:
        rows = [list(row) for row in zip(*some, strict=True)]
        return guessed(Sheet(names, rows, list(range(len(rows)))), declared, priced=False)
    except RejectedFileError:
        return declared  # and the columns are known by their names alone


def _answer(found: Judged, batch: Any, schema: Any) -> Any:
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
    if found.errors:
        every = found.errors.values()
        for j, told in enumerate(([code_of(e) for e in every], [str(e) for e in every])):
            column = np.full(len(gone), None, object)
            column[list(found.errors)] = told
            said[j] = pa.array(column, pa.string())
    return pa.record_batch([*batch.columns, words, price, *ends, *lines, *said], schema=schema)
