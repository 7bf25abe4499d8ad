"""Sources are taken apart as Quarto would, and what cannot be read says where."""

from pathlib import Path

import pytest

from diamond_pricing.errors import ReportError
from diamond_pricing.reporting.source import REPORTS, parsed, read_source

TEXT = """---
title: "A report"
---

Prose `{python} 1 + 1`.

```{python}
#| tags: [parameters]
#| include: false
stone = "x"  # a stone
data = ""
```

More.

```{python}
#| label: tbl-a
#| tbl-cap: "A caption: with a colon."
table
```
"""


def test_prose_and_cells_stand_in_their_order_with_their_lines():
    source = parsed(Path("a.qmd"), TEXT)
    assert source.front == {"title": "A report"}
    kinds = [cell.options is None for cell in source.cells]
    assert kinds == [True, False, True, False]
    assert [cell.line for cell in source.cells] == [5, 8, 14, 17]
    assert source.cells[3].options == {"label": "tbl-a", "tbl-cap": "A caption: with a colon."}
    assert source.cells[3].text == "table"
    assert source.parameters == ("stone", "data")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no front matter", "front matter"),
        ("---\n: [\n---\n", "a.qmd"),
        ("---\ntitle: a\n---\n```{python}\n#| label: [\n```\n", "line 5"),
        ("---\ntitle: a\n---\n```{python}\n#| label\n```\n", "line 5"),
    ],
)
def test_what_cannot_be_read_says_where(text, said):
    with pytest.raises(ReportError, match=said):
        parsed(Path("a.qmd"), text)


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_there_and_every_reference_has_a_label(name):
    import re

    source = read_source(name)
    labels = [c.options.get("label") for c in source.cells if c.options]
    labels = [label for label in labels if label]
    assert len(labels) == len(set(labels))
    text = source.path.read_text()
    assert set(re.findall(r"@((?:fig|tbl)-[\w-]+)", text)) <= set(labels)
    for cell in source.cells:
        label = (cell.options or {}).get("label", "")
        kind = label.partition("-")[0]
        assert not label or f"{kind}-cap" in cell.options, label


def test_a_report_that_is_not_there_is_named():
    with pytest.raises(ReportError, match="choose model_development"):
        read_source("nothing")


def test_the_command_line_knows_every_report_and_where_they_are():
    from diamond_pricing.cli.reports import NAMES

    assert (*REPORTS, "quote") == NAMES
    folder = read_source(REPORTS[0]).path.parent
    assert {f.name.partition(".")[0] for f in folder.glob("*.qmd")} == set(REPORTS)
