"""The parsers of bytes from outside, each as a function that only its own errors may leave.

A target reads an input as the program would. What it allows to come out is in its entry;
anything else, an input that takes longer than `SLOW` seconds or more memory than `GREEDY`,
is a finding.
"""

import atexit
import csv
import gzip
import hashlib
import io
import random
import resource
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs

import msgspec
import numpy as np
import pyarrow as pa

from diamond_pricing import PriceModel, Stone, Stones
from diamond_pricing.cli.sums import sales_in
from diamond_pricing.errors import (
    DocumentError,
    ExpressionError,
    FitError,
    GatesError,
    MoneyError,
    RegistryError,
    RejectedFileError,
    ReportError,
    ServiceError,
    SourceError,
    StoneError,
    UnsupportedStoneError,
)
from diamond_pricing.fitting import read_sales
from diamond_pricing.intake import Source, read_sales_file, recorded_sales, take_in
from diamond_pricing.intake.headers import understood
from diamond_pricing.intake.numbers import currency_named, decimal_sign, number, sides
from diamond_pricing.intake.sales import quarantine_csv
from diamond_pricing.intake.stored import written_sales
from diamond_pricing.model.words import ENGLISH, LANGUAGES
from diamond_pricing.refit.deliveries import declared
from diamond_pricing.refit.home import deliveries_of, gates_of, home_of, offsets_of, stock_of
from diamond_pricing.registry import Registry
from diamond_pricing.registry.registry import ENTRY, Entry, _sealed
from diamond_pricing.reporting.source import parsed
from diamond_pricing.stones import ATTRIBUTES, MEASURES, attribute_named
from diamond_pricing.terms.expression import parse, walked
from diamond_pricing.warehouse.moments_file import (
    KEY,
    _digest,
    _Head,
    _values,
    read_moments,
    written_moments,
)
from diamond_pricing.warehouse.scoring import score
from diamond_pricing.web.batch import Asked
from diamond_pricing.web.bodies import converted, strict
from diamond_pricing.web.client import Client
from diamond_pricing.web.forms import ARROW, CSV, JSON, Batch
from diamond_pricing.web.messages import ComparablesIn, PairIn, QuoteIn, WhatIfIn
from diamond_pricing.web.page.answers import shown
from diamond_pricing.web.page.forms import filled, query_of
from diamond_pricing.web.page.framing import query_in
from diamond_pricing.web.pricing import compared, price_list, priced, quoted, stepped, stone_at
from diamond_pricing.web.problems import ProblemError
from diamond_pricing.web.requests import StrictRequest
from diamond_pricing.web.storage import Database, Keys
from diamond_pricing.web.storage.keys import create_key, quota_of
from tests.fuzz.http import QUICK, SECRET, Answering, Application
from tests.fuzz.mutations import Choices, spoiled_json
from tests.fuzz.small import BARE, MEASURED, STONES, small_model, small_sums
from tests.fuzz.tables import parquet_of, stream_of, table_of

SLOW = 2.0  # seconds
GREEDY = 512 * 2**20  # bytes that one input may add to the most that was ever used
ROWS = 2000  # of a batch
Mutate = Callable[[bytes, random.Random], bytes]


class SlowError(AssertionError):
    """An input took too long."""


class GreedyError(AssertionError):
    """An input took too much memory."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser as it is fuzzed.

    Attributes
    ----------
    name : str
    run : callable
        Reads an input.
    allowed : tuple of exceptions
        What may come out; subclasses too.
    seeds : callable
        Gives inputs to begin with, most of them sound.
    words : tuple[str, ...]
        What the format is made of, for libFuzzer.
    mutate : callable, optional
        Changes an input in its structure.
    cases : int
        Inputs in the usual tests: fewer where each takes milliseconds.
    """

    name: str
    run: Callable[[bytes], None]
    allowed: tuple[type[Exception], ...]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()
    mutate: Mutate | None = None
    cases: int = 400

    def warm(self) -> None:
        """Make ready what takes its time once: the first of the seeds is run."""
        with suppress(*self.allowed):
            self.run(self.seeds()[0])

    def feed(self, data: bytes) -> bool:
        """Run one input; whether it was refused with an error that is allowed."""
        refused, message = False, "read"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        try:
            self.run(data)
        except self.allowed as error:
            refused, message = True, str(error)
        took = time.perf_counter() - began
        assert message.strip(), "an error without a message"
        if took > SLOW:
            raise SlowError(f"{took:.1f} s")
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        if grown > GREEDY:
            raise GreedyError(f"{grown / 2**20:.0f} MB")
        return refused


TARGETS: dict[str, Target] = {}


