"""What a source becomes: a notebook, a page, a PDF; and what happens when a cell fails."""

import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from pypdf import PdfReader

from diamond_pricing.errors import ReportError
from diamond_pricing.reporting import render
from diamond_pricing.reporting.source import parsed

TEXT = """---
title: "A small report"
execute:
  echo: true
---

```{python}
#| tags: [parameters]
#| include: false
n = 2
```

```{python}
#| include: false
import sys
from diamond_pricing.exhibits import Figure, Table
import pandas as pd
print("grumble", file=sys.stderr)
```

See @tbl-a and @fig-b: `{python} n * 21` and $a^2$.

::: {.callout-warning title="Take care"}
A **bold** word.
:::

```{python}
#| label: tbl-a
#| tbl-cap: "Numbers, as in @fig-b."
Table(pd.DataFrame({"what": ["a|b *c* <d>", "x>y"], "n": [1.5, n]}))
```

```{python}
#| label: tbl-none
#| tbl-cap: "Nothing to show, so it has no number."
None
```

$$\\log p = \\beta_0$$

```{python}
#| label: fig-b
#| fig-cap: "A square."
Figure('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" role="img">'
       '<rect width="9" height="9"/></svg>', 'A "black" square', pd.DataFrame({"a": [1]}))
```
"""


def source(text=TEXT):
    return parsed(Path("small.qmd"), text)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.images, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [v for k, v in attrs if k in ("src", "href")]
        if tag == "img":
            self.images.append(found)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    render(source(), out, ("html", "pdf", "ipynb"), {"n": 3})
    return out


def test_the_page_stands_alone_with_its_references_and_alternatives(made):
    text = (made / "small.html").read_text()
    page = Page(text)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert not re.findall(r"url\((?!['\"]?(?:#|data:))|@import|https?://(?!www\.w3\.org)", text)
    said = " ".join(" ".join(page.texts).split())
    assert "See Table 1 and Figure 1 : 63 and" in said
    assert "Numbers, as in Figure 1 ." in said
    assert "a|b *c* <d>" in said
    assert "x>y" in said
    assert "Take care" in said
    assert "<math" in text
    assert "grumble" not in text
    assert "Nothing to show" not in text
    (image,) = page.images
    assert image["alt"] == "A 'black' square"
    assert 'id="fig-b"' in text
    assert 'href="#fig-b"' in text
    assert "<summary>" in text
    assert "Table(pd.DataFrame(" in said


def test_the_pdf_says_the_same(made):
    text = " ".join(
        " ".join(p.extract_text() for p in PdfReader(made / "small.pdf").pages).split()
    )
    assert "See Table 1 and Figure 1: 63 and" in text
    assert "Table 1: Numbers, as in Figure 1." in text
    assert "a|b *c* <d>" in text
    assert "Take care" in text
    assert "Table(" not in text


@pytest.mark.parametrize(("rows", "parted"), [(60, True), (12, False)])
def test_a_long_table_is_parted_and_a_short_one_is_not(tmp_path, rows, parted):
    words = "Words before it. " * 690
    frame = f'pd.DataFrame({{"name": [f"row{{i}}x" for i in range({rows})]}})'
    text = f"""---
title: "Long"
---

{words}

```{{python}}
#| label: tbl-a
#| tbl-cap: "Names."
import pandas as pd
from diamond_pricing.exhibits import Table
Table({frame})
```
"""
    render(source(text), tmp_path, ("pdf",), {})
    pages = [p.extract_text() for p in PdfReader(tmp_path / "small.pdf").pages]
    begun = next(i for i, page in enumerate(pages) if "row0x" in page)
    assert ("Words before it" in pages[begun]) == parted
    assert (f"row{rows - 1}x" not in pages[begun]) == parted
    assert ["name" in page for page in pages[begun:]] == [True] * len(pages[begun:])


def test_the_notebook_is_executed_and_reads_alone(made):
    notebook = nbformat.read(made / "small.ipynb", 4)
    nbformat.validate(notebook)
    prose = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    assert prose[0] == "# A small report"
    assert any("See Table 1 and Figure 1: 63 and" in text for text in prose)
    assert any("\n> **Take care**\n>\n> A **bold** word." in text for text in prose)
    assert "*Table 1: Numbers, as in Figure 1.*" in prose
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any(
        o.get("name") == "stderr" for c in notebook.cells for o in c.get("outputs", [])
    )


def test_a_failing_cell_says_where_and_leaves_nothing(tmp_path):
    text = TEXT.replace("Table(pd.DataFrame", "1 / 0; Table(pd.DataFrame")
    with pytest.raises(ReportError, match=r"small.qmd, line 28 \(tbl-a\): ZeroDivisionError"):
        render(source(text), tmp_path / "out", ("html",), {})
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failing_inline_value_says_where(tmp_path):
    text = TEXT.replace("n * 21", "n * nothing")
    with pytest.raises(ReportError, match="line 21: NameError"):
        render(source(text), tmp_path, ("html",), {})


def test_a_reference_to_nothing_is_an_error(tmp_path):
    text = TEXT.replace("See @tbl-a", "See @tbl-missing")
    with pytest.raises(ReportError, match="tbl-missing"):
        render(source(text), tmp_path, ("html",), {})


def test_maths_that_cannot_be_set_is_an_error(tmp_path):
    text = TEXT.replace("\\log p", "\\nothing{p")
    with pytest.raises(ReportError, match="TeX math"):
        render(source(text), tmp_path, ("html",), {})


def test_a_kernel_that_dies_is_an_error(tmp_path):
    text = TEXT.replace("Table(pd.DataFrame", "import os; os._exit(3); Table(pd.DataFrame")
    with pytest.raises(ReportError, match=r"line 28"):
        render(source(text), tmp_path, ("html",), {})


def test_no_kernel_is_left_behind(made):
    def kernels():
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                except OSError:
                    continue
                if b"ipykernel_launcher" in words and int(parent) == os.getpid():
                    found.append(entry.name)
        return found

    assert kernels() == []


def test_quarto_is_called_as_its_documentation_says(tmp_path, monkeypatch):
    """Quarto is a download that a test cannot have; what it would be asked is held here."""
    stub = tmp_path / "bin" / "quarto"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$ASKED"; : > small.quarto.html\n')
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{stub.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    (tmp_path / "small.qmd").write_text(TEXT)
    render(parsed(tmp_path / "small.qmd", TEXT), tmp_path / "out", ("quarto",), {"n": 3})
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [
        "render",
        "small.qmd",
        "--to",
        "html",
        "--output",
        "small.quarto.html",
        "-P",
        "n:3",
    ]
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["small.quarto.html"]


def test_without_quarto_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match="no quarto on the path"):
        render(source(), tmp_path / "out", ("quarto",), {})
