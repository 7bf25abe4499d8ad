"""A refit: what the gates found, what drifted, and how prices move."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.accuracy import scores_table
from diamond_pricing.exhibits.calibration import calibration
from diamond_pricing.exhibits.exhibit import Figure, Table
from diamond_pricing.exhibits.priced import FEWEST, Z, clustered_mean, in_order
from diamond_pricing.exhibits.style import BLUE, NAVY, ORANGE, drawing, percent
from diamond_pricing.fitting import Sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import LINES, stone_keys

if TYPE_CHECKING:
    import pandas as pd

GRADES = ("cut", "color", "clarity")


def findings_table(findings: Sequence[Mapping[str, Any]]) -> Table:
    """What each gate found, the failed first; findings as a refit records them."""
    import pandas as pd

    rows = [
        (_outcome(f), f"{f['gate']} {f['against']}".strip(), f["says"], f["value"], f["limit"])
        for f in sorted(findings, key=lambda f: f["passed"])
    ]
    columns = ["", "gate", "what was found", "value", "limit"]
    number = written.places(4)
    return Table(pd.DataFrame(rows, columns=columns), {"value": number, "limit": number})


def _outcome(finding: Mapping[str, Any]) -> str:
    if finding["says"].endswith("(told, not judged)") or finding["says"].startswith("no seg"):
        return "told"
    return "passed" if finding["passed"] else "FAILED"


def deliveries_table(deliveries: Sequence[Mapping[str, Any]]) -> Table:
    """The files of a refit and what became of their rows."""
    import pandas as pd

    rows = [
        (
            d["file"],
            d["source"],
            d["status"],
            d.get("read", 0),
            d.get("accepted", 0),
            d.get("quarantined", 0),
        )
        for d in deliveries
    ]
    columns = ["file", "source", "status", "rows", "accepted", "set aside"]
    return Table(pd.DataFrame(rows, columns=columns), dict.fromkeys(columns[3:], written.count))


def models_table(sales: Sales | None, models: Mapping[str, PriceModel | None]) -> Table | None:
    """Errors of several models on the sales that all of them support; None without any."""
    if sales is None:
        return None
    there = {f"{role} {m.sha256[:12]}": m for role, m in models.items() if m is not None}
    sales = _supported(sales, list(there.values()))
    predicted = {n: m.price(sales.stones, listing="recorded") for n, m in there.items()}
    return scores_table(sales.price, predicted, stone_keys(sales.stones), sales.currency)


def difference_table(
    sales: Sales | None, champion: PriceModel | None, candidate: PriceModel | None
) -> Table | None:
    """Mean squared log error of a candidate less the champion's, in each weight band.

    Relative to the champion's, with 95 % limits clustered by stone; None without a champion.
    """
    import pandas as pd

    if sales is None or champion is None or candidate is None:
        return None
    sales = _supported(sales, [champion, candidate])
    before, after = (
        (np.log(sales.price) - m.log_price(sales.stones, listing="recorded")) ** 2
        for m in (champion, candidate)
    )
    (labels, names), keys = in_order(sales.stones, "weight"), stone_keys(sales.stones)
    rows = []
    for label in ("all", *names):
        of = np.ones(len(sales), bool) if label == "all" else labels == label
        if of.sum() >= FEWEST:
            mean, error = clustered_mean((after - before)[of], keys[of])
            base = float(before[of].mean())
            low, high = ((mean + side * Z * error) / base for side in (-1, 1))
            rows.append(
                (
                    label,
                    int(of.sum()),
                    mean / base,
                    f"{written.signed(low)} to {written.signed(high)}",
                )
            )
    columns = ["weight", "sales", "difference", "95 % limits"]
    return Table(
        pd.DataFrame(rows, columns=columns),
        {"sales": written.count, "difference": written.signed, "95 % limits": str},
    )


def drift(sales: Sales | None, model: PriceModel | None) -> Figure | None:
    """Draw where sales lie from a model's prices, by group; None without a model."""
    if sales is None or model is None:
        return None
    sales = _supported(sales, [model])
    error = np.log(sales.price) - model.log_price(sales.stones, listing="recorded")
    return calibration(error, sales.stones)


