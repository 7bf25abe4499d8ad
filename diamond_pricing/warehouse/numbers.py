"""Numbers and amounts as people write them."""

import re
from collections.abc import Iterable
from math import isfinite

GONE = {"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "?", "unknown", "nil"}
CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP", "usd": "USD", "eur": "EUR", "gbp": "GBP",
              "chf": "CHF", "us$": "USD"}  # fmt: skip
_SIGNS = re.compile(r"(?:[$€£]|US\$|USD|EUR|GBP|CHF|mm|cm|cts?|carats?|%|\s| |'|’)+", re.I)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.I)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_BETWEEN = re.compile(r"\s*(?:mm|cm)?\s*[x×*/–—-]\s*(?:by\s)?|\s+by\s+", re.I)


def number(text: str, decimal: str = ".") -> float | None:
    """Read a number as people write it; None when it is none."""
    text = text.strip()
    if re.search(r"\d\s+\d", text) and not re.search(r"^\D*\d{1,3}(?:\s\d{3})+(?!\d)", text):
        return None
    plain = _SIGNS.sub("", text)
    if decimal == ",":
        if "." in plain and not re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?", plain):
            return None
        plain = plain.replace(".", "").replace(",", ".")
    elif "," in plain:
        if not _GROUPED.fullmatch(plain):
            return None
        plain = plain.replace(",", "")
    if not _PLAIN.fullmatch(plain):
        return None
    value = float(plain)
    return value if isfinite(value) else None


def sides(text: str) -> list[str]:
    """Divide measurements as certificates write them: ``6.43 - 6.48 x 3.97 mm``."""
    return _BETWEEN.split(text.strip())


def decimal_sign(texts: Iterable[str]) -> str:
    """Tell the sign of decimals; a comma before three digits may also part thousands."""
    comma = False
    for text in texts:
        plain = _SIGNS.sub("", text)
        if re.fullmatch(r"[+-]?\d*\.\d+", plain) or re.fullmatch(
            r"[+-]?[\d,]*,\d{3}\.\d+", plain
        ):
            return "."
        comma |= bool(re.fullmatch(r"[+-]?\d*,(?:\d{1,2}|\d{4,})", plain)) or bool(
            re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+", plain)
        )
    return "," if comma else "."


def currency_named(text: str) -> str:
    """The currency that a cell names; empty when it names none."""
    plain = text.strip().casefold()
    if re.fullmatch("[a-z]{3}", plain):
        return plain.upper()
    return next((code for sign, code in CURRENCIES.items() if sign in plain), "")
