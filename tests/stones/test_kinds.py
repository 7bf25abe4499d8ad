"""What columns for shape and origin say, in whatever words."""

import pytest

from diamond_pricing.intake.headers import understood
from diamond_pricing.stones import ATTRIBUTES, attribute_named
from diamond_pricing.stones.kinds import KINDS, kinds_known, of_other_kind
from diamond_pricing.warehouse.relation import opened


@pytest.mark.parametrize(
    "header", ["Shape", "labGrown", "LAB_GROWN", "Diamond Type", "Origine"]
)
def test_a_header_means_the_same_everywhere(header):
    assert attribute_named(header) == understood(header)[0]
    assert attribute_named(header) in KINDS


@pytest.mark.parametrize("header", ["carat", "Lab", "Report", "Price", "", "Shape of things"])
def test_others_mean_neither(header):
    assert attribute_named(header) not in KINDS


def test_a_word_is_of_a_kind_that_is_priced_or_not():
    assert kinds_known("origin", {}) == ("Natural",)
    assert kinds_known("shape", {"shape": {"Oval": 3, "Pear": 1}}) == ("Oval", "Pear")
    assert not of_other_kind("shape", ["BR", "round", "", " n/a ", None], ["Round"])
    assert of_other_kind("shape", ["Oval", "X9"], ["Round"]).keys() == {0, 1}
    assert not of_other_kind("origin", ["LG"], ["Laboratory-grown"])
    (said,) = of_other_kind("origin", ["mined"], ["Laboratory-grown"]).values()
    assert said == "origin 'mined' is not priced here, only Laboratory-grown"


@pytest.mark.parametrize(
    ("header", "words", "of"),
    [
        ("Shape", ["Round", "RBC", "rd"], {"Round"}),
        ("Shape", ["oval", ""], {"Oval", None}),
        ("Shape", ["Round", "oval"], {"Round", "Oval"}),
        ("Origin", ["natural", "CVD"], {"Natural", "Laboratory-grown"}),
        ("Lab Grown", ["True", "False"], {"Natural", "Laboratory-grown"}),
        ("Lab Grown", [True, False], {"Natural", "Laboratory-grown"}),
        ("type", ["loose", "parcel"], None),  # says something else
    ],
)
def test_engines_read_kinds_too(header, words, of, sales):
    some = sales.head(100)[["carat", "cut", "color", "clarity", "price"]].copy()
    some[header] = (words * 100)[:100]
    with opened(some) as relation:
        if of is None:
            assert not relation.others
            return
        (name,) = relation.others
        codes = set(relation.table.to_pandas()[name])
    grades = [*ATTRIBUTES[name].grades, None]
    assert {grades[code] for code in codes} == of
