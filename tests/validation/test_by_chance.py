"""What PRD and PRB come to by chance alone."""

import numpy as np

from diamond_pricing.validation.ratio_study import by_chance
from diamond_pricing.validation.scores import scores


def test_noise_where_prices_span_little_is_no_bias():
    rng = np.random.default_rng(3)
    predicted = np.exp(rng.uniform(np.log(440), np.log(662), 400))
    price = predicted * np.exp(rng.normal(0, 0.085, 400))
    found = scores(price, predicted)
    assert found.prb < -0.05, "the usual limit would hold a perfect model back"
    low, high = by_chance(price, predicted)[1]
    assert low <= found.prb <= high


def test_one_dear_stone_may_move_the_differential_by_chance():
    rng = np.random.default_rng(1)
    predicted = np.append(np.exp(rng.uniform(6, 8.5, 115)), 300_000.0)
    price = predicted * np.exp(rng.normal(0, 0.12, 116))
    price[-1] = predicted[-1] * 1.18
    found = scores(price, predicted)
    assert not 0.98 <= found.prd <= 1.03
    low, high = by_chance(price, predicted)[0]
    assert low < found.prd < high


def test_a_bias_with_the_price_is_no_chance():
    rng = np.random.default_rng(2)
    value = np.exp(rng.uniform(6, 9, 1000))
    price = value * np.exp(rng.normal(0, 0.08, 1000))
    biased = 1500 * (value / 1500) ** 0.85
    (low, high), _ = by_chance(price, biased)
    assert not low <= scores(price, biased).prd <= high
