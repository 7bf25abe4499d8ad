"""The terms of a model with their coefficients, and how sure a line of theirs is."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.model.tables import Tables, weights_of_sets
from diamond_pricing.stones import LINES, Stones
from diamond_pricing.terms import AnyBasis, Averages, Rows, Steps, Term, interleaved
from diamond_pricing.terms.basis import dense

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
    def of(
        cls,
        terms: tuple[Term, ...],
        coefficients: Vector,
        averages: Averages,
        more: tuple[str, ...] = (),
    ) -> "Effects":
        """Spread out the coefficients of terms, shape (p,).

        Parameters
        ----------
        more : tuple[str, ...]
            Lines behind theirs that no term has a part in.
        """
        for term in terms:
            term.check(averages)
        runs = runs_of(terms, coefficients)
        used = {line for term in terms for line in term.lines}
        if not used:
            raise DocumentError("a model needs a term over at least one attribute.")
        every = [basis for term in terms for basis in term.bases]
        place = {basis: i for i, basis in enumerate(dict.fromkeys(every))}
        steps = (basis for basis in place if isinstance(basis, Steps))
        lines = (*(line for line in LINES if line in used), *more)
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

    def compiled(self) -> Tables:
        """The tables that prices and their lines are read from."""
        return Tables.of(self.terms, self.tables, self.averages, self.lines)

    def design(self, stones: Stones) -> Matrix:
        """Design matrix of n stones, shape (n, p)."""
        sides = [dense(basis, basis.rows(stones, self.averages)) for basis in self.bases]
        return np.hstack(
            [interleaved([sides[i] for i in places], len(stones)) for places in self.places]
        )

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
            for place, shares_of in enumerate(weights_of_sets(len(lines))):
                taken = [line for j, line in enumerate(lines) if place >> j & 1]
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
