"""Speed of ours and of its peers, side by side in one run.

python scripts/benchmark_speed.py [--only fit] [--quick] [--json FILE]

Every measurement has a process of its own and one thread; those of a section take turns, so
that a busy spell of the machine hits all of them; the median of the repeats is told. Imports,
start-up and the reading of files are left out of all times. CPU seconds are those of the
process and its children.

bam needs ``Rscript`` with mgcv; the BLAS it is linked with is told. The other peers are
pygam, interpret-core and lightgbm. What cannot be measured is said and passed over; the
exit status is then 1.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

import click

# Nothing else is imported up here: a process loads only what it measures.

Figures = dict[str, Any]

THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "LOKY")
EVERY = 11  # of the catalog's rows, for the small fit: about 4,900 sales
PATIENCE = 20.0  # seconds after which no more stones are explained
FORBIDDEN = ("scipy", "pandas", "statsmodels", "pygam", "patsy", "matplotlib", "sklearn")

WEIGHT = "log(carat)"
TERMS = (  # p = 205 with the intercept
    ((WEIGHT, 40),),
    ((WEIGHT, 10), "color"),
    ("cut",),
    ("color",),
    ("clarity",),
    ("cut", "color"),
    ("color", "clarity"),
    ("cut", "clarity"),
)
CURVES = 's(w, bs="ps", k=40) + s(w, by=by, bs="ps", k=10)'
FORMULAS = {
    "plain": f"y ~ {CURVES} + cut * color + color * clarity + cut * clarity",
    "penalised": f'y ~ {CURVES} + cut + color + clarity + s(cut, color, bs="re")'
    ' + s(color, clarity, bs="re") + s(cut, clarity, bs="re")',
}
BAM = """
suppressMessages(library(mgcv))
given <- commandArgs(trailingOnly = TRUE)
d <- read.csv(given[1], stringsAsFactors = TRUE)
d$by <- ordered(d$color)  # mgcv then gives a curve to every level but the first
f <- as.formula(given[2])
start <- proc.time()
m <- bam(f, data = d, discrete = TRUE, method = "fREML", nthreads = 1)
t <- (proc.time() - start)[1:3]
cat(sprintf("%.6f %.6f %.6f %d %d %.6f %.6f %s", t[1], t[2], t[3], length(coef(m)),
            length(m$sp), sum(m$edf), sqrt(m$sig2), basename(extSoftVersion()["BLAS"])))
"""

# ------------------------------------------------------------------------ measuring


def cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


@contextmanager
def timed(figures: Figures, name: str = "") -> Iterator[None]:
    """Write CPU and wall seconds of a block to ``figures``."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    yield
    figures[f"{name}cpu"] = cpu_seconds() - cpu
    figures[f"{name}wall"] = time.perf_counter() - wall


