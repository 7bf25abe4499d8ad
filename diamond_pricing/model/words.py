"""The words and number formats that an explanation is told in, by language."""

from collections.abc import Collection, Mapping
from math import expm1
from types import MappingProxyType

import msgspec

from diamond_pricing.model.money import SYMBOLS, written
from diamond_pricing.stones import ATTRIBUTES, LINES, Stone, carats

# Columns of a priced sheet.
ESTIMATES = ("estimate", "low", "high", "verdict", "reason")


def _estimates(*labels: str) -> Mapping[str, str]:
    return MappingProxyType(dict(zip(ESTIMATES, labels, strict=True)))


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """One language; the templates are filled by `str.format`."""

    code: str
    labels: Mapping[str, str] = {}  # of lines and attributes, where not as in the table
    decimal: str = "."
    day_first: bool = False
    reference: str = "Reference stone"
    other: str = "Other"
    price: str = "Price"
    diamond: str = "Diamond"
    natural: str = "Natural diamond"
    grown: str = "Laboratory-grown diamond"
    dated: str = "{money} of {date}"
    undated: str = "{money}, undated"
    first: str = "First stone"
    second: str = "Second stone"
    rather: str = "{here} rather than {there}"
    same: str = "{here}, as the reference"
    reached: str = "reaches {carat}"
    under: str = "under {carat}"
    blend: str = "blend of the lists"
    shorter: str = "{list} (shorter side first)"
    longer: str = "{list} (longer side first)"
    marked: str = "{list}, whose mark-up depends on the price"
    today: str = "as of the last day of the sales"
    as_of: str = "as of {date} rather than the last day of the sales"
    this_day: str = "as of {date}"
    other_day: str = "as of {date} rather than {today}"
    carried: str = "as of {date}, carried forward from {last}"
    alike: str = "{count} fetched {here} than that; like the reference, {there}"
    more: str = "{share} % more"
    less: str = "{share} % less"
    unsaid: str = "not given: the average of such stones"
    missing: str = "not given: averaged over {cut} stones of about {carat}"
    missing_some: str = "{names} not given: averaged over {cut} stones of about {carat}"
    idle: str = "{names} does not count"
    idle_some: str = "{names} do not count"
    money: Mapping[str, str] = {}
    verdicts: tuple[str, str, str] = ("priced", "priced with caution", "no price")
    estimates: Mapping[str, str] = _estimates("Estimate", "Low", "High", "Verdict", "Reason")
    not_in: str = "Not in this price: {names}."
    assumed: str = "Natural origin and a round brilliant cut are assumed."

    def unrecorded(self, lines: Collection[str]) -> str:
        """Say what matters to a price and has no line, as fluorescence."""
        names = [self.attribute(name).lower() for name in MATTER if name not in lines]
        told = [self.not_in.format(names=", ".join(names))] if names else []
        told += [self.assumed] if not {"shape", "origin"} & set(lines) else []
        return " ".join(told)

    def label(self, line: str) -> str:
        """Label of a line of an explanation."""
        known = self.labels.get(line) or self._in_language(line)
        return known or LINES.get(line) or self.reference

    def attribute(self, name: str) -> str:
        """Label of an attribute."""
        return self.labels.get(name) or self._in_language(name) or ATTRIBUTES[name].label

    def _in_language(self, name: str) -> str | None:
        attribute = ATTRIBUTES.get(name)
        return attribute.labels.get(self.code) if attribute else None

    def number(self, text: str) -> str:
        """A number that was written with a point."""
        return text if self.decimal == "." else text.replace(".", self.decimal)

    def against(self, effect: float) -> str:
        """How much more or less a log effect is: ``0.4 % more``."""
        share = round(100 * expm1(effect), 1)
        form = self.less if share < 0 else self.more
        return form.format(share=self.number(f"{abs(share):.1f}"))

    def carats(self, weight: float) -> str:
        """A weight: ``1.01 ct``."""
        return self.number(carats(weight))

    def date(self, date: str) -> str:
        """A date as people write it: 2026-11-23 is 23/11/2026 in Italian."""
        return "/".join(reversed(date.split("-"))) if self.day_first else date

    def prices(self, currency: str, effective: str) -> str:
        """What prices are: ``US dollars of 2008``."""
        form = self.undated if effective == "undated" else self.dated
        money = self.money.get(currency, currency)
        return form.format(money=money, date=self.date(effective))

    def stone(self, stone: Stone) -> str:
        """A stone: ``1.01 ct Ideal E VS1``."""
        grown = f", {self.grown.lower()}" if stone.grown else ""
        return f"{self.carats(stone.carat)} {stone.graded}{grown}"

    def kind(self, stone: Stone) -> str:
        """What the stone is, as its first words must say: ``Laboratory-grown diamond``."""
        if stone.origin is None:
            return self.diamond
        return self.grown if stone.grown else self.natural

    def amount(self, cents: int, currency: str, *, sign: bool = False, digits: int = 2) -> str:
        """An amount: ``$2,641.10``; ``2.641,10 $``."""
        if self.decimal == ".":
            return written(cents, currency, sign=sign, digits=digits)
        before = "−" if cents < 0 else ("" if not sign else "+" if cents else "±")
        value = f"{abs(cents) / 100:,.{digits}f}".translate(_EXCHANGED)
        return f"{before}{value} {SYMBOLS.get(currency, currency)}"


