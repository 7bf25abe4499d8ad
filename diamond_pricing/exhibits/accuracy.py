"""How far prices can be trusted: scores, calibration, residuals, coverage.

Errors are of log price, held out; a positive one means that the sale was dearer.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Figure, Table
from diamond_pricing.exhibits.style import BLUE, NAVY, ORANGE, drawing, percent
from diamond_pricing.fitting import Sales
from diamond_pricing.fitting.scatter import BANDS
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones
from diamond_pricing.validation.drift import shift
from diamond_pricing.validation.noise_floor import NoiseFloor, noise_floor
from diamond_pricing.validation.scores import scores

if TYPE_CHECKING:
    import pandas as pd


class Priced(Protocol):
    """Sales and what they are expected to fetch: `diamond_pricing.reporting.inputs.Priced`."""

    @property
    def rows(self) -> Integers:
        """Where a person finds each of them, shape (n,)."""
        ...

    @property
    def sales(self) -> Sales:
        """The n sales."""
        ...

    @property
    def recorded(self) -> Vector:
        """Expected log price on the list of the sale, shape (n,)."""
        ...

    @property
    def error(self) -> Vector:
        """Log price less the expected, shape (n,)."""
        ...

    @property
    def stone(self) -> Integers:
        """Equal for sales of one stone, shape (n,)."""
        ...


FEWEST = 30  # sales of a group
SEGMENT = 100  # sales of a segment whose coverage is told
Z = 1.959964  # 95 %


def bands(stones: Stones) -> NDArray[np.str_]:
    """Weight band of each stone in words, shape (n,)."""
    edges = [f"{edge:g}" for edge in BANDS]
    between = [f"{a}–{b} ct" for a, b in zip(edges, edges[1:], strict=False)]
    names = np.array([f"under {edges[0]} ct", *between, f"from {edges[-1]} ct"])
    found: NDArray[np.str_] = names[np.searchsorted(BANDS, stones["carat"], side="right")]
    return found


def scores_table(
    price: Vector, predicted: Mapping[str, Vector], stone: Integers, currency: str
) -> Table:
    """Errors of several ways to price the same n sales, the best log-RMSE last.

    Limits of the log-RMSE by the variance between stones.
    """
    import pandas as pd

    rows = []
    for name, prices in predicted.items():
        s = scores(price, prices)
        low, high = rms_limits(np.log(prices / price), stone)
        rows.append(
            (name, s.log_rmse, f"{low:.4f} to {high:.4f}", s.mape, s.mae, s.rmse, s.r2_log)
        )
    money = written.amounts(currency)
    columns = ["model", "log-RMSE", "95 % limits", "MAPE %", "MAE", "RMSE", "R² log"]
    return Table(
        pd.DataFrame(rows, columns=columns),
        {"log-RMSE": written.places(4), "95 % limits": str, "MAPE %": written.places(2),
         "MAE": money, "RMSE": money, "R² log": written.places(4)},
    )  # fmt: skip


def rms_limits(error: Vector, stone: Integers) -> tuple[float, float]:
    """95 % limits of a root mean square, errors of one stone taken together."""
    mean, error_of_mean = clustered_mean(error**2, stone)
    low, high = (max(mean + side * Z * error_of_mean, 0.0) for side in (-1, 1))
    return float(np.sqrt(low)), float(np.sqrt(high))


def clustered_mean(value: Vector, stone: Integers) -> tuple[float, float]:
    """Mean of n values and its standard error, values of one stone taken together."""
    _, at = np.unique(stone, return_inverse=True)
    mean = float(value.mean())
    total = np.bincount(at, value - mean)
    return mean, float(np.sqrt(np.sum(total**2))) / len(value)


def calibration(error: Vector, stones: Stones) -> Figure:
    """Draw the median error in each weight band and grade, with 95 % limits."""
    import pandas as pd

    rows = []
    for name in ("weight", "cut", "color", "clarity"):
        labels = bands(stones) if name == "weight" else stones.labels(name)
        order = dict.fromkeys(
            labels[np.argsort(stones["carat" if name == "weight" else name])].tolist()
        )
        for label in order:
            of = labels == label
            if of.sum() >= FEWEST:
                found = shift(label, error[of])
                reach = Z * found.error
                rows.append(
                    (
                        name,
                        label,
                        found.n,
                        found.median,
                        found.median - reach,
                        found.median + reach,
                    )
                )
    frame = pd.DataFrame(rows, columns=["attribute", "group", "n", "median", "low", "high"])
    with drawing(3.0, 4, sharex=True) as sheet:
        for axes, (name, part) in zip(
            sheet.all, frame.groupby("attribute", sort=False), strict=False
        ):
            place = np.arange(len(part))
            ends = np.abs(part[["low", "high"]].to_numpy().T - part["median"].to_numpy())
            axes.errorbar(
                part["median"], place, xerr=ends, fmt="o", color=BLUE, ms=3.5, capsize=2
            )
            axes.axvline(0, color=ORANGE, lw=0.8)
            axes.set_yticks(place, part["group"])
            axes.grid(axis="y", visible=False)
            axes.set_title(name)
            percent(axes.xaxis)
        sheet.figure.supxlabel("median of sale price over held-out price", fontsize=8.5)
        worst = frame.loc[frame["median"].abs().idxmax()]
        alt = (
            "Median error by weight band, cut, color and clarity, with 95 % limits; the largest "
            f"is {written.change(worst['median'])} ({written.between(worst['low'], worst['high'])}) "
            f"for {worst['attribute']} {worst['group']}."
        )
        return sheet.exhibit(alt, frame)


def residual_map(error: Vector, stones: Stones) -> Figure:
    """Draw the median error in each cell of weight band and clarity."""
    import pandas as pd

    labels, clarity = bands(stones), stones.labels("clarity")
    rows = list(dict.fromkeys(labels[np.argsort(stones["carat"])].tolist()))
    columns = list(dict.fromkeys(clarity[np.argsort(stones["clarity"])].tolist()))
    found = []
    for row in rows:
        for column in columns:
            of = (labels == row) & (clarity == column)
            middle = float(np.median(error[of])) if of.sum() >= FEWEST else np.nan
            found.append((row, column, int(of.sum()), middle))
    frame = pd.DataFrame(found, columns=["band", "clarity", "n", "median"])
    grid = frame["median"].to_numpy().reshape(len(rows), len(columns))
    with drawing(2.2) as sheet:
        axes = sheet.axes
        reach = max(0.05, float(np.nanmax(np.abs(grid))))
        axes.imshow(grid, cmap="PuOr_r", vmin=-2 * reach, vmax=2 * reach, aspect="auto")
        for (i, j), n in zip(np.ndindex(grid.shape), frame["n"], strict=True):
            text = (
                f"{written.change(grid[i, j])}\n{n:,}" if np.isfinite(grid[i, j]) else f"{n:,}"
            )
            axes.text(j, i, text, ha="center", va="center", fontsize=6.5)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        worst = frame.loc[frame["median"].abs().idxmax()]
        alt = (
            "Median error by weight band and clarity, with the number of sales; the largest is "
            f"{written.change(worst['median'])} for {worst['band']} {worst['clarity']}."
        )
        return sheet.exhibit(alt, frame)


def residuals(error: Vector, predicted: Vector, currency: str) -> Figure:
    """Draw the spread of the errors over the price, and their quantiles against a normal's."""
    import pandas as pd

    normal = _normal_quantiles(len(error))
    order = np.argsort(predicted)
    groups = np.array_split(order, 20)
    frame = pd.DataFrame(
        [
            (
                float(np.median(predicted[g])),
                *np.quantile(error[g], (0.05, 0.25, 0.5, 0.75, 0.95)),
            )
            for g in groups
        ],
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
        alt = (
            f"Left: nine tenths of the errors lie within {written.between(frame['q05'].min(), frame['q95'].max(), lambda v: written.change(v, 0))} "
            f"at any price. Right: quantiles of the errors bend away from a normal; "
            f"{written.share(beyond)} lie beyond three times the bulk's deviation, a normal has 0.3 %."
        )
        return sheet.exhibit(alt, frame)


def _normal_quantiles(n: int) -> Vector:
    from scipy.special import ndtri

    found: Vector = ndtri((np.arange(n) + 0.5) / n)
    return found


def coverage(inside: NDArray[np.bool_], stones: Stones, level: float = 0.9) -> "pd.DataFrame":
    """Share of the sales inside their range in each segment of 100, with Wilson's limits."""
    import pandas as pd

    labels = np.char.add(np.char.add(bands(stones), " "), stones.labels("clarity"))
    order = np.lexsort(
        (stones["clarity"], np.searchsorted(BANDS, stones["carat"], side="right"))
    )
    rows = [("all", len(inside), *wilson(inside))]
    for label in dict.fromkeys(labels[order].tolist()):
        of = labels == label
        if of.sum() >= SEGMENT:
            rows.append((label, int(of.sum()), *wilson(inside[of])))
    return pd.DataFrame(rows, columns=["segment", "n", "covered", "low", "high"])


def wilson(inside: NDArray[np.bool_]) -> tuple[float, float, float]:
    """A share and its 95 % limits (Wilson 1927)."""
    n, share = len(inside), float(np.mean(inside))
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    reach = Z / (1 + Z**2 / n) * float(np.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2))
    return share, centre - reach, centre + reach


