"""What the page says, in English and Italian."""

from collections.abc import Mapping
from types import MappingProxyType

from diamond_pricing.model.words import ENGLISH, ITALIAN, LANGUAGES, Words
from diamond_pricing.stones import Day, Grade, Measure

Texts = Mapping[str, str]

_ENGLISH = {
    "title": "Price a diamond",
    "brand_1": "diamond",
    "brand_2": "pricing",
    "skip": "To the price",
    "price_a_stone": "Price a stone",
    "compare": "Compare",
    "list": "Price list",
    "api": "API",
    "other_language": "Italiano",
    "sign_out": "Sign out",
    "the_stone": "The stone",
    "first_stone": ENGLISH.first,
    "second_stone": ENGLISH.second,
    "not_given": "not given",
    "measurements": "Measurements",
    "optional": "optional; typical values are assumed if left blank",
    "button": "Price this stone",
    "compare_button": "Compare",
    "prices_in": "Prices in {prices}",
    "stale": "This stone could not be priced. Showing the previous stone’s price.",
    "same_in_both": "{here} in both",
    "thin_short": "With caution: only {count} stones of about this weight, color and clarity "
    "have been seen.",
    "thin_short_one": "With caution: only one stone of about this weight, color and clarity "
    "has been seen.",
    "not_a_number": "write a number, as 1.01",
    "between": "between {low} and {high} {unit}",
    "no_grade": "this grade does not exist",
    "contradiction": "does not agree with the other measurements; correct it, or "
    "leave it empty",
    "not_seen_measure": "sales from {low} to {high} {unit} have been seen, none of this",
    "not_seen_grade": "no sale of this grade has been seen",
    "not_seen_stone": "No sale of a stone of about this weight, color and clarity has been "
    "seen.",
    "measures_about": "A round stone of {weight} measures about {size} mm across.",
    "nearest_priced": "The nearest stone that can be priced: {stone}",
    "like_nearest": "Sold like the nearest stone",
    "ask": "For a price by hand: {contact}.",
    "an_expert": "a colleague who prices stones",
    "weights_wrong": "Weights are numbers of carats, such as 0.5 1 1.5; none was read.",
    "no_weights": "No sales of stones of these weights have been seen.",
    "range": "{level} of 100 such stones sell between {low} and {high}",
    "supported": "Well supported: {count} stones of about this weight, color and clarity.",
    "thin_support": "With caution: only {count} stones of about this weight, color and clarity "
    "have been seen. See the comparable sales.",
    "thin_support_one": "With caution: only one stone of about this weight, color and clarity "
    "has been seen. See the comparable sales.",
    "how": "How the price is made",
    "same_figures": "The same figures are in the table below.",
    "help_on": "Help: {name}",
    "stock": "Stock list",
    "stock_title": "Price a stock list",
    "stock_drop": "Drop a file here, or choose one",
    "stock_hint": "CSV or a spreadsheet with a row for each stone, up to {most} rows. You get "
    "the same list back with the estimate, its range, a verdict and the lines of each price.",
    "stock_busy": "Pricing…",
    "stock_failed": "The list could not be sent; try again.",
    "no_answer": "No answer; try again.",
    "stock_script": "This page needs JavaScript; diamond-pricing score does the same.",
    "stock_refused": "This list cannot be priced",
    "stock_done": "{priced} of {rows} priced",
    "stock_total": "Estimates come to {total}.",
    "stock_caution": "Treat {caution} of them with caution: few comparable sales.",
    "stock_fetch": "Download {name}",
    "stock_declined": "Without a price:",
    "stock_columns": "Columns as understood",
    "stock_unread": "Kept, but not read:",
    "stock_first": "The first rows",
    "a_carat": "{amount} per carat",
    "every_line": "Every line, to the cent",
    "why": "Why {amount}",
    "why_difference": "Why they differ",
    "because": "Because of",
    "change": "Change",
    "amount": "Amount",
    "price": ENGLISH.price,
    "one_step": "One step away",
    "rather": "{there} instead of {here}",
    "sold_like_it": "Sold like it",
    "stone": "Stone",
    "sold_at": "Sold at",
    "adjusted": "Adjusted to yours",
    "no_comparables": "Comparable sales cannot be shown now.",
    "comparables_note": "Sales of other stones; the last column takes off, line by line, what "
    "sets them apart from yours.",
    "comparables_middle": "{count} like sales, adjusted to this stone: median {median}, half "
    "of them between {low} and {high}.",
    "against_median": "The price is {against} than their median.",
    "at_median": "The price is their median.",
    "make_quote": "Keep as a quote",
    "estimate": "An estimate from sales, not an appraisal.",
    "model": "Model {name}",
    "empty_title": "Describe a stone to see its price",
    "empty_text": "Weight, cut, color and clarity are enough. Every price comes with its range "
    "and its reasons, which add up to the cent.",
    "cannot": "No price for this stone",
    "difference": "The second costs {amount} more than the first",
    "difference_less": "The second costs {amount} less than the first",
    "difference_none": "Both cost the same",
    "compare_title": "Compare two stones",
    "list_title": "Price list",
    "per_carat": "Per carat",
    "per_stone": "Per stone",
    "show": "Show",
    "cut_of_list": "Cut",
    "weights": "Weights",
    "currency": "Currency",
    "sales_like": "Like stones sold",
    "list_note": "Color down, clarity across. The small figure counts the stones of about this "
    "weight, color and clarity that were seen; where there are none, there is no price.",
    "no_price": "no price",
    "sheet_title": "Price estimate",
    "print": "Print",
    "pdf": "PDF",
    "share": "Link for the client",
    "revoke": "Revoke the links",
    "quotes": "Quotes",
    "quote": "Quote",
    "date": "Date",
    "valid_until": "Valid until",
    "client": "Client",
    "client_reference": "Client’s reference",
    "report_number": "Report number",
    "for_whom": "Client, reference, report number",
    "search_for": "Find",
    "search_hint": "stone, number, date, client",
    "older": "Older quotes",
    "no_quotes": "No quotes match.",
    "verify": "Model {model}. To check this price: with the same model document the same stone "
    "gives these amounts, to the cent, in any copy of diamond_pricing {version}.",
    "sign_in": "Sign in",
    "key": "Your key",
    "wrong_key": "This key is not valid.",
    "sign_in_note": "Paste the key that you were given; it begins with dp_.",
    "problems": "Error codes",
    "code": "Code",
    "status": "Status",
    "meaning": "Meaning",
    "left_blank": "needed",
    "with_measures": "with measurements",
}

