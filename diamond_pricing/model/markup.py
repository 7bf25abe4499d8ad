"""What one price list asks on top of the other, as a function of the base price.

The packaged sales stand on two price lists. Stones that stand on both show that the list
x>y asks a fixed part more than the list x<y, in bands of the price (docs/explanation/
price-lists.md). The model's terms are fitted on the scale of x<y, the *base* price; this
module puts the mark-up back.

On the list itself the mark-up is as observed, and it truly falls where a band ends: a base
price of $877 is listed at $1,125, one of $900 at $962. On the blend it is shaped so that a
higher base price never has a lower blend.
"""

from bisect import bisect_right
from itertools import pairwise

import msgspec
import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.stones import LISTING, Stones

MARKED = "x>y"


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The evidence for the mark-up in one band of base prices."""

    part: int  # of stones on which side of the weights that part the schedules, 0 the lightest
    # Least and largest base price of the pairs
    low: float
    high: float
    factor: float  # median of the ratios of the two prices
    spread: float  # half the distance between their quartiles
    pairs: int  # stones seen on both lists


class Markup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log mark-up at evenly spaced log base prices, linear between them, level beyond."""

    # Carats, ascending; between them stones have a schedule of mark-ups of their own
    parted_at: tuple[float, ...]
    # Log base price of the first node, and from each to the next
    start: float
    step: float
    # Log mark-up on the list x>y at the nodes, for each part of the weights
    listed: tuple[tuple[float, ...], ...]
    blended: tuple[tuple[float, ...], ...]  # the same on the blend of the lists
    bands: tuple[Band, ...]  # the evidence

    def __post_init__(self) -> None:
        sizes = {len(curve) for curve in (*self.listed, *self.blended)}
        parts = len(self.parted_at) + 1
        ascending = all(a < b for a, b in pairwise((0.0, *self.parted_at)))
        if (
            len(sizes) != 1
            or sizes.pop() < 2
            or not self.step > 0
            or not ascending
            or len(self.listed) != parts
            or len(self.blended) != parts
        ):
            raise DocumentError("the mark-up needs two curves a part, over the same nodes.")

    def of(self, base: Vector, stones: Stones) -> Vector:
        """Log mark-up of n stones, by the log base price on the list of each; shapes (n,)."""
        marked = LISTING.grades.index(MARKED)
        listing, part = stones[LISTING.name], self.part(stones["carat"])
        return self.at(base, part, np.where(listing == marked, 1, np.where(listing < 0, 2, 0)))

    def part(self, carat: Vector) -> Integers:
        """Part of the weights, shape (n,)."""
        return np.searchsorted(self.parted_at, carat, side="right")

    def at(self, base: Vector, part: Integers, how: Integers) -> Vector:
        """Log mark-up; ``how`` is 0 for none, 1 for the list x>y, 2 for the blend."""
        curves = np.array([np.zeros_like(self.listed), self.listed, self.blended])
        last = curves.shape[2] - 1
        place = ((base - self.start) / self.step).clip(0, last)
        node = np.minimum(place.astype(np.int64), last - 1)
        share = place - node
        low, high = curves[how, part, node], curves[how, part, node + 1]
        marked: Vector = low + share * (high - low)
        return marked

    def blend(self, base: float, carat: float) -> float:
        """Log mark-up of one stone on the blend."""
        curve = self.blended[bisect_right(self.parted_at, carat)]
        last = len(curve) - 1
        place = min(max((base - self.start) / self.step, 0.0), float(last))
        node = min(int(place), last - 1)
        return curve[node] + (place - node) * (curve[node + 1] - curve[node])
