"""Count sales where they are: one pass that bins and weighs them, then tables by bins.

The expressions are Ibis's, the same on every engine. The engine joins each sale with
look-up tables of the founding model's prices, so that its weight is known; what comes back
are sums by bins, of a size that does not grow with the sales.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add, itemgetter
from threading import Event, Thread
from typing import Any

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.atscale.frame import A_LITTLE, Bins, Frame
from diamond_pricing.fitting.atscale.moments import (
    FINE,
    GRID,
    SMALLEST,
    Counts,
    Errors,
    Moments,
    Sums,
    Table,
    grid_size,
    month_of,
)
from diamond_pricing.fitting.atscale.solve import ERROR_AXES, ERROR_BINS
from diamond_pricing.fitting.compile import FREEDOM
from diamond_pricing.fitting.engine.tables import Gram
from diamond_pricing.fitting.scatter import BANDS
from diamond_pricing.model.effects import Effects
from diamond_pricing.stones import LISTING, MEASURES, OTHERS
from diamond_pricing.stones.attributes import first_day, period_of
from diamond_pricing.stones.kinds import KINDS, kinds_known
from diamond_pricing.stones.trade import graded
from diamond_pricing.terms.basis import UNRECORDED
from diamond_pricing.warehouse.relation import (
    Relation,
    evaluated,
    fold_of,
    hashed,
    ibis,
    in_sample,
    month_column,
    reasons,
)

# Reasons for which a sale is left out without asking: the fit in memory does so too, or
# there is no founding price for it.
STRAY = "date months apart from all others"
HARMLESS = ("measurement missing", "measurements contradict each other", "date missing", STRAY)
UNSEEN = "not seen by the founding model"

# Of weights and weighted log prices: a sum of 2³⁵ is still exact. Of squares one of 2⁴¹.
EXACT, ROUGHER = 2.0**-18, 2.0**-12
LEVELS = (1.0, 0.3, 0.3)  # log price that a sale may say of the level of its month, at most
LOOK = 0.5  # seconds between two looks at a query
BINNING = 0.4  # of the work, about

Progress = Callable[[str, float, int], None]  # what is done, share of the work behind, sales


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What a first look at the sales finds."""

    used: int
    left_out: Mapping[str, int]  # sales that cannot be used, by the first reason against each
    extent: Mapping[str, tuple[float, float]]  # of each measure and date, among those used
    months: Mapping[str, int]  # sales of each, as ``2026-09``, where a frame reads dates


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Sales binned and weighed, as a table of the engine.

    It has the columns ``c0`` … with the bin in each feature of the frame but bands, ``band`` of
    the ranges, ``fold``, log price ``y``, weight ``w`` and their product ``wy``, both in steps
    of ``EXACT``; ``fresh`` where the founding model has not seen the stone; ``far`` and
    ``farther``, the errors of the founding model on the list of the sale and on the blend.
    """

    table: Any
    names: Mapping[str, str]  # column of each feature
    frame: Frame
    folds: int
    survey: Survey


@contextmanager
def counted(
    relation: Relation,
    frame: Frame,
    folds: int = 1,
    leave_out: bool = False,
    progress: Progress | None = None,
) -> Iterator[Counted]:
    """Bin and weigh the sales of a relation once, and keep that while it is used."""
    names = {feature: f"c{i}" for i, feature in enumerate(frame.coded)}
    survey = surveyed(relation, frame, leave_out=leave_out)
    t = relation.table
    if survey.left_out:
        t = t.filter([~no for no in against_use(relation, frame).values()])
    fold, fresh = ibis.literal(0, "int16"), ibis.literal(True)
    if folds > 1 or frame.seen > 0:
        stone = hashed(t)
        fold, fresh = fold_of(stone, folds), ~in_sample(stone, frame.seen)
    made = {names[f]: _code(frame.bins[f], f, t) for f in frame.coded}
    t = t.select(
        y=t.price.ln(),
        fold=fold,
        fresh=fresh,
        cut=t.cut,
        color=t.color,
        clarity=t.clarity,
        listing=t[LISTING.name],
        **{name: code.cast("int16") for name, code in made.items()},
    )
    t = _weighed(t, frame, names)
    if relation.own:
        engine = t.get_backend()
        with _watched(engine.con, survey.used, progress):
            kept = engine.create_table("counted", t)
        yield Counted(kept, names, frame, folds, survey)
        return
    t.limit(0).to_pyarrow()  # takes the look-up tables there, which Spark's cache would not
    with t.cache() as kept:
        yield Counted(kept, names, frame, folds, survey)


@contextmanager
def _watched(connection: Any, rows: int, progress: Progress | None) -> Iterator[None]:
    """Tell how far a query of DuckDB is while it runs."""
    done = Event()

    def look() -> None:
        while not done.wait(LOOK):
            share = max(connection.query_progress(), 0.0) / 100
            if progress is not None:
                progress("binning", BINNING * share, rows)

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def against_use(relation: Relation, frame: Frame | None) -> dict[str, Any]:
    """Conditions under which a sale is not used, in the order in which they count."""
    bases = [basis for term in frame.terms for basis in term.bases] if frame else []
    read = {name for basis in bases for name in basis.attributes}
    needed = (m.name for m in MEASURES if m.name in read and not m.required)
    found = reasons(relation, tuple(needed))
    if frame is not None:
        found |= _against_frame(relation, frame, bases)
    # A condition on something missing is itself missing, and must count as a reason.
    return {reason: no.fill_null(True) for reason, no in found.items()}


def _against_frame(relation: Relation, frame: Frame, bases: Sequence[Any]) -> dict[str, Any]:
    """Conditions under which the founding model says nothing of a sale."""
    found: dict[str, Any] = {}
    for name, bins in frame.bins.items():
        if bins.kind == "months" and name in relation.others:
            day, month = relation.table[name], relation.table[month_column(name)]
            found["date missing"] = day.isnull()
            if name in relation.days:
                found[STRAY] = ~day.between(*relation.days[name])
            last = int(bins.low + bins.step * len(bins)) - 1
            found[f"{name} in a month {UNSEEN}"] = ~month.between(int(bins.low), last)
    if lacking := (frame.bins.keys() & {a.name for a in OTHERS}) - set(relation.others):
        raise FitError(f"no column for {min(lacking)}, which the founding model reads.")
    seen: dict[str, Iterable[str]] = {}
    for kind in KINDS:
        if frame.founding is not None and kind in relation.others and kind not in frame.bins:
            seen[kind] = (UNRECORDED, *kinds_known(kind, frame.founding.training.grades))
    for basis in bases:
        if (levels := getattr(basis, "levels", None)) is not None:
            seen.setdefault(basis.feature, levels)
    for name, levels in seen.items():
        place = graded(name).grades.index
        codes = [-1 if level == UNRECORDED else place(level) for level in levels]
        found[f"{name} {UNSEEN}"] = ~relation.table[name].isin(codes)
    return found


def surveyed(
    relation: Relation, frame: Frame | None = None, *, leave_out: bool = False
) -> Survey:
    """Look at all sales once.

    Raises
    ------
    FitError
        For sales that are no sales, unless they may be left out; and when none is left.
    """
    t = relation.table
    against = against_use(relation, frame)
    why = ibis.cases(*((no, i) for i, no in enumerate(against.values())), else_=-1)
    t = t.mutate(why=why.cast("int16"))
    dated = [n for n, of in (frame.bins if frame else {}).items() if of.kind == "months"]
    names = (*relation.measures, *dated)
    found = (
        t.group_by("why", *map(month_column, dated))
        .aggregate(
            n=t.count(),
            **{f"low_{name}": t[name].min() for name in names},
            **{f"high_{name}": t[name].max() for name in names},
        )
        .to_pyarrow()
        .to_pylist()
    )
    reason = list(against)
    left_out: Counter[str] = Counter()
    for row in sorted(found, key=itemgetter("why")):
        if row["why"] >= 0:
            left_out[reason[row["why"]]] += row["n"]
    serious = {
        r: n for r, n in left_out.items() if r not in HARMLESS and not r.endswith(UNSEEN)
    }
    total = sum(row["n"] for row in found)
    if serious and not leave_out:
        said = "; ".join(f"{n:,} of {total:,} sales: {r}" for r, n in serious.items())
        raise FitError(f"{said}. Correct them, or have such sales left out and counted.")
    used = [row for row in found if row["why"] == -1]
    if not used:
        said = "; ".join(f"{n:,}: {r}" for r, n in left_out.items()) or "there is none"
        refound = " Begin new sums." if any(r.endswith(UNSEEN) for r in left_out) else ""
        raise FitError(f"no sale can be used: {said}.{refound}")
    extent, months = {}, Counter[str]()
    for name in names:
        some = [row for row in used if row[f"low_{name}"] is not None]
        if some:
            low = min(row[f"low_{name}"] for row in some)
            extent[name] = (float(low), float(max(row[f"high_{name}"] for row in some)))
    for row in used:
        for name in dated:
            months[period_of(first_day(row[month_column(name)]), "month")] += row["n"]
    return Survey(
        sum(row["n"] for row in used), dict(left_out), extent, dict(sorted(months.items()))
    )


def steps(number: Any, step: float) -> Any:
    """How many steps of a power of two a number is, to the nearest.

    Sums of such are exact, so that no engine, no order and no number of threads changes a
    bit of them; and engines keep whole numbers in few bits.
    """
    return (number / step + 0.5).floor().cast("int64")


def summed_up(steps: Any, step: float) -> Any:
    """Sum of numbers that are given in steps; exact up to 2⁵³ of them."""
    return steps.cast("float64").sum() * step


def between(number: Any, low: int, high: int) -> Any:
    """A whole number that is not missing, kept within bounds."""
    kept = ibis.least(ibis.greatest(number, float(low)), float(high))
    return kept.cast("int32")


def _code(bins: Bins, feature: str, t: Any) -> Any:
    if bins.kind == "grade":
        none = len(bins) - 1  # the last bin, where a stone may lack the grade
        return ibis.ifelse(t[feature] < 0, none, t[feature])
    if bins.kind == "months":
        node = ((t[month_column(feature)] - bins.low) / bins.step).floor()
    elif bins.kind == "weight":
        node = (t.carat * 100 + A_LITTLE).floor()
    else:
        node = ((evaluated(feature, t) - bins.low) / bins.step + 0.5).floor()
    return between(node, 0, len(bins) - 1)


def banded(starts: Sequence[int], carat: Any) -> Any:
    """Bands of the weight from its bins."""
    if not len(starts):
        return ibis.literal(0, "int32")
    return reduce(add, [(carat >= int(start)).cast("int32") for start in starts])


def _weighed(t: Any, frame: Frame, names: Mapping[str, str]) -> Any:
    """Add the weight of each sale, and how far its price is from the founding model's."""
    carat = frame.bins["carat"].values
    band = banded(np.searchsorted(carat, BANDS).tolist(), t[names["carat"]])
    t = t.mutate(band=band.cast("int16"))
    if frame.founding is None:
        one = ibis.literal(round(1 / EXACT), "int64")
        return t.mutate(w=one, wy=steps(t.y, EXACT))
    model = frame.founding
    effects = Effects.of(model.terms, model.coefficients, model.averages)
    t = with_prices(t, frame, names, [effects])
    t = _levelled(t, frame, names)
    scale = frame.scale()
    codes = (t.band, t.clarity, t.cut, t.color)
    t = looked_up(t, flat(codes, scale.shape), {"scale": scale.ravel()}, "s")
    squares = t.scale * t.scale
    error = t.y - t.fitted
    weight = (FREEDOM + 1) / (FREEDOM + error * error / squares) / squares
    w = weight * float(model.residual_sd**2)
    kept = [c for c in t.columns if c not in ("fitted", "blended", "scale")]
    t = t.mutate(w=steps(w, EXACT), far=error.abs(), farther=(t.y - t.blended).abs())
    return t.mutate(wy=steps(t.w * EXACT * t.y, EXACT)).select(
        *kept, "w", "wy", "far", "farther"
    )


