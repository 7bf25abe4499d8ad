"""How exhibits write numbers."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, expm1

from diamond_pricing.model import money


def change(log_ratio: float, digits: int = 1) -> str:
    """A log ratio as a change: ``+7.2 %``, ``−3.0 %``, ``0.0 %``."""
    return signed(expm1(log_ratio), digits)


def signed(value: float, digits: int = 1) -> str:
    """A relative difference: ``+7.2 %``, ``−3.0 %``, ``0.0 %``."""
    text = f"{100 * value:+.{digits}f}"
    return f"{text[1:] if not float(text) else text.replace('-', '−')} %"


def share(value: float, digits: int = 1) -> str:
    """A share as per cent."""
    return f"{100 * value:.{digits}f} %"


def factor(log_ratio: float) -> str:
    """A log ratio as a factor."""
    return f"×{exp(log_ratio):.3f}"


def between(low: float, high: float, how: Callable[[float], str] = change) -> str:
    """Two ends of a range."""
    return f"{how(low)} to {how(high)}"


def estimate(
    middle: float, low: float, high: float, how: Callable[[float], str] = change
) -> str:
    """A figure with its limits."""
    return f"{how(middle)} ({between(low, high, how)})"


def bands(edges: Sequence[str], to: str = "–") -> list[str]:
    """Weight bands between edges, and those below and above."""
    between = (f"{low}{to}{high} ct" for low, high in pairwise(edges))
    return [f"under {edges[0]} ct", *between, f"from {edges[-1]} ct"]


def count(n: float) -> str:
    """A whole number."""
    return f"{n:,.0f}"


def places(digits: int) -> Callable[[float], str]:
    """Numbers with so many decimal places."""
    return lambda value: f"{value:,.{digits}f}".replace("-", "−")


def amounts(currency: str, *, sign: bool = False) -> Callable[[float], str]:
    """Amounts without cents."""
    return lambda value: money.written(round(100 * value), currency, sign=sign, digits=0)
