"""How smooth each curve is, by restricted maximum likelihood; and the fit at that smoothness.

With diagonal penalties S = Σ λ_j D_j, A = X'WX + S, n sales, M unpenalised columns and
P(β) = ‖y − Xβ‖² + β'Sβ, twice the negative restricted log likelihood is, up to a constant,

    (n − M)·log P(β̂) + log|A| − log|S|₊

(Wood 2017, *Generalized Additive Models*, 2nd ed., §6.2.6, σ² profiled out). It is lowered
by the generalised Fellner–Schall update (Wood & Fasiolo 2017, *Biometrics* 73, 1071–1081),
which is safe far from the optimum, and finished by Newton steps with exact derivatives,
which are fast near it.
"""

from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from diamond_pricing.arrays import Flags, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.engine.tables import Gram

SMALLEST, LARGEST = 1e-8, 1e7  # of λ over the scale of its columns
PLAIN = 0.3  # λ over the scale of its columns, where none is known
UNKNOWN, KNOWN = 4, 2  # safe steps before Newton's, from a λ that is not or is known
SINGULAR = 1e-13  # pivot of a column of unit length that the others determine
STEPS, HALVED = 60, 30
ROUNDING = 1e-4  # of log prices, which are whole cents of stones of about $100 or dearer
FLAT = 1e-5  # derivative of the score by log λ at the end, so that all ways there end alike
TAIL, ALIKE = 3e-3, 0.3  # such a derivative near a bound; of it, how far the second may be off
LONGEST = 6.0  # step of log λ


class PenalisedFit:
    """A penalised least-squares fit at one λ; what takes an inverse is found when asked."""

    def __init__(self, gram: Gram, penalties: Matrix, smoothing: Vector) -> None:
        self.gram, self.penalties = gram, penalties
        self.smoothing = smoothing  # λ, one for each penalty
        self.S = smoothing @ penalties if len(smoothing) else np.zeros(len(gram.Xy))
        A = gram.XX.T.copy(order="F")  # symmetric; LAPACK takes it as it stands
        of_A = np.diag(gram.XX) + self.S
        np.fill_diagonal(A, of_A)
        # L, lower triangular: LL' = A.
        self.factor, failed = lapack.dpotrf(A, lower=1, overwrite_a=1)
        # Rounding may leave a pivot of what is nothing a little above it.
        if failed or (np.diag(self.factor) ** 2 < SINGULAR * of_A).any():
            raise FitError(
                "the sales do not tell the terms apart: some columns are determined by others."
            )
        beta: Vector = lapack.dpotrs(self.factor, gram.Xy, lower=1)[0]
        rss = float(gram.yy - 2 * beta @ gram.Xy + beta @ (gram.XX @ beta))
        self.rss = max(rss, gram.n * ROUNDING**2)
        self.P = self.rss + beta @ (self.S * beta)
        self.coefficients = beta  # β̂, shape (p,), log dollars
        self.penalised = penalties.any(axis=0)
        self.free = len(self.S) - int(self.penalised.sum())
        if self.P <= 0 or gram.n <= self.free:
            raise FitError("the sales are too few or too alike for this model.")

    @cached_property
    def edf(self) -> Vector:
        """Effective degrees of freedom of each column, the diagonal of A⁻¹X'X; shape (p,)."""
        found: Vector = 1 - self.diagonal * self.S
        return found

    @cached_property
    def residual_variance(self) -> float:
        """σ²."""
        return float(self.rss / (self.gram.n - self.edf.sum()))

    @property
    def covariance(self) -> Matrix:
        """Bayesian posterior covariance σ²A⁻¹, shape (p, p)."""
        lower = self.inverse
        V: Matrix = lower + lower.T
        V[np.diag_indices_from(V)] /= 2
        V *= self.residual_variance
        return V

    @property
    def score(self) -> float:
        """Twice the negative restricted log likelihood, up to a constant."""
        log_A = 2 * np.log(np.diag(self.factor)).sum()
        log_S = np.log(self.S[self.penalised]).sum()
        return float((self.gram.n - self.free) * np.log(self.P) + log_A - log_S)

    @cached_property
    def turned(self) -> Matrix:
        """L⁻¹, lower triangular."""
        found: Matrix = lapack.dtrtri(self.factor, lower=1)[0]
        return found

    @cached_property
    def diagonal(self) -> Vector:
        """Of A⁻¹, shape (p,)."""
        columns = self.turned.T
        found: Vector = np.einsum("ij,ij->i", columns, columns)
        return found

    @property
    def inverse(self) -> Matrix:
        """A⁻¹, the lower triangle alone."""
        found: Matrix = lapack.dlauum(self.turned, lower=1)[0]
        return found

    @cached_property
    def gradient(self) -> Vector:
        """Of the score by log λ."""
        errors, variance, determinant = self.parts
        return errors + variance - determinant

    @cached_property
    def parts(self) -> tuple[Vector, Vector, Vector]:
        """Of the gradient: of n − M log P, log|A| and log|S|₊, the last taken off."""
        a = self.penalties * self.smoothing[:, None]
        quadratic, m = a @ self.coefficients**2, self.gram.n - self.free
        return m * quadratic / self.P, a @ self.diagonal, a @ self.of_s

    @cached_property
    def of_s(self) -> Vector:
        """1/S, and nothing where there is no penalty."""
        return np.where(self.penalised, 1 / np.where(self.S > 0, self.S, 1.0), 0.0)

    @property
    def safe(self) -> Vector:
        """The Fellner–Schall step of log λ."""
        errors, variance, determinant = self.parts
        step: Vector = np.log(np.maximum(determinant - variance, 1e-12))
        step -= np.log(np.maximum(errors, 1e-300))
        return step

    @property
    def hessian(self) -> Matrix:
        """Of the score by log λ."""
        a = self.penalties * self.smoothing[:, None]
        m, (errors, _, _) = self.gram.n - self.free, self.parts
        found = np.diag(self.gradient)
        half = lapack.dtrtrs(self.factor, (a * self.coefficients).T, lower=1)[0]
        found -= m * 2 * half.T @ half / self.P + np.outer(errors, errors) / m
        V = self.inverse
        V *= V
        some = sparse.csr_matrix(a)
        both = some @ (some @ V.T).T  # of the lower triangle, which has the diagonal once
        found -= both + both.T - (a * np.diag(V)) @ a.T
        found += (a * self.of_s**2) @ a.T
        return found


