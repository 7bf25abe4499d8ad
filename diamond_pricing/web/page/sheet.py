"""The sheet that a client is handed, as a page and as PDF."""

import json
from importlib.resources import files

from diamond_pricing import __version__
from diamond_pricing.errors import MissingExtraError
from diamond_pricing.model import PriceExplanation, PriceModel
from diamond_pricing.model.words import LANGUAGES
from diamond_pricing.web.messages import QuoteIn
from diamond_pricing.web.page.answers import shown
from diamond_pricing.web.page.phrases import TEXTS, prices_text
from diamond_pricing.web.page.render import render
from diamond_pricing.web.storage import StoredQuote

PAPERS = ("a4", "us-letter")


def sheet_html(
    why: PriceExplanation, model: PriceModel, asked: QuoteIn, stored: StoredQuote, pdf: str,
    share: str = "",
) -> bytes:  # fmt: skip
    """Write the sheet as a page; ``pdf`` and ``share`` are links."""
    words = LANGUAGES[asked.language]
    return render(
        "sheet.html", words, a=shown(why, model, words, asked.level, full=False),
        quote=stored.id,
        date=words.date(stored.created[:10]),
        prices=prices_text(why.currency, why.effective, words), model=model.sha256[:12],
        unrecorded=words.unrecorded(model.lines),
        version=__version__, pdf=pdf, share=share,
    )  # fmt: skip


def sheet_pdf(
    why: PriceExplanation, model: PriceModel, asked: QuoteIn, stored: StoredQuote,
    pdf: str = "", paper: str = PAPERS[0],
) -> bytes:  # fmt: skip
    """Write the sheet as one page of PDF; ``pdf`` is for `sheet_html`'s sake."""
    try:
        import typst
    except ImportError as error:
        raise MissingExtraError("PDF sheets", "api") from error
    words = LANGUAGES[asked.language]
    t, a = TEXTS[words.code], shown(why, model, words, asked.level, full=False)
    data = {
        "lang": words.code, "paper": paper, "title": t["sheet_title"],
        "brand": ["diamond", "pricing"],
        "for": t["sheet_for"].format(
            name=stored.id, date=words.date(stored.created[:10])
        ),
        "stone": " · ".join(filter(None, (a.kind, a.measures))), "price": a.exact,
        "range": a.range, "verdict": a.verdict_text, "caption": a.caption,
        "picture": str(a.wide).replace('font-family="inherit"', ""),
        "how": t["how"], "heads": [t["because"], t["change"], t["amount"]],
        "lines": [[line.label, line.note, line.change, line.amount] for line in a.lines],
        "total": [t["price"], a.exact],
        "not_in": f"{prices_text(why.currency, why.effective, words)}. "
        f"{words.unrecorded(model.lines)} {t['estimate']}",
        "verify": t["verify"].format(model=model.sha256[:12], version=__version__),
    }  # fmt: skip
    source = files("diamond_pricing.web.page").joinpath("templates/sheet.typ").read_bytes()
    found: bytes = typst.compile(source, sys_inputs={"data": json.dumps(data)})
    return found
