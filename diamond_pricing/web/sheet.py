"""The sheet that a client is handed, as a page and as PDF."""

from diamond_pricing.model import PriceExplanation
from diamond_pricing.web.messages import QuoteIn
from diamond_pricing.web.storage import StoredQuote


def sheet_html(why: PriceExplanation, asked: QuoteIn, stored: StoredQuote) -> bytes:
    """Write the sheet as a page."""
    return b"<!doctype html>"


def sheet_pdf(why: PriceExplanation, asked: QuoteIn, stored: StoredQuote) -> bytes:
    """Write the sheet as PDF."""
    return b"%PDF"
