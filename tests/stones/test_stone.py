import dataclasses
from decimal import Decimal

import numpy as np
import pytest

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import StoneError, UnknownGradeError, UnsupportedStoneError


def test_only_the_four_cs_are_required():
    stone = Stone(1.01, "ideal", "e", "vs1")
    assert stone == Stone(carat=1.01, cut="Ideal", color="E", clarity="VS1")
    assert (stone.depth, stone.table, stone.x, stone.y, stone.z) == (None,) * 5
    with pytest.raises(TypeError):
        Stone(1.01, "Ideal", "E")
    with pytest.raises(StoneError, match="color is missing"):
        Stone(1.01, "Ideal", None, "VS1")


def test_a_stone_whose_cut_nobody_says_is_not_graded(packaged):
    stone = Stone(1.01, None, "E", "VS1")
    assert stone.cut == "Not graded"
    with pytest.raises(UnsupportedStoneError, match=r"Not graded has not been seen"):
        packaged.explain(stone)
    frame = {
        "carat": [1.0, 1.0],
        "cut": ["", "Ideal"],
        "color": ["E"] * 2,
        "clarity": ["VS1"] * 2,
    }
    assert Stones.from_frame(frame).labels("cut").tolist() == ["Not graded", "Ideal"]
    del frame["cut"]
    assert set(Stones.from_frame(frame).labels("cut")) == {"Not graded"}


def test_numbers_of_any_kind_are_held_as_floats():
    stone = Stone(np.float32(1.5), "Ideal", "E", "VS1", depth=Decimal(62), table=57)
    assert [type(v) for v in (stone.carat, stone.depth, stone.table)] == [float] * 3


def test_a_stone_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Stone(1.01, "Ideal", "E", "VS1").carat = 2.0


@pytest.mark.parametrize("dimension", ["x", "y", "z", "depth", "table"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), 1000])
def test_an_impossible_dimension_is_refused_by_name(dimension, value):
    with pytest.raises(StoneError, match=f"^{dimension} must be between") as caught:
        Stone(1.01, "Ideal", "E", "VS1", **{dimension: value})
    assert caught.value.attribute == dimension


@pytest.mark.parametrize(
    ("measures", "codes"),
    [
        ({}, []),
        ({"x": 6.41, "y": 6.45, "z": 4.05, "depth": 62.9}, []),
        ({"x": 9.0}, [("size_contradicts_weight", "x")]),
        ({"x": 6.41, "y": 6.45, "z": 3.2}, [("size_contradicts_weight", "z")]),
        ({"x": 6.41, "y": 6.45, "z": 3.0, "depth": 62.9}, [("height_contradicts_depth", "z")]),
        (
            {"x": 6.41, "y": 6.45, "z": 4.05, "depth": 52.0},
            [("depth_contradicts_height", "depth")],
        ),
        ({"y": 58.9 / 2, "x": 6.41}, [("size_contradicts_weight", "y")]),
    ],
)
def test_contradictions_are_found_with_their_reasons(measures, codes):
    problems = Stone(1.01, "Ideal", "E", "VS1", **measures).problems()
    assert [(p.code, p.attribute) for p in problems] == codes
    for problem in problems:
        assert problem.attribute in problem.reason
        assert f"{measures[problem.attribute]:g}" in problem.reason


def test_a_weight_that_contradicts_all_dimensions_is_found():
    problems = Stone(10.1, "Ideal", "E", "VS1", x=6.41, y=6.45, z=4.05).problems()
    assert {p.attribute for p in problems} == {"x", "y", "z"}
    assert "10.1 ct" in problems[0].reason


@pytest.mark.parametrize(
    ("x", "y", "listing"),
    [
        (6.4, 6.5, "x<y"),
        (6.5, 6.4, "x>y"),
        (6.4, 6.4, "x=y"),
        (6.4, None, None),
        (None, 6.4, None),
    ],
)
def test_the_order_of_length_and_width_tells_the_price_list(x, y, listing):
    stone = Stone(1.01, "Ideal", "E", "VS1", x=x, y=y)
    assert stone.listing == listing
    assert Stones.of([stone]).labels("listing")[0] == (listing or "")


@pytest.mark.parametrize(
    ("text", "stone"),
    [
        ("1.01 Ideal E VS1", Stone(1.01, "Ideal", "E", "VS1")),
        ("1,01 Ideal, E, VS1, depth=61,5", Stone(1.01, "Ideal", "E", "VS1", 61.5)),
        ("0.70 ct, very good, g, vs2", Stone(0.70, "Very Good", "G", "VS2")),
        (
            "0.70 very good g vs2 girdle=Slightly Thick lab=gia",
            Stone(0.70, "Very Good", "G", "VS2", girdle="Slightly Thick", laboratory="GIA"),
        ),
        (
            "0.7ct VG G VS2 depth=61.5 length=5.7",
            Stone(0.7, "Very Good", "G", "VS2", 61.5, x=5.7),
        ),
    ],
)
def test_a_stone_is_read_as_people_write_it_down(text, stone):
    assert Stone.parse(text) == stone


def test_a_level_that_is_none_is_refused(packaged):
    (line, *_) = packaged.explain(Stone(1.01, "Ideal", "E", "VS1")).lines[1:]
    for level in (0, 1, None, "0.9"):
        with pytest.raises(StoneError, match="level of a range"):
            line.factor_range(level)


def test_what_is_no_text_frame_or_list_is_refused_in_a_sentence():
    with pytest.raises(StoneError, match="text such as"):
        Stone.parse(None)
    for wrong in (None, [1], 3.0, "stones.csv"):
        with pytest.raises(StoneError, match="give a data frame"):
            Stones.from_frame(wrong)
    with pytest.raises(StoneError, match="give a list of stones, not Stone"):
        Stones.of(Stone(1.01, "Ideal", "E", "VS1"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "is not a stone"),
        ("1.01 Ideal E", "is not a stone"),
        ("E VS1 Ideal 1.01", "carat"),
        ("1.01 Ideal E VS1 depth=", "depth must be"),
        ("1.01 Ideal E VS1 foo=3", "not understood"),
        ("1.01 Ideal E VS1 x=6 length=6", "not understood"),
        ("1.01 Ideal E VS1 listing=x", "not un"),
        ("1.01 Ideal E VS1 carat=2", "not understood"),
        ("1.01 Ideal E F VS1", "cut 'Ideal E'"),
    ],
)
def test_a_text_that_is_no_stone_is_refused(text, error):
    with pytest.raises(StoneError, match=error):
        Stone.parse(text)


def test_an_unknown_grade_carries_the_facts():
    with pytest.raises(UnknownGradeError) as caught:
        Stone(1.01, "Ideal", "E", "VS3")
    assert (caught.value.attribute, caught.value.given) == ("clarity", "VS3")
