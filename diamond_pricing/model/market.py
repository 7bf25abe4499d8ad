"""What the market did: an index of prices by month or quarter, from the dates of the sales.

The index is the curve of time of the model itself, so that it is of equal stones: a hedonic
index by the time dummy method, its months smoothed as far as the sales show nothing else
(Eurostat 2013, *Handbook on Residential Property Prices Indices*, ch. 5).
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from diamond_pricing.errors import ReportError
from diamond_pricing.model.price_model import PriceModel
from diamond_pricing.stones import Stone
from diamond_pricing.stones.attributes import period_of

FEWEST = 5  # sales of a period whose index is stated
By = Literal["month", "quarter"]


@dataclass(frozen=True, slots=True)
class Period:
    """The level of prices in a week, month or quarter.

    The first period stated is 100; the limits hold the truth with the level asked for. None
    where too few were sold; the limits also where the method has none.
    """

    period: str  # ``2026-W36`` (ISO 8601), ``2026-09`` or ``2026-Q3``
    sales: int
    index: float | None
    low: float | None
    high: float | None


def market_index(
    model: PriceModel, by: By = "month", *, of: Stone | None = None, level: float = 0.9
) -> list[Period]:
    """Index of the prices of equal stones, by ``month`` or ``quarter``.

    ``of`` says of which stones, where the market of one shape or origin is not that of another;
    by default of the reference stone. The ends hold the truth with a chance of ``level``. A
    model whose sales have no dates, and another period, are refused by a `ReportError`.
    """
    if by not in ("month", "quarter"):
        raise ReportError(
            f"the index of a model is by month or quarter, not {by!r}: the model has one level "
            "a month. Shorter periods need the sales (hedonic_index; index --sales)."
        )
    if not 0 < level < 1:
        raise ReportError(f"a level lies between 0 and 1, not {level}.")
    first_days, rows = model.by_month(of)
    months = [period_of(day, "month") for day in first_days]
    sales = np.array([model.training.months.get(month, 0) for month in months])
    label = [period_of(day, by) for day in first_days]
    periods = list(dict.fromkeys(label))
    inside = np.array([[one == period for one in label] for period in periods])
    count = inside @ sales
    mean = (inside * sales) @ rows / np.maximum(count, 1)[:, None]
    stated = count >= FEWEST
    start = mean[int(stated.argmax())]
    log = (mean - start) @ model.coefficients
    half = NormalDist().inv_cdf(0.5 + level / 2) * np.linalg.norm(
        (mean - start) @ model.factor, axis=1
    )
    levels = 100 * np.exp(np.column_stack([log, log - half, log + half]))
    return [
        Period(period, int(n), *(np.round(at, 2).tolist() if known else (None,) * 3))
        for period, n, at, known in zip(periods, count, levels, stated, strict=True)
    ]
