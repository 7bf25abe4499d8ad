"""The price list: weight bands by color by clarity, per carat, with what stands behind it."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import StoneError
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.exhibit import Prose, Table, frame_of, safe
from diamond_pricing.model import PriceModel
from diamond_pricing.model.support import seen_grade
from diamond_pricing.model.verdict import FEW
from diamond_pricing.stones import Stones
from diamond_pricing.stones.kinds import ORIGIN, SHAPE

if TYPE_CHECKING:
    import pandas as pd

EDGES = (0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0, 1.5, 2.0, 3.0, 4.0)  # carats; the trade's own bands


@dataclass(frozen=True, slots=True, eq=False)
class PriceList:
    """Prices of a grid of stones.

    Attributes
    ----------
    cut : str
    frame : DataFrame
        One row a cell: band, carat (the weight that is priced), color, clarity, price, low
        and high end of its 90 % range, the same per carat, sales of about such stones.
        Prices are missing where fewer than ``FEW`` such stones have been seen.
    currency, effective, model : str
    dearest : float or None
        Price of the dearest sale, where it is known.
    """

    cut: str
    frame: "pd.DataFrame"
    currency: str
    effective: str
    model: str
    dearest: float | None = None

    def bands(self) -> Iterator[tuple[str, float, "pd.DataFrame"]]:
        """Each weight band with the weight that is priced, and its cells."""
        for (band, carat), part in self.frame.groupby(["band", "carat"], sort=False):
            yield str(band), float(str(carat)), part

    def table(self, band: str, what: str = "per_carat") -> Table:
        """One band: color down, clarity across; ``what`` is a column of the frame."""
        part = self.frame[self.frame["band"] == band]
        colors, clarities = (list(dict.fromkeys(part[name])) for name in ("color", "clarity"))
        grid = frame_of({"color": colors})
        for clarity in clarities:
            grid[clarity] = [self._cell(part, color, clarity, what) for color in colors]
        return Table(grid, dict.fromkeys(clarities, str))

    def _cell(self, part: "pd.DataFrame", color: str, clarity: str, what: str) -> str:
        row = part[(part["color"] == color) & (part["clarity"] == clarity)].iloc[0]
        if np.isnan(row["price"]):
            return ""
        if what != "per_carat":
            return written.count(row[what])
        mark = "†" if self.dearest is not None and row["price"] > self.dearest else ""
        ends = [row["low_per_carat"], row["high_per_carat"]]
        ranged = "–".join(map(written.count, ends)) if np.isfinite(ends).all() else ""
        return f"{written.count(row['per_carat'])}{mark}\n{ranged}\n{row['support']:,} seen"

    @property
    def beyond(self) -> int:
        """Cells that are priced above the dearest sale."""
        return 0 if self.dearest is None else int((self.frame["price"] > self.dearest).sum())

    def _repr_html_(self) -> str:
        return "".join(
            f"<h4>{band}, priced at {carat:g} ct</h4>{self.table(band)._repr_html_()}"
            for band, carat, part in self.bands()
            if part["price"].notna().any()
        )

    def to_csv(self) -> str:
        """Write every cell on a line of its own."""
        return safe(self.frame.round(2)).to_csv(index=False, lineterminator="\n")

    def to_xlsx(self) -> bytes:
        """Write a workbook: every band on a sheet of its own, and all cells on the last."""
        import pandas as pd
        from openpyxl.styles import Font
        from openpyxl.utils import get_column_letter

        money = f"{self.currency} of {self.effective}"
        file = io.BytesIO()
        with pd.ExcelWriter(file, engine="openpyxl") as book:
            for band, carat, part in self.bands():
                colors, clarities = (list(dict.fromkeys(part[n])) for n in ("color", "clarity"))
                row = 2
                for name, title in NAMES.items():
                    grid = part.pivot(index="color", columns="clarity", values=name)
                    grid = grid.loc[colors, clarities].round(0)
                    grid.to_excel(book, sheet_name=band, startrow=row)
                    sheet = book.sheets[band]
                    sheet.cell(row, 1, title.format(carat=carat)).font = Font(bold=True)
                    row += len(grid) + 3
                sheet["A1"] = f"{self.cut}, {band}: {money} per carat"
                sheet["A1"].font = Font(bold=True, size=13)
                for line in sheet.iter_rows(min_row=3):
                    for cell in line[1:]:
                        cell.number_format = "#,##0"
            safe(self.frame.round(2)).to_excel(book, sheet_name="all cells", index=False)
            sheet = book.sheets["all cells"]
            sheet.freeze_panes = "A2"
            for i in range(1, sheet.max_column + 1):
                sheet.column_dimensions[get_column_letter(i)].width = 15
        return file.getvalue()


NAMES = {
    "per_carat": "Price per carat, of a stone of {carat:g} ct",
    "low_per_carat": "Low end of the 90 % range, per carat",
    "high_per_carat": "High end of the 90 % range, per carat",
    "support": "Stones of about this weight, color and clarity that were seen",
}


def usual_cut(model: PriceModel) -> str:
    """Ideal, or else the best cut that a model knows."""
    known = list(model.training.grades["cut"])
    return "Ideal" if "Ideal" in known else known[-1]


def price_list(
    model: PriceModel,
    cut: str = "Ideal",
    edges: Sequence[float] = EDGES,
    sold: Vector | None = None,
    dearest: float | None = None,
) -> PriceList:
    """Price every color and clarity in bands of weight.

    Parameters
    ----------
    edges : Sequence[float]
        Weights at which bands begin, carats, ascending; the last ends the last band.
    sold : Vector, optional
        Weights of sales: of each band the stone priced has the median weight sold in it.
        Without, the middle of the band on a logarithmic scale.
    dearest : float, optional
        Price of the dearest sale: what is priced above it is marked.

    Raises
    ------
    StoneError
        For a cut that the model does not know, or weights that do not ascend.
    """
    seen = model.training.grades
    cut = seen_grade("cut", cut, model.training)
    if any(a >= b for a, b in pairwise(edges)) or len(edges) < 2:
        raise StoneError("the weights of a price list must ascend.", attribute="carat")
    low, high = model.training.ranges["carat"]
    rows: list[tuple[str, float, str, str]] = []
    for start, stop in pairwise(edges):
        carat = round(float(np.sqrt(start * stop)), 2)
        if sold is not None and ((sold >= start) & (sold < stop)).any():
            carat = round(float(np.median(sold[(sold >= start) & (sold < stop)])), 2)
        if low <= carat <= high:
            band = f"{start:.2f}–{stop - 0.01:.2f} ct"
            rows += [
                (band, carat, color, clarity)
                for color in reversed(list(seen["color"]))
                for clarity in reversed(list(seen["clarity"]))
            ]
    frame = frame_of(rows, columns=["band", "carat", "color", "clarity"])
    stones = Stones.of([model.alike(carat, cut, *grades) for _, carat, *grades in rows])
    cells = priced_cells(model, stones)
    thin = cells["support"] < FEW
    cells |= {name: np.where(thin, np.nan, cells[name]) for name in ("price", "low", "high")}
    frame = frame.assign(**cells)
    for name in ("price", "low", "high"):
        per_carat = "per_carat" if name == "price" else f"{name}_per_carat"
        frame[per_carat] = frame[name] / frame["carat"]
    t = model.training
    return PriceList(cut, frame, t.currency, t.effective, model.sha256[:12], dearest)


def price_list_pages(prices: PriceList) -> Prose:
    """Every band as Markdown: a heading, the weight that is priced, and its table."""
    return Prose(
        "\n\n".join(
            f"## {band}, priced at {carat:g} ct\n\n{prices.table(band)._repr_markdown_()}"
            for band, carat, part in prices.bands()
            if part["price"].notna().any()
        )
    )


def priced_cells(model: PriceModel, stones: Stones) -> dict[str, Vector]:
    """Price, low and high end of the 90 % range, and support of n stones, each shape (n,).

    Prices are NaN where the model declines; so are ends that it does not state.
    """
    fine = np.flatnonzero(model.supports(stones))
    good = stones.take(fine)
    found = {name: np.full(len(stones), np.nan) for name in ("price", "low", "high")}
    found["price"][fine] = np.round(model.price(good), 2)
    if model.ranges is not None:
        found["low"][fine], found["high"][fine] = np.round(model.range(good), 2)
    support = model.support
    near = np.zeros(len(stones), int)
    if support is not None:
        near[fine] = support.near(good)
    return found | {"support": near}


def kinds_of(model: PriceModel) -> tuple[str, ...]:
    """Origin and shape of the stones of a list, where the model tells them apart."""
    given = model.reference.given()
    return tuple(str(given[kind]) for kind in (ORIGIN, SHAPE) if kind in given)
