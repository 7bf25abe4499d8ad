"""What a fit and a price cost when there are many sales, beside others on the same rows.

    python scripts/benchmark_scale.py                        everything small enough for coffee
    python scripts/benchmark_scale.py --only fit --rows 5400000
    python scripts/benchmark_scale.py --only growth --rows 5400000 54000000 216000000
    python scripts/benchmark_scale.py --only chunks --rows 1000000000 --data /var/tmp/sales

Each contender runs in a process of its own, one after the other on the same file; printed are
wall and CPU seconds, and the peak of its memory. Only ratios within one run mean anything.
Needs the extras bench and spark; mgcv where Rscript has it.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PARTS = ("fit", "champion", "growth", "spark", "score", "sql", "chunks")
GRADED = ("cut", "color", "clarity")
CHUNK = 50_000_000  # sales of a file, where they are counted file by file
R = r"""
suppressMessages(library(mgcv))
a <- commandArgs(TRUE); n <- as.integer(a[2])
x <- matrix(readBin(a[1], "double", n * 7L), nrow = n)
d <- data.frame(lc = log(x[, 1]), depth = x[, 5], tab = x[, 6], cut = factor(x[, 2]),
                color = factor(x[, 3]), clarity = factor(x[, 4]), lp = log(x[, 7]))
for (w in c(.5, .7, .9, 1, 1.2, 1.5, 2, 3)) d[[paste0("m", 100 * w)]] <- as.numeric(x[, 1] >= w)
rm(x); invisible(gc())
f <- lp ~ cut + color + clarity + s(lc, k = 20, bs = "cr") +
  s(lc, by = color, k = 10, bs = "cr", m = 2) + s(lc, by = clarity, k = 10, bs = "cr", m = 2) +
  s(depth, k = 10, bs = "cr") + s(tab, k = 10, bs = "cr") +
  m50 + m70 + m90 + m100 + m120 + m150 + m200 + m300
t <- proc.time()
b <- bam(f, data = d, method = "fREML", discrete = TRUE, nthreads = 2)
u <- proc.time() - t
l <- grep("VmHWM", readLines("/proc/self/status"), value = TRUE)
cat(sprintf('{"wall": %f, "cpu": %f, "peak": %f, "p": %d, "sd": %f}\n', u[[3]], sum(u[1:2]),
            as.numeric(gsub("[^0-9]", "", l)) / 1024, length(coef(b)), sqrt(b$sig2)))
