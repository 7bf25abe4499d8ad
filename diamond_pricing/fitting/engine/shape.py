"""Prices that never fall when a stone improves: constraints on the sum of the terms.

With the Gram matrix in hand the constrained fit is a quadratic programme in p unknowns,
however many sales there are:

    minimise ½(β − β̂)'A(β − β̂)  subject to  Cβ ≥ margin.

The rows of C are differences of two stones' design rows. There are millions of possible
rows and few that bind, so only those that a solution breaks are added, until none is
broken.
"""

from collections.abc import Callable

import daqp
import numpy as np
from scipy.linalg import blas, lapack, qr

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError

MARGIN = 1e-5  # log dollars that every step up must bring: under a cent, over all rounding
ROUNDS = 150
LATE, MOST_MARGINS = 8, 4
# Of a row of length 1; smaller ones where the largest makes no headway.
TOLERANCES = (1e-6, 1e-8, 1e-10)
STILL = 1e-9  # change of the coefficients
ACTIVE_BELOW = 3  # daqp's flags of a constraint to start from, at its lower bound

Broken = Callable[[Vector], Matrix]


class _Nearest:
    """Solves for the coefficients nearest to the free ones, in the metric of A."""

    def __init__(self, A: Matrix, free: Vector) -> None:
        self.scale = 1 / np.sqrt(np.diag(A))
        self.R, failed = lapack.dpotrf(A * self.scale * self.scale[:, None], lower=0)
        if failed:
            raise FitError("the penalised Gram matrix is not positive definite.")
        # In u = R·β/scale the distance is Euclidean.
        self.target = self.R @ (free / self.scale)

    def turned(self, rows: Matrix) -> tuple[Matrix, Vector]:
        """Rows of length 1, so that the tolerances mean the same for each, and their length."""
        turned = blas.dtrsm(1.0, self.R, rows * self.scale, side=1, lower=0)
        length = np.maximum(np.linalg.norm(turned, axis=1), 1e-300)
        return turned / length[:, None], length

    def solved(
        self, C: Matrix, least: Vector, sense: Integers, tolerance: float = TOLERANCES[0]
    ) -> tuple[Vector, Vector]:
        """Solution, and the multiplier of each row."""
        # The way from the target is a sum of rows, which are fewer than the coefficients.
        Q, R = qr(C.T, mode="economic", check_finite=False)
        least = least - C @ self.target
        z, _, outcome, solver = daqp.solve(
            np.eye(Q.shape[1]), np.zeros(Q.shape[1]), np.ascontiguousarray(R.T),
            np.full(len(C), np.inf), least, sense, primal_tol=tolerance,
        )  # fmt: skip
        if outcome != 1:
            raise FitError(f"the shape constraints cannot be met (daqp says {outcome}).")
        moved, _ = lapack.dtrtrs(self.R, self.target + Q @ z, lower=0)
        return moved * self.scale, solver["lam"]


def shaped(A: Matrix, free: Vector, broken: Broken) -> tuple[Vector, Matrix]:
    """Move the coefficients as little as possible to where no constraint is broken.

    Parameters
    ----------
    A : Matrix
        X'WX + S, shape (p, p).
    free : Vector
        The coefficients without constraints, shape (p,).
    broken : callable
        Coefficients → the worst of the rows that they break, shape (m, p); none at the end.

    Returns
    -------
    Vector
        Coefficients, shape (p,).
    Matrix
        The rows that bind, shape (m, p).

    Raises
    ------
    FitError
        When no solution is found.
    """
    found = broken(free)
    if not len(found):
        return free, found
    nearest = _Nearest(A, free)
    rows, C, least = np.empty((0, len(free))), np.empty((0, len(free))), np.empty(0)
    active, beta, tight = np.empty(0, np.int32), free, 0
    for count in range(ROUNDS):
        turned, length = nearest.turned(found)
        rows, C = np.vstack([rows, found]), np.vstack([C, turned])
        # Late rows ask for a little more, or each would only move the place that breaks.
        margin = MARGIN * min(max(count - LATE, 1), MOST_MARGINS)
        least = np.concatenate([least, margin / length])
        sense = np.concatenate([active, np.zeros(len(found), np.int32)])
        before = beta
        beta, multiplier = nearest.solved(C, least, sense, TOLERANCES[tight])
        if np.abs(beta - before).max() < STILL:
            tight = min(tight + 1, len(TOLERANCES) - 1)
        near = multiplier != 0
        active = np.where(multiplier[near] != 0, ACTIVE_BELOW, 0).astype(np.int32)
        rows, C, least = rows[near], C[near], least[near]
        found = broken(beta)
        if not len(found):
            return beta, rows[active != 0]
    raise FitError(
        f"prices could not be kept from falling within {ROUNDS} rounds: the sales are too few "
        "or contradict it too much. Bring more sales, or fit the family 'loglinear'."
    )


def shaped_by(A: Matrix, free: Vector, rows: Matrix) -> Vector:
    """Coefficients nearest to the free ones that break none of m rows; shape (p,)."""
    if not len(rows):
        return free
    nearest = _Nearest(A, free)
    C, length = nearest.turned(rows)
    return nearest.solved(C, MARGIN / length, np.zeros(len(C), np.int32))[0]
