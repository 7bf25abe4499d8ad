"""A server of an owner's own sales: cuts in a laboratory's words, natural and grown, shapes."""

import json
import re
from types import SimpleNamespace

import duckdb
import httpx
import numpy as np
import pytest
from openapi_spec_validator import validate

from diamond_pricing import Stone
from diamond_pricing.fitting import fit
from diamond_pricing.registry import Registry, open_store
from diamond_pricing.warehouse.scoring import sql
from diamond_pricing.web.openapi import STONE as USUAL
from tests.web.serving import serving

NOTE = {"at": "2026-11-23T00:00:00Z", "by": "test", "reason": "test"}
STONE = {"carat": 1.01, "cut": "Excellent", "color": "E", "clarity": "VS1"}


@pytest.fixture(scope="module")
def own(catalog, tmp_path_factory):
    some = catalog[catalog["stone"] % 15 == 4][["carat", "cut", "color", "clarity", "price"]]
    some = some.reset_index(drop=True).astype({"cut": str, "price": float})
    some["cut"] = some["cut"].replace({"Premium": "Excellent", "Ideal": "Excellent"})
    n = np.arange(len(some))
    some["origin"] = np.where(n % 3 == 0, "Laboratory-grown", "Natural")
    some["shape"] = np.where(n % 5 == 0, "Oval", "Round")
    some.loc[n % 3 == 0, "price"] *= 0.2
    model = fit(some)
    folder = tmp_path_factory.mktemp("own")
    registry = Registry(open_store(str(folder / "home")))
    registry.add(model)
    registry.promote(model.sha256, **NOTE)
    with (
        serving(folder / "data", "--home", str(registry.store)) as server,
        httpx.Client(base_url=server.url, timeout=30) as api,
    ):
        yield SimpleNamespace(api=api, model=model, sales=some)


def test_the_description_has_examples_that_this_model_prices(own):
    answer = own.api.get("/openapi.json")
    assert answer.status_code == 200
    validate(answer.json())
    body = answer.json()["paths"]["/v1/quotes"]["post"]["requestBody"]
    example = body["content"]["application/json"]["example"]
    assert example != USUAL
    assert own.api.post("/v1/quotes", json=example).status_code == 201


def test_a_stone_of_which_nobody_says_whether_it_was_grown_is_asked_about(own):
    answer = own.api.post("/v1/quotes", json=STONE)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/origin", "origin_not_said")
    assert "Say whether it is natural or laboratory-grown" in fault["message"]
    page = own.api.get("/", params=STONE).text
    assert "Origin: needed" in page
    assert own.api.post("/v1/quotes", json=STONE | {"origin": "Natural"}).status_code == 201
    csv = "carat,cut,color,clarity,origin\n1.01,Excellent,E,VS1,\n1.01,Excellent,E,VS1,CVD\n"
    rows = own.api.post("/v1/quotes/batch", content=csv, headers={"Content-Type": "text/csv"})
    assert "origin_not_said" in rows.text.splitlines()[1]
    assert ",priced" in rows.text.splitlines()[2]


def test_the_element_asks_what_the_model_needs(own):
    script = own.api.get("/embed.js").text
    fields = json.loads(re.search(r"const fields = (\[.*\]);", script)[1])
    asked = {field["name"]: field["required"] for field in fields}
    needed = dict.fromkeys(STONE, True)
    assert asked == needed | {"origin": True, "shape": False}
    assert '"Laboratory-grown": "Laboratory-grown diamond"' in script, "its first line"


def test_lists_say_of_which_stones_they_are(own):
    assert "Natural, Round, Excellent" in own.api.get("/list").text
    head, first, *_ = own.api.get("/list/csv").text.splitlines()
    assert "Origin" in head
    assert "Natural" in first
    far = own.api.get("/v1/price-list", params={"carat": 90, "color": "E", "clarity": "VS1"})
    (cell,) = far.json()["cells"]
    assert (cell["price"], cell["support"]) == (None, 0)


def test_a_missing_cut_is_asked_for(own):
    reasons = own.model.assess(Stone(1.01, None, "E", "VS1", origin="Natural")).reasons
    assert [(r.code, r.given, r.nearest) for r in reasons] == [
        ("grade_not_seen", "Not graded", None)
    ]
    assert "give the grade of its cut" in reasons[0].message


def test_the_database_says_so_too(own):
    stones = own.sales.drop(columns="price").head(300).assign(id=np.arange(300))
    stones.loc[stones["id"] % 2 == 0, "origin"] = None
    connection = duckdb.connect()
    connection.register("given", stones)
    connection.execute("CREATE TABLE stones AS SELECT * FROM given")
    connection.execute(sql(own.model, "duckdb", columns=list(stones.columns)))
    found = connection.execute("SELECT id, code FROM diamond_prices ORDER BY id").df()
    assert set(found["code"][::2]) == {"origin_not_said"}
    assert found["code"][1::2].isna().all()


def test_what_like_sales_come_to_does_not_depend_on_how_many_are_shown(api):
    one, many = (
        api.post("/v1/comparables", json={"stone": USUAL, "count": count}).json()
        for count in (1, 40)
    )
    assert (len(one["comparables"]), len(many["comparables"])) == (1, 40)
    ends = ("median", "low", "high")
    assert [one[end] for end in ends] == [many[end] for end in ends]
    assert many["median"] == round(np.median([c["adjusted"] for c in many["comparables"]]), 2)


def test_the_nearest_stone_is_named_where_sales_are_adjusted_to_it(api):
    page = api.get("/", params=USUAL | {"carat": 9}).text
    assert "Adjusted to the nearest stone" in page
    assert "Adjusted to yours" not in page


def test_heavy_stones_are_backed_by_heavy_stones(api):
    page = api.get("/", params={"carat": 5.01, "cut": "Fair", "color": "J", "clarity": "I1"})
    assert "With caution: only one stone" in page.text
