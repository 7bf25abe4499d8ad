"""Dates as files have them: day or month first, names of months, numbers of spreadsheets."""

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import date

from diamond_pricing.stones.attributes import blank

DAY_FIRST, MONTH_FIRST = "day first", "month first"
FILE_NAME = "file name"  # where a delivery's own date stands
SPREADSHEET = date(1899, 12, 30).toordinal()  # day 0 of theirs
_TIME = re.compile(r"[T ]+\d{1,2}:\d{2}.*$")
_NUMBER = re.compile(r"\d{5}(?:\.\d+)?")
_TOGETHER = re.compile(r"(\d{4})(\d{2})(\d{2})")
_NAMED = re.compile(r"(?<!\d)(20\d{2})([-_.]?)(0[1-9]|1[0-2])(?:\2([0-3]\d))?(?!\d)")
_PARTS = re.compile(r"\d+|[^\W\d_]+")
# English, German, French, Italian, Spanish; the first letters that tell them apart.
_MONTHS = """jan gen ene, feb fev fév, mar mär, apr avr abr, may mai mag, jun juin giu,
    jul juil lug, aug aou aoû ago, sep set, oct okt ott, nov, dec dez dic déc"""
_STARTS = [tuple(names.split()) for names in _MONTHS.split(",")]


def day_in(text: str, order: str = "") -> int | None:
    """The day that a text says; None for none, or where it may be two.

    Parameters
    ----------
    order : str
        ``day first`` or ``month first``, where numbers alone do not tell. With it years of
        two digits are of this century.
    """
    text = _TIME.sub("", text.strip())
    if _NUMBER.fullmatch(text):
        return SPREADSHEET + int(float(text))
    if found := _TOGETHER.fullmatch(text):
        return _ordinal(*map(int, found.groups()))
    parts = _PARTS.findall(text.casefold())
    numbers = [int(part) for part in parts if part.isdigit()]
    months = [m for part in parts for m, s in enumerate(_STARTS, 1) if part.startswith(s)]
    wide = [part for part in parts if part.isdigit() and len(part) == 4]
    if months and len(numbers) == 2 and (wide or order):
        day, year = numbers
        if wide and int(wide[0]) == day:
            day, year = year, day
        # A day of the week stands in front, and mardi begins as March does.
        return _ordinal(_century(year), months[-1], day)
    if months or len(numbers) != 3:
        return None
    first, second, third = numbers
    if wide and int(wide[0]) == first:
        return _ordinal(first, second, third)
    if not wide and not order:
        return None
    year = _century(third)
    told = {
        DAY_FIRST: _ordinal(year, second, first),
        MONTH_FIRST: _ordinal(year, first, second),
    }
    if order:
        return told[order]
    days = {day for day in told.values() if day is not None}
    return days.pop() if len(days) == 1 else None


def day_of_file(name: str) -> int | None:
    """The day in the name of a file; of a month the last one. None where there is none."""
    for year, _, month, day in reversed(_NAMED.findall(name)):
        y, m = int(year), int(month)
        found = _ordinal(y, m, int(day)) if day else date(y, m, monthrange(y, m)[1]).toordinal()
        if found is not None:
            return found
    return None


def order_of(texts: Iterable[str]) -> str | None:
    """The order in which dates are written; empty where it does not count, None if unclear."""
    some = {text for text in texts if not blank(text)}
    if all(day_in(text) is not None for text in some if may_be_day(text)):
        return ""
    lost = {
        order: sum(day_in(text, order) is None for text in some)
        for order in (DAY_FIRST, MONTH_FIRST)
    }
    if min(lost.values()) == max(lost.values()):
        return None
    return min(lost, key=lambda order: lost[order])


def may_be_day(text: str) -> bool:
    """Whether a text says a day, be it in an order that it does not say."""
    return any(day_in(text, order) is not None for order in (DAY_FIRST, MONTH_FIRST))


def _century(year: int) -> int:
    return year + 2000 if year < 100 else year


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None
