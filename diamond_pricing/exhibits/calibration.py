"""Whether any group is priced high or low, how errors scatter, and whether ranges hold.

Errors are of log price, held out; a positive one means that the sale was dearer.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.exhibits import style, written
from diamond_pricing.exhibits.exhibit import Figure, Table, frame_of, table
from diamond_pricing.exhibits.priced import FEWEST, Priced, Z, bands, groups, in_order
from diamond_pricing.fitting.scatter import BANDS
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones
from diamond_pricing.validation.drift import shift

if TYPE_CHECKING:
    import pandas as pd

SEGMENT = 100  # sales of a segment whose coverage is told


def calibration(error: Vector, stones: Stones) -> Figure | None:
    """Draw the median error in each weight band and grade, with 95 % limits.

    The limits take sales as independent. None where no group has enough sales.
    """
    rows = []
    for name in ("weight", "cut", "color", "clarity"):
        for label, of in groups(stones, name):
            found = shift(label, error[of])
            ends = (found.median - Z * found.error, found.median + Z * found.error)
            rows.append((name, label, found.n, found.median, *ends))
    frame = frame_of(rows, columns=["attribute", "group", "n", "median", "low", "high"])
    if not rows:
        return None
    with style.drawing(3.0, 4, sharex=True) as sheet:
        parts = frame.groupby("attribute", sort=False)
        for axes, (by, part) in zip(sheet.all, parts, strict=False):
            place = np.arange(len(part))
            ends = style.reach(part, "median")
            axes.errorbar(part["median"], place, xerr=ends, fmt="o", color=style.BLUE, ms=3.5)
            axes.axvline(0, color=style.ORANGE, lw=0.8)
            axes.set_yticks(place, part["group"])
            axes.grid(axis="y", visible=False)
            axes.set_title(str(by))
        for axes in sheet.all:  # they share their limits
            style.percent(axes.xaxis)
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
    (labels, rows), (clarity, columns) = in_order(stones, "weight"), in_order(stones, "clarity")
    found = []
    for row in rows:
        for column in columns:
            of = (labels == row) & (clarity == column)
            middle = float(np.median(error[of])) if of.sum() >= FEWEST else np.nan
            found.append((row, column, int(of.sum()), middle))
    frame = frame_of(found, columns=["band", "clarity", "n", "median"])
    if frame["median"].isna().all():
        return None
    grid = frame["median"].to_numpy().reshape(len(rows), len(columns))
    with style.drawing(2.2) as sheet:
        most = 2 * max(0.05, float(np.nanmax(np.abs(grid))))
        texts = [
            f"{written.change(value)}\n{n:,}" if value == value else f"{n:,}"
            for value, n in zip(frame["median"], frame["n"], strict=True)
        ]
        style.cells(sheet.axes, grid, texts, (rows, columns), "PuOr_r", (-most, most))
        worst = frame.iloc[int(np.nanargmax(frame["median"].abs()))]
        alt = (
            "Median error by weight band and clarity, with the number of sales; the largest is "
            f"{written.change(worst['median'])} for {worst['band']} {worst['clarity']}."
        )
        return sheet.exhibit(alt, frame)


def residuals(error: Vector, predicted: Vector, currency: str) -> Figure:
    """Draw the spread of the errors over the price, and their quantiles against a normal's."""
    from scipy.special import ndtri

    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    parts = np.array_split(np.argsort(predicted), 20)
    frame = frame_of(
        [(float(np.median(predicted[g])), *np.quantile(error[g], shares)) for g in parts],
        columns=["price", "q05", "q25", "q50", "q75", "q95"],
    )
    money = written.amounts(currency)
    with style.drawing(2.7, 2) as sheet:
        left, right = sheet.all
        for low, high, alpha in (("q05", "q95", 0.18), ("q25", "q75", 0.35)):
            left.fill_between(
                frame["price"], frame[low], frame[high], color=style.BLUE, alpha=alpha, lw=0
            )
        left.plot(frame["price"], frame["q50"], color=style.NAVY)
        style.amounts(left.xaxis, money)
        left.set_xlabel("held-out price")
        left.set_title("errors: middle, half, nine tenths")
        style.percent(left.yaxis)
        sd = float(np.subtract(*np.quantile(error, (0.75, 0.25)))) / 1.349
        normal = ndtri((np.arange(len(error)) + 0.5) / len(error))
        right.plot(normal, np.sort(error) / sd, ".", ms=2, color=style.BLUE, rasterized=True)
        right.plot([-4, 4], [-4, 4], color=style.ORANGE, lw=0.8)
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


