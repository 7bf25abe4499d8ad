"""From sums over sales to a model."""

from collections.abc import Mapping
from functools import reduce
from itertools import combinations
from math import ceil
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.atscale.frame import Frame, feature_of
from diamond_pricing.fitting.atscale.moments import FINE, SMALLEST, Counts, Errors, Moments
from diamond_pricing.fitting.constraints import documented
from diamond_pricing.fitting.engine.design import Design, Margin, learned, sheets
from diamond_pricing.fitting.engine.smoothing import PenalisedFit, smooth, solve
from diamond_pricing.fitting.engine.tables import Gram, columns, turned
from diamond_pricing.fitting.monotone import constraints, factored, fit_unpaired
from diamond_pricing.fitting.scatter import BANDS, SUPPORT_BANDS, Scored, ranges_from
from diamond_pricing.model import PriceModel, Training
from diamond_pricing.model.certificate import certify
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.like_sales import Likeness, LikeSales
from diamond_pricing.model.ranges import Ranges
from diamond_pricing.model.support import Support
from diamond_pricing.stones import ATTRIBUTES, LISTING, Day, Stones
from diamond_pricing.stones.attributes import iso
from diamond_pricing.stones.trade import graded
from diamond_pricing.terms import AnyBasis, Levels, Periods, Term

if TYPE_CHECKING:
    import pandas as pd

SAME = 1e-12  # difference of coefficients that are one
FEWEST = 1_000  # sales that errors are known of, for ranges to be stated


def founded(
    sales: "pd.DataFrame",
    currency: str | None = None,
    effective: str | None = None,
    *,
    seen: float = 0.0,
    calendar: tuple[float, float] | None = None,
) -> Frame:
    """Fit a founding model to a sample of sales, and give its frame.

    Parameters and errors as `diamond_pricing.fitting.fit`; ``seen`` as in `Frame`, and the
    ``calendar`` as in `fit_unpaired`.
    """
    model = fit_unpaired(sales, currency, effective, calendar)
    return Frame.of(model.terms, Stones.from_frame(sales), model, seen)


def designed(frame: Frame, weight: Mapping[str, Vector]) -> Design:
    """Centre the bases of a frame over the sales; sums of ``weight`` by bin of each feature."""
    if not frame.terms or frame.terms[0].bases:
        raise FitError("the first term of a frame is the intercept.")

    def margin(feature: str, basis: AnyBasis, **how: Any) -> Margin:
        sold = np.flatnonzero(weight[feature] > 0)
        at = columns(basis, frame.bins[feature].values[sold])
        return learned(basis, at, weight[feature][sold], **how)

    margins: dict[tuple[str, AnyBasis], Margin] = {}
    made = []
    for i, term in enumerate(frame.terms[1:], 1):
        keys = [(feature_of(basis, term), basis) for basis in term.bases]
        for feature, basis in keys:
            if (feature, basis) not in margins:
                alike = _alike(basis, frame.founding) if basis.feature == "cut" else None
                margins[feature, basis] = margin(feature, basis, alike=alike)
        sides = [margins[key] for key in keys]
        if silent := _silent(i, frame.founding):
            sides[1] = margin(*keys[1], silent=silent)
        made.append(tuple(sides))
    return sheets(made)


def _coefficients(founding: PriceModel, i: int) -> Vector:
    """Those of one term of the founding model."""
    stops = np.cumsum([t.width for t in founding.terms])
    return founding.coefficients[stops[i] - founding.terms[i].width : stops[i]]


def _silent(i: int, founding: PriceModel | None) -> list[int]:
    """Levels of a further grade that have no effect in a term of the founding model."""
    if founding is None:
        return []
    bases = founding.terms[i].bases
    if len(bases) != 2 or not isinstance(bases[1], Levels):
        return []
    values = _coefficients(founding, i).reshape(-1, bases[1].width)
    return np.flatnonzero(~values.any(axis=0)).tolist()


def _alike(basis: AnyBasis, founding: PriceModel | None) -> tuple[int, int] | None:
    """Columns of two cuts that have one coefficient in the founding model, if any."""
    if founding is None:
        return None
    values = _coefficients(founding, founding.terms.index(Term((basis,))))
    pairs = [p for p in combinations(range(len(values)), 2) if np.ptp(values[[*p]]) < SAME]
    return pairs[0] if len(pairs) == 1 else None


