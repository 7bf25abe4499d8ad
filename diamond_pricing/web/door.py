"""What happens to every request, whatever it asks for.

It gets an id, its sender is recognised, it is measured and logged; its answer gets the
headers that keep a browser safe. This stands around the application, so that it holds for
paths that do not exist as well.
"""

import logging
import random
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar.types import ASGIApp, Receive, Send

from diamond_pricing.web.metrics import Metrics
from diamond_pricing.web.problems import MEDIA_TYPE, ProblemError, unauthorized
from diamond_pricing.web.settings import loopback
from diamond_pricing.web.storage.keys import OPEN, PUBLISH, Caller, Keys
from diamond_pricing.web.storage.ledger import Receipt

LINES = 1000  # of the access log, kept together for a tenth of a second at most
COOKIE = "dp_session"
OPEN_PATHS = (
    "/health/",
    "/static/",
    "/docs",
    "/openapi.json",
    "/problems",
    "/shared/",
    "/embed.js",
)
PUBLISHED = "/v1/prices"  # what a key in a page may ask
SIGN_IN = "/sign-in"
NOBODY = Caller("nobody", scopes=frozenset())
_ANYBODY = Caller(OPEN)
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)
# Swagger UI sets styles on its elements.
_DOCS_POLICY = _POLICY.replace(b"style-src 'self'", b"style-src 'self' 'unsafe-inline'")
_PLAIN = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
_PREFLIGHT = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-max-age", b"600"),
    (b"access-control-allow-headers", b"authorization, content-type, x-model-id"),
]
_WANTED = (b"authorization", b"host", b"origin", b"sec-fetch-site", b"accept", b"hx-request")
access = logging.getLogger("diamond_pricing.access")


class Known(msgspec.Struct):
    """What is known of a request; handlers find it in the scope's state under ``known``."""

    id: str
    caller: Caller
    receipt: Receipt | None = None


