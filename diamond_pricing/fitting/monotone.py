"""The family ``monotone``: a penalised additive model whose prices never fall.

The way from sales to a model: take the mark-up of the price lists off; fit by penalised
least squares from tables, smoothness by REML, with weights that make errors Student's t
rather than normal; move the coefficients to where no price falls as a stone improves; put
the mark-up back; measure the ranges on held-out folds; prove the shape on every stone of a
grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.compile import averages_of, factored, reference_of, training_of
from diamond_pricing.fitting.engine import (
    Design,
    Gram,
    PenalisedFit,
    gram,
    smooth,
    solve,
    tabulate,
)  # fmt: skip
from diamond_pricing.fitting.engine.shape import shaped
from diamond_pricing.fitting.engine.smoothing import FLAT
from diamond_pricing.fitting.engine.tables import grouped
from diamond_pricing.fitting.listing_odds import inferred
from diamond_pricing.fitting.paired_lists import (
    FEWEST,
    Pairs,
    paired,
    parted_at,
    put_back,
    taken_off,
)
from diamond_pricing.fitting.sales import Sales, read_sales, usable
from diamond_pricing.fitting.structure import MANY, SHAPE, Structure, laid_out, structure
from diamond_pricing.model import PriceModel
from diamond_pricing.model.certificate import (
    ANY,
    AXES,
    MISSING,
    MOVING,
    WEIGHTS,
    Grid,
    certify,
    grids,
    over,
    placed,
)
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.proportions import Feature, features, is_proportion
from diamond_pricing.model.ranges import Ranges, kept_quantiles
from diamond_pricing.model.support import Support
from diamond_pricing.model.training import Training
from diamond_pricing.stones import GRADES, LISTING, Stones, stone_keys
from diamond_pricing.terms import (
    Averages,
    Term,
    dense,
    interleaved,
    looked_up,
    parse,
)  # fmt: skip

if TYPE_CHECKING:
    import pandas as pd

ENOUGH = 0.8  # share of the sales that must record a measure for it to be used
ENOUGH_LISTED = 0.5  # the same of the price list, which counts for more
FREEDOM = 8.0  # degrees of freedom of the errors, Student's t
PASSES = 3  # of reweighting
ROUGHLY = 0.3  # as FLAT, before the first reweighting
BANDS = (0.4, 0.7, 1.0, 1.5)  # carats, of the segments of errors and of the ranges
LEAN = 20.0  # sales of the mean that a segment's variance leans on
FOLDS = 5
SEED = 20081
SHAPE_ROWS = 250  # broken constraints added at a time, for each axis of each grid
SLACK = 0.1  # weight of the least steps of the proportions; sales weigh 1
# The steps that must be kept from falling; all others follow from these, as proportions
# have effects by cut but not by color or clarity. The certificate tries all of them.
NEEDED = {MISSING: ("carat", "color", "clarity"), MOVING: ("carat",), ANY: ("cut",)}
SMALLEST_PART = 60  # held-out sales of a part of the ranges
SUPPORT_BANDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 1.7, 2.0, 2.5, 3.0)
RANK = 200  # columns of the covariance that a document keeps


def fit_monotone(
    sales: "pd.DataFrame", currency: str | None = None, effective: str | None = None
) -> PriceModel:
    """Fit the monotone additive model.

    Parameters, returns and errors as `diamond_pricing.fitting.fit`; also raises FitError
    when the certificate of its shape would not hold.
    """
    kept, shape, left_out = _prepared(read_sales(sales, currency=currency, effective=effective))
    # More threads than cores, or many for small matrices, only get in each other's way.
    with threadpool_limits(1):
        return _model(kept, shape, left_out)


def _prepared(sales: Sales) -> tuple[Sales, tuple[str, ...], dict[str, int]]:
    """Choose the proportions that are recorded, and keep the sales that have them.

    Where most sales tell their price list, those that do not are left out too.
    """
    listed = sales.stones.known(LISTING.name).mean() >= ENOUGH_LISTED
    shape = tuple(
        text
        for text in SHAPE
        if all(sales.stones.known(name).mean() >= ENOUGH for name in parse(text).attributes)
    )
    needed = tuple(dict.fromkeys(name for text in shape for name in parse(text).attributes))
    kept, left_out = usable(sales, (*needed, LISTING.name) if listed else needed)
    return kept, shape, left_out


def _model(sales: Sales, shape: tuple[str, ...], left_out: dict[str, int]) -> PriceModel:
    stones = sales.stones
    averages = averages_of(stones)
    on_list = [(stones[LISTING.name] == code).sum() for code in (0, 2)]
    lists = bool(min(on_list) >= FEWEST and stones.known(LISTING.name).all())
    pairs = paired(sales)
    ladder = lists and len(pairs) >= FEWEST
    partings = parted_at(pairs) if ladder else ()
    y = taken_off(pairs, partings, sales) if ladder else np.log(sales.price)
    laid = laid_out(structure(len(sales) >= MANY, shape, lists), stones, averages)

    def likely(fitted: Vector, sd: float) -> Vector:
        return taken_off(pairs, partings, sales, fitted, sd) if ladder else y

    found = _fitted(laid, y, stones, likely)
    y = found.y
    training = training_of(sales, left_out)
    codes = (0, 2) if lists else (-1,)
    A = found.gram.XX + np.diag(found.fit.smoothing @ laid.design.penalties)
    broken = _Broken(laid.design, averages, list(grids(training, codes)))
    beta = broken.shaped(A, found.fit.coefficients)
    residual = y - _at(laid, beta)
    sd = float(np.sqrt(np.mean(residual**2) * len(y) / (len(y) - found.fit.edf.sum())))
    terms, coefficients, wide = _documented(laid.design, beta)
    effects = Effects.of(terms, coefficients, averages)
    markup = None
    if ladder:
        rises = _rises(effects, training, partings)
        markup = put_back(pairs, partings, rises, averages.listings[2], sd)
    certificate = certify(effects, markup, training)
    if not certificate.holds:
        raise FitError(f"prices would fall as stones improve: {certificate.inversions}.")
    inference = inferred(sales, shape, averages) if lists else None
    held_out = _held_out(laid, found, y, sales, markup, averages)
    return PriceModel(
        family="monotone",
        origin=_origin(len(shape), lists, pairs if ladder else None, found.fit, laid.design),
        terms=terms,
        coefficients=coefficients,
        factor=factored(wide, found.fit.covariance, RANK),
        residual_sd=sd,
        edf=float(found.fit.edf.sum()),
        reference=reference_of(stones),
        averages=averages,
        training=training,
        markup=markup,
        inference=inference,
        ranges=_ranges(stones, held_out, np.log(sales.price)),
        support=_support(stones),
        certificate=certificate,
    )


def _rises(
    effects: Effects, training: Training, partings: tuple[float, ...]
) -> tuple[float, ...]:
    """The least that the log base price on the blend rises as a weight is reached."""
    least = [
        np.diff(over(effects, grid), axis=0).min(axis=(1, 2, 3))
        for grid in grids(training, (-1,))
        if grid.dimensions != ANY
    ]
    step = np.minimum.reduce(least)
    return tuple(float(step[np.searchsorted(WEIGHTS, at) - 1]) for at in partings)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    fit: PenalisedFit
    gram: Gram
    parts: list[Gram]  # of each fold
    fold: Integers
    y: Vector  # log base prices


def _fitted(
    laid: Structure, y: Vector, stones: Stones, likely: Callable[[Vector, float], Vector]
) -> _Found:
    """Penalised least squares, reweighted until the errors are Student's t.

    Parameters
    ----------
    likely : callable
        Gives the log base prices anew from what is fitted and its standard deviation.
    """
    rng = np.random.default_rng(SEED)
    keys = stone_keys(stones)
    fold = (rng.permutation(keys.max() + 1) % FOLDS)[keys]
    groups = grouped(laid.design)
    weight = np.ones(len(y))
    start = None
    for count in range(PASSES):
        rows = [fold == k for k in range(FOLDS)] if count == PASSES - 1 else [fold >= 0]
        parts = [
            gram(
                laid.design,
                tabulate(
                    {f: code[inside] for f, code in laid.codes.items()},
                    laid.axes, groups, y[inside], weight[inside],
                ),
            )
            for inside in rows
        ]  # fmt: skip
        whole = parts[0]
        for part in parts[1:]:
            whole = whole + part
        if 0 < count < PASSES - 1:
            assert start is not None
            fit = solve(whole, laid.design.penalties, start)
        else:
            flat = FLAT if count else ROUGHLY
            fit = smooth(whole, laid.design.penalties, start, flat=flat)
        start = fit.smoothing
        if count < PASSES - 1:
            fitted = _at(laid, fit.coefficients)
            y = likely(fitted, float(np.std(y - fitted)))
            weight = _weights(y - fitted, stones)
    return _Found(fit, whole, parts, fold, y)


def _weights(residual: Vector, stones: Stones) -> Vector:
    """Weights of Student's t with its own scale in each segment, mean 1; shape (n,)."""
    segment = np.searchsorted(BANDS, stones["carat"], side="right") * 100 + stones["clarity"]
    _, at = np.unique(segment, return_inverse=True)
    squares, count = np.bincount(at, residual**2), np.bincount(at)
    variance = (squares + LEAN * np.mean(residual**2)) / (count + LEAN)
    scale = variance[at] * (FREEDOM - 2) / FREEDOM
    weight = (FREEDOM + 1) / (FREEDOM + residual**2 / scale) / scale
    return np.asarray(weight / weight.mean())