def centred(design: Design, gram: Gram) -> Gram:
    """Sums over the columns of a design from those over a document's."""
    half = turned(design.sheets, gram.XX)
    XX = turned(design.sheets, np.ascontiguousarray(half.T))
    return Gram((XX + XX.T) / 2, turned(design.sheets, gram.Xy[:, None])[:, 0], gram.yy, gram.n)


class Solved(NamedTuple):
    """A fit to sums."""

    design: Design
    fit: PenalisedFit  # without constraints
    # With which no price falls, where there is a founding model; shape (p,).
    coefficients: Vector
    without: list[Vector]  # the same, as a document has them, of the fit without each fold


def solved(moments: Moments, *, held_out: bool = False, effective: str | None = None) -> Solved:
    """Fit so that no price falls, smoothness by REML; with ``held_out`` also without folds.

    Raises FitError when the sales are too few or do not tell the terms apart.
    """
    frame = moments.frame
    with threadpool_limits(1):
        design = designed(frame, moments.weight)
        parts = [centred(design, gram) for gram in moments.grams]
        whole = reduce(add, parts)
        fit = smooth(whole, design.penalties)
        beta, rising = fit.coefficients, None
        if (founding := frame.founding) is not None:
            lists = any(b.feature == LISTING.name for t in frame.terms for b in t.bases)
            training = _training(moments, founding, effective)
            rising = constraints(design, founding.averages, training, lists=lists)
            beta = rising.shaped(fit)
        without = []
        for part in parts if held_out else ():
            left = solve(whole - part, design.penalties, fit.smoothing)
            held = left.coefficients if rising is None else rising.shaped_alike(left)
            without.append(documented(design, held))
    return Solved(design, fit, beta, without)


def fit_moments(
    moments: Moments, errors: Errors | None = None, *, effective: str | None = None
) -> PriceModel:
    """Fit the monotone additive model to sums over sales.

    Parameters
    ----------
    moments : Moments
        With a founding model.
    errors : Errors, optional
        Of prices held out. Without them the ranges are those of the founding model's errors
        on sales that it has not seen, which are if anything a little too wide.
    effective : str, optional
        When the prices were true. Default: what the founding model says.

    Raises
    ------
    FitError
        When the sales cannot support the model, or the certificate of its shape would not
        hold.
    """
    founding = moments.frame.founding
    if founding is None:
        raise FitError("sums without a founding model have no prices to begin with.")
    moments = moments.without_months_ahead()
    solution = solved(moments, effective=effective)
    return finished(moments, solution, errors or moments.errors, effective)


def described(
    moments: Moments, solution: Solved, effective: str | None = None
) -> tuple[Effects, Training]:
    """The effects that `solved` gave, and what they were fitted on."""
    founding = moments.frame.founding
    assert founding is not None
    # A document keeps the bases with their mean rows, which those of the fit share.
    coefficients = documented(solution.design, solution.coefficients)
    training = _training(moments, founding, effective)
    last = {name: high for name, (_, high) in training.ranges.items()}
    bases = (
        tuple(b.on(last[b.feature]) if isinstance(b, Periods) else b for b in term.bases)
        for term in moments.frame.terms
    )
    terms = tuple(map(Term, bases))
    return Effects.of(terms, coefficients, founding.averages), training


def finished(
    moments: Moments,
    solution: Solved,
    errors: Errors,
    effective: str | None = None,
    like: LikeSales | None = None,
) -> PriceModel:
    """Make the model of a fit that `solved` gave, with its certificate and its ranges."""
    founding = moments.frame.founding
    assert founding is not None
    effects, training = described(moments, solution, effective)
    design, fit = solution.design, solution.fit
    with threadpool_limits(1):
        coefficients = documented(design, solution.coefficients)
        told = None if like is None else Likeness(like)
        certificate = certify(effects, None, training, told)
        if not certificate.holds:
            raise FitError(f"prices would fall as stones improve: {certificate.inversions}.")
        factor = factored(design, fit)
    return PriceModel(
        family=founding.family,
        origin=_origin(moments, fit, design),
        terms=effects.terms,
        coefficients=coefficients,
        factor=factor,
        residual_sd=float(np.sqrt(errors.squares / max(errors.recorded.count.sum(), 1))),
        edf=float(fit.edf.sum()),
        reference=founding.reference,
        averages=founding.averages,
        training=training,
        inference=founding.inference,
        ranges=ranges_of_errors(errors),
        support=_support(moments, founding),
        certificate=certificate,
        like_sales=like,
    )


