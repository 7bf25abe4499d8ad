import warnings

import numpy as np
import pandas as pd
import pytest

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import DiamondPricingError, FitError, StoneError
from diamond_pricing.fitting import fit
from diamond_pricing.fitting.gam import LAMBDAS
from tests.strategies import COLORS, CUTS


@pytest.mark.parametrize("family", ["loglinear", "gam", "monotone"])
def test_known_effects_are_found_again(family):
    """On sales whose truth is known, each line gives back its true factor."""
    rng = np.random.default_rng(5)
    n = 3000
    carat = np.round(np.exp(rng.uniform(np.log(0.3), np.log(2.5), n)), 2)
    cut, color, clarity = (rng.integers(0, k, n) for k in (5, 7, 8))
    log_price = (
        8
        + 1.7 * np.log(carat)
        + 0.04 * cut
        + 0.06 * color
        + 0.09 * clarity
        + 0.05 * rng.normal(size=n)
    )
    sales = pd.DataFrame(
        {
            "carat": carat,
            "cut": np.array(CUTS)[cut],
            "color": np.array(COLORS)[color],
            "clarity": np.array(["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"])[
                clarity
            ],
            "price": np.exp(log_price),
        }
    )
    model = fit(sales, family)
    why = model.explain(Stone(1.4, "Ideal", "D", "IF"), reference=Stone(0.7, "Fair", "J", "I1"))
    truth = {"carat": 1.7 * np.log(2), "cut": 0.16, "color": 0.36, "clarity": 0.63}
    lines = {line.name: line for line in why.lines[1:]}
    if "magic" in lines:  # there is no jump, so weight as a whole is what counts
        jump, weight = lines.pop("magic"), lines.pop("carat")
        both = jump.log_effect + weight.log_effect
        assert abs(both - truth["carat"]) < 4 * jump.standard_error + 0.005
    for line in lines.values():
        # Four of its own standard errors, and 0.005 for the ridge on grades.
        assert abs(line.log_effect - truth[line.name]) < 4 * line.standard_error + 0.005
        assert 0.0005 < line.standard_error < 0.03
    assert model.residual_sd == pytest.approx(0.05, rel=0.1)
    assert model.training.currency == "USD"
    assert model.training.effective == "undated"


def test_the_smoothness_is_searched(gam):
    chosen = [float(v) for v in gam.origin.split("λ = ")[1].split("; ")]
    assert set(chosen) <= set(LAMBDAS)
    assert set(chosen) != {0.6}


def test_a_column_that_is_absent_leaves_its_terms_out(sales):
    model = fit(sales[["carat", "cut", "color", "clarity", "price"]], "loglinear")
    assert model.lines == ("carat", "cut", "color", "clarity")
    with_depth = fit(sales.drop(columns=["x", "y", "z"]), "loglinear")
    assert "proportions" in with_depth.lines
    assert "listing" not in with_depth.lines


def test_a_constant_column_is_not_used(sales):
    model = fit(sales.assign(cut="Ideal"), "loglinear")
    assert "cut" not in model.lines
    assert list(model.training.grades["cut"]) == ["Ideal"]


def test_sales_left_out_are_counted(catalog):
    some = catalog[catalog["stone"] % 3 == 0]
    model = fit(some, "loglinear")
    assert model.training.rows + sum(model.training.left_out.values()) == len(some)
    assert model.training.left_out["measurements contradict each other"] > 0


def test_headers_and_grades_may_be_written_as_people_do(sales, loglinear):
    theirs = sales.rename(columns={"carat": "Carat Weight", "color": "Colour"}).assign(
        cut=sales["cut"].astype(str).str.lower(), clarity=sales["clarity"].astype(str)
    )
    assert fit(theirs, "loglinear") == loglinear


def test_the_reference_is_the_common_stone(loglinear):
    assert loglinear.reference == Stone(0.7, "Ideal", "G", "SI1")


def test_currency_and_date_travel_with_the_sales(sales):
    assert fit(sales, "loglinear").training.effective == "2008"
    model = fit(sales, "loglinear", currency="EUR", effective="2026-11")
    why = model.explain(Stone(1.01, "Ideal", "E", "VS1"))
    assert (why.currency, why.effective, why.money) == ("EUR", "2026-11", "2026-11 euros")
    assert "€" in str(why)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (
            lambda s: s.assign(price=-1),
            FitError,
            "not positive numbers under 1e.12; the first is -1",
        ),
        (lambda s: s.assign(price=s["price"].where(s.index != 7)), FitError, "nan in row 7"),
        (lambda s: s.assign(price=np.inf), FitError, "inf in row 0"),
        (lambda s: s.assign(price="dear"), FitError, "not a number"),
        (lambda s: s.drop(columns="price"), FitError, "one column 'price'; found 0"),
        (lambda s: s.head(29), FitError, "28 stones are too few"),
        (lambda s: s.head(0), FitError, "0 stones are too few"),
        (lambda s: pd.concat([s.head(2)] * 500), FitError, "sales of 2 stones"),
        (lambda s: s.assign(price=1000), FitError, "all prices are the same"),
        (lambda s: s.assign(price=s["price"] * 1e300), FitError, "not positive numbers under"),
        (lambda s: s.assign(price=pd.Timestamp("2026-01-01")), FitError, "not a number"),
        (
            lambda s: s.assign(price=["12.5", "dear", *["7"] * (len(s) - 2)]),
            FitError,
            "'dear' in row 1",
        ),
        (lambda s: s.assign(price=True), FitError, "not a number: True"),
        (lambda s: s.assign(price=1j), FitError, "not a number: 1j"),
        (lambda s: s.drop(columns="carat"), StoneError, "no column for carat"),
        (lambda s: s.assign(carat=1.0), FitError, "same weight"),
        (lambda s: s.assign(carat=0.0), StoneError, "carat must be between"),
        (lambda s: s.assign(color="Ы"), StoneError, "CYRILLIC"),
        (lambda s: s.assign(depth=np.inf), StoneError, "depth must be"),
    ],
)
@pytest.mark.parametrize("family", ["loglinear", "gam", "monotone"])
def test_bad_sales_are_refused_with_the_reason(sales, family, change, error, says):
    with pytest.raises(error, match=says):
        fit(change(sales), family)


def test_an_unknown_family_is_refused(sales):
    with pytest.raises(
        FitError, match="'forest' is not known; choose monotone or gam or loglinear"
    ):
        fit(sales, "forest")


@pytest.mark.parametrize("family", ["loglinear", "gam", "monotone"])
@pytest.mark.parametrize("rows", [30, 60, 300])
def test_few_sales_give_a_model_or_a_clear_error(sales, family, rows):
    few = sales.sample(rows, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = fit(few, family)
        except DiamondPricingError:
            assert rows < 300  # any other error would have come through
            return
    prices = model.price(Stones.from_frame(few))
    assert np.isfinite(prices).all()
    assert np.median(np.abs(np.log(prices / few["price"]))) < 0.2
