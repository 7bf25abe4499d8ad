"""Can a classifier tell which sales fall outside their ranges? Ours beside a peer's.

    python scripts/benchmark_coverage.py --work DIR [--on catalog]

Reads what ``benchmark_accuracy.py run`` left in DIR. The *excess risk of the target coverage*
(arXiv 2512.11779) is what predicting 90 % for every sale loses, in squared error, against the
best guess from its features whether it is covered; 0 where ranges hold wherever one looks. The
guess is LightGBM's, on five folds by stone; below 0 it finds nothing. The extra ``bench``
brings it.
"""

from pathlib import Path

import click
import numpy as np
from benchmark_accuracy import EDGES, FOLDS, data, ranges
from black_boxes import features

from diamond_pricing.arrays import Flags, Integers, Matrix
from diamond_pricing.fitting import read_sales
from diamond_pricing.validation import grouped_folds

TARGET = 0.9
JUDGED_ON = 7  # seed of the folds, other than those of the prices


def excess(covered: Flags, X: Matrix, stone: Integers) -> float:
    """Squared error of the target less that of guesses from the features."""
    from lightgbm import LGBMClassifier

    fold = grouped_folds(stone, FOLDS, JUDGED_ON)
    guess = np.full(len(covered), TARGET)
    for k in range(FOLDS):
        judge = LGBMClassifier(
            n_estimators=200,
            learning_rate=0.03,
            num_leaves=15,
            min_child_samples=200,
            n_jobs=1,
            random_state=0,
            verbose=-1,
        )
        judge.fit(X[fold != k], covered[fold != k])
        guess[fold == k] = judge.predict_proba(X[fold == k])[:, 1]
    return float(np.mean((TARGET - covered) ** 2 - (guess - covered) ** 2))


@click.command()
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--on", default="catalog", show_default=True)
@click.option("--collection", type=click.Path(path_type=Path), help="A CSV file of sales.")
def main(work: Path, on: str, collection: Path | None) -> None:
    """Print coverage, mean width and excess risk of ranges held out."""
    known = np.load(work / f"{on}.npz")
    stone = known["stone"]
    stones = read_sales(data(on, collection)).stones
    segment = np.searchsorted(EDGES, known["carat"], side="right") * 100 + known["clarity"]
    click.echo("| ranges | covered % | mean width / price | excess risk, ten thousandths |")
    click.echo("|---|---|---|---|")
    for name, missed, half, hidden in ranges(work, on, segment):
        covered = missed <= half
        risk = excess(covered, features(stones, hidden, True), stone)
        width = float(np.mean(np.exp(half) - np.exp(-half)))
        click.echo(f"| {name} | {100 * covered.mean():.1f} | {width:.3f} | {1e4 * risk:.1f} |")


if __name__ == "__main__":
    main()
