"""What fits without a stone say, how sales pull, and standard errors that a document keeps."""

import numpy as np
import pytest

from diamond_pricing import Stones
from diamond_pricing.fitting.monotone import fit_held_out


@pytest.fixture(scope="module")
def both(sales):
    return fit_held_out(sales)


def test_it_is_the_fit_of_the_family(both, monotone):
    assert both[0] == monotone


def test_leverages_sum_to_the_degrees_of_freedom(both):
    model, held = both
    leverage = held.leverage()
    assert leverage.sum() == pytest.approx(model.edf, rel=1e-9)
    assert (leverage > 0).all()
    assert (leverage < 1).all()
    some = np.array([7, 3, 1001])
    np.testing.assert_allclose(held.leverage(some), leverage[some], rtol=1e-12)


def test_a_sale_moves_only_the_held_out_prices_of_other_stones(sales, both):
    """Three times the price of one stone: its own held-out price does not follow it."""
    _, held = both
    row = int(np.argsort(held.leverage())[-60])
    frame = sales.copy()
    stone = frame["stone"].iloc[held.rows[row]]
    frame.loc[frame["stone"] == stone, "price"] = frame["price"] * 3.0
    again = fit_held_out(frame)[1]
    own = held.sales.price * 0 + np.isin(frame["stone"].to_numpy()[held.rows], [stone])
    moved = np.abs(again.recorded - held.recorded)
    fitted = both[0].log_price(held.sales.stones.take([row]), listing="recorded")
    taught = again.found.laid.fitted(again.found.fit.coefficients)[row]
    taught -= held.found.laid.fitted(held.found.fit.coefficients)[row]
    assert taught > 0.03
    assert moved[own > 0].max() < taught / 4  # through smoothing and mark-up only
    assert np.isfinite(fitted).all()


def test_the_standard_errors_of_a_document_are_those_of_the_fit(sales, both):
    """A projection on 128 directions errs by 1/√256 = 6 %, one standard deviation."""
    model, held = both
    rng = np.random.default_rng(1)
    n = len(held.rows)
    first, second = rng.integers(0, n, (2, 400))
    X = held.found.laid.rows(np.concatenate([first, second]))
    gap = X[:400] - X[400:]
    told = 11 / 9  # of Student's t with 8 degrees of freedom, by what weights take it to be
    exact = np.sqrt(np.einsum("ij,ij->i", gap @ held.found.fit.covariance, gap) * told)
    stones = Stones.from_frame(sales)
    rows = model.design(stones.take(held.rows[first]), listing="recorded") - model.design(
        stones.take(held.rows[second]), listing="recorded"
    )
    kept = np.linalg.norm(rows @ model.factor, axis=1)
    there = exact > 0
    ratio = kept[there] / exact[there]
    assert abs(np.median(ratio) - 1) < 0.05
    assert np.quantile(np.abs(ratio - 1), 0.99) < 0.25  # four standard deviations


def test_no_fold_is_priced_by_a_fit_that_saw_it(both):
    """Errors are larger than those of the fit, by about the same share in every fold."""
    held = both[1]
    found = held.found
    fitted = found.y - found.laid.fitted(found.fit.coefficients)
    unseen = np.log(held.sales.price) - held.recorded
    known = np.isfinite(unseen)
    shares = [
        np.mean(unseen[rows] ** 2 * found.weight[rows])
        / np.mean(fitted[rows] ** 2 * found.weight[rows])
        for rows in (known & (found.fold == k) for k in range(5))
    ]
    assert min(shares) > 1.1, shares
