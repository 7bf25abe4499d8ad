"""Exhibits show what the model says, and every drawing can be read without eyes."""

import itertools
from contextlib import contextmanager
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamond_pricing import Stone, Stones
from diamond_pricing import exhibits as show
from diamond_pricing.errors import StoneError
from diamond_pricing.exhibits import Priced, style
from diamond_pricing.exhibits.exhibit import Table, plain_markdown, safe
from diamond_pricing.exhibits.style import BLUE, NAVY, ORANGE, drawing
from diamond_pricing.fitting import read_sales

STONE = Stone(1.01, "Ideal", "E", "VS1")


@pytest.fixture(scope="module")
def sold(sales, packaged):
    read = read_sales(sales)
    rows = np.flatnonzero(packaged.supports(read.stones))
    some = read_sales(sales.iloc[rows])
    recorded = packaged.log_price(some.stones, listing="recorded")
    return Priced(rows, some, recorded, "by the model")


@pytest.fixture(scope="module")
def figures(packaged, sold, sales):
    held = sold.sales.stones
    return {
        "waterfall": show.waterfall(packaged.explain(STONE)),
        "bridge": show.bridge(packaged, STONE, Stone(0.7, "Very Good", "G", "VS2")),
        "weight": show.partial_effect(packaged, "carat", (0.25, 2.5)),
        "color": show.partial_effect(packaged, "color"),
        "depth": show.partial_effect(packaged, "depth", (58, 65)),
        "surface": show.surface(packaged),
        "magic": show.magic_steps(packaged, held)[0],
        "ladder": show.ladder(packaged, read_sales(sales)),
        "sold": show.sold_weights(held, packaged.magic_weights),
        "price": show.price_against_weight(sold.sales),
        "calibration": show.calibration(sold.error, held),
        "map": show.residual_map(sold.error, held),
        "residuals": show.residuals(sold.error, np.exp(sold.recorded), "USD"),
        "coverage": show.coverage_figure(show.coverage(show.inside(packaged, sold), held)),
    }


def test_every_figure_is_an_image_with_words_and_numbers_and_asks_nobody(figures):
    for name, figure in figures.items():
        root = ElementTree.fromstring(figure.svg)
        assert root.tag.endswith("svg"), name
        assert root.get("role") == "img", name
        told = root.get("aria-label") or root.find("{*}title").text
        assert told == figure.alt, name
        assert len(figure.alt) > 60, name
        assert any(c.isdigit() for c in figure.alt), name
        assert "nan" not in figure.alt, name
        assert figure.frame.select_dtypes("number").size, name
        links = [v for e in root.iter() for k, v in e.attrib.items() if k.endswith("href")]
        assert all(v.startswith(("#", "data:image/png;base64,")) for v in links), name
        assert figure._repr_mimebundle_()["image/svg+xml"] == figure.svg


def test_equal_numbers_give_equal_bytes(packaged, figures):
    again = show.partial_effect(packaged, "carat", (0.25, 2.5))
    assert again.svg == figures["weight"].svg


