"""What a grade is worth by period: the truth comes back, and thin cells are withheld."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from diamond_pricing.cli import main
from diamond_pricing.errors import FitError
from diamond_pricing.fitting import grade_worth
from diamond_pricing.stones import ATTRIBUTES

QUARTERS = ("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4")


@pytest.fixture(scope="module")
def dated(catalog) -> pd.DataFrame:
    """Sales of a year in which D gains 3 % a quarter on all other colors."""
    names = ["carat", "cut", "color", "clarity", "price"]
    some = catalog[catalog["stone"] % 11 == 3][names].reset_index(drop=True)
    rng = np.random.default_rng(4)
    quarter = rng.integers(0, 4, len(some))
    first = pd.to_datetime([f"2025-{3 * q + 1:02d}-01" for q in quarter])
    sold = first + pd.to_timedelta(rng.integers(0, 90, len(some)), unit="D")
    gain = np.exp(0.03 * quarter * (some["color"] == "D") - 0.05 * quarter)
    return some.assign(sold=sold.strftime("%Y-%m-%d"), price=(some["price"] * gain).round(2))


def test_a_grade_that_gains_is_seen_to(dated):
    found = grade_worth(dated, "color")
    usual = dated["color"].astype(str).value_counts().idxmax()
    assert [w.period for w in found if w.grade == usual] == list(QUARTERS)
    assert all((w.worth, w.low, w.high) == (1, 1, 1) for w in found if w.grade == usual)
    d = [w for w in found if w.grade == "D"]
    gained = np.log(d[-1].worth / d[0].worth)
    assert gained == pytest.approx(0.09, abs=0.03)
    other = [w for w in found if w.grade == "F"]
    assert abs(np.log(other[-1].worth / other[0].worth)) < 0.05
    assert all(w.low < w.worth < w.high for w in d)
    assert sum(w.sales for w in found) == len(dated)


def test_it_equals_a_regression_with_an_interaction(dated):
    found = {(w.period, w.grade): w for w in grade_worth(dated, "color")}
    usual = dated["color"].astype(str).value_counts().idxmax()
    frame = dated.assign(
        quarter=pd.PeriodIndex(dated["sold"], freq="Q").strftime("%Y-Q%q"),
        color=dated["color"].astype(str),
        cut=dated["cut"].astype(str),
        clarity=dated["clarity"].astype(str),
        log=np.log(dated["carat"]),
    )
    enough = frame.groupby(["quarter", "color"])["price"].transform("size") >= 5
    fit = smf.ols(
        f"np.log(price) ~ log + I(log**2) + I(log**3) + C(cut) + C(clarity) "
        f"+ C(quarter)*C(color, Treatment('{usual}'))",
        frame[enough],
    ).fit()
    for quarter in QUARTERS:
        log = fit.params[f"C(color, Treatment('{usual}'))[T.D]"] + fit.params.get(
            f"C(quarter)[T.{quarter}]:C(color, Treatment('{usual}'))[T.D]", 0.0
        )
        assert np.log(found[quarter, "D"].worth) == pytest.approx(log, abs=1e-4)


def test_thin_cells_are_withheld_with_their_counts(dated):
    thin = dated[(dated["color"] != "J") | (dated.index % 40 == 0)]
    found = [w for w in grade_worth(thin, "color", by="month") if w.grade == "J"]
    assert any(w.worth is None and 0 < w.sales < 5 for w in found)
    assert all((w.worth is None) == (w.sales < 5) for w in found)


@pytest.mark.parametrize(
    ("attribute", "how", "says"),
    [
        ("carat", {}, "not an attribute with grades"),
        ("color", {"level": 2}, "between 0 and 1"),
        ("girth", {}, "not an attribute"),
    ],
)
def test_what_cannot_be_is_refused(dated, attribute, how, says):
    with pytest.raises(FitError, match=says):
        grade_worth(dated, attribute, **how)
    with pytest.raises(FitError, match="no dates"):
        grade_worth(dated.drop(columns="sold"), "color")


def test_the_command_prints_it(dated, tmp_path, capsys):
    dated.to_csv(tmp_path / "sales.csv", index=False)
    assert main(["worth", "colour", "--sales", str(tmp_path / "sales.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["period"] for row in rows} == set(QUARTERS)
    assert [r["grade"] for r in rows[:7]] == list(ATTRIBUTES["color"].grades)[-7:]
    assert main(["worth", "color"]) == 2
    assert "--sales or --home" in capsys.readouterr().err
