"""A model's tables as plain look-up tables, one row an interval and combination of grades.

Effects over the weight alone share the intervals of all of them, so that few tables hold
everything and a price takes few joins.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import exp, inf
from typing import Any

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import SourceError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.like_sales import Cells
from diamond_pricing.model.ranges import Ranges
from diamond_pricing.model.support import code_of
from diamond_pricing.model.verdict import FEW
from diamond_pricing.stones import GRADES
from diamond_pricing.stones.kinds import ORIGIN
from diamond_pricing.warehouse.scoring.pieces import (
    Curve,
    cells,
    curves_of,
    inner_edges,
    intervals,
    levels_of,
    missing_of,
    shifted,
)

CARAT, LOG_CARAT = "carat", "log(carat)"
_CLIPPED = re.compile(r"min\(max\((.+), (-?[\d.e+-]+)\), (-?[\d.e+-]+)\)")
EVERY = tuple(grade.name for grade in GRADES if grade.required)
_SAME = 1e-9  # edges of smooth curves that lie this close are one


Levels = dict[str, list[str]]  # of each grade, as `levels_of` has them


@dataclass(slots=True)
class Lookup:
    """One table."""

    name: str  # short; also the start of the names of its columns
    feature: str  # the number that is looked up, as arithmetic; empty for none
    edges: list[float]  # where its rows change; row i holds from edge i − 1 to below edge i
    missing: list[float]  # weights that part the further rows for stones without the number
    grades: tuple[str, ...]  # axes behind the row
    shape: tuple[int, ...]  # rows, and how many of each grade
    graded: bool = False  # whether the number is a grade that a stone may lack
    # By line and variable the coefficients, shape (*shape, 4), by powers of the variable less
    # its ``lows``; those by variable, shape (rows,).
    cubics: dict[tuple[int, str], Matrix] = field(default_factory=dict)
    lows: dict[str, Vector] = field(default_factory=dict)
    plain: dict[str, Matrix] = field(default_factory=dict)  # further columns, shape ``shape``
    cells: Cells | None = None  # whose effects on the blend it holds, instead of all that

    def add(self, line: int, variable: str, cubic: Matrix, grades: Sequence[str]) -> None:
        """Add cubics over some of the grades, shape (rows or 1, *grades, 4)."""
        axes = [1 + grades.index(g) if g in grades else None for g in self.grades]
        order = [0, *(a for a in axes if a is not None), cubic.ndim - 1]
        given = cubic.transpose(order)
        place = tuple(slice(None) if a is not None else None for a in axes)
        given = given[(slice(None), *place)]
        whole = self.cubics.setdefault((line, variable), np.zeros((*self.shape, 4)))
        whole += given


@dataclass(frozen=True, slots=True)
class Lookups:
    """All tables of a model, and the numbers beside them."""

    model: PriceModel
    levels: Levels  # grades that the model knows, in the order of the tables
    weight: Lookup  # over weight, color and clarity: also support and ranges
    others: list[Lookup]  # over weight and cut, over grades, over proportions
    # Cells of equal width over the range of the weight: how many there are a carat, how many
    # edges lie below each, and the edges that it may hold; (n,) and (n, most).
    cells: tuple[float, Integers, Matrix]
    # Constant and slope of the mark-up between its nodes, shape (parts · intervals, 2).
    markup: Matrix | None


def lookups(model: PriceModel, level: float, absent: frozenset[str]) -> Lookups:
    """Build the tables for ranges of a level; ``absent`` are measures that no stone has.

    Raises
    ------
    SourceError
        For a model that carries prices forward.
    """
    if model.carries:
        raise SourceError(
            "SQL has no ranges that widen with the distance from the sales; leave days after "
            "them declined, or score files."
        )
    levels = levels_of(model)
    low, high = model.training.ranges[CARAT]
    pieces = [(curve, *clipped(curve.feature)) for curve in curves_of(model)]
    weighed = [p for p in pieces if p[1] in (CARAT, LOG_CARAT, "")]
    edges = _weight_edges(model, [p for p in weighed if p[1]], low, high)
    tables = _Weighed(edges, low, high, levels)
    for piece in weighed:
        tables.take(*piece)
    others: list[Lookup] = []
    for curve, variable, least, most in pieces:
        if variable in (CARAT, LOG_CARAT, ""):
            continue
        name = f"p{len(others)}"
        if absent & set(re.findall(r"[a-z_][a-z_0-9]*", variable)):
            _never_known(curve, model, tables)
        else:
            others.append(_own(name, curve, variable, (least, most), model, levels))
    weight = tables.weight
    backing(weight, model, levels, tables.inside, level)
    if model.ranges is not None:
        for name in levels:
            if name == "cut" or (name in model.ranges.difficulty and name not in EVERY):
                table = tables.table((name,), name == "cut")
                factor = factors(model.ranges, name, levels)
                table.plain[f"half_{name}"] = np.broadcast_to(factor, table.shape)
    if model.support is not None:
        for name, kinds in model.support.kinds.items():
            table = tables.table((name,))
            none = (0,) * (len(model.support.bands) + 1)
            counts = np.array([kinds.get(grade, none) for grade in levels[name]])
            band = np.searchsorted(model.support.bands, tables.inside, side="right")
            near = table.plain[f"near_{name}"] = np.minimum(counts[:, band].T, FEW)
            if name == ORIGIN:
                unsaid = np.array([not grade for grade in levels[name]], int)
                table.plain[f"unsaid_{name}"] = np.broadcast_to(unsaid, near.shape)
    rest = [table for table in tables.tables.values() if table is not weight]
    every = rest + others + alike(model)
    return Lookups(model, levels, weight, every, cells(edges, low, high), markup_rows(model))


def clipped(feature: str) -> tuple[str, float, float]:
    """What is within ``min(max(…, low), high)``, and the two; ±inf where it is not clipped."""
    found = _CLIPPED.fullmatch(feature)
    if not found or found[1].count("(") != found[1].count(")"):
        return feature, -inf, inf
    return found[1], float(found[2]), float(found[3])


def _weight_edges(
    model: PriceModel, pieces: Sequence[Any], low: float, high: float
) -> list[float]:
    """Weights at which any effect, band or schedule changes, within the range."""
    exact: set[float] = set()
    smooth: set[float] = set(model.averages.carats)
    for curve, variable, least, most in pieces:
        inner = inner_edges(curve, least, most)
        if variable == CARAT:
            exact |= set(inner)
        else:
            smooth |= {exp(e) for e in inner}
    exact |= set(model.support.bands if model.support is not None else ())
    exact |= set(model.ranges.bands if model.ranges is not None else ())
    exact |= set(model.markup.parted_at if model.markup is not None else ())
    kept = sorted(exact)
    for edge in sorted(smooth):
        if all(abs(edge - other) > _SAME for other in kept):
            kept.append(edge)
    return [edge for edge in sorted(kept) if low < edge <= high]


class _Weighed:
    """The tables over the intervals of the weight, made as they are needed."""

    def __init__(self, edges: list[float], low: float, high: float, levels: Levels) -> None:
        self.edges, self.levels = edges, levels
        self.start = np.array([low, *edges])
        self.inside = (self.start + np.array([*edges, high])) / 2
        self.tables: dict[tuple[str, ...], Lookup] = {}
        self.weight = self.table(("color", "clarity"))

    def table(self, grades: Iterable[str], weight: bool = True) -> Lookup:
        """The table that holds effects over some grades."""
        asked = set(grades)
        key: tuple[str, ...] = ("cut",)
        if asked <= {"color", "clarity"}:
            key = ("color", "clarity")
        if not asked <= {*key, *EVERY}:  # a grade that is not of every trade
            key = tuple(name for name in self.levels if name in asked)
            key = (*key, "carat") if weight else key
        elif not asked <= set(key):
            key = (*EVERY, "carat") if weight else EVERY
        if key not in self.tables:
            axes = tuple(name for name in key if name != "carat")
            further = not set(axes) <= set(EVERY)
            over = "carat" in key or (len(axes) < 3 and not further)
            rows = len(self.start) if over else 1
            shape = (rows, *(len(self.levels[g]) for g in axes))
            name = {("color", "clarity"): "w", ("cut",): "c"}.get(key, "g" if not over else "d")
            if further:
                name = f"o{len(self.tables)}"
            edges = self.edges if over else []
            self.tables[key] = Lookup(name, CARAT if over else "", edges, [], axes, shape)
        return self.tables[key]

    def take(self, curve: Curve, variable: str, least: float, most: float) -> None:
        """Put a curve where it belongs."""
        table = self.table(curve.grades, bool(variable))
        of = np.log if variable == LOG_CARAT else np.asarray
        start, inside = of(self.start), of(self.inside)
        for j, line in enumerate(curve.lines):
            cubic = curve.known[..., j, :]
            if not variable:
                table.add(line, "", cubic, curve.grades)
                continue
            moved = shifted(curve, cubic, inside, start, least, most)
            self.add(table, line, variable, moved, curve.grades, start)

    def add(
        self,
        table: Lookup,
        line: int,
        variable: str,
        moved: Matrix,
        grades: Sequence[str],
        start: Vector,
    ) -> None:
        """Add one line's cubics; what does not depend on the weight goes by itself."""
        level = np.zeros_like(moved)
        level[..., 0], moved[..., 0] = moved[..., 0], 0.0
        table.add(line, "", level, grades)
        if moved.any():
            table.add(line, variable, moved, grades)
            self.weight.lows.setdefault(variable, start)


