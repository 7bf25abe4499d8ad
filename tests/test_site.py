"""The site is built whole, asks no other host for anything, and says what the code says."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from scripts import references

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    done = run(
        TOOLS / "sphinx-build",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
        "-b",
        "html",
        "-d",
        place / "doctrees",
        ROOT / "docs",
        place / "html",
    )
    assert done.returncode == 0, done.stderr
    return place / "html"


class Links(HTMLParser):
    """What a page loads, what it links to, and the places in it that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.places = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if given.get("id"):
            self.places.add(given["id"])
        pointer = tag == "link" and given.get("rel") in ("index", "search", "next", "prev")
        if pointer or (tag == "a" and given.get("href")):
            self.links.append(given["href"])
        else:
            self.loads += [given[k] for k in ("src", "href", "data") if given.get(k)]


@pytest.fixture(scope="module")
def pages(site):
    return {file: Links(file.read_text()) for file in site.rglob("*.html")}


def test_there_is_a_page_for_everything(site):
    for source in (ROOT / "docs").rglob("*.md"):
        if "news" not in source.parts:
            page = source.relative_to(ROOT / "docs").with_suffix(".html")
            assert (site / page).exists(), page
    assert "PriceModel" in (site / "reference/python.html").read_text()


def test_nothing_is_loaded_from_another_host(site, pages):
    for file, page in pages.items():
        for target in page.loads:
            assert not urlsplit(target).netloc, (file.name, target)
    for file in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", file.read_text()), file


def test_every_link_within_the_site_leads_to_a_place(site, pages):
    count = 0
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            assert target.exists(), (file.name, link)
            count += 1
            if parts.fragment and target in pages and parts.fragment != "furo-main-content":
                assert unquote(parts.fragment) in pages[target].places, (file.name, link)
    assert count > 500


def test_the_pages_that_follow_from_the_code_do():
    assert references.faults() == []


def test_a_changed_drawing_is_noticed(tmp_path, monkeypatch):
    source = tmp_path / "a.dot"
    source.write_text("digraph a {b}")
    monkeypatch.setattr(references, "DOCS", tmp_path)
    monkeypatch.setattr(references, "ROOT", tmp_path)
    monkeypatch.setattr(references, "TEXTS", {})
    assert references.faults() == ["a.svg is not drawn from a.dot"]
    source.with_suffix(".svg").write_text(f"<svg/>\n{references.mark(source.read_text())}\n")
    assert references.faults() == []
    source.write_text("digraph a {c}")
    assert references.faults() == ["a.svg is not drawn from a.dot"]


def test_every_variable_of_the_environment_is_documented():
    used = set()
    for file in (ROOT / "diamond_pricing").rglob("*.py"):
        used |= set(re.findall(r"DIAMOND_PRICING_[A-Z_]*[A-Z]", file.read_text()))
    page = (ROOT / "docs/reference/configuration.md").read_text()
    assert used
    assert used == set(re.findall(r"DIAMOND_PRICING_[A-Z_]*[A-Z]", page))


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.citation-file-format", "CITATION.cff"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/price.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/fault.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/wish.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
    ],
)
def test_what_the_forge_reads_has_the_shape_it_asks_for(schema, file):
    done = run(TOOLS / "check-jsonschema", "--builtin-schema", schema, ROOT / file)
    assert done.returncode == 0, done.stdout


def test_the_workflow_of_the_forge_runs_what_ci_runs():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert "run: .ci/run" in text
    assert "make test" in (ROOT / ".ci/run").read_text()


def test_news_fragments_become_a_changelog(tmp_path):
    kinds = {"added", "changed", "fixed", "removed"}
    fragments = [f for f in (ROOT / "docs/news").glob("*.md") if f.name != "README.md"]
    for file in fragments:
        assert file.name.split(".")[1] in kinds, file.name
        assert len(file.read_text().strip()) > 20
    done = run(TOOLS / "towncrier", "build", "--draft", "--version", "9.9.9", "--dir", ROOT)
    assert done.returncode == 0, done.stderr
    for file in fragments:
        assert file.read_text().strip().split(" ")[-1] in done.stdout


def test_the_version_is_one_everywhere():
    from diamond_pricing import __version__

    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.+)$", citation, re.M)[1] == __version__
