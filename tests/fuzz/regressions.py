"""Every input that a parser once did not stand, made as small as it goes."""

import gzip
import io
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.small import small_model
from tests.fuzz.targets import ENTRIES, _sealed

DEEP = b"[" * 2000 + b"]" * 2000
LONG = b"1" * 5000
# Three rows; 129 texts of cut behind indices of eight bits, the last row without one.
NARROW = bytes([2, 0, 0, 0, 0, 0, 130, 0, 0, 2, 210, 4])


def document(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A small document with one change, without its hash."""
    found = msgspec.json.decode(small_model().to_json())
    del found["sha256"]
    change(found)
    return msgspec.json.encode(found) + b"\n"


def detailed(**details: Any) -> bytes:
    """An entry of the log with these details, without its hash."""
    return _sealed(msgspec.structs.replace(ENTRIES[1], details=details))[0][9:-78]


def parquet(rows: int, replaced: bytes, by: bytes) -> bytes:
    """A Parquet file of one stone or none, in which bytes were replaced."""
    stones = {
        "carat": [1.0],
        "cut": ["Ideal"],
        "color": ["E"],
        "clarity": ["VS1"],
        "price": [9],
    }
    target = io.BytesIO()
    pq.write_table(pa.table(stones).slice(0, rows), target, store_schema=False)
    assert replaced in target.getvalue()
    return target.getvalue().replace(replaced, by)


def beyond_its_dictionary() -> bytes:
    """A Parquet file whose last grade is the third of a dictionary of one."""
    grade = pa.DictionaryArray.from_arrays(pa.array([0], pa.int16()), pa.array(["VS1"]))
    stone = {"carat": [1.0], "price": [9], "cut": ["Ideal"], "color": ["E"], "clarity": grade}
    target = io.BytesIO()
    pq.write_table(pa.table(stone), target, compression="none")
    # One definition level, and one index.
    before, index, after = target.getvalue().rpartition(b"\x02\0\0\0\x02\x01\x01\x02\0")
    assert index
    return before + index[:-1] + b"\x02" + after


# The number of rows in the footer, before the list of row groups.
NO_ROWS, THREE_ROWS = b"\x16\x00\x19\x1c", b"\x16\x06\x19\x1c"

CRASHED: list[tuple[str, bytes]] = [
    # Numbers of more digits than Python reads, and arrays deeper than it goes.
    ("gates", b"psi = " + LONG),
    ("gates", b"psi = " + DEEP),
    ("settings", b"family = " + LONG),
    ("settings", b"family = " + DEEP),
    ("report", b"---\na: " + LONG + b"\n---\n"),
    ("report", b"---\na: 2001-99-99\n---\n"),
    ("report", b"---\na: " + b"[" * 500 + b"\n---\n"),
    ("report", b"---\na: !!timestamp x\n---\n"),
    ("report", b"---\na: !!bool x\n---\n"),
    ("report", b"---\na: !!int ''\n---\n"),
    # Tags of a cell that are no list.
    ("report", b"---\na: 1\n---\n```{python}\n#| tags:\n1\n```\n"),
    ("report", b"---\na: 1\n---\n```{python}\n#| tags: 5\n1\n```\n"),
    (
        "entry",
        b'{"entry":{"number":1,"previous":"","at":"","action":"","active":"","anchor":"",'
        b'"by":"","reason":"","details":{"a":' + DEEP + b"}}}",
    ),
    # Details of an entry of other kinds than a refit writes.
    ("sealed_entry", detailed(deliveries=5)),
    ("sealed_entry", detailed(deliveries=["x"])),
    ("sealed_entry", detailed(deliveries=[{"sales": 1}])),
    ("sealed_entry", detailed(deliveries=[{"file": "a.csv"}])),
    ("sealed_entry", detailed(offsets="x")),
    ("sealed_entry", detailed(record=1)),
    # Ends of lines of old spreadsheets in a header, and data that was not packed by gzip.
    ("scored_csv", b"carat,cut,color,clarity\r1,Ideal,E,VS1\r"),
    ("scored_csv", b"carat,cut\rcolor,clarity\n1,Ideal,E,VS1\n"),
    ("scored_gzip", gzip.compress(b"carat,cut", mtime=0)[:10] + b"\xff" * 9),
    # A separator of fields that is a space to a pattern and none to float.
    ("batch_csv", b"carat,cut,color,clarity\n\x1d1,Ideal,E,VS1\n"),
    # More texts than a small index can count, and a missing grade.
    ("made_arrow", b"\0\0" + NARROW),
    ("scored_made_parquet", NARROW),
    # Answers that are no message, are not packed as they say, or may be asked again in "²".
    ("answer", b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>"),
    (
        "answer",
        b"HTTP/1.1 422 x\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\r\n{}",
    ),
    ("answer", b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\nx"),
    ("answer", b"HTTP/1.1 503 x\r\nretry-after: \xb2\r\nconnection: close\r\n\r\n"),
    ("answer", b"HTTP/1.1 302 x\r\nlocation: htn: x\r\nconnection: close\r\n\r\n"),
    # A column whose name is no text, and rows that are told and not there.
    ("scored_parquet", beyond_its_dictionary()),
    ("sales_parquet", beyond_its_dictionary()),
    *(
        (name, parquet(*change))
        for name in ("scored_parquet", "sales_parquet")
        for change in ((1, b"clarity", b"\xfflarity"), (0, NO_ROWS, THREE_ROWS))
    ),
    # Many spaces between two numbers.
    ("numbers", b"1" + b" " * 1900 + b"2"),
    (
        "sales_csv",
        b"carat,cut,color,clarity,price,measurements\n1,Ideal,E,VS1,9,1" + b" " * 1900 + b"2\n",
    ),
    # Nothing but a byte order mark, or a spreadsheet's own line.
    ("sales_csv", b"\xef\xbb\xbf"),
    ("sales_csv", b"sep=;\n"),
    # Sums whose cells, weights or bins are not those of their terms.
    ("signed_sums", b'[["values","grid cell",[9e18,1.0]]]'),
    # Arithmetic that has no value for a stone.
    ("expression", b"3 / (table - table)"),
    ("expression", b"log(x - table)"),
    ("expression", b"1e308 ** x"),
    ("expression", b"(0 - x) ** 0.5"),
    ("expression", b"exp(99999 * x)"),
    ("expression", b"carat ** -1e3 / -0.0"),
    ("expression", b"max(1, 1e308 * 10 * x - 1e308 * 10 * x)"),
    # A grade that was sold but of which no stones were counted.
    ("signed_document", document(lambda d: d["support"].update(colors=["F", "E"]))),
    # Ranges of no clarity, without those of a price list, without sales, and wider than any price.
    ("signed_document", document(lambda d: d["ranges"].update(clarities=[], part=[[], []]))),
    ("signed_document", document(lambda d: d["ranges"]["quantiles"].pop("recorded"))),
    ("signed_document", document(lambda d: d["ranges"].update(counts=[0, 0]))),
    ("signed_document", document(lambda d: d["ranges"]["difficulty"]["cut"].update(Ideal=1e9))),
    # Prices too high and too low for a float, and terms of the odds that are not whole.
    ("signed_document", document(lambda d: d["terms"][4]["coefficients"].__setitem__(-1, 1e7))),
    (
        "signed_document",
        document(lambda d: d["terms"][4]["coefficients"].__setitem__(-1, -1e7)),
    ),
    (
        "signed_document",
        document(lambda d: d["inference"]["terms"][1]["bases"][0].update(expression="x")),
    ),
]

# What was read though it says what cannot be.
MISREAD: list[tuple[str, bytes]] = [
    ("scored_parquet", parquet(0, NO_ROWS, THREE_ROWS)),
    ("sales_parquet", parquet(0, NO_ROWS, THREE_ROWS)),
    ("signed_sums", b'[["values","recorded cell",[-5.0,1.0]]]'),
    ("signed_sums", b'[["values","weight carat",[1.0]]]'),
    ("signed_sums", b'[["head","bins","cut","kind","x"]]'),
    ("signed_document", document(lambda d: d["support"]["counts"].__setitem__(0, 2**63))),
    (
        "signed_document",
        document(lambda d: d["inference"]["terms"][1]["coefficients"].append(1.0)),
    ),
]
