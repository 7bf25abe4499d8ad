"""The default family: its shape, its price lists, its ranges, and what it does with bad sales."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diamond_pricing import PriceModel, Stone, Stones
from diamond_pricing.errors import FitError, StoneError
from diamond_pricing.fitting import fit, read_sales
from diamond_pricing.fitting.monotone import fit_held_out
from diamond_pricing.fitting.paired_lists import Pairs, paired, parted_at, put_back, taken_off
from diamond_pricing.model.certificate import AXES, MISSING, Grid, certify, grids
from diamond_pricing.validation import cross_validate
from tests.conftest import MEASURES
from tests.strategies import CLARITIES, COLORS, CUTS


def test_the_certificate_stands_in_the_document_and_is_true(monotone):
    again = PriceModel.from_json(monotone.to_json())
    assert again.certificate == monotone.certificate
    assert again.certificate.holds
    assert again.certificate.lists == ("blend", "x<y")
    assert certify(again._effects, again.markup, again.training) == again.certificate


def test_the_packaged_model_keeps_its_certificate_when_asked_for_prices(packaged):
    """Not by the certificate's own arithmetic but by the prices that a client gets."""
    weights = np.round(np.arange(0.30, 2.51, 0.01), 2)
    for cut, color in itertools.product(CUTS, COLORS):
        rows = [Stone(w, cut, color, clarity) for w in weights for clarity in CLARITIES]
        price = packaged.log_price(Stones.of(rows), extrapolate=True)
        table = price.reshape(len(weights), len(CLARITIES))
        assert (np.diff(table, axis=0) > 0).all()
        assert (np.diff(table, axis=1) > 0).all()


@pytest.mark.parametrize("listing", ["blend", "x<y"])
def test_a_better_stone_of_the_same_proportions_is_never_cheaper(packaged, catalog, listing):
    """Real proportions of real stones, some of them struck out, and impossible ones."""
    rng = np.random.default_rng(7)
    stones = Stones.from_frame(catalog.sample(20_000, random_state=7))
    stones = stones.take(packaged.supports(stones))
    n = len(stones)
    columns = {name: stones[name].copy() for name in ("depth", "table", "x", "y", "z")}
    for name in ("depth", "table"):
        columns[name][rng.random(n) < 0.3] = np.nan
        wild = rng.random(n) < 0.2
        columns[name][wild] = rng.uniform(43, 79, n)[wild]
    none = rng.random(n) < 0.3
    for name in ("x", "y", "z"):
        columns[name][none] = np.nan
    code = np.full(n, -1 if listing == "blend" else 0)
    before = stones.with_columns(listing=code, **columns)
    for grade, best in (("cut", 4), ("color", 6), ("clarity", 7)):
        worse = before.take(before[grade] < best)
        better = worse.with_columns(**{grade: worse[grade] + 1})
        step = np.diff(
            [
                packaged.log_price(s, extrapolate=True, listing="recorded")
                for s in (worse, better)
            ],
            axis=0,
        )
        assert (step > 0).all(), grade


def test_an_inversion_would_be_counted(monotone):
    """Plant one in the effect of proportions by cut, where only given ones show it."""
    effects = monotone._effects
    place = next(
        i
        for i, term in enumerate(effects.terms)
        if len(term.bases) == 2 and term.lines == ("proportions", "cut")
    )
    table = effects.tables[place].copy()
    table[0, 1] += 1.0
    tables = (*effects.tables[:place], table, *effects.tables[place + 1 :])
    found = certify(replace(effects, tables=tables), monotone.markup, monotone.training)
    assert found.inversions["cut"] > 0
    assert [found.inversions[a] for a in ("carat", "color", "clarity")] == [0, 0, 0]
    assert found.compared == monotone.certificate.compared


def test_a_grid_holds_every_combination_once(monotone):
    grid = next(grids(monotone.training, monotone.terms, [-1]))
    assert isinstance(grid, Grid)
    assert grid.dimensions == MISSING
    stones = grid.stones()
    assert len(stones) == np.prod(grid.sizes)
    columns = np.column_stack([stones[axis] for axis in AXES])
    assert len(np.unique(columns, axis=0)) == len(columns)


