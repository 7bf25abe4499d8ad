"""What a sheet does not declare, told from its headers and cells."""

import msgspec

from diamond_pricing.errors import RejectedFileError, StoneError
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    MEASURES,
    OTHERS,
    Day,
    Grade,
    Measure,
)
from diamond_pricing.stones.attributes import fold
from diamond_pricing.stones.keys import IDENTITY
from diamond_pricing.stones.kinds import GONE, ORIGIN, SHAPE, WORDS
from diamond_pricing.warehouse.headers import (
    MEASUREMENTS,
    PER_CARAT,
    PRICE,
    SIDES,
    UNITS,
    understood,
)
from diamond_pricing.warehouse.numbers import (
    currency_named,
    decimal_sign,
    number,
    sides,
    thousands_or_decimals,
)
from diamond_pricing.warehouse.reading import Sheet
from diamond_pricing.warehouse.source import Source

LABORATORY = "laboratory"
_WORDS = {SHAPE, ORIGIN, IDENTITY}  # columns without numbers, beside those of grades
_CURRENCY = {fold(w) for w in ("currency", "currency code", "ccy", "cur", "curr", "waehrung",
                               "währung", "valuta", "devise", "monnaie", "moneda")}  # fmt: skip
SAMPLE = 500  # rows that tell which of two columns is meant
READABLE, OTHERWISE = 0.9, 0.5  # shares of them


def guessed(sheet: Sheet, source: Source) -> Source:
    """Complete a declaration from the headers and cells of a sheet.

    Raises
    ------
    RejectedFileError
        When a column that is needed is not there, or two mean the same.
    """
    headers = [header.strip() for header in sheet.header]
    if len(set(headers)) < len(headers):
        twice = next(h for h in headers if headers.count(h) > 1)
        raise RejectedFileError(f"two columns are called {twice!r}.")
    columns, units, currency = _columns(sheet, headers, source)
    ours: tuple[Measure | Grade, ...] = (*MEASURES, *GRADES)
    needed = [a.name for a in ours if a.required]
    lacking = [n for n in needed if n not in columns]
    if PRICE not in columns and PER_CARAT not in columns:
        lacking.append(PRICE)
    if lacking:
        raise RejectedFileError(
            f"no column for {', '.join(lacking)}; the file has {', '.join(headers)}. Declare "
            "the source; 'diamond-pricing inspect' shows what was understood."
        )
    if PRICE in columns and PER_CARAT in columns:
        columns.pop(PER_CARAT if PER_CARAT not in source.columns else PRICE)
    if MEASUREMENTS in columns and any(side in columns for side in SIDES):
        columns.pop(MEASUREMENTS)
    texts = {n: cells(sheet, headers.index(h.strip())) for n, h in columns.items()}
    currency = currency or _currency(sheet, headers, texts)
    decimal = source.decimal or _decimal(texts)
    return msgspec.structs.replace(
        source, columns=columns, units=units, currency=currency, decimal=decimal
    )


def _decimal(texts: dict[str, list[str]]) -> str:
    """The sign of decimals, told by all numbers; and a refusal to guess at prices."""
    told = decimal_sign(
        part
        for name, column in texts.items()
        if name not in _WORDS and not isinstance(ATTRIBUTES.get(name), Grade | Day)
        for text in set(column)
        for part in (sides(text) if name == MEASUREMENTS else (text,))
    )
    priced = set(texts.get(PRICE) or texts.get(PER_CARAT) or [])
    unclear = sorted(text for text in priced if thousands_or_decimals(text))
    # 4,733 is thousands where nothing says otherwise; 4.733 is not surely decimals.
    if any("." in text for text in unclear) and told != "," and not decimal_sign(priced):
        raise RejectedFileError(
            f"prices such as {unclear[0].strip()!r} may have thousands or decimals; declare "
            "the sign of decimals in the source."
        )
    return told or "."


def cells(sheet: Sheet, at: int) -> list[str]:
    """One column of a sheet, as many cells as it has rows."""
    return [row[at] if at < len(row) else "" for row in sheet.rows]


def money_column(headers: list[str]) -> str:
    """The header of a column that names the currency, if there is one."""
    return next((h for h in headers if fold(h) in _CURRENCY), "")


