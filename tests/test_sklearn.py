"""A price model where estimators of scikit-learn go: folds, searches, pipelines, importances."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks as checks

from diamond_pricing.errors import FitError, UnsupportedStoneError
from diamond_pricing.fitting import fit
from diamond_pricing.sklearn import PriceRegressor


@pytest.fixture(scope="module")
def sold(sales) -> pd.DataFrame:
    return sales.head(2_500).reset_index(drop=True)


@pytest.fixture(scope="module")
def X(sold) -> pd.DataFrame:  # noqa: N802  as scikit-learn names it
    return sold.drop(columns=[c for c in ("price", "stone", "listing") if c in sold])


@pytest.fixture(scope="module")
def fitted(X, sold) -> PriceRegressor:
    return PriceRegressor().fit(X, sold["price"])


def test_it_predicts_what_the_model_prices(X, sold, fitted):
    assert fitted.model_ == fit(X.assign(price=sold["price"]))
    lines = fitted.explain(X)
    assert [*lines.columns] == ["reference", *fitted.model_.lines]
    np.testing.assert_allclose(lines.sum(axis=1), fitted.predict(X), atol=0.0051)
    assert fitted.score(X, sold["price"]) > 0.95
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(X), fitted.predict(X))


def test_it_is_cross_validated_by_stone_searched_and_piped(X, sold, fitted):
    stones = pd.factorize(pd.util.hash_pandas_object(X[["carat", "depth", "table"]]))[0]
    small = PriceRegressor("loglinear")
    scores = cross_val_score(small, X, sold["price"], cv=GroupKFold(3), groups=stones)
    assert (scores > 0.8).all(), "a fold failed"
    search = GridSearchCV(
        small, {"attributes": [None, ["carat", "cut", "color", "clarity"]]}, cv=3
    ).fit(X, sold["price"])
    assert search.best_params_ == {"attributes": None}
    without = FunctionTransformer(lambda frame: frame.drop(columns=["depth"]))
    piped = Pipeline([("drop", without), ("price", small)]).fit(X, sold["price"])
    assert "depth" not in piped[-1].feature_names_in_
    some = X.head(200)
    found = permutation_importance(
        fitted, some, sold["price"].head(200), n_repeats=2, random_state=0
    )
    worth = dict(zip(X.columns, found.importances_mean, strict=True))
    assert max(worth, key=worth.get) == "carat"


def test_stones_that_are_declined_are_what_was_asked_for(X, fitted):
    odd = X.head(3).copy()
    odd.loc[odd.index[1], "carat"] = 19.0
    odd[["depth", "table", "x", "y", "z"]] = np.nan
    near = fitted.predict(odd)
    np.testing.assert_allclose(fitted.explain(odd).sum(axis=1), near, atol=0.0051)
    assert np.isfinite(near).all()
    assert near[1] > near[0]
    asked = clone(fitted).set_params(unsupported="nan")
    asked.model_, asked.feature_names_in_ = fitted.model_, fitted.feature_names_in_
    assert np.isnan(asked.predict(odd)).tolist() == [False, True, False]
    with pytest.raises(UnsupportedStoneError):
        asked.set_params(unsupported="raise").predict(odd)
    with pytest.raises(ValueError, match="fitted with are missing: cut"):
        fitted.predict(X.drop(columns="cut"))
    with pytest.raises(ValueError, match="unsupported must be one of"):
        PriceRegressor("loglinear", unsupported="foo").fit(X, np.arange(1, len(X) + 1))
    with pytest.raises(ValueError, match="no columns: nope"):
        PriceRegressor(attributes=["nope"]).fit(X, np.arange(1, len(X) + 1))
    with pytest.raises(NotFittedError):
        PriceRegressor().predict(X)
    with pytest.raises(TypeError, match="reads a data frame"):
        PriceRegressor().fit(X.to_numpy(), np.ones(len(X)))


def test_weights_count_and_groups_are_held_out_together(X, sold, fitted):
    price = sold["price"]
    same = PriceRegressor().fit(X, price, sample_weight=np.full(len(X), 2.5))
    assert same.model_ == fitted.model_
    heavy = X["carat"].to_numpy() > 1
    off = price * np.where((np.arange(len(X)) % 2 == 0) & heavy, 1.3, 1.0)
    weight = np.where(np.arange(len(X)) % 2 == 0, 1e-3, 1.0)
    some = X[heavy].head(50)
    light = PriceRegressor().fit(X, off, sample_weight=weight)
    plain = PriceRegressor().fit(X, off)
    ratio = [np.median(m.predict(some) / fitted.predict(some)) for m in (light, plain)]
    assert abs(ratio[0] - 1) < 0.06 < 0.08 < abs(ratio[1] - 1)
    rows = np.arange(len(X)) % 50
    assert fit(X.assign(price=price), groups=rows).ranges != fitted.model_.ranges
    for wrong in (
        {"weights": [1, 2]},
        {"weights": -np.ones(len(X))},
        {"groups": [1]},
        {"groups": np.zeros(len(X))},
    ):
        with pytest.raises(FitError, match=r"weights must|groups must"):
            fit(X.assign(price=price), **wrong)
    with pytest.raises(FitError, match="weights has no meaning for the family gam"):
        fit(X.assign(price=price), "gam", weights=np.ones(len(X)))


@pytest.mark.parametrize(
    "check",
    [
        checks.check_no_attributes_set_in_init,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_estimator_repr,
        checks.check_estimator_cloneable,
        checks.check_parameters_default_constructible,
    ],
    ids=lambda check: check.__name__,
)
def test_it_passes_the_checks_that_are_not_about_arrays(check):
    check("PriceRegressor", PriceRegressor())
