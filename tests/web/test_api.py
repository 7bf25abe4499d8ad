import json
import socket
import time

import numpy as np
import pytest

from diamond_pricing import PriceModel, Stone
from diamond_pricing.model.details import REFERENCE
from diamond_pricing.stones import ATTRIBUTES, Day, Measure
from diamond_pricing.web.problems import MEDIA_TYPE, TITLES
from tests.web.conftest import STONE
from tests.web.serving import command, until


def problem(answer, status, code):
    assert answer.headers["content-type"] == MEDIA_TYPE, answer.text
    found = answer.json()
    assert (answer.status_code, found["code"], found["status"]) == (status, code, status), found
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["title"] == TITLES[code][1]
    return found


def test_a_quote_is_the_models_own_explanation_and_reads_the_same_for_ever(api, packaged):
    made = api.post("/v1/quotes", json=STONE)
    assert made.status_code == 201
    quote, why = made.json(), packaged.explain(Stone(**STONE))
    assert quote["cents"] == why.cents == sum(line["cents"] for line in quote["lines"])
    assert [line["sentence"] for line in quote["lines"]] == [why.sentence(x) for x in why.lines]
    assert quote["range"] == {
        "level": 0.9,
        **dict(zip(("low", "high"), (round(e, 2) for e in why.range()), strict=True)),
    }
    assert quote["verdict"] == {"status": "priced", "reasons": []}
    assert (quote["currency"], quote["effective"]) == ("USD", "2008")
    assert quote["model"] == packaged.sha256
    assert quote["not_counted"] == []
    more = api.post("/v1/quotes", json=STONE | {"fluorescence": "Faint", "sold": "2025-01-01"})
    assert sorted(more.json()["not_counted"]) == ["fluorescence", "sold"]
    assert more.json()["cents"] == quote["cents"]
    assert made.headers["location"] == f"/v1/quotes/{quote['id']}"
    assert api.get(made.headers["location"]).json() == quote


def test_every_field_of_a_quote_does_what_it_says(api, packaged):
    asked = {
        **STONE,
        "depth": 61.5,
        "table": 56.0,
        "x": 6.46,
        "y": 6.5,
        "z": 3.98,
        "level": 0.5,
        "listing": "recorded",
        "effective": "2008",
        "language": "it",
        "line_ranges": True,
        "reference": {"carat": 0.5, "cut": "good", "color": "J", "clarity": "SI2"},
    }
    quote = api.post("/v1/quotes", json=asked).json()
    stone = Stone(1.01, "Ideal", "E", "VS1", 61.5, 56.0, 6.46, 6.5, 3.98)
    why = packaged.explain(stone, listing="recorded", reference=Stone(0.5, "Good", "J", "SI2"))
    assert quote["cents"] == why.cents
    assert quote["reference"]["cut"] == "Good"
    assert quote["range"]["level"] == 0.5
    assert quote["lines"][0]["label"] == "Pietra di riferimento"
    color = next(line for line in quote["lines"] if line["name"] == "color")
    assert color["label"] == "Colore"
    low, high = color["factor_range"]
    assert low < color["factor"] < high
    assert api.get(f"/v1/quotes/{quote['id']}").json() == quote


def test_a_comparison_a_step_and_a_list_are_the_models(api, packaged):
    other = STONE | {"color": "G"}
    pair = api.post("/v1/comparisons", json={"first": STONE, "second": other}).json()
    why = packaged.compare(Stone(**STONE), Stone(**other))
    assert pair["cents"] == why.cents
    assert pair["difference_cents"] == why.cents - why.lines[0].cents < 0
    back = api.post("/v1/comparisons", json={"first": other, "second": STONE}).json()
    assert back["difference_cents"] == -pair["difference_cents"]
    steps = api.post("/v1/what-if", json={"stone": STONE}).json()
    for step in steps["steps"]:
        assert step["cents"] == packaged.explain(Stone(**step["stone"])).cents
        assert step["difference_cents"] == step["cents"] - steps["cents"]
    amounts = [abs(step["difference_cents"]) for step in steps["steps"]]
    assert amounts == sorted(amounts, reverse=True)
    assert {(s["attribute"], s["after"]) for s in steps["steps"]} == {
        ("cut", "Premium"),
        ("color", "D"),
        ("color", "F"),
        ("clarity", "VVS2"),
        ("clarity", "VS2"),
        ("carat", 1.2),
        ("carat", 0.99),
    }
    query = {"cut": "good", "carat": [0.5, 2.0], "color": ["D", "J"], "clarity": "IF"}
    found = api.get("/v1/price-list", params=query).json()
    assert [(c["carat"], c["color"]) for c in found["cells"]] == [
        (0.5, "D"),
        (0.5, "J"),
        (2.0, "D"),
        (2.0, "J"),
    ]
    for cell in found["cells"]:
        stone = Stone(cell["carat"], "Good", cell["color"], "IF")
        if cell["price"] is None:
            assert cell["support"] == 0
            assert packaged.assess(stone).status == "declined"
        else:
            assert cell["price"] == packaged.explain(stone).price
            assert cell["low"] < cell["price"] < cell["high"]
    assert any(cell["price"] is None for cell in found["cells"])


