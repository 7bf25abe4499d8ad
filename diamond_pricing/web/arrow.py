"""Batches as Arrow IPC streams, which may come from anybody: looked at before they are read."""

import io
import struct
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.errors import SourceError
from diamond_pricing.intake.judged import STATUS
from diamond_pricing.web.batch import Asked, Part, columns_named, counted, facts
from diamond_pricing.web.problems import ProblemError

if TYPE_CHECKING:
    import pyarrow as pa

_TEXTS = 10_000  # different grades of one column: more than all grades in all spellings


def arrow_batches(file: IO[bytes], most: int) -> "Iterator[pa.RecordBatch]":
    """The record batches of a stream, each sound in itself.

    Raises
    ------
    ProblemError
        When the stream is not sound or whole, is compressed, has columns of other types, or
        more than ``most`` rows.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ProblemError(
            "unsupported_media_type",
            "This server does not read Arrow: pyarrow is not installed. Send CSV or JSON.",
        ) from error
    refuse_compressed(file)
    file.seek(0)
    try:
        with pa.ipc.open_stream(pa.py_buffer(file.read())) as reader:
            columns_named(reader.schema.names).check_kinds(reader.schema)
            total = 0
            for batch in reader:
                total += batch.num_rows
                counted(total, most)
                batch.validate(full=True)
                for column in batch.columns:
                    coded = isinstance(column, pa.DictionaryArray)
                    if coded and len(column.dictionary) > _TEXTS:
                        wrong = f"A dictionary has over {_TEXTS:,} entries."
                        raise ProblemError("unreadable", wrong)
                yield batch
    except SourceError as error:
        raise ProblemError("unreadable", str(error)) from error
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise ProblemError("unreadable", "The body is not a valid Arrow stream.") from error


def arrow_rows(asked: Asked, found: Iterable[Part]) -> Iterator[bytes]:
    """The answers as a stream, piece by piece."""
    import pyarrow as pa

    word = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema(
        [("status", word), ("cents", pa.int64()), ("low", pa.float64()), ("high", pa.float64())]
        + [(line, pa.int64()) for line in asked.lines]
        + [("code", pa.string()), ("error", pa.string())],
        metadata={k: str(v) for k, v in facts(asked).items()},
    )
    out = io.BytesIO()
    known = pa.array(STATUS)
    with pa.ipc.new_stream(out, schema) as writer:
        for p in found:
            n = len(p)
            gone = p.found.status == 2 if p.errors else None
            texts: list[Any] = [pa.nulls(n, pa.string())] * 2
            if p.errors:
                faults = [p.errors.get(row) for row in range(n)]
                texts = [
                    pa.array([f and f.code for f in faults], pa.string()),
                    pa.array([f and f.message for f in faults], pa.string()),
                ]
            columns = np.ascontiguousarray(p.found.cents.T)
            arrays = [
                pa.DictionaryArray.from_arrays(pa.array(p.found.status), known),
                pa.array(p.found.cents.sum(axis=1), mask=gone),
                *(pa.array(e, mask=np.isnan(e)) for e in (p.found.low, p.found.high)),
                *(pa.array(column, mask=gone) for column in columns),
                *texts,
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def refuse_compressed(file: IO[bytes]) -> None:
    """Refuse a stream with compressed buffers, which could unpack to any size.

    Reads the flatbuffers of the message headers as far as needed: the field ``compression``
    of each record batch (https://arrow.apache.org/docs/format/Columnar.html).
    """
    try:
        while len(head := file.read(8)) == 8:
            mark, size = struct.unpack("<Ii", head)
            if mark != 0xFFFFFFFF or size < 0:
                raise ValueError
            if size == 0:
                if file.read(1):
                    raise ValueError
                return
            meta = file.read(size)
            message = struct.unpack_from("<I", meta)[0]
            kind = meta[_field(meta, message, 1)] if _field(meta, message, 1) else 0
            at = _field(meta, message, 2)
            if kind in (2, 3) and at:
                batch = at + struct.unpack_from("<I", meta, at)[0]
                if kind == 2:  # a dictionary holds a batch
                    at = _field(meta, batch, 1)
                    batch = at + struct.unpack_from("<I", meta, at)[0]
                if _field(meta, batch, 3):
                    raise ProblemError(
                        "unsupported_media_type",
                        "Compressed Arrow buffers are not read; write the stream plainly.",
                    )
            at = _field(meta, message, 3)
            body = struct.unpack_from("<q", meta, at)[0] if at else 0
            if body < 0:
                raise ValueError
            file.seek(body, io.SEEK_CUR)
        raise ValueError  # without its end, rows may be missing
    except (struct.error, ValueError, IndexError, OverflowError, OSError) as error:
        raise ProblemError("unreadable", "The body is not a valid Arrow stream.") from error


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffers table stands; 0 if it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, vtable)[0]:
        return 0
    offset: int = struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0]
    return table + offset if offset else 0
