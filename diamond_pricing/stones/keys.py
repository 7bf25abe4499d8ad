"""What makes two records one stone, and what makes them one sale.

Files of the same sales differ: a report number is written with and without its laboratory,
as text or as a number; length and width change places; a price passes through single
precision; a column is missing. Everything that asks whether two records are of one stone,
or of one sale, asks here.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from math import floor, nan
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.stones.attributes import Day, absent
from diamond_pricing.stones.stone import Stone
from diamond_pricing.stones.stones import Stones
from diamond_pricing.stones.trade import ATTRIBUTES, OTHERS, date_of_sale

IDENTITY = "identity"  # the column that holds a report or stock number
MEASURED = ("x", "y", "z")
_PREFIX = re.compile(r"^(GIA|IGI|HRD|AGSL?|GCAL|EGL|SGL|DF)[\s:#-]*(?=\w*\d)")


# --------------------------------------------------------------------------- stones


def stone_columns(stones: Stones) -> tuple[Vector, ...]:
    """Columns that agree where two records are of one stone, each shape (n,).

    Weight, color, clarity and the pair {length, width} in whichever order it was written.
    Depth and table take the place of the pair where length or width is missing; without any
    of them, all else that is recorded of the stone; a date is not of the stone.
    """
    low, high = np.minimum(stones["x"], stones["y"]), np.maximum(stones["x"], stones["y"])
    measured = ~np.isnan(low)
    low = np.where(measured, low, -np.nan_to_num(stones["depth"]))
    high = np.where(measured, high, -np.nan_to_num(stones["table"]))
    known = measured | (low != 0) | (high != 0)
    others = (a.name for a in OTHERS if not isinstance(a, Day))
    rest = ["cut", *(name for name in others if name in stones.columns)]
    further = [np.where(known, -1.0, np.nan_to_num(stones[name], nan=-1)) for name in rest]
    return stones["carat"], stones["color"], stones["clarity"], low, high, *further


def stone_keys(stones: Stones) -> Integers:
    """Number the stones, equal for records of the same stone; shape (n,).

    Many stones appear in the sales twice, under two price lists. An evaluation that splits
    rows rather than stones tests on what it has seen.
    """
    number: Integers = np.zeros(len(stones), np.int64)
    for column in stone_columns(stones):
        _, code = np.unique(column, return_inverse=True)
        # Numbered anew each time, so that the product never grows beyond n².
        _, number = np.unique(
            number * (code.max(initial=0) + 1) + code.ravel(), return_inverse=True
        )
    return number.astype(np.int64).ravel()


def same_stone(stones: Stones, stone: Stone) -> NDArray[np.bool_]:
    """Which of n records are of one given stone, shape (n,).

    None where it has no measurement: stones alike in weight and grades are many.
    """
    one = Stones.of([stone])
    measured = [name for name in ("depth", "table", *MEASURED) if one.known(name)[0]]
    same = np.full(len(stones), bool(measured))
    pairs = zip(stone_columns(stones)[:5], stone_columns(one)[:5], strict=True)
    for column, value in pairs:
        same &= column == value[0]
    return same


def in_share(stones: Stones, share: int) -> NDArray[np.bool_]:
    """One stone in ``share``, the same ones in every file and for ever; shape (n,).

    Drawn by what every record of a stone has, whatever else it lacks: weight to the
    hundredth of a carat, color and clarity.
    """
    grades = zip(*(stones.labels(name).tolist() for name in ("color", "clarity")), strict=True)
    drawn: dict[tuple[float, str, str], bool] = {}
    found = []
    for carat, (color, clarity) in zip(stones["carat"].round(2).tolist(), grades, strict=True):
        key = (carat, color, clarity)
        if key not in drawn:
            drawn[key] = crc32(f"{carat:g}|{color}|{clarity}".encode()) % share == 0
        found.append(drawn[key])
    return np.array(found, bool)


# ---------------------------------------------------------------------------- sales


def report_number(given: object) -> str:
    """A report or stock number as it is compared: ``GIA 2141438171.0`` → ``2141438171``."""
    if absent(given):
        return ""
    text = _PREFIX.sub("", str(given).strip().upper())
    return re.sub(r"\s+", "", re.sub(r"(?<=\d)\.0+$", "", text))


class Sale(NamedTuple):
    """One recorded sale, as it is compared."""

    core: tuple[Any, ...]  # what every record of it has: weight, color, clarity and price
    rest: tuple[Any, ...]  # everything else that is recorded of the stone; None where missing
    identity: str  # report or stock number; empty where there is none
    day: float | None = None  # of the sale, or on which it was listed

    def may_be(self, other: "Sale") -> bool:
        """Whether two records with the same core contradict each other nowhere.

        A stone that is listed for months at one price is sold once. Of stones that cannot be
        told apart another day makes another sale.
        """
        numbered = bool(self.identity and other.identity)
        if numbered and self.identity == other.identity:
            return True
        sides = self.rest[:3], other.rest[:3]
        if not all(map(_may_be_one, *sides)):
            return False
        pairs = zip(self.rest[3:], other.rest[3:], strict=True)
        if any(a is not None and b is not None and a != b for a, b in pairs):
            return False
        # Stones alike to the hundredth of a millimetre are one, whoever numbered them.
        one = None not in sides[0] and sides[0] == sides[1]
        apart = self.day is not None and other.day is not None and self.day != other.day
        return one or not (numbered or apart)


def _may_be_one(a: float | None, b: float | None) -> bool:
    """Whether two lengths may be one, of which somebody recorded tenths of a millimetre."""
    if a is None or b is None or a == b:
        return True
    tenths = any(round(side, 1) == side for side in (a, b))
    return tenths and abs(a - b) <= 0.05 + 1e-9


def _rounding(sale: Sale) -> float:
    """By how much the price of one sale may differ when it was once rounded by the carat."""
    return 0.0101 + 0.005 * (sale.core[0] or 0)


def _places(sale: Sale) -> list[tuple[Any, ...]]:
    """Where sales stand that have this price but for rounding, its own place first."""
    *core, price = sale.core
    if price is None:
        return [sale.core]
    at = floor(price / _rounding(sale))
    return [(*core, at), (*core, at - 1), (*core, at + 1)]


def _alike(known: Sale, sale: Sale) -> bool:
    apart = (known.core[-1] or 0) - (sale.core[-1] or 0)
    return abs(apart) <= _rounding(sale) and known.may_be(sale)


def sales_of(frame: Any, others: Iterable[str]) -> list[Sale]:
    """Records of sales in a data frame, as they are compared.

    It has carat, color, clarity and price; and as far as known x, y, z, some ``others`` of the
    attributes and a column ``identity``.
    """
    n = len(frame["carat"])

    def column(name: str, digits: int | None = None) -> list[Any]:
        values = frame[name].tolist() if name in frame else [None] * n
        if digits is None:
            return [None if absent(value) else value for value in values]
        numbers = np.array([nan if absent(v) else float(str(v)) for v in values], float)
        rounded = numbers.round(digits).tolist()
        return [None if value != value else value for value in rounded]

    # Single precision holds what any file says of a price; more digits would tell apart.
    price = [p and float(np.float32(p)) for p in column("price", 6)]
    core = zip(column("carat", 3), column("color"), column("clarity"), price, strict=True)
    x, y = column("x", 2), column("y", 2)
    sides = [
        (a, b) if a is None or b is None else (min(a, b), max(a, b))
        for a, b in zip(x, y, strict=True)
    ]

    def further(name: str) -> list[Any]:
        if name not in frame or name in ("carat", "color", "clarity"):
            return [None] * n
        return column(name, 2 if frame[name].dtype.kind == "f" else None)

    more = [a for a in others if a not in MEASURED and not isinstance(ATTRIBUTES[a], Day)]
    ends = [a for a, _ in sides], [b for _, b in sides]
    rest = zip(*ends, column("z", 2), *map(further, more), strict=True)
    identities, days = map(report_number, column(IDENTITY)), column(date_of_sale())
    return [Sale(*parts) for parts in zip(core, rest, identities, days, strict=True)]


def stone_name(sale: Sale) -> str:
    """What tells a stone from others: its number, or its measures; empty for neither."""
    if number := report_number(sale.identity):
        return number
    if None in sale.rest[:3]:
        return ""
    return " ".join(str(part) for part in (*sale.core[:-1], *sale.rest[:3]))


def _likeness(known: Sale, sale: Sale) -> tuple[bool, bool]:
    """Of several sales that may be meant the one of the same number comes first, then price."""
    return known.identity != sale.identity, known.core != sale.core


class KnownSales:
    """Sales that are known, to be matched with records that may lack a column."""

    def __init__(self) -> None:
        self._by_core: dict[tuple[Any, ...], list[Sale]] = defaultdict(list)
        self._stones: set[tuple[Any, ...]] = set()

    def add(self, sales: Iterable[Sale]) -> None:
        """Learn further sales."""
        for sale in sales:
            self._by_core[_places(sale)[0]].append(sale)
            self._stones.add((sale.core[:-1], sale.rest[:3]))

    def matches(self, sales: Iterable[Sale]) -> list[bool]:
        """Whether each of a delivery's sales is known; a known one answers for one only."""
        free: dict[tuple[Any, ...], list[Sale]] = {}
        found = []
        for sale in sales:
            known = []
            for place in _places(sale):
                if place not in free:
                    free[place] = list(self._by_core.get(place, ()))
                known += [(k, free[place]) for k in free[place] if _alike(k, sale)]
            if known:
                same, beside = min(known, key=lambda pair: _likeness(pair[0], sale))
                beside.remove(same)
            found.append(bool(known))
        return found

    def stone_known(self, sale: Sale) -> bool:
        """Whether the stone was on sale before, at this or another price."""
        return (sale.core[:-1], sale.rest[:3]) in self._stones