def _columns(
    sheet: Sheet, headers: list[str], source: Source
) -> tuple[dict[str, str], dict[str, str], str]:
    """Columns, units and currency, the declared ones first."""
    columns, units, currency = dict(source.columns), dict(source.units), source.currency
    for name, header in columns.items():
        if header.strip() not in headers:
            raise RejectedFileError(
                f"the source declares column {header!r} for {name}; the file has "
                f"{', '.join(headers)}."
            )
    taken = {header.strip() for header in columns.values()}
    for header in headers:
        found = understood(header)
        if header in taken or found is None or found[0] in source.columns:
            continue
        name, unit, told = found
        if name == IDENTITY and _readable(LABORATORY, sheet, headers, header) >= READABLE:
            name = LABORATORY  # a column "Report" may say whose
        if name in _further() and (
            name in columns or _readable(name, sheet, headers, header) < OTHERWISE
        ):
            continue
        if name == ORIGIN and fold(header) == "type" and (
            _readable(ORIGIN, sheet, headers, header) < OTHERWISE
        ):  # fmt: skip
            continue
        if name == "depth" and _readable("depth", sheet, headers, header) < OTHERWISE:
            name = "z" if _readable("z", sheet, headers, header) >= READABLE else name
        if name in columns and name in (IDENTITY, ORIGIN, SHAPE):
            continue
        if name in columns:
            better = _better(sheet, headers, name, columns[name], header)
            if not better:
                raise RejectedFileError(
                    f"columns {columns[name]!r} and {header!r} both mean {name}; declare the "
                    "source."
                )
            other = columns[name] if better == header else header
            shaped = name == "cut" and _readable(SHAPE, sheet, headers, other) > OTHERWISE
            if shaped and SHAPE not in columns:
                columns[SHAPE] = other
            if better != header:
                continue
            if name not in source.units:
                units.pop(name, None)
        columns[name] = header
        if unit and name not in units:
            units[name] = unit
        currency = currency or told
    return columns, units, currency


def _further() -> set[str]:
    """Attributes that a file may have; a column of another meaning is passed over."""
    return {other.name for other in OTHERS} - {SHAPE, ORIGIN}


def _better(sheet: Sheet, headers: list[str], name: str, first: str, second: str) -> str:
    """Which of two columns of one meaning can be read as it; empty for both or neither."""
    shares = {h: _readable(name, sheet, headers, h) for h in (first, second)}
    best, other = sorted(shares, key=lambda h: -shares[h])
    return best if shares[best] >= READABLE and shares[other] < OTHERWISE else ""


def _readable(name: str, sheet: Sheet, headers: list[str], header: str) -> float:
    """Share of the first cells that can be what a column is said to mean."""
    attribute = ATTRIBUTES.get(name)
    texts = cells(sheet, headers.index(header))[:SAMPLE]
    some = [t.strip() for t in texts if t.strip().casefold() not in GONE]
    good = 0
    for text in some:
        if name in WORDS:
            good += fold(text) in WORDS[name]
        elif isinstance(attribute, Grade | Day):
            try:
                attribute.parse(text)
                good += 1
            except StoneError:
                continue
        else:
            value = number(text, decimal_sign([text]) or ".")
            inside = not isinstance(attribute, Measure) or any(
                attribute.low <= (value or 0) * times <= attribute.high
                for times in UNITS.get(name, {"": 1.0}).values()
            )
            good += value is not None and inside
    return good / len(some) if some else 0.0


def _currency(sheet: Sheet, headers: list[str], texts: dict[str, list[str]]) -> str:
    """The one currency that prices name; empty when they name none."""
    priced = texts.get(PRICE) or texts.get(PER_CARAT) or []
    told = cells(sheet, headers.index(money)) if (money := money_column(headers)) else []
    codes = {c for text in {*priced, *told} if (c := currency_named(text))}
    if len(codes) > 1:
        raise RejectedFileError(
            f"prices are in several currencies ({', '.join(sorted(codes))}); declare the "
            "source's currency, then the other rows are set aside."
        )
    return codes.pop() if codes else ""
