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
from scipy.linalg import lapack

from diamond_pricing.arrays import Flags, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.engine.tables import Gram

SMALLEST, LARGEST = 1e-8, 1e7  # of λ over the scale of its columns
PLAIN = 0.01  # λ over the scale of its columns, where none is known
FELLNER_SCHALL = 6  # safe steps before the first Newton step
SINGULAR = 1e-13  # pivot of a column of unit length that the others determine
STEPS = 60
ROUNDING = 1e-4  # of log prices, which are whole cents of stones of about $100 or dearer
FLAT = 3e-3
LONGEST = 6.0  # step of log λ


class PenalisedFit:
    """What a penalised least-squares solve found; what takes an inverse is found when asked.

    Attributes
    ----------
    coefficients : Vector
        β̂, shape (p,), log dollars.
    smoothing : Vector
        λ, one for each penalty.
    """

    def __init__(self, state: "_State") -> None:
        self._state = state
        self.coefficients, self.smoothing = state.beta, state.smoothing

    @cached_property
    def inverse(self) -> Matrix:
        """A⁻¹, shape (p, p)."""
        return self._state.inverse

    @property
    def penalised(self) -> Matrix:
        """A = X'WX + S, shape (p, p)."""
        A: Matrix = self._state.gram.XX + np.diag(self._state.S)
        return A

    @cached_property
    def edf(self) -> Vector:
        """Effective degrees of freedom of each column, the diagonal of A⁻¹X'X; shape (p,)."""
        found: Vector = (self.inverse * self._state.gram.XX).sum(axis=1)
        return found

    @cached_property
    def residual_variance(self) -> float:
        """σ²."""
        return float(self._state.rss / (self._state.gram.n - self.edf.sum()))

    @property
    def covariance(self) -> Matrix:
        """Bayesian posterior covariance σ²A⁻¹, shape (p, p)."""
        return self.residual_variance * self.inverse


class _State:
    """Everything at one choice of λ."""

    def __init__(self, gram: Gram, penalties: Matrix, smoothing: Vector) -> None:
        self.gram, self.penalties, self.smoothing = gram, penalties, smoothing
        self.S = smoothing @ penalties if len(smoothing) else np.zeros(len(gram.Xy))
        A = gram.XX + np.diag(self.S)
        # Columns of very different length spoil the digits of the factor.
        self.scale = 1 / np.sqrt(np.maximum(np.diag(A), 1e-300))
        L, failed = lapack.dpotrf(A * self.scale * self.scale[:, None], lower=1, overwrite_a=1)
        # Rounding may leave a pivot of what is nothing a little above it.
        if failed or np.diag(L).min() ** 2 < SINGULAR:
            raise FitError(
                "the sales do not tell the terms apart: some columns are determined by others."
            )
        self.L = L
        solved, _ = lapack.dpotrs(L, gram.Xy * self.scale, lower=1)
        self.beta: Vector = solved * self.scale
        self.rss = max(
            gram.yy - 2 * self.beta @ gram.Xy + self.beta @ (gram.XX @ self.beta),
            gram.n * ROUNDING**2,
        )
        self.P = self.rss + self.beta @ (self.S * self.beta)
        self.penalised = penalties.any(axis=0)
        self.free = len(self.S) - int(self.penalised.sum())
        if self.P <= 0 or gram.n <= self.free:
            raise FitError("the sales are too few or too alike for this model.")

    @property
    def score(self) -> float:
        log_A = 2 * (np.log(np.diag(self.L)).sum() - np.log(self.scale).sum())
        log_S = np.log(self.S[self.penalised]).sum()
        return float((self.gram.n - self.free) * np.log(self.P) + log_A - log_S)

    @cached_property
    def inverse(self) -> Matrix:
        """A⁻¹."""
        lower, failed = lapack.dpotri(self.L, lower=1)
        assert not failed
        V: Matrix = lower + lower.T  # dpotrf left nothing above the diagonal
        V[np.diag_indices_from(V)] /= 2
        V *= self.scale
        V *= self.scale[:, None]
        return V

    def derivatives(self) -> tuple[Vector, Matrix, Vector]:
        """Gradient and Hessian by log λ of the score, and the Fellner–Schall step."""
        V = self.inverse
        a = self.penalties * self.smoothing[:, None]
        inverse_S = np.where(self.penalised, 1 / np.where(self.S > 0, self.S, 1.0), 0.0)
        quadratic, m = a @ self.beta**2, self.gram.n - self.free
        trace_V, trace_S = a @ np.diag(V), a @ inverse_S
        gradient = m * quadratic / self.P + trace_V - trace_S
        ab = a * self.beta
        hessian = np.diag(m * quadratic / self.P + trace_V - trace_S)
        hessian -= m * (2 * ab @ V @ ab.T / self.P + np.outer(quadratic, quadratic) / self.P**2)
        hessian -= a @ (V * V) @ a.T
        hessian += (a * inverse_S**2) @ a.T
        step = np.log(np.maximum(trace_S - trace_V, 1e-12)) - np.log(
            np.maximum(m * quadratic / self.P, 1e-300)
        )
        return gradient, hessian, step


