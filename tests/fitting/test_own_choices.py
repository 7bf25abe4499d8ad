"""What the caller of a fit decides."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import statsmodels.formula.api as smf

from diamond_pricing import Stone, Stones, load_sales
from diamond_pricing.errors import ExpressionError, FitError, StoneError
from diamond_pricing.fitting import fit, from_statsmodels, read_sales
from diamond_pricing.fitting.monotone import default_terms, fit_held_out

FORMULA = "bs(np.log(carat), df=6) * C(color) + C(cut) + C(clarity) + depth"
WEIGHT = (("log(carat)", 20),)


@pytest.fixture(scope="module")
def some():
    return load_sales().sample(1_000, random_state=3)


@pytest.fixture(scope="module")
def terms(some):
    return default_terms(some)


def test_the_default_terms_give_the_default_model_and_others_another(some, terms):
    told = []
    assert fit(some, terms=terms, progress=lambda *at: told.append(at)) == fit(some)
    shares = [share for _, share, _ in told]
    assert (shares[0], shares[-1]) == (0, 1)
    assert shares == sorted(shares)
    fewer = [term for term in terms if "table" not in str(term)]
    model = fit(some, terms=[*fewer, ("bands", "cut")])
    read = [
        {a for t in of.terms for b in t.bases for a in b.attributes}
        for of in (model, fit(some))
    ]
    assert read[1] - read[0] == {"table"}
    assert model.certificate.holds


@pytest.mark.parametrize("grades", [(), ("cut",), ("color", "clarity")])
def test_grades_may_be_left_out(some, grades):
    model = fit(some, terms=[WEIGHT, *((name,) for name in grades)])
    assert model.certificate.holds
    first, second = Stone(0.9, "Ideal", "E", "VS1"), Stone(0.9, "Good", "H", "SI1")
    equal = model.explain(first).price == model.explain(second).price
    assert equal == (not grades)


def test_own_folds_are_what_errors_are_measured_on(some):
    folds = np.unique(some["stone"], return_inverse=True)[1] % 3
    found = fit_held_out(some, folds=folds)[1].found
    assert found.fold.max() == 2
    assert len({frozenset(np.flatnonzero(found.fold == k)) for k in range(3)}) == 3
    model = fit(some, folds=folds)
    assert model.ranges != fit(some).ranges
    stones = read_sales(some).stones
    np.testing.assert_allclose(model.log_price(stones), fit(some).log_price(stones), atol=1e-5)


def test_a_formula_is_the_regression_of_statsmodels(some):
    sales = some.assign(cut=some["cut"].astype(str)).reset_index(drop=True)
    model = fit(sales, formula=FORMULA)
    keys = read_sales(sales).stones
    result = smf.ols(f"np.log(price) ~ {FORMULA}", sales).fit()
    np.testing.assert_allclose(model.log_price(keys, listing="recorded"), result.fittedvalues)
    assert model.family == "formula"
    weights = np.linspace(0.5, 2, len(sales))
    groups = sales.index % 40
    weighed = fit(sales, formula=f"np.log(price) ~ {FORMULA}", weights=weights, groups=groups)
    by_hand = smf.wls(f"np.log(price) ~ {FORMULA}", sales, weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    np.testing.assert_allclose(
        weighed.log_price(keys, listing="recorded"), by_hand.fittedvalues, rtol=1e-9
    )
    stone, other = (
        Stone(0.9, "Ideal", "E", "VS1", depth=61),
        Stone(1, "Good", "H", "SI1", depth=61),
    )
    errors = [
        [line.standard_error for line in of.compare(stone, other).lines]
        for of in (weighed, from_statsmodels(by_hand))
    ]
    np.testing.assert_allclose(*errors, rtol=1e-6, atol=1e-12)


def test_sales_that_a_formula_cannot_read_are_left_out(some):
    sales = some.assign(depth=some["depth"].where(some["stone"] % 7 != 0))
    model = fit(sales, formula=FORMULA)
    assert model.training.rows == sales["depth"].notna().sum()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"terms": [("table",), WEIGHT]}, r"\('table',\) is no term"),
        ({"terms": [WEIGHT, "cut"]}, "'cut' is no term"),
        ({"terms": [WEIGHT, ()]}, "is no term"),
        ({"terms": [("cut",)]}, "a term of the weight is missing"),
        ({"terms": [WEIGHT, (("ratio", 5),)]}, "ratio, which no sale records"),
        ({"formula": "C(foo)"}, "name 'foo' is not defined"),
        ({"formula": "C(cut"}, "unclosed bracket"),
        ({"formula": "carat", "family": "gam"}, "a family or a formula"),
        ({"formula": "carat", "folds": 1}, "folds must be"),
        ({"family": "gam", "terms": [WEIGHT]}, "terms has no meaning for the family gam"),
        ({"formula": "carat", "terms": [WEIGHT]}, "terms has no meaning for a formula"),
        ({"terms": "color"}, "terms must be a list of tuples"),
        ({"terms": [("log(carat)", 25)]}, r"is a curve; as a term it is \(\('log"),
        ({"terms": [WEIGHT, (("table", 0),)]}, "4 or more"),
        ({"terms": [WEIGHT, ("cut",), ("cut",)]}, r"\('cut',\) is given twice"),
        ({"weights": ["a"] * 1_000}, "weights must be 1,000 positive numbers"),
        ({"weights": [np.inf] * 1_000}, "weights must be finite"),
        ({"folds": [np.nan, *range(999)]}, "folds are missing for some sales"),
        ({"progress": True}, "progress must be a function"),
    ],
)
def test_what_cannot_be_meant_is_said(some, given, complaint):
    with pytest.raises(FitError, match=complaint):
        fit(some, **given)


def test_a_curve_of_nothing_and_two_kinds_of_folds_are_said(some):
    with pytest.raises(ExpressionError, match="'crt' is not arithmetic"):
        fit(some, terms=[WEIGHT, (("crt", 3),)])
    with pytest.raises(FitError, match="folds or groups, not both"):
        fit(some, folds=some["stone"] % 5, groups=some["stone"])


def test_sales_may_come_from_any_library(some):
    from_pandas = fit(some, "loglinear")
    kept = some.reset_index(drop=True)
    for sales in (
        pa.Table.from_pandas(kept),
        duckdb.from_df(kept),
        {name: kept[name].tolist() for name in kept},
    ):
        model = fit(sales, "loglinear", effective="2008")
        assert model.terms == from_pandas.terms
        np.testing.assert_allclose(model.coefficients, from_pandas.coefficients, rtol=1e-9)
    with pytest.raises(FitError, match="column 'price' must be a list of values, not 3"):
        fit({"price": 3})
    with pytest.raises(FitError, match="a data frame or a dict of columns, not int"):
        fit(3)
    with pytest.raises(StoneError, match="column 'carat' must be a list of values, not 1"):
        Stones.from_frame({"carat": 1})
