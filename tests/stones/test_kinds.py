"""What columns for shape and origin say, in whatever words."""

import pytest

from diamond_pricing.errors import FitError
from diamond_pricing.stones.kinds import HEADERS, ONLY, WORDS, kind_named, mixed, of_other_kind
from diamond_pricing.warehouse.headers import understood
from diamond_pricing.warehouse.relation import opened


@pytest.mark.parametrize(
    "header", ["Shape", "labGrown", "LAB_GROWN", "Diamond Type", "Origine"]
)
def test_a_header_means_the_same_everywhere(header):
    assert kind_named(header) == (understood(header) or [None])[0] is not None


@pytest.mark.parametrize("header", ["carat", "Lab", "Report", "Price", "", "Shape of things"])
def test_others_mean_neither(header):
    assert kind_named(header) is None


def test_every_word_is_for_one_kind_or_for_others():
    for kind, (known, only) in ONLY.items():
        assert known < WORDS[kind]
        assert not of_other_kind(kind, [only, only.upper(), "", " n/a ", None])
        assert of_other_kind(kind, ["X9"]).keys() == {0}
        assert not of_other_kind(kind, ["X9"], {"x9": only})
        assert all(kind_named(header) == kind for header in HEADERS[kind])


@pytest.mark.parametrize(
    ("header", "words", "told"),
    [
        ("Shape", ["Round", "RBC", "rd"], False), ("Shape", ["oval", "Oval"], False),
        ("Shape", ["Round", "oval"], True), ("Shape", ["oval", "pear"], True),
        ("Origin", ["lab", "CVD"], False), ("Origin", ["natural", "CVD"], True),
        ("type", ["loose", "parcel"], False), ("Lab Grown", ["True", "False"], True),
        ("Colour", ["round", "oval"], False),
    ],
)  # fmt: skip
def test_one_table_is_of_one_kind(header, words, told, sales):
    assert bool(mixed(header, words)) == told
    some = sales.head(100)[["carat", "cut", "color", "clarity", "price"]].copy()
    some[header] = (words * 100)[:100]
    if header == "Colour":
        return
    if told:
        with pytest.raises(FitError, match="different kinds"), opened(some):
            pass
    else:
        with opened(some) as relation:
            assert relation.table.count().execute() == 100
