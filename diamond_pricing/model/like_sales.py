"""What like sales fetched beyond what a model's terms explain: tables over cells of stones.

A *cell* holds stones of about the same weight with the same grades, or with about the same
proportions, on one price list. Its effect is the mean of what sales in and near it fetched
more, in log price, than a fit that had not seen them said; a few sales count for little:

    effect = Σ wᵢ rᵢ / (Σ wᵢ + k),

with wᵢ from 1 in the cell itself downward with the distance (a kernel mean, shrunken as a
random effect is). Each table tells what the one before it left. Where a stone does not say
what a table reads, the table says nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.stones import ATTRIBUTES, LISTING, Grade, Measure, Stone, Stones
from diamond_pricing.terms.basis import codes_to_positions

STEP = 1e-4  # log price; what a document rounds effects to
MOST_SALES = 255  # that a cell says it has
LARGEST = 500_000  # cells of a table


class Side(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What cells are told apart by."""

    attribute: str
    # Of a measure: where its cells part, ascending; there may be one cell only
    edges: tuple[float, ...] = ()
    grades: tuple[str, ...] = ()  # of a grade: its cells, in order

    def __post_init__(self) -> None:
        known = ATTRIBUTES.get(self.attribute)
        sound = (isinstance(known, Measure) and not self.grades) or (
            isinstance(known, Grade)
            and len(self.grades) > 0
            and not self.edges
            and set(self.grades) <= set(known.grades)
            and len(set(self.grades)) == len(self.grades)
        )
        if not sound or not all(a < b for a, b in pairwise(self.edges)):
            raise DocumentError(f"the cells over {self.attribute!r} are none.")

    def __len__(self) -> int:
        return len(self.grades) or len(self.edges) + 1

    def place(self, stones: Stones) -> Integers:
        """Cell of n stones along this side, one past the last where it is not known."""
        if self.grades:
            place = codes_to_positions(self.attribute, self.grades)[stones[self.attribute]]
            return np.where(place < 0, len(self), place)
        values = stones[self.attribute]
        place = np.searchsorted(self.edges, values, side="right")
        return np.where(np.isnan(values), len(self), place)

    def place_of(self, value: Any) -> int:
        """The same of one value."""
        if value is None:
            return len(self)
        if self.grades:
            return self.grades.index(value) if value in self.grades else len(self)
        return bisect_right(self.edges, value)


