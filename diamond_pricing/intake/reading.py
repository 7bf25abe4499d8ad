"""From the bytes of a file to rows of text, or the reason why it is refused whole.

Nothing is interpreted here: a cell is the text that stood in it.
"""

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any

from diamond_pricing.errors import MissingExtraError, RejectedFileError
from diamond_pricing.intake.source import UTF_16
from diamond_pricing.stones import attribute_named

LARGEST = 512 * 2**20  # bytes
WIDEST = 400  # columns
LONGEST = 2_000  # characters of a cell
MOST = 5_000_000  # rows
DELIMITERS = ",;\t|"
HEAD = 20  # rows within which the header stands
TRIED = ("utf-8-sig", "cp1252")  # encodings of files that declare none
_NUMBER = re.compile(r"[-+$€£]?\s?\d[\d.,]*%?$")
BATCH = 4096  # rows of a Parquet file that are unpacked at a time
# What a spreadsheet would run; a number with its sign is none.
_FORMULA = re.compile(
    r"^\s*(?:=|@\s*[A-Za-z.]+\(|[+\-](?=\S)(?=.*[A-Za-z])(?:.*[(|!=@]|\$?[A-Za-z]{1,3}\$?\d))"
)
_FOREIGN = {
    b"PK\x03\x04": "a spreadsheet or archive; its name must end in .xlsx, .ods or .zip",
    b"\x1f\x8b": "compressed; its name must end in .gz",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet; its name must end in .xls",
}


def as_sent(cell: str) -> str:
    """A cell that is given back, with a quote before what a spreadsheet would run."""
    return f"'{cell}" if cell[:1] in ("=", "\t", "\r") or _FORMULA.match(cell) else cell


TEXTS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
SPREADSHEETS = ("xlsx", "xlsm", "xlsb", "xls", "ods")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of a file.

    Attributes
    ----------
    header : list[str]
    rows : list[list[str]]
        As many cells as the header has, or another number where the file is ragged.
    lines : list[int]
        Row number of each, as a person counts them in the file.
    above : list[list[str]]
        Titles over the header.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    above: list[list[str]] = field(default_factory=list)

    @property
    def headers(self) -> list[str]:
        """The header without the spaces around its cells."""
        return [text.strip() for text in self.header]

    def column(self, header: str) -> list[str]:
        """The cells under a header, one a row."""
        at = self.headers.index(header.strip())
        return [row[at] if at < len(row) else "" for row in self.rows]


def read_sheet(name: str, data: bytes, *, encoding: str = "", delimiter: str = "") -> Sheet:
    """Read a file of sales.

    Parameters
    ----------
    name : str
        Its ending tells what it is: .csv, .tsv, .txt, .parquet, .jsonl, .ndjson, .json,
        .xlsx, .xls, .ods; with .gz behind it, or in a .zip, if it is the only file there.

    Raises
    ------
    RejectedFileError
        When it is empty, truncated, binary, too large or holds formulas.
    """
    try:
        return _read(name, data, encoding, delimiter)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise RejectedFileError(f"the file cannot be read: {type(error).__name__}.") from error


def _read(name: str, data: bytes, encoding: str, delimiter: str) -> Sheet:
    if not data.strip():
        raise RejectedFileError("the file is empty.")
    if len(data) > LARGEST:
        raise RejectedFileError(f"the file is larger than {LARGEST // 2**20} MB.")
    ending = name.rpartition(".")[2].casefold()
    if ending in ("gz", "zip"):
        return _read(*_unpacked(name, data, ending), encoding, delimiter)
    if ending == "parquet":
        sheet = _parquet(data)
    elif ending in SPREADSHEETS:
        sheet = _spreadsheet(data)
    else:
        for magic, what in _FOREIGN.items():
            if data.startswith(magic):
                raise RejectedFileError(f"the file is {what}.")
        text = _decoded(data, encoding)
        if ending in ("jsonl", "ndjson"):
            sheet = _json_lines(text)
        elif ending == "json":
            sheet = _json_array(text)
        elif ending in ("csv", "tsv", "txt"):
            sheet = _csv(text, delimiter)
        else:
            raise RejectedFileError(
                f"files that end in .{ending} are not read; give CSV, Parquet, JSON or a "
                "spreadsheet."
            )
    return _checked(_once_each(sheet))


def _decoded(data: bytes, encoding: str) -> str:
    if data[:2] in UTF_16:
        names: tuple[str, ...] = ("utf-16",)
    elif b"\0" in data:
        raise RejectedFileError("the file is binary, not text.")
    elif encoding.casefold() == "utf-16":  # which begins with its mark
        names = ()
    else:
        names = (encoding,) if encoding else TRIED
    for name in names:
        try:
            return data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    raise RejectedFileError(f"the file is not text in {encoding or 'UTF-8 or Windows-1252'}.")


def encoding_of(data: bytes) -> str:
    """Encoding of a text file where it has to be declared for others; empty for UTF-8."""
    if data[:2] in UTF_16:
        return "utf-16"
    try:
        data.decode(TRIED[0])
    except UnicodeDecodeError:
        return TRIED[1]
    return ""


