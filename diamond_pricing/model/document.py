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
from diamond_pricing.errors import DocumentError
from diamond_pricing.model.training import Training
from diamond_pricing.terms import AnyBasis, Averages

SCHEMA = 1
LARGEST = 64 * 2**20  # bytes
SHARED = ("family", "origin", "residual_sd", "edf", "averages", "training")
_HEAD = re.compile(rb'\{"sha256":"([0-9a-f]{64})",')


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A term and its coefficients, as many as the product of the widths of its bases."""

    bases: tuple[AnyBasis, ...]
    coefficients: tuple[float, ...]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a `PriceModel`, as they stand in JSON."""

    schema: int
    family: str
    origin: str
    terms: tuple[Entry, ...]
    covariance: tuple[tuple[float, ...], ...]
    residual_sd: float
    edf: float
    reference: dict[str, float | str]
    averages: Averages
    training: Training


def write(content: Document) -> str:
    """Write a document with its hash."""
    body = _body(content)
    return f'{{"sha256":"{hashlib.sha256(body).hexdigest()}",{body[1:].decode()}'


def digest(content: Document) -> str:
    """Give the hash of a document."""
    return hashlib.sha256(_body(content)).hexdigest()


def read(data: bytes) -> Document:
    """Check and read a document.

    Raises
    ------
    DocumentError
        When it is too large, not a model document, changed since it was written, of
        another schema, or incomplete.
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
        schema = msgspec.json.decode(body, type=_Schema).schema
        if schema != SCHEMA:
            raise DocumentError(
                f"this model document has schema {schema}; this version reads {SCHEMA}."
            )
        return msgspec.json.decode(body, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"this model document cannot be read: {error}.") from error


class _Schema(msgspec.Struct):
    schema: int


def _body(content: Document) -> bytes:
    return msgspec.json.encode(content) + b"\n"


def triangle(covariance: Matrix) -> tuple[tuple[float, ...], ...]:
    """Lower triangle of a symmetric matrix, row by row."""
    return tuple(tuple(row[: i + 1].tolist()) for i, row in enumerate(covariance))


def square(rows: tuple[tuple[float, ...], ...]) -> Matrix:
    """Put the symmetric matrix together again, shape (p, p)."""
    p = len(rows)
    if any(len(row) != i + 1 for i, row in enumerate(rows)):
        raise DocumentError("the covariance of a model document must be a lower triangle.")
    matrix = np.zeros((p, p))
    for i, row in enumerate(rows):
        matrix[i, : i + 1] = matrix[: i + 1, i] = row
    return matrix


def rounded(matrix: Matrix, digits: int = 6) -> Matrix:
    """Round to significant digits: what a standard error needs, in less space."""
    text = np.char.mod(f"%.{digits - 1}e", (matrix + matrix.T) / 2)
    result: Any = text.astype(np.float64)
    return np.asarray(result)
