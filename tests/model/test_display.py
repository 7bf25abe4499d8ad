"""How explanations and models show themselves."""

import copy
import pickle
from html.parser import HTMLParser

import numpy as np
import pytest
import statsmodels.formula.api as smf

from diamond_pricing import Stone, Stones
from diamond_pricing.fitting import from_statsmodels
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
    assert not frame.duplicated(["term", "level"]).any()


def test_coefficients_are_named_by_their_levels_with_t_p_and_limits(sales):
    """As statsmodels gives them for the same regression."""
    frame = sales[sales["listing"] != "x=y"].head(2000)
    result = smf.ols("np.log(price) ~ np.log(carat) + clarity", frame).fit()
    rows = from_statsmodels(result).to_frame(level=0.9).set_index("level")
    assert {"SI2", "VS1", "IF"} <= set(rows.index)
    there = result.conf_int(0.1)
    for name in ("SI1", "VS2", "VVS1"):
        key = next(k for k in result.params.index if k.endswith(f"{name}]"))
        found = rows.loc[name]
        assert found["coefficient"] == pytest.approx(result.params[key], rel=1e-9)
        assert found["t"] == pytest.approx(result.tvalues[key], rel=1e-3)
        # The limits there are those of Student's t of 2,000 sales, here the normal ones.
        assert found["low"] == pytest.approx(there.loc[key, 0], rel=1e-3)
        assert found["high"] == pytest.approx(there.loc[key, 1], rel=1e-3)


def test_the_summary_names_the_model_and_every_coefficient(model):
    text = model.summary()
    assert model.sha256[:12] in text
    assert "standard_error" not in text
    for level in {*model.to_frame()["level"]}:
        assert str(level) in text


@pytest.mark.parametrize("again", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_models_stones_and_explanations_pickle_and_copy(model, again):
    assert again(model) == model
    stone = Stone(1.01, "Ideal", "E", "VS1", depth=61.8)
    several = again(Stones.of([stone]))
    assert model.price(several) == model.price(Stones.of([stone]))
    with pytest.raises(ValueError, match="read-only"):
        several["carat"][0] = 2
    why = model.explain(stone)
    assert again(why) == why
    assert again(why).lines[1].standard_error == why.lines[1].standard_error


def test_verdicts_and_stones_show_themselves_in_a_notebook(packaged):
    verdict = packaged.assess(Stone(9, "Ideal", "E", "VS1"))._repr_html_()
    assert "<b>declined</b>" in verdict
    assert verdict.count("<li>") == len(packaged.assess(Stone(9, "Ideal", "E", "VS1")).reasons)
    stones = Stones.of([Stone(1 + i / 100, "Ideal", "E", "VS1") for i in range(5)])
    assert repr(stones).endswith("1.02 ct Ideal E VS1, and 2 more>")
    assert stones._repr_html_() == f"<p>{repr(stones)[9:-1]}</p>"
