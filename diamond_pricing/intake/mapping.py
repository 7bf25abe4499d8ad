"""What a sheet does not declare, told from its headers and cells."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from diamond_pricing.errors import RejectedFileError, StoneError
from diamond_pricing.intake.dates import DAY_FIRST, MONTH_FIRST, day_in, may_be_day, order_of
from diamond_pricing.intake.headers import (
    DISCOUNT,
    LIST_PRICE,
    MEASUREMENTS,
    PER_CARAT,
    PRICE,
    SIDES,
    UNITS,
    currency_of,
    meaning,
    money_column,
    understood,
)
from diamond_pricing.intake.numbers import (
    currency_named,
    decimal_sign,
    number,
    sides,
    thousands_or_decimals,
)
from diamond_pricing.intake.reading import Sheet
from diamond_pricing.intake.source import DROP, REFUSE, ROW, Source
from diamond_pricing.stones import ATTRIBUTES, GRADES, MEASURES, OTHERS
from diamond_pricing.stones.attributes import Day, Grade, Measure, blank, fold, several
from diamond_pricing.stones.keys import IDENTITY
from diamond_pricing.stones.kinds import KINDS, LABORATORY, ORIGIN, SHAPE
from diamond_pricing.stones.trade import graded

RISES = 0.5  # correlation of a price with the weight, at least
_FOUR = {g.name for g in GRADES}
_FIRST_COUNTS = (IDENTITY, ORIGIN, SHAPE, PER_CARAT, LIST_PRICE, DISCOUNT)
LEAST_PRICE = 50.0  # median of a column of prices, in any currency
NO_WIDTH = " \t\u200b\u200e\u200f\ufeff"  # what spreadsheets and pages leave around words
FLAT = 0.8  # of the width; a height is less
ROUNDED = 0.02  # share by which a price may differ from weight times that of a carat
MOST_KINDS = 20  # different cells of a column that tells the origin
_OF_ORIGIN = re.compile("lab.?(grown|created|diamond)|natural|mined|cvd|hpht|synth", re.I)
SAMPLE = 500  # rows that tell which of two columns is meant
READABLE, OTHERWISE = 0.9, 0.5  # shares of them


def guessed(
    sheet: Sheet, source: Source, *, by_cells: bool = False, priced: bool = True
) -> Source:
    """Complete a declaration from the headers and cells of a sheet.

    Parameters
    ----------
    by_cells : bool
        Find needed columns by what is in them where no header is understood, for a person to
        confirm.
    priced : bool
        Whether there must be prices.

    Raises
    ------
    RejectedFileError
        When a column that is needed is not there, or two mean the same.
    """
    headers = sheet.headers
    if len(set(headers)) < len(headers):
        twice = next(h for h in headers if headers.count(h) > 1)
        raise RejectedFileError(f"two columns are called {twice!r}.")
    columns, units, currency = _columns(sheet, source)
    needed = [m.name for m in MEASURES if m.needed] + [g.name for g in GRADES if g.needed]
    if LIST_PRICE in columns and DISCOUNT not in columns and "%" in headers:
        columns[DISCOUNT] = "%"
    # A list of several shapes must never be taken for one of round stones, nor grown stones
    # for natural ones.
    _told_by_cells(sheet, columns, [SHAPE])
    for name, tells in ((ORIGIN, _tells_origin), (MEASUREMENTS, _three_sides)):
        likely = [h for h in _free(sheet, columns) if tells(sheet, h)]
        beside = {name, *SIDES} if name == MEASUREMENTS else {name}
        if len(likely) == 1 and not beside & set(columns):
            columns[name] = likely[0]
    if by_cells:
        _told_by_cells(sheet, columns, [*needed, "cut"])
        _price_by_cells(sheet, columns)
    lacking = [n for n in needed if n not in columns]
    told = {PRICE, PER_CARAT} & set(columns) or {LIST_PRICE, DISCOUNT} <= set(columns)
    if priced and not told:
        lacking.append(PRICE)
    if lacking:
        raise RejectedFileError(
            f"no column for {', '.join(lacking)}; the file has {', '.join(headers)}. Declare "
            "the source; 'diamond-pricing inspect' shows what was understood."
        )
    for name, others in ((PRICE, (PER_CARAT, LIST_PRICE)), (PER_CARAT, (PRICE, LIST_PRICE))):
        if name in source.columns:  # what is declared needs no witness
            for other in others:
                if other not in source.columns:
                    columns.pop(other, None)
    both = {PRICE, PER_CARAT} <= columns.keys() and PER_CARAT not in source.columns
    if both and _per_carat(sheet, columns, columns[PRICE], columns[PER_CARAT]) < OTHERWISE:
        columns.pop(PER_CARAT)
    if MEASUREMENTS in columns and {"x", "y"} & set(columns):
        columns.pop(MEASUREMENTS)
    _sides_by_name(sheet, columns, source)
    texts = {name: sheet.column(header) for name, header in columns.items()}
    dates = source.dates
    for name in [n for n in columns if isinstance(ATTRIBUTES.get(n), Day)]:
        order = dates or order_of(texts[name])
        if order is None and name in source.columns:
            raise RejectedFileError(f"{unclear_dates(columns[name])}.")
        if order is None:  # never guessed, and not needed
            del columns[name], texts[name]
        dates = order or dates
    money = columns.get(PRICE) or columns.get(PER_CARAT) or ""
    currency = currency or currency_of(money) or _currency(sheet, texts)
    decimal = source.decimal or _decimal(texts)
    known = columns.keys()
    numbered = {IDENTITY, MEASUREMENTS, "x"} & known or {"depth", "table"} <= known
    return msgspec.structs.replace(
        source,
        columns=columns,
        units=units,
        currency=currency,
        decimal=decimal,
        dates=dates,
        identity=source.identity or ("" if numbered else ROW),
        signs=source.signs or (DROP if _signed(texts) else ""),
    )


def of_no_stone(row: Sequence[str], headers: Sequence[str], source: Source) -> bool:
    """Whether a row, a total or a remark, is nearly empty and has neither color nor clarity."""
    if 2 * sum(bool(cell.strip()) for cell in row) > len(row):
        return False
    at = (source.columns[name].strip() for name in ("color", "clarity"))
    return not any(row[headers.index(header)].strip() for header in at)


def unclear_dates(header: str) -> str:
    """A sentence on a column of dates that may be read in two ways."""
    return (
        f"the dates of {header!r} may be read in two ways and are not read: declare the column "
        f'as sold, and dates = "{DAY_FIRST}" or "{MONTH_FIRST}"'
    )


def dates_notes(sheet: Sheet, source: Source) -> list[str]:
    """What a person should know of the dates of a sheet that are not read."""
    notes = []
    read = {header: name for name, header in source.columns.items()}
    for header in sheet.headers:
        attribute = ATTRIBUTES.get(read.get(header) or meaning(header))
        if not isinstance(attribute, Day):
            continue
        texts = [text for text in sheet.column(header) if not blank(text)]
        if header not in read and order_of(texts) is None:
            notes.append(f"{unclear_dates(header)}.")
        days = [day_in(text, source.dates) for text in texts]
        lost = sum(d is None or not attribute.low <= d <= attribute.high for d in days)
        if header in read and lost:
            notes.append(
                f"{several(lost, 'date')} of {header!r} cannot be read, or can be none of a "
                "sale, and count as not given."
            )
    return notes


def _signed(texts: dict[str, list[str]]) -> bool:
    """Whether grades carry a sign, as ``F+``."""
    grades = [g.name for g in GRADES if g.name in texts]
    return any(unsigned(text) != text.strip() for name in grades for text in set(texts[name]))


def of_houses(
    name: str, texts: Iterable[str | None], houses: Iterable[str | None], source: Source
) -> list[Any]:
    """Cells of a grade, with the laboratory before the words declared for it alone.

    Of ``"GIA Excellent" = "Ideal"`` and ``"Excellent" = "Premium"`` the first is that of GIA,
    of a cell ``EX`` too.
    """
    declared = {fold(word) for word in source.grades.get(name, {})}
    grade, laboratory = graded(name), graded(LABORATORY)

    def said(house: str | None, text: str | None) -> str | None:
        if text is None or house is None:
            return text
        meant = grade.find(_undressed(grade, text, source)) or text
        by = laboratory.find(house) or house
        of_house = (f"{a} {b}" for a in (house, by) for b in (text, meant))
        return next((both for both in of_house if fold(both) in declared), text)

    pairs = list(zip(houses, texts, strict=True))
    known = {pair: said(*pair) for pair in set(pairs)}
    return [known[pair] for pair in pairs]


def grade_meant(grade: Grade, text: str, source: Source) -> str:
    """A cell as a grade reads it: by the source's words, without what stands around it.

    ``VS1 -`` is VS1, ``IdealIdeal`` Ideal, ``H Color`` H, ``Ideal Cut`` Ideal.
    """
    words = {fold(k): v for k, v in source.grades.get(grade.name, {}).items()}
    text = text.strip(NO_WIDTH)
    if (said := words.get(fold(text))) is not None:
        return _undressed(grade, said, source)
    said = _undressed(grade, text, source)
    # A word declared for "Excellent" holds for "EX" too.
    return words.get(fold(grade.find(said) or said), said)


def _undressed(grade: Grade, text: str, source: Source) -> str:
    if grade.find(text) is not None:
        return text
    if grade.name == ORIGIN:
        house, _, rest = text.partition(" ")
        return (rest or KINDS[ORIGIN]) if graded(LABORATORY).find(house) else text
    said = re.sub(rf"\s+(?:{grade.name}|colour|grade)$", "", text, flags=re.I)
    if grade.find(said) is None and source.signs != REFUSE:
        said = unsigned(said)
    half = said[: len(said) // 2]
    return half if half * 2 == said and grade.find(said) is None else said


def unsigned(text: str) -> str:
    """A grade without a sign behind it: ``VS1 -`` is ``VS1``."""
    return re.sub(r"(?<=[A-Za-z0-9])\s*[+-]+$", "", text.strip())


def _free(sheet: Sheet, columns: dict[str, str]) -> list[str]:
    return [h for h in sheet.headers if h and h not in columns.values()]


def _told_by_cells(sheet: Sheet, columns: dict[str, str], names: list[str]) -> None:
    """Find columns by what is in them, where no header is understood."""
    for name in (name for name in names if name not in columns):
        likely = [h for h in _free(sheet, columns) if _readable(name, sheet, h) >= READABLE]
        if name == "carat":
            likely = [h for h in likely if _weights(sheet, h)]
        if len(likely) == 1:
            columns[name] = likely[0]


def _tells_origin(sheet: Sheet, header: str) -> bool:
    """Whether cells say natural or grown, not merely yes, or a laboratory."""
    texts = {text.strip() for text in sheet.column(header) if not blank(text)}
    grade = graded(ORIGIN)
    read = [grade.find(_undressed(grade, text, Source())) for text in list(texts)[:MOST_KINDS]]
    if not texts or len(texts) >= MOST_KINDS or None in read:
        return False
    return any(_OF_ORIGIN.search(text) for text in texts)


def _three_sides(sheet: Sheet, header: str) -> bool:
    """Whether cells are three lengths, as ``6.43 - 6.48 x 3.97``."""
    some = [text for text in _first(sheet, header) if not blank(text)]
    fine = [
        len(found := sides(text)) == len(SIDES)
        and None not in map(_number, found)
        and re.search("[x×*]", text, re.I) is not None  # a date has none
        for text in some
    ]
    return bool(fine) and sum(fine) >= READABLE * len(fine)


def _price_by_cells(sheet: Sheet, columns: dict[str, str]) -> None:
    """Find the price as what rises with the weight."""
    if PRICE in columns or PER_CARAT in columns or "carat" not in columns:
        return
    dear = [h for h in _free(sheet, columns) if _median(sheet, h) > LEAST_PRICE]
    slopes = {h: _rises(sheet, columns["carat"], h) for h in dear}
    likely = [h for h in dear if slopes[h] > 0]
    if len(likely) == 1:
        columns[PRICE if slopes[likely[0]] > 1 else PER_CARAT] = likely[0]


def _number(text: str) -> float | None:
    """A number whose sign of decimals nothing else tells."""
    return number(text, decimal_sign([text]) or ".")


def _first(sheet: Sheet, header: str) -> list[str]:
    return sheet.column(header)[:SAMPLE]


def _values(sheet: Sheet, header: str) -> list[float]:
    found = [_number(text) for text in _first(sheet, header) if text.strip()]
    return [] if None in found else [v for v in found if v is not None]


def _weights(sheet: Sheet, header: str) -> bool:
    """Whether numbers are weights: under ten carats, and not all whole."""
    values = _values(sheet, header)
    return bool(values) and max(values) < 30 and any(v % 1 for v in values)


def _median(sheet: Sheet, header: str) -> float:
    values = sorted(_values(sheet, header))
    return values[len(values) // 2] if values else 0.0


def _rises(sheet: Sheet, weight: str, header: str) -> float:
    """Per cent that a number rises with one more of the weight; zero where it hardly does.

    The price of a carat rises too, but by less than one: two carats cost more than twice one.
    """
    pairs = zip(_first(sheet, weight), _first(sheet, header), strict=True)
    read = [[_number(text) or 0.0 for text in pair] for pair in pairs]
    known = np.array([row for row in read if min(row) > 0]).reshape(-1, 2)
    if len(known) < 3 or (np.ptp(known, axis=0) == 0).any():
        return 0.0
    carat, price = np.log(known).T
    if np.corrcoef(carat, price)[0, 1] < RISES:
        return 0.0
    return float(np.polyfit(carat, price, 1)[0])


def _sides_by_name(sheet: Sheet, columns: dict[str, str], source: Source) -> None:
    """Read L, W and H as sides; and width and height as length and width if these are alike."""
    if {"x", MEASUREMENTS} & set(columns):
        return
    letters = {h.casefold(): h for h in _free(sheet, columns)}
    if letters.keys() >= {*"lwh"} and not {"y", "z"} & set(columns):
        columns |= {side: letters[letter] for side, letter in zip(SIDES, "lwh", strict=True)}
        return
    if not {"y", "z"} <= set(columns):
        return
    across, high = (_median(sheet, columns[side]) for side in ("y", "z"))
    if {"y", "z"} & set(source.columns) or not across or high < FLAT * across:
        return
    columns["x"], columns["y"] = columns["y"], columns.pop("z")


def _decimal(texts: dict[str, list[str]]) -> str:
    """The sign of decimals, told by all numbers; and a refusal to guess at prices."""
    told = decimal_sign(
        part
        for name, column in texts.items()
        if name != IDENTITY and not isinstance(ATTRIBUTES.get(name), Grade | Day)
        for text in set(column)
        for part in (sides(text) if name == MEASUREMENTS else (text,))
    )
    priced = set(texts.get(PRICE) or texts.get(PER_CARAT) or texts.get(LIST_PRICE) or [])
    unclear = sorted(text for text in priced if thousands_or_decimals(text))
    # 4,733 is thousands where nothing says otherwise; 4.733 is not surely decimals.
    if (
        any(re.search(r"\d\.\d", t) for t in unclear)
        and told != ","
        and not decimal_sign(priced)
    ):
        raise RejectedFileError(
            f"prices such as {unclear[0].strip()!r} may have thousands or decimals; declare "
            "the sign of decimals in the source."
        )
    return told or "."


def _columns(sheet: Sheet, source: Source) -> tuple[dict[str, str], dict[str, str], str]:
    """Columns, units and currency, the declared ones first."""
    columns, units, currency = dict(source.columns), dict(source.units), source.currency
    for name, header in columns.items():
        if header.strip() not in sheet.headers:
            raise RejectedFileError(
                f"the source declares column {header!r} for {name}; the file has "
                f"{', '.join(sheet.headers)}."
            )
    taken = {header.strip() for header in columns.values()}
    further = {other.name for other in OTHERS} - {SHAPE, ORIGIN}
    for header in sheet.headers:
        found = understood(header)
        if header in taken or found is None or found[0] in source.columns:
            continue
        name, unit, _ = found
        if name == IDENTITY:
            whose = _readable(LABORATORY, sheet, header)  # a column "Report" may say whose
            numbers = _identities(sheet, header) and _readable(SHAPE, sheet, header) < OTHERWISE
            if whose >= (READABLE if numbers else OTHERWISE):
                name = LABORATORY
            elif not numbers:
                continue
        if name in further and (name in columns or _readable(name, sheet, header) < OTHERWISE):
            continue  # a column of another meaning
        unlike = _readable(ORIGIN, sheet, header) < OTHERWISE and fold(header) == "type"
        if name == ORIGIN and unlike and not _tells_origin(sheet, header):
            continue  # the type of something else
        if name == "depth" and _readable("depth", sheet, header) < OTHERWISE:
            name = "z" if _readable("z", sheet, header) >= READABLE else name
        if name == PRICE and name in columns:
            columns |= _total_of(sheet, columns, header)
            continue
        if name in columns and name in _FIRST_COUNTS:
            continue
        if name in columns:
            better = _better(sheet, name, columns[name], header)
            if not better:
                raise RejectedFileError(_both(columns[name], header, name))
            other = columns[name] if better == header else header
            shaped = name == "cut" and _readable(SHAPE, sheet, other) > OTHERWISE
            if shaped and SHAPE not in columns:
                columns[SHAPE] = other
            if better != header:
                continue
            if name not in source.units:
                units.pop(name, None)
        columns[name] = header
        if unit and name not in units:
            units[name] = unit
    for name in (PRICE, PER_CARAT, LIST_PRICE):
        meant = understood(columns[name]) if name in columns else None
        currency = currency or (meant[2] if meant else "")
    return columns, units, currency


def _both(first: str, second: str, name: str) -> str:
    return f"columns {first!r} and {second!r} both mean {name}; declare the source."


def _identities(sheet: Sheet, header: str) -> bool:
    """Whether a column can number the stones: most cells filled, and most different."""
    texts = [text.strip() for text in sheet.column(header)]
    some = [text for text in texts if not blank(text)]
    return 2 * len(some) >= len(texts) and 2 * len(set(some)) >= len(some)


def _total_of(sheet: Sheet, columns: dict[str, str], header: str) -> dict[str, str]:
    """Of two prices the one of the stone, if the other is that of a carat; else a refusal."""
    first = columns[PRICE]
    for total, each in ((first, header), (header, first)):
        if _per_carat(sheet, columns, total, each) >= READABLE:
            return {PRICE: total, PER_CARAT: each}
    raise RejectedFileError(_both(first, header, PRICE))


def _per_carat(sheet: Sheet, columns: dict[str, str], total: str, each: str) -> float:
    """Share of the first rows whose price is their weight times another price."""
    named = (h for h in sheet.headers if meaning(h) == "carat")
    weight = columns.get("carat") or next(named, None)
    if weight is None:
        return 0.0
    rows = ([_number(text) for text in _first(sheet, h)] for h in (total, each, weight))
    known = [(t, e, w) for t, e, w in zip(*rows, strict=True) if t and e and w]
    near = [abs(e * w / t - 1) < ROUNDED for t, e, w in known]
    return sum(near) / len(near) if near else 1.0


def _better(sheet: Sheet, name: str, first: str, second: str) -> str:
    """Which of two columns of one meaning can be read as it; empty for both or neither."""
    shares = {h: _readable(name, sheet, h) for h in (first, second)}
    best, other = sorted(shares, key=lambda h: -shares[h])
    return best if shares[best] >= READABLE and shares[other] < OTHERWISE else ""


def _readable(name: str, sheet: Sheet, header: str) -> float:
    """Share of the first cells that can be what a column is said to mean."""
    some = [text.strip() for text in _first(sheet, header) if not blank(text)]
    return sum(_can_be(name, text) for text in some) / len(some) if some else 0.0


def _can_be(name: str, text: str) -> bool:
    attribute = ATTRIBUTES.get(name)
    if isinstance(attribute, Day):
        return may_be_day(text)
    if isinstance(attribute, Grade):
        try:
            attribute.parse(unsigned(text) if name in _FOUR else text)
        except StoneError:
            return False
        return True
    value = _number(text)
    return value is not None and (
        not isinstance(attribute, Measure)
        or any(
            attribute.low <= value * times <= attribute.high
            for times in UNITS.get(name, {"": 1.0}).values()
        )
    )


def _currency(sheet: Sheet, texts: dict[str, list[str]]) -> str:
    """The one currency that prices name; empty when they name none."""
    priced = texts.get(PRICE) or texts.get(PER_CARAT) or []
    told = sheet.column(money) if (money := money_column(sheet.headers)) else []
    codes = {c for text in {*priced, *told} if (c := currency_named(text))}
    if len(codes) > 1:
        raise RejectedFileError(
            f"prices are in several currencies ({', '.join(sorted(codes))}); declare the "
            "source's currency, then the other rows are set aside."
        )
    return codes.pop() if codes else ""
