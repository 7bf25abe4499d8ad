"""Bodies read within limits, and errors answered as problem documents."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from diamond_pricing.errors import DiamondPricingError, StorageError
from diamond_pricing.web.bodies import converted, strict
from diamond_pricing.web.door import Known
from diamond_pricing.web.problems import MEDIA_TYPE, TITLES, Fault, ProblemError, of_stone
from diamond_pricing.web.service import Service

JSON = "application/json"
UNPINNED = (None, None)
_CLOSE = {"connection": "close"}
# These read the id of a model from query and header, which Litestar is not told.
PINNED = (
    "createQuote",
    "priceStone",
    "priceBatch",
    "compareStones",
    "findComparables",
    "stepFromStone",
    "readPriceList",
    "readMatrix",
)
_NOT_TOLD = {**dict.fromkeys(PINNED, "model"), "readQuote": "paper"}
_BY_STATUS = {status: code for code, (status, _) in list(TITLES.items())[::-1]}
_BY_STATUS |= {400: "bad_request", 404: "not_found", 413: "too_large", 503: "not_ready"}


async def only_known_fields(request: Request[Any, Any, Any]) -> None:
    """Refuse fields of a query that nobody reads: a misspelt one would be ignored in silence.

    Run before a request is read; a guard would be given a copy of its handler each time, and
    one that is no coroutine a thread.
    """
    raw, handler = request.scope["query_string"], request.route_handler
    if not raw or not request.scope["path"].startswith("/v1/") or not handler.operation_id:
        return
    known = set(handler.parsed_fn_signature.parameters) - {"request", "data"}
    known -= set(request.scope["path_params"])
    known |= {_NOT_TOLD.get(str(handler.operation_id), "")} - {""}
    for name in _asked(raw):
        if name not in known:
            fault = Fault(f"{name[:40]!r} is not known", f"/{name[:40]}", allowed=sorted(known))
            raise ProblemError("bad_request", "The query has an unknown field.", [fault])


def _asked(raw: bytes) -> dict[str, list[str]]:
    if not raw:
        return {}
    try:
        return parse_qs(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=6000)
    except ValueError as error:
        raise ProblemError("bad_request", "The query has too many fields.") from error


class StrictRequest(Request[Any, Any, State]):
    """A request whose JSON body is read by our rules, into the type of the handler.

    Litestar passes what is of the right type already on as it is.
    """

    async def body(self) -> bytes:
        """The whole body, read once, within the limits.

        Raises
        ------
        ProblemError
            ``too_large``, ``too_slow``, or ``not_json`` where a message is asked for and
            nothing came.
        """
        found: bytes | None = self.scope["state"].get("body")
        if found is None:
            parts = [part async for part in self.parts(self.service.settings.limits.body)]
            found = self.scope["state"]["body"] = b"".join(parts)
            if not found and self.route_handler.parsed_data_field is not None:
                raise ProblemError("not_json", "The body is empty; send JSON.")
        return found

    async def json(self) -> Any:
        """The message that the handler asks for."""
        field = self.route_handler.parsed_data_field
        if self.media != JSON:
            raise unread(self.media, [JSON])
        found = strict(await self.body())
        return found if field is None else converted(found, field.annotation)

    @property
    def media(self) -> str:
        """Type of the body, without parameters."""
        return (self.header(b"content-type") or "").partition(";")[0].strip().lower()

    async def parts(self, limit: int) -> AsyncIterator[bytes]:
        """The body piece by piece; ``too_large`` or ``too_slow`` beyond the limits."""
        said = self.header(b"content-length") or ""
        if said.isdecimal() and int(said) > limit:
            raise _large(limit)
        patience, size, more = self.service.settings.limits.patience, 0, True
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        # What asyncio.timeout does, without what it costs: this is done for every request.
        began, late = loop.time(), False

        def end() -> None:
            nonlocal late
            late = True
            task.cancel()

        timer = loop.call_later(patience, end)
        try:
            while more:
                message: Any = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ProblemError("bad_request", "The connection was closed.")
                part, more = message.get("body", b""), message.get("more_body", False)
                size += len(part)
                if size > limit:
                    raise _large(limit)
                if more:  # a large body may take longer, at 1 MB in that time
                    timer.cancel()
                    timer = loop.call_at(began + patience * (1 + size / (1 << 20)), end)
                yield part
        except asyncio.CancelledError as error:
            if not late:
                raise
            task.uncancel()
            wrong = f"The body did not arrive within {patience:g} seconds a MB."
            raise ProblemError("too_slow", wrong, headers=_CLOSE) from error
        finally:
            timer.cancel()

    def header(self, wanted: bytes) -> str | None:
        """A header by its name in small letters; None if it was not sent."""
        for name, value in self.scope["headers"]:
            if name == wanted:
                return value.decode("latin-1")
        return None

    @property
    def pins(self) -> tuple[str | None, str | None]:
        """The model asked for in the query, and in the header."""
        return self.query("model"), self.header(b"x-model-id")

    def query(self, name: str) -> str | None:
        """The last value of a field of the query; None if it was not sent."""
        asked = _asked(self.scope["query_string"])
        return asked[name][-1] if name in asked else None

    def allowed(self, scope: str) -> tuple[Service, Known]:
        """What answers, and who asks: refused as ``forbidden`` if their key lacks a scope."""
        if scope not in self.known.caller.scopes:
            lacks = Fault("the key lacks a scope", parameter="Authorization", allowed=[scope])
            wrong = f"This needs a key with the scope {scope!r}."
            raise ProblemError("forbidden", wrong, [lacks])
        return self.service, self.known

    @property
    def service(self) -> Service:
        """What answers."""
        found: Service = self.scope["state"]["service"]
        return found

    @property
    def known(self) -> Known:
        """Who asks."""
        found: Known = self.scope["state"]["known"]
        return found


def _large(limit: int) -> ProblemError:
    return ProblemError("too_large", f"A body may have {limit:,} bytes here.", headers=_CLOSE)


def unread(media: str, allowed: list[str]) -> ProblemError:
    """The problem of a body in another form."""
    given, headers = media[:60] or "none", {"accept": ", ".join(allowed)}
    fault = Fault("not read here", parameter="Content-Type", given=given, allowed=allowed)
    wrong = f"A body of type {given} is not read here; send {allowed[0]}."
    return ProblemError("unsupported_media_type", wrong, [fault], headers)


def problem_of(error: Exception) -> ProblemError:
    """Any error as a problem; what is not foreseen says nothing of our inside."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, StorageError):
        wrong = "What is stored cannot be read or written at present."
        return ProblemError("storage_unavailable", wrong, headers={"retry-after": "5"})
    if isinstance(error, DiamondPricingError):
        return of_stone(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        code = _BY_STATUS.get(error.status_code, "bad_request")
        faults = [
            Fault(str(e.get("message", "")), parameter=str(e.get("key", "")))
            for e in (error.extra if isinstance(error.extra, list) else ())
            if isinstance(e, dict)
        ]
        told = "; ".join(f"{f.parameter}: {f.message}" for f in faults)
        detail = f"{TITLES[code][1]}{': ' if told else ''}{told.replace('`', '')}."
        return ProblemError(code, detail, faults, dict(error.headers or {}))
    return ProblemError("internal", "Something failed on our side; the request was logged.")


def answered_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Any error as a problem document."""
    problem = problem_of(error)
    service: Service = request.scope["state"]["service"]
    if problem.status >= 500:
        service.failed(error, problem)
    if problem.status == 422 and problem.faults:
        fault = problem.faults[0]
        service.metrics.count(service.metrics.declines, fault.code or problem.code)
    known: Known = request.scope["state"]["known"]
    headers = {k.decode(): v.decode("latin-1") for k, v in request.scope["headers"]}
    path = request.scope["path"]
    page_of_ours = not path.startswith("/v1") or path.endswith((".html", ".pdf"))
    if "text/html" in headers.get("accept", "") and page_of_ours:
        from diamond_pricing.web.page.render import HTML, error_page

        page = error_page(
            problem,
            service.models.active,
            query=request.scope["query_string"].decode("latin-1"),
            accepted=headers.get("accept-language", ""),
            signed_in=bool(known.caller.key),
            here="shared" if path.startswith("/shared/") else "",  # which has no menu
            request_id=known.id,
        )
        media = HTML
    else:
        page, media = msgspec.json.encode(problem.details(known.id)), MEDIA_TYPE
    return Response(page, status_code=problem.status, media_type=media, headers=problem.headers)
