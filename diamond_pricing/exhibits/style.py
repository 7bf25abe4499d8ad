"""One quiet style for every figure: readable in print, in grey and to the color-blind."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from importlib.resources import files
from math import expm1, log1p
from typing import TYPE_CHECKING, Any

from diamond_pricing.errors import MissingExtraError
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

# Blue and orange are told apart by the color-blind, and in grey by their lightness.
BLUE, ORANGE, NAVY, SOFT = "#1f6f9f", "#d8803c", "#12324a", "#51606e"
WIDE = 6.6  # inches: the text of a page
_STYLE = files("diamond_pricing.exhibits") / "figures.mplstyle"


class Sheet:
    """A figure being drawn, and `exhibit`, what it becomes."""

    def __init__(self, figure: "Drawing", axes: Any) -> None:
        self.figure = figure
        self.all: list[Axes] = axes.ravel().tolist()
        self.axes = self.all[0]

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
def drawing(height: float, columns: int = 1, **axes: Any) -> Iterator[Sheet]:
    """Draw in the house style; the height in inches."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Drawing
    except ImportError as error:
        raise MissingExtraError("figures", "report") from error
    with mpl.rc_context(mpl.rc_params_from_file(str(_STYLE), use_default_template=False)):
        figure = Drawing(figsize=(WIDE, height))
        yield Sheet(figure, figure.subplots(1, columns, squeeze=False, **axes))


def weights(axis: Any, at: tuple[float, ...] = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)) -> None:
    """Let an axis of weights be logarithmic, with the weights that people speak of."""
    from matplotlib.ticker import FixedLocator

    axis.axes.set_xscale("log")
    axis.set_major_locator(FixedLocator(at))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(FixedLocator(()))
    axis.set_label_text("carat")


def amounts(axis: Any, money: Callable[[float], str]) -> None:
    """Let a horizontal axis of prices be logarithmic."""
    axis.axes.set_xscale("log")
    axis.set_major_formatter(lambda value, _: money(value))
    axis.set_minor_formatter(lambda value, _: "")


def note(
    axes: "Axes", text: str, at: tuple[Any, Any], by: tuple[float, float], **how: Any
) -> None:
    """Write at a place of the data, moved by so many points."""
    axes.annotate(text, at, by, textcoords="offset points", **how)


def percent(axis: Any) -> None:
    """Write an axis of log ratios as per cent, at round per cents; after all is drawn."""
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
    texts: Sequence[str],
    names: tuple[Sequence[str], Sequence[str]],
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
