"""What every page of the desk has around it: its language, its header."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from diamond_pricing.web.page.phrases import TEXTS, language_of
from diamond_pricing.web.page.render import framed
from diamond_pricing.web.problems import ProblemError
from diamond_pricing.web.requests import StrictRequest


def query_in(request: StrictRequest) -> dict[str, str]:
    """The fields of a query that are filled in."""
    raw = request.scope["query_string"].decode("ascii", "replace")
    try:
        return dict(parse_qsl(raw, keep_blank_values=False, max_num_fields=60))
    except ValueError as error:
        raise ProblemError("bad_request", "The query has too many fields.") from error


class Desk:
    """What a page of the desk is made from: the active model, the query and a language."""

    def __init__(self, request: StrictRequest) -> None:
        self.request, self.model = request, request.service.models.active
        self.query: Mapping[str, str] = query_in(request)
        self.speak(self.query.get("lang"))

    def speak(self, asked: str | None) -> None:
        """Answer in the language asked for, which links then keep, or in the browser's."""
        self.words = language_of(asked, self.request.headers.get("accept-language", ""))
        self.lang = self.words.code if asked else None

    @property
    def texts(self) -> Mapping[str, str]:
        """What pages say in this language."""
        return TEXTS[self.words.code]

    def page(self, name: str, here: str, **values: Any) -> bytes:
        """Fill the template of a page of the desk, with its header."""
        other = {**self.query, "lang": "en" if self.words.code == "it" else "it"}
        return framed(
            name,
            self.words,
            self.model,
            here=here,
            lang=self.lang,
            other_language=f"{here}?{urlencode(other)}",
            signed_in=bool(self.request.known.caller.key),
            **values,
        )