def test_colors_are_told_apart_in_grey():
    def lightness(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        line = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * line[0] + 0.7152 * line[1] + 0.0722 * line[2]

    for a, b in itertools.combinations((BLUE, ORANGE, NAVY), 2):
        high, low = sorted((lightness(a), lightness(b)), reverse=True)
        assert (high + 0.05) / (low + 0.05) > 1.7


def test_a_partial_effect_is_the_ratio_of_two_prices(packaged, figures):
    frame = figures["weight"].frame
    start = packaged.log_price(Stones.of([packaged.reference]))[0]
    for carat, move, low, high in frame.iloc[::40].itertuples(index=False):
        one = Stones.of([replace(packaged.reference, carat=carat)])
        assert move == pytest.approx(packaged.log_price(one)[0] - start, abs=1e-12)
        assert low <= move <= high
    at = frame.iloc[int(np.argmin(np.abs(frame["carat"] - packaged.reference.carat)))]
    assert at["high"] - at["low"] < 1e-9  # a stone differs from itself by nothing, surely


def test_bands_hold_what_other_sales_find(sales, catalog, packaged):
    """A fit to a twelfth of the stones: its 95 % ranges hold most of the whole's effects."""
    from diamond_pricing.fitting import fit

    few = fit(sales)
    held = []
    for carat, attribute in itertools.product((0.5, 0.7, 1.0), ("color", "clarity")):
        stone = replace(few.reference, carat=carat)
        seen = list(few.training.grades[attribute])
        frame = show.changes(few, stone, attribute, seen)
        whole = show.changes(packaged, stone, attribute, frame[attribute].tolist())
        both = frame.merge(whole, on=attribute, suffixes=("", "_whole"))
        error = (both["high"] - both["low"]) / 2
        wider = np.hypot(error, (both["high_whole"] - both["low_whole"]) / 2)
        other = both["log_change"] != 0
        held += (np.abs(both["log_change"] - both["log_change_whole"]) <= wider)[other].tolist()
    assert len(held) > 30
    assert np.mean(held) > 0.85


def test_a_grade_step_is_told_as_the_price_changes(packaged):
    table = show.grade_steps(packaged, (1.0,))
    row = table.frame[table.frame["one grade better"] == "color H → G"].iloc[0]
    stones = [replace(packaged.reference, carat=1.0, color=color) for color in "HG"]
    worse, better = packaged.price(Stones.of(stones))
    assert row["1 ct"].startswith(f"{100 * (better / worse - 1):+.1f} %")


def test_an_average_step_is_the_mean_over_the_sold_in_any_order(packaged, stones):
    turned = stones.take(np.random.default_rng(0).permutation(len(stones)))
    first, second = (show.average_steps(packaged, s).frame for s in (stones, turned))
    pd.testing.assert_frame_equal(first, second)
    like = stones.take(
        (np.abs(np.log(stones["carat"])) < 0.1)
        & (stones["color"] < stones["color"].max())
        & packaged.supports(stones)
    )
    better = like.with_columns(color=like["color"] + 1)
    fine = packaged.supports(better)
    ratio = packaged.log_price(better.take(fine)) - packaged.log_price(like.take(fine))
    assert first.loc[1, "1 ct"].startswith(f"{100 * np.expm1(ratio.mean()):+.1f} %")


@pytest.mark.parametrize(
    "call",
    [
        lambda m: show.partial_effect(m, "foo"),
        lambda m: show.partial_effect(m, "x"),
        lambda m: show.surface(m, 99),
    ],
)
def test_what_cannot_be_drawn_is_refused(packaged, call):
    with pytest.raises(StoneError):
        call(packaged)


def test_an_attribute_may_be_named_as_people_write_it(packaged, figures):
    assert show.partial_effect(packaged, "colour").svg == figures["color"].svg


def test_no_limit_of_a_group_is_cut_off(sold):
    """The panels share one scale: it holds the widest limits of all."""
    seen = []
    finished = style.Sheet.exhibit

    def kept(sheet, alt, frame):
        seen.extend(axes.get_xlim() for axes in sheet.all)
        return finished(sheet, alt, frame)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style.Sheet, "exhibit", kept)
        frame = show.calibration(sold.error, sold.sales.stones).frame
    assert len(set(seen)) == 1
    low, high = seen[0]
    assert low <= frame["low"].min()
    assert frame["high"].max() <= high


def test_groups_too_small_are_not_drawn(packaged, sold):
    few = np.arange(20)
    held = sold.sales.stones.take(few)
    assert show.calibration(sold.error[few], held) is None
    assert show.residual_map(sold.error[few], held) is None
    table = show.coverage(np.ones(20, bool), held)
    assert show.coverage_figure(table) is None
    assert len(table) == 1


