"""The pages, and what they are made from."""

import hashlib
import mimetypes
from collections.abc import Mapping, Sequence
from importlib.resources import files
from math import log
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath

from diamond_pricing.exhibits import measures_text
from diamond_pricing.exhibits.price_list import kinds_of
from diamond_pricing.exhibits.waterfall import SMALL
from diamond_pricing.intake.priced_sheet import XLSX, csv_of, xlsx_of
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.price_model import nearest_priced
from diamond_pricing.model.support import BLEND
from diamond_pricing.model.words import ENGLISH, LANGUAGES, Words
from diamond_pricing.stones import Stone
from diamond_pricing.stones.kinds import KINDS
from diamond_pricing.web.api.quotes import (
    found_quotes,
    new_quote,
    no_quote,
    rederived,
    revoked,
    row_of,
    stored_quote,
)
from diamond_pricing.web.door import COOKIE
from diamond_pricing.web.messages import LEVEL, PriceListOut, QuoteIn
from diamond_pricing.web.models import DRAWN
from diamond_pricing.web.openapi import description
from diamond_pricing.web.page.answers import shown, verdict_text
from diamond_pricing.web.page.forms import Problem, filled, form_of, query_of
from diamond_pricing.web.page.framing import Desk, query_in
from diamond_pricing.web.page.phrases import TEXTS, amount_text, count_text, language_of
from diamond_pricing.web.page.render import HTML, framed, templates
from diamond_pricing.web.page.sheet import sheet_html, sheet_pdf
from diamond_pricing.web.pricing import price_list, step_text, stepped
from diamond_pricing.web.problems import TITLES, ProblemError
from diamond_pricing.web.requests import StrictRequest
from diamond_pricing.web.storage.keys import PUBLISH, SESSION

if TYPE_CHECKING:
    from diamond_pricing.validation import Evidence

FILES = {"csv": "text/csv", "xlsx": XLSX}
CLIENT = ("client", "client_reference", "report_number")  # fields of a quote beside the stone
SAME = 0.0005  # log price
ROWS = 50  # quotes of one page
STEPS, LIKE = 8, 4  # steps and like sales listed beside a price
FORM = 8 << 10  # bytes