def inside(model: PriceModel, sold: Priced, level: float = 0.9) -> NDArray[np.bool_]:
    """Whether the range of that level, as recorded, holds each sale, shape (n,)."""
    assert model.ranges is not None, "this model states no ranges"
    half = model.ranges.half_widths(sold.sales.stones, level, "recorded")
    held: NDArray[np.bool_] = np.abs(sold.error) <= half
    return held


def coverage(held: NDArray[np.bool_], stones: Stones) -> "pd.DataFrame":
    """Share of the sales inside their range in each segment of 100, with Wilson's limits."""
    labels = np.char.add(np.char.add(bands(stones, BANDS), " "), stones.labels("clarity"))
    band = np.searchsorted(BANDS, stones["carat"], side="right")
    order = np.lexsort((stones["clarity"], band))
    rows = [("all", len(held), *wilson(held))]
    for label in dict.fromkeys(labels[order].tolist()):
        of = labels == label
        if of.sum() >= SEGMENT:
            rows.append((label, int(of.sum()), *wilson(held[of])))
    return frame_of(rows, columns=["segment", "n", "covered", "low", "high"])


def wilson(inside: NDArray[np.bool_]) -> tuple[float, float, float]:
    """A share and its 95 % limits (Wilson 1927)."""
    n, share = len(inside), float(np.mean(inside))
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    reach = Z / (1 + Z**2 / n) * float(np.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2))
    return share, centre - reach, centre + reach


def coverage_table(frame: "pd.DataFrame") -> Table:
    """The same as a table."""
    rows = [
        (segment, n, covered, written.between(low, high, written.share))
        for segment, n, covered, low, high in frame.itertuples(index=False)
    ]
    columns = {
        "segment": None,
        "sales": written.count,
        "covered": written.share,
        "95 % limits": str,
    }
    return table(rows, columns)


def coverage_words(frame: "pd.DataFrame", level: float = 0.9) -> str:
    """Say where it is least, and in how many segments it is surely less than stated."""
    parts = frame[frame["segment"] != "all"]
    if not len(parts):
        return "No segment has enough sales to be told."
    worst = parts.iloc[int(np.argmin(parts["covered"]))]
    short = int((parts["high"] < level).sum())
    return (
        f"The least is {written.share(worst['covered'])} of {worst['n']:,} sales "
        f"({worst['segment']}, limits "
        f"{written.between(worst['low'], worst['high'], written.share)}). In {short} of "
        f"{len(parts)} segments the limits lie wholly below {100 * level:g} %; where every "
        f"range held exactly, chance would put them there in {0.025 * len(parts):.1f}."
    )


def coverage_figure(frame: "pd.DataFrame", level: float = 0.9) -> Figure | None:
    """Draw the coverage of each segment against what is stated; None without segments."""
    parts = frame[frame["segment"] != "all"]
    if not len(parts):
        return None
    with style.drawing(max(1.6, 0.14 * len(parts) + 0.6)) as sheet:
        from matplotlib.ticker import MultipleLocator

        axes, place = sheet.axes, np.arange(len(parts))
        ends = style.reach(parts, "covered")
        axes.errorbar(
            parts["covered"], place, xerr=ends, fmt="o", ms=3, color=style.BLUE, lw=0.9
        )
        axes.axvline(level, color=style.ORANGE, lw=0.9)
        axes.set_yticks(place, parts["segment"], fontsize=6.5)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        step = 0.02 if parts["low"].min() > 0.8 else 0.05
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(lambda v, _: written.share(v, 0))
        axes.set_xlabel("sales inside their range")
        worst = parts.iloc[int(np.argmin(parts["covered"]))]
        alt = (
            f"Share of the sales inside their {100 * level:g} % range in {len(parts)} "
            f"segments; the least is {written.share(worst['covered'])} for {worst['segment']}."
        )
        return sheet.exhibit(alt, frame)
