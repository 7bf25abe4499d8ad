"""A refit: what the gates found, what drifted, and how prices move."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.exhibits import style, written
from diamond_pricing.exhibits.accuracy import scores_table
from diamond_pricing.exhibits.calibration import calibration
from diamond_pricing.exhibits.exhibit import Figure, Table, table
from diamond_pricing.exhibits.priced import groups, relative_change, supported
from diamond_pricing.fitting import Sales
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import LINES, stone_keys

if TYPE_CHECKING:
    import pandas as pd

GRADES = ("cut", "color", "clarity")


def findings_table(findings: Sequence[Mapping[str, Any]]) -> Table:
    """What each gate found, the failed first; findings as a refit records them."""
    rows = [
        (_outcome(f), f"{f['gate']} {f['against']}".strip(), f["says"], f["value"], f["limit"])
        for f in sorted(findings, key=lambda f: f["passed"])
    ]
    number = written.places(4)
    columns = {"": None, "gate": None, "what was found": None, "value": number, "limit": number}
    return table(rows, columns)


def _outcome(finding: Mapping[str, Any]) -> str:
    if finding["says"].endswith("(told, not judged)") or finding["says"].startswith("no seg"):
        return "told"
    return "passed" if finding["passed"] else "FAILED"


def deliveries_table(deliveries: Sequence[Mapping[str, Any]]) -> Table:
    """The files of a refit and what became of their rows."""
    texts, counts = ("file", "source", "status"), ("read", "accepted", "quarantined")
    rows = [
        (*(d[name] for name in texts), *(d.get(name, 0) for name in counts)) for d in deliveries
    ]
    numbers = dict.fromkeys(("rows", "accepted", "set aside"), written.count)
    return table(rows, {**dict.fromkeys(texts), **numbers})


def models_table(sales: Sales | None, models: Mapping[str, PriceModel | None]) -> Table | None:
    """Errors of several models on the sales that all of them support; None without any."""
    if sales is None:
        return None
    there = {f"{role} {m.sha256[:12]}": m for role, m in models.items() if m is not None}
    sales = supported(sales, there.values())
    predicted = {n: m.price(sales.stones, listing="recorded") for n, m in there.items()}
    return scores_table(sales.price, predicted, stone_keys(sales.stones), sales.currency)


def difference_table(
    sales: Sales | None, champion: PriceModel | None, candidate: PriceModel | None
) -> Table | None:
    """Mean squared log error of a candidate less the champion's, in each weight band.

    Relative to the champion's, with 95 % limits clustered by stone; None without a champion.
    """
    if sales is None or champion is None or candidate is None:
        return None
    sales = supported(sales, [champion, candidate])
    before, after = (
        (np.log(sales.price) - m.log_price(sales.stones, listing="recorded")) ** 2
        for m in (champion, candidate)
    )
    keys = stone_keys(sales.stones)
    rows = [
        (label, int(of.sum()), *relative_change(before[of], after[of], keys[of]))
        for label, of in groups(sales.stones, "weight", whole=True)
    ]
    columns = {
        "weight": None,
        "sales": written.count,
        "difference": written.signed,
        "95 % limits": str,
    }
    return table(rows, columns)


def drift(sales: Sales | None, model: PriceModel | None) -> Figure | None:
    """Draw where sales lie from a model's prices, by group; None without a model."""
    if sales is None or model is None:
        return None
    sales = supported(sales, [model])
    error = np.log(sales.price) - model.log_price(sales.stones, listing="recorded")
    return calibration(error, sales.stones)


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
    with style.drawing(2.4, 2) as sheet:
        left, right = sheet.all
        reach = float(np.quantile(np.abs(move), 0.995)) or 0.01
        left.hist(np.clip(move, -reach, reach), bins=41, color=style.BLUE)
        left.axvline(0, color=style.ORANGE, lw=0.8)
        left.set_title("stones by movement")
        style.percent(left.xaxis)
        right.plot(
            ledger["old"], move, ".", ms=1.6, alpha=0.4, color=style.BLUE, rasterized=True
        )
        right.axhline(0, color=style.ORANGE, lw=0.8)
        style.amounts(right.xaxis, money)
        right.set_xlabel("old price")
        right.set_title("movement by price")
        style.percent(right.yaxis)
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
        move = float(np.log(row["new"] / row["old"]))
        rows.append((stone, row["old"], row["new"], move, because))
    money = written.amounts(currency)
    columns = {
        "stone": None,
        "old": money,
        "new": money,
        "change": written.change,
        "mostly because of": None,
    }
    return table(rows, columns)


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
    with style.drawing(0.22 * len(lines) + 0.6) as sheet:
        axes, place = sheet.axes, np.arange(len(lines))
        axes.barh(place, total, color=np.where(total >= 0, style.BLUE, style.ORANGE))
        for i, value in enumerate(total):
            style.note(
                axes, money(value), (max(value, 0), i), (4, 0), va="center", color=style.NAVY
            )
        axes.set_yticks(place, [_named(name) for name in lines])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.15)
        axes.xaxis.set_major_formatter(lambda v, _: money(v))
        told = ", ".join(f"{_named(str(n))} {money(v)}" for n, v in total.items())
        alt = f"Sum of all movements by line: {told}."
        return sheet.exhibit(alt, total.rename("sum").reset_index())
