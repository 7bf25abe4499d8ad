"""A stock list dropped on the page, and the same list given back with prices."""

import secrets
import time
from collections import OrderedDict
from urllib.parse import quote

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from diamond_pricing.errors import RejectedFileError, StoneError
from diamond_pricing.intake.headers import MEASUREMENTS
from diamond_pricing.intake.priced_sheet import PricedSheet, priced_sheet
from diamond_pricing.model import PriceModel
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import ATTRIBUTES
from diamond_pricing.web.api.batches import LARGEST, MOST
from diamond_pricing.web.page.framing import Desk
from diamond_pricing.web.page.phrases import (
    TEXTS,
    amount_text,
    count_text,
    refusal,
    refused_for,
)
from diamond_pricing.web.page.render import HTML
from diamond_pricing.web.problems import ProblemError, of_stone
from diamond_pricing.web.requests import StrictRequest

KEPT, SECONDS = 16, 1800  # files that wait to be fetched, and how long
SHOWN = 8  # rows


class StockController(Controller):
    """The page that prices a stock list."""

    path = "/stock"
    include_in_schema = False

    @get(media_type=HTML)
    async def ask(self, request: StrictRequest) -> bytes:
        """Ask for a file."""
        request.allowed("batch")
        desk = Desk(request)
        return desk.page("stock.html", "/stock", most=count_text(MOST, desk.words))

    @post(media_type=HTML, status_code=200)
    async def price(self, request: StrictRequest) -> bytes:
        """Price the stones of the file that is the body; its name is in the query."""
        service, known = request.allowed("batch")
        desk = Desk(request)
        model, words = desk.model, desk.words
        data = b"".join([part async for part in request.parts(LARGEST)])
        name = (request.query("name") or "")[:200]
        try:
            made = await service.away(_priced, name, data, model, words)
        except RejectedFileError as error:
            return desk.page("stock_answer.html", "/stock", refused=str(error))
        await service.charge(known, "batch", made.rows)
        token = secrets.token_urlsafe(16)
        _forget(service.priced_lists, KEPT - 1)
        service.priced_lists[token] = (time.monotonic(), known.caller.tenant, made)
        currency = model.training.currency
        columns = [(of, _attribute(attribute, words)) for of, attribute in made.columns]
        rows = []
        for given, cells in zip(made.given[:SHOWN], made.table, strict=False):
            amounts = [
                amount_text(value, currency, words) if isinstance(value, float) else "–"
                for value in cells[:3]
            ]
            rows.append([" · ".join(filter(None, given[:6])), *amounts, cells[3], cells[4]])
        counts = {
            "rows": count_text(made.rows, words),
            "priced": count_text(made.priced, words),
            "caution": made.with_caution and count_text(made.with_caution, words),
            "total": words.amount(made.total, currency, digits=0),
        }
        return desk.page(
            "stock_answer.html",
            "/stock",
            refused="",
            columns=columns,
            unread=made.unread,
            counts=counts,
            rows=rows,
            file=made.name,
            reasons=[
                f"{count_text(n, words)} {refused_for(code, words)}"
                for code, n in made.refused.items()
            ],
            link=f"/stock/{token}",
            heads=[desk.texts["stone"], *words.estimates.values()],
        )

    @get("/{token:str}")
    async def fetch(self, request: StrictRequest, token: FromPath[str]) -> Response[bytes]:
        """The priced list, for half an hour."""
        waiting = request.service.priced_lists
        _forget(waiting, KEPT)
        _, tenant, made = waiting.get(token, (0.0, "", None))
        if made is None or tenant != request.known.caller.tenant:
            raise ProblemError("not_found", "This list is no longer kept; price it again.")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(made.name)}"}
        return Response(made.data, media_type=made.media, headers=headers)


def _forget(waiting: OrderedDict[str, tuple[float, str, PricedSheet]], most: int) -> None:
    late = time.monotonic() - SECONDS
    while waiting and (len(waiting) > most or next(iter(waiting.values()))[0] < late):
        waiting.popitem(last=False)


def _priced(name: str, data: bytes, model: PriceModel, words: Words) -> PricedSheet:
    def told(error: StoneError) -> str:
        if words is ENGLISH:
            return str(error)
        known = model.training.ranges.get(error.attribute)
        asked, code = ATTRIBUTES.get(error.attribute), of_stone(error).faults[0].code
        return refusal(asked, code, error.given, known, words)

    return priced_sheet(name, data, model, words=words, told=told, most=MOST)


def _attribute(name: str, words: Words) -> str:
    if name == MEASUREMENTS:
        return TEXTS[words.code]["measurements"]
    return words.attribute(name) if name in ATTRIBUTES else name
