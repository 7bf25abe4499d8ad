"""Held-out accuracy of ours and of its peers, side by side on the same folds.

    python scripts/benchmark_accuracy.py peers --work DIR --collection FILE
"""

import json
import warnings
from pathlib import Path

import click
import numpy as np
import pandas as pd
from black_boxes import PEERS, features, out_of_fold

from diamond_pricing import load_sales
from diamond_pricing.fitting import read_sales
from diamond_pricing.stones import stone_keys
from diamond_pricing.validation import grouped_folds

SCORED_ON = 2026  # seed of the folds that are reported; structure was chosen on others
FOLDS = 5


def data(name: str, collection: Path | None) -> pd.DataFrame:
    if name == "catalog":
        return load_sales()
    sales = pd.read_csv(collection)
    return sales[sales.price > 0].drop_duplicates().reset_index(drop=True)


@click.group()
def main() -> None:
    pass


@main.command()
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--collection", type=click.Path(path_type=Path))
@click.option("--only", multiple=True)
@click.option("--on", multiple=True, default=("collection", "catalog"))
def peers(work: Path, collection: Path | None, only: tuple[str, ...], on: tuple[str, ...]) -> None:
    warnings.filterwarnings("ignore", module="sklearn|lightgbm|interpret")
    for which in on:
        sales = read_sales(data(which, collection))
        groups = stone_keys(sales.stones)
        fold = grouped_folds(groups, FOLDS, SCORED_ON)
        for name in only or PEERS:
            for hidden in (False, True):
                setting = f"{which}, {'hidden' if hidden else 'recorded'}"
                file = work / f"{setting} - {name}.npz"
                if file.exists():
                    continue
                X = features(sales.stones, hidden, PEERS[name][2])
                twin = work / f"{setting} - {name.partition(',')[0]}.npz"
                config = None
                if "columns only" in name and twin.exists():
                    config = json.loads(str(np.load(twin)["config"]))
                y = np.log(sales.price)
                found, config, seconds = out_of_fold(name, X, y, groups, fold, config)
                loss = np.sqrt(np.mean((found - y) ** 2))
                click.echo(f"{setting}, {name}: log-RMSE {loss:.4f}, {seconds}, {config}")
                np.savez(file, log_price=found, config=json.dumps(config), seconds=json.dumps(seconds))


if __name__ == "__main__":
    main()
