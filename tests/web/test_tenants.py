import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.web.conftest import STONE
from tests.web.serving import command, make_key, serving, until
from tests.web.test_api import problem


@pytest.fixture(scope="module")
def document(keyed):
    return httpx.get(f"{keyed.server.url}/openapi.json").json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def example(operation):
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("example")


def test_no_tenant_reads_anything_of_another_by_any_route(keyed, document):
    """Every route with an id, as the description lists them, with the ids of another."""
    with keyed.as_("acme") as acme, keyed.as_("bolt") as bolt:
        quote = acme.post("/v1/quotes", json=STONE).json()["id"]
        tried = 0
        for method, path, operation in operations(document):
            if "/quotes/{" not in path:
                continue
            filled = re.sub(r"\{[^}]*\}", quote, path)
            mine = acme.request(method, filled, json=example(operation))
            assert mine.is_success, (method, filled, mine.text)
            theirs = bolt.request(method, filled, json=example(operation))
            absent = bolt.request(method, filled.replace(quote, "q_" + "0" * 32))
            assert problem(theirs, 404, "quote_not_found")
            assert theirs.json()["detail"] == absent.json()["detail"]
            tried += 1
        assert tried >= 4
        key = {"Idempotency-Key": "the same for both"}
        one = acme.post("/v1/quotes", json=STONE, headers=key).json()["id"]
        two = bolt.post("/v1/quotes", json=STONE, headers=key).json()["id"]
        assert one != two
        assert {u["kind"] for u in bolt.get("/v1/usage").json()["usage"]} == {"quote"}
        assert bolt.get("/v1/usage").json()["tenant"] == "bolt"


def test_every_operation_asks_for_a_key(keyed, document):
    with httpx.Client(base_url=keyed.server.url) as nobody:
        for method, path, operation in operations(document):
            filled = re.sub(r"\{[^}]*\}", "x", path)
            answer = nobody.request(method, filled, json=example(operation))
            if path.startswith("/health"):
                assert answer.status_code == 200
                continue
            problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer dp_000000000000_" + "A" * 43, "Bearer x", "Basic eDp5", "dp_x"):
            answer = nobody.post("/v1/quotes", json=STONE, headers={"Authorization": wrong})
            problem(answer, 401, "unauthorized")
        assert nobody.get("/").headers["location"] == "/sign-in"
        assert nobody.get("/sign-in").status_code == 200
        assert nobody.get("/static/page.css").status_code == 200


def test_a_key_does_only_what_its_scopes_say(keyed):
    with keyed.as_("small") as small, keyed.as_("acme") as acme, keyed.as_("root") as root:
        problem(small.post("/v1/quotes/batch", json={"rows": [STONE]}), 403, "forbidden")
        for path in ("/v1/audit", "/metrics"):
            problem(acme.get(path), 403, "forbidden")
            assert root.get(path).status_code == 200
        model = acme.get("/v1/models").json()["models"][0]["id"]
        assert acme.get(f"/v1/models/{model}").json()["sha256"] == model
        problem(small.get(f"/v1/models/{model}"), 403, "forbidden")
        actions = [e["action"] for e in root.get("/v1/audit").json()["entries"]]
        assert actions.count("key created") >= 4


def test_a_quota_is_told_kept_and_not_evaded_by_parallel_requests(keyed):
    with keyed.as_("small") as small:
        first = small.post("/v1/quotes", json=STONE)
        assert first.headers["ratelimit-policy"] == '"prices";q=20;w=86400'
        assert re.fullmatch(r'"prices";r=19;t=\d+', first.headers["ratelimit"])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: small.post("/v1/quotes", json=STONE), range(40)))
        assert sum(a.status_code == 201 for a in answers) == 19
        refused = next(a for a in answers if a.status_code == 429)
        problem(refused, 429, "too_many_requests")
        assert 0 < int(refused.headers["retry-after"]) <= 86400
        assert small.get("/v1/usage").json()["usage"][0]["units"] == 20


