"""Fit the peers of the accuracy benchmark, each after a search on inner folds only."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from diamond_pricing.arrays import Integers, Matrix, Vector
from diamond_pricing.stones import ATTRIBUTES, Grade, Measure, Stones
from diamond_pricing.stones.checks import expected_diameter
from diamond_pricing.stones.keys import IDENTITY
from diamond_pricing.validation import grouped_folds

CONFIGURATIONS = 12  # tried for each peer in each setting
INNER_FOLDS = 4  # the search scores two of them
SCORED = 2
ROUNDS = 3000
PATIENCE = 60
MOST_WORDS = 200  # of a text that is taken for a category
ORDERED = 4  # the first columns may be asked to be monotone: weight, cut, color, clarity

Predict = Callable[[Matrix], Vector]
Config = dict[str, Any]


def features(stones: Stones, hidden: bool, derived: bool) -> Matrix:
    """What a peer is given, shape (n, features).

    Dimensions that cannot be right are put back by the rules of a round stone: a tree that
    meets a missing one far from those it has seen prices the stone at a fraction.

    Parameters
    ----------
    hidden : bool
        Length and width in order of size, so that they do not tell the price list.
    derived : bool
        Also the ratios that our own terms are drawn over.
    """
    carat, depth, x, y, z = (stones[name] for name in ("carat", "depth", "x", "y", "z"))
    across = expected_diameter(carat, depth)
    x, y = np.where(np.isnan(x), y, x), np.where(np.isnan(y), x, y)
    x, y = np.where(np.isnan(x), across, x), np.where(np.isnan(y), across, y)
    depth = np.where(np.isnan(depth), 200 * z / (x + y), depth)
    z = np.where(np.isnan(z), depth / 100 * (x + y) / 2, z)
    low, high = np.minimum(x, y), np.maximum(x, y)
    first, second = (low, high) if hidden else (x, y)
    columns = [carat, stones["cut"], stones["color"], stones["clarity"]]
    columns += [depth, stones["table"], first, second, z]
    if derived:
        columns += [np.log(x * y) / 2 - np.log(carat) / 3, np.log(high / low)]
        columns += [np.log(carat / (x * y * z)), np.log(200 * z / (x + y) / depth)]
        if not hidden:
            columns += [np.log(x / y), stones["listing"]]
    return np.column_stack([np.asarray(column, float) for column in columns])


def named_features(frame: pd.DataFrame) -> pd.DataFrame:
    """All that a file of sales records, for peers that take categories as they are.

    Numbers stay numbers and grades in order become their place, NaN where missing; other
    grades and texts are categories, ``-`` where missing. What is the same in every row, or
    different in nearly every row, is left out.

    Parameters
    ----------
    frame : DataFrame
        As `diamond_pricing.intake.sales_to_fit` reads it.
    """
    columns: dict[str, Any] = {}
    for name in frame.columns:
        attribute = ATTRIBUTES.get(name)
        if name in ("price", "row", IDENTITY):
            continue
        if isinstance(attribute, Measure):
            columns[name] = frame[name].astype(float)
        elif isinstance(attribute, Grade) and attribute.ordered:
            place = {g: i for i, g in enumerate(attribute.grades) if g != attribute.ungraded}
            columns[name] = frame[name].map(place).astype(float)
        else:
            text = frame[name].fillna("").astype(str).str.strip().replace("", "-")
            if text.nunique() <= MOST_WORDS:
                columns[name] = text.astype("category")
    kept = pd.DataFrame(columns)
    front = [name for name in ("carat", "cut", "color", "clarity") if name in kept]
    kept = kept[[*front, *(name for name in kept if name not in front)]]
    return kept.loc[:, [name in front or kept[name].nunique() > 1 for name in kept]]


def _categories(X: Any) -> list[str]:
    if not isinstance(X, pd.DataFrame):
        return []
    return [name for name in X if isinstance(X[name].dtype, pd.CategoricalDtype)]


def _kinds(X: Any) -> list[str]:
    nominal = [list(X).index(name) for name in _categories(X)]
    return ["nominal" if i in nominal else "continuous" for i in range(X.shape[1])]


def _pick(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def lightgbm(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Gradient boosting, leaf-wise."""
    import lightgbm as lgb

    order = [1] * ORDERED + [0] * (X.shape[1] - ORDERED) if c["monotone"] else None
    model = lgb.LGBMRegressor(
        n_estimators=c.get("rounds", ROUNDS),
        learning_rate=c["rate"],
        num_leaves=c["leaves"],
        min_child_samples=c["child"],
        subsample=c["rows"],
        subsample_freq=1,
        colsample_bytree=c["columns"],
        reg_lambda=c["l2"],
        monotone_constraints=order,
        n_jobs=1,
        random_state=0,
        verbose=-1,
    )
    if held is None:
        return model.fit(X, y).predict, c["rounds"]
    stop = [lgb.early_stopping(PATIENCE, verbose=False)]
    model.fit(X, y, eval_set=[held], callbacks=stop)
    return model.predict, model.best_iteration_