_ITALIAN = {
    "title": "Il prezzo di un diamante",
    "brand_1": "diamond",
    "brand_2": "pricing",
    "skip": "Vai al prezzo",
    "price_a_stone": "Una pietra",
    "compare": "Confronto",
    "list": "Listino",
    "api": "API",
    "other_language": "English",
    "sign_out": "Esci",
    "the_stone": "La pietra",
    "first_stone": ITALIAN.first,
    "second_stone": ITALIAN.second,
    "not_given": "non indicato",
    "measurements": "Misure",
    "optional": "facoltative; senza, valgono quelle usuali",
    "button": "Calcola il prezzo",
    "compare_button": "Confronta",
    "prices_in": "Prezzi in {prices}",
    "stale": "Questa pietra non ha un prezzo. È mostrato quello della pietra precedente.",
    "same_in_both": "{here} in entrambe",
    "thin_short": "Con cautela: si sono viste solo {count} pietre di peso, colore e purezza "
    "simili.",
    "thin_short_one": "Con cautela: si è vista una sola pietra di peso, colore e purezza "
    "simili.",
    "not_a_number": "scrivere un numero, come 1,01",
    "between": "fra {low} e {high} {unit}",
    "no_grade": "questo grado non esiste",
    "contradiction": "non concorda con le altre misure; correggere, o lasciare in bianco",
    "not_seen_measure": "si sono viste vendite da {low} a {high} {unit}, "
    "nessuna con questo valore",
    "not_seen_grade": "di questo grado non si sono viste vendite",
    "not_seen_stone": "Non si sono viste vendite di pietre di peso, colore e purezza simili.",
    "measures_about": "Una pietra rotonda di {weight} misura circa {size} mm di diametro.",
    "nearest_priced": "La pietra più vicina che ha un prezzo: {stone}",
    "like_nearest": "Vendute come la pietra più vicina",
    "ask": "Per un prezzo a mano: {contact}.",
    "weights_wrong": "I pesi sono numeri di carati, come 0,5 1 1,5; nessuno è stato letto.",
    "no_weights": "Non si sono viste vendite di pietre di questi pesi.",
    "an_expert": "un collega che stima le pietre",
    "range": "{level} pietre simili su 100 si vendono fra {low} e {high}",
    "supported": "Ben documentato: {count} pietre di peso, colore e purezza simili.",
    "thin_support": "Con cautela: si sono viste solo {count} pietre di peso, colore e purezza "
    "simili. Si vedano le vendite comparabili.",
    "thin_support_one": "Con cautela: si è vista una sola pietra di peso, colore e purezza "
    "simili. Si vedano le vendite comparabili.",
    "how": "Come si forma il prezzo",
    "same_figures": "Le stesse cifre sono nella tabella qui sotto.",
    "help_on": "Aiuto: {name}",
    "stock": "Elenco",
    "stock_title": "Prezzi di un elenco di pietre",
    "stock_drop": "Trascinare qui un file, o sceglierne uno",
    "stock_hint": "CSV o foglio di calcolo, una riga per pietra, al massimo {most} righe. Lo "
    "stesso elenco torna con la stima, il suo intervallo, un esito e le voci di ogni prezzo.",
    "stock_busy": "Calcolo in corso…",
    "stock_failed": "L’invio non è riuscito; riprovare.",
    "no_answer": "Nessuna risposta; riprovare.",
    "stock_script": "Questa pagina richiede JavaScript; diamond-pricing score fa lo stesso.",
    "stock_refused": "Questo elenco non può avere prezzi",
    "stock_done": "{priced} di {rows} con un prezzo",
    "stock_total": "Le stime sommano a {total}.",
    "stock_caution": "Con cautela {caution}: poche vendite simili.",
    "stock_fetch": "Scarica {name}",
    "stock_declined": "Senza prezzo:",
    "stock_columns": "Colonne come sono state capite",
    "stock_unread": "Conservate, ma non lette:",
    "stock_first": "Le prime righe",
    "a_carat": "{amount} al carato",
    "every_line": "Ogni voce, al centesimo",
    "why": "Perché {amount}",
    "why_difference": "Perché sono diverse",
    "because": "Voce",
    "change": "Variazione",
    "amount": "Importo",
    "price": ITALIAN.price,
    "one_step": "A un passo",
    "rather": "{there} invece di {here}",
    "sold_like_it": "Vendute come questa",
    "stone": "Pietra",
    "sold_at": "Venduta a",
    "adjusted": "Riportata a questa",
    "no_comparables": "Vendite comparabili non disponibili.",
    "comparables_note": "Vendite di altre pietre; l’ultima colonna toglie, voce per voce, ciò "
    "che le distingue da questa.",
    "comparables_middle": "{count} vendite simili, riportate a questa pietra: mediana "
    "{median}, metà fra {low} e {high}.",
    "against_median": "Il prezzo è {against} della loro mediana.",
    "at_median": "Il prezzo è la loro mediana.",
    "make_quote": "Conserva come preventivo",
    "estimate": "Stima da vendite, non una perizia.",
    "model": "Modello {name}",
    "empty_title": "Descrivere una pietra per vederne il prezzo",
    "empty_text": "Bastano peso, taglio, colore e purezza. Ogni prezzo ha il suo intervallo e "
    "i suoi motivi, che tornano al centesimo.",
    "cannot": "Nessun prezzo per questa pietra",
    "difference": "La seconda costa {amount} più della prima",
    "difference_less": "La seconda costa {amount} meno della prima",
    "difference_none": "Costano lo stesso",
    "compare_title": "Confronto di due pietre",
    "list_title": "Listino",
    "per_carat": "Al carato",
    "per_stone": "Per pietra",
    "show": "Mostra",
    "cut_of_list": "Taglio",
    "weights": "Pesi",
    "currency": "Valuta",
    "sales_like": "Pietre simili vendute",
    "list_note": "Colore in verticale, purezza in orizzontale. La cifra piccola conta le "
    "pietre di peso, colore e purezza simili che si sono viste; dove non ce ne sono, non c’è "
    "prezzo.",
    "no_price": "nessun prezzo",
    "sheet_title": "Stima di prezzo",
    "print": "Stampa",
    "pdf": "PDF",
    "share": "Collegamento per il cliente",
    "revoke": "Revoca i collegamenti",
    "quotes": "Preventivi",
    "quote": "Preventivo",
    "date": "Data",
    "valid_until": "Valido fino al",
    "client": "Cliente",
    "client_reference": "Riferimento del cliente",
    "report_number": "Numero del certificato",
    "for_whom": "Cliente, riferimento, certificato",
    "search_for": "Cerca",
    "search_hint": "pietra, numero, data, cliente",
    "older": "Preventivi precedenti",
    "no_quotes": "Nessun preventivo corrisponde.",
    "verify": "Modello {model}. Per verificare: con lo stesso documento di modello la stessa "
    "pietra dà questi importi, al centesimo, in ogni copia di diamond_pricing {version}.",
    "sign_in": "Accedi",
    "key": "La chiave",
    "wrong_key": "Questa chiave non è valida.",
    "sign_in_note": "Incollare la chiave ricevuta; comincia con dp_.",
    "problems": "Codici d’errore",
    "code": "Codice",
    "status": "Stato",
    "meaning": "Significato",
    "left_blank": "obbligatorio",
    "with_measures": "con misure",
}

