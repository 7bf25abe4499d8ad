"""The lines of a price and the sales like it, as tables in the words of a language."""

from typing import TYPE_CHECKING

from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.explanation import REFERENCE
from diamond_pricing.model.verdict import FEW
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import MEASURES, Stone

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


def range_text(why: PriceExplanation, told: str, words: Words = ENGLISH) -> str:
    """A sentence with the ends of the range at ``{low}`` and ``{high}``; empty without one."""
    found = why.range()
    if found is None:
        return ""
    low, high = (words.amount(round(100 * end), why.currency, digits=0) for end in found)
    return told.format(low=low, high=high)


def support_text(
    model: PriceModel, why: PriceExplanation, sure: str, thin: str, words: Words = ENGLISH
) -> str:
    """One of two sentences with the number of like stones at ``{n}``; empty if not known."""
    if model.support is None:
        return ""
    n = f"{model.support.near_one(why.stone):,}"
    told = sure if model.support.near_one(why.stone) >= FEW else thin
    return told.format(n=n if words.decimal == "." else n.replace(",", "."))


def measures_text(stone: Stone, words: Words = ENGLISH) -> str:
    """The measures of a stone that are known, in words."""
    given = stone.given()
    return ", ".join(
        f"{words.attribute(m.name).lower()} {words.number(f'{given[m.name]:g}')} {m.unit}"
        for m in MEASURES
        if not m.required and m.name in given
    )


def command(why: PriceExplanation, *, packaged: bool) -> str:
    """What to type to have this price explained again, as code.

    A model that does not ship is named by its document, ``<id>.json``.
    """
    given = why.stone.given()
    options = " ".join(
        f'--{name} "{v}"' if " " in str(v) else f"--{name} {v}" for name, v in given.items()
    )
    model = "" if packaged else f" --model {why.model}.json"
    return f"`diamond-pricing explain {options}{model}`"


def like_sales(
    evidence: "Evidence | None", currency: str, words: Words = ENGLISH,
    heads: "Sequence[str]" = ("Sold", "For", "Brought to this stone"),
) -> Table | None:  # fmt: skip
    """Sales of other stones, each brought to this one line by line; None without any."""
    import pandas as pd

    if evidence is None:
        return None
    rows = [
        (
            f"{words.stone(c.stone)}, {measures_text(c.stone, words)}".rstrip(", "),
            words.amount(round(100 * c.price), currency, digits=0),
            words.amount(round(100 * c.adjusted), currency, digits=0),
        )
        for c in evidence.comparables
    ]  # fmt: skip
    return Table(pd.DataFrame(rows, columns=list(heads)), {heads[1]: str, heads[2]: str})
