"""The forms that a batch comes in and is answered in."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any

import msgspec
import numpy as np

from diamond_pricing.arrays import Integers
from diamond_pricing.intake.judged import REFUSED
from diamond_pricing.intake.numbers import decimal_sign
from diamond_pricing.intake.reading import as_sent
from diamond_pricing.stones.attributes import iso
from diamond_pricing.web.arrow import arrow_batches, arrow_rows
from diamond_pricing.web.batch import (
    ROWS,
    Asked,
    Part,
    Rows,
    columns_named,
    columns_of,
    counted,
    facts,
    parts,
    rows_of,
)
from diamond_pricing.web.bodies import strict
from diamond_pricing.web.problems import Fault, ProblemError

if TYPE_CHECKING:
    import pyarrow as pa

JSON, CSV = "application/json", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FORMS = (JSON, CSV, ARROW)
SAMPLE = 200  # lines that tell the sign of decimals
_FIELD = 10_000  # characters of a cell
_LINE = 64 << 10  # and of a line


class Batch:
    """A batch as it was sent, read twice: once to be counted, once to be priced.

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
        self.grades: Collection[str] = ()  # of cut that the model knows, once it is known
        # Of CSV: how it is split, its header, and the rows of the piece.
        self.delimiter, self.decimal = ",", "."
        self.names: list[str] = []
        self.raw: list[list[str]] = []
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
        self.grades = asked.model.training.grades["cut"]
        if self.media == JSON:
            found = parts(asked, [(self.columns, self.n)], self.wrong)
            if self.by_row:
                return _json_rows(asked, found)
            return _json_columns(asked, found, self.n)
        if self.media == CSV:
            return self._csv_answer(asked)
        batches = self._arrow()
        columns = columns_named(batches[0].schema.names, cuts=self.grades)
        read = ((columns.of_arrow(batch), batch.num_rows) for batch in batches)
        return arrow_rows(asked, parts(asked, read, self.wrong))

    def _csv_answer(self, asked: Asked) -> Iterator[bytes]:
        """The answers, and behind them the rows as they were sent."""
        out = io.StringIO()
        for p in parts(asked, self._csv(), self.wrong):
            write = csv.writer(out, delimiter=self.delimiter, lineterminator="\r\n").writerow
            if p.first == 0:
                heads = _csv_header(asked)
                theirs = [f"given_{n}" if n in heads else as_sent(n) for n in self.names]
                write([*heads, *theirs])
            for row, ours in zip(self.raw, _csv_rows(asked, p, self.decimal), strict=True):
                write([*ours, *map(as_sent, row)])
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()

    def _json(self) -> int:
        self.file.seek(0)
        body = strict(self.file.read())
        if not isinstance(body, dict) or len(body) != 1 or not {"rows", "columns"} & set(body):
            wrong = 'The body must be {"rows": […]} or {"columns": {…}}.'
            raise ProblemError("wrong_shape", wrong)
        if "columns" in body:
            self.columns, n = columns_of(body["columns"], self.most)
            return n
        self.by_row = True
        self.columns, n, self.wrong = rows_of(body["rows"], self.most)
        return n

    def _csv(self) -> Iterator[Rows]:
        self.file.seek(0)
        text = io.TextIOWrapper(self.file, encoding="utf-8-sig", newline="")
        csv.field_size_limit(_FIELD)
        try:
            lines = _short(text)
            head = next(lines, "")
            self.delimiter = next((d for d in ";\t" if d in head and "," not in head), ",")
            sample = list(islice(lines, SAMPLE))
            cells = (cell for line in sample for cell in line.strip().split(self.delimiter))
            self.decimal = "." if self.delimiter == "," else decimal_sign(cells) or "."
            text_lines = chain([head], sample, lines)
            reader = csv.reader(text_lines, delimiter=self.delimiter, strict=True)
            self.names = next(reader, [])
            columns = columns_named(self.names, self.decimal, self.grades)
            rows, total = self._sized(reader), 0
            while piece := list(islice(rows, ROWS)):
                total += len(piece)
                counted(total, self.most)
                self.raw = piece
                yield columns.of_texts(list(zip(*piece, strict=True))), len(piece)
        except UnicodeDecodeError as error:
            raise ProblemError("unreadable", "The CSV file is not UTF-8.") from error
        except csv.Error as error:
            wrong = f"The CSV file cannot be read: {error}, line {reader.line_num}."
            raise ProblemError("unreadable", wrong) from error
        finally:
            if not self.file.closed:  # as it is when who asked went away before the end
                text.detach()

    def _sized(self, reader: Iterator[list[str]]) -> Iterator[list[str]]:
        """Rows with as many cells as the header, and what is wrong with those that had more."""
        size = len(self.names)
        for at, row in enumerate(filter(None, reader)):
            if len(row) > size:
                said = f"the row has {len(row)} cells, the header {size}."
                self.wrong[at] = Fault(said, "", "wrong_shape")
            yield [*row, *[""] * size][:size]

    def _arrow(self) -> "list[pa.RecordBatch]":
        if not self.batches:
            self.file.seek(0)
            self.batches = list(arrow_batches(self.file, self.most))
        return self.batches