def _at(
    laid: Structure, beta: Vector, rows: Integers | None = None, listing: int | None = None
) -> Vector:
    """Fitted log base price of the sales, or of some, perhaps on another list; shape (n,)."""
    some = slice(None) if rows is None else rows
    total: Vector = np.zeros(0)
    for sheet in laid.design.sheets:
        placed = []
        for margin in sheet.margins:
            feature = margin.basis.feature
            code = laid.codes[feature][some]
            if feature == LISTING.name and listing is not None:
                (place,) = np.flatnonzero(laid.axes[feature] == listing)
                code = np.full(len(code), place)
            all_rows = margin.basis.placed(laid.axes[feature])
            placed.append(type(all_rows)(all_rows.position[code], all_rows.weight[code]))
        table = sheet.transform @ beta[sheet.columns]
        widths = [margin.basis.width for margin in sheet.margins]
        if not placed:
            n = len(next(iter(laid.codes.values()))[some])
            total = np.full(n, table[0])
            continue
        total = total + looked_up(table.reshape(widths), placed, len(total))
    return total


class _Broken:
    """The constraints that coefficients break, as rows of the design.

    Where the proportions may be any, the step from a cut to the next is the sum of what the
    other terms give and of the least that each feature of the proportions can. Each of
    these least steps is an unknown of its own behind the p coefficients, below all that its
    feature gives; otherwise every state of one feature would have to be met with every
    state of the others.
    """

    def __init__(self, design: Design, averages: Averages, over_grids: list[Grid]) -> None:
        self.design, self.averages, self.grids = design, averages, over_grids
        terms = tuple(sheet.term for sheet in design.sheets)
        self.at = [placed(terms, averages, grid) for grid in over_grids]
        self.p = self.size = design.p
        self.proportions = np.zeros(design.p, bool)
        for sheet in design.sheets:
            self.proportions[sheet.columns] = is_proportion(sheet.term)
        self.least: list[list[tuple[Matrix, slice]]] = []
        for grid in over_grids:
            cuts = np.asarray(grid.values["cut"], np.int64)
            found = (
                features(terms, averages, cuts, grid.listing) if grid.dimensions == ANY else []
            )
            self.least.append([])
            for feature in found:
                places = slice(self.size, self.size + len(cuts) - 1)
                self.least[-1].append((self._steps(feature), places))
                self.size = places.stop

    def _steps(self, feature: Feature) -> Matrix:
        """Design rows of the steps of a feature, shape (states · (cuts − 1), p)."""
        steps = np.zeros((len(feature) // feature.cuts, feature.cuts - 1, self.p))
        for i, rows in feature.terms.items():
            sheet = self.design.sheets[i]
            turned = [
                dense(m.basis, of) @ m.transform
                for m, of in zip(sheet.margins, rows, strict=True)
            ]
            block = interleaved(turned, len(feature)).reshape(
                *steps.shape[:1], feature.cuts, -1
            )
            steps[:, :, sheet.columns] = np.diff(block, axis=1)
        return steps.reshape(-1, self.p)

    def shaped(self, A: Matrix, free: Vector) -> Vector:
        """Coefficients that break none, as near as possible to the free ones; shape (p,)."""
        if self.size == self.p:
            return shaped(A, free, self)
        wide = np.zeros((self.size, self.size))
        wide[: self.p, : self.p] = A
        wide[self.p :, self.p :] = SLACK * np.eye(self.size - self.p)
        start = np.concatenate([free, np.zeros(self.size - self.p)])
        for found in self.least:
            for steps, places in found:
                each = (steps @ free).reshape(-1, places.stop - places.start)
                start[places] = each.min(axis=0)
        return shaped(wide, start, self)[: self.p]

    def __call__(self, beta: Vector) -> Matrix:
        terms, coefficients, _ = _documented(self.design, beta[: self.p])
        effects = Effects.of(terms, coefficients, self.averages)
        rows = [np.empty((0, len(beta)))]
        for grid, at, least in zip(self.grids, self.at, self.least, strict=True):
            log_price = over(effects, grid, at)
            for axis in NEEDED[grid.dimensions]:
                i = AXES.index(axis)
                step = np.diff(log_price, axis=i)
                for _, places in least:
                    step = step + beta[places][None, :, None, None]
                worst = _lowest(step)
                if not len(worst):
                    continue
                index = np.unravel_index(worst, step.shape)
                broken = np.zeros((len(worst), self.size))
                broken[:, : self.p] = self._row(grid, index, i, 1) - self._row(
                    grid, index, i, 0
                )
                if grid.dimensions == ANY:
                    broken[:, : self.p][:, self.proportions] = 0.0
                for _, places in least:
                    broken[np.arange(len(worst)), places.start + index[i]] = 1.0
                rows.append(broken)
            for steps, places in least:
                over_least = (steps @ beta[: self.p]).reshape(-1, places.stop - places.start)
                over_least -= beta[places]
                worst = _lowest(over_least)
                broken = np.zeros((len(worst), self.size))
                broken[:, : self.p] = steps[worst]
                cut = worst % over_least.shape[1]
                broken[np.arange(len(worst)), places.start + cut] = -1.0
                rows.append(broken)
        return np.vstack(rows)

    def _row(self, grid: Grid, index: tuple[Integers, ...], axis: int, up: int) -> Matrix:
        """Rows of the design at places of a grid, shape (m, p)."""
        place = {
            a: np.asarray(grid.values[a])[i + up * (j == axis)]
            for j, (a, i) in enumerate(zip(AXES, index, strict=True))
        }
        stones = grid.at(place)
        turned: dict[int, Matrix] = {}
        blocks = []
        for sheet in self.design.sheets:
            for m in sheet.margins:
                if id(m) not in turned:
                    rows = dense(m.basis, m.basis.rows(stones, self.averages))
                    turned[id(m)] = rows @ m.transform
            blocks.append(interleaved([turned[id(m)] for m in sheet.margins], len(stones)))
        return np.hstack(blocks)


def _lowest(step: Vector) -> Integers:
    """Places of the lowest steps below zero, in the flattened array.

    Of neighbours along the first axis only the lowest: they say nearly the same.
    """
    low = step < 0
    low[1:] &= step[1:] < step[:-1]
    low[:-1] &= step[:-1] <= step[1:]
    (places,) = np.nonzero(low.ravel())
    return np.asarray(places[np.argsort(step.ravel()[places])[:SHAPE_ROWS]])


def _documented(design: Design, beta: Vector) -> tuple[tuple[Term, ...], Vector, Matrix]:
    """Terms, their coefficients, and the matrix that takes those of the fit to them."""
    width = sum(sheet.term.width for sheet in design.sheets)
    wide = np.zeros((width, design.p))
    row = 0
    for sheet in design.sheets:
        T = sheet.transform
        wide[row : row + len(T), sheet.columns] = T
        row += len(T)
    return tuple(sheet.term for sheet in design.sheets), wide @ beta, wide


def _held_out(
    laid: Structure, found: _Found, y: Vector, sales: Sales, markup: Markup | None,
    averages: Averages,
) -> dict[str, Vector]:  # fmt: skip
    """Log price of each sale by a fit without its fold, as recorded and at the blend.

    Smoothing parameters, weights and mark-up are those of all sales; the shape is free,
    which leaves the errors if anything a little larger.
    """
    n = len(y)
    held: dict[str, Vector] = {"recorded": np.empty(n), "blend": np.empty(n)}
    lists = LISTING.name in laid.axes
    for k, part in enumerate(found.parts):
        rows = np.flatnonzero(found.fold == k)
        beta = solve(found.gram - part, laid.design.penalties, found.fit.smoothing).coefficients
        stones = sales.stones.take(rows)
        recorded = _at(laid, beta, rows)
        blend = recorded
        if lists:
            shares = zip(laid.axes[LISTING.name].tolist(), _shares(laid, averages), strict=True)
            blend = np.zeros(len(rows))
            for code, share in shares:
                blend = blend + share * _at(laid, beta, rows, int(code))
        for name, base in (("recorded", recorded), ("blend", blend)):
            placed = stones
            if name == "blend":
                placed = stones.with_columns(listing=np.full(len(rows), -1))
            held[name][rows] = base + (0.0 if markup is None else markup.of(base, placed))
    return held


def _shares(laid: Structure, averages: Averages) -> list[float]:
    codes = [int(code) for code in laid.axes[LISTING.name]]
    seen = sum(averages.listings[code] for code in codes)
    return [averages.listings[code] / seen for code in codes]


def _ranges(stones: Stones, held_out: dict[str, Vector], log_price: Vector) -> Ranges:
    """Quantiles of the held-out errors by part."""
    error = {name: np.abs(log_price - value) for name, value in held_out.items()}
    difficulty: dict[str, dict[str, float]] = {}
    scale = np.ones(len(log_price))
    for name in ("cut", "color"):
        labels = stones.labels(name)
        factors = {}
        mean = np.mean(error["blend"] / scale)
        for grade in np.unique(labels):
            of = labels == grade
            total = np.sum(error["blend"][of] / scale[of]) + 2 * LEAN * mean
            factors[str(grade)] = round(float(total / (of.sum() + 2 * LEAN) / mean), 4)
        difficulty[name] = factors
        scale = scale * np.array([factors[str(g)] for g in labels])
    band = np.searchsorted(BANDS, stones["carat"], side="right")
    grades = next(g for g in GRADES if g.name == "clarity").grades
    clarities = tuple(g for g in grades if (stones.labels("clarity") == g).any())
    column = np.array([clarities.index(g) for g in stones.labels("clarity")])
    part = _parts(band, column, len(clarities))
    of_part = np.array(part)[band, column]
    counts = tuple(np.bincount(of_part).tolist())
    quantiles = {
        name: tuple(kept_quantiles((e / scale)[of_part == k]) for k in range(len(counts)))
        for name, e in error.items()
    }
    return Ranges(BANDS, clarities, difficulty, part, counts, quantiles)


def _parts(band: Integers, column: Integers, clarities: int) -> tuple[tuple[int, ...], ...]:
    """Join neighbouring clarities within a band until each part has enough sales.

    A band that is too small for a part of its own joins the last part of the band below.
    """
    count = np.zeros((len(BANDS) + 1, clarities), np.int64)
    np.add.at(count, (band, column), 1)
    part, sizes = np.zeros_like(count), [0]
    for i, row in enumerate(count):
        if i and sizes[-1] >= SMALLEST_PART and row.sum() >= SMALLEST_PART:
            sizes.append(0)
        left = int(row.sum())
        for j, cell in enumerate(row.tolist()):
            if (
                sizes[-1] >= SMALLEST_PART
                and left >= SMALLEST_PART
                and part[i, j - 1] == len(sizes) - 1
                and j
            ):
                sizes.append(0)
            part[i, j] = len(sizes) - 1
            sizes[-1] += cell
            left -= cell
    return tuple(tuple(row) for row in part.tolist())


def _support(stones: Stones) -> Support:
    """Distinct stones by weight band, color and clarity."""
    seen = {}
    for name in ("color", "clarity"):
        labels = stones.labels(name)
        grade = next(g for g in GRADES if g.name == name)
        seen[name] = tuple(g for g in grade.grades if (labels == g).any())
    _, first = np.unique(stone_keys(stones), return_index=True)
    one = stones.take(first)
    band = np.searchsorted(SUPPORT_BANDS, one["carat"], side="right")
    counts = np.zeros((len(SUPPORT_BANDS) + 1, len(seen["color"]), len(seen["clarity"])), int)
    place = [np.array([seen[n].index(g) for g in one.labels(n)]) for n in ("color", "clarity")]
    np.add.at(counts, (band, *place), 1)
    return Support(
        SUPPORT_BANDS, seen["color"], seen["clarity"], tuple(counts.ravel().tolist())
    )


def _origin(
    shape: int, lists: bool, pairs: Pairs | None, fit: PenalisedFit, design: Design
) -> str:
    listed = "no price lists told apart"
    if lists:
        listed = "price lists as contrasts"
        listed += f", mark-up from {len(pairs):,} pairs" if pairs else ", no paired sales"
    return (
        f"penalised least squares from tables, {len(design.sheets) - 1} terms, {shape} of "
        f"proportions, {listed}; {len(fit.smoothing)} smoothing parameters by REML; Student's "
        f"t errors with {FREEDOM:g} degrees of freedom; constrained to rise with carat, cut, "
        "color and clarity; covariance: Bayesian posterior of the fit without constraints"
    )
