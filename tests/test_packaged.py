import numpy as np

from diamond_pricing import PriceModel, Stones, load_sales
from tests.test_arithmetic import ALIKE, fitted


def test_the_packaged_model_is_the_one_that_the_command_makes(packaged, tmp_path):
    """To the byte; with another arithmetic within the steps that effects are rounded to."""
    again = PriceModel.from_json(fitted(tmp_path / "model.json"))
    if ALIKE:
        assert again.sha256 == packaged.sha256
    stones = Stones.from_frame(load_sales())
    for listing in ("blend", "recorded"):
        np.testing.assert_allclose(
            again.price(stones, listing=listing, extrapolate=True),
            packaged.price(stones, listing=listing, extrapolate=True),
            rtol=2e-3,
        )


def test_the_packaged_model_prices_every_packaged_sale(packaged, catalog):
    stones = Stones.from_frame(catalog)
    error = np.log(packaged.price(stones, listing="recorded") / catalog["price"])
    assert np.sqrt(np.mean(error**2)) < 0.084
    cents = packaged.itemise(stones)
    np.testing.assert_array_equal(
        cents.sum(axis=1), np.floor(packaged.price(stones) * 100 + 0.5)
    )
