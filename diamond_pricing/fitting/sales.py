"""Sales as the fitting code sees them: checked stones and positive prices."""

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.model.training import CURRENCY, EFFECTIVE
from diamond_pricing.stones import Columns, Stones, shown, stone_keys

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30  # stones
DEAREST = 1e12  # in any currency


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
    frame: "pd.DataFrame | Columns",
    *,
    currency: str | None = None,
    effective: str | None = None,
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
        For fewer than 30 distinct stones, no price, a price that is not a positive number,
        prices all alike, or a currency or date that is none.
    StoneError
        For a stone that cannot be; the rows are named.
    """
    columns = [column for column in frame.columns if str(column).strip().casefold() == "price"]
    if len(columns) != 1:
        raise FitError(f"sales need one column 'price'; found {len(columns)}.")
    given = np.asarray(frame[columns[0]])
    numbers = given.dtype.kind not in "Mm"  # a date would come out as nanoseconds
    wrong = []
    if given.dtype.kind not in "iuf":
        wrong = [v for v in given.tolist() if isinstance(v, bool) or not isinstance(v, Real)]
    if wrong or not numbers:
        first = shown((wrong or [given[0]])[0])
        raise FitError(f"the column 'price' holds what is not a number: {first}.")
    price = given.astype(np.float64)
    bad = np.flatnonzero(~((price > 0) & (price < DEAREST)))
    if len(bad):
        raise FitError(
            f"{len(bad)} of {len(price)} prices are not positive numbers under {DEAREST:g}; "
            f"the first is {shown(given[bad[0]])} in row {bad[0]}, counted from 0. Leave "
            "those sales out."
        )
    currency = str(currency or frame.attrs.get("currency", "USD"))
    effective = str(effective or frame.attrs.get("effective", "undated"))
    if not CURRENCY.fullmatch(currency):
        raise FitError(f"currency {shown(currency)} is not a code of three capitals, as USD.")
    if not EFFECTIVE.fullmatch(effective):
        raise FitError(f"effective {shown(effective)} is not a year or date, as 2008-05-31.")
    stones = Stones.from_frame(frame)
    distinct = len(np.unique(stone_keys(stones)))
    if distinct < FEWEST:
        raise FitError(f"sales of {distinct} stones are too few; at least {FEWEST}.")
    if price.min() == price.max():
        raise FitError("all prices are the same; there is nothing to explain.")
    return Sales(stones, price, currency, effective)


def usable(sales: Sales, attributes: tuple[str, ...]) -> tuple[Sales, dict[str, int]]:
    """Keep the sales that have all of ``attributes``; count the others by reason.

    Raises
    ------
    FitError
        When hardly any sale is left.
    """
    impossible = np.zeros(len(sales), bool)
    impossible[[row for row, _ in sales.stones.left_out]] = True
    lacking = np.zeros(len(sales), bool)
    for name in attributes:
        lacking |= ~sales.stones.known(name)
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