def test_a_new_key_works_and_a_revoked_one_stops_within_seconds(tmp_path):
    key = make_key(tmp_path, "acme", "quote")
    with serving(tmp_path) as server, httpx.Client(base_url=server.url) as api:
        head = {"Authorization": f"Bearer {key}"}
        assert api.post("/v1/quotes", json=STONE, headers=head).status_code == 201
        later = {"Authorization": f"Bearer {make_key(tmp_path, 'bolt', 'quote')}"}
        until(lambda: api.post("/v1/quotes", json=STONE, headers=later).status_code == 201)
        revoked = ["keys", "revoke", key.split("_")[1], "--data", str(tmp_path)]
        subprocess.run(command(*revoked), check=True, capture_output=True)
        problem(api.post("/v1/quotes", json=STONE, headers=head), 401, "unauthorized")
        listed = subprocess.run(
            command("keys", "list", "--data", str(tmp_path)), capture_output=True, text=True
        )
        assert "revoked" in listed.stdout
        assert key not in listed.stdout


def test_a_quote_survives_the_power_going_right_after_its_answer(tmp_path):
    from tests.web.serving import Server

    names = []
    for _ in range(3):
        server = Server(tmp_path)
        with httpx.Client(base_url=server.url) as api:
            for name in names:
                assert api.get(f"/v1/quotes/{name}").status_code == 200
            names.append(api.post("/v1/quotes", json=STONE).json()["id"])
        server.kill()
    with serving(tmp_path) as server, httpx.Client(base_url=server.url) as api:
        assert api.get(f"/v1/quotes/{names[-1]}").json()["cents"] > 0


