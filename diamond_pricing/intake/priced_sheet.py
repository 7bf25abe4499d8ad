"""A stock list priced: the same sheet with prices behind its own columns."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from diamond_pricing.errors import MissingExtraError, RejectedFileError, SourceError, StoneError
from diamond_pricing.files import harmless
from diamond_pricing.intake.columns import TableColumns
from diamond_pricing.intake.judged import code_of, judged
from diamond_pricing.intake.mapping import guessed, of_no_stone
from diamond_pricing.intake.reading import DELIMITERS, Sheet, read_sheet
from diamond_pricing.intake.source import Source
from diamond_pricing.model import PriceModel
from diamond_pricing.model.explanation import RANGE
from diamond_pricing.model.support import BLEND
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones.keys import IDENTITY

ESTIMATES = ("estimate", "low", "high", "verdict", "reason")
Texts: TypeAlias = Sequence[Sequence[str]]
Rows: TypeAlias = Sequence[Sequence[object]]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class PricedSheet:
    """What became of a stock list."""

    columns: list[tuple[str, str]]  # each that was understood, and the attribute that it is
    unread: list[str]  # the other columns
    rows: int  # of stones
    priced: int
    with_caution: int  # of those with a price the ones with few sales behind it
    refused: dict[str, int]  # rows without a price, by code
    total: int  # of the estimates, cents
    # What numbers each stone, and the cells under the columns that were understood
    given: list[list[str]]
    # The columns added, one row a stone: estimate, low, high, verdict, reason, the reference
    # price and each line. Amounts in the currency, None where there is none.
    table: list[list[object]]
    name: str  # of the file
    media: str
    data: bytes


def priced_sheet(
    name: str,
    data: bytes,
    model: PriceModel,
    *,
    level: float = RANGE,
    listing: str = BLEND,
    words: Words = ENGLISH,
    told: Callable[[StoneError], str] = str,
    most: int = 100_000,
) -> PricedSheet:
    """Price the stones of a file of any form that sales are read from.

    The ending of its name says what it is; of CSV the answer is CSV, otherwise a spreadsheet.

    Parameters
    ----------
    level : float
        Share of such sales within the range.
    words : Words
        For the headers and verdicts.
    told : callable
        Says why a stone has no price.
    most : int
        Rows.

    Raises
    ------
    RejectedFileError
        For a file that cannot be read, lacks a column or has too many rows.
    """
    sheet = read_sheet(name, data)
    n = len(sheet.rows)
    if n > most:
        raise RejectedFileError(f"the file has {n:,} rows; at most {most:,} are priced here.")
    header = [text.strip() for text in sheet.header]
    width = len(header)
    rows = [[*row[:width], *[""] * (width - len(row))] for row in sheet.rows]
    try:
        how = guessed(Sheet(header, rows, sheet.lines), Source(), priced=False, by_cells=True)
        columns = TableColumns(header, how)
        columns.check_cut(model.training.grades["cut"])
    except SourceError as error:
        raise RejectedFileError(str(error).partition(" Declare")[0]) from error
    texts = [list(column) for column in zip(*rows, strict=True)]
    found = judged(model, columns.of_texts(texts), n, level, listing)
    totals = found.cents.sum(axis=1).tolist()
    table: list[list[object]] = []
    for i, status in enumerate(found.status.tolist()):
        blank = [None] * (3 + found.cents.shape[1])
        if i in found.errors and of_no_stone(rows[i], header, how):
            del found.errors[i]
            table.append([*blank, None, None])
            n -= 1
            continue
        if i in found.errors:
            table.append([*blank[:3], words.verdicts[2], told(found.errors[i]), *blank[3:]])
            continue
        ends = [None if v != v else v for v in (found.low[i].item(), found.high[i].item())]
        lines = (found.cents[i] / 100).tolist()
        table.append([totals[i] / 100, *ends, words.verdicts[status], "", *lines])
    heads = [words.estimates[k] for k in ESTIMATES]
    while any(head in header for head in heads):
        heads = [f"{head} *" for head in heads]
    t, name_of = model.training, heads[0]
    heads += [f"{name_of}: {words.reference.lower()}"]
    heads += [f"{name_of}: {words.label(line).lower()}" for line in model.lines]
    heads[0] = f"{name_of} ({t.currency}, {words.date(t.effective)}, {model.sha256[:12]})"
    ending = name.rpartition(".")[2].casefold()
    text = ending in ("csv", "tsv", "txt")
    if text:
        ours: Rows = [heads, *table]
        made = _csv(data, sheet.above, [header, *rows], ours, how.decimal or ".")
    else:
        made = _xlsx(data if ending in ("xlsx", "xlsm") else b"", sheet, rows, heads, table)
    stem = name.rpartition("/")[2].partition(".")[0] or "stones"
    by_header = {of: attribute for attribute, of in columns.known.items()}
    places = [at for at, of in enumerate(header) if of in by_header]
    number = how.columns.get(IDENTITY)
    named = [at for at, of in enumerate(header) if of == number and at not in places]
    return PricedSheet(
        columns=[(of, by_header[of]) for of in header if of in by_header],
        unread=[of for of in header if of and of not in by_header],
        rows=n,
        priced=n - len(found.errors),
        with_caution=int((found.status == 1).sum()),
        refused=dict(Counter(map(code_of, found.errors.values())).most_common()),
        total=sum(totals),
        given=[[row[at] for at in (*named, *places)] for row in rows],
        table=table,
        name=f"{stem}-priced.{'csv' if text else 'xlsx'}",
        media="text/csv" if text else XLSX,
        data=made,
    )


def _csv(data: bytes, above: Texts, rows: Texts, ours: Rows, decimal: str) -> bytes:
    """The cells as they were and ours, parted and with the decimal sign of the file."""
    delimiter = max(DELIMITERS, key=data[:4096].decode("latin-1").count)
    pairs = zip(rows, ours, strict=True)
    both = [[*row, *(_text(value, decimal) for value in added)] for row, added in pairs]
    return _written([*above, *both], delimiter)


def csv_of(head: Sequence[str], rows: Rows, decimal: str) -> bytes:
    """A table as CSV for people; with a decimal comma it is parted by semicolons."""
    texts = [[_text(value, decimal) for value in row] for row in rows]
    return _written([[*head], *texts], "," if decimal == "." else ";")


def _written(rows: Texts, delimiter: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _text(value: object, decimal: str) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".replace(".", decimal)
    return "" if value is None else harmless(str(value))


def xlsx_of(head: Sequence[str], rows: Rows, decimal: str) -> bytes:
    """A table as a spreadsheet; the decimal sign is that of whoever opens it."""
    book = _openpyxl().Workbook()
    page: Any = book.active
    page.append([*head])
    for row in rows:
        page.append([harmless(v) if isinstance(v, str) else v for v in row])
    return _saved(book)


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError("spreadsheets", "api") from error
    return openpyxl


def _saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _xlsx(data: bytes, sheet: Sheet, rows: Texts, heads: list[str], table: Rows) -> bytes:
    """The workbook as it was, with our columns behind; of another file a new one."""
    openpyxl = _openpyxl()
    book, place, lines = None, None, sheet.lines
    if data:
        book = openpyxl.load_workbook(io.BytesIO(data))
        place = _placed(book, sheet)
    if place is None:
        book = openpyxl.Workbook()
        book.active.append(list(sheet.header))
        for row in rows:
            book.active.append([_cell(text) for text in row])
        place, lines = (book.active, 1), [*range(2, len(rows) + 2)]
    page, top = place
    first = page.max_column + 1
    for j, head in enumerate(heads):
        page.cell(top, first + j, head)
    for line, ours in zip(lines, table, strict=True):
        for j, value in enumerate(ours):
            if isinstance(value, float):
                page.cell(line, first + j, value).number_format = "#,##0.00"
            elif value:
                page.cell(line, first + j, harmless(str(value)))
    return _saved(book)


def _placed(book: Any, sheet: Sheet) -> tuple[Any, int] | None:
    """The page of a workbook that was read, and the row of its header."""
    wanted = [text.strip() for text in sheet.header]
    for page in book.worksheets:
        for top, row in enumerate(page.iter_rows(max_row=sheet.lines[0], values_only=True), 1):
            texts = ["" if cell is None else str(cell).strip() for cell in row]
            if texts[: len(wanted)] == wanted:
                return page, top
    return None


def _cell(text: str) -> object:
    """A number where the text is how a spreadsheet would show it, as no stock number is."""
    try:
        value = float(text)
    except ValueError:
        return harmless(text)
    return value if f"{value:.10g}" == text else text
