"""Quotes: explained prices that are kept."""

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from diamond_pricing.model import PriceExplanation
from diamond_pricing.web.door import Known
from diamond_pricing.web.house import House
from diamond_pricing.web.messages import (
    QuoteIn,
    QuoteOut,
    QuoteRow,
    QuotesOut,
    SharedOut,
    stone_of,
)
from diamond_pricing.web.pricing import KeptQuote, priced, quoted
from diamond_pricing.web.problems import Fault, ProblemError
from diamond_pricing.web.requests import UNPINNED, StrictRequest
from diamond_pricing.web.service import Service
from diamond_pricing.web.storage import NewQuote, StoredQuote
from diamond_pricing.web.storage.audit import stamp

QuoteName = Annotated[
    str,
    PathParameter(
        description="Id or number of a quote; with .html or .pdf the client's sheet."
    ),
]
IDEMPOTENCY = re.compile("[ -~]{1,255}")
_SHEETS = {"html": "text/html", "pdf": "application/pdf"}


class QuoteController(Controller):
    """Quotes of single stones."""

    path = "/v1/quotes"
    tags = ("Quotes",)

    @post(status_code=201, operation_id="createQuote", summary="Price a stone and say why")
    async def create(
        self, request: StrictRequest, data: JSONBody[QuoteIn]
    ) -> Response[QuoteOut]:
        """Answer the price, its range and every line, and keep it all as a quote."""
        service, known = request.allowed("quote")
        key, pins = request.header(b"idempotency-key"), request.pins
        if key is not None and not IDEMPOTENCY.fullmatch(key):
            fault = Fault("1 to 255 printable characters of ASCII", parameter="Idempotency-Key")
            wrong = "Idempotency-Key must be 1 to 255 printable ASCII characters."
            raise ProblemError("bad_request", wrong, [fault])
        pin = "" if pins == UNPINNED else "|".join(map(str, pins))
        try:
            found = await service.model(*pins, data.effective)
            why = priced(found, data)
        except ProblemError:
            # Another model may decline now what was quoted: a repetition is answered still.
            again = await self._again(service, known, data, key, pin)
            if again is None:
                raise
            return again
        new = new_quote(why, data, service.house, key or "", pin)
        receipt = await service.charge(known, "quote", 1, new)
        service.metrics.count(service.metrics.verdicts, why.verdict.status)
        stored = receipt.quote
        if stored is None:
            answer = quoted(why, found, data)
            return Response(answer, status_code=200, headers={"X-Quote-Stored": "no"})
        if receipt.replayed:
            return await _replayed(service, stored)
        headers = {"Location": f"/v1/quotes/{stored.id}"}
        service.metrics.count(service.metrics.quotes, found.sha256[:12])
        return Response(quoted(why, found, data, stored), headers=headers)

    async def _again(
        self, service: Service, known: Known, data: QuoteIn, key: str | None, pin: str
    ) -> Response[QuoteOut] | None:
        if not key or service.ledger is None:
            return None
        new = NewQuote("", msgspec.json.encode(data).decode(), 0, key, pin)
        stored = await service.looked_up(service.ledger.repeated, known.caller.tenant, new)
        return None if stored is None else await _replayed(service, stored)

    @get("/{name:str}", operation_id="readQuote", summary="Read a quote again")
    async def read(self, request: StrictRequest, name: QuoteName) -> Response[Any]:
        """Work the quote out once more from its own model, equal to the cent for ever."""
        service, known = request.allowed("quote")
        name, _, kind = name.partition(".")
        stored = await stored_quote(service, known, name)
        if kind in _SHEETS:
            paper = request.query("paper")
            return await sheet(service, stored, kind, "a4" if paper is None else paper)
        if kind:
            raise no_quote(f"{name}.{kind}")
        return Response(await answer_of(service, stored))

    @post(
        "/{name:str}/share",
        status_code=201,
        operation_id="shareQuote",
        summary="Make a link to a quote",
    )
    async def share(self, request: StrictRequest, name: QuoteName) -> SharedOut:
        """Give the link under which anybody may read the client's sheet of a quote."""
        service, known = request.allowed("quote")
        stored = await stored_quote(service, known, name)
        return SharedOut(link_to(service, stored))

    @delete(
        "/{name:str}/share",
        status_code=204,
        operation_id="revokeLinks",
        summary="Revoke the links to a quote",
    )
    async def revoke(self, request: StrictRequest, name: QuoteName) -> None:
        """Make all links that were given to a quote lead nowhere; new ones can be made."""
        await revoked(request, name)

    @get(operation_id="listQuotes", summary="Find quotes again")
    async def find(
        self,
        request: StrictRequest,
        search: Annotated[
            str,
            QueryParameter(
                max_length=200,
                description="Words that must all be in it: of the stone, number, date, client, "
                "their reference or metadata.",
            ),
        ] = "",
        since: Annotated[
            str, QueryParameter(max_length=20, description="Created on this day or later.")
        ] = "",
        cursor: Annotated[
            str, QueryParameter(max_length=60, description="What the last answer had as next.")
        ] = "",
        limit: Annotated[
            int, QueryParameter(ge=1, le=200, description="Quotes of one answer.")
        ] = 50,
    ) -> QuotesOut:
        """Answer your quotes, newest first."""
        service, known = request.allowed("quote")
        found = await found_quotes(service, known, search, since, cursor, limit + 1)
        more = found[limit - 1].id if len(found) > limit else None
        return QuotesOut([row_of(stored) for stored in found[:limit]], more)