class Cells(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Effects over all combinations of the cells of some sides."""

    # The price list first, if it is among them; behind its lists stands the blend
    sides: tuple[Side, ...]
    # Little-endian signed integers of two bytes in ``STEP``, the last side fastest; base64 in
    # JSON
    effects: bytes
    sales: bytes  # how many like sales each cell has, weighed by how near they are; a byte each

    def __post_init__(self) -> None:
        size = prod(self.shape)
        if not self.sides or size > LARGEST or len(self.effects) != 2 * size:
            raise DocumentError("the effects of like sales do not fill their cells.")
        lists = [side for side in self.sides[1:] if side.attribute == LISTING.name]
        if len(self.sales) != size or lists:
            raise DocumentError("the like sales do not fill their cells.")

    @classmethod
    def of(cls, sides: Sequence[Side], effects: Vector, sales: Vector) -> "Cells":
        """Write effects and numbers of sales, each of the shape of the cells."""
        steps = np.rint(effects / STEP).astype("<i2")
        many = np.rint(sales).clip(0, MOST_SALES).astype(np.uint8)
        return cls(tuple(sides), steps.tobytes(), many.tobytes())

    def of_way(self, way: str) -> Vector:
        """Effects as ``recorded`` or on the ``blend``, which are one without lists."""
        effects = np.frombuffer(self.effects, "<i2").reshape(self.shape) * STEP
        if self.listed:
            effects = effects[-1] if way == "blend" else effects[:-1]
        return np.asarray(effects)

    def without(self, way: str) -> "Cells":
        """Without effects on the lists as ``recorded``, or on the ``blend``."""
        effects = np.frombuffer(self.effects, "<i2").reshape(self.shape).copy()
        if self.listed:
            effects[-1:] *= way != "blend"
            effects[:-1] *= way != "recorded"
        else:
            effects[:] = 0
        return Cells(self.sides, effects.tobytes(), self.sales)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many cells along each side, of the lists one more for the blend."""
        first, *others = map(len, self.sides)
        return (first + self.listed, *others)

    @property
    def listed(self) -> bool:
        """Whether price lists are told apart."""
        return self.sides[0].attribute == LISTING.name


class LikeSales(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tables, and what they were worth."""

    # The first over weight and grades; a second may be over proportions
    cells: tuple[Cells, ...]
    lean: float  # k, sales of no effect that each cell leans on
    # Share by which held-out errors fell, root mean square of log price, on the lists as
    # recorded and on the blend; what did not gain enough has no effects
    gain: dict[str, float]

    def __post_init__(self) -> None:
        if not self.cells or not self.lean > 0 or not self.gain.keys() <= {"recorded", "blend"}:
            raise DocumentError(
                "like sales need cells, and a gain as recorded or on the blend."
            )


class Likeness:
    """Reads the tables of like sales, for one stone and for many."""

    def __init__(self, like: LikeSales) -> None:
        self.like = like
        self.tables = [_padded(c, np.frombuffer(c.effects, "<i2") * STEP) for c in like.cells]
        self.sales = _padded(like.cells[0], np.frombuffer(like.cells[0].sales, np.uint8))
        names = [side.attribute for c in like.cells for side in c.sides]
        self.names = tuple(dict.fromkeys(name for name in names if name != LISTING.name))
        self.read = attrgetter(*self.names, "carat")
        self.flat = [_on_blend(c, t) for c, t in zip(like.cells, self.tables, strict=True)]
        self.flat_sales = _on_blend(like.cells[0], self.sales)
        place = {name: i for i, name in enumerate(self.names)}
        self.sides = [
            [(place[side.attribute], side, len(side) + 1) for side in c.sides[c.listed :]]
            for c in like.cells
        ]

    def of(self, stones: Stones) -> Vector:
        """Log effect of n stones on their lists, the blend where none is said; shape (n,)."""
        total = np.zeros(len(stones))
        for cells, table in zip(self.like.cells, self.tables, strict=True):
            total = total + table[_places(cells, stones)]
        return total

    def one(self, stone: Stone) -> float:
        """Log effect of one stone on the blend."""
        values, total = self.read(stone), 0.0
        for sides, flat in zip(self.sides, self.flat, strict=True):
            total += flat[_place(sides, values)]
        return total

    def count_one(self, stone: Stone) -> int:
        """Like sales behind one stone on the blend."""
        return int(self.flat_sales[_place(self.sides[0], self.read(stone))])

    def count(self, stones: Stones) -> Vector:
        """Like sales behind n stones, of about their weight and grades; shape (n,)."""
        return self.sales[_places(self.like.cells[0], stones)]

    def worst_cuts(self, weights: Vector, cuts: Sequence[str], listing: int) -> Matrix:
        """The least that each cut adds to the next worse, whatever the proportions are.

        Of the tables over proportions alone; shape (weights, cuts − 1).
        """
        least = np.zeros((len(weights), max(len(cuts) - 1, 0)))
        if not least.size:
            return least
        for cells, table in zip(self.like.cells[1:], self.tables[1:], strict=True):
            names = [side.attribute for side in cells.sides]
            carat, cut = names.index("carat"), names.index("cut")
            if cells.listed:
                table = table[listing if listing >= 0 else -1]
                carat, cut = carat - 1, cut - 1
            place = np.searchsorted(cells.sides[names.index("carat")].edges, weights, "right")
            order = [cells.sides[names.index("cut")].grades.index(name) for name in cuts]
            steps = np.diff(np.take(table, order, axis=cut), axis=cut)
            steps = np.moveaxis(steps, (carat, cut), (0, 1))
            worst = steps.reshape(*steps.shape[:2], -1).min(axis=2)
            least = least + worst[place]
        return least


def _place(sides: Sequence[tuple[int, Side, int]], values: Sequence[Any]) -> int:
    at = 0
    for of, side, size in sides:
        at = at * size + side.place_of(values[of])
    return at


def _on_blend(cells: Cells, table: Vector) -> list[float]:
    """A table without its lists, the last side fastest."""
    found: list[float] = (table[-1] if cells.listed else table).ravel().tolist()
    return found


def _places(cells: Cells, stones: Stones) -> tuple[Integers, ...]:
    return tuple(side.place(stones) for side in cells.sides)


def _padded(cells: Cells, values: Vector) -> Vector:
    """Values with one more place along each side for what is not known; the lists have it."""
    ends = [(0, 0 if side.attribute == LISTING.name else 1) for side in cells.sides]
    return np.pad(values.reshape(cells.shape).astype(float), ends)