def xgboost(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Gradient boosting, level-wise."""
    import xgboost as xgb

    order = (1,) * ORDERED + (0,) * (X.shape[1] - ORDERED) if c["monotone"] else None
    model = xgb.XGBRegressor(
        n_estimators=c.get("rounds", ROUNDS),
        learning_rate=c["rate"],
        max_depth=c["depth"],
        min_child_weight=c["child"],
        subsample=c["rows"],
        colsample_bytree=c["columns"],
        reg_lambda=c["l2"],
        max_bin=512,
        tree_method="hist",
        n_jobs=1,
        random_state=0,
        monotone_constraints=order,
        early_stopping_rounds=PATIENCE if held else None,
        enable_categorical=True,
    )
    if held is None:
        return model.fit(X, y).predict, c["rounds"]
    model.fit(X, y, eval_set=[held], verbose=False)
    return model.predict, model.best_iteration + 1


def catboost(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Gradient boosting with symmetric trees."""
    from catboost import CatBoostRegressor

    order = [1] * ORDERED + [0] * (X.shape[1] - ORDERED) if c["monotone"] else None
    model = CatBoostRegressor(
        iterations=c.get("rounds", ROUNDS),
        learning_rate=c["rate"],
        depth=c["depth"],
        l2_leaf_reg=c["l2"],
        random_strength=c["noise"],
        monotone_constraints=order,
        thread_count=1,
        random_seed=0,
        verbose=0,
        allow_writing_files=False,
        cat_features=_categories(X),
    )
    if held is None:
        return model.fit(X, y).predict, c["rounds"]
    model.fit(X, y, eval_set=held, early_stopping_rounds=PATIENCE)
    return model.predict, model.best_iteration_ + 1


def ebm(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Explainable boosting machine: additive trees and pairs of InterpretML."""
    from interpret.glassbox import ExplainableBoostingRegressor

    model = ExplainableBoostingRegressor(
        interactions=c["pairs"] or X.shape[1] * (X.shape[1] - 1) // 2,
        learning_rate=c["rate"],
        max_leaves=c["leaves"],
        max_bins=c["bins"],
        max_interaction_bins=c["pair_bins"],
        outer_bags=2,
        min_samples_leaf=c["child"],
        n_jobs=1,
        random_state=0,
        feature_types=_kinds(X),
    )
    return model.fit(X, y).predict, 0


def perpetual(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Gradient boosting that finds its own number of trees, given a budget."""
    from perpetual import PerpetualBooster

    order = dict.fromkeys(range(ORDERED), 1) if c["monotone"] else None
    model = PerpetualBooster(
        objective="SquaredLoss", budget=c["budget"], num_threads=1, monotone_constraints=order
    )
    return model.fit(X, y).predict, 0


def aplr(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Automatic piecewise linear regression, interpretable as ours is."""
    from aplr import APLRRegressor

    model = APLRRegressor(
        v=c["rate"],
        max_interaction_level=c["level"],
        min_observations_in_split=c["child"],
        penalty_for_interactions=c["penalty"],
        cv_folds=2,
        n_jobs=1,
    )
    model.fit(X, y)
    return model.predict, 0


def realmlp(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """A neural network with tuned defaults; ``pip install pytabkit``, which brings PyTorch.

    Holzmüller, Grinsztajn & Steinwart (2024), *Better by default*, NeurIPS.
    """
    from pytabkit import RealMLP_TD_Regressor

    model = RealMLP_TD_Regressor(device="cpu", random_state=0, n_threads=1, verbosity=0)
    model.fit(X.astype(np.float32), y.astype(np.float32))
    return (lambda new: model.predict(new.astype(np.float32)).astype(float).ravel()), 0


def tabicl(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """A foundation model that reads the sales as its context; ``pip install tabicl``.

    Its weights come in a file of their own, and under terms of their own.
    """
    from tabicl import TabICLRegressor

    model = TabICLRegressor(
        model_path=c["checkpoint"], allow_auto_download=False, device="cpu", random_state=0
    )
    return model.fit(X, y).predict, 0


def tabpfn(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Another; ``pip install tabpfn``."""
    from tabpfn import TabPFNRegressor

    model = TabPFNRegressor(
        model_path=c["checkpoint"],
        device="cpu",
        random_state=0,
        ignore_pretraining_limits=True,
    )
    return model.fit(X, y).predict, 0


def forest(c: Config, X: Matrix, y: Vector, held: tuple[Matrix, Vector] | None) -> Any:
    """Random forest on prices themselves, as the owner was first offered."""
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(
        100, max_features=c["columns"], min_samples_leaf=c["child"], n_jobs=1, random_state=0
    ).fit(X, np.exp(y))
    return (lambda new: np.log(model.predict(new))), 0


def _boosted(rng: np.random.Generator) -> Config:
    return {
        "rate": _pick(rng, 0.02, 0.08),
        "depth": int(rng.integers(4, 9)),
        "leaves": int(_pick(rng, 8, 64)),
        "child": int(_pick(rng, 3, 40)),
        "rows": float(rng.uniform(0.6, 1)),
        "columns": float(rng.uniform(0.4, 1)),
        "l2": _pick(rng, 0.3, 10),
        "noise": _pick(rng, 0.1, 3),
        "monotone": bool(rng.random() < 0.5),
    }


def _paired(rng: np.random.Generator) -> Config:
    return _glass(rng) | {"pairs": 0}


def _glass(rng: np.random.Generator) -> Config:
    return {
        "pairs": int(rng.integers(10, 31)),
        "rate": _pick(rng, 0.02, 0.1),
        "leaves": int(rng.integers(2, 5)),
        "bins": int(rng.choice([256, 512, 1024])),
        "pair_bins": int(rng.choice([32, 64])),
        "child": int(_pick(rng, 2, 10)),
    }


def _wooden(rng: np.random.Generator) -> Config:
    return {"columns": float(rng.uniform(0.3, 1)), "child": int(rng.integers(1, 6))}


def _budgeted(rng: np.random.Generator) -> Config:
    return {"budget": float(rng.uniform(0.5, 2)), "monotone": bool(rng.random() < 0.5)}


def _piecewise(rng: np.random.Generator) -> Config:
    return {
        "rate": _pick(rng, 0.1, 0.5),
        "level": int(rng.integers(1, 3)),
        "child": int(_pick(rng, 4, 40)),
        "penalty": float(rng.uniform(0, 0.5)),
    }


# Name: how to fit it, how to draw a configuration (or None), whether it gets the derived
# features.
PEERS: dict[str, tuple[Any, Callable[[np.random.Generator], Config] | None, bool]] = {
    "CatBoost": (catboost, _boosted, True),
    "LightGBM": (lightgbm, _boosted, True),
    "XGBoost": (xgboost, _boosted, True),
    "EBM": (ebm, _glass, True),
    "EBM, all pairs": (ebm, _paired, True),
    "Perpetual": (perpetual, _budgeted, True),
    "APLR": (aplr, _piecewise, True),
    "RealMLP": (realmlp, None, True),
    "TabICL": (tabicl, None, True),
    "TabPFN": (tabpfn, None, True),
    "random forest, raw prices": (forest, _wooden, False),
    "CatBoost, recorded columns only": (catboost, _boosted, False),
    "LightGBM, recorded columns only": (lightgbm, _boosted, False),
    "XGBoost, recorded columns only": (xgboost, _boosted, False),
}
BY_HAND = ("RealMLP", "TabICL", "TabPFN")  # installed by hand, asked for by --only
WEIGHED = ("TabICL", "TabPFN")  # whose weights are a file, given by --checkpoint


def searched(name: str, X: Matrix, y: Vector, groups: Integers, seed: int) -> Config:
    """Best of ``CONFIGURATIONS`` by log-RMSE on inner folds grouped by stone."""
    fit, draw, _ = PEERS[name]
    if draw is None:
        return {}
    rng = np.random.default_rng(seed)
    fold = grouped_folds(groups, INNER_FOLDS, seed)
    best: tuple[float, Config] = (np.inf, {})
    for _ in range(CONFIGURATIONS):
        c, losses, rounds = draw(rng), [], []
        for k in range(SCORED):
            held = X[fold == k], y[fold == k]
            predict, used = fit(c, X[fold != k], y[fold != k], held)
            losses.append(np.mean((predict(held[0]) - held[1]) ** 2))
            rounds.append(used)
        loss = float(np.sqrt(np.mean(losses)))
        if loss < best[0]:
            # A third more rows than in the search carry a few more rounds.
            best = loss, {**c, "rounds": int(1.1 * np.mean(rounds)), "searched": loss}
    return best[1]


def out_of_fold(
    name: str, X: Matrix, y: Vector, groups: Integers, fold: Integers, config: Config | None
) -> tuple[Vector, Config, dict[str, float]]:
    """Predict each fold from the others; search on the training part of fold 0.

    The configuration found there serves the other folds too, whose held-out stones the
    search has then seen: a small advantage for the peers.
    """
    started = time.process_time()
    if config is None:
        first = fold != 0
        config = searched(name, X[first], y[first], groups[first], seed=0)
    searching = time.process_time() - started
    predicted = np.full(len(y), np.nan)
    for k in range(fold.max() + 1):
        predict, _ = PEERS[name][0](config, X[fold != k], y[fold != k], None)
        predicted[fold == k] = predict(X[fold == k])
    seconds = {"search": searching, "fits": time.process_time() - started - searching}
    return predicted, config, seconds
