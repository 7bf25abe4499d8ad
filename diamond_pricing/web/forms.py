"""The forms that a batch comes in and is answered in."""

import csv
import io
import re
import struct
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import msgspec
import numpy as np

from diamond_pricing.model.verdict import CAUTION, PRICED
from diamond_pricing.stones import ATTRIBUTES, Coded, Measure, attribute_named
from diamond_pricing.web.batch import (
    NAMES,
    REFUSED,
    ROWS,
    Asked,
    Part,
    columns_of,
    counted,
    part,
    parts,
    rows_of,
    text_of,
    with_errors,
)
from diamond_pricing.web.bodies import strict
from diamond_pricing.web.problems import Fault, ProblemError

if TYPE_CHECKING:
    import pyarrow as pa

JSON, CSV = "application/json", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FORMS = (JSON, CSV, ARROW)
_FIELD = 10_000  # characters of a cell
_LINE = 64 << 10  # and of a line
_TEXTS = 10_000  # different grades of one column of Arrow
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*")


class Batch:
    """A batch as it was sent, read twice: once to be counted, once to be priced.

    Parameters
    ----------
    file : IO[bytes]
        The body.
    media : str
        One of ``FORMS``.
    most : int
        Rows.

    Raises
    ------
    ProblemError
        When the body is not what it says.
    """

    def __init__(self, file: IO[bytes], media: str, most: int) -> None:
        self.file, self.media, self.most = file, media, most
        self.columns: dict[str, Any] = {}
        self.wrong: dict[int, Fault] = {}
        self.by_row = False
        self.batches: list[pa.RecordBatch] = []  # over the one copy of the body
        if media == JSON:
            self.n = self._json()
        elif media == CSV:
            self.n = sum(n for _, n in self._csv())
        else:
            self.n = sum(batch.num_rows for batch in self._arrow())
        if not self.n:
            code = "wrong_shape" if media == JSON else "unreadable"
            raise ProblemError(code, "The batch has no rows.")

    def answer(self, asked: Asked) -> Iterator[bytes]:
        """The answer in the form of the question, piece by piece."""
        if self.media == JSON:
            found = parts(asked, self.columns, self.n)
            if self.by_row:
                return _json_rows(asked, (with_errors(p, self.wrong) for p in found))
            return _json_columns(asked, found, self.n)
        if self.media == CSV:
            found = self._parts(asked, self._csv())
            return _csv_rows(asked, (with_errors(p, self.wrong) for p in found))
        coded = ((_arrow_columns(batch), batch.num_rows) for batch in self._arrow())
        return _arrow_rows(asked, self._parts(asked, coded))

    def _parts(
        self, asked: Asked, pieces: Iterable[tuple[dict[str, Any], int]]
    ) -> Iterator[Part]:
        first = 0
        for columns, n in pieces:
            if n <= ROWS:
                yield part(asked, columns, n, first)
            else:
                yield from parts(asked, columns, n, first)
            first += n

    def _json(self) -> int:
        self.file.seek(0)
        body = strict(self.file.read())
        if not isinstance(body, dict) or len(body) != 1 or not {"rows", "columns"} & set(body):
            raise ProblemError(
                "wrong_shape", 'The body must be {"rows": […]} or {"columns": {…}}.'
            )
        if "columns" in body:
            self.columns, n = columns_of(body["columns"], self.most)
            return n
        self.by_row = True
        self.columns, n, self.wrong = rows_of(body["rows"], self.most)
        return n

    def _csv(self) -> Iterator[tuple[dict[str, Any], int]]:
        self.file.seek(0)
        text = io.TextIOWrapper(self.file, encoding="utf-8-sig", newline="")
        csv.field_size_limit(_FIELD)
        try:
            reader = csv.reader(_short(text), strict=True)
            names = _header(next(reader, []))
            rows: list[list[str]] = []
            total = 0
            for row in reader:
                if not row:
                    continue
                if len(row) > len(names):
                    at = total + len(rows)
                    said = f"the row has {len(row)} cells, the header {len(names)}."
                    self.wrong[at] = Fault(said, "", "wrong_shape")
                    row = row[: len(names)]
                rows.append(row)
                if len(rows) == ROWS:
                    total += ROWS
                    counted(total, self.most)
                    yield _of_texts(names, rows), ROWS
                    rows = []
            counted(total + len(rows), self.most)
            if rows:
                yield _of_texts(names, rows), len(rows)
        except UnicodeDecodeError as error:
            raise ProblemError("unreadable", "The CSV file is not UTF-8.") from error
        except csv.Error as error:
            raise ProblemError(
                "unreadable", f"The CSV file cannot be read: {error}, line {reader.line_num}."
            ) from error
        finally:
            text.detach()

    def _arrow(self) -> "Iterator[pa.RecordBatch]":
        try:
            import pyarrow as pa
        except ImportError as error:
            raise ProblemError(
                "unsupported_media_type",
                "This server does not read Arrow: pyarrow is not installed. Send CSV or JSON.",
            ) from error
        if self.batches:  # read and checked before
            yield from self.batches
            return
        self.file.seek(0)
        refuse_compressed(self.file)
        self.file.seek(0)
        try:
            with pa.ipc.open_stream(pa.py_buffer(self.file.read())) as reader:
                _kinds(reader.schema)
                total = 0
                for batch in reader:
                    total += batch.num_rows
                    counted(total, self.most)
                    batch.validate(full=True)
                    _small(batch)
                    self.batches.append(batch)
                    yield batch
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
            raise ProblemError("unreadable", "The body is no sound Arrow stream.") from error


