"""From another library's fit to a PriceModel, and the proof that nothing was lost.

Each library parametrises its columns in its own way: treatment or sum contrasts, dropped
first columns, codes for grades. A *piece* says which bases one of its terms stands for and
which matrix T takes its coefficients to those of our columns, β = T·b; the covariance
follows as T·V·T'. The compiled model must then give back the library's own fitted values,
or it is not made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.errors import FitError, NotCompilableError
from diamond_pricing.fitting.sales import Sales
from diamond_pricing.model import PriceModel, Training
from diamond_pricing.model.document import quantised
from diamond_pricing.model.support import Support
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    MEASURES,
    OTHERS,
    Day,
    Grade,
    Measure,
    Stone,
    Stones,
    stone_keys,
)
from diamond_pricing.stones.kinds import SHAPE
from diamond_pricing.stones.trade import graded
from diamond_pricing.terms import AnyBasis, Averages, Term
from diamond_pricing.terms.basis import UNRECORDED

NODES = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)  # carats at which missing measures are averaged
EXACT = 1e-9  # log dollars by which a compiled model may differ from its source
SEED = 20_081  # of the projection of a covariance


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A term of another library.

    Attributes
    ----------
    bases : tuple[AnyBasis, ...]
        What it stands for.
    transform : Matrix
        T, shape (width of the term here, columns there).
    columns : slice
        Where its coefficients stand in the library's vector.
    """

    bases: tuple[AnyBasis, ...]
    transform: Matrix
    columns: slice


Side = tuple[AnyBasis, Matrix]  # one basis, and T for it alone


