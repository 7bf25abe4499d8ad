"""Days of a few sales that lie months apart from all others, and only those."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamond_pricing.stones.checks import FEW_APART, MONTHS_APART, stray_days

START = 739_000.0


@given(
    days=st.lists(st.floats(0, 3000), min_size=0, max_size=300),
    gone=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_few_days_at_the_ends_alone_are_strays(days, gone, seed):
    given = np.array([*(START + np.floor(days)), *[np.nan] * gone])
    given = given[np.random.default_rng(seed).permutation(len(given))]
    stray = stray_days(given)
    kept = given[~stray & ~np.isnan(given)]
    assert not stray[np.isnan(given)].any()
    assert stray.sum() <= 2 * (FEW_APART - 1)
    for day in given[stray]:
        assert day < kept.min() - MONTHS_APART or day > kept.max() + MONTHS_APART


@pytest.mark.parametrize(
    ("away", "many", "found"), [(63, 4, 4), (63, 5, 0), (60, 4, 0), (-63, 4, 4), (4000, 1, 1)]
)
def test_how_many_and_how_far(away, many, found):
    days = START + np.arange(1000) % 400
    end = days.max() if away > 0 else days.min()
    stray = stray_days(np.append(days, np.full(many, end + away)))
    assert stray.sum() == found
    assert stray[1000:].sum() == found


def test_of_few_sales_none_is_told():
    assert not stray_days(np.array([START] * 30 + [START + 900])).any()
