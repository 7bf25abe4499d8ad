"""The prepared plan gives what the general way gives."""

import numpy as np
from hypothesis import assume, given

from diamond_pricing import Stone, Stones
from diamond_pricing.model.plan import Plan
from diamond_pricing.model.support import BLEND, listed
from tests.strategies import stones


def general(model, stone):
    here, there = (
        model._total(listed(batch, BLEND, model.training))
        for batch in (Stones.of([stone]), Stones.of([model.reference]))
    )
    return model._divided(here, there, 1)[0]


@given(stone=stones())
def test_the_plan_gives_the_effects_of_the_terms(model, stone):
    plan = Plan.of(model)
    if plan is None:
        return  # the surfaces, see below
    assume(model.supports(Stones.of([stone])).all())
    quick = np.array(plan.effects(stone))
    table = plan.table(Stones.of([stone]))[0]
    # The mark-up is put on by the model, not by the plan.
    terms = general(model, stone)
    if model.markup is not None:
        effects = model.contributions(Stones.of([stone]))[0]
        np.testing.assert_allclose(effects, terms, rtol=0, atol=1e-12)
        quick[plan.listing] = table[plan.listing] = terms[plan.listing]
    np.testing.assert_allclose(quick, terms, rtol=0, atol=1e-12)
    np.testing.assert_allclose(table, terms, rtol=0, atol=1e-12)


def test_ready_made_families_have_a_plan(loglinear, gam, monotone, packaged):
    for model in (loglinear, gam, monotone, packaged):
        assert Plan.of(model) is not None


def test_a_fit_that_depends_on_the_order_of_sides_goes_the_general_way(surfaces):
    assert Plan.of(surfaces) is None


def test_a_weight_a_hair_below_a_hundredth_has_not_reached_it(packaged):
    """In one batch, with weights of hundredths and others beside them."""
    edges = np.array([0.3, 0.5, 0.7, 0.9, 1.0, 1.5])
    carat = np.concatenate([edges, np.nextafter(edges, 0), edges - 1e-10, edges + 0.001])
    few = Stones.of([Stone(float(c), "Ideal", "G", "VS2") for c in carat])
    plan = Plan.of(packaged)
    one_by_one = [plan.effects(few.stone(i)) for i in range(len(few))]
    np.testing.assert_allclose(plan.table(few), one_by_one, rtol=0, atol=1e-12)
    prices = packaged.price(few)
    assert (prices[6:12] < 0.99 * prices[:6]).all()  # the jump lies between them
