"""The engine: tables, Gram matrix, smoothness by REML, ranges."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pytest

from diamond_pricing.errors import FitError
from diamond_pricing.fitting.engine.design import Design, learned, sheets
from diamond_pricing.fitting.engine.smoothing import FLAT, PenalisedFit, smooth, solve
from diamond_pricing.fitting.engine.tables import BINS, Gram, Tables, axis, coded
from diamond_pricing.stones import ATTRIBUTES
from diamond_pricing.terms import Levels, Slope, Spline, Steps, dense

COLORS = ("J", "I", "H", "G", "F", "E", "D")
CUTS = ("Good", "Very Good", "Premium", "Ideal")
BASES = {
    "weight": Spline(
        "log(carat)", (-2.6, -2.3, -2.0, -1.7, -1.2, -0.9, -0.4, 0.0, 0.5, 1.0, 1.5)
    ),
    "depth": Spline("depth", (54.0, 56.0, 58.0, 60.0, 61.0, 62.0, 63.0, 65.0, 67.0, 69.0)),
    "fine": Spline("log(carat)", tuple(np.linspace(-2.1, 0.9, 26))),
    "line": Slope("depth"),
    "bands": Steps((0.5, 1.0)),
    "color": Levels("color", COLORS),
    "cut": Levels("cut", CUTS),
}
TERMS = [
    ("weight",),
    ("bands",),
    ("color",),
    ("cut",),
    ("depth",),
    ("weight", "color"),
    ("bands", "color"),
    ("depth", "cut"),
    ("weight", "color", "cut"),
]


class Made:
    """Made-up sales, and the design of some terms over them."""

    def __init__(
        self,
        terms: Sequence[tuple[str, ...]] = TERMS,
        *,
        n: int = 900,
        seed: int = 1,
        weight: np.ndarray | None = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        carat = np.round(np.exp(rng.uniform(-1.6, 0.4, n)), 2)
        color, cut = rng.integers(0, len(COLORS), n), rng.integers(0, len(CUTS), n)
        depth = rng.uniform(60.2, 62.8, n)
        self.y = (
            8
            + 1.7 * np.log(carat)
            + 0.2 * np.sin(4 * np.log(carat))
            + 0.1 * (carat >= 1)
            + 0.08 * color * np.log(carat + 1)
            + 0.05 * cut
            + 0.1 * np.cos(2 * depth) * cut
            + rng.normal(0, 0.1, n)
        )
        self.values = {
            "carat": carat,
            "depth": depth,
            "color": np.array([ATTRIBUTES["color"].grades.index(c) for c in COLORS])[color]
            * 1.0,
            "cut": np.array([ATTRIBUTES["cut"].grades.index(c) for c in CUTS])[cut] * 1.0,
        }
        self.axes = {feature: axis(values) for feature, values in self.values.items()}
        self.codes = {f: coded(values, self.axes[f]) for f, values in self.values.items()}
        self.weight = np.ones(n) if weight is None else weight
        self.margins = {name: self._margin(name) for name in BASES}
        self.design: Design = sheets(
            [tuple(self.margins[part] for part in term) for term in terms]
        )

    def count(self, name: str) -> np.ndarray:
        """Sales in each bin."""
        feature = BASES[name].feature
        return np.bincount(self.codes[feature], self.weight, len(self.axes[feature]))

    def columns(self, name: str) -> np.ndarray:
        """Centred columns of a margin at each bin."""
        basis = BASES[name]
        rows = dense(basis, basis.placed(self.axes[basis.feature]))
        return rows @ self.margins[name].transform

    def _margin(self, name):
        basis = BASES[name]
        rows = dense(basis, basis.placed(self.axes[basis.feature]))
        return learned(basis, rows, self.count(name))

    def rows(self) -> np.ndarray:
        """X, one row a sale, without any table."""
        n, blocks = len(self.y), []
        for sheet in self.design.sheets:
            factors = [
                dense(margin.basis, margin.basis.placed(self.axes[margin.basis.feature]))[
                    self.codes[margin.basis.feature]
                ]
                for margin in sheet.margins
            ]
            raw = reduce(
                lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(n, -1),
                factors,
                np.ones((n, 1)),
            )
            blocks.append(raw @ sheet.transform)
        return np.hstack(blocks)

    def gram(self, some: np.ndarray | None = None, weight=None) -> Gram:
        weight = self.weight if weight is None else weight
        return Tables(self.design, self.axes, self.codes).gram(self.y, weight, some)


@pytest.fixture(scope="module")
def made() -> Made:
    return Made()


def test_a_value_stands_in_its_nearest_bin():
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=5000), rng.integers(0, 40, 5000) * 1.0):
        bins = axis(values)
        assert len(bins) == min(BINS, len(np.unique(values)))
        nearest = np.abs(values[:, None] - bins).min(axis=1)
        np.testing.assert_array_equal(np.abs(values - bins[coded(values, bins)]), nearest)


def test_the_gram_matrix_from_tables_is_that_of_the_rows():
    rng = np.random.default_rng(3)
    made = Made(weight=rng.uniform(0.2, 3, 900))
    assert len(made.axes["depth"]) == BINS  # some features are binned, some are not
    X, w, found = made.rows(), made.weight, made.gram()
    # Entries are sums of 900 products of order one.
    np.testing.assert_allclose(found.XX, (X.T * w) @ X, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.Xy, X.T @ (w * made.y), rtol=0, atol=1e-9)
    assert found.yy == pytest.approx(w @ made.y**2, rel=1e-13)
    assert found.n == 900


def test_a_weight_of_three_counts_as_three_rows(made):
    weight = np.random.default_rng(4).integers(0, 4, len(made.y))
    X, found = np.repeat(made.rows(), weight, axis=0), made.gram(weight=weight.astype(float))
    y = np.repeat(made.y, weight)
    np.testing.assert_allclose(found.XX, X.T @ X, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.Xy, X.T @ y, rtol=0, atol=1e-9)
    assert found.yy == pytest.approx(y @ y, rel=1e-13)


def test_parts_of_the_sales_add_up_and_can_be_taken_away(made):
    # By weight, so that each part has cells that the other lacks.
    some = made.values["carat"] < np.median(made.values["carat"])
    whole, part, rest = made.gram(), made.gram(some), made.gram(~some)
    X = made.rows()[some]
    np.testing.assert_allclose(part.XX, X.T @ X, rtol=0, atol=1e-10)
    for found, wanted in ((whole - part, rest), (part + rest, whole)):
        np.testing.assert_allclose(found.XX, wanted.XX, rtol=0, atol=1e-10)
        np.testing.assert_allclose(found.Xy, wanted.Xy, rtol=0, atol=1e-9)
        assert found.yy == pytest.approx(wanted.yy, rel=1e-12)
        assert found.n == wanted.n


@pytest.mark.parametrize("term", [term for term in TERMS if len(term) > 1])
def test_an_interaction_has_no_mean_over_any_of_its_margins(made, term):
    """Weighed by sales, whatever its coefficients."""
    rng = np.random.default_rng(5)
    sides = [made.columns(part) for part in term]
    effect = rng.normal(size=[side.shape[1] for side in sides])
    for k, side in enumerate(sides):
        effect = np.moveaxis(np.tensordot(side, effect, (1, k)), 0, k)
    for k, part in enumerate(term):
        mean = np.tensordot(made.count(part), effect, (0, k)) / made.weight.sum()
        np.testing.assert_allclose(mean, 0, atol=1e-13 * np.abs(effect).max() * len(effect))


@pytest.mark.parametrize("part", ["weight", "depth"])
def test_an_infinitely_smooth_curve_is_the_least_squares_line(part):
    """On uneven knots too, and beyond them."""
    made = Made([(part,)])
    basis, found = BASES[part], made.gram()
    fit = solve(found, made.design.penalties, np.array([1e9]))
    x = basis.on_scale(made.axes[basis.feature])[made.codes[basis.feature]]
    line = np.polynomial.Polynomial.fit(x, made.y, 1)
    # With λ = 10⁹ over a Gram matrix of some hundreds, 10⁻⁷ of the bends stays.
    np.testing.assert_allclose(made.rows() @ fit.coefficients, line(x), atol=1e-6)
    assert fit.edf.sum() == pytest.approx(2, abs=1e-5)


def score(gram: Gram, penalties: np.ndarray, smoothing: np.ndarray) -> float:
    """Twice the negative restricted log likelihood, up to a constant."""
    return PenalisedFit(gram, penalties, smoothing).score


@pytest.fixture(scope="module")
def wavy() -> Made:
    """Terms that REML gives an inner optimum for."""
    return Made([("weight",), ("color",), ("cut",), ("weight", "color"), ("depth", "cut")])


def test_the_derivatives_of_the_reml_score_are_right():
    made = Made()
    found, penalties = made.gram(), made.design.penalties
    rho = np.random.default_rng(6).normal(0, 2, len(penalties))

    def gradient(at):
        return PenalisedFit(found, penalties, np.exp(at)).gradient

    first, second = gradient(rho), PenalisedFit(found, penalties, np.exp(rho)).hessian
    h = 1e-3
    ahead = np.eye(len(rho)) * h
    # Central differences err by h²/6 of the third derivative, some 10⁻⁶; and by the rounding
    # of the score, some 10⁻⁹, over h.
    numeric = [
        (score(found, penalties, np.exp(rho + e)) - score(found, penalties, np.exp(rho - e)))
        / (2 * h)
        for e in ahead
    ]
    np.testing.assert_allclose(first, numeric, rtol=0, atol=2e-5)
    numeric = [(gradient(rho + e) - gradient(rho - e)) / (2 * h) for e in ahead]
    np.testing.assert_allclose(second, numeric, rtol=0, atol=2e-5)


def test_the_smoothness_found_is_a_minimum_of_the_reml_score(wavy):
    found, penalties = wavy.gram(), wavy.design.penalties
    fit = smooth(found, penalties)
    rho, best = np.log(fit.smoothing), score(found, penalties, fit.smoothing)
    h = 1e-3
    for e in np.eye(len(rho)) * h:
        slope = score(found, penalties, np.exp(rho + e)) - score(
            found, penalties, np.exp(rho - e)
        )
        assert abs(slope / (2 * h)) < FLAT + 1e-5
    rng = np.random.default_rng(7)
    for _ in range(50):
        assert score(found, penalties, np.exp(rho + rng.normal(0, 1, len(rho)))) > best


def test_where_the_score_has_one_minimum_the_start_does_not_matter(wavy):
    found, penalties = wavy.gram(), wavy.design.penalties
    fit = smooth(found, penalties)
    best = score(found, penalties, fit.smoothing)
    for start in (1e-4, 1e4):
        again = smooth(found, penalties, np.full(len(penalties), start))
        assert score(found, penalties, again.smoothing) == pytest.approx(best, abs=FLAT)


@pytest.mark.parametrize(
    "terms",
    [
        [("line",), ("line",)],
        [("bands",), ("bands",)],
        [("weight",), ("color",), ("weight",)],
        [("weight", "color"), ("weight",), ("weight", "color")],
    ],
)
def test_columns_that_stand_twice_are_refused(terms):
    made = Made(terms)
    none = np.zeros((0, made.design.p))
    with pytest.raises(FitError, match="do not tell the terms apart"):
        solve(made.gram(), none, np.empty(0))


def test_a_curve_that_stands_twice_is_refused_as_its_line_is_free():
    made = Made([("weight",), ("color",), ("weight",)])
    with pytest.raises(FitError, match="do not tell the terms apart"):
        smooth(made.gram(), made.design.penalties)


def test_columns_that_others_determine_are_refused():
    """A slope is also the free line of the curve over the same number."""
    for seed in range(20):
        made = Made([("depth",), ("line",)], seed=seed)
        with pytest.raises(FitError, match="do not tell the terms apart"):
            smooth(made.gram(), made.design.penalties)


def covered(made: Made, truths: np.ndarray, noise: float, seed: int) -> float:
    """Share of a curve that its 95 % ranges cover, mean over one fit to each of the truths."""
    X, rng, shares = made.rows(), np.random.default_rng(seed), []
    XX = made.gram().XX
    for truth in truths:
        y = truth + rng.normal(0, noise, len(truth))
        fit = smooth(Gram(XX, X.T @ y, y @ y, len(y)), made.design.penalties)
        error = np.sqrt(((X @ fit.covariance) * X).sum(axis=1))
        shares.append(np.mean(np.abs(X @ fit.coefficients - truth) < 1.959964 * error))
    return float(np.mean(shares))


def test_ranges_of_a_curve_cover_it_as_often_as_they_say():
    """On average over the curve (Nychka 1988, *JASA* 83, 1134–1143).

    One fit's share varies by some 0.06, so the mean of 200 by 0.004.
    """
    made = Made([("fine",)], n=400)
    x = np.log(made.values["carat"])
    truth = 8 + 1.7 * x + 0.3 * np.sin(4 * x) + 0.2 * np.tanh(10 * x)  # a wave, and a jump
    assert 0.93 < covered(made, np.tile(truth, (200, 1)), 0.2, seed=8) < 0.97


def test_ranges_cover_curves_as_rough_as_the_penalty_expects():
    """Here 95 % is exact, but for the λ that is estimated."""
    made = Made([("fine",)], n=400)
    noise, smoothing, rng = 0.2, 10.0, np.random.default_rng(9)
    diagonal = made.design.penalties[0]
    spread = np.divide(1, np.sqrt(smoothing * diagonal), where=diagonal > 0, out=0 * diagonal)
    beta = noise * spread * rng.normal(size=(200, len(diagonal)))
    assert 0.93 < covered(made, beta @ made.rows().T + 8, noise, seed=10) < 0.97