def piece(sides: Sequence[Side], columns: slice) -> Piece:
    """Join the sides of a tensor product; the columns of the last vary fastest."""
    transform: Any = np.ones((1, 1))
    for _, own in sides:
        transform = np.kron(transform, own)
    return Piece(tuple(basis for basis, _ in sides), transform, columns)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The fit of another library, taken apart.

    Attributes
    ----------
    family, origin : str
        As in `PriceModel`.
    pieces : Sequence[Piece]
        Every term, the intercept with no bases.
    coefficients, covariance : array
        The library's own, shapes (q,) and (q, q).
    fitted : Vector
        The library's fitted log prices of the training sales, shape (n,).
    edf : float
        Effective degrees of freedom.
    """

    family: str
    origin: str
    pieces: Sequence[Piece]
    coefficients: Vector
    covariance: Matrix
    fitted: Vector
    edf: float


def compiled(source: Source, sales: Sales, left_out: dict[str, int]) -> PriceModel:
    """Make the model document of a fit.

    Parameters
    ----------
    sales : Sales
        The n sales it was fitted on, in the same order.
    left_out : dict[str, int]
        Sales that could not be used, by reason.

    Raises
    ------
    NotCompilableError
        When the compiled model would not give back the fitted values.
    FitError
        When the fit has no finite coefficients and covariance.
    """
    if not (np.isfinite(source.coefficients).all() and np.isfinite(source.covariance).all()):
        raise FitError(
            "the fit has coefficients or standard errors that are not numbers: its columns "
            "are collinear or constant. Drop an attribute that others determine."
        )
    if not any(part.bases for part in source.pieces):
        raise NotCompilableError("a model without any attribute explains nothing.")
    averages = averages_of(sales.stones)
    terms = tuple(Term(p.bases).averaged(sales.stones, averages) for p in source.pieces)
    wide = np.zeros((sum(term.width for term in terms), len(source.coefficients)))
    row = 0
    for part, term in zip(source.pieces, terms, strict=True):
        wide[row : row + term.width, part.columns] = part.transform
        row += term.width
    residual = np.log(sales.price) - source.fitted
    model = PriceModel(
        family=source.family,
        origin=" ".join(source.origin.split()),
        terms=terms,
        coefficients=wide @ source.coefficients,
        factor=factored(wide, source.covariance),
        residual_sd=float(np.sqrt(residual @ residual / max(len(residual) - source.edf, 1))),
        edf=float(source.edf),
        reference=reference_of(sales.stones),
        averages=averages,
        training=training_of(sales, left_out),
    )
    # A stone whose measurements contradict each other is averaged here, but not there.
    sound = np.ones(len(sales), bool)
    sound[[row for row, _ in sales.stones.left_out]] = False
    ours = model.log_price(sales.stones, listing="recorded", extrapolate=True)
    if (worst := float(np.abs(ours - source.fitted)[sound].max(initial=0))) > EXACT:
        raise NotCompilableError(
            f"the compiled model differs from the fit by up to {worst:.3g} in log price. Is it "
            "a fit on exactly these sales, and in double precision?"
        )
    return model


FREEDOM = 8.0  # degrees of freedom of the errors, Student's t
# What reweighting takes a sale to tell, over what it tells of such errors (Lange, Little &
# Taylor 1989, *JASA* 84, 881–896): σ²A⁻¹ alone is too sure.
OVERSTATED = (FREEDOM + 3) / (FREEDOM + 1)


def factored(wide: Matrix, covariance: Matrix, rank: int | None = None) -> Matrix:
    """U with UU' = TVT', rounded as a document rounds.

    The variance of a fit is spread over as many directions as it has degrees of freedom, so
    that leaving the smallest out would understate the error of nearly every comparison.
    With fewer columns than that, U is a random projection: UU' is TVT' on average over
    projections, and the standard error of any comparison comes out within a relative error
    of about 1/√(2·rank), 6 % for 128 columns (Johnson & Lindenstrauss 1984).

    Parameters
    ----------
    wide : Matrix
        T, shape (p, q).
    covariance : Matrix
        V, shape (q, q), positive semidefinite but for rounding.
    rank : int, optional
        Columns kept; default all that matter, which is exact.
    """
    if rank is not None and rank < len(covariance):
        # Any root will do for a projection, and this one is quickly found.
        drawn = np.random.default_rng(SEED).normal(size=(len(covariance), rank))
        turn = np.linalg.qr(drawn)[0] * np.sqrt(len(covariance) / rank)
        return quantised(wide @ (np.linalg.cholesky(covariance) @ turn))
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    kept = np.flatnonzero(values > 1e-16 * max(values[-1], 1e-300))[::-1]
    if not len(kept):
        return np.zeros((len(wide), 1))
    root = vectors[:, kept] * np.sqrt(values[kept])
    return quantised(wide @ root)


def averages_of(stones: Stones, *, by_shape: bool = False) -> Averages:
    """Learn at which weights, and on which blend, missing attributes are averaged."""
    low, high = stones["carat"].min(), stones["carat"].max()
    nodes = tuple(node for node in NODES if low <= node <= high) or (float(low),)
    seen = stones.labels("cut")
    cut = next(grade for grade in GRADES if grade.name == "cut")
    known = stones.labels(LISTING.name)
    shares = np.array([(known == name).sum() for name in LISTING.grades], float)
    shares = shares / shares.sum() if shares.sum() else np.full(3, 1 / 3)
    return Averages(
        nodes,
        tuple(name for name in cut.grades if (seen == name).any()),
        tuple(shares.tolist()),
        _shapes(stones) if by_shape else (),
    )


def _shapes(stones: Stones) -> tuple[str, ...]:
    labels = stones.labels("shape")
    return (UNRECORDED, *(g for g in graded("shape").grades if (labels == g).any()))


def reference_of(
    stones: Stones, support: Support | None = None, read: Iterable[str] = ()
) -> Stone:
    """The most common grades at the median weight: a stone that everybody knows.

    Where no sale supports that one, the stone of the sales with most others near it. Of the
    further attributes that a model reads the most common grade, or the median; no date.
    """
    dated = {name for name in read if isinstance(ATTRIBUTES[name], Day)}
    others = [(name, _usual(stones, name)) for name in read if name not in dated]
    common: dict[str, Any] = {}
    alike = stones
    if SHAPE in dict(others):
        alike = stones.take(stones.labels(SHAPE) == dict(others)[SHAPE])
    for grade in (grade for grade in GRADES if grade.required):
        labels = alike.labels(grade.name)
        if (labels != grade.ungraded).any():
            labels = labels[labels != grade.ungraded]
        names, counts = np.unique(labels, return_counts=True)
        common[grade.name] = str(names[counts.argmax()])
    reference = Stone(
        float(np.sort(stones["carat"])[len(stones) // 2]), **common, others=others
    )
    if support is None or support.near_one(reference):
        return reference
    most = stones.stone(int(support.near(stones).argmax()))
    return Stone(most.carat, most.cut, most.color, most.clarity, others=others)


def _usual(stones: Stones, name: str) -> float | str:
    known = stones.take(stones.known(name))
    if isinstance(ATTRIBUTES[name], Measure):
        return float(np.sort(known[name])[len(known) // 2])
    names, counts = np.unique(known.labels(name), return_counts=True)
    return str(names[counts.argmax()])


def training_of(sales: Sales, left_out: dict[str, int]) -> Training:
    """Say in a few figures what a model is fitted on."""
    stones, ranges, grades = sales.stones, {}, {}
    others = [a for a in OTHERS if a.name in stones.columns]
    for measure in (*MEASURES, *(a for a in others if isinstance(a, Measure))):
        values = stones[measure.name]
        if not np.isnan(values).all():
            ranges[measure.name] = (float(np.nanmin(values)), float(np.nanmax(values)))
    for grade in (*GRADES, *(a for a in others if isinstance(a, Grade)), LISTING):
        labels = stones.labels(grade.name)
        counts = {name: int((labels == name).sum()) for name in grade.grades}
        if any(counts.values()):
            grades[grade.name] = {name: count for name, count in counts.items() if count}
    return Training(
        rows=len(sales),
        stones=len(np.unique(stone_keys(stones))),
        left_out=left_out,
        currency=sales.currency,
        effective=sales.effective,
        ranges=ranges,
        grades=grades,
    )