def target(
    allowed: type[Exception] | tuple[type[Exception], ...],
    seeds: Callable[[], list[bytes]],
    *,
    words: str = "",
    mutate: Mutate | None = None,
    cases: int = 400,
) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Enter a function among the targets, under its own name."""

    def entered(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        kinds = allowed if isinstance(allowed, tuple) else (allowed,)
        TARGETS[run.__name__] = Target(
            run.__name__, run, kinds, seeds, tuple(words.split()), mutate, cases
        )
        return run

    return entered


class Memory:
    """A storage in memory."""

    def __init__(self, **files: bytes) -> None:
        self.files = dict(files)

    def __str__(self) -> str:
        return "memory"

    def read(self, key: str) -> bytes:
        """Content of a file."""
        if key not in self.files:
            raise FileNotFoundError(key)
        return self.files[key]

    def put(self, key: str, data: bytes) -> bool:
        """Write a file unless it is there."""
        return self.files.setdefault(key, data) is data

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder."""
        start = f"{folder}/"
        return sorted(k.removeprefix(start) for k in self.files if k.startswith(start))

    @contextmanager
    def writing(self, *, wait: bool) -> Iterator[None]:
        """Nobody else writes here."""
        yield


@cache
def model() -> PriceModel:
    """The model that stones are priced by."""
    return small_model()


@cache
def folder() -> Path:
    """A folder for the parsers that read files."""
    found = TemporaryDirectory(prefix="dp-fuzz-", dir=QUICK)
    atexit.register(found.cleanup)
    return Path(found.name)


@cache
def application() -> Application:
    """The application, begun at its first request."""
    found = Application()
    atexit.register(found.close)
    return found


def text_of(data: bytes) -> str:
    """Any text, as an input says it."""
    return data.decode("utf-8", "replace")


# ------------------------------------------------------------------------ documents

DOCUMENT = """kind spline levels slope steps contrast bases coefficients average knots degree
    expression levels attribute at codes carat cut color clarity depth table x y z listing x<y
    x=y x>y log( sqrt( exp( min( max( null true 1e308 -1e308 1e-320 18446744073709551615
    covariance bits scales data quantiles recorded blend inferred counts part bands"""


def signed(body: bytes) -> bytes:
    """A model document with the right hash in front of ``body``."""
    body = b"{" + body.lstrip(b"{")
    return b'{"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'",' + body[1:]


def bodies() -> list[bytes]:
    """Model documents without their hash."""
    models = (model(), small_model(""), small_model("log(x / y)"))
    return [b"{" + m.to_json().encode()[len('{"sha256":"",') + 64 :] for m in models]


def on_a_line(data: bytes, rng: random.Random) -> bytes:
    """Spoil JSON in its values and keep the newline that documents end with."""
    return spoiled_json(data, rng).rstrip(b"\n") + b"\n"


@target(DocumentError, lambda: [signed(body) for body in bodies()], words=DOCUMENT)
def document(data: bytes) -> None:
    """A model document as it came: `DocumentError`."""
    PriceModel.from_json(data)


@target(DocumentError, bodies, words=DOCUMENT, mutate=on_a_line, cases=120)
def signed_document(data: bytes) -> None:
    """A document whose hash is right whatever it says; a model that is read prices or refuses."""
    read = PriceModel.from_json(signed(data))
    assert PriceModel.from_json(read.to_json()) == read
    assert isfinite(float(read.price(Stones.of([read.reference]))[0]))
    use(read)


def use(read: PriceModel) -> None:
    """Price with a model that was accepted: a price and its lines, or an error of ours."""
    for stone in (read.reference, *STONES):
        for listing in ("blend", "recorded", "inferred", "x>y"):
            with suppress(StoneError, MoneyError):
                why = read.explain(stone, listing=listing)
                assert sum(line.cents for line in why.lines) == why.cents
                str(why)
                why.range(0.9)
                why.sentence(why.lines[-1], ENGLISH)
                why.to_dict()
            with suppress(StoneError, MoneyError, DocumentError):
                read.range(Stones.of([stone]), listing=listing)
        read.assess(stone)
        with suppress(StoneError, MoneyError):
            read.compare(read.reference, stone)
    with suppress(StoneError, MoneyError):
        read.itemise(Stones.of(STONES))
    many = Stones.of(STONES)
    kept = many.take(np.flatnonzero(read.supports(many)))
    with suppress(StoneError, MoneyError):
        read.appraise(kept)


# ------------------------------------------------------------------------- registry

LOG = "number previous at action active anchor by reason details promote rollback pin refit"
ENTRIES = (
    Entry(1, "", "2026-01-02T03:04:05Z", "promote", "a" * 64, "a" * 64, "ann", "first"),
    Entry(
        1,
        "",
        "2026-01-02T03:04:05Z",
        "refit",
        "",
        "",
        "cron",
        "none",
        {
            "record": "records/r.json",
            "offsets": [{"source": "a", "n": 3, "log": 0.1, "low": 0.0, "high": 0.2}],
            "deliveries": [
                {
                    "file": "a.csv",
                    "source": "a",
                    "sha256": "b" * 64,
                    "sales": "sales/x.parquet",
                    "faults": {"price": 2},
                    "read": 5,
                }
            ],
        },
    ),
    Entry(1, "", "", "rollback", "", "", "", "", {"n": [1, 2.5, None, {"x": "y"}]}),
)


@target(RegistryError, lambda: [_sealed(entry)[0] for entry in ENTRIES], words=LOG)
def entry(data: bytes) -> None:
    """An entry of a registry's log as it came: `RegistryError`."""
    Registry(Memory(**{"log/00000001.json": data})).entries()


