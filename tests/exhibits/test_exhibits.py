import re
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from diamond_pricing import Stone
from diamond_pricing import exhibits as show
from diamond_pricing.exhibits import bridge, explanation_page, waterfall
from diamond_pricing.model.money import written

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def why(packaged):
    return packaged.explain(Stone(1.01, "Good", "J", "SI2", 62.9, 57), listing="x>y")


def picture(why):
    root = ElementTree.fromstring(waterfall(why).svg)
    return root, ["".join(t.itertext()).strip() for t in root.iter(f"{SVG}text")]


def whole(cents, currency, *, sign=False):
    return written(cents, currency, sign=sign, digits=0)


def test_the_picture_shows_every_amount_and_can_be_read_aloud(why):
    root, texts = picture(why)
    for i, line in enumerate(why.lines):
        assert line.label in texts
        assert whole(line.cents, why.currency, sign=i > 0) in texts
    assert texts.count(whole(why.cents, why.currency)) == 1
    assert root.get("role") == "img"
    described = root.find(f"{SVG}title").text
    assert all(line.note in described for line in why.lines)


def test_a_total_that_dips_below_nothing_is_drawn_whole(packaged):
    first, second = Stone(2.5, "Fair", "J", "I1"), Stone(0.25, "Ideal", "D", "IF")
    why = packaged.compare(first, second)
    assert min(why.running) < 0
    root = ElementTree.fromstring(bridge(packaged, first, second).svg)
    texts = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
    for line in why.lines[1:]:
        assert whole(line.cents, why.currency, sign=True) in texts
    width = float(root.get("viewBox").split()[2])
    for bar in root.iter(f"{SVG}rect"):
        x, wide = float(bar.get("x")), float(bar.get("width"))
        assert x >= 150
        assert x + wide <= width - 60


def test_equal_explanations_give_equal_bytes(why):
    assert explanation_page(why) == explanation_page(why)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "use"):
            self.open.append(tag)
        self.links += [
            v for k, v in attrs if k in ("src", "href", "xlink:href") and v[:1] != "#"
        ]

    def handle_endtag(self, tag):
        if tag != "use":
            assert self.open.pop() == tag


def test_the_page_is_well_formed_and_asks_no_host_for_anything(why):
    page = explanation_page(why)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.links == []
    assert not re.findall(r"url\((?!#)|@import|<script|<link", page)


def test_the_page_says_what_the_explanation_says(why):
    page = explanation_page(why)
    for line in why.lines:
        assert line.note.replace("<", "&lt;").replace(">", "&gt;") in page
    assert page.count(written(why.cents, why.currency)) >= 4
    assert "2008 US dollars" in page
    assert why.model in page


def test_text_from_outside_cannot_become_markup(packaged):
    from dataclasses import replace

    from diamond_pricing.model.explanation import Line
    from diamond_pricing.model.verdict import Verdict

    hostile = "<script>alert(1)</script>"
    why = packaged.explain(Stone(1.01, "Ideal", "E", "VS1"))

    class Hostile:
        def note(self, name, words=None):
            return hostile

        told = note

        def range(self, level):
            return None

        def verdict(self):
            return Verdict("priced", ())

    details = Hostile()
    lines = tuple(Line(x.name, x.label, x.log_effect, x.cents, details) for x in why.lines)
    why = replace(why, lines=lines, details=details, currency=hostile, effective=hostile)
    page = explanation_page(why)
    assert "<script" not in page


def test_a_card_says_what_is_priced_and_where_its_sales_are_from(packaged, loglinear):
    assert show.kinds_words(packaged) == "natural round"
    assert show.read_words(packaged).startswith("weight, cut, color, clarity, depth")
    assert "plotnine (MIT licence)" in show.provenance(packaged)
    assert "the owner of the model" in show.provenance(loglinear)
    assert show.history(()) is None
    step = SimpleNamespace(
        at="2026-11-23T00:00:00Z", action="pin", active="", by="Ann", reason=""
    )
    shown = show.history([step] * 20).frame
    assert len(shown) == 12
    assert shown["active model"].tolist()[0] == "none"
