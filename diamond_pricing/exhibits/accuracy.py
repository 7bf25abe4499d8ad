"""How far prices lie from sales, in figures.

Errors are of log price, held out; a positive one means that the sale was dearer.
"""

from collections.abc import Mapping

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.exhibits.priced import FEWEST, Priced, in_order, rms_limits
from diamond_pricing.model import PriceModel
from diamond_pricing.validation.noise_floor import NoiseFloor, noise_floor
from diamond_pricing.validation.scores import scores

OURS = "ours"  # in the results of the benchmark


def scores_table(
    price: Vector, predicted: Mapping[str, Vector], stone: Integers, currency: str
) -> Table:
    """Errors of several ways to price the same n sales, the best log-RMSE last.

    Limits of the log-RMSE by the variance between stones.
    """
    import pandas as pd

    rows = []
    for name, prices in predicted.items():
        s = scores(price, prices)
        low, high = rms_limits(np.log(prices / price), stone)
        rows.append(
            (name, s.log_rmse, f"{low:.4f} to {high:.4f}", s.mape, s.mae, s.rmse, s.r2_log)
        )
    money = written.amounts(currency)
    columns = ["model", "log-RMSE", "95 % limits", "MAPE %", "MAE", "RMSE", "R² log"]
    return Table(
        pd.DataFrame(rows, columns=columns),
        {
            "log-RMSE": written.places(4),
            "95 % limits": str,
            "MAPE %": written.places(2),
            "MAE": money,
            "RMSE": money,
            "R² log": written.places(4),
        },
    )


def scores_by_band(sold: Priced) -> Table:
    """Errors of expected prices for all sales and in each weight band."""
    import pandas as pd

    labels, names = in_order(sold.sales.stones, "weight")
    price, predicted, keys = sold.sales.price, np.exp(sold.recorded), sold.stone
    rows = []
    for label in ("all", *names):
        of = np.ones(len(price), bool) if label == "all" else labels == label
        if of.sum() >= FEWEST:
            s = scores(price[of], predicted[of])
            low, high = rms_limits(sold.error[of], keys[of])
            limits = f"{low:.4f} to {high:.4f}"
            rows.append((label, s.n, s.log_rmse, limits, s.median_ape, s.mape, s.mae, s.rmse))
    columns = [
        "weight",
        "sales",
        "log-RMSE",
        "95 % limits",
        "median APE %",
        "MAPE %",
        "MAE",
        "RMSE",
    ]
    money, two = written.amounts(sold.sales.currency), written.places(2)
    return Table(
        pd.DataFrame(rows, columns=columns),
        {
            "sales": written.count,
            "log-RMSE": written.places(4),
            "95 % limits": str,
            "median APE %": two,
            "MAPE %": two,
            "MAE": money,
            "RMSE": money,
        },
    )


def floor(model: PriceModel, sold: Priced, most: int = 20_000) -> NoiseFloor | None:
    """How well anyone could price these sales; None where too few are alike to tell."""
    rows = np.flatnonzero(model.supports(sold.sales.stones))
    rows = np.random.default_rng(0).permutation(rows)[:most]
    stones = sold.sales.stones.take(rows)
    lines = model.contributions(stones, listing="recorded")
    try:
        return noise_floor(sold.error[rows], lines, sold.stone[rows], stones["listing"])
    except FitError:  # fewer than 200 pairs: there is nothing to say
        return None


def floor_words(found: NoiseFloor | None) -> str:
    """The noise floor with its limits."""
    if found is None:
        return "not told by so few sales"
    limits = written.between(found.low, found.high, written.share)
    return (
        f"{written.share(found.sd)} (95 % limits {limits}; the nugget of the semivariogram of "
        f"the errors, {found.pairs:,} pairs of neighbours)"
    )


def against_best(models: Mapping[str, Mapping[str, float]]) -> str:
    """Our log-RMSE over that of the best other model, with its limits, in words."""
    best = min((s for name, s in models.items() if name != OURS), key=lambda s: s["log_rmse"])
    middle, *limits = (1 / best[figure] for figure in ("ratio", "high", "low"))
    return f"{middle:.3f} times (95 % limits {limits[0]:.3f} to {limits[1]:.3f})"


def peers(models: Mapping[str, Mapping[str, float]], currency: str) -> Table:
    """Scores of a benchmark's models, as its file of results holds them, the best first."""
    import pandas as pd

    found = [
        (
            name,
            s["log_rmse"],
            s["mape"],
            s["mae"],
            s["rmse"],
            f"{s['ratio']:.3f} ({s['low']:.3f} to {s['high']:.3f})",
        )
        for name, s in sorted(models.items(), key=lambda row: row[1]["log_rmse"])
    ]
    money = written.amounts(currency)
    columns = ["model", "log-RMSE", "MAPE %", "MAE", "RMSE", "log-RMSE against ours"]
    return Table(
        pd.DataFrame(found, columns=columns),
        {
            "log-RMSE": written.places(4),
            "MAPE %": written.places(2),
            "MAE": money,
            "RMSE": money,
            "log-RMSE against ours": str,
        },
    )
