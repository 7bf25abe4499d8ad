"""Whether stated ranges hold."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Figure, Table
from diamond_pricing.exhibits.priced import Priced, Z, bands
from diamond_pricing.exhibits.style import BLUE, ORANGE, drawing, every, reach
from diamond_pricing.fitting.scatter import BANDS
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones

if TYPE_CHECKING:
    import pandas as pd

SEGMENT = 100  # sales of a segment whose coverage is told


def inside(model: PriceModel, sold: Priced, level: float = 0.9) -> NDArray[np.bool_]:
    """Whether the range of that level, as recorded, holds each sale, shape (n,)."""
    assert model.ranges is not None, "this model states no ranges"
    half = model.ranges.half_widths(sold.sales.stones, level, "recorded")
    held: NDArray[np.bool_] = np.abs(sold.error) <= half
    return held


def coverage(held: NDArray[np.bool_], stones: Stones) -> "pd.DataFrame":
    """Share of the sales inside their range in each segment of 100, with Wilson's limits."""
    import pandas as pd

    labels = np.char.add(np.char.add(bands(stones), " "), stones.labels("clarity"))
    order = np.lexsort(
        (stones["clarity"], np.searchsorted(BANDS, stones["carat"], side="right"))
    )
    rows = [("all", len(held), *wilson(held))]
    for label in dict.fromkeys(labels[order].tolist()):
        of = labels == label
        if of.sum() >= SEGMENT:
            rows.append((label, int(of.sum()), *wilson(held[of])))
    return pd.DataFrame(rows, columns=["segment", "n", "covered", "low", "high"])


def wilson(inside: NDArray[np.bool_]) -> tuple[float, float, float]:
    """A share and its 95 % limits (Wilson 1927)."""
    n, share = len(inside), float(np.mean(inside))
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    reach = Z / (1 + Z**2 / n) * float(np.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2))
    return share, centre - reach, centre + reach


def coverage_table(frame: "pd.DataFrame") -> Table:
    """The same as a table."""
    import pandas as pd

    ends = zip(frame["low"], frame["high"], strict=True)
    limits = [written.between(a, b, written.share) for a, b in ends]
    shown = pd.DataFrame(
        {
            "segment": frame["segment"],
            "sales": frame["n"],
            "covered": frame["covered"],
            "95 % limits": limits,
        }
    )
    return Table(shown, {"sales": written.count, "covered": written.share, "95 % limits": str})


def coverage_words(frame: "pd.DataFrame", level: float = 0.9) -> str:
    """Say where it is least, and in how many segments it is surely less than stated."""
    parts = frame[frame["segment"] != "all"]
    if not len(parts):
        return "No segment has enough sales to be told."
    worst = parts.iloc[int(np.argmin(parts["covered"]))]
    short = int((parts["high"] < level).sum())
    return (
        f"The least is {written.share(worst['covered'])} of {worst['n']:,} sales "
        f"({worst['segment']}, limits "
        f"{written.between(worst['low'], worst['high'], written.share)}). In {short} of "
        f"{len(parts)} segments the limits lie wholly below {100 * level:g} %; where every "
        f"range held exactly, chance would put them there in {0.025 * len(parts):.1f}."
    )


def coverage_figure(frame: "pd.DataFrame", level: float = 0.9) -> Figure | None:
    """Draw the coverage of each segment against what is stated; None without segments."""
    parts = frame[frame["segment"] != "all"]
    if not len(parts):
        return None
    with drawing(max(1.6, 0.14 * len(parts) + 0.6)) as sheet:
        axes, place = sheet.axes, np.arange(len(parts))
        ends = reach(parts, "covered")
        axes.errorbar(parts["covered"], place, xerr=ends, fmt="o", ms=3, color=BLUE, lw=0.9)
        axes.axvline(level, color=ORANGE, lw=0.9)
        axes.set_yticks(place, parts["segment"], fontsize=6.5)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_locator(every(0.02 if parts["low"].min() > 0.8 else 0.05))
        axes.xaxis.set_major_formatter(lambda v, _: written.share(v, 0))
        axes.set_xlabel("sales inside their range")
        worst = parts.iloc[int(np.argmin(parts["covered"]))]
        alt = (
            f"Share of the sales inside their {100 * level:g} % range in {len(parts)} "
            f"segments; the least is {written.share(worst['covered'])} for {worst['segment']}."
        )
        return sheet.exhibit(alt, frame)
