"""How a model is found: two ready-made families, and compilers for an analyst's own fits."""

from diamond_pricing.fitting.fit import DEFAULT, FAMILIES, fit
from diamond_pricing.fitting.from_pygam import design_matrix, from_pygam
from diamond_pricing.fitting.from_statsmodels import from_statsmodels
from diamond_pricing.fitting.grade_worth import grade_worth
from diamond_pricing.fitting.hedonic_index import hedonic_index
from diamond_pricing.fitting.sales import Sales, read_sales

__all__ = [
    "DEFAULT",
    "FAMILIES",
    "Sales",
    "design_matrix",
    "fit",
    "from_pygam",
    "from_statsmodels",
    "grade_worth",
    "hedonic_index",
    "read_sales",
]
