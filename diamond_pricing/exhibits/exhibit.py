"""What every exhibit is: a table or a figure that carries its numbers."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from diamond_pricing.files import harmless

if TYPE_CHECKING:
    import pandas as pd

Writer = Callable[[Any], str]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows and columns.

    Attributes
    ----------
    frame : DataFrame
        The numbers; its index is not shown.
    written : Mapping[str, Callable]
        How the values of a column are written; otherwise as they are. A missing value is
        left blank. Columns of numbers and those written here stand to the right.
    """

    frame: "pd.DataFrame"
    written: Mapping[str, Writer] = field(default_factory=dict)

    def cells(self) -> list[list[str]]:
        """Every row as text."""
        columns = [
            [self._text(name, value) for value in self.frame[name].tolist()]
            for name in self.frame.columns
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def _text(self, name: str, value: Any) -> str:
        if value is None or value != value:
            return ""
        return self.written[name](value) if name in self.written else str(value)

    def _right(self) -> list[bool]:
        return [n in self.written or self.frame[n].dtype.kind in "iuf" for n in self.frame]

    def __str__(self) -> str:
        (head, *lines), width = aligned([self._heads(), *self.cells()], self._right())
        return "\n".join([head, "─" * width, *lines])

    def _heads(self) -> list[str]:
        return list(map(str, self.frame.columns))

    def _repr_markdown_(self) -> str:
        ends = ["---:" if right else ":---" for right in self._right()]
        rows = [self._heads(), *self.cells()]
        lines = ["| " + " | ".join(map(plain_markdown, row)) + " |" for row in rows]
        return "\n".join([lines[0], "|" + "|".join(ends) + "|", *lines[1:]])

    def _repr_html_(self) -> str:
        right = [f' style="text-align:{"right" if r else "left"}"' for r in self._right()]
        head = "".join(
            f'<th scope="col"{r}>{escape(name)}</th>'
            for name, r in zip(self._heads(), right, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td{r}>{escape(cell).replace(chr(10), '<br>')}</td>"
                for cell, r in zip(row, right, strict=True)
            )
            + "</tr>"
            for row in self.cells()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_csv(self) -> str:
        """Write the numbers, not rounded, for a spreadsheet."""
        text = io.StringIO()
        safe(self.frame).to_csv(text, index=False, lineterminator="\n")
        return text.getvalue()


def frame_of(data: Any, columns: list[str] | None = None) -> "pd.DataFrame":
    """A data frame; pandas is loaded only for it, since a server needs none."""
    import pandas as pd

    return pd.DataFrame(data, columns=columns)


def table(rows: Sequence[Sequence[Any]], columns: Mapping[str, Writer | None]) -> Table:
    """Rows under the names of columns, each with how its values are written."""
    written = {name: writer for name, writer in columns.items() if writer is not None}
    return Table(frame_of(rows, columns=list(columns)), written)


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> tuple[list[str], int]:
    """Rows as lines of text whose columns stand below each other, and the width of all."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            f"{cell:>{w}}" if r else f"{cell:<{w}}"
            for cell, w, r in zip(row, wide, right, strict=True)
        ).rstrip()
        for row in rows
    ]
    return lines, sum(wide) + 2 * (len(wide) - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A drawing.

    Attributes
    ----------
    svg : str
        One SVG element; equal numbers give equal bytes.
    alt : str
        What it shows, for those who cannot see it.
    frame : DataFrame
        The numbers that are drawn.
    """

    svg: str
    alt: str
    frame: "pd.DataFrame"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        return {"image/svg+xml": self.svg, "text/plain": self.alt}

    def __str__(self) -> str:
        return self.alt


class Prose:
    """Markdown that a cell makes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


def plain_markdown(text: str) -> str:
    """A text whose characters mean nothing to Markdown; its lines stay lines."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "<br>".join(
        re.sub(r"([\\`*_{}\[\]()<>#+\-!|$@~^\"'])", r"\\\1", line) for line in lines
    )


def safe(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The same with no text that a spreadsheet would run as a formula."""
    safer = frame.copy()
    for name in frame.columns:
        if frame[name].dtype.kind not in "iufb":
            safer[name] = frame[name].map(lambda v: harmless(v) if isinstance(v, str) else v)
    return safer