@target(
    (RegistryError, FitError),
    lambda: [_sealed(entry)[0][9:-78] for entry in ENTRIES],
    words=LOG,
    mutate=spoiled_json,
)
def sealed_entry(data: bytes) -> None:
    """An entry whose hash is right; what is read from it is understood, or `RegistryError`."""
    digest = hashlib.sha256(data).hexdigest().encode()
    sealed = b'{"entry":' + data + b',"sha256":"' + digest + b'"}\n'
    registry = Registry(Memory(**{"log/00000001.json": sealed}))
    entries = registry.entries()
    assert ENTRY.fullmatch("00000001.json")
    registry.verify()
    deliveries_of(entries)
    offsets_of(entries)


# ----------------------------------------------------------------------------- sums


@target(DocumentError, lambda: [written_moments(small_sums())])
def sums(data: bytes) -> None:
    """Sums over sales as they came: `DocumentError`."""
    read_moments(data)


@cache
def _parts() -> tuple[bytes, dict[str, list[float]]]:
    """The head of sums, and their numbers."""
    made = small_sums()
    table = pa.parquet.read_table(io.BytesIO(written_moments(made)))
    return table.schema.metadata[KEY], {name: v.tolist() for name, v in _values(made)}


EDITS = (
    [],
    [["head", "rows", 0, -1]],
    [["head", "squares", []]],
    [["values", "XX 0", [1.0]]],
    [["head", "bins", "carat", "kind", "bands"]],
    [["values", "grid cell", [9e18, -1.0]]],
    [["values", "weight carat", []]],
    [["head", "founding", "{}"]],
    [["head", "seen", -5.0]],
    [["head", "extent", {}]],
    [["head", "bins", "cut", "values", [1.0]]],
    [["values", "grid count", [0.5, 1e300]]],
    [["head", "left_out", {"x": -1}]],
)


@target(
    (DocumentError, FitError),
    lambda: [msgspec.json.encode(e) for e in EDITS],
    words=f"head values rows squares bins extent left_out founding carat grid recorded blend {DOCUMENT}",
    mutate=spoiled_json,
    cases=40,
)
def signed_sums(data: bytes) -> None:
    """Sums with some values changed and the right hash: `DocumentError`, `FitError` on adding.

    The input is JSON: places and what is put there.
    """
    head, values = _parts()
    whole = {"head": msgspec.json.decode(head), "values": dict(values)}
    edits: list[list[Any]] = []
    with suppress(msgspec.MsgspecError, RecursionError, UnicodeError):
        edits = msgspec.json.decode(data, type=list[list[Any]])
    try:
        for *places, last, value in edits:
            at: Any = whole
            for place in places:
                at = at[place]
            at[last] = value
        told = msgspec.convert({**whole["head"], "sha256": ""}, _Head)
        arrays = {name: np.array(v, float) for name, v in whole["values"].items()}
        signed_head = msgspec.structs.replace(told, sha256=_digest(told, arrays))
        table = pa.table(
            {
                "name": pa.array(list(arrays), pa.string()),
                "values": pa.array(
                    [v.tolist() for v in arrays.values()], pa.list_(pa.float64())
                ),
            }
        )
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        pa.ArrowException,
    ):
        return  # no file says so
    metadata = {KEY: msgspec.json.encode(signed_head)}
    found = read_moments(parquet_of(table.replace_schema_metadata(metadata)))
    _ = found.n, found + found, found - found
    found.cells()
    found.frame.scale()


# ------------------------------------------------------------------------- settings

TOML = """= [ ] [columns] [units] [rates] [grades.cut] currency decimal delimiter encoding offset \"
    ''' \"\"\" # 0x 0o 0b inf nan 1979-05-27 07:32:00 true false 1_000 { } fitted utf-16 carat"""
SOURCES = (
    'currency = "EUR"\ndecimal = ","\ndelimiter = ";"\nencoding = "cp1252"\noffset = 1.05\n'
    '[columns]\ncarat = "Gewicht"\nprice = "Preis"\nidentity = "Nr"\n[units]\nx = "cm"\n'
    '[rates]\nCHF = 1.1\n[grades.cut]\nspitze = "Ideal"\n[grades.shape]\nrd = "round"\n',
    'offset = "fitted"\n[grades.color]\n"F+" = "F"\n',
    "",
    'columns = {carat = "x", "price_per_carat" = "ppc"}\n[grades]\nclarity = {lr = "IF"}\n',
)


@target(SourceError, lambda: [s.encode() for s in SOURCES], words=TOML)
def source(data: bytes) -> None:
    """A source's declaration in a home: `SourceError`."""
    read = declared(Memory(**{"sources/a.toml": data}), "a")
    assert read is not None
    assert Source.from_toml(read.to_toml()) == read


GATES = ("outlier_factor = 3\npsi = 0.3\ncoverage = 0.8\n", "prb = 0.1", "", 'psi = "0.5"\n')


@target((GatesError, FitError), lambda: [g.encode() for g in GATES], words=f"{TOML} psi prb")
def gates(data: bytes) -> None:
    """The limits of a home: `GatesError`, `FitError`."""
    found = gates_of(Memory(**{"gates.toml": data}))
    assert found.outlier_factor > 1


