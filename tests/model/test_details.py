"""What an explanation works out on demand is what the model says of the same stone in a batch."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import StoneError
from diamond_pricing.model.support import BLEND, RECORDED, listed
from tests.model.test_tables import gradients
from tests.strategies import listings, stones

some = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@some
@given(stone=stones(), listing=listings)
def test_ranges_and_verdicts_of_one_stone_are_those_of_many(packaged, stone, listing):
    one = Stones.of([stone])
    if listing == RECORDED and stone.listing == "x=y":
        return
    if not packaged.supports(one)[0]:
        return
    why = packaged.explain(stone, listing=listing)
    for level in (0.5, 0.9, 0.99):
        try:
            many = [float(end[0]) for end in packaged.range(one, level=level, listing=listing)]
        except StoneError as error:  # too few errors were measured there
            with pytest.raises(StoneError, match=re.escape(str(error))):
                why.range(level)
            continue
        assert why.range(level) == pytest.approx(many, rel=1e-12)
    assert why.verdict == packaged.assess(stone)
    assert packaged.support.near_one(stone) == packaged.support.near(one)[0]


def test_a_grade_that_was_not_seen_has_no_neighbours(packaged):
    strange = Stone(1.0, "Ideal", "Z", "VS1")
    assert (
        packaged.support.near_one(strange)
        == packaged.support.near(Stones.of([strange]))[0]
        == 0
    )
    with pytest.raises(StoneError):
        packaged.explain(Stone(1.0, "Ideal", "E", "VS1")).range(1.0)


@settings(some, max_examples=15)
@given(first=stones(), second=stones(), listing=listings)
def test_standard_errors_are_those_of_the_gradients(packaged, first, second, listing):
    if not packaged.supports(Stones.of([first, second])).all():
        return
    if listing == RECORDED and "x=y" in (first.listing, second.listing):
        return
    whys = [
        (packaged.explain(second, listing=listing), (packaged.reference, BLEND)),
        (packaged.compare(first, second, listing=listing), (first, listing)),
    ]
    for why, start in whys:
        gradient = gradients(packaged, (second, listing), start)
        expected = np.linalg.norm(gradient @ packaged.factor, axis=1)
        if (why.stone, listing) != start:  # of like sales, by how many they are
            ends = [
                listed(Stones.of([s]), w, packaged.training)
                for s, w in ((second, listing), start)
            ]
            behind = np.array([packaged._likeness.count(end)[0] for end in ends])
            spread = (1 / (behind + packaged.like_sales.lean)).sum()
            expected[-1] = packaged.residual_sd * np.sqrt(spread)
        found = [line.standard_error for line in why.lines[1:]]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
