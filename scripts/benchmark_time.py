"""Prices through time: sales moved by a path that is known, and what comes back of it.

    python scripts/benchmark_time.py bands --draws 30
    python scripts/benchmark_time.py last-month --draws 5
    python scripts/benchmark_time.py poisoned --draws 100
    python scripts/benchmark_time.py cost

The packaged sales are moved by a drawn walk with a jump over 36 months, three of them without
a sale. ``bands`` tells how many months the 90 % limits of the index hold, ``last-month`` the
held-out error on the last month with the dates, without and of CatBoost (the extra ``bench``)
with the day as a column, ``poisoned`` what becomes of a month in which one of two sources is
15 % too dear, ``cost`` what the dates add to a fit.
"""

import time
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import pandas as pd
from black_boxes import Config, catboost, features

from diamond_pricing import Stones, load_sales
from diamond_pricing.arrays import Vector
from diamond_pricing.fitting import fit
from diamond_pricing.model.market import market_index
from diamond_pricing.refit import refit
from diamond_pricing.registry import LocalStore

MONTHS = pd.date_range("2024-01-01", periods=36, freq="MS")
EMPTY = (7, 8, 25)
COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "price", "stone"]
FOUND = 24  # months that a home is founded on
POISON = 1.15


def drawn(rng: np.random.Generator, monthly: float, jump: float) -> Vector:
    """Log level of each month."""
    walk = np.cumsum(rng.normal(0, monthly, len(MONTHS)))
    walk[int(rng.integers(6, 30)) :] += jump
    return walk


def sold(rows: pd.DataFrame, month: Vector, path: Vector, rng: np.random.Generator):
    """The rows as sales of those months."""
    days = pd.to_timedelta(rng.integers(0, 28, len(rows)), unit="D")
    return rows.assign(
        sold=(MONTHS[month] + days).strftime("%Y-%m-%d"),
        price=(rows["price"] * np.exp(path[month])).round(2),
    )


def _drawn_sales(seed: int, count: int, monthly: float, jump: float):
    rng = np.random.default_rng(seed)
    path = drawn(rng, monthly, jump)
    stones = rng.permutation(load_sales()["stone"].unique())
    rows = load_sales()[COLUMNS].set_index("stone").loc[stones].reset_index().iloc[:count]
    month = rng.choice([m for m in range(len(MONTHS)) if m not in EMPTY], len(rows))
    return sold(rows, month, path, rng), month, path, rng


@click.group()
def main() -> None:
    """Print ratios measured on drawn paths of the market."""


_draws = click.option("--draws", default=10, show_default=True)
_sales = click.option("--sales", default=5000, show_default=True)
_monthly = click.option("--monthly", default=0.015, show_default=True)
_jump = click.option("--jump", default=-0.12, show_default=True)


@main.command()
@_draws
@_sales
@_monthly
@_jump
def bands(draws: int, sales: int, monthly: float, jump: float) -> None:
    """Print the share of months whose true level lies within the 90 % limits."""
    held, errors = [], []
    for seed in range(draws):
        frame, _, path, _ = _drawn_sales(seed, sales, monthly, jump)
        truth = {str(m)[:7]: level for m, level in zip(MONTHS, path, strict=True)}
        found = [p for p in market_index(fit(frame.drop(columns="stone"))) if p.index]
        start = truth[found[0].period]
        for p in found[1:]:
            true = 100 * np.exp(truth[p.period] - start)
            held.append(p.low <= true <= p.high)
            errors.append(np.log(p.index / true))
    spread = 100 * np.sqrt(np.mean(np.square(errors)))
    click.echo(
        f"{len(held):,} months of {draws} draws: {100 * np.mean(held):.1f} % within the "
        f"limits, root mean square error {spread:.2f} %"
    )


@main.command("last-month")
@_draws
@click.option("--sales", default=12_000, show_default=True)
@click.option("--monthly", default=0.02, show_default=True)
@_jump
@click.option("--drift", default=-0.017, show_default=True)
def last_month(draws: int, sales: int, monthly: float, jump: float, drift: float) -> None:
    """Print the held-out log-RMSE on the last month, with dates, without and of CatBoost."""
    squares: dict[str, list[Vector]] = {}
    for seed in range(draws):
        frame, month, _, rng = _drawn_sales(seed, sales, monthly, jump)
        trend = drift * np.arange(len(MONTHS))
        frame = frame.assign(price=(frame["price"] * np.exp(trend[month])).round(2))
        last = np.isin(frame["stone"], frame["stone"][month == len(MONTHS) - 1].unique())
        drawn_half = rng.random(len(frame)) < 0.5
        test = (month == len(MONTHS) - 1) & drawn_half
        train = ~np.isin(frame["stone"], frame["stone"][test]) & (~last | ~test)
        sales_of, held = frame[train].drop(columns="stone"), frame[test].drop(columns="stone")
        price = np.log(held["price"].to_numpy())
        for name, drop in (("with", []), ("without", ["sold"])):
            model = fit(sales_of.drop(columns=drop))
            stones = Stones.from_frame(held.drop(columns=drop))
            told = model.log_price(stones, listing="recorded", extrapolate=True)
            squares.setdefault(name, []).append((told - price) ** 2)
        told = _catboost(sales_of, held)
        if told is not None:
            squares.setdefault("CatBoost", []).append((told - price) ** 2)
        rmse = {n: float(np.sqrt(np.concatenate(s).mean())) for n, s in squares.items()}
        click.echo(" ".join(f"{n} {v:.4f}" for n, v in rmse.items()), err=True)
    for name in rmse:
        click.echo(
            f"{name}: {rmse[name]:.4f}; ours with dates / it {rmse['with'] / rmse[name]:.3f}"
        )