HOMES = (
    'currency = "EUR"\neffective = "2026-03"\nfamily = "gam"\n',
    'effective = "undated"',
    "",
)


@target(
    FitError, lambda: [h.encode() for h in HOMES], words=f"{TOML} family effective monotone"
)
def settings(data: bytes) -> None:
    """The settings of a home: `FitError`."""
    home_of(Memory(**{"home.toml": data}))


# ------------------------------------------------------------------------------ sales

SALES = (
    "carat,cut,color,clarity,depth,table,price,x,y,z\n0.7,Ideal,E,VS1,61.5,56,2800,5.7,5.73,3.51\n"
    '1.01,vg,G,SI1,,,"5,120",,,\n1.2,Good,J,I1,62,58,4900,,,\n',
    "sep=;\nTitle\nGewicht (ct);Schliff;Farbe;Reinheit;Preis EUR;Zertifikat\n0,7;Ideal;E;VS1;2.800,50 €;A-1\n"
    "1,01;vg;G;SI1;5.120,-;A-2\n",
    "Shape\tSize\tMake\tColor\tClarity\tMeasurements\tPrice/ct\tOrigin\tStock #\tCurrency\n"
    "round\t0.7\tIdeal\tE\tVS1\t5.70 - 5.73 x 3.51 mm\t4,000\tnatural\t17\tUSD\n"
    "oval\t0.9\tIdeal\tE\tVS1\t5.7*5.7*3.5\t4000\tlab\t18\tUSD\n",
    "carat|cut|color|clarity|price|depth\n0.7|Ideal|E|VS1|$1e3|3.5\n-|?|n/a|none|nil|null\n",
    "\ufeffcarat,cut,color,clarity,price\r\n0.7,Ideal,E,VS1,2800\r\n=cmd|x,1,2,3,4\r\n",
)
CELLS = """carat cut color clarity depth table price x y z shape origin measurements currency
    Ideal VS1 SI1 round natural USD EUR € $ 1.234,50 5,120 n/a mm cm - × = @ +1 sep=; " ; | , """


def taken_in(name: str, data: bytes, source: Source | None = None) -> None:
    """Take a file of sales in, and keep and read again what was accepted."""
    intake = take_in(name, data, source)
    assert len(intake.sales) + len(intake.quarantined) == intake.read
    quarantine_csv(name, intake.quarantined)
    if len(intake.sales):
        again = read_sales_file(written_sales(intake.sales, "a"))
        assert len(again) == len(intake.sales)
        assert len(recorded_sales(again)) == len(again)
        Stones.from_frame(again)


@target(RejectedFileError, lambda: [s.encode() for s in SALES], words=CELLS, cases=100)
def sales_csv(data: bytes) -> None:
    """A delivery as CSV: `RejectedFileError`."""
    taken_in("a.csv", data)


DECLARED = Source(
    columns={"carat": "Gewicht", "price": "Preis", "measurements": "Maße"},
    decimal=",",
    units={"x": "cm"},
    grades={"cut": {"spitze": "Ideal"}},
    currency="EUR",
    rates={"EUR": 1.1},
    encoding="cp1252",
    delimiter=";",
)
GERMAN = (
    "Gewicht;Schliff;Farbe;Reinheit;Maße;Preis\n0,7;spitze;E;VS1;0,57 x 0,573 x 0,351;2.800\n"
)


@target(RejectedFileError, lambda: [GERMAN.encode("cp1252")], words=CELLS, cases=60)
def declared_csv(data: bytes) -> None:
    """A delivery of a source that says how it writes: `RejectedFileError`."""
    taken_in("a.csv", data, DECLARED)


LINES = (
    b'{"carat":0.7,"cut":"Ideal","color":"E","clarity":"VS1","price":2800,"x":5.7}\n'
    b'{"carat":1.01,"cut":"vg","color":"G","clarity":"SI1","price":"5,120"}\n',
    b'{"weight":"0.7 ct","cut":null,"color":true,"clarity":1e400,"price":1e300}\n',
)


@target(RejectedFileError, lambda: list(LINES), words=CELLS, cases=100)
def sales_lines(data: bytes) -> None:
    """A delivery as lines of JSON: `RejectedFileError`."""
    taken_in("a.jsonl", data)


def made(count: int = 12) -> list[bytes]:
    """Inputs for `table_of`."""
    found = []
    for k in range(count):
        rng = random.Random(k)
        # Zero stands for what is usual.
        found.append(
            bytes(rng.randrange(256) if rng.random() < k / 20 else 0 for _ in range(80))
        )
    return found


def packed(write: Callable[[pa.Table], bytes]) -> list[bytes]:
    """Sound files of some tables."""
    found = []
    for given in made(16):
        with suppress(pa.ArrowException):  # no such file holds it
            found.append(write(table_of(Choices(given))))
    return found


@target(RejectedFileError, lambda: packed(parquet_of))
def sales_parquet(data: bytes) -> None:
    """A delivery as Parquet: `RejectedFileError`."""
    taken_in("a.parquet", data)


