"""The sheet that a client is handed, as a page and as PDF."""

import json
from importlib.resources import files

from markupsafe import Markup

from diamond_pricing import __version__
from diamond_pricing.errors import MissingExtraError
from diamond_pricing.model.words import LANGUAGES, Words
from diamond_pricing.web.house import House
from diamond_pricing.web.page.answers import shown
from diamond_pricing.web.page.phrases import TEXTS, prices_text
from diamond_pricing.web.page.render import render
from diamond_pricing.web.pricing import KeptQuote

PAPERS = ("a4", "us-letter")


def sheet_html(
    quote: KeptQuote, house: House, pdf: str = "", share: str = "", style: str = ""
) -> bytes:
    """Write the sheet as a page; ``pdf`` and ``share`` are links, where there are any.

    With its ``style`` in it, it is whole without a server.
    """
    words, why, model = LANGUAGES[quote.asked.language], quote.why, quote.model
    return render(
        "sheet.html",
        words,
        a=shown(why, model, words, quote.asked.level, full=False),
        facts=_facts(quote, words),
        house=house,
        prices=prices_text(why.currency, why.effective, words),
        model=model.sha256[:12],
        unrecorded=words.unrecorded(model.lines),
        version=__version__,
        pdf=pdf,
        share=share,
        revoke=f"/quotes/{quote.stored.id}/revoke",
        lang=words.code,
        style=Markup(style),  # noqa: S704  our own
    )


def sheet_pdf(quote: KeptQuote, house: House, paper: str = PAPERS[0]) -> bytes:
    """Write the sheet as one page of PDF."""
    try:
        import typst
    except ImportError as error:
        raise MissingExtraError("PDF sheets", "api") from error
    words, why, model = LANGUAGES[quote.asked.language], quote.why, quote.model
    t, a = TEXTS[words.code], shown(why, model, words, quote.asked.level, full=False)
    brand = [house.name, ""] if house.name else [t["brand_1"], t["brand_2"]]
    data = {
        "lang": words.code,
        "paper": paper,
        "title": t["sheet_title"],
        "brand": brand,
        "logo": list(house.drawing),
        "format": house.format,
        "address": " · ".join(filter(None, (house.address, house.contact))),
        "facts": _facts(quote, words),
        "terms": house.terms,
        "stone": " · ".join(filter(None, (a["kind"], a["measures"]))),
        "price": a["exact"],
        "per": a["per_carat"],
        "range": a["range"],
        "verdict": a["verdict_text"],
        "caption": a["caption"],
        "picture": str(a["wide"]).replace('font-family="inherit"', ""),
        "how": t["how"],
        "heads": [t["because"], t["change"], t["amount"]],
        "lines": [list(line.values()) for line in a["lines"]],
        "total": [t["price"], a["exact"]],
        "not_in": f"{prices_text(why.currency, why.effective, words)}. "
        f"{words.unrecorded(model.lines)} {t['estimate']}",
        "verify": t["verify"].format(model=model.sha256[:12], version=__version__),
    }
    source = files("diamond_pricing.web.page").joinpath("templates/sheet.typ").read_bytes()
    found: bytes = typst.compile(source, sys_inputs={"data": json.dumps(data)})
    return found


def _facts(quote: KeptQuote, words: Words) -> list[list[str]]:
    """What a client looks for first, as pairs of a label and a text."""
    t, asked, stored = TEXTS[words.code], quote.asked, quote.stored
    until = words.date(stored.valid_until) if stored.valid_until else ""
    pairs = [
        ("quote", stored.label),
        ("date", words.date(stored.created[:10])),
        ("valid_until", until),
        ("client", asked.client),
        ("client_reference", asked.client_reference),
        ("report_number", asked.report_number),
    ]
    return [[t[name], text] for name, text in pairs if text]
