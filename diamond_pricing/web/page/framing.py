"""What every page of the desk has around it: its language, its header."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from diamond_pricing.model import PriceModel
from diamond_pricing.model.words import Words
from diamond_pricing.web.page.phrases import language_of, prices_text
from diamond_pricing.web.page.render import render
from diamond_pricing.web.problems import ProblemError
from diamond_pricing.web.requests import StrictRequest


def query_in(request: StrictRequest) -> dict[str, str]:
    """The fields of a query that are filled in."""
    raw = request.scope["query_string"].decode("ascii", "replace")
    try:
        return dict(parse_qsl(raw, keep_blank_values=False, max_num_fields=60))
    except ValueError as error:
        raise ProblemError("bad_request", "The query has too many fields.") from error


def language(request: StrictRequest) -> tuple[Words, str | None]:
    """The language of a page, and its code if the query asks for it."""
    lang = query_in(request).get("lang")
    words = language_of(lang, request.headers.get("accept-language", ""))
    return words, words.code if lang else None


def page(
    request: StrictRequest,
    name: str,
    here: str,
    model: PriceModel,
    words: Words,
    lang: str | None,
    **values: Any,
) -> bytes:
    """Fill the template of a page of the desk, with its header."""
    other = "en" if words.code == "it" else "it"
    query = query_in(request) | {"lang": other}
    t = model.training
    return render(
        name,
        words,
        here=here,
        lang=lang,
        lang_query=f"?lang={lang}" if lang else "",
        other_language=f"{here}?{urlencode(query)}",
        model=model.sha256[:12],
        prices=prices_text(t.currency, t.effective, words),
        signed_in=bool(request.known.caller.key),
        unrecorded=words.unrecorded(model.lines),
        **values,
    )
