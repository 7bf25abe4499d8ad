"""A client for Python: the API's messages as types, its problems as errors.

from diamond_pricing.web.client import Client

with Client("http://127.0.0.1:8000") as prices:
quote = prices.quote(carat=1.01, cut="Ideal", color="E", clarity="VS1")
print(quote.price, [line.sentence for line in quote.lines])
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from diamond_pricing import __version__
from diamond_pricing.errors import ServiceError
from diamond_pricing.model import PriceModel
from diamond_pricing.web.messages import (
    ComparablesOut,
    ComparisonOut,
    ModelsOut,
    PriceListOut,
    QuoteOut,
    SharedOut,
    UsagesOut,
    WhatIfOut,
)
from diamond_pricing.web.problems import MEDIA_TYPE, ProblemDetails

T = TypeVar("T")
Given = Mapping[str, float | str]
AGAIN = (429, 503)  # worth another try


class ApiError(ServiceError):
    """The server answered with a problem.

    Attributes
    ----------
    problem : ProblemDetails
        As it was sent; its ``code`` is stable and its ``errors`` name the fields.
    retry_after : float or None
        Seconds after which to ask again.
    """

    def __init__(self, problem: ProblemDetails, retry_after: float | None = None) -> None:
        super().__init__(f"{problem.detail} ({problem.code}, request {problem.request_id})")
        self.problem, self.retry_after = problem, retry_after


class Client:
    """Asks a server for prices.

    Parameters
    ----------
    url : str
        Of the server.
    key : str, optional
        As ``dp_…``; a server on this machine may do without.
    model : str, optional
        Id of the model that is to answer all requests; by default the active one.
    tries : int
        How often a request is sent when the server is busy or cannot be reached. A quote is
        sent with an idempotency key, so that it is made once.
    timeout : float
        Seconds.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        model: str | None = None,
        tries: int = 3,
        timeout: float = 30.0,
    ) -> None:
        headers = {"User-Agent": f"diamond_pricing/{__version__}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if model:
            headers["X-Model-Id"] = model
        self.tries = tries
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def quote(self, *, idempotency_key: str | None = None, **asked: Any) -> QuoteOut:
        """Price a stone; fields as in ``POST /v1/quotes``.

        Raises
        ------
        ApiError
            When the stone cannot be priced, or the key may not ask.
        """
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._asked(QuoteOut, "POST", "/v1/quotes", json=asked, headers=headers)

    def read(self, name: str) -> QuoteOut:
        """Read a quote again."""
        return self._asked(QuoteOut, "GET", f"/v1/quotes/{_plain(name)}")

    def sheet(self, name: str, kind: Literal["html", "pdf"] = "pdf") -> bytes:
        """The client's sheet of a quote."""
        return self._send("GET", f"/v1/quotes/{_plain(name)}.{kind}").content

    def share(self, name: str) -> str:
        """A link under which anybody may read a quote."""
        found = self._asked(SharedOut, "POST", f"/v1/quotes/{_plain(name)}/share")
        try:
            return str(self._http.base_url.join(found.url))
        except httpx.InvalidURL as error:
            raise ServiceError(f"{self._http.base_url}: {error}") from error

    def compare(self, first: Given, second: Given, **asked: Any) -> ComparisonOut:
        """Say why the second stone does not cost what the first does."""
        body = {"first": first, "second": second, **asked}
        return self._asked(ComparisonOut, "POST", "/v1/comparisons", json=body)

    def comparables(self, count: int = 5, **stone: float | str) -> ComparablesOut:
        """Sales like a stone."""
        body = {"stone": stone, "count": count}
        return self._asked(ComparablesOut, "POST", "/v1/comparables", json=body)

    def what_if(self, **stone: float | str) -> WhatIfOut:
        """The stones one step away."""
        return self._asked(WhatIfOut, "POST", "/v1/what-if", json={"stone": stone})

    def price_list(
        self,
        cut: str = "Ideal",
        carats: Iterable[float] = (),
        colors: Iterable[str] = (),
        clarities: Iterable[str] = (),
    ) -> PriceListOut:
        """Prices by weight, color and clarity."""
        query: dict[str, Any] = {"cut": cut, "carat": list(carats)}
        query |= {"color": list(colors), "clarity": list(clarities)}
        return self._asked(PriceListOut, "GET", "/v1/price-list", params=query)

    def batch(self, columns: Mapping[str, list[Any]], **asked: Any) -> dict[str, Any]:
        """Price columns of stones; the answer has columns too, and the errors by row."""
        path, body = "/v1/quotes/batch", {"columns": columns}
        return self._asked(dict[str, Any], "POST", path, json=body, params=asked)

    def models(self) -> ModelsOut:
        """All models of the server."""
        return self._asked(ModelsOut, "GET", "/v1/models")

    def model(self, name: str) -> PriceModel:
        """Load a model, to price and to check quotes without the server.

        Raises
        ------
        DocumentError
            When what came is not the document that it says it is.
        """
        found = PriceModel.from_json(self._send("GET", f"/v1/models/{_plain(name)}").content)
        if not found.sha256.startswith(name):
            raise ServiceError(f"asked for model {name}, got {found.sha256[:12]}.")
        return found

    def usage(self) -> UsagesOut:
        """What was asked for, as it is billed."""
        return self._asked(UsagesOut, "GET", "/v1/usage")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, kind: type[T], method: str, path: str, **given: Any) -> T:
        return self._decoded(self._send(method, path, **given), kind)

    def _decoded(self, answer: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            said = f"{self._http.base_url} answered {answer.status_code}, but with no message"
            raise ServiceError(f"{said} of this API: {error}.") from error

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        for last in (*[False] * (self.tries - 1), True):
            try:
                answer = self._http.request(method, path, **given)
            except httpx.TransportError as error:
                # What may have been answered and charged is not sent twice.
                safe = method == "GET" or "headers" in given
                if last or not (safe or isinstance(error, httpx.ConnectError)):
                    raise ServiceError(f"{self._http.base_url}: {error}") from error
                time.sleep(0.2)
                continue
            except (httpx.DecodingError, httpx.InvalidURL) as error:
                raise ServiceError(f"{self._http.base_url}: {error}") from error
            if answer.is_success:
                return answer
            problem = self._problem(answer)
            if last or answer.status_code not in AGAIN or (problem.retry_after or 0) > 10:
                raise problem
            time.sleep(problem.retry_after or 0.2)
        raise AssertionError("tries must be 1 or more")

    def _problem(self, answer: httpx.Response) -> ApiError:
        after = answer.headers.get("retry-after", "")
        wait = float(after) if after.isdecimal() else None
        if answer.headers.get("content-type", "").startswith(MEDIA_TYPE):
            return ApiError(self._decoded(answer, ProblemDetails), wait)
        status = answer.status_code
        text = f"the server answered {status}"
        return ApiError(ProblemDetails("about:blank", text, status, text, "none"), wait)


_plain = partial(quote, safe="")