def _never_known(curve: Curve, model: PriceModel, tables: _Weighed) -> None:
    """Add what stands for a number that no stone has to the tables over the weight."""
    table = tables.table((model.averages.grade, *curve.grades))
    nodes, start = np.log(model.averages.carats), np.log(tables.start)
    i = np.searchsorted(nodes, np.log(tables.inside), side="right")
    for j, line in enumerate(curve.lines):
        cubic, lows, grades = missing_of(curve, j, model)
        moved = cubic[i]
        gone = (start - lows[i]).reshape(-1, *(1,) * (moved.ndim - 2))
        moved[..., 0] += moved[..., 1] * gone
        tables.add(table, line, LOG_CARAT, moved, grades, start)


def _own(
    name: str,
    curve: Curve,
    variable: str,
    ends: tuple[float, float],
    model: PriceModel,
    levels: Levels,
) -> Lookup:
    """The table of a curve over a proportion."""
    inner, start, inside = intervals(curve, *ends)
    means, nodes = curve.means is not None, list(model.averages.carats)
    grades = set(curve.grades) | ({model.averages.grade} if means else set())
    axes = tuple(g for g in levels if g in grades)
    further = len(nodes) + 1 if means else 0
    shape = (len(start) + further, *(len(levels[g]) for g in axes))
    table = Lookup(name, variable, inner, nodes if means else [], axes, shape, curve.graded)
    table.lows[variable] = start
    for j, line in enumerate(curve.lines):
        cubic = curve.known[..., j, :]
        if curve.edges:
            cubic = shifted(curve, cubic, inside, start, *ends)
        padding = [(0, further)] + [(0, 0)] * (cubic.ndim - 1)
        table.add(line, variable, np.pad(cubic, padding), curve.grades)
        if means:
            gone, lows, both = missing_of(curve, j, model)
            padding = [(len(start), 0)] + [(0, 0)] * (gone.ndim - 1)
            table.add(line, variable, np.pad(gone, padding), both)
            table.lows[variable] = np.append(start, lows)
    return table


