"""How explanations and models show themselves."""

from html.parser import HTMLParser

import numpy as np
import pytest

from diamond_pricing import Stone
from diamond_pricing.model.money import written


class Cells(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


@pytest.fixture
def why(packaged):
    return packaged.explain(Stone(1.01, "Good", "J", "SI2", 62.9, 57), listing="x>y")


def test_an_explanation_in_a_notebook_shows_every_amount(why):
    shown = Cells(why._repr_html_())
    assert not shown.open
    for i, (line, running) in enumerate(zip(why.lines, why.running, strict=True)):
        assert line.label in shown.texts
        assert line.note in shown.texts
        assert written(line.cents, why.currency, sign=i > 0) in shown.texts
        assert written(running, why.currency) in shown.texts
    assert f"{why.stone}: {written(why.cents, 'USD')} (2008 US dollars)" in shown.texts
    low, high = (written(round(100 * end), "USD", digits=0) for end in why.range())
    assert any(low in text and high in text for text in shown.texts)


def test_an_explanation_as_a_frame_sums_to_its_price(why):
    frame = why.to_frame()
    assert round(100 * frame["amount"].sum()) == why.cents
    assert frame["factor"].prod() * why.reference_price == pytest.approx(
        why.reference_price * np.exp(frame["log_effect"].sum()), rel=1e-12
    )
    assert frame["so_far"].iloc[-1] == why.price
    assert frame["line"].tolist() == [line.name for line in why.lines]


def test_a_model_shows_what_it_is_and_gives_its_coefficients(model):
    shown = Cells(model._repr_html_())
    assert not shown.open
    assert f"{model.family} model {model.sha256[:12]}" in shown.texts
    assert model.origin in shown.texts
    frame = model.to_frame()
    np.testing.assert_array_equal(frame["coefficient"], model.coefficients)
    np.testing.assert_allclose(
        frame["standard_error"] ** 2, np.diag(model.covariance), rtol=1e-9, atol=1e-18
    )
    assert frame["term"].nunique() <= len(model.terms)
