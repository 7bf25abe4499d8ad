"""Prices at constant quality by double imputation: a small regression for each period alone.

Eurostat (2013), *Handbook on Residential Property Prices Indices*, ch. 5; de Haan (2010),
*Jahrbücher für Nationalökonomie und Statistik* 230/6.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Flags, Integers, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.loglinear import SALES_PER_COLUMN
from diamond_pricing.fitting.sales import Sales
from diamond_pricing.model.market import FEWEST
from diamond_pricing.stones import ATTRIBUTES, Grade, Stones, several
from diamond_pricing.stones.kinds import KINDS

SCORES = ("cut", "color", "clarity")
GRADED = "cut"  # of some stones it is not graded, which is no place in the order


@dataclass(frozen=True, slots=True, eq=False)
class RightSide:
    """Columns of the regressions of single periods."""

    # Codes of each shape and origin that may be priced, −1 where it is not recorded, since
    # these are markets of their own; and whether the cut may be ungraded.
    kinds: dict[str, list[int]]
    used: list[int]  # columns that the first period separates

    @classmethod
    def of(cls, stones: Stones) -> "RightSide":
        """Choose the columns by the stones sold in the first period."""
        kinds = {}
        for name in (*KINDS, GRADED):
            codes, count = np.unique(_kind(stones, name), return_counts=True)
            kinds[name] = codes[count >= FEWEST].tolist()
        every = cls(kinds, [])
        columns = every.columns(stones.take(every.covers(stones)))
        used: list[int] = []
        for j in range(columns.shape[1]):
            if np.linalg.matrix_rank(columns[:, [*used, j]]) > len(used):
                used.append(j)
        return cls(kinds, used)

    def covers(self, stones: Stones) -> Flags:
        """Which stones are of kinds that may be priced, shape (n,)."""
        found: Flags = np.all(
            [np.isin(_kind(stones, name), codes) for name, codes in self.kinds.items()], axis=0
        )
        return found

    def columns(self, stones: Stones) -> Matrix:
        """All columns, shape (n, w)."""
        log = np.log(stones["carat"])
        dummies = [
            _kind(stones, name) == code
            for name, codes in self.kinds.items()
            for code in codes[1:]
        ]
        scores = [stones[name] for name in SCORES]
        return np.column_stack([np.ones(len(stones)), log, log**2, *scores, *dummies])

    def rows(self, stones: Stones) -> Matrix:
        """The columns used, of the stones that may be priced."""
        return self.columns(stones.take(self.covers(stones)))[:, self.used]

    def fitted(self, sales: Sales) -> Vector | None:
        """Coefficients of one period; None where its sales do not carry them."""
        some = sales.take(self.covers(sales.stones))
        rows, width = self.rows(sales.stones), len(self.used)
        if len(some) < max(FEWEST, SALES_PER_COLUMN * width):
            return None
        if np.linalg.matrix_rank(rows) < width:
            return None
        return np.linalg.lstsq(rows, np.log(some.price), rcond=None)[0].astype(np.float64)


def _kind(stones: Stones, name: str) -> Integers:
    cut = ATTRIBUTES[GRADED]
    assert isinstance(cut, Grade)
    codes = stones.labels(GRADED) == cut.ungraded if name == GRADED else stones[name]
    return codes.astype(np.int64)


def imputed(
    parts: Sequence[Sales], basket: Stones | None = None
) -> tuple[list[float | None], list[float | None]]:
    """Index of each period by Laspeyres and by Paasche, 1 in the first; None where it has none.

    The parts are the sales of each period; a basket is in place of the stones sold in the
    first. Raises FitError when no period has sales enough, or a stone of the basket cannot
    be priced.
    """
    for start in range(len(parts)):  # the first period whose sales carry a regression
        right = RightSide.of(parts[start].stones)
        if (first := right.fitted(parts[start])) is not None:
            break
    else:
        raise FitError(
            f"no period has {SALES_PER_COLUMN} sales for each coefficient of a regression of "
            "its own; choose longer periods, or the method 'time dummy'."
        )
    if basket is not None and not (known := right.covers(basket)).all():
        raise FitError(
            f"{several(int((~known).sum()), 'stone')} of the basket (the first in row "
            f"{int((~known).argmax())}, counted from 0) cannot be priced: the first period has "
            f"fewer than {FEWEST} sales of that shape, origin or ungraded cut. Take them out."
        )
    fixed = right.rows(parts[start].stones if basket is None else basket)
    laspeyres: list[float | None] = [None] * len(parts)
    paasche = laspeyres.copy()
    for i, part in enumerate(parts[start:], start):
        now = right.fitted(part)
        if now is not None:
            laspeyres[i], paasche[i] = (
                float(np.exp(rows @ now).sum() / np.exp(rows @ first).sum())
                for rows in (fixed, right.rows(part.stones))
            )
    return laspeyres, paasche