def test_sales_without_constraints_would_have_inversions(sales, monkeypatch):
    """Otherwise the constraints would not be what keeps prices from falling."""
    from diamond_pricing.fitting import constraints as family

    monkeypatch.setattr(
        family, "shaped", lambda A, free, broken: (free, np.empty((0, len(free))))
    )
    with pytest.raises(FitError, match="prices would fall"):
        fit(sales.drop(columns=MEASURES))


def _schedule(base, carat):
    """A mark-up that parts at half a carat and has overlapping bands."""
    light = np.where(base < np.log(900), 0.25, 0.05)
    return np.where(carat < 0.5, light, 0.10)


@pytest.fixture(scope="module")
def scheduled():
    rng = np.random.default_rng(0)
    carat = np.round(rng.uniform(0.3, 0.9, 4000), 2)
    base = rng.uniform(np.log(400), np.log(3000), 4000)
    return Pairs(base, base + _schedule(base, carat), carat, np.zeros(4000, np.int64))


def test_a_known_mark_up_is_found_again_with_the_weight_it_parts_at(scheduled):
    assert parted_at(scheduled) == (0.5,)
    markup = put_back(scheduled, (0.5,), (0.03,), share=0.5, sd=0.01)
    assert [(band.part, round(band.factor, 3)) for band in markup.bands] == [
        (0, round(np.exp(0.25), 3)),
        (0, round(np.exp(0.05), 3)),
        (1, round(np.exp(0.10), 3)),
    ]
    at, carat = np.log([500.0, 2000.0, 2000.0]), np.array([0.3, 0.3, 0.5])
    listed = markup.at(at, markup.part(carat), np.array([1, 1, 1]))
    np.testing.assert_allclose(listed, [0.25, 0.05, 0.10], atol=1e-4)


def test_on_the_blend_a_higher_base_or_a_heavier_stone_is_never_cheaper(scheduled):
    rise = 0.03
    markup = put_back(scheduled, (0.5,), (rise,), share=0.5, sd=0.01)
    base = scheduled.base
    line = np.linspace(base.min(), base.max(), 2000)
    whole = np.ones(2000, np.int64)
    light, heavy = (line + markup.at(line, part * whole, 2 * whole) for part in (0, 1))
    assert (np.diff(light) > 0).all()
    assert (np.diff(heavy) > 0).all()
    reached = line + rise + markup.at(line + rise, whole, 2 * whole)
    assert (reached > light - 1e-9).all()
    listed = line + markup.at(line, 0 * whole, whole)
    assert (np.diff(listed) < 0).any(), "the list itself truly falls"


def test_a_fit_tells_which_of_two_base_prices_led_to_a_marked_one(catalog, scheduled):
    """$1,100 is $857 with 25 % on top, or $1,046 with 5 %: the schedule allows both."""
    sales = read_sales(catalog.head(2000))
    marked = np.flatnonzero((sales.stones["listing"] == 2) & (sales.stones["carat"] < 0.5))
    assert len(marked) > 20
    price = sales.price.copy()
    price[marked] = 1100.0
    sales = replace(sales, price=price)
    for factor in (np.exp(0.25), np.exp(0.05)):
        fitted = np.full(len(sales), np.log(1100 / factor))
        base = taken_off(scheduled, (0.5,), sales, fitted, 0.03)
        np.testing.assert_allclose(np.exp(base[marked]), 1100 / factor, rtol=2e-3)
    others = sales.stones["listing"] != 2
    others[0] = False  # the row that all these pairs point to
    np.testing.assert_array_equal(base[others], np.log(price[others]))


def test_pairs_are_the_same_stone_on_both_lists(catalog):
    sales = read_sales(catalog)
    pairs = paired(sales)
    assert len(pairs) == 10_015
    assert np.median(np.exp(pairs.marked - pairs.base)) == pytest.approx(1.0695, abs=0.02)
    partings = parted_at(pairs)
    assert partings == (0.5, 1.0)
    base = taken_off(pairs, partings, sales)
    untouched = sales.stones["listing"] != 2
    np.testing.assert_array_equal(base[untouched], np.log(sales.price[untouched]))
    np.testing.assert_array_equal(base[pairs.rows], pairs.base)


