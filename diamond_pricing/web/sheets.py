"""The client's sheet of a stone without a server: the same as the page and the API give."""

from collections.abc import Callable, Mapping
from importlib.resources import files

import msgspec

from diamond_pricing.errors import ReportError
from diamond_pricing.model import PriceModel
from diamond_pricing.registry import open_store
from diamond_pricing.stones import Stone
from diamond_pricing.web.house import House, read_house
from diamond_pricing.web.messages import QuoteIn
from diamond_pricing.web.page.sheet import sheet_html, sheet_pdf
from diamond_pricing.web.pricing import KeptQuote, priced
from diamond_pricing.web.problems import ProblemError
from diamond_pricing.web.storage import StoredQuote


def sheets(
    model: PriceModel,
    stone: str,
    home: str | None,
    created: str,
    language: str = "en",
    client: Mapping[str, str] | None = None,
) -> dict[str, Callable[[], bytes]]:
    """What writes the sheet of a stone, by form.

    Parameters
    ----------
    stone : str
        As ``1.01 Ideal E VS1 depth=61.8``.
    home : str, optional
        Whose ``house.toml`` is on the sheet.
    created : str
        The time of the quote.
    client : Mapping[str, str], optional
        ``client``, ``client_reference`` and ``report_number``.

    Raises
    ------
    ReportError
        For a stone that the model declines, or a client's words that are too long.
    StoneError
        For a text that is no stone.
    """
    house = read_house([open_store(home)]) if home else House()
    given = {**Stone.parse(stone).given(), "language": language, **(client or {})}
    try:
        asked = msgspec.convert(given, QuoteIn)
        why = priced(model, asked)
    except (ProblemError, msgspec.ValidationError) as error:
        raise ReportError(str(error)) from error
    until = house.valid_until(created)
    stored = StoredQuote("", "", created, model.sha256, "", why.cents, valid_until=until)
    quote = KeptQuote(stored, asked, model, why)
    style = files("diamond_pricing.web.page").joinpath("static/page.css").read_text()
    return {
        "html": lambda: sheet_html(quote, house, style=style),
        "pdf": lambda: sheet_pdf(quote, house),
    }
