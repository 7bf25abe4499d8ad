"""A delivery that comes again in another form brings no sale that the home already has."""

import shutil

import numpy as np
import pandas as pd
import pytest

from diamond_pricing.refit.home import held_out
from diamond_pricing.stones.keys import report_number
from tests.refit.test_refit import COLUMNS, deliver, home_of, last_record, refit, registry


@pytest.fixture(scope="module")
def sent(catalog):
    depth = 200 * catalog["z"] / (catalog["x"] + catalog["y"])
    right = (depth - catalog["depth"]).abs() < 1  # so that no row is set aside for a measure
    sales = catalog[right & (catalog["stone"] % 32 == 3)][COLUMNS].reset_index(drop=True)
    return sales.assign(
        **{"Report Number": [str(2_141_438_171 + k) for k in range(len(sales))]}
    )


@pytest.fixture(scope="module")
def home(sent, tmp_path_factory):
    return home_of(sent, tmp_path_factory.mktemp("sent"))


def missing_report(sales):
    """One number is missing, so that the column becomes one of decimals."""
    numbers = sales["Report Number"].astype(float).mask(sales.index == 7)
    return sales.assign(**{"Report Number": numbers})


def with_laboratory(sales):
    return sales.assign(**{"Report Number": "gia " + sales["Report Number"]})


def other_numbers(sales):
    stock = [f"S-{k}" for k in range(len(sales))]
    return sales.drop(columns="Report Number").assign(**{"Stock #": stock})


def in_tenths(sales):
    return sales.assign(**{name: sales[name].round(1) for name in ("x", "y", "z")})


def by_the_carat(sales):
    per_carat = (sales["price"] / sales["carat"]).round(2)
    return sales.drop(columns="price").assign(**{"Price per carat": per_carat})


@pytest.mark.parametrize(
    "changed",
    [
        missing_report,
        with_laboratory,
        other_numbers,
        lambda sales: sales.drop(columns="Report Number"),
        lambda sales: sales.assign(price=sales["price"].astype("float32")),
        lambda sales: sales.rename(columns={"x": "y", "y": "x"}),
        lambda sales: sales.drop(columns="z"),
        lambda sales: sales.drop(columns=["depth", "table"]),
        lambda sales: sales.sample(frac=1, random_state=1),
        in_tenths,
        lambda sales: in_tenths(sales).drop(columns="Report Number"),
        by_the_carat,
        lambda sales: sales.assign(price=sales["price"] + 0.01),
    ],
    ids=[
        "missing report",
        "laboratory",
        "stock",
        "no numbers",
        "single",
        "turned",
        "no z",
        "no depth",
        "shuffled",
        "tenths",
        "tenths, no numbers",
        "by the carat",
        "a cent more",
    ],
)
def test_a_delivery_sent_again_in_another_form_brings_nothing(home, sent, changed, tmp_path):
    place = tmp_path / "place"
    shutil.copytree(home, place)
    active = registry(place).active()
    changed(sent).to_parquet(place / "inbox" / "again.parquet")
    assert refit(place) == "nothing new"
    (delivery,) = registry(place).entries()[-1].details["deliveries"]
    assert (delivery["accepted"], delivery["status"]) == (0, "rejected")
    assert registry(place).active() == active


def test_prices_that_passed_through_single_precision_are_the_same(sent, tmp_path):
    place = home_of(sent.assign(price=sent["price"] + 0.37), tmp_path)
    changed = sent.assign(price=(sent["price"] + 0.37).astype("float32"))
    changed.to_parquet(place / "inbox" / "again.parquet")
    assert refit(place) == "nothing new"


def test_a_stone_sold_again_at_another_price_is_a_sale(home, sent, tmp_path):
    shutil.copytree(home, tmp_path / "place")
    deliver(tmp_path / "place", sent.assign(price=sent["price"] + 11))
    refit(tmp_path / "place")
    (delivery,) = last_record(tmp_path / "place")["deliveries"]
    assert delivery["accepted"] > 0.99 * len(sent)
    assert delivery["relisted"] > 0.99 * len(sent)


def test_a_frozen_stone_stays_frozen_however_it_is_measured(sent):
    frozen = held_out(sent)
    assert frozen.any()
    bare = sent.drop(columns=["x", "y", "z"])
    coarse = sent.assign(x=sent["x"].round(1), y=sent["y"].round(1))
    unmeasured = sent.drop(columns=["depth", "table"])
    for form in (bare, coarse, unmeasured, sent.rename(columns={"x": "y", "y": "x"})):
        np.testing.assert_array_equal(held_out(form), frozen)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("2141438171.0", "2141438171"),
        (2141438171.0, "2141438171"),
        (2141438171, "2141438171"),
        (" GIA 2141438171 ", "2141438171"),
        ("gia:2141438171", "2141438171"),
        ("LG 5123 4567", "LG51234567"),
        ("ab-12", "AB-12"),
        ("10.05", "10.05"),
        (None, ""),
        (float("nan"), ""),
        (pd.NA, ""),
    ],
)
def test_report_numbers_are_compared_without_their_dress(written, number):
    assert report_number(written) == number
