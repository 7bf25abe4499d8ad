"""What the market did: an index of prices, drawn."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from diamond_pricing.errors import ReportError
from diamond_pricing.exhibits.exhibit import Figure
from diamond_pricing.exhibits.style import BLUE, NAVY, ORANGE, drawing
from diamond_pricing.model.market import Period

LABELS = 9  # of periods, as many as have room


def index_chart(periods: Sequence[Period]) -> Figure:
    """Draw an index of prices with its limits, where it has any.

    A period without an index is a gap in the line.

    Raises
    ------
    ReportError
        When no period has an index.
    """
    import pandas as pd

    frame = pd.DataFrame([asdict(period) for period in periods])
    ends = frame[["index", "low", "high"]].astype(float)
    known = np.flatnonzero(ends["index"].notna())
    if not len(known):
        raise ReportError("no period has an index, so there is nothing to draw.")
    frame[ends.columns] = ends
    place = np.arange(len(frame))
    with drawing(2.6) as sheet:
        axes = sheet.axes
        axes.axhline(100, color=ORANGE, lw=0.8)
        axes.fill_between(place, ends["low"], ends["high"], color=BLUE, alpha=0.25, lw=0)
        axes.plot(place, ends["index"], color=NAVY, marker="o", ms=2.5)
        some = place[:: -(-len(place) // LABELS)]
        axes.set_xticks(some, frame["period"].iloc[some])
        axes.grid(axis="x", visible=False)
        axes.set_ylabel(f"{frame['period'].iloc[known[0]]} = 100")
        last = frame.iloc[known[-1]]
        limits = f" ({last['low']:.1f} to {last['high']:.1f})" if last["low"] > 0 else ""
        alt = (
            f"Index of prices at constant quality: {last['index']:.1f}{limits} in "
            f"{last['period']}, {frame['period'].iloc[known[0]]} being 100; lowest "
            f"{ends['index'].min():.1f}, highest {ends['index'].max():.1f}."
        )
        return sheet.exhibit(alt, frame)
