"""What a fit says of each of its sales when it has not seen the stone, and how each pulls it.

The sales are split into folds by stone. The Gram matrix without a fold is that of all sales
minus that of the fold, so that a fit without a fold costs one solve.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.fitting.compile import training_of
from diamond_pricing.fitting.constraints import Constraints
from diamond_pricing.fitting.engine.smoothing import PenalisedFit, solve
from diamond_pricing.fitting.engine.tables import Gram
from diamond_pricing.fitting.sales import Sales
from diamond_pricing.fitting.scatter import support_of
from diamond_pricing.fitting.structure import Structure
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.support import unsupported
from diamond_pricing.stones import LISTING, Stones
from diamond_pricing.terms import Averages

CHUNK = 1_000  # rows of the design matrix at once


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A penalised fit with what it was solved from."""

    laid: Structure
    fit: PenalisedFit
    fold: Integers  # of each sale, shape (n,)
    y: Vector  # log base prices, shape (n,)
    weight: Vector  # of each sale, shape (n,)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Log prices of m sales by fits without their stones."""

    # Which sales of the frame, counted from 0; shape (m,). Sales that lack a measure have no
    # part in the fit.
    rows: Integers
    sales: Sales  # those sales
    # Held-out log price on the list as recorded, and on the blend; shape (m,). NaN where the
    # fit without the stone would decline it: there is nothing like it to judge by.
    recorded: Vector
    blend: Vector
    found: Found  # the fit to all of them

    def leverage(self, rows: Integers | None = None) -> Vector:
        """Share of its own fitted value that each of some sales decides, or of all.

        The diagonal of WX(X'WX + S)⁻¹X' at the smoothing that was chosen; it sums to the
        effective degrees of freedom.
        """
        fit, laid = self.found.fit, self.found.laid
        rows = np.arange(len(self.rows)) if rows is None else rows
        found = np.empty(len(rows))
        for start in range(0, len(found), CHUNK):
            X = laid.rows(rows[start : start + CHUNK])
            half = lapack.dtrtrs(fit.factor, X.T, lower=1)[0]
            found[start : start + CHUNK] = np.einsum("ij,ij->j", half, half)
        return found * self.found.weight[rows]


def held_out(
    found: Found,
    without: Iterable[Gram],
    sales: Sales,
    averages: Averages,
    rising: Constraints,
) -> dict[str, Vector]:
    """Log base price of each sale by a fit without its fold, as recorded and at the blend.

    NaN for a stone that a model of the other folds would decline. Smoothing parameters and
    weights are those of all sales, and what bound the fit to all binds those without a fold:
    where sales contradict the shape, both have its errors.
    """
    laid, n = found.laid, len(found.y)
    held: dict[str, Vector] = {"recorded": np.empty(n), "blend": np.empty(n)}
    lists = [int(code) for code in laid.axes.get(LISTING.name, ())]
    seen = sum(averages.listings[code] for code in lists)
    read = frozenset().union(
        *(basis.attributes for sheet in laid.design.sheets for basis in sheet.term.bases)
    )
    for k, gram in enumerate(without):
        rows = np.flatnonzero(found.fold == k)
        beta = rising.shaped_alike(solve(gram, laid.design.penalties, found.fit.smoothing))
        stones = sales.stones.take(rows)
        held["recorded"][rows] = blend = laid.fitted(beta, rows)
        if lists:
            blend = np.zeros(len(rows))
            for code in lists:
                share = averages.listings[code] / seen
                blend = blend + share * laid.fitted(beta, rows, code)
        held["blend"][rows] = blend
        others = sales.take(found.fold != k)
        support = support_of(others.stones)
        for reason in unsupported(stones, training_of(others, {}), read, support):
            for log_price in held.values():
                log_price[rows[reason.stones]] = np.nan
    return held


def marked(base: dict[str, Vector], stones: Stones, markup: Markup | None) -> dict[str, Vector]:
    """Log prices with the mark-up of their lists."""
    if markup is None:
        return base
    blind = stones.with_columns(listing=np.full(len(stones), -1))
    on = {"recorded": stones, "blend": blind}
    return {
        name: price + markup.of(np.nan_to_num(price), on[name]) for name, price in base.items()
    }
