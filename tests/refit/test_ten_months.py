"""Ten monthly deliveries, some of them wrong: what the home lets in, and what it leaves."""

import numpy as np
import pytest

from tests.refit.test_refit import COLUMNS, deliver, refit, registry


def clean(feed):
    return feed


def some_slips(feed):
    feed = feed.copy()
    feed.iloc[3, feed.columns.get_loc("price")] = 0
    feed.iloc[4, feed.columns.get_loc("carat")] = np.nan
    feed.iloc[5, feed.columns.get_loc("x")] = 91
    feed.iloc[6:16, feed.columns.get_loc("price")] *= 10
    return feed


def other_currency(feed):
    return feed.assign(price=(feed["price"] * 0.92).round())


def centimetres(feed):
    return feed.assign(**{name: feed[name] / 10 for name in "xyz"})


def colors_shifted(feed):
    return feed.assign(
        color=feed["color"].astype(str).map(dict(zip("DEFGHIJ", "EFGHIJK", strict=True)))
    )


def tenfold(feed):
    feed = feed.copy()
    feed.iloc[::3, feed.columns.get_loc("price")] *= 10
    return feed


MONTHS = [
    (clean, "promoted"),
    (some_slips, "promoted"),
    (other_currency, "data rejected"),
    (clean, "promoted"),
    (centimetres, "data rejected"),
    (colors_shifted, "data rejected"),
    (tenfold, "data rejected"),
    (None, "nothing new"),
    (b"carat,cut\n1.0,Id", "data rejected"),
    (clean, "promoted"),
]


@pytest.fixture(scope="module")
def months(catalog):
    rows = catalog[catalog["stone"] % 7 == 0][COLUMNS]
    rows = rows.sample(frac=1, random_state=5).reset_index(drop=True)
    return [rows.iloc[:2600], *(rows.iloc[2600 + 500 * k : 3100 + 500 * k] for k in range(9))]


def test_ten_months(months, tmp_path):
    (tmp_path / "inbox").mkdir()
    accepted = 0
    for month, ((fault, verdict), feed) in enumerate(zip(MONTHS, months, strict=True)):
        name = f"month-{month}.csv"
        if isinstance(fault, bytes):
            (tmp_path / "inbox" / name).write_bytes(fault)
        elif fault is not None:
            deliver(tmp_path, fault(feed), name)
        before = registry(tmp_path).last()
        assert refit(tmp_path) == verdict, month
        last = registry(tmp_path).last()
        if verdict == "nothing new":
            assert last == before
            continue
        (delivery,) = last.details["deliveries"]
        assert delivery["read"] == delivery["accepted"] + delivery["quarantined"]
        if verdict == "promoted":
            accepted += delivery["accepted"]
            assert last.active != (before.active if before else "")
            assert registry(tmp_path).active().training.rows < accepted
        else:
            assert last.active == before.active
            assert delivery["status"] in ("held", "rejected")
            assert delivery["reason"]
        if fault is some_slips:
            assert delivery["faults"]["price"] >= 11
            assert delivery["faults"]["carat"] >= 1
            assert delivery["faults"]["x"] >= 1
    assert registry(tmp_path).verify() == []
    assert len(registry(tmp_path).entries()) == 9