def test_the_matrix_is_in_the_form_of_the_open_feed(api, packaged):
    """As programs read it: exp of an entry is the price per carat of a color and clarity."""
    found = api.get("/v1/matrix?cut=Ideal").json()
    rows, columns = found["s"]
    assert (rows, columns) == (len(found["r"]), len(found["c"]))
    assert found["r"][0] == "D"
    assert "1.0" in found["l"]
    assert "6.0" not in found["l"], "heavier than any sale"
    at = found["r"].index("E") * columns + found["c"].index("VS1")
    per_carat = np.exp(found["l"]["1.5"][at])
    price = packaged.explain(Stone(1.5, "Ideal", "E", "VS1")).price
    assert per_carat == pytest.approx(price / 1.5, rel=1e-5)
    assert None in found["l"]["3.0"], "no sales stand behind every cell"
    assert all(len(flat) == rows * columns for flat in found["l"].values())


def test_comparables_are_other_stones_adjusted_by_factors_that_multiply(api):
    found = api.post("/v1/comparables", json={"stone": STONE, "count": 7}).json()
    assert len(found["comparables"]) == 7
    assert found["comparables"] == sorted(found["comparables"], key=lambda c: c["distance"])
    for sale in found["comparables"]:
        product = sale["price"]
        for factor in sale["factors"].values():
            product *= factor
        assert product == pytest.approx(sale["adjusted"], abs=0.006)  # sent to the cent


def test_a_partner_verifies_a_quote_without_the_server(api):
    quote = api.post("/v1/quotes", json=STONE).json()
    document = api.get(f"/v1/models/{quote['model']}")
    assert document.headers["etag"] == f'"{quote["model"]}"'
    model = PriceModel.from_json(document.content)
    assert model.sha256 == quote["model"]
    assert model.explain(Stone(**quote["stone"])).cents == quote["cents"]
    listed = api.get("/v1/models").json()["models"]
    assert [(m["id"], m["active"]) for m in listed] == [(model.sha256, True)]


def test_a_pinned_model_must_exist(api, packaged):
    for pin in (
        {"headers": {"X-Model-Id": packaged.sha256}},
        {"params": {"model": packaged.sha256[:8]}},
    ):
        assert api.post("/v1/quotes", json=STONE, **pin).json()["model"] == packaged.sha256
    wrong = api.post("/v1/quotes", json=STONE, params={"model": "0" * 64})
    assert problem(wrong, 404, "model_not_found")["errors"][0]["parameter"] == "model"
    both = api.post(
        "/v1/quotes", json=STONE, params={"model": "0" * 64}, headers={"X-Model-Id": "1" * 64}
    )
    problem(both, 422, "models_differ")
    later = problem(
        api.post("/v1/quotes", json=STONE | {"effective": "2031"}), 422, "effective_not_known"
    )
    assert later["errors"][0]["allowed"] == ["2008"]
    problem(api.get("/v1/index"), 404, "not_dated")


