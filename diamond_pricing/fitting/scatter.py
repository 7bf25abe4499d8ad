"""How far prices scatter around a fit, and how many stones stand behind it, part by part."""

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.model.ranges import Ranges, kept_quantiles
from diamond_pricing.model.support import Support
from diamond_pricing.stones import GRADES, Stones, stone_keys

BANDS = (0.4, 0.7, 1.0, 1.5)  # carats, of the segments of errors and of the ranges
LEAN = 20.0  # sales of the mean that a segment's variance leans on
SMALLEST_PART = 60  # held-out sales of a part of the ranges
SUPPORT_BANDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 1.7, 2.0, 2.5, 3.0)


def ranges_of(stones: Stones, held_out: dict[str, Vector], log_price: Vector) -> Ranges:
    """Quantiles of the held-out errors by part."""
    error = {name: np.abs(log_price - value) for name, value in held_out.items()}
    difficulty: dict[str, dict[str, float]] = {}
    scale = np.ones(len(log_price))
    for name in ("cut", "color"):
        labels = stones.labels(name)
        factors = {}
        mean = np.mean(error["blend"] / scale)
        for grade in np.unique(labels):
            of = labels == grade
            total = np.sum(error["blend"][of] / scale[of]) + 2 * LEAN * mean
            factors[str(grade)] = round(float(total / (of.sum() + 2 * LEAN) / mean), 4)
        difficulty[name] = factors
        scale = scale * np.array([factors[str(g)] for g in labels])
    band = np.searchsorted(BANDS, stones["carat"], side="right")
    grades = next(g for g in GRADES if g.name == "clarity").grades
    clarities = tuple(g for g in grades if (stones.labels("clarity") == g).any())
    column = np.array([clarities.index(g) for g in stones.labels("clarity")])
    part = _parts(band, column, len(clarities))
    of_part = np.array(part)[band, column]
    counts = tuple(np.bincount(of_part).tolist())
    quantiles = {
        name: tuple(kept_quantiles((e / scale)[of_part == k]) for k in range(len(counts)))
        for name, e in error.items()
    }
    return Ranges(BANDS, clarities, difficulty, part, counts, quantiles)


def _parts(band: Integers, column: Integers, clarities: int) -> tuple[tuple[int, ...], ...]:
    """Join neighbouring clarities within a band until each part has enough sales.

    A band that is too small for a part of its own joins the last part of the band below.
    """
    count = np.zeros((len(BANDS) + 1, clarities), np.int64)
    np.add.at(count, (band, column), 1)
    part, sizes = np.zeros_like(count), [0]
    for i, row in enumerate(count):
        if i and sizes[-1] >= SMALLEST_PART and row.sum() >= SMALLEST_PART:
            sizes.append(0)
        left = int(row.sum())
        for j, cell in enumerate(row.tolist()):
            if (
                sizes[-1] >= SMALLEST_PART
                and left >= SMALLEST_PART
                and part[i, j - 1] == len(sizes) - 1
                and j
            ):
                sizes.append(0)
            part[i, j] = len(sizes) - 1
            sizes[-1] += cell
            left -= cell
    return tuple(tuple(row) for row in part.tolist())


def support_of(stones: Stones) -> Support:
    """Distinct stones by weight band, color and clarity."""
    seen = {}
    for name in ("color", "clarity"):
        labels = stones.labels(name)
        grade = next(g for g in GRADES if g.name == name)
        seen[name] = tuple(g for g in grade.grades if (labels == g).any())
    _, first = np.unique(stone_keys(stones), return_index=True)
    one = stones.take(first)
    band = np.searchsorted(SUPPORT_BANDS, one["carat"], side="right")
    counts = np.zeros((len(SUPPORT_BANDS) + 1, len(seen["color"]), len(seen["clarity"])), int)
    place = [np.array([seen[n].index(g) for g in one.labels(n)]) for n in ("color", "clarity")]
    np.add.at(counts, (band, *place), 1)
    return Support(
        SUPPORT_BANDS, seen["color"], seen["clarity"], tuple(counts.ravel().tolist())
    )
