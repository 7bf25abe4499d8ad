"""The index that a home has published: written once, in the log, and never revised.

Each refit knows the past better than the one before, so that the *best* index, read off the
active model, changes backwards. What contracts and reports rest on must not. A month is
published when the sales go beyond it; the movement from the month published last is that of
the model that is promoted then (the movement splice of rolling windows; Krsinich 2016).
"""

from diamond_pricing.model import PriceModel
from diamond_pricing.model.market import market_index
from diamond_pricing.stones.attributes import iso

FIRST = 100.0


def to_publish(before: dict[str, float], model: PriceModel) -> dict[str, float]:
    """The months that a promoted model adds; none where its sales have no dates.

    Parameters
    ----------
    before : dict[str, float]
        What was published already.
    """
    if model.last_day is None:
        return {}
    running = iso(model.last_day)[:7]
    best = {p.period: p.index for p in market_index(model) if p.index and p.period < running}
    known = [month for month in before if month in best]
    if before and not known:
        return {}  # nothing to link to
    base = (
        before[known[-1]] / best[known[-1]] if known else FIRST / next(iter(best.values()), 1)
    )
    after = known[-1] if known else ""
    return {m: round(base * index, 4) for m, index in best.items() if m > after}
