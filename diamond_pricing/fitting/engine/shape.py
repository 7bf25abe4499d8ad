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
from scipy.linalg import lapack, qr

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError

MARGIN = 1e-5  # log dollars that every step up must bring: under a cent, over all rounding
ROUNDS = 150
BROKEN = 0.99 * MARGIN  # so near to it that what is found hardly depends on the way there
# Of a row of length 1; smaller ones where the largest makes no headway.
TOLERANCES = (1e-6, 1e-8, 1e-10)
STILL = 1e-9  # change of the coefficients
LOOSER = 10.0
SOLVED = 1  # by daqp
ACTIVE_BELOW = 3  # daqp's flags of a constraint to start from, at its lower bound

Broken = Callable[[Vector], Matrix]


class _Nearest:
    """Solves for the coefficients nearest to the free ones, in the metric of A = LL'."""

    def __init__(self, factor: Matrix, free: Vector) -> None:
        self.L = factor
        # In u = L'β the distance is Euclidean.
        self.target = factor.T @ free

    def turned(self, rows: Matrix) -> tuple[Matrix, Vector]:
        """Rows of length 1, so that the tolerances mean the same for each, and their length."""
        turned = lapack.dtrtrs(self.L, rows.T, lower=1)[0].T
        length = np.maximum(np.linalg.norm(turned, axis=1), 1e-300)
        return turned / length[:, None], length

    def solved(
        self, C: Matrix, least: Vector, sense: Integers, tolerance: float = TOLERANCES[0]
    ) -> tuple[Vector, Vector]:
        """Solution, and the multiplier of each row."""
        # The way from the target is a sum of rows, which are fewer than the coefficients.
        (R,) = qr(C.T, mode="r", check_finite=False)
        R = R[: len(C)]
        programme = (
            np.eye(len(R)),
            np.zeros(len(R)),
            np.ascontiguousarray(R.T),
            np.full(len(C), np.inf),
            least - C @ self.target,
        )
        # The solver may go in circles from where it starts, or at a tolerance.
        for some, loose in ((sense, 1.0), (np.zeros_like(sense), 1.0), (sense, LOOSER)):
            _, _, outcome, solver = daqp.solve(
                *programme, some.astype(np.int32), primal_tol=loose * tolerance
            )
            if outcome == SOLVED:
                break
        else:
            raise FitError(f"the shape constraints cannot be met (daqp says {outcome}).")
        multiplier = solver["lam"]
        u = self.target - C.T @ multiplier
        return lapack.dtrtrs(self.L, u, lower=1, trans=1)[0], multiplier


def shaped(factor: Matrix, free: Vector, broken: Broken) -> tuple[Vector, Matrix]:
    """Move free coefficients as little as possible to where no constraint is broken.

    ``factor`` is L, lower triangular: LL' = A = X'WX + S; ``broken`` gives the worst of the
    rows that coefficients break, shape (m, p). Returned are the coefficients, shape (p,), and
    the rows that bind. Raises FitError when no solution is found.
    """
    found = broken(free)
    if not len(found):
        return free, found
    nearest = _Nearest(factor, free)
    rows, C, least = np.empty((0, len(free))), np.empty((0, len(free))), np.empty(0)
    beta, tight = free, 0
    for _ in range(ROUNDS):
        turned, length = nearest.turned(found)
        sense = np.repeat([ACTIVE_BELOW, 0], [len(rows), len(found)])
        rows, C = np.vstack([rows, found]), np.vstack([C, turned])
        least = np.concatenate([least, MARGIN / length])
        before = beta
        beta, multiplier = nearest.solved(C, least, sense, TOLERANCES[tight])
        if np.abs(beta - before).max() < STILL:
            tight = min(tight + 1, len(TOLERANCES) - 1)
        binds = multiplier != 0
        rows, C, least = rows[binds], C[binds], least[binds]
        found = broken(beta)
        if not len(found):
            return beta, rows
    raise FitError(
        f"prices could not be kept from falling within {ROUNDS} rounds: the sales are too few "
        "or contradict it too much. Bring more sales, or fit the family 'loglinear'."
    )


def shaped_by(factor: Matrix, free: Vector, rows: Matrix) -> Vector:
    """Coefficients nearest to the free ones that break none of m rows; shape (p,)."""
    if not len(rows):
        return free
    nearest = _Nearest(factor, free)
    C, length = nearest.turned(rows)
    return nearest.solved(C, MARGIN / length, np.zeros(len(C), np.int64))[0]