def _short(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines of a file, none of them longer than a stone needs."""
    while line := text.readline(_LINE + 1):
        if len(line) > _LINE:
            raise ProblemError("unreadable", f"A line has more than {_LINE:,} characters.")
        yield line


# ----------------------------------------------------------------------- answers


def _json_rows(asked: Asked, found: Iterable[Part]) -> Iterator[bytes]:
    encode = msgspec.json.encode
    lines = asked.lines
    yield encode(facts(asked))[:-1] + b',"rows":['
    comma = b""
    for p in found:
        out = []
        cents, words = p.found.cents.tolist(), p.words()
        for row, (low, high) in enumerate(
            zip(p.found.low.tolist(), p.found.high.tolist(), strict=True)
        ):
            if row in p.errors:
                out.append({"status": REFUSED, "error": p.errors[row]})
                continue
            total = sum(cents[row])
            ends = None if low != low else {"low": low, "high": high}
            out.append(
                {
                    "status": words[row],
                    "price": total / 100,
                    "cents": total,
                    "range": ends,
                    "lines": dict(zip(lines, cents[row], strict=True)),
                }
            )
        yield comma + encode(out)[1:-1]
        comma = b","
    yield b"]}"


def _json_columns(asked: Asked, found: Iterable[Part], n: int) -> Iterator[bytes]:
    """Columns follow one another, so all rows are priced before the first is sent."""
    every = list(found)
    cents = np.concatenate([p.found.cents for p in every])
    columns: dict[str, Any] = {"status": [word for p in every for word in p.words()]}
    refused = np.concatenate([p.found.status == 2 for p in every])

    def amounts(column: Integers) -> list[int | None]:
        each = zip(refused, column.tolist(), strict=True)
        return [None if no else value for no, value in each]

    columns["cents"] = amounts(cents.sum(axis=1))
    for name in ("low", "high"):
        ends = np.concatenate([getattr(p.found, name) for p in every])
        columns[name] = ends.tolist()  # NaN is written as null
    errors = [
        {"row": p.first + row, "error": fault}
        for p in every
        for row, fault in sorted(p.errors.items())
    ]
    lines = {line: amounts(cents[:, j]) for j, line in enumerate(asked.lines)}
    told = {"count": n, "columns": columns, "lines": lines, "errors": errors}
    yield msgspec.json.encode(facts(asked) | told)


def _csv_header(asked: Asked) -> list[str]:
    """Names of our columns."""
    amounts = [f"{'weight' if line == 'carat' else line}_amount" for line in asked.lines]
    behind = ["code", "field", "error", "currency", "effective", "model"]
    return ["row", "status", "price", "low", "high", *amounts, *behind]


def _csv_rows(asked: Asked, p: Part, decimal: str) -> Iterator[list[object]]:
    """Our columns of each row of a part."""

    def money(amount: float) -> str:
        return f"{amount:.2f}".replace(".", decimal)

    known = facts(asked)
    cents, words = (p.found.cents / 100).tolist(), p.words()
    totals = (p.found.cents.sum(axis=1) / 100).tolist()
    days = [known["effective"] if d != d else iso(d) for d in p.found.days.tolist()]
    for row, (low, high) in enumerate(
        zip(p.found.low.tolist(), p.found.high.tolist(), strict=True)
    ):
        number = p.first + row + 1
        tail = [known["currency"], days[row], known["model"]]
        fault = p.errors.get(row)
        if fault is not None:
            empty = [""] * (3 + len(asked.lines))
            field = fault.pointer.removeprefix("/")
            yield [number, REFUSED, *empty, fault.code, field, fault.message, *tail]
            continue
        ends = ["", ""] if low != low else [money(low), money(high)]
        amounts = [money(amount) for amount in cents[row]]
        yield [number, words[row], money(totals[row]), *ends, *amounts, "", "", "", *tail]
