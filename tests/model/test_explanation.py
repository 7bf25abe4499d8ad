import pytest

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import ContradictionError, UnsupportedStoneError

STONE = Stone(1.01, "Ideal", "E", "VS1")


@pytest.fixture
def line(packaged):
    def of(name, stone=STONE, **options):
        why = packaged.explain(stone, **options)
        (found,) = [line for line in why.lines if line.name == name]
        return why.sentence(found)

    return of


def test_a_line_is_a_plain_sentence(packaged, line):
    clarity = next(x for x in packaged.explain(STONE).lines if x.name == "clarity")
    expected = f"Clarity VS1 rather than SI1: +${round(clarity.cents / 100):,}, "
    assert line("clarity") == expected + f"×{clarity.factor:.2f}"
    assert line("cut") == "Cut Ideal, as the reference: ±$0, ×1.00"
    assert line("carat").startswith("Weight 1.01 ct rather than 0.70 ct: +$")
    assert line("reference").startswith("Reference stone 0.70 ct Ideal G SI1: $")


def test_close_weights_are_told_apart(line):
    near = Stone(0.701, "Ideal", "G", "SI1")
    assert line("carat", near).startswith("Weight 0.701 ct rather than 0.70 ct")


def test_a_missing_attribute_is_averaged_and_the_line_says_so(line):
    assert "not given: averaged over Ideal stones of about 1.01 ct" in line("proportions")
    some = Stone(1.01, "Fair", "E", "VS1", depth=64.5)
    assert line("proportions", some).startswith(
        "Proportions depth 64.5 % (table, length, width, height not given: averaged over Fair stones"
    )
    full = Stone(1.01, "Ideal", "E", "VS1", 62.9, 57, 6.41, 6.45, 4.05)
    assert line("proportions", full).startswith(
        "Proportions depth 62.9 %, table 57 %, length 6.41 mm, width 6.45 mm, height 4.05 mm: "
    )


def test_a_weight_under_a_threshold_is_not_rounded_over_it(packaged):
    why = packaged.explain(Stone(0.996, "Ideal", "E", "VS1"))
    assert str(why).startswith("0.996 ct Ideal E VS1: $")
    assert "1.00 ct" not in str(why)


def test_a_measure_that_does_nothing_alone_is_said_not_to_count(packaged, line):
    alone = Stone(1.01, "Ideal", "E", "VS1", x=6.4, z=4.0)
    assert packaged.explain(alone).cents == packaged.explain(STONE).cents
    assert line("proportions", alone).startswith(
        "Proportions not given: averaged over Ideal stones of about 1.01 ct; "
        "length, height do not count: "
    )
    measured = Stone(1.01, "Ideal", "E", "VS1", 62.9, 57, 6.41, 6.45, 4.05)
    assert "width 6.45 mm, height 4.05 mm: " in line("proportions", measured)


def test_a_comparison_says_what_is_known_of_either_stone(packaged):
    first = Stone(0.7, "Very Good", "G", "VS2", depth=61.5)
    for pair in ((first, STONE), (STONE, first)):
        why = packaged.compare(*pair)
        (proportions,) = [x for x in why.lines if x.name == "proportions"]
        assert "depth 61.5 %" in proportions.note
        assert "averaged over Ideal stones" in proportions.note or pair[1] is first


def test_the_price_list_is_named(line):
    sold = Stone(1.01, "Ideal", "E", "VS1", x=6.41, y=6.45)
    assert line("listing").startswith(
        "Price list blend of the lists, whose mark-up depends on the price: "
    )
    assert line("listing", sold, listing="recorded").startswith(
        "Price list x<y (shorter side first) rather than"
    )
    # Without length and width no list is recorded.
    assert line("listing", listing="recorded") == line("listing")
    assert "x>y (longer side first)" in line("listing", sold, listing="x>y")


def test_a_missing_attribute_costs_what_such_stones_average(packaged, catalog):
    """Pricing every Ideal near 1 ct with and without its proportions averages to the same."""
    near = catalog[(catalog["cut"] == "Ideal") & catalog["carat"].between(0.97, 1.05)]
    measured = Stones.from_frame(near)
    blank = Stones.from_frame(near[["carat", "cut", "color", "clarity"]])
    difference = packaged.log_price(measured, extrapolate=True) - packaged.log_price(blank)
    assert abs(difference.mean()) < 0.01
    assert difference.std() > 0.005


