"""Where sales live: how other people's files become ours, and prices where stones are."""

from diamond_pricing.errors import RejectedFileError, SourceError
from diamond_pricing.warehouse.intake import (
    DUPLICATE,
    Intake,
    Quarantined,
    quarantine_csv,
    row_keys,
    take_in,
)
from diamond_pricing.warehouse.mapping import guessed
from diamond_pricing.warehouse.reading import LARGEST, Sheet, read_sheet
from diamond_pricing.warehouse.sales_file import read_sales_file, written_sales
from diamond_pricing.warehouse.scoring import DIALECTS, Scored, score, sql
from diamond_pricing.warehouse.source import FITTED, Source

__all__ = [
    "DIALECTS",
    "DUPLICATE",
    "FITTED",
    "LARGEST",
    "Intake",
    "Quarantined",
    "RejectedFileError",
    "Scored",
    "Sheet",
    "Source",
    "SourceError",
    "guessed",
    "quarantine_csv",
    "read_sales_file",
    "read_sheet",
    "row_keys",
    "score",
    "sql",
    "take_in",
    "written_sales",
]
