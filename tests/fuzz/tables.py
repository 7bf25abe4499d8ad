"""Tables of any types, as the bytes of an input say: for Parquet and Arrow bodies."""

import datetime
import io
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.mutations import Choices

NAMES = ("carat", "cut", "color", "clarity")
STONE = {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1", "price": 5000.0}
MORE = (
    "price",
    "depth",
    "table",
    "x",
    "y",
    "z",
    "listing",
    "row",
    "Colour",
    "note",
    "",
    "carat",
    "price_per_carat",
    "measurements",
    "shape",
    "certificate",
    "currency",
    "status",
)
CELLS: tuple[Any, ...] = (
    1.01,
    0.7,
    "Ideal",
    "E",
    "VS1",
    None,
    0.0,
    -1.0,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "G",
    "IF",
    "good",
    "1.01 ct",
    "5,000",
    "\ud7ff",
    "=1+1",
    "x" * 2100,
    "1" + " " * 300 + "2",
    2**62,
    -5,
    True,
    b"E",
    b"\xff",
    "6.4 x 6.5 x 4",
    61.5,
    6.43,
    "n/a",
)
NUMBERS = (
    pa.int8(),
    pa.uint64(),
    pa.int64(),
    pa.float16(),
    pa.float32(),
    pa.float64(),
    pa.decimal128(9, 2),
)
TEXTS = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary_view())
OTHERS = (
    pa.null(),
    pa.bool_(),
    pa.date32(),
    pa.time64("ns"),
    pa.timestamp("ns", "Mars/Base"),
    pa.timestamp("us", "UTC"),
    pa.duration("ns"),
    pa.month_day_nano_interval(),
    pa.list_(pa.int8()),
    pa.struct([("a", pa.int8())]),
    pa.binary(2),
    pa.decimal256(60, 4),
)


def table_of(choose: Choices) -> pa.Table:
    """A table: often of a stone's columns, of whatever types its cells can be made."""
    columns: list[Any] = []
    names: list[str] = []
    rows = choose.one_of((1, 2, 3, 0, 5, 40))
    for name in (*NAMES, *(choose.one_of(MORE) for _ in range(choose.byte() % 5))):
        names.append(choose.one_of(MORE) if choose.byte() > 250 else name)
        columns.append(_column(choose, STONE.get(name, 61.5), rows))
    return pa.table(columns, names=names)


def _column(choose: Choices, usual: Any, rows: int) -> Any:
    how = choose.byte()
    if how < 120:
        column = pa.array([usual] * rows)
    elif how < 150:
        column = pa.array(
            [choose.one_of((usual, usual, None)) for _ in range(rows)], pa.array([usual]).type
        )
    elif how < 170:
        column = pa.array(
            _of_type([usual] * rows, kind := choose.one_of(NUMBERS + TEXTS)), kind
        )
    elif how < 230:
        kind = choose.one_of(NUMBERS if choose.byte() % 2 else TEXTS)
        column = pa.array(_of_type([choose.one_of(CELLS) for _ in range(rows)], kind), kind)
    else:
        kind = choose.one_of(OTHERS)
        column = pa.array(_of_type([choose.one_of(CELLS) for _ in range(rows)], kind), kind)
    return _packed(choose, column)


def _packed(choose: Choices, column: Any) -> Any:
    """The same behind a dictionary, which may have unused entries, or cut from a longer one."""
    how = choose.byte()
    if how > 200 and not pa.types.is_null(column.type) and not pa.types.is_nested(column.type):
        try:
            coded = column.dictionary_encode()
            spare = choose.one_of((0, 1, 126, 127, 128, 300))
            words = [f"w{i}" for i in range(spare)] if pa.types.is_string(column.type) else []
            known = pa.concat_arrays([coded.dictionary, pa.array(words, column.type)])
            kind = choose.one_of((pa.int8(), pa.int16(), pa.uint8(), pa.int32()))
            return pa.DictionaryArray.from_arrays(coded.indices.cast(kind), known)
        except (pa.ArrowException, TypeError):
            return column
    if how > 180 and len(column):
        return pa.concat_arrays([column, column])[len(column) :]
    return column


def _of_type(cells: list[Any], kind: Any) -> list[Any]:
    """Cells as a type can hold them; null for what it cannot."""
    return [_fitting(type(cell), repr(cell), kind) for cell in cells]


@cache
def _fitting(sort: type, text: str, kind: Any) -> Any:
    cell = next(c for c in (*CELLS, *STONE.values()) if type(c) is sort and repr(c) == text)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        cell = datetime.datetime(2020, 1, 2)
    elif pa.types.is_decimal(kind):
        cell = Decimal(len(text))
    elif pa.types.is_list(kind):
        cell = [1, None]
    elif pa.types.is_struct(kind):
        cell = {"a": 1}
    try:
        pa.array([cell], kind)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        return None
    return cell


def parquet_of(table: pa.Table, **options: Any) -> bytes:
    """A table as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def stream_of(table: pa.Table, **options: Any) -> bytes:
    """A table as an Arrow stream."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=200)
    return out.getvalue()
