"""A model's plan as plain look-up tables, one row an interval and combination of grades.

Effects over the weight alone share the intervals of all of them, so that few tables hold
everything and a price takes few joins.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf
from typing import Any

import numpy as np

from diamond_pricing.arrays import Integers, Matrix
from diamond_pricing.model import PriceModel
from diamond_pricing.model.piecewise import Curve, Sheet
from diamond_pricing.model.plan import OF_EVERY_STONE, Plan
from diamond_pricing.warehouse.scoring.lookup import (
    Lookup,
    backing,
    factors,
    levels_of,
    markup_rows,
)
from diamond_pricing.warehouse.scoring.pieces import (
    cells,
    constant,
    cubic_of,
    inner_edges,
    intervals,
    missing_of,
    once,
    shifted,
)

CARAT, LOG_CARAT = "carat", "log(carat)"
_CLIPPED = re.compile(r"min\(max\((.+), (-?[\d.e+-]+)\), (-?[\d.e+-]+)\)")
_SAME = 1e-9  # edges of smooth curves that lie this close are one

Sizes = dict[str, int]


@dataclass(frozen=True, slots=True)
class Lookups:
    """All tables of a model, and the numbers beside them.

    Attributes
    ----------
    weight : Lookup
        Over weight, color and clarity: also support and ranges.
    others : list[Lookup]
        Over weight and cut, over grades, over proportions.
    cells : tuple[float, Integers, Matrix]
        Cells of equal width over the range of the weight: how many there are a carat, how
        many edges lie below each, and the edges that it may hold; (n,) and (n, most).
    markup : Matrix or None
        Constant and slope of the mark-up between its nodes, shape (parts · intervals, 2).
    """

    model: PriceModel
    plan: Plan
    weight: Lookup
    others: list[Lookup]
    cells: tuple[float, Integers, Matrix]
    markup: Matrix | None

    @property
    def levels(self) -> dict[str, list[str]]:
        """Grades that the model knows, in the order of the tables."""
        return levels_of(self.plan, self.model)


def lookups(model: PriceModel, plan: Plan, level: float, absent: frozenset[str]) -> Lookups:
    """Build the tables.

    Parameters
    ----------
    level : float
        Of the ranges.
    absent : frozenset[str]
        Measures that no stone has.
    """
    sizes = {name: len(grades) for name, grades in levels_of(plan, model).items()}
    low, high = model.training.ranges[CARAT]
    pieces = [(c, *clipped(c.feature)) for c in plan.curves]
    weighed = [p for p in pieces if p[1] in (CARAT, LOG_CARAT, "")]
    edges = _weight_edges(model, plan, [p for p in weighed if p[1]], low, high)
    tables = _Weighed(edges, low, high, sizes)
    for curve, variable, least, most in weighed:
        for sheet in curve.sheets:
            tables.take(curve, sheet, variable, least, most)
    others: list[Lookup] = []
    for curve, variable, least, most in pieces:
        if variable in (CARAT, LOG_CARAT, ""):
            continue
        name = f"p{len(others)}"
        if set(names_in(variable)) & absent:
            _never_known(curve, plan, tables)
        else:
            others.append(_own(name, curve, variable, (least, most), plan, sizes))
    weight = tables.tables[("color", "clarity")]
    backing(weight, model, tables.inside, level)
    if model.ranges is not None:
        cut = tables.table(("cut",))
        cut.plain["half_cut"] = factors(model, "cut", list(levels_of(plan, model)["cut"]), cut)
    rest = [table for table in tables.tables.values() if table is not weight]
    return Lookups(
        model, plan, weight, rest + others, cells(edges, low, high), markup_rows(model)
    )


def names_in(feature: str) -> list[str]:
    """Attributes in a line of arithmetic."""
    words = re.findall(r"[a-z_]+", feature)
    return [w for w in words if w in ("carat", "depth", "table", "x", "y", "z")]


def clipped(feature: str) -> tuple[str, float, float]:
    """What is within ``min(max(…, low), high)``, and the two; ±inf where it is not clipped."""
    found = _CLIPPED.fullmatch(feature)
    if not found or found[1].count("(") != found[1].count(")"):
        return feature, -inf, inf
    return found[1], float(found[2]), float(found[3])


def _weight_edges(
    model: PriceModel, plan: Plan, pieces: Sequence[Any], low: float, high: float
) -> list[float]:
    """Weights at which any effect, band or schedule changes, within the range."""
    exact: set[float] = set()
    smooth: set[float] = {exp(node) for node in plan.nodes}
    for curve, variable, least, most in pieces:
        inner = inner_edges(curve, least, most)
        if variable == CARAT:
            exact |= set(inner)
        else:
            smooth |= {exp(e) for e in inner}
    for part, name in (
        (model.support, "bands"), (model.ranges, "bands"), (model.markup, "parted_at"),
    ):  # fmt: skip
        exact |= set(getattr(part, name)) if part is not None else set()
    kept = sorted(exact)
    for edge in sorted(smooth):
        if all(abs(edge - other) > _SAME for other in kept):
            kept.append(edge)
    return [edge for edge in sorted(kept) if low < edge <= high]


class _Weighed:
    """The tables over the intervals of the weight, made as they are needed."""

    def __init__(self, edges: list[float], low: float, high: float, sizes: Sizes) -> None:
        self.edges, self.sizes = edges, sizes
        self.start = np.array([low, *edges])
        ends = np.array([*edges, high])
        self.inside = (self.start + ends) / 2
        self.tables: dict[tuple[str, ...], Lookup] = {}
        self.table(("color", "clarity"))

    def table(self, grades: Iterable[str], weight: bool = True) -> Lookup:
        """The table that holds effects over some grades."""
        asked = set(grades)
        key: tuple[str, ...] = ("cut",)
        if asked <= {"color", "clarity"}:
            key = ("color", "clarity")
        if not asked <= set(key):
            every = tuple(g.name for g in OF_EVERY_STONE)
            key = (*every, "carat") if weight else every
        if key not in self.tables:
            axes = tuple(name for name in key if name != "carat")
            over = weight or len(axes) < 3
            rows = len(self.start) if over else 1
            shape = (rows, *(self.sizes[g] for g in axes))
            name = {("color", "clarity"): "w", ("cut",): "c"}.get(key, "g" if not over else "d")
            edges = self.edges if over else []
            self.tables[key] = Lookup(name, CARAT if over else "", edges, [], axes, shape)
        return self.tables[key]

    def take(
        self, curve: Curve, sheet: Sheet, variable: str, least: float, most: float
    ) -> None:
        """Put a sheet where it belongs."""
        table = self.table(sheet.grades, bool(variable))
        for j, line in enumerate(sheet.lines):
            cubic = cubic_of(sheet, j)
            if not variable:
                table.add(line, "", cubic, sheet.grades)
                continue
            self.put(table, line, variable, curve, cubic, sheet.grades, least, most)

    def put(
        self, table: Lookup, line: int, variable: str, curve: Curve, cubic: Matrix,
        grades: Sequence[str], least: float, most: float,
    ) -> None:  # fmt: skip
        """Add one line's cubics; what does not depend on the weight goes by itself."""
        of = np.log if variable == LOG_CARAT else np.asarray
        start = of(self.start)
        if not curve.edges:  # a slope
            moved = cubic.repeat(len(start), axis=0)
            moved[..., 0] += moved[..., 1] * start.reshape(-1, *(1,) * (moved.ndim - 2))
        else:
            moved = shifted(curve, cubic, of(self.inside), start, least, most)
        table.add(line, "", constant(moved[..., :1]), grades)
        moved[..., 0] = 0.0
        if moved.any():
            table.add(line, variable, moved, grades)
            first = self.tables[("color", "clarity")]
            first.lows.setdefault(variable, start)


