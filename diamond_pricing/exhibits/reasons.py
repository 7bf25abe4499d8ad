"""The lines of a price and the sales like it, as tables in the words of a language."""

from typing import TYPE_CHECKING

from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.model import PriceExplanation
from diamond_pricing.model.explanation import REFERENCE
from diamond_pricing.model.words import ENGLISH, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diamond_pricing.validation.comparables import Evidence


def reasons(
    why: PriceExplanation, words: Words = ENGLISH,
    heads: "Sequence[str]" = ("Because of", "Compared", "Factor", "Amount"),
) -> Table:  # fmt: skip
    """Each line: what it is of, what it compares, its factor and amount; the price last."""
    import pandas as pd

    rows = []
    for line in why.lines:
        first = line.name == REFERENCE
        rows.append(
            (
                words.label(line.name), why.details.note(line.name, words),
                "" if first else f"×{words.number(f'{line.factor:.3f}')}",
                words.amount(line.cents, why.currency, sign=not first),
            )
        )  # fmt: skip
    rows.append((words.price, "", "", words.amount(why.cents, why.currency)))
    return Table(pd.DataFrame(rows, columns=list(heads)), {heads[2]: str, heads[3]: str})


def like_sales(
    evidence: "Evidence", currency: str, words: Words = ENGLISH,
    heads: "Sequence[str]" = ("Sold", "For", "Brought to this stone"),
) -> Table:  # fmt: skip
    """Sales of other stones, each brought to this one line by line."""
    import pandas as pd

    rows = [
        (
            words.stone(c.stone), words.amount(round(100 * c.price), currency, digits=0),
            words.amount(round(100 * c.adjusted), currency, digits=0),
        )
        for c in evidence.comparables
    ]  # fmt: skip
    return Table(pd.DataFrame(rows, columns=list(heads)), {heads[1]: str, heads[2]: str})
