"""Which features the two ready-made families use, given what the sales record."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.errors import FitError
from diamond_pricing.fitting.sales import Sales, usable
from diamond_pricing.stones import ATTRIBUTES, LISTING, Grade, Stones, priced_by
from diamond_pricing.terms import parse

WEIGHT = "log(carat)"
# How large a stone looks for its weight: log of the mean diameter less its share of weight.
SPREAD = "log(x * y) / 2 - log(carat) / 3"
OPTIONAL = ("depth", "table", SPREAD)
ENOUGH = 0.8  # share of the sales that must record a feature for it to be used


def prepared(sales: Sales) -> tuple[Sales, tuple[str, ...], dict[str, int]]:
    """Usable sales; the features, weight first; the number of sales left out by reason.

    A feature that fewer than four in five sales record, or that is the same in all of
    them, is not used. Raises FitError when all stones have one weight, or hardly any sale
    is usable.
    """
    stones = sales.stones
    others = [other for other in priced_by() if _recorded(stones, (other.name,))]
    grades = [other.name for other in others if isinstance(other, Grade)]
    if _recorded(stones, (LISTING.name,)):
        grades.append(LISTING.name)
    numbers = [text for text in OPTIONAL if _recorded(stones, parse(text).attributes)]
    numbers += [other.name for other in others if not isinstance(other, Grade)]
    read = dict.fromkeys(name for text in numbers for name in parse(text).attributes)
    needed = (*(name for name in read if name != "carat"), *grades)
    kept, _, left_out = usable(sales, needed)
    features = (WEIGHT, "cut", "color", "clarity", *grades, *numbers)
    varied = tuple(text for text in features if len(np.unique(_values(kept.stones, text))) > 1)
    if WEIGHT not in varied:
        raise FitError("all stones have the same weight; there is no price curve to fit.")
    return kept, varied, left_out


def _recorded(stones: Stones, attributes: Iterable[str]) -> bool:
    known = np.all([stones.known(name) for name in attributes], axis=0)
    return bool(known.mean() >= ENOUGH)


def _values(stones: Stones, text: str) -> NDArray[Any]:
    if isinstance(ATTRIBUTES.get(text), Grade):
        return stones[text]
    return parse(text).evaluate(stones.columns)