def _never_known(curve: Curve, plan: Plan, tables: _Weighed) -> None:
    """Add what stands for a number that no stone has to the tables over the weight."""
    for sheet in curve.sheets:
        grades = ("cut", *sheet.grades)
        if "cut" in sheet.grades:
            grades = tuple(dict.fromkeys(grades))
        table = tables.table(grades)
        for j, line in enumerate(sheet.lines):
            cubic, lows = missing_of(sheet, j, plan)
            cubic = once(cubic, sheet.grades)
            at = np.log(tables.inside)
            i = np.searchsorted(plan.nodes, at, side="right")
            moved = cubic[i]
            start = np.log(tables.start)
            gone = (start - lows[i]).reshape(-1, *(1,) * (moved.ndim - 2))
            level = np.zeros_like(moved)
            level[..., 0] = moved[..., 0] + moved[..., 1] * gone
            table.add(line, "", level, grades)
            moved[..., 0] = 0.0
            if moved.any():
                table.add(line, LOG_CARAT, moved, grades)
                tables.tables[("color", "clarity")].lows.setdefault(LOG_CARAT, start)


def _own(
    name: str, curve: Curve, variable: str, ends: tuple[float, float], plan: Plan, sizes: Sizes
) -> Lookup:
    """The table of a curve over a proportion."""
    least, most = ends
    inner, start, inside = intervals(curve, least, most)
    grades = {g for sheet in curve.sheets for g in sheet.grades}
    means = any(sheet.means is not None for sheet in curve.sheets)
    axes = tuple(
        g.name for g in OF_EVERY_STONE if g.name in grades | ({"cut"} if means else set())
    )
    further = len(plan.nodes) + 1 if means else 0
    shape = (len(start) + further, *(sizes[g] for g in axes))
    nodes = [exp(node) for node in plan.nodes] if means else []
    table = Lookup(name, variable, inner, nodes, axes, shape)
    for sheet in curve.sheets:
        for j, line in enumerate(sheet.lines):
            cubic = cubic_of(sheet, j)
            if curve.edges:
                cubic = shifted(curve, cubic, inside, start, least, most)
            padding = [(0, further)] + [(0, 0)] * (cubic.ndim - 1)
            table.add(line, variable, np.pad(cubic, padding), sheet.grades)
            if sheet.means is not None:
                gone, lows = missing_of(sheet, j, plan)
                gone = once(gone, sheet.grades)
                padding = [(len(start), 0)] + [(0, 0)] * (gone.ndim - 1)
                both = tuple(dict.fromkeys(("cut", *sheet.grades)))
                table.add(line, variable, np.pad(gone, padding), both)
                table.lows[variable] = np.append(start, lows)
    table.lows.setdefault(variable, start)
    return table