def test_the_schedule_leaves_hardly_any_scatter(packaged):
    """Were the weights it parts at wrong, bands would mix and their quartiles part."""
    assert packaged.markup.parted_at == (0.5, 1.0)
    assert max(band.spread for band in packaged.markup.bands) < 0.001
    assert sum(band.pairs for band in packaged.markup.bands) > 9_900


def test_without_price_lists_the_component_switches_itself_off(sales):
    plain = fit(sales[["carat", "cut", "color", "clarity", "depth", "table", "price"]])
    assert plain.markup is None
    assert plain.inference is None
    assert "listing" not in plain.lines
    assert "no price lists told apart" in plain.origin
    assert plain.certificate.holds


def test_guessing_the_list_beats_not_knowing_it(monotone, catalog):
    model, held_out = monotone, catalog[catalog["stone"] % 12 == 5]
    stones = Stones.from_frame(held_out)
    stones = stones.take(model.supports(stones))
    price = held_out["price"].to_numpy()[model.supports(Stones.from_frame(held_out))]
    loss = {
        how: np.sqrt(np.mean((model.log_price(stones, listing=how) - np.log(price)) ** 2))
        for how in ("recorded", "inferred", "blend")
    }
    assert loss["recorded"] < loss["inferred"] < loss["blend"]
    odds = model.inference.reasons(stones, model.averages, Stones.of([model.reference]))
    total = model.inference.log_odds(stones, model.averages)
    start = model.inference.log_odds(Stones.of([model.reference]), model.averages)
    np.testing.assert_allclose(sum(odds.values()) + start, total, atol=1e-9)


def test_ranges_hold_on_sales_that_were_not_seen(monotone, catalog):
    model, held_out = monotone, catalog[catalog["stone"] % 12 == 5]
    stones = Stones.from_frame(held_out)
    rows = model.supports(stones)
    for level in (0.5, 0.9):
        for listing in ("blend", "recorded"):
            low, high = model.range(stones.take(rows), level=level, listing=listing)
            price = held_out["price"].to_numpy()[rows]
            inside = np.mean((price >= low) & (price <= high))
            # 4,400 sales: three standard errors of a share of 0.9 are 0.014, of 0.5 0.023.
            assert level - 0.025 < inside < level + 0.06


def test_a_wider_level_gives_a_wider_range(packaged):
    stones = Stones.of([Stone(1.01, "Ideal", "E", "VS1"), Stone(0.4, "Fair", "J", "SI2")])
    widths = [packaged.ranges.half_widths(stones, v, "blend") for v in (0.1, 0.5, 0.9, 0.99)]
    assert (np.diff(np.array(widths), axis=0) > 0).all()


