"""Held-out accuracy of ours and of its peers, side by side on the same folds.

    python scripts/benchmark_accuracy.py run --work DIR [--collection FILE]
    python scripts/benchmark_accuracy.py table --work DIR --out docs/explanation/accuracy.md
    python scripts/benchmark_accuracy.py --data FILE [--source FILE] [--peers NAMES]

``run`` keeps the predictions of each model in DIR and leaves out what is there, so that it
can be stopped and taken up again; all of it takes about two hours on one core. ``table``
compares them. The extra ``bench`` brings the peers; those in ``BY_HAND`` are installed by
hand and asked for by ``--only``, foundation models with ``--checkpoint NAME=FILE``.

``--data`` compares on anybody's sales, in one table: ours with all that the file records and
with the four Cs alone, and the peers with all of its columns, categories as they are. A column
of few words that the trade does not know is a category for all of them; ``--without`` leaves
such a column out for all. Equal rows are in one fold.

Folds are grouped by stone. Those of seed ``SCORED_ON`` are reported; the structure of our
model was chosen on those of seed 0. Each peer is searched on inner folds of the training
part of fold 0 only, see scripts/black_boxes.py. Peers fit log prices, except the random
forest, and get dimensions put back where they cannot be right.
"""

import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pandas as pd
from black_boxes import (
    BY_HAND,
    CONFIGURATIONS,
    PEERS,
    WEIGHED,
    features,
    named_features,
    out_of_fold,
)

from diamond_pricing import load_sales
from diamond_pricing.fitting import fit, read_sales
from diamond_pricing.intake import Source, sales_to_fit
from diamond_pricing.intake.stored import OTHER
from diamond_pricing.stones import ATTRIBUTES, stone_keys
from diamond_pricing.stones.trade import use
from diamond_pricing.validation import grouped_folds, scores

SCORED_ON = 2026
FOLDS = 5
DRAWS = 2000  # of the bootstrap
OURS = {"monotone": "ours", "loglinear": "log-linear regression", "gam": "pyGAM"}
FOUR_CS = ("carat", "cut", "color", "clarity")
EDGES = (0.4, 0.7, 1.0, 1.5)
BANDS = ("under 0.4 ct", "0.4–0.7 ct", "0.7–1 ct", "1–1.5 ct", "from 1.5 ct")
CLARITIES = ATTRIBUTES["clarity"].grades
METRICS = ("log_rmse", "mape", "mae", "rmse")
HIDDEN_BY = {"recorded": "recorded", "hidden": "inferred"}


def data(name: str, collection: Path | None) -> pd.DataFrame:
    """Sales with positive prices, each row once."""
    if name == "catalog":
        return load_sales()
    sales = pd.read_csv(collection)
    return sales[sales["price"] > 0].drop_duplicates().reset_index(drop=True)


@click.group(invoke_without_command=True)
@click.option("--data", "file", type=click.Path(path_type=Path), help="Anybody's sales.")
@click.option("--source", type=click.Path(path_type=Path), help="How the file is written.")
@click.option("--peers", default="CatBoost,LightGBM,XGBoost,EBM", show_default=True)
@click.option("--without", multiple=True, help="A column that none of them is given.")
@click.option("--seed", default=SCORED_ON, show_default=True, help="Of the folds.")
@click.pass_context
def main(
    context: click.Context,
    file: Path | None,
    source: Path | None,
    peers: str,
    without: tuple[str, ...],
    seed: int,
) -> None:
    """Compare held-out accuracy."""
    if context.invoked_subcommand is None and file is not None:
        warnings.filterwarnings("ignore", module="sklearn|lightgbm|interpret|xgboost")
        _on_file(file, source, [name for name in peers.split(",") if name], without, seed)


