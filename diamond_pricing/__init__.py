"""Diamond prices that explain themselves.

This front door is enough to price. To fit, also import ``diamond_pricing.fitting``; keeping
it out of here lets a server start without pandas, scipy and the rest.
"""

from diamond_pricing.model import PriceExplanation, PriceModel, packaged_model
from diamond_pricing.stones import Stone, Stones, load_sales

__version__ = "0.1.0"

__all__ = ["PriceExplanation", "PriceModel", "Stone", "Stones", "load_sales", "packaged_model"]
