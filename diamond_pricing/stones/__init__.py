"""What a diamond is: its attributes, one stone, many stones, and the packaged sales."""

from diamond_pricing.stones.attributes import (
    Attribute,
    Day,
    Grade,
    Measure,
    carats,
    several,
    shown,
)
from diamond_pricing.stones.catalog import Columns, load_columns, load_sales
from diamond_pricing.stones.checks import Problem
from diamond_pricing.stones.keys import stone_keys
from diamond_pricing.stones.stone import Stone
from diamond_pricing.stones.stones import Coded, Stones
from diamond_pricing.stones.trade import (
    ATTRIBUTES,
    GRADES,
    LIKE_LINE,
    LINES,
    LISTING,
    MAGIC_LINE,
    MEASURES,
    OTHERS,
    attribute_named,
    date_of_sale,
    priced_by,
)

__all__ = [
    "ATTRIBUTES",
    "GRADES",
    "LIKE_LINE",
    "LINES",
    "LISTING",
    "MAGIC_LINE",
    "MEASURES",
    "OTHERS",
    "Attribute",
    "Coded",
    "Columns",
    "Day",
    "Grade",
    "Measure",
    "Problem",
    "Stone",
    "Stones",
    "attribute_named",
    "carats",
    "date_of_sale",
    "load_columns",
    "load_sales",
    "priced_by",
    "several",
    "shown",
    "stone_keys",
]
