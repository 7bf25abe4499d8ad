"""Our own fit: tables of counts → Gram matrix → smoothness by REML → shape constraints.

Nothing after the tables depends on the number of sales (Wood, Li, Shaddick & Augustin 2017,
*JASA* 112, 1199–1210).
"""

from diamond_pricing.fitting.engine.design import Design, Margin, Sheet, learned, sheets
from diamond_pricing.fitting.engine.smoothing import PenalisedFit, reml, roughly, smooth, solve
from diamond_pricing.fitting.engine.tables import Gram, Tables, turned

__all__ = [
    "Design",
    "Gram",
    "Margin",
    "PenalisedFit",
    "Sheet",
    "Tables",
    "learned",
    "reml",
    "roughly",
    "sheets",
    "smooth",
    "solve",
    "turned",
]
