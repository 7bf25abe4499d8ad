"""How an attribute enters the price.

A `Term` is a tensor product of bases. A *basis* spreads one feature over columns: `Levels`
for grades, `Slope` for a number as it is, `Spline` for a smooth curve. To add a kind of
effect, write one basis file and add it to ``AnyBasis`` in `diamond_pricing.terms.term`.
"""

from diamond_pricing.terms.basis import Averages, Basis, Rows, dense
from diamond_pricing.terms.expression import Expression, parse
from diamond_pricing.terms.levels import Contrast, Levels
from diamond_pricing.terms.over import Periods, Slope
from diamond_pricing.terms.spline import Spline
from diamond_pricing.terms.steps import Steps
from diamond_pricing.terms.term import AnyBasis, Term, interleaved, looked_up

__all__ = [
    "AnyBasis",
    "Averages",
    "Basis",
    "Contrast",
    "Expression",
    "Levels",
    "Periods",
    "Rows",
    "Slope",
    "Spline",
    "Steps",
    "Term",
    "dense",
    "interleaved",
    "looked_up",
    "parse",
]
