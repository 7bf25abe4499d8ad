"""What a promotion does to prices: each stone in stock, old to new, divided among the lines."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from diamond_pricing.arrays import Integers
from diamond_pricing.model import PriceModel
from diamond_pricing.model.money import cents, dollars, whole_cents, written
from diamond_pricing.refit.days import on
from diamond_pricing.stones import LINES, Stones

LEVEL = "level"  # the reference stone's own price
MOVERS = 10
GRADED = ("cut", "color", "clarity")
SHOWN = ("carat", *GRADED, "depth", "table", "x", "y", "z")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def shown(stones: Stones) -> list[list[str]]:
    """The columns `SHOWN` of a table of stones, empty where nothing is known."""
    return [
        stones.labels(name).tolist()
        if name in GRADED
        else ["" if v != v else f"{v:g}" for v in stones[name].tolist()]
        for name in SHOWN
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Price movements of n stones."""

    stones: Stones
    old: Integers  # cents, shape (n,)
    new: Integers
    lines: tuple[str, ...]  # ``level``, then the lines of an explanation
    parts: Integers  # cents of each line, shape (n, k); a row sums to new − old
    currency: str
    left_out: int  # stones that one of the models does not price

    def order(self) -> Integers:
        """Rows, the largest movement first."""
        return np.argsort(-np.abs(self.new - self.old), kind="stable")

    def movers(self, most: int = MOVERS) -> list[str]:
        """A sentence for each of the stones that move most."""
        moved = [row for row in self.order()[:most].tolist() if self.new[row] != self.old[row]]
        return [self._sentence(row) for row in moved]

    def _sentence(self, row: int) -> str:
        old, new = int(self.old[row]), int(self.new[row])
        move = new - old
        sign = "−" if move < 0 else "+"
        largest = np.argsort(-np.abs(self.parts[row]), kind="stable")[:2]
        because = ", ".join(
            f"{LINES.get(self.lines[i], LEVEL).casefold()} {self._written(part, sign=True)}"
            for i, part in zip(largest, self.parts[row, largest].tolist(), strict=True)
            if part
        )
        return (
            f"{self.stones.stone(row)}: {self._written(old)} → {self._written(new)} "
            f"({sign}{100 * abs(move) / max(old, 1):.1f} %): {because or 'no change'}."
        )

    def _written(self, amount: int, *, sign: bool = False) -> str:
        return written(amount, self.currency, sign=sign, digits=0)

    def to_csv(self) -> bytes:
        """Write all movements, the largest first."""
        head = [*SHOWN, "old", "new", "change", *(f"change {line}" for line in self.lines)]
        money = np.column_stack([self.old, self.new, self.new - self.old, self.parts]) / 100
        columns = [*shown(self.stones), *([f"{v:.2f}" for v in of] for of in money.T.tolist())]
        rows = ([column[row] for column in columns] for row in self.order().tolist())
        return csv_text([head, *rows]).encode()


def ledger(champion: PriceModel, candidate: PriceModel, stones: Stones) -> Ledger:
    """Compare the prices that clients are told, line by line from one reference stone.

    Each model's are of its last day; what the market did between the two is a line. Stones
    that either model does not support are left out.
    """
    kept = [model.supports(on(None, model, stones)) for model in (champion, candidate)]
    rows = np.flatnonzero(kept[0] & kept[1])
    left_out, stones = len(stones) - len(rows), stones.take(rows)
    lines = tuple(name for name in LINES if name in champion.lines or name in candidate.lines)
    moved = np.zeros((len(stones), 1 + len(lines)))
    ends = []
    for sign, model in ((-1, champion), (1, candidate)):
        reference = on(champion.last_day, model, Stones.of([champion.reference])).stone(0)
        start = model.log_price(Stones.of([reference]))[0]
        effects = model.contributions(on(champion.last_day, model, stones), reference=reference)
        price = model.log_price(on(None, model, stones))
        moved[:, 0] += sign * start
        for j, name in enumerate(model.lines):
            moved[:, 1 + lines.index(name)] += sign * effects[:, j]
        if model.market_line:  # all that the market did since, whatever it did it to
            since = price - start - effects.sum(axis=1)
            moved[:, 1 + lines.index(model.market_line)] += sign * since
        ends.append(np.exp(price))
    old, new = ends
    before, after = cents(old), cents(new)
    parts = whole_cents(dollars(moved, new, old), after - before)
    return Ledger(
        stones, before, after, (LEVEL, *lines), parts, candidate.training.currency, left_out
    )
