"""A model's tables as plain look-up tables, one row an interval and combination of grades.

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
from diamond_pricing.errors import SourceError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.verdict import FEW
from diamond_pricing.stones import ATTRIBUTES, GRADES
from diamond_pricing.warehouse.scoring.lookup import (
    Lookup,
    alike,
    backing,
    factors,
    markup_rows,
)
from diamond_pricing.warehouse.scoring.pieces import (
    Curve,
    cells,
    constant,
    curves_of,
    inner_edges,
    intervals,
    levels_of,
    missing_of,
    once,
    shifted,
)

CARAT, LOG_CARAT = "carat", "log(carat)"
_CLIPPED = re.compile(r"min\(max\((.+), (-?[\d.e+-]+)\), (-?[\d.e+-]+)\)")
EVERY = tuple(grade.name for grade in GRADES if grade.required)
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
    weight: Lookup
    others: list[Lookup]
    cells: tuple[float, Integers, Matrix]
    markup: Matrix | None

    @property
    def levels(self) -> dict[str, list[str]]:
        """Grades that the model knows, in the order of the tables."""
        return levels_of(self.model)


def lookups(model: PriceModel, level: float, absent: frozenset[str]) -> Lookups:
    """Build the tables.

    Parameters
    ----------
    level : float
        Of the ranges.
    absent : frozenset[str]
        Measures that no stone has.

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
    sizes = {name: len(grades) for name, grades in levels_of(model).items()}
    low, high = model.training.ranges[CARAT]
    pieces = [(curve, *clipped(curve.feature)) for curve in curves_of(model)]
    weighed = [p for p in pieces if p[1] in (CARAT, LOG_CARAT, "")]
    edges = _weight_edges(model, [p for p in weighed if p[1]], low, high)
    tables = _Weighed(edges, low, high, sizes)
    for piece in weighed:
        tables.take(*piece)
    others: list[Lookup] = []
    for curve, variable, least, most in pieces:
        if variable in (CARAT, LOG_CARAT, ""):
            continue
        name = f"p{len(others)}"
        if set(names_in(variable)) & absent:
            _never_known(curve, model, tables)
        else:
            others.append(_own(name, curve, variable, (least, most), model, sizes))
    weight = tables.tables[("color", "clarity")]
    backing(weight, model, tables.inside, level)
    if model.ranges is not None:
        for name, levels in levels_of(model).items():
            if name == "cut" or (name in model.ranges.difficulty and name not in EVERY):
                table = tables.table((name,), name == "cut")
                table.plain[f"half_{name}"] = factors(model, name, levels, table)
    if model.support is not None:
        for name, kinds in model.support.kinds.items():
            table = tables.table((name,))
            none = (0,) * (len(model.support.bands) + 1)
            counts = np.array([kinds.get(grade, none) for grade in levels_of(model)[name]])
            band = np.searchsorted(model.support.bands, tables.inside, side="right")
            table.plain[f"near_{name}"] = np.minimum(counts[:, band].T, FEW)
    rest = [table for table in tables.tables.values() if table is not weight]
    others += alike(model)
    return Lookups(model, weight, rest + others, cells(edges, low, high), markup_rows(model))


def names_in(feature: str) -> list[str]:
    """Attributes in a line of arithmetic."""
    words = re.findall(r"[a-z_][a-z_0-9]*", feature)
    return [w for w in words if w in ATTRIBUTES]


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
    for part, name in (
        (model.support, "bands"),
        (model.ranges, "bands"),
        (model.markup, "parted_at"),
    ):
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
        if not asked <= {*key, *EVERY}:  # a grade that is not of every trade
            key = tuple(name for name in self.sizes if name in asked)
            key = (*key, "carat") if weight else key
        elif not asked <= set(key):
            key = (*EVERY, "carat") if weight else EVERY
        if key not in self.tables:
            axes = tuple(name for name in key if name != "carat")
            further = not set(axes) <= set(EVERY)
            over = "carat" in key or (len(axes) < 3 and not further)
            rows = len(self.start) if over else 1
            shape = (rows, *(self.sizes[g] for g in axes))
            name = {("color", "clarity"): "w", ("cut",): "c"}.get(key, "g" if not over else "d")
            if further:
                name = f"o{len(self.tables)}"
            edges = self.edges if over else []
            self.tables[key] = Lookup(name, CARAT if over else "", edges, [], axes, shape)
        return self.tables[key]

    def take(self, curve: Curve, variable: str, least: float, most: float) -> None:
        """Put a curve where it belongs."""
        table = self.table(curve.grades, bool(variable))
        for j, line in enumerate(curve.lines):
            cubic = curve.known[..., j, :]
            if not variable:
                table.add(line, "", cubic, curve.grades)
                continue
            self.put(table, line, variable, curve, cubic, curve.grades, least, most)

    def put(
        self,
        table: Lookup,
        line: int,
        variable: str,
        curve: Curve,
        cubic: Matrix,
        grades: Sequence[str],
        least: float,
        most: float,
    ) -> None:
        """Add one line's cubics; what does not depend on the weight goes by itself."""
        of = np.log if variable == LOG_CARAT else np.asarray
        start = of(self.start)
        moved = shifted(curve, cubic, of(self.inside), start, least, most)
        table.add(line, "", constant(moved[..., :1]), grades)
        moved[..., 0] = 0.0
        if moved.any():
            table.add(line, variable, moved, grades)
            first = self.tables[("color", "clarity")]
            first.lows.setdefault(variable, start)


def _never_known(curve: Curve, model: PriceModel, tables: _Weighed) -> None:
    """Add what stands for a number that no stone has to the tables over the weight."""
    grades = tuple(dict.fromkeys((model.averages.grade, *curve.grades)))
    table, nodes = tables.table(grades), np.log(model.averages.carats)
    for j, line in enumerate(curve.lines):
        cubic, lows = missing_of(curve, j, model)
        cubic = once(cubic, curve.grades, model.averages.grade)
        i = np.searchsorted(nodes, np.log(tables.inside), side="right")
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
    name: str,
    curve: Curve,
    variable: str,
    ends: tuple[float, float],
    model: PriceModel,
    sizes: Sizes,
) -> Lookup:
    """The table of a curve over a proportion."""
    inner, start, inside = intervals(curve, *ends)
    means, nodes = curve.means is not None, list(model.averages.carats)
    grades = set(curve.grades) | ({model.averages.grade} if means else set())
    axes = tuple(g for g in sizes if g in grades)
    further = len(nodes) + 1 if means else 0
    shape = (len(start) + further, *(sizes[g] for g in axes))
    table = Lookup(name, variable, inner, nodes if means else [], axes, shape, curve.graded)
    table.lows[variable] = start
    for j, line in enumerate(curve.lines):
        cubic = curve.known[..., j, :]
        if curve.edges:
            cubic = shifted(curve, cubic, inside, start, *ends)
        padding = [(0, further)] + [(0, 0)] * (cubic.ndim - 1)
        table.add(line, variable, np.pad(cubic, padding), curve.grades)
        if means:
            gone, lows = missing_of(curve, j, model)
            gone = once(gone, curve.grades, model.averages.grade)
            padding = [(len(start), 0)] + [(0, 0)] * (gone.ndim - 1)
            both = tuple(dict.fromkeys((model.averages.grade, *curve.grades)))
            table.add(line, variable, np.pad(gone, padding), both)
            table.lows[variable] = np.append(start, lows)
    return table
