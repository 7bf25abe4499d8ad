"""The family ``monotone``: a penalised additive model whose prices never fall.

The way from sales to a model: take the mark-up of the price lists off; fit by penalised
least squares from tables, smoothness by REML, with weights that make errors Student's t
rather than normal; move the coefficients to where no price falls as a stone improves; put
the mark-up back; measure the ranges on held-out folds; prove the shape on every stone of a
grid.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec import structs
from threadpoolctl import threadpool_limits

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.compile import (
    FREEDOM,
    OVERSTATED,
    averages_of,
    reference_of,
    rooted,
    training_of,
)
from diamond_pricing.fitting.constraints import Constraints, documented
from diamond_pricing.fitting.engine.design import Design
from diamond_pricing.fitting.engine.smoothing import PenalisedFit, roughly, smooth, solve
from diamond_pricing.fitting.engine.tables import Gram, Tables
from diamond_pricing.fitting.held_out import Found, HeldOut, held_out, marked
from diamond_pricing.fitting.like_sales import (
    BINS,
    counting_of,
    every_side,
    like_sales,
    said,
    shares,
)
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
from diamond_pricing.fitting.scatter import BANDS, LEAN, SUPPORT_BANDS, ranges_of, support_of
from diamond_pricing.fitting.screening import interactions
from diamond_pricing.fitting.structure import (
    FEWEST_BESIDE,
    LENGTH_TO_WIDTH,
    MANY,
    RATIO,
    SHAPE,
    SHAPES,
    Part,
    Structure,
    check,
    laid_out,
    structure,
)
from diamond_pricing.model import PriceModel
from diamond_pricing.model.certificate import ANY, certify, grids, jumps, over
from diamond_pricing.model.document import quantised
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.like_sales import Likeness
from diamond_pricing.model.training import Training
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    Day,
    Grade,
    Measure,
    Stones,
    date_of_sale,
    priced_by,
    stone_keys,
)
from diamond_pricing.stones.attributes import iso
from diamond_pricing.terms import Averages, Term, parse

if TYPE_CHECKING:
    import pandas as pd

ENOUGH = 0.5  # share of the sales that must record a measure for it to be used
ENOUGH_LISTED = 0.5  # the same of the price list, which counts for more
TELLING = 0.05  # effective degrees of freedom of an interaction; one of fewer is left out
PASSES = 2  # reweightings
FOLDS = 5
SEED = 20081
FEWEST_LIKE = 2_000  # sales from which like sales may have a line
RANK = 128  # columns of the covariance that a document keeps


Progress = Callable[[str, float, int], None]  # what is done, share of the work behind, sales


class Asked(NamedTuple):
    """What the caller of `diamond_pricing.fitting.fit` decides, of n sales."""

    weights: Vector | None = None
    groups: Integers | None = None
    folds: Integers | None = None
    terms: Sequence[tuple[Part, ...]] | None = None
    progress: Progress | None = None


def default_terms(sales: "pd.DataFrame") -> list[tuple[Part, ...]]:
    """Give the terms that the default family would begin with, to drop some or add others.

    Parameters
    ----------
    sales : DataFrame
        As for `diamond_pricing.fitting.fit`.

    Returns
    -------
    list[tuple]
        Each term is the tensor product of its parts. A part is the name of a grade, a curve
        (expression, number of B-splines), or ``magic``, ``bands``, ``segments``,
        ``hundredths`` or ``contrast``, see `diamond_pricing.fitting.structure`. Not among
        them are interactions that the fit finds by its errors.

    Raises
    ------
    FitError, StoneError
        As `diamond_pricing.fitting.fit`.
    """
    kept, _, _, shape, others = _prepared(read_sales(sales))
    return structure(len(kept) >= MANY, shape, _listed(kept), others)


def fit_held_out(
    sales: "pd.DataFrame",
    currency: str | None = None,
    effective: str | None = None,
    **asked: Any,
) -> tuple[PriceModel, HeldOut]:
    """Fit the monotone additive model, and price each sale by a fit without its stone.

    Parameters and errors as `diamond_pricing.fitting.fit`, where they are checked; also raises
    FitError when the certificate of its shape would not hold.
    """
    kept, rows, left_out, shape, others = _prepared(
        read_sales(sales, currency=currency, effective=effective)
    )
    for name in {"weights", "groups", "folds"} & set(asked):
        asked[name] = asked[name][rows]
    # More threads than cores, or many for small matrices, only get in each other's way.
    with threadpool_limits(1):
        model, prices, found = _model(kept, shape, left_out, others, asked=Asked(**asked))
        return model, HeldOut(rows, kept, prices["recorded"], prices["blend"], found)


def fit_unpaired(
    sales: "pd.DataFrame",
    currency: str | None = None,
    effective: str | None = None,
    calendar: tuple[float, float] | None = None,
) -> PriceModel:
    """Fit as `fit_held_out`, but never pair the stones of two price lists.

    The lists then differ by smooth effects alone, as they must where sales are known only
    by their sums (`diamond_pricing.fitting.atscale`). Where dates are read, the periods are
    those of the ``calendar``, its first and last day, see `Day`; default: of the sales.
    """
    read = read_sales(sales, currency=currency, effective=effective)
    kept, _, left_out, shape, others = _prepared(read)
    counted = tuple(n for n in others if isinstance(ATTRIBUTES[n], Grade | Day))
    with threadpool_limits(1):
        return _model(kept, shape, left_out, counted, paired_lists=False, calendar=calendar)[0]


def _prepared(
    sales: Sales,
) -> tuple[Sales, Integers, dict[str, int], tuple[str, ...], tuple[str, ...]]:
    """Choose what is recorded, and keep the sales of which it can be read.

    Sales that do not record a measure stay. Where most tell their price list or their day,
    those that do not are left out; stones of several shapes have no list.
    """
    more = tuple(a.name for a in priced_by() if _varies(sales.stones, a.name))
    listed = sales.stones.known(LISTING.name).mean() >= ENOUGH_LISTED and "shape" not in more
    shape = tuple(
        text
        for text in SHAPE
        if all(sales.stones.known(name).mean() >= ENOUGH for name in parse(text).attributes)
    )
    if RATIO in shape:  # length and width say it
        more = tuple(name for name in more if name != LENGTH_TO_WIDTH)
    needed = tuple(dict.fromkeys(name for text in shape for name in parse(text).attributes))
    dated = tuple(name for name in more if isinstance(ATTRIBUTES[name], Day))
    asked = (*((LISTING.name,) if listed else ()), *dated)
    return *usable(sales, needed, asked), shape, more


def _varies(stones: Stones, name: str) -> bool:
    """Whether enough sales record an attribute, and not all the same."""
    if name not in stones.columns:
        return False
    known = stones.known(name)
    values = stones[name]
    if isinstance(ATTRIBUTES[name], Measure):
        if known.mean() < ENOUGH:
            return False
        values = values[known]
    counts = np.unique(values, return_counts=True)[1]
    return bool(np.sort(counts)[:-1].sum() >= FEWEST_BESIDE)


def _model(
    sales: Sales,
    shape: tuple[str, ...],
    left_out: dict[str, int],
    others: tuple[str, ...] = (),
    *,
    paired_lists: bool = True,
    calendar: tuple[float, float] | None = None,
    asked: Asked | None = None,
) -> tuple[PriceModel, dict[str, Vector], Found]:
    stones = sales.stones
    asked = asked or Asked()
    fold = _folds(stones, asked)
    prior = np.ones(len(sales))
    if asked.weights is not None:
        prior = asked.weights / asked.weights.mean()

    def told(what: str, share: float) -> None:
        if asked.progress is not None:
            asked.progress(what, share, len(sales))

    told("terms", 0.0)
    averages = averages_of(stones, by_shape=SHAPES in others)
    lists = _listed(sales)
    pairs = paired(sales)
    # What the market did between the two days of a pair would be taken for the mark-up.
    dated = any(isinstance(ATTRIBUTES[name], Day) for name in others)
    ladder = paired_lists and lists and not dated and len(pairs) >= FEWEST
    partings = parted_at(pairs) if ladder else ()
    y = taken_off(pairs, partings, sales) if ladder else np.log(sales.price)
    many = len(sales) >= MANY
    shown: list[tuple[str, str]] = []
    before, parts = None, asked.terms
    if parts is not None:
        check(parts, stones)
    else:
        parts = structure(many, shape, lists, others)
        shown, before = _screened(y, stones, averages, parts, others, prior)
        parts = structure(many, shape, lists, others, shown)
    told("smoothness", 0.02)
    laid = laid_out(parts, stones, averages, calendar)
    tried = len(laid.design.sheets)

    def likely(fitted: Vector, sd: float) -> Vector:
        return taken_off(pairs, partings, sales, fitted, sd) if ladder else y

    found, without = _fitted(laid, y, stones, likely, before, prior, fold)
    told("order", 0.6)
    laid, y = found.laid, found.y
    training = _dated(training_of(sales, left_out), stones, others)
    rising = constraints(laid.design, averages, training, lists=lists)
    beta = rising.shaped(found.fit)
    residual = y - laid.fitted(beta)
    sd = float(np.sqrt(np.mean(residual**2) * len(y) / (len(y) - found.fit.edf.sum())))
    terms = tuple(sheet.term for sheet in laid.design.sheets)
    coefficients = documented(laid.design, beta)
    effects = Effects.of(terms, coefficients, averages)
    told("held-out errors", 0.8)
    base = held_out(found, without, sales, averages, rising)
    markup = None
    if ladder:
        rises = _rises(effects, training, partings)
        markup = put_back(pairs, partings, rises, averages.listings[2], sd)
    prices, log_price = marked(base, stones, markup), np.log(sales.price)
    like = None
    if paired_lists and len(sales) >= FEWEST_LIKE and SHAPES not in others:
        counting = counting_of(stones, prices, log_price, found.fold)
        measured = {
            name: np.quantile(stones[name][stones.known(name)], shares(name))
            for name in BINS
            if stones.known(name).mean() >= ENOUGH
        }
        of_weight, at = training.ranges["carat"], jumps(effects.terms)
        every = every_side(training.grades, of_weight, measured, at, lists=lists)
        if alike := like_sales(every, counting, effects, training, markup):
            like, added = alike.like, said(alike.folds, stones, found.fold)
            prices = marked({name: base[name] + added[name] for name in base}, stones, markup)
    told("certificate", 0.9)
    certificate = certify(effects, markup, training, None if like is None else Likeness(like))
    if not certificate.holds:
        raise FitError(f"prices would fall as stones improve: {certificate.inversions}.")
    support = support_of(stones)
    model = PriceModel(
        family="monotone",
        origin=_origin(len(shape), lists, pairs if ladder else None, found, tried, shown),
        terms=terms,
        coefficients=coefficients,
        factor=factored(laid.design, found.fit),
        residual_sd=sd,
        edf=float(found.fit.edf.sum()),
        reference=reference_of(stones, support, others),
        averages=averages,
        training=training,
        markup=markup,
        inference=inferred(sales, shape, averages) if lists else None,
        ranges=ranges_of(stones, prices, log_price),
        support=support,
        certificate=certificate,
        like_sales=like,
    )
    told("done", 1.0)
    return model, prices, found


def _listed(sales: Sales) -> bool:
    """Whether the sales tell the two price lists apart."""
    on_list = [(sales.stones[LISTING.name] == code).sum() for code in (0, 2)]
    return bool(min(on_list) >= FEWEST and sales.stones.known(LISTING.name).all())


def _folds(stones: Stones, asked: Asked) -> Integers:
    """Fold of each sale, from 0; shape (n,). A stone, or what was grouped, has one."""
    if asked.folds is not None:
        return np.asarray(np.unique(asked.folds, return_inverse=True)[1])
    groups = stone_keys(stones)
    if asked.groups is not None:
        groups = np.unique(asked.groups, return_inverse=True)[1]
    rng = np.random.default_rng(SEED)
    return np.asarray((rng.permutation(groups.max() + 1) % FOLDS)[groups])


class _Before(NamedTuple):
    """What a fit without some of the terms says of one with them."""

    weight: Vector  # of each sale, shape (n,)
    smoothing: dict[Term, list[float]]  # λ of the terms that it had


def _dated(training: Training, stones: Stones, others: Sequence[str]) -> Training:
    """With the sales of each month; prices are as of the last day."""
    for name in (a for a in others if isinstance(ATTRIBUTES[a], Day)):
        days = stones[name][stones.known(name)].tolist()
        months = dict(sorted(Counter(iso(day)[:7] for day in days).items()))
        training = structs.replace(training, effective=iso(max(days)), months=months)
    if not training.months and training.effective == "undated":  # of one month, perhaps
        name = date_of_sale()
        if name in stones.columns and (known := stones.known(name)).mean() >= ENOUGH:
            training = structs.replace(training, effective=iso(stones[name][known].max()))
    return training


def _screened(
    y: Vector,
    stones: Stones,
    averages: Averages,
    terms: Sequence[tuple[Part, ...]],
    others: Sequence[str],
    prior: Vector,
) -> tuple[list[tuple[str, str]], _Before | None]:
    """What bends the effects of further grades, by the errors of a model without."""
    further = [a for a in others if isinstance(ATTRIBUTES[a], Grade) and a != SHAPES]
    if not further:
        return [], None
    laid = laid_out(terms, stones, averages)
    tables = Tables(laid.design, laid.axes, laid.codes)
    fit = roughly(tables.gram(y, prior), laid.design.penalties)
    residual = y - laid.fitted(fit.coefficients)
    weight = _weights(residual, stones, prior)
    beside = ["carat", *(g.name for g in GRADES if g.required), *(SHAPES,) * (SHAPES in others)]
    codes = {name: stones[name] + 1 for name in (*further, *beside) if name != "carat"}
    codes["carat"] = np.searchsorted(SUPPORT_BANDS, stones["carat"], side="right")
    smoothing: dict[Term, list[float]] = {}
    for of, value in zip(laid.design.owners, fit.smoothing.tolist(), strict=True):
        smoothing.setdefault(laid.design.sheets[of].term, []).append(value)
    return interactions(residual, weight, codes, further, beside), _Before(weight, smoothing)


def constraints(
    design: Design, averages: Averages, training: Training, *, lists: bool
) -> Constraints:
    """What must hold for no price to fall."""
    terms = [sheet.term for sheet in design.sheets]
    over_all = grids(training, terms, (0, 2) if lists else (-1,), jumps(terms))
    return Constraints(design, averages, list(over_all))


def factored(design: Design, fit: PenalisedFit) -> Matrix:
    """A root of the covariance of the coefficients, rounded as a document rounds."""
    root = np.sqrt(OVERSTATED) * rooted(fit.covariance, RANK)
    return quantised(documented(design, root))


def _rises(
    effects: Effects, training: Training, partings: tuple[float, ...]
) -> tuple[float, ...]:
    """The least that the log base price on the blend rises as a weight is reached."""
    found = [
        grid
        for grid in grids(training, effects.terms, (-1,), (*jumps(effects.terms), *partings))
        if grid.dimensions != ANY
    ]
    weights = np.asarray(found[0].values["carat"])
    step = np.minimum.reduce(
        [over(effects, grid).steps("carat")[0].min(axis=(1, 2, 3)) for grid in found]
    )
    return tuple(float(step[np.searchsorted(weights, at) - 1]) for at in partings)


def _fitted(
    laid: Structure,
    y: Vector,
    stones: Stones,
    likely: Callable[[Vector, float], Vector],
    before: _Before | None,
    prior: Vector,
    fold: Integers,
) -> tuple[Found, Iterator[Gram]]:
    """Penalised least squares, reweighted until the errors are Student's t.

    Interactions that come to nothing are left out in the end. ``likely`` gives the log base
    prices anew from what is fitted and its standard deviation; ``prior`` are weights before
    the errors are seen, mean 1, and ``fold`` numbers from 0, shape (n,). With the fit come the
    Gram matrices without each fold, one at a time as they are large.
    """
    design = laid.design
    tables = Tables(design, laid.axes, laid.codes)
    weight, start, passes = prior, None, PASSES
    if before is not None:
        weight, passes = before.weight, PASSES - 1
        known = {term: iter(values) for term, values in before.smoothing.items()}
        start = np.array(
            [next(known.get(design.sheets[i].term, iter(())), np.nan) for i in design.owners]
        )
    for _ in range(passes):
        fit = roughly(tables.gram(y, weight), design.penalties, start)
        start, fitted = fit.smoothing, laid.fitted(fit.coefficients)
        y = likely(fitted, float(np.std(y - fitted)))
        weight = _weights(y - fitted, stones, prior)
    whole = tables.gram(y, weight)
    fit = smooth(whole, design.penalties, start)
    telling = [
        len(sheet.margins) < 2 or fit.edf[sheet.columns].sum() >= TELLING
        for sheet in design.sheets
    ]
    design, at, of = design.only(telling)
    whole = whole.only(at)
    fit = solve(whole, design.penalties, fit.smoothing[of])

    def without() -> Iterator[Gram]:
        others = whole - whole
        for k in range(fold.max()):
            part = tables.gram(y, weight, fold == k).only(at)
            others, part = others + part, whole - part
            yield part
        yield others  # all but the last fold

    return Found(replace(laid, design=design), fit, fold, y, weight), without()


def _weights(residual: Vector, stones: Stones, prior: Vector) -> Vector:
    """Weights of Student's t, scaled by segment, times those given; mean 1, shape (n,)."""
    segment = np.searchsorted(BANDS, stones["carat"], side="right") * 100 + stones["clarity"]
    _, at = np.unique(segment, return_inverse=True)
    squares, count = np.bincount(at, residual**2), np.bincount(at)
    variance = (squares + LEAN * np.mean(residual**2)) / (count + LEAN)
    scale = variance[at] * (FREEDOM - 2) / FREEDOM
    weight = (FREEDOM + 1) / (FREEDOM + residual**2 / scale) / scale * prior
    return np.asarray(weight / weight.mean())


def _origin(
    shape: int,
    lists: bool,
    pairs: Pairs | None,
    found: Found,
    tried: int,
    shown: Sequence[tuple[str, str]],
) -> str:
    listed = "no price lists told apart"
    if lists:
        listed = "price lists as contrasts"
        listed += f", mark-up from {len(pairs):,} pairs" if pairs else ", no paired sales"
    kept = len(found.laid.design.sheets)
    terms = f"{kept - 1} terms"
    if gone := tried - kept:
        terms += f" ({gone} that the sales do not show left out)"
    bent = "; bent as the sales show: " + ", ".join(map(":".join, shown)) if shown else ""
    return (
        f"penalised least squares from tables, {terms}, {shape} of proportions, "
        f"{listed}{bent}; {len(found.fit.smoothing)} smoothing parameters by REML; "
        f"Student's t errors with {FREEDOM:g} degrees of freedom; constrained to rise with "
        "carat, cut, color and clarity; covariance: Bayesian posterior of the fit without "
        "constraints, as far as such errors tell"
    )
