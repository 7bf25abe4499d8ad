"""From an executed report to a notebook, a page and a PDF."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat.v4 import new_markdown_cell

from diamond_pricing.errors import MissingExtraError, ReportError
from diamond_pricing.files import write
from diamond_pricing.reporting.execute import executed
from diamond_pricing.reporting.source import Source

FORMATS = ("html", "pdf", "ipynb")
WORDS = {"fig": "Figure", "tbl": "Table", "note": "Note", "warning": "Caution"}
_REFERENCE = re.compile(r"@((?:fig|tbl)-[\w-]+)")
_CALLOUT = re.compile(
    r"^::: \{\.callout-(note|warning)(?: title=\"([^\"]*)\")?\}\n(.*?)^:::$", re.S | re.M
)
_PANDOC = "markdown-smart+pipe_tables+fenced_divs+tex_math_dollars"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Files that were written, and how long it took."""

    files: tuple[Path, ...]
    seconds: float


def render(
    source: Source,
    out: Path,
    formats: Sequence[str],
    given: Mapping[str, Any],
    tell: Callable[[int, int], None] = lambda i, n: None,
    shared: str = "",
) -> Rendered:
    """Run a report and write it into a folder in each format.

    Nothing is written before all of it is made.

    Parameters
    ----------
    given : Mapping[str, Any]
        Values of its parameters.
    tell : callable
        Told before each cell which of how many it is.
    shared : str
        A folder where a report leaves fits for the next; empty: none.

    Raises
    ------
    ReportError
        When a cell fails, or Quarto is asked for and is not there.
    """
    start = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    made: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        stem = source.path.stem
        if "quarto" in formats:
            made[f"{stem}.quarto.html"] = _by_quarto(source, Path(folder), given)
        if set(formats) & set(FORMATS):
            report = _Report(source, executed(source, given, folder, tell, shared))
            if "html" in formats:
                made[f"{stem}.html"] = report.html(Path(folder))
            if "pdf" in formats:
                made[f"{stem}.pdf"] = report.pdf(Path(folder))
            if "ipynb" in formats:  # last: it changes the cells
                made[f"{stem}.ipynb"] = report.ipynb()
    for name, data in made.items():
        write(out / name, data)
    return Rendered(tuple(out / name for name in made), time.perf_counter() - start)


