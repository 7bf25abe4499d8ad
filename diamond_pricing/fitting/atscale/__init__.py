"""The same fit from sums over sales, however many: counted anywhere, added, taken away."""

from diamond_pricing.fitting.atscale.frame import Bins, Frame
from diamond_pricing.fitting.atscale.moments import Counts, Errors, Moments
from diamond_pricing.fitting.atscale.solve import designed, fit_moments, founded, solved

__all__ = [
    "Bins",
    "Counts",
    "Errors",
    "Frame",
    "Moments",
    "designed",
    "fit_moments",
    "founded",
    "solved",
]