_ERRORS_IT = {
    "not_found": "Qui non c’è nulla.",
    "quote_not_found": "Questo preventivo non esiste.",
    "forbidden": "Non è permesso.",
    "unknown_grade": "Questo grado non esiste.",
    "too_many_requests": "La quota è esaurita; riprovare più tardi.",
    "bad_request": "La richiesta non si capisce.",
    "storage_unavailable": "In questo momento non si può conservare nulla.",
}
# How the codes of rows without a price are counted on the page, in English and Italian.
REFUSED_FOR: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "weight_outside_range": ("outside the weights sold", "fuori dai pesi venduti"),
        "measure_outside_range": ("outside the measures sold", "fuori dalle misure vendute"),
        "grade_not_seen": ("of a grade not sold", "di un grado mai venduto"),
        "cell_without_support": ("unlike any stone sold", "diverse da ogni pietra venduta"),
        "shape_not_priced": ("of a shape not sold", "di una forma mai venduta"),
        "origin_not_priced": ("of an origin not sold", "di un’origine mai venduta"),
        "unknown_grade": ("with an unknown grade", "con un grado sconosciuto"),
        "impossible_value": ("with an impossible value", "con un valore impossibile"),
    }
)
CONTRADICTED = ("with contradictory measurements", "con misure che non concordano")