class PageController(Controller):
    """What a browser shows."""

    include_in_schema = False

    @get("/", media_type=HTML)
    async def index(self, request: StrictRequest) -> bytes:
        """Price one stone."""
        service, known = request.allowed("quote")
        desk = Desk(request)
        model, words = desk.model, desk.words
        form = filled(model, desk.query, words)
        answer = near = None
        steps: Sequence[Mapping[str, str]] = ()
        comparables: Sequence[Mapping[str, str]] = ()
        link, middle = "/compare", ""
        if form.stone is not None:
            link += f"?{query_of(form.stone, desk.lang, 'a.')}"
            why = model.explain(form.stone)
            steps = _steps(desk, form.stone)
            evidence = await _evidence(desk, form.stone)
            comparables, middle = _comparables(evidence, why, words)
            like = [c.adjusted for c in evidence.comparables] if evidence else []
            answer = shown(why, model, words, LEVEL, like=like)
            await service.charge(known, "page", 1 + len(steps) + len(comparables))
        elif form.declined is not None:
            near = await service.away(nearest_priced, model, form.declined)
            if near is not None:
                evidence = await _evidence(desk, near)
                comparables, _ = _comparables(evidence, model.explain(near), words)
                await service.charge(known, "page", len(comparables))
        return desk.page(
            "index.html",
            "/",
            form=form_of(model, words),
            given=form.given,
            faults=form.faults,
            problems=form.problems,
            a=answer,
            steps=steps,
            comparables=comparables,
            middle=middle,
            compare_link=link,
            near=near and (words.stone(near), f"/?{query_of(near, desk.lang)}"),
            contact=service.house.contact or desk.texts["an_expert"],
            may_keep=service.ledger is not None,
        )

    @get("/compare", media_type=HTML)
    async def compare(self, request: StrictRequest) -> bytes:
        """Say why one stone costs more than another."""
        service, known = request.allowed("quote")
        desk = Desk(request)
        model, words, t = desk.model, desk.words, desk.texts
        first, second = (filled(model, desk.query, words, side) for side in ("a.", "b."))
        answer, headline = None, ""
        if first.stone is not None and second.stone is not None:
            why = model.compare(first.stone, second.stone)
            more = why.cents - why.lines[0].cents
            amount = words.amount(abs(more), why.currency, digits=0)
            way = "" if more > 0 else "_less" if more else "_none"
            headline = t[f"difference{way}"].format(amount=amount)
            # The price of a pair is as sure as that of the stone less is known of.
            back, weaker = model.compare(second.stone, first.stone), why
            if (support := model.support) is not None:
                weaker = min((why, back), key=lambda pair: support.near_one(pair.stone))
            answer = shown(why, model, words, LEVEL, pair=True)
            answer["verdict"] = weaker.verdict.status
            answer["verdict_text"] = verdict_text(weaker, model, words, full=False)
            await service.charge(known, "page", 2)
        sides = ("first_stone", first), ("second_stone", second)
        problems = [
            Problem(p.field, f"{t[side]}: {p.text}", p.at)
            for side, form in sides
            for p in form.problems
        ]
        return desk.page(
            "compare.html",
            "/compare",
            form=form_of(model, words),
            first=first.given,
            second=second.given,
            faults_a=first.faults,
            faults_b=second.faults,
            problems=problems,
            a=answer,
            headline=headline,
            contact=service.house.contact or t["an_expert"],
        )

    @get("/list", media_type=HTML)
    async def prices(self, request: StrictRequest) -> bytes:
        """Show the price list."""
        service, known = request.allowed("quote")
        desk = Desk(request)
        model, query, words = desk.model, dict(desk.query), desk.words
        fault = ""
        try:
            found, weights = _list(model, query)
        except ProblemError:
            if "weights" not in query:
                raise
            fault = desk.texts["weights_wrong"]
            weights = query.pop("weights")[:400]
            found, _ = _list(model, query)
        if not any(cell.price for cell in found.cells):
            fault = desk.texts["no_weights"]
        per = "carat" if query.get("per") == "carat" else "stone"
        cells = {(c.carat, c.color, c.clarity): c for c in found.cells}
        grids = []
        for weight in found.carats:
            rows = []
            for color in found.colors:
                row = []
                for clarity in found.clarities:
                    cell = cells[weight, color, clarity]
                    stone = model.alike(weight, found.cut, color, clarity)
                    value = cell.per_carat if per == "carat" else cell.price
                    row.append(
                        {
                            "amount": value is not None
                            and amount_text(value, found.currency, words),
                            "support": count_text(cell.support, words),
                            "link": f"/?{query_of(stone, desk.lang)}",
                        }
                    )
                rows.append((color, row))
            grids.append({"weight": words.carats(weight), "rows": rows})
        await service.charge(known, "page", len(found.cells))
        return desk.page(
            "list.html",
            "/list",
            cuts=list(model.training.grades["cut"])[::-1],
            cut=", ".join([*kinds_of(model), found.cut]),
            chosen=found.cut,
            per=per,
            clarities=found.clarities,
            grids=grids,
            weights=weights,
            fault=fault,
            files=[(f"/list/{kind}?{urlencode(query)}", kind.upper()) for kind in FILES],
        )

    @get("/list/{kind:str}")
    async def prices_file(self, request: StrictRequest, kind: FromPath[str]) -> Response[bytes]:
        """The price list as CSV or as a spreadsheet, a row for each cell."""
        service, known = request.allowed("quote")
        if kind not in FILES:
            raise ProblemError("not_found", "A price list is csv or xlsx.")
        desk = Desk(request)
        words = desk.words
        found, _ = _list(desk.model, desk.query)
        head = [words.attribute(name) for name in ("carat", "cut", "color", "clarity")]
        reference = desk.model.reference.given()
        kinds = {kind: reference[kind] for kind in KINDS if kind in reference}
        head += map(words.attribute, kinds)
        head += [desk.texts[name] for name in ("per_stone", "per_carat")]
        head += [words.estimates[name] for name in ("low", "high")]
        head += [*(desk.texts[name] for name in ("sales_like", "currency", "date")), "model"]
        of_all = (found.currency, found.effective, found.model[:12])
        rows: list[list[object]] = []
        for c in found.cells:
            prices = (c.price, c.per_carat, c.low, c.high, c.support)
            grades = (found.cut, c.color, c.clarity, *kinds.values())
            rows.append([c.carat, *grades, *prices, *of_all])
        await service.charge(known, "page", len(found.cells))
        write = csv_of if kind == "csv" else xlsx_of
        body = await service.away(write, head, rows, words.decimal)
        headers = {"Content-Disposition": f'attachment; filename="price-list.{kind}"'}
        return Response(body, media_type=FILES[kind], headers=headers)

    @post("/quotes", status_code=303)
    async def keep(self, request: StrictRequest) -> Response[bytes]:
        """Keep a price as a quote and go to its sheet."""
        service, known = request.allowed("quote")
        model, query = service.models.active, await _posted(request)
        words = language_of(query.get("lang"), "")
        form = filled(model, query, words)
        if form.stone is None:
            return _gone(f"/?{urlencode(query)}")
        more = {name: query.get(name, "").strip() for name in CLIENT}
        given = {**form.stone.given(), "language": words.code, **more}
        try:
            asked = msgspec.convert(given, QuoteIn)
        except msgspec.ValidationError as error:
            raise ProblemError("bad_request", f"The form cannot be read: {error}.") from error
        new = new_quote(model.explain(form.stone), asked, service.house)
        receipt = await service.charge(known, "quote", 1, new)
        if receipt.quote is None:
            raise ProblemError("storage_unavailable", "The quote cannot be stored at present.")
        service.metrics.count(service.metrics.quotes, model.sha256[:12])
        return _gone(f"/v1/quotes/{receipt.quote.id}.html")

    @get("/quotes", media_type=HTML)
    async def quotes(self, request: StrictRequest) -> bytes:
        """Find quotes again."""
        service, known = request.allowed("quote")
        desk = Desk(request)
        query, words = desk.query, desk.words
        search, cursor = query.get("search", "")[:200], query.get("cursor", "")[:60]
        found = await found_quotes(service, known, search, "", cursor, ROWS + 1)
        rows = []
        for stored in found[:ROWS]:
            row = row_of(stored)
            currency = row.currency or desk.model.training.currency
            rows.append(
                {
                    "number": row.number,
                    "link": f"/v1/quotes/{row.id}.html",
                    "date": words.date(row.created[:10]),
                    "stone": row.stone,
                    "client": " · ".join(filter(None, (row.client, row.client_reference))),
                    "price": words.amount(stored.cents, currency),
                    "until": row.valid_until and words.date(row.valid_until),
                }
            )
        older = ""
        if len(found) > ROWS:
            older = "/quotes?" + urlencode({**query, "cursor": found[ROWS - 1].id})
        return desk.page("quotes.html", "/quotes", rows=rows, search=search, older=older)

    @post("/quotes/{name:str}/revoke", status_code=303)
    async def revoke(self, request: StrictRequest, name: FromPath[str]) -> Response[bytes]:
        """Revoke the links to a quote and go back to its sheet."""
        stored = await revoked(request, name)
        return _gone(f"/v1/quotes/{stored.id}.html")

    @get("/shared/{name:str}")
    async def shared(self, request: StrictRequest, name: FromPath[str]) -> Response[bytes]:
        """Show a quote to whoever was given its link."""
        service = request.service
        quote, _, rest = name.partition(".")
        signature, _, kind = rest.partition(".")
        if kind not in ("", "pdf"):
            raise no_quote(name)
        stored = await stored_quote(service, None, quote)
        if not service.keys.is_share(stored.id, signature, stored.shares):
            raise ProblemError("quote_not_found", "This link is not valid any more.")
        kept = await rederived(service, stored)
        if kind:
            body = await service.away(sheet_pdf, kept, service.house)
            return Response(body, media_type="application/pdf")
        pdf = f"/shared/{quote}.{signature}.pdf"
        body = await service.away(sheet_html, kept, service.house, pdf)
        return Response(body, media_type=HTML)

    @get("/sign-in", media_type=HTML)
    async def sign_in(self, request: StrictRequest) -> bytes:
        """Ask for a key."""
        return self._sign_in(request, wrong=False)

    @post("/sign-in", media_type=HTML)
    async def signed_in(self, request: StrictRequest) -> Response[bytes]:
        """Take a key, and let the browser in."""
        service = request.service
        posted = await _posted(request)
        caller = service.keys.caller(posted.get("key", "").strip())
        if caller is None or PUBLISH in caller.scopes:
            again = self._sign_in(request, wrong=True, posted=posted)
            return Response(again, status_code=401)
        answer = _gone(_ours(posted.get("next", "/")))
        answer.set_cookie(
            COOKIE,
            service.keys.session(caller),
            max_age=SESSION,
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @post("/sign-out", status_code=303)
    async def sign_out(self, request: StrictRequest) -> Response[bytes]:
        """Forget the browser."""
        lang = query_in(request).get("lang")
        answer = _gone(f"/?lang={lang}" if lang in LANGUAGES else "/")
        answer.delete_cookie(COOKIE, path="/")
        return answer

    @get("/problems", media_type=HTML)
    async def problems(self, request: StrictRequest) -> bytes:
        """Explain the codes of errors."""
        desk = Desk(request)
        desk.words, desk.lang = ENGLISH, None  # for those who write programs, as the codes are
        codes = [(code, status, title) for code, (status, title) in TITLES.items()]
        return desk.page("problems.html", "/problems", codes=codes)

    @get("/docs", media_type=HTML)
    async def docs(self, request: StrictRequest) -> bytes:
        """The description of the API, to be tried out."""
        return templates.get_template("docs.html").render().encode()

    @get("/embed.js")
    async def embed(self, request: StrictRequest) -> Response[bytes]:
        """An element that shows a price with its reasons in another site's page."""
        desk = Desk(request)
        fields = [
            {
                "name": f.name,
                "label": f.label,
                "required": f.required,
                "grades": [grade for grade, _ in f.grades][::-1],
            }
            for f in form_of(desk.model, desk.words)
            if f.required or f.name in KINDS
        ]
        body = framed(
            "embed.js", desk.words, desk.model, lang=desk.lang, fields=fields, small=SMALL
        )
        headers = {"Cache-Control": "public, max-age=600", "Vary": "Accept-Language"}
        return Response(body, media_type="text/javascript; charset=utf-8", headers=headers)

    @get("/openapi.json")
    async def openapi(self, request: StrictRequest) -> Response[bytes]:
        """The description of the API, for programs."""
        service = request.service
        text = await service.away(_description, request.app, service.models.active)
        return Response(text, media_type="application/json")

    @get("/static/{path:path}")
    async def static(self, request: StrictRequest, path: FromPath[str]) -> Response[bytes]:
        """A file of ours."""
        found = STATIC.get(path.lstrip("/"))
        if found is None:
            raise ProblemError("not_found", "There is no such file.")
        body, media, tag = found
        headers = {"ETag": tag, "Cache-Control": "public, max-age=3600"}
        if request.headers.get("if-none-match") == tag:
            return Response(b"", status_code=304, headers=headers)
        return Response(body, media_type=media, headers=headers)

    def _sign_in(
        self, request: StrictRequest, *, wrong: bool, posted: Mapping[str, str] | None = None
    ) -> bytes:
        desk = Desk(request)
        given = {**desk.query, **(posted or {})}
        there = _ours(given.get("next", "/"))
        desk.speak(given.get("lang") or dict(parse_qsl(there.partition("?")[2])).get("lang"))
        return desk.page("sign_in.html", "/sign-in", wrong=wrong, next=there)


def _list(model: PriceModel, query: Mapping[str, str]) -> tuple[PriceListOut, str]:
    """The price list that is asked for, and its weights as they are written."""
    text = query.get("weights", "")[:400]
    decimal = text.replace(",", " ") if "." in text else text.replace(",", ".")
    try:
        weights = [float(part) for part in decimal.replace(";", " ").split()]
    except ValueError as error:
        wrong = f"Weights are numbers of carats, as 0.5 1 1.5, not {text[:60]!r}."
        raise ProblemError("bad_request", wrong) from error
    return price_list(model, query.get("cut", ""), weights, [], []), text


async def _posted(request: StrictRequest) -> dict[str, str]:
    if request.media != "application/x-www-form-urlencoded":
        raise ProblemError("unsupported_media_type", "A form is expected here.")
    body = b"".join([part async for part in request.parts(FORM)])
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=60))
    except ValueError as error:
        raise ProblemError("bad_request", "The form cannot be read.") from error