def _csv(text: str, delimiter: str) -> Sheet:
    before = 0
    if (said := re.match(r"\s*sep=(.)\r?\n", text)) is not None:  # a spreadsheet's own line
        delimiter, text, before = delimiter or said[1], text[said.end() :], 1
    if not delimiter:
        head = "\n".join(text.split("\n", HEAD)[:HEAD])
        delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    start = before + 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(start)
            start = before + reader.line_num + 1
            _not_too_long(len(rows))
    except csv.Error as error:
        if "limit" in str(error):
            raise RejectedFileError("a cell is far too long to be one of a sale.") from error
        raise RejectedFileError(
            f"the file is cut off or its quotes do not match: {error}, line {reader.line_num}."
        ) from error
    if not rows:  # a byte order mark, or a spreadsheet's own line, and nothing else
        raise RejectedFileError("the file is empty.")
    sheet = _below_header(rows, lines)
    header, rows = sheet.header, sheet.rows
    if rows and len(rows[-1]) < len(header) and not text.endswith(("\n", "\r")):
        raise RejectedFileError(
            f"the file is cut off: its last line has {len(rows[-1])} of {len(header)} fields."
        )
    return sheet


def _below_header(rows: list[list[str]], lines: list[int]) -> Sheet:
    """The header, and the rows below it but for its repetitions."""
    first = header_row(rows)
    header = rows[first]
    while header and not header[-1].strip():  # delimiters behind the last column
        header = header[:-1]
    width = len(header)
    found, places = [], []
    for row, line in zip(rows[first + 1 :], lines[first + 1 :], strict=True):
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        if row != header:
            found.append(row)
            places.append(line)
    return Sheet(header, found, places, rows[:first])


def header_row(rows: list[list[str]]) -> int:
    """The row of the header: above it there may be titles and totals, of fewer cells.

    It is the first of the rows that are filled as most are, as far as no cell of it is a
    number.
    """
    head = [[cell.strip() for cell in row if cell.strip()] for row in rows[:HEAD]]
    full = max(map(len, head))
    for i, row in enumerate(head):
        if 2 * len(row) > full and not any(_NUMBER.match(cell) for cell in row):
            return i
    return next((i for i, row in enumerate(head) if len(row) > 1), 0)


def _unpacked(name: str, data: bytes, ending: str) -> tuple[str, bytes]:
    """Name and bytes of the one file within; never more than `LARGEST`."""
    try:
        if ending == "gz":
            inner = name[:-3]
            file: Any = gzip.GzipFile(fileobj=io.BytesIO(data))
        else:
            archive = zipfile.ZipFile(io.BytesIO(data))
            names = archive.namelist()
            names = [n for n in names if not (n.startswith("__MACOSX") or n.endswith("/"))]
            if len(names) != 1:
                raise RejectedFileError(f"the archive holds {len(names)} files; give one.")
            (inner,) = names
            file = archive.open(inner)
        with file:
            found = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise RejectedFileError("the archive is cut off or damaged.") from error
    except RuntimeError as error:  # a password
        raise RejectedFileError(f"the archive cannot be opened: {error}.") from error
    if inner.rpartition(".")[2].casefold() in ("gz", "zip"):
        raise RejectedFileError("the archive holds another archive.")
    return inner, found


def _spreadsheet(data: bytes) -> Sheet:
    """The one sheet of a spreadsheet that has most cells, as it shows its values."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise MissingExtraError("spreadsheets", "refit") from error
    try:
        if data.startswith(b"PK"):  # unpacked whole below, so its size is asked first
            parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
            if sum(part.file_size for part in parts) > LARGEST:
                raise RejectedFileError(
                    f"the spreadsheet unpacks to over {LARGEST // 2**20} MB."
                )
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        every = [book.get_sheet_by_name(name) for name in book.sheet_names]
        for sheet in every:
            if sheet.width > WIDEST * 4 or sheet.height > MOST:
                raise RejectedFileError("the sheet is too large.")
        tables = [sheet.to_python(skip_empty_area=False) for sheet in every]
    except (CalamineError, zipfile.BadZipFile) as error:
        raise RejectedFileError("the spreadsheet is cut off or damaged.") from error
    texts = [[[_shown(cell) for cell in row] for row in table] for table in tables]
    most = max(texts, key=lambda table: sum(bool(c) for row in table for c in row), default=[])
    rows = [(row, line) for line, row in enumerate(most, 1) if any(c.strip() for c in row)]
    if not rows:
        raise RejectedFileError("the file is empty.")
    return _below_header([row for row, _ in rows], [line for _, line in rows])


def _shown(cell: object) -> str:
    """A cell of a spreadsheet, whose whole numbers are floats too."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return _text(cell)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        raise RejectedFileError(f"a line says {twice[:40]!r} twice.")
    return found


def _json_lines(text: str) -> Sheet:
    objects: list[dict[str, Any]] = []
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=_once)
        except (json.JSONDecodeError, RecursionError) as error:
            raise RejectedFileError(
                f"line {number} is not JSON: the file is cut off or no JSON lines."
            ) from error
        if (flat := _flat(found)) is None:
            raise RejectedFileError(f"line {number} is not an object of plain values.")
        objects.append(flat)
        lines.append(number)
        _not_too_long(len(objects))
    return _of_objects(objects, lines)


