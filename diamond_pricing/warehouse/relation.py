"""Sales wherever they are, as one table with our columns, for any engine to count.

A file or a data frame is read by DuckDB, out of core; a table that Ibis knows stays on the
engine that has it: Spark, BigQuery, Snowflake, PostgreSQL and others.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from diamond_pricing.errors import FitError, MissingExtraError
from diamond_pricing.fitting.sales import DEAREST
from diamond_pricing.intake.headers import PRICE, meaning
from diamond_pricing.stones import ATTRIBUTES, GRADES, LISTING, MEASURES, attribute_named
from diamond_pricing.stones.attributes import BLANK, Day, Grade, blank
from diamond_pricing.stones.checks import (
    CARATS_PER_MM3,
    DIAMETER_TOLERANCE,
    HEIGHT_TOLERANCE,
    TYPICAL_DEPTH,
    ends_of,
)
from diamond_pricing.stones.kinds import KINDS, SHAPE
from diamond_pricing.stones.trade import OTHERS, graded
from diamond_pricing.terms.expression import parse, walked

if TYPE_CHECKING:
    import duckdb
    import ibis as ibis
    import pandas as pd

    Source: TypeAlias = str | Path | pd.DataFrame | duckdb.DuckDBPyRelation | ibis.Table
else:

    class _Ibis:
        """The library, which is loaded when it is first used: few sales are fitted without."""

        def __getattr__(self, name: str) -> Any:
            import ibis

            return getattr(ibis, name)

    ibis = _Ibis()

# Whose errors are those of an engine: a full disk, a lost executor, a lost connection.
ENGINES = """duckdb _duckdb ibis pyspark py4j psycopg snowflake google sqlalchemy trino
    clickhouse_connect databricks"""
MEMORY_LIMIT = re.compile(r"\d+(\.\d+)?\s*([kmgt]i?)?b", re.IGNORECASE)
MEMORY = "1GB"  # of DuckDB, before it goes to the disk
MANY_TEXTS = 1_000  # different words of one grade
ENOUGH = 0.5  # share of the sales that must tell their date for it to be read
ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}($|[T ])"
EPOCH = date(1970, 1, 1).toordinal()
PRIME = 2_147_483_647
FACTORS = (1_103_515_245, 314_159_269, 271_828_183, 1_618_033_989, 141_421_357)
TURN, TURN_AGAIN = 48_271, 69_621


@dataclass(frozen=True, eq=False)
class Relation:
    """Sales as a table of an engine.

    Attributes
    ----------
    table : ibis.Table
        Columns carat, depth, table, x, y, z as far as there are any, price: numbers. cut,
        color, clarity and further grades as far as there are any: position of the grade in
        its scale. listing: −1 where length and width are not there. Of each date the day,
        see `Day`, and its month, see `month_number`: 0 where a text is none. Nothing is
        filtered.
    own : bool
        Whether the engine is a DuckDB of ours, which may write tables as it likes.
    """

    table: Any
    own: bool

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that there is a column for."""
        return tuple(m.name for m in MEASURES if m.name in self.table.columns)

    @property
    def others(self) -> tuple[str, ...]:
        """The further grades that there is a column for, as shape and fluorescence."""
        return tuple(a.name for a in OTHERS if a.name in self.table.columns)

    @cached_property
    def days(self) -> Mapping[str, tuple[float, float]]:
        """The first and the last day of each date, those apart from all others left out.

        Of dates that most sales tell.
        """
        found = {}
        for name in (name for name in self.others if isinstance(ATTRIBUTES[name], Day)):
            days = self.table.group_by(day=self.table[name]).aggregate(n=self.table.count())
            counted = days.to_pyarrow().sort_by("day").to_pydict()
            known = [d is not None and 0 < d <= tomorrow() for d in counted["day"]]
            day, n = (np.array(counted[column])[known] for column in ("day", "n"))
            if n.sum() >= ENOUGH * sum(counted["n"]) and n.sum():
                found[name] = ends_of(day.astype(float), n.astype(np.int64))
        return found


