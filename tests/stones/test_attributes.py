import pytest

from diamond_pricing.errors import StoneError, UnknownGradeError
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    LIKE_LINE,
    LINES,
    MAGIC_LINE,
    MEASURES,
    Grade,
    attribute_named,
)
from diamond_pricing.stones.attributes import fold


@pytest.mark.parametrize(
    ("attribute", "written", "meant"),
    [
        ("cut", "ideal", "Ideal"),
        ("cut", " Very  Good ", "Very Good"),
        ("cut", "VG", "Very Good"),
        ("cut", "very-good", "Very Good"),
        ("cut", "v.good", "Very Good"),
        ("cut", "prem", "Premium"),
        ("cut", "\uff29\uff24\uff25\uff21\uff2c", "Ideal"),
        ("color", "\uff25", "E"),
        ("color", " e\t", "E"),
        ("color", "z", "Z"),
        ("clarity", "vvs-1", "VVS1"),
        ("clarity", "V S 2", "VS2"),
        ("clarity", "slightly included 1", "SI1"),
        ("clarity", "Internally Flawless", "IF"),
        ("clarity", "P1", "I1"),
        ("clarity", "fl", "FL"),
    ],
)
def test_a_grade_is_understood_as_people_write_it(attribute, written, meant):
    assert ATTRIBUTES[attribute].read(written) == meant


def test_every_grade_and_every_spelling_means_one_grade():
    for grade in GRADES:
        for name in grade.grades:
            for written in (name, name.lower(), f"  {name.upper()} "):
                assert grade.read(written) == name
        for spelling, name in grade.spellings.items():
            assert grade.read(spelling) == name
            assert fold(spelling) == spelling
            assert all(fold(other) != spelling for other in grade.grades if other != name)


@pytest.mark.parametrize(
    ("written", "character"),
    [
        ("\u0415", "CYRILLIC CAPITAL LETTER IE"),
        ("\u0399", "GREEK CAPITAL LETTER IOTA"),
        ("E\u200b", "ZERO WIDTH SPACE"),
    ],
)
def test_a_look_alike_is_refused_with_the_character_named(written, character):
    with pytest.raises(UnknownGradeError, match=character) as caught:
        ATTRIBUTES["color"].read(written)
    assert caught.value.allowed == ATTRIBUTES["color"].grades


@pytest.mark.parametrize(
    "written", ["", "  ", "SI1-", "VG+", "K1", "E F", "x" * 5000, None, 3, b"E"]
)
def test_what_is_no_grade_is_refused_in_one_short_line(written):
    with pytest.raises(UnknownGradeError) as caught:
        ATTRIBUTES["color"].read(written)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    assert caught.value.given is written


def test_a_near_miss_is_suggested():
    with pytest.raises(UnknownGradeError, match="did you mean Premium"):
        ATTRIBUTES["cut"].read("premum")


@pytest.mark.parametrize(
    "given",
    [float("nan"), float("inf"), -float("inf"), 0, -1, 101, 10**4000, "1.01", True, None, 1j],
)
def test_a_weight_that_no_diamond_has_is_refused(given):
    with pytest.raises(StoneError, match=r"carat (must be|is missing)") as caught:
        ATTRIBUTES["carat"].read(given)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("1.01ct", 1.01),
        ("1.01 CT", 1.01),
        ("1.01", 1.01),
        (" 1.01 ", 1.01),
        ("\uff11.\uff10\uff11", 1.01),
        ("1", 1.0),
    ],
)
def test_a_typed_number_is_read(typed, value):
    assert ATTRIBUTES["carat"].parse(typed) == value


@pytest.mark.parametrize(
    "typed", ["", "abc", "1,01", "1_0", "ct", "nan", "inf", "9" * 5000, "-1", "0", "1e400"]
)
def test_a_typed_number_that_is_none_is_refused(typed):
    with pytest.raises(StoneError, match="carat must be"):
        ATTRIBUTES["carat"].parse(typed)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Colour", "color"),
        ("CARAT WEIGHT", "carat"),
        ("Depth %", "depth"),
        ("length_mm", "x"),
        ("\uff43\uff55\uff54", "cut"),
        ("price", None),
        ("", None),
    ],
)
def test_a_header_is_understood_as_people_write_it(header, name):
    assert attribute_named(header) == name


def test_no_header_means_two_attributes():
    words = [fold(w) for a in ATTRIBUTES.values() for w in (a.name, *a.aliases)]
    assert len(words) == len(set(words))


def test_every_line_of_an_attribute_has_a_label():
    assert {a.line for a in ATTRIBUTES.values()} | {MAGIC_LINE, LIKE_LINE} == set(LINES)
    assert list(LINES)[-1] == LIKE_LINE
    assert all(m.low < m.high for m in MEASURES)
    assert isinstance(ATTRIBUTES["listing"], Grade)
