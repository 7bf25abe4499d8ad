"""The view gives what Python gives, to the cent, in every engine that runs here."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from hypothesis import given, settings

from diamond_pricing import Stone, Stones
from diamond_pricing.cli import main
from diamond_pricing.errors import NotCompilableError, SourceError
from diamond_pricing.intake.judged import STATUS, code_of, judged
from diamond_pricing.stones import Coded
from diamond_pricing.warehouse.scoring import DIALECTS, sql
from tests.strategies import CLARITIES, COLORS, CUTS
from tests.strategies import stones as made
from tests.web.serving import postgres

GRADES = ["cut", "color", "clarity"]
MEASURES = ["carat", "depth", "table", "x", "y", "z"]
COLUMNS = ("id", "carat", *GRADES, "depth", "table", "x", "y", "z")
DDL = (
    "CREATE TABLE stones (id INTEGER, carat {d}, cut {t}, color {t}, clarity {t}, depth {d}, "
    '"table" {d}, x {d}, y {d}, z {d})'
)


def random_stones(model, count, seed):
    """Stones within the ranges, some without measures; weights at, below and above edges."""
    rng = np.random.default_rng(seed)
    low, high = model.training.ranges["carat"]
    axes = [axis for axis in model._tables.axes if axis.feature == "carat"]
    edges = np.array(sorted({edge for axis in axes for edge in axis.marks}))
    edges = edges[(edges >= low) & (edges <= high)]
    near = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 9), [low, high]])
    carat = np.where(
        rng.random(count) < 0.5,
        rng.choice(near, count),
        np.exp(rng.uniform(np.log(low), np.log(high), count)),
    )
    depth = np.clip(rng.normal(61.8, 2, count), 51, 78)
    size = np.cbrt(carat / (0.00613 * depth / 100))
    x, y = (size * np.exp(rng.normal(0, 0.03, count)) for _ in range(2))
    z = depth / 100 * (x + y) / 2 * np.exp(rng.normal(0, 0.015, count))
    frame = pd.DataFrame(
        {
            "carat": carat,
            "cut": rng.choice(CUTS, count),
            "color": rng.choice(COLORS, count),
            "clarity": rng.choice(CLARITIES, count),
            "depth": depth,
            "table": rng.uniform(50, 70, count),
            "x": x,
            "y": y,
            "z": z,
        }
    )
    for name in MEASURES[1:]:
        frame.loc[rng.random(count) < 0.15, name] = np.nan
    frame.loc[rng.random(count) < 0.2, MEASURES[1:]] = np.nan
    return frame


def odd_stones():
    """What cannot be priced, each in its way."""
    fine = {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}
    round_ = {"x": 6.45, "y": 6.47, "z": 3.99, "depth": 61.8}
    given_ = [
        {"carat": None},
        {"carat": 0.0},
        {"carat": 101.0},
        {"carat": 0.1},
        {"carat": 6.0},
        {"cut": "Splendid"},
        {"cut": None},
        {"color": "Z"},
        {"color": "K"},
        {"clarity": "FL"},
        {"clarity": "SI1-"},
        {"cut": " very good "},
        {"cut": "V.G."},
        {"clarity": "vs 2"},
        {"color": "d"},
        {"cut": "very-good"},
        {"clarity": "VVS-1"},
        {"depth": 20.0},
        {"depth": 0.0},
        {"depth": 48.0},
        {"depth": 81.0},
        {"table": 20.0},
        {"table": 99.0},
        {"x": 0.0},
        {**round_, "x": 0.0},
        {**round_, "y": -6.47},
        {**round_, "z": 0.0},
        {**round_, "z": 8.0},
        {**round_, "x": 9.0},
        {**round_, "depth": 70.0},
        {"z": 9.0},
        {"x": 8.0, "depth": 61.0},
        {"x": 6.4, "z": 5.0},
        {"x": 6.4, "z": -1.0},
        {**round_, "x": -6.45, "y": 6.45, "z": -3.99},
        {**round_, "x": -6.45, "z": -3.99},
        {"y": 2000.0},
        {"z": -1000.0},
        {"carat": 5.01},
        {"carat": 4.5, "color": "D", "clarity": "IF"},
        {"carat": 3.5, "color": "J", "clarity": "VVS1"},
        {"carat": 0.2},
        {},
    ]
    return pd.DataFrame([{**fine, **one} for one in given_])


@pytest.fixture(scope="module")
def many(sales, packaged):
    real = sales.iloc[:2500][["carat", *GRADES, *MEASURES[1:]]].astype(
        dict.fromkeys(GRADES, object)
    )
    frame = pd.concat([real, random_stones(packaged, 2500, 7), odd_stones()], ignore_index=True)
    frame["id"] = range(len(frame))
    return frame[list(COLUMNS)]


def expected(model, frame, level=0.9):
    columns = {n: frame[n].to_numpy(float) for n in MEASURES if n in frame}
    for name in GRADES:
        codes, texts = pd.factorize(frame[name])
        columns[name] = Coded([*texts, None], np.where(codes < 0, len(texts), codes))
    found = judged(model, columns, len(frame), level, "blend")
    rows = []
    for i, code in enumerate(found.status.tolist()):
        if code == 2:
            rows.append((STATUS[2], *[None] * (4 + len(model.lines)), code_of(found.errors[i])))
            continue
        ends = [None if e != e else round(e * 100) for e in (found.low[i], found.high[i])]
        lines = found.cents[i].tolist()
        rows.append((STATUS[code], sum(lines), *ends, *lines, None))
    return rows


def plain(frame):
    """Rows for a database."""
    return [
        tuple(None if v is None or v != v else v for v in row)
        for row in frame.astype(object).itertuples(index=False)
    ]


def query(model):
    ours = ["price", "low", "high", "reference", *model.lines]
    names = ", ".join(f"{name}_cents" for name in ours)
    return f"SELECT status, {names}, code FROM diamond_prices ORDER BY id"


def same(found, wanted):
    found = [tuple(row) for row in found]
    wrong = [(i, a, b) for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b]
    assert not wrong, f"{len(wrong)} differ: {wrong[:3]}"


def in_duckdb(script, frame):
    connection = duckdb.connect(config={"threads": 1})
    connection.register("given", frame)
    connection.execute("CREATE TABLE stones AS SELECT * FROM given")
    connection.execute(script)
    return connection


def test_the_stones_are_of_every_kind(packaged, many):
    rows = expected(packaged, many)
    assert {row[-1] for row in rows} >= {
        None,
        "impossible_value",
        "unknown_grade",
        "impossible_dimension",
        "grade_not_seen",
        "size_contradicts_weight",
        "height_contradicts_depth",
        "depth_contradicts_height",
        "weight_outside_range",
        "measure_outside_range",
        "cell_without_support",
    }
    assert {row[0] for row in rows} == set(STATUS)


def test_duckdb_gives_the_same_cents(packaged, many):
    connection = in_duckdb(sql(packaged, "duckdb", columns=COLUMNS), many)
    same(connection.execute(query(packaged)).fetchall(), expected(packaged, many))


def test_the_stones_of_another_engine_stay_as_they_are(packaged, many):
    connection = in_duckdb(sql(packaged, "duckdb", columns=COLUMNS), many)
    kept = connection.execute(
        f"SELECT {', '.join(COLUMNS[:1])} FROM diamond_prices ORDER BY id"
    ).fetchall()
    assert [row[0] for row in kept] == many["id"].tolist()


def test_sqlite_gives_the_same_cents(packaged, many):
    connection = sqlite3.connect(":memory:")
    connection.execute(DDL.format(d="REAL", t="TEXT"))
    connection.executemany(f"INSERT INTO stones VALUES ({','.join('?' * 10)})", plain(many))
    connection.executescript(sql(packaged, "sqlite", columns=COLUMNS))
    same(connection.execute(query(packaged)).fetchall(), expected(packaged, many))
    connection.close()


def test_postgresql_gives_the_same_cents(packaged, many):
    import psycopg

    folder = Path(tempfile.mkdtemp(prefix="dp-sql-"))
    with postgres(folder) as url:
        url = url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(DDL.format(d="DOUBLE PRECISION", t="TEXT"))
            with connection.cursor() as cursor:
                cursor.executemany(
                    f"INSERT INTO stones VALUES ({','.join(['%s'] * 10)})", plain(many)
                )
            connection.execute(sql(packaged, "postgres", columns=COLUMNS))
            same(connection.execute(query(packaged)).fetchall(), expected(packaged, many))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("spark")))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"
)
def test_spark_gives_the_same_cents(packaged, many, session):
    frame = many.iloc[-1042:].reset_index(drop=True)
    kinds = DDL.format(d="DOUBLE", t="STRING").split("(", 1)[1][:-1].replace('"', "`")
    session.createDataFrame(plain(frame), kinds).createOrReplaceTempView("given")
    session.sql("CREATE TABLE stones USING parquet AS SELECT * FROM given")
    for statement in sql(packaged, "spark", columns=COLUMNS).split(";\n"):
        if statement.strip():
            session.sql(statement)
    prices = session.sql(query(packaged))
    same(prices.collect(), expected(packaged, frame))
    planned = prices._jdf.queryExecution().executedPlan().toString()
    assert "BroadcastHashJoin" in planned
    assert "SortMergeJoin" not in planned
    assert "hashpartitioning" not in planned  # no stones are moved for a look-up


@pytest.mark.parametrize("family", ["loglinear", "gam"])
def test_other_families_give_the_same_cents(family, request, many):
    model = request.getfixturevalue(family)
    connection = in_duckdb(sql(model, "duckdb", columns=COLUMNS), many)
    same(connection.execute(query(model)).fetchall(), expected(model, many))


@pytest.mark.parametrize("left", [("carat", *GRADES), ("carat", *GRADES, "depth", "table")])
def test_a_table_may_lack_measures(packaged, many, left):
    frame = many[["id", *left]]
    connection = in_duckdb(sql(packaged, "duckdb", columns=("id", *left), level=0.5), frame)
    same(connection.execute(query(packaged)).fetchall(), expected(packaged, frame, 0.5))


def test_a_range_that_too_few_errors_were_measured_for_is_empty(packaged, many):
    connection = in_duckdb(sql(packaged, "duckdb", columns=COLUMNS, level=0.99), many)
    same(connection.execute(query(packaged)).fetchall(), expected(packaged, many, 0.99))
    empty = connection.execute(
        "SELECT count(*) FROM diamond_prices WHERE status <> 'refused' AND low_cents IS NULL"
    ).fetchone()
    assert 0 < empty[0] < len(many) / 2


@pytest.fixture(scope="module")
def view(packaged):
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(DDL.format(d="DOUBLE", t="VARCHAR"))
    connection.execute(sql(packaged, "duckdb", columns=COLUMNS))
    return connection


@given(stone=made())
@settings(max_examples=15)
def test_any_stone_costs_what_its_explanation_says(packaged, view, stone: Stone):
    view.execute("DELETE FROM stones")
    row = [0, *(getattr(stone, name) for name in COLUMNS[1:])]
    view.execute(f"INSERT INTO stones VALUES ({','.join('?' * 10)})", row)
    status, price, *rest = view.execute(query(packaged)).fetchone()
    batch = Stones.of([stone])
    if batch.left_out or not packaged.supports(batch).all():
        assert (status, price) == ("refused", None)
        return
    assert price == packaged.itemise(batch).sum()
    assert rest[2:-1] == packaged.itemise(batch)[0].tolist()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_parses(packaged, dialect):
    script = sql(packaged, dialect, columns=COLUMNS)
    start = script.rindex("CREATE VIEW")
    assert sqlglot.parse(script[start:], read=dialect)
    assert "ISNAN" not in script.upper() or dialect in (
        "duckdb",
        "clickhouse",
        "spark",
        "databricks",
    )


def test_what_cannot_be_written_is_told(packaged, surfaces):
    with pytest.raises(SourceError, match=r"choose duckdb, postgres"):
        sql(packaged, "access")
    with pytest.raises(SourceError, match="no column for color"):
        sql(packaged, "duckdb", columns=("carat", "cut", "clarity"))
    with pytest.raises(SourceError, match="letters"):
        sql(packaged, "duckdb", table="stones; DROP TABLE x")
    with pytest.raises(SourceError, match="column 'code' of its own"):
        sql(packaged, "duckdb", columns=("code", "carat", *GRADES))
    with pytest.raises(NotCompilableError, match="two numbers"):
        sql(surfaces, "duckdb")


def test_the_command_writes_a_script(tmp_path, capsys):
    out = tmp_path / "prices.sql"
    assert main(["export-sql", "--dialect", "sqlite", "--out", str(out)]) == 0
    assert "diamond_prices" in capsys.readouterr().out
    assert "CREATE VIEW diamond_prices" in out.read_text()
    assert main(["export-sql", "--dialect", "access", "--out", str(tmp_path / "no.sql")]) == 2
    assert not (tmp_path / "no.sql").exists()
