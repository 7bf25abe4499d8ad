"""Which features the two ready-made families use, given what the sales record."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.errors import FitError
from diamond_pricing.fitting.sales import Sales, usable
from diamond_pricing.stones import ATTRIBUTES, LISTING, OTHERS, Grade, Stones
from diamond_pricing.terms import parse

WEIGHT = "log(carat)"
# How large a stone looks for its weight: log of the mean diameter less its share of weight.
SPREAD = "log(x * y) / 2 - log(carat) / 3"
OPTIONAL = ("depth", "table", SPREAD)
ENOUGH = 0.8  # share of the sales that must record a feature for it to be used


def prepared(sales: Sales) -> tuple[Sales, tuple[str, ...], dict[str, int]]:
    """Choose the features and keep the sales that have them all.

    A feature that fewer than four in five sales record, or that is the same in all of
    them, is not used.

    Returns
    -------
    tuple
        The usable sales; the features, weight first; the sales left out by reason.

    Raises
    ------
    FitError
        When all stones have one weight, or hardly any sale is usable.
    """
    more: list[str] = []
    numbers = [text for text in OPTIONAL if np.mean(_known(sales.stones, text)) >= ENOUGH]
    for other in OTHERS:  # those of the trade that most sales record
        if (
            other.name in sales.stones.columns
            and np.mean(sales.stones.known(other.name)) >= ENOUGH
        ):
            (more if isinstance(other, Grade) else numbers).append(other.name)
    needed = tuple(dict.fromkeys(name for text in numbers for name in parse(text).attributes))
    grades = ["cut", "color", "clarity", *more]
    needed = (*needed, *more)
    if np.mean(sales.stones.known(LISTING.name)) >= ENOUGH:
        grades.append(LISTING.name)
        needed = (*needed, LISTING.name)
    kept, _, left_out = usable(sales, tuple(name for name in needed if name != "carat"))
    features = [WEIGHT, *grades, *numbers]
    varied = tuple(text for text in features if len(np.unique(_values(kept.stones, text))) > 1)
    if WEIGHT not in varied:
        raise FitError("all stones have the same weight; there is no price curve to fit.")
    return kept, varied, left_out


def _known(stones: Stones, text: str) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.all([stones.known(a) for a in parse(text).attributes], axis=0)
    return known


def _values(stones: Stones, text: str) -> NDArray[Any]:
    if isinstance(ATTRIBUTES.get(text), Grade):
        return stones[text]
    return parse(text).evaluate(stones.columns)
