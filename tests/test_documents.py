"""What the documents say runs, and their links lead somewhere."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from diamond_pricing import Stone, packaged_model
from diamond_pricing.cli import main
from diamond_pricing.cli.home import CODES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "reports/*.md", "diamond_pricing/**/*.md")
    for file in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list:
    return [
        pytest.param(code, id=f"{file.relative_to(ROOT)}:{i}")
        for file in DOCUMENTS
        for i, (kind, code) in enumerate(BLOCK.findall(file.read_text()))
        if kind == language
    ]


def test_there_is_something_to_run():
    assert len(DOCUMENTS) >= 7
    assert len(blocks("python")) >= 3
    assert len(blocks("sh")) >= 1


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_documents_runs(code):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "document", "exec"), {"__name__": "document"})


@pytest.mark.parametrize("code", blocks("sh"))
def test_commands_in_documents_run(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    for line in code.strip().splitlines():
        program, *words = shlex.split(line)
        assert program == "diamond-pricing"
        expected = CODES["nothing new"] if words[0] == "refit" else 0  # the inbox is empty
        assert main(words) == expected, line


def test_the_explanation_in_the_readme_is_the_one_that_is_given():
    shown = BLOCK.search((ROOT / "README.md").read_text())
    assert shown[1] == "text"
    assert shown[2].strip() == str(packaged_model().explain(Stone(1.01, "Ideal", "E", "VS1")))


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "`make demo`" in text
    assert "`make test`" in text


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()):
        assert (file.parent / target).exists(), target


def test_the_lock_and_the_build_name_no_host():
    locks = [file.name for file in ROOT.glob("requirements*.lock")]
    for name in (*locks, "Makefile", ".ci/run", "pyproject.toml"):
        assert "://" not in (ROOT / name).read_text(), name


def test_the_mark_up_in_the_documents_is_the_one_that_is_found():
    from diamond_pricing.exhibits import markup_table

    text = (ROOT / "docs/explanation/price-lists.md").read_text()
    assert BLOCK.search(text)[2].strip() == str(markup_table(packaged_model()))
