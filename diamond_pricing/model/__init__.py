"""What was found: a fitted price model, and what it says about a stone."""

from importlib.resources import files

from diamond_pricing.model.explanation import Line, PriceExplanation
from diamond_pricing.model.price_model import PriceModel
from diamond_pricing.model.training import Training

__all__ = ["Line", "PriceExplanation", "PriceModel", "Training", "packaged_model"]


def packaged_model() -> PriceModel:
    """Load the model that ships with the package, fitted on the packaged sales.

    ``scripts/build_packaged_model.py`` makes it.
    """
    return PriceModel.from_json(
        files("diamond_pricing.model").joinpath("data/packaged.json").read_bytes()
    )