def test_where_no_list_is_recorded_the_range_is_that_of_the_blend(packaged):
    stone = Stone(1.01, "Ideal", "E", "VS1")
    blend, recorded = (
        packaged.explain(stone, listing=v).range() for v in ("blend", "recorded")
    )
    assert blend == pytest.approx(recorded, rel=1e-12)
    for level in (0, 1, "0.9", float("nan")):
        with pytest.raises(StoneError) as caught:
            packaged.explain(stone).range(level)
        assert caught.value.code == "level_not_possible"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.assign(carat=1.0, x=np.nan, y=np.nan, z=np.nan), "same weight"),
        (lambda s: s.assign(price=-1.0), "not positive"),
        (lambda s: s.assign(price=0.0), "not positive"),
        (lambda s: s.assign(price=1000.0), "all prices are the same"),
        (lambda s: s.head(20), "too few"),
        (lambda s: s.assign(carat=0.0), "carat must be between"),
    ],
)
def test_hopeless_sales_get_a_clear_error(sales, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        fit(change(sales))


@pytest.mark.parametrize("n", [30, 60, 200])
def test_few_sales_give_a_penalised_answer_or_say_why_not(sales, n):
    try:
        model = fit(sales.head(n))
    except FitError as error:
        assert str(error)  # noqa: PT017  a clear error is as good as a model
        return
    assert model.certificate.holds
    json.loads(model.to_json(), parse_constant=pytest.fail)  # NaN and Infinity are no JSON


def test_a_grade_seen_once_leans_on_its_neighbours(sales):
    once = sales[sales["clarity"] != "IF"]
    once = pd.concat([once, sales[sales["clarity"] == "IF"].head(1)], ignore_index=True)
    model = fit(once.drop(columns=MEASURES))
    better, known = (Stone(1.0, "Ideal", "G", clarity) for clarity in ("IF", "VVS1"))
    (step,) = [x for x in model.compare(known, better).lines if x.name == "clarity"]
    assert 0 <= step.log_effect < 0.5
    assert np.isfinite(step.standard_error)


def test_a_constant_attribute_is_left_out(sales):
    model = fit(sales.drop(columns=MEASURES).assign(color="G", table=57.0))
    assert "color" not in model.lines
    assert model.explain(Stone(1.0, "Ideal", "G", "VS1")).cents > 0


def test_the_default_family_can_be_cross_validated(sales):
    result = cross_validate(sales, ["monotone"], folds=2)
    (recorded,) = [p for p in result.predictions if p.listing == "recorded"]
    assert result.overall(recorded).log_rmse < 0.11


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("family", ["monotone", "loglinear"])
def test_sales_without_measurements_among_others(catalog, share, family):
    """They are left out and counted, or if they are most, taken without their price list."""
    some = catalog.sample(1500, random_state=0).reset_index(drop=True)
    blank = np.random.default_rng(0).random(len(some)) < share
    some.loc[blank, ["x", "y", "z"]] = np.nan
    model = fit(some, family)
    assert model.training.rows + sum(model.training.left_out.values()) == len(some)
    if family == "monotone":
        most = share > 0.5
        assert (model.training.rows > 1400) == most
        assert ("listing" in model.lines) != most
        assert model.certificate.holds
    rest = catalog.drop(some.index[blank]).head(2000)
    stones = Stones.from_frame(rest)
    rows = model.supports(stones)
    error = np.log(rest["price"].to_numpy()[rows]) - model.log_price(stones.take(rows))
    assert abs(np.median(error)) < 0.05


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_reference_of_few_sales_is_supported(catalog, seed):
    model = fit(catalog.sample(120, random_state=seed))
    assert model.assess(model.reference).status != "declined"
    assert model.explain(model.reference).price > 0


def test_neighbours_are_counted_on_the_grade_scale(catalog):
    """D to F of small stones and J of large ones say nothing of a small J."""
    small, large = catalog["carat"] < 0.45, catalog["carat"] > 0.9
    sold = (small & catalog["color"].isin(["D", "E", "F"])) | (
        large & (catalog["color"] == "J")
    )
    model = fit(catalog[sold].sample(2500, random_state=1))
    verdict = model.assess(Stone(0.4, "Ideal", "J", "VS2"))
    assert verdict.status == "declined"
    assert verdict.reasons[0].code == "cell_without_support"
    assert model.assess(Stone(0.4, "Ideal", "E", "VS2")).status == "priced"


def test_a_range_takes_enough_measured_errors(catalog):
    model = fit(catalog.sample(300, random_state=2))
    why = model.explain(model.reference)
    low, high = why.range(0.9)
    assert low < why.price < high
    with pytest.raises(StoneError, match="measured errors, which are enough for") as caught:
        why.range(0.99)
    assert caught.value.code == "level_not_possible"
    most = caught.value.nearest
    assert why.range(most)[1] > why.range(0.9)[1]
    with pytest.raises(StoneError):
        why.range(most + 0.001)
    many = Stones.of([model.reference] * 3)
    with pytest.raises(StoneError, match="enough for"):
        model.range(many, level=0.99)
    cents, *ends = model.appraise(many, level=0.99)
    assert (cents.sum(axis=1) > 0).all()
    assert np.isnan(ends).all()


def test_a_stone_unlike_all_others_has_no_held_out_price(catalog):
    """A curve says anything of weights beyond those that it was fitted on."""
    largest = catalog["carat"].idxmax()
    some = catalog[catalog["carat"] < 3].sample(3000, random_state=5)
    some = pd.concat([catalog.loc[[largest]], some])
    model, held = fit_held_out(some)
    stones = held.sales.stones
    (alone,) = np.flatnonzero(stones["carat"] == catalog["carat"].max())
    assert np.isnan([held.recorded[alone], held.blend[alone]]).all()
    judged = ~np.isnan(held.blend)
    assert 0.97 < judged.mean() < 1
    assert sum(model.ranges.counts) == judged.sum()
    np.testing.assert_array_equal(np.isnan(held.recorded), ~judged)
