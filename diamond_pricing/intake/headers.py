"""What other people call their columns."""

import re

from diamond_pricing.intake.numbers import CURRENCIES, SIGNS
from diamond_pricing.stones import attribute_named
from diamond_pricing.stones.attributes import fold
from diamond_pricing.stones.keys import IDENTITY

PRICE, PER_CARAT = "price", "price_per_carat"
# A list price per carat and what is taken off it, per cent.
LIST_PRICE, DISCOUNT = "list_price_per_carat", "discount"
PRICES = (PRICE, PER_CARAT, LIST_PRICE, DISCOUNT)
MEASUREMENTS = "measurements"
SIDES = ("x", "y", "z")  # in the order of measurements
# What one of theirs is in ours.
UNITS = {
    "x": {"mm": 1.0, "cm": 10.0, "in": 25.4},
    "carat": {"ct": 1.0, "g": 5.0, "mg": 0.005, "pt": 0.01},
    "depth": {"%": 1.0, "fraction": 100.0},
}
UNITS |= {"y": UNITS["x"], "z": UNITS["x"], MEASUREMENTS: UNITS["x"], "table": UNITS["depth"]}
_SPELLINGS = {
    "mm": "mm",
    "cm": "cm",
    "in": "inch inches",
    "g": "g gram grams",
    "mg": "mg",
    "ct": "ct cts carat",
    "pt": "points pts",
    "%": "% percent percentage pct",
}
_WORDS = {word: unit for unit, words in _SPELLINGS.items() for word in words.split()}
_NAMES = {
    PRICE: """price, total price, amount, amt, total, total amount, sale price
        selling price, sold price, sold for, net price, value, cost, asking price, list price
        retail price, wholesale price, trade price, price ex vat, price inc vat, final price
        price total, sales price, total sales price, total sale price, sales amount, sale amount
        item price, market price, current price, our price, preis, gesamtpreis, preis netto
        prix, prix total, prix ht, prix ttc, prezzo, prezzo totale, precio""",
    PER_CARAT: """price per carat, price/carat, price/ct, price/cts, price per ct, ppc, $/ct
        per carat, pricepercarat, price ct, rate
        net rate, asking price per carat, preis pro karat, prix par carat, prezzo al carato""",
    LIST_PRICE: """rap, rapo, rap price, raprate, rap rate, rapaport, rap price/ct, rap $/ct
        list price per carat, rap/ct""",
    DISCOUNT: """disc, discount, rap discount, %rap, rap %, disc %, discount %, rap disc, dis
        % below, below, % back, back
        off, disc%, % off""",
    MEASUREMENTS: """measurements, measurement, dimensions, meas, mm, masse, maße, misure
        mesures, medidas""",
    IDENTITY: """certificate, certificate number, certificate no, certificate #, cert, cert #
        cert no, cert number, report, report number, report no, report #, lab report
        stock number, stock no, stock #, stock id, vendor stock no, packet no, packet id
        packet, ref no, stone no, sku, item id, item number, lot, diamond id
        stone id, article, article number, artikel, artikelnummer, artikel nr, référence
        reference, réf, riferimento, codice, numero certificato, codice pietra, zertifikat
        zertifikat nr, zertifikatsnummer, certificat, certificato""",
    "carat": """size, carat size, carat wt, carat wt., stone weight, diamond weight, gewicht
        karat, poids, peso, carati, carato, quilates""",
    "cut": "make, cut quality, disp cut, cutting, schliff, schliffgüte, taille, taglio, talla",
    "color": "colour grade, disp color, display color, farbe, couleur, colore",
    "clarity": """pur, purity, clarity grade, disp clarity, display clarity, reinheit, pureté
        purezza, pureza""",
    "depth": "total depth, depth total, depth ratio, tiefe, profondeur, profondità",
    "table": "table size, table ratio, tafel, tavola",
    "x": """m1, meas length, measurement length, measurements length, length max, länge
        longueur, lunghezza, longitud""",
    "y": "m2, meas width, measurement width, measurements width, breite, largeur, larghezza",
    "z": """m3, meas depth, measurement depth, measurements depth, meas height
        measurement height, measurements height, höhe, hauteur, altezza""",
}


def listed(text: str) -> set[str]:
    """Words, parted by commas and ends of lines, as they are compared."""
    return {fold(word) for word in re.split(r"[,\n]", text) if word.strip()}


_MEANT = {word: name for name, words in _NAMES.items() for word in listed(words)}
_CURRENCY = listed("""currency, currency code, ccy, cur, curr, waehrung, währung, valuta
    devise, monnaie, moneda""")
_A_CARAT = re.compile(r"(?:/|\b[àa] |\bper |\bp/) ?(?:cts?|carats?|karat|carato)\b", re.I)
_SIGNS = sorted((word for word in CURRENCIES if not word.isalnum()), key=len, reverse=True)
_TOKENS = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, _SIGNS))})|[^\W_]+|[%/{SIGNS}]")


def understood(header: str) -> tuple[str, str, str] | None:
    """Give what a header means: our name, unit and currency; None for none of ours.

    Units and currencies around the name are read too: ``Carat Weight (ct)``, ``price_usd``.
    """
    header = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header.strip().rstrip(".:"))
    tokens = _TOKENS.findall(header.casefold())
    unit = currency = ""
    for word in tokens:
        unit, currency = _WORDS.get(word, unit), CURRENCIES.get(word, currency)
    if {"cent", "cents"} & set(tokens):
        return None  # amounts of another unit than all others
    name = _named(header) or _named(" ".join(tokens))
    while name is None and len(tokens) > 1:
        last = tokens[-1]
        if tokens[0] in CURRENCIES or tokens[0] in ("diamond", "stone"):
            tokens.pop(0)
        elif last in _WORDS or last in CURRENCIES or last == "in":
            tokens.pop()
        else:
            break
        name = _named(" ".join(tokens))
    if name is None and _A_CARAT.search(header):
        name = PER_CARAT
    if name == "depth" and unit in UNITS["z"]:
        name = "z"
    if name is None or name == "listing":
        return None
    if name in (PRICE, PER_CARAT, LIST_PRICE):
        return name, "", currency
    plain = next(iter(UNITS.get(name, {})), "")
    return name, unit if unit in UNITS.get(name, ()) and unit != plain else "", ""


def meaning(header: str) -> str:
    """Our name for what a header means; empty for none of ours."""
    found = understood(header)
    return found[0] if found else ""


def money_column(headers: list[str]) -> str:
    """The header of a column that names the currency, if there is one."""
    return next((h for h in headers if fold(h) in _CURRENCY), "")


def currency_of(header: str) -> str:
    """The currency that a header names, whatever else it says; empty for none."""
    words = _TOKENS.findall(header.casefold())
    return next((CURRENCIES[word] for word in words if word in CURRENCIES), "")


def _named(words: str) -> str | None:
    return _MEANT.get(fold(words)) or attribute_named(words)