def peak() -> float:
    """Largest memory so far of this process or of a child, MB."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    kilo = 1 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(who).ru_maxrss for who in both) * kilo / 1e6


@dataclass(frozen=True, slots=True)
class Bench:
    """How to run the tasks of this script."""

    work: Path  # directory for what is passed from task to task
    repeats: int
    quick: bool  # whether to measure on less; the figures are then rough

    @property
    def model(self) -> Path:
        """The model document that is explained with; made when first asked for."""
        file = self.work / "model.json"
        if not file.exists():
            made = self.run("model", file=str(file))
            if "failed" in made:
                raise click.ClickException(f"no model to explain with: {made['failed']}")
            (self.work / "model.txt").write_text(f"{made['which']}: {made['says']}")
            click.echo(f"The model below is the {made['which']}: {made['says']}.\n")
        return file

    def run(self, task: str, **given: Any) -> Figures:
        """Run one task in a process of its own."""
        env = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in THREADS}}
        asked = json.dumps({"task": task, **given})
        done = subprocess.run(  # noqa: S603 this very script
            [sys.executable, __file__, "--task", asked],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return {"failed": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
        figures: Figures = json.loads(done.stdout.splitlines()[-1])
        return figures

    def medians(self, tasks: dict[str, Figures]) -> dict[str, Figures]:
        """Run the tasks in turn, again and again; the median of each figure."""
        runs: dict[str, list[Figures]] = {name: [] for name in tasks}
        for _ in range(self.repeats):
            for name, given in tasks.items():
                runs[name].append(self.run(**given))
        return {name: {**middle(found), "runs": found} for name, found in runs.items()}


def middle(runs: Sequence[Figures]) -> Figures:
    """Median of each number; of what is no number, the first."""
    broken = [run for run in runs if "failed" in run]
    if broken:
        return broken[0]
    return {
        key: median(run[key] for run in runs) if isinstance(value, int | float) else value
        for key, value in runs[0].items()
    }


# ---------------------------------------------------------------------------- tasks


def task_csv(file: str) -> Figures:
    """Write the catalog for R."""
    import numpy as np

    from diamond_pricing import load_sales

    sales = load_sales().assign(y=lambda d: np.log(d.price), w=lambda d: np.log(d.carat))
    sales[["y", "w", "cut", "color", "clarity"]].to_csv(file, index=False)
    return {}


def task_model(file: str) -> Figures:
    """Write the packaged model, or one fitted here when that cannot be read."""
    from diamond_pricing import load_sales, packaged_model
    from diamond_pricing.errors import DocumentError
    from diamond_pricing.fitting import fit

    which = "packaged one"
    try:
        model = packaged_model()
    except (DocumentError, FileNotFoundError):
        which = "small one, fitted here, as the packaged one cannot be read"
        model = fit(load_sales().iloc[::EVERY])
    Path(file).write_text(model.to_json(), encoding="utf-8", newline="\n")
    return {"which": which, "says": str(model)}


def task_engine() -> Figures:
    """Fit by our engine, from the data frame to the coefficients."""
    import numpy as np

    from diamond_pricing import load_sales
    from diamond_pricing.fitting import read_sales
    from diamond_pricing.fitting.compile import averages_of
    from diamond_pricing.fitting.engine.smoothing import smooth
    from diamond_pricing.fitting.engine.tables import Tables
    from diamond_pricing.fitting.structure import laid_out

    frame, figures = load_sales(), {}
    with timed(figures):
        with timed(figures, "reading "):
            sales = read_sales(frame)
        laid = laid_out(TERMS, sales.stones, averages_of(sales.stones))
        sums = Tables(laid.design, laid.axes, laid.codes).gram(np.log(sales.price))
        fit = smooth(sums, laid.design.penalties)
    found = {"p": laid.design.p, "lambdas": len(fit.smoothing), "edf": float(fit.edf.sum())}
    sd = float(np.sqrt(fit.residual_variance))
    return {**figures, **found, "sd": sd, "peak": peak()}


def task_bam(file: str, formula: str) -> Figures:
    """Fit by mgcv::bam, timed inside R."""
    done = subprocess.run(  # noqa: S603  a file and formulas of ours
        ["Rscript", "-e", BAM, file, FORMULAS[formula]],  # noqa: S607 wherever R is
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(" ".join(done.stderr.split()))
    user, system, wall, p, lambdas, edf, sd, blas = done.stdout.split()
    return {
        "cpu": float(user) + float(system),
        "wall": float(wall),
        "p": int(p),
        "lambdas": int(lambdas),
        "edf": float(edf),
        "sd": float(sd),
        "blas": blas,
        "peak": peak(),
    }


def task_pygam() -> Figures:
    """Fit by pyGAM at its default λ: nothing is searched."""
    import numpy as np
    from pygam import LinearGAM, f, s

    from diamond_pricing import load_sales

    sales = load_sales()
    cut, color, clarity = (sales[g].cat.codes.to_numpy() for g in ("cut", "color", "clarity"))

    def cross(a: Any, b: Any) -> Any:
        """Cells of two grades, all those with a lowest grade in one: the mains tell them."""
        return np.where((a > 0) & (b > 0), (a - 1) * b.max() + b, 0)

    crossed = [cross(cut, color), cross(color, clarity), cross(cut, clarity)]
    factors = [cut, color, clarity, *crossed]
    colors = range(1, color.max() + 1)
    X = np.column_stack([np.log(sales.carat), *factors, *(color == k for k in colors)])
    terms = s(0, n_splines=40)
    for k in colors:
        terms += s(0, n_splines=10, by=len(factors) + k)
    for j in range(len(factors)):
        terms += f(1 + j)
    y, figures = np.log(sales.price.to_numpy()), {}
    with timed(figures):
        gam = LinearGAM(terms).fit(X.astype(float), y)
    found = {"p": len(gam.coef_), "lambdas": 0, "edf": float(gam.statistics_["edof"])}
    return {**figures, **found, "sd": float(gam.statistics_["scale"]), "peak": peak()}


def task_champion(every: int) -> Figures:
    """Fit the default family to every so manieth row of the catalog."""
    from diamond_pricing import load_sales
    from diamond_pricing.fitting import fit

    sales, figures = load_sales().iloc[::every], {}
    with timed(figures):
        model = fit(sales)
    return {**figures, "rows": len(sales), "says": str(model), "peak": peak()}


def stones(measured: bool) -> Iterator[Any]:
    """Different stones without end, of 0.30 to 2.00 carats and all grades but the worst cut."""
    from diamond_pricing import Stone
    from diamond_pricing.stones import ATTRIBUTES
    from diamond_pricing.stones.checks import expected_diameter

    cuts, colors = ("Good", "Very Good", "Premium", "Ideal"), ATTRIBUTES["color"].grades[-7:]
    for i in count():
        carat, depth = 0.30 + (i * 37 % 171) / 100, 61.0 + (i % 15) / 10
        measures = {}
        if measured:
            across = float(expected_diameter(carat, depth))
            x, y = round(across * 0.997, 2), round(across * 1.003, 2)
            z = round(depth * (x + y) / 200, 2)
            measures = {"depth": depth, "table": 55.0 + i % 5, "x": x, "y": y, "z": z}
        yield Stone(
            carat=round(carat, 2),
            cut=cuts[i % len(cuts)],
            color=colors[i % len(colors)],
            clarity=("SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1")[i % 6],
            **measures,
        )


def task_explain(file: str, measured: bool, calls: int) -> Figures:
    """Explain stones one by one; microseconds until the lines, and until all is read."""
    from diamond_pricing import PriceModel, Stones

    model = PriceModel.from_json(Path(file).read_bytes())
    given = (one for one in stones(measured) if model.supports(Stones.of([one]))[0])
    for stone in islice(given, 20):  # whatever is made once has been made
        read(model.explain(stone))
    lines, everything = [], []
    lot = list(islice(given, calls))
    started, cpu = time.perf_counter(), cpu_seconds()
    # One loop after the other: the covariance would drive what lines need from the cache.
    for stone in lot:
        start = time.perf_counter_ns()
        told = model.explain(stone)
        _ = told.cents
        for line in told.lines:
            _ = line.cents, line.factor, line.label
        lines.append((time.perf_counter_ns() - start) / 1e3)
    spent = (cpu_seconds() - cpu) / len(lines) * 1e6
    for stone in lot:
        start = time.perf_counter_ns()
        for line in model.explain(stone).lines:
            _ = line.note, line.standard_error
        everything.append((time.perf_counter_ns() - start) / 1e3)
        if time.perf_counter() - started > PATIENCE:
            break
    return {
        "price and lines": median(lines),
        "with notes and ranges": median(everything),
        "calls": len(lines),
        "cpu": spent,
    }


def read(told: Any) -> None:
    """Touch all that an explanation says."""
    _ = told.cents
    for line in told.lines:
        _ = line.cents, line.factor, line.label, line.note, line.standard_error


def rates(n: int, repeats: int, **calls: Callable[[], Any]) -> Figures:
    """Stones per CPU second of each call, which does n of them; the median of repeats."""
    found = {}
    for name, call in calls.items():
        runs: list[Figures] = [{} for _ in range(repeats)]
        for run in runs:
            with timed(run):
                call()
        found[name] = n / median(run["cpu"] for run in runs)
    return {**found, "stones": n, "peak": peak()}


def task_batch_ours(file: str, n: int, repeats: int) -> Figures:
    """All lines for n stones of the catalog, drawn with replacement."""
    import numpy as np

    from diamond_pricing import PriceModel, Stones, load_sales

    model = PriceModel.from_json(Path(file).read_bytes())
    catalog = Stones.from_frame(load_sales())
    catalog = catalog.take(model.supports(catalog))
    many = catalog.take(np.random.default_rng(0).integers(len(catalog), size=n))
    return rates(
        n,
        repeats,
        contributions=lambda: model.contributions(many),
        itemise=lambda: model.itemise(many),
    )


def peers_data(rows: int, n: int) -> tuple[Any, Any, Any]:
    """Features and log prices of some rows to fit to, and n rows to explain."""
    import numpy as np
    from black_boxes import features

    from diamond_pricing import load_sales
    from diamond_pricing.fitting import read_sales

    sales = read_sales(load_sales())
    X, y = features(sales.stones, hidden=False, derived=True), np.log(sales.price)
    rng = np.random.default_rng(0)
    fitted = rng.permutation(len(y))[:rows]
    return X[fitted], y[fitted], X[rng.integers(len(y), size=n)]


def task_batch_ebm(rows: int, n: int, repeats: int) -> Figures:
    """Terms of an explainable boosting machine with 15 pairs."""
    from interpret.glassbox import ExplainableBoostingRegressor

    X, y, many = peers_data(rows, n)
    ebm = ExplainableBoostingRegressor(
        interactions=15,
        outer_bags=2,
        n_jobs=1,
        random_state=0,
        feature_types=["continuous"] * X.shape[1],
    ).fit(X, y)
    figures = rates(n, repeats, rate=lambda: ebm.eval_terms(many))
    return {**figures, "terms": len(ebm.term_names_)}


def boosted(X: Any, y: Any) -> Any:
    """1,000 trees of 31 leaves."""
    from lightgbm import LGBMRegressor

    return LGBMRegressor(n_estimators=1000, num_leaves=31, n_jobs=1, verbose=-1).fit(X, y)


def task_batch_lightgbm(rows: int, n: int, repeats: int) -> Figures:
    """Shapley values of 1,000 trees of 31 leaves, on few stones."""
    X, y, many = peers_data(rows, n)
    trees = boosted(X, y)
    return rates(n, repeats, rate=lambda: trees.predict(many, pred_contrib=True))


def task_batch_woodelf(rows: int, n: int, repeats: int) -> Figures:
    """Exact Shapley values of the same trees against one reference stone, as ours are.

    ``woodelf-explainer`` states no licence, so that no extra brings it: install it by hand.
    """
    import pandas as pd
    from woodelf import WoodelfExplainer

    X, y, many = peers_data(rows, n)
    explainer = WoodelfExplainer(boosted(X, y), pd.DataFrame(X[:1]).rename(columns=str))
    frame = pd.DataFrame(many).rename(columns=str)
    return rates(n, repeats, rate=lambda: explainer.shap_values(frame, verbose=False))


def task_document(file: str) -> Figures:
    """Size of the document, and milliseconds to read it."""
    from diamond_pricing import PriceModel

    data, took, cpu = Path(file).read_bytes(), [], cpu_seconds()
    for _ in range(20):
        start = time.perf_counter()
        PriceModel.from_json(data)
        took.append((time.perf_counter() - start) * 1e3)
    used = (cpu_seconds() - cpu) / len(took) * 1e3
    return {"bytes": len(data), "from_json ms": median(took), "cpu ms": used}


def task_fresh(file: str) -> Figures:
    """Load and explain, and say which forbidden packages that imported."""
    figures: Figures = {}
    with timed(figures):
        from diamond_pricing import PriceModel

        model = PriceModel.from_json(Path(file).read_bytes())
        read(model.explain(next(stones(measured=True))))
    figures["imports"] = [name for name in FORBIDDEN if name in sys.modules]
    return {**figures, "peak": peak()}


# ------------------------------------------------------------------------- sections


@dataclass(slots=True)
class Section:
    """What a section found and prints."""

    figures: dict[str, Figures]
    rows: list[tuple[str, ...]]  # the table, its head first
    ratios: list[Figures] = field(default_factory=list)  # name, value, what is asked of it
    remarks: list[str] = field(default_factory=list)

    def ratio(self, name: str, a: Any, b: Any, target: float, aim: float) -> None:
        """Note a/b, unless one was not measured. An aim above 1 is to be exceeded."""
        if a is None or b is None:
            return
        value = a / b
        met = [value >= asked if aim > 1 else value <= asked for asked in (target, aim)]
        verdict = "aim met" if met[1] else "target met" if met[0] else "MISSED"
        asked = {"target": target, "aim": aim, "verdict": verdict}
        self.ratios.append({"name": name, "value": value, **asked})


def cells(figures: Figures, **formats: str) -> tuple[str, ...]:
    """Figures as text; one row of a table."""
    if "failed" in figures:
        return (f"not measured: {figures['failed'][:70]}",)
    return tuple(form.format(figures[key]) for key, form in formats.items())


def tabled(found: dict[str, Figures], head: tuple[str, ...], form: dict[str, str]) -> Section:
    """A section with one row of figures for each name."""
    return Section(found, [head, *((k, *cells(v, **form)) for k, v in found.items())])


def section_fit(bench: Bench) -> Section:
    """The same additive model by three engines."""
    csv = str(bench.work / "sales.csv")
    bench.run("csv", file=csv)
    tasks: dict[str, Figures] = {
        "ours": {"task": "engine"},
        "bam": {"task": "bam", "file": csv, "formula": "plain"},
        "bam, interactions penalised": {"task": "bam", "file": csv, "formula": "penalised"},
        "pyGAM, one λ": {"task": "pygam"},
    }
    found = bench.medians(tasks)
    form = dict.fromkeys(("cpu", "wall"), "{:.3f}")
    form |= dict.fromkeys(("peak", "p", "lambdas"), "{:.0f}")
    form |= {"edf": "{:.1f}", "sd": "{:.5f}"}
    head = ("", "CPU s", "wall s", "peak MB", "p", "λ chosen", "edf", "residual SD")
    section = tabled(found, head, form)
    ours = found["ours"]
    for name, target, aim in zip(found, (0, 0.5, 0.5, 0.1), (0, 0.2, 0.2, 0.03), strict=True):
        if target:
            a, b = ours.get("cpu"), found[name].get("cpu")
            section.ratio(f"CPU, ours / {name}", a, b, target, aim)
    if "failed" not in ours:
        ours["checked cpu"] = ours["cpu"] - ours["reading cpu"]
        section.remarks.append(
            f"ours: {ours['reading cpu']:.3f} CPU s of it read and check the data frame; "
            f"{ours['checked cpu']:.3f} from checked sales to the coefficients."
        )
    if "blas" in found["bam"]:
        section.remarks.append(f"BLAS of R: {found['bam']['blas']}.")
    return section


def section_champion(bench: Bench) -> Section:
    """The default family, all that `fit` does."""
    tasks = {} if bench.quick else {"whole catalog": {"task": "champion", "every": 1}}
    tasks[f"every {EVERY}th row"] = {"task": "champion", "every": EVERY}
    found = bench.medians(tasks)
    form = {"rows": "{:,.0f}", "wall": "{:.1f}", "cpu": "{:.1f}", "peak": "{:.0f}"}
    head = ("", "rows", "wall s", "CPU s", "peak MB")
    return tabled(found, head, form)


def section_explain(bench: Bench) -> Section:
    """One stone explained in a process that has the model."""
    given = {"task": "explain", "file": str(bench.model), "calls": 200 if bench.quick else 2000}
    found = bench.medians(
        {
            "the four Cs": {**given, "measured": False},
            "all measurements": {**given, "measured": True},
        }
    )
    form = dict.fromkeys(
        ("price and lines", "with notes and ranges", "cpu", "calls"), "{:,.0f}"
    )
    head = ("", "price and lines, µs", "with notes and ranges, µs", "mean CPU µs", "calls")
    return tabled(found, head, form)


def section_batch(bench: Bench) -> Section:
    """All lines of many stones; making Stones, or the features of the peers, is not timed."""
    n, rows, few = (20_000, 2_000, 100) if bench.quick else (100_000, 10_000, 500)
    each = {"repeats": bench.repeats}
    found = {
        "ours": bench.run("batch_ours", file=str(bench.model), n=n, **each),
        "EBM": bench.run("batch_ebm", rows=rows, n=n, **each),
        "LightGBM": bench.run("batch_lightgbm", rows=rows, n=few, **each),
        "woodelf": bench.run("batch_woodelf", rows=rows, n=n, **each),
    }
    calls = (
        ("ours, contributions", "ours", "contributions"),
        ("ours, itemise", "ours", "itemise"),
        ("EBM, eval_terms", "EBM", "rate"),
        ("LightGBM, pred_contrib", "LightGBM", "rate"),
        ("woodelf on it, one reference", "woodelf", "rate"),
    )
    table: list[tuple[str, ...]] = [("", "stones / CPU s", "stones", "peak MB")]
    for label, name, key in calls:
        form = {key: "{:,.0f}", "stones": "{:,.0f}", "peak": "{:.0f}"}
        table.append((label, *cells(found[name], **form)))
    section = Section(found, table)
    for call in ("contributions", "itemise"):
        for peer, target, aim in (
            ("EBM", 2, 5),
            ("LightGBM", 1000, 10_000),
            ("woodelf", 200, 1000),
        ):
            a, b = found["ours"].get(call), found[peer].get("rate")
            section.ratio(f"rate, our {call} / {peer}", a, b, target, aim)
    return section


def section_document(bench: Bench) -> Section:
    """The document: its size, and what it takes to load."""
    file = str(bench.model)
    found = bench.medians(
        {"read": {"task": "document", "file": file}, "fresh": {"task": "fresh", "file": file}}
    )
    table: list[tuple[str, ...]] = [
        ("bytes", *cells(found["read"], bytes="{:,.0f}")),
        ("from_json, ms", *cells(found["read"], **{"from_json ms": "{:.1f}"})),
        ("from_json, mean CPU ms", *cells(found["read"], **{"cpu ms": "{:.1f}"})),
        ("import, load and explain, wall s", *cells(found["fresh"], wall="{:.3f}")),
        ("and at its peak, MB", *cells(found["fresh"], peak="{:.0f}")),
    ]
    imports = found["fresh"].get("imports", ["not known"])
    table.append((f"imports none of {', '.join(FORBIDDEN)}", ", ".join(imports) or "true"))
    return Section(found, table)


SECTIONS = {
    "fit": section_fit,
    "champion": section_champion,
    "explain": section_explain,
    "batch": section_batch,
    "document": section_document,
}

# ----------------------------------------------------------------------------- main


def shown(name: str, section: Section) -> str:
    """A section as plain text."""
    wide = max(len(row[0]) for row in section.rows)
    columns = max(len(row) for row in section.rows)
    full = [row for row in section.rows if len(row) == columns]
    widths = [max(len(row[j]) for row in full) for j in range(1, columns)]
    lines = [f"{name}: {(SECTIONS[name].__doc__ or '').strip()}"]
    for first, *rest in section.rows:
        lean = rest if len(rest) < len(widths) else map(str.rjust, rest, widths)
        lines.append(f"  {first:<{wide}}  {'  '.join(lean)}".rstrip())
    for ratio in section.ratios:
        sign = "≥" if ratio["aim"] > 1 else "≤"
        lines.append(
            f"  {ratio['name']}: {ratio['value']:.3g} (target {sign} {ratio['target']:,}, "
            f"aim {ratio['aim']:,}): {ratio['verdict']}"
        )
    return "\n".join([*lines, *(f"  {remark}" for remark in section.remarks), ""])


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(SECTIONS)), help="Sections.")
@click.option("--repeats", default=3, show_default=True, help="The median is taken.")
@click.option("--quick", is_flag=True, help="Once, and on less: to see that it runs.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write figures here.")
@click.option("--task", hidden=True, help="Measure one thing in this process.")
def main(
    only: tuple[str, ...], repeats: int, quick: bool, target: Path | None, task: str | None
) -> None:
    """Measure ours against its peers."""
    if task is not None:
        given = json.loads(task)
        figures = globals()[f"task_{given.pop('task')}"](**given)
        click.echo(json.dumps(figures))
        return
    repeats = 1 if quick else repeats
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    written: Figures = {"machine": machine, "quick": quick, "repeats": repeats}
    failed = False
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(Path(work), repeats, quick)
        for name in only or SECTIONS:
            section = SECTIONS[name](bench)
            click.echo(shown(name, section))
            written[name] = {"figures": section.figures, "ratios": section.ratios}
            if (bench.work / "model.txt").exists():
                written["model"] = (bench.work / "model.txt").read_text()
            failed |= any("failed" in figures for figures in section.figures.values())
            if target is not None:  # after each section, lest a later one lose it
                text = json.dumps(written, indent=1, ensure_ascii=False) + "\n"
                target.write_text(text, encoding="utf-8", newline="\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
