"""Whether any group is priced high or low, and how errors scatter.

Errors are of log price, held out; a positive one means that the sale was dearer.
"""

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Figure
from diamond_pricing.exhibits.priced import FEWEST, Z, in_order
from diamond_pricing.exhibits.style import BLUE, NAVY, ORANGE, cells, drawing, percent, reach
from diamond_pricing.stones import Stones
from diamond_pricing.validation.drift import shift


def calibration(error: Vector, stones: Stones) -> Figure | None:
    """Draw the median error in each weight band and grade, with 95 % limits.

    The limits take sales as independent. None where no group has enough sales.
    """
    import pandas as pd

    rows = []
    for name in ("weight", "cut", "color", "clarity"):
        labels, names = in_order(stones, name)
        for label in names:
            of = labels == label
            if of.sum() >= FEWEST:
                found = shift(label, error[of])
                ends = (found.median - Z * found.error, found.median + Z * found.error)
                rows.append((name, label, found.n, found.median, *ends))
    frame = pd.DataFrame(rows, columns=["attribute", "group", "n", "median", "low", "high"])
    if not rows:
        return None
    with drawing(3.0, 4, sharex=True) as sheet:
        for axes, (by, part) in zip(
            sheet.all, frame.groupby("attribute", sort=False), strict=False
        ):
            place = np.arange(len(part))
            ends = reach(part, "median")
            axes.errorbar(part["median"], place, xerr=ends, fmt="o", color=BLUE, ms=3.5)
            axes.axvline(0, color=ORANGE, lw=0.8)
            axes.set_yticks(place, part["group"])
            axes.grid(axis="y", visible=False)
            axes.set_title(str(by))
        for axes in sheet.all:  # they share their limits
            percent(axes.xaxis)
        sheet.figure.supxlabel("median of sale price over held-out price", fontsize=8.5)
        worst = frame.iloc[int(np.argmax(frame["median"].abs()))]
        limits = written.between(worst["low"], worst["high"])
        alt = (
            "Median error by weight band, cut, color and clarity, with 95 % limits; the "
            f"largest is {written.change(worst['median'])} ({limits}) for {worst['attribute']} "
            f"{worst['group']}."
        )
        return sheet.exhibit(alt, frame)


def residual_map(error: Vector, stones: Stones) -> Figure | None:
    """Draw the median error in each cell of weight band and clarity.

    None where no cell has enough sales.
    """
    import pandas as pd

    (labels, rows), (clarity, columns) = in_order(stones, "weight"), in_order(stones, "clarity")
    found = []
    for row in rows:
        for column in columns:
            of = (labels == row) & (clarity == column)
            middle = float(np.median(error[of])) if of.sum() >= FEWEST else np.nan
            found.append((row, column, int(of.sum()), middle))
    frame = pd.DataFrame(found, columns=["band", "clarity", "n", "median"])
    if frame["median"].isna().all():
        return None
    grid = frame["median"].to_numpy().reshape(len(rows), len(columns))
    with drawing(2.2) as sheet:
        most = 2 * max(0.05, float(np.nanmax(np.abs(grid))))
        texts = [
            f"{written.change(value)}\n{n:,}" if value == value else f"{n:,}"
            for value, n in zip(frame["median"], frame["n"], strict=True)
        ]
        cells(sheet.axes, grid, texts, (rows, columns), "PuOr_r", (-most, most))
        worst = frame.iloc[int(np.nanargmax(frame["median"].abs()))]
        alt = (
            "Median error by weight band and clarity, with the number of sales; the largest is "
            f"{written.change(worst['median'])} for {worst['band']} {worst['clarity']}."
        )
        return sheet.exhibit(alt, frame)


def residuals(error: Vector, predicted: Vector, currency: str) -> Figure:
    """Draw the spread of the errors over the price, and their quantiles against a normal's."""
    import pandas as pd

    normal = _normal_quantiles(len(error))
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    groups = np.array_split(np.argsort(predicted), 20)
    frame = pd.DataFrame(
        [(float(np.median(predicted[g])), *np.quantile(error[g], shares)) for g in groups],
        columns=["price", "q05", "q25", "q50", "q75", "q95"],
    )
    money = written.amounts(currency)
    with drawing(2.7, 2) as sheet:
        left, right = sheet.all
        left.fill_between(
            frame["price"], frame["q05"], frame["q95"], color=BLUE, alpha=0.18, lw=0
        )
        left.fill_between(
            frame["price"], frame["q25"], frame["q75"], color=BLUE, alpha=0.35, lw=0
        )
        left.plot(frame["price"], frame["q50"], color=NAVY)
        left.set_xscale("log")
        left.xaxis.set_major_formatter(lambda v, _: money(v))
        left.xaxis.set_minor_formatter(lambda v, _: "")
        left.set_xlabel("held-out price")
        left.set_title("errors: middle, half, nine tenths")
        percent(left.yaxis)
        sd = float(np.subtract(*np.quantile(error, (0.75, 0.25)))) / 1.349
        right.plot(normal, np.sort(error) / sd, ".", ms=2, color=BLUE, rasterized=True)
        right.plot([-4, 4], [-4, 4], color=ORANGE, lw=0.8)
        right.set_xlabel("quantile of a normal")
        right.set_title("errors in units of their bulk")
        beyond = float((np.abs(error) > 3 * sd).mean())
        ends = (written.change(float(v), 0) for v in (frame["q05"].min(), frame["q95"].max()))
        alt = (
            f"Left: nine tenths of the errors lie within {' to '.join(ends)} at any price. "
            "Right: quantiles of the errors bend away from a normal; "
            f"{written.share(beyond)} lie beyond three times the bulk's deviation, a normal "
            "has 0.3 %."
        )
        return sheet.exhibit(alt, frame)


def _normal_quantiles(n: int) -> Vector:
    from scipy.special import ndtri

    found: Vector = ndtri((np.arange(n) + 0.5) / n)
    return found
