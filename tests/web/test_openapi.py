"""The description of the API is exact: what it allows is answered, what it forbids refused."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import validate

from diamond_pricing.web.app import create_app
from diamond_pricing.web.settings import Settings
from tests.web.conftest import STONE

CASES = os.environ.get("SCHEMATHESIS_CASES", "1000")


def test_the_description_is_valid_and_has_examples_everywhere(api):
    document = api.get("/openapi.json").json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            assert operation["operationId"], path
            needed = [p for p in operation.get("parameters", []) if p.get("required")]
            assert all("example" in p for p in needed), (path, needed)
            if method == "post" and "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                assert "example" in content, path
    inputs = [s for n, s in document["components"]["schemas"].items() if n.endswith("In")]
    assert len(inputs) == 8
    whole = [schema for schema in inputs if "oneOf" not in schema]
    assert all(schema["additionalProperties"] is False for schema in whole)


OVERRIDES = """content_type_overrides:
  application/pdf: application/octet-stream
  text/csv: application/octet-stream
  application/vnd.apache.arrow.stream: application/octet-stream
  application/vnd.openxmlformats-officedocument.spreadsheetml.sheet: application/octet-stream
"""


def test_a_generated_client_keeps_every_answer_and_its_type(api, tmp_path):
    (tmp_path / "openapi.json").write_text(api.get("/openapi.json").text)
    (tmp_path / "generate.yaml").write_text(OVERRIDES)
    made = subprocess.run(
        [
            Path(sys.executable).with_name("openapi-python-client"),
            "generate",
            "--path",
            "openapi.json",
            "--config",
            "generate.yaml",
            "--output-path",
            "made",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("WARNING", "Unable", "Cannot", "omitted"):
        assert word not in made.stdout + made.stderr, made.stdout
    use = f"""
from diamond_pricing_client import Client
from diamond_pricing_client.api.quotes import create_quote, list_quotes, price_batch, read_quote
from diamond_pricing_client.models import BatchRowsIn, QuoteIn
client = Client(base_url={str(api.base_url)!r})
quote = create_quote.sync(client=client, body=QuoteIn.from_dict({STONE!r}))
print(type(quote).__name__, type(quote.lines[0]).__name__, quote.cents)
print(type(read_quote.sync(quote.id, client=client)).__name__)
wrong = create_quote.sync(client=client, body=QuoteIn.from_dict({STONE | {"carat": 99}!r}))
print(type(wrong).__name__, type(wrong.errors[0]).__name__, wrong.code)
rows = BatchRowsIn.from_dict({{"rows": [{STONE!r}]}})
batch = price_batch.sync(client=client, body=rows)
print(type(batch).__name__, batch.rows[0].cents == quote.cents)
print(type(list_quotes.sync(client=client, search="ideal").quotes[0]).__name__)
"""
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", use],
        cwd=tmp_path / "made",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said[:2] == ["QuoteOut", "LineOut"]
    assert said[3:] == [
        "QuoteOut",
        "ProblemDetails",
        "Fault",
        "stone_declined",
        "BatchOut",
        "True",
        "QuoteRow",
    ]


def npm(*words, where):
    command = ["npm", "--no-audit", "--no-fund", "--silent", "--prefix", str(where), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@pytest.mark.skipif(
    shutil.which("npm") is None or npm("ping", where=".").returncode != 0,
    reason="npm, or what it installs from, is not in reach",
)
def test_types_for_typescript_know_every_answer(api, tmp_path):
    installed = npm("install", "openapi-typescript@7.13.0", "typescript@5.9.3", where=tmp_path)
    assert installed.returncode == 0, installed.stderr
    tools = tmp_path / "node_modules" / ".bin"
    (tmp_path / "openapi.json").write_text(api.get("/openapi.json").text)
    words = ["openapi.json", "--output", "prices.d.ts"]
    made = subprocess.run(
        [tools / "openapi-typescript", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    assert "warn" not in (made.stdout + made.stderr).casefold()
    (tmp_path / "use.ts").write_text(f"""
import type {{ components }} from "./prices";
type Of = components["schemas"];
const least: Of["QuoteIn"][] = [{{ carat: 1, color: "E", clarity: "VS1" }}, {json.dumps(STONE)}];
export const cents = (quote: Of["QuoteOut"]): number => quote.lines[0].cents + quote.cents;
export const first = (wrong: Of["ProblemDetails"]): string | undefined =>
    wrong.errors?.[0]?.message;
export const row = (batch: Of["BatchOut"]): number | null | undefined =>
    batch.rows?.[0].cents;
// @ts-expect-error
const none: Of["QuoteIn"] = {{ color: "E" }};
// @ts-expect-error
export const typo = (quote: Of["QuoteOut"]) => quote.cent;
console.log(least, none);
""")
    checked = subprocess.run(
        [tools / "tsc", "--noEmit", "--strict", "--lib", "es2022,dom", "use.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_what_has_a_default_need_not_be_sent(api):
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith("In"):
            fields = schema.get("properties", {})
            assert not [f for f, told in fields.items() if "default" in told], name
    assert sorted(schemas["QuoteIn"]["required"]) == ["carat", "clarity", "color"]


def test_no_page_asks_another_host_for_anything(api, tmp_path):
    app = create_app(Settings(data=tmp_path, store=False)).app
    paths = {route.path for route in app.routes if "{" not in route.path}
    pages = 0
    for path in sorted({*paths, "/schema", "/schema/swagger", "/schema/redoc", "/docs"}):
        answer = api.get(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            pages += answer.status_code == 200
            asked = re.findall(
                r"""(?:src|href|action)=["']?(?:https?:)?//[^"'> ]+""", answer.text
            )
            assert not asked, (path, asked)
    assert pages >= 4
    assert api.get("/schema/swagger").status_code == 404


def test_the_examples_are_answered_as_they_say(api):
    document = api.get("/openapi.json").json()
    for path in ("/v1/quotes", "/v1/prices", "/v1/comparisons", "/v1/what-if"):
        operation = document["paths"][path]["post"]
        asked = operation["requestBody"]["content"]["application/json"]["example"]
        status = "201" if path == "/v1/quotes" else "200"
        said = operation["responses"][status]["content"]["application/json"]["example"]
        found = api.post(path, json=asked).json()
        own = dict.fromkeys(("id", "number", "created"), 0)
        assert {**said, **own} == {**found, **own}


def test_no_file_of_ours_asks_another_host_for_anything(api):
    for path in (
        "/",
        "/docs",
        "/list",
        "/compare",
        "/problems",
        "/static/page.css",
        "/static/page.js",
        "/static/docs.js",
    ):
        text = api.get(path).text
        for word in ("http://", "https://", "//cdn", "@import"):
            assert word not in text.replace("http://www.w3.org/2000/svg", ""), (path, word)


def test_schemathesis_finds_nothing(server, tmp_path):
    with httpx.Client(base_url=server.url) as api:
        quote = api.post("/v1/quotes", json=STONE).json()
    operations = 23
    (tmp_path / "schemathesis.toml").write_text(
        f"""
generation.database = "none"
[checks.positive_data_acceptance]
# A stone of the right shape may still be none, or one that the model declines.
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]
[[operations]]
include-path-regex = "/v1/quotes/.name"
parameters = {{ "path.name" = "{quote["id"]}" }}
"""
    )
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file",
            str(tmp_path / "schemathesis.toml"),
            "run",
            f"{server.url}/openapi.json",
            "--checks",
            "all",
            "--exclude-checks",
            "ignored_auth",
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            str(int(CASES) // operations),
            "--seed",
            "1",
            "--no-color",
            "--request-timeout",
            "20",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