"""


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS[:-1]))
    parser.add_argument("--rows", type=int, nargs="+", default=[540_000, 5_400_000])
    parser.add_argument("--data", type=Path, help="Folder where made sales are kept.")
    parser.add_argument("--independent", action="store_true", help="The worst case of sales.")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        name, file = given.alone.split(":", 1)
        found = globals()[f"_{name}"](file)
        print(json.dumps(found | {"peak": _peak()}))
        return
    folder = given.data or Path(tempfile.mkdtemp(prefix="diamond_pricing_"))
    try:
        for part in given.only:
            globals()[f"_compare_{part}"](given.rows, folder, given.independent)
    finally:
        if given.data is None:
            shutil.rmtree(folder)


def _synthesised(*words: Any) -> None:
    script = [sys.executable, HERE / "synthetic_sales.py", *words]
    subprocess.run(script, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  ours


def _made(rows: int, folder: Path, independent: bool) -> Path:
    file = folder / f"{'independent' if independent else 'sales'}-{rows}.parquet"
    if not file.exists():
        _synthesised(str(rows), file, *(["--independent"] if independent else []))
    return file


def _alone(name: str, file: Path | str) -> dict[str, Any]:
    """Run one contender in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(  # noqa: S603  this very script
        [sys.executable, __file__, "--alone", f"{name}:{file}"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def _told(name: str, rows: int, found: dict[str, Any], more: str = "") -> None:
    print(
        f"  {name:<34} {rows:>13,}  {found['wall']:8.2f} s  CPU {found['cpu']:8.2f} s  "
        f"{found['peak']:7,.0f} MB  {more}",
        flush=True,
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _Clock:
    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.perf_counter() - self.wall, "cpu": time.process_time() - self.cpu}


# ------------------------------------------------------------------ p ≈ 200 against mgcv


def _compare_fit(rows: list[int], folder: Path, independent: bool) -> None:
    print("A model of about 200 columns, from Parquet to the fit, beside mgcv's bam(discrete)")
    for n in rows:
        file = _made(n, folder, independent)
        ours = _alone("ours", file)
        _told("ours", n, ours, f"p {ours['p']}, sd {ours['sd']:.5f}")
        if (mgcv := _mgcv(file, n)) is not None:
            size = f"p {mgcv['p']}, sd {mgcv['sd']:.5f}"
            _told("mgcv bam(discrete=TRUE), 2 threads", n, mgcv, size)
            cpu, wall, peak = (ours[key] / mgcv[key] for key in ("cpu", "wall", "peak"))
            print(f"    ours / mgcv: CPU {cpu:.3f}, wall {wall:.3f}, memory {peak:.3f}")


def _mgcv(file: Path, n: int) -> dict[str, Any] | None:
    import numpy as np
    import pyarrow.parquet as pq

    from diamond_pricing.stones import ATTRIBUTES

    rscript = shutil.which("Rscript")
    if rscript is None:
        print("    no Rscript here")
        return None
    table = pq.read_table(file)
    columns = []
    for name in ("carat", *GRADED, "depth", "table", "price"):
        if name in GRADED:
            column = table[name].combine_chunks()
            grades = ATTRIBUTES[name].grades
            texts = column.dictionary.to_pylist()
            columns.append(np.array([grades.index(t) for t in texts], float)[column.indices])
        else:
            columns.append(table[name].to_numpy().astype(float))
    with tempfile.TemporaryDirectory() as scratch:
        raw, script = Path(scratch) / "rows.bin", Path(scratch) / "bam.R"
        np.concatenate(columns).tofile(raw)
        del columns, table
        script.write_text(R)
        run = subprocess.run(  # noqa: S603  this file, by R
            [rscript, script, raw, str(n)],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    if run.returncode:
        print(f"    mgcv: {run.stderr.strip()[-200:]}")
        return None
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def _terms() -> Any:
    import numpy as np

    from diamond_pricing.terms import Levels, Spline, Steps, Term

    def curve(text: str, low: float, high: float, k: int) -> Spline:
        step = (high - low) / (k - 3)
        return Spline(text, tuple((low + step * np.arange(-3, k + 1)).tolist()))

    low, high = float(np.log(0.2)), float(np.log(5.02))
    cut = Levels("cut", ("Fair", "Good", "Very Good", "Premium", "Ideal"))
    color = Levels("color", tuple("JIHGFED"))
    clarity = Levels("clarity", ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"))
    fine, coarse = (curve("log(carat)", low, high, k) for k in (20, 10))
    return (
        Term(),
        Term((cut,)),
        Term((color,)),
        Term((clarity,)),
        Term((fine,)),
        Term((Steps((0.5, 0.7, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)),)),
        Term((coarse, color)),
        Term((coarse, clarity)),
        Term((curve("depth", 50.0, 79.0, 10),)),
        Term((curve("table", 43.0, 95.0, 10),)),
    )


def _ours(file: str) -> dict[str, Any]:
    import ibis

    from diamond_pricing import Stones, load_sales
    from diamond_pricing.fitting.atscale import Frame, solved
    from diamond_pricing.warehouse import sums

    frame = Frame.of(_terms(), Stones.from_frame(load_sales()))
    ibis.duckdb.connect()  # mgcv is loaded before its clock starts, too
    clock = _Clock()
    design, fit, _, _ = solved(sums(file, frame))
    return clock.read() | {"p": design.p, "sd": fit.residual_variance**0.5}


# ----------------------------------------------------------------------- the default model


def _frame() -> Any:
    """The frame of a founding model, fitted once and kept beside the sales."""
    from diamond_pricing import PriceModel, Stones, load_sales
    from diamond_pricing.fitting.atscale import Frame
    from diamond_pricing.fitting.monotone import fit_unpaired

    kept = Path(tempfile.gettempdir()) / "diamond_pricing_founding.json"
    if not kept.exists():
        kept.write_text(fit_unpaired(load_sales()).to_json())
    model = PriceModel.from_json(kept.read_text())
    return Frame.of(model.terms, Stones.from_frame(load_sales()), model)


def _champion(file: str) -> dict[str, Any]:
    from diamond_pricing.fitting.atscale import fit_moments
    from diamond_pricing.warehouse import sums

    frame = _frame()
    clock = _Clock()
    moments = sums(file, frame)
    counted = clock.read()
    fit_moments(moments)
    return clock.read() | {"counted": counted["wall"], "p": frame.p}


def _scan(file: str) -> dict[str, Any]:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET memory_limit = '1GB'")
    clock = _Clock()
    connection.execute(
        "SELECT sum(carat), count(DISTINCT cut), count(DISTINCT color), "
        'count(DISTINCT clarity), sum(depth), sum("table"), sum(x), sum(y), sum(z), '
        "sum(price) FROM read_parquet(?)",
        [file],
    ).fetchall()
    return clock.read()


def _compare_champion(rows: list[int], folder: Path, independent: bool) -> None:
    print("The default model, from Parquet to the document, beside a scan of its columns")
    for n in rows:
        file = _made(n, folder, independent)
        _alone("scan", file)
        scan, fit = _alone("scan", file), _alone("champion", file)
        _told("DuckDB scans the columns", n, scan)
        _told("fit", n, fit, f"p {fit['p']}; of it counted in {fit['counted']:.1f} s")
        print(
            f"    fit / scan: wall {fit['wall'] / scan['wall']:.1f}, counting alone "
            f"{fit['counted'] / scan['wall']:.1f}"
        )


def _compare_growth(rows: list[int], folder: Path, independent: bool) -> None:
    import numpy as np

    print("Growth of the time to count for the default model")
    times = []
    for n in rows:
        found = _alone("duckdb", _made(n, folder, independent))
        _told("counted", n, found)
        times.append((n, found["wall"], found["cpu"]))
    for a, b in pairwise(times):
        size = np.log(b[0] / a[0])
        print(
            f"    {a[0]:,} to {b[0]:,}: exponent {np.log(b[1] / a[1]) / size:.2f} of wall, "
            f"{np.log(b[2] / a[2]) / size:.2f} of CPU time"
        )
    if len(times) > 1:
        slope = (times[-1][1] - times[-2][1]) / (times[-1][0] - times[-2][0])
        total = times[-1][1] + slope * (1e9 - times[-1][0])
        print(f"    a billion sales at that slope: {total / 60:.0f} minutes")


# -------------------------------------------------------------------------- Spark, DuckDB


def _duckdb(file: str) -> dict[str, Any]:
    from diamond_pricing.warehouse import sums

    frame = _frame()
    clock = _Clock()
    sums(file, frame)
    return clock.read()


def _spark(file: str) -> dict[str, Any]:
    import ibis
    import ibis.backends.pyspark
    from pyspark.sql import SparkSession

    from diamond_pricing.warehouse import sums

    frame = _frame()
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    table = ibis.pyspark.connect(session).read_parquet(file)
    table.count().to_pyarrow()  # the JVM is up
    clock = _Clock()
    sums(table, frame)
    return clock.read()


def _compare_spark(rows: list[int], folder: Path, independent: bool) -> None:
    print("The same expressions on Spark local[2] and on DuckDB (CPU of the JVM not counted)")
    for n in rows:
        file = _made(n, folder, independent)
        here, there = _alone("duckdb", file), _alone("spark", file)
        _told("DuckDB", n, here)
        _told("Spark, JVM up", n, there)
        print(f"    Spark / DuckDB: wall {there['wall'] / here['wall']:.1f}")


def _compare_chunks(rows: list[int], folder: Path, independent: bool) -> None:
    """Sales that would not fit on the disk at once; what was broken off goes on."""
    command = Path(sys.executable).with_name("diamond-pricing")
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}

    def timed(*words: Any) -> dict[str, float]:
        before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([command, *words], check=True, env=environment)  # noqa: S603  ours
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"wall": time.monotonic() - clock, "cpu": cpu, "peak": after.ru_maxrss / 1024}

    for n in rows:
        kept = folder / f"chunks-{n}"
        kept.mkdir(parents=True, exist_ok=True)
        for k, start in enumerate(range(0, n, CHUNK)):
            done, file = kept / f"sales-{k:03}.json", kept / f"sales-{k:03}.parquet"
            if not done.exists():
                _synthesised(str(min(CHUNK, n - start)), file, f"--seed={k}")
                like = ("--like", kept / "sums" / "sales-000.sums") if k else ()
                spent = timed("tally", "--data", file, *like, "--each", kept / "sums")
                done.write_text(json.dumps(spent))
                file.unlink()
        parts = [json.loads(f.read_text()) for f in sorted(kept.glob("sales-*.json"))]
        fit = timed("fit", "--sums", kept / "sums", "--out", kept / "model.json")
        whole = {key: sum(part[key] for part in parts) for key in ("wall", "cpu")}
        peak = {"peak": max(part["peak"] for part in parts)}
        _told(f"counted in {len(parts)} files", n, whole | peak)
        _told("to the document", n, fit)


# -------------------------------------------------------------------------------- scoring


def _attributes() -> Any:
    import numpy as np

    from diamond_pricing import Stones, load_sales

    sales = load_sales()
    stones = Stones.from_frame(sales)
    names = ("carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z")
    whole = np.all([stones.known(name) for name in names], axis=0)
    X = np.column_stack([stones[name][whole] for name in names]).astype(float)
    return stones.take(whole), X, np.log(sales["price"].to_numpy(float)[whole])


def _rate(call: Any, n: int, seconds: float = 3.0) -> dict[str, Any]:
    """Rows a CPU second, the best of several runs."""
    call()
    best, clock = 0.0, _Clock()
    while clock.read()["wall"] < seconds:
        one = _Clock()
        call()
        best = max(best, n / one.read()["cpu"])
    return clock.read() | {"rate": best}


def _score(file: str) -> dict[str, Any]:
    from diamond_pricing import packaged_model

    model, stones = packaged_model(), _attributes()[0]
    stones = stones.take(model.supports(stones))
    effects = _rate(lambda: model.contributions(stones), len(stones))
    cents = _rate(lambda: model.appraise(stones), len(stones))
    return effects | {"cents": cents["rate"]}


def _ebm(file: str) -> dict[str, Any]:
    from interpret.glassbox import ExplainableBoostingRegressor

    _, X, y = _attributes()
    model = ExplainableBoostingRegressor(n_jobs=1, outer_bags=2, random_state=0).fit(X, y)
    return _rate(lambda: model.eval_terms(X), len(X))


def _lightgbm(file: str) -> dict[str, Any]:
    from lightgbm import LGBMRegressor

    _, X, y = _attributes()
    model = LGBMRegressor(n_estimators=500, n_jobs=1, verbose=-1).fit(X, y)
    return _rate(lambda: model.predict(X[:2000], pred_contrib=True, num_threads=1), 2000)


def _compare_score(rows: list[int], folder: Path, independent: bool) -> None:
    print("Prices with every line, stones a CPU second, all nine attributes known")
    ours, ebm, boosted = (_alone(name, "-") for name in ("score", "ebm", "lightgbm"))
    print(f"  log effects of every line          {ours['rate']:13,.0f}")
    print(f"  the same in cents, with the range  {ours['cents']:13,.0f}")
    print(f"  EBM eval_terms                     {ebm['rate']:13,.0f}")
    print(f"  LightGBM, 500 trees, pred_contrib  {boosted['rate']:13,.0f}")
    print(
        f"    ours / EBM {ours['rate'] / ebm['rate']:.1f}, ours / LightGBM "
        f"{ours['rate'] / boosted['rate']:,.0f}; in cents {ours['cents'] / ebm['rate']:.1f} "
        f"and {ours['cents'] / boosted['rate']:,.0f}"
    )


def _sql(file: str) -> dict[str, Any]:
    import duckdb

    from diamond_pricing import packaged_model
    from diamond_pricing.warehouse.scoring import sql

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute(
        "CREATE TABLE stones AS SELECT * FROM read_parquet(?) LIMIT 1000000", [file]
    )
    connection.execute(sql(packaged_model(), "duckdb"))
    names = [row[0] for row in connection.execute("DESCRIBE diamond_prices").fetchall()]
    every = ", ".join(f'count("{name}")' for name in names)
    n = connection.execute("SELECT count(*) FROM stones").fetchone()
    assert n is not None
    return _rate(
        lambda: connection.execute(f"SELECT {every} FROM diamond_prices").fetchall(),  # noqa: S608  our names
        n[0],
        15.0,
    )


def _compare_sql(rows: list[int], folder: Path, independent: bool) -> None:
    print("The view in DuckDB, one thread, every column")
    found = _alone("sql", _made(min(max(rows), 1_000_000), folder, independent))
    print(f"  {found['rate']:,.0f} stones a CPU second")


if __name__ == "__main__":
    main()