def _ours(path: str) -> str:
    """A path of this server, wherever somebody wants to be sent."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain else "/"


def _gone(path: str) -> Response[bytes]:
    return Response(b"", status_code=303, headers={"Location": path}, media_type=HTML)


def _steps(desk: Desk, stone: Stone) -> Sequence[Mapping[str, str]]:
    words, found = desk.words, []
    out = stepped(desk.model, stone, BLEND, words)
    for step in out.steps[:STEPS]:
        more, other = step.difference_cents, Stone(**step.stone)  # type: ignore[arg-type]
        before, after = (step_text(value, words) for value in (step.before, step.after))
        found.append(
            {
                "text": desk.texts["rather"].format(there=after, here=before),
                "amount": words.amount(more, out.currency, sign=True, digits=0),
                "way": "up" if more > 0 else "down",
                "link": f"/?{query_of(other, desk.lang)}",
            }
        )
    return found


async def _evidence(desk: Desk, stone: Stone) -> "Evidence | None":
    service = desk.request.service
    try:
        return await service.away(service.models.evidence, desk.model, stone, DRAWN)
    except ProblemError:
        return None  # logged; the page says that there are none now


def _comparables(
    evidence: "Evidence | None", why: PriceExplanation, words: Words
) -> tuple[Sequence[Mapping[str, str]], str]:
    """The sales most like a stone, and a sentence of what all that are drawn come to."""
    if evidence is None:
        return [], ""
    currency, t, middle = why.currency, TEXTS[words.code], ""
    if len(evidence.comparables) > 1:
        ends = {
            name: amount_text(getattr(evidence, name), currency, words)
            for name in ("median", "low", "high")
        }
        apart = log(why.price / evidence.median)
        told = t["at_median"]
        if abs(apart) >= SAME:
            told = t["against_median"].format(against=words.against(apart))
        count = len(evidence.comparables)
        middle = f"{t['comparables_middle'].format(count=count, **ends)} {told}"
    found = [
        {
            "stone": words.stone(c.stone),
            "measures": measures_text(c.stone, words),
            "price": amount_text(c.price, currency, words),
            "adjusted": amount_text(c.adjusted, currency, words),
        }
        for c in evidence.comparables[:LIKE]
    ]
    return found, middle


_described: dict[str, bytes] = {}


def _description(app: Any, model: PriceModel) -> bytes:
    """The description of the API, made once for each model."""
    if model.sha256 not in _described:
        _described.clear()
        _described[model.sha256] = msgspec.json.encode(description(app, model))
    return _described[model.sha256]


def _static() -> dict[str, tuple[bytes, str, str]]:
    found = {}
    root = files("diamond_pricing.web.page").joinpath("static")
    for folder in ("", "vendor/"):
        for file in root.joinpath(folder).iterdir():
            if file.is_file():
                body, name = file.read_bytes(), folder + file.name
                media = mimetypes.guess_type(name)[0] or "text/plain"
                if media.startswith("text/"):
                    media += "; charset=utf-8"
                tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                found[name] = (body, media, tag)
    return found


STATIC = _static()
