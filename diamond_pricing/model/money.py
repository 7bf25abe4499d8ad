"""From log effects to dollars and whole cents that sum.

Factors are exact and unique; dollars are a convention. Here each line gets its log effect
times the logarithmic mean of the two prices,

    L(P, P₀) = (P − P₀) / (ln P − ln P₀),

the additive LMDI-I decomposition (Ang 2004, *Energy Policy* 32, 1131–1139). It leaves no
residual, does not depend on the order of the lines, and turns around exactly when the two
stones change places. It is not the Shapley value of the dollars.
"""

import math

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import MoneyError

LARGEST = 1e12  # dollars; cents of more would not be whole in a float
_NONE = "the model gives a price that is not a sensible amount of money."
_SERIES_BELOW = 1e-4  # |ln P/P₀| under which (P − P₀)/ln(P/P₀) loses digits


def logarithmic_mean(price: Vector, base: Vector) -> Vector:
    """L(price, base) of positive numbers, shape (n,); symmetric in its arguments.

    A `MoneyError` for a price so low that a float has none.
    """
    if not ((price > 0).all() and (base > 0).all()):
        raise MoneyError(_NONE)
    distance = np.log(price) - np.log(base)
    close = np.abs(distance) < _SERIES_BELOW
    # √(P·P₀)·(1 + d²/24) is L up to d⁴/1920, here under 1e-19.
    series = np.sqrt(price) * np.sqrt(base) * (1 + distance**2 / 24)
    return np.where(close, series, (price - base) / np.where(close, 1.0, distance))


def dollars(effects: Matrix, price: Vector, base: Vector) -> Matrix:
    """Share price − base, shape (n,), among the lines by their log effects, shape (n, k).

    A row of the effects sums to ln(price/base).
    """
    return effects * logarithmic_mean(price, base)[:, None]


def cents(amounts: Vector) -> Integers:
    """Round dollars to whole cents, half up; any shape. Over 10¹² is a `MoneyError`."""
    if not (np.abs(amounts) <= LARGEST).all():
        raise MoneyError(_NONE)
    return np.floor(np.asarray(amounts) * 100 + 0.5).astype(np.int64)


def whole_cents(parts: Matrix, totals: Integers) -> Integers:
    """Round rows of dollars, shape (n, k), to whole cents that sum to the totals, shape (n,).

    By largest remainder. The rounding is an odd function: negated parts and totals give negated
    cents. Equal remainders are served from the left; in a negated row, from the right. Parts
    that do not sum to the total within a cent are a `MoneyError`.
    """
    first = np.take_along_axis(parts, (parts != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    sign = np.where(np.where(totals != 0, totals, first) < 0, -1, 1)
    # Line by line: vectors over all rows, as there are few lines and many rows.
    scaled = np.ascontiguousarray(parts.T) * (100 * sign)
    floors = np.floor(scaled)
    whole = floors.astype(np.int64)
    left_over = totals * sign - whole.sum(axis=0)
    remainder = scaled - floors
    rank = np.zeros(whole.shape, np.int8)
    for i in range(len(rank)):
        for j in range(i):
            behind = remainder[i] <= remainder[j]
            rank[i] += behind
            rank[j] += ~behind
    whole += rank < left_over
    if (whole.sum(axis=0) != totals * sign).any():
        raise MoneyError("the lines of a price are too large for it to be divided into cents.")
    signed: Integers = (whole * sign).T
    return signed


def cent(amount: float) -> int:
    """Round one amount as `cents` does."""
    if not abs(amount) <= LARGEST:
        raise MoneyError(_NONE)
    return math.floor(amount * 100 + 0.5)


def one_logarithmic_mean(price: float, base: float) -> float:
    """Give `logarithmic_mean` of a single pair."""
    if not (price > 0 and base > 0):
        raise MoneyError(_NONE)
    distance = math.log(price) - math.log(base)
    if abs(distance) < _SERIES_BELOW:
        return math.sqrt(price) * math.sqrt(base) * (1 + distance**2 / 24)
    return (price - base) / distance


def whole_cents_of_one(parts: list[float], total: int) -> list[int]:
    """Round one row as `whole_cents` does; parts in dollars, shape (k,)."""
    first = next((part for part in parts if part != 0), 0.0)
    sign = -1 if (total or first) < 0 else 1
    scaled = [part * 100 * sign for part in parts]
    whole = [math.floor(part) for part in scaled]
    left_over = total * sign - sum(whole)
    if not 0 <= left_over <= len(parts):
        raise MoneyError("the lines of a price are too large for it to be divided into cents.")
    by_remainder = sorted(range(len(parts)), key=lambda j: whole[j] - scaled[j])
    for j in by_remainder[:left_over]:
        whole[j] += 1
    return whole if sign > 0 else [-part for part in whole]


SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def written(amount_cents: int, currency: str, *, sign: bool = False, digits: int = 2) -> str:
    """Write cents as people do: ``$2,641.10``, ``+$812``, ``−€93``, ``CHF 1,200.00``."""
    symbol = SYMBOLS.get(currency) or f"{currency} "
    value = abs(amount_cents) / 100
    text = f"{value:,.0f}" if digits == 0 else f"{value:,.{digits}f}"
    if amount_cents < 0:
        return f"−{symbol}{text}"
    if not sign:
        return symbol + text
    return f"+{symbol}{text}" if amount_cents else f"±{symbol}{text}"
