"""Tables and figures: one function each, drawn from an explanation or an evaluation."""

from diamond_pricing.exhibits.evaluation_table import evaluation_table
from diamond_pricing.exhibits.explanation_page import explanation_page
from diamond_pricing.exhibits.markup_table import markup_table
from diamond_pricing.exhibits.waterfall import waterfall_svg

__all__ = ["evaluation_table", "explanation_page", "markup_table", "waterfall_svg"]