def _on_file(
    file: Path, source: Path | None, peers: list[str], without: Sequence[str], seed: int
) -> None:
    declared = Source.from_toml(source.read_bytes()) if source else Source()
    frame = sales_to_fit(file.name, file.read_bytes(), declared).sales
    X = named_features(frame)
    X = X.drop(columns=[name for name in X if name.removeprefix(OTHER) in without])
    words = [name for name in X if name.startswith(OTHER)]
    if words:  # what no trade knows, added to ours as anybody can in trade.toml
        names = {name: f"word_{i}" for i, name in enumerate(words)}
        use({"attribute": [_category(names[name], name, X[name]) for name in words]})
        columns = {names[name]: name.removeprefix(OTHER) for name in words}
        declared = msgspec.structs.replace(declared, columns=declared.columns | columns)
        frame = sales_to_fit(file.name, file.read_bytes(), declared).sales
        X = named_features(frame).drop(
            columns=[f"{OTHER}{name}" for name in without], errors="ignore"
        )
    groups = pd.factorize(X.astype(object).map(str).agg("|".join, axis=1))[0]
    fold = grouped_folds(groups, FOLDS, seed)
    y, n = np.log(frame["price"].to_numpy(float)), len(frame)
    found, half = {}, np.full(n, np.nan)
    seconds = {}
    for label, some in (("ours", frame), ("ours, four Cs", frame[[*FOUR_CS, "price"]])):
        found[label], started = np.full(n, np.nan), time.process_time()
        for k in range(FOLDS):
            model = fit(some[fold != k])
            stones = read_sales(some).stones
            known = model.supports(stones, extrapolate=True)  # grades that it has seen
            rows = np.flatnonzero((fold == k) & known)
            stones = stones.take(rows)
            found[label][rows] = model.log_price(stones, listing="recorded", extrapolate=True)
            if label == "ours":
                half[rows] = model.ranges.half_widths(stones, 0.9, "recorded")
        seconds[label] = time.process_time() - started
    for name in peers:
        started = time.process_time()
        found[name], _, _ = out_of_fold(name, X, y, groups, fold, None)
        seconds[name] = time.process_time() - started
    priced = np.all([~np.isnan(value) for value in found.values()], axis=0)
    price, member = np.exp(y[priced]), groups[priced]
    ours = (found["ours"][priced] - y[priced]) ** 2
    click.echo(f"{n:,} sales, columns {', '.join(X)}; {n - priced.sum():,} not priced by all\n")
    click.echo("| model | log-RMSE | MAPE % | MAE | log-RMSE against ours | CPU s |")
    click.echo("|---|---|---|---|---|---|")
    for name, value in found.items():
        s = scores(price, np.exp(value[priced]))
        ratio, low, high = _ratio((value[priced] - y[priced]) ** 2, ours, member)
        against = "1" if name == "ours" else f"{ratio:.3f} ({low:.3f} to {high:.3f})"
        click.echo(
            f"| {name} | {s.log_rmse:.4f} | {s.mape:.2f} | {s.mae:.1f} | {against} | "
            f"{seconds[name]:.0f} |"
        )
    inside = np.abs(found["ours"] - y) <= half
    some = ~np.isnan(half)
    segments = {name: frame[name].astype(str) for name in X if frame[name].dtype == object}
    segments["weight"] = pd.cut(frame["carat"], [0, *EDGES, 100]).astype(str)
    worst = min(
        (inside[some & (of == word)].mean(), f"{name} {word}", int((some & (of == word)).sum()))
        for name, of in segments.items()
        for word in of.unique()
        if (some & (of == word)).sum() >= 100
    )
    click.echo(
        f"\n90 % ranges hold {100 * inside[some].mean():.1f} %, at worst "
        f"{100 * worst[0]:.1f} % "
        f"({worst[1]}, {worst[2]} sales)"
    )


def _category(name: str, column: str, values: pd.Series) -> dict[str, Any]:
    grades = sorted({str(value) for value in values} - {"-"})
    label = column.removeprefix(OTHER)
    return {"name": name, "label": label, "kind": "category", "grades": grades}


@main.command()
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--collection", type=click.Path(path_type=Path), help="A CSV file of sales.")
@click.option("--only", multiple=True, help="Models, default all.")
@click.option("--on", multiple=True, default=("collection", "catalog"))
@click.option("--checkpoint", multiple=True, help="NAME=FILE: the weights of a peer.")
def run(
    work: Path,
    collection: Path | None,
    only: tuple[str, ...],
    on: tuple[str, ...],
    checkpoint: tuple[str, ...],
) -> None:
    """Predict every held-out sale by every model."""
    weights = {name: file for name, _, file in (given.partition("=") for given in checkpoint)}
    for name in set(WEIGHED) & set(only):
        if not Path(weights.get(name, "")).is_file():
            raise click.UsageError(f"--checkpoint {name}=FILE must name a file of weights.")
    warnings.filterwarnings("ignore", module="sklearn|lightgbm|interpret")
    work.mkdir(parents=True, exist_ok=True)
    for which in on:
        if which == "collection" and collection is None:
            continue
        frame = data(which, collection)
        sales = read_sales(frame)
        groups = stone_keys(sales.stones)
        fold = grouped_folds(groups, FOLDS, SCORED_ON)
        np.savez(
            work / f"{which}.npz",
            price=sales.price,
            stone=groups,
            fold=fold,
            carat=sales.stones["carat"],
            clarity=sales.stones["clarity"],
        )
        for name in only or (*OURS, *(name for name in PEERS if name not in BY_HAND)):
            if name in OURS:
                _ours(work, which, name, frame, fold)
            else:
                _peer(work, which, name, sales, groups, fold, weights.get(name))


