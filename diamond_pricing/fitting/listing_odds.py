"""Learn which price list a sale stood on from the stone, its order of sides unseen.

A logistic regression by iteratively reweighted least squares on the same engine as prices.
"""

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.fitting.engine.smoothing import smooth, solve
from diamond_pricing.fitting.engine.tables import Tables
from diamond_pricing.fitting.recipe import WEIGHT
from diamond_pricing.fitting.sales import Sales
from diamond_pricing.fitting.structure import Part, laid_out
from diamond_pricing.model.effects import Entry, Inference
from diamond_pricing.stones import LISTING
from diamond_pricing.terms import Averages

LIKELY, OTHERWISE = "x>y", "x<y"
PASSES = 8
SETTLED = 1e-3  # change of the log odds
FARTHEST = 8.0  # log odds


def inferred(sales: Sales, shape: tuple[str, ...], averages: Averages) -> Inference:
    """Fit the log odds of x>y against x<y."""
    listing = sales.stones[LISTING.name]
    on = np.flatnonzero((listing == 0) | (listing == 2))
    stones = sales.stones.take(on)
    z = (listing[on] == 2).astype(float)
    terms: list[tuple[Part, ...]] = [
        ((WEIGHT, 20),),
        ("magic",),
        ("cut",),
        ("color",),
        ("clarity",),
        ((WEIGHT, 10), "cut"),
        ((WEIGHT, 8), "color"),
        ((WEIGHT, 8), "clarity"),
        ("cut", "clarity"),
        ("cut", "color"),
    ]
    for text in shape:
        terms += [((text, 16),), ((text, 8), "cut")]
    laid = laid_out(terms, stones, averages)
    tables = Tables(laid.design, laid.axes, laid.codes)
    eta: Vector = np.full(len(z), np.log(z.mean() / (1 - z.mean())))
    start = None
    for count in range(PASSES):
        p = 1 / (1 + np.exp(-eta))
        w = np.maximum(p * (1 - p), 1e-3)
        made = tables.gram(eta + (z - p) / w, w)
        # Smoothness hardly changes once the weights are about right.
        if start is None or count == 1:
            fit = smooth(made, laid.design.penalties, start)
        else:
            fit = solve(made, laid.design.penalties, start)
        start = fit.smoothing
        before, eta = eta, laid.fitted(fit.coefficients).clip(-FARTHEST, FARTHEST)
        if np.abs(eta - before).mean() < SETTLED:
            break
    return Inference(
        LIKELY,
        OTHERWISE,
        tuple(
            Entry(
                sheet.term.bases,
                tuple((sheet.transform @ fit.coefficients[sheet.columns]).tolist()),
            )
            for sheet in laid.design.sheets
        ),
    )
