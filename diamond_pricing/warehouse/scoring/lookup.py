"""One look-up table, and what of it does not come from the curves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.model import PriceModel
from diamond_pricing.model.like_sales import Cells
from diamond_pricing.model.support import code_of
from diamond_pricing.model.verdict import FEW
from diamond_pricing.warehouse.scoring.pieces import levels_of


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
        Weights that part the further rows for stones without the number; see `Averages`.
    grades : tuple[str, ...]
        Axes behind the row.
    shape : tuple[int, ...]
        Rows, and how many of each grade.
    graded : bool
        Whether the number is a grade that a stone may lack.
    cubics : dict[tuple[int, str], Matrix]
        By line and variable the coefficients, shape (*shape, 4), by powers of the variable
        less its ``lows``.
    lows : dict[str, Vector]
        By variable, shape (rows,).
    plain : dict[str, Matrix]
        Further columns, shape ``shape``.
    cells : Cells or None
        Whose effects on the blend it holds, instead of all that.
    """

    name: str
    feature: str
    edges: list[float]
    missing: list[float]
    grades: tuple[str, ...]
    shape: tuple[int, ...]
    graded: bool = False
    cubics: dict[tuple[int, str], Matrix] = field(default_factory=dict)
    lows: dict[str, Vector] = field(default_factory=dict)
    plain: dict[str, Matrix] = field(default_factory=dict)
    cells: Cells | None = None

    def add(self, line: int, variable: str, cubic: Matrix, grades: Sequence[str]) -> None:
        """Add cubics over some of the grades, shape (rows or 1, *grades, 4)."""
        axes = [1 + grades.index(g) if g in grades else None for g in self.grades]
        order = [0, *(a for a in axes if a is not None), cubic.ndim - 1]
        given = cubic.transpose(order)
        place = tuple(slice(None) if a is not None else None for a in axes)
        given = given[(slice(None), *place)]
        whole = self.cubics.setdefault((line, variable), np.zeros((*self.shape, 4)))
        whole += given


def backing(weight: Lookup, model: PriceModel, inside: Vector, level: float) -> None:
    """Support near by, and the half width of the range, by weight, color and clarity."""
    levels = levels_of(model)
    colors, clarities = levels["color"], levels["clarity"]
    if model.support is not None:
        s = model.support
        near = np.zeros(weight.shape, np.int64)
        band = np.searchsorted(s.bands, inside, side="right")
        around = s.around()
        for (i, c), (j, q) in product(enumerate(colors), enumerate(clarities)):
            if c in s.colors and q in s.clarities:
                near[:, i, j] = around[band, code_of("color", c), code_of("clarity", q)]
        weight.plain["near"] = np.minimum(near, FEW)
    if model.markup is not None:
        part: Integers = model.markup.part(inside)
        intervals = len(model.markup.blended[0]) - 1
        weight.plain["part"] = np.broadcast_to((part * intervals)[:, None, None], weight.shape)
    if model.ranges is not None:
        r = model.ranges
        half = np.zeros(weight.shape)
        band = np.searchsorted(r.bands, inside, side="right")
        parts = r.halves(level)
        for j, q in enumerate(clarities):
            place = r.clarities.index(q) if q in r.clarities else 0
            half[..., j] = parts[np.array(r.part)[band, place]][:, None]
        for axis, name in ((1, "color"), (2, "clarity")):
            given = r.difficulty.get(name, {})
            names = colors if axis == 1 else clarities
            factor = np.array([given.get(g, 1.0) for g in names])
            half *= factor[None, :, None] if axis == 1 else factor
        weight.plain["half"] = half


def factors(model: PriceModel, name: str, levels: list[str], table: Lookup) -> Matrix:
    """What the ranges of a grade are multiplied by."""
    assert model.ranges is not None
    given = model.ranges.difficulty.get(name, {})
    factor = np.array([given.get(grade, 1.0) for grade in levels])
    return np.broadcast_to(factor, table.shape)


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
