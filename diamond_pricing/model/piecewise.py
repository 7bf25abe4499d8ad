"""Effects over one number as single cubics between edges, for a plan to look up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.stones import LISTING, Stone
from diamond_pricing.terms import Contrast, Levels, Slope, Spline, Steps, Term, parse

MOST_CELLS = 4096
_SAMPLES = np.array([0.0, 1 / 3, 2 / 3, 1.0])  # of an interval; a cubic is told by four
_TO_CUBIC = np.linalg.inv(np.vander(_SAMPLES, 4, increasing=True))


class NoPlanError(Exception):
    """A model has effects that no plan holds; it is explained the general way."""


@dataclass(slots=True)
class Sheet:
    """Everything over one number and some grades.

    Attributes
    ----------
    grades : tuple[str, ...]
        Axes behind the interval.
    lines : tuple[int, ...]
        Lines that it touches.
    known : list
        Cubics where the number is known.
    means : list
        For each cut and node, what stands in where it is missing.
    """

    grades: tuple[str, ...]
    lines: tuple[int, ...]
    level: bool  # whether all cubics are constants, kept as single numbers
    known: Any
    means: Any
    columns: Any = None  # ``known`` by line and power of u: arrays (intervals · grades,)


class Intervals:
    """Finds the interval between ascending edges that many numbers lie in.

    Even cells, each with one edge at most, tell the interval but for one comparison; that
    is several times faster than a binary search.
    """

    def __init__(self, edges: Vector) -> None:
        self.edges, self.lengths = edges, np.diff(edges)
        inner = edges[1:-1] if len(edges) > 2 else edges
        width = np.diff(inner).min(initial=inner[-1] - inner[0] + 1) / 2
        cells = int((inner[-1] - inner[0]) / width) + 2
        self.start, self.scale = inner[0], 1 / width
        self.first = None
        if cells <= MOST_CELLS:
            begin = inner[0] + (np.arange(cells) - 0.01) * width  # a little early: rounding
            self.first = self._searched(begin)

    def _searched(self, x: Vector) -> Integers:
        return (np.searchsorted(self.edges, x, side="right") - 1).clip(0, len(self.edges) - 2)

    def of(self, x: Vector) -> tuple[Integers, Vector]:
        """Interval of each number, and how far along it is; shapes (n,)."""
        if self.first is None:
            i = self._searched(x)
        else:
            cell = ((x - self.start) * self.scale).clip(0, len(self.first) - 1)
            i = self.first.take(cell.astype(np.int64))
            i = np.minimum(i + (x >= self.edges[1:].take(i)), len(self.edges) - 2)
        return i, (x - self.edges.take(i)) / self.lengths.take(i)


@dataclass(slots=True)
class Curve:
    """All sheets over one number."""

    feature: str
    value: Callable[[Stone], float | None]
    edges: list[float]
    sheets: list[Sheet]
    intervals: "Intervals | None"


def edges_of(numbers: Sequence[Any]) -> list[float]:
    """Ends of the intervals on which all curves over a number are single cubics."""
    edges: set[float] = set()
    for basis in numbers:
        if isinstance(basis, Steps):
            edges |= {0.0, *basis.at, 2 * basis.at[-1]}
        elif isinstance(basis, Spline):
            edges |= set(basis.knots[basis.degree : -basis.degree])
    inner = sorted(edges)
    if not any(isinstance(basis, Spline) for basis in numbers):
        return inner
    # Outside, a curve goes on as a straight line: two more intervals hold it.
    far = inner[-1] - inner[0]
    return [inner[0] - far, *inner, inner[-1] + far]


def cubics(term: Term, effect: Matrix, edges: list[float]) -> tuple[Matrix, Matrix | None]:
    """Coefficients by interval and grades, last axis 4; and what stands for missing ones."""
    bases = [b for b in term.bases if LISTING.name not in b.attributes]
    number = next((i for i, b in enumerate(bases) if not isinstance(b, Levels)), None)
    if number is None:
        known = np.zeros((1, *effect.shape, 4))
        known[0, ..., 0] = effect
        return known, None
    basis = bases[number]
    first = np.moveaxis(effect, number, 0)
    assert not isinstance(basis, Levels | Contrast)
    width = basis.width + isinstance(basis, Slope)
    real, mean = first[:width], first[width:]
    if isinstance(basis, Slope):
        if edges:
            raise NoPlanError("a slope beside a curve over the same number")
        known = np.zeros((1, *real.shape[1:], 4))
        known[0, ..., :2] = np.moveaxis(real, 0, -1)
        return known, mean if len(mean) else None
    low, high = np.array(edges[:-1]), np.array(edges[1:])
    if isinstance(basis, Steps):
        known = np.zeros((len(low), *real.shape[1:], 4))
        known[..., 0] = real[basis.placed((low + high) / 2).position[:, 0]]
        return known, None
    values = low[:, None] + (high - low)[:, None] * _SAMPLES
    rows = basis.at(values.ravel())
    full = np.zeros((len(rows.position), basis.width))
    for i, w in zip(rows.position.T, rows.weight.T, strict=True):
        full[np.arange(len(full)), i] += w
    sampled = np.tensordot(full.reshape(len(low), 4, -1), real, (2, 0))
    known = np.moveaxis(np.tensordot(_TO_CUBIC, sampled, (1, 1)), 0, -1)
    return known, mean if len(mean) else None


def value_of(feature: str) -> Callable[[Stone], float | None]:
    """How to read a number off a stone; None where it is missing."""
    if feature == "":
        return lambda stone: 0.0
    if feature == "carat":
        return lambda stone: stone.carat
    if feature == "log(carat)":
        return lambda stone: log(stone.carat)
    return parse(feature).of
