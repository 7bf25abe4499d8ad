"""The model that ships with the package."""

from importlib.resources import files

from diamond_pricing.model.price_model import PriceModel


def packaged_model() -> PriceModel:
    """Load the model that ships with the package, fitted on the packaged sales.

    ``scripts/build_packaged_model.py`` makes it.
    """
    return PriceModel.from_json(
        files("diamond_pricing.model").joinpath("data/packaged.json").read_bytes()
    )