@target(RejectedFileError, made, cases=40)
def made_parquet(data: bytes) -> None:
    """A sound Parquet file of any columns: `RejectedFileError`."""
    try:
        file = parquet_of(table_of(Choices(data)))
    except (pa.ArrowException, ValueError):
        return  # no file holds it
    taken_in("a.parquet", file)


PLAIN = (
    "carat,cut,color,clarity,price\n"
    + "".join(
        f"{0.3 + k / 50:.2f},{'Ideal' if k % 3 else 'Good'},{'EGH'[k % 3]},VS{1 + k % 2},{500 + 99 * k}\n"
        for k in range(40)
    ),
    "carat,cut,color,clarity,depth,table,price,x,y,z\n0.7,Ideal,E,VS1,61.5,56,2800,5.7,5.73,3.51\n"
    "1.01,vg,G,SI1,,,5120,,,\n1.2,Good,J,I1,62,58,4900,,,\n0.5,Fair,H,IF,60,60,1500.5,5,5,3\n",
    "Weight,Cut,Colour,Clarity,Price\r\n0.7,Ideal,E,VS1,2800\r\n0.9,Good,E,VS2,3800\r\n",
)


@target(FitError, lambda: [s.encode() for s in PLAIN], words=CELLS, cases=80)
def stock(data: bytes) -> None:
    """The stones on stock of a home: `FitError`."""
    found = stock_of(Memory(**{"stock.csv": data}))
    assert found is not None


@target((FitError, StoneError), lambda: [s.encode() for s in PLAIN], words=CELLS, cases=60)
def cli_sales(data: bytes) -> None:
    """The file of ``fit --data``, with ``--leave-out`` and without: `FitError`, `StoneError`."""
    file = folder() / "sales.csv"
    file.write_bytes(data)
    for leave_out in (True, False):
        read_sales(sales_in(file, None, leave_out)[0])


TEXTS = (
    "1,234.50 $",
    "5.120,-",
    "6.43 - 6.48 x 3.97 mm",
    "1 234,5 €",
    "CHF 5'120.00",
    "1.01 ct",
    "Carat Weight (ct)",
    "price_usd",
    "Total Depth %",
    "Länge",
    "6,43*6,48*3,97",
)


@target((), lambda: [t.encode() for t in TEXTS], words=CELLS)
def numbers(data: bytes) -> None:
    """One cell or header as people write them: nothing may come out."""
    text = text_of(data)[:2000]
    for sign in (".", ","):
        value = number(text, sign)
        assert value is None or isfinite(value)
    sides(text)
    decimal_sign([text])
    currency_named(text)
    understood(text)
    attribute_named(text)


# ---------------------------------------------------------------------------- scoring


def scored(name: str, data: bytes) -> None:
    """Price a file; the answer has its rows."""
    file, out = folder() / name, folder() / "out.parquet"
    file.write_bytes(data)
    found = score(file, out, model(), prefix="our_")
    assert found.priced + sum(found.refused.values()) == found.rows
    assert pa.parquet.read_metadata(out).num_rows == found.rows


STONES_CSV = (
    b"carat,cut,color,clarity,depth,table,x,y,z,id\n0.7,Ideal,E,VS1,61.5,56,5.7,5.73,3.51,a\n"
    b"1.01 ct,good,G,SI1,,,,,,b\n40,Ideal,E,IF,,,,,,\n,x,Z,,0,0,0,0,0,\n",
    b'\xef\xbb\xbfWeight;Cut;Colour;Clarity\r\n0.7;Ideal;E;VS1\r\n0.8;Ideal;E;"VS1"\r\n',
)


@target(SourceError, lambda: list(STONES_CSV), words=CELLS, cases=60)
def scored_csv(data: bytes) -> None:
    """Stones to be scored as CSV: `SourceError`."""
    scored("stones.csv", data)


@target(SourceError, lambda: [gzip.compress(s, mtime=0) for s in STONES_CSV])
def scored_gzip(data: bytes) -> None:
    """Stones to be scored as packed CSV: `SourceError`."""
    scored("stones.csv.gz", data)


@target(SourceError, lambda: packed(parquet_of), cases=40)
def scored_parquet(data: bytes) -> None:
    """Stones to be scored as Parquet: `SourceError`."""
    scored("stones.parquet", data)


@target(SourceError, made, cases=40)
def scored_made_parquet(data: bytes) -> None:
    """Stones to be scored in a sound Parquet file of any columns: `SourceError`."""
    try:
        file = parquet_of(table_of(Choices(data)))
    except (pa.ArrowException, ValueError):
        return  # no file holds it
    scored("stones.parquet", file)


# ------------------------------------------------------------------------------- HTTP

FIELDS = """carat cut color clarity depth table x y z reference level listing effective language
    line_ranges first second stone count rows columns blend recorded x<y x>y null true 1e999 NaN
    \\ud800 Ideal VS1 en it { } [ ] : , \""""
STONE = {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}
FULL = {**STONE, "depth": 61.5, "table": 56, "x": 6.4, "y": 6.43, "z": 3.95}


def as_json(*some: Any) -> list[bytes]:
    """Values as JSON."""
    return [msgspec.json.encode(value) for value in some]