def coverage_table(frame: "pd.DataFrame") -> Table:
    """The same as a table."""
    import pandas as pd

    shown = pd.DataFrame(
        {
            "segment": frame["segment"], "sales": frame["n"], "covered": frame["covered"],
            "95 % limits": [written.between(a, b, written.share) for a, b in zip(frame["low"], frame["high"], strict=True)],
        }
    )  # fmt: skip
    return Table(shown, {"sales": written.count, "covered": written.share, "95 % limits": str})


def coverage_figure(frame: "pd.DataFrame", level: float = 0.9) -> Figure:
    """Draw the coverage of each segment against what is stated."""
    parts = frame[frame["segment"] != "all"]
    with drawing(max(1.6, 0.14 * len(parts) + 0.6)) as sheet:
        axes, place = sheet.axes, np.arange(len(parts))
        ends = np.abs(parts[["low", "high"]].to_numpy().T - parts["covered"].to_numpy())
        axes.errorbar(parts["covered"], place, xerr=ends, fmt="o", ms=3, color=BLUE, lw=0.9)
        axes.axvline(level, color=ORANGE, lw=0.9)
        axes.set_yticks(place, parts["segment"], fontsize=6.5)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter(lambda v, _: written.share(v, 0))
        axes.set_xlabel("sales inside their range")
        worst = parts.loc[parts["covered"].idxmin()] if len(parts) else frame.iloc[0]
        alt = (
            f"Share of the sales inside their {100 * level:g} % range in {len(parts)} segments; the least is "
            f"{written.share(worst['covered'])} for {worst['segment']}."
        )
        return sheet.exhibit(alt, frame)


