"""How well the refit tells poisoned feeds from clean ones: many seeds, with figures.

python scripts/benchmark_refit.py --seeds 50

Half of the catalog's stones are a home's first delivery; 1,000 sales of the other half are
each feed, as they are or with a fault. What is counted is what the checks of a delivery
decide, which needs no fit.

python scripts/benchmark_refit.py --seeds 0 --refits 100

Whole refits, of a home of 5,000 stones: clean feeds of 500 sales, each fitted and judged; and
prices that creep up by 1 % a month, each month fitted and judged on top of the last.
"""

import shutil
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import pandas as pd

from diamond_pricing import PriceModel, load_sales
from diamond_pricing.fitting import fit
from diamond_pricing.intake import recorded_sales
from diamond_pricing.refit import Gates, refit
from diamond_pricing.refit.deliveries import arrived, doubts, sift
from diamond_pricing.registry import LocalStore
from diamond_pricing.stones import ATTRIBUTES
from diamond_pricing.stones.keys import KnownSales

COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
ROWS = 1000


def clean(feed: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The feed as it is."""
    return feed


def tenfold(share: float):
    """Some prices times ten."""

    def fault(feed: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        hit = rng.random(len(feed)) < share
        return feed.assign(price=feed["price"].where(~hit, feed["price"] * 10))

    return fault


def currency(feed: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Prices in another currency, at a rate of one that exists."""
    rate = rng.choice([0.68, 0.73, 0.88, 0.92, 1.12, 1.36, 1.52, 7.8, 83.0, 150.0])
    return feed.assign(price=(feed["price"] * rate).round())


def centimetres(feed: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Dimensions in centimetres."""
    return feed.assign(**{name: (feed[name] / 10).round(3) for name in ("x", "y", "z")})


def shifted(feed: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every grade of one attribute one step off, up or down."""
    name = str(rng.choice(["cut", "color", "clarity"]))
    grades = ATTRIBUTES[name].grades
    step = int(rng.choice([-1, 1]))
    seen = feed[name].map({g: i for i, g in enumerate(grades)}).astype(int)
    moved = (seen + step).clip(0, len(grades) - 1)
    return feed.assign(**{name: [grades[i] for i in moved]})


FAULTS = {
    "clean": clean,
    "5 % of prices ×10": tenfold(0.05),
    "10 % of prices ×10": tenfold(0.10),
    "30 % of prices ×10": tenfold(0.30),
    "another currency": currency,
    "centimetres": centimetres,
    "grades one step off": shifted,
}


def received(
    feed: pd.DataFrame,
    store: LocalStore,
    old: pd.DataFrame,
    champion: PriceModel,
    anchor: PriceModel,
) -> tuple[str, int]:
    """What becomes of a feed: a verdict, and bad rows that got through."""
    data = feed[COLUMNS].to_csv(index=False).encode()
    arrival = arrived("feed.csv", "default", data, store, "USD")
    known = KnownSales()
    known.add(recorded_sales(old))
    sift(arrival, known, champion, Gates())
    if arrival.delivery.status == "rejected":
        return "rejected", 0
    failed = [f.gate for f in doubts(arrival, old, champion, anchor, Gates()) if not f.passed]
    if failed:
        return f"held ({', '.join(sorted(set(failed)))})", 0
    through = arrival.intake.sales["row"].to_numpy() - 2
    bad = feed["faulty"].to_numpy()[through] if "faulty" in feed else np.zeros(1, bool)
    return "accepted", int(bad.sum())


def refitted(home: Path, inbox: Path, name: str, feed: pd.DataFrame) -> tuple[str, str]:
    """The verdict of a whole refit on one more file, and the gates that failed."""
    inbox.mkdir(exist_ok=True)
    feed[COLUMNS].to_csv(inbox / name, index=False)
    outcome = refit(inbox, LocalStore(home), at="2026-01-01T00:00:00Z", by="benchmark")
    failed = [
        f"{f['gate']} {f['against']}" for f in outcome.record["findings"] if not f["passed"]
    ]
    return outcome.verdict, ", ".join(sorted({f.strip() for f in failed}))


def whole_refits(catalog: pd.DataFrame, refits: int, months: int) -> None:
    """Print what became of clean feeds and of a drip when every candidate is fitted."""
    rng = np.random.default_rng(2026)
    stones = rng.permutation(catalog["stone"].unique())
    first = catalog[catalog["stone"].isin(stones[:5000])]
    rest = catalog[~catalog["stone"].isin(stones[:5000])].reset_index(drop=True)
    with TemporaryDirectory() as place:
        base = Path(place) / "base"
        verdict, failed = refitted(base, Path(place) / "first", "first.csv", first)
        click.echo(f"first delivery, {len(first):,} sales: {verdict} {failed}")
        verdicts: Counter[str] = Counter()
        stops: Counter[str] = Counter()
        for seed in range(refits):
            rng = np.random.default_rng(seed)
            home, inbox = Path(place) / "home", Path(place) / "inbox"
            for drip in (False, True) if seed % 2 == 0 else (False,):
                shutil.copytree(base, home)
                for month in range(1, months + 1 if drip else 2):
                    feed = rest.iloc[rng.choice(len(rest), 500, replace=False)]
                    level = 1.01**month if drip else 1.0
                    feed = feed.assign(price=(feed["price"] * level).round())
                    verdict, failed = refitted(home, inbox, f"{month:02d}.csv", feed)
                    if verdict != "promoted":
                        break
                told = f"{verdict} {failed}".strip()
                if drip:
                    told = f"{told} in month {month}"
                    stops[told] += 1
                else:
                    verdicts[told] += 1
                click.echo(f"  {seed} {'drip' if drip else 'clean'}: {told}")
                shutil.rmtree(home)
                shutil.rmtree(inbox)
        click.echo(f"clean feeds, fitted and judged: {dict(verdicts)}")
        click.echo(f"1 % a month on top, fitted and judged: {dict(stops)}")


@click.command()
@click.option("--seeds", default=50, show_default=True)
@click.option("--refits", default=0, show_default=True, help="Whole refits of clean feeds.")
@click.option("--months", default=24, show_default=True, help="Of the slow drip.")
def main(seeds: int, refits: int, months: int) -> None:
    """Print what became of the feeds."""
    catalog = load_sales()
    if refits:
        whole_refits(catalog, refits, months)
    if not seeds:
        return
    half = catalog["stone"] % 2 == 0
    old, rest = catalog[half].reset_index(drop=True), catalog[~half].reset_index(drop=True)
    champion = fit(old)
    with TemporaryDirectory() as place:
        store = LocalStore(Path(place))
        for name, fault in FAULTS.items():
            verdicts: Counter[str] = Counter()
            through = 0
            for seed in range(seeds * (2 if name == "clean" else 1)):
                rng = np.random.default_rng(seed)
                feed = rest.iloc[rng.choice(len(rest), ROWS, replace=False)]
                feed = feed.reset_index(drop=True)
                broken = fault(feed, rng)
                if name.endswith("×10"):
                    broken = broken.assign(faulty=broken["price"] != feed["price"])
                verdict, bad = received(broken, store, old, champion, champion)
                verdicts[verdict] += 1
                through += bad
            click.echo(f"{name}: {dict(verdicts)}; faulty rows that got through: {through}")
        stops = []
        for seed in range(max(seeds // 10, 1)):
            rng = np.random.default_rng(seed)
            for month in range(1, months + 1):
                feed = rest.iloc[rng.choice(len(rest), ROWS, replace=False)]
                feed = feed.assign(price=(feed["price"] * 1.01**month).round())
                verdict, _ = received(feed, store, old, champion, champion)
                if verdict != "accepted":
                    stops.append(month)
                    break
        click.echo(f"1 % a month on top: stopped in month {Counter(stops)}")


if __name__ == "__main__":
    main()