async def _replayed(service: Service, stored: StoredQuote) -> Response[QuoteOut]:
    headers = {"Location": f"/v1/quotes/{stored.id}", "Idempotency-Replayed": "true"}
    return Response(await answer_of(service, stored), headers=headers)


async def found_quotes(
    service: Service, known: Known, search: str, since: str, cursor: str, most: int
) -> list[StoredQuote]:
    """The quotes of whoever asks, newest first; a date or cursor that is none is refused."""
    if since:
        try:
            datetime.fromisoformat(since)
        except ValueError as error:
            text = f"since must be a date such as 2026-11-23, not {since[:40]!r}."
            fault = Fault(text, parameter="since", given=since[:40])
            raise ProblemError("impossible_value", text, [fault]) from error
    if service.ledger is None:
        return []
    found = await service.looked_up(
        service.ledger.quotes, known.caller.tenant, search, since, cursor, most
    )
    if found is None:
        text = "cursor must be what an earlier answer had as next."
        raise ProblemError("impossible_value", text, [Fault(text, parameter="cursor")])
    return found


def link_to(service: Service, stored: StoredQuote) -> str:
    """The link under which anybody may read the client's sheet."""
    return f"/shared/{stored.id}.{service.keys.share(stored.id, stored.shares)}"


async def revoked(request: StrictRequest, name: str) -> StoredQuote:
    """Revoke the links to a quote of whoever asks."""
    service, known = request.allowed("quote")
    stored = await stored_quote(service, known, name)
    assert service.ledger is not None  # which had the quote
    await service.looked_up(service.ledger.revoke_links, stored.id, stored.tenant)
    return stored


def row_of(stored: StoredQuote) -> QuoteRow:
    """A quote as it stands in a list; one of before lists were kept by its request."""
    title = stored.title
    if title is None:
        title = str(stone_of(msgspec.json.decode(stored.asked, type=QuoteIn)))
    return QuoteRow(
        id=stored.id,
        number=stored.label,
        created=stored.created,
        valid_until=stored.valid_until or None,
        stone=title,
        price=stored.cents / 100,
        currency=stored.currency or "",
        client=stored.client or "",
        client_reference=stored.client_reference or "",
        model=stored.model,
    )


def new_quote(
    why: PriceExplanation, asked: QuoteIn, house: House, idempotency: str = "", pin: str = ""
) -> NewQuote:
    """A quote as it is stored: the request and the model say all of it."""
    words = (asked.report_number, *asked.metadata.values())
    return NewQuote(
        why.model,
        msgspec.json.encode(asked).decode(),
        why.cents,
        idempotency,
        pin,
        str(why.stone),
        why.currency,
        asked.client,
        asked.client_reference,
        house.valid_until(stamp()),
        " ".join(filter(None, words)),
    )


async def stored_quote(service: Service, known: Known | None, name: str) -> StoredQuote:
    """A quote of whoever asks; nobody else's exists for them."""
    if service.ledger is not None:
        tenant = None if known is None else known.caller.tenant
        found = await service.looked_up(service.ledger.quote, name, tenant)
        if found is not None:
            return found
    raise no_quote(name)


def no_quote(name: str) -> ProblemError:
    """The problem of a quote that is not there."""
    fault = Fault("there is no such quote", parameter="name", given=name[:80])
    return ProblemError("quote_not_found", "There is no quote of that id.", [fault])


async def rederived(service: Service, stored: StoredQuote) -> KeptQuote:
    """What a quote said, worked out again from its model; refused if it is not the same."""
    asked = msgspec.json.decode(stored.asked, type=QuoteIn)
    try:
        model = await service.model(stored.model, None)
    except ProblemError as error:
        text = f"The model {stored.model[:12]} of this quote cannot be read at present."
        raise ProblemError("model_unavailable", text) from error
    why = priced(model, asked)
    same = why.cents == stored.cents
    service.metrics.count(service.metrics.rederived, "same" if same else "different")
    if not same:
        raise AssertionError(f"quote {stored.id} was {stored.cents} cents, is {why.cents}")
    return KeptQuote(stored, asked, model, why)


async def answer_of(service: Service, stored: StoredQuote) -> QuoteOut:
    """A stored quote as it is sent."""
    kept = await rederived(service, stored)
    return quoted(kept.why, kept.model, kept.asked, stored)


async def sheet(
    service: Service, stored: StoredQuote, kind: str, paper: str = "a4"
) -> Response[Any]:
    """The client's sheet of a quote; ``paper`` is a4 or us-letter."""
    from diamond_pricing.web.page.sheet import PAPERS, sheet_html, sheet_pdf

    kept = await rederived(service, stored)
    if kind == "html":
        pdf, share = f"/v1/quotes/{stored.id}.pdf", link_to(service, stored)
        body = await service.away(sheet_html, kept, service.house, pdf, share)
        return Response(body, media_type=_SHEETS[kind])
    if paper not in PAPERS:
        fault = Fault("no such paper", parameter="paper", given=paper[:40], allowed=[*PAPERS])
        raise ProblemError("bad_request", f"The paper must be {' or '.join(PAPERS)}.", [fault])
    body = await service.away(sheet_pdf, kept, service.house, paper)
    headers = {"Content-Disposition": f'inline; filename="{stored.label}.pdf"'}
    return Response(body, media_type=_SHEETS[kind], headers=headers)
