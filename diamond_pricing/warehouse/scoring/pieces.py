"""The curves of a model, from its tables, and their cubics put on other intervals."""

from datetime import date
from math import inf
from typing import NamedTuple

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import NotCompilableError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.tables import Axis
from diamond_pricing.stones import ATTRIBUTES, GRADES, Day
from diamond_pricing.stones.attributes import iso
from diamond_pricing.terms import Periods, parse
from diamond_pricing.terms.basis import UNRECORDED

CELLS = 1024


class Curve(NamedTuple):
    """Effects of some lines over a number and grades."""

    feature: str  # the number, as arithmetic; empty for none
    edges: tuple[float, ...]  # of its intervals
    grades: tuple[str, ...]
    lines: tuple[int, ...]
    graded: bool  # whether the number is a grade that a stone may lack, by its place
    known: Matrix  # cubics where it is known, shape (intervals, *grades, lines, 4)
    # What stands in where it is missing, shape (cuts or shapes, nodes, *grades, lines).
    means: Matrix | None


def curves_of(model: PriceModel) -> list[Curve]:
    """All effects from the model's own reference on the blend.

    Raises
    ------
    NotCompilableError
        For a model with effects over two numbers at once.
    """
    found = []
    averages, levels = model.averages, levels_of(model)
    for home, effects in model._from_reference.homes.items():
        axes, values = _by_period(home, effects, levels)
        k = len(axes)
        numbers = [i for i, axis in enumerate(axes) if axis.feature not in levels]
        graded = [axis for axis in axes if axis.feature in levels]
        number = axes[numbers[0]] if numbers else None
        if (
            len(numbers) > 1
            or any(list(axis.marks) != levels.get(axis.feature) for axis in graded)
            or (number is not None and number.powers > 4)
            or (number is not None and not number.graded and parse(number.feature).ordered)
        ):
            raise NotCompilableError(
                f"this {model.family} model has effects over two numbers at once, or over "
                "the order of the sides, which no look-up table holds. Price files with "
                "`score`."
            )
        lines = np.flatnonzero(values.any(axis=tuple(range(2 * k)))).tolist()
        if number is None:
            cubics = values.reshape(1, *values.shape[:k], 1, values.shape[-1])
        else:
            cubics = np.moveaxis(values, (numbers[0], k + numbers[0]), (0, k))
            cubics = cubics.reshape(*cubics.shape[: k + 1], cubics.shape[-1])
        cubics = np.moveaxis(cubics[..., lines], -1, -2)
        cubics = np.pad(cubics, [(0, 0)] * (cubics.ndim - 1) + [(0, 4 - cubics.shape[-1])])
        known = cubics[: 1 if number is None else number.known]
        means = cubics[len(known) :, ..., 0]
        shape = (len(averages.groups), len(averages.carats), *means.shape[1:])
        found.append(
            Curve(
                "" if number is None else number.feature,
                () if number is None or number.graded else number.marks,
                tuple(axis.feature for axis in graded),
                tuple(lines),
                number is not None and number.graded,
                known,
                means.reshape(shape) if len(means) else None,
            )
        )
    return found


def levels_of(model: PriceModel) -> dict[str, list[str]]:
    """Grades that every stone has a level of, as the model's tables know them."""
    found = {g.name: list(model.training.grades[g.name]) for g in GRADES if g.required}
    for axis in model._tables.axes:
        if axis.graded and (axis.feature in found or UNRECORDED in axis.marks):
            found[axis.feature] = list(axis.marks)
    if starts := {
        day
        for term in model.terms
        for basis in term.bases
        if isinstance(basis, Periods)
        for day in basis.starts[:-1]
    }:
        found[model.dates or ""] = [*map(iso, sorted(starts)), UNRECORDED]
    return found


def _by_period(
    axes: tuple[Axis, ...], values: Matrix, levels: dict[str, list[str]]
) -> tuple[tuple[Axis, ...], Matrix]:
    """Effects over a date as over a grade, whose levels are the periods of all terms."""
    for i, axis in enumerate(axes):
        dated = isinstance(ATTRIBUTES.get(axis.feature), Day) and axis.feature in levels
        if axis.graded or not dated:
            continue
        *days, _ = levels[axis.feature]
        starts = [float(date.fromisoformat(day).toordinal()) for day in days]
        place = np.searchsorted(axis.marks, starts, side="right") - 1
        # What stands in for no date is the same for all stones.
        values = np.take(values, [*place.clip(0, axis.known - 1), axis.known], axis=i)
        values = np.take(values, [0], axis=len(axes) + i)  # periods are level
        as_grade = Axis(axis.feature, axis.line, (*days, UNRECORDED), 1)
        axes = (*axes[:i], as_grade, *axes[i + 1 :])
    return axes, values


def shifted(
    curve: Curve, cubic: Matrix, at: Vector, start: Vector, least: float, most: float
) -> Matrix:
    """Cubics on other intervals within those of a curve, which is clipped at two numbers.

    ``cubic`` is by the curve's intervals, shape (r, …, 4), in u of each; ``at`` and ``start``
    are a number within each new interval, and where its variable counts from; (n,).
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


def cells(edges: list[float], low: float, high: float) -> tuple[float, Integers, Matrix]:
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


def inner_edges(curve: Curve, least: float, most: float) -> list[float]:
    """Edges of a curve where it is not clipped, and the two at which it is."""
    ends = {end for end in (least, most) if abs(end) < inf}
    return sorted({edge for edge in curve.edges if least <= edge <= most} | ends)


def intervals(curve: Curve, least: float, most: float) -> tuple[list[float], Vector, Vector]:
    """Edges between the rows; where each row counts from; and a number within each."""
    if not curve.edges:
        return [], np.zeros(len(curve.known)), np.zeros(len(curve.known))
    inner = inner_edges(curve, least, most)
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


def missing_of(curve: Curve, j: int, model: PriceModel) -> tuple[Matrix, Vector, list[str]]:
    """What stands for a missing number: linear in log carat between the nodes.

    Cubics of shape (nodes + 1, *grades, 4), where log carat counts from, and the grades: the
    one of the averages, cut or shape, and the others of the curve.
    """
    assert curve.means is not None
    nodes = np.log(model.averages.carats)
    grade, groups = model.averages.grade, model.averages.groups
    order = [groups.index(group) for group in levels_of(model)[grade]]
    means = np.moveaxis(curve.means[order][..., j], 1, 0)
    cubic = np.zeros((len(nodes) + 1, *means.shape[1:], 4))
    cubic[0, ..., 0], cubic[1:, ..., 0] = means[0], means
    steps = np.diff(nodes).reshape(-1, *(1,) * (means.ndim - 1))
    cubic[1:-1, ..., 1] = np.diff(means, axis=0) / steps
    if grade in curve.grades:  # one axis for both
        axis = 2 + curve.grades.index(grade)
        cubic = np.moveaxis(np.diagonal(cubic, axis1=1, axis2=axis), -1, 1)
    grades = [grade, *(name for name in curve.grades if name != grade)]
    return cubic, np.array([nodes[0], *nodes]), grades