def _training(moments: Moments, founding: PriceModel, effective: str | None) -> Training:
    """What the model is fitted on; distinct stones by their share in the founding sales."""
    cells, seen = moments.cells(), founding.training
    grades = {}
    for name in ("cut", "color", "clarity", LISTING.name):
        scale = graded(name).grades
        count = np.bincount(cells[name], moments.grid.count, len(scale) + 1)[: len(scale)]
        found = {g: int(c) for g, c in zip(scale, count, strict=True) if c}
        if found:
            grades[name] = found
    share = moments.n / seen.rows  # further grades are not counted apart
    others = {
        name: {of: max(1, round(share * n)) for of, n in found.items()}
        for name, found in seen.grades.items()
        if name not in grades
    }
    days = [r for name, r in moments.extent.items() if isinstance(ATTRIBUTES[name], Day)]
    if moments.months and days:
        effective = iso(days[0][1])
    return Training(
        rows=moments.n,
        stones=max(1, round(moments.n * seen.stones / seen.rows)),
        left_out=dict(moments.left_out),
        currency=seen.currency,
        effective=effective or seen.effective,
        ranges=dict(moments.extent),
        grades=others | grades,
        months=dict(sorted(moments.months.items())),
    )


def _support(moments: Moments, founding: PriceModel) -> Support:
    """Distinct stones by weight band, color and clarity, by their share among sales."""
    cells, seen = moments.cells(), founding.training
    codes, names = {}, {}
    for name in ("color", "clarity"):
        found = np.unique(cells[name])
        names[name] = tuple(graded(name).grades[code] for code in found)
        codes[name] = np.searchsorted(found, cells[name])
    carat = moments.frame.bins["carat"].values[cells["carat"]]
    band = np.searchsorted(SUPPORT_BANDS, carat, side="right")
    counts = np.zeros((len(SUPPORT_BANDS) + 1, *map(len, names.values())), np.int64)
    np.add.at(counts, (band, codes["color"], codes["clarity"]), moments.grid.count)
    share = seen.stones / seen.rows
    stones = [ceil(count * share) for count in counts.ravel().tolist()]
    # Of shapes and origins as among the founding sales.
    more = sum(stones) / max(sum(founding.support.counts), 1) if founding.support else 1.0
    kinds = {
        name: {of: tuple(ceil(more * n) for n in by_band) for of, by_band in grades.items()}
        for name, grades in (founding.support.kinds if founding.support else {}).items()
    }
    return Support(SUPPORT_BANDS, names["color"], names["clarity"], tuple(stones), kinds)


ERROR_AXES = (len(BANDS) + 1, *(len(graded(n).grades) for n in ("clarity", "cut", "color")))
ERROR_BINS = 4096


def ranges_of_errors(errors: Errors) -> Ranges:
    """Ranges from counted errors; raises FitError when they are of fewer than 1,000 sales."""
    known = int(errors.blend.count.sum())
    if known < FEWEST:
        raise FitError(
            f"the errors of {known:,} sales are known; ranges need {FEWEST:,}. Count more "
            "sales that the founding model was not fitted on."
        )
    return ranges_from({"recorded": scored(errors.recorded), "blend": scored(errors.blend)})


def scored(counts: Counts) -> Scored:
    """Counted errors by segment."""
    band, clarity, cut, color, bin = np.unravel_index(counts.cell, (*ERROR_AXES, ERROR_BINS))
    grades = {"cut": cut, "color": color, "clarity": clarity}
    middle = SMALLEST * np.exp((bin + 0.5) / FINE)
    return Scored(band, grades, middle, counts.count)


def _origin(moments: Moments, fit: PenalisedFit, design: Design) -> str:
    founding = moments.frame.founding
    assert founding is not None
    return (
        f"penalised least squares from sums over {moments.n:,} sales in bins, "
        f"{len(design.sheets) - 1} terms of the founding model {founding.sha256[:12]} "
        f"({founding.training.rows:,} sales); {len(fit.smoothing)} smoothing parameters by "
        "REML; weights of Student's t errors around the founding model; constrained to rise "
        "with carat, cut, color and clarity; covariance: Bayesian posterior of the fit "
        "without constraints, as far as such errors tell; distinct stones estimated by their "
        "share in the founding sales"
    )
