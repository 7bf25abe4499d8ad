"""The evidence for the mark-up of one price list over the other, as text."""

from itertools import pairwise

from diamond_pricing.model import PriceModel
from diamond_pricing.model.markup import MARKED


def markup_table(model: PriceModel) -> str:
    """Write the bands of the mark-up, or that there are none.

    Each row: stones of which weight, the base prices they had, the median ratio of the two
    prices, half the distance of its quartiles, and how many stones stood on both lists.
    """
    if model.markup is None:
        return "No mark-up: these sales hold too few stones that stand on two price lists."
    edges = [f"{weight:.2f}" for weight in model.markup.parted_at]
    weights = ["all"]
    if edges:
        between = (f"{a} to {b} ct" for a, b in pairwise(edges))
        weights = [f"under {edges[0]} ct", *between, f"from {edges[-1]} ct"]
    text = [
        f"Price on {MARKED} over price on x<y, from stones that stand on both.",
        "",
        "weight           base price           ratio  spread  stones",
    ]
    for band in model.markup.bands:
        prices = f"{band.low:,.0f} to {band.high:,.0f}"
        figures = f"{band.factor:.3f}  {band.spread:.4f}  {band.pairs:>6,}"
        text.append(f"{weights[band.part]:<15}  {prices:<19}  {figures}")
    return "\n".join(text)
