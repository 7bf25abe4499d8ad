"""Stones whose prices stand out, with money at stake, a likely reason and like sales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.exhibits.priced import Priced, in_order
from diamond_pricing.fitting import Sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones, stone_keys
from diamond_pricing.validation.comparables import Comparables
from diamond_pricing.validation.mispricing import FALSE, mispriced
from diamond_pricing.validation.noise_floor import NoiseFloor
from diamond_pricing.validation.ratio_study import ratio_study

if TYPE_CHECKING:
    import pandas as pd

LIKE = 5  # comparable sales asked
SLIP = 2.0  # times or under its inverse: rather a slip of the pen than an opinion
SEGMENT = 50  # sales of a segment of the ratio study


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """What an audit found.

    Attributes
    ----------
    frame : DataFrame
        One row a flagged sale, most money at stake first: row of the data, stone, price,
        expected price, the difference, q, scatter (log), comparables' median, reason.
    n : int
        Sales that were held against the model.
    asked : float
        Sum of their prices.
    scatter : Vector
        Ordinary standard deviation of log price of each of them, shape (n,).
    currency : str
    """

    frame: "pd.DataFrame"
    n: int
    asked: float
    scatter: Vector
    currency: str

    def table(self, most: int | None = None) -> Table:
        """The flagged sales, or the first of them."""
        found = self.frame.head(most) if most else self.frame
        shown = found[
            ["row", "stone", "price", "expected", "difference", "comparables", "reason"]
        ].rename(columns={"comparables": "like sales", "reason": "likely reason"})
        money = written.amounts(self.currency)
        return Table(
            shown,
            {
                "row": str,
                "price": money,
                "expected": money,
                "like sales": money,
                "difference": written.amounts(self.currency, sign=True),
            },
        )

    def to_csv(self) -> str:
        """Write all that is known of every flagged sale, money in whole units."""
        money = {
            f"{name}_{self.currency}": self.frame[name].round().astype("Int64")
            for name in ("price", "expected", "difference", "comparables")
        }
        shown = self.frame[["row", "stone"]].assign(
            **money,
            ordinary_scatter_percent=(100 * np.expm1(self.frame["scatter"])).round(1),
            false_discovery_rate=self.frame["q"].round(4),
            likely_reason=self.frame["reason"],
            like_sales=self.frame["like"],
        )
        renamed = shown.rename(
            columns={f"comparables_{self.currency}": f"median_of_like_sales_{self.currency}"}
        )
        return Table(renamed).to_csv()

    def evidence(self, most: int, each: int = 3) -> Table:
        """The nearest like sales of the first: sold for what, and what that comes to here."""
        rows = self.frame.head(most)[["row", "stone", "price", "expected", "like"]]
        near = ["\n".join(text.split("; ")[:each]) for text in rows["like"]]
        money = written.amounts(self.currency)
        return Table(
            rows.assign(like=near).rename(columns={"like": "like sales"}),
            {"row": str, "price": money, "expected": money},
        )

    def kinds(self) -> Table:
        """How many are flagged for each reason, and the money between."""
        import pandas as pd

        kind = self.frame["reason"].astype(str).str.extract("^([^?:]*)")[0]
        grouped = self.frame.assign(kind=kind, at_stake=self.frame["difference"].abs())
        rows = [
            (name, len(part), float(part["at_stake"].sum()), float(part["difference"].sum()))
            for name, part in grouped.groupby("kind")
        ]
        columns = ["likely reason", "stones", "money apart", "in sum"]
        return Table(
            pd.DataFrame(rows, columns=columns),
            {
                "stones": written.count,
                "money apart": written.amounts(self.currency),
                "in sum": written.amounts(self.currency, sign=True),
            },
        )

    @property
    def at_stake(self) -> float:
        """Sum of the distances between price and expected price of the flagged."""
        return float(self.frame["difference"].abs().sum())


def audit(
    model: PriceModel,
    sold: Priced,
    evidence: Sales,
    floor: NoiseFloor | None = None,
    false: float = FALSE,
) -> Audit:
    """Flag the sales whose prices the scatter of like sales does not explain.

    Parameters
    ----------
    sold : Priced
        The n sales looked at, with what they are expected to fetch.
    evidence : Sales
        Where comparable sales are looked for.
    floor : NoiseFloor, optional
        What nobody could explain.
    false : float
        Share of the flagged that may be ordinary.
    """
    import pandas as pd

    sales, rows, recorded = sold.sales, sold.rows, sold.recorded
    assert model.ranges is not None, "only a model that states ranges can be audited by"
    error = sold.error
    ranges = model.ranges
    found = mispriced(
        error,
        ranges.expected(sales.stones),
        ranges.parts(sales.stones),
        0.0 if floor is None else floor.sd,
    )
    expected = np.exp(recorded)
    flagged = np.flatnonzero(found.q <= false)
    flagged = flagged[np.argsort(-np.abs(sales.price - expected)[flagged], kind="stable")]
    near = Comparables(model, evidence)
    lines = []
    for i in flagged.tolist():
        stone = sales.stones.stone(i)
        median, like = _like(near, model, sales.stones, i)
        lines.append(
            {
                "row": int(rows[i]),
                "stone": str(stone),
                "price": float(sales.price[i]),
                "expected": float(expected[i]),
                "difference": float(sales.price[i] - expected[i]),
                "q": float(found.q[i]),
                "scatter": float(found.scatter[i]),
                "comparables": median,
                "like": like,
                "reason": reason(float(sales.price[i]), float(expected[i]), median),
            }
        )
    columns = [
        "row",
        "stone",
        "price",
        "expected",
        "difference",
        "q",
        "scatter",
        "comparables",
        "like",
        "reason",
    ]
    return Audit(
        pd.DataFrame(lines, columns=columns),
        len(sales),
        float(sales.price.sum()),
        found.scatter,
        sales.currency,
    )


def alone(rows: Integers, sales: Sales, most: int | None = None) -> Table:
    """Sales that no others can judge, the dearest first."""
    import pandas as pd

    order = np.argsort(-sales.price, kind="stable")[:most]
    found = [(int(rows[i]), str(sales.stones.stone(i)), float(sales.price[i])) for i in order]
    return Table(
        pd.DataFrame(found, columns=["row", "stone", "price"]),
        {"row": str, "price": written.amounts(sales.currency)},
    )


def reason(price: float, expected: float, comparables: float) -> str:
    """Say what is likely behind a price that stands out."""
    ratio = price / expected
    # Like sales closer to the price than to the model speak against the model.
    if abs(np.log(price / comparables)) < abs(np.log(ratio)) / 2:
        return "like sales agree with the price: look at the stone"
    if not 1 / SLIP < ratio < SLIP:
        return f"data error? {ratio:.1f} times the expected price"
    return "overpriced" if ratio > 1 else "underpriced"


def _like(near: Comparables, model: PriceModel, stones: Stones, row: int) -> tuple[float, str]:
    """Median of like sales, each brought to this stone and its price list; and each."""
    one = stones.take([row])
    if not model.supports(one)[0]:
        return float("nan"), ""
    found = near.nearest(stones.stone(row), LIKE)
    on_list = float(np.exp(model.log_price(one, listing="recorded") - model.log_price(one))[0])
    money = written.amounts(model.training.currency)
    each = [
        f"{c.stone} sold {money(c.price)} = {money(c.adjusted * on_list)}"
        for c in found.comparables
    ]
    return found.median * on_list, "; ".join(each)


class AsideRow(Protocol):
    """A row that was set aside: `diamond_pricing.intake.Quarantined`."""

    @property
    def row(self) -> int:
        """Where a person finds it."""
        ...

    @property
    def field(self) -> str:
        """What is at fault."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...