def smooth(gram: Gram, penalties: Matrix, start: Vector | None = None) -> PenalisedFit:
    """Choose λ by REML and fit, with diagonals D_j as penalties, shape (penalties, p).

    It starts from λ of an earlier fit to similar sales, if given; NaN where that had none.
    Raises FitError when the columns are collinear or the sales too few.
    """
    bounds = _bounds(gram, penalties)
    state = roughly(gram, penalties, start)
    for _ in range(STEPS):
        rho, gradient = np.log(state.smoothing), state.gradient
        # At a bound λ is as good as infinite or nothing: it may stay there.
        beyond = rho + np.where(gradient < 0, 1e-9, -1e-9)
        stuck = beyond != beyond.clip(*bounds)
        if np.abs(np.where(stuck, 0.0, gradient)).max(initial=0) < FLAT:
            break
        before, state = state, _lower(state, ~stuck, bounds)
        if state is before:  # no step lowers the score: rounding is all that is left
            break
    return state  # of few sales, perhaps, whose score has hardly a lowest place


def roughly(gram: Gram, penalties: Matrix, start: Vector | None = None) -> PenalisedFit:
    """Fit as `smooth`, at a λ that is near enough to learn weights from.

    Some Fellner–Schall steps are taken, fewer from a λ that is known.
    """
    low, high = _bounds(gram, penalties)
    rho = np.log(_known(start, _scale(gram, penalties))).clip(low, high)
    state = PenalisedFit(gram, penalties, np.exp(rho))
    for _ in range(UNKNOWN if start is None or np.isnan(start).any() else KNOWN):
        rho = (rho + state.safe.clip(-LONGEST, LONGEST)).clip(low, high)
        state = PenalisedFit(gram, penalties, np.exp(rho))
    return state


def _lower(state: PenalisedFit, free: Flags, bounds: tuple[Vector, Vector]) -> PenalisedFit:
    """Take one of Newton's steps, or a part of one, that does not raise the score."""
    gradient, hessian = state.gradient, state.hessian
    rho, size = np.log(state.smoothing), np.abs(gradient)
    # Toward a bound the score falls as exp(∓log λ), and Newton would take steps of 1.
    tail = free & (size < TAIL) & (np.abs(np.diag(hessian) - size) < ALIKE * size)
    end = np.where(gradient < 0, bounds[1], bounds[0])
    tries = [np.where(tail, end, rho + _newton(hessian, gradient, free & ~tail))]
    step = _newton(hessian, gradient, free)
    tries = tries * bool(tail.any()) + [rho + step / 2**k for k in range(HALVED)]
    for tried in tries:
        new = PenalisedFit(state.gram, state.penalties, np.exp(tried.clip(*bounds)))
        if new.score <= state.score + 1e-9 * abs(state.score):
            return new
    return state  # nothing better is near


def _newton(hessian: Matrix, gradient: Vector, free: Flags) -> Vector:
    """Newton's step by the free of log λ, downhill in every direction."""
    values, vectors = np.linalg.eigh(hessian[np.ix_(free, free)])
    values = np.maximum(np.abs(values), 1e-7 * max(np.abs(values).max(initial=0), 1e-7))
    step = np.zeros(len(gradient))
    step[free] = -vectors @ ((vectors.T @ gradient[free]) / values)
    step *= min(1.0, LONGEST / max(np.abs(step).max(initial=0), 1e-300))
    return step


def solve(gram: Gram, penalties: Matrix, smoothing: Vector | None = None) -> PenalisedFit:
    """Fit at given λ, or one that is as good as any where it is NaN or None."""
    return PenalisedFit(gram, penalties, _known(smoothing, _scale(gram, penalties)))


def _scale(gram: Gram, penalties: Matrix) -> Vector:
    """Mean of X'WX over the columns of each penalty."""
    diagonal = np.diag(gram.XX)
    return np.array([diagonal[row > 0].mean() for row in penalties])


def _bounds(gram: Gram, penalties: Matrix) -> tuple[Vector, Vector]:
    """Of log λ."""
    scale = _scale(gram, penalties)
    return np.log(SMALLEST * scale), np.log(LARGEST * scale)


def _known(smoothing: Vector | None, scale: Vector) -> Vector:
    if smoothing is None:
        return scale * PLAIN
    return np.where(np.isnan(smoothing), scale * PLAIN, smoothing)
