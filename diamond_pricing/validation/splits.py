"""Splits that keep all rows of a stone together."""

import numpy as np

from diamond_pricing.arrays import Integers
from diamond_pricing.errors import FitError


def grouped_folds(groups: Integers, folds: int = 5, seed: int = 0) -> Integers:
    """Assign each row to a fold, all rows of a group to the same one; shape (n,).

    Parameters
    ----------
    groups : Integers
        Equal for rows that must stay together, shape (n,).
    folds : int
        How many; at least 2 and at most the number of groups.
    seed : int
        Shuffles the groups.

    Raises
    ------
    FitError
        For a number of folds that the groups cannot fill.
    """
    distinct, member = np.unique(groups, return_inverse=True)
    if not 2 <= folds <= len(distinct):
        raise FitError(f"{folds} folds of {len(distinct)} stones; choose 2 to {len(distinct)}.")
    order = np.random.default_rng(seed).permutation(len(distinct))
    fold_of_group = np.empty(len(distinct), np.int64)
    fold_of_group[order] = np.arange(len(distinct)) % folds
    return fold_of_group[member.ravel()]
