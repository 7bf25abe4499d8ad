"""Sales and models for tests: real stones, few enough to fit in a second."""

import os
from pathlib import Path

import numpy as np  # noqa: F401  formulas call it by this name
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import HealthCheck, settings

from diamond_pricing import PriceModel, Stones, load_sales, packaged_model
from diamond_pricing.fitting import fit, from_statsmodels

ROOT = Path(__file__).parent
# A fit to sales without length, width and height takes a third of the time.
MEASURES = ["x", "y", "z"]

# The same code gives the same answer on any machine, fast or slow; `make test-long` looks
# further, at other examples each time.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile(
    "long", settings.get_profile("default"), max_examples=2000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# The files whose tests take minutes, longest first: begun last, one would go on alone.
LONGEST = (
    "refit/test_refit",
    "warehouse/test_sums",
    "test_documents",
    "fitting/test_monotone",
    "reporting/test_reports",
    "faults/test_kill",
    "warehouse/test_scoring_sql",
    "properties/test_promises",
    "refit/test_ten_months",
    "web/test_batch",
    "test_packaged",
    "faults/test_attackers",
    "browser/test_page",
    "faults/test_corruption",
    "web/test_openapi",
    "fitting/test_held_out",
    "fitting/test_fit",
    "web/test_following",
    "exhibits/test_numbers",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {ROOT / f"{file}.py": place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


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