def _levelled(t: Any, frame: Frame, names: Mapping[str, str]) -> Any:
    """Prices of months that the founding model has no sales of, at the level of these sales.

    It prices them as of its last month. Were they weighed by that, Student's t would take
    what the market did since for outliers, and half of it would be lost.
    """
    assert frame.founding is not None
    seen = [month_of(name) for name in frame.founding.training.months]
    for name, bins in frame.bins.items():
        if bins.kind != "months":
            continue
        known = {int((month - bins.low) // bins.step) for month in seen}
        ahead = [k for k in range(len(bins)) if k not in known]
        if not ahead or not seen:
            continue
        level: dict[int, float] = {}
        for most in LEVELS:
            some = t.filter(t[names[name]].isin(sorted(level) or ahead))
            left = some.y - some.fitted - _at(level, some[names[name]])
            left = steps(ibis.least(ibis.greatest(left, -most), most), EXACT)
            some = some.select(period=some[names[name]], left=left)
            sums = some.group_by("period").aggregate(
                n=some.count(), total=summed_up(some.left, EXACT)
            )
            for row in sums.to_pyarrow().to_pylist():
                k = int(row["period"])
                level[k] = level.get(k, 0.0) + row["total"] / row["n"]
            if not level:
                break
        at = _at(level, t[names[name]])
        t = t.mutate(fitted=t.fitted + at, blended=t.blended + at)
    return t


def _at(level: Mapping[int, float], period: Any) -> Any:
    if not level:
        return ibis.literal(0.0)
    return ibis.cases(*((period == k, level[k]) for k in sorted(level)), else_=0.0)


def with_prices(
    t: Any, frame: Frame, names: Mapping[str, str], effects: Sequence[Effects]
) -> Any:
    """Add ``fitted`` and ``blended``, log prices on the list of the sale and on the blend.

    The effects are of one model, or of one for each fold.
    """
    every = [list(frame.effects(one)) for one in effects]
    of_list, of_blend = [], []
    kept = t.columns
    for g in range(len(frame.groups)):
        group = every[0][g][0]
        listed = np.concatenate([one[g][1] for one in every])
        blended = np.concatenate([one[g][2] for one in every])
        codes = [_feature(t, frame, names, f) for f in group.features]
        key = flat(codes, [len(frame.bins[f]) for f in group.features])
        if len(effects) > 1:
            key = key + t.fold.cast("int64") * frame.size(group.features)
        columns = {f"a{g}": listed}
        if not np.array_equal(listed, blended):
            columns[f"b{g}"] = blended
        used = (listed != 0) | (blended != 0)
        t = looked_up(t, key, columns, f"g{g}", used)
        of_list.append(f"a{g}")
        of_blend.append(list(columns)[-1])
    fitted = reduce(add, [t[name].fill_null(0.0) for name in of_list])
    blended = reduce(add, [t[name].fill_null(0.0) for name in of_blend])
    return t.mutate(fitted=fitted, blended=blended).select(*kept, "fitted", "blended")


def _feature(t: Any, frame: Frame, names: Mapping[str, str], feature: str) -> Any:
    bins = frame.bins[feature]
    if bins.kind == "bands":
        return banded(bins.starts.tolist(), t[names["carat"]])
    return t[names[feature]]


def flat(codes: Sequence[Any], sizes: Sequence[int]) -> Any:
    """One number for a place along several axes, the last fastest."""
    place = ibis.literal(0, "int64")
    for code, size in zip(codes, sizes, strict=True):
        place = place * ibis.literal(int(size), "int64") + code.cast("int64")
    return place


def looked_up(
    t: Any, key: Any, columns: Mapping[str, Vector], name: str, used: Any = None
) -> Any:
    """Join with a look-up table by a flat index; rows that are not used are left out of it."""
    import pyarrow as pa

    n = len(next(iter(columns.values())))
    rows = np.arange(n) if used is None else np.flatnonzero(used)
    data = {f"key_{name}": rows} | {
        c: np.ascontiguousarray(v[rows]) for c, v in columns.items()
    }
    table = ibis.memtable(pa.table(data))
    keyed = t.mutate(**{f"key_{name}": key})
    return keyed.left_join(table, f"key_{name}").select(*t.columns, *columns)


# ------------------------------------------------------------------------ what is counted


def summed(ready: Counted, progress: Progress | None = None) -> Moments:
    """Count the tables of a frame, and make sums of them."""
    frame, tables = ready.frame, ready.frame.tables()
    told = progress or (lambda what, share, sales: None)
    last, sales = len(tables) + 2, ready.survey.used

    def counting(step: int) -> None:
        told("counting", BINNING + (1 - BINNING) * step / last, sales)

    sums = Sums(frame, ready.folds)
    t = ready.table
    squares = steps(t.w * EXACT * t.y * t.y, ROUGHER)
    counts = t.group_by("fold").aggregate(n=t.count(), yy=summed_up(squares, ROUGHER))
    facts = counts.to_pyarrow().to_pylist()
    for i, (features, pairs) in enumerate(tables.items()):
        counting(i)
        own = any(g == h for g, h in pairs)
        sums.take(_table(ready, features, totals=own), pairs)
    counting(len(tables))
    of_fold = {row["fold"]: (float(row["yy"]), int(row["n"])) for row in facts}
    grams = tuple(
        Gram(sums.XX[k], sums.Xy[k], *of_fold.get(k, (0.0, 0))) for k in range(ready.folds)
    )
    columns = (t[ready.names["carat"]], t.cut, t.color, t.clarity)
    listing = t.listing + (t.listing < 0).cast("int16") * 4
    grid = _counts(t, flat((*columns, listing), [grid_size(frame, name) for name in GRID]))
    errors = Errors()
    if frame.founding is not None:
        fresh = ready.table.filter(ready.table.fresh)
        errors = errors_of(fresh, fresh.far, fresh.farther)
    survey = ready.survey
    moments = Moments(
        frame, grams, sums.weight, grid, survey.extent, survey.left_out, errors, survey.months
    )
    counting(last)
    return moments


def _table(ready: Counted, features: Sequence[str], *, totals: bool = True) -> Table:
    frame, t = ready.frame, ready.table
    plain = [f for f in features if frame.bins[f].kind != "bands" or "carat" not in features]
    t = t.mutate(**{f"f{i}": _feature(t, frame, ready.names, f) for i, f in enumerate(plain)})
    keys = [f"f{i}" for i in range(len(plain))] + (["fold"] if ready.folds > 1 else [])
    wanted = {"weight": summed_up(t.w, EXACT)}
    if totals:  # the others would read twice as much for nothing
        wanted["total"] = summed_up(t.wy, EXACT)
    found = t.group_by(keys).aggregate(**wanted).to_pyarrow()
    codes = {f: found[f"f{i}"].to_numpy().astype(np.int64) for i, f in enumerate(plain)}
    fold = found["fold"].to_numpy() if ready.folds > 1 else np.zeros(len(found), np.int64)
    total = found["total"].to_numpy() if totals else np.zeros(len(found))
    return Table(codes, fold, found["weight"].to_numpy(), total)


def _counts(t: Any, cell: Any) -> Counts:
    t = t.select(cell=cell)
    found = t.group_by("cell").aggregate(n=t.count()).to_pyarrow()
    cells, count = found["cell"].to_numpy(), found["n"].to_numpy()
    order = np.argsort(cells)
    return Counts(cells[order].astype(np.int64), count[order].astype(np.int64))


def errors_of(t: Any, far: Any, farther: Any) -> Errors:
    """Count absolute errors, on the list of the sale and on the blend, by segment and size."""
    found = []
    for error in (far, farther):
        size = (ibis.greatest(error, SMALLEST) / SMALLEST).ln() * FINE
        codes = (t.band, t.clarity, t.cut, t.color, between(size.floor(), 0, ERROR_BINS - 1))
        found.append(_counts(t, flat(codes, (*ERROR_AXES, ERROR_BINS))))
    total = t.aggregate(total=summed_up(steps(far * far, EXACT), EXACT)).to_pyarrow()["total"]
    return Errors(found[0], found[1], float(total[0].as_py() or 0.0))
