"""Fits and prices where the sales are, however many.

``fit``, ``evaluate`` and ``sums`` load what they need when they are first asked for.
"""

from typing import TYPE_CHECKING, Any

from diamond_pricing.warehouse.scoring import DIALECTS, Scored, score, sql

if TYPE_CHECKING:
    from diamond_pricing.warehouse.at_scale import evaluate, fit, sums

__all__ = ["DIALECTS", "Scored", "evaluate", "fit", "score", "sql", "sums"]


def __getattr__(name: str) -> Any:
    if name in ("evaluate", "fit", "sums"):
        from diamond_pricing.warehouse import at_scale

        return getattr(at_scale, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
