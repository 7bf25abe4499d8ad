"""What stands in for a missing measure."""

import numpy as np
import pytest

from diamond_pricing import Stones
from diamond_pricing.terms import Averages, Slope, dense
from diamond_pricing.terms.basis import PRIOR_STONES

CUTS = ("Fair", "Good", "Very Good", "Premium", "Ideal")


@pytest.fixture(scope="module")
def averages() -> Averages:
    return Averages((0.5, 1.0, 2.0), CUTS, (0.6, 0.0, 0.4))


def test_a_missing_measure_is_the_mean_of_stones_of_that_weight_and_cut(catalog, averages):
    everyone = Stones.from_frame(catalog)
    slope = Slope("depth").averaged(everyone, averages)
    nobody = Stones.from_frame(
        catalog.head(2).assign(depth=np.nan, carat=1.0, cut=["Fair", "Ideal"])
    )
    for row, cut in enumerate(("Fair", "Ideal")):
        (filled,) = dense(slope, slope.rows(nobody, averages))[row]
        near = catalog[(catalog["cut"] == cut) & catalog["carat"].between(0.97, 1.03)]
        # The cell reaches from 0.5 to 2 ct, so its mean is that at 1 ct only about.
        assert filled == pytest.approx(near["depth"].mean(), abs=0.6)


def test_a_cell_without_stones_leans_on_its_cut(averages):
    import pandas as pd

    rows = [(1.0, "Ideal", 62.0)] * 40 + [(2.0, "Ideal", 60.0)] * 40
    frame = pd.DataFrame(rows, columns=["carat", "cut", "depth"]).assign(
        color="E", clarity="VS1"
    )
    stones = Stones.from_frame(frame)
    only = Averages(averages.carats, ("Ideal",), averages.listings)
    half, one, two = (row[0] for row in only.mean_rows(Slope("depth"), stones))
    assert half == pytest.approx(61.0)
    assert one == pytest.approx((40 * 62 + PRIOR_STONES * 61) / (40 + PRIOR_STONES))
    assert two == pytest.approx((40 * 60 + PRIOR_STONES * 61) / (40 + PRIOR_STONES))


def test_between_two_weights_the_mean_moves_evenly_in_log_carat(catalog, averages):
    slope = Slope("table").averaged(Stones.from_frame(catalog), averages)
    carats = [0.2, 0.5, np.sqrt(0.5), 1.0, 2.0, 4.0]
    frame = catalog.head(6).assign(table=np.nan, carat=carats, cut="Ideal", x=np.nan, y=np.nan)
    stones = Stones.from_frame(frame)
    below, half, between, one, two, above = dense(slope, slope.rows(stones, averages))[:, 0]
    assert below == half
    assert above == two
    assert between == pytest.approx((half + one) / 2)