DEEP = b"[" * 50_000
HOSTILE = [
    (b"", 400, "not_json"),
    (b"not json", 400, "not_json"),
    (b'{"carat": 1.01', 400, "not_json"),
    (b'{"carat": 1} {"carat": 2}', 400, "not_json"),
    (b'{"carat": 1, "carat": 2}', 400, "not_json"),
    (b'{"reference": {"cut": "Good", "cut": "Fair"}}', 400, "not_json"),
    (b'{"carat": NaN}', 400, "not_json"),
    (b'{"carat": -Infinity}', 400, "not_json"),
    (b'{"carat": 1e999}', 400, "not_json"),
    (b'{"carat": ' + b"9" * 5000 + b"}", 400, "not_json"),
    (DEEP, 400, "not_json"),
    (b'{"a":' * 5_000, 400, "not_json"),
    (b"\xff\xfe", 400, "not_json"),
    (b'{"cut": "\\ud800"}', 400, "not_json"),
    (b"\xef\xbb\xbf{}", 400, "not_json"),
    (b"[]", 400, "wrong_shape"),
    (b"null", 400, "wrong_shape"),
    (b'"stone"', 400, "wrong_shape"),
    (b"{}", 400, "wrong_shape"),
    (json.dumps(STONE | {"carat": "1.01"}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"carat": None}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"carat": True}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"carat": [1]}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"cut": 5}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"price": 1}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"Carat": 1}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"language": "fr"}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"__proto__": {}}).encode(), 400, "wrong_shape"),
    (json.dumps(STONE | {"carat": -1}).encode(), 422, "impossible_value"),
    (json.dumps(STONE | {"carat": 0}).encode(), 422, "impossible_value"),
    (json.dumps(STONE | {"carat": 1e300}).encode(), 422, "impossible_value"),
    (json.dumps(STONE | {"carat": 10**30}).encode(), 422, "impossible_value"),
    (json.dumps(STONE | {"depth": 1}).encode(), 422, "impossible_value"),
    (json.dumps(STONE | {"level": 1.5}).encode(), 422, "impossible_value"),
    (json.dumps(STONE | {"carat": 40}).encode(), 422, "stone_declined"),
    (json.dumps(STONE | {"color": "Z"}).encode(), 422, "stone_declined"),
    (json.dumps(STONE | {"listing": "x"}).encode(), 422, "stone_declined"),
    (json.dumps(STONE | {"cut": ""}).encode(), 422, "unknown_grade"),
    (json.dumps(STONE | {"cut": "Ideal\x00"}).encode(), 422, "unknown_grade"),
    (json.dumps(STONE | {"cut": "Ideаl"}).encode(), 422, "unknown_grade"),
    (json.dumps(STONE | {"cut": "x" * 10_000}).encode(), 422, "unknown_grade"),
    (json.dumps(STONE | {"cut": "'; DROP TABLE quotes; --"}).encode(), 422, "unknown_grade"),
    (json.dumps(STONE | {"x": 9.0, "y": 9.0}).encode(), 422, "contradiction"),
    (b" " * (1 << 17), 413, "too_large"),
]


@pytest.mark.parametrize(("body", "status", "code"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_body_has_one_status_and_one_code(api, body, status, code):
    answer = api.post("/v1/quotes", content=body, headers={"Content-Type": "application/json"})
    problem(answer, status, code)
    assert api.post("/v1/quotes", json=STONE).status_code == 201


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"cut": "Idael"}, {"pointer": "/cut", "given": "Idael", "nearest": "Ideal"}),
        ({"carat": 0.001}, {"pointer": "/carat", "given": 0.001, "nearest": 0.01}),
        (
            {"carat": 9.0},
            {"pointer": "/carat", "nearest": 5.01, "code": "weight_outside_range"},
        ),
        ({"color": "Z"}, {"pointer": "/color", "nearest": "J", "code": "grade_not_seen"}),
        ({"colour": "E"}, {"pointer": "/colour", "nearest": "color"}),
        ({"carat": "1"}, {"pointer": "/carat", "given": "1"}),
        ({"reference": {**STONE, "cut": "?"}}, {"pointer": "/reference/cut", "given": "?"}),
        ({"level": 2.0}, {"pointer": "/level", "nearest": 0.99}),
        (
            {"reference": {"carat": 1, "cutt": "Good"}},
            {"pointer": "/reference/cutt", "nearest": "cut"},
        ),
        ({"reference": {"carat": 1.0}}, {"pointer": "/reference/color"}),
        ({"language": "fr"}, {"pointer": "/language", "allowed": ["en", "it"]}),
        ({"listing": "y"}, {"pointer": "/listing", "code": "listing_not_known"}),
        ({"a`b - at `$.carat": 1}, {"pointer": "/a`b - at `$.carat"}),
        ({"a\nb": 1}, {"pointer": "/a\nb"}),
    ],
)
def test_a_fault_says_where_what_was_given_and_what_would_do(api, changed, expected):
    (fault,) = api.post("/v1/quotes", json=STONE | changed).json()["errors"]
    assert expected.items() <= fault.items()
    assert fault["message"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nothing", {}, 404, "not_found"),
        ("GET", "/v1/quotes/q_0", {}, 404, "quote_not_found"),
        ("GET", "/v1/quotes/..%2f..%2fetc%2fpasswd", {}, 404, "not_found"),
        ("GET", "/static/..%2f..%2fapp.py", {}, 404, "not_found"),
        ("GET", "/v1/models/nothing", {}, 404, "model_not_found"),
        ("GET", "/v1/models/..%2f..%2fx", {}, 404, "not_found"),
        ("DELETE", "/v1/quotes", {}, 405, "method_not_allowed"),
        ("PUT", "/v1/quotes/batch", {}, 405, "method_not_allowed"),
        ("POST", "/v1/quotes", {"content": b"{}"}, 415, "unsupported_media_type"),
        ("POST", "/v1/quotes/batch", {"content": b"{}"}, 415, "unsupported_media_type"),
        ("GET", "/v1/price-list?carat=x", {}, 400, "bad_request"),
        ("GET", "/v1/price-list?cut=Idael", {}, 422, "unknown_grade"),
        ("GET", "/v1/price-list?" + "carat=1&" * 400, {}, 200, ""),
        (
            "GET",
            "/v1/price-list?" + "&".join(f"carat={1 + i / 1000}" for i in range(400)),
            {},
            400,
            "bad_request",
        ),
        ("GET", "/v1/audit?after=-1", {}, 400, "bad_request"),
        ("GET", "/?" + "a=1&" * 61, {}, 400, "bad_request"),
        ("GET", "/v1/quotes/a%00b", {}, 404, "quote_not_found"),
        (
            "POST",
            "/v1/quotes",
            {"json": STONE, "headers": {"Idempotency-Key": ""}},
            400,
            "bad_request",
        ),
        ("GET", "/v1/usage?since=x", {}, 400, "bad_request"),
    ],
)
def test_every_error_is_a_problem_document(api, method, path, options, status, code):
    answer = api.request(method, path, **options)
    if code:
        problem(answer, status, code)
    assert answer.status_code == status
    if status == 405:
        assert "POST" in answer.headers["allow"]