def unpriced(rows: Sequence[AsideRow], most: int) -> Table:
    """The first rows of the data that cannot be held against a model, with the reason."""
    import pandas as pd

    shown = [(r.row, r.field, r.reason) for r in rows[:most]]
    return Table(pd.DataFrame(shown, columns=["row", "at fault", "reason"]), {"row": str})


def ratio_table(sales: Sales, recorded: Vector, by: str = "weight") -> Table:
    """A ratio study by segment: expected over sale price, each figure with its 95 % limits."""
    import pandas as pd

    expected, keys = np.exp(recorded), stone_keys(sales.stones)
    labels, names = in_order(sales.stones, by)
    rows = []
    for label in ("all", *names):
        of = np.ones(len(sales), bool) if label == "all" else labels == label
        if of.sum() >= SEGMENT:
            study = ratio_study(sales.price[of], expected[of], keys[of])
            rows.append(
                (
                    label,
                    study.n,
                    _limits(study.median, 3),
                    _limits(study.cod, 1),
                    _limits(study.prd, 3),
                    _limits(study.prb, 3),
                )
            )
    columns = [by, "sales", "median ratio", "COD", "PRD", "PRB"]
    right = dict.fromkeys(columns[2:], str)
    return Table(pd.DataFrame(rows, columns=columns), {"sales": written.count, **right})


def ratio_words(sold: Priced) -> str:
    """Say which weight bands lie outside what assessors call good."""
    labels, names = in_order(sold.sales.stones, "weight")
    expected, off = np.exp(sold.recorded), []
    for label in names:
        of = labels == label
        if of.sum() < SEGMENT:
            continue
        s = ratio_study(sold.sales.price[of], expected[of], sold.stone[of])
        for what, (value, low, high), least, most in (
            ("median ratio", s.median, 0.98, 1.02),
            ("COD", s.cod, 0.0, 15.0),
            ("PRD", s.prd, 0.98, 1.03),
            ("PRB", s.prb, -0.05, 0.05),
        ):
            if not least <= value <= most:
                sure = "surely" if high < least or low > most else "perhaps"
                off.append(f"{label}: {what} {written.places(3)(value)} ({sure})")
    if not off:
        return "In plain words: no weight band as a whole is priced high or low."
    return (
        "In plain words: as a whole no more than these stand out, *surely* where the limits "
        f"lie outside too. {'; '.join(off)}."
    )


def _limits(figure: tuple[float, float, float], digits: int) -> str:
    middle, low, high = (written.places(digits)(value) for value in figure)
    return f"{middle} ({low} to {high})"
