import numpy as np
import pytest

from diamond_pricing import Stones, load_sales
from diamond_pricing.errors import DocumentError
from diamond_pricing.stones import catalog as module
from diamond_pricing.stones import stone_keys


def test_the_packaged_sales_are_those_that_are_known(catalog):
    assert len(catalog) == 53_940
    assert catalog["price"].sum() == 212_135_217
    assert catalog["listing"].value_counts().to_dict() == {
        "x<y": 30_500,
        "x>y": 23_423,
        "x=y": 17,
    }
    assert catalog.attrs == {"currency": "USD", "effective": "2008"}


def test_grades_are_ordered_categories(catalog):
    assert catalog["cut"].min() == "Fair"
    assert catalog["color"].max() == "D"
    assert list(catalog["clarity"].cat.categories[[0, -1]]) == ["I1", "IF"]


def test_one_stone_under_two_lists_has_one_key(catalog):
    pairs = catalog.groupby("stone").filter(lambda rows: len(rows) > 1)
    assert len(pairs) > 26_000
    same = pairs.groupby("stone")[["carat", "color", "clarity"]].nunique()
    assert (same == 1).all().all()


def test_the_key_ignores_the_order_of_length_and_width(catalog):
    few = catalog.head(2000)
    turned = few.assign(x=few["y"], y=few["x"])
    both = stone_keys(Stones.from_frame(few)), stone_keys(Stones.from_frame(turned))
    np.testing.assert_array_equal(*both)


def test_different_stones_have_different_keys(catalog):
    columns = ["carat", "color", "clarity"]
    assert (catalog.groupby("stone")[columns].nunique() == 1).all().all()
    heavier = catalog.head(500).assign(carat=lambda f: f["carat"] + 0.01)
    both = Stones.from_frame(catalog.head(500)), Stones.from_frame(heavier)
    joined = np.concatenate([stone_keys(s) for s in both])
    assert len(np.unique(joined)) >= len(np.unique(stone_keys(both[0])))


def test_damaged_sales_are_refused(monkeypatch):
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(DocumentError, match="differ from their hash"):
        load_sales()
