"""The description of the API, finished: what Litestar derives from the types, and the rest.

Litestar leaves out that unknown fields are refused, what an error looks like, the bodies of
batches, and examples.
"""

from dataclasses import replace
from typing import Any

import msgspec
from litestar import Litestar

from diamond_pricing import __version__
from diamond_pricing.intake.judged import REFUSED
from diamond_pricing.intake.priced_sheet import XLSX
from diamond_pricing.model import PriceModel
from diamond_pricing.model.price_model import nearest_priced
from diamond_pricing.model.verdict import DECLINED
from diamond_pricing.model.words import ENGLISH
from diamond_pricing.stones import ATTRIBUTES, Measure, Stone
from diamond_pricing.web.batch import NAMES
from diamond_pricing.web.forms import ARROW, CSV, JSON
from diamond_pricing.web.messages import PairIn, QuoteIn
from diamond_pricing.web.pricing import compared, price_list, priced, quoted, stepped
from diamond_pricing.web.problems import MEDIA_TYPE, TITLES, ProblemDetails
from diamond_pricing.web.requests import PINNED
from diamond_pricing.web.storage.ledger import StoredQuote

STONE: dict[str, Any] = {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}
OTHER: dict[str, Any] = STONE | {"carat": 1.2, "clarity": "SI1", "table": 57.0}
QUOTE = "q_5b8d1a3f0c7e4926b8d1a3f0c7e49265"
_STATUSES = (400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503)
_CLOSED = {"type": "object", "additionalProperties": False}
_BYTES = {"type": "string", "format": "binary"}
_ABOUT = """Prices of polished diamonds, each with its reasons.

Every price is an exact product of factors, itemised in cents that sum to it. The model
document (`/v1/models/{id}`) prices without this server; its field `sha256`, the hash of all
the rest of it, is the model's id, and whatever reads the document checks that.

**Errors** are problem documents (RFC 9457); `/problems` explains their codes. **Keys** go
into the header `Authorization: Bearer dp_…`; a server without keys answers this machine only.
**Quotas** are told in the headers `RateLimit-Policy` and `RateLimit`. **Repeating** a request
with the same `Idempotency-Key` gives the same quote.

**Versions**: paths begin with `/v1`. Fields and codes may be added to it, none is taken away or
changes its meaning. Before an operation is withdrawn it carries the headers `Deprecation` and
`Sunset` for a year.
"""


