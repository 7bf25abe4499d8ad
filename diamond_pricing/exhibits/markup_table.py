"""The evidence for the mark-up of one price list over the other."""

from itertools import pairwise

from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.model import PriceModel


def markup_table(model: PriceModel) -> Table:
    """The bands of the mark-up; no rows where there is none.

    Each row: stones of which weight, the base prices they had, the median ratio of the two
    prices, half the distance of its quartiles, and how many stones stood on both lists.
    """
    import pandas as pd

    rows = []
    if model.markup is not None:
        edges = [f"{weight:.2f}" for weight in model.markup.parted_at]
        between = (f"{a} to {b} ct" for a, b in pairwise(edges))
        weights = (
            [f"under {edges[0]} ct", *between, f"from {edges[-1]} ct"] if edges else ["all"]
        )
        rows = [
            (weights[b.part], f"{b.low:,.0f} to {b.high:,.0f}", b.factor, b.spread, b.pairs)
            for b in model.markup.bands
        ]
    columns = ["weight", "base price", "ratio", "spread", "stones"]
    return Table(
        pd.DataFrame(rows, columns=columns),
        {"ratio": written.places(3), "spread": written.places(4), "stones": written.count},
    )