class Door:
    """An application, and around it what every request goes through."""

    def __init__(self, app: ASGIApp, service: Any) -> None:
        self.app, self.service = app, service
        self.keys: Keys = service.keys
        self.metrics: Metrics = service.metrics
        self.lines: list[str] = []

    def flush(self) -> None:
        """Write the access log, many lines at once: each write may stop for another thread."""
        lines, self.lines = self.lines, []
        if lines:
            access.info("%s", "\n".join(lines))

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if str(scope["type"]) != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = _wanted(scope)
        head = scope["method"] == "HEAD"
        if head:  # is what GET would be, without the body
            scope["method"] = "GET"
        # Told apart, not secret; asking the kernel for it would stop for other threads.
        # nosemgrep: secrets-are-not-from-a-generator
        known = Known(f"{random.getrandbits(64):016x}", NOBODY)  # nosec B311
        state = scope.setdefault("state", {})
        state["known"], state["service"] = known, self.service
        status = 500

        origin = headers.get(b"origin", "")

        async def answered(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if scope["method"] == "OPTIONS":
                    self._tell_methods(scope, message)
                message["headers"] = [
                    *message["headers"],
                    *_added(scope["path"], message["headers"], known),
                    *(_allowed(origin) if self._readable(origin, scope, known) else []),
                ]
            elif head:
                message["body"] = b""
            await send(message)

        try:
            asks = scope["method"] == "OPTIONS" and scope["path"] == PUBLISHED
            if asks and origin in self.keys.origins:  # the key itself is sent only then
                status = 204
                await _send(answered, status, _PREFLIGHT)
                return
            refused = self._recognised(scope, headers, known)
            if refused is None:
                await self.app(scope, receive, answered)
            else:
                await _refuse(refused, known, answered, script=b"hx-request" in headers)
        finally:
            took = time.perf_counter() - began
            route = scope.get("path_template") or "none"
            self.metrics.seen(scope["method"], str(route), status, took)
            if self.service.settings.access_log:
                self._log(scope, known, status, took)

    def _recognised(
        self, scope: Any, headers: dict[bytes, str], known: Known
    ) -> ProblemError | str | None:
        """Say who asks; give a problem or the path to go to if nobody may so."""
        path = scope["path"]
        if not self.keys.any:
            host = headers.get(b"host", "")
            host = host[: host.find("]") + 1] if host[:1] == "[" else host.rsplit(":", 1)[0]
            if not loopback(host) and not path.startswith("/health/"):
                wrong = "Without keys this server answers under 127.0.0.1 and localhost only."
                return ProblemError("forbidden", wrong)
            if not _own(scope, headers):
                return ProblemError("forbidden", "Another site's page may not ask for this.")
            known.caller = _ANYBODY
            return None
        token = headers.get(b"authorization", "")
        if not token and not _own(scope, headers):
            return ProblemError("forbidden", "Another site's page may not ask for this.")
        if token:
            kind, _, value = token.partition(" ")
            found = self.keys.caller(value.strip()) if kind.lower() == "bearer" else None
            if found is None and not path.startswith(OPEN_PATHS):
                return unauthorized("This key is not valid, or not any more.")
            known.caller = found or NOBODY
            if PUBLISH in known.caller.scopes:  # it stands in a page
                if path != PUBLISHED:
                    return ProblemError("forbidden", f"This key is for POST {PUBLISHED} alone.")
                if headers.get(b"origin", "") not in known.caller.origins:
                    wrong = "This key is for other pages than this one."
                    return ProblemError("forbidden", wrong)
            return None
        cookie = headers.get(COOKIE.encode(), "")
        found = self.keys.of_session(cookie) if cookie else None
        if found is not None:
            known.caller = found
            return None
        if path.startswith(OPEN_PATHS) or path == SIGN_IN:
            return None
        sheet = path.endswith((".html", ".pdf")) and "text/html" in headers.get(b"accept", "")
        if (path.startswith("/v1/") and not sheet) or path == "/metrics":
            return unauthorized("Send your key as 'Authorization: Bearer dp_…'.")
        query = scope["query_string"].decode("latin-1")
        there = f"{path}?{query}" if query else path
        back = "" if scope["method"] == "POST" else f"?{urlencode({'next': there})}"
        return SIGN_IN + (back if there != "/" else "")

    def _readable(self, origin: str, scope: Any, known: Known) -> bool:
        """Whether a page's script may read the answer; why it got none, too."""
        if known.caller.key:
            return origin in known.caller.origins
        return scope["path"] == PUBLISHED and origin in self.keys.origins

    def _tell_methods(self, scope: Any, message: Any) -> None:
        """Correct what is allowed: Litestar says the methods of the first handler of a path."""
        routes: Any = getattr(self.app, "routes", ())
        path = scope.get("path_template")
        methods = {
            str(m) for route in routes if route.path_format == path for m in route.methods
        }
        if methods:
            allowed = ", ".join(sorted(methods)).encode()
            message["headers"] = [
                (k, allowed if k.lower() == b"allow" else v) for k, v in message["headers"]
            ]

    def _log(self, scope: Any, known: Known, status: int, took: float) -> None:
        path: str = scope["path"]
        if path.startswith("/shared/"):  # without what opens the link
            path = path.partition(".")[0]
        line: dict[str, Any] = {
            "at": time.time(),
            "id": known.id,
            "tenant": known.caller.tenant,
            "key": known.caller.key,
            "method": scope["method"],
            "path": path[:200],
            "status": status,
            "ms": round(1000 * took, 2),
        }
        self.lines.append(msgspec.json.encode(line).decode())
        if len(self.lines) >= LINES:
            self.flush()


def _wanted(scope: Any) -> dict[bytes, str]:
    """The few headers that are looked at here."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _WANTED:
            found[name] = value.decode("latin-1")
        elif name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                if key == COOKIE:
                    found[COOKIE.encode()] = text
    return found


def _own(scope: Any, headers: dict[bytes, str]) -> bool:
    """Whether a request that changes something comes from our own page or from no page."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return True
    if headers.get(b"sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get(b"origin")
    return origin is None or origin.partition("://")[2] == headers.get(b"host", "")


def _added(path: str, given: Any, known: Known) -> list[tuple[bytes, bytes]]:
    added = [(b"x-request-id", known.id.encode()), *_PLAIN]
    media, cached = b"", False
    for name, value in given:
        if name == b"content-type":
            media = value
        cached = cached or name == b"cache-control"
    if not cached:
        added.append((b"cache-control", b"no-store"))
    if media.startswith(b"text/html"):
        policy = _DOCS_POLICY if path.startswith("/docs") else _POLICY
        added.append((b"content-security-policy", policy))
    receipt, caller = known.receipt, known.caller
    if receipt is not None and receipt.left is not None:
        policy = f'"prices";q={caller.quota};w={caller.seconds}'.encode()
        left = f'"prices";r={receipt.left};t={receipt.reset}'.encode()
        added += [(b"ratelimit-policy", policy), (b"ratelimit", left)]
    return added


def _allowed(origin: str) -> list[tuple[bytes, bytes]]:
    """Let the scripts of a page read the answer."""
    return [
        (b"access-control-allow-origin", origin.encode()),
        (b"vary", b"Origin"),
        (b"access-control-expose-headers", b"RateLimit, RateLimit-Policy, Retry-After"),
    ]


async def _refuse(
    refused: ProblemError | str, known: Known, send: Any, *, script: bool
) -> None:
    if isinstance(refused, str):
        if script:  # htmx would put the other page into this one
            await _send(send, 200, [(b"hx-redirect", refused.encode())])
        else:
            await _send(send, 303, [(b"location", refused.encode())])
        return
    headers = {"content-type": MEDIA_TYPE, **refused.headers}
    body = msgspec.json.encode(refused.details(known.id))
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await _send(send, refused.status, pairs, body)


async def _send(
    send: Any, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes = b""
) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