def _catboost(sales: pd.DataFrame, held: pd.DataFrame) -> Vector | None:
    if find_spec("catboost") is None:
        return None
    X, new = (
        np.column_stack(
            [
                features(Stones.from_frame(f), hidden=True, derived=True),
                pd.to_datetime(f["sold"]).map(pd.Timestamp.toordinal),
            ]
        )
        for f in (sales, held)
    )
    inner = np.random.default_rng(0).random(len(X)) < 0.15
    y = np.log(sales["price"].to_numpy())
    best: tuple[float, Config] = (np.inf, {})
    for depth, rate in product((5, 6, 8), (0.03, 0.06)):
        c = {"depth": depth, "rate": rate, "l2": 3, "noise": 1, "monotone": False}
        predict, rounds = catboost(c, X[~inner], y[~inner], (X[inner], y[inner]))
        loss = float(np.mean((predict(X[inner]) - y[inner]) ** 2))
        if loss < best[0]:
            best = loss, {**c, "rounds": int(1.1 * rounds)}
    return catboost(best[1], X, y, None)[0](new)


@main.command()
@_draws
@_monthly
def poisoned(draws: int, monthly: float) -> None:
    """Print how often a source that is 15 % too dear in one month is held, and another not."""
    outcomes = {"held": 0, "other held": 0}
    with TemporaryDirectory() as folder:
        place = Path(folder)
        rng = np.random.default_rng(1)
        rows = load_sales()[COLUMNS].sample(frac=1, random_state=1).drop(columns="stone")
        path = drawn(rng, monthly, 0.0)
        month = rng.integers(0, FOUND, 5000)
        founding = sold(rows.iloc[:5000], month, path, rng)
        for source, part in (("own", founding.iloc[::2]), ("partner", founding.iloc[1::2])):
            (place / "inbox" / source).mkdir(parents=True)
            part.to_csv(place / "inbox" / source / "first.csv", index=False)
        store = LocalStore(place / "home")
        click.echo(refit(place / "inbox", store, at="2026-01-01T00:00:00Z", by="x").verdict)
        for draw in range(draws):
            some = rows.iloc[5000:].sample(300, random_state=draw)
            at = np.full(300, FOUND)
            level = path.copy()
            level[FOUND] = path[FOUND - 1] + rng.normal(0, monthly)
            feed = sold(some, at, level, rng)
            inbox = place / f"inbox-{draw}"
            for source, part, factor in (
                ("own", feed.iloc[:150], 1.0),
                ("partner", feed.iloc[150:], POISON),
            ):
                (inbox / source).mkdir(parents=True)
                part.assign(price=(part["price"] * factor).round(2)).to_csv(
                    inbox / source / "month.csv", index=False
                )
            record = refit(inbox, store, at="2026-02-01T00:00:00Z", by="x", dry_run=True).record
            status = {d["source"]: d["status"] for d in record["deliveries"]}
            outcomes["held"] += status["partner"] == "held"
            reason = next(d["reason"] for d in record["deliveries"] if d["source"] == "own")
            outcomes["other held"] += status["own"] == "held" and "own/" in reason
    click.echo(
        f"{draws} draws: the poisoned source held {outcomes['held']}, the other held "
        f"for its own prices {outcomes['other held']}"
    )


@main.command()
@_sales
@click.option("--times", default=4, show_default=True)
def cost(sales: int, times: int) -> None:
    """Print the CPU time of fits with and without dates, side by side."""
    frame = _drawn_sales(0, sales, 0.015, -0.12)[0].drop(columns="stone")
    spent: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(times):
        for name, drop in (("with", []), ("without", ["sold"])):
            start = time.process_time()
            fit(frame.drop(columns=drop))
            spent[name].append(time.process_time() - start)
    least = {name: min(seconds) for name, seconds in spent.items()}
    click.echo(
        f"with {least['with']:.2f} s, without {least['without']:.2f} s: "
        f"{least['with'] / least['without']:.2f} ×"
    )


if __name__ == "__main__":
    main()
