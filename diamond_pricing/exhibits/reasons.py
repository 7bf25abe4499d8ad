"""The lines of a price and the sales like it, as tables in the words of a language."""

from typing import TYPE_CHECKING

from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.model import PriceExplanation
from diamond_pricing.model.explanation import REFERENCE
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import MEASURES, Stone

if TYPE_CHECKING:
    from collections.abc import Sequence


def reasons(
    why: PriceExplanation,
    words: Words = ENGLISH,
    heads: "Sequence[str]" = ("Because of", "Compared", "Factor", "Amount"),
) -> Table:
    """Each line: what it is of, what it compares, its factor and amount; the price last."""
    import pandas as pd

    rows = []
    for line in why.lines:
        first = line.name == REFERENCE
        rows.append(
            (
                words.label(line.name),
                why.details.note(line.name, words),
                "" if first else f"×{words.number(f'{line.factor:.3f}')}",
                words.amount(line.cents, why.currency, sign=not first),
            )
        )
    rows.append((words.price, "", "", words.amount(why.cents, why.currency)))
    return Table(pd.DataFrame(rows, columns=list(heads)), {heads[2]: str, heads[3]: str})


def measures_text(stone: Stone, words: Words = ENGLISH) -> str:
    """The measures of a stone that are known, in words."""
    given = stone.given()
    return ", ".join(
        f"{words.attribute(m.name).lower()} {words.number(f'{given[m.name]:g}')} {m.unit}"
        for m in MEASURES
        if not m.required and m.name in given
    )
