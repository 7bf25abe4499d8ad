"""The forms that a batch comes in and is answered in."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import msgspec
import numpy as np

from diamond_pricing.stones import ATTRIBUTES, Measure
from diamond_pricing.stones.kinds import KINDS
from diamond_pricing.web.arrow import arrow_batches, arrow_columns, arrow_rows
from diamond_pricing.web.batch import (
    REFUSED,
    ROWS,
    Asked,
    Part,
    attributes_of,
    coded,
    columns_of,
    counted,
    facts,
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

# Of spaces only those that float takes too; what is around others is read as text.
_NUMBER = re.compile(r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?[ \t]*")


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
        coded = ((arrow_columns(batch), batch.num_rows) for batch in self._arrow())
        return arrow_rows(asked, self._parts(asked, coded))

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
            names = attributes_of(next(reader, []))
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
            if not self.file.closed:  # as it is when who asked went away before the end
                text.detach()

    def _arrow(self) -> "Iterator[pa.RecordBatch]":
        if not self.batches:
            self.file.seek(0)
            self.batches = list(arrow_batches(self.file, self.most))
        return iter(self.batches)


def _short(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines of a file, none of them longer than a stone needs."""
    while line := text.readline(_LINE + 1):
        if len(line) > _LINE:
            raise ProblemError("unreadable", f"A line has more than {_LINE:,} characters.")
        yield line


def _of_texts(names: list[str | None], rows: list[list[str]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for j, name in enumerate(names):
        if name is None:
            continue
        texts = [row[j] if j < len(row) else "" for row in rows]
        if name in KINDS:
            columns[name] = coded(texts)
            continue
        if type(ATTRIBUTES[name]) is Measure and all(
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


def _json_rows(asked: Asked, found: Iterable[Part]) -> Iterator[bytes]:
    encode = msgspec.json.encode
    lines = asked.lines
    yield encode(facts(asked))[:-1] + b',"rows":['
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
    refused = np.concatenate([p.status == 2 for p in every])

    def amounts(column: Any) -> list[int | None]:
        values: list[int | None] = [
            None if no else value for no, value in zip(refused, column.tolist(), strict=True)
        ]
        return values

    columns["cents"] = amounts(cents.sum(axis=1))
    for name in ("low", "high"):
        ends = np.concatenate([getattr(p, name) for p in every])
        columns[name] = ends.tolist()  # NaN is written as null
    errors = [
        {"row": p.first + row, "error": fault}
        for p in every
        for row, fault in sorted(p.errors.items())
    ]
    lines = {line: amounts(cents[:, j]) for j, line in enumerate(asked.lines)}
    yield encode(facts(asked, n) | {"columns": columns, "lines": lines, "errors": errors})


def _csv_rows(asked: Asked, found: Iterable[Part]) -> Iterator[bytes]:
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    known = facts(asked)
    write(
        ["row", "status", "price", "low", "high", *asked.lines, "code", "field", "error",
         "currency", "effective", "model"]
    )  # fmt: skip
    tail = [known["currency"], known["effective"], known["model"]]
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
