"""One quiet style for every figure: readable in print, in grey and to the color-blind."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from diamond_pricing.errors import MissingExtraError
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

# Blue and orange are told apart by the color-blind, and in grey by their lightness.
INK, SOFT, LINE, BLUE, ORANGE, NAVY = (
    "#16202b",
    "#51606e",
    "#dfe4e9",
    "#1f6f9f",
    "#d8803c",
    "#12324a",
)
WIDE = 6.6  # inches: the text of a page
_STYLE: Any = {
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": "#9aa6b2",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.6,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "svg.fonttype": "path",
    "svg.hashsalt": "diamond_pricing",
    "savefig.dpi": 200,
}


class Sheet:
    """A figure being drawn, and `exhibit`, what it becomes."""

    def __init__(self, figure: "Drawing", axes: Any) -> None:
        self.figure = figure
        self.all: list[Axes] = list(axes.ravel()) if hasattr(axes, "ravel") else [axes]
        self.axes: Axes = self.all[0]

    def exhibit(self, alt: str, frame: "pd.DataFrame") -> Figure:
        """Finish it."""
        file = io.StringIO()
        undated = {"Date": None, "Creator": None}
        self.figure.savefig(file, format="svg", metadata=undated, transparent=True)
        text = file.getvalue()
        svg = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
        told = f'<svg role="img" aria-label="{escape(alt)}" '
        return Figure(svg.replace("<svg ", told, 1), alt, frame)


@contextmanager
def drawing(
    height: float = 2.8, columns: int = 1, width: float = WIDE, **axes: Any
) -> Iterator[Sheet]:
    """Draw in the house style; sizes in inches.

    Raises
    ------
    MissingExtraError
        Without matplotlib: the extra ``report`` brings it.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Drawing
    except ImportError as error:
        raise MissingExtraError("figures", "report") from error
    with mpl.rc_context(_STYLE):
        figure = Drawing(figsize=(width, height))
        yield Sheet(figure, figure.subplots(1, columns, **axes))


def weights(axis: Any, at: tuple[float, ...] = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)) -> None:
    """Let an axis of weights be logarithmic, with the weights that people speak of."""
    axis.axes.set_xscale("log")
    axis.set_major_locator(_fixed(at))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(_fixed(()))
    axis.set_label_text("carat")


def percent(axis: Any) -> None:
    """Write an axis of log ratios as per cent, at round per cents; after all is drawn."""
    from math import expm1, log1p

    from matplotlib.ticker import MaxNLocator

    low, high = sorted(axis.get_view_interval())
    ends = 100 * expm1(low), 100 * expm1(high)
    box = axis.axes.get_figure().get_size_inches()
    panels = len(axis.axes.get_figure().axes)
    room = int(box[0] / panels / 0.85) if axis.axis_name == "x" else 6
    at = MaxNLocator(max(min(room, 6), 1)).tick_values(*ends)
    at = [value for value in at if ends[0] <= value <= ends[1] and value > -100]
    digits = 0 if all(abs(value - round(value)) < 1e-9 for value in at) else 1
    axis.set_ticks([log1p(value / 100) for value in at])
    axis.set_major_formatter(lambda value, _: written.change(value, digits))
    axis.axes.set_xlim(axis.axes.get_xlim())
    axis.axes.set_ylim(axis.axes.get_ylim())


def reach(frame: "pd.DataFrame", middle: str) -> Any:
    """Distance of the columns ``low`` and ``high`` from the middle, for error bars."""
    ends = frame[["low", "high"]].to_numpy().T
    return abs(ends - frame[middle].to_numpy())


def cells(
    axes: Any,
    grid: Any,
    texts: "Sequence[str]",
    names: "tuple[Sequence[str], Sequence[str]]",
    shades: str,
    limits: tuple[float, float],
) -> None:
    """Draw a shaded grid with a text in each cell, row by row."""
    axes.imshow(grid, cmap=shades, vmin=limits[0], vmax=limits[1], aspect="auto")
    columns = len(names[1])
    for place, text in enumerate(texts):
        i, j = divmod(place, columns)
        axes.text(j, i, text, ha="center", va="center", fontsize=7)
    axes.set_yticks(range(len(names[0])), names[0])
    axes.set_xticks(range(columns), names[1])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def every(step: float) -> Any:
    """Ticks at the multiples of a step."""
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(step)


def _fixed(at: tuple[float, ...]) -> Any:
    from matplotlib.ticker import FixedLocator

    return FixedLocator(at)