def description(app: Litestar, model: PriceModel) -> dict[str, Any]:
    """The OpenAPI document, as JSON can hold it."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["info"] = {
        "title": "diamond_pricing",
        "version": __version__,
        "description": _ABOUT,
        "license": {"name": "MIT", "identifier": "MIT"},
    }
    document["servers"] = [{"url": "/"}]
    schemas, paths = document["components"]["schemas"], document["paths"]
    _, problem = msgspec.json.schema_components(
        [ProblemDetails], ref_template="#/components/schemas/{name}"
    )
    schemas.update(problem)
    for name, schema in schemas.items():
        _exact(name, schema)
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key: dp_…"}
    }
    document["security"] = [{"key": []}, {}]
    document["components"]["responses"] = {
        f"problem{status}": {
            "description": "; ".join(t for s, t in TITLES.values() if s == status) + ".",
            "content": {MEDIA_TYPE: {"schema": _ref("ProblemDetails")}},
        }
        for status in _STATUSES
    }
    for path, methods in paths.items():
        for operation in methods.values():
            _finished(path, operation)
    _plain(paths)
    _batch(paths["/v1/quotes/batch"]["post"], schemas)
    _quotes(paths["/v1/quotes"]["post"])
    _sheets(paths)
    _examples(paths, model)
    _itemised(document)
    return document


def _itemised(part: Any) -> None:
    """Say that arrays of anything have items, without which generators drop the schema."""
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            _itemised(inner)
    if isinstance(part, dict) and "array" in str(part.get("type", "")):
        part.setdefault("items", {})


def _exact(name: str, schema: dict[str, Any]) -> None:
    """Refuse unknown fields, and say the bounds of a level."""
    if "properties" in schema:
        schema["additionalProperties"] = False
    if name.endswith("In"):  # generators take what has a default for what must be sent
        for field in schema.get("properties", {}).values():
            if (usual := field.pop("default", None)) not in (None, "", {}):
                shown = msgspec.json.encode(usual).decode().strip('"')
                field["description"] = f"{field.get('description', '')} Default: {shown}."
    level = schema.get("properties", {}).get("level")
    if level is not None and name.endswith("In"):
        level |= {"exclusiveMinimum": 0, "maximum": 0.99}


def _finished(path: str, operation: dict[str, Any]) -> None:
    if operation["operationId"] in PINNED:
        name = {"type": "string", "pattern": "^[0-9a-f]{8,64}$"}
        words = "Id of the model to be answered by, or its beginning."
        operation.setdefault("parameters", []).extend(
            [
                _parameter("model", "query", name, words),
                _parameter("X-Model-Id", "header", name, "The same."),
            ]
        )
    if operation["operationId"] == "createQuote":
        key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
        words = "The same request with the same key is given the same quote."
        operation["parameters"].append(_parameter("Idempotency-Key", "header", key, words))
    responses = operation["responses"]
    responses.pop("400", None)
    for status in _STATUSES:
        responses[str(status)] = {"$ref": f"#/components/responses/problem{status}"}
    for parameter in operation.get("parameters", []):
        # null is not a value that a query or header can hold
        schema = parameter["schema"]
        for choice in schema.pop("oneOf", []):
            if choice.get("type") != "null":
                schema |= choice
        if parameter["name"] == "after":  # Litestar makes them floats
            schema |= {"minimum": 0, "maximum": 2**62}
    if path.startswith("/health"):
        operation["security"] = [{}]


def _quotes(operation: dict[str, Any]) -> None:
    """What is told when nothing can be stored, and the headers of an answer."""
    made = operation["responses"]["201"]
    made["description"] = "The quote, kept."
    made["headers"] = {
        "Location": _text("Where the quote can be read again."),
        "Idempotency-Replayed": _text("true where an earlier request made the quote."),
        "RateLimit-Policy": _text('The quota, as "prices";q=1000;w=3600.'),
        "RateLimit": _text('What is left of it, as "prices";r=999;t=3599.'),
    }
    told = {key: value for key, value in made.items() if key != "headers"}
    operation["responses"]["200"] = told | {
        "description": "The price, which could not be kept: its id is null, it is no quote.",
        "headers": {"X-Quote-Stored": _text("no")},
    }


def _text(words: str) -> dict[str, Any]:
    return {"description": words, "schema": {"type": "string"}, "required": False}


def _plain(paths: dict[str, Any]) -> None:
    """Answers that are bytes to Litestar."""
    paths["/v1/models/{name}"]["get"]["responses"]["200"]["content"] = {
        JSON: {"schema": {"type": "object", "required": ["sha256", "schema", "terms"]}}
    }
    paths["/metrics"]["get"]["responses"]["200"]["content"] = {
        "text/plain": {"schema": {"type": "string"}}
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", **more, "items": items}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """An object that has no other fields than these."""
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


def _parameter(
    name: str, where: str, schema: dict[str, Any], words: str = ""
) -> dict[str, Any]:
    described = {"description": words} if words else {}
    return {"name": name, "in": where, "required": False, **described, "schema": schema}


def _batch(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """The forms of a batch, of which Litestar knows nothing; named, for generators."""
    columns = {}
    for name in NAMES:
        kind = "number" if type(ATTRIBUTES[name]) is Measure else "string"
        columns[name] = _array({"type": [kind, "null"]}, minItems=1)
    schemas["BatchRowsIn"] = _object({"rows": _array({}, minItems=1)}, ["rows"])
    needed = [n for n in NAMES if n in STONE]
    schemas["BatchColumns"] = _CLOSED | {"properties": columns, "required": needed}
    schemas["BatchColumnsIn"] = _object({"columns": _ref("BatchColumns")}, ["columns"])
    schemas["BatchIn"] = {"oneOf": [_ref("BatchRowsIn"), _ref("BatchColumnsIn")]}
    table = "carat,cut,color,clarity\n1.01,Ideal,E,VS1\n0.70,Very Good,G,SI1\n"
    others = {media: {"schema": _BYTES} for media in (ARROW, XLSX)}
    operation["requestBody"] = {
        "required": True,
        "description": "Rows or columns of JSON, a CSV file with a header, an Arrow stream, or "
        "a spreadsheet.",
        "content": {
            JSON: {"schema": _ref("BatchIn")},
            CSV: {"schema": {"type": "string"}, "example": table},
            **others,
        },
    }
    money = {"type": "integer"}
    row = {
        "status": {"type": "string", "enum": ["priced", "priced_with_caution", REFUSED]},
        "price": {"type": "number"},
        "cents": money,
        "range": {"type": ["object", "null"], "additionalProperties": {"type": "number"}},
        "lines": {"type": "object", "additionalProperties": money},
        "error": _ref("Fault"),
    }
    schemas["BatchRowOut"] = {"type": "object", "properties": row, "required": ["status"]}
    schemas["BatchRowOut"] |= _CLOSED
    error = {"row": {"type": "integer"}, "error": _ref("Fault")}
    schemas["BatchErrorOut"] = _object(error, ["row", "error"])
    texts = ("model", "currency", "effective", "listing")
    amounts = _array({"type": ["integer", "null"]})
    schemas["BatchOut"] = {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in texts},
            "level": {"type": "number"},
            "count": {"type": "integer"},
            "rows": _array(_ref("BatchRowOut")),
            "columns": {"type": "object", "additionalProperties": {"type": "array"}},
            "lines": {"type": "object", "additionalProperties": amounts},
            "errors": _array(_ref("BatchErrorOut")),
        },
        "required": [*texts, "level"],
    }
    text = {"schema": {"type": "string"}}
    operation["responses"]["200"] = {
        "description": "In the form that was sent, in the same order.",
        "content": {JSON: {"schema": _ref("BatchOut")}, CSV: text, **others},
    }


def _sheets(paths: dict[str, Any]) -> None:
    """The client's sheets, which share a route with the quote."""
    read = paths["/v1/quotes/{name}"]["get"]
    read["responses"]["200"]["content"] = {JSON: {"schema": _ref("QuoteOut")}}
    sizes = {"type": "string", "enum": ["a4", "us-letter"], "default": "a4"}
    paper = _parameter("paper", "query", sizes)
    for kind, media, schema, parameters, summary in (
        ("html", "text/html", {"type": "string"}, [], "Read the client's sheet"),
        ("pdf", "application/pdf", _BYTES, [paper], "Read the client's sheet as PDF"),
    ):
        ok = {"description": f"{summary}.", "content": {media: {"schema": schema}}}
        operation = {
            "operationId": f"readSheet{kind.capitalize()}",
            "summary": summary,
            "parameters": [*read["parameters"], *parameters],
            "description": "One page for a client: the stone, its price and why.",
            "responses": read["responses"] | {"200": ok},
        }
        paths[f"/v1/quotes/{{name}}.{kind}"] = {"get": read | operation}