_EXCHANGED = str.maketrans(",.", ".,")

# What buyers of a round stone ask for beside the four Cs.
MATTER = ("fluorescence", "polish", "symmetry", "laboratory")

ENGLISH = Words(
    code="en", money=MappingProxyType({"USD": "US dollars", "EUR": "euros", "GBP": "pounds"})
)
ITALIAN = Words(
    code="it",
    decimal=",",
    day_first=True,
    labels=MappingProxyType(
        {
            "carat": "Peso",
            "magic": "Soglia di peso",
            "cut": "Taglio",
            "color": "Colore",
            "clarity": "Purezza",
            "proportions": "Proporzioni",
            "depth": "Profondità",
            "table": "Tavola",
            "x": "Lunghezza",
            "y": "Larghezza",
            "z": "Altezza",
            "listing": "Listino",
            "market": "Mercato",
            "like_sales": "Vendite simili",
        }
    ),
    verdicts=("stimata", "stimata con cautela", "nessun prezzo"),
    estimates=_estimates("Stima", "Minimo", "Massimo", "Esito", "Motivo"),
    not_in="Non compresi nel prezzo: {names}.",
    assumed="Si suppongono origine naturale e taglio brillante rotondo.",
    reference="Pietra di riferimento",
    other="Altro",
    price="Prezzo",
    diamond="Diamante",
    natural="Diamante naturale",
    grown="Diamante cresciuto in laboratorio",
    dated="{money} del {date}",
    undated="{money}, senza data",
    first="Prima pietra",
    second="Seconda pietra",
    rather="{here} invece di {there}",
    same="{here}, come il riferimento",
    reached="raggiunge {carat}",
    under="sotto {carat}",
    blend="media dei listini",
    shorter="{list} (prima il lato corto)",
    longer="{list} (prima il lato lungo)",
    marked="{list}, con un ricarico che dipende dal prezzo",
    today="all'ultimo giorno delle vendite",
    as_of="al {date} invece dell'ultimo giorno delle vendite",
    this_day="al {date}",
    other_day="al {date} invece del {today}",
    carried="al {date}, con i prezzi del {last}",
    alike="{count}, vendute {here}; simili al riferimento, {there}",
    more="{share} % in più",
    less="{share} % in meno",
    unsaid="non indicata: la media di tali pietre",
    missing="non indicate: media delle pietre {cut} di circa {carat}",
    missing_some="{names} non indicate: media delle pietre {cut} di circa {carat}",
    idle="{names} non conta",
    idle_some="{names} non contano",
    money=MappingProxyType({"USD": "dollari statunitensi", "EUR": "euro", "GBP": "sterline"}),
)
LANGUAGES: Mapping[str, Words] = MappingProxyType({w.code: w for w in (ENGLISH, ITALIAN)})