def refused_for(code: str, words: Words) -> str:
    """Why rows have no price, behind their number: ``outside the weights sold``."""
    return REFUSED_FOR.get(code, CONTRADICTED)[words.code == "it"]


# How each code of a refusal is told to a person at the desk.
_TOLD = {
    "unknown_grade": "no_grade",
    "impossible_value": "between",
    "weight_outside_range": "not_seen_measure",
    "measure_outside_range": "not_seen_measure",
    "grade_not_seen": "not_seen_grade",
    "cell_without_support": "not_seen_stone",
    "shape_not_priced": "not_seen_grade",
    "origin_not_priced": "not_seen_grade",
}
_HELP: dict[str, dict[str, tuple[str, str]]] = {
    "carat": {"": ("One carat is 0.2 g.", "Un carato è 0,2 g.")},
    "cut": {
        "": (
            "How well it returns light; better to the right.",
            "Quanta luce rende; migliore a destra.",
        ),
        "Fair": ("dull", "spento"),
        "Good": ("decent light", "luce discreta"),
        "Very Good": ("bright", "luminoso"),
        "Premium": ("very bright", "molto luminoso"),
        "Ideal": ("the most light", "la luce migliore"),
    },
    "color": {
        "": ("D is colorless, J faintly tinted.", "D è incolore, J appena tinto."),
        "J": ("faint tint", "lieve tinta"),
        "I": ("faint tint", "lieve tinta"),
        "H": ("near colorless", "quasi incolore"),
        "G": ("near colorless", "quasi incolore"),
        "F": ("colorless", "incolore"),
        "E": ("colorless", "incolore"),
        "D": ("purest white", "bianco eccezionale"),
    },
    "clarity": {
        "": (
            "From inclusions that the eye sees to none under a loupe.",
            "Da inclusioni visibili a occhio a nessuna sotto la lente.",
        ),
        "I1": ("seen by eye", "visibili a occhio"),
        "SI2": ("seen easily at 10×", "facili a 10×"),
        "SI1": ("seen at 10×", "visibili a 10×"),
        "VS2": ("hard to see at 10×", "difficili a 10×"),
        "VS1": ("hard to see at 10×", "difficili a 10×"),
        "VVS2": ("very hard to see", "molto difficili"),
        "VVS1": ("very hard to see", "molto difficili"),
        "IF": ("none inside", "nessuna interna"),
        "FL": ("none at all", "nessuna"),
    },
}

