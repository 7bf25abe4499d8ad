"""What like sales fetched is a line like any other: exact, the same everywhere, in order."""

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import DocumentError
from diamond_pricing.model.like_sales import Cells, Likeness, LikeSales, Side
from diamond_pricing.model.support import BLEND, listed
from diamond_pricing.model.words import ITALIAN
from diamond_pricing.stones import LIKE_LINE
from diamond_pricing.stones.trade import graded
from tests.strategies import listings
from tests.strategies import stones as made

some = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIDES = (
    Side("listing", grades=("x<y", "x>y")),
    Side("carat", edges=(0.5, 1.0)),
    Side("cut", grades=("Good", "Ideal")),
    Side("table", edges=(57.5,)),
)


@pytest.fixture(scope="module")
def likeness():
    """Every cell has an effect of its own, so that no two can be mistaken."""
    shape = (3, 3, 2, 2)
    effects = (1 + np.arange(36).reshape(shape)) / 1000
    sales = np.arange(36).reshape(shape)
    return Likeness(LikeSales((Cells.of(SIDES, effects, sales),), 10.0, {"blend": 0.02}))


@pytest.mark.parametrize(
    ("stone", "cell"),
    [
        (Stone(0.49, "Good", "E", "VS1", table=57.0, x=5.08, y=5.1), (0, 0, 0, 0)),
        (Stone(0.50, "Good", "E", "VS1", table=57.5, x=5.1, y=5.13), (0, 1, 0, 1)),
        (Stone(1.00, "Ideal", "E", "VS1", table=60.0, x=6.5, y=6.45), (1, 2, 1, 1)),
        (Stone(1.00, "Ideal", "E", "VS1", table=60.0), (2, 2, 1, 1)),
    ],
)
def test_a_stone_has_the_effect_of_its_cell(likeness, stone, cell):
    one = Stones.of([stone])
    place = np.ravel_multi_index(cell, (3, 3, 2, 2))
    assert likeness.of(one)[0] == pytest.approx((1 + place) / 1000, abs=1e-12)
    assert likeness.count(one)[0] == place
    if stone.listing is None:
        assert likeness.one(stone) == likeness.of(one)[0]
        assert likeness.count_one(stone) == place


@pytest.mark.parametrize(
    "stone", [Stone(0.7, "Good", "E", "VS1"), Stone(0.7, "Fair", "E", "VS1", table=57.0)]
)
def test_where_a_stone_is_in_no_cell_nothing_is_said(likeness, stone):
    assert likeness.of(Stones.of([stone]))[0] == likeness.one(stone) == 0


def test_the_worst_step_of_a_cut_is_that_of_any_proportions(likeness):
    like = LikeSales((likeness.like.cells[0], likeness.like.cells[0]), 10.0, {})
    least = Likeness(like).worst_cuts(np.array([0.4, 2.0]), ("Good", "Ideal"), -1)
    table = likeness.tables[0][-1]
    for row, band in zip(least, (0, 2), strict=True):
        assert row[0] == min(table[band, 1, k] - table[band, 0, k] for k in range(3))


@some
@given(stone=made(), listing=listings)
def test_one_stone_many_and_their_comparison_say_the_same(packaged, stone, listing):
    one = Stones.of([stone])
    assume(packaged.supports(one)[0] and (listing != "recorded" or stone.listing != "x=y"))
    why = packaged.explain(stone, listing=listing)
    line = why.lines[-1]
    assert line.name == LIKE_LINE
    there = packaged._likeness.one(packaged.reference)
    here = packaged._likeness.of(listed(one, listing, packaged.training))[0]
    assert line.log_effect == pytest.approx(here - there, abs=1e-12)
    assert packaged.contributions(one, listing=listing)[0, -1] == pytest.approx(here - there)
    if listing == BLEND:
        blend = listed(one, BLEND, packaged.training)
        assert packaged._likeness.count_one(stone) == packaged._likeness.count(blend)[0]
    back = packaged.compare(stone, packaged.reference, listing=listing)
    assert np.isfinite(back.lines[-1].standard_error)


def test_the_line_says_what_how_many_sales_fetched(packaged):
    stone = Stone(1.01, "Ideal", "E", "VS1")
    why = packaged.explain(stone)
    ends = listed(Stones.of([stone, packaged.reference]), BLEND, packaged.training)
    share = 100 * np.expm1(packaged._likeness.of(ends))
    here, there = (f"{abs(s):.1f} % {'less' if s < 0 else 'more'}" for s in share)
    count = int(packaged._likeness.count(ends)[0])
    said = f"{count} fetched {here} than that; like the reference, {there}"
    assert why.lines[-1].note == said
    assert np.expm1(why.lines[-1].log_effect) == pytest.approx(
        (1 + share[0] / 100) / (1 + share[1] / 100) - 1, abs=1e-12
    )
    italian = why.sentence(why.lines[-1], ITALIAN)
    assert f"{count}, vendute {abs(share[0]):.1f}".replace(".", ",") in italian
    # Depth and table count too, so two stones of the same grades have sentences of their own.
    wide, deep = (packaged.explain(Stone(1.01, "Ideal", "E", "VS1", table=t)) for t in (54, 62))
    assert wide.lines[-1].note == deep.lines[-1].note  # a table alone says nothing
    wide, deep = (
        packaged.explain(Stone(1.01, "Ideal", "E", "VS1", depth=61.5, table=t))
        for t in (54, 62)
    )
    assert wide.sentence(wide.lines[-1]) != deep.sentence(deep.lines[-1])
    assert wide.lines[-1].note != deep.lines[-1].note


@some
@given(
    stone=made(),
    axis=st.sampled_from(["cut", "color", "clarity"]),
    more=st.sampled_from([0.01, 0.02, 0.05, 0.1]),
)
def test_no_stone_falls_on_the_blend_as_it_improves(packaged, stone, axis, more):
    """Whatever the proportions; heavier stones without measurements too."""
    grades = graded(axis).grades
    place = grades.index(getattr(stone, axis))
    assume(place + 1 < len(grades))
    pairs = [(stone, Stone(**{**stone.given(), axis: grades[place + 1]}))]
    bare = Stone(stone.carat, stone.cut, stone.color, stone.clarity)
    heavier = Stone(round(stone.carat + more, 4), *(bare.cut, bare.color, bare.clarity))
    pairs.append((bare, heavier))
    for worse, better in pairs:
        both = Stones.of([worse, better])
        if packaged.supports(both).all():
            low, high = packaged.log_price(both)
            assert high >= low - 1e-12


@pytest.mark.parametrize(
    "broken",
    [
        lambda c: Cells(c.sides, c.effects[:-2], c.sales),
        lambda c: Cells(c.sides, c.effects, c.sales + b"0"),
        lambda c: Cells(c.sides[::-1], c.effects, c.sales),
        lambda _: Side("carat", edges=(1.0, 0.5)),
        lambda _: Side("cut", grades=("Good", "Good")),
        lambda _: Side("cut", edges=(1.0,)),
        lambda c: LikeSales((c,), 0.0, {}),
        lambda c: LikeSales((c,), 1.0, {"x<y": 0.1}),
    ],
)
def test_tables_that_make_no_sense_are_refused(likeness, broken):
    with pytest.raises(DocumentError):
        broken(likeness.like.cells[0])


def test_a_document_gives_the_tables_back(likeness):
    text = msgspec.json.encode(likeness.like)
    assert msgspec.json.decode(text, type=LikeSales) == likeness.like
