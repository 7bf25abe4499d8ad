import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamond_pricing import Stones
from diamond_pricing.errors import FitError
from diamond_pricing.fitting import read_sales
from diamond_pricing.validation import BASELINES, cross_validate, grouped_folds, scores
from diamond_pricing.validation import cross_validation as module


@given(
    groups=st.lists(st.integers(0, 30), min_size=40, max_size=200),
    folds=st.integers(2, 5),
    seed=st.integers(0, 5),
)
def test_rows_of_a_group_stay_in_one_fold(groups, folds, seed):
    groups = np.array([*groups, *range(5)])
    fold = grouped_folds(groups, folds, seed)
    for group in np.unique(groups):
        assert len(np.unique(fold[groups == group])) == 1
    sizes = [len(np.unique(groups[fold == k])) for k in range(folds)]
    assert max(sizes) - min(sizes) <= 1
    np.testing.assert_array_equal(fold, grouped_folds(groups, folds, seed))


@pytest.mark.parametrize("folds", [-1, 0, 1, 4])
def test_folds_that_cannot_be_filled_are_refused(folds):
    with pytest.raises(FitError, match="choose 2 to 3"):
        grouped_folds(np.array([1, 2, 3, 3]), folds)


def test_the_figures_are_those_of_their_definitions():
    """Five sales worked by hand: ratios 1, 1.1, 0.9, 1, 1.2, median 1."""
    price = np.array([100.0, 200.0, 300.0, 400.0, 500.0])
    s = scores(price, price * np.array([1, 1.1, 0.9, 1, 1.2]))
    assert s.n == 5
    assert s.rmse == pytest.approx(np.sqrt((20**2 + 30**2 + 100**2) / 5))
    assert s.mae == pytest.approx(30)
    assert s.mape == pytest.approx(8)
    assert s.median_ape == pytest.approx(10)
    assert s.cod == pytest.approx(8)
    assert s.prd == pytest.approx(1.04 / (1590 / 1500))
    assert s.r2 == pytest.approx(1 - (20**2 + 30**2 + 100**2) / 100_000)
    log_error = np.log([1, 1.1, 0.9, 1, 1.2])
    assert s.log_rmse == pytest.approx(np.sqrt(np.mean(log_error**2)))


def test_prb_is_the_change_of_the_ratio_when_the_value_doubles():
    price = 100 * 2.0 ** np.arange(8)
    ratio = 1 + 0.03 * (np.arange(8) - 3.5)
    assert scores(price, price * ratio).prb == pytest.approx(0.03, rel=0.05)
    assert scores(price, price).prb == pytest.approx(0, abs=1e-12)
    assert scores(price, price * ratio).prd < 1


def test_perfect_predictions_score_perfectly():
    price = np.array([500.0, 900.0, 1500.0])
    s = scores(price, price)
    assert (s.rmse, s.mape, s.cod, s.prd, s.r2, s.r2_log) == (0, 0, 0, 1, 1, 1)


def test_no_model_prices_a_stone_that_it_was_fitted_on(sales, monkeypatch):
    seen: list[tuple[set, set]] = []
    fitted = module.fit

    def watched(frame, family):
        model = fitted(frame, family)
        keys = set(frame["stone"])
        seen.append((keys, set(sales["stone"]) - keys))
        return model

    monkeypatch.setattr(module, "fit", watched)
    evaluation = cross_validate(sales, ["loglinear"], folds=3)
    held_out = [set(sales["stone"][evaluation.folds == k]) for k in range(3)]
    assert [test for _, test in seen] == held_out
    assert not any(train & test for train, test in seen)
    assert set.union(*held_out) == set(sales["stone"])


def test_a_model_beats_the_baselines_and_every_sale_is_counted(sales):
    evaluation = cross_validate(sales, ["loglinear", "gam"], folds=3)
    error = {
        (p.name, p.listing): evaluation.overall(p).log_rmse for p in evaluation.predictions
    }
    assert error["gam", "recorded"] < error["loglinear", "recorded"]
    assert error["loglinear", "recorded"] < error["price per carat", ""] / 1.5
    assert error["price per carat", ""] < error["median price", ""] / 3
    assert error["gam", "recorded"] < error["gam", "blend"]
    for p in evaluation.predictions:
        bands = evaluation.by_band(p)
        assert sum(s.n for _, s in bands) == evaluation.overall(p).n
        assert evaluation.overall(p).n + evaluation.unpriced(p) == len(sales)


def test_stones_of_a_kind_unseen_in_training_are_counted_not_guessed(sales):
    few = sales.head(400)
    odd = few.assign(clarity=few["clarity"].astype(str))
    odd.loc[odd.index[0], "clarity"] = "I3"
    evaluation = cross_validate(odd, ["loglinear"], folds=4)
    recorded = next(p for p in evaluation.predictions if p.listing == "recorded")
    assert evaluation.unpriced(recorded) >= 1
    assert np.isnan(recorded.price[0])


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_uses_training_sales_only(sales, name):
    train = read_sales(sales.head(2000))
    stones = Stones.from_frame(sales.tail(100))
    once = BASELINES[name](train, stones)
    assert once.shape == (100,)
    assert (once > 0).all()
