"""What the page says, in English and Italian."""

from collections.abc import Mapping
from types import MappingProxyType

from diamond_pricing.model.words import ENGLISH, ITALIAN, LANGUAGES, Words
from diamond_pricing.stones import Day, Grade, Measure

Texts = Mapping[str, str]

# Each text in English and Italian.
_BOTH: dict[str, tuple[str, str]] = {
    "title": ("Price a diamond", "Il prezzo di un diamante"),
    "brand_1": ("diamond", "diamond"),
    "brand_2": ("pricing", "pricing"),
    "skip": ("To the price", "Vai al prezzo"),
    "price_a_stone": ("Price a stone", "Una pietra"),
    "compare": ("Compare", "Confronto"),
    "list": ("Price list", "Listino"),
    "api": ("API", "API"),
    "other_language": ("Italiano", "English"),
    "sign_out": ("Sign out", "Esci"),
    "the_stone": ("The stone", "La pietra"),
    "first_stone": (ENGLISH.first, ITALIAN.first),
    "second_stone": (ENGLISH.second, ITALIAN.second),
    "not_given": ("not given", "non indicato"),
    "measurements": ("Measurements", "Misure"),
    "optional": (
        "optional; typical values are assumed if left blank",
        "facoltative; senza, valgono quelle usuali",
    ),
    "button": ("Price this stone", "Calcola il prezzo"),
    "compare_button": ("Compare", "Confronta"),
    "prices_in": ("Prices in {prices}", "Prezzi in {prices}"),
    "stale": (
        "This stone could not be priced. Showing the previous stone’s price.",
        "Questa pietra non ha un prezzo. È mostrato quello della pietra precedente.",
    ),
    "same_in_both": ("{here} in both", "{here} in entrambe"),
    "thin_short": (
        "With caution: only {count} stones of about this weight, color and clarity have been "
        "seen.",
        "Con cautela: si sono viste solo {count} pietre di peso, colore e purezza simili.",
    ),
    "thin_short_one": (
        "With caution: only one stone of about this weight, color and clarity has been seen.",
        "Con cautela: si è vista una sola pietra di peso, colore e purezza simili.",
    ),
    "not_a_number": ("write a number, as 1.01", "scrivere un numero, come 1,01"),
    "between": ("between {low} and {high} {unit}", "fra {low} e {high} {unit}"),
    "no_grade": ("this grade does not exist", "questo grado non esiste"),
    "contradiction": (
        "does not agree with the other measurements; correct it, or leave it empty",
        "non concorda con le altre misure; correggere, o lasciare in bianco",
    ),
    "not_seen_measure": (
        "sales from {low} to {high} {unit} have been seen, none of this",
        "si sono viste vendite da {low} a {high} {unit}, nessuna con questo valore",
    ),
    "not_seen_grade": (
        "no sale of this grade has been seen",
        "di questo grado non si sono viste vendite",
    ),
    "not_said": (
        "say whether the stone is natural or laboratory-grown: they have prices of their own",
        "indicare se la pietra è naturale o di laboratorio: hanno prezzi diversi",
    ),
    "not_seen_stone": (
        "No sale of a stone of about this weight, color and clarity has been seen.",
        "Non si sono viste vendite di pietre di peso, colore e purezza simili.",
    ),
    "measures_about": (
        "A round stone of {weight} measures about {size} mm across.",
        "Una pietra rotonda di {weight} misura circa {size} mm di diametro.",
    ),
    "nearest_priced": (
        "The nearest stone that can be priced: {stone}",
        "La pietra più vicina che ha un prezzo: {stone}",
    ),
    "like_nearest": ("Sold like the nearest stone", "Vendute come la pietra più vicina"),
    "ask": ("For a price by hand: {contact}.", "Per un prezzo a mano: {contact}."),
    "an_expert": ("a colleague who prices stones", "un collega che stima le pietre"),
    "weights_wrong": (
        "Weights are numbers of carats, such as 0.5 1 1.5; none was read.",
        "I pesi sono numeri di carati, come 0,5 1 1,5; nessuno è stato letto.",
    ),
    "no_weights": (
        "No sales of stones of these weights have been seen.",
        "Non si sono viste vendite di pietre di questi pesi.",
    ),
    "range": (
        "{level} of 100 such stones sell between {low} and {high}",
        "{level} pietre simili su 100 si vendono fra {low} e {high}",
    ),
    "supported": (
        "Well supported: {count} stones of about this weight, color and clarity.",
        "Ben documentato: {count} pietre di peso, colore e purezza simili.",
    ),
    "few_like_it": (
        "With caution: few stones like it have been sold.",
        "Con cautela: si sono vendute poche pietre simili.",
    ),
    "thin_support": (
        "With caution: only {count} stones of about this weight, color and clarity have been "
        "seen. See the comparable sales.",
        "Con cautela: si sono viste solo {count} pietre di peso, colore e purezza simili. Si "
        "vedano le vendite comparabili.",
    ),
    "thin_support_one": (
        "With caution: only one stone of about this weight, color and clarity has been seen. "
        "See the comparable sales.",
        "Con cautela: si è vista una sola pietra di peso, colore e purezza simili. Si vedano "
        "le vendite comparabili.",
    ),
    "how": ("How the price is made", "Come si forma il prezzo"),
    "same_figures": (
        "The same figures are in the table below.",
        "Le stesse cifre sono nella tabella qui sotto.",
    ),
    "help_on": ("Help: {name}", "Aiuto: {name}"),
    "stock": ("Stock list", "Elenco"),
    "stock_title": ("Price a stock list", "Prezzi di un elenco di pietre"),
    "stock_drop": (
        "Drop a file here, or choose one",
        "Trascinare qui un file, o sceglierne uno",
    ),
    "stock_hint": (
        "CSV or a spreadsheet with a row for each stone, up to {most} rows. You get the same "
        "list back with the estimate, its range, a verdict and the lines of each price.",
        "CSV o foglio di calcolo, una riga per pietra, al massimo {most} righe. Lo stesso "
        "elenco torna con la stima, il suo intervallo, un esito e le voci di ogni prezzo.",
    ),
    "stock_busy": ("Pricing…", "Calcolo in corso…"),
    "stock_failed": (
        "The list could not be sent; try again.",
        "L’invio non è riuscito; riprovare.",
    ),
    "no_answer": ("No answer; try again.", "Nessuna risposta; riprovare."),
    "stock_script": (
        "This page needs JavaScript; diamond-pricing score does the same.",
        "Questa pagina richiede JavaScript; diamond-pricing score fa lo stesso.",
    ),
    "stock_refused": ("This list cannot be priced", "Questo elenco non può avere prezzi"),
    "stock_done": ("{priced} of {rows} priced", "{priced} di {rows} con un prezzo"),
    "stock_total": ("Estimates come to {total}.", "Le stime sommano a {total}."),
    "stock_caution": (
        "Treat {caution} of them with caution: few comparable sales.",
        "Con cautela {caution}: poche vendite simili.",
    ),
    "stock_fetch": ("Download {name}", "Scarica {name}"),
    "stock_declined": ("Without a price:", "Senza prezzo:"),
    "stock_columns": ("Columns as understood", "Colonne come sono state capite"),
    "stock_unread": ("Kept, but not read:", "Conservate, ma non lette:"),
    "stock_first": ("The first rows", "Le prime righe"),
    "a_carat": ("{amount} per carat", "{amount} al carato"),
    "every_line": ("Every line, to the cent", "Ogni voce, al centesimo"),
    "why": ("Why {amount}", "Perché {amount}"),
    "why_difference": ("Why they differ", "Perché sono diverse"),
    "because": ("Because of", "Voce"),
    "change": ("Change", "Variazione"),
    "amount": ("Amount", "Importo"),
    "price": (ENGLISH.price, ITALIAN.price),
    "one_step": ("One step away", "A un passo"),
    "rather": ("{there} instead of {here}", "{there} invece di {here}"),
    "sold_like_it": ("Sold like it", "Vendute come questa"),
    "stone": ("Stone", "Pietra"),
    "sold_at": ("Sold at", "Venduta a"),
    "adjusted": ("Adjusted to yours", "Riportata a questa"),
    "adjusted_near": ("Adjusted to the nearest stone", "Riportata alla pietra più vicina"),
    "comparables_near": (
        "Sales like the nearest stone that can be priced; the last column takes off, line by "
        "line, what sets them apart from it.",
        "Vendite simili alla pietra più vicina che ha un prezzo; l’ultima colonna toglie, voce "
        "per voce, ciò che le distingue da quella.",
    ),
    "no_comparables": (
        "Comparable sales cannot be shown now.",
        "Vendite comparabili non disponibili.",
    ),
    "comparables_note": (
        "Sales of other stones; the last column takes off, line by line, what sets them "
        "apart from yours.",
        "Vendite di altre pietre; l’ultima colonna toglie, voce per voce, ciò che le "
        "distingue da questa.",
    ),
    "comparables_middle": (
        "{count} like sales, adjusted to this stone: median {median}, half of them between "
        "{low} and {high}.",
        "{count} vendite simili, riportate a questa pietra: mediana {median}, metà fra {low} "
        "e {high}.",
    ),
    "against_median": (
        "The price is {against} than their median.",
        "Il prezzo è {against} della loro mediana.",
    ),
    "at_median": ("The price is their median.", "Il prezzo è la loro mediana."),
    "make_quote": ("Keep as a quote", "Conserva come preventivo"),
    "estimate": (
        "An estimate from sales, not an appraisal.",
        "Stima da vendite, non una perizia.",
    ),
    "model": ("Model {name}", "Modello {name}"),
    "empty_title": (
        "Describe a stone to see its price",
        "Descrivere una pietra per vederne il prezzo",
    ),
    "empty_text": (
        "Weight, cut, color and clarity are enough. Every price comes with its range and its "
        "reasons, which add up to the cent.",
        "Bastano peso, taglio, colore e purezza. Ogni prezzo ha il suo intervallo e i suoi "
        "motivi, che tornano al centesimo.",
    ),
    "cannot": ("No price for this stone", "Nessun prezzo per questa pietra"),
    "difference": (
        "The second costs {amount} more than the first",
        "La seconda costa {amount} più della prima",
    ),
    "difference_less": (
        "The second costs {amount} less than the first",
        "La seconda costa {amount} meno della prima",
    ),
    "difference_none": ("Both cost the same", "Costano lo stesso"),
    "compare_title": ("Compare two stones", "Confronto di due pietre"),
    "list_title": ("Price list", "Listino"),
    "per_carat": ("Per carat", "Al carato"),
    "per_stone": ("Per stone", "Per pietra"),
    "show": ("Show", "Mostra"),
    "cut_of_list": ("Cut", "Taglio"),
    "weights": ("Weights", "Pesi"),
    "currency": ("Currency", "Valuta"),
    "sales_like": ("Like stones sold", "Pietre simili vendute"),
    "list_note": (
        "Color down, clarity across. The small figure counts the stones of about this "
        "weight, color and clarity that were seen; where there are none, there is no price.",
        "Colore in verticale, purezza in orizzontale. La cifra piccola conta le pietre di "
        "peso, colore e purezza simili che si sono viste; dove non ce ne sono, non c’è "
        "prezzo.",
    ),
    "no_price": ("no price", "nessun prezzo"),
    "sheet_title": ("Price estimate", "Stima di prezzo"),
    "print": ("Print", "Stampa"),
    "pdf": ("PDF", "PDF"),
    "share": ("Link for the client", "Collegamento per il cliente"),
    "revoke": ("Revoke the links", "Revoca i collegamenti"),
    "quotes": ("Quotes", "Preventivi"),
    "quote": ("Quote", "Preventivo"),
    "date": ("Date", "Data"),
    "valid_until": ("Valid until", "Valido fino al"),
    "client": ("Client", "Cliente"),
    "client_reference": ("Client’s reference", "Riferimento del cliente"),
    "report_number": ("Report number", "Numero del certificato"),
    "for_whom": ("Client, reference, report number", "Cliente, riferimento, certificato"),
    "search_for": ("Find", "Cerca"),
    "search_hint": ("stone, number, date, client", "pietra, numero, data, cliente"),
    "older": ("Older quotes", "Preventivi precedenti"),
    "no_quotes": ("No quotes match.", "Nessun preventivo corrisponde."),
    "verify": (
        "Model {model}. To check this price: with the same model document the same stone "
        "gives these amounts, to the cent, in any copy of diamond_pricing {version}.",
        "Modello {model}. Per verificare: con lo stesso documento di modello la stessa "
        "pietra dà questi importi, al centesimo, in ogni copia di diamond_pricing {version}.",
    ),
    "sign_in": ("Sign in", "Accedi"),
    "key": ("Your key", "La chiave"),
    "wrong_key": ("This key is not valid.", "Questa chiave non è valida."),
    "sign_in_note": (
        "Paste the key that you were given; it begins with dp_.",
        "Incollare la chiave ricevuta; comincia con dp_.",
    ),
    "problems": ("Error codes", "Codici d’errore"),
    "code": ("Code", "Codice"),
    "status": ("Status", "Stato"),
    "meaning": ("Meaning", "Significato"),
    "left_blank": ("needed", "obbligatorio"),
    "with_measures": ("with measurements", "con misure"),
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
# The text for each code of a refusal, and how the rows that have it are counted.
_MEASURE, _GRADE = "not_seen_measure", "not_seen_grade"
_REFUSED: dict[str, tuple[str, str, str]] = {
    "unknown_grade": ("no_grade", "with an unknown grade", "con un grado sconosciuto"),
    "impossible_value": ("between", "with an impossible value", "con un valore impossibile"),
    "weight_outside_range": (_MEASURE, "outside the weights sold", "fuori dai pesi venduti"),
    "measure_outside_range": (
        _MEASURE,
        "outside the measures sold",
        "fuori dalle misure vendute",
    ),
    "grade_not_seen": (_GRADE, "of a grade not sold", "di un grado mai venduto"),
    "cell_without_support": (
        "not_seen_stone",
        "unlike any stone sold",
        "diverse da ogni pietra venduta",
    ),
    "origin_not_said": (
        "not_said",
        "not said to be natural or laboratory-grown",
        "di cui non è detto se naturali o di laboratorio",
    ),
    "shape_not_priced": (_GRADE, "of a shape not sold", "di una forma mai venduta"),
    "origin_not_priced": (_GRADE, "of an origin not sold", "di un’origine mai venduta"),
}
_CONTRADICTED = (
    "contradiction",
    "with contradictory measurements",
    "con misure che non concordano",
)


def refused_for(code: str, words: Words) -> str:
    """Why rows have no price, behind their number: ``outside the weights sold``."""
    return _REFUSED.get(code, _CONTRADICTED)[2 if words.code == "it" else 1]


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
        "": ("D is colorless, J nearly so.", "D è incolore, J quasi."),
        "J": ("near colorless", "quasi incolore"),
        "I": ("near colorless", "quasi incolore"),
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
    {
        words.code: MappingProxyType({name: both[i] for name, both in _BOTH.items()})
        for i, words in enumerate((ENGLISH, ITALIAN))
    }
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


def amount_text(amount: float, currency: str, words: Words) -> str:
    """An amount without its cents."""
    return words.amount(round(100 * amount), currency, digits=0)


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
    name = _REFUSED.get(code, _CONTRADICTED)[0]
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
