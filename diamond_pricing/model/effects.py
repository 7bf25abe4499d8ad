"""Terms with their coefficients: of a price, and of the odds of a price list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import msgspec
import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.model.tables import Tables, weights_of_sets
from diamond_pricing.stones import LINES, LISTING, Stones
from diamond_pricing.terms import AnyBasis, Averages, Rows, Steps, Term, interleaved
from diamond_pricing.terms.basis import dense

Placed = tuple[Integers, Vector]  # one stone in one basis: columns and weights


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A term and its coefficients, as many as the product of the widths of its bases."""

    bases: tuple[AnyBasis, ...]
    coefficients: tuple[float, ...]


def parts_of(entries: Sequence[Entry]) -> tuple[tuple[Term, ...], Vector]:
    """Terms, and the coefficients of all of them."""
    coefficients = np.array([b for entry in entries for b in entry.coefficients])
    return tuple(Term(entry.bases) for entry in entries), coefficients


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Terms with their coefficients spread out for looking up."""

    terms: tuple[Term, ...]
    tables: tuple[Vector, ...]  # see `Term.effects_of_rows`
    averages: Averages
    # The k lines that the terms touch, in the order in which a client reads them
    lines: tuple[str, ...]
    attributes: frozenset[str]  # the attributes that the terms read
    magic: tuple[float, ...]  # the weights that prices jump at, ascending
    # By line the attributes of each of its features
    features: Mapping[str, tuple[tuple[str, ...], ...]]
    bases: tuple[AnyBasis, ...]  # of all terms, each once
    places: tuple[tuple[int, ...], ...]  # which of them each term has

    @classmethod
    def of(
        cls,
        terms: tuple[Term, ...],
        coefficients: Vector,
        averages: Averages,
        more: tuple[str, ...] = (),
    ) -> "Effects":
        """Spread out the coefficients of terms, shape (p,).

        ``more`` are lines behind theirs that no term has a part in.
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
        """Standard error of each line's effect between two `placed` stones, shape (k,).

        The covariance of the coefficients is UU'; ``factor`` is U, shape (p, r).
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
    """Each term's own coefficients; refuses another number than the terms have columns."""
    stops = list(accumulate((term.width for term in terms), initial=0))
    if coefficients.shape != (stops[-1],):
        raise DocumentError(
            f"the terms need {stops[-1]} coefficients; given are {coefficients.shape}."
        )
    return [coefficients[a:b] for a, b in pairwise(stops)]


class Inference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of two price lists a sale stood on, when the order of its sides is not recorded.

    A logistic regression on the stone: its terms are those of a price model, its sum the log
    odds of a list. It serves forecasts of what a sale was listed at. A client's price never
    depends on it.
    """

    # The two lists
    likely: str
    otherwise: str
    terms: tuple[Entry, ...]  # what speaks for ``likely``

    def __post_init__(self) -> None:
        lists = {self.likely, self.otherwise}
        if len(lists) != 2 or not lists <= set(LISTING.grades):
            raise DocumentError("the price list is inferred between two lists.")

    def log_odds(self, stones: Stones, averages: Averages) -> Vector:
        """Log odds of ``likely``, shape (n,)."""
        tables = self.effects(averages).compiled()
        return tables.total(tables.placed(_unlisted(stones)), len(stones))

    def probabilities(self, stones: Stones, averages: Averages) -> dict[str, Vector]:
        """Probability of each list, shape (n,); they sum to 1."""
        likely = 1 / (1 + np.exp(-self.log_odds(stones, averages)))
        return {self.likely: likely, self.otherwise: 1 - likely}

    def reasons(self, stones: Stones, averages: Averages, typical: Stones) -> dict[str, Vector]:
        """Log odds by line, from those of one typical stone; each shape (n,)."""
        tables = self.effects(averages).compiled()
        here, there = (tables.placed(_unlisted(s)) for s in (stones, typical))
        divided = tables.divided(here, there, len(stones))[0]
        return dict(zip(tables.lines, divided.T, strict=True))

    def effects(self, averages: Averages) -> Effects:
        """The terms with their coefficients, where these and the averages fit them."""
        return Effects.of(*parts_of(self.terms), averages)


def _unlisted(stones: Stones) -> Stones:
    return stones.with_columns(listing=np.full(len(stones), -1))