def _supported(sales: Sales, models: Sequence[PriceModel]) -> Sales:
    rows = np.flatnonzero(np.all([m.supports(sales.stones) for m in models], axis=0))
    return sales.take(rows)


def movements(ledger: "pd.DataFrame | None", currency: str) -> Figure | None:
    """Draw how far prices move, by what they were.

    Parameters
    ----------
    ledger : DataFrame
        As a promotion writes it: columns ``old`` and ``new``, one row a stone; None where
        there was no model before.
    """
    if ledger is None:
        return None
    move = np.log(ledger["new"].to_numpy() / ledger["old"].to_numpy())
    money = written.amounts(currency)
    with drawing(2.4, 2) as sheet:
        left, right = sheet.all
        reach = float(np.quantile(np.abs(move), 0.995)) or 0.01
        left.hist(np.clip(move, -reach, reach), bins=41, color=BLUE)
        left.axvline(0, color=ORANGE, lw=0.8)
        left.set_title("stones by movement")
        percent(left.xaxis)
        right.plot(ledger["old"], move, ".", ms=1.6, alpha=0.4, color=BLUE, rasterized=True)
        right.axhline(0, color=ORANGE, lw=0.8)
        right.set_xscale("log")
        right.xaxis.set_major_formatter(lambda v, _: money(v))
        right.xaxis.set_minor_formatter(lambda v, _: "")
        right.set_xlabel("old price")
        right.set_title("movement by price")
        percent(right.yaxis)
        middle, far = np.quantile(np.abs(move), (0.5, 0.99))
        alt = (
            f"Movements of {len(move):,} prices: half move by less than "
            f"{written.share(np.expm1(middle))}, 99 of 100 by less than "
            f"{written.share(np.expm1(far))}, the largest by "
            f"{written.change(move[np.argmax(np.abs(move))])}."
        )
        return sheet.exhibit(alt, ledger)


def movers(ledger: "pd.DataFrame | None", currency: str, most: int = 15) -> Table | None:
    """The stones whose prices move most in money, with the two lines behind it."""
    import pandas as pd

    if ledger is None:
        return None

    change = ledger["new"] - ledger["old"]
    top = ledger.iloc[np.argsort(-change.abs().to_numpy(), kind="stable")[:most]]
    lines = [c for c in ledger.columns if c.startswith("change ")]
    signed = written.amounts(currency, sign=True)
    rows = []
    for _, row in top.iterrows():
        why = row[lines].astype(float)
        first = why.abs().sort_values(ascending=False, kind="stable").index[:2]
        because = ", ".join(
            f"{_named(name)} {signed(why[name])}" for name in first if why[name]
        )
        stone = f"{row['carat']:.2f} ct " + " ".join(str(row[g]) for g in GRADES)
        rows.append(
            (stone, row["old"], row["new"], float(np.log(row["new"] / row["old"])), because)
        )
    money = written.amounts(currency)
    return Table(
        pd.DataFrame(rows, columns=["stone", "old", "new", "change", "mostly because of"]),
        {"old": money, "new": money, "change": written.change},
    )


def _named(column: str) -> str:
    line = column.removeprefix("change ")
    return LINES[line].casefold() if line in LINES else line


def lines_moved(ledger: "pd.DataFrame | None", currency: str) -> Figure | None:
    """Draw how much of all movements each line carries."""
    if ledger is None:
        return None
    lines = [c for c in ledger.columns if c.startswith("change ")]
    total = ledger[lines].sum()
    money = written.amounts(currency, sign=True)
    with drawing(0.22 * len(lines) + 0.6) as sheet:
        axes, place = sheet.axes, np.arange(len(lines))
        axes.barh(place, total, color=np.where(total >= 0, BLUE, ORANGE))
        for i, value in enumerate(total):
            axes.annotate(
                money(value),
                (max(value, 0), i),
                (4, 0),
                textcoords="offset points",
                va="center",
                color=NAVY,
            )
        axes.set_yticks(place, [_named(name) for name in lines])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.15)
        axes.xaxis.set_major_formatter(lambda v, _: money(v))
        told = ", ".join(f"{_named(str(n))} {money(v)}" for n, v in total.items())
        return sheet.exhibit(
            f"Sum of all movements by line: {told}.", total.rename("sum").reset_index()
        )
