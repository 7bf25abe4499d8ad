"""Hedonic indexes of prices, from dated sales, by the methods of statistical offices.

Time dummy and double imputation: Eurostat (2013), *Handbook on Residential Property Prices
Indices*, ch. 5; de Haan (2010), *Jahrbücher für Nationalökonomie und Statistik* 230/6. Rolling
windows and splices: Krsinich (2016), *Journal of Official Statistics* 32/2; Diewert and Fox
(2022), *Journal of Business & Economic Statistics* 40/1.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.imputation import SCORES, imputed
from diamond_pricing.fitting.loglinear import DUMMY, regression
from diamond_pricing.fitting.recipe import WEIGHT, prepared
from diamond_pricing.fitting.sales import Sales, read_sales
from diamond_pricing.model.market import FEWEST, Period
from diamond_pricing.stones import ATTRIBUTES, Day, Stones, date_of_sale, shown
from diamond_pricing.stones.attributes import period_of
from diamond_pricing.stones.kinds import KINDS

if TYPE_CHECKING:
    import pandas as pd

By = Literal["week", "month", "quarter"]
Method = Literal["time dummy", "laspeyres", "paasche", "fisher"]
Splice = Literal["movement", "window", "half", "mean"]
Labels = NDArray[np.str_]
CORE = {WEIGHT: "carat"} | {name: name for name in (*SCORES, *KINDS)}


def hedonic_index(
    sales: "pd.DataFrame | Sales",
    method: Method = "time dummy",
    *,
    by: By = "month",
    window: int | None = None,
    splice: Splice = "movement",
    basket: Stones | None = None,
    level: float = 0.9,
    currency: str | None = None,
) -> list[Period]:
    """Index of prices at constant quality, 100 in the first period that has one.

    Periods with fewer than five sales have a count and no index, and are not used.

    ``time dummy``
        One regression of log price on the right side of the family ``loglinear`` and a dummy
        for each period. If its optional features would leave a period fewer than five sales,
        only weight, cut, color, clarity, shape and origin are used. Every new period revises
        all earlier figures, unless a ``window`` is given.
    ``laspeyres``, ``paasche``, ``fisher``
        Double imputation. Each period has a regression of its own, and both prices of every
        stone are predicted: of the stones sold in the first period, of those sold in the
        period itself, or the geometric mean of both. Earlier figures are never revised. The
        right side is log weight and its square, the positions of cut, color and clarity in
        their lists of grades, and dummies for shape, origin and a cut that is not graded.
        Columns that the others determine in the first period are left out throughout, as are
        stones of a shape, origin or ungraded cut sold fewer than five times in it. The first
        period is the first with three sales a coefficient; a later period with fewer, or
        whose sales do not separate the coefficients, has no index.

    Parameters
    ----------
    sales : DataFrame or Sales
        As `read_sales` takes them, with a date (``sold``). Sales without a date are left out.
    by : str
        ``week`` (ISO 8601), ``month`` or ``quarter``.
    window : int, optional
        Method ``time dummy`` only: a regression for each run of so many periods of at least
        five sales. The first is published whole; each later one adds its last period, and no
        figure is revised.
    splice : str
        Which link carries the new window onto the last published figure: the latest period
        that both windows have (``movement``), the earliest (``window``), the middle one
        (``half``), or the geometric mean over all of them (``mean``).
    basket : Stones, optional
        Method ``laspeyres`` only: these stones instead of those of the first period, a Lowe
        index, as of a house's own stock.
    level : float
        Chance that the limits hold the truth. Only ``time dummy`` without a window has limits;
        its standard errors are clustered by stone.
    currency : str, optional
        As for `read_sales`.

    Raises
    ------
    FitError
        For sales without dates, fewer than five in every period, or fewer than a regression
        needs; for a method, period, splice, window, basket or level that is not allowed.
    StoneError
        As `read_sales`.
    """
    made = unrounded(sales, method, by, window, splice, basket, level, currency)
    return [Period(p.period, p.sales, *map(_rounded, (p.index, p.low, p.high))) for p in made]


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 2)


def unrounded(
    sales: "pd.DataFrame | Sales",
    method: Method = "time dummy",
    by: By = "month",
    window: int | None = None,
    splice: Splice = "movement",
    basket: Stones | None = None,
    level: float = 0.9,
    currency: str | None = None,
) -> list[Period]:
    """As `hedonic_index`, with all digits."""
    _check(method, by, window, splice, basket, level)
    checked = sales if isinstance(sales, Sales) else read_sales(sales, currency=currency)
    some, days = dated(checked)
    labels = periods_of(some.stones[days], by)
    count = Counter(labels.tolist())
    first, last = (int(end(some.stones[days])) for end in (np.min, np.max))
    names = list(dict.fromkeys(period_of(day, by) for day in range(first, last + 1)))
    enough = [name for name in names if count[name] >= FEWEST]
    if not enough:
        raise FitError(f"no {by} has {FEWEST} sales or more; choose longer periods.")
    found: Sequence[tuple[float | None, ...]]
    if method != "time dummy":
        both = imputed([some.take(labels == name) for name in enough], basket)
        found = [(_mean(method, *pair), None, None) for pair in zip(*both, strict=True)]
    elif window is None:
        log, spread = _log_levels(some.take(np.isin(labels, enough)), days, by)
        half = NormalDist().inv_cdf(0.5 + level / 2) * spread
        ends = 100 * np.exp(np.column_stack([log, log - half, log + half]))
        found = [tuple(row) for row in ends.tolist()]
    else:
        rows = [np.isin(labels, run) for run in _runs(enough, window)]
        log = _linked([_log_levels(some.take(of), days, by)[0] for of in rows], splice)
        found = [(value, None, None) for value in (100 * np.exp(log)).tolist()]
    stated = dict(zip(enough, found, strict=True))
    return [Period(name, count[name], *stated.get(name, (None,) * 3)) for name in names]


def _check(
    method: str, by: str, window: object, splice: str, basket: object, level: float
) -> None:
    for word, given, allowed in (
        ("method", method, Method),
        ("by", by, By),
        ("splice", splice, Splice),
    ):
        if given not in get_args(allowed):
            known = ", ".join(map(repr, get_args(allowed)))
            raise FitError(f"{word} must be one of {known}, not {shown(given)}.")
    if not 0 < level < 1:
        raise FitError(f"level must be between 0 and 1, not {shown(level)}.")
    if window is not None:
        if not isinstance(window, int) or isinstance(window, bool) or window < 2:
            raise FitError(
                f"window must be a whole number of periods, at least 2, not {shown(window)}."
            )
        if method != "time dummy":
            raise FitError(f"only the method 'time dummy' takes a window, not {method!r}.")
    if basket is not None:
        if method != "laspeyres":
            raise FitError(f"only the method 'laspeyres' takes a basket, not {method!r}.")
        if not isinstance(basket, Stones) or not len(basket):
            raise FitError("basket must be Stones, and at least one of them.")


def dated(sales: Sales) -> tuple[Sales, str]:
    """The sales that have a date, and the name of that attribute; raises FitError for none."""
    stones, name = sales.stones, date_of_sale()
    if name and stones.known(name).any():
        return sales.take(stones.known(name)), name
    raise FitError("the sales have no dates; an index needs a column of them, as 'sold'.")


def periods_of(days: Vector, by: str) -> Labels:
    """The period of each day, shape (n,)."""
    each, place = np.unique(days, return_inverse=True)
    return np.array([period_of(day, by) for day in each.tolist()])[place]


def _mean(method: str, laspeyres: float | None, paasche: float | None) -> float | None:
    if laspeyres is None or paasche is None:
        return None
    share = {"laspeyres": 1.0, "paasche": 0.0, "fisher": 0.5}[method]
    return float(100 * laspeyres**share * paasche ** (1 - share))


def _log_levels(sales: Sales, date: str, by: str) -> tuple[Vector, Vector]:
    """Logarithm of the index of each period of some sales, and its standard error."""
    periods = np.unique(periods_of(sales.stones[date], by)).tolist()
    varied = (text for text, name in CORE.items() if len(np.unique(sales.stones[name])) > 1)
    kept, features = sales, tuple(varied)
    with suppress(FitError):
        some, every, _ = prepared(sales)
        left = Counter(periods_of(some.stones[date], by).tolist())
        if min(left[period] for period in periods) >= FEWEST:
            kept = some
            features = tuple(n for n in every if not isinstance(ATTRIBUTES.get(n), Day))
    try:
        result = regression(kept, features, periods_of(kept.stones[date], by))
    except FitError as error:
        ends = " to ".join(dict.fromkeys((periods[0], periods[-1])))
        raise FitError(f"{ends}: {error}") from error
    dummies = [f"{DUMMY}[T.{period}]" for period in periods[1:]]
    return np.append(0.0, result.params[dummies]), np.append(0.0, result.bse[dummies])


def _runs(periods: list[str], window: int) -> list[list[str]]:
    if window > len(periods):
        raise FitError(
            f"a window of {window} periods needs as many with {FEWEST} sales or more; there "
            f"{'is' if len(periods) == 1 else 'are'} {len(periods)}."
        )
    return [periods[i : i + window] for i in range(len(periods) - window + 1)]


def _linked(windows: Sequence[Vector], splice: str) -> Vector:
    """Log index of all periods, of the log levels in rolling windows of w periods each.

    A window has w − 1 periods in common with the one before. By each of these, the movement
    of the new window from there to its end, less that of the old, continues the series.
    """
    width = len(windows[0])
    of = {"movement": [-1], "window": [0], "half": [(width - 1) // 2]}
    at = of.get(splice, list(range(width - 1)))
    log = windows[0].tolist()
    for old, new in pairwise(windows):
        links = new[-1] - new[:-1] - (old[-1] - old[1:])
        log.append(log[-1] + float(links[at].mean()))
    return np.array(log)
