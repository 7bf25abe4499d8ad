"""Tables and figures: one function each. Every exhibit also gives its numbers, ``frame``."""

from diamond_pricing.exhibits.accuracy import (
    against_best,
    floor,
    floor_words,
    peers,
    scores_by_band,
    scores_table,
)
from diamond_pricing.exhibits.audit import (
    Audit,
    alone,
    audit,
    ratio_table,
    ratio_words,
    unpriced,
)
from diamond_pricing.exhibits.calibration import calibration, residual_map, residuals
from diamond_pricing.exhibits.candidates import Candidates, candidates
from diamond_pricing.exhibits.coverage import (
    coverage,
    coverage_figure,
    coverage_table,
    coverage_words,
    inside,
)
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
    changes,
    grade_steps,
    magic_steps,
    partial_effect,
    surface,
)
from diamond_pricing.exhibits.evaluation_table import evaluation_table
from diamond_pricing.exhibits.exhibit import Figure, Prose, Table, plain_markdown
from diamond_pricing.exhibits.explanation_page import explanation_page
from diamond_pricing.exhibits.index import (
    index_chart,
    index_table,
    segments_table,
    told_table,
    worth_table,
)
from diamond_pricing.exhibits.markup_table import markup_table
from diamond_pricing.exhibits.moves import (
    deliveries_table,
    difference_table,
    drift,
    findings_table,
    lines_moved,
    models_table,
    movements,
    movers,
)
from diamond_pricing.exhibits.price_list import (
    PriceList,
    price_list,
    price_list_pages,
    priced_cells,
    usual_cut,
)
from diamond_pricing.exhibits.priced import Priced, middle, rms_limits
from diamond_pricing.exhibits.reasons import measures_text, reasons
from diamond_pricing.exhibits.sales import (
    grades_hidden_by_weight,
    ladder,
    price_against_weight,
    quality,
    sold_weights,
)
from diamond_pricing.exhibits.waterfall import band_svg, bridge, waterfall, waterfall_svg

__all__ = [
    "Audit",
    "Candidates",
    "Figure",
    "PriceList",
    "Priced",
    "Prose",
    "Table",
    "against_best",
    "alone",
    "audit",
    "average_steps",
    "band_svg",
    "breusch_pagan",
    "bridge",
    "calibration",
    "candidates",
    "certificate_table",
    "changes",
    "concurvity_table",
    "coverage",
    "coverage_figure",
    "coverage_table",
    "coverage_words",
    "deliveries_table",
    "difference_table",
    "drift",
    "evaluation_table",
    "explanation_page",
    "facts",
    "findings_table",
    "floor",
    "floor_words",
    "grade_steps",
    "grades_hidden_by_weight",
    "index_chart",
    "index_table",
    "influence_table",
    "inside",
    "ladder",
    "lines_moved",
    "magic_steps",
    "markup_table",
    "measures_text",
    "middle",
    "models_table",
    "movements",
    "movers",
    "partial_effect",
    "peers",
    "plain_markdown",
    "price_against_weight",
    "price_list",
    "price_list_pages",
    "priced_cells",
    "quality",
    "ratio_table",
    "ratio_words",
    "reasons",
    "residual_map",
    "residuals",
    "rms_limits",
    "scatter_table",
    "scores_by_band",
    "scores_table",
    "segments_table",
    "sold_weights",
    "stability",
    "stated_ranges",
    "surface",
    "told_table",
    "unpriced",
    "usual_cut",
    "waterfall",
    "waterfall_svg",
    "worth_table",
]
