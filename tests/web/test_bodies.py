"""Bodies are read strictly: what is not plainly meant is refused, and the place is named."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamond_pricing.web.bodies import converted, strict
from diamond_pricing.web.messages import QuoteIn
from diamond_pricing.web.problems import TITLES, ProblemError

STONE = {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}


def refused(body, code):
    with pytest.raises(ProblemError) as caught:
        converted(strict(body), QuoteIn)
    assert caught.value.code == code
    return caught.value.details()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"{}x",
        b'{"carat": NaN}',
        b'{"carat": Infinity}',
        b'{"carat": -Infinity}',
        b'{"carat": 1e999}',
        b'{"carat": 01}',
        b'{"carat": .5}',
        b'{"carat": 0x1}',
        b"{'carat': 1}",
        b'{"carat": 1,}',
        b"[1,]",
        b'{"carat": 1, "carat": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"carat": 1}',
        b"\xff",
        b'{"cut": "\\ud800"}',
        b'{"\\uDC00": 1}',
        b'"\x01"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        b"// a\n{}",
        b"\x00",
    ],
)
def test_what_is_no_json_is_refused(body):
    details = refused(body, "not_json")
    assert (details.status, details.title) == TITLES["not_json"]
    assert msgspec.json.encode(details)


@pytest.mark.parametrize(
    ("change", "pointer", "given"),
    [
        ({"carat": "1.01"}, "/carat", "1.01"),
        ({"carat": True}, "/carat", True),
        ({"carat": None}, "/carat", None),
        ({"cut": 4}, "/cut", 4),
        ({"carat": [1]}, "/carat", None),
        ({"reference": {**STONE, "carat": "x"}}, "/reference/carat", "x"),
        ({"reference": 3}, "/reference", 3),
        ({"level": "0.9"}, "/level", "0.9"),
    ],
)
def test_another_shape_is_refused_with_a_pointer(change, pointer, given):
    details = refused(json.dumps(STONE | change).encode(), "wrong_shape")
    (fault,) = details.errors
    assert (details.status, fault.pointer, fault.given) == (400, pointer, given)


def test_an_unknown_field_is_named_with_the_nearest_that_is_known():
    (fault,) = refused(json.dumps(STONE | {"colour": "E"}).encode(), "wrong_shape").errors
    assert (fault.pointer, fault.nearest) == ("/colour", "color")
    assert "clarity" in fault.allowed
    (fault,) = refused(
        json.dumps({**STONE, "reference": {"a/b~": 1}}).encode(), "wrong_shape"
    ).errors
    assert fault.pointer in ("/reference/a~1b~0", "/reference")
    refused(b"[]", "wrong_shape")
    refused(b'{"carat": 1}', "wrong_shape")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_all_json_is_read_as_it_was_written(value):
    assert strict(json.dumps(value).encode()) == value
    assert strict(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_whatever_comes_is_a_message_or_a_problem(body):
    problem = None
    try:
        asked = converted(strict(body), QuoteIn)
    except ProblemError as caught:
        problem = caught.details()
    if problem is None:
        assert math.isfinite(asked.carat)
    else:
        assert problem.code in ("not_json", "wrong_shape")
        assert msgspec.json.encode(problem)