def inside(model: PriceModel, sold: Priced, level: float = 0.9) -> NDArray[np.bool_]:
    """Whether the range of that level, as recorded, holds each sale, shape (n,)."""
    assert model.ranges is not None, "this model states no ranges"
    half = model.ranges.half_widths(sold.sales.stones, level, "recorded")
    held: NDArray[np.bool_] = np.abs(sold.error) <= half
    return held


def scores_by_band(sold: Priced) -> Table:
    """Errors of expected prices for all sales and in each weight band."""
    import pandas as pd

    labels, price = bands(sold.sales.stones), sold.sales.price
    predicted, keys = np.exp(sold.recorded), sold.stone
    order = labels[np.argsort(sold.sales.stones["carat"], kind="stable")]
    rows = []
    for label in ("all", *dict.fromkeys(order.tolist())):
        of = np.ones(len(price), bool) if label == "all" else labels == label
        if of.sum() >= FEWEST:
            s = scores(price[of], predicted[of])
            low, high = rms_limits(sold.error[of], keys[of])
            rows.append(
                (
                    label,
                    s.n,
                    s.log_rmse,
                    f"{low:.4f} to {high:.4f}",
                    s.median_ape,
                    s.mape,
                    s.mae,
                    s.rmse,
                )
            )
    columns = [
        "weight",
        "sales",
        "log-RMSE",
        "95 % limits",
        "median APE %",
        "MAPE %",
        "MAE",
        "RMSE",
    ]
    money, two = written.amounts(sold.sales.currency), written.places(2)
    return Table(
        pd.DataFrame(rows, columns=columns),
        {"sales": written.count, "log-RMSE": written.places(4), "95 % limits": str,
         "median APE %": two, "MAPE %": two, "MAE": money, "RMSE": money},
    )  # fmt: skip


def floor(model: PriceModel, sold: Priced, most: int = 20_000) -> NoiseFloor | None:
    """How well anyone could price these sales; None where too few are alike to tell."""
    rows = np.flatnonzero(model.supports(sold.sales.stones))
    rows = np.random.default_rng(0).permutation(rows)[:most]
    stones = sold.sales.stones.take(rows)
    lines = model.contributions(stones, listing="recorded")
    try:
        return noise_floor(sold.error[rows], lines, sold.stone[rows], stones["listing"])
    except FitError:  # fewer than 200 pairs: there is nothing to say
        return None


def floor_words(found: NoiseFloor | None) -> str:
    """The noise floor with its limits."""
    if found is None:
        return "how much cannot be told from so few sales"
    limits = written.between(found.low, found.high, written.share)
    return (
        f"{written.share(found.sd)} (95 % limits {limits}; the nugget of the semivariogram of "
        f"the errors, {found.pairs:,} pairs of neighbours)"
    )


def middle(stones: Stones, attribute: str, share: float = 0.99) -> tuple[float, float]:
    """Ends of the middle of a measure, which holds that share of the stones."""
    known = stones[attribute][stones.known(attribute)]
    low, high = np.quantile(known, ((1 - share) / 2, (1 + share) / 2))
    return float(low), float(high)


def peers(rows: "Sequence[tuple[str, Mapping[str, float]]]", currency: str) -> Table:
    """Scores of a benchmark's models, as its file of results holds them, the best first."""
    import pandas as pd

    found = [
        (name, s["log_rmse"], s["mape"], s["mae"], s["rmse"],
         f"{s['ratio']:.3f} ({s['low']:.3f} to {s['high']:.3f})")
        for name, s in sorted(rows, key=lambda row: row[1]["log_rmse"])
    ]  # fmt: skip
    money = written.amounts(currency)
    columns = ["model", "log-RMSE", "MAPE %", "MAE", "RMSE", "log-RMSE against ours"]
    return Table(
        pd.DataFrame(found, columns=columns),
        {"log-RMSE": written.places(4), "MAPE %": written.places(2), "MAE": money, "RMSE": money,
         "log-RMSE against ours": str},
    )  # fmt: skip
