"""Fit and evaluate on sales of any number, wherever they are.

A sample of whole stones, drawn by a number that every engine computes alike, is fitted in
memory: the founding model. It fixes the terms and weighs the sales; all sales then decide
the coefficients, and prices held out by fold decide the ranges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np

from diamond_pricing.errors import FitError
from diamond_pricing.fitting.atscale import Errors, Frame, Moments, founded, solved
from diamond_pricing.fitting.atscale.solve import Solved, described, finished, scored
from diamond_pricing.fitting.fit import DEFAULT
from diamond_pricing.fitting.fit import fit as fit_in_memory
from diamond_pricing.fitting.like_sales import like_sales
from diamond_pricing.fitting.sales import counting as with_left_out
from diamond_pricing.fitting.scatter import BANDS
from diamond_pricing.model import PriceModel
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.like_sales import LikeSales
from diamond_pricing.stones import ATTRIBUTES, Day, Grade
from diamond_pricing.stones.attributes import first_day, month_number
from diamond_pricing.warehouse.like_sales import counting_at, sides_at, with_like
from diamond_pricing.warehouse.relation import (
    MEMORY,
    Relation,
    hashed,
    in_sample,
    month_column,
    opened,
)
from diamond_pricing.warehouse.tally import (
    Counted,
    Progress,
    against_use,
    counted,
    errors_of,
    summed,
    surveyed,
    with_prices,
)

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.warehouse.relation import Source

IN_MEMORY = 150_000  # sales; more are counted where they are
SAMPLE = 100_000  # sales that a founding model is fitted to
AHEAD = 12  # months after the first sales that others may be added of
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutErrors:
    """Errors of prices by fits that have not seen the stone.

    Attributes
    ----------
    errors : Errors
    sales : int
    """

    errors: Errors
    sales: int

    @property
    def log_rmse(self) -> float:
        """Root mean squared error of log price on the list of each sale."""
        return float(np.sqrt(self.errors.squares / self.sales))

    def table(self, levels: Sequence[float] = (0.5, 0.9, 0.95)) -> list[dict[str, Any]]:
        """By band of weight and over all: sales, and quantiles of the error in per cent.

        Returns
        -------
        list[dict]
            ``band``, ``sales``, and for each level the absolute error that this share of the
            sales keeps below, as ``p50``; known to half a per cent of itself.
        """
        found = scored(self.errors.recorded)
        bands: dict[str, Any] = {"all": slice(None)}
        for k, (low, high) in enumerate(pairwise((0.0, *BANDS, np.inf))):
            name = f"from {low:g} ct" if np.isinf(high) else f"{low:g}–{high:g} ct"
            bands[name] = found.band == k
        rows = []
        for name, of in bands.items():
            error, count = found.error[of], found.count[of]
            if not count.sum():
                continue
            order = np.argsort(error)
            below = np.cumsum(count[order])
            row: dict[str, Any] = {"band": name, "sales": int(count.sum())}
            for level in levels:
                at = order[np.searchsorted(below, level * below[-1])]
                row[f"p{100 * level:g}"] = float(100 * np.expm1(error[at]))
            rows.append(row)
        return rows


def fit(
    source: "Source",
    family: str = DEFAULT,
    *,
    currency: str | None = None,
    effective: str | None = None,
    folds: int = FOLDS,
    in_memory: int = IN_MEMORY,
    sample: int = SAMPLE,
    leave_out: bool = False,
    memory: str = MEMORY,
    threads: int | None = None,
    progress: Progress | None = None,
) -> PriceModel:
    """Fit a price model to sales wherever they are, however many.

    Parameters
    ----------
    source : path, data frame, DuckDB relation or Ibis table
        Sales with the columns that `diamond_pricing.fitting.fit` wants. Of a path, Parquet
        or CSV by its ending; ``*`` stands for many files. Of a table that Ibis knows the
        rows stay on its engine.
    family : str
        Of more than ``in_memory`` sales only ``monotone``.
    currency, effective : str, optional
        What the prices are, and of when.
    folds : int
        Parts of the stones; the ranges are those of prices by fits without the stone's own.
    in_memory : int
        Up to so many sales are fetched and fitted as `diamond_pricing.fitting.fit` does.
    sample : int
        About so many sales the founding model is fitted to.
    leave_out : bool
        Leave out sales without a sound price or grade, and count them, instead of refusing
        them all. Sales that lack a measure are always left out.
    memory : str
        What DuckDB may use, where it reads the sales, before it goes to the disk.
    threads : int, optional
        Of DuckDB; default all cores.
    progress : callable, optional
        Told what is done, the share of the work behind, and of how many sales.

    Raises
    ------
    FitError
        For a source that cannot be read, or sales that cannot support the model.
    StoneError
        For stones that cannot be, where the sales are fitted in memory.
    """
    given: Any = source
    if hasattr(given, "iloc") and len(given) <= in_memory and not leave_out:
        return fit_in_memory(given, family, currency=currency, effective=effective)
    told = progress or (lambda what, share, sales: None)
    with opened(source, memory=memory, threads=threads) as relation:
        rows = _rows(relation)
        if rows <= in_memory:
            everything, gone = fetched(relation, None, leave_out)
            model = fit_in_memory(everything, family, currency=currency, effective=effective)
            return with_left_out(model, gone)
        if family != DEFAULT:
            raise FitError(
                f"{rows:,} sales are fitted by the family {DEFAULT!r} alone; {family!r} needs "
                f"them in memory, at most {in_memory:,}."
            )
        told("fitting the founding model", 0.0, min(sample, rows // 2))
        frame = sampled(relation, rows, sample, leave_out, currency, effective)
        with counted(relation, frame, folds, leave_out, progress) as ready:
            moments = summed(ready, progress)
            told("fitting", 1.0, moments.n)
            solution = solved(moments, held_out=True, effective=effective)
            told("pricing held-out sales", 1.0, moments.n)
            errors, like = judged(ready, moments, solution)
        return finished(moments, solution, errors, effective, like)


def evaluate(
    source: "Source",
    *,
    folds: int = FOLDS,
    sample: int = SAMPLE,
    leave_out: bool = False,
    memory: str = MEMORY,
    threads: int | None = None,
    progress: Progress | None = None,
) -> HeldOutErrors:
    """Cross-validate by stone on sales wherever they are.

    Each fold is priced by a fit to the sums of the others; terms, weights and smoothing are
    those of all, and so are the rows of the shape that bind. Parameters and errors as `fit`.
    """
    with opened(source, memory=memory, threads=threads) as relation:
        frame = sampled(relation, _rows(relation), sample, leave_out)
        with counted(relation, frame, folds, leave_out, progress) as ready:
            moments = summed(ready, progress)
            solution = solved(moments, held_out=True)
            return HeldOutErrors(judged(ready, moments, solution)[0], moments.n)


def sums(
    source: "Source",
    frame: Frame | None = None,
    *,
    sample: int = SAMPLE,
    leave_out: bool = False,
    memory: str = MEMORY,
    threads: int | None = None,
    progress: Progress | None = None,
    currency: str | None = None,
    effective: str | None = None,
) -> Moments:
    """Sum up sales; without a frame, in one of a founding model fitted to a sample of them.

    Parameters and errors as `fit`.
    """
    with opened(source, memory=memory, threads=threads) as relation:
        if frame is None:
            rows = _rows(relation)
            if progress is not None:
                progress("fitting the founding model", 0.0, min(sample, rows // 2))
            frame = sampled(relation, rows, sample, leave_out, currency, effective, AHEAD)
        elif relation.days and not any(b.kind == "months" for b in frame.bins.values()):
            warn(
                "the dates of these sales are not read: the sums that they are like have none.",
                stacklevel=2,
            )
        with counted(relation, frame, 1, leave_out, progress) as ready:
            return summed(ready, progress)


def judged(
    ready: Counted, moments: Moments, solution: Solved
) -> tuple[Errors, LikeSales | None]:
    """Errors of prices held out, on the list of each sale and on the blend; and like sales."""
    model = ready.frame.founding
    assert model is not None
    effects = [Effects.of(model.terms, beta, model.averages) for beta in solution.without]
    held = with_prices(ready.table, ready.frame, ready.names, effects)
    found, training = described(moments, solution)
    sides, counting = sides_at(ready, training), counting_at(held, ready)
    alike = like_sales(sides, counting, found, training, None)
    if alike is not None:
        held = with_like(held, ready, alike.folds)
    errors = errors_of(held, (held.y - held.fitted).abs(), (held.y - held.blended).abs())
    return errors, None if alike is None else alike.like


def sampled(
    relation: Relation,
    rows: int,
    wanted: int,
    leave_out: bool = False,
    currency: str | None = None,
    effective: str | None = None,
    ahead: int = 0,
) -> Frame:
    """Fit a founding model to a sample of whole stones, at most half of them.

    Its months are those of all sales, and as many more ``ahead`` of them.
    """
    share, calendar = min(0.5, wanted / max(rows, 1)), None
    for name, (first, last) in relation.days.items():
        calendar = (first, first_day(month_number(last) + ahead))
        day = relation.table[name]
        inside = day.isnull() | day.between(first, last)
        relation = Relation(relation.table.filter(inside), relation.own)
    sales = fetched(relation, share, leave_out)[0]
    return founded(sales, currency, effective, seen=share, calendar=calendar)


def fetched(
    relation: Relation, share: float | None, leave_out: bool = False
) -> tuple["pd.DataFrame", Mapping[str, int]]:
    """Sound sales as a data frame, perhaps a sample of whole stones; others by reason."""
    survey = surveyed(relation, leave_out=leave_out)
    t = relation.table.filter([~no for no in against_use(relation, None).values()])
    if share is not None:
        t = t.filter(in_sample(hashed(t), share))
    dates = [name for name in relation.others if isinstance(ATTRIBUTES[name], Day)]
    frame: pd.DataFrame = t.drop("listing", *map(month_column, dates)).to_pandas()
    for name in ("cut", "color", "clarity", *relation.others):
        grade = ATTRIBUTES[name]
        if isinstance(grade, Grade):
            frame[name] = np.array([*grade.grades, None], object)[frame[name].to_numpy()]
    # Rows come in any order; a fit should not depend on it.
    ordered = frame.sort_values(sorted(map(str, frame.columns))).reset_index(drop=True)
    return ordered, survey.left_out


def _rows(relation: Relation) -> int:
    return int(relation.table.count().to_pyarrow().as_py())