@target(
    ProblemError,
    lambda: as_json(
        STONE,
        {**FULL, "listing": "recorded", "level": 0.5, "language": "it", "line_ranges": True},
        {**STONE, "reference": FULL, "listing": "x>y", "effective": "2008"},
        {"carat": "1"},
    ),
    words=FIELDS,
    mutate=spoiled_json,
)
def quote(data: bytes) -> None:
    """The body of a quote, priced: `ProblemError`, which can be written."""
    with told():
        asked = converted(strict(data), QuoteIn)
        why = priced(model(), asked)
        msgspec.json.encode(quoted(why, model(), asked))


@contextmanager
def told() -> Iterator[None]:
    """An error must be one that can be sent, and that is not ours."""
    try:
        yield
    except ProblemError as error:
        sent = msgspec.json.decode(msgspec.json.encode(error.details()))
        if not sent["status"] < 500:
            raise AssertionError(sent) from error
        raise


@target(
    ProblemError,
    lambda: as_json(
        {"first": STONE, "second": FULL, "language": "it"},
        {"first": FULL, "second": STONE, "listing": "x<y", "line_ranges": True},
    ),
    words=FIELDS,
    mutate=spoiled_json,
)
def comparison(data: bytes) -> None:
    """The body of a comparison: `ProblemError`."""
    with told():
        msgspec.json.encode(compared(model(), converted(strict(data), PairIn)))


@target(
    ProblemError,
    lambda: as_json(
        {"stone": STONE},
        {"stone": FULL, "listing": "x>y", "language": "it"},
        {"stone": STONE, "count": 3},
    ),
    words=FIELDS,
    mutate=spoiled_json,
)
def steps(data: bytes) -> None:
    """The bodies of steps and of comparables: `ProblemError`."""
    with told():
        found = strict(data)
        if isinstance(found, dict) and "count" in found:
            stone_at(converted(found, ComparablesIn).stone, "/stone")
            return
        asked = converted(found, WhatIfIn)
        stone = stone_at(asked.stone, "/stone")
        words = LANGUAGES[asked.language]
        msgspec.json.encode(stepped(model(), stone, asked.listing, words))


@target(
    ProblemError,
    lambda: [
        b"cut=Ideal&carat=0.5&carat=1&color=E&clarity=VS1",
        b"cut=good",
        b"carat=nan&cut=Ideal",
    ],
    words="cut= carat= color= clarity= & ; % + Ideal nan inf 1e5",
    cases=150,
)
def prices(data: bytes) -> None:
    """The query of a price list: `ProblemError`."""
    asked = parse_qs(data.decode("latin-1"))
    carats = []
    for text in asked.get("carat", []):
        with suppress(ValueError):  # refused before the list is asked for
            carats.append(float(text))
    with told():
        cut = asked.get("cut", ["Ideal"])[-1]
        found = price_list(
            model(), cut, carats, asked.get("color", []), asked.get("clarity", [])
        )
        msgspec.json.encode(found)


def batch(data: bytes, media: str) -> None:
    """Price a batch as the API does; the answer can be sent."""
    asked = Asked(model(), "blend", 0.9)
    with told():
        read = Batch(io.BytesIO(data), media, ROWS)
        sent = b"".join(read.answer(asked))
    assert 0 < read.n <= ROWS
    if media == JSON:
        msgspec.json.decode(sent)
    elif media == CSV:
        lines = list(csv.reader(io.StringIO(sent.decode(), newline="")))
        assert len(lines) == read.n + 1
    else:
        assert pa.ipc.open_stream(sent).read_all().num_rows == read.n


@target(
    ProblemError,
    lambda: as_json(
        {"rows": [STONE, FULL, {}, {**STONE, "x": 9.0}, {"carat": "1"}]},
        {"columns": {k: [v, v, None] for k, v in FULL.items()}},
        {"columns": {k: [v] for k, v in STONE.items()}},
    ),
    words=FIELDS,
    mutate=spoiled_json,
    cases=300,
)
def batch_json(data: bytes) -> None:
    """A batch as JSON: `ProblemError`."""
    batch(data, JSON)


@target(
    ProblemError,
    lambda: [*STONES_CSV[:1], b'carat,cut,color,clarity\n1,Ideal,E,VS1\n2,Good,G,"IF"\n'],
    words=CELLS,
    cases=200,
)
def batch_csv(data: bytes) -> None:
    """A batch as CSV: `ProblemError`."""
    batch(data, CSV)


@target(ProblemError, lambda: packed(stream_of))
def batch_arrow(data: bytes) -> None:
    """A batch as an Arrow stream: `ProblemError`."""
    batch(data, ARROW)


@target(ProblemError, made, cases=100)
def made_arrow(data: bytes) -> None:
    """A sound Arrow stream of any columns: `ProblemError`."""
    choose = Choices(data)
    options = pa.ipc.IpcWriteOptions(
        compression=choose.one_of((None, None, None, "zstd", "lz4")),
        emit_dictionary_deltas=bool(choose.byte() % 2),
    )
    try:
        stream = stream_of(table_of(choose), options=options)
    except (pa.ArrowException, ValueError):
        return  # no stream holds it
    batch(stream, ARROW)