def _ours(work: Path, which: str, family: str, frame: pd.DataFrame, fold: np.ndarray) -> None:
    ways = ("recorded", "blend", *(("inferred",) if family == "monotone" else ()))
    files = {way: work / f"{which}, {way} - {family}.npz" for way in ways}
    if all(file.exists() for file in files.values()):
        return
    found = {way: np.full(len(frame), np.nan) for way in ways}
    half = {way: np.full(len(frame), np.nan) for way in ("recorded", "blend")}
    for k in range(FOLDS):
        model = fit(frame[fold != k], family)
        held_out = np.flatnonzero(fold == k)
        stones = read_sales(frame[fold == k]).stones
        for way in ways:
            found[way][held_out] = model.log_price(stones, listing=way, extrapolate=True)
            if model.ranges is not None and way in half:
                half[way][held_out] = model.ranges.half_widths(stones, 0.9, way)
        click.echo(f"{which}, {family}: fold {k + 1} of {FOLDS}", err=True)
    for way, file in files.items():
        kept = {"half": half[way]} if way in half and family == "monotone" else {}
        np.savez(file, log_price=found[way], **kept)


def _peer(work: Path, which: str, name: str, sales, groups, fold, weights) -> None:
    for hidden in (False, True):
        setting = f"{which}, {'hidden' if hidden else 'recorded'}"
        file = work / f"{setting} - {name}.npz"
        if file.exists():
            continue
        X = features(sales.stones, hidden, PEERS[name][2])
        twin = work / f"{setting} - {name.partition(',')[0]}.npz"
        config = None if weights is None else {"checkpoint": weights}
        if "columns only" in name and twin.exists():
            config = json.loads(str(np.load(twin)["config"]))
        found, config, seconds = out_of_fold(name, X, np.log(sales.price), groups, fold, config)
        click.echo(f"{setting}, {name}: {seconds}, {config}", err=True)
        np.savez(file, log_price=found, config=json.dumps(config), seconds=json.dumps(seconds))


@main.command()
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Markdown file.")
def table(work: Path, out: Path) -> None:
    """Write the table and its JSON."""
    text, figures = [HEAD], {}
    for which in ("collection", "catalog"):
        if not (work / f"{which}.npz").exists():
            continue
        known = np.load(work / f"{which}.npz")
        for setting, way in HIDDEN_BY.items():
            part, numbers = _setting(work, which, setting, way, known["price"], known["stone"])
            text.append(part)
            figures[f"{which}, {setting}"] = numbers
    for which in ("collection", "catalog"):
        if (work / f"{which}, recorded - monotone.npz").exists():
            part, numbers = _coverage(work, which)
            text.append(part)
            figures[f"{which}, coverage"] = numbers
    out.write_text("\n".join(text), encoding="utf-8", newline="\n")
    out.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    click.echo("\n".join(text))


HEAD = " ".join(
    f"""# Accuracy beside black boxes

Every price is predicted by a model that never saw the stone: {FOLDS} folds grouped by stone
(seed {SCORED_ON}; the structure of our model was chosen on the folds of seed 0). Each peer is
the best of {CONFIGURATIONS} configurations, drawn at random and scored on inner folds of the
training part of the first fold, the number of trees by early stopping; that configuration
serves all folds. Boosted peers get the same derived features as our terms, unless their name
says otherwise. `scripts/benchmark_accuracy.py` makes this table and `accuracy.json`.
¶
*Recorded*: the order of length and width, which tells the price list, is known. *Hidden*: it
is not; ours then mixes the lists by their probability (`listing="inferred"`), and the blend,
which is what a client is quoted, is shown as what blindness to the lists costs. The last
column is the ratio of the log-RMSE to that of ours, with a 95 % interval of a bootstrap over
stones.
""".replace("\n\n", "\n¶\n").split("\n")
).replace(" ¶ ", "\n\n")


