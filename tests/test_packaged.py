import numpy as np

from diamond_pricing import Stones
from diamond_pricing.fitting import fit


def test_the_packaged_model_is_the_one_that_its_script_makes(packaged, catalog):
    """Another BLAS sums in another order, and smoothing stops at a small gradient, not at nil:
    prices agree within a tenth of a per cent, far under any standard error."""
    again = fit(catalog)
    stones = Stones.from_frame(catalog)
    assert again.training == packaged.training
    assert again.origin == packaged.origin
    for listing in ("blend", "recorded"):
        np.testing.assert_allclose(
            again.price(stones, listing=listing, extrapolate=True),
            packaged.price(stones, listing=listing, extrapolate=True),
            rtol=1e-3,
        )


def test_the_packaged_model_prices_every_packaged_sale(packaged, catalog):
    stones = Stones.from_frame(catalog)
    error = np.log(packaged.price(stones, listing="recorded") / catalog["price"])
    assert np.sqrt(np.mean(error**2)) < 0.084
    cents = packaged.itemise(stones)
    np.testing.assert_array_equal(
        cents.sum(axis=1), np.floor(packaged.price(stones) * 100 + 0.5)
    )
