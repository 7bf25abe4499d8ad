"""Ways to spoil an input: byte by byte, and in the structure of JSON."""

import random
from typing import Any

import msgspec

LONGEST = 8192  # bytes of an input
HOSTILE = (
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\r",
    b"\n",
    b"\r\n",
    b'"',
    b"'",
    b",",
    b";",
    b"\t",
    b"|",
    b"=",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-0.0",
    b"1e-320",
    b"9" * 25,
    b"1" * 5000,
    b"0x7fffffffffffffff",
    b"null",
    b"true",
    b"[" * 300,
    b'{"a":' * 300,
    b" " * 500,
    b" " * 1900,
    b"x" * 300,
    b"=1+1",
    b"(" * 150,
    b"**",
    b"%00",
    b"%ed%a0%80",
    b"..",
    b"/",
    "\u00bd\u0663\u2028\ud7ff\uffff".encode(),
    b"\xf0\x9f\x92\x8e",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    7,
    255,
    2**31,
    2**53,
    2**63,
    2**64 - 1,
    -(2**63),
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.0,
    100.0,
    1e-320,
    1e-9,
    1e16,
    1e308,
    -1e308,
    "",
    "x",
    "carat",
    "listing",
    "x<y",
    "x>y",
    "blend",
    "Ideal",
    "E",
    "VS1",
    "cut",
    "color",
    "clarity",
    "depth",
    "log(carat)",
    "log(x / y)",
    "x",
    "1 / (carat - 1)",
    "(0 - carat) ** 0.5",
    "exp(carat * 999)",
    "a\x00b",
    "\u202e",
    "9" * 40,
    [],
    {},
    [[]],
    [0.0],
    [1.0, 2.0],
    {"x": 1},
)


def spoiled(data: bytes, rng: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """Change some bytes: flip, cut, insert, repeat, overwrite a number, splice another input."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(found) + 1)
        end = min(len(found), at + rng.choice((1, 2, 4, 16, 200)))
        how = rng.randrange(8)
        if how == 0 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            del found[at:end]
        elif how == 2:
            found[at:at] = rng.choice(HOSTILE)
        elif how == 3:
            found[at:at] = found[at:end] * rng.choice((1, 2, 30))
        elif how == 4 and at < len(found):
            found[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif how == 5:
            found[at:end] = rng.choice(HOSTILE)
        elif how == 6 and others:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            found[at:] = other[start:]
        elif how == 7:
            del found[at:]
    return bytes(found[:LONGEST])


def spoiled_json(data: bytes, rng: random.Random) -> bytes:
    """Change some values of a JSON text; one that is none is spoiled byte by byte."""
    try:
        found = msgspec.json.decode(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            found = _edited(found, rng)
        return msgspec.json.encode(found)
    except (msgspec.MsgspecError, RecursionError, OverflowError, UnicodeError):
        return spoiled(data, rng)


def _edited(tree: Any, rng: random.Random) -> Any:
    """Change one place of a tree, drawn level by level, so that small parts count too."""
    holders: list[Any] = []
    node = tree
    while isinstance(node, dict | list) and node:
        holders.append(node)
        if rng.random() < 0.12:
            break
        node = rng.choice(list(node.values()) if isinstance(node, dict) else node)
    if not holders:
        return rng.choice(VALUES)
    holder = holders[-1]
    key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    how = rng.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder.insert(key, holder[rng.randrange(len(holder))])
    elif how == 1:
        holder[rng.choice([v for v in VALUES if isinstance(v, str)])] = holder[key]
    elif how == 2 and isinstance(holder, list):
        other = rng.randrange(len(holder))
        holder[key], holder[other] = holder[other], holder[key]
    elif how == 3 and type(holder[key]) in (int, float):
        number = holder[key]
        holder[key] = rng.choice((-number, number + 1, number * 2, number / 2, number * 1e9))
    elif how == 4:  # the same with its kind kept, which gets further
        same = [v for v in VALUES if type(v) is type(holder[key])]
        holder[key] = rng.choice(same or VALUES)
    else:
        holder[key] = rng.choice(VALUES)
    return tree


class Choices:
    """Takes numbers and choices off an input, so that bytes can say how a table is made."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        """The next byte; 0 behind the end."""
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def one_of(self, some: Any) -> Any:
        """One of some things."""
        return some[self.byte() % len(some)]

    def below(self, n: int) -> int:
        """A number under ``n``."""
        return (self.byte() * 256 + self.byte()) % n
