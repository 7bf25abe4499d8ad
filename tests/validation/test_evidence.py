"""Comparables and the noise floor."""

import numpy as np
import pandas as pd
import pytest

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import FitError, UnsupportedStoneError
from diamond_pricing.fitting import read_sales
from diamond_pricing.stones import stone_keys
from diamond_pricing.validation import Comparables, noise_floor

STONE = Stone(1.01, "Ideal", "E", "VS1")


@pytest.fixture(scope="module")
def comparables(packaged, catalog):
    return Comparables(packaged, read_sales(catalog))


def test_comparables_are_the_nearest_by_the_model(comparables, packaged, catalog):
    evidence = comparables.nearest(STONE, 7)
    distance = [c.distance for c in evidence.comparables]
    assert distance == sorted(distance)
    assert len(distance) == 7
    for c in evidence.comparables:
        assert (c.stone.color, c.stone.clarity) == ("E", "VS1")
        assert c.price == catalog["price"].iloc[c.row]


def test_the_adjustment_is_the_product_of_its_lines(comparables, packaged):
    evidence = comparables.nearest(STONE, 5)
    for c in evidence.comparables:
        assert c.adjusted == pytest.approx(c.price * np.prod(list(c.factors.values())))
        whole = (
            packaged.explain(STONE).price / packaged.explain(c.stone, listing="recorded").price
        )
        assert c.adjusted / c.price == pytest.approx(whole, rel=1e-4)  # prices are whole cents
    assert evidence.median == np.median([c.adjusted for c in evidence.comparables])
    assert evidence.price == packaged.explain(STONE).price


def test_a_stone_is_never_its_own_evidence(comparables, packaged, catalog):
    stones = comparables.stones
    for row in range(0, len(stones), 5003):
        stone = stones.stone(row)
        if stone.problems() or stone.x is None or stone.y is None:
            continue
        sides = {stone.x, stone.y}
        for c in comparables.nearest(stone, 5).comparables:
            same = (c.stone.carat, c.stone.color, c.stone.clarity) == (
                stone.carat,
                stone.color,
                stone.clarity,
            )
            assert not (same and {c.stone.x, c.stone.y} == sides)


def test_nor_is_a_stone_that_nothing_measures(packaged, catalog):
    sales = catalog[["carat", "cut", "color", "clarity", "price"]].astype({"price": float})
    sales = sales[::40].reset_index(drop=True)
    row = int(np.flatnonzero(sales["carat"] == 0.5)[0])
    sales.loc[row, "price"] *= 3
    found = Comparables(packaged, read_sales(sales))
    stone, price = found.stones.stone(row), float(sales["price"][row])
    assert found.rows[row] == row
    own = [c.row for c in found.nearest(stone, 5).comparables]
    others = [c.row for c in found.nearest(stone, 5, price).comparables]
    assert row in own
    assert row not in others
    assert len(others) == 5


def test_what_the_model_declines_has_no_comparables(comparables):
    with pytest.raises(UnsupportedStoneError):
        comparables.nearest(Stone(9.0, "Ideal", "E", "VS1"))
    with pytest.raises(FitError, match="k must be"):
        comparables.nearest(STONE, 0)


def test_a_known_noise_floor_is_found_again():
    rng = np.random.default_rng(3)
    n = 8000
    lines = rng.normal(size=(n, 3)) * [0.5, 0.2, 0.2]
    missed = 0.05 * np.sin(6 * lines[:, 0])  # structure that the model missed
    error = missed + 0.07 * rng.normal(size=n)
    floor = noise_floor(error, lines, np.arange(n), np.zeros(n, np.int64))
    assert floor.sd == pytest.approx(0.07, abs=0.004)
    assert floor.error > floor.sd
    assert 0.8 < floor.reached < 1


def test_too_few_neighbours_are_refused(catalog):
    with pytest.raises(FitError, match="too few"):
        noise_floor(np.zeros(10), np.ones((10, 2)), np.arange(10), np.zeros(10, np.int64))


def test_keys_tell_stones_apart(catalog):
    sales = read_sales(catalog)
    keys = stone_keys(sales.stones)
    assert len(np.unique(keys)) == catalog["stone"].nunique()


def test_each_stone_is_named_once_and_as_many_as_asked(packaged, catalog):
    """However often one was sold."""
    near = catalog[(catalog["carat"] == 1.01) & (catalog["color"] == "E")]
    often = pd.concat([near, *[near.iloc[[0]]] * 60], ignore_index=True)
    found = Comparables(packaged, read_sales(often)).nearest(STONE, 12)
    stones = Stones.of([c.stone for c in found.comparables])
    assert len(np.unique(stone_keys(stones))) == len(found.comparables) == 12
    adjusted = [c.adjusted for c in found.comparables]
    assert (found.low, found.high) == tuple(np.quantile(adjusted, [0.25, 0.75]))


def test_the_factor_of_like_sales_is_that_of_the_explanations(comparables, packaged):
    here = packaged.explain(STONE).lines[-1].log_effect
    for c in comparables.nearest(STONE, 5).comparables:
        there = packaged.explain(c.stone, listing="recorded").lines[-1].log_effect
        assert np.log(c.factors["like_sales"]) == pytest.approx(here - there, abs=1e-12)
