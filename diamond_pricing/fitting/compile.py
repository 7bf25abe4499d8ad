"""From another library's fit to a PriceModel, and the proof that nothing was lost.

Each library parametrises its columns in its own way: treatment or sum contrasts, dropped
first columns, codes for grades. A *piece* says which bases one of its terms stands for and
which matrix T takes its coefficients to those of our columns, β = T·b; the covariance
follows as T·V·T'. The compiled model must then give back the library's own fitted values,
or it is not made.
"""

from collections.abc import Iterable, Sequence
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


Side = tuple[AnyBasis, Matrix]  # a basis, and T for it alone: (w here, columns there)
# The sides of a term, none for the intercept, of whose columns the last vary fastest; and
# where its coefficients are in the library's vector.
Piece = tuple[Sequence[Side], slice]


def compiled(
    sales: Sales,
    left_out: dict[str, int],
    *,
    family: str,
    origin: str,
    pieces: Sequence[Piece],
    coefficients: Vector,
    covariance: Matrix,
    fitted: Vector,
    edf: float,
) -> PriceModel:
    """Make the model document of another library's fit to n sales, in the same order.

    Coefficients, covariance and fitted log prices are the library's own, shapes (q,), (q, q)
    and (n,). Raises NotCompilableError when the compiled model would not give back the fitted
    values, and FitError when the fit has no finite coefficients and covariance.
    """
    if not (np.isfinite(coefficients).all() and np.isfinite(covariance).all()):
        raise FitError(
            "the fit has coefficients or standard errors that are not numbers: its columns "
            "are collinear or constant. Drop an attribute that others determine."
        )
    if not any(sides for sides, _ in pieces):
        raise NotCompilableError("a model without any attribute explains nothing.")
    averages = averages_of(sales.stones)
    terms = tuple(
        Term(tuple(basis for basis, _ in sides)).averaged(sales.stones, averages)
        for sides, _ in pieces
    )
    wide = np.zeros((sum(term.width for term in terms), len(coefficients)))
    row = 0
    for (sides, columns), term in zip(pieces, terms, strict=True):
        transform: Any = np.ones((1, 1))
        for _, own in sides:
            transform = np.kron(transform, own)
        wide[row : row + term.width, columns] = transform
        row += term.width
    residual = np.log(sales.price) - fitted
    model = PriceModel(
        family=family,
        origin=" ".join(origin.split()),
        terms=terms,
        coefficients=wide @ coefficients,
        factor=quantised(wide @ rooted(covariance)),
        residual_sd=float(np.sqrt(residual @ residual / max(len(residual) - edf, 1))),
        edf=edf,
        reference=reference_of(sales.stones),
        averages=averages,
        training=training_of(sales, left_out),
    )
    # A stone whose measurements contradict each other is averaged here, but not there.
    sound = np.ones(len(sales), bool)
    sound[[row for row, _ in sales.stones.left_out]] = False
    ours = model.log_price(sales.stones, listing="recorded", extrapolate=True)
    if (worst := float(np.abs(ours - fitted)[sound].max(initial=0))) > EXACT:
        raise NotCompilableError(
            f"the compiled model differs from the fit by up to {worst:.3g} in log price. Is it "
            "a fit on exactly these sales, and in double precision?"
        )
    return model


FREEDOM = 8.0  # degrees of freedom of the errors, Student's t
# What reweighting takes a sale to tell, over what it tells of such errors (Lange, Little &
# Taylor 1989, *JASA* 84, 881–896): σ²A⁻¹ alone is too sure.
OVERSTATED = (FREEDOM + 3) / (FREEDOM + 1)


def rooted(covariance: Matrix, rank: int | None = None) -> Matrix:
    """U with UU' = V, shape (q, columns).

    The variance of a fit is spread over as many directions as it has degrees of freedom, so
    that leaving the smallest out would understate the error of nearly every comparison.
    With fewer columns than that, as many as ``rank``, U is a random projection: UU' is V
    on average over projections, and the standard error of any comparison comes out within a
    relative error of about 1/√(2·rank), 6 % for 128 columns (Johnson & Lindenstrauss 1984).
    """
    if rank is not None and rank < len(covariance):
        # Any root will do for a projection, and this one is quickly found.
        drawn = np.random.default_rng(SEED).normal(size=(len(covariance), rank))
        turn = np.linalg.qr(drawn)[0] * np.sqrt(len(covariance) / rank)
        return np.asarray(np.linalg.cholesky(covariance) @ turn)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    kept = np.flatnonzero(values > 1e-16 * max(values[-1], 1e-300))[::-1]
    if not len(kept):
        return np.zeros((len(covariance), 1))
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def averages_of(stones: Stones, *, by_shape: bool = False) -> Averages:
    """Learn at which weights, and on which blend, missing attributes are averaged."""
    low, high = stones["carat"].min(), stones["carat"].max()
    nodes = tuple(node for node in NODES if low <= node <= high) or (float(low),)
    known = stones.labels(LISTING.name)
    shares = np.array([(known == name).sum() for name in LISTING.grades], float)
    shares = shares / shares.sum() if shares.sum() else np.full(3, 1 / 3)
    shapes = (UNRECORDED, *_seen(stones, SHAPE)) if by_shape else ()
    return Averages(nodes, _seen(stones, "cut"), tuple(shares.tolist()), shapes)


def _seen(stones: Stones, name: str) -> tuple[str, ...]:
    """Grades that some of the stones have."""
    labels = stones.labels(name)
    return tuple(grade for grade in graded(name).grades if (labels == grade).any())


def reference_of(
    stones: Stones, support: Support | None = None, read: Iterable[str] = ()
) -> Stone:
    """The most common grades at the median weight: a stone that everybody knows.

    Where no sale supports that one, the stone of the sales with most others near it. Of the
    further attributes that a model reads the most common grade, or the median; no date.
    """
    others = [(n, _usual(stones, n)) for n in read if not isinstance(ATTRIBUTES[n], Day)]
    shape = dict(others).get(SHAPE)
    alike = stones if shape is None else stones.take(stones.labels(SHAPE) == shape)
    common: dict[str, Any] = {}
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
