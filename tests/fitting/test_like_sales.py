"""What like sales fetched is found where the sales show it, and never turns an order round."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diamond_pricing.fitting import fit, read_sales
from diamond_pricing.fitting.like_sales import STEP, counting_of, every_side, in_order, learned
from diamond_pricing.stones import Stones

numbers = st.floats(-0.2, 0.2).map(lambda x: round(x, 3))
tables = arrays(float, (4, 3), elements=numbers)


@settings(max_examples=60)
@given(
    effects=tables,
    sales=arrays(float, (4, 3), elements=st.integers(0, 50).map(float)),
    down=arrays(float, (3, 3), elements=st.sampled_from([0.0, 1e-5, 0.01, 0.1, np.inf])),
    across=arrays(float, (4, 2), elements=st.sampled_from([0.0, 0.02, np.inf])),
)
def test_effects_are_brought_in_order_and_no_further(effects, sales, down, across):
    found = in_order(effects, sales, {0: down, 1: across})
    rounded = np.rint(found / STEP) * STEP
    for table in (found, rounded):  # rounding for a document breaks nothing
        assert (np.diff(table, axis=0) >= -down - 1e-9).all()
        assert (np.diff(table, axis=1) >= -across - 1e-9).all()
    # What is in order is left as it is; nothing leaves the span of what was given.
    room = {0: np.full((3, 3), np.inf), 1: np.full((4, 2), np.inf)}
    np.testing.assert_array_equal(in_order(effects, sales, room), effects)
    assert effects.min() - 1e-9 <= found.min()
    assert found.max() <= effects.max() + 1e-9


def test_two_in_the_wrong_order_meet_nearer_to_the_one_with_more_sales():
    effects, sales = np.array([0.1, 0.0]), np.array([30.0, 0.0])
    found = in_order(effects, sales, {0: np.zeros(1)})
    assert found[0] == pytest.approx(found[1], abs=1e-3)
    assert found[0] > 0.09


def test_a_cell_is_the_shrunken_mean_of_its_sales_and_of_those_near():
    frame = pd.DataFrame(
        {"carat": [0.5] * 5, "cut": "Ideal", "color": list("EEEFE"), "clarity": "VS1"}
    )
    stones, fold = Stones.from_frame(frame), np.array([0, 0, 0, 1, 1])
    grades = {"cut": ["Ideal"], "color": ["E", "F"], "clarity": ["VS1"]}
    (sides,) = every_side(grades, (0.45, 1.0), {}, (0.5, 1.0), lists=False)
    assert sides[2].grades == ("F", "E")
    error = np.array([0.1, 0.2, np.nan, 0.3, 0.7])  # the last counts as 0.4
    held = {"recorded": -error, "blend": -error}
    counted = counting_of(stones, held, np.zeros(5), fold)(sides, [])
    assert counted["recorded"].squares == pytest.approx(0.01 + 0.04 + 0.09 + 0.16)
    band, near = sides[0].place(stones)[0], np.exp(-0.5 / 0.9**2)
    for without, of_f, of_e in ((2, (0.3, 1), (0.7, 3)), (1, (0.0, 0), (0.3, 2))):
        effects, sales = learned(sides, counted, without)
        expected = [of_f[1] + near * of_e[1], of_e[1] + near * of_f[1]]
        np.testing.assert_allclose(sales[band, 0, :, 0], expected)
        total = np.array([of_f[0] + near * of_e[0], of_e[0] + near * of_f[0]])
        np.testing.assert_allclose(effects[band, 0, :, 0], total / (sales[band, 0, :, 0] + 10))


@pytest.fixture(scope="module")
def sold():
    """Sales in which stones of one cut with a wide table are dearer from 1 ct alone."""
    rng = np.random.default_rng(7)
    n = 12_000
    frame = pd.DataFrame(
        {
            "carat": np.round(rng.uniform(0.5, 2.0, n), 2),
            "cut": rng.choice(["Good", "Very Good", "Ideal"], n),
            "color": rng.choice(list("DEFGH"), n),
            "clarity": rng.choice(["SI1", "VS2", "VS1"], n),
            "depth": np.round(rng.normal(61.8, 1.0, n), 1),
            "table": rng.integers(54, 63, n).astype(float),
        }
    )
    log = 8.0 + 1.7 * np.log(frame["carat"]) + 0.05 * (frame["cut"] == "Ideal")
    log += frame["color"].map(dict(zip("DEFGH", [0.3, 0.2, 0.15, 0.1, 0.0], strict=True)))
    log += frame["clarity"].map({"SI1": 0.0, "VS2": 0.1, "VS1": 0.2})
    there = (frame["carat"] >= 1.0) & (frame["table"] >= 60)
    there &= frame["cut"] == "Ideal"
    log += 0.15 * there + rng.normal(0, 0.04, n)
    return frame.assign(price=np.exp(log)), there.to_numpy()


def test_what_no_pair_of_attributes_explains_is_found(sold):
    frame, there = sold
    new = np.arange(len(frame)) % 6 == 0
    model = fit(frame[~new].reset_index(drop=True))
    assert model.certificate.holds
    stones = read_sales(frame[new]).stones
    error = np.log(frame["price"].to_numpy()[new]) - model.log_price(stones, extrapolate=True)
    said = model._likeness.of(stones)
    assert said[there[new]].mean() > 0.4 * (error + said)[there[new]].mean() > 0.01
    assert abs(said[~there[new]].mean()) < 0.01
    before, after = (np.sqrt(np.mean(e**2)) for e in (error + said, error))
    # What the document says that it is worth is what it is worth for sales it has not seen.
    assert 1 - after / before == pytest.approx(model.like_sales.gain["blend"], abs=0.02)
    low, high = model.range(stones, level=0.9, extrapolate=True)
    price = frame["price"].to_numpy()[new]
    assert 0.88 < np.mean((low <= price) & (price <= high)) < 0.95


def test_where_sales_show_nothing_of_the_kind_there_is_no_line(sold):
    frame, there = sold
    plain = frame.assign(price=frame["price"] / np.exp(0.15 * there))
    model = fit(plain)
    assert model.like_sales is None
    assert "like_sales" not in model.lines
    assert "like_sales" not in model.to_json()


@pytest.mark.parametrize("kind", ["one cut", "some cuts not graded", "one weight band"])
def test_sales_of_one_kind_have_the_line_too(sold, kind):
    frame, _ = sold
    if kind == "one cut":
        frame = frame[frame["cut"] == "Ideal"]
    elif kind == "some cuts not graded":
        frame = frame.assign(cut=frame["cut"].where(np.arange(len(frame)) % 3 > 0))
    else:
        frame = frame[frame["carat"].between(1.01, 1.19)]
    model = fit(frame.reset_index(drop=True))
    assert model.certificate.holds
    if kind != "one weight band":
        assert model.like_sales.gain["blend"] > 0.005
    assert type(model).from_json(model.to_json()) == model


def test_ranges_hold_where_a_formula_makes_the_prices_and_stones_have_near_copies():
    """Copies a hundredth of a millimetre off count as other stones; errors must not shrink."""
    rng = np.random.default_rng(1)
    n = 3_000
    carat = np.round(np.exp(rng.normal(0.4, 0.45, n)).clip(0.3, 5), 2)
    grades = {
        "cut": (["Ideal", "Premium", "Very Good"], [0.05, 0.0, -0.03]),
        "color": (list("DEFGH"), [0.14, 0.08, 0.0, -0.07, -0.16]),
        "clarity": (["VVS1", "VVS2", "VS1", "VS2"], [0.14, 0.08, 0.0, -0.05]),
    }
    frame, log = pd.DataFrame({"carat": carat}), np.log(300 * carat * (1 + 0.3 * (carat >= 1)))
    for name, (levels, effects) in grades.items():
        code = rng.integers(0, len(levels), n)
        frame[name], log = np.array(levels)[code], log + np.array(effects)[code]
    log += np.log([1.0, 1.04, 0.93, 1.12])[rng.choice(4, n, p=[0.85, 0.08, 0.04, 0.03])]
    depth = np.round(rng.normal(61.5, 0.8, n), 1)
    across = np.cbrt(carat / (0.00613 * depth / 100)) * np.exp(rng.normal(0, 0.004, n))
    frame = frame.assign(
        depth=depth,
        table=57.0,
        x=np.round(across * 1.002, 2),
        y=np.round(across * 0.998, 2),
        z=np.round(across * depth / 100, 2),
        price=np.round(np.exp(log), -1),
    )
    copies = rng.integers(0, n, 2 * n)
    copied = frame.iloc[copies].assign(
        x=frame["x"].iloc[copies] + 0.01, y=frame["y"].iloc[copies] + 0.01
    )
    sales = pd.concat([frame, copied], ignore_index=True)
    new = np.r_[np.arange(n), copies] % 5 == 0
    model = fit(sales[~new].reset_index(drop=True))
    held = read_sales(sales[new].reset_index(drop=True))
    low, high = model.range(held.stones, level=0.9, extrapolate=True)
    assert 0.88 < np.mean((low <= held.price) & (held.price <= high)) < 0.96


def test_cells_part_only_where_the_terms_jump(sales):
    """Elsewhere a hair below an edge may be dearer than the edge, which no grid tries."""
    model = fit(sales)
    told = model.like_sales
    assert told is not None
    edges = {
        at
        for cells in told.cells
        for s in cells.sides
        for at in s.edges
        if s.attribute == "carat"
    }
    assert edges <= set(model.magic_weights)
    low, high = model.training.ranges["carat"]
    grades = [list(model.training.grades[name]) for name in ("cut", "color", "clarity")]
    kinds = pd.MultiIndex.from_product(grades, names=["cut", "color", "clarity"]).to_frame(
        index=False
    )
    for at in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        ends = [Stones.from_frame(kinds.assign(carat=c)) for c in (np.nextafter(at, 0), at)]
        fine = np.logical_and(*(model.supports(end) for end in ends))
        if low < at <= high and fine.any():
            below, above = (model.log_price(end.take(np.flatnonzero(fine))) for end in ends)
            assert (above >= below - 1e-12).all()
