"""Batches: many stones in one request."""

import tempfile
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from litestar import Controller, post
from litestar.params import QueryParameter
from litestar.response import Stream

from diamond_pricing.errors import RejectedFileError, StoneError
from diamond_pricing.intake.priced_sheet import XLSX, priced_sheet
from diamond_pricing.model.support import BLEND
from diamond_pricing.stones import Stones
from diamond_pricing.web.batch import Asked
from diamond_pricing.web.forms import FORMS, Batch
from diamond_pricing.web.messages import LEVEL
from diamond_pricing.web.messages import MOST as MOST_LEVEL
from diamond_pricing.web.pricing import of_parameter
from diamond_pricing.web.problems import ProblemError
from diamond_pricing.web.requests import StrictRequest, unread

IN_MEMORY = 1 << 20  # bytes of a body before it goes to the disk
LARGEST, MOST = 20 << 20, 20_000  # bytes and rows of a spreadsheet


class BatchController(Controller):
    """Batches of stones."""

    path = "/v1/quotes/batch"
    tags = ("Quotes",)

    @post(status_code=200, operation_id="priceBatch", summary="Price many stones")
    async def create(
        self,
        request: StrictRequest,
        level: Annotated[
            float,
            QueryParameter(gt=0, le=MOST_LEVEL, description="Share of sales in the range."),
        ] = LEVEL,
        listing: Annotated[str, QueryParameter(description="As in a quote.")] = BLEND,
    ) -> Stream:
        """Answer prices, ranges and lines in the form that was sent; nothing is kept.

        A row that cannot be priced says why, and the others are priced.
        """
        service, known = request.allowed("batch")
        media = request.media
        if media not in (*FORMS, XLSX):
            raise unread(media, [*FORMS, XLSX])
        found = await service.model(*request.pins)
        asked = Asked(found, listing, level)
        try:
            found.itemise(Stones.of([found.reference]), listing=listing)
        except StoneError as error:
            raise of_parameter(error) from error
        limits = service.settings.limits
        if media == XLSX:
            return await _spreadsheet(request, asked)
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed below
        try:
            async for piece in request.parts(limits.batch):
                file.write(piece)
            batch = await service.away(Batch, file, media, limits.rows)
            pieces = batch.answer(asked)
            # What goes wrong goes wrong here, while it can still be said, and uncharged.
            first = await service.away(next, pieces, None)
            await service.charge(known, "batch", batch.n)
        except BaseException:
            file.close()
            raise

        async def sent() -> AsyncIterator[bytes]:
            try:
                yield first or b""
                while (piece := await service.away(next, pieces, None)) is not None:
                    yield piece
            finally:
                file.close()

        return Stream(sent(), media_type=media)


async def _spreadsheet(request: StrictRequest, asked: Asked) -> Stream:
    """The workbook that was sent, with prices behind its columns."""
    service, limits = request.service, request.service.settings.limits
    data = b"".join([piece async for piece in request.parts(min(limits.batch, LARGEST))])

    level, listing = asked.level, asked.listing
    make = partial(priced_sheet, level=level, listing=listing, most=MOST)
    try:
        sheet = await service.away(make, "stones.xlsx", data, asked.model)
    except RejectedFileError as error:
        raise ProblemError("unreadable", f"{str(error)[:1].upper()}{str(error)[1:]}") from error
    await service.charge(request.known, "batch", sheet.rows)
    return Stream(iter([sheet.data]), media_type=XLSX)
