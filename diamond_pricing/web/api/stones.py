"""Questions about stones whose answers are not kept."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.params import JSONBody, QueryParameter

from diamond_pricing.errors import StoneError
from diamond_pricing.model.market import By
from diamond_pricing.model.words import LANGUAGES
from diamond_pricing.web import pricing
from diamond_pricing.web.messages import (
    ComparablesIn,
    ComparablesOut,
    ComparisonOut,
    IndexOut,
    MatrixOut,
    PairIn,
    PriceListOut,
    QuoteIn,
    QuoteOut,
    WhatIfIn,
    WhatIfOut,
)
from diamond_pricing.web.problems import of_stone
from diamond_pricing.web.requests import StrictRequest
from diamond_pricing.web.storage.keys import PUBLISH

CutName = Annotated[
    str, QueryParameter(description="Grade of cut. Default: the best that is known.")
]


class StoneController(Controller):
    """Comparisons, comparables, steps and lists."""

    path = "/v1"
    tags = ("Stones",)

    @post(
        "/prices",
        status_code=200,
        operation_id="priceStone",
        summary="Price a stone and say why; nothing is kept",
    )
    async def price(self, request: StrictRequest, data: JSONBody[QuoteIn]) -> QuoteOut:
        """Answer as a quote does, without an id: for pages that show prices to visitors."""
        published = PUBLISH in request.known.caller.scopes
        service, known = request.allowed(PUBLISH if published else "quote")
        found = await service.model(*request.pins, data.effective)
        why = pricing.priced(found, data)
        await service.charge(known, "price", 1)
        return pricing.quoted(why, found, data)

    @post(
        "/comparisons",
        status_code=200,
        operation_id="compareStones",
        summary="Why is this one dearer than that one?",
    )
    async def compare(self, request: StrictRequest, data: JSONBody[PairIn]) -> ComparisonOut:
        """Explain the second stone's price from the first's, line by line."""
        service, known = request.allowed("quote")
        found = await service.model(*request.pins)
        answer = pricing.compared(found, data)
        await service.charge(known, "comparison", 2)
        return answer

    @post(
        "/comparables",
        status_code=200,
        operation_id="findComparables",
        summary="What did stones like this one fetch?",
    )
    async def comparables(
        self, request: StrictRequest, data: JSONBody[ComparablesIn]
    ) -> ComparablesOut:
        """Give the sales nearest to a stone, each adjusted to it."""
        service, known = request.allowed("quote")
        found = await service.model(*request.pins)
        stone = pricing.stone_at(data.stone, "/stone")
        try:
            evidence = await service.away(service.models.evidence, found, stone, data.count)
        except StoneError as error:
            raise of_stone(error, "/stone") from error
        answer = pricing.comparables(evidence, found)
        await service.charge(known, "comparables", 1 + len(answer.comparables))
        return answer

    @post(
        "/what-if",
        status_code=200,
        operation_id="stepFromStone",
        summary="What would one grade more or less cost?",
    )
    async def what_if(self, request: StrictRequest, data: JSONBody[WhatIfIn]) -> WhatIfOut:
        """Price the stones one step away, those that change the price most first."""
        service, known = request.allowed("quote")
        found = await service.model(*request.pins)
        stone = pricing.stone_at(data.stone, "/stone")
        answer = pricing.stepped(found, stone, data.listing, LANGUAGES[data.language])
        await service.charge(known, "what-if", 1 + len(answer.steps))
        return answer

    @get("/index", operation_id="readIndex", summary="What did the market do?")
    async def index(
        self,
        request: StrictRequest,
        by: Annotated[By, QueryParameter(description="Length of a period.")] = "month",
        shape: Annotated[
            str, QueryParameter(description="Of stones of this shape. Default: the usual one.")
        ] = "",
        carat: Annotated[
            float | None,
            QueryParameter(description="Of stones of this weight. Default: the usual one."),
        ] = None,
    ) -> IndexOut:
        """Give an index of the prices of equal stones, with limits and numbers of sales."""
        service, known = request.allowed("quote")
        found = await service.model(*request.pins)
        published = await service.away(service.models.published)
        answer = pricing.index_of(found, by, shape, carat, published)
        await service.charge(known, "index", len(answer.periods))
        return answer

    @get(
        "/price-list",
        operation_id="readPriceList",
        summary="Prices by weight, color and clarity",
    )
    async def price_list(
        self,
        request: StrictRequest,
        cut: CutName = "",
        carat: Annotated[
            list[float] | None, QueryParameter(description="Weights; may be repeated.")
        ] = None,
        color: Annotated[
            list[str] | None, QueryParameter(description="Colors; may be repeated.")
        ] = None,
        clarity: Annotated[
            list[str] | None, QueryParameter(description="Clarities; may be repeated.")
        ] = None,
        as_of: Annotated[
            str,
            QueryParameter(
                description="The day of the prices, as 2026-09-30. Default: the last of the "
                "sales."
            ),
        ] = "",
    ) -> PriceListOut:
        """Give a price for each combination that sales stand behind, and how many do."""
        service, known = request.allowed("quote")
        found = pricing.dated(await service.model(*request.pins), as_of)
        answer = pricing.price_list(found, cut, carat or [], color or [], clarity or [])
        await service.charge(known, "price-list", len(answer.cells))
        return answer

    @get(
        "/matrix",
        operation_id="readMatrix",
        summary="Prices per carat in the form of an open feed",
    )
    async def matrix(self, request: StrictRequest, cut: CutName = "") -> MatrixOut:
        """Give matrices of log prices per carat by weight, as programs for OpenFacet read."""
        service, known = request.allowed("quote")
        answer = pricing.price_matrix(await service.model(*request.pins), cut)
        await service.charge(known, "price-list", sum(map(len, answer.l.values())))
        return answer
