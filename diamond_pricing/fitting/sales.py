"""Sales as the fitting code sees them: checked stones and positive prices."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import structs

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError, StoneError
from diamond_pricing.model.training import CURRENCY, EFFECTIVE
from diamond_pricing.stones import ATTRIBUTES, Day, Stones, shown, stone_keys
from diamond_pricing.stones.checks import stray_days
from diamond_pricing.stones.stones import array_of, columns_of

if TYPE_CHECKING:
    from diamond_pricing.model import PriceModel

FEWEST = 30  # stones
UNSOUND = "no sound price or grade"  # a reason for which a sale is left out
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

    def take(self, rows: Any) -> "Sales":
        """Some of the sales, by number or by mask."""
        return Sales(self.stones.take(rows), self.price[rows], self.currency, self.effective)


def columns_of_sales(sales: Any) -> Any:
    """The columns by name of what is no data frame of pandas, which stays as it is."""
    if hasattr(sales, "attrs"):
        return sales
    try:
        return columns_of(sales)
    except StoneError as error:
        raise FitError(str(error)) from error


def read_sales(
    frame: Any,
    *,
    currency: str | None = None,
    effective: str | None = None,
) -> Sales:
    """Check a data frame of sales.

    Parameters
    ----------
    frame : data frame of any library, or dict of columns
        Columns carat, cut, color, clarity and price; optionally depth, table, x, y, z.
        Names and grades may be written as people write them.
    currency, effective : str, optional
        Default: what ``frame.attrs`` says, else ``USD`` and ``undated``.

    Raises
    ------
    FitError
        For fewer than 30 distinct stones, no price, a price that is not a positive number,
        prices all alike, stones of different shapes or origins, or a currency or date that
        is none.
    StoneError
        For a stone that cannot be; the rows are named.
    """
    attrs = getattr(frame, "attrs", None) or {}
    frame = columns_of_sales(frame)
    columns = [column for column in frame if str(column).strip().casefold() == "price"]
    if len(columns) != 1:
        there = ", ".join(str(column) for column in frame)
        raise FitError(
            f"sales need one column 'price'; found {len(columns)} among {there or 'none'}."
        )
    given = array_of(frame[columns[0]])
    wrong: list[int] = []
    if given.dtype.kind in "Mm":  # a date would come out as nanoseconds
        wrong = [0]
    elif given.dtype.kind not in "iuf":
        values = given.tolist()
        wrong = [
            i for i, v in enumerate(values) if isinstance(v, bool) or not isinstance(v, Real)
        ]
        # a column with one word in it is read as text throughout: the word is what is wrong
        wrong = [i for i in wrong if not _number(values[i])] or wrong
    if wrong:
        raise FitError(
            f"the column 'price' holds what is not a number: {shown(given[wrong[0]])} in row "
            f"{wrong[0]}, counted from 0."
        )
    price = given.astype(np.float64)
    bad = np.flatnonzero(~((price > 0) & (price < DEAREST)))
    if len(bad):
        raise FitError(
            f"{len(bad)} of {len(price)} prices are not positive numbers under {DEAREST:g}; "
            f"the first is {shown(given[bad[0]])} in row {bad[0]}, counted from 0. Leave "
            "those sales out (on the command line: --leave-out)."
        )
    currency = str(currency or attrs.get("currency", "USD"))
    effective = str(effective or attrs.get("effective", "undated"))
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


def _number(given: object) -> bool:
    """Whether a text is a number in writing."""
    with suppress(ValueError):
        return isinstance(given, str) and float(given) == float(given)
    return False


def counting(model: "PriceModel", left_out: Mapping[str, int]) -> "PriceModel":
    """Let a model's document count further sales that were left out, by reason."""
    counts = Counter(left_out) + Counter(model.training.left_out)
    if counts == model.training.left_out:
        return model
    return replace(model, training=structs.replace(model.training, left_out=dict(counts)))


def usable(
    sales: Sales, attributes: tuple[str, ...], needed: tuple[str, ...] | None = None
) -> tuple[Sales, Integers, dict[str, int]]:
    """Sales of which ``attributes`` can be read, their rows, and the others by reason.

    No sale may lack what is ``needed``, by default all of them. Raises FitError when hardly
    any is left.
    """
    impossible = np.zeros(len(sales), bool)
    impossible[[row for row, _ in sales.stones.left_out]] = True
    lacking, undated, stray = np.zeros((3, len(sales)), bool)
    for name in dict.fromkeys((*attributes, *(needed or ()))):
        unknown = ~sales.stones.known(name)
        if isinstance(ATTRIBUTES[name], Day):
            undated |= unknown
            stray |= stray_days(sales.stones[name])
        else:
            lacking |= unknown if needed is None or name in needed else unknown & impossible
    left_out = {
        "measurements contradict each other": int((lacking & impossible).sum()),
        "measurement missing": int((lacking & ~impossible).sum()),
        "date missing": int((undated & ~lacking).sum()),
        "date months apart from all others": int((stray & ~lacking).sum()),
    }
    kept = ~(lacking | undated | stray)
    if kept.sum() < FEWEST:
        raise FitError(
            f"only {kept.sum()} of {len(sales)} sales have {', '.join(attributes)}; "
            f"at least {FEWEST} are needed."
        )
    return (
        sales.take(kept),
        np.flatnonzero(kept),
        {reason: count for reason, count in left_out.items() if count},
    )
