import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diamond_pricing.model.money import cents, dollars, logarithmic_mean, whole_cents, written

prices = st.floats(1, 1e6)


@given(prices, prices)
def test_the_logarithmic_mean_is_symmetric_and_between(a, b):
    first, second = np.array([a]), np.array([b])
    (there,), (back,) = logarithmic_mean(first, second), logarithmic_mean(second, first)
    assert there == back
    # √(ab) ≤ L ≤ (a + b)/2, up to a few roundings.
    assert np.sqrt(a * b) * (1 - 1e-11) <= there <= (a + b) / 2 * (1 + 1e-11)


def test_the_logarithmic_mean_is_continuous_where_the_series_takes_over():
    base = np.full(2, 5000.0)
    distance = np.array([0.99999e-4, 1.00001e-4])
    below, above = logarithmic_mean(base * np.exp(distance), base) / np.exp(distance / 2) / base
    assert below == pytest.approx(above, rel=1e-11)


@given(
    arrays(float, (5, 4), elements=st.floats(-1.5, 1.5, allow_subnormal=False)),
    arrays(float, 5, elements=prices),
)
def test_dollars_leave_no_residual(effects, base):
    price = base * np.exp(effects.sum(axis=1))
    parts = dollars(effects, price, base)
    np.testing.assert_allclose(parts.sum(axis=1), price - base, rtol=1e-9, atol=1e-6)


@given(arrays(float, (6, 5), elements=st.floats(-1e4, 1e4)), st.floats(0.5, 1e5))
def test_whole_cents_sum_and_turn_around(parts, base):
    start = cents(np.full(6, base))
    total = cents(base + parts.sum(axis=1)) - start
    rounded = whole_cents(parts, total)
    assert (rounded.sum(axis=1) == total).all()
    assert (whole_cents(-parts, -total) == -rounded).all()
    assert (np.abs(rounded - 100 * parts) < 1 + 1e-6).all()
    assert (rounded[parts == 0] == 0).all()


def test_the_largest_remainders_get_the_cents():
    parts = np.array([[0.016, 0.014, 0.010, 0.0]])
    assert whole_cents(parts, np.array([4])).tolist() == [[2, 1, 1, 0]]
    assert whole_cents(parts, np.array([5])).tolist() == [[2, 2, 1, 0]]


def test_equal_remainders_are_served_from_the_left():
    parts = np.array([[0.005, 0.005, 0.005]])
    assert whole_cents(parts, np.array([1])).tolist() == [[1, 0, 0]]
    assert whole_cents(-parts, np.array([-1])).tolist() == [[-1, 0, 0]]


def test_parts_that_do_not_sum_to_their_total_are_refused():
    with pytest.raises(ArithmeticError):
        whole_cents(np.array([[1.0, 2.0]]), np.array([400]))


@pytest.mark.parametrize(
    ("amount", "currency", "options", "text"),
    [
        (264_110, "USD", {}, "$2,641.10"),
        (81_249, "USD", {"sign": True, "digits": 0}, "+$812"),
        (-9_300, "EUR", {"sign": True}, "−€93.00"),
        (0, "USD", {"sign": True}, "±$0.00"),
        (120_000, "CHF", {}, "CHF 1,200.00"),
        (-4, "GBP", {"sign": True, "digits": 0}, "−£0"),
    ],
)
def test_money_is_written_as_people_do(amount, currency, options, text):
    assert written(amount, currency, **options) == text
