"""What went wrong with a request, as a problem document (RFC 9457).

Every error that leaves the server has a stable code of `TITLES`, a sentence for a person, and
where fields are at fault, each with what was given, what is allowed, and the nearest valid
value. Codes of declined stones are those of `diamond_pricing.model.verdict`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from diamond_pricing.errors import (
    ContradictionError,
    DiamondPricingError,
    StoneError,
    UnknownGradeError,
    UnsupportedStoneError,
)
from diamond_pricing.model.support import BLEND, RECORDED
from diamond_pricing.stones import LISTING

MEDIA_TYPE = "application/problem+json"
DECLINED = "stone_declined"  # where a stone has several reasons, or none with a code
TITLES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "not_json": (400, "The body is not JSON"),
        "wrong_shape": (400, "The body has another shape than asked for"),
        "bad_request": (400, "The request cannot be understood"),
        "unauthorized": (401, "A valid key is needed"),
        "forbidden": (403, "This key may not do that"),
        "not_found": (404, "There is nothing here"),
        "model_not_found": (404, "There is no such model"),
        "not_dated": (404, "The sales of this model have no dates"),
        "quote_not_found": (404, "There is no such quote"),
        "method_not_allowed": (405, "This method is not served here"),
        "not_acceptable": (406, "The answer cannot be given in that form"),
        "too_slow": (408, "The body came too slowly"),
        "too_large": (413, "The body is too large"),
        "unsupported_media_type": (415, "The body is in a form that is not read"),
        "impossible_value": (422, "A value that no diamond has"),
        "unknown_grade": (422, "A grade that does not exist"),
        "contradiction": (422, "The measurements contradict each other"),
        "effective_not_known": (422, "No prices of that date"),
        "idempotency_key_reused": (422, "The idempotency key belongs to another request"),
        "models_differ": (422, "Two models are asked for"),
        "unreadable": (422, "The rows cannot be read"),
        "unequal_columns": (422, "Columns of different lengths"),
        "too_many_rows": (413, "The batch has too many rows"),
        DECLINED: (422, "A stone that the model does not price"),
        "too_many_requests": (429, "The quota is used up"),
        "internal": (500, "Something failed on our side"),
        "model_unavailable": (503, "The model of this quote cannot be read"),
        "no_comparables": (503, "The sales cannot be looked up"),
        "storage_unavailable": (503, "Quotes cannot be stored at present"),
        "not_ready": (503, "The service is not ready"),
    }
)


_CODES: dict[type[StoneError], str] = {
    UnknownGradeError: "unknown_grade",
    ContradictionError: "contradiction",
    UnsupportedStoneError: DECLINED,
}


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field.

    Attributes
    ----------
    message : str
        A sentence for a person.
    pointer : str
        JSON Pointer (RFC 6901) into the body; empty for the whole of it.
    code : str
        Why, where the reason has a code of its own.
    given, nearest : object
        What was sent; the nearest valid value.
    allowed : list
        Valid values, or the smallest and the largest.
    parameter : str
        The query parameter or header at fault, where it is none of the body.
    """

    message: str
    pointer: str = ""
    code: str = ""
    given: Any = None
    nearest: Any = None
    allowed: list[Any] = []
    parameter: str = ""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer that is an error.

    Attributes
    ----------
    type, title, status, detail
        As RFC 9457 has them.
    code : str
        Stable, for programs.
    request_id : str
        To name the request by when asking us.
    errors : list[Fault]
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str = ""
    errors: list[Fault] = []


class ProblemError(Exception):
    """Raised anywhere behind the door; answered as a problem document with these headers."""

    def __init__(
        self,
        code: str,
        detail: str,
        faults: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.faults = code, detail, tuple(faults)
        self.status = TITLES[code][0]
        self.headers = headers or {}

    def details(self, request_id: str = "") -> ProblemDetails:
        """The body of the answer."""
        status, title = TITLES[self.code]
        return ProblemDetails(
            type=f"/problems#{self.code}",
            title=title,
            status=status,
            detail=self.detail,
            code=self.code,
            request_id=request_id,
            errors=list(self.faults),
        )


def unauthorized(detail: str) -> ProblemError:
    """The problem of who sends no key that is valid."""
    return ProblemError("unauthorized", detail, headers={"www-authenticate": "Bearer"})


def of_stone(error: DiamondPricingError, under: str = "") -> ProblemError:
    """The problem that an error of the library is, the stone standing at ``under``."""
    text = str(error)
    if not isinstance(error, StoneError):
        return ProblemError("bad_request", text)
    allowed = list(error.allowed) if isinstance(error, UnknownGradeError) else []
    pointer = f"{under}/{error.attribute}" if error.attribute else under
    if error.attribute == LISTING.name:  # of the question, not of the stone
        pointer, allowed = f"/{LISTING.name}", [BLEND, RECORDED, *LISTING.grades]
    named = (code for kind, code in _CODES.items() if isinstance(error, kind))
    code = next(named, "impossible_value")
    given, nearest = _plain(error.given), _plain(error.nearest)
    fault = Fault(text, pointer, error.code or code, given, nearest, allowed)
    return ProblemError(code, text, [fault])


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value if value == value and value not in (float("inf"), -float("inf")) else None
    return str(value)
