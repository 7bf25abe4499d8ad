"""A model's plan as plain look-up tables, one row an interval and combination of grades.

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
from diamond_pricing.model import PriceModel
from diamond_pricing.model.piecewise import Curve, Sheet
from diamond_pricing.model.plan import Plan
from diamond_pricing.model.verdict import FEW
from diamond_pricing.stones import GRADES

CARAT, LOG_CARAT = "carat", "log(carat)"
_CLIPPED = re.compile(r"min\(max\((.+), (-?[\d.e+-]+)\), (-?[\d.e+-]+)\)")
CELLS = 1024
_SAME = 1e-9  # edges of smooth curves that lie this close are one

Sizes = dict[str, int]


@dataclass(slots=True)
class Lookup:
    """One table.

    Attributes
    ----------
    name : str
        Short; also the start of the names of its columns.
    feature : str
        The number that is looked up, as arithmetic; empty for none.
    edges : list[float]
        Where its rows change, ascending; row i holds from edge i − 1 to below edge i.
    missing : list[float]
        Weights that part the further rows for stones without the number; see `Plan`.
    grades : tuple[str, ...]
        Axes behind the row.
    shape : tuple[int, ...]
        Rows, and how many of each grade.
    cubics : dict[tuple[int, str], Matrix]
        By line and variable the coefficients, shape (*shape, 4), by powers of the variable
        less its ``lows``.
    lows : dict[str, Vector]
        By variable, shape (rows,).
    plain : dict[str, Matrix]
        Further columns, shape ``shape``.
    """

    name: str
    feature: str
    edges: list[float]
    missing: list[float]
    grades: tuple[str, ...]
    shape: tuple[int, ...]
    cubics: dict[tuple[int, str], Matrix] = field(default_factory=dict)
    lows: dict[str, Vector] = field(default_factory=dict)
    plain: dict[str, Matrix] = field(default_factory=dict)

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


def levels_of(plan: Plan, model: PriceModel) -> dict[str, list[str]]:
    """Grades of each kind, in the order of the plan where it has one."""
    return {
        g.name: list(plan.levels.get(g.name, model.training.grades[g.name])) for g in GRADES
    }


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
    others = []
    for curve, variable, least, most in pieces:
        if variable in (CARAT, LOG_CARAT, ""):
            continue
        name = f"p{len(others)}"
        if set(names_in(variable)) & absent:
            _never_known(curve, plan, tables)
        else:
            others.append(_own(name, curve, variable, (least, most), plan, sizes))
    weight = tables.tables[("color", "clarity")]
    _backing(weight, model, tables.inside, level)
    if model.ranges is not None:
        cut = tables.table(("cut",))
        cut.plain["half_cut"] = _factors(model, "cut", list(levels_of(plan, model)["cut"]), cut)
    rest = [table for table in tables.tables.values() if table is not weight]
    return Lookups(model, plan, weight, rest + others, _cells(edges, low, high), _markup(model))


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


def shifted(
    curve: Curve, cubic: Matrix, at: Vector, start: Vector, least: float, most: float
) -> Matrix:
    """Cubics on other intervals within those of a curve.

    Parameters
    ----------
    cubic : Matrix
        By the curve's intervals, shape (r, …, 4), in u of each.
    at, start : Vector
        A number within each new interval, and where its variable counts from; (n,).
    least, most : float
        Where the number is clipped.
    """
    inside = at.clip(least, most)
    old = np.array(curve.edges)
    i = (np.searchsorted(old, inside, side="right") - 1).clip(0, len(old) - 2)
    # A place that is clipped counts as just within, or the curve would go on beyond it.
    i = np.where(inside >= most, np.searchsorted(old, most, side="left") - 1, i)
    level = inside != at
    scale = 1 / (old[i + 1] - old[i])
    a = (np.where(level, inside, start) - old[i]) * scale
    scale = np.where(level, 0.0, scale)
    wide = (slice(None), *(None,) * (cubic.ndim - 2))
    a, b = a[wide], scale[wide]
    c0, c1, c2, c3 = np.moveaxis(cubic[i], -1, 0)
    moved: Matrix = np.stack(
        [
            c0 + a * (c1 + a * (c2 + a * c3)),
            b * (c1 + a * (2 * c2 + a * 3 * c3)),
            b * b * (c2 + 3 * a * c3),
            b * b * b * c3,
        ],
        axis=-1,
    )
    return moved


def _cubic(sheet: Sheet, j: int) -> Matrix:
    """One line of a sheet as cubics, shape (intervals, *grades, 4)."""
    known = np.asarray(sheet.known)
    if not sheet.level:
        return np.asarray(known[..., j, :])
    return _constant(known[..., j, None])


def _constant(level: Matrix) -> Matrix:
    """Levels, last axis 1, as cubics."""
    return np.pad(level, [(0, 0)] * (level.ndim - 1) + [(0, 3)])


def _weight_edges(
    model: PriceModel, plan: Plan, pieces: Sequence[Any], low: float, high: float
) -> list[float]:
    """Weights at which any effect, band or schedule changes, within the range."""
    exact: set[float] = set()
    smooth: set[float] = {exp(node) for node in plan.nodes}
    for curve, variable, least, most in pieces:
        inner = _inner(curve, least, most)
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
        key = ("color", "clarity") if asked <= {"color", "clarity"} else ("cut",)
        if not asked <= set(key):
            key = tuple(g.name for g in GRADES) + (("carat",) if weight else ())
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
            cubic = _cubic(sheet, j)
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
        table.add(line, "", _constant(moved[..., :1]), grades)
        moved[..., 0] = 0.0
        if moved.any():
            table.add(line, variable, moved, grades)
            first = self.tables[("color", "clarity")]
            first.lows.setdefault(variable, start)


def _cells(edges: list[float], low: float, high: float) -> tuple[float, Integers, Matrix]:
    """Find the interval of a weight by a cell and a few comparisons instead of a search."""
    scale = CELLS / (high - low) if high > low else 1.0
    at, early = low + np.arange(CELLS + 1) / scale, 0.01 / scale  # rounding may be a cell off
    first = np.searchsorted(edges, at - early)
    last = np.searchsorted(edges, at + 1 / scale + early)
    most = int((last - first).max(initial=0))
    padded = np.array([*edges, *[1e300] * (most + 1)])
    held = padded[first[:, None] + np.arange(most)]
    held = np.where(np.arange(most) < (last - first)[:, None], held, 1e300)
    return scale, first, held


def _inner(curve: Curve, least: float, most: float) -> list[float]:
    """Edges of a curve where it is not clipped, and the two at which it is."""
    ends = {end for end in (least, most) if abs(end) < inf}
    return sorted({edge for edge in curve.edges if least <= edge <= most} | ends)


def _intervals(curve: Curve, least: float, most: float) -> tuple[list[float], Vector, Vector]:
    """Edges between the rows; where each row counts from; and a number within each."""
    if not curve.edges:
        return [], np.zeros(1), np.zeros(1)
    inner = _inner(curve, least, most)
    if least == -inf:
        inner = inner[1:]  # below the first edge a curve goes on as before
    if most == inf:
        inner = inner[:-1]
    below = inner[0] if least > -inf else curve.edges[0]
    above = inner[-1] if most < inf else curve.edges[-1]
    start = np.array([below, *inner])
    inside = (start + np.array([*inner, above])) / 2
    inside[0] -= least > -inf
    inside[-1] += most < inf
    return inner, start, inside


def _missing(sheet: Sheet, j: int, nodes: list[float]) -> tuple[Matrix, Vector]:
    """What stands for a missing number: linear in log carat between the nodes.

    Cubics of shape (nodes + 1, cuts, *grades, 4), and where log carat counts from.
    """
    means = np.moveaxis(np.asarray(sheet.means)[..., j], 1, 0)
    cubic = np.zeros((len(nodes) + 1, *means.shape[1:], 4))
    cubic[0, ..., 0], cubic[1:, ..., 0] = means[0], means
    steps = np.diff(nodes).reshape(-1, *(1,) * (means.ndim - 1))
    cubic[1:-1, ..., 1] = np.diff(means, axis=0) / steps
    return cubic, np.array([nodes[0], *nodes])


def _never_known(curve: Curve, plan: Plan, tables: _Weighed) -> None:
    """Add what stands for a number that no stone has to the tables over the weight."""
    for sheet in curve.sheets:
        grades = ("cut", *sheet.grades)
        if "cut" in sheet.grades:
            grades = tuple(dict.fromkeys(grades))
        table = tables.table(grades)
        for j, line in enumerate(sheet.lines):
            cubic, lows = _missing(sheet, j, plan.nodes)
            cubic = _once(cubic, sheet.grades)
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


def _once(cubic: Matrix, grades: tuple[str, ...]) -> Matrix:
    """Let the cut, which is an axis of the means, be one axis only."""
    if "cut" not in grades:
        return cubic
    axis = 2 + grades.index("cut")
    return np.moveaxis(np.diagonal(cubic, axis1=1, axis2=axis), -1, 1)


def _own(
    name: str, curve: Curve, variable: str, ends: tuple[float, float], plan: Plan, sizes: Sizes
) -> Lookup:
    """The table of a curve over a proportion."""
    least, most = ends
    inner, start, inside = _intervals(curve, least, most)
    grades = {g for sheet in curve.sheets for g in sheet.grades}
    means = any(sheet.means is not None for sheet in curve.sheets)
    axes = tuple(g.name for g in GRADES if g.name in grades | ({"cut"} if means else set()))
    further = len(plan.nodes) + 1 if means else 0
    shape = (len(start) + further, *(sizes[g] for g in axes))
    nodes = [exp(node) for node in plan.nodes] if means else []
    table = Lookup(name, variable, inner, nodes, axes, shape)
    for sheet in curve.sheets:
        for j, line in enumerate(sheet.lines):
            cubic = _cubic(sheet, j)
            if curve.edges:
                cubic = shifted(curve, cubic, inside, start, least, most)
            padding = [(0, further)] + [(0, 0)] * (cubic.ndim - 1)
            table.add(line, variable, np.pad(cubic, padding), sheet.grades)
            if sheet.means is not None:
                gone, lows = _missing(sheet, j, plan.nodes)
                gone = _once(gone, sheet.grades)
                padding = [(len(start), 0)] + [(0, 0)] * (gone.ndim - 1)
                both = tuple(dict.fromkeys(("cut", *sheet.grades)))
                table.add(line, variable, np.pad(gone, padding), both)
                table.lows[variable] = np.append(start, lows)
    table.lows.setdefault(variable, start)
    return table


def _backing(weight: Lookup, model: PriceModel, inside: Vector, level: float) -> None:
    """Support near by, and the half width of the range, by weight, color and clarity."""
    colors, clarities = (levels_of_names(model, name) for name in ("color", "clarity"))
    if model.support is not None:
        s = model.support
        near = np.zeros(weight.shape, np.int64)
        band = np.searchsorted(s.bands, inside, side="right")
        around = s.around()
        for (i, c), (j, q) in product(enumerate(colors), enumerate(clarities)):
            if c in s.colors and q in s.clarities:
                near[:, i, j] = around[band, s.colors.index(c), s.clarities.index(q)]
        weight.plain["near"] = np.minimum(near, FEW)
    if model.markup is not None:
        part: Integers = model.markup.part(inside)
        intervals = len(model.markup.blended[0]) - 1
        weight.plain["part"] = np.broadcast_to((part * intervals)[:, None, None], weight.shape)
    if model.ranges is not None:
        r = model.ranges
        half = np.zeros(weight.shape)
        band = np.searchsorted(r.bands, inside, side="right")
        parts = np.array([r.half(k, level) for k in range(len(r.counts))])
        for j, q in enumerate(clarities):
            place = r.clarities.index(q) if q in r.clarities else 0
            half[..., j] = parts[np.array(r.part)[band, place]][:, None]
        for axis, name in ((1, "color"), (2, "clarity")):
            given = r.difficulty.get(name, {})
            names = colors if axis == 1 else clarities
            factor = np.array([given.get(g, 1.0) for g in names])
            half *= factor[None, :, None] if axis == 1 else factor
        weight.plain["half"] = half


def levels_of_names(model: PriceModel, name: str) -> list[str]:
    """Grades of one kind in the order of the tables."""
    plan = model._plan()
    assert plan is not None
    return levels_of(plan, model)[name]


def _factors(model: PriceModel, name: str, levels: list[str], table: Lookup) -> Matrix:
    assert model.ranges is not None
    given = model.ranges.difficulty.get(name, {})
    factor = np.array([given.get(grade, 1.0) for grade in levels])
    return np.broadcast_to(factor, table.shape)


def _markup(model: PriceModel) -> Matrix | None:
    if model.markup is None:
        return None
    low = np.array(model.markup.blended)
    slope = np.diff(low, axis=1)
    start = low[:, :-1] - np.arange(slope.shape[1]) * slope
    return np.stack([start.ravel(), slope.ravel()], axis=1)
