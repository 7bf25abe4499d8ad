"""Promises that hold for every stone, not only for those that we thought of."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from diamond_pricing import PriceModel, Stones
from diamond_pricing.stones import Stone
from tests.strategies import listings, stones


def priced(model: PriceModel, *given_stones: Stone) -> None:
    """Leave out what a model declines to price."""
    assume(model.supports(Stones.of(given_stones)).all())


@given(stone=stones(), reference=stones(), listing=listings)
def test_the_lines_sum_to_the_price_to_the_cent(model, stone, reference, listing):
    priced(model, stone, reference)
    why = model.explain(stone, listing=listing, reference=reference)
    (price,) = model.price(Stones.of([stone]), listing=listing)
    assert sum(line.cents for line in why.lines) == why.cents == math.floor(price * 100 + 0.5)
    assert why.running[-1] == why.cents


@given(stone=stones(), reference=stones(), listing=listings)
def test_the_factors_multiply_to_the_price(model, stone, reference, listing):
    priced(model, stone, reference)
    why = model.explain(stone, listing=listing, reference=reference)
    (price,) = model.price(Stones.of([stone]), listing=listing)
    product = why.reference_price * math.prod(line.factor for line in why.lines)
    # About 100 roundings of log prices up to 10, each off by 1e-15 at most.
    assert math.isclose(product, price, rel_tol=1e-12)


@given(stone=stones(), reference=stones())
def test_every_line_is_within_a_cent_of_its_exact_share(model, stone, reference):
    priced(model, stone, reference)
    why = model.explain(stone, reference=reference)
    (price,) = model.price(Stones.of([stone]))
    if abs(math.log(price / why.reference_price)) < 1e-6:
        return
    mean = (price - why.reference_price) / math.log(price / why.reference_price)
    for line in why.lines[1:]:
        # A hundredth of a cent for the rounding of the logarithmic mean itself.
        assert abs(line.cents - 100 * mean * line.log_effect) <= 1.01


@given(first=stones(), second=stones(), listing=listings)
def test_a_comparison_turns_around_exactly(model, first, second, listing):
    priced(model, first, second)
    there = model.compare(first, second, listing=listing)
    back = model.compare(second, first, listing=listing)
    assert [line.cents for line in there.lines[1:]] == [-line.cents for line in back.lines[1:]]
    assert [line.log_effect for line in there.lines[1:]] == [
        -line.log_effect for line in back.lines[1:]
    ]
    assert there.cents == back.lines[0].cents
    assert there.lines[0].cents == back.cents


@given(stone=stones(), listing=st.sampled_from(["blend", "x<y", "x>y"]))
def test_swapping_length_and_width_never_changes_a_price(model, stone, listing):
    priced(model, stone)
    swapped = replace(stone, x=stone.y, y=stone.x)
    assume(not stone.problems() and not swapped.problems())
    one, other = (model.explain(s, listing=listing) for s in (stone, swapped))
    assert [line.cents for line in one.lines] == [line.cents for line in other.lines]
    assert model.price(Stones.of([stone]), listing=listing) == model.price(
        Stones.of([swapped]), listing=listing
    )


@given(batch=st.lists(stones(), min_size=1, max_size=40), listing=listings)
def test_one_stone_costs_the_same_alone_and_in_a_batch(model, batch, listing):
    batch = [stone for stone in batch if model.supports(Stones.of([stone])).all()]
    assume(batch)
    together = model.itemise(Stones.of(batch), listing=listing)
    prices = model.price(Stones.of(batch), listing=listing)
    for stone, row, price in zip(batch, together, prices, strict=True):
        why = model.explain(stone, listing=listing)
        assert [line.cents for line in why.lines] == row.tolist()
        assert price == model.price(Stones.of([stone]), listing=listing)[0]


@given(batch=st.lists(stones(), min_size=1, max_size=10), reference=stones())
def test_contributions_sum_to_the_difference_in_log_price(model, batch, reference):
    batch = [stone for stone in batch if model.supports(Stones.of([stone])).all()]
    assume(batch)
    priced(model, reference)
    effects = model.contributions(Stones.of(batch), reference=reference)
    assert effects.shape == (len(batch), len(model.lines))
    difference = model.log_price(Stones.of(batch)) - model.log_price(Stones.of([reference]))
    np.testing.assert_allclose(effects.sum(axis=1), difference, rtol=0, atol=1e-12)


@given(stone=stones())
def test_the_reference_stone_needs_no_explaining(model, stone):
    priced(model, stone)
    why = model.explain(stone, reference=stone)
    assert [line.factor for line in why.lines] == [1.0] * len(why.lines)
    assert [line.cents for line in why.lines[1:]] == [0] * len(model.lines)


@given(stone=stones(), other=stones())
def test_a_grade_that_does_not_change_contributes_exactly_nothing(model, stone, other):
    reference = replace(other, color=stone.color, depth=None, x=None, y=None, z=None)
    priced(model, stone, reference)
    (color,) = [
        line for line in model.explain(stone, reference=reference).lines if line.name == "color"
    ]
    assert (color.log_effect, color.cents) == (0.0, 0)


@given(stone=stones())
def test_a_stone_survives_being_written_down(stone):
    measures = " ".join(
        f"{name}={getattr(stone, name)!r}"
        for name in ("depth", "table", "x", "y", "z")
        if getattr(stone, name) is not None
    )
    text = f"{stone.carat!r} {stone.cut} {stone.color} {stone.clarity} {measures}"
    assert Stone.parse(text) == stone


@given(stone=stones(), listing=listings)
def test_a_reloaded_model_prices_to_the_last_bit(model, stone, listing):
    priced(model, stone)
    again = PriceModel.from_json(model.to_json())
    assert again.explain(stone, listing=listing) == model.explain(stone, listing=listing)
