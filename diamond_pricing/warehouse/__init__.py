"""Where sales live: how other people's files become ours; fits and prices where they are.

``fit``, ``evaluate`` and ``sums`` load what they need when they are first asked for.
"""

from typing import TYPE_CHECKING, Any

from diamond_pricing.errors import RejectedFileError, SourceError
from diamond_pricing.warehouse.intake import (
    DUPLICATE,
    TOTAL,
    Intake,
    Quarantined,
    quarantine_csv,
    recorded_sales,
    sales_to_fit,
    take_in,
)
from diamond_pricing.warehouse.mapping import guessed
from diamond_pricing.warehouse.reading import LARGEST, Sheet, read_sheet
from diamond_pricing.warehouse.sales_file import read_sales_file, written_sales
from diamond_pricing.warehouse.scoring import DIALECTS, Scored, score, sql
from diamond_pricing.warehouse.source import FITTED, Source

if TYPE_CHECKING:
    from diamond_pricing.warehouse.at_scale import evaluate, fit, sums

__all__ = [
    "DIALECTS",
    "DUPLICATE",
    "FITTED",
    "LARGEST",
    "TOTAL",
    "Intake",
    "Quarantined",
    "RejectedFileError",
    "Scored",
    "Sheet",
    "Source",
    "SourceError",
    "evaluate",
    "fit",
    "guessed",
    "quarantine_csv",
    "read_sales_file",
    "read_sheet",
    "recorded_sales",
    "sales_to_fit",
    "score",
    "sql",
    "sums",
    "take_in",
    "written_sales",
]


def __getattr__(name: str) -> Any:
    if name in ("evaluate", "fit", "sums"):
        from diamond_pricing.warehouse import at_scale

        return getattr(at_scale, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
