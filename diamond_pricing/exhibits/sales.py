"""What the sales are: their quality, their weights, their pairs, and what hides in them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.exhibits import style, written
from diamond_pricing.exhibits.exhibit import Figure, Table, frame_of, table
from diamond_pricing.fitting import Sales
from diamond_pricing.fitting.paired_lists import paired
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import GRADES, LISTING, Stones, stone_keys

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.intake import Quarantined


def quality(frame: "pd.DataFrame", aside: "Sequence[Quarantined]" = ()) -> Table:
    """Count what is wrong, doubled or missing in sales as they came.

    Parameters
    ----------
    aside : Sequence
        Rows that were set aside as they were read.
    """
    stones = Stones.from_frame(frame)
    attributes = [c for c in frame.columns if c not in ("stone", LISTING.name)]
    twice = paired(Sales(stones, np.ones(len(frame)), "USD", "undated"))
    distinct = len(np.unique(stone_keys(stones)))
    wrong: dict[int, str] = {row: p.code for row, p in stones.left_out}
    rows = [
        ("sales", len(frame), ""),
        ("distinct stones", distinct, "equal in weight, color, clarity and sides"),
        ("rows that repeat another exactly", int(frame[attributes].duplicated().sum()), ""),
        ("stones on both price lists", len(twice), "sides in opposite order, all else equal"),
        ("sales with a measurement that cannot be", len(wrong), _counted(wrong.values())),
    ]
    if aside:
        rows.append(("other rows, set aside", len(aside), _counted(r.field for r in aside)))
    return table(rows, {"what": None, "count": written.count, "which": None})


def _counted(kinds: Iterable[str]) -> str:
    counts = sorted(Counter(kinds).items())
    return "; ".join(f"{kind.replace('_', ' ')} {n:,}" for kind, n in counts)


def sold_weights(stones: Stones, marked: tuple[float, ...]) -> Figure:
    """Draw how many stones were sold at each hundredth of a carat."""
    cents = np.round(100 * stones["carat"]).astype(int)
    value, count = np.unique(cents, return_counts=True)
    frame = frame_of({"carat": value / 100, "sold": count})
    with style.drawing(2.0) as sheet:
        axes = sheet.axes
        axes.vlines(frame["carat"], 0, frame["sold"], color=style.BLUE, lw=0.9)
        tops = {w: int(frame.loc[frame["carat"] == w, "sold"].sum()) for w in marked}
        told: list[float] = []
        for weight in sorted(tops, key=lambda w: -tops[w]):
            if all(abs(weight - other) > 0.09 for other in told):
                told.append(weight)
        for weight in told[:8]:
            style.note(
                axes,
                f"{weight:g}",
                (weight, tops[weight]),
                (0, 2),
                ha="center",
                color=style.NAVY,
            )
        axes.set_xlim(0.2, min(2.6, float(frame["carat"].max()) + 0.05))
        axes.set_xlabel("carat")
        axes.set_ylabel("sales")
        top = frame.nlargest(3, "sold")["carat"].tolist()
        alt = (
            "Sales at each hundredth of a carat: spikes at and just above round weights, most "
            f"at {', '.join(f'{w:g}' for w in top)} ct, and hardly any just below."
        )
        return sheet.exhibit(alt, frame)


def price_against_weight(sales: Sales) -> Figure:
    """Draw the price of every sale against its weight, both on logarithmic axes."""
    carat, price = sales.stones["carat"], sales.price
    frame = frame_of({"carat": carat, "price": price})
    money = written.amounts(sales.currency)
    with style.drawing(2.8) as sheet:
        axes = sheet.axes
        axes.plot(carat, price, ".", ms=1.2, alpha=0.25, color=style.BLUE, rasterized=True)
        style.weights(axes.xaxis)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda v, _: money(v))
        axes.set_ylabel("price")
        elasticity = float(np.polyfit(np.log(carat), np.log(price), 1)[0])
        alt = (
            f"Price against weight of {len(price):,} sales on logarithmic axes: close to a "
            f"line of slope {elasticity:.2f}, with steps at round weights."
        )
        return sheet.exhibit(alt, frame)


def grades_hidden_by_weight(sales: Sales) -> Table:
    """Hold each grade against the worst, alone and at equal weight, by least squares.

    95 % ranges from standard errors clustered by stone.
    """
    import pandas as pd
    import statsmodels.formula.api as smf

    frame = pd.DataFrame(
        {"log_price": np.log(sales.price), "log_carat": np.log(sales.stones["carat"])}
    )
    names = {g.name: list(g.grades) for g in GRADES if g.required}
    for name, grades in names.items():
        frame[name] = pd.Categorical(
            sales.stones.labels(name), grades
        ).remove_unused_categories()
    groups = {"groups": stone_keys(sales.stones)}
    curve = "log_carat + I(log_carat**2) + I(log_carat**3)"
    held = smf.ols(f"log_price ~ {curve} + " + " + ".join(names), frame).fit(
        cov_type="cluster", cov_kwds=groups
    )
    rows = []
    for name in names:
        alone = smf.ols(f"log_price ~ {name}", frame).fit(cov_type="cluster", cov_kwds=groups)
        worst, *_, best = frame[name].cat.categories
        column = f"{name}[T.{best}]"
        rows.append(
            (f"{name}: {best} against {worst}", *(_factor(m, column) for m in (alone, held)))
        )
    return table(rows, dict.fromkeys(("", "as sold", "at equal weight and other grades")))


def _factor(result: Any, column: str) -> str:
    low, high = result.conf_int().loc[column]
    return written.estimate(result.params[column], low, high, written.factor)


def ladder(model: PriceModel, sales: Sales) -> Figure:
    """Draw what one price list asks over the other, from stones that stand on both.

    Points are stones; the lines are the mark-up that the model puts back.
    """
    pairs = paired(sales)
    frame = frame_of(
        {
            "base": np.exp(pairs.base),
            "log_ratio": pairs.marked - pairs.base,
            "carat": pairs.carat,
        }
    )
    money = written.amounts(sales.currency)
    with style.drawing(2.8) as sheet:
        axes = sheet.axes
        points = {"ms": 1.5, "alpha": 0.3, "color": style.SOFT, "rasterized": True}
        axes.plot(frame["base"], frame["log_ratio"], ".", **points)
        bands = () if model.markup is None else model.markup.bands
        for band in bands:
            at = np.log(band.factor)
            axes.plot([band.low, band.high], [at, at], color=style.ORANGE, lw=2)
            middle = (float(np.sqrt(band.low * band.high)), at)
            how = {"ha": "center", "fontsize": 7, "color": style.NAVY}
            style.note(axes, written.change(at), middle, (0, 4), **how)
        style.amounts(axes.xaxis, money)
        if len(frame):
            axes.set_ylim(
                *np.quantile(frame["log_ratio"], (0.003, 0.997)) + np.array([-0.03, 0.05])
            )
        style.percent(axes.yaxis)
        axes.set_xlabel("price on x<y")
        axes.set_ylabel("list x>y over x<y")
        told = "; ".join(
            f"{money(b.low)} to {money(b.high)} {written.change(float(np.log(b.factor)))}"
            for b in bands
        )
        told = "none found" if model.markup is None else told
        both = f"{len(frame):,} stones on both"
        alt = f"Price on list x>y over price on x<y, {both}. Bands: {told}."
        return sheet.exhibit(alt, frame)


def markup_table(model: PriceModel) -> Table:
    """The bands of the mark-up; no rows where there is none.

    Each row: stones of which weight, the base prices they had, the median ratio of the two
    prices, half the distance of its quartiles, and how many stones stood on both lists.
    """
    rows = []
    if model.markup is not None:
        edges = [f"{weight:.2f}" for weight in model.markup.parted_at]
        weights = written.bands(edges, " to ") if edges else ["all"]
        rows = [
            (weights[b.part], f"{b.low:,.0f} to {b.high:,.0f}", b.factor, b.spread, b.pairs)
            for b in model.markup.bands
        ]
    columns = {
        "weight": None,
        "base price": None,
        "ratio": written.places(3),
        "spread": written.places(4),
        "stones": written.count,
    }
    return table(rows, columns)
