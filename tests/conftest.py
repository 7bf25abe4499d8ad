"""Sales and models for tests: real stones, few enough to fit in a second."""

import os

import numpy as np  # noqa: F401  formulas call it by this name
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import HealthCheck, settings

from diamond_pricing import PriceModel, Stones, load_sales, packaged_model
from diamond_pricing.fitting import fit, from_statsmodels

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("long", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def catalog() -> pd.DataFrame:
    return load_sales()


@pytest.fixture(scope="session")
def sales(catalog: pd.DataFrame) -> pd.DataFrame:
    """Every twelfth stone, with all of its rows."""
    return catalog[catalog["stone"] % 12 == 0].reset_index(drop=True)


@pytest.fixture(scope="session")
def stones(sales: pd.DataFrame) -> Stones:
    return Stones.from_frame(sales)


@pytest.fixture(scope="session")
def loglinear(sales: pd.DataFrame) -> PriceModel:
    return fit(sales, "loglinear")


@pytest.fixture(scope="session")
def gam(sales: pd.DataFrame) -> PriceModel:
    return fit(sales, "gam")


@pytest.fixture(scope="session")
def monotone(sales: pd.DataFrame) -> PriceModel:
    return fit(sales)


@pytest.fixture(scope="session")
def packaged() -> PriceModel:
    return packaged_model()


@pytest.fixture(scope="session", params=["loglinear", "gam", "surfaces", "monotone"])
def model(request: pytest.FixtureRequest) -> PriceModel:
    """All families, and a fit whose terms are interactions and depend on length and width."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def surfaces(sales: pd.DataFrame) -> PriceModel:
    formula = (
        "np.log(price) ~ bs(np.log(carat), df=7) * C(color) + C(clarity, Sum)"
        " + carat:C(cut):C(listing) + I(depth * table / 1000) + np.log(x) + np.sqrt(y)"
        " + np.minimum(x, 5.5)"
    )
    return from_statsmodels(smf.ols(formula, _usable(sales)).fit(cov_type="HC1"))


def _usable(sales: pd.DataFrame) -> pd.DataFrame:
    bad = {row for row, _ in Stones.from_frame(sales).left_out}
    frame = sales.drop(index=sorted(bad)).query("listing != 'x=y'")
    return frame.assign(listing=frame["listing"].cat.remove_unused_categories())