def _short(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines of a file, none of them longer than a stone needs."""
    while line := text.readline(_LINE + 1):
        if len(line) > _LINE:
            raise ProblemError("unreadable", f"A line has more than {_LINE:,} characters.")
        yield line


def _header(given: list[str]) -> list[str | None]:
    """Attributes of the columns; None for a column that is none."""
    names = [attribute_named(name) for name in given]
    names = [name if name in NAMES else None for name in names]
    for name in NAMES:
        if names.count(name) > 1:
            raise ProblemError("unreadable", f"Two columns mean {name}; keep one.")
        if ATTRIBUTES[name].required and name not in names:
            raise ProblemError(
                "unreadable", f"There is no column for {name}.",
                [Fault("the column is missing", f"/{name}", allowed=list(NAMES))],
            )  # fmt: skip
    return names


def _of_texts(names: list[str | None], rows: list[list[str]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for j, name in enumerate(names):
        if name is None:
            continue
        texts = [row[j] if j < len(row) else "" for row in rows]
        if isinstance(ATTRIBUTES[name], Measure) and all(
            not t or _NUMBER.fullmatch(t) for t in texts
        ):
            columns[name] = np.array([float(t) if t else np.nan for t in texts])
            continue
        read: dict[str, Any] = {t: text_of(t, name) for t in set(texts)}
        column = np.empty(len(texts), object)
        column[:] = [read[t] for t in texts]
        columns[name] = column
    return columns


# ----------------------------------------------------------------------- answers


def _facts(asked: Asked, n: int | None = None) -> dict[str, Any]:
    t = asked.model.training
    facts = {
        "model": asked.model.sha256, "currency": t.currency, "effective": t.effective,
        "listing": asked.listing, "level": asked.level,
    }  # fmt: skip
    return facts if n is None else facts | {"count": n}


def _json_rows(asked: Asked, found: Iterable[Part]) -> Iterator[bytes]:
    encode = msgspec.json.encode
    lines = asked.lines
    yield encode(_facts(asked))[:-1] + b',"rows":['
    comma = b""
    for p in found:
        out = []
        cents, words = p.cents.tolist(), p.words()
        for row, (low, high) in enumerate(zip(p.low.tolist(), p.high.tolist(), strict=True)):
            if row in p.errors:
                out.append({"status": REFUSED, "error": p.errors[row]})
                continue
            total = sum(cents[row])
            ends = None if low != low else {"low": low, "high": high}
            out.append(
                {
                    "status": words[row], "price": total / 100, "cents": total, "range": ends,
                    "lines": dict(zip(lines, cents[row], strict=True)),
                }
            )  # fmt: skip
        yield comma + encode(out)[1:-1]
        comma = b","
    yield b"]}"


def _json_columns(asked: Asked, found: Iterable[Part], n: int) -> Iterator[bytes]:
    """Columns follow one another, so all rows are priced before the first is sent."""
    encode = msgspec.json.encode
    every = list(found)
    cents = np.concatenate([p.cents for p in every])
    columns: dict[str, Any] = {"status": [word for p in every for word in p.words()]}
    columns["cents"] = cents.sum(axis=1).tolist()
    for name in ("low", "high"):
        ends = np.concatenate([getattr(p, name) for p in every])
        columns[name] = ends.tolist()  # NaN is written as null
    errors = [
        {"row": p.first + row, "error": fault}
        for p in every
        for row, fault in sorted(p.errors.items())
    ]
    lines = {line: cents[:, j].tolist() for j, line in enumerate(asked.lines)}
    yield encode(_facts(asked, n) | {"columns": columns, "lines": lines, "errors": errors})


def _csv_rows(asked: Asked, found: Iterable[Part]) -> Iterator[bytes]:
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    facts = _facts(asked)
    write(
        ["row", "status", "price", "low", "high", *asked.lines, "code", "field", "error",
         "currency", "effective", "model"]
    )  # fmt: skip
    tail = [facts["currency"], facts["effective"], facts["model"]]
    for p in found:
        cents, words = (p.cents / 100).tolist(), p.words()
        totals = (p.cents.sum(axis=1) / 100).tolist()
        for row, (low, high) in enumerate(zip(p.low.tolist(), p.high.tolist(), strict=True)):
            number = p.first + row + 1
            fault = p.errors.get(row)
            if fault is not None:
                empty = [""] * (3 + len(asked.lines))
                field = fault.pointer.removeprefix("/")
                write([number, REFUSED, *empty, fault.code, field, fault.message, *tail])
                continue
            ends = ["", ""] if low != low else [f"{low:.2f}", f"{high:.2f}"]
            money = [f"{amount:.2f}" for amount in cents[row]]
            write([number, words[row], f"{totals[row]:.2f}", *ends, *money, "", "", "", *tail])
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()


def _arrow_rows(asked: Asked, found: Iterable[Part]) -> Iterator[bytes]:
    import pyarrow as pa

    word = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema(
        [("status", word), ("cents", pa.int64()), ("low", pa.float64()), ("high", pa.float64())]
        + [(line, pa.int64()) for line in asked.lines]
        + [("code", pa.string()), ("error", pa.string())],
        metadata={k: str(v) for k, v in _facts(asked).items()},
    )
    out = io.BytesIO()
    known = pa.array([PRICED, CAUTION, REFUSED])
    with pa.ipc.new_stream(out, schema) as writer:
        for p in found:
            n = len(p)
            gone = p.status == 2 if p.errors else None
            texts: list[Any] = [pa.nulls(n, pa.string())] * 2
            if p.errors:
                faults = [p.errors.get(row) for row in range(n)]
                texts = [
                    pa.array([f and f.code for f in faults], pa.string()),
                    pa.array([f and f.message for f in faults], pa.string()),
                ]
            columns = np.ascontiguousarray(p.cents.T)
            arrays = [
                pa.DictionaryArray.from_arrays(pa.array(p.status), known),
                pa.array(p.cents.sum(axis=1), mask=gone),
                pa.array(p.low, mask=np.isnan(p.low)), pa.array(p.high, mask=np.isnan(p.high)),
                *(pa.array(column, mask=gone) for column in columns), *texts,
            ]  # fmt: skip
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _kinds(schema: "pa.Schema") -> None:
    """Refuse a column of a type that is not read, before anything is priced."""
    import pyarrow as pa

    for name, kind in zip(_header(schema.names), schema.types, strict=True):
        if name is None or pa.types.is_null(kind):
            continue
        number = isinstance(ATTRIBUTES[name], Measure)
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        fine = (
            pa.types.is_integer(kind) or pa.types.is_floating(kind)
            if number
            else pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
        )
        if not fine:
            wanted = "numbers" if number else "text"
            raise ProblemError(
                "unreadable", f"Column {name} must hold {wanted}, not {str(kind)[:60]}.",
                [Fault(f"must hold {wanted}", f"/{name}", given=str(kind)[:60])],
            )  # fmt: skip


def _small(batch: "pa.RecordBatch") -> None:
    """Refuse a dictionary that is larger than all grades in all spellings."""
    import pyarrow as pa

    for column in batch.columns:
        if isinstance(column, pa.DictionaryArray) and len(column.dictionary) > _TEXTS:
            raise ProblemError("unreadable", f"A dictionary has over {_TEXTS:,} entries.")


def _arrow_columns(batch: "pa.RecordBatch") -> dict[str, Any]:
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for name, column in zip(_header(batch.schema.names), batch.columns, strict=True):
        if name is None:
            continue
        if pa.types.is_null(column.type):
            columns[name] = np.full(batch.num_rows, None, object)
        elif isinstance(ATTRIBUTES[name], Measure):
            if isinstance(column, pa.DictionaryArray):
                column = column.dictionary_decode()
            numbers = column.cast(pa.float64(), safe=False)
            columns[name] = numbers.to_numpy(zero_copy_only=False)
        else:
            if not isinstance(column, pa.DictionaryArray):
                if pa.types.is_string_view(column.type):
                    column = column.cast(pa.string())
                column = column.dictionary_encode()
            texts = column.dictionary.to_pylist()
            codes = column.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
            given = [*texts, None] if column.null_count else texts
            columns[name] = Coded(given, codes.astype(np.int64))
    return columns


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
        raise ProblemError("unreadable", "The body is no sound Arrow stream.") from error


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffers table stands; 0 if it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, vtable)[0]:
        return 0
    offset: int = struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0]
    return table + offset if offset else 0
