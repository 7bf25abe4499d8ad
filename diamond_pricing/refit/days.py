"""Sales and models of different days, compared on one."""

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones, date_of_sale

if TYPE_CHECKING:
    import pandas as pd


def days_of(stones: Stones) -> Vector:
    """The day of each sale, see `Day`; NaN where none is recorded. Shape (n,)."""
    days: Vector = stones[date_of_sale()]
    return days


def sale_days(sales: "pd.DataFrame", at: str) -> list[float]:
    """The day of each sale; of one that says none that of the time ``at``."""
    missing = float(date.fromisoformat(at[:10]).toordinal())
    days = days_of(Stones.from_frame(sales)).tolist()
    return [missing if day != day else day for day in days]


def within(model: PriceModel, stones: Stones) -> Stones:
    """The stones on the nearest days that a model's sales cover."""
    if (name := model.dates) is None:
        return stones
    low, high = model.training.ranges[name]
    return stones.with_columns(**{name: stones[name].clip(low, high)})


def on(day: float | None, model: PriceModel, stones: Stones) -> Stones:
    """The stones on one day, or the nearest that a model's sales cover; None: on its last."""
    if (name := model.dates) is None:
        return stones
    same = np.full(len(stones), np.nan if day is None else day)
    return within(model, stones.with_columns(**{name: same}))
