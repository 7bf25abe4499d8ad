"""The mark-up of one price list over the other, from stones that stand on both.

Two sales are a pair when weight, color, clarity, depth, table and the two sides agree and
their order is opposite. The ratio of their prices is the mark-up at that base price, with
hardly any spread inside a band of prices, so that medians over a narrow window recover it.
"""

from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.fitting.sales import Sales
from diamond_pricing.model.markup import MARKED, Band, Markup
from diamond_pricing.stones import LISTING

FEWEST = 40  # pairs; with fewer there is no mark-up to speak of
PARTED_AT = 1.0  # carats; the mark-ups of lighter and heavier stones part here
STEP = 0.01  # of log price from node to node
WINDOW = 0.02  # log price to either side that a median is taken over
NEAREST = 8  # pairs at least
SAME = 0.012  # neighbouring medians closer than this are one band
LEAST = 0.05  # relative rise of a blended price with its base price
DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Stones on both lists.

    Attributes
    ----------
    base, marked : Vector
        Log price on x<y and on x>y, shape (pairs,).
    heavy : ndarray of bool
        Whether they weigh ``PARTED_AT`` or more.
    """

    base: Vector
    marked: Vector
    heavy: Integers

    def __len__(self) -> int:
        return len(self.base)


def paired(sales: Sales) -> Pairs:
    """Find the stones that stand once on each list."""
    stones = sales.stones
    x, y = stones["x"], stones["y"]
    columns = [stones[name] for name in ("carat", "color", "clarity", "depth", "table")]
    key = np.column_stack([*columns, np.minimum(x, y), np.maximum(x, y)])
    rows = np.flatnonzero(~np.isnan(key).any(axis=1))
    stone = np.unique(key[rows], axis=0, return_inverse=True)[1].ravel()
    listing = stones[LISTING.name][rows]
    single = []
    for name in ("x<y", MARKED):
        on = rows[listing == LISTING.grades.index(name)]
        of = stone[listing == LISTING.grades.index(name)]
        once = np.bincount(of, minlength=len(rows))[of] == 1
        row_of = np.full(len(rows), -1)
        row_of[of[once]] = on[once]
        single.append(row_of)
    both = (single[0] >= 0) & (single[1] >= 0)
    first, second = (row_of[both] for row_of in single)
    log_price = np.log(sales.price)
    heavy = (stones["carat"][first] >= PARTED_AT).astype(np.int64)
    return Pairs(log_price[first], log_price[second], heavy)


def taken_off(pairs: Pairs, sales: Sales) -> Vector:
    """Log base price of each sale: log price less the mark-up of its list; shape (n,)."""
    log_price = np.log(sales.price)
    nodes = _nodes(pairs.marked)
    curves = _curves(pairs, pairs.marked, nodes)
    heavy = (sales.stones["carat"] >= PARTED_AT).astype(np.int64)
    near = np.round((log_price - nodes[0]) / STEP).astype(np.int64).clip(0, len(nodes) - 1)
    marked = sales.stones[LISTING.name] == LISTING.grades.index(MARKED)
    taken = np.where(marked, curves[heavy, near], 0.0)
    base: Vector = np.asarray(log_price - taken, dtype=np.float64)
    return base


def put_back(pairs: Pairs, share: float, sd: float) -> Markup:
    """Learn the mark-up as a function of a base price that is known but for an error.

    Parameters
    ----------
    share : float
        Of the list x>y in the blend.
    sd : float
        Standard deviation of the fitted log base price. The mark-up is averaged over it:
        near the end of a band nobody knows which side of it a stone is on.
    """
    nodes = _nodes(pairs.base)
    sharp = _curves(pairs, pairs.base, nodes)
    z = np.linspace(-2.5, 2.5, 41)
    kernel = np.exp(-(z**2) / 2)
    curves = [
        sum(
            w * np.interp(nodes + sd * q, nodes, curve)
            for q, w in zip(z, kernel / kernel.sum(), strict=True)
        )
        for curve in sharp
    ]
    listed = np.round(curves, DIGITS)
    # On the blend a higher base price, or a heavier stone, never comes out lower.
    light, heavy = (_rising(nodes, nodes + share * curve) for curve in listed)
    heavy = np.maximum(heavy, light)
    up = 10.0**DIGITS  # rounding must not make a price fall: round so that sums keep order
    blended = [np.floor((line - nodes) * up + 0.5) / up for line in (light, heavy)]
    return Markup(
        parted_at=PARTED_AT,
        start=float(nodes[0]),
        step=STEP,
        listed=_pair(listed),
        blended=_pair(blended),
        bands=_bands(pairs, nodes, sharp),
    )


def _rising(nodes: Vector, line: Vector) -> Vector:
    """Lift a line so that it rises everywhere by at least ``LEAST`` of the base."""
    lifted: Vector = np.maximum.accumulate(line - LEAST * nodes) + LEAST * nodes
    return lifted


def _pair(curves: object) -> tuple[tuple[float, ...], tuple[float, ...]]:
    light, heavy = (tuple(float(v) for v in curve) for curve in np.asarray(curves))
    return light, heavy


def _nodes(log_price: Vector) -> Vector:
    first = np.floor(log_price.min() / STEP) * STEP
    nodes: Vector = np.round(
        first + STEP * np.arange(int((log_price.max() - first) / STEP) + 2), 6
    )
    return nodes


def _curves(pairs: Pairs, by: Vector, nodes: Vector) -> Vector:
    """Median log ratio around each node: lighter stones, heavier stones; shape (2, nodes)."""
    curves = np.zeros((2, len(nodes)))
    for heavy in (0, 1):
        of = pairs.heavy == heavy
        if of.sum() < NEAREST:  # too few of this side: what the others say
            of = np.ones(len(pairs), bool)
        order = np.argsort(by[of], kind="stable")
        at, ratio = by[of][order], (pairs.marked - pairs.base)[of][order]
        low, high = (np.searchsorted(at, nodes + side) for side in (-WINDOW, WINDOW))
        middle = np.searchsorted(at, nodes)
        few = high - low < NEAREST
        low = np.where(few, np.clip(middle - NEAREST // 2, 0, len(at) - NEAREST), low)
        high = np.where(few, low + NEAREST, high)
        curves[heavy] = [np.median(ratio[a:b]) for a, b in zip(low, high, strict=True)]
    return curves


def _bands(pairs: Pairs, nodes: Vector, sharp: Vector) -> tuple[Band, ...]:
    bands = []
    for heavy in (0, 1):
        of = pairs.heavy == heavy
        if not of.any():
            continue
        base, ratio = pairs.base[of], (pairs.marked - pairs.base)[of]
        node = np.round((base - nodes[0]) / STEP).astype(np.int64).clip(0, len(nodes) - 1)
        part = np.concatenate([[0], np.cumsum(np.abs(np.diff(sharp[heavy])) > SAME)])[node]
        for which in np.unique(part):
            inside = part == which
            if inside.sum() < 2 * NEAREST:  # the edge between two bands
                continue
            quartiles = np.exp(np.quantile(ratio[inside], (0.25, 0.5, 0.75)))
            bands.append(
                Band(
                    heavy=bool(heavy),
                    low=round(float(np.exp(base[inside].min())), 2),
                    high=round(float(np.exp(base[inside].max())), 2),
                    factor=round(float(quartiles[1]), 4),
                    spread=round(float(quartiles[2] - quartiles[0]) / 2, 4),
                    pairs=int(inside.sum()),
                )
            )
    return tuple(bands)