def test_the_text_shows_every_step(packaged):
    why = packaged.explain(STONE)
    text = str(why)
    assert text.splitlines()[0] == f"1.01 ct Ideal E VS1: ${why.price:,.2f} (2008 US dollars)"
    assert text.splitlines()[-3].endswith(f"${why.price:,.2f}")
    low, high = why.range()
    assert (
        text.splitlines()[-1]
        == f"  90 % of such sales lie between ${low:,.0f} and ${high:,.0f}."
    )
    for each in why.lines:
        assert f"{each.label}: {each.note}" in text


def test_everything_is_there_as_plain_values(packaged):
    import json

    why = packaged.explain(STONE, reference=Stone(0.5, "Good", "J", "SI2", depth=61.0))
    data = json.loads(json.dumps(why.to_dict()))
    assert data["stone"] == {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}
    assert data["reference"]["depth"] == 61.0
    assert data["cents"] == why.cents
    assert data["lines"][-1]["running_cents"] == why.cents
    assert data["model"] == packaged.sha256[:12]


def test_what_the_model_has_not_seen_is_refused_not_extrapolated(packaged):
    for stone, attribute in [
        (Stone(20, "Ideal", "E", "VS1"), "carat"),
        (Stone(0.05, "Ideal", "E", "VS1"), "carat"),
        (Stone(1.01, "Ideal", "K", "VS1"), "color"),
        (Stone(1.01, "Ideal", "E", "FL"), "clarity"),
        (Stone(1.01, "Ideal", "E", "VS1", depth=85), "depth"),
    ]:
        for refused in (
            lambda stone=stone: packaged.explain(stone),
            lambda stone=stone: packaged.compare(STONE, stone),
            lambda stone=stone: packaged.explain(STONE, reference=stone),
            lambda stone=stone: packaged.price(Stones.of([STONE, stone])),
            lambda stone=stone: packaged.contributions(Stones.of([stone])),
        ):
            with pytest.raises(UnsupportedStoneError, match=f"^{attribute} ") as caught:
                refused()
            assert caught.value.attribute == attribute
        assert packaged.supports(Stones.of([STONE, stone])).tolist() == [True, False]


def test_extrapolation_is_asked_for_by_name(packaged):
    heavy = Stones.of([Stone(5.5, "Ideal", "E", "VS1"), Stone(5.0, "Ideal", "E", "VS1")])
    price = packaged.price(heavy, extrapolate=True)
    assert price[0] != price[1]
    with pytest.raises(UnsupportedStoneError, match="color K has not been seen"):
        packaged.price(Stones.of([Stone(1, "Ideal", "K", "VS1")]), extrapolate=True)


def test_rows_that_cannot_be_priced_are_named(packaged):
    stones = [STONE] * 3 + [Stone(20, "Ideal", "E", "VS1")] * 5
    with pytest.raises(UnsupportedStoneError, match=r"row 3, 4, 5 and 2 more, counted from 0"):
        packaged.price(Stones.of(stones))


def test_contradictory_measurements_are_refused_with_every_reason(packaged):
    wrong = Stone(1.01, "Ideal", "E", "VS1", x=9, y=9.1)
    with pytest.raises(ContradictionError, match=r"x 9 mm does not fit.*y 9.1 mm does not fit"):
        packaged.explain(wrong)
    for refused in (packaged.contributions, packaged.itemise):
        with pytest.raises(ContradictionError):
            refused(Stones.of([STONE]), reference=wrong)


def test_unknown_lists_are_refused(packaged, surfaces, sales):
    from diamond_pricing.fitting import fit

    for bad in ("x", "", "X>Y"):
        with pytest.raises(
            UnsupportedStoneError, match="not known to this model; choose blend"
        ):
            packaged.explain(STONE, listing=bad)
    with pytest.raises(UnsupportedStoneError, match="has no lines of its own") as caught:
        packaged.explain(STONE, listing="inferred")
    assert caught.value.code == "listing_not_known"
    with pytest.raises(UnsupportedStoneError, match="choose blend, recorded, x<y, x>y"):
        surfaces.explain(STONE, listing="x=y")
    plain = fit(sales[["carat", "cut", "color", "clarity", "price"]], "loglinear")
    with pytest.raises(UnsupportedStoneError, match=r"choose blend, recorded\."):
        plain.explain(STONE, listing="x>y")


def test_a_recorded_list_that_the_model_never_saw_counts_as_not_recorded(surfaces):
    square = Stone(1.01, "Ideal", "E", "VS1", x=6.43, y=6.43)
    recorded, blend = (surfaces.explain(square, listing=how) for how in ("recorded", "blend"))
    assert recorded.cents == blend.cents


def test_a_model_cannot_be_changed(packaged):
    import dataclasses

    with pytest.raises(dataclasses.FrozenInstanceError):
        packaged.edf = 0.0
    with pytest.raises(ValueError, match="read-only"):
        packaged.coefficients[0] = 0.0
