"""Which interactions of further grades the sales show.

An interaction that is not there costs columns, time and a little accuracy. So a model without
any is fitted first, and each pair of grades is asked how much of its errors it would explain:
the sum of squares of the means of its cells, beyond those of its rows and columns, over the
variance of an error. Without an interaction that is a chi-square variable of as many degrees
of freedom as it has cells to choose. The idea is that of FAST (Lou, Caruana, Gehrke & Hooker
2013, *KDD*), which ranks pairs for trees.
"""

from collections.abc import Iterable, Mapping
from itertools import product

import numpy as np

from diamond_pricing.arrays import Integers, Vector

SURE = 3.0  # standard deviations of the chi-square beyond its mean


def interactions(
    residual: Vector,
    weight: Vector,
    grades: Mapping[str, Integers],
    others: Iterable[str],
    beside: Iterable[str],
) -> list[tuple[str, str]]:
    """Pairs of further grades and what is beside them that explain errors; strongest first.

    The residuals are errors of log price by a model without interactions, with what each sale
    counts, shape (n,); grades are codes by name from 0, shape (n,).
    """
    variance = float(weight @ residual**2 / weight.sum())
    found = []
    for one, other in product(others, beside):
        if one == other:
            continue
        rows, columns = grades[one], grades[other]
        cells = rows * (columns.max() + 1) + columns
        explained = [_explained(of, residual, weight) for of in (cells, rows, columns)]
        squares = explained[0][0] - explained[1][0] - explained[2][0]
        free = explained[0][1] - explained[1][1] - explained[2][1] + 1
        if free > 0:
            strength = (squares / variance - free) / np.sqrt(2 * free)
            found.append((float(strength), (one, other)))
    return [pair for strength, pair in sorted(found, reverse=True) if strength > SURE]


def _explained(cells: Integers, residual: Vector, weight: Vector) -> tuple[float, int]:
    """Sum of squares of the means of cells, and how many cells there are."""
    count, total = np.bincount(cells, weight), np.bincount(cells, weight * residual)
    there = count > 0
    return float((total[there] ** 2 / count[there]).sum()), int(there.sum())
