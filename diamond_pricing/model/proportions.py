"""Which proportions favour the worse of two cuts most.

Whatever the proportions of a stone are, a better cut must not make it cheaper. The effects
of the proportions add up feature by feature, so the worst case over all of them together is
the sum of the worst cases of each: anywhere on its curve, or missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.stones import LISTING, MEASURES, Stones
from diamond_pricing.terms import AnyBasis, Averages, Rows, Spline, Term, looked_up

POINTS = 200  # of each curve
PROPORTIONS = frozenset(m.name for m in MEASURES) - {"carat"}


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A feature of the proportions in all its states, with each cut, on one price list.

    Attributes
    ----------
    cuts : int
        How many.
    terms : dict[int, list[Rows]]
        By the place of each term over it: rows of its bases, shape (states · cuts, m).
    """

    cuts: int
    terms: dict[int, list[Rows]]

    def __len__(self) -> int:
        return len(next(iter(self.terms.values()))[0].position)

    def steps(self, tables: Sequence[Vector]) -> Matrix:
        """Log effect of each cut less that of the next worse, shape (states, cuts − 1)."""
        effect = np.zeros(len(self))
        for i, rows in self.terms.items():
            effect += looked_up(tables[i], rows, len(self))
        return np.diff(effect.reshape(-1, self.cuts), axis=1)


def is_proportion(term: Term) -> bool:
    """Whether a term reads a measure besides the weight."""
    return any(PROPORTIONS & set(basis.attributes) for basis in term.bases)


def features(
    terms: Sequence[Term], averages: Averages, cuts: Integers, listing: int, shape: int = -1
) -> list[Feature]:
    """Every feature of the proportions that some terms read.

    Parameters
    ----------
    cuts : ndarray
        Codes of the cuts, worst first.
    listing : int
        Code of the price list, −1 for the blend.
    shape : int
        Code of the shape, −1 where it is not known.
    """
    if len(cuts) < 2:
        return []
    known = _stones(np.ones(POINTS), cuts, listing, shape)
    missing = _stones(np.array(averages.carats), cuts, listing, shape)
    over: dict[str, list[int]] = {}
    ends: dict[str, list[float]] = {}
    for i, term in enumerate(terms):
        for basis in term.bases:
            if PROPORTIONS & set(basis.attributes):
                over.setdefault(basis.feature, []).append(i)
                if isinstance(basis, Spline):
                    reach = (basis.knots[basis.degree], basis.knots[-basis.degree - 1])
                    ends.setdefault(basis.feature, []).extend(reach)

    def rows(basis: AnyBasis) -> Rows:
        if PROPORTIONS & set(basis.attributes):
            low, high = min(ends[basis.feature]), max(ends[basis.feature])
            there = basis.placed(np.repeat(np.linspace(low, high, POINTS), len(cuts)))
        else:
            there = basis.rows(known, averages)
        return _stacked(there, basis.rows(missing, averages))

    return [
        Feature(len(cuts), {i: [rows(basis) for basis in terms[i].bases] for i in places})
        for places in over.values()
    ]


def _stones(carats: Vector, cuts: Integers, listing: int, shape: int) -> Stones:
    """Every cut at every weight, the cuts fastest, without any proportions."""
    n = len(carats) * len(cuts)
    columns = {name: np.full(n, np.nan) for name in PROPORTIONS}
    columns |= {"carat": np.repeat(carats, len(cuts)), "cut": np.tile(cuts, len(carats))}
    return Stones(columns | {LISTING.name: np.full(n, listing), "shape": np.full(n, shape)})


def _stacked(first: Rows, second: Rows) -> Rows:
    wide = max(part.position.shape[1] for part in (first, second))
    return Rows(
        *(
            np.vstack([np.pad(part, ((0, 0), (0, wide - part.shape[1]))) for part in pair])
            for pair in zip(first, second, strict=True)
        )
    )
