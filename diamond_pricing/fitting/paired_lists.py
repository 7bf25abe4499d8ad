"""The mark-up of one price list over the other, from stones that stand on both.

Two sales are a pair when weight, color, clarity, depth, table and the two sides agree and
their order is opposite. The ratio of their prices is the mark-up at that base price, with
hardly any spread inside a band of prices, so that medians over a narrow window recover it.
"""

from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.fitting.sales import Sales
from diamond_pricing.model.markup import MARKED, Band, Markup
from diamond_pricing.stones import LISTING, stone_keys

FEWEST = 40  # pairs; with fewer there is no mark-up to speak of
PARTINGS = (0.3, 0.4, 0.5, 0.7, 0.9, 1.0, 1.2, 1.5, 2.0)  # carats, where schedules may part
GAIN = 0.25  # share of the scatter that a parting must take away
MOST_PARTINGS = 3
STEP = 0.01  # of log price from node to node
WINDOW = 0.02  # log price to either side that a median is taken over
NEAREST = 8  # pairs at least
SAME = 0.012  # neighbouring medians closer than this are one band
LEAST = 0.05  # relative rise of a blended price with its base price
DIGITS = 6
LEVEL_DIGITS = 3  # of log mark-ups that are taken for the same
LEVEL_NEAR = 0.003


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Stones on both lists; shapes (pairs,)."""

    base: Vector  # log price on x<y
    marked: Vector  # log price on x>y
    carat: Vector
    rows: Integers  # which of the sales are those on x>y

    def __len__(self) -> int:
        return len(self.base)


def paired(sales: Sales) -> Pairs:
    """Find the stones that stand once on each list."""
    stones = sales.stones
    key = np.column_stack([stone_keys(stones), stones["depth"], stones["table"]])
    key[~stones.known(LISTING.name)] = np.nan
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
    return Pairs(log_price[first], log_price[second], stones["carat"][first], second)


def parted_at(pairs: Pairs) -> tuple[float, ...]:
    """Find the weights at which the schedule of mark-ups changes, carats, ascending.

    Weights are added one at a time, each that which takes most of the scatter of the ratios
    around their running median away, as long as that is a quarter of it.
    """
    found: tuple[float, ...] = ()
    scatter = _scatter(pairs, found)
    while len(found) < MOST_PARTINGS:
        tried = [tuple(sorted({*found, at})) for at in PARTINGS if at not in found]
        tried = [t for t in tried if np.bincount(_part(pairs.carat, t)).min() >= FEWEST]
        left = [_scatter(pairs, partings) for partings in tried]
        if not left or min(left) > (1 - GAIN) * scatter:
            return found
        scatter = min(left)
        found = tried[left.index(scatter)]
    return found


def taken_off(
    pairs: Pairs,
    partings: tuple[float, ...],
    sales: Sales,
    fitted: Vector | None = None,
    sd: float = 0.0,
) -> Vector:
    """Log base price of each sale: log price less the mark-up of its list; shape (n,).

    A stone that stands on both lists has the base price that it has there. Where bands
    overlap, two base prices may have led to the same marked price; then a fit with errors of
    standard deviation ``sd`` tells which is the likelier: of the base prices that may be, the
    mean by their probability around it. Without a fit it is the running median of the
    mark-ups at about that marked price.
    """
    log_price = np.log(sales.price)
    marked = sales.stones[LISTING.name] == LISTING.grades.index(MARKED)
    part = _part(sales.stones["carat"], partings)
    base: Vector = log_price.copy()
    if fitted is None:
        nodes, curves = _curves(pairs, partings, pairs.marked)
        base -= np.where(marked, curves[part, _nearest(nodes, log_price)], 0.0)
    else:
        rows = np.flatnonzero(marked)
        base[rows] = _likely(pairs, partings, part[rows], log_price[rows], fitted[rows], sd)
    base[pairs.rows] = pairs.base
    return base


def _likely(
    pairs: Pairs,
    partings: tuple[float, ...],
    part: Integers,
    marked: Vector,
    fitted: Vector,
    sd: float,
) -> Vector:
    """Mean of the base prices that may have led to marked ones, shape (n,)."""
    nodes, curves = _curves(pairs, partings, pairs.base)
    found: Vector = np.empty(len(marked))
    for which, curve in enumerate(curves):
        rows = np.flatnonzero(part == which)
        levels = np.unique(np.round(curve, LEVEL_DIGITS))
        base = marked[rows, None] - levels  # if this level was the mark-up …
        node = _nearest(nodes, base)
        # … is it the mark-up of about that base price?
        near = np.stack([curve[(node + k).clip(0, len(nodes) - 1)] for k in (-1, 0, 1)])
        off = np.abs(near - levels).min(axis=0)
        possible = off <= np.maximum(off.min(axis=1, keepdims=True), LEVEL_NEAR)
        far = (base - fitted[rows, None]) / sd
        weight = np.where(
            possible, np.exp(-(far**2 - far.min(axis=1, keepdims=True) ** 2) / 2), 0.0
        )
        weight = np.where(weight.sum(axis=1, keepdims=True) > 0, weight, possible)
        found[rows] = (weight * base).sum(axis=1) / weight.sum(axis=1)
    return found


def put_back(
    pairs: Pairs, partings: tuple[float, ...], rises: tuple[float, ...], share: float, sd: float
) -> Markup:
    """Learn the mark-up as a function of a base price that is known but for an error.

    The ``rises`` are the least that the log base price rises as the weight reaches each of
    the partings, and ``share`` is that of the list x>y in the blend. The mark-up is averaged
    over the standard deviation of the fitted log base price: near the end of a band nobody
    knows which side of it a stone is on.
    """
    nodes, sharp = _curves(pairs, partings, pairs.base)
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
    rest = LEAST * nodes  # which a line rises by everywhere, at least
    lines = np.maximum.accumulate(nodes + share * listed - rest, axis=1) + rest
    for which, rise in enumerate(rises, 1):
        whole = np.floor(rise / STEP) * STEP  # of whole nodes, or a bend could fall between
        before = np.interp(nodes - whole, nodes, lines[which - 1])
        before += np.minimum(nodes - whole - nodes[0], 0) + 2 / 10.0**DIGITS  # over rounding
        lines[which] = np.maximum(lines[which], before)
    up = 10.0**DIGITS  # rounding must not make a price fall: round so that sums keep order
    blended = np.floor((lines - nodes) * up + 0.5) / up
    return Markup(
        parted_at=partings,
        start=float(nodes[0]),
        step=STEP,
        listed=tuple(map(tuple, listed.tolist())),
        blended=tuple(map(tuple, blended.tolist())),
        bands=_bands(pairs, partings, nodes, sharp),
    )


def _part(carat: Vector, partings: tuple[float, ...]) -> Integers:
    """Which side of the partings stones are on: 0 for the lightest, shape (n,)."""
    return np.searchsorted(partings, carat, side="right")


def _scatter(pairs: Pairs, partings: tuple[float, ...]) -> float:
    """Mean distance of the log ratios from their running median."""
    nodes, curves = _curves(pairs, partings, pairs.base)
    near = _nearest(nodes, pairs.base)
    off = pairs.marked - pairs.base - curves[_part(pairs.carat, partings), near]
    return float(np.abs(off).mean())


def _nearest(nodes: Vector, log_price: Vector) -> Integers:
    """Place of the node nearest to each log price, shape as given."""
    near: Integers = np.round((log_price - nodes[0]) / STEP).astype(np.int64)
    return near.clip(0, len(nodes) - 1)


def _curves(pairs: Pairs, partings: tuple[float, ...], by: Vector) -> tuple[Vector, Matrix]:
    """Nodes of log price, and the median log ratio around each; (nodes,), (parts, nodes).

    A part is of the weights, as by `_part`.
    """
    first = np.floor(by.min() / STEP) * STEP
    nodes = np.round(first + STEP * np.arange(int((by.max() - first) / STEP) + 2), 6)
    parts = len(partings) + 1
    curves = np.zeros((parts, len(nodes)))
    part = _part(pairs.carat, partings)
    for which in range(parts):
        of = part == which
        if of.sum() < NEAREST:  # too few of this part: what the others say
            of = np.ones(len(pairs), bool)
        order = np.argsort(by[of], kind="stable")
        at, ratio = by[of][order], (pairs.marked - pairs.base)[of][order]
        low, high = (np.searchsorted(at, nodes + side) for side in (-WINDOW, WINDOW))
        middle = np.searchsorted(at, nodes)
        few = high - low < NEAREST
        low = np.where(few, np.clip(middle - NEAREST // 2, 0, len(at) - NEAREST), low)
        high = np.where(few, low + NEAREST, high)
        curves[which] = [np.median(ratio[a:b]) for a, b in zip(low, high, strict=True)]
    return nodes, curves


def _bands(
    pairs: Pairs, partings: tuple[float, ...], nodes: Vector, sharp: Matrix
) -> tuple[Band, ...]:
    bands = []
    of_pair = _part(pairs.carat, partings)
    for which in range(len(sharp)):
        of = of_pair == which
        if not of.any():
            continue
        base, ratio = pairs.base[of], (pairs.marked - pairs.base)[of]
        runs = np.concatenate([[0], np.cumsum(np.abs(np.diff(sharp[which])) > SAME)])
        run = runs[_nearest(nodes, base)]
        for band in np.unique(run):
            inside = run == band
            if inside.sum() < 2 * NEAREST:  # the edge between two bands
                continue
            quartiles = np.exp(np.quantile(ratio[inside], (0.25, 0.5, 0.75)))
            bands.append(
                Band(
                    part=which,
                    low=round(float(np.exp(base[inside].min())), 2),
                    high=round(float(np.exp(base[inside].max())), 2),
                    factor=round(float(quartiles[1]), 4),
                    spread=round(float(quartiles[2] - quartiles[0]) / 2, 4),
                    pairs=int(inside.sum()),
                )
            )
    return tuple(bands)
