"""Whether the measurements of a stone agree with each other.

A round brilliant weighs about 0.0061 carats a cubic millimetre of its box x·y·z, and its
depth per cent is 100·2z/(x + y). The rules use only the stone's own numbers, so that
applying them to held-out stones leaks nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, log

import numpy as np

from diamond_pricing.arrays import Flags, Integers, Vector

CARATS_PER_MM3 = 0.00613  # median of carat/(x·y·z) over the packaged sales
TYPICAL_DEPTH = 61.8  # per cent, the median of the packaged sales
DIAMETER_TOLERANCE = 0.12  # |log(measured/expected)|; 99.9 % of the packaged sales keep it
HEIGHT_TOLERANCE = 0.04
BOX_TOLERANCE = 0.06
READ = ("carat", "depth", "x", "y", "z")


MONTHS_APART = 62  # days
FEW_APART, OF = 5, 100  # sales; fewer than these, and than one in a hundred
FEWEST_DATED = 50  # sales among which that can be told


def stray_days(days: Vector) -> Flags:
    """Days of very few sales, at either end, that lie two months from all others; shape (n,).

    Slips of the pen: one row of another year would be the last day that prices are of. Where
    there is no day it is NaN.
    """
    distinct, count = np.unique(days[~np.isnan(days)], return_counts=True)
    if not len(distinct):
        return np.zeros(len(days), bool)
    first, last = ends_of(distinct, count)
    return (days < first) | (days > last)


def ends_of(days: Vector, count: Integers) -> tuple[float, float]:
    """The first and the last of days that are not stray, see `stray_days`.

    The days ascend, each once, with how many sales it has; shapes (m,).
    """
    ends, total = [], int(count.sum())
    most = min(FEW_APART - 1, max(1, total // OF)) if total >= FEWEST_DATED else 0
    for order in (slice(None), slice(None, None, -1)):
        some = days[order]
        apart = np.abs(np.diff(some)) > MONTHS_APART
        gaps = np.flatnonzero(apart & (np.cumsum(count[order])[:-1] <= most))
        ends.append(float(some[gaps[-1] + 1 if len(gaps) else 0]))
    return ends[0], ends[1]


@dataclass(frozen=True, slots=True)
class Problem:
    """A measurement that cannot be right."""

    # Stable: ``impossible_dimension``, ``size_contradicts_weight``,
    # ``height_contradicts_depth``, ``depth_contradicts_height`` or ``unknown_value``
    code: str
    attribute: str  # the measurement that is left out of a price because of it
    reason: str  # one sentence for a person


def expected_diameter(carat: Vector, depth: Vector) -> Vector:
    """Mean of length and width of a round stone, mm, shape (n,).

    From carat = 0.00613·d·d·z and z = depth·d.
    """
    ratio = np.where(np.isnan(depth), TYPICAL_DEPTH, depth) / 100
    return np.cbrt(carat / (CARATS_PER_MM3 * ratio))


def implausible(
    carat: Vector, depth: Vector, x: Vector, y: Vector, z: Vector
) -> dict[str, Flags]:
    """Say which of depth, x, y and z cannot be right; each shape (n,).

    Where the box x·y·z fits the weight but not the depth stated, the depth is at fault.
    A missing measurement is never flagged.
    """
    box = np.where((x > 0) & (y > 0) & (z > 0), x * y * z, np.nan)
    box_fits = (box > 0) & ~_off(box * CARATS_PER_MM3, carat, BOX_TOLERANCE)
    with np.errstate(all="ignore"):
        measured_depth = 200 * z / (x + y)
    bad_depth = box_fits & _off(depth, measured_depth, HEIGHT_TOLERANCE)
    depth = np.where(bad_depth, np.nan, depth)
    expected = expected_diameter(carat, depth)
    bad_x, bad_y = _off(x, expected, DIAMETER_TOLERANCE), _off(y, expected, DIAMETER_TOLERANCE)
    # The mean girdle diameter from whichever of x and y is believable.
    good_x, good_y = np.where(bad_x, np.nan, x), np.where(bad_y, np.nan, y)
    across = (
        np.where(np.isnan(good_x), good_y, good_x) + np.where(np.isnan(good_y), good_x, good_y)
    ) / 2
    measured, stated = ~np.isnan(across), ~np.isnan(depth)
    height = np.where(stated, depth, TYPICAL_DEPTH) / 100 * np.where(measured, across, expected)
    tolerance = np.where(stated & measured, HEIGHT_TOLERANCE, DIAMETER_TOLERANCE)
    return {"depth": bad_depth, "x": bad_x, "y": bad_y, "z": _off(z, height, tolerance)}


def _off(value: Vector, expected: Vector, tolerance: Vector | float) -> Flags:
    with np.errstate(all="ignore"):
        distance = np.abs(np.log(np.maximum(value, 1e-6) / expected))
    return np.asarray(distance > tolerance)  # a missing value compares False


def plainly_fine(
    carat: float, depth: float | None, x: float | None, y: float | None, z: float | None
) -> bool:
    """Whether `implausible` surely finds nothing: a quick answer for most stones.

    True where nothing is measured, and where all is and keeps well within the tolerances.
    """
    if x is None or y is None or z is None or depth is None:
        return x is None and y is None and z is None
    if min(x, y, z) <= 0:
        return False
    expected = (carat / (CARATS_PER_MM3 * depth / 100)) ** (1 / 3)
    near = 0.9 * DIAMETER_TOLERANCE
    return (
        abs(log(x / expected)) < near
        and abs(log(y / expected)) < near
        and abs(log(200 * z / (x + y) / depth)) < 0.9 * HEIGHT_TOLERANCE
    )


def in_words(name: str, measures: Mapping[str, float]) -> Problem:
    """Say why the measurement ``name``, which `implausible` flagged, cannot be right."""
    carat, depth, x, y, z = (measures[key] for key in READ)
    value, across = measures[name], (x + y) / 2
    if value <= 0:
        return Problem("impossible_dimension", name, f"{name} is {value:g} mm; no stone is")
    if name == "depth":
        return Problem(
            "depth_contradicts_height",
            name,
            f"depth {depth:g} % does not fit the height of {z:g} mm over {across:g} mm across, "
            f"which is {100 * z / across:.1f} %",
        )
    if name == "z" and not (isnan(depth) or isnan(across)) and across > 0:
        return Problem(
            "height_contradicts_depth",
            name,
            f"z {z:g} mm over {across:g} mm across is a depth of {100 * z / across:.1f} %, "
            f"but the depth stated is {depth:g} %",
        )
    (expected,) = expected_diameter(np.array([carat]), np.array([depth]))
    what = "high" if name == "z" else "across"
    size = expected * (TYPICAL_DEPTH / 100 if name == "z" else 1)
    return Problem(
        "size_contradicts_weight",
        name,
        f"{name} {value:g} mm does not fit {carat:g} ct: a round stone of that weight "
        f"measures about {size:.2f} mm {what}",
    )
