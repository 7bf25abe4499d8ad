"""Concurvity: how much of one effect the others could have said.

The *observed* measure of mgcv: with f an effect over the sales and g its projection on the
columns of all others, ‖g‖²/‖f‖², both centred; 0 where the effect stands alone, 1 where it
cannot be told from the rest (Wood 2017, *Generalized Additive Models*, 2nd ed., §5.6.3).
"""

import numpy as np

from diamond_pricing.arrays import Matrix
from diamond_pricing.errors import FitError
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones


def concurvity(model: PriceModel, stones: Stones) -> dict[str, float]:
    """Observed concurvity of each line, for a model whose terms belong to one line each.

    Raises
    ------
    FitError
        For a model with interactions between lines, whose effects share columns by design.
    """
    if any(len(term.lines) > 1 for term in model.terms):
        raise FitError("terms that belong to several lines share columns by design.")
    X = model.design(stones, listing="recorded")
    owner = np.array([next(iter(t.lines), "") for t in model.terms for _ in range(t.width)])
    found = {}
    for line in model.lines:
        of = owner == line
        found[line] = _explained(X[:, of] @ model.coefficients[of], X[:, ~of])
    return found


def shared(effects: Matrix) -> list[float]:
    """Share of each column of fitted effects, shape (n, k), that is linear in the others."""
    return [
        _explained(effects[:, j], np.delete(effects, j, axis=1))
        for j in range(effects.shape[1])
    ]


def _explained(effect: Matrix, others: Matrix) -> float:
    f, X = effect - effect.mean(), others - others.mean(axis=0)
    total = float(f @ f)
    if total == 0:
        return 0.0
    g = X @ np.linalg.lstsq(X.T @ X, X.T @ f, rcond=1e-10)[0]
    return float(g @ g) / total
