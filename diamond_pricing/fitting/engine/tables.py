"""The Gram matrix of a fit, from one- and two-way tables over binned attributes.

Sales repeat: there are 273 weights, 184 depths and 8 clarities in 54,000 of them. For two
terms with columns B_i and B_j at their distinct cells,

    X_i'WX_j = B_i' N_ij B_j,

where N_ij holds the weights of the sales in each pair of cells (Wood, Li, Shaddick &
Augustin 2017). Terms over the same attributes share their cells.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.fitting.engine.design import Design, Margin, Sheet
from diamond_pricing.terms import AnyBasis, Rows, interleaved

BINS = 512  # of a feature with more distinct values
FEW = 10  # sales for each column, below which their rows are multiplied as they stand

Features = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Gram:
    """X'WX, X'Wy, y'Wy and n: all that a penalised fit needs."""

    XX: Matrix  # shape (p, p)
    Xy: Vector  # shape (p,)
    yy: float
    # Number of sales. Weights say how precise each is, not how often it is there: a sale of
    # weight 2 counts once.
    n: int

    def __add__(self, more: "Gram") -> "Gram":
        return Gram(self.XX + more.XX, self.Xy + more.Xy, self.yy + more.yy, self.n + more.n)

    def __sub__(self, part: "Gram") -> "Gram":
        return Gram(self.XX - part.XX, self.Xy - part.Xy, self.yy - part.yy, self.n - part.n)

    def only(self, columns: Integers) -> "Gram":
        """Of some of the columns."""
        return Gram(self.XX[np.ix_(columns, columns)], self.Xy[columns], self.yy, self.n)


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


