"""Templates filled in, and the page of an error."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from diamond_pricing.model import PriceModel
from diamond_pricing.model.words import Words
from diamond_pricing.web.page.phrases import TEXTS, error_text, language_of, prices_text
from diamond_pricing.web.problems import ProblemError

HTML = "text/html"
templates = Environment(
    loader=PackageLoader("diamond_pricing.web.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(name: str, words: Words, **values: Any) -> bytes:
    """Fill a template."""
    text = templates.get_template(name).render(words=words, t=TEXTS[words.code], **values)
    return text.encode()


def error_page(
    problem: ProblemError,
    model: PriceModel,
    request_id: str,
    *,
    query: str,
    accepted: str,
    signed_in: bool,
    here: str = "",
) -> bytes:
    """What went wrong, for a person.

    Parameters
    ----------
    query : str
        Of the request.
    accepted : str
        Languages that the browser asks for.
    here : str
        ``shared`` for a client, who has no use for the desk's menu.
    """
    asked = query.partition("lang=")[2][:2]
    words = language_of(asked, accepted)
    lang = words.code if asked == words.code else None
    details = problem.details(request_id)
    title, detail = error_text(details.title, problem.detail, problem.code, words)
    t = model.training
    return render(
        "error.html",
        words,
        here=here,
        lang=lang,
        lang_query=f"?lang={lang}" if lang else "",
        other_language="/",
        prices=prices_text(t.currency, t.effective, words),
        model=model.sha256[:12],
        signed_in=signed_in,
        title=title,
        detail=detail,
        request_id=details.request_id,
    )