class _Report:
    """An executed report; what it shows is numbered in its order."""

    def __init__(self, source: Source, notebook: nbformat.NotebookNode) -> None:
        self.source, self.notebook = source, notebook
        self.numbers: dict[str, str] = {}  # by label: ``Figure 3``
        count = {"fig": 0, "tbl": 0}
        for cell in notebook.cells:
            label = str(_options(cell).get("label", ""))
            kind = label.partition("-")[0]
            if kind in count and cell.get("outputs"):
                count[kind] += 1
                self.numbers[label] = f"{WORDS[kind]} {count[kind]}"

    def html(self, folder: Path) -> bytes:
        """A page that stands alone."""
        form = self.source.front.get("format", {}).get("html", {})
        extra = ["--embed-resources", "--mathml", f"--css={_house('house.css')}"]
        extra += ["--toc", "--toc-depth=2"] if form.get("toc") else []
        echo = bool(self.source.front.get("execute", {}).get("echo"))
        return self._pandoc(self._markdown(folder, form, echo=echo), "html5", extra).encode()

    def pdf(self, folder: Path) -> bytes:
        """The same on paper, without code."""
        import typst

        form = self.source.front.get("format", {}).get("typst", {})
        extra = [f"--include-in-header={_house('house.typ')}"]
        file = folder / "report.typ"
        text = self._markdown(folder, form, echo=False)
        file.write_text(self._pandoc(text, "typst", extra), encoding="utf-8")
        found: bytes = typst.compile(str(file), root="/")
        return found

    def ipynb(self) -> bytes:
        """The notebook, so that it reads well by itself: title, references, captions."""
        front = self.source.front
        title = f"# {front.get('title', '')}\n\n{front.get('subtitle', '')}".strip()
        cells = [new_markdown_cell(title, id="title")]
        for cell in self.notebook.cells:
            cells.append(cell)
            if cell.cell_type == "markdown":
                cell.source = _CALLOUT.sub(_quoted, self._linked(cell.source, "{}"))
                continue
            cell.outputs = _shown(cell)
            options = cell.metadata.pop("options", {})
            cell.metadata.pop("execution", None)
            if options.get("label") in self.numbers:
                text = f"*{self._caption(options, '{}')}*"
                cells.append(new_markdown_cell(text, id=f"caption-{options['label']}"))
        self.notebook.cells = cells
        origin = {"file": self.source.path.name, "sha256": self.source.sha256}
        self.notebook.metadata["source"] = origin
        nbformat.validate(self.notebook)
        return f"{nbformat.writes(self.notebook)}\n".encode()

    def _markdown(self, folder: Path, form: Mapping[str, Any], *, echo: bool) -> str:
        """The whole report as pandoc reads it."""
        names, front = ("title", "subtitle", "lang"), self.source.front
        shown = {name: front[name] for name in names if name in front} | dict(form)
        parts = [f"---\n{yaml.safe_dump(shown, allow_unicode=True)}---"]
        for i, cell in enumerate(self.notebook.cells):
            options = _options(cell)
            if cell.cell_type == "markdown":
                parts.append(_CALLOUT.sub(_called, self._linked(cell.source)))
            elif options.get("include") is not False:
                if echo and options.get("echo", True):
                    code = f"```python\n{cell.source}\n```"
                    parts.append(f"<details><summary>Code</summary>\n\n{code}\n\n</details>")
                for j, output in enumerate(_shown(cell)):
                    parts.append(self._output(output, options, folder / f"{i}-{j}.svg"))
        return "\n\n".join(parts)

    def _output(
        self, output: nbformat.NotebookNode, options: Mapping[str, Any], file: Path
    ) -> str:
        label, data = options.get("label", ""), output.get("data", {})
        if "image/svg+xml" in data:
            svg = data["image/svg+xml"].replace('"inherit"', '"DejaVu Sans"')
            file.write_text(svg, encoding="utf-8")
            alt = data["text/plain"].replace("\\", "").replace('"', "'").replace("\n", " ")
            return f'![{self._caption(options)}]({file}){{#{label} alt="{alt}"}}'
        if "text/markdown" in data:
            table = data["text/markdown"]
            if not label:
                return str(table)
            return f"::: {{#{label}}}\n{table}\n\n: {self._caption(options)}\n:::"
        text = output.get("text") or data.get("text/plain", "")
        return f"```\n{text.rstrip()}\n```" if text else ""

    def _linked(self, text: str, form: str = "[{}](#{})") -> str:
        def named(found: re.Match[str]) -> str:
            if found[1] not in self.numbers:
                name = self.source.path.name
                raise ReportError(f"{name}: nothing is labelled {found[1]!r}.")
            return form.format(self.numbers[found[1]], found[1])

        return _REFERENCE.sub(named, text)

    def _caption(self, options: Mapping[str, Any], form: str = "[{}](#{})") -> str:
        text = options.get("fig-cap") or options.get("tbl-cap") or ""
        return f"{self.numbers[options['label']]}: {self._linked(text, form)}"

    def _pandoc(self, text: str, to: str, extra: list[str]) -> str:
        """Convert; what pandoc warns of is an error."""
        try:
            import pypandoc
        except ImportError as error:
            raise MissingExtraError("reports", "report") from error
        # Tables are as wide as their cells; a line is never wrapped.
        extra += ["--standalone", "--columns=100000", "--wrap=none", "--fail-if-warnings"]
        lua = [str(_house("house.lua"))]
        try:
            page = pypandoc.convert_text(text, to, _PANDOC, extra_args=extra, filters=lua)
        except RuntimeError as error:
            raise ReportError(f"{self.source.path.name}: {error}") from error
        return str(page)


def _called(found: re.Match[str]) -> str:
    title = found[2] or WORDS[found[1]]
    return f"::: {{.callout .{found[1]}}}\n**{title}**\n\n{found[3]}:::"


def _quoted(found: re.Match[str]) -> str:
    text = f"**{found[2] or WORDS[found[1]]}**\n\n{found[3].strip()}"
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _options(cell: nbformat.NotebookNode) -> Mapping[str, Any]:
    found: Mapping[str, Any] = cell.metadata.get("options", {})
    return found


def _shown(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """What a reader is to see: not what libraries grumble on standard error."""
    return [output for output in cell.outputs if output.get("name") != "stderr"]


def _house(file: str) -> Path:
    return Path(str(files("diamond_pricing.reporting"))) / "house" / file


def _by_quarto(source: Source, folder: Path, given: Mapping[str, Any]) -> bytes:
    """Let Quarto itself render the source to HTML."""
    binary = shutil.which("quarto")
    if binary is None:
        raise ReportError("there is no quarto on the path; html, pdf and ipynb need none.")
    target = f"{source.path.stem}.quarto.html"
    shutil.copyfile(source.path, folder / source.path.name)
    parameters = [part for name, value in given.items() for part in ("-P", f"{name}:{value}")]
    done = subprocess.run(  # noqa: S603  no shell; the arguments are names and paths
        [binary, "render", source.path.name, "--to", "html", "--output", target, *parameters],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReportError(f"quarto failed: {done.stderr.strip()[-800:]}")
    return (folder / target).read_bytes()
