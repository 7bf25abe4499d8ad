"""What the sales are: their quality, their weights, their pairs, and what hides in them."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Figure, Table
from diamond_pricing.exhibits.style import BLUE, NAVY, ORANGE, SOFT, drawing, percent, weights
from diamond_pricing.fitting import Sales
from diamond_pricing.fitting.paired_lists import paired
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import GRADES, LISTING, Stones, stone_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from diamond_pricing.exhibits.audit import AsideRow


def quality(frame: "pd.DataFrame", aside: "Sequence[AsideRow]" = ()) -> Table:
    """Count what is wrong, doubled or missing in sales as they came.

    Parameters
    ----------
    aside : Sequence
        Rows that were set aside as they were read.
    """
    import pandas as pd

    stones = Stones.from_frame(frame)
    attributes = [c for c in frame.columns if c not in ("stone", LISTING.name)]
    twice = paired(Sales(stones, np.ones(len(frame)), "USD", "undated"))
    wrong: dict[int, str] = {row: p.code for row, p in stones.left_out}
    rows = [
        ("sales", len(frame), ""),
        (
            "distinct stones",
            len(np.unique(stone_keys(stones))),
            "equal in weight, color, clarity and sides",
        ),
        ("rows that repeat another exactly", int(frame[attributes].duplicated().sum()), ""),
        ("stones on both price lists", len(twice), "sides in opposite order, all else equal"),
        ("sales with a measurement that cannot be", len(wrong), _counted(wrong.values())),
    ]
    if aside:
        rows.append(("other rows, set aside", len(aside), _counted(r.field for r in aside)))
    return Table(
        pd.DataFrame(rows, columns=["what", "count", "which"]), {"count": written.count}
    )


def _counted(kinds: "Iterable[str]") -> str:
    counts = sorted(Counter(kinds).items())
    return "; ".join(f"{kind.replace('_', ' ')} {n:,}" for kind, n in counts)


def sold_weights(stones: Stones, marked: tuple[float, ...]) -> Figure:
    """Draw how many stones were sold at each hundredth of a carat."""
    import pandas as pd

    cents = np.round(100 * stones["carat"]).astype(int)
    value, count = np.unique(cents, return_counts=True)
    frame = pd.DataFrame({"carat": value / 100, "sold": count})
    with drawing(2.0) as sheet:
        axes = sheet.axes
        axes.vlines(frame["carat"], 0, frame["sold"], color=BLUE, lw=0.9)
        tops = {w: int(frame.loc[frame["carat"] == w, "sold"].sum()) for w in marked}
        told: list[float] = []
        for weight in sorted(tops, key=lambda w: -tops[w]):
            if all(abs(weight - other) > 0.09 for other in told):
                told.append(weight)
        for weight in told[:8]:
            axes.annotate(
                f"{weight:g}",
                (weight, tops[weight]),
                (0, 2),
                textcoords="offset points",
                ha="center",
                color=NAVY,
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
    import pandas as pd

    carat, price = sales.stones["carat"], sales.price
    frame = pd.DataFrame({"carat": carat, "price": price})
    money = written.amounts(sales.currency)
    with drawing(2.8) as sheet:
        axes = sheet.axes
        axes.plot(carat, price, ".", ms=1.2, alpha=0.25, color=BLUE, rasterized=True)
        weights(axes.xaxis)
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
    return Table(
        pd.DataFrame(rows, columns=["", "as sold", "at equal weight and other grades"])
    )


def _factor(result: Any, column: str) -> str:
    low, high = result.conf_int().loc[column]
    middle = written.factor(result.params[column])
    return f"{middle} ({written.between(low, high, written.factor)})"


def ladder(model: PriceModel, sales: Sales) -> Figure:
    """Draw what one price list asks over the other, from stones that stand on both.

    Points are stones; the lines are the mark-up that the model puts back.
    """
    import pandas as pd

    pairs = paired(sales)
    frame = pd.DataFrame(
        {
            "base": np.exp(pairs.base),
            "log_ratio": pairs.marked - pairs.base,
            "carat": pairs.carat,
        }
    )
    money = written.amounts(sales.currency)
    with drawing(2.8) as sheet:
        axes = sheet.axes
        axes.plot(
            frame["base"],
            frame["log_ratio"],
            ".",
            ms=1.5,
            alpha=0.3,
            color=SOFT,
            rasterized=True,
        )
        if model.markup is not None:
            for band in model.markup.bands:
                at = np.log(band.factor)
                axes.plot([band.low, band.high], [at, at], color=ORANGE, lw=2)
                middle = float(np.sqrt(band.low * band.high))
                axes.annotate(
                    written.change(at),
                    (middle, at),
                    (0, 4),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                    color=NAVY,
                )
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda v, _: money(v))
        axes.xaxis.set_minor_formatter(lambda v, _: "")
        if len(frame):
            axes.set_ylim(
                *np.quantile(frame["log_ratio"], (0.003, 0.997)) + np.array([-0.03, 0.05])
            )
        percent(axes.yaxis)
        axes.set_xlabel("price on x<y")
        axes.set_ylabel("list x>y over x<y")
        told = "none found"
        if model.markup is not None:
            told = "; ".join(
                f"{money(b.low)} to {money(b.high)} {written.change(float(np.log(b.factor)))}"
                for b in model.markup.bands
            )
        both = f"{len(frame):,} stones on both"
        alt = f"Price on list x>y over price on x<y, {both}. Bands: {told}."
        return sheet.exhibit(alt, frame)
