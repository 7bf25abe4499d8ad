"""Where sales live: how other people's files become ours, and the store of accepted sales."""

from diamond_pricing.warehouse.intake import Intake, Quarantined, guessed, take_in
from diamond_pricing.warehouse.reading import RejectedFileError, Sheet, read_sheet
from diamond_pricing.warehouse.sales_file import read_sales_file, written_sales
from diamond_pricing.warehouse.source import Source, SourceError

__all__ = [
    "Intake",
    "Quarantined",
    "RejectedFileError",
    "Sheet",
    "Source",
    "SourceError",
    "guessed",
    "read_sales_file",
    "read_sheet",
    "take_in",
    "written_sales",
]