def _examples(paths: dict[str, Any], model: PriceModel) -> None:
    """Questions, and the answers that this model gives."""
    stone, other = _samples(model)
    asked = msgspec.convert(stone, QuoteIn)
    why = priced(model, asked)
    when = "2026-11-23T09:30:00Z"
    kept = StoredQuote(QUOTE, "acme", when, model.sha256, "", why.cents, 2026, 123)
    quote = quoted(why, model, asked, kept)
    pair = {"first": stone, "second": other}
    questions: dict[str, tuple[Any, Any]] = {
        "/v1/quotes": (stone, quote),
        "/v1/prices": (stone, quoted(why, model, asked)),
        "/v1/comparisons": (pair, compared(model, msgspec.convert(pair, PairIn))),
        "/v1/what-if": ({"stone": stone}, stepped(model, why.stone, "blend", ENGLISH)),
        "/v1/comparables": ({"stone": stone, "count": 3}, None),
    }
    rows = {"rows": [stone, other]}
    paths["/v1/quotes/batch"]["post"]["requestBody"]["content"][JSON]["example"] = rows
    for path, (question, answer) in questions.items():
        operation = paths[path]["post"]
        operation["requestBody"]["content"][JSON]["example"] = question
        _answer(operation, answer)
    _answer(paths["/v1/quotes/{name}"]["get"], quote)
    grades = ([stone["color"]], [stone["clarity"]])
    small = price_list(model, stone["cut"], [stone["carat"]], *grades)
    _answer(paths["/v1/price-list"]["get"], small)
    values = {
        "name": QUOTE,
        "carat": [0.5, 1.0],
        "color": ["E", "G"],
        "clarity": ["VS1"],
        "since": "2026-11",
        "until": "2026-11-23T09",
        "after": 0,
    }
    for path, methods in paths.items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in values:
                    parameter["example"] = values[parameter["name"]]
                if "/models/" in path and parameter["name"] == "name":
                    parameter["example"] = model.sha256[:12]


def _samples(model: PriceModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two stones that the model prices: the usual ones, or its reference and a larger one."""
    if all(model.assess(Stone(**stone)).status != DECLINED for stone in (STONE, OTHER)):
        return STONE, OTHER
    first = model.reference
    second = nearest_priced(model, replace(first, carat=round(1.2 * first.carat, 2))) or first
    return first.given(), second.given()


def _answer(operation: dict[str, Any], answer: Any) -> None:
    if answer is not None:
        responses = operation["responses"]
        made = responses["201"] if "201" in responses else responses["200"]
        made["content"][JSON]["example"] = msgspec.json.decode(msgspec.json.encode(answer))
