"""What was found: a fitted price model, and what it says about a stone."""

from diamond_pricing.model.explanation import Line, PriceExplanation
from diamond_pricing.model.packaged import packaged_model
from diamond_pricing.model.price_model import PriceModel
from diamond_pricing.model.training import Training

__all__ = ["Line", "PriceExplanation", "PriceModel", "Training", "packaged_model"]