@contextmanager
def opened(
    source: "Source", *, memory: str = MEMORY, threads: int | None = None
) -> Iterator[Relation]:
    """Open sales for counting, wherever they are.

    Parameters
    ----------
    source : path, data frame, DuckDB relation or Ibis table
        Of a path, Parquet or CSV by its ending; ``*`` stands for many files.
    memory : str
        What DuckDB may use before it goes to the disk, as ``1GB``.
    threads : int, optional
        Of DuckDB; default all cores.

    Raises
    ------
    FitError
        For a source that cannot be read, or lacks a column.
    """
    try:
        import ibis
    except ImportError as error:
        raise MissingExtraError("counting where the data is", "scale") from error
    if isinstance(source, ibis.Table):
        with _in_words():
            yield Relation(_canonical(source), own=False)
        return
    if not MEMORY_LIMIT.fullmatch(memory.strip()):
        raise FitError(f"the memory limit {memory!r} is not valid; write it as 1GB or 512MB.")
    with tempfile.TemporaryDirectory(prefix="diamond_pricing_") as scratch:
        settings: dict[str, Any] = {"memory_limit": memory, "temp_directory": scratch}
        if threads is not None:
            settings["threads"] = threads
        with _in_words():
            engine = ibis.duckdb.connect(Path(scratch) / "scratch.duckdb", **settings)
            try:
                engine.raw_sql("SET preserve_insertion_order = false")
                yield Relation(_canonical(_read(engine, source)), own=True)
            finally:
                engine.disconnect()


@contextmanager
def _in_words() -> Iterator[None]:
    """What an engine raises while sales are counted, as one sentence."""
    try:
        yield
    except RuntimeError as error:
        if "interrupt" in str(error).casefold():  # DuckDB says so of Ctrl-C
            raise KeyboardInterrupt from error
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ENGINES.split():
            raise
        first = " ".join(str(error).split("\n", 1)[0].split())[:300]
        raise FitError(f"the sales could not be counted: {first}") from error


def _read(engine: Any, source: Any) -> Any:
    if isinstance(source, str | Path):
        name = str(source)
        plain = name.casefold().removesuffix(".gz").removesuffix(".zst")
        try:
            if plain.endswith((".parquet", ".pq")):
                return engine.read_parquet(name)
            if plain.endswith((".csv", ".tsv", ".txt")):
                # Words alone: a column in which every color is F is not one of booleans.
                return engine.read_csv(
                    name, auto_type_candidates=["BIGINT", "DOUBLE", "VARCHAR"]
                )
        except Exception as error:
            raise _unread(name, error) from error
        if Path(name).is_dir():
            raise FitError(f"{name} is a folder; name its files, as {name}/*.parquet.")
        raise FitError(f"{name} is neither Parquet nor CSV by its ending.")
    engine.con.register("given", _arrow(source))
    return engine.table("given")


def _arrow(source: Any) -> Any:
    """A data frame, or the answer of DuckDB, as an Arrow table or stream."""
    import pyarrow as pa

    if isinstance(source, pa.Table | pa.RecordBatchReader):
        return source
    for name in ("to_arrow_table", "to_arrow"):  # DuckDB's relations, Polars' frames
        if callable(found := getattr(source, name, None)):
            return found()
    try:
        return pa.Table.from_pandas(source, preserve_index=False)
    except (TypeError, AttributeError, pa.ArrowException) as error:
        raise FitError(
            "sales are read from a path, a data frame or an Ibis table; this "
            f"{type(source).__name__} is none or cannot be read."
        ) from error


def _unread(name: str, error: Exception) -> FitError:
    first = str(error).strip().partition("\n")[0]
    return FitError(f"{name} cannot be read: {first}")


def _canonical(given: Any) -> Any:
    """Our columns, from columns named and written as people do."""
    named: dict[str, str] = {}
    plain = [column for column in given.columns if column.strip().casefold() == PRICE]
    prices = plain or [c for c in given.columns if meaning(c) == PRICE]
    for column in given.columns:
        name = attribute_named(column) or (PRICE if column in prices else None)
        if name is None or name == LISTING.name:
            continue
        if name in named:
            raise FitError(
                f"columns {named[name]!r} and {column!r} both mean {name}; keep one."
            )
        named[name] = column
    for name in ("carat", "color", "clarity", PRICE):
        if name not in named:
            raise FitError(f"no column for {name}; there are {', '.join(given.columns)[:300]}.")
    made = {}
    for name in (*(m.name for m in MEASURES), PRICE):
        if name in named:
            column = given[named[name]]
            if not column.type().is_numeric():
                raise FitError(
                    f"column {named[name]!r} must hold numbers, not {column.type()}."
                )
            number = column.cast("float64")
            if column.type().is_float32():
                # 0.7 is stored as 0.69999999, which is below a weight that prices jump at.
                number = (number * 10_000 + 0.5).floor() / 10_000
            if column.type().is_floating():
                number = ibis.ifelse(number.isnan(), None, number)
            made[name] = number
    for grade in (*GRADES, *OTHERS):
        if isinstance(grade, Grade) and grade.name in named:
            codes = _graded(grade, given, named[grade.name])
            if codes is not None:
                made[grade.name] = codes
        elif isinstance(grade, Day) and grade.name in named:
            made |= _dated(grade, given, named[grade.name])
        elif isinstance(grade, Grade) and grade.ungraded:
            made[grade.name] = ibis.literal(grade.grades.index(grade.ungraded), "int16")
    table = given.select(**made)
    if "x" in made and "y" in made:
        known = table.x.notnull() & table.y.notnull()
        order = ibis.cases((table.x > table.y, 2), (table.x < table.y, 0), else_=1)
        listing = ibis.ifelse(known, order, -1)
    else:
        listing = ibis.literal(-1)
    return table.mutate(**{LISTING.name: listing.cast("int16")})


