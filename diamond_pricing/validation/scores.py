"""How far predictions are from prices, in the figures of three trades.

RMSE, MAE and R² are the statistician's; percentage errors the jeweller's; COD, PRD and PRB
those of mass appraisal, after the International Association of Assessing Officers (2013),
*Standard on Ratio Studies*, appendix B: how much ratios of appraisal to sale scatter, and
whether dear stones are appraised lower than cheap ones.
"""

from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Vector


@dataclass(frozen=True, slots=True)
class Scores:
    """Errors of n predictions.

    Attributes
    ----------
    n : int
    rmse, mae : float
        In dollars.
    mape, median_ape : float
        Absolute error in per cent of the price: mean, median.
    log_rmse : float
        Root mean squared error of log price.
    r2_log, r2 : float
        Share of the variance explained, of log price and of price, within these n.
    cod : float
        Coefficient of dispersion: mean distance of the ratios from their median, in per
        cent of it.
    prd : float
        Price-related differential: mean ratio over the ratio of sums. Above 1.03, dear
        stones are appraised relatively low.
    prb : float
        Price-related bias: relative change of the ratio when the value doubles.
    """

    n: int
    rmse: float
    mae: float
    mape: float
    median_ape: float
    log_rmse: float
    r2_log: float
    r2: float
    cod: float
    prd: float
    prb: float


def scores(price: Vector, predicted: Vector) -> Scores:
    """Compare n predictions with the prices, both positive, shape (n,)."""
    error, ratio = predicted - price, predicted / price
    log_error = np.log(ratio)
    median = np.median(ratio)
    log_value = np.log2((price + predicted / median) / 2)
    bias = (ratio - median) / median
    centred = log_value - log_value.mean()
    spread = float(centred @ centred)
    return Scores(
        n=len(price),
        rmse=float(np.sqrt(np.mean(error**2))),
        mae=float(np.mean(np.abs(error))),
        mape=float(100 * np.mean(np.abs(ratio - 1))),
        median_ape=float(100 * np.median(np.abs(ratio - 1))),
        log_rmse=float(np.sqrt(np.mean(log_error**2))),
        r2_log=_explained(np.log(price), log_error),
        r2=_explained(price, error),
        cod=float(100 * np.mean(np.abs(ratio - median)) / median),
        prd=float(ratio.mean() / (predicted.sum() / price.sum())),
        prb=float(centred @ bias / spread) if spread else float("nan"),
    )


def _explained(values: Vector, error: Vector) -> float:
    total = float(np.sum((values - values.mean()) ** 2))
    return 1 - float(np.sum(error**2)) / total if total else float("nan")
