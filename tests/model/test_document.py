import hashlib
import json
import re

import msgspec
import numpy as np
import pytest

from diamond_pricing import PriceModel, Stones
from diamond_pricing.errors import DocumentError


def signed(content: dict) -> str:
    """A document with the right hash, whatever its content; as docs/reference says."""
    body = msgspec.json.encode(content) + b"\n"
    digest = hashlib.sha256(body).hexdigest()
    return '{"sha256":"' + digest + '",' + body.decode()[1:]


@pytest.fixture
def content(loglinear) -> dict:
    content = json.loads(loglinear.to_json())
    del content["sha256"]
    return content


def test_a_document_comes_back_bit_for_bit(model, stones):
    text = model.to_json()
    again = PriceModel.from_json(text)
    assert again == model
    assert hash(again) == hash(model)
    assert again.to_json() == text
    assert PriceModel.from_json(text.encode()) == model
    for listing in ("blend", "recorded"):
        np.testing.assert_array_equal(
            again.price(stones, listing=listing, extrapolate=True),
            model.price(stones, listing=listing, extrapolate=True),
        )


def test_anybody_can_check_the_hash(model):
    text = model.to_json()
    body = re.sub(r'^\{"sha256":"[0-9a-f]{64}",', "{", text)
    assert hashlib.sha256(body.encode()).hexdigest() == model.sha256
    assert json.loads(text)["sha256"] == model.sha256


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_every_flipped_byte_is_detected(loglinear, mask):
    data = bytearray(loglinear.to_json().encode())
    for place in range(len(data)):
        data[place] ^= mask
        with pytest.raises(DocumentError):
            PriceModel.from_json(bytes(data))
        data[place] ^= mask


@pytest.mark.parametrize("kept", [0, 1, 10, 80, 5000, -1])
def test_a_truncated_document_is_refused(loglinear, kept):
    with pytest.raises(DocumentError):
        PriceModel.from_json(loglinear.to_json()[:kept])
    with pytest.raises(DocumentError):
        PriceModel.from_json(loglinear.to_json() + " ")


def test_every_missing_field_is_named(content):
    def fields(value, path=()):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield (*path, key)
                yield from fields(inner, (*path, key))
        elif isinstance(value, list) and value and isinstance(value[-1], dict):
            yield from fields(value[-1], (*path, len(value) - 1))

    assert PriceModel.from_json(signed(content)).to_json()
    optional = {"average", "depth", "table", "x", "y", "z"}  # that of a term; of the reference
    counts = {"left_out", "grades"}  # free keys below these
    checked = 0
    for path in list(fields(content)):
        if path[-1] in optional or (len(path) > 2 and path[-2] in counts | set("xyz")):
            continue
        if path[:2] == ("training", "grades") or path[:2] == ("training", "left_out"):
            continue
        if path[:2] == ("training", "ranges") and path[-1] == "z":
            continue  # measured, but not read by this model
        broken = json.loads(json.dumps(content))
        inner = broken
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
        with pytest.raises(DocumentError) as caught:
            PriceModel.from_json(signed(broken))
        assert str(path[-1]) in str(caught.value) or "says nothing of" in str(caught.value)
        checked += 1
    assert checked > 25


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 1),
        (("schema",), "1"),
        (("surprise",), 1),
        (("edf",), None),
        (("edf",), "26"),
        (("residual_sd",), float("1e999")),
        (("terms",), []),
        (("terms", 1, "coefficients"), [1.0, 2.0]),
        (("terms", 1, "coefficients"), [None]),
        (("terms", 1, "bases", 0, "kind"), "pickle"),
        (("terms", 1, "bases", 0, "expression"), "__import__('os')"),
        (("terms", 1, "bases", 0, "expression"), "log(price)"),
        (("terms", 1, "bases", 0, "expression"), "depth"),
        (("covariance",), [[1.0]]),
        (("covariance", "bits"), 7),
        (("covariance", "scales"), [1.0]),
        (("covariance", "scales", 0), float("1e999")),
        (("covariance", "data"), "AAAA"),
        (("covariance", "data"), "not base64"),
        (("reference", "carat"), -1),
        (("reference", "carat"), 50.0),
        (("reference", "color"), "Q1"),
        (("reference", "color"), "Z"),
        (("training", "grades", "color"), {"K": 3}),
        (("averages", "carats"), []),
        (("averages", "carats"), [1.0, 0.5]),
        (("averages", "cuts"), ["Ideal", "Ideal"]),
        (("averages", "listings"), [1.0]),
        (("averages", "listings"), [0.0, 0.0, 0.0]),
        (("training", "ranges"), {}),
        (("training", "ranges", "carat"), [5.0, 0.2]),
        (("training", "grades", "cut"), {}),
        (("training", "grades", "cut"), {"Splendid": 3}),
        (("training", "rows"), -1),
        (("training", "currency"), ""),
        (("training", "effective"), "2026-13-45"),
        (("training", "effective"), "\u0662\u0660\u0660\u0668"),
        (("training", "left_out", "measurement missing"), -3),
        (("training", "grades", "cut", "Ideal"), -1),
        (("averages", "cuts"), ["Ideal", "Premium", "Very Good", "Good", "Fair"]),
        (("averages", "cuts"), ["Foo", "Good", "Very Good", "Premium", "Ideal"]),
        (("reference", "x"), 9.0),
        (("residual_sd",), -0.1),
        (("edf",), -1.0),
        (("family",), "a\nb"),
        (("origin",), "\x1b[31m"),
        (("terms", 1, "coefficients"), [-800.0]),
        (("terms", 0, "coefficients"), [800.0]),
    ],
)
def test_content_that_makes_no_sense_is_refused(content, path, value):
    inner = content
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(DocumentError):
        PriceModel.from_json(signed(content))


