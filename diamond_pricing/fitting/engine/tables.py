"""One- and two-way tables over binned attributes, and the Gram matrix made from them.

Sales repeat: there are 273 weights, 184 depths and 8 clarities in 54,000 of them. For two
terms with columns B_i and B_j at their distinct cells,

    X_i'X_j = B_i' N_ij B_j,

where N_ij counts the sales in each pair of cells (Wood, Li, Shaddick & Augustin 2017).
Tables of two parts of the sales add up to those of the whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sparse

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.engine.design import Design, Sheet

BINS = 512  # of a feature with more distinct values

Features = tuple[str, ...]


class Table(NamedTuple):
    """Sales by the cells of some features.

    Attributes
    ----------
    cell : Integers
        Flat index over the features' bins, the last fastest, ascending; shape (m,).
    weight, total : Vector
        Sum of weights, and of weight times log price; shape (m,).
    """

    cell: Integers
    weight: Vector
    total: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What the fit needs to know of the sales.

    Attributes
    ----------
    axes : Mapping[str, Vector]
        For each feature the values of its bins, ascending.
    tables : Mapping[Features, Table]
        By features, for every pair of groups of terms.
    squares : float
        Sum of weight times squared log price.
    rows : int
        Number of sales.
    """

    axes: Mapping[str, Vector]
    tables: Mapping[Features, Table]
    squares: float
    rows: int

    def __add__(self, other: "Tables") -> "Tables":
        """Merge the tables of two parts of the sales."""
        if self.axes.keys() != other.axes.keys() or any(
            not np.array_equal(self.axes[f], other.axes[f]) for f in self.axes
        ):
            raise FitError("tables over different bins cannot be added.")
        return Tables(
            self.axes,
            {f: _added(table, other.tables[f]) for f, table in self.tables.items()},
            self.squares + other.squares,
            self.rows + other.rows,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Gram:
    """X'WX, X'Wy, y'Wy and n: all that a penalised fit needs.

    Attributes
    ----------
    XX : Matrix
        Shape (p, p).
    Xy : Vector
        Shape (p,).
    yy : float
    n : int
        Number of sales. Weights say how precise each is, not how often it stands there: a
        sale of weight 2 counts once.
    """

    XX: Matrix
    Xy: Vector
    yy: float
    n: int

    def __add__(self, other: "Gram") -> "Gram":
        """Put two parts of the sales together."""
        return Gram(
            self.XX + other.XX, self.Xy + other.Xy, self.yy + other.yy, self.n + other.n
        )

    def __sub__(self, other: "Gram") -> "Gram":
        """Take away a part of the sales."""
        return Gram(
            self.XX - other.XX, self.Xy - other.Xy, self.yy - other.yy, self.n - other.n
        )


def axis(values: Vector, bins: int = BINS) -> Vector:
    """Bins of a feature: its distinct values, or where they are many an even grid."""
    distinct = np.unique(values)
    if len(distinct) <= bins:
        return distinct
    return np.linspace(distinct[0], distinct[-1], bins)


def coded(values: Vector, bins: Vector) -> Integers:
    """Nearest bin of each value, shape (n,)."""
    if len(bins) == 1:
        return np.zeros(len(values), np.int64)
    middles = (bins[1:] + bins[:-1]) / 2
    return np.searchsorted(middles, values).astype(np.int64)


def grouped(design: Design) -> list[Features]:
    """The largest sets of features that stand together in a term."""
    found: list[Features] = []
    every = {_features(sheet) for sheet in design.sheets}
    for features in sorted(every, key=lambda f: (-len(f), f)):
        if not any(set(features) <= set(larger) for larger in found):
            found.append(features)
    return found


def _features(sheet: Sheet) -> Features:
    return tuple(sorted({margin.basis.feature for margin in sheet.margins}))


def tabulate(
    codes: Mapping[str, Integers],
    axes: Mapping[str, Vector],
    groups: Sequence[Features],
    y: Vector,
    weight: Vector | None = None,
) -> Tables:
    """Count n sales.

    Parameters
    ----------
    codes : Mapping[str, Integers]
        Bin of each sale in each feature, shape (n,).
    y, weight : Vector
        Log prices and, if any, weights; shape (n,).
    """
    w = np.ones(len(y)) if weight is None else weight
    tables = {}
    for first, second in combinations_with_replacement(groups, 2):
        features = tuple(sorted({*first, *second}))
        if features not in tables:
            cell, at = np.unique(_flat(codes, axes, features), return_inverse=True)
            tables[features] = Table(cell, _sums(at, w, len(cell)), _sums(at, w * y, len(cell)))
    return Tables(axes, tables, float(w @ y**2), len(y))


def _flat(codes: Mapping[str, Integers], axes: Mapping[str, Vector], f: Features) -> Integers:
    flat = np.zeros(len(next(iter(codes.values()))), np.int64)
    for name in f:
        flat = flat * len(axes[name]) + codes[name]
    return flat


def _sums(at: Integers, values: Vector, n: int) -> Vector:
    return np.bincount(at, values, n).astype(np.float64)


def _added(a: Table, b: Table) -> Table:
    cell, at = np.unique(np.concatenate([a.cell, b.cell]), return_inverse=True)
    return Table(
        cell,
        _sums(at, np.concatenate([a.weight, b.weight]), len(cell)),
        _sums(at, np.concatenate([a.total, b.total]), len(cell)),
    )


def gram(design: Design, tables: Tables) -> Gram:
    """X'WX, X'Wy and y'Wy from tables."""
    groups = grouped(design)
    home = [
        next(g for g, features in enumerate(groups) if set(_features(sheet)) <= set(features))
        for sheet in design.sheets
    ]
    members = [
        [s for s, h in zip(design.sheets, home, strict=True) if h == g]
        for g in range(len(groups))
    ]
    XX, Xy = np.zeros((design.p, design.p)), np.zeros(design.p)
    own = [tables.tables[features] for features in groups]
    blocks = [
        _columns(sheets, features, table.cell, tables.axes)
        for sheets, features, table in zip(members, groups, own, strict=True)
    ]
    places = [
        np.concatenate([np.arange(design.p)[sheet.columns] for sheet in sheets])
        for sheets in members
    ]
    for g, h in combinations_with_replacement(range(len(groups)), 2):
        features = tuple(sorted({*groups[g], *groups[h]}))
        table = tables.tables[features]
        i, j = (
            np.searchsorted(own[k].cell, _part(table.cell, features, groups[k], tables.axes))
            for k in (g, h)
        )
        N = sparse.csr_matrix(
            (table.weight, (i, j)), shape=(len(own[g].cell), len(own[h].cell))
        )
        raw = (blocks[g].T @ (N @ blocks[h])).toarray()
        block = turned(members[h], turned(members[g], raw).T).T
        XX[np.ix_(places[g], places[h])] = block
        XX[np.ix_(places[h], places[g])] = block.T
        if g == h:
            Xy[places[g]] = turned(members[g], (blocks[g].T @ own[g].total)[:, None])[:, 0]
    return Gram((XX + XX.T) / 2, Xy, tables.squares, tables.rows)


def turned(sheets: Sequence[Sheet], raw: Matrix) -> Matrix:
    """T'M for the stacked columns of some terms, one margin at a time; shape (q, m)."""
    made, row = [], 0
    for sheet in sheets:
        widths = [margin.basis.width for margin in sheet.margins]
        stop = row + reduce(lambda a, b: a * b, widths, 1)
        part = raw[row:stop].reshape(*widths, -1)
        for i, margin in enumerate(sheet.margins):
            part = np.moveaxis(np.tensordot(margin.transform, part, (0, i)), 0, i)
        made.append(part.reshape(-1, raw.shape[1]))
        row = stop
    return np.vstack(made)


def _part(
    cell: Integers, features: Features, wanted: Features, axes: Mapping[str, Vector]
) -> Integers:
    """Flat index over the wanted features of cells over more of them."""
    index = dict(
        zip(features, np.unravel_index(cell, [len(axes[f]) for f in features]), strict=True)
    )
    flat = np.zeros(len(cell), np.int64)
    for name in wanted:
        flat = flat * len(axes[name]) + index[name]
    return flat


def _columns(
    sheets: Sequence[Sheet], features: Features, cell: Integers, axes: Mapping[str, Vector]
) -> Any:
    """Columns of the terms of a group at its cells, before they are centred; sparse."""
    index = (
        dict(
            zip(features, np.unravel_index(cell, [len(axes[f]) for f in features]), strict=True)
        )
        if features
        else {}
    )
    blocks = []
    for sheet in sheets:
        position, weight = np.zeros((len(cell), 1), np.int64), np.ones((len(cell), 1))
        for margin in sheet.margins:
            basis = margin.basis
            rows = basis.placed(axes[basis.feature])
            at = index[basis.feature]
            p, w = rows.position[at], rows.weight[at]
            position = (position[:, :, None] * basis.width + p[:, None, :]).reshape(
                len(cell), -1
            )
            weight = (weight[:, :, None] * w[:, None, :]).reshape(len(cell), -1)
        width = reduce(lambda a, m: a * m.basis.width, sheet.margins, 1)
        start = np.arange(len(cell) + 1) * position.shape[1]
        blocks.append(
            sparse.csr_matrix((weight.ravel(), position.ravel(), start), (len(cell), width))
        )
    return sparse.hstack(blocks).tocsr()