def _graded(grade: Grade, given: Any, column: str) -> Any:
    """Codes of a column of grades, −1 where there is none, −2 where it is not a grade.

    None for a column of a further grade in which most words are none of it: it says
    something else.
    """
    kind, texts = given[column].type(), given[column]
    if grade not in GRADES:
        texts = texts.cast("string")
    elif not kind.is_string():
        raise FitError(f"column {column!r} must hold words for {grade.name}, not {kind}.")
    words = _words(given, column, texts)
    if len(words) > MANY_TEXTS:
        raise FitError(
            f"column {column!r} holds over {MANY_TEXTS:,} words; it is no {grade.name}."
        )
    none = grade.grades.index(grade.ungraded) if grade.ungraded else -1
    branches = []
    rows: Counter[str] = Counter()
    for word in sorted(word for word in words if word is not None):
        found = grade.find(word)
        code = none if not grade.needed and blank(word) else -2
        rows["known" if found is not None else "strange" if code == -2 else ""] += words[word]
        branches.append((word, code if found is None else grade.grades.index(found)))
    if not branches:
        if grade.needed:
            raise FitError(f"column {column!r} holds no {grade.name}; there are no sales.")
        return ibis.literal(none, "int16")
    if grade not in GRADES and (rows["strange"] > rows["known"] or not rows["known"]):
        return None
    codes = texts.cases(*branches, else_=none)
    return ibis.ifelse(texts.isnull(), none, codes).cast("int16")


def tomorrow() -> int:
    """The last day that a sale may have; somewhere it is tomorrow already."""
    return date.today().toordinal() + 1


def month_column(name: str) -> str:
    """The column of the months of a date."""
    return f"{name} month"


def _dated(of: Day, given: Any, column: str) -> dict[str, Any]:
    """Days and months of a column of dates, 0 where a text is no date."""
    kind, dates = given[column].type(), given[column]
    unread = ibis.literal(False)
    if kind.is_string():
        texts = ibis.ifelse(dates.strip().lower().isin(sorted(BLANK)), None, dates.strip())
        whole = ibis.ifelse(texts.re_search(ISO_DATE), texts.substr(0, 10), None)
        dates = whole.try_cast("date")
        unread = texts.notnull() & dates.isnull()
    elif kind.is_timestamp():
        dates = dates.cast("date")
    elif not kind.is_date():
        raise FitError(
            f"column {column!r} must hold dates, or text such as 2026-11-23, not {kind}."
        )
    day, month = dates.epoch_days() + EPOCH, dates.year() * 12 + dates.month() - 1
    return {
        of.name: ibis.ifelse(unread, 0, day).cast("int32"),
        month_column(of.name): ibis.ifelse(unread, 0, month).cast("int32"),
    }


def _words(given: Any, column: str, texts: Any) -> dict[str | None, int]:
    """What is in a column and in how many rows; one more than `MANY_TEXTS` at most."""
    try:
        found = given.select(text=texts).group_by("text").aggregate(n=lambda t: t.count())
        counted = found.limit(MANY_TEXTS + 1).to_pyarrow()
    except Exception as error:
        raise _unread(f"column {column!r}", error) from error
    return dict(zip(*(counted[name].to_pylist() for name in ("text", "n")), strict=True))


