"""How other people's files become ours: one reader for sales and for stones to be priced."""

from diamond_pricing.errors import RejectedFileError, SourceError
from diamond_pricing.intake.mapping import guessed
from diamond_pricing.intake.reading import LARGEST, Sheet, read_sheet
from diamond_pricing.intake.sales import (
    DUPLICATE,
    TOTAL,
    Intake,
    Quarantined,
    quarantine_csv,
    recorded_sales,
    sales_to_fit,
    take_in,
)
from diamond_pricing.intake.source import FITTED, Source
from diamond_pricing.intake.stored import read_sales_file, written_sales

__all__ = [
    "DUPLICATE",
    "FITTED",
    "LARGEST",
    "TOTAL",
    "Intake",
    "Quarantined",
    "RejectedFileError",
    "Sheet",
    "Source",
    "SourceError",
    "guessed",
    "quarantine_csv",
    "read_sales_file",
    "read_sheet",
    "recorded_sales",
    "sales_to_fit",
    "take_in",
    "written_sales",
]
