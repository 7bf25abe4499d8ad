"""The first delivery of a home: few stones, other shapes, grown stones."""

import json

import numpy as np
import pandas as pd
import pytest

from diamond_pricing.cli import main
from diamond_pricing.registry import Registry

FOUR_CS = ["carat", "cut", "color", "clarity", "price"]


def refitted(place, sales: pd.DataFrame, capsys):
    (place / "inbox").mkdir()
    sales.to_csv(place / "inbox" / "first.csv", index=False)
    code = main(
        ["refit", "--inbox", str(place / "inbox"), "--home", str(place / "home"), "--json"]
    )
    return code, json.loads(capsys.readouterr().out)


def test_a_hundred_stones_are_judged_by_fits_without_them(catalog, tmp_path, capsys):
    some = catalog.drop_duplicates("stone").sample(110, random_state=6)[FOUR_CS]
    code, found = refitted(tmp_path, some, capsys)
    assert code == 0, found["says"]
    assert "each by a fit without it" in found["says"]
    assert Registry.at(str(tmp_path / "home")).active() is not None


@pytest.mark.parametrize("kind", ["shapes", "grown"])
def test_stones_of_another_kind_are_no_reason_to_hold_a_file(catalog, tmp_path, capsys, kind):
    some = catalog[catalog["stone"] % 60 == 7][FOUR_CS].reset_index(drop=True)
    if kind == "shapes":
        shape = np.random.default_rng(0).choice(["Oval", "Pear", "Round"], len(some))
        some = some.assign(Shape=shape, price=(some["price"] * 0.8).round())
    else:
        some = some.assign(Type="Lab Grown", price=(some["price"] * 0.1).round(2))
    code, found = refitted(tmp_path, some, capsys)
    assert code == 0, found["says"]
    kinds = Registry.at(str(tmp_path / "home")).active().training.grades
    assert kinds["shape" if kind == "shapes" else "origin"]


def test_carats_in_points_are_held_as_before(catalog, tmp_path, capsys):
    some = catalog[catalog["stone"] % 60 == 7][FOUR_CS].reset_index(drop=True)
    _, found = refitted(tmp_path, some.assign(carat=some["carat"] * 20, Shape="Oval"), capsys)
    assert "are the weights in carats?" in found["says"]