def reasons(relation: Relation, needed: tuple[str, ...]) -> dict[str, Any]:
    """Why a sale cannot be used, as conditions in the order in which they count.

    ``needed`` are the measures besides the weight that the model reads.
    """
    t = relation.table
    sound, weight = t.price.notnull() & (t.price > 0) & (t.price < DEAREST), MEASURES[0]
    found = {
        "price is not a positive number": ~sound,
        "carat missing": t.carat.isnull(),
        "carat impossible": ~t.carat.between(weight.low, weight.high),
    }
    for name in ("cut", "color", "clarity"):
        found |= {f"{name} missing": t[name] == -1, f"{name} is not a grade": t[name] == -2}
    for name in relation.others:
        attribute = ATTRIBUTES[name]
        if isinstance(attribute, Day):
            off = ~t[name].between(int(attribute.low), int(attribute.high))
            found[f"{name} is not a date such as 2026-11-23"] = off.fill_null(False)
            found[f"{name} in the future"] = (t[name] > tomorrow()).fill_null(False)
        else:
            found[f"{name} is not a grade"] = t[name] == -2
    for name in needed:
        if name not in relation.measures:
            raise FitError(f"no column for {name}, which the founding model reads.")
    if needed:
        found["measurement missing"] = reduce(or_, (t[name].isnull() for name in needed))
        found["measurements contradict each other"] = _contradictions(relation, needed)
    return found


def _contradictions(relation: Relation, needed: tuple[str, ...]) -> Any:
    """The rules of `stones.checks` for stones whose needed measures are all there."""
    t = relation.table
    limits = ((m.name, m.low, m.high) for m in MEASURES)
    off = [~t[name].between(low, high) for name, low, high in limits if name in needed]

    def size(name: str) -> Any:
        return ibis.greatest(t[name], 1e-6)

    depth = t.depth if "depth" in relation.measures else None
    if depth is not None and "depth" not in needed:
        depth = depth.fill_null(TYPICAL_DEPTH)
    ratio = (TYPICAL_DEPTH if depth is None else depth) / 100
    expected = (t.carat / (CARATS_PER_MM3 * ratio)).ln() / 3
    for name in ("x", "y"):
        if name in needed:
            off.append((size(name).ln() - expected).abs() > DIAMETER_TOLERANCE)
    if {"x", "y", "z"} <= set(needed):
        height = (ratio * (size("x") + size("y")) / 2).ln()
        tolerance = HEIGHT_TOLERANCE if depth is not None else DIAMETER_TOLERANCE
        off.append((size("z").ln() - height).abs() > tolerance)
    found = reduce(or_, off)
    if SHAPE in relation.others:  # the rules are of round stones
        found = found & t[SHAPE].isin([-1, graded(SHAPE).grades.index(KINDS[SHAPE])])
    return found


def evaluated(text: str, table: Any) -> Any:
    """An expression over measures as a column of an engine."""
    operations = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "**": lambda a, b: a**b,
        "log": lambda a: a.ln(),
        "sqrt": lambda a: a.sqrt(),
        "exp": lambda a: a.exp(),
        "min": ibis.least,
        "max": ibis.greatest,
    }
    return walked(
        parse(text).text,
        lambda name: table[name],
        lambda number: ibis.literal(number, "float64"),
        operations,
    )


def hashed(t: Any) -> Any:
    """A number under 2³¹ − 1 that rows of one stone share, the same on every engine.

    What makes two rows one stone is what `diamond_pricing.stones.stone_keys` says.
    """
    nothing = ibis.literal(0.0, "float64")
    low, high = (
        -t[name].fill_null(0.0) if name in t.columns else nothing for name in ("depth", "table")
    )
    if {"x", "y"} <= set(t.columns):
        measured = t.x.notnull() & t.y.notnull()
        low = ibis.ifelse(measured, ibis.least(t.x, t.y), low)
        high = ibis.ifelse(measured, ibis.greatest(t.x, t.y), high)
    parts = [
        (t.carat * 1000 + 0.5).floor().cast("int64"),
        t.color.cast("int64"),
        t.clarity.cast("int64"),
        _hundredths(low),
        _hundredths(high),
    ]
    total = ibis.literal(12_345, "int64")
    for part, factor in zip(parts, FACTORS, strict=True):
        total = total + part * ibis.literal(factor, "int64")
    mixed = (total % PRIME + PRIME) % PRIME
    return (mixed * ibis.literal(TURN, "int64") + 11) % PRIME


def _hundredths(column: Any) -> Any:
    # Dimensions that cannot be are left out elsewhere; here they must only not overflow.
    kept = ibis.least(ibis.greatest(column, -1000.0), 1000.0)
    return (kept * 100 + 0.5).floor().cast("int64")


def fold_of(stone: Any, folds: int) -> Any:
    """Fold of each row from the number of its stone."""
    return ((stone * ibis.literal(TURN_AGAIN, "int64") + 7) % PRIME % folds).cast("int16")


def in_sample(stone: Any, share: float) -> Any:
    """Whether a stone is in a sample of about a share of them."""
    return stone < int(PRIME * share)
