"""Bodies of requests, read strictly: what is not plainly meant is refused.

Python's parser, not msgspec's, as that takes the last of two equal keys without a word.
"""

import json
import re
from difflib import get_close_matches
from math import isfinite
from typing import Any, TypeVar

import msgspec

from diamond_pricing.web.problems import Fault, ProblemError

T = TypeVar("T")
_EXACT = 2.0**53
_AT = re.compile(r" - at `\$(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def strict(body: bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises
    ------
    Problem
        ``not_json`` for anything else, a key given twice, NaN, a number beyond all floats,
        half a surrogate pair, or nesting deeper than the parser goes.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _not_json(f"the body is not UTF-8: byte {error.start}.") from error
    try:
        found = json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
        if "\\ud" in text or "\\uD" in text:
            msgspec.json.encode(found)  # half a surrogate pair cannot be written again
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _not_json(f"the body is not JSON: {error.msg}, {where}.") from error
    except RecursionError as error:
        raise _not_json("the body is nested too deeply.") from error
    except (UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise _not_json("the body holds half a surrogate pair, which is no text.") from error
    except ValueError as error:  # a whole number of thousands of digits
        raise _not_json("the body holds a number that is too large.") from error
    return found


def converted(found: Any, wanted: type[T]) -> T:
    """Turn parsed JSON into a message.

    Raises
    ------
    Problem
        ``wrong_shape``, with a pointer to the field.
    """
    try:
        return msgspec.convert(found, wanted, strict=True)
    except msgspec.ValidationError as error:
        raise _wrong_shape(str(error), found, wanted) from error


def _wrong_shape(message: str, found: Any, wanted: Any) -> ProblemError:
    at = _AT.search(message)
    words = message[: at.start()] if at else message
    steps = [name or index for name, index in _STEP.findall(at[1])] if at else []
    unknown = _UNKNOWN.search(words)
    given, nearest, allowed = _at(found, steps), None, []
    if unknown is not None:
        steps, given = [*steps, unknown[1]], None
        names = list(getattr(wanted, "__struct_encode_fields__", ()))
        close = get_close_matches(unknown[1], names, n=1)
        nearest, allowed = (close[0] if close else None), names
    if isinstance(given, dict | list):
        given = None
    pointer = "".join("/" + s.replace("~", "~0").replace("/", "~1") for s in steps)
    detail = f"{words.replace('`', '')}{f' at {pointer}' if pointer else ''}."
    fault = Fault(detail, pointer, given=given, nearest=nearest, allowed=allowed)
    return ProblemError("wrong_shape", detail, [fault])


def _at(found: Any, steps: list[str]) -> Any:
    """What stands at a place; None when the place itself is at fault."""
    for step in steps:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _not_json(f"the key {twice[:60]!r} is given twice.")
    return found


def _no_constant(name: str) -> Any:
    raise _not_json(f"{name} is no number in JSON.")


def _finite(text: str) -> float | int:
    value = float(text)
    if not isfinite(value):
        raise _not_json(f"the number {text[:40]} is too large.")
    # 5.0 is the whole number 5, as JSON Schema has it.
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _not_json(detail: str) -> ProblemError:
    return ProblemError("not_json", f"{detail[:1].upper()}{detail[1:]}")