FORMS = (
    b"carat=1.01&cut=Ideal&color=E&clarity=VS1",
    b"a.carat=70+points&a.cut=vg&lang=it&b.carat=1",
    b"carat=1%2C5ct&cut=Ideal&color=Z&clarity=VS1&depth=61.5&x=6.4&y=6.43&z=9",
    b"carat=40&cut=Ideal&color=E&clarity=IF",
)


@target(
    ProblemError,
    lambda: list(FORMS),
    words="carat= cut= color= clarity= depth= x= y= z= & % + lang=it a. b. points ct",
)
def page(data: bytes) -> None:
    """The form of the page, in the query: `ProblemError`; what is wrong is on the page."""
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": data,
        "headers": [],
    }
    query = query_in(StrictRequest(scope))
    for words in LANGUAGES.values():
        for prefix in ("", "a."):
            form = filled(model(), query, words, prefix)
            assert all(p.text for p in form.problems)
            if form.stone is not None:
                shown(model().explain(form.stone), model(), words, 0.9)
                query_of(form.stone, words.code)
                form.stone.given()


REQUESTS = (
    "GET /?carat=1.01&cut=Ideal&color=E&clarity=VS1&lang=it\nauthorization: Bearer {token}\n\n",
    "GET /compare?a.carat=1&a.cut=Ideal&a.color=E&a.clarity=VS1&b.carat=0.7&b.cut=Good&b.color=G&b.clarity=SI1\nauthorization: Bearer {token}\n\n",
    "GET /list?per=carat&cut=Ideal\nauthorization: Bearer {token}\naccept: text/html\n\n",
    "POST /sign-in\ncontent-type: application/x-www-form-urlencoded\n\nkey={token}&next=/list%3Flang%3Dit",
    "POST /v1/quotes\nauthorization: Bearer {token}\ncontent-type: application/json\nidempotency-key: a\n\n{stone}",
    'POST /v1/quotes/batch?level=0.5&listing=recorded\nauthorization: Bearer {token}\ncontent-type: application/json\n\n{"rows":[{stone}]}',
    "POST /v1/quotes/batch\nauthorization: Bearer {token}\ncontent-type: text/csv\n\ncarat,cut,color,clarity\n1,Ideal,E,VS1\n",
    'POST /v1/comparisons?model=ab\nauthorization: Bearer {token}\ncontent-type: application/json\nx-model-id: x\n\n{"first":{stone},"second":{stone}}',
    'POST /v1/what-if\nauthorization: Bearer {token}\ncontent-type: application/json; charset=utf-8\n\n{"stone":{stone}}',
    "GET /v1/price-list?carat=1&color=E&clarity=VS1&cut=good\nauthorization: Bearer {token}\n\n",
    "GET /shared/ab12.0123456789abcdef0123456789abcdef.pdf\naccept: text/html\n\n",
    "GET /v1/quotes/abc.html?paper=x\ncookie: dp_session=a.1.b; x=y\naccept: text/html\n\n",
    "GET /v1/usage?from=2026-01-01&to=x\nauthorization: Bearer {token}\n\n",
    "GET /v1/models\nauthorization: Bearer dp_000000000000_0\n\n",
    "GET /static/page.css\nif-none-match: x\n\n",
    "GET /problems?lang=xx\naccept-language: it;q=0.5,en\n\n",
    "HEAD /health/ready\n\n",
    "OPTIONS /v1/quotes\norigin: http://x\n\n",
    "POST /quotes\nauthorization: Bearer {token}\ncontent-type: application/x-www-form-urlencoded\n\ncarat=1&cut=Ideal&color=E&clarity=VS1",
)


def requests() -> list[bytes]:
    """Requests to every path."""
    stone = msgspec.json.encode(STONE)
    return [text.encode().replace(b"{stone}", stone) for text in REQUESTS]


@target(
    (),
    requests,
    words=f"{FIELDS} GET POST /v1/ cookie: authorization: Bearer content-type: application/json accept: text/html % ?",
    cases=80,
)
def request(data: bytes) -> None:
    """A whole request to the application: every answer is one of ours, none an error of ours.

    ``{token}`` stands for a good key.
    """
    served = application()
    status = served.ask(data.replace(b"{token}", served.token.encode()))
    assert 200 <= status < 500 or status == 503, status


ANSWERS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
    b"HTTP/1.1 422 x\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
    b'{"type":"a","title":"b","status":422,"detail":"c","code":"d","errors":[{"message":"m"}]}',
    b"HTTP/1.1 503 x\r\ncontent-type: text/html\r\nretry-after: Tue, 1 Jan 2030\r\nconnection: close\r\n\r\n<html>",
    b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\nx",
    b"HTTP/1.1 302 x\r\nlocation: http://[/\r\nconnection: close\r\n\r\n",
)


def answers() -> list[bytes]:
    """Answers of a server: a quote, a problem, and what a proxy says."""
    asked = converted(FULL, QuoteIn)
    out = msgspec.json.encode(quoted(priced(model(), asked), model(), asked))
    return [ANSWERS[0] + out, *ANSWERS[1:]]


@cache
def answering() -> tuple[Answering, Client]:
    """A server that says what an input says, and a client that asks it once."""
    server = Answering()
    return server, Client(server.url, tries=1, timeout=SLOW)