TEXTS: Mapping[str, Texts] = MappingProxyType(
    {ENGLISH.code: MappingProxyType(_ENGLISH), ITALIAN.code: MappingProxyType(_ITALIAN)}
)


def language_of(asked: str | None, accepted: str) -> Words:
    """The language asked for, else the first of the browser's that we have."""
    if asked is not None and asked in LANGUAGES:
        return LANGUAGES[asked]
    for part in accepted.split(","):
        code = part.partition(";")[0].strip().lower().partition("-")[0]
        if code in LANGUAGES:
            return LANGUAGES[code]
    return ENGLISH


def help_of(attribute: str, grade: str, words: Words) -> str:
    """A word of help on an attribute, or on one of its grades."""
    pair = _HELP.get(attribute, {}).get(grade, ("", ""))
    return pair[1] if words.code == "it" else pair[0]


def error_text(title: str, detail: str, code: str, words: Words) -> tuple[str, str]:
    """Heading and sentence of a page that tells of an error."""
    if words.code != "it":
        return title, detail
    return _ERRORS_IT.get(code, "Qualcosa non è andato."), ""


def prices_text(currency: str, effective: str, words: Words) -> str:
    """What the prices are: ``Prices in US dollars of 2008``."""
    return TEXTS[words.code]["prices_in"].format(prices=words.prices(currency, effective))


def count_text(count: int, words: Words) -> str:
    """A number of things."""
    text = f"{count:,}"
    return text if words.decimal == "." else text.replace(",", ".")


def refusal(
    attribute: Measure | Grade | None,
    code: str,
    given: object,
    known: tuple[float, float] | None,
    words: Words,
) -> str:
    """Why a stone has no price, for a person at the desk."""
    t = TEXTS[words.code]
    name = _TOLD.get(code, "contradiction")
    if attribute is None:
        return t["not_seen_stone"]
    if given is None or given == "":
        name = "left_blank"
    limits = {}
    if isinstance(attribute, Measure):
        if name == "between" and isinstance(given, str):
            name = "not_a_number"
        low, high = (
            known if known and name == "not_seen_measure" else (attribute.low, attribute.high)
        )
        limits = {
            "low": words.number(f"{low:g}"),
            "high": words.number(f"{high:g}"),
            "unit": attribute.unit,
        }
        if isinstance(attribute, Day):
            limits |= {"low": attribute.shown(low), "high": attribute.shown(high)}
    text = t[name].format(**limits)
    return text if name == "not_seen_stone" else f"{words.attribute(attribute.name)}: {text}."
