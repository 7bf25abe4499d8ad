"""Prices as they are sent: those of the library, and for every stone that has none the reason."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from diamond_pricing import Stone, Stones
from diamond_pricing.web.messages import PairIn, QuoteIn, StoneIn, stone_of
from diamond_pricing.web.pricing import compared, priced, quoted
from diamond_pricing.web.problems import ProblemError
from diamond_pricing.web.storage import StoredQuote
from tests.strategies import stones

PLAIN = {"carat": 1.01, "cut": "ideal", "color": "e", "clarity": "vs-1"}
ROOMY = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


def answered(model, one):
    why = priced(model, one)
    kept = StoredQuote("q_1", "acme", "2026-11-23T00:00:00Z", why.model, "", why.cents)
    return quoted(why, model, one, kept)


def asked(**fields):
    return msgspec.convert(PLAIN | fields, QuoteIn)


@ROOMY
@given(stone=stones())
def test_a_quote_says_what_the_library_says(packaged, stone):
    one = msgspec.convert(stone.given(), QuoteIn)
    assert stone_of(one) == stone
    if not packaged.supports(Stones.of([stone]))[0]:
        with pytest.raises(ProblemError):
            priced(packaged, one)
        return
    answer = answered(packaged, one)
    why = packaged.explain(stone)
    assert (answer.cents, answer.model) == (why.cents, packaged.sha256)
    assert sum(line.cents for line in answer.lines) == answer.cents
    assert answer.lines[-1].running_cents == answer.cents
    assert answer.range.low < answer.price < answer.range.high
    assert {line.factor_range for line in answer.lines} == {None}
    assert msgspec.json.decode(msgspec.json.encode(answer), type=type(answer)) == answer


def test_options_change_what_they_say(packaged):
    plain = answered(packaged, asked())
    assert plain.stone == {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}
    wide = answered(packaged, asked(level=0.99))
    assert wide.range.low < plain.range.low
    other = asked(reference={"carat": 1.0, "cut": "Good", "color": "H", "clarity": "SI2"})
    for line in answered(packaged, asked(line_ranges=True)).lines:
        low, high = line.factor_range
        assert low <= line.factor <= high
    moved = answered(packaged, other)
    assert moved.reference["color"] == "H"
    assert moved.cents == pytest.approx(plain.cents, abs=1)
    assert answered(packaged, asked(listing="x<y")).cents != plain.cents


@pytest.mark.parametrize(
    ("fields", "code", "pointer", "nearest"),
    [
        ({"cut": "Idael"}, "unknown_grade", "/cut", "Ideal"),
        ({"carat": 0.001}, "impossible_value", "/carat", 0.01),
        ({"carat": 9.0}, "stone_declined", "/carat", 5.01),
        ({"color": "Z"}, "stone_declined", "/color", "J"),
        ({"depth": 61.0, "x": 6.4, "y": 6.4, "z": 5.5}, "contradiction", None, None),
        ({"level": 1.5}, "impossible_value", "/level", 0.99),
        ({"listing": "y"}, "stone_declined", "/listing", None),
        ({"reference": {**PLAIN, "carat": 50.0}}, "stone_declined", "/reference/carat", 5.01),
        ({"reference": {**PLAIN, "cut": "?"}}, "unknown_grade", "/reference/cut", None),
    ],
)
def test_a_stone_without_a_price_has_a_reason_and_a_place(
    packaged, fields, code, pointer, nearest
):
    with pytest.raises(ProblemError) as caught:
        priced(packaged, asked(**fields))
    problem = caught.value.details("abc")
    assert (problem.code, problem.status, problem.request_id) == (code, 422, "abc")
    (fault,) = problem.errors
    assert fault.nearest == nearest
    if pointer is not None:
        assert fault.pointer == pointer
    assert msgspec.json.encode(problem)


def test_a_comparison_goes_from_the_first_stone_to_the_second(packaged):
    first, second = (msgspec.convert(PLAIN | {"color": c}, StoneIn) for c in "GE")
    answer = compared(packaged, PairIn(first=first, second=second))
    assert answer.cents == packaged.explain(Stone(1.01, "Ideal", "E", "VS1")).cents
    assert (
        {"color"}
        < {line.name for line in answer.lines if line.cents}
        <= {"reference", "color", "listing", "like_sales"}
    )
    heavy = msgspec.convert(PLAIN | {"carat": 40.0}, StoneIn)
    with pytest.raises(ProblemError) as caught:
        compared(packaged, PairIn(first=first, second=heavy))
    assert caught.value.faults[0].pointer == "/second/carat"