def backing(
    weight: Lookup, model: PriceModel, levels: Levels, inside: Vector, level: float
) -> None:
    """Support near by, and the half width of the range, by weight, color and clarity."""
    if (s := model.support) is not None:
        near = np.zeros(weight.shape, np.int64)
        band = np.searchsorted(s.bands, inside, side="right")
        around = s.around()
        places = (enumerate(levels[name]) for name in ("color", "clarity"))
        for (i, c), (j, q) in product(*places):
            if c in s.colors and q in s.clarities:
                near[:, i, j] = around[band, code_of("color", c), code_of("clarity", q)]
        weight.plain["near"] = np.minimum(near, FEW)
    if model.markup is not None:
        part: Integers = model.markup.part(inside)
        intervals = len(model.markup.blended[0]) - 1
        weight.plain["part"] = np.broadcast_to((part * intervals)[:, None, None], weight.shape)
    if (r := model.ranges) is not None:
        half = np.zeros(weight.shape)
        band = np.searchsorted(r.bands, inside, side="right")
        parts = r.halves(level)
        for j, q in enumerate(levels["clarity"]):
            place = r.clarities.index(q) if q in r.clarities else 0
            half[..., j] = parts[np.array(r.part)[band, place]][:, None]
        half *= factors(r, "color", levels)[:, None]
        half *= factors(r, "clarity", levels)
        weight.plain["half"] = half


def factors(ranges: Ranges, name: str, levels: Levels) -> Vector:
    """What the ranges are multiplied by for each level of a grade."""
    given = ranges.difficulty.get(name, {})
    return np.array([given.get(grade, 1.0) for grade in levels[name]])


def alike(model: PriceModel) -> list[Lookup]:
    """What like sales fetched beyond, on the blend; a row where something is not known too."""
    found: list[Lookup] = []
    if (likeness := model._likeness) is not None:
        for cells, table in zip(likeness.like.cells, likeness.tables, strict=True):
            effects = (table[-1] if cells.listed else table).ravel()
            one = Lookup(f"l{len(found)}", "", [], [], (), effects.shape, cells=cells)
            one.plain["effect"] = effects
            found.append(one)
    return found


def markup_rows(model: PriceModel) -> Matrix | None:
    """Constant and slope of the blend's mark-up, part by part and interval by interval."""
    if model.markup is None:
        return None
    low = np.array(model.markup.blended)
    slope = np.diff(low, axis=1)
    start = low[:, :-1] - np.arange(slope.shape[1]) * slope
    return np.stack([start.ravel(), slope.ravel()], axis=1)