def _json_array(text: str) -> Sheet:
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise RejectedFileError("the file is cut off or no JSON.") from error
    if isinstance(found, dict) and len(found) == 1:  # {"stones": [...]}
        (found,) = found.values()
    rows = [_flat(row) for row in found] if isinstance(found, list) else [None]
    if None in rows:
        raise RejectedFileError("the file is not a list of objects of plain values.")
    _not_too_long(len(rows))
    return _of_objects([row for row in rows if row is not None], list(range(1, len(rows) + 1)))


# What an object says of itself, and what may be said of anything.
_ITSELF = ("amount", "value", "intensity", "strength", "grade")
_OF_ANYTHING = ("number", "no", "id", "type", "name")


def _flat(found: object) -> dict[str, Any] | None:
    """An object with those inside it laid open; None where there is a list.

    ``{"price": {"amount": 4200, "currency": "USD"}}`` has a price and a currency.
    """
    if not isinstance(found, dict):
        return None
    flat = {name: value for name, value in found.items() if not isinstance(value, dict)}
    for name, inside in ((n, v) for n, v in found.items() if isinstance(v, dict)):
        for inner, value in inside.items():
            word = inner.casefold()
            header = name if word in _ITSELF else inner
            # The color of a fluorescence is not that of the stone.
            of_its_own = word in _OF_ANYTHING or (word == "color" and attribute_named(name))
            if word not in _ITSELF and (of_its_own or inner in flat or inner in found):
                header = f"{name} {inner}"
            flat[header] = value
    return None if any(isinstance(v, dict | list) for v in flat.values()) else flat


def _of_objects(objects: list[dict[str, Any]], lines: list[int]) -> Sheet:
    header = list(dict.fromkeys(key for found in objects for key in found))
    _not_too_wide(header)
    return Sheet(
        header, [[_text(found.get(key)) for key in header] for found in objects], lines
    )


def _parquet(data: bytes) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        _not_too_wide(file.schema_arrow.names)
        rows = file.metadata.num_rows
        _not_too_long(rows)
        if any(pa.types.is_nested(field.type) for field in file.schema_arrow):
            raise RejectedFileError("the file has nested columns.")
        cells: list[list[str]] = []
        size = 0
        # What a row group says of its size is what the file says; count what comes out.
        for batch in file.iter_batches(batch_size=BATCH):
            batch.validate(full=True)
            columns = [[_text(value) for value in column.to_pylist()] for column in batch]
            # With what would part them in a CSV file: empty cells are not for nothing.
            size += sum(len(cell) + 1 for column in columns for cell in column)
            if size > LARGEST:
                raise RejectedFileError(f"the file unpacks to over {LARGEST // 2**20} MB.")
            cells += (list(row) for row in zip(*columns, strict=True))
        if len(cells) != rows:
            raise RejectedFileError(
                f"the file says that it has {rows:,} rows, and has {len(cells):,}."
            )
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise RejectedFileError("the file is cut off, damaged or no Parquet file.") from error
    return Sheet(file.schema_arrow.names, cells, list(range(1, len(cells) + 1)))


def _not_too_long(rows: int) -> None:
    if rows > MOST:
        raise RejectedFileError(f"the file has more than {MOST:,} rows.")


def _not_too_wide(header: list[str]) -> None:
    if len(header) > WIDEST:
        raise RejectedFileError(f"the file has {len(header):,} columns.")


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bytes):
        return value.decode()
    return repr(value) if isinstance(value, float) else str(value)


def _once_each(sheet: Sheet) -> Sheet:
    """A sheet without the second of two columns of one header whose cells are equal."""
    header = sheet.header
    twice = [i for i, name in enumerate(header) if name.strip() and name in header[:i]]
    same = [
        i
        for i in twice
        if all(len(r) == len(header) and r[i] == r[header.index(header[i])] for r in sheet.rows)
    ]
    if not same:
        return sheet
    kept = [i for i in range(len(header)) if i not in same]
    header, *rows = [[row[i] for i in kept] for row in [header, *sheet.rows]]
    return Sheet(header, rows, sheet.lines, sheet.above)


def _checked(sheet: Sheet) -> Sheet:
    if not sheet.rows:
        raise RejectedFileError("the file has a header but no rows.")
    _not_too_wide(sheet.header)
    for row, line in zip([sheet.header, *sheet.rows], [1, *sheet.lines], strict=True):
        for cell in row:
            if len(cell) > LONGEST:
                raise RejectedFileError(
                    f"line {line} has a cell of {len(cell):,} characters (limit {LONGEST:,})."
                )
            if cell and cell.lstrip()[:1] in "=@+-" and _FORMULA.match(cell):
                raise RejectedFileError(f"line {line} holds a formula: {cell.strip()[:40]!r}.")
            if "\0" in cell or (
                not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell)
            ):
                raise RejectedFileError(f"line {line} is binary, not text.")
    return sheet
