"""Which price list a sale stood on, when the order of length and width is not recorded.

A logistic regression on the stone: its terms are those of a price model, its sum the log
odds of the list x>y. It serves forecasts of what a sale was listed at. A client's price
never depends on it.
"""

import msgspec
import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.support import INFERRED
from diamond_pricing.stones import LISTING, Stones
from diamond_pricing.terms import AnyBasis, Averages, Term

__all__ = ["INFERRED", "Inference", "Odds"]


class Odds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A term of the log odds and its coefficients."""

    bases: tuple[AnyBasis, ...]
    coefficients: tuple[float, ...]


class Inference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log odds of one price list against another.

    Attributes
    ----------
    likely, otherwise : str
        The two lists.
    terms : tuple[Odds, ...]
        What speaks for ``likely``.
    """

    likely: str
    otherwise: str
    terms: tuple[Odds, ...]

    def __post_init__(self) -> None:
        lists = {self.likely, self.otherwise}
        if len(lists) != 2 or not lists <= set(LISTING.grades):
            raise DocumentError("the price list is inferred between two lists.")

    def check(self, averages: Averages) -> None:
        """Refuse terms that do not fit their coefficients or the averages.

        Raises
        ------
        FitError, DocumentError
        """
        self._effects(averages)

    def log_odds(self, stones: Stones, averages: Averages) -> Vector:
        """Log odds of ``likely``, shape (n,)."""
        tables = self._effects(averages).compiled()
        blind = stones.with_columns(listing=np.full(len(stones), -1))
        return tables.total(tables.placed(blind), len(stones))

    def probabilities(self, stones: Stones, averages: Averages) -> dict[str, Vector]:
        """Probability of each list, shape (n,); they sum to 1."""
        likely = 1 / (1 + np.exp(-self.log_odds(stones, averages)))
        return {self.likely: likely, self.otherwise: 1 - likely}

    def reasons(self, stones: Stones, averages: Averages, typical: Stones) -> dict[str, Vector]:
        """Log odds by line, from those of one typical stone; each shape (n,)."""
        tables = self._effects(averages).compiled()
        here, there = (
            tables.placed(s.with_columns(listing=np.full(len(s), -1)))
            for s in (stones, typical)
        )
        divided = tables.divided(here, there, len(stones))[0]
        return dict(zip(tables.lines, divided.T, strict=True))

    def _effects(self, averages: Averages) -> Effects:
        terms = tuple(Term(odds.bases) for odds in self.terms)
        coefficients = np.array([b for odds in self.terms for b in odds.coefficients])
        return Effects.of(terms, coefficients, averages)
