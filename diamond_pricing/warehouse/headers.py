"""What other people call their columns."""

import re

from diamond_pricing.stones import attribute_named
from diamond_pricing.stones.attributes import fold
from diamond_pricing.warehouse.numbers import CURRENCIES

PRICE, PER_CARAT, SHAPE = "price", "price_per_carat", "shape"
ORIGIN, MEASUREMENTS, IDENTITY = "origin", "measurements", "identity"
SIDES = ("x", "y", "z")  # in the order of measurements
# What one of theirs is in ours.
UNITS = {
    "x": {"mm": 1.0, "cm": 10.0, "in": 25.4},
    "carat": {"ct": 1.0, "g": 5.0, "mg": 0.005, "pt": 0.01},
    "depth": {"%": 1.0, "fraction": 100.0},
}
UNITS |= {"y": UNITS["x"], "z": UNITS["x"], MEASUREMENTS: UNITS["x"], "table": UNITS["depth"]}
_WORDS = {"mm": "mm", "cm": "cm", "inch": "in", "inches": "in", "g": "g",
          "gram": "g", "grams": "g", "mg": "mg", "ct": "ct", "cts": "ct", "carat": "ct",
          "points": "pt", "%": "%", "percent": "%", "percentage": "%", "pct": "%"}  # fmt: skip


def _listed(text: str) -> set[str]:
    """Words, parted by commas and ends of lines, as we compare them."""
    return {fold(word) for word in re.split(r"[,\n]", text) if word.strip()}


_NAMES = {
    PRICE: """price, total price, amount, total, total amount, sale price, selling price
        sold price, sold for, net price, value, cost, asking price, list price, retail price
        wholesale price, final price, price total, preis, gesamtpreis, prix, prix total
        prezzo, prezzo totale, precio""",
    PER_CARAT: """price per carat, price/carat, price/ct, price/cts, price per ct, ppc, $/ct
        per carat, asking price per carat, preis pro karat, prix par carat, prezzo al carato""",
    SHAPE: "shape, form, forme, forma, stone shape, cut shape",
    ORIGIN: """origin, type, diamond type, stone type, lab grown, is lab grown, lab created
        natural or lab, growth, creation""",
    MEASUREMENTS: """measurements, measurement, dimensions, meas, mm, masse, maße, misure
        mesures, medidas""",
    IDENTITY: """certificate, certificate number, certificate no, certificate #, cert, cert #
        cert no, cert number, report, report number, report no, report #, lab report
        stock number, stock no, stock #, stock id, sku, item id, item number, lot, diamond id
        stone id, zertifikat, certificat, certificato""",
    "carat": """size, carat size, stone weight, diamond weight, gewicht, karat, poids, peso
        carati, carato, quilates""",
    "cut": "make, cut quality, cutting, schliff, schliffgüte, taille, taglio, talla",
    "color": "colour grade, farbe, couleur, colore",
    "clarity": "purity, clarity grade, reinheit, pureté, purezza, pureza",
    "depth": "total depth, depth total, depth ratio, tiefe, profondeur, profondità",
    "table": "table size, table ratio, tafel, tavola",
    "x": """meas length, measurement length, measurements length, length max, länge, longueur
        lunghezza, longitud""",
    "y": "meas width, measurement width, measurements width, breite, largeur, larghezza",
    "z": """meas depth, measurement depth, measurements depth, meas height
        measurement height, measurements height, höhe, hauteur, altezza""",
}
_MEANT = {word: name for name, words in _NAMES.items() for word in _listed(words)}
# The one shape and the one origin that these models price, and words for others.
_ROUND = """round, rd, rnd, rb, br, rbc, r, round brilliant, brilliant, round diamond, rund
    brillant, rond, rotondo, tondo, redondo, rund brillant, brilliant round, round cut
    round shape"""
_OTHER_SHAPES = """princess, oval, cushion, emerald, pear, marquise, radiant, asscher, heart
    trillion, baguette, cushion modified, square, rose, old european"""
_NATURAL = """natural, mined, earth mined, natural diamond, nat, n, no, false, f, 0, 0.0
    nein, non, natürlich, naturel, naturale, echt, real, genuine"""
_GROWN = """lab, lab grown, lab created, laboratory, laboratory grown, cvd, hpht, synthetic
    lg, lgd, man made, grown, created, yes, true, y, 1, 1.0, t, ja, oui, si, sì, lab diamond"""
ONLY = {SHAPE: (_listed(_ROUND), "round"), ORIGIN: (_listed(_NATURAL), "natural")}
WORDS = {
    SHAPE: _listed(_ROUND) | _listed(_OTHER_SHAPES),
    ORIGIN: _listed(_NATURAL) | _listed(_GROWN),
}
_TOKENS = re.compile(r"[^\W_]+|[%$€£/]")


def understood(header: str) -> tuple[str, str, str] | None:
    """Give what a header means: our name, unit and currency; None for none of ours.

    Units and currencies around the name are read too: ``Carat Weight (ct)``, ``price_usd``.
    """
    header = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header.strip())
    tokens = _TOKENS.findall(header.casefold())
    unit = currency = ""
    for word in tokens:
        unit, currency = _WORDS.get(word, unit), CURRENCIES.get(word, currency)
    name = _named(header) or _named(" ".join(tokens))
    while name is None and len(tokens) > 1:
        last = tokens[-1]
        if tokens[0] in CURRENCIES or tokens[0] in ("diamond", "stone"):
            tokens.pop(0)
        elif last in _WORDS or last in CURRENCIES or last == "in":
            tokens.pop()
        else:
            return None
        name = _named(" ".join(tokens))
    if name == "depth" and unit in UNITS["z"]:
        name = "z"
    if name is None or name == "listing":
        return None
    if name in (PRICE, PER_CARAT):
        return name, "", currency
    plain = next(iter(UNITS.get(name, {})), "")
    return name, unit if unit in UNITS.get(name, ()) and unit != plain else "", ""


def _named(words: str) -> str | None:
    return _MEANT.get(fold(words)) or attribute_named(words)
