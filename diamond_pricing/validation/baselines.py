"""What a price would be without a model: the floor that any model has to rise above."""

from collections.abc import Callable, Mapping

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.fitting import Sales
from diamond_pricing.stones import Stones

Baseline = Callable[[Sales, Stones], Vector]

EDGES = np.array([0.3, 0.4, 0.5, 0.7, 0.9, 1.0, 1.5, 2.0, 3.0])  # carats


def median_price(sales: Sales, stones: Stones) -> Vector:
    """Ask for the same price for every stone: the median."""
    return np.full(len(stones), np.median(sales.price))


def price_per_carat(sales: Sales, stones: Stones) -> Vector:
    """Ask for the median price per carat of the stone's weight band, times its weight."""
    rate = sales.price / sales.stones["carat"]
    band = np.digitize(sales.stones["carat"], EDGES)
    rates = np.array(
        [
            np.median(rate[band == b]) if (band == b).any() else np.median(rate)
            for b in range(len(EDGES) + 1)
        ]
    )
    predicted: Vector = rates[np.digitize(stones["carat"], EDGES)] * stones["carat"]
    return predicted


BASELINES: Mapping[str, Baseline] = {
    "median price": median_price,
    "price per carat": price_per_carat,
}
