"""How far prices scatter around the model's: ranges that hold in every segment.

Mondrian conformal prediction: sales are parted by weight and clarity, and in each part the
range is a quantile of the held-out errors of that part alone, so that it covers there, not
only on average (Vovk, Gammerman & Shafer 2022, *Algorithmic Learning in a Random World*,
2nd ed., §4.6). Errors are first divided by how uncertain such stones are (normalised
scores; Papadopoulos, Gammerman & Vovk 2008).
"""

from bisect import bisect_right
from itertools import pairwise
from math import ceil, prod, sqrt
from numbers import Real

import msgspec
import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import DocumentError, StoneError
from diamond_pricing.stones import ATTRIBUTES, Grade, Stone, Stones
from diamond_pricing.stones.trade import graded

LEVELS = tuple(round(0.02 * k, 2) for k in range(1, 45)) + tuple(
    round(0.885 + 0.005 * k, 3) for k in range(23)
)  # of the quantiles that are kept: coarse up to 0.88, fine from there to 0.995

CAUTION = 0.75
WIDEST = 10.0  # half width in log price; a factor of 22,000 is no range of prices any more


class Ranges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Quantiles of normalised held-out errors, part by part."""

    bands: tuple[float, ...]  # weights that part the bands, carats, ascending
    clarities: tuple[str, ...]  # clarity grades, worst first
    # By attribute and grade, a factor of the expected error
    difficulty: dict[str, dict[str, float]]
    # For each band and clarity the part it belongs to; small cells share one
    part: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]  # held-out sales of each part
    # For ``blend``, ``recorded`` and perhaps ``inferred``: for each part, the order statistics
    # of the absolute normalised errors of log price at ``LEVELS``
    quantiles: dict[str, tuple[tuple[float, ...], ...]]

    def __post_init__(self) -> None:
        parts = len(self.counts)
        sound = (
            all(a < b for a, b in pairwise(self.bands))
            and len(self.part) == len(self.bands) + 1
            and len(self.clarities) > 0
            and all(len(row) == len(self.clarities) for row in self.part)
            and all(0 <= part < parts for row in self.part for part in row)
            and all(count > 0 for count in self.counts)
            and {"blend", "recorded"} <= self.quantiles.keys()
            and all(len(table) == parts for table in self.quantiles.values())
            and all(
                len(row) == len(LEVELS) and row[0] >= 0 and list(row) == sorted(row)
                for table in self.quantiles.values()
                for row in table
            )
            and all(
                isinstance(ATTRIBUTES.get(name), Grade) and all(f > 0 for f in factors.values())
                for name, factors in self.difficulty.items()
            )
            and self.widest < WIDEST
        )
        if not sound:
            raise DocumentError("the ranges contradict themselves.")

    @property
    def widest(self) -> float:
        """Half width in log price that no range exceeds."""
        errors = (row[-1] for table in self.quantiles.values() for row in table)
        factors = (max(f.values(), default=1.0) for f in self.difficulty.values())
        return max(errors, default=0.0) * prod(max(f, 1.0) for f in factors)

    def parts(self, stones: Stones) -> Integers:
        """Part of each stone, shape (n,)."""
        band = np.searchsorted(self.bands, stones["carat"], side="right")
        seen, scale = self.clarities, graded("clarity").grades
        column = np.array([seen.index(grade) if grade in seen else 0 for grade in scale])
        parts: Integers = np.array(self.part)[band, column[stones["clarity"]]]
        return parts

    def expected(self, stones: Stones) -> Vector:
        """What errors are divided by, shape (n,)."""
        scale = np.ones(len(stones))
        for name, factors in self.difficulty.items():
            table = np.array([*(factors.get(g, 1.0) for g in graded(name).grades), 1.0])
            scale = scale * table[stones[name]]
        return scale

    def half_widths(self, stones: Stones, level: float, listing: str) -> Vector:
        """Half width of the range of log price, shape (n,); NaN where `half` refuses the level.

        The level is the share of such sales within the range, over 0 and up to 0.99.
        """
        return self.halves(level, listing)[self.parts(stones)] * self.expected(stones)

    def halves(self, level: float, listing: str = "blend") -> Vector:
        """`half` of every part, shape (p,); NaN where it refuses the level."""
        check_level(level)
        return np.array(
            [
                self.half(part, level, listing) if _rank(n, level) <= LEVELS[-1] else np.nan
                for part, n in enumerate(self.counts)
            ]
        )

    def half(self, part: int, level: float, listing: str = "blend") -> float:
        """Half width in a part, before it is multiplied by what is expected of the stone.

        Refuses a level that takes more errors than were measured in the part.
        """
        check_level(level)
        row = self.quantiles.get(listing, self.quantiles["recorded"])[part]
        n = self.counts[part]
        if _rank(n, level) > LEVELS[-1]:
            most = next(k / 1000 for k in range(990, 0, -1) if _rank(n, k / 1000) <= LEVELS[-1])
            raise StoneError(
                f"a range of {100 * level:g} % is not possible here: it rests on {n} measured "
                f"errors, which are enough for {100 * most:g} %.",
                attribute="level",
                given=level,
                nearest=most,
                code="level_not_possible",
            )
        rank = _rank(n, level)
        place = bisect_right(LEVELS, rank - 1e-9)
        if place == 0:
            return row[0]
        low, high = LEVELS[place - 1], LEVELS[place]
        share = (rank - low) / (high - low)
        return row[place - 1] + share * (row[place] - row[place - 1])

    def half_width(self, stone: Stone, level: float, listing: str) -> float:
        """The same of one stone."""
        check_level(level)
        band = bisect_right(self.bands, stone.carat)
        known = stone.clarity in self.clarities
        part = self.part[band][self.clarities.index(stone.clarity) if known else 0]
        scale = 1.0
        for name, factors in self.difficulty.items():
            scale = scale * factors.get(getattr(stone, name), 1.0)
        return self.half(part, level, listing) * scale


def _rank(n: int, level: float) -> float:
    """The conformal rank ⌈(n + 1)·level⌉ of n errors as a share, and a little above.

    The quantile of a small part is itself uncertain; ``CAUTION`` of its standard errors
    are added, so that the range holds in each part and not only on average over them.
    """
    return ceil((n + 1) * level - 1e-9) / n + CAUTION * sqrt(level * (1 - level) / n)


def check_level(level: float) -> None:
    """Refuse a level that no range can have, with the code ``level_not_possible``."""
    if isinstance(level, bool) or not isinstance(level, Real) or not 0 < level <= 0.99:
        raise StoneError(
            f"the level of a range must be over 0 and at most 0.99, not {level!r}.",
            attribute="level",
            given=level,
            code="level_not_possible",
        )


def kept_quantiles(scores: Vector, count: Integers) -> tuple[float, ...]:
    """Order statistics at ``LEVELS`` of absolute scores, each of so many sales; shapes (m,)."""
    order = np.argsort(scores)
    ordered, below = scores[order], np.cumsum(count[order])
    ranks = [min(ceil(level * below[-1]), below[-1]) for level in LEVELS]
    return tuple(float(f"{ordered[np.searchsorted(below, rank)]:.5g}") for rank in ranks)
