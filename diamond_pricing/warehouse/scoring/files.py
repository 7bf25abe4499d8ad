"""Tables in files, read batch by batch and written aside until they are whole."""

import csv
import glob
import gzip
import io
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diamond_pricing.errors import RejectedFileError, SourceError
from diamond_pricing.files import folder, written_aside
from diamond_pricing.intake.columns import arrow
from diamond_pricing.intake.reading import (
    DELIMITERS,
    HEAD,
    SPREADSHEETS,
    encoding_of,
    header_row,
    read_sheet,
)
from diamond_pricing.intake.source import Source

ROWS = 65_536  # read at a time
_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
_DAMAGED = (UnicodeError, EOFError, OSError, csv.Error, zlib.error, RejectedFileError)
_WHOLE = (*(f".{name}" for name in SPREADSHEETS), ".json", ".jsonl", ".ndjson")  # read at once


def sources(given: str) -> list[Path]:
    """The files that a path or pattern means.

    Raises
    ------
    SourceError
        When there is none, or one is of a kind that is not read.
    """
    named = Path(given)
    # A pattern may be absolute, which Path.glob does not take.
    found = [] if named.is_file() else sorted(glob.glob(given))  # noqa: PTH207
    files = [Path(name) for name in found] or [named]
    files = [file for file in files if file.is_file()]
    if not files:
        raise SourceError(f"there is no file {given}.")
    for file in files:
        if not file.name.lower().endswith((".parquet", *_CSV, *_WHOLE)):
            raise SourceError(f"{file} is none of .parquet, .csv, .tsv, {', '.join(_WHOLE)}.")
    return files


def batches(file: Path, declared: Source) -> Iterator[Any]:
    """Record batches of a file; all columns are text but those of a Parquet file.

    Parameters
    ----------
    declared : Source
        Its encoding and delimiter, where they are not told from the file.

    Raises
    ------
    SourceError
        When it cannot be read.
    """
    pa = arrow()
    try:
        if file.name.lower().endswith(".parquet"):
            with pa.parquet.ParquetFile(file) as source:
                yield from _parquet(pa, source, file)
            return
        if file.name.lower().endswith(_WHOLE):
            sheet = read_sheet(file.name, file.read_bytes())
            names, width = sheet.header, len(sheet.header)
            rows = ([*row, *[""] * width][:width] for row in sheet.rows)
            texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            yield pa.RecordBatch.from_arrays(texts, names=names)
            return
        with pa.input_stream(str(file), compression="detect") as stream:
            yield from _csv(pa, stream, file, declared)
    except (FileNotFoundError, PermissionError):
        raise
    except (pa.ArrowException, *_DAMAGED) as error:
        letters = isinstance(error, UnicodeError) or "invalid UTF8" in str(error)
        if letters and file.name.lower().endswith(_CSV):
            raise SourceError(
                f"{file} is not text in {declared.encoding or 'UTF-8'}; say with --source what "
                'it is in, as encoding = "cp1252" for what Excel writes in the west.'
            ) from error
        raise SourceError(f"{file} cannot be read: {' '.join(str(error).split())}") from error


def _parquet(pa: Any, source: Any, file: Path) -> Iterator[Any]:
    told, found = source.metadata.num_rows, 0
    if told == 0:
        yield pa.RecordBatch.from_pylist([], schema=source.schema_arrow)
    for batch in source.iter_batches(ROWS):
        batch.validate(full=True)  # a damaged file may count beyond its dictionaries
        found += batch.num_rows
        yield batch
    if found != told:
        raise SourceError(f"{file} says that it has {told:,} rows, and has {found:,}.")


def _csv(pa: Any, stream: Any, file: Path, declared: Source) -> Iterator[Any]:
    with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as data:
        begun = data.read(1 << 16)
    encoding = declared.encoding or encoding_of(begun[: begun.rfind(b"\n") + 1]) or "utf-8"
    names, delimiter, above = _header(file, begun, encoding, declared.delimiter)
    with pa.csv.open_csv(
        stream,
        read_options=pa.csv.ReadOptions(block_size=4 << 20, encoding=encoding, skip_rows=above),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
        ),
    ) as reader:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        for batch in reader:
            for start in range(0, batch.num_rows, ROWS):
                yield batch.slice(start, ROWS)


def _header(
    file: Path, begun: bytes, encoding: str, delimiter: str
) -> tuple[list[str], str, int]:
    """Columns of a CSV file, what parts them, and how many lines stand above them."""
    text = getincrementaldecoder(encoding)().decode(begun).removeprefix("\ufeff")
    # Old spreadsheets end lines with \r alone.
    lines = re.split("[\r\n]+", re.sub('"[^"]*"', '""', text).lstrip(), maxsplit=HEAD)[:HEAD]
    if not lines[0].strip():
        raise SourceError(f"{file} is empty.")
    told = lines[0] if set(DELIMITERS) & set(lines[0]) else "".join(lines)  # a title has none
    parted = delimiter or max(DELIMITERS, key=told.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted)
    rows, above, line = [], [], 0
    for row in reader:
        if any(cell.strip() for cell in row):
            rows.append(row)
            above.append(line)
        line = reader.line_num
        if len(rows) == HEAD:
            break
    at = header_row(rows)
    return rows[at], parted, above[at]


def rows_in(files: list[Path]) -> int | None:
    """How many rows there are, where that is known beforehand."""
    pa = arrow()
    if not all(file.name.lower().endswith(".parquet") for file in files):
        return None
    try:
        return sum(int(pa.parquet.read_metadata(file).num_rows) for file in files)
    except (pa.ArrowException, UnicodeDecodeError, OSError):
        return None  # reading it says what is wrong


@contextmanager
def writing(target: Path, schema: Any) -> Iterator[Any]:
    """A writer of record batches; the file is there when all were written, else nothing.

    Raises
    ------
    SourceError
        When a column of the source cannot stand in such a file.
    """
    pa, parquet = arrow(), target.suffix.lower() == ".parquet"
    folder(target.parent)
    with written_aside(target) as aside:
        try:
            if parquet:
                words = [f.name for f in schema if not pa.types.is_integer(f.type)]
                writer = pa.parquet.ParquetWriter(aside, schema, use_dictionary=words)
            else:
                writer = pa.csv.CSVWriter(aside, schema)
            with writer:
                yield writer
        except pa.ArrowException as error:
            if isinstance(error, OSError):
                raise  # a full disk says so itself
            why = f"{'Parquet' if parquet else 'CSV'}: {' '.join(str(error).split())}."
            raise SourceError(f"a column of the source cannot be written as {why}") from error
