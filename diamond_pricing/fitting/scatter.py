"""How far prices scatter around a fit, and how many stones stand behind it, part by part."""

from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.model.ranges import Ranges, kept_quantiles
from diamond_pricing.model.support import Support
from diamond_pricing.stones import OTHERS, Grade, Stones, stone_keys
from diamond_pricing.stones.kinds import KINDS, ORIGIN
from diamond_pricing.stones.trade import graded

BANDS = (0.4, 0.7, 1.0, 1.5)  # carats, of the segments of errors and of the ranges
LEAN = 20.0  # sales of the mean that a segment's variance leans on
SMALLEST_PART = 60  # held-out sales of a part of the ranges
SUPPORT_BANDS = (
    *(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 1.7, 2.0, 2.5, 3.0),
    *(4.0, 5.0, 7.0, 10.0),
)


def ranges_of(stones: Stones, held_out: dict[str, Vector], log_price: Vector) -> Ranges:
    """Quantiles of the held-out errors by part; NaN is of a stone with nothing to judge by."""
    judged = ~np.isnan(held_out["blend"])
    stones, log_price = stones.take(judged), log_price[judged]
    one = np.ones(len(log_price), np.int64)
    band = np.searchsorted(BANDS, stones["carat"], side="right")
    further = [a.name for a in OTHERS if isinstance(a, Grade) and a.name in stones.columns]
    grades = {name: stones[name] for name in ("cut", "color", "clarity", *further)}
    errors = {
        name: Scored(band, grades, np.abs(log_price - value[judged]), one)
        for name, value in held_out.items()
    }
    return ranges_from(errors)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Absolute errors of log price, or of many sales alike; shapes (m,)."""

    band: Integers  # of weights
    # Codes of cut, color, clarity and perhaps further grades, −1 where not known.
    grades: dict[str, Integers]
    error: Vector
    count: Integers  # sales with that error


def ranges_from(errors: dict[str, Scored]) -> Ranges:
    """Quantiles of errors by part; what is hard to price is told by those on the blend."""
    blend = errors["blend"]
    difficulty: dict[str, dict[str, float]] = {}
    scale = np.ones(len(blend.error))
    names = {name: graded(name).grades for name in blend.grades}
    for name in (name for name in blend.grades if name != "clarity"):
        factors = {}
        scaled = blend.count * blend.error / scale
        mean = scaled.sum() / blend.count.sum()
        for code in np.unique(blend.grades[name][blend.grades[name] >= 0]):
            of = blend.grades[name] == code
            count = blend.count[of].sum() + 2 * LEAN
            total = scaled[of].sum() + 2 * LEAN * mean
            factors[names[name][code]] = round(float(total / count / mean), 4)
        difficulty[name] = dict(sorted(factors.items()))
        scale = scale * _factor(factors, names[name])[blend.grades[name]]
    seen = np.unique(blend.grades["clarity"])
    column = {name: np.searchsorted(seen, e.grades["clarity"]) for name, e in errors.items()}
    part = _parts(blend.band, column["blend"], len(seen), blend.count)
    of_part = {name: np.array(part)[e.band, column[name]] for name, e in errors.items()}
    parts = 1 + max(max(row) for row in part)
    quantiles = {}
    for name, e in errors.items():
        hard = np.ones(len(e.error))
        for of in difficulty:
            hard = hard * _factor(difficulty[of], names[of])[e.grades[of]]
        inside = [of_part[name] == k for k in range(parts)]
        quantiles[name] = tuple(
            kept_quantiles((e.error / hard)[of], e.count[of]) for of in inside
        )
    counts = np.bincount(of_part["blend"], blend.count, parts).astype(int)
    clarities = tuple(names["clarity"][code] for code in seen)
    return Ranges(BANDS, clarities, difficulty, part, tuple(counts.tolist()), quantiles)


def _factor(factors: dict[str, float], grades: tuple[str, ...]) -> Vector:
    return np.array([*(factors.get(name, 1.0) for name in grades), 1.0])


def _parts(
    band: Integers, column: Integers, clarities: int, sales: Integers
) -> tuple[tuple[int, ...], ...]:
    """Join neighbouring clarities within a band until each part has enough sales.

    A band that is too small for a part of its own joins the last part of the band below.
    """
    count = np.zeros((len(BANDS) + 1, clarities), np.int64)
    np.add.at(count, (band, column), sales)
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
    codes = {name: np.unique(stones[name]) for name in ("color", "clarity")}
    seen = {name: tuple(graded(name).grades[c] for c in of) for name, of in codes.items()}
    _, first = np.unique(stone_keys(stones), return_index=True)
    one = stones.take(first)
    band = np.searchsorted(SUPPORT_BANDS, one["carat"], side="right")
    counts = np.zeros((len(SUPPORT_BANDS) + 1, len(seen["color"]), len(seen["clarity"])), int)
    place = [np.searchsorted(codes[name], one[name]) for name in ("color", "clarity")]
    np.add.at(counts, (band, *place), 1)
    kinds = {}
    for name in KINDS:
        labels = one.labels(name)
        if len(np.unique(labels)) > 1:
            kinds[name] = {
                str(grade): tuple(
                    np.bincount(band[labels == grade], minlength=len(counts)).tolist()
                )
                for grade in np.unique(labels)
            }
            # A stone that does not say is one of any of them; but natural and grown stones are
            # priced together only where sales do not say either.
            unsaid = band if name != ORIGIN else band[labels == ""]
            kinds[name][""] = tuple(np.bincount(unsaid, minlength=len(counts)).tolist())
    every = tuple(counts.ravel().tolist())
    return Support(SUPPORT_BANDS, seen["color"], seen["clarity"], every, kinds)
