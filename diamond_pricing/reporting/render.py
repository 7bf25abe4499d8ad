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

from diamond_pricing.errors import MissingExtraError, ReportError
from diamond_pricing.reporting.execute import executed
from diamond_pricing.reporting.source import Source

FORMATS = ("html", "pdf", "ipynb")
NAMES = {
    "en": {"fig": "Figure", "tbl": "Table", "note": "Note", "important": "Important",
           "warning": "Caution", "code": "Code"},
    "it": {"fig": "Figura", "tbl": "Tabella", "note": "Nota", "important": "Importante",
           "warning": "Attenzione", "code": "Codice"},
}  # fmt: skip
_REFERENCE = re.compile(r"@((?:fig|tbl)-[\w-]+)")
_CALLOUT = re.compile(
    r"^::: \{\.callout-(\w+)(?: title=\"([^\"]*)\")?\}\n(.*?)^:::$", re.S | re.M
)
_PANDOC = "markdown-smart+pipe_tables+fenced_divs+tex_math_dollars"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Files that were written, and how long it took."""

    files: tuple[Path, ...]
    seconds: float


def render(
    source: Source, out: Path, formats: Sequence[str], given: Mapping[str, Any],
    tell: Callable[[int, int], None] = lambda i, n: None, shared: str = "",
) -> Rendered:  # fmt: skip
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
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "quarto" in formats:
            _quarto(source, folder, given)
        if set(formats) & set(FORMATS):
            notebook = executed(source, given, made, tell, shared)
            _written(source, notebook, folder, formats)
        done = []
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.suffix != ".svg":
                aside = out / f".{file.name}.part"
                shutil.copyfile(file, aside)
                aside.replace(out / file.name)
                done.append(out / file.name)
    return Rendered(tuple(done), time.perf_counter() - start)


def _written(
    source: Source, notebook: nbformat.NotebookNode, folder: Path, formats: Sequence[str]
) -> None:
    words = NAMES[source.front.get("lang", "en")]
    refer = _references(notebook, words)
    stem = source.path.stem
    if "html" in formats:
        _pandoc(
            source,
            _markdown(source, notebook, folder, words, refer, code=True),
            folder,
            "html5",
            stem,
        )
    if "pdf" in formats:
        _pandoc(
            source,
            _markdown(source, notebook, folder, words, refer, code=False),
            folder,
            "typst",
            stem,
        )
    if "ipynb" in formats:
        finish(source, notebook, words, refer)
        nbformat.validate(notebook)
        (folder / f"{stem}.ipynb").write_text(
            nbformat.writes(notebook) + "\n", encoding="utf-8"
        )


def _references(notebook: nbformat.NotebookNode, words: Mapping[str, str]) -> dict[str, str]:
    """Number figures and tables in their order: ``Figure 3`` by label."""
    count = {"fig": 0, "tbl": 0}
    found = {}
    for cell in notebook.cells:
        label = str(cell.metadata.get("options", {}).get("label", ""))
        kind = label.partition("-")[0]
        if kind in count and cell.get("outputs"):
            count[kind] += 1
            found[label] = f"{words[kind]} {count[kind]}"
    return found


def _linked(text: str, refer: Mapping[str, str], *, links: bool = True) -> str:
    def named(found: re.Match[str]) -> str:
        if found[1] not in refer:
            raise ReportError(f"nothing is labelled {found[1]!r}.")
        return f"[{refer[found[1]]}](#{found[1]})" if links else refer[found[1]]

    return _REFERENCE.sub(named, text)


def _caption(
    options: Mapping[str, Any], refer: Mapping[str, str], *, links: bool = True
) -> str:
    text = options.get("fig-cap") or options.get("tbl-cap") or ""
    return f"{refer[options['label']]}: {_linked(text, refer, links=links)}"


def _markdown(
    source: Source, notebook: nbformat.NotebookNode, folder: Path, words: Mapping[str, str],
    refer: Mapping[str, str], *, code: bool,
) -> str:  # fmt: skip
    """The whole report as pandoc reads it."""
    echo = code and bool(source.front.get("execute", {}).get("echo"))
    front = {k: v for k, v in source.front.items() if k in ("title", "subtitle", "lang")}
    front |= source.front.get("format", {}).get("html" if code else "typst", {})
    parts = [f"---\n{yaml.safe_dump(front, allow_unicode=True)}---"]
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            told = _linked(cell.source, refer)
            parts.append(_CALLOUT.sub(lambda m: _called(m, words), told))
            continue
        options = cell.metadata.get("options", {})
        if options.get("include") is False:
            continue
        if echo and options.get("echo", True):
            parts.append(
                f"<details><summary>{words['code']}</summary>\n\n```python\n{cell.source}\n```\n\n</details>"
            )
        for j, output in enumerate(_shown(cell)):
            parts.append(_output(output, options, refer, folder / f"{i}-{j}.svg"))
    return "\n\n".join(parts)


def _shown(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """What a reader is to see: not what libraries grumble on standard error."""
    return [output for output in cell.outputs if output.get("name") != "stderr"]


def _called(found: re.Match[str], words: Mapping[str, str]) -> str:
    kind, title, body = found[1], found[2], found[3]
    return f"::: {{.callout .{kind}}}\n**{title or words[kind]}**\n\n{body}:::"


def _output(
    output: nbformat.NotebookNode,
    options: Mapping[str, Any],
    refer: Mapping[str, str],
    file: Path,
) -> str:
    label = options.get("label", "")
    data = output.get("data", {})
    if "image/svg+xml" in data:
        svg = "".join(data["image/svg+xml"])
        file.write_text(
            svg.replace('font-family="inherit"', 'font-family="DejaVu Sans"'), encoding="utf-8"
        )
        alt = "".join(data["text/plain"]).replace("\\", "").replace('"', "'").replace("\n", " ")
        return f'![{_caption(options, refer)}]({file}){{#{label} alt="{alt}"}}'
    if "text/markdown" in data:
        table = "".join(data["text/markdown"])
        return (
            f"::: {{#{label}}}\n{table}\n\n: {_caption(options, refer)}\n:::"
            if label
            else table
        )
    text = output.get("text") or data.get("text/plain", "")
    return f"```\n{''.join(text).rstrip()}\n```" if text else ""


def _pandoc(source: Source, text: str, folder: Path, to: str, stem: str) -> None:
    """Write the page, or through typst the PDF; what pandoc warns of is an error."""
    try:
        import pypandoc
        import typst
    except ImportError as error:
        raise MissingExtraError("reports", "report") from error
    # Tables are as wide as their cells; a line is never wrapped.
    extra = ["--standalone", "--columns=100000", "--wrap=none", "--fail-if-warnings"]
    house = Path(str(files("diamond_pricing.reporting"))) / "house"
    if to == "html5":
        extra += ["--embed-resources", "--mathml", f"--css={house / 'house.css'}"]
        if source.front.get("format", {}).get("html", {}).get("toc"):
            extra += ["--toc", "--toc-depth=2"]
    else:
        extra.append(f"--include-in-header={house / 'house.typ'}")
    try:
        page = pypandoc.convert_text(
            text, to, _PANDOC, extra_args=extra, filters=[str(house / "house.lua")]
        )
    except RuntimeError as error:
        raise ReportError(f"{source.path.name}: {error}") from error
    if to == "html5":
        (folder / f"{stem}.html").write_text(page, encoding="utf-8")
        return
    typ = folder / f"{stem}.typ"
    typ.write_text(page, encoding="utf-8")
    (folder / f"{stem}.pdf").write_bytes(typst.compile(str(typ), root="/"))
    typ.unlink()


def finish(
    source: Source, notebook: nbformat.NotebookNode, words: Mapping[str, str],
    refer: Mapping[str, str],
) -> None:  # fmt: skip
    """Make the notebook read well by itself: title, references, callouts, captions."""
    title = f"# {source.front.get('title', '')}\n\n{source.front.get('subtitle', '')}".strip()
    cells = [nbformat.v4.new_markdown_cell(title, id="title")]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            told = _linked(cell.source, refer, links=False)
            cell.source = _CALLOUT.sub(lambda m: _quoted(m, words), told)
        else:
            cell.outputs = _shown(cell)
        options = cell.metadata.pop("options", {})
        cells.append(cell)
        if options.get("label", "") in refer:
            text = f"*{_caption(options, refer, links=False)}*"
            cells.append(nbformat.v4.new_markdown_cell(text, id=f"caption-{options['label']}"))
        cell.metadata.pop("execution", None)
    notebook.cells = cells
    notebook.metadata["source"] = {
        "file": source.path.name,
        "sha256": source.sha256,
    }


def _quoted(found: re.Match[str], words: Mapping[str, str]) -> str:
    text = f"**{found[2] or words[found[1]]}**\n\n{found[3].strip()}"
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _quarto(source: Source, folder: Path, given: Mapping[str, Any]) -> None:
    """Let Quarto itself render the source to HTML."""
    binary = shutil.which("quarto")
    if binary is None:
        raise ReportError(
            "there is no quarto on the path; the formats html, pdf and ipynb need none."
        )
    shutil.copyfile(source.path, folder / source.path.name)
    parameters = [part for name, value in given.items() for part in ("-P", f"{name}:{value}")]
    done = subprocess.run(  # noqa: S603  no shell; the arguments are names and paths
        [binary, "render", source.path.name, "--to", "html", "--output",
         f"{source.path.stem}.quarto.html", *parameters],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    (folder / source.path.name).unlink()
    if done.returncode:
        raise ReportError(f"quarto failed: {done.stderr.strip()[-800:]}")
