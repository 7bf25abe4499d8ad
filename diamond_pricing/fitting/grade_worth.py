"""What a grade is worth in each month or quarter, against the grade that is sold most."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.errors import FitError
from diamond_pricing.fitting.hedonic_index import By, Labels, dated, periods_of
from diamond_pricing.fitting.loglinear import DUMMY, regression
from diamond_pricing.fitting.recipe import prepared
from diamond_pricing.fitting.sales import Sales, read_sales
from diamond_pricing.model.market import FEWEST
from diamond_pricing.stones import ATTRIBUTES, Day, Grade, shown

if TYPE_CHECKING:
    import pandas as pd

APART = "|"  # between a period and a grade


@dataclass(frozen=True, slots=True)
class Worth:
    """What stones of a grade cost in a period, as a multiple of those of the usual grade."""

    period: str
    grade: str
    sales: int
    # 1 for the usual grade; the ends hold the truth with the level asked for. None where
    # fewer than five sales of the grade, or of the usual one, are of the period.
    worth: float | None
    low: float | None
    high: float | None


def grade_worth(
    sales: "pd.DataFrame | Sales", attribute: str, *, by: By = "quarter", level: float = 0.9
) -> list[Worth]:
    """What each grade is worth by period, weight and all other features being equal.

    One regression of log price on the right side of the family ``loglinear``, with a level for
    each grade in each period; standard errors are clustered by stone.

    Parameters
    ----------
    sales : DataFrame or Sales
        As `read_sales` takes them, with a date (``sold``). Sales without one are left out.
    attribute : str
        ``cut``, ``color``, ``clarity`` or another graded attribute of the sales.
    by : str
        ``week``, ``month`` or ``quarter``.
    level : float
        Chance that the ends hold the truth.

    Raises
    ------
    FitError
        For sales without dates or too few of them, an attribute without grades, or a level
        that is none.
    """
    grade = ATTRIBUTES.get(attribute)
    if not isinstance(grade, Grade):
        raise FitError(f"{shown(attribute)} is not an attribute with grades.")
    if not 0 < level < 1:
        raise FitError(f"level must be between 0 and 1, not {shown(level)}.")
    checked = sales if isinstance(sales, Sales) else read_sales(sales)
    every, days = dated(checked)
    kept, features, _ = prepared(every.take(every.stones.known(attribute)))
    features = tuple(
        name
        for name in features
        if name != attribute and not isinstance(ATTRIBUTES.get(name), Day)
    )
    period = periods_of(kept.stones[days], by)
    of = kept.stones.labels(attribute)
    usual = Counter(of.tolist()).most_common(1)[0][0]
    cell: Labels = np.char.add(np.char.add(period, APART), of)
    count = Counter(cell.tolist())
    some = np.array([count[name] >= FEWEST for name in cell.tolist()])
    if not some.any():
        raise FitError(f"no {by} has {FEWEST} sales of one grade; choose longer periods.")
    result = regression(kept.take(some), features, cell[some])
    first = np.unique(cell[some])[0]
    half = NormalDist().inv_cdf(0.5 + level / 2)
    names = [name for name in grade.grades if (of == name).any()]
    found = []
    for when in np.unique(period).tolist():
        base = f"{when}{APART}{usual}"
        for name in names:
            here = f"{when}{APART}{name}"
            if min(count[here], count[base]) < FEWEST:
                found.append(Worth(when, name, count[here], None, None, None))
                continue
            log, error = _contrast(result, [here, base], str(first))
            ends = np.exp([log, log - half * error, log + half * error]).round(4).tolist()
            found.append(Worth(when, name, count[here], *ends))
    return found


def _contrast(result: object, cells: Sequence[str], first: str) -> tuple[float, float]:
    """The level of one cell above that of another, and its standard error."""
    params, covariance = result.params, result.cov_params()  # type: ignore[attr-defined]
    if cells[0] == cells[1]:
        return 0.0, 0.0
    signed = zip(cells, (1.0, -1.0), strict=True)
    weights = {f"{DUMMY}[T.{cell}]": sign for cell, sign in signed if cell != first}
    names, signs = list(weights), np.array([*weights.values()])
    variance = signs @ covariance.loc[names, names].to_numpy() @ signs
    return float(signs @ params[names].to_numpy()), float(np.sqrt(max(variance, 0.0)))