class Tables:
    """Where n sales stand in the tables of a design.

    Each feature has the values of its bins, ascending, in ``axes``, and the bin of each
    sale, shape (n,), in ``codes``.
    """

    def __init__(
        self, design: Design, axes: Mapping[str, Vector], codes: Mapping[str, Integers]
    ) -> None:
        features = [[m.basis.feature for m in sheet.margins] for sheet in design.sheets]
        groups = grouped(features)
        self.sheets: list[Sheet] = []  # the terms of a group side by side
        self.blocks, at, stop = [], [], 0
        self.columns: list[slice] = []
        for group, of in groups.items():
            cells, of_sale = _cells(axes, codes, group)
            at.append(of_sale)
            sheets = [design.sheets[i] for i in of]
            self.sheets += sheets
            block = sparse.hstack([_columns(sheet, cells, axes) for sheet in sheets]).tocsr()
            self.blocks.append(block)
            self.columns.append(slice(stop, stop + block.shape[1]))
            stop += block.shape[1]
        self.own = at
        self.pairs: list[tuple[int, int, Integers, Integers, Integers]] = []
        self.rows: Matrix | None = None
        if len(at[0]) < FEW * design.p:  # as many cells as sales: nothing is gained by them
            self.rows = rows_of(design, axes, codes)
            return
        for g, h in combinations_with_replacement(range(len(groups)), 2):
            wide = self.blocks[h].shape[0]
            both, of_sale = np.unique(at[g] * wide + at[h], return_inverse=True)
            self.pairs.append((g, h, both // wide, both % wide, of_sale))

    def gram(
        self, y: Vector, weight: Vector | None = None, some: NDArray[np.bool_] | None = None
    ) -> Gram:
        """Sum over all sales, or some, of log prices y and perhaps weights; shape (n,)."""
        w = np.ones(len(y)) if weight is None else weight
        if self.rows is not None:
            kept = slice(None) if some is None else some
            y, w = y[kept], w[kept]
            root = np.sqrt(w)
            half = self.rows[kept] * root[:, None]
            return Gram(half.T @ half, (root * y) @ half, float(w @ y**2), len(y))
        if some is not None:
            w = np.where(some, w, 0.0)
        width = self.columns[-1].stop
        XX, Xy = np.zeros((width, width)), np.empty(width)
        for g, block in enumerate(self.blocks):
            total = np.bincount(self.own[g], w * y, block.shape[0])
            Xy[self.columns[g]] = block.T @ total
        for g, h, i, j, at in self.pairs:
            count = np.bincount(at, w, len(i))
            (sold,) = np.nonzero(count)
            shape = (self.blocks[g].shape[0], self.blocks[h].shape[0])
            N = sparse.csr_matrix((count[sold], (i[sold], j[sold])), shape)
            found = (self.blocks[g].T @ (N @ self.blocks[h])).toarray()
            XX[self.columns[g], self.columns[h]] = found
            XX[self.columns[h], self.columns[g]] = found.T
        for _ in range(2):  # the matrix is symmetric
            XX = turned(self.sheets, XX)
            XX = np.ascontiguousarray(XX.T)
        n = len(y) if some is None else int(some.sum())
        return Gram(XX, turned(self.sheets, Xy[:, None])[:, 0], float(w @ y**2), n)


def grouped(features: Sequence[Iterable[str]]) -> dict[Features, list[int]]:
    """The largest sets of features of one term, and which terms are over each or a part."""
    found: dict[Features, list[int]] = {}
    sets = [tuple(sorted({*f})) for f in features]
    for each in sorted({*sets}, key=lambda f: (-len(f), f)):
        if not any(set(each) <= set(larger) for larger in found):
            found[each] = []
    for i, each in enumerate(sets):
        found[next(group for group in found if set(each) <= set(group))].append(i)
    return found


def _cells(
    axes: Mapping[str, Vector], codes: Mapping[str, Integers], features: Features
) -> tuple[dict[str, Integers], Integers]:
    """Bins of each feature in the cells that are sold in, and the cell of each sale."""
    sizes = [len(axes[f]) for f in features]
    if not features:
        return {}, np.zeros(len(next(iter(codes.values()))), np.int64)
    flat = np.ravel_multi_index([codes[f] for f in features], sizes)
    cells, at = np.unique(flat, return_inverse=True)
    return dict(zip(features, np.unravel_index(cells, sizes), strict=True)), at


def _columns(
    sheet: Sheet, cells: Mapping[str, Integers], axes: Mapping[str, Vector]
) -> sparse.csr_matrix:
    """Columns of a term at cells, before they are centred; sparse."""
    n = len(next(iter(cells.values()), np.zeros(1)))
    bases = [margin.basis for margin in sheet.margins]
    sides = [taken(b.placed(axes[b.feature]), cells[b.feature]) for b in bases]
    return spread(sides, [basis.width for basis in bases], n)


def taken(rows: Rows, at: Integers) -> Rows:
    """Some of the rows, perhaps several times."""
    return Rows(rows.position[at], rows.weight[at])


def spread(sides: Sequence[Rows], widths: Sequence[int], n: int) -> sparse.csr_matrix:
    """Row-wise tensor product of n rows of bases, the last fastest; sparse."""
    position: Integers = np.zeros((n, 1), np.int64)
    weight: Vector = np.ones((n, 1))
    for (p, w), width in zip(sides, widths, strict=True):
        position = (position[:, :, None] * width + p[:, None, :]).reshape(n, -1)
        weight = (weight[:, :, None] * w[:, None, :]).reshape(n, -1)
    start = np.arange(n + 1) * position.shape[1]
    return sparse.csr_matrix((weight.ravel(), position.ravel(), start), (n, prod(widths)))


def rows_of(
    design: Design, axes: Mapping[str, Vector], codes: Mapping[str, Integers]
) -> Matrix:
    """Rows of the design matrix of n sales at their bins, shape (n, p)."""

    def side(margin: Margin) -> Matrix:
        feature = margin.basis.feature
        at: Matrix = columns(margin.basis, axes[feature]) @ margin.transform
        return at[codes[feature]]

    return joined(design, side, len(next(iter(codes.values()))))


def joined(design: Design, side: Callable[[Margin], Matrix], n: int) -> Matrix:
    """Rows of the design matrix from the n rows of each margin, shape (n, p)."""
    found = np.ones((n, design.p))
    sides: dict[int, Matrix] = {}
    for sheet in design.sheets[1:]:
        for margin in sheet.margins:
            if id(margin) not in sides:
                sides[id(margin)] = side(margin)
        found[:, sheet.columns] = interleaved([sides[id(m)] for m in sheet.margins], n)
    return found


def columns(basis: AnyBasis, values: Vector) -> Matrix:
    """Dense columns of a basis at values of its feature, shape (m, w)."""
    rows = basis.placed(values)
    full = np.zeros((len(values), basis.width))
    for i, w in zip(rows.position.T, rows.weight.T, strict=True):
        full[np.arange(len(values)), i] += w
    return full


def turned(sheets: Sequence[Sheet], raw: Matrix) -> Matrix:
    """T'M for the stacked columns of all terms, in any order, one margin at a time.

    Shape (p, m): each row stands where the design has it.
    """
    made = np.empty((max(sheet.columns.stop for sheet in sheets), raw.shape[1]))
    row = 0
    for sheet in sheets:
        left, right = 1, prod(margin.basis.width for margin in sheet.margins)
        part = raw[row : row + right]
        row += right
        for margin in sheet.margins:
            wide, narrow = margin.transform.shape
            right //= wide
            part = margin.transform.T @ part.reshape(left, wide, -1)
            left *= narrow
        made[sheet.columns] = part.reshape(left, -1)
    return made
