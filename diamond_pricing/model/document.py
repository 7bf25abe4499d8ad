"""The model document: one line of JSON, hashed by itself.

    {"sha256":"<64 hex digits>",<everything else>}

The hash is that of the document with this first field taken out, that is of
``{<everything else>}`` and the newline behind it, as UTF-8. So a document that was changed
by a single byte is refused, and anybody can check one with a few lines of any language.
docs/reference/model-document.md goes through it field by field.
"""

import hashlib
import re
from typing import Any

import msgspec
import numpy as np

from diamond_pricing.arrays import Matrix
from diamond_pricing.errors import DocumentError, TradeError
from diamond_pricing.model.certificate import Certificate
from diamond_pricing.model.effects import Entry, Inference
from diamond_pricing.model.like_sales import LikeSales
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.ranges import Ranges
from diamond_pricing.model.support import Support
from diamond_pricing.model.training import Training
from diamond_pricing.stones.trade import add_missing
from diamond_pricing.terms import Averages

SCHEMA = 3
EXACT_BELOW = 500  # coefficients up to which the covariance is kept whole
LARGEST = 64 * 2**20  # bytes
_HEAD = re.compile(rb'\{"sha256":"([0-9a-f]{64})",')


class Covariance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """U of the covariance UU', in whole numbers."""

    bits: int  # of each number: 8, 16 or 32
    scales: tuple[float, ...]  # what one step of a column is worth, shape (r,)
    data: bytes  # little-endian signed integers, row by row, shape (p, r); base64 in JSON

    @classmethod
    def of(cls, factor: Matrix) -> "Covariance":
        """Write a factor that `quantised` has made; another would lose digits.

        Small models are kept to nine digits; large ones to what a standard error needs. A step
        of a column is worth a power of two, so that rounding is exact.
        """
        bits = 32 if len(factor) <= EXACT_BELOW else 16
        largest = np.maximum(np.abs(factor).max(axis=0, initial=0.0), 1e-30)
        scales = 2.0 ** np.ceil(np.log2(largest / (2.0 ** (bits - 1) - 1)))
        steps = np.round(factor / scales).astype(f"<i{bits // 8}")
        return cls(bits, tuple(scales.tolist()), steps.tobytes())

    def matrix(self) -> Matrix:
        """U, shape (p, r); a `DocumentError` when the numbers do not fill a rectangle."""
        row = len(self.scales) * self.bits // 8
        if self.bits not in (8, 16, 32) or not row or len(self.data) % row:
            raise DocumentError("the covariance of a model document must be a rectangle.")
        steps = np.frombuffer(self.data, f"<i{self.bits // 8}").reshape(-1, len(self.scales))
        matrix: Matrix = steps * np.array(self.scales)
        return matrix


def quantised(factor: Matrix) -> Matrix:
    """Round a factor to what a document holds; rounding again changes nothing."""
    return Covariance.of(factor).matrix()


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of a `PriceModel`, as they stand in JSON; the last two where there are any."""

    schema: int
    family: str
    origin: str
    terms: tuple[Entry, ...]
    covariance: Covariance
    residual_sd: float
    edf: float
    reference: dict[str, float | str]
    averages: Averages
    training: Training
    markup: Markup | None
    inference: Inference | None
    ranges: Ranges | None
    support: Support | None
    certificate: Certificate | None
    trade: tuple[dict[str, Any], ...] = ()
    like_sales: LikeSales | None = None


_OWN = {"schema", "terms", "covariance", "reference"}
SHARED = tuple(name for name in Document.__struct_fields__ if name not in _OWN)


def write(content: Document) -> str:
    """Write a document with its hash."""
    body = _body(content)
    return f'{{"sha256":"{hashlib.sha256(body).hexdigest()}",{body[1:].decode()}'


def digest(content: Document) -> str:
    """Give the hash of a document."""
    return hashlib.sha256(_body(content)).hexdigest()


def read(data: bytes) -> Document:
    """Check and read a document.

    A `DocumentError` when it is too large, not a model document, changed since it was written,
    of another schema, or incomplete.
    """
    if len(data) > LARGEST:
        raise DocumentError(
            f"a model document has at most {LARGEST:,} bytes, not {len(data):,}."
        )
    head = _HEAD.match(data)
    if head is None:
        raise DocumentError('this is not a model document: it must begin with {"sha256":"….')
    body = b"{" + data[head.end() :]
    if hashlib.sha256(body).hexdigest().encode() != head[1]:
        raise DocumentError(
            "this model document was changed or damaged: it does not agree with its sha256. "
            "Take it from its source again."
        )
    try:
        known = msgspec.json.decode(body, type=_Schema)
        if known.schema != SCHEMA:
            raise DocumentError(
                f"this model document has schema {known.schema}; this version reads {SCHEMA}."
            )
        add_missing(known.trade)  # terms are checked against the attributes that there are
        return msgspec.json.decode(body, type=Document)
    except TradeError as error:
        raise DocumentError(f"this model document cannot be read: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"this model document cannot be read: {error}.") from error


class _Schema(msgspec.Struct):
    schema: int
    trade: list[dict[str, Any]] = []


def _body(content: Document) -> bytes:
    return msgspec.json.encode(content) + b"\n"