def test_a_term_that_would_fill_the_memory_is_refused(content):
    curve = {
        "kind": "spline",
        "expression": "x",
        "average": [],
        "knots": [float(k) for k in range(40)],
        "degree": 3,
    }
    for bases in ([curve] * 5, [{"kind": "slope", "expression": "carat", "average": []}] * 60):
        content["terms"][1]["bases"] = bases
        with pytest.raises(DocumentError, match="too large"):
            PriceModel.from_json(signed(content))


def test_a_document_in_another_form_is_refused(content):
    other = dict(reversed(content.items()))
    with pytest.raises(DocumentError, match="standard form"):
        PriceModel.from_json(signed(other))
    twice = signed(content).replace('"edf":', '"edf":1.0,"edf":', 1)
    body = "{" + twice[twice.index(",") + 1 :]
    digest = hashlib.sha256(body.encode()).hexdigest()
    with pytest.raises(DocumentError, match="standard form"):
        PriceModel.from_json('{"sha256":"' + digest + '",' + body[1:])


def test_a_levels_basis_of_unknown_grades_is_refused(content):
    basis = next(
        b for t in content["terms"] for b in t["bases"] if b.get("attribute") == "clarity"
    )
    for levels in (["Q"] * len(basis["levels"]), [basis["levels"][0]] * len(basis["levels"])):
        basis["levels"] = levels
        with pytest.raises(DocumentError, match="clarity"):
            PriceModel.from_json(signed(content))


@pytest.mark.parametrize(
    "text", ["", "{}", "null", "[" * 100_000, b"\xff\xfe", "\ud800", b"\x80\x04."]
)
def test_what_is_no_document_is_refused(text):
    with pytest.raises(DocumentError, match="not a model document"):
        PriceModel.from_json(text)


def test_deep_nesting_behind_a_right_hash_is_refused():
    body = '{"schema":1,"family":' + "[" * 100_000 + "\n"
    digest = hashlib.sha256(body.encode()).hexdigest()
    with pytest.raises(DocumentError, match="cannot be read"):
        PriceModel.from_json('{"sha256":"' + digest + '",' + body[1:])


def test_two_fits_of_the_same_sales_are_equal(sales, loglinear, stones):
    from diamond_pricing.fitting import fit

    assert fit(sales, "loglinear") == loglinear
    assert Stones.from_frame(sales).columns.keys() == stones.columns.keys()
