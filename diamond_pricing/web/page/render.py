"""Templates filled in, and the page of an error."""

from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined

from diamond_pricing.model import PriceModel
from diamond_pricing.model.words import Words
from diamond_pricing.web.page.phrases import TEXTS, error_text, language_of, prices_text
from diamond_pricing.web.problems import TITLES, ProblemError

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


def framed(
    name: str, words: Words, model: PriceModel, *, lang: str | None, **values: Any
) -> bytes:
    """Fill the template of a page that has the desk's header, and says what the prices are."""
    t = model.training
    return render(
        name,
        words,
        lang=lang,
        lang_query=f"?lang={lang}" if lang else "",
        model=model.sha256[:12],
        prices=prices_text(t.currency, t.effective, words),
        unrecorded=words.unrecorded(model.lines),
        **values,
    )


def error_page(
    problem: ProblemError, model: PriceModel, *, query: str, accepted: str, **values: Any
) -> bytes:
    """What went wrong, for a person; ``accepted`` are the languages of the browser."""
    asked = parse_qs(query, max_num_fields=6000).get("lang", [""])[0]
    words = language_of(asked, accepted)
    lang = words.code if asked == words.code else None
    title, detail = error_text(TITLES[problem.code][1], problem.detail, problem.code, words)
    values |= {"title": title, "detail": detail, "other_language": "/"}
    return framed("error.html", words, model, lang=lang, **values)
