"""Prices and lines are read from tables; the terms, written out, say what they must be."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from diamond_pricing import Stone, Stones
from diamond_pricing.model.support import BLEND, RECORDED, listed
from diamond_pricing.model.tables import coalitions, shared
from diamond_pricing.stones import LISTING
from diamond_pricing.terms import interleaved
from diamond_pricing.terms.basis import dense
from tests.strategies import listings
from tests.strategies import stones as made

some = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def by_orders(lines, value):
    """Each line's mean change over all orders in which the lines can move."""
    orders = list(permutations(lines))
    total = dict.fromkeys(lines, 0.0)
    for order in orders:
        for place, line in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            total[line] = total[line] + (value(after) - value(before)) / len(orders)
    return total


def gradients(model, here, there):
    """Derivative of each line's effect by each coefficient, the long way, shape (k, p)."""
    runs = []
    for term in model.terms:
        ends = [
            [
                dense(b, b.rows(listed(Stones.of([s]), how, model.training), model.averages))
                for b in term.bases
            ]
            for s, how in (here, there)
        ]

        def value(moved, ends=ends, term=term):
            parts = [ends[0 if b.line in moved else 1][i] for i, b in enumerate(term.bases)]
            return interleaved(parts, 1)

        run = np.zeros((len(model.lines), term.width))
        for line, part in by_orders(term.lines, value).items():
            run[model.lines.index(line)] = part[0]
        runs.append(run)
    return np.hstack(runs)


def base_effects(model, stone, listing, reference):
    """Effects that `contributions` gives, without mark-up and like sales."""
    one = Stones.of([stone])
    effects = model.contributions(one, listing=listing, reference=reference)[0]
    if model.markup is not None:
        start = Stones.of([model.reference if reference is None else reference])
        marked = model._total(listed(one, listing, model.training))[1]
        marked = marked - model._total(listed(start, BLEND, model.training))[1]
        effects[model.lines.index(LISTING.line)] -= marked[0]
    if model.like_sales is not None:
        effects[-1] = 0.0
    return effects


@some
@given(stone=made(), other=made(), listing=listings)
def test_lines_are_shapleys_shares_of_the_terms(model, stone, other, listing):
    assume(model.supports(Stones.of([stone, other])).all())
    assume(listing != RECORDED or stone.listing != "x=y")
    for reference in (None, other):
        start = model.reference if reference is None else reference
        expected = gradients(model, (stone, listing), (start, BLEND)) @ model.coefficients
        found = base_effects(model, stone, listing, reference)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


@some
@given(stone=made(), listing=listings)
def test_prices_are_the_design_times_the_coefficients(model, stone, listing):
    one = Stones.of([stone])
    assume(model.supports(one).all())
    assume(listing != RECORDED or stone.listing != "x=y")
    base = (model.design(one, listing=listing) @ model.coefficients)[0]
    placed = listed(one, listing, model.training)
    marked = model._total(placed)[1][0]
    if model.like_sales is not None:
        marked += model._likeness.of(placed)[0]
    assert model.log_price(one, listing=listing)[0] == pytest.approx(base + marked, abs=1e-11)


@settings(some, max_examples=15)
@given(stone=made())
def test_a_stone_alone_costs_to_the_bit_what_it_costs_in_a_batch(packaged, stones, stone):
    assume(packaged.supports(Stones.of([stone]))[0])
    several = stones.take(np.flatnonzero(packaged.supports(stones))[:50])
    ready = packaged._from_reference
    among = {
        name: np.append(column, Stones.of([stone])[name])
        for name, column in several.columns.items()
    }
    batch = ready.many(Stones(among))
    assert batch[-1].tolist() == ready.many(Stones.of([stone]))[0].tolist()
    np.testing.assert_array_equal(batch[:-1], ready.many(several))
    np.testing.assert_allclose(batch[-1], ready.one(stone), rtol=0, atol=1e-14)


def test_a_weight_a_hair_below_a_hundredth_has_not_reached_it(packaged):
    """In one batch, with weights of hundredths and others beside them."""
    edges = np.array([0.3, 0.5, 0.7, 0.9, 1.0, 1.5])
    carat = np.concatenate([edges, np.nextafter(edges, 0), edges - 1e-10, edges + 0.001])
    few = Stones.of([Stone(float(c), "Ideal", "G", "VS2") for c in carat])
    one_by_one = [packaged._from_reference.one(few.stone(i)) for i in range(len(few))]
    np.testing.assert_allclose(packaged._from_reference.many(few), one_by_one, atol=1e-14)
    prices = packaged.price(few)
    assert (prices[6:12] < 0.99 * prices[:6]).all()  # the jump lies between them


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4])
def test_shares_are_shapleys_and_turn_round_to_the_bit(k):
    rng = np.random.default_rng(k)
    corners = [rng.normal(size=3) for _ in range(1 << k)]
    lines = tuple(range(k))
    value = {frozenset(j for j in lines if p >> j & 1): corners[p] for p in range(1 << k)}
    expected = by_orders(lines, value.__getitem__) if k else {}
    found = shared(k, corners)
    back = shared(k, corners[::-1])
    for line in lines:
        np.testing.assert_allclose(found[line], expected[line], atol=1e-12)
        np.testing.assert_array_equal(found[line], -back[line])
    assert len(coalitions(k)) == k
