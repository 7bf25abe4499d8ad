"""A compiled pyGAM fit predicts what pyGAM predicts."""

import numpy as np
import pandas as pd
import pytest
from pygam import GammaGAM, LinearGAM, f, l, s, te

from diamond_pricing import Stones
from diamond_pricing.errors import NotCompilableError
from diamond_pricing.fitting import design_matrix, from_pygam

COLUMNS = ["log(carat)", "cut", "color", "clarity", "depth", "listing", "x", "table"]
TERMS = {
    "smooths and factors": s(0) + f(1) + f(2) + f(3) + s(4, n_splines=8) + f(5),
    "dummy coding": s(0, n_splines=12) + f(1, coding="dummy") + f(3, coding="dummy"),
    "linear": l(0) + l(4) + f(2),
    "other orders": s(0, spline_order=1) + s(4, spline_order=2, n_splines=6) + f(3),
    "surface": te(0, 4, n_splines=[7, 5]) + f(3) + f(2),
    "surface of three": te(0, 4, 7, n_splines=[5, 4, 4]) + f(3),
    "smooth by grade": s(0) + te(s(0, n_splines=6), f(2)) + te(f(3), l(0)),
    "grades as numbers": s(3, n_splines=6) + te(0, s(2, dtype="categorical")) + l(1),
    "by a number": s(0, by=4, n_splines=8) + s(6) + f(3) + te(0, 4, by=7, n_splines=4),
    "constrained": s(0, constraints="monotonic_inc") + f(3),
}


@pytest.fixture(scope="module")
def usable(sales) -> pd.DataFrame:
    bad = {row for row, _ in Stones.from_frame(sales).left_out}
    frame = sales.drop(index=sorted(bad)).query("listing != 'x=y'")
    return frame.reset_index(drop=True)


@pytest.mark.parametrize("name", TERMS)
def test_prices_equal_those_of_pygam(usable, name):
    train, test = usable.iloc[::2], usable.iloc[1::2]
    X, y = design_matrix(train, COLUMNS), np.log(train["price"].to_numpy())
    gam = LinearGAM(TERMS[name]).fit(X, y)
    model = from_pygam(gam, COLUMNS, train)
    assert all(set(train[g]) == set(test[g]) for g in ("cut", "color", "clarity", "listing"))
    for frame in (train, test):
        ours = model.price(Stones.from_frame(frame), listing="recorded", extrapolate=True)
        theirs = np.exp(gam.predict(design_matrix(frame, COLUMNS)))
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_standard_errors_are_those_of_pygam(usable):
    columns = ["log(carat)", "clarity"]
    X, y = design_matrix(usable, columns), np.log(usable["price"].to_numpy())
    gam = LinearGAM(s(0, n_splines=8) + f(1)).fit(X, y)
    model = from_pygam(gam, columns, usable)
    first, second = (Stones.from_frame(usable).stone(row) for row in (0, 900))
    rows = gam._modelmat(X[[0, 900]]).toarray()
    difference = rows[1] - rows[0]
    lines = model.compare(first, second).lines[1:]
    for line, where in zip(lines, (slice(0, 8), slice(8, 16)), strict=True):
        part = np.zeros(len(difference))
        part[where] = difference[where]
        expected = np.sqrt(part @ gam.statistics_["cov"] @ part)
        assert line.standard_error == pytest.approx(expected, rel=1e-4)


def test_the_matrix_counts_grades_from_the_worst_that_is_sold(usable):
    X = design_matrix(usable, ["color", "carat"])
    assert set(X[:, 0]) == set(range(7))
    assert set(usable.loc[X[:, 0] == 0, "color"]) == {"J"}
    np.testing.assert_array_equal(X[:, 1], usable["carat"])


@pytest.mark.parametrize(
    ("terms", "columns", "named"),
    [
        (s(0, basis="cp"), ["carat"], "'cp'"),
        (s(0, by=1), ["carat", "cut"], "by=1"),
        (s(0, spline_order=0), ["carat"], "only s, f, l and te"),
        (f(0), ["table"], "only s, f, l and te"),
        (s(0), ["carat", "depth"], "has 1 columns, named are 2"),
    ],
)
def test_what_cannot_be_compiled_is_refused_by_name(usable, terms, columns, named):
    few = usable.head(400)
    width = 1 if "columns" in named else len(columns)
    X = design_matrix(few, columns)[:, :width]
    gam = LinearGAM(terms).fit(X, np.log(few["price"]))
    with pytest.raises(NotCompilableError) as caught:
        from_pygam(gam, columns, few)
    assert named in str(caught.value)


def test_fits_of_something_else_are_refused(usable):
    few = usable.head(400)
    X, columns = design_matrix(few, ["carat"]), ["carat"]
    with pytest.raises(NotCompilableError, match="GammaGAM"):
        from_pygam(GammaGAM(s(0)).fit(X, few["price"]), columns, few)
    with pytest.raises(NotCompilableError, match="mean log price"):
        from_pygam(LinearGAM(s(0)).fit(X, few["price"]), columns, few)
    with pytest.raises(NotCompilableError, match="not been fitted"):
        from_pygam(LinearGAM(s(0)), columns, few)


@pytest.mark.parametrize(
    "other",
    [
        lambda frame: frame[frame["color"] != "J"],  # whose codes would mean other colors
        lambda frame: frame.head(1999),
        lambda frame: frame.assign(price=frame["price"] * 1.1),
        lambda frame: frame.assign(price=frame["price"].to_numpy()[::-1]),
        lambda frame: frame.assign(color=frame["color"].astype(str).replace({"J": "I"})),
    ],
)
def test_sales_that_it_was_not_fitted_on_are_refused(usable, other):
    few, columns = usable.head(2000), ["log(carat)", "color"]
    gam = LinearGAM(s(0) + f(1)).fit(design_matrix(few, columns), np.log(few["price"]))
    from_pygam(gam, columns, few)
    with pytest.raises(NotCompilableError, match="the very sales"):
        from_pygam(gam, columns, other(few))
