"""Numbers and amounts as people write them."""

import re
from collections.abc import Iterable
from math import isfinite

_CODES = """USD EUR GBP CHF JPY CNY HKD INR ILS AED AUD CAD NZD SGD ZAR SEK NOK DKK PLN CZK HUF
    TRY RUB BRL MXN THB KRW TWD SAR QAR KWD BHD BWP NAD AOA RON BGN"""
_SPELLINGS = {
    "USD": "us$ $ dollar dollars",
    "AUD": "a$ au$",
    "CAD": "c$ ca$",
    "HKD": "hk$",
    "NZD": "nz$",
    "SGD": "s$",
    "EUR": "€ euro euros",
    "GBP": "£",
    "JPY": "¥ ￥ jp¥ yen",
    "CNY": "cn¥ rmb 元 yuan",
    "INR": "₹ rs rs. rupees",
    "ILS": "₪",
    "KRW": "₩",
    "RUB": "₽",
    "THB": "฿",
    "TRY": "₺",
    "BRL": "r$",
    "MXN": "mx$ mex$",
    "TWD": "nt$",
    "CHF": "fr sfr franken",
}
CURRENCIES = {word: code for code, words in _SPELLINGS.items() for word in words.split()}
CURRENCIES |= {code.casefold(): code for code in _CODES.split()}
_MONEY = "|".join(map(re.escape, sorted(CURRENCIES, key=len, reverse=True)))
_SIGNS = re.compile(rf"(?:{_MONEY}|mm|cm|cts?|carats?|%|\s| |'|’)+", re.I)
SIGNS = "$€£¥￥₹₪₩₽฿₺"
_WORDS = re.compile(rf"[^\W\d_]*[{SIGNS}]|[^\W\d_]+")
_REDUCED = re.compile(r"was:? ?([^a-z]+?) ?now:? ?([^a-z]+)", re.I)
_DASH = re.compile(r"[.,/]\s*[-–—]+$")  # 16.499,- is 16.499; 1,11,120/- as in India
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.I)
# By three, or as in India by two before the last three.
_GROUPED = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3})(?:\.\d*)?")
_BETWEEN = re.compile(r"\s?(?:mm|cm)?\s?[x×*/–—-]\s?(?:by\s)?|\sby\s", re.I)


def reduced(text: str) -> tuple[str, str] | None:
    """The former and the present price of ``Was: $479Now: $425``; None for another text."""
    found = _REDUCED.fullmatch(" ".join(text.split()))
    return (found[1], found[2]) if found else None


def number(text: str, decimal: str = ".") -> float | None:
    """Read a number as people write it; None when it is none.

    An asterisk behind it, which points to a footnote, does not count.
    """
    text = text.strip().rstrip("*").rstrip()
    if re.search(r"\d\s+\d", text) and not re.search(r"^\D*\d{1,3}(?:\s\d{3})+(?!\d)", text):
        return None
    plain = _SIGNS.sub("", _DASH.sub("", _SIGNS.sub("", text)))
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
    # One space for many: a pattern of many spaces takes their third power in time.
    return _BETWEEN.split(" ".join(text.split()))


def decimal_sign(texts: Iterable[str]) -> str:
    """Tell the sign of decimals; empty where nothing does.

    A sign before exactly three digits may also part thousands, and tells nothing.
    """
    counts = {".": 0, ",": 0}
    for text in texts:
        plain = _DASH.sub("", _SIGNS.sub("", text))
        for sign, other in ((".", ","), (",", ".")):
            s, o = re.escape(sign), re.escape(other)
            counts[sign] += bool(
                re.fullmatch(rf"[+-]?(?:\d*{s}(?:\d{{1,2}}|\d{{4,}})|0?{s}\d+)", plain)
                or re.fullmatch(rf"[+-]?\d{{1,3}}(?:{o}\d{{3}})+{s}\d+", plain)
            )
    if counts["."] == counts[","]:
        return ""
    return max(counts, key=lambda sign: counts[sign])


def thousands_or_decimals(text: str) -> bool:
    """Whether a number may be either: ``4.733``, ``4,733``."""
    plain = _DASH.sub("", _SIGNS.sub("", text))
    return bool(re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", plain))


def currency_named(text: str) -> str:
    """The currency that an amount names; empty when it names none that we know."""
    found = (CURRENCIES.get(word) for word in _WORDS.findall(text.casefold()))
    return next((code for code in found if code), "")