def test_repeating_with_an_idempotency_key_gives_the_same_quote_once(api):
    key = {"Idempotency-Key": f"order-{time.monotonic_ns()}"}
    first, again = (api.post("/v1/quotes", json=STONE, headers=key) for _ in range(2))
    assert again.content == first.content
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    other = api.post("/v1/quotes", json=STONE | {"color": "F"}, headers=key)
    problem(other, 422, "idempotency_key_reused")


def test_a_slow_body_and_a_slow_head_are_ended(server):
    began = time.monotonic()
    heads = (
        b"POST /v1/quotes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
        b"POST /v1/quotes HTTP/1.1\r\nHost: 127",
    )
    waiting = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in heads]
    for raw, head in zip(waiting, heads, strict=True):
        raw.sendall(head)
    for raw in waiting:
        answer = raw.recv(4096)
        raw.close()
        if answer:
            assert b" 408 " in answer.partition(b"\r\n")[0], answer
    assert 5 < time.monotonic() - began < 20


def test_answers_are_safe_in_a_browser(api):
    page, quote = api.get("/"), api.post("/v1/quotes", json=STONE)
    for answer in (page, quote):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.headers["x-request-id"]) == 16
        assert answer.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_without_keys_other_sites_and_other_names_get_nothing(api):
    for headers in (
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        problem(api.post("/v1/quotes", json=STONE, headers=headers), 403, "forbidden")
    problem(api.get("/", headers={"Host": "evil.example"}), 403, "forbidden")


def test_a_server_without_keys_is_not_opened_to_others(tmp_path):
    import subprocess

    done = subprocess.run(
        command("serve", "--host", "0.0.0.0", "--data", str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "without keys the server is open" in done.stderr


def test_metrics_count_what_happens(api):
    def count(name):
        text = api.get("/metrics").text
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith(name)
        )

    names = ("diamond_pricing_quotes_total", "diamond_pricing_declines_total")
    before = [count(name) for name in names]
    api.post("/v1/quotes", json=STONE)
    api.post("/v1/quotes", json=STONE | {"carat": 40})
    assert [count(name) for name in names] == [value + 1 for value in before]
    assert "diamond_pricing_active_model" in api.get("/metrics").text


def test_the_fields_of_a_stone_are_those_of_the_attribute_table(api):
    schema = api.get("/openapi.json").json()["components"]["schemas"]["StoneIn"]
    table = {name: a for name, a in ATTRIBUTES.items() if name != "listing"}
    assert set(schema["properties"]) == set(table)
    assert set(schema["required"]) == {name for name, a in table.items() if a.needed}
    for name, attribute in table.items():
        if isinstance(attribute, Day):
            assert schema["properties"][name]["format"] == "date"
        elif isinstance(attribute, Measure):
            assert schema["properties"][name]["maximum"] == attribute.high


def test_the_access_log_is_lines_of_json(server, api):
    answer = api.post("/v1/quotes", json=STONE)
    name = answer.headers["x-request-id"]
    until(lambda: name in server.log.read_text())  # it is written ten times a second
    lines = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    (entry,) = [e for e in map(json.loads, lines) if e["id"] == name]
    assert (entry["path"], entry["status"], entry["tenant"]) == ("/v1/quotes", 201, "local")


def test_lines_of_an_answer_begin_with_the_reference(api):
    lines = api.post("/v1/quotes", json=STONE).json()["lines"]
    assert lines[0]["name"] == REFERENCE
    assert lines[-1]["running_cents"] == sum(line["cents"] for line in lines)


def test_a_connection_that_breaks_off_leaves_the_server_well(server, api):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(
                b"POST /v1/quotes HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: 90\r\n\r\n{"
            )
    assert api.post("/v1/quotes", json=STONE).status_code == 201


def test_every_field_at_fault_is_named(api):
    wrong = STONE | {"cut": "?", "color": "?", "depth": 1.0}
    found = problem(api.post("/v1/quotes", json=wrong), 422, "unknown_grade")
    assert {f["pointer"] for f in found["errors"]} == {"/cut", "/color", "/depth"}
    step = api.post("/v1/what-if", json={"stone": STONE, "listing": "y"})
    assert problem(step, 422, "stone_declined")["errors"][0]["pointer"] == "/listing"


@pytest.mark.parametrize(
    ("method", "path", "wrong"),
    [
        ("POST", "/v1/quotes?levle=0.5", "levle"),
        ("POST", "/v1/quotes?model=34522f0cdad8&x=", "x"),
        ("GET", "/v1/price-list?colour=E", "colour"),
        ("GET", "/v1/models?lang=it", "lang"),
        ("GET", "/v1/models/34522f0cdad8?name=b", "name"),
        ("GET", "/v1/usage?until=2026&from=2025", "from"),
    ],
)
def test_fields_of_a_query_that_nobody_reads_are_refused(api, method, path, wrong):
    answer = api.request(method, path, json=STONE if method == "POST" else None)
    found = problem(answer, 400, "bad_request")
    assert [f["pointer"] for f in found["errors"]] == [f"/{wrong}"]


def test_many_keys_are_looked_through_once(api):
    body = "{" + ",".join(f'"{i:x}":1' for i in range(7000)) + ',"1b57":1}'
    head, took = {"Content-Type": "application/json"}, []
    for _ in range(5):
        began = time.monotonic()
        answer = api.post("/v1/quotes", content=body, headers=head)
        took.append(time.monotonic() - began)
        problem(answer, 400, "not_json")
    assert min(took) < 0.3  # a quadratic search took twice that


def test_head_is_get_without_its_body(api):
    for path in ("/", "/health/live", "/v1/models"):
        head, full = api.head(path), api.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == full.headers["content-length"]


def test_a_port_that_is_served_is_not_shared(server, tmp_path):
    import subprocess

    done = subprocess.run(
        command("serve", "--port", str(server.port), "--data", str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "cannot be served" in done.stderr


def test_silent_connections_do_not_keep_others_out(server, api):
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("this machine lets a process have few connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1100)]
    try:
        assert api.get("/health/live").status_code == 200
    finally:
        for one in silent:
            one.close()


def test_a_comparison_is_as_sure_as_the_less_known_of_its_stones(api, packaged):
    rare = {"carat": 3.2, "cut": "Good", "color": "F", "clarity": "SI2"}
    assert packaged.assess(Stone(**rare)).status == "priced_with_caution"
    for first, second in ((rare, STONE), (STONE, rare)):
        verdict = api.post("/v1/comparisons", json={"first": first, "second": second}).json()[
            "verdict"
        ]
        assert verdict["status"] == "priced_with_caution"
        (reason,) = verdict["reasons"]
        assert reason["message"].startswith(f"{Stone(**rare)}: based on only 5 stones")


def test_a_level_that_too_few_errors_were_measured_for_is_refused(api, scarce):
    stone = scarce | {"level": 0.99}
    answer = api.post("/v1/quotes", json=stone)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/level", "level_not_possible")
    assert 0.9 < error["nearest"] < 0.99
    again = api.post("/v1/quotes", json=stone | {"level": error["nearest"]})
    assert again.status_code == 201
