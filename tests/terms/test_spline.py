"""The B-spline basis is scipy's, number for number."""

import numpy as np
import pytest
from scipy.interpolate import BSpline

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import FitError
from diamond_pricing.terms import Averages, Spline, dense

AVERAGES = Averages((0.5, 1.0), ("Ideal",), (0.5, 0.0, 0.5))


def basis_at(spline: Spline, carats: list[float]) -> np.ndarray:
    stones = Stones.of(Stone(c, "Ideal", "E", "VS1") for c in carats)
    return dense(spline, spline.rows(stones, AVERAGES))


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("interior", [(), (1.0,), (0.5, 1.0, 1.0, 1.7)])
def test_inside_the_knots_it_is_the_textbook_basis(degree, interior):
    knots = (0.2,) * (degree + 1) + interior + (3.0,) * (degree + 1)
    spline = Spline("carat", knots, degree)
    carats = np.round(np.linspace(0.2, 3.0, 57), 4)
    expected = BSpline.design_matrix(carats, np.array(knots), degree).toarray()
    np.testing.assert_allclose(basis_at(spline, carats.tolist()), expected, atol=1e-13)


def test_the_columns_sum_to_one_wherever_the_stone_lies():
    spline = Spline("log(carat)", tuple(np.linspace(-3, 3, 14)), 3)
    np.testing.assert_allclose(basis_at(spline, [0.02, 0.2, 1.0, 5.0, 90.0]).sum(axis=1), 1)


def test_beyond_the_boundary_the_curve_goes_on_straight():
    knots = np.linspace(-0.6, 2.6, 17)  # boundary at 0.0 and 2.0
    spline = Spline("carat", tuple(knots), 3)
    coefficients = np.random.default_rng(0).normal(size=spline.width)
    reference = BSpline(knots, coefficients, 3)
    values = basis_at(spline, [2.0, 2.5, 4.0, 10.0]) @ coefficients
    slope = float(reference.derivative()(2.0))
    expected = [float(reference(2.0)) + slope * (c - 2.0) for c in (2.0, 2.5, 4.0, 10.0)]
    np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("knots", "degree"),
    [((0.0, 1.0), 3), ((2.0, 1.0, 0.0, 3.0), 1), ((1.0,) * 8, 3), ((0, 1), 0)],
)
def test_knots_that_carry_no_spline_are_refused(knots, degree):
    with pytest.raises(FitError):
        Spline("carat", knots, degree)
