"""False discoveries, ratio studies and concurvity, against other libraries and by planting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from diamond_pricing.errors import FitError
from diamond_pricing.validation import concurvity, mispriced, ratio_study, scores
from diamond_pricing.validation.concurvity import shared
from diamond_pricing.validation.mispricing import q_values


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=60))
def test_q_values_are_those_of_statsmodels(p):
    expected = multipletests(p, method="fdr_bh")[1]
    np.testing.assert_allclose(q_values(np.array(p)), expected, rtol=1e-12)


def planted(seed, share=0.02, n=6_000):
    rng = np.random.default_rng(seed)
    part = rng.integers(0, 6, n)
    expected = rng.uniform(0.7, 1.4, n)
    error = rng.normal(size=n) * expected * (0.05 + 0.02 * part) + 0.01 * part
    wrong = rng.random(n) < share
    error[wrong] += rng.choice([-1, 1], wrong.sum()) * rng.uniform(0.5, 1.2, wrong.sum())
    return error, expected, part, wrong


def test_of_the_flagged_no_more_than_the_stated_share_is_ordinary():
    shares, found = [], []
    for seed in range(40):
        error, expected, part, wrong = planted(seed)
        flagged = mispriced(error, expected, part).q <= 0.1
        shares.append((flagged & ~wrong).sum() / max(flagged.sum(), 1))
        found.append((flagged & wrong).sum() / wrong.sum())
    assert np.mean(shares) < 0.115  # 0.1 and four standard errors of 40 draws
    assert np.mean(found) > 0.9


def test_nothing_within_the_noise_floor_is_flagged():
    error, expected, part, _ = planted(1)
    found = mispriced(error, expected, part, floor=0.4)
    assert (np.abs(error[found.q <= 0.1]) > 2 * 0.4).all()
    assert (found.scatter >= 0.4).all()


def test_outliers_do_not_widen_their_own_yardstick():
    error, expected, part, wrong = planted(2)
    clean = mispriced(np.where(wrong, 0.0, error), expected, part)
    spoiled = mispriced(np.where(wrong, 50.0, error), expected, part)
    np.testing.assert_allclose(spoiled.scatter, clean.scatter, rtol=0.15)


def test_too_few_sales_are_refused():
    with pytest.raises(FitError, match="29 sales"):
        mispriced(np.zeros(29), np.ones(29), np.zeros(29, int))


def test_a_ratio_study_has_the_figures_of_the_scores_within_its_limits():
    rng = np.random.default_rng(0)
    price = rng.lognormal(8, 1, 2_000)
    predicted = price * rng.lognormal(0.02, 0.1, 2_000)
    found, s = ratio_study(price, predicted, np.arange(2_000)), scores(price, predicted)
    assert (found.cod[0], found.prd[0], found.prb[0]) == (s.cod, s.prd, s.prb)
    for middle, low, high in (found.median, found.cod, found.prd, found.prb):
        assert low <= middle <= high
    assert found.median[1] < np.exp(0.02) < found.median[2]


def test_a_stone_listed_twice_counts_once_in_the_limits():
    rng = np.random.default_rng(3)
    price = rng.lognormal(8, 1, 600)
    predicted = price * rng.lognormal(0, 0.1, 600)
    once = ratio_study(price, predicted, np.arange(600))
    four = ratio_study(np.tile(price, 4), np.tile(predicted, 4), np.tile(np.arange(600), 4))

    def width(study):
        return study.median[2] - study.median[1]

    assert width(four) == pytest.approx(width(once), rel=0.35)
    naive = ratio_study(np.tile(price, 4), np.tile(predicted, 4), np.arange(2_400))
    assert width(naive) < 0.75 * width(once)


def test_concurvity_is_nothing_for_strangers_and_all_for_twins():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50_000))
    alone = shared(np.column_stack([a, b]))
    assert max(alone) < 0.001
    twin = shared(np.column_stack([a, 2 * a + 1, b]))
    assert twin[0] == pytest.approx(1)
    assert twin[1] == pytest.approx(1)
    assert twin[2] < 0.001


def test_concurvity_of_lines_is_the_r_squared_of_a_regression(gam, stones):
    stones = stones.take(np.flatnonzero(gam.supports(stones) & stones.known("x")))
    found = concurvity(gam, stones)
    assert set(found) == set(gam.lines)
    X = gam.design(stones, listing="recorded")
    owner = np.array([next(iter(t.lines), "") for t in gam.terms for _ in range(t.width)])
    for line in ("color", "cut"):
        of = owner == line
        effect = X[:, of] @ gam.coefficients[of]
        others = np.column_stack([np.ones(len(X)), X[:, ~of]])
        left = effect - others @ np.linalg.lstsq(others, effect, rcond=None)[0]
        assert found[line] == pytest.approx(
            1 - left.var() / effect.var(), abs=3e-3
        )  # the Gram matrix squares the condition


def test_concurvity_of_nested_terms_is_refused(monotone, stones):
    with pytest.raises(FitError, match="by design"):
        concurvity(monotone, stones)
