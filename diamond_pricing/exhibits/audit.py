"""Stones whose prices stand out, with money at stake, a likely reason and like sales."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.accuracy import bands
from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.fitting import Sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones, stone_keys
from diamond_pricing.validation.comparables import Comparables
from diamond_pricing.validation.mispricing import FALSE, mispriced
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
    """

    frame: "pd.DataFrame"
    n: int
    asked: float
    currency: str

    def table(self, most: int | None = None, reason: str = "") -> Table:
        """The flagged sales, as a table; ``reason`` keeps those of one kind."""
        import pandas as pd

        found = self.frame
        if reason:
            found = found[found["reason"].str.startswith(reason)]
        found = found.head(most) if most else found
        money = written.amounts(self.currency)
        shown = pd.DataFrame(
            {
                "row": found["row"], "stone": found["stone"], "price": found["price"],
                "expected": found["expected"], "difference": found["difference"],
                "like sales": found["comparables"], "likely reason": found["reason"],
            }
        )  # fmt: skip
        return Table(
            shown,
            {"row": str, "price": money, "expected": money, "like sales": money,
             "difference": written.amounts(self.currency, sign=True)},
        )  # fmt: skip

    @property
    def at_stake(self) -> float:
        """Sum of the distances between price and expected price of the flagged."""
        return float(self.frame["difference"].abs().sum())


def audit(
    model: PriceModel, sales: Sales, rows: Integers, recorded: Vector, evidence: Sales,
    false: float = FALSE,
) -> Audit:  # fmt: skip
    """Flag the sales whose prices the scatter of like sales does not explain.

    Parameters
    ----------
    sales : Sales
        The n sales looked at; ``rows`` tells where each stands in the data.
    recorded : Vector
        Log price of each on its list, by a fit that did not see the stone; shape (n,).
    evidence : Sales
        Where comparable sales are looked for.
    false : float
        Share of the flagged that may be ordinary.
    """
    import pandas as pd

    assert model.ranges is not None, "only a model that states ranges can be audited by"
    error = np.log(sales.price) - recorded
    ranges = model.ranges
    found = mispriced(error, ranges.expected(sales.stones), ranges.parts(sales.stones))
    expected = np.exp(recorded)
    flagged = np.flatnonzero(found.q <= false)
    flagged = flagged[np.argsort(-np.abs(sales.price - expected)[flagged], kind="stable")]
    near = Comparables(model, evidence)
    lines = []
    for i in flagged.tolist():
        stone = sales.stones.stone(i)
        median = _like(near, model, sales.stones, i)
        lines.append(
            {
                "row": int(rows[i]), "stone": str(stone), "price": float(sales.price[i]),
                "expected": float(expected[i]), "difference": float(sales.price[i] - expected[i]),
                "q": float(found.q[i]), "scatter": float(found.scatter[i]), "comparables": median,
                "reason": reason(float(sales.price[i]), float(expected[i]), median),
            }
        )  # fmt: skip
    columns = [
        "row",
        "stone",
        "price",
        "expected",
        "difference",
        "q",
        "scatter",
        "comparables",
        "reason",
    ]
    return Audit(
        pd.DataFrame(lines, columns=columns),
        len(sales),
        float(sales.price.sum()),
        sales.currency,
    )


def reason(price: float, expected: float, comparables: float) -> str:
    """Say what is likely behind a price that stands out."""
    ratio = price / expected
    if not 1 / SLIP < ratio < SLIP:
        return f"data error? {ratio:.1f} times the expected price"
    if np.isnan(comparables):
        return "overpriced" if ratio > 1 else "underpriced"
    # Like sales closer to the price than to the model speak against the model.
    if abs(np.log(price / comparables)) < abs(np.log(price / expected)) / 2:
        return "like sales agree with the price: look at the stone"
    return "overpriced" if ratio > 1 else "underpriced"


def _like(near: Comparables, model: PriceModel, stones: Stones, row: int) -> float:
    """Median of like sales, each brought to this stone and to its price list."""
    one = stones.take([row])
    if not model.supports(one)[0]:
        return float("nan")
    found = near.nearest(stones.stone(row), LIKE)
    on_list = model.log_price(one, listing="recorded") - model.log_price(one)
    return float(found.median * np.exp(on_list[0]))


def unpriced(frame: "pd.DataFrame", stones: Stones, usable: Integers) -> Table:
    """The rows of the data that cannot be held against a model, with the reason."""
    import pandas as pd

    price = pd.to_numeric(frame["price"], errors="coerce").to_numpy(float)
    why: dict[int, str] = {
        int(row): f"the price is {frame['price'].iloc[row]}"
        for row in np.flatnonzero(~(price > 0))
    }
    for row, problem in stones.left_out:
        why.setdefault(row, problem.reason)
    left = set(range(len(frame))) - set(usable.tolist())
    rows: list[tuple[Any, ...]] = [
        (row, str(stones.stone(row)), price[row], why.get(row, "a measurement is missing"))
        for row in sorted(left)
    ]
    return Table(
        pd.DataFrame(rows, columns=["row", "stone", "price", "reason"]),
        {"row": str, "price": written.places(0)},
    )


def ratio_table(sales: Sales, recorded: Vector, by: str = "weight") -> Table:
    """A ratio study by segment: expected over sale price, each figure with its 95 % limits."""
    import pandas as pd

    expected, keys = np.exp(recorded), stone_keys(sales.stones)
    labels = bands(sales.stones) if by == "weight" else sales.stones.labels(by)
    order = np.argsort(sales.stones["carat" if by == "weight" else by], kind="stable")
    rows = []
    for label in ("all", *dict.fromkeys(labels[order].tolist())):
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


def _limits(figure: tuple[float, float, float], digits: int) -> str:
    middle, low, high = (written.places(digits)(value) for value in figure)
    return f"{middle} ({low} to {high})"
