"""Tables and figures: one function each. Every exhibit also gives its numbers, ``frame``."""

from diamond_pricing.exhibits.accuracy import (
    calibration,
    coverage,
    coverage_figure,
    coverage_table,
    peers,
    residual_map,
    residuals,
    scores_table,
)
from diamond_pricing.exhibits.audit import Audit, audit, ratio_table, unpriced
from diamond_pricing.exhibits.diagnostics import (
    breusch_pagan,
    certificate_table,
    concurvity_table,
    facts,
    influence_table,
    scatter_table,
    stability,
    stated_ranges,
)
from diamond_pricing.exhibits.effects import (
    average_steps,
    grade_steps,
    magic_steps,
    partial_effect,
    surface,
)
from diamond_pricing.exhibits.evaluation_table import evaluation_table
from diamond_pricing.exhibits.exhibit import Figure, Table
from diamond_pricing.exhibits.explanation_page import explanation_page
from diamond_pricing.exhibits.markup_table import markup_table
from diamond_pricing.exhibits.moves import (
    deliveries_table,
    findings_table,
    lines_moved,
    movements,
    movers,
)
from diamond_pricing.exhibits.price_list import PriceList, price_list, priced_cells
from diamond_pricing.exhibits.reasons import like_sales, reasons
from diamond_pricing.exhibits.sales import (
    grades_hidden_by_weight,
    ladder,
    price_against_weight,
    quality,
    sold_weights,
)
from diamond_pricing.exhibits.waterfall import band_svg, bridge, waterfall, waterfall_svg

__all__ = [
    "Audit", "Figure", "PriceList", "Table", "audit", "average_steps", "band_svg",
    "breusch_pagan", "bridge", "calibration", "certificate_table", "concurvity_table",
    "coverage", "coverage_figure", "coverage_table", "deliveries_table", "evaluation_table",
    "explanation_page", "facts", "findings_table", "grade_steps", "grades_hidden_by_weight",
    "influence_table", "ladder", "like_sales", "lines_moved", "magic_steps", "markup_table",
    "movements", "movers", "partial_effect", "peers", "price_against_weight", "price_list",
    "priced_cells", "quality", "ratio_table", "reasons", "residual_map", "residuals",
    "scatter_table", "scores_table", "sold_weights", "stability", "stated_ranges", "surface",
    "unpriced", "waterfall", "waterfall_svg",
]  # fmt: skip