@target(
    ServiceError,
    answers,
    words=f"{FIELDS} HTTP/1.1 content-type: application/problem+json retry-after: content-encoding: gzip chunked",
    cases=100,
)
def answer(data: bytes) -> None:
    """What a server answers to the client: `ServiceError`."""
    server, client = answering()
    server.answer = data
    client.read("q")


# ------------------------------------------------------------------- keys and what is typed


@cache
def keys() -> tuple[Keys, str]:
    """Keys with one in them, and its token."""
    database = Database("sqlite://")
    database.upgrade()
    secret = SECRET.encode()
    token = create_key(database, secret, "acme", ["quote"], by="fuzz")
    found = Keys(database, secret)
    found.refresh()
    return found, token


def tokens() -> list[bytes]:
    """What stands for a token, a session and a shared link that are good; and a quota."""
    return [b"{token}", b"{session}", b"q1.{share}", b"1000/hour", b"a.1.b"]


@target(
    ServiceError, tokens, words="{token} {session} {share} dp_ . / hour minute day second _ -"
)
def token(data: bytes) -> None:
    """What stands for a key, a session, a link or a quota: nobody but by the right one."""
    known, good = keys()
    owner = known.caller(good)
    assert owner is not None
    text = data.decode("latin-1").replace("{token}", good)
    text = text.replace("{session}", known.session(owner)).replace("{share}", known.share("q1"))
    assert (known.caller(text) is not None) == (text == good)
    session = known.of_session(text)
    assert session in (None, owner)
    if session is not None:
        assert data == b"{session}"
    quote, _, signature = text.partition(".")
    assert known.is_share(quote, signature) == (signature == known.share(quote))
    units, seconds = quota_of(text)
    assert units > 0
    assert seconds > 0


@target(
    StoneError,
    lambda: [
        b"1.01 Ideal E VS1",
        b"0.70 ct very good G VS2 depth=61.5 x=5.71 y=5.74",
        b"1,Ideal,E,IF",
    ],
    words="ct Ideal good VS1 depth= x= y= z= table= length= colour= = inf nan",
)
def stone(data: bytes) -> None:
    """A stone as people write it: `StoneError`."""
    text = text_of(data)
    for attribute in ATTRIBUTES.values():
        with suppress(StoneError):
            attribute.parse(text)
    found = Stone.parse(text)
    found.problems()
    with suppress(StoneError):
        model().explain(found)


ARITHMETIC = (
    "log(carat)",
    "log(x * y) / 2 - log(carat) / 3",
    "np.minimum(x, 5.5) ** 2",
    "I(depth / table)",
    "-x + y * z",
    "max(exp(x), sqrt(y))",
    "carat ** -1e3 / (table - table)",
    "1e308 * 10 * x",
)
OPERATIONS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "log": np.log,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "min": np.minimum,
    "max": np.maximum,
}


@target(
    ExpressionError,
    lambda: [a.encode() for a in ARITHMETIC],
    words="carat depth table x y z log( sqrt( exp( min( max( np. I( ** * / + - ( ) , 1e308 0x 1j lambda if or",
)
def expression(data: bytes) -> None:
    """Arithmetic over measures: `ExpressionError`; both ways to work it out agree."""
    found = parse(text_of(data))
    assert set(found.attributes) <= {measure.name for measure in MEASURES}
    columns = Stones.of([MEASURED]).columns
    many = found.evaluate({name: columns[name] for name in found.attributes})
    with np.errstate(all="ignore"):
        other = walked(found.text, columns.__getitem__, np.float64, OPERATIONS)
    # A translation writes −a as 0 − a, which has another sign at zero.
    if np.isfinite(many).all() and np.isfinite(other).all():
        assert np.array_equal(np.broadcast_to(many, (1,)), np.broadcast_to(other, (1,)))
    if not np.isfinite(many).all():
        with suppress(UnsupportedStoneError):
            raise AssertionError(f"columns have no value, one stone has {found.of(MEASURED)}")
        return
    one = found.of(MEASURED)
    assert one is not None
    assert np.allclose(one, many, rtol=1e-6)
    with suppress(UnsupportedStoneError):  # a logarithm of a carat is nothing to divide by
        assert found.of(BARE) is None or set(found.attributes) <= {"carat"}


REPORTS = (
    '---\ntitle: A\nformat: {html: default}\n---\n\nProse.\n\n```{python}\n#| tags: [parameters]\nmodel = ""\n```\n\nMore.\n',
    "---\na: 1\n---\n```{python}\n#| echo: false\n1\n```\n",
)


@target(
    ReportError,
    lambda: [r.encode() for r in REPORTS],
    words="--- ``` ```{python} #| tags: [ ] { } : - & * !! !!int !!timestamp !!binary << | > ? null",
)
def report(data: bytes) -> None:
    """The source of a report: `ReportError`."""
    found = parsed(Path("a.qmd"), text_of(data))
    assert found.cells is not None
    assert all(isinstance(name, str) for name in found.parameters)


def quiet() -> None:
    """Let numbers overflow without a word, as they may in a hostile document."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