def test_the_jump_is_that_of_the_line(packaged, stones):
    frame = show.magic_steps(packaged, stones)[0].frame.set_index("weight")
    ends = [replace(packaged.reference, carat=w) for w in (0.99, 1.0)]
    line = next(x for x in packaged.compare(*ends).lines if x.name == "magic")
    assert frame.loc[1.0, "log_jump"] == line.log_effect
    assert frame.loc[1.0, "at"] == (np.round(stones["carat"] * 100) == 100).sum()


def test_a_price_list_is_the_models_prices_and_blank_where_nobody_sold(packaged, stones):
    prices = show.price_list(packaged, "Very Good", sold=stones["carat"])
    blank = prices.frame["price"].isna()
    assert blank.any()
    assert (prices.frame["support"].lt(10) == blank).all()
    for row in prices.frame[~blank].iloc[::29].itertuples():
        one = Stones.of([Stone(row.carat, "Very Good", row.color, row.clarity)])
        assert row.price == round(packaged.price(one)[0], 2)
        assert row.low < row.price < row.high
        assert row.per_carat == pytest.approx(row.price / row.carat)
        assert row.support == packaged.support.near(one)[0]
    for band, carat, part in prices.bands():
        low, high = (float(x) for x in band.removesuffix(" ct").split("–"))
        assert low <= carat <= high
        assert len(part) == 56
        cells = [c for row in prices.table(band).cells() for c in row[1:]]
        assert sum(c == "" for c in cells) == part["price"].isna().sum()


def test_a_price_list_as_a_workbook_has_the_same_figures(packaged, tmp_path):
    import openpyxl

    prices = show.price_list(packaged)
    (tmp_path / "list.xlsx").write_bytes(prices.to_xlsx())
    book = openpyxl.load_workbook(tmp_path / "list.xlsx")
    cells = pd.read_excel(tmp_path / "list.xlsx", sheet_name="all cells", engine="openpyxl")
    pd.testing.assert_frame_equal(cells, prices.frame.round(2), check_dtype=False)
    csv = tmp_path / "list.csv"
    csv.write_text(prices.to_csv())
    pd.testing.assert_frame_equal(pd.read_csv(csv), prices.frame.round(2), check_dtype=False)
    sheet = book["1.00–1.49 ct"]
    assert sheet["A1"].value == "Ideal, 1.00–1.49 ct: USD of 2008 per carat"
    head = [c.value for c in sheet[3]]
    part = prices.frame[prices.frame["band"] == "1.00–1.49 ct"]
    cell = part[(part["color"] == "D") & (part["clarity"] == "IF")].iloc[0]
    assert sheet.cell(4, head.index("IF") + 1).value == round(cell["per_carat"])


@pytest.mark.parametrize(("cut", "edges"), [("Poor", (0.3, 0.4)), ("Ideal", (0.5, 0.4))])
def test_a_price_list_that_cannot_be_is_refused(packaged, cut, edges):
    with pytest.raises(StoneError):
        show.price_list(packaged, cut, edges)


def test_an_audit_finds_what_was_planted_and_says_why(packaged, sales):
    frame = sales.iloc[:2_000].reset_index(drop=True).copy()
    spoiled = frame["price"].astype(float).copy()
    fine = packaged.supports(Stones.from_frame(frame))
    rows = np.flatnonzero(fine)[np.arange(50, 1_500, 145)]
    spoiled.iloc[rows[:5]] *= 1.7
    spoiled.iloc[rows[5:]] *= 0.1
    frame = frame[fine].assign(price=spoiled[fine]).reset_index(drop=True)
    at = set(np.searchsorted(np.flatnonzero(fine), rows).tolist())
    read = read_sales(frame)
    recorded = packaged.log_price(read.stones, listing="recorded")
    sold = Priced(np.arange(len(frame)), read, recorded, "")
    found = show.audit(packaged, sold, read_sales(sales))
    assert at <= set(found.frame["row"])
    assert found.frame["difference"].abs().is_monotonic_decreasing
    reasons = found.frame.set_index("row")["reason"]
    slips = [reasons[r] for r in sorted(at)][5:]
    assert all(r.startswith("data error? 0.1 times") for r in slips)
    assert [reasons[r] for r in sorted(at)][:5].count("overpriced") >= 4
    kinds = found.kinds().frame
    assert kinds["stones"].sum() == len(found.frame)
    assert kinds["money apart"].sum() == pytest.approx(found.at_stake)


