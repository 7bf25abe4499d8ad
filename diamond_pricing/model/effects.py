"""The effects of a model's terms, summed for a price or divided among the lines."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.model.attribution import shares
from diamond_pricing.stones import LINES, Stones
from diamond_pricing.terms import Averages, Rows, Steps, Term, dense, interleaved, looked_up

T = TypeVar("T")
TermRows = list[list[Rows]]  # for each term, the rows of each of its bases


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Terms with their coefficients spread out for looking up.

    Attributes
    ----------
    terms : tuple[Term, ...]
    tables : tuple[Vector, ...]
        See `Term.effects_of_rows`.
    averages : Averages
    lines : tuple[str, ...]
        The k lines that the terms touch, in the order in which a client reads them.
    """

    terms: tuple[Term, ...]
    tables: tuple[Vector, ...]
    averages: Averages
    lines: tuple[str, ...]

    @classmethod
    def of(cls, terms: tuple[Term, ...], coefficients: Vector, averages: Averages) -> "Effects":
        """Spread out the coefficients of terms, shape (p,)."""
        for term in terms:
            term.check(averages)
        runs = runs_of(terms, coefficients)
        used = {line for term in terms for line in term.lines}
        if not used:
            raise DocumentError("a model needs a term over at least one attribute.")
        return cls(
            terms,
            tuple(t.effects_of_rows(run) for t, run in zip(terms, runs, strict=True)),
            averages,
            tuple(line for line in LINES if line in used),
        )

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that the terms read."""
        return frozenset(
            name for term in self.terms for basis in term.bases for name in basis.attributes
        )

    @property
    def magic(self) -> tuple[float, ...]:
        """The weights that prices jump at, ascending."""
        steps = (b for term in self.terms for b in term.bases if isinstance(b, Steps))
        return tuple(sorted({weight for basis in steps for weight in basis.at}))

    def features(self, line: str) -> list[tuple[str, ...]]:
        """Attributes of each feature of a line."""
        bases = [basis for term in self.terms for basis in term.bases]
        return [basis.attributes for basis in bases if basis.line == line]

    def rows(self, stones: Stones) -> TermRows:
        """Rows of every basis of every term for n stones."""
        return [[basis.rows(stones, self.averages) for basis in t.bases] for t in self.terms]

    def total(self, rows: TermRows, n: int) -> Vector:
        """Sum of all effects, shape (n,), log dollars."""
        total = np.zeros(n)
        for table, row in zip(self.tables, rows, strict=True):
            total = total + looked_up(table, row, n)
        return total

    def divided(self, here: TermRows, there: TermRows, n: int) -> Matrix:
        """Log effect of each line between n stones and one reference, shape (n, k)."""
        effects = np.zeros((n, len(self.lines)))
        for i, term in enumerate(self.terms):

            def moved_to(moved: frozenset[str], i: int = i, term: Term = term) -> Vector:
                mixed = _mixed(term, here[i], there[i], moved)
                return looked_up(self.tables[i], mixed, n)

            for line, part in shares(term.lines, moved_to).items():
                effects[:, self.lines.index(line)] += part
        return effects

    def gradients(self, here: TermRows, there: TermRows) -> Matrix:
        """Derivative of each line's effect by the coefficients, shape (k, p).

        Parameters
        ----------
        here, there : TermRows
            Of one stone each: what is priced, and what it is measured from.
        """
        runs: list[Matrix] = []
        for i, term in enumerate(self.terms):
            ends = [
                [dense(basis, rows) for basis, rows in zip(term.bases, end[i], strict=True)]
                for end in (here, there)
            ]

            def moved_to(
                moved: frozenset[str], ends: list[list[Matrix]] = ends, term: Term = term
            ) -> Matrix:
                return interleaved(_mixed(term, ends[0], ends[1], moved), 1)

            run = np.zeros((len(self.lines), term.width))
            for line, part in shares(term.lines, moved_to).items():
                run[self.lines.index(line)] = part[0]
            runs.append(run)
        return np.hstack(runs)


def runs_of(terms: tuple[Term, ...], coefficients: Vector) -> list[Vector]:
    """Each term's own coefficients.

    Raises
    ------
    DocumentError
        When there are not as many as the terms have columns.
    """
    stops = list(accumulate((term.width for term in terms), initial=0))
    if coefficients.shape != (stops[-1],):
        raise DocumentError(
            f"the terms need {stops[-1]} coefficients; given are {coefficients.shape}."
        )
    return [coefficients[a:b] for a, b in pairwise(stops)]


def _mixed(term: Term, here: list[T], there: list[T], moved: frozenset[str]) -> list[T]:
    """Take each basis from ``here`` where its line has moved, else from ``there``."""
    return [
        a if basis.line in moved else b
        for basis, a, b in zip(term.bases, here, there, strict=True)
    ]
