"""Stones whose prices stand out, with money at stake, a likely reason and like sales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Table, frame_of, table
from diamond_pricing.exhibits.priced import Priced, groups
from diamond_pricing.fitting import Sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones, stone_keys
from diamond_pricing.validation.comparables import Comparables
from diamond_pricing.validation.mispricing import FALSE, mispriced
from diamond_pricing.validation.noise_floor import NoiseFloor
from diamond_pricing.validation.ratio_study import ratio_study

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.intake import Quarantined

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
        kind = self.frame["reason"].astype(str).str.extract("^([^?:]*)")[0]
        grouped = self.frame.assign(kind=kind, at_stake=self.frame["difference"].abs())
        rows = [
            (name, len(part), float(part["at_stake"].sum()), float(part["difference"].sum()))
            for name, part in grouped.groupby("kind")
        ]
        columns = {
            "likely reason": None,
            "stones": written.count,
            "money apart": written.amounts(self.currency),
            "in sum": written.amounts(self.currency, sign=True),
        }
        return table(rows, columns)

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
    sales, ranges = sold.sales, model.ranges
    assert ranges is not None, "only a model that states ranges can be audited by"
    stones, sd = sales.stones, 0.0 if floor is None else floor.sd
    found = mispriced(sold.error, ranges.expected(stones), ranges.parts(stones), sd)
    expected = np.exp(sold.recorded)
    flagged = np.flatnonzero(found.q <= false)
    flagged = flagged[np.argsort(-np.abs(sales.price - expected)[flagged], kind="stable")]
    near, places = Comparables(model, evidence), flagged.tolist()
    price, expected = sales.price[flagged], expected[flagged]
    likes = [_like(near, model, stones, i, sales.price[i]) for i in places]
    medians = [median for median, _ in likes]
    frame = frame_of(
        {
            "row": sold.rows[flagged],
            "stone": [str(stones.stone(i)) for i in places],
            "price": price,
            "expected": expected,
            "difference": price - expected,
            "q": found.q[flagged],
            "scatter": found.scatter[flagged],
            "comparables": medians,
            "like": [like for _, like in likes],
            "reason": list(map(reason, price, expected, medians)),
        }
    )
    asked = float(sales.price.sum())
    return Audit(frame, len(sales), asked, found.scatter, sales.currency)


def alone(rows: Integers, sales: Sales, most: int | None = None) -> Table:
    """Sales that no others can judge, the dearest first."""
    order = np.argsort(-sales.price, kind="stable")[:most]
    found = [(int(rows[i]), str(sales.stones.stone(i)), float(sales.price[i])) for i in order]
    return table(found, {"row": str, "stone": None, "price": written.amounts(sales.currency)})


def reason(price: float, expected: float, comparables: float) -> str:
    """Say what is likely behind a price that stands out."""
    ratio = price / expected
    # Like sales closer to the price than to the model speak against the model.
    if abs(np.log(price / comparables)) < abs(np.log(ratio)) / 2:
        return "like sales agree with the price: look at the stone"
    if not 1 / SLIP < ratio < SLIP:
        return f"data error? {ratio:.1f} times the expected price"
    return "overpriced" if ratio > 1 else "underpriced"


def _like(
    near: Comparables, model: PriceModel, stones: Stones, row: int, price: float
) -> tuple[float, str]:
    """Median of like sales, each brought to this stone and its price list; and each."""
    one = stones.take([row])
    if not model.supports(one)[0]:
        return float("nan"), ""
    found = near.nearest(stones.stone(row), LIKE, price)
    on_list = float(np.exp(model.log_price(one, listing="recorded") - model.log_price(one))[0])
    money = written.amounts(model.training.currency)
    each = [
        f"{c.stone} sold {money(c.price)} = {money(c.adjusted * on_list)}"
        for c in found.comparables
    ]
    return found.median * on_list, "; ".join(each)


def unpriced(rows: "Sequence[Quarantined]", most: int) -> Table:
    """The first rows of the data that cannot be held against a model, with the reason."""
    shown = [(r.row, r.field, r.reason) for r in rows[:most]]
    return table(shown, {"row": str, "at fault": None, "reason": None})


def ratio_table(sales: Sales, recorded: Vector, by: str = "weight") -> Table:
    """A ratio study by segment: expected over sale price, each figure with its 95 % limits."""
    expected, keys = np.exp(recorded), stone_keys(sales.stones)
    rows = []
    for label, of in groups(sales.stones, by, SEGMENT, whole=True):
        s = ratio_study(sales.price[of], expected[of], keys[of])
        figures = ((s.median, 3), (s.cod, 1), (s.prd, 3), (s.prb, 3))
        limits = (written.estimate(*ends, written.places(digits)) for ends, digits in figures)
        rows.append((label, s.n, *limits))
    right = dict.fromkeys(("median ratio", "COD", "PRD", "PRB"), str)
    return table(rows, {by: None, "sales": written.count, **right})


def ratio_words(sold: Priced) -> str:
    """Say which weight bands lie outside what assessors call good."""
    expected, off = np.exp(sold.recorded), []
    for label, of in groups(sold.sales.stones, "weight", SEGMENT):
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
