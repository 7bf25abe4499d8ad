"""The effects of a model's terms, summed for a price or divided among the lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.model.attribution import coalitions, shares
from diamond_pricing.stones import LINES, Stones
from diamond_pricing.terms import (
    AnyBasis,
    Averages,
    Rows,
    Steps,
    Term,
    interleaved,
    looked_up,
)
from diamond_pricing.terms.basis import dense

T = TypeVar("T")
TermRows = list[list[Rows]]  # for each term, the rows of each of its bases
Placed = tuple[Integers, Vector]  # one stone in one basis: columns and weights


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
    attributes : frozenset[str]
        The attributes that the terms read.
    magic : tuple[float, ...]
        The weights that prices jump at, ascending.
    features : Mapping[str, tuple[tuple[str, ...], ...]]
        By line the attributes of each of its features.
    bases : tuple[AnyBasis, ...]
        Of all terms, each once.
    places : tuple[tuple[int, ...], ...]
        Which of them each term has.
    """

    terms: tuple[Term, ...]
    tables: tuple[Vector, ...]
    averages: Averages
    lines: tuple[str, ...]
    attributes: frozenset[str]
    magic: tuple[float, ...]
    features: Mapping[str, tuple[tuple[str, ...], ...]]
    bases: tuple[AnyBasis, ...]
    places: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, terms: tuple[Term, ...], coefficients: Vector, averages: Averages) -> "Effects":
        """Spread out the coefficients of terms, shape (p,)."""
        for term in terms:
            term.check(averages)
        runs = runs_of(terms, coefficients)
        used = {line for term in terms for line in term.lines}
        if not used:
            raise DocumentError("a model needs a term over at least one attribute.")
        every = [basis for term in terms for basis in term.bases]
        place = {basis: i for i, basis in enumerate(dict.fromkeys(every))}
        steps = (basis for basis in place if isinstance(basis, Steps))
        lines = tuple(line for line in LINES if line in used)
        return cls(
            terms=terms,
            tables=tuple(t.effects_of_rows(run) for t, run in zip(terms, runs, strict=True)),
            averages=averages,
            lines=lines,
            attributes=frozenset(name for basis in place for name in basis.attributes),
            magic=tuple(sorted({weight for basis in steps for weight in basis.at})),
            features={
                line: tuple(basis.attributes for basis in place if basis.line == line)
                for line in lines
            },
            bases=tuple(place),
            places=tuple(tuple(place[basis] for basis in term.bases) for term in terms),
        )

    def rows(self, stones: Stones) -> TermRows:
        """Rows of every basis of every term for n stones."""
        rows = [basis.rows(stones, self.averages) for basis in self.bases]
        return [[rows[i] for i in places] for places in self.places]

    def design(self, stones: Stones) -> Matrix:
        """Design matrix of n stones, shape (n, p)."""
        sides = [dense(basis, basis.rows(stones, self.averages)) for basis in self.bases]
        return np.hstack(
            [interleaved([sides[i] for i in places], len(stones)) for places in self.places]
        )

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

    def placed(self, stone: Stones) -> list[Placed]:
        """Columns and weights of one stone in every basis of ``bases``."""
        return [_sparse(basis, basis.rows(stone, self.averages)) for basis in self.bases]

    def errors(self, here: list[Placed], there: list[Placed], factor: Matrix) -> Vector:
        """Standard error of each line's effect between two stones, shape (k,).

        Parameters
        ----------
        here, there : list[Placed]
            What is priced, and what it is measured from, by `placed`.
        factor : Matrix
            U, shape (p, r); the covariance of the coefficients is UU'.
        """
        ends = list(zip(here, there, strict=True))
        moves = [
            len(a[0]) != len(b[0]) or (a[0] != b[0]).any() or (a[1] != b[1]).any()
            for a, b in ends
        ]
        columns, weights = [], []
        start = 0
        for term, places in zip(self.terms, self.places, strict=True):
            # A line whose features stay has no share, and leaves those of the others alone.
            lines = tuple(dict.fromkeys(self.bases[i].line for i in places if moves[i]))
            for moved, shares_of in coalitions(len(lines)):
                taken = [lines[j] for j in moved]
                column, weight = np.zeros(1, np.int64), np.ones(1)
                for i in places:
                    basis = self.bases[i]
                    at, w = ends[i][0 if basis.line in taken else 1]
                    column = np.add.outer(column * basis.width, at).ravel()
                    weight = np.multiply.outer(weight, w).ravel()
                block = np.zeros((len(self.lines), len(column)))
                for line, share in zip(lines, shares_of, strict=True):
                    block[self.lines.index(line)] = share * weight
                columns.append(start + column)
                weights.append(block)
            start += term.width
        if not columns:
            return np.zeros(len(self.lines))
        spread = np.hstack(weights) @ factor[np.concatenate(columns)]
        errors: Vector = np.sqrt(np.einsum("ij,ij->i", spread, spread))
        return errors


def _sparse(basis: AnyBasis, rows: Rows) -> Placed:
    """One row of a basis over its real columns: their positions and weights."""
    position, weight = rows.position[0], rows.weight[0]
    if (position < basis.width).all():
        return position, weight
    full = np.zeros(basis.width)
    for at, share in zip(position.tolist(), weight.tolist(), strict=True):
        if at < basis.width:
            full[at] += share
        elif share:
            full += share * np.array(basis.average[at - basis.width])
    kept = np.flatnonzero(full)
    return kept, full[kept]


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
