"""A report's source: front matter, prose, and cells of Python, written as Quarto has it."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from diamond_pricing.errors import ReportError

REPORTS = (
    "model_development",
    "model_card",
    "market",
    "refit",
    "inventory_audit",
    "price_list",
)
_CELL = re.compile(r"^```\{python\}[^\n]*\n(.*?)^```[ \t]*$", re.S | re.M)
_FRONT = re.compile(r"---\n(.*?)\n---\n", re.S)
_NAME = re.compile(r"^(\w+) *=", re.M)
PARAMETERS = "parameters"
# PyYAML's own errors, and what it raises for a value that does not fit its tag.
_UNREAD = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Cell:
    """Prose, or Python with its options.

    Attributes
    ----------
    text : str
    line : int
        Where it begins in the source, counted from 1.
    options : dict or None
        What ``#|`` lines say; None for prose.
    """

    text: str
    line: int
    options: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A report's source.

    Attributes
    ----------
    path : Path
    front : dict
        Front matter.
    cells : tuple[Cell, ...]
    sha256 : str
        Of the text.
    """

    path: Path
    front: dict[str, Any]
    cells: tuple[Cell, ...]
    sha256: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names that the cell tagged ``parameters`` sets."""
        for cell in self.cells:
            tags = cell.options.get("tags") if cell.options else None
            if isinstance(tags, list) and PARAMETERS in tags:
                return tuple(_NAME.findall(cell.text))
        return ()


def read_source(name: str) -> Source:
    """Read the report of that name.

    Raises
    ------
    ReportError
        When there is none, or it cannot be read.
    """
    if name not in REPORTS:
        raise ReportError(f"there is no report {name!r}; choose {', '.join(REPORTS)}.")
    path = shipped(f"{name}.qmd")
    return parsed(path, path.read_text(encoding="utf-8"))


def shipped(file: str) -> Path:
    """A file of the reports: beside the package in a clone, inside it when installed."""
    package = Path(str(files("diamond_pricing")))
    installed = package / "reporting" / "sources" / file
    return installed if installed.is_file() else package.parent / "reports" / file


def parsed(path: Path, text: str) -> Source:
    """Take a source apart; an error names the file and line that cannot be read."""
    front = _FRONT.match(text)
    if front is None:
        raise ReportError(f"{path.name} has no front matter.")
    cells, end = [], front.end()
    for found in _CELL.finditer(text, end):
        cells += _prose(text, end, found.start())
        line = text.count("\n", 0, found.start()) + 2
        lines = found[1].splitlines()
        said = [row[2:].strip() for row in lines if row.startswith("#|")]
        code = "\n".join(row for row in lines if not row.startswith("#|"))
        options = _yaml("\n".join(said), f"{path.name}, line {line}") if said else {}
        cells.append(Cell(code, line, options))
        end = found.end()
    cells += _prose(text, end, len(text))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Source(path, _yaml(front[1], path.name), tuple(cells), digest)


def _prose(text: str, start: int, end: int) -> list[Cell]:
    part = text[start:end]
    if not part.strip():
        return []
    first = start + len(part) - len(part.lstrip())
    return [Cell(part.strip(), text.count("\n", 0, first) + 1)]


def _yaml(text: str, where: str) -> dict[str, Any]:
    try:
        read = yaml.safe_load(text)
    except _UNREAD as error:
        raise ReportError(f"{where}: {error}") from error
    if not isinstance(read, dict):
        raise ReportError(f"{where}: not of the form 'name: value'.")
    return read
