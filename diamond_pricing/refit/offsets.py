"""How far the prices of one source lie from all others': declared, or fitted with each model.

An expert who prices 8 % high teaches a model nothing wrong if the 8 % are known: the sales
are divided by them before the fit. A fitted offset is the coefficient of the source in a
log-linear regression, on weight, grades and the month of the sale, of what the active model
leaves unexplained; so it is right if either of the two describes the stones well, and what the
market did meanwhile is nobody's offset.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.loglinear import regressors, right_side
from diamond_pricing.fitting.recipe import WEIGHT
from diamond_pricing.fitting.sales import read_sales
from diamond_pricing.intake import FITTED, Source
from diamond_pricing.model import PriceModel
from diamond_pricing.refit.days import days_of, within
from diamond_pricing.stones import GRADES, LISTING, stone_keys
from diamond_pricing.stones.attributes import period_of

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 12  # sales of a source
QUANTILE = 1.96


class Offset(msgspec.Struct, frozen=True):
    """How far a source's prices lie from the others', fitted."""

    source: str
    n: int  # its sales
    log: float  # of the ratio, with 95 % limits; standard errors clustered by stone
    low: float
    high: float

    def __str__(self) -> str:
        """Say it in percent."""
        middle, low, high = (100 * np.expm1(v) for v in (self.log, self.low, self.high))
        return (
            f"the prices of {self.source} lie {middle:+.1f} % from the others' "
            f"({low:+.1f} to {high:+.1f} %, {self.n:,} sales), which is taken off"
        )


def fitted_offsets(
    sales: "pd.DataFrame", names: Iterable[str], model: PriceModel | None = None
) -> list[Offset]:
    """Fit the offset of each of these sources against the sales of all others.

    What the model says is known of prices already; stones that it does not support count
    nothing. FitError when a source, or all others together, have fewer than 12 sales.
    """
    import statsmodels.formula.api as smf

    names = sorted(set(names) & set(sales["source"]))
    if not names:
        return []
    checked = read_sales(sales)
    frame, keys = regressors(checked), stone_keys(checked.stones)
    source = sales["source"].to_numpy()
    frame["source"] = np.where(np.isin(source, names), source, "")
    frame["unexplained"] = np.log(checked.price)
    frame["month"] = _months(days_of(checked.stones), frame["source"].to_numpy() == "")
    if model is not None:
        near = within(model, checked.stones)
        rows = np.flatnonzero(model.supports(near))
        frame, keys = frame.iloc[rows], keys[rows]
        known = model.log_price(near.take(rows), listing="recorded")
        frame = frame.assign(unexplained=frame["unexplained"] - known)
    counts = {name: int((frame["source"] == name).sum()) for name in ("", *names)}
    for name, count in counts.items():
        if count < FEWEST:
            raise FitError(
                f"the offset of source {name} is to be fitted; that needs {FEWEST} of its "
                f"sales, and there are {count}."
                if name
                else f"the offsets of {', '.join(names)} are to be fitted against the sales of "
                f"other sources; there are {count} of those."
            )
    right = right_side((WEIGHT, *(g.name for g in (*GRADES, LISTING))))
    if frame["month"].nunique() > 1:  # what the market did is no offset of a source
        right += " + C(month)"
    result = smf.ols(f"unexplained ~ {right} + C(source)", frame).fit(
        cov_type="cluster", cov_kwds={"groups": keys}
    )
    found = []
    for name in names:
        column = f"C(source)[T.{name}]"
        middle, reach = float(result.params[column]), QUANTILE * float(result.bse[column])
        found.append(Offset(name, counts[name], middle, middle - reach, middle + reach))
    return found


def _months(days: Vector, others: NDArray[np.bool_]) -> list[str]:
    """The month of each sale, or the nearest before it, or after, with sales of others."""
    named = np.array(["" if np.isnan(d) else period_of(d, "month") for d in days.tolist()])
    months, count = np.unique(named[others], return_counts=True)
    enough = months[count >= FEWEST]
    if not len(enough):
        return [""] * len(named)
    place = np.searchsorted(enough, named, side="right") - 1
    return [str(month) for month in enough[place.clip(0)]]


def taken_off(
    sales: "pd.DataFrame | Mapping[str, Sequence[Any]]",
    sources: Mapping[str, Source],
    fitted: Mapping[str, Offset],
) -> Vector:
    """Prices without the offsets of their sources, shape (n,)."""
    divisor = {n: 1.0 if s.offset == FITTED else float(s.offset) for n, s in sources.items()}
    divisor |= {n: float(np.exp(o.log)) for n, o in fitted.items() if n in sources}
    price: Vector = np.array(sales["price"], np.float64)
    off = np.array([divisor.get(source, 1.0) for source in sales["source"]], np.float64)
    return price / off
