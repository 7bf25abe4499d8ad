"""A compiled statsmodels fit predicts what statsmodels predicts."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import NotCompilableError
from diamond_pricing.fitting import from_statsmodels

FORMULAS = [
    "np.log(price) ~ np.log(carat) + cut + color + clarity",
    "np.log(price) ~ carat + I(carat ** 2) + depth + table + C(color, Sum)",
    "np.log(price) ~ bs(np.log(carat), df=8) + C(clarity, Treatment('IF')) + C(cut, Helmert)",
    "np.log(price) ~ bs(carat, knots=[0.5, 1], degree=2, include_intercept=True) - 1 + table",
    "np.log(price) ~ np.log(carat) * color + clarity:np.sqrt(depth) + cut",
    "np.log(price) ~ color:clarity + bs(np.log(carat), df=5):cut",
    "np.log(price) ~ np.log(x) + np.log(y) + z + C(listing) * np.log(carat)",
    "np.log(price) ~ C(color, Diff) - 1 + np.log(carat):depth:table + C(Q('cut'), Poly)",
    "np.log( price ) ~ np.maximum(x, y) / np.minimum(x, y) + np.exp(-carat)",
]


@pytest.fixture(scope="module")
def usable(sales) -> pd.DataFrame:
    """Sales whose measurements do not contradict each other, on the two main lists."""
    bad = {row for row, _ in Stones.from_frame(sales).left_out}
    frame = sales.drop(index=sorted(bad)).query("listing != 'x=y'")
    return frame.assign(listing=frame["listing"].cat.remove_unused_categories())


@pytest.mark.parametrize("formula", FORMULAS)
def test_prices_equal_those_of_statsmodels(usable, formula):
    train, test = usable.iloc[::2], usable.iloc[1::2]
    test = test[test["carat"].between(train["carat"].min(), train["carat"].max())]
    result = smf.ols(formula, train).fit()
    model = from_statsmodels(result)
    for frame in (train, test):
        ours = model.price(Stones.from_frame(frame), listing="recorded", extrapolate=True)
        np.testing.assert_allclose(ours, np.exp(result.predict(frame)), rtol=1e-10)


@pytest.mark.parametrize("how", ["wls", "gls", "rlm"])
def test_other_linear_fits_compile_too(usable, how):
    formula, few = "np.log(price) ~ np.log(carat) + clarity", usable.head(400)
    extra = {"weights": few["carat"]} if how == "wls" else {}
    result = getattr(smf, how)(formula, few, **extra).fit()
    ours = from_statsmodels(result).price(Stones.from_frame(few), listing="recorded")
    np.testing.assert_allclose(ours, np.exp(result.predict(few)), rtol=1e-10)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC3"])
def test_standard_errors_of_lines_are_those_of_statsmodels(usable, cov_type):
    formula = "np.log(price) ~ np.log(carat) + C(color, Treatment('G')) + C(clarity, Sum)"
    result = smf.ols(formula, usable).fit(cov_type=cov_type)
    model = from_statsmodels(result)
    why = model.explain(
        Stone(1.4, "Ideal", "D", "IF"), reference=Stone(0.7, "Ideal", "G", "VS1")
    )
    line = {line.name: line for line in why.lines}
    assert line["color"].log_effect == pytest.approx(result.params.filter(like="T.D").item())
    # Covariances are stored to six significant digits.
    assert line["color"].standard_error == pytest.approx(
        result.bse.filter(like="T.D").item(), rel=1e-5
    )
    slope = result.bse["np.log(carat)"] * np.log(2)
    assert line["carat"].standard_error == pytest.approx(slope, rel=1e-5)
    names = [name for name in result.params.index if name.startswith("C(clarity")]
    contrast = pd.Series(0.0, result.params.index)
    contrast[names] -= [float("S.VS1" in name) for name in names]
    contrast[names] += -1.0  # the last grade, IF, is minus the sum of the others
    expected = np.sqrt(contrast @ result.cov_params() @ contrast)
    assert line["clarity"].standard_error == pytest.approx(expected, rel=1e-5)


def test_rows_with_missing_values_are_counted(usable):
    frame = usable.copy()
    frame.loc[frame.index[[3, 50, 99]], "depth"] = np.nan
    model = from_statsmodels(smf.ols("np.log(price) ~ np.log(carat) + depth", frame).fit())
    assert model.training.rows == len(frame) - 3
    assert model.training.left_out == {"value missing in the formula": 3}


@pytest.mark.parametrize("column", ["depth", "price", "color"])
def test_sales_that_were_changed_after_the_fit_are_refused(usable, column):
    frame = usable.head(2000).copy()
    result = smf.ols("np.log(price) ~ np.log(carat) + depth + color", frame).fit()
    from_statsmodels(result)
    frame[column] = frame[column].to_numpy()[::-1]
    with pytest.raises(NotCompilableError, match="exactly these sales"):
        from_statsmodels(result)


def test_a_frame_with_contradictory_measurements_compiles(catalog):
    result = smf.ols("np.log(price) ~ np.log(carat) + depth + table + x", catalog).fit()
    sound = catalog.drop(index=sorted({r for r, _ in Stones.from_frame(catalog).left_out}))
    ours = from_statsmodels(result).price(Stones.from_frame(sound), listing="recorded")
    np.testing.assert_allclose(ours, np.exp(result.predict(sound)), rtol=1e-10)


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        ("price ~ carat", "left side is price"),
        ("np.log10(price) ~ carat", "np.log10"),
        ("np.log(price + 1) ~ carat", "left side"),
        ("np.log(price) ~ np.sin(carat)", "np.sin"),
        ("np.log(price) ~ cr(carat, df=4) - 1", "cr"),
        ("np.log(price) ~ center(carat)", "center"),
        ("np.log(price) ~ C(carat > 1)", "carat > 1"),
        ("np.log(price) ~ stone", "stone"),
        ("np.log(price) ~ C(seller)", "seller"),
        ("np.log(price) ~ I(carat > 1)", "carat > 1"),
    ],
)
def test_what_cannot_be_compiled_is_refused_by_name(usable, formula, named):
    few = usable.head(300).assign(seller=["a", "b", "c"] * 100)
    result = smf.ols(formula, few).fit()
    with pytest.raises(NotCompilableError) as caught:
        from_statsmodels(result)
    assert named in str(caught.value)


def test_other_kinds_of_model_are_refused_by_name(usable):
    few = usable.head(300)
    gamma = sm.families.Gamma(sm.families.links.Log())
    glm = smf.glm("np.log(price) ~ carat", few, family=gamma)
    with pytest.raises(NotCompilableError, match="Log"):
        from_statsmodels(glm.fit())
    with pytest.raises(NotCompilableError, match="QuantReg"):
        from_statsmodels(smf.quantreg("np.log(price) ~ carat", few).fit())
    X = sm.add_constant(np.log(few["carat"]))
    with pytest.raises(NotCompilableError, match="patsy"):
        from_statsmodels(sm.OLS(np.log(few["price"]), X).fit())
    with pytest.raises(NotCompilableError, match="patsy"):
        from_statsmodels("a string")
    ols = smf.ols("np.log(price) ~ carat", few)
    with pytest.raises(NotCompilableError, match="no covariance"):
        from_statsmodels(ols.fit_regularized(alpha=0.1))
    with pytest.raises(NotCompilableError, match="explains nothing"):
        from_statsmodels(smf.ols("np.log(price) ~ 1", few).fit())


def test_another_logarithm_under_the_same_name_is_refused(usable):
    log = np.log10  # noqa: F841  the formula calls it by this name
    result = smf.ols("log(price) ~ np.log(carat)", usable.head(300)).fit()
    with pytest.raises(NotCompilableError, match="exactly these sales"):
        from_statsmodels(result)


def test_sales_all_of_equal_length_and_width_compile(usable):
    square = usable.head(400).assign(y=lambda f: f["x"])
    model = from_statsmodels(smf.ols("np.log(price) ~ np.log(carat) + y", square).fit())
    assert np.isfinite(model.price(Stones.from_frame(usable.head(20)), extrapolate=True)).all()


def test_levels_without_a_sale_are_named(usable):
    """statsmodels gives each a column of noughts and a coefficient of rounding errors."""
    few = usable[~usable["clarity"].isin(["IF", "I1"])]
    with pytest.warns(SingularMatrixWarning):
        result = smf.ols("np.log(price) ~ np.log(carat) + clarity", few).fit()
    with pytest.raises(NotCompilableError, match="no sale has clarity I1, IF"):
        from_statsmodels(result)
    few = few.assign(clarity=few["clarity"].cat.remove_unused_categories())
    assert from_statsmodels(smf.ols("np.log(price) ~ np.log(carat) + clarity", few).fit())
