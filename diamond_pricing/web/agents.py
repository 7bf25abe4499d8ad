"""Prices for assistants, by the Model Context Protocol; the protocol is that of its own SDK."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from diamond_pricing import __version__
from diamond_pricing.errors import DiamondPricingError, MissingExtraError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.words import ENGLISH
from diamond_pricing.stones import ATTRIBUTES, LISTING, Stone
from diamond_pricing.web.messages import PairIn, QuoteIn
from diamond_pricing.web.models import Models
from diamond_pricing.web.pricing import comparables, compared, price_list, priced, quoted
from diamond_pricing.web.problems import ProblemError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

NOTE = "An estimate from sales, not an offer and not an appraisal."
LIKE, MOST = 5, 50


def agent_server(models: Models) -> "MCPServer":
    """A server of tools that explain, compare, assess and list prices of the active model.

    Raises
    ------
    MissingExtraError
        Without the extra ``mcp``.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
    except ImportError as error:
        raise MissingExtraError("the server for assistants", "mcp") from error
    from pydantic import Field

    known = ", ".join(name for name in ATTRIBUTES if name != LISTING.name)
    Given = Annotated[
        dict[str, float | str],
        Field(
            description="A stone: carat, color and clarity, cut for round stones, and what "
            f'else is known of {known}. As {{"carat": 1.01, "cut": "Ideal", "color": '
            '"E", "clarity": "VS1"}}.'
        ),
    ]
    server = MCPServer(
        "diamond_pricing",
        version=__version__,
        log_level="ERROR",
        instructions="Prices of diamonds with their reasons. Give a stone as carat, color and "
        "clarity, cut for round stones, and further attributes by name, such as depth, table, "
        f"shape or fluorescence. {NOTE}",
    )

    def answered(answer: Callable[[PriceModel], Any]) -> dict[str, Any]:
        """The answer of the model that is active by now, with what it is worth."""
        models.refresh()
        model = models.active
        try:
            found = msgspec.to_builtins(answer(model))
        except (DiamondPricingError, ProblemError, msgspec.ValidationError) as error:
            raise ToolError(str(error)) from error
        prices = ENGLISH.prices(model.training.currency, model.training.effective)
        note = f"Prices in {prices}. {ENGLISH.unrecorded(model.lines)} {NOTE}"
        return {**found, "model": model.sha256, "note": note}

    @server.tool()
    def explain(stone: Given) -> dict[str, Any]:
        """Price a stone: the price, its range, and each line of it in words and cents."""

        def answer(model: PriceModel) -> Any:
            asked = msgspec.convert(stone, QuoteIn, strict=False)
            return quoted(priced(model, asked), model, asked)

        return answered(answer)

    @server.tool()
    def compare(first: Given, second: Given) -> dict[str, Any]:
        """Explain line by line why the second stone does not cost what the first does."""
        pair = {"first": first, "second": second}
        return answered(lambda m: compared(m, msgspec.convert(pair, PairIn, strict=False)))

    @server.tool()
    def assess(stone: Given) -> dict[str, Any]:
        """Say whether a stone can be priced, with caution, or not, why, and what would help."""
        return answered(lambda m: _verdict(m, Stone(**stone)))  # type: ignore[arg-type]

    @server.tool()
    def like_sales(stone: Given, count: int = LIKE) -> dict[str, Any]:
        """The sales most like a stone, each adjusted to it, with their median."""

        def answer(model: PriceModel) -> Any:
            if not 1 <= count <= MOST:
                raise ToolError(f"count must be from 1 to {MOST}, not {count}.")
            given = Stone(**stone)  # type: ignore[arg-type]
            return comparables(models.evidence(model, given, count), model)

        return answered(answer)

    @server.tool()
    def price_table(
        cut: str = "",
        carats: list[float] | None = None,
        colors: list[str] | None = None,
        clarities: list[str] | None = None,
    ) -> dict[str, Any]:
        """Prices and ranges by weight, color and clarity, with the stones seen behind each."""
        return answered(
            lambda m: price_list(m, cut, carats or [1.0], colors or [], clarities or [])
        )

    return server


def _verdict(model: PriceModel, stone: Stone) -> dict[str, Any]:
    found = model.assess(stone)
    named = ("attribute", "message", "remedy", "nearest")
    reasons = [{name: getattr(reason, name) for name in named} for reason in found.reasons]
    return {"stone": stone.given(), "status": found.status, "reasons": reasons}
