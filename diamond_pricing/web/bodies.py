"""Bodies of requests, read strictly: what is not plainly meant is refused.

Python's parser, not msgspec's, as that takes the last of two equal keys without a word.
"""

import json
import re
from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from diamond_pricing.web.problems import Fault, ProblemError

T = TypeVar("T")
_EXACT = 2.0**53
_PLAIN = msgspec.json.Decoder(dict[str, float | str | bool | None])
_AT = " - at `$"
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)
_LACKING = re.compile(r"missing required field `(.*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def strict(body: bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises
    ------
    ProblemError
        ``not_json`` for anything else, a key given twice, NaN, a number beyond all floats,
        half a surrogate pair, or nesting deeper than the parser goes.
    """
    if b"\\" not in body and body.isascii():
        # One flat object with as many colons as keys holds no key twice: read it fast.
        try:
            plain = _PLAIN.decode(body)
            if len(plain) == body.count(b":"):
                return plain
        except (msgspec.MsgspecError, RecursionError):
            pass  # read again below, for what is wrong with it
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
        raise _not_json("the body holds half a surrogate pair, which is not text.") from error
    except ValueError as error:  # a whole number of thousands of digits
        raise _not_json("the body holds a number that is too large.") from error
    return found


def converted(found: Any, wanted: type[T]) -> T:
    """Turn parsed JSON into a message.

    Raises
    ------
    ProblemError
        ``wrong_shape``, with a pointer to the field.
    """
    try:
        return msgspec.convert(found, wanted, strict=True)
    except msgspec.ValidationError as error:
        raise _wrong_shape(str(error), found, wanted) from error


def _wrong_shape(message: str, found: Any, wanted: Any) -> ProblemError:
    start = message.rfind(_AT)  # the last: names of fields are ours, those before may be any
    words = message if start < 0 else message[:start]
    place = "" if start < 0 else message[start + len(_AT) :].removesuffix("`")
    steps = [name or index for name, index in _STEP.findall(place)]
    unknown, lacking = _UNKNOWN.search(words), _LACKING.search(words)
    holder = _at(found, steps)
    if unknown is not None and not (isinstance(holder, dict) and unknown[1] in holder):
        steps, unknown = [], _UNKNOWN.search(message)  # the name looked like a place
    kind = _type_at(wanted, steps)
    given, nearest, allowed = _at(found, steps), None, _choices(kind)
    names = [field.encode_name for field in _fields(kind)]
    if unknown is not None:
        name = unknown[1][:60]
        steps, given = [*steps, name], None
        close = get_close_matches(name, names, n=1)
        nearest, allowed = (close[0] if close else None), names
        words = f"{name!r} is not a field here"
    elif lacking is not None:
        steps, given = [*steps, lacking[1]], None
        words = f"{lacking[1]} is missing"
    if isinstance(given, dict | list):
        given = None
    pointer = "".join("/" + s.replace("~", "~0").replace("/", "~1") for s in steps)
    detail = f"{words.replace('`', '')}{f' at {pointer}' if pointer else ''}."
    fault = Fault(detail, pointer, given=given, nearest=nearest, allowed=allowed)
    return ProblemError("wrong_shape", detail, [fault])


def _type_at(wanted: Any, steps: list[str]) -> Any:
    """The type that is asked for at a place."""
    for step in steps:
        known = {field.encode_name: field.type for field in _fields(wanted)}
        wanted = known.get(step)
    return wanted


def _fields(kind: Any) -> tuple[Any, ...]:
    """Fields of a struct, or of the struct that something optional may be."""
    for choice in (kind, *get_args(_bare(kind))):
        found = _bare(choice)
        if isinstance(found, type) and issubclass(found, msgspec.Struct):
            return msgspec.structs.fields(found)
    return ()


def _choices(kind: Any) -> list[Any]:
    return list(get_args(_bare(kind))) if get_origin(_bare(kind)) is Literal else []


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


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
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _not_json(f"the key {name[:60]!r} is given twice.")
            seen.add(name)
    return found


def _no_constant(name: str) -> Any:
    raise _not_json(f"{name} is not a number in JSON.")


def _finite(text: str) -> float | int:
    value = float(text)
    if not isfinite(value):
        raise _not_json(f"the number {text[:40]} is too large.")
    # 5.0 is the whole number 5, as JSON Schema has it.
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _not_json(detail: str) -> ProblemError:
    return ProblemError("not_json", f"{detail[:1].upper()}{detail[1:]}")
