"""The committed notebook is the report's source, executed on the packaged model and sales.

Its cells up to the first fit are run again here; NOTEBOOK_CELLS=all runs every one.
"""

import dataclasses
import os
import re
from pathlib import Path

import nbformat
import pytest

from diamond_pricing import packaged_model
from diamond_pricing.reporting.execute import INLINE, executed
from diamond_pricing.reporting.source import read_source

FILE = Path(__file__).resolve().parents[2] / "reports" / "model_development.ipynb"
AGAIN = "Run 'make notebook' and look at what changed."


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(FILE, 4)


@pytest.fixture(scope="module")
def source():
    return read_source("model_development")


def told(cell):
    """What a cell shows, images by their descriptions."""
    shown = []
    for output in cell.outputs:
        data = output.get("data", {})
        shown.append(data.get("text/markdown") or data.get("text/plain") or output.get("text"))
    return shown


def test_it_is_of_this_source_and_of_the_packaged_model(notebook, source):
    assert notebook.metadata["source"]["sha256"] == source.sha256, AGAIN
    text = "\n".join(c.source for c in notebook.cells)
    assert packaged_model().sha256[:12] in text, AGAIN


def test_it_was_executed_whole_and_holds_nothing_of_a_machine(notebook):
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    assert not any(o.output_type == "error" for c in code for o in c.outputs)
    assert sum("image/svg+xml" in o.get("data", {}) for c in code for o in c.outputs) >= 6
    text = FILE.read_text()
    assert not re.findall(r"/(?:home|root|tmp|work|Users)/|pypi\.|\bindex-url", text)


def test_its_cells_and_prose_are_those_of_the_source(notebook, source):
    code = [c.source for c in notebook.cells if c.cell_type == "code"]
    assert code == [c.text for c in source.cells if c.options is not None]
    prose = [
        c.source
        for c in notebook.cells
        if c.cell_type == "markdown" and not re.match(r"\*(Figure|Table) \d", c.source)
    ][1:]
    wanted = [c.text for c in source.cells if c.options is None]
    assert len(prose) == len(wanted)
    for found, written in zip(prose, wanted, strict=True):
        first = INLINE.split(written)[0].partition("@")[0].partition(":::")[0]
        assert found.startswith(first)


def test_what_it_shows_is_what_its_cells_show_now(notebook, source, tmp_path):
    every = os.environ.get("NOTEBOOK_CELLS") == "all"
    end = next(i for i, c in enumerate(source.cells) if "# Candidates" in c.text)
    cells = tuple(
        dataclasses.replace(c, text=c.text.replace("given.begin()", "")) if not every else c
        for c in source.cells[: None if every else end]
    )
    some = dataclasses.replace(source, cells=cells)
    again = executed(some, {}, str(tmp_path), lambda i, n: None)
    now = [told(c) for c in again.cells if c.cell_type == "code"]
    before = [told(c) for c in notebook.cells if c.cell_type == "code"][: len(now)]
    assert sum(len(shown) for shown in now) >= 7
    assert now == before, AGAIN