def reml(gram: Gram, penalties: Matrix, smoothing: Vector) -> float:
    """Twice the negative restricted log likelihood, up to a constant."""
    return _State(gram, penalties, smoothing).score


def smooth(
    gram: Gram, penalties: Matrix, start: Vector | None = None, *, flat: float = FLAT
) -> PenalisedFit:
    """Choose λ by REML and fit.

    Parameters
    ----------
    penalties : Matrix
        Diagonals D_j, shape (penalties, p).
    start : Vector, optional
        λ to start from, as of an earlier fit to similar sales; NaN where that had none.
    flat : float
        Largest derivative of twice the REML score by log λ at the end.

    Raises
    ------
    FitError
        When the columns are collinear or the sales too few.
    """
    scale = _scale(gram, penalties)
    low, high = np.log(SMALLEST * scale), np.log(LARGEST * scale)
    rho = np.log(_known(start, scale)).clip(low, high)
    state = _State(gram, penalties, np.exp(rho))
    # Near an optimum, as from the λ of an earlier fit, Newton's steps need no safe ones.
    known = np.ones(0) if start is None else ~np.isnan(start)
    done = round(FELLNER_SCHALL * known.mean()) if len(known) else 0
    for count in range(done, done + STEPS):
        gradient, hessian, safe = state.derivatives()
        # At a bound λ is as good as infinite or nothing: it may stay there.
        stuck = ((rho >= high) & (gradient < 0)) | ((rho <= low) & (gradient > 0))
        if np.abs(np.where(stuck, 0.0, gradient)).max(initial=0) < flat:
            return PenalisedFit(state)
        before = state
        steps = (gradient, hessian, safe if count < FELLNER_SCHALL else None)
        rho, state = _moved(state, rho, *steps, ~stuck, (low, high))
        if state is before:  # no step lowers the score: rounding is all that is left
            return PenalisedFit(state)
    return PenalisedFit(state)  # of few sales, whose score has hardly a lowest place


def _moved(
    state: _State, rho: Vector, gradient: Vector, hessian: Matrix, safe: Vector | None,
    free: Flags, bounds: tuple[Vector, Vector],
) -> tuple[Vector, _State]:  # fmt: skip
    """Take one step, safe or Newton's, that does not raise the score."""
    if safe is not None:
        step = safe.clip(-LONGEST, LONGEST)
    else:
        values, vectors = np.linalg.eigh(hessian[np.ix_(free, free)])
        values = np.maximum(np.abs(values), 1e-7 * max(np.abs(values).max(initial=0), 1e-7))
        step = np.zeros(len(rho))
        step[free] = -vectors @ ((vectors.T @ gradient[free]) / values)
        step *= min(1.0, LONGEST / max(np.abs(step).max(), 1e-300))
    for _ in range(30):
        tried = (rho + np.where(free, step, 0.0)).clip(*bounds)
        new = _State(state.gram, state.penalties, np.exp(tried))
        if safe is not None or new.score <= state.score + 1e-9 * abs(state.score):
            return tried, new
        step = step / 2
    return rho, state  # nothing better is near


def solve(gram: Gram, penalties: Matrix, smoothing: Vector | None = None) -> PenalisedFit:
    """Fit at given λ, or one that is as good as any where it is NaN or None."""
    return PenalisedFit(_State(gram, penalties, _known(smoothing, _scale(gram, penalties))))


def _scale(gram: Gram, penalties: Matrix) -> Vector:
    """Mean of X'WX over the columns of each penalty."""
    diagonal = np.diag(gram.XX)
    return np.array([diagonal[row > 0].mean() for row in penalties])


def _known(smoothing: Vector | None, scale: Vector) -> Vector:
    if smoothing is None:
        return scale * PLAIN
    return np.where(np.isnan(smoothing), scale * PLAIN, smoothing)