def test_prices_go_on_when_nothing_can_be_stored(tmp_path):
    import sqlite3

    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=20) as api:
        assert api.post("/v1/quotes", json=STONE).status_code == 201
        other = sqlite3.connect(tmp_path / "service.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        told = api.post("/v1/quotes", json=STONE)
        assert told.status_code == 200
        assert told.headers["x-quote-stored"] == "no"
        assert (told.json()["id"], told.json()["cents"]) == (None, 810010)
        other.execute("ROLLBACK")
        other.close()
        assert api.post("/v1/quotes", json=STONE).status_code == 201
        units = sum(u["units"] for u in api.get("/v1/usage").json()["usage"])
        assert units == 3


def test_a_browser_signs_in_with_a_key_and_keeps_to_its_tenant(keyed):
    origin = {"Origin": keyed.server.url}
    with httpx.Client(base_url=keyed.server.url, headers=origin) as browser:
        cross = browser.post(
            "/sign-in",
            data={"key": keyed.keys["acme"]},
            headers={"Origin": "https://evil.example"},
        )
        assert (cross.status_code, "set-cookie" in cross.headers) == (403, False)
        wrong = browser.post("/sign-in", data={"key": "dp_x"})
        assert wrong.status_code == 401
        done = browser.post("/sign-in", data={"key": keyed.keys["acme"]})
        assert done.status_code == 303
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert keyed.keys["acme"].split("_", 2)[2] not in cookie
        kept = browser.post("/quotes", data={k: str(v) for k, v in STONE.items()})
        sheet = kept.headers["location"]
        assert browser.get(sheet).status_code == 200
        with keyed.as_("bolt") as bolt:
            assert bolt.get(sheet).status_code == 404
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert browser.post("/quotes", data={}, headers=headers).status_code == 403
        browser.post("/sign-out?lang=it")
        assert browser.get("/").headers["location"] == "/sign-in"
        there = browser.get(sheet, headers={"Accept": "text/html"}).headers["location"]
        assert there.startswith("/sign-in?next=%2Fv1%2Fquotes%2Fq_")
        asked = {"key": keyed.keys["acme"], "next": sheet}
        assert browser.post("/sign-in", data=asked).headers["location"] == sheet
        for bad in ("https://evil.example", "//evil.example", "/\\evil.example", "x"):
            asked = {"key": keyed.keys["acme"], "next": bad}
            assert browser.post("/sign-in", data=asked).headers["location"] == "/"
        browser.post("/sign-out")
        scripted = browser.get("/?carat=1", headers={"HX-Request": "true"})
        assert scripted.headers["hx-redirect"].startswith("/sign-in?next=")
        assert "Incollare" in browser.get("/sign-in?next=%2F%3Flang%3Dit").text
        forged = cookie.split("=", 1)[1].split(";")[0][:-4] + "0000"
        assert browser.get("/", headers={"Cookie": f"dp_session={forged}"}).status_code == 303


def test_a_shared_link_shows_one_quote_to_anybody_and_no_other(keyed):
    with keyed.as_("acme") as acme:
        names = [acme.post("/v1/quotes", json=STONE).json()["id"] for _ in range(2)]
        url = acme.post(f"/v1/quotes/{names[0]}/share").json()["url"]
    with httpx.Client(base_url=keyed.server.url) as anybody:
        page = anybody.get(url)
        assert page.status_code == 200
        assert names[0] in page.text
        assert anybody.get(url + ".pdf").content.startswith(b"%PDF")
        for bad in (url[:-1] + "x", url.replace(names[0], names[1]), f"/shared/{names[0]}"):
            assert anybody.get(bad).status_code == 404
        with keyed.as_("bolt") as bolt:
            assert bolt.delete(f"/v1/quotes/{names[0]}/share").status_code == 404
        assert anybody.get(url).status_code == 200
        with keyed.as_("acme") as acme:
            assert acme.delete(f"/v1/quotes/{names[0]}/share").status_code == 204
            fresh = acme.post(f"/v1/quotes/{names[0]}/share").json()["url"]
        gone = anybody.get(url, headers={"Accept": "text/html"})
        assert gone.status_code == 404
        assert "not valid any more" in gone.text
        assert "Price a stone" not in gone.text, "a client has no use for the desk's menu"
        assert anybody.get(fresh).status_code == 200
        signature = fresh.rpartition(".")[2]
        assert signature not in keyed.server.log.read_text()


def test_a_key_in_a_page_prices_there_and_does_nothing_else(tmp_path):
    shop, other = "https://shop.example", "https://evil.example"
    key = make_key(tmp_path, "shop", "publish", "--origin", shop, "--quota", "3/day")
    ask = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    with serving(tmp_path) as server, httpx.Client(base_url=server.url) as page:
        allowed = page.options("/v1/prices", headers={"Origin": shop, **ask})
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == shop
        assert "authorization" in allowed.headers["access-control-allow-headers"]
        for origin, path in ((other, "/v1/prices"), (shop, "/v1/quotes")):
            refused = page.options(path, headers={"Origin": origin, **ask})
            assert "access-control-allow-origin" not in refused.headers
        bearer = {"Authorization": f"Bearer {key}"}
        for origin in ({"Origin": other}, {}):
            answer = page.post("/v1/prices", json=STONE, headers=bearer | origin)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        here = bearer | {"Origin": shop}
        answer = page.post("/v1/prices", json=STONE, headers=here)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == shop
        assert answer.json()["id"] is None
        for method, path in (
            ("POST", "/v1/quotes"),
            ("GET", "/v1/quotes"),
            ("GET", "/v1/models"),
            ("POST", "/v1/quotes/batch"),
            ("GET", "/"),
            ("GET", "/stock"),
        ):
            answer = page.request(method, path, json=STONE, headers=here)
            assert answer.status_code == 403, path
        statuses = [
            page.post("/v1/prices", json=STONE, headers=here).status_code for _ in range(3)
        ]
        assert statuses == [200, 200, 429], "a quota of its own"
        script = page.get("/embed.js", headers={"Accept-Language": "it"})
        assert script.headers["content-type"].startswith("text/javascript")
        assert "Purezza" in script.text
