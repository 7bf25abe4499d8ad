"""Quotes are found again: listed, searched, numbered, of a client, valid for a while."""

import httpx
import pytest

from diamond_pricing.errors import ServiceError
from diamond_pricing.registry import LocalStore
from diamond_pricing.web.house import House, read_house
from tests.web.conftest import STONE
from tests.web.serving import serving

HOUSE = """
name = "Francesco & <Figli>"
address = "Via Roma 1"
contact = "Anna, +39 02 1"
terms = "Without VAT."
valid_days = 14
logo = "logo.svg"
"""
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A server whose house says who it is."""
    data = tmp_path_factory.mktemp("house")
    (data / "house.toml").write_text(HOUSE)
    (data / "logo.svg").write_bytes(LOGO)
    with serving(data) as server, httpx.Client(base_url=server.url, timeout=30) as found:
        yield found


def test_a_quote_has_a_number_a_client_and_a_last_day(house):
    asked = STONE | {
        "client": "Maria Bianchi",
        "client_reference": "PO 77",
        "report_number": "GIA 2141438171",
        "metadata": {"till": "three"},
    }
    made = house.post("/v1/quotes", json=asked).json()
    assert made["number"] == f"Q-{made['created'][:4]}-{int(made['number'][7:]):06}"
    assert made["valid_until"] > made["created"][:10]
    assert {name: made[name] for name in asked if name not in STONE} == {
        name: value for name, value in asked.items() if name not in STONE
    }
    for name in (made["id"], made["number"], made["number"].lower()):
        assert house.get(f"/v1/quotes/{name}").json() == made
    day = "/".join(reversed(made["created"][:10].split("-")))
    short = f"{made['number'][:7]}{int(made['number'][7:])}"
    for search in (
        day,
        "1,01 ideal",
        "gia2141438171",
        short,
        "bianchi",
        "ideal vs1 po",
        "2141438171",
        made["created"][:10],
        "three",
        made["number"],
        "1.01 ct",
    ):
        found = house.get("/v1/quotes", params={"search": search}).json()["quotes"]
        assert made["id"] in [row["id"] for row in found], search
    assert house.get("/v1/quotes", params={"search": "pear"}).json()["quotes"] == []
    page = house.get("/quotes?search=bianchi").text
    assert made["number"] in page
    sheet = house.get(f"/v1/quotes/{made['number']}.html").text
    for text in (
        "Francesco &amp; &lt;Figli&gt;",
        "Via Roma 1",
        "Without VAT.",
        "Maria Bianchi",
        "GIA 2141438171",
        made["valid_until"],
        "data:image/svg+xml;base64,",
    ):
        assert text in sheet, text
    pdf = house.get(f"/v1/quotes/{made['id']}.pdf")
    assert pdf.content.startswith(b"%PDF")
    assert made["number"] in pdf.headers["content-disposition"]


def test_a_list_goes_on_where_it_ended(house):
    made = [house.post("/v1/quotes", json=STONE).json()["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        answer = house.get(
            "/v1/quotes", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [row["id"] for row in answer["quotes"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)
    rows = house.get("/v1/quotes").json()["quotes"]
    for name in ("created", "number"):
        told = [row[name] for row in rows]
        assert told == sorted(told, reverse=True)
    for wrong in (
        {"limit": 0},
        {"limit": 900},
        {"what": "1"},
        {"since": "yesterday"},
        {"since": "2026-02-30"},
        {"cursor": "zzz"},
    ):
        answer = house.get("/v1/quotes", params=wrong)
        assert answer.status_code in (400, 422)
        assert answer.json()["errors"]


def test_a_declined_stone_names_whom_to_ask(house):
    page = house.get("/", params=STONE | {"carat": 9}).text
    assert "For a price by hand: Anna, +39 02 1." in page


@pytest.mark.parametrize(
    "field",
    [
        {"client": "x" * 121},
        {"client": "a\nb"},
        {"client": "\u202e"},
        {"metadata": {"a": 1}},
        {"metadata": {"a": "x" * 501}},
        {"metadata": {str(i): "" for i in range(21)}},
        {"report_number": 5},
    ],
)
def test_what_is_too_long_or_no_text_is_refused(house, field):
    answer = house.post("/v1/quotes", json=STONE | field)
    assert answer.status_code in (400, 422)
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 5", "name"),
        ("colour = 'x'", "colour"),
        ("valid_days = 0", "valid_days"),
        ("name = ", "house.toml"),
        ("logo = 'logo.gif'", "must be a .png or .svg"),
        ("drawing = 'AAAA'", "the field drawing is not known"),
        ("logo = '../secret.png'", "logo"),
        ("logo = 'none.png'", "no file 'none.png'"),
        ("logo = 'torn.png'", "cannot be drawn"),
        ("logo = 'torn.svg'", "cannot be drawn"),
    ],
)
def test_a_house_that_is_not_valid_is_told(tmp_path, text, said):
    (tmp_path / "house.toml").write_text(text)
    (tmp_path / "torn.png").write_bytes(b"foo")
    (tmp_path / "torn.svg").write_bytes(b"hello")
    with pytest.raises(ServiceError, match=said):
        read_house([LocalStore(tmp_path)])
    assert read_house([LocalStore(tmp_path / "elsewhere")]) == House()