def test_movements_are_those_of_the_ledger(packaged, monotone, stones):
    import io

    from diamond_pricing.refit.ledger import ledger

    text = ledger(monotone, packaged, stones).to_csv()
    moves = pd.read_csv(io.BytesIO(text))
    table = show.movers(moves, "USD", 5).frame
    change = (moves["new"] - moves["old"]).abs().nlargest(5)
    assert (table["new"] - table["old"]).abs().tolist() == pytest.approx(change.tolist())
    total = show.lines_moved(moves, "USD").frame["sum"].sum()
    assert total == pytest.approx((moves["new"] - moves["old"]).sum(), abs=0.01)
    assert "prices" in show.movements(moves, "USD").alt


def test_coverage_has_wilsons_limits():
    from statsmodels.stats.proportion import proportion_confint

    from diamond_pricing.exhibits.calibration import wilson

    for inside in (np.ones(40, bool), np.arange(150) < 131, np.zeros(12, bool)):
        share, low, high = wilson(inside)
        assert share == inside.mean()
        expected = proportion_confint(inside.sum(), len(inside), method="wilson")
        assert (low, high) == pytest.approx(expected, abs=1e-6)


def test_limits_of_an_error_are_of_stones_not_of_rows():
    from diamond_pricing.exhibits.priced import clustered_mean

    value = np.random.default_rng(0).normal(size=500)
    once = clustered_mean(value, np.arange(500))
    twice = clustered_mean(np.repeat(value, 2), np.repeat(np.arange(500), 2))
    assert twice == pytest.approx(once, rel=1e-9)


@given(st.text())
def test_text_in_a_table_cannot_become_markup(text):
    table = Table(pd.DataFrame({"a|b": [text], "n": [1]}))
    lines = table._repr_markdown_().splitlines()
    assert len(lines) == 3
    assert "<script" not in table._repr_html_()
    shown = plain_markdown(text).replace("<br>", "")
    assert not any(
        c in "|*_`<>[]$@" and (i == 0 or shown[i - 1] != "\\") for i, c in enumerate(shown)
    )


@given(st.text(min_size=1))
def test_no_text_in_a_spreadsheet_is_a_formula(text):
    value = safe(pd.DataFrame({"a": [text]}))["a"][0]
    assert value[0] not in "=+-@\t\r"
    assert value.removeprefix("'") == text.removeprefix("'")


def test_the_curve_of_the_weight_is_within_its_chart(packaged, monkeypatch):
    """The axis turns logarithmic, which sets the limits anew: before the curve is drawn."""
    limits = []

    @contextmanager
    def watched(*size):
        with drawing(*size) as sheet:
            yield sheet
            limits.append((*sheet.axes.get_xlim(), *sheet.axes.get_ylim()))

    monkeypatch.setattr(style, "drawing", watched)
    frame = show.partial_effect(packaged, "carat").frame
    ((left, right, bottom, top),) = limits
    assert left <= frame["carat"].min() < frame["carat"].max() <= right < 10
    assert bottom <= frame["log_change"].min() < frame["log_change"].max() <= top


def test_a_model_that_lacks_an_attribute_has_a_sentence_for_its_picture(catalog):
    from diamond_pricing.fitting import fit

    some = catalog.head(400)[["carat", "cut", "color", "clarity", "price"]]
    few = fit(some[some["cut"] != "Ideal"].reset_index(drop=True), "loglinear")
    assert show.partial_effect(few, "depth").text == "This model does not read depth."
    assert show.usual_cut(few) == "Premium"
    stones = Stones.from_frame(some)
    assert show.priced.middle(stones, "depth") == (0.0, 0.0)