def _setting(work, which, setting, way, price, stone):
    rows = {}
    for family, label in OURS.items():
        for how in (way, *(("blend",) if setting == "hidden" else ())):
            file = work / f"{which}, {how} - {family}.npz"
            if file.exists():
                suffix = ", blend" if how == "blend" else ""
                rows[label + suffix] = np.load(file)["log_price"]
    for name in PEERS:
        file = work / f"{which}, {setting} - {name}.npz"
        if file.exists():
            rows[name] = np.load(file)["log_price"]
    found = {name: asdict(scores(price, np.exp(value))) for name, value in rows.items()}
    ours = (rows["ours"] - np.log(price)) ** 2
    boosted = [name for name in found if name in PEERS]
    text = [
        f"## {which.capitalize()}, {len(price):,} sales, price list {setting}",
        "",
        "| model | log-RMSE | MAPE % | MAE $ | RMSE $ | log-RMSE against ours |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in sorted(found.items(), key=lambda item: item[1]["log_rmse"]):
        other = (rows[name] - np.log(price)) ** 2
        ratio, low, high = _ratio(other, ours, stone)
        values.update(ratio=ratio, low=low, high=high)
        against = "1" if name == "ours" else f"{ratio:.3f} ({low:.3f} to {high:.3f})"
        label = f"**{name}**" if name == "ours" else name
        text.append(
            f"| {label} | {values['log_rmse']:.4f} | {values['mape']:.2f} | "
            f"{values['mae']:.1f} | {values['rmse']:.1f} | {against} |"
        )
    best = {metric: min(found[name][metric] for name in boosted) for metric in METRICS}
    ratios = {metric: found["ours"][metric] / best[metric] for metric in METRICS}
    words = ", ".join(
        f"{label} {ratios[metric]:.3f}"
        for metric, label in zip(METRICS, ("log-RMSE", "MAPE", "MAE", "RMSE"), strict=True)
    )
    text += ["", f"Ours against the best peer in each column: {words}.", ""]
    return "\n".join(text), {"models": found, "ours_against_best": ratios}


def _coverage(work, which):
    """Observed coverage of the 90 % ranges by weight band and clarity, held out."""
    known = np.load(work / f"{which}.npz")
    band = np.searchsorted(EDGES, known["carat"], side="right")
    segment = band * 100 + known["clarity"]
    text = [f"## {which.capitalize()}: do the 90 % ranges hold?", ""]
    text += ["| ranges | covered % | worst segment of 100 sales | mean width / price |"]
    text += ["|---|---|---|---|"]
    numbers, rows = {}, []
    for name, missed, half, _ in ranges(work, which, segment):
        name = name.replace("CatBoost", "CatBoost with the same segments")
        inside = missed <= half
        found = []
        for s in np.unique(segment):
            of = segment == s
            if of.sum() >= 100:
                found.append((inside[of].mean(), int(of.sum()), int(s)))
        worst = min(found)
        width = float(np.mean(np.exp(half) - np.exp(-half)))
        where = f"{BANDS[worst[2] // 100]} {CLARITIES[worst[2] % 100]}"
        text.append(
            f"| {name} | {100 * inside.mean():.1f} | {100 * worst[0]:.1f} ({where}, "
            f"{worst[1]} sales) | {width:.3f} |"
        )
        numbers[name] = {"covered": float(inside.mean()), "worst": worst[0], "width": width}
        rows.append([(s, share, n) for share, n, s in found])
    text += [
        "",
        "Ours as recorded, segment by segment, with 95 % confidence limits (Wilson):",
        "",
    ]
    text += ["| segment | sales | covered % | limits |", "|---|---|---|---|"]
    for s, share, n in sorted(rows[0]):
        low, high = _wilson(share, n)
        text.append(
            f"| {BANDS[s // 100]} {CLARITIES[s % 100]} | {n:,} | {100 * share:.1f} | "
            f"{100 * low:.1f}–{100 * high:.1f} |"
        )
    return "\n".join([*text, ""]), numbers


def ranges(work, which, segment):
    """Name, absolute log errors, half widths of 90 % ranges; whether the list is hidden."""
    known = np.load(work / f"{which}.npz")
    log_price = np.log(known["price"])
    for how in ("recorded", "blend"):
        file = np.load(work / f"{which}, {how} - monotone.npz")
        missed = np.abs(file["log_price"] - log_price)
        yield f"ours, {how}", missed, file["half"], how == "blend"
    for setting in ("recorded", "hidden"):
        file = work / f"{which}, {setting} - CatBoost.npz"
        if file.exists():
            missed = np.abs(np.load(file)["log_price"] - log_price)
            half = _mondrian(missed, segment, known["fold"])
            yield f"CatBoost, {setting}", missed, half, setting == "hidden"


def _mondrian(missed, segment, fold):
    """Half widths of a split-conformal range by segment, from the other folds."""
    half = np.empty(len(missed))
    for k in np.unique(fold):
        others = fold != k
        for s in np.unique(segment):
            scores_of = np.sort(missed[others & (segment == s)])
            if len(scores_of) < 50:
                scores_of = np.sort(missed[others])
            rank = min(int(np.ceil((len(scores_of) + 1) * 0.9)), len(scores_of)) - 1
            half[(fold == k) & (segment == s)] = scores_of[rank]
    return half


def _wilson(share, n, z=1.96):
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    wide = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - wide, middle + wide


def _ratio(other, ours, stone):
    """Ratio of two RMSEs with a bootstrap interval over stones."""
    _, member = np.unique(stone, return_inverse=True)
    n = member.max() + 1
    sums = [np.bincount(member, loss, n) for loss in (other, ours)]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, n, n), minlength=n)
        drawn.append(np.sqrt((weight @ sums[0]) / (weight @ sums[1])))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(np.sqrt(sums[0].sum() / sums[1].sum())), float(low), float(high)


if __name__ == "__main__":
    main()
