"""Tables in files, read batch by batch and written aside until they are whole."""

import csv
import glob
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from diamond_pricing.errors import MissingExtraError, SourceError
from diamond_pricing.files import written_aside

ROWS = 65_536  # read at a time
_CSV = (".csv", ".csv.gz")


def arrow() -> Any:
    """Pyarrow, or the extra that it needs."""
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("scoring files", "scale") from error
    return pyarrow


def sources(given: str) -> list[Path]:
    """The files that a path or pattern means.

    Raises
    ------
    SourceError
        When there is none, or one is neither Parquet nor CSV.
    """
    named = Path(given)
    # A pattern may be absolute, which Path.glob does not take.
    found = [] if named.is_file() else sorted(glob.glob(given))  # noqa: PTH207
    files = [Path(name) for name in found] or [named]
    files = [file for file in files if file.is_file()]
    if not files:
        raise SourceError(f"there is no file {given}.")
    for file in files:
        if not file.name.lower().endswith((".parquet", *_CSV)):
            raise SourceError(f"{file} is neither .parquet, .csv nor .csv.gz.")
    return files


def batches(file: Path) -> Iterator[Any]:
    """Record batches of a file; of a CSV file all columns are text.

    Raises
    ------
    SourceError
        When it cannot be read.
    """
    pa = arrow()
    try:
        if file.name.lower().endswith(".parquet"):
            with pa.parquet.ParquetFile(file) as source:
                if source.metadata.num_rows == 0:
                    yield pa.RecordBatch.from_pylist([], schema=source.schema_arrow)
                yield from source.iter_batches(ROWS)
            return
        with pa.input_stream(str(file), compression="detect") as stream:
            yield from _csv(pa, stream, file)
    except (
        pa.ArrowException, UnicodeDecodeError, EOFError, OSError, csv.Error, zlib.error,
    ) as error:  # fmt: skip
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise SourceError(f"{file} cannot be read: {' '.join(str(error).split())}") from error


def _csv(pa: Any, stream: Any, file: Path) -> Iterator[Any]:
    names, delimiter = _header(file)
    with pa.csv.open_csv(
        stream,
        read_options=pa.csv.ReadOptions(block_size=4 << 20),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=[""], strings_can_be_null=True,
        ),
    ) as reader:  # fmt: skip
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        for batch in reader:
            for start in range(0, batch.num_rows, ROWS):
                yield batch.slice(start, ROWS)


def _header(file: Path) -> tuple[list[str], str]:
    """Columns of a CSV file, and what parts them."""
    with ExitStack() as stack:
        data: Any = stack.enter_context(file.open("rb"))
        if file.suffix.lower() == ".gz":
            data = stack.enter_context(gzip.GzipFile(fileobj=data))
        line = data.readline(1 << 16).decode("utf-8-sig")
    line = re.split("[\r\n]", line, maxsplit=1)[0]  # old spreadsheets end lines with \r alone
    if not line.strip():
        raise SourceError(f"{file} is empty.")
    delimiter = max(",;\t|", key=line.count)
    return next(csv.reader([line], delimiter=delimiter)), delimiter


def rows_in(files: list[Path]) -> int | None:
    """How many rows there are, where that is known beforehand."""
    pa = arrow()
    if not all(file.name.lower().endswith(".parquet") for file in files):
        return None
    try:
        return sum(int(pa.parquet.read_metadata(file).num_rows) for file in files)
    except (pa.ArrowException, OSError):
        return None  # reading it says what is wrong


@contextmanager
def writing(target: Path, schema: Any) -> Iterator[Any]:
    """A writer of record batches; the file is there when all were written, else nothing."""
    pa = arrow()
    with written_aside(target) as aside:
        if target.suffix.lower() == ".parquet":
            words = [f.name for f in schema if not pa.types.is_integer(f.type)]
            writer = pa.parquet.ParquetWriter(aside, schema, use_dictionary=words)
        else:
            writer = pa.csv.CSVWriter(aside, schema)
        with writer:
            yield writer
