"""How the site is built (`make docs`): Sphinx over Markdown, with every link checked."""

import re
from itertools import takewhile
from typing import Any

from pygments.lexers.special import TextLexer

from diamond_pricing import __version__

project = "diamond_pricing"
author = "the makers of diamond_pricing"
copyright = "2026, " + author
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["news"]
myst_heading_anchors = 4
nitpicky = False  # docstrings name types of numpy and pandas as people write them

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say them, with shapes and units
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
default_role = "code"

html_theme = "furo"
html_title = "diamond_pricing"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "friendly"
pygments_dark_style = "github-dark"


def one_by_one(app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Write ``a, b : float`` as two entries: Sphinx takes it for one odd name."""
    written: list[str] = []
    for at, line in enumerate(lines):
        several = re.fullmatch(r"(\w+(?:, \w+)+)( : .+)", line)
        if several is None:
            written.append(line)
            continue
        said = list(takewhile(lambda below: below.startswith("    "), lines[at + 1 :]))
        *others, last = several[1].split(", ")
        for other in others:
            written += [other + several[2], *said]
        written.append(last + several[2])
    lines[:] = written


def setup(app: Any) -> None:
    """Read docstrings as people write them; show tables of others as plain text."""
    app.connect("autodoc-process-docstring", one_by_one, priority=100)
    app.add_lexer("csv", TextLexer)
