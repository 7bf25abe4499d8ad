"""Sales as the fitting code sees them: checked stones and positive prices."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.model.training import CURRENCY, EFFECTIVE
from diamond_pricing.stones import Stones, shown

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30


@dataclass(frozen=True, slots=True, eq=False)
class Sales:
    """Stones and what they fetched.

    Attributes
    ----------
    stones : Stones
        The n stones.
    price : Vector
        Shape (n,), in ``currency``; positive.
    currency, effective : str
        What the money is, and of when; ``undated`` when nobody said.
    """

    stones: Stones
    price: Vector
    currency: str
    effective: str

    def __len__(self) -> int:
        return len(self.price)


def read_sales(
    frame: "pd.DataFrame", *, currency: str | None = None, effective: str | None = None
) -> Sales:
    """Check a data frame of sales.

    Parameters
    ----------
    frame : DataFrame
        Columns carat, cut, color, clarity and price; optionally depth, table, x, y, z.
        Names and grades may be written as people write them.
    currency, effective : str, optional
        Default: what ``frame.attrs`` says, else ``USD`` and ``undated``.

    Raises
    ------
    FitError
        For fewer than 30 rows, no price, a price that is not a positive number, or a
        currency or date that is none.
    StoneError
        For a stone that cannot be; the rows are named.
    """
    columns = [column for column in frame.columns if str(column).strip().casefold() == "price"]
    if len(columns) != 1:
        raise FitError(f"sales need one column 'price'; found {len(columns)}.")
    if len(frame) < FEWEST:
        raise FitError(f"{len(frame)} sales are too few to fit a model; at least {FEWEST}.")
    given = frame[columns[0]]
    try:
        price = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FitError("the column 'price' holds something that is not a number.") from error
    bad = np.flatnonzero(~((price > 0) & np.isfinite(price)))
    if len(bad):
        raise FitError(
            f"{len(bad)} of {len(price)} prices are not positive numbers; the first is "
            f"{shown(given.iloc[int(bad[0])])} in row {bad[0]}, counted from 0. "
            "Leave those sales out: sales[sales.price > 0]."
        )
    currency = str(currency or frame.attrs.get("currency", "USD"))
    effective = str(effective or frame.attrs.get("effective", "undated"))
    if not CURRENCY.fullmatch(currency):
        raise FitError(f"currency {shown(currency)} is not a code of three capitals, as USD.")
    if not EFFECTIVE.fullmatch(effective):
        raise FitError(f"effective {shown(effective)} is not a year or date, as 2008-05-31.")
    return Sales(Stones.from_frame(frame), price, currency, effective)


def usable(sales: Sales, attributes: tuple[str, ...]) -> tuple[Sales, dict[str, int]]:
    """Keep the sales that have all of ``attributes``; count the others by reason.

    Raises
    ------
    FitError
        When hardly any sale is left.
    """
    missing = {name: np.isnan(sales.stones[name]) for name in attributes}
    impossible = np.zeros(len(sales), bool)
    impossible[[row for row, _ in sales.stones.left_out]] = True
    lacking = np.any([*missing.values(), np.zeros(len(sales), bool)], axis=0)
    left_out = {
        "measurements contradict each other": int((lacking & impossible).sum()),
        "measurement missing": int((lacking & ~impossible).sum()),
    }
    kept = ~lacking
    if kept.sum() < FEWEST:
        raise FitError(
            f"only {kept.sum()} of {len(sales)} sales have {', '.join(attributes)}; "
            f"at least {FEWEST} are needed."
        )
    return (
        Sales(sales.stones.take(kept), sales.price[kept], sales.currency, sales.effective),
        {reason: count for reason, count in left_out.items() if count},
    )
