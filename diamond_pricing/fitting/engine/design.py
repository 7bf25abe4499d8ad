"""From terms to the columns of a fit: centred, and with diagonal penalties.

Each basis of a term is a *margin*. Its columns are turned so that they sum to nothing over
the sales, and so that its penalty S is diagonal. A term is the tensor product of its
margins; as each of them is centred, an interaction carries nothing that a main effect or a
smaller interaction could say, and a line of an explanation reads alone. The penalties of a
term are those of its margins, each spread over the others (Wood 2017, *Generalized Additive
Models*, 2nd ed., §5.6; centred margins are his ``ti`` terms).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from diamond_pricing.arrays import Flags, Integers, Matrix, Vector
from diamond_pricing.stones import ATTRIBUTES, Grade
from diamond_pricing.terms import AnyBasis, Levels, Periods, Spline, Steps, Term
from diamond_pricing.terms.basis import UNRECORDED

NULL = 1e-9  # an eigenvalue of a penalty below this part of the largest is none


@dataclass(frozen=True, slots=True, eq=False)
class Margin:
    """A basis as it enters the fit."""

    basis: AnyBasis  # w columns
    transform: Matrix  # T, shape (w, q): coefficients of the basis are T·β
    penalty: Vector  # diagonal of T'ST, shape (q,), largest 1; all zero if there is none


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A term in the fit."""

    margins: tuple[Margin, ...]  # empty for the intercept
    columns: slice  # where its coefficients are

    @property
    def transform(self) -> Matrix:
        """T of the whole term, shape (width of the term, q)."""
        return kron([margin.transform for margin in self.margins], np.ones((1, 1)))

    @property
    def term(self) -> Term:
        """The term without its mean rows."""
        return Term(tuple(margin.basis for margin in self.margins))


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """All terms, and all penalties."""

    sheets: tuple[Sheet, ...]  # the intercept first
    penalties: Matrix  # diagonals, one for each smoothing parameter; shape (penalties, p)

    @property
    def p(self) -> int:
        """Number of columns."""
        return int(self.penalties.shape[1])

    @property
    def owners(self) -> list[int]:
        """Which sheet each penalty is of."""
        stops = [sheet.columns.stop for sheet in self.sheets]
        first = (self.penalties != 0).argmax(axis=1)
        return [int(i) for i in np.searchsorted(stops, first, side="right")]

    def only(self, some: Sequence[bool]) -> tuple["Design", Integers, Flags]:
        """The design of some terms, where its q columns were, and which penalties it kept."""
        kept = [sheet for sheet, is_kept in zip(self.sheets, some, strict=True) if is_kept]
        at = np.concatenate([np.arange(self.p)[sheet.columns] for sheet in kept])
        laid, stop = [], 0
        for sheet in kept:
            width = sheet.columns.stop - sheet.columns.start
            laid.append(replace(sheet, columns=slice(stop, stop + width)))
            stop += width
        of: Flags = np.asarray(self.penalties[:, at].any(axis=1))
        return Design(tuple(laid), self.penalties[np.ix_(of, at)]), at, of


def kron(parts: Sequence[Matrix], start: Matrix) -> Matrix:
    """Kronecker product of ``start`` and the parts, the last fastest."""
    product = start
    for part in parts:
        product = np.asarray(np.kron(product, part), float)
    return product


def learned(
    basis: AnyBasis,
    rows: Matrix,
    weight: Vector,
    *,
    alike: tuple[int, int] | None = None,
    silent: Sequence[int] = (),
) -> Margin:
    """Centre a basis over the sales and diagonalise its penalty.

    The ``rows`` are its columns at the distinct values of its feature, shape (m, w), and
    ``weight`` the sales of each, shape (m,). Two columns ``alike`` have one coefficient,
    ``silent`` ones none.
    """
    S = _penalty(basis)
    null = np.eye(basis.width)
    if alike is not None:
        null[alike, :] = null[alike, :].sum(axis=0)
        null = np.delete(null, alike[0], axis=1)
    null = np.delete(null, silent, axis=1)
    if null.shape[1] > 1:
        mean = weight @ rows @ null / weight.sum()
        null = null @ np.linalg.qr(mean[:, None], mode="complete")[0][:, 1:]
    values, vectors = np.linalg.eigh(null.T @ S @ null)
    if values[-1] <= 0:
        return Margin(basis, null, np.zeros(null.shape[1]))
    values = np.where(values > NULL * values[-1], values, 0.0) / values[-1]
    return Margin(basis, null @ vectors, values)


def _penalty(basis: AnyBasis) -> Matrix:
    """S: what a margin pays for, shape (w, w)."""
    w = basis.width
    match basis:
        case Spline():
            # Divided differences at the Greville points, so that a straight line is free
            # on uneven knots too (Li & Cao 2022, arXiv:2201.06808).
            t, d = np.array(basis.knots), basis.degree
            at = np.array([t[i + 1 : i + d + 1].mean() for i in range(w)])
            first = np.diff(np.eye(w), axis=0) / np.diff(at)[:, None]
            D = np.diff(first, axis=0)
        case Levels():
            D = _between(basis)
        case Steps() | Periods():
            D = np.diff(np.eye(w), axis=0)
        case _:
            D = np.zeros((1, w))
    S: Matrix = D.T @ D
    return S


def _between(basis: Levels) -> Matrix:
    """What levels pay for: steps between grades in order, and each other by itself."""
    grade = ATTRIBUTES[basis.attribute]
    assert isinstance(grade, Grade)
    ordered = [
        level not in (grade.ungraded, UNRECORDED) and grade.ordered for level in basis.levels
    ]
    every = np.eye(basis.width)
    return np.vstack([np.diff(every[ordered], axis=0), every[~np.array(ordered)]])


def sheets(terms: Sequence[tuple[Margin, ...]]) -> Design:
    """Lay terms side by side behind the intercept."""
    laid, stop = [Sheet((), slice(0, 1))], 1
    for margins in terms:
        q = prod(len(margin.penalty) for margin in margins)
        laid.append(Sheet(margins, slice(stop, stop + q)))
        stop += q
    rows = []
    for sheet in laid:
        ones = [np.ones(len(margin.penalty)) for margin in sheet.margins]
        for i, margin in enumerate(sheet.margins):
            if margin.penalty.any():
                row = np.zeros(stop)
                row[sheet.columns] = kron(
                    [*ones[:i], margin.penalty, *ones[i + 1 :]], np.ones(1)
                )
                rows.append(row)
    return Design(tuple(laid), np.array(rows).reshape(-1, stop))
