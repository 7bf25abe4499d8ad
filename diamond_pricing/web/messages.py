"""What is sent and answered, as types: the documentation and the checks come from these.

The fields of a stone are those of the attribute table, so that an attribute that is added
there can be sent at once.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from diamond_pricing.model.market import By
from diamond_pricing.model.support import BLEND
from diamond_pricing.stones import GRADES, MEASURES, OTHERS, Attribute, Day, Measure, Stone

LEVEL, MOST = 0.9, 0.99  # of a range: usual, and most
_UNIT = msgspec.Meta(
    description="Share of such sales that the range holds, over 0 and at most 0.99."
)
_LISTING = msgspec.Meta(
    description="blend of the price lists; recorded, the one that the order of x and y points "
    "to; or the name of one, as x<y."
)
_REFERENCE = msgspec.Meta(description="The stone to measure from, instead of the model's own.")
_EFFECTIVE = msgspec.Meta(
    description="When the prices are to be true: a year or date that a model of this server "
    "has. By default that of the active model."
)
_LANGUAGE = msgspec.Meta(description="Of the sentences.")
_LINE_RANGES = msgspec.Meta(
    description="Whether to work out 95 % limits of each factor, which takes milliseconds."
)
_CARRY = msgspec.Meta(
    description="Whether a day after the sales is priced as the last of them, in a range that "
    "widens with the distance. Otherwise it is declined."
)
# No control characters, and none that turn the direction of what stands beside them.
_PRINTED = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"
_CLIENT = msgspec.Meta(max_length=120, pattern=_PRINTED, description="For whom the quote is.")
_CLIENT_REFERENCE = msgspec.Meta(
    max_length=120, pattern=_PRINTED, description="What the client calls it."
)
_REPORT = msgspec.Meta(
    max_length=60, pattern=_PRINTED, description="Of the stone's grading report."
)
_METADATA = msgspec.Meta(max_length=20, description="Of yours; kept and given back.")
Metadata = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=60)],
        Annotated[str, msgspec.Meta(max_length=500)],
    ],
    _METADATA,
]
Level = Annotated[float, _UNIT]
Listing = Annotated[str, _LISTING]
Language = Annotated[Literal["en", "it"], _LANGUAGE]


def _field(attribute: Attribute) -> tuple[Any, ...]:
    """Name, type and default of a stone's field."""
    kind: Any
    if isinstance(attribute, Day):
        extra: dict[str, Any] = {"extra": {"format": "date"}}
        meta = msgspec.Meta(description=f"{attribute.label}.", extra_json_schema=extra)
        kind = Annotated[str, meta]
    elif isinstance(attribute, Measure):
        words = ", ".join(filter(None, (attribute.label, attribute.unit)))
        extra = {"extra": {"minimum": attribute.low, "maximum": attribute.high}}
        meta = msgspec.Meta(description=f"{words}.", extra_json_schema=extra)
        kind = Annotated[float, meta]
    else:
        order = "from worst to best" if attribute.ordered else "one of"
        words = f"{attribute.label}, {order}: {', '.join(attribute.grades)}."
        kind = Annotated[str, msgspec.Meta(description=words)]
    if attribute.needed:
        return (attribute.name, kind)
    return (attribute.name, kind | None, None)


_CORE: tuple[Attribute, ...] = (*MEASURES, *GRADES)
_ATTRIBUTES = sorted(_CORE, key=lambda attribute: not attribute.required)
_OTHERS = tuple(other.name for other in OTHERS)
_FIELDS = [_field(attribute) for attribute in (*_ATTRIBUTES, *OTHERS)]

if TYPE_CHECKING:

    class StoneIn(msgspec.Struct):
        """A stone in the words a person uses."""

    class QuoteIn(msgspec.Struct):
        """A stone, and how its price is to be told."""

        reference: StoneIn | None
        level: float
        listing: str
        effective: str | None
        language: Literal["en", "it"]
        line_ranges: bool
        carry_forward: bool
        client: str
        client_reference: str
        report_number: str
        metadata: dict[str, str]
else:
    StoneIn = msgspec.defstruct(
        "StoneIn",
        _FIELDS,
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
        module=__name__,
        namespace={"__doc__": "A stone in the words a person uses."},
    )
    QuoteIn = msgspec.defstruct(
        "QuoteIn",
        [
            *_FIELDS,
            ("reference", Annotated[StoneIn | None, _REFERENCE], None),
            ("level", Level, LEVEL),
            ("listing", Listing, BLEND),
            ("effective", Annotated[str | None, _EFFECTIVE], None),
            ("language", Language, "en"),
            ("line_ranges", Annotated[bool, _LINE_RANGES], False),
            ("carry_forward", Annotated[bool, _CARRY], False),
            ("client", Annotated[str, _CLIENT], ""),
            ("client_reference", Annotated[str, _CLIENT_REFERENCE], ""),
            ("report_number", Annotated[str, _REPORT], ""),
            ("metadata", Metadata, {}),
        ],
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
        module=__name__,
        namespace={"__doc__": "A stone, and how its price is to be told."},
        omit_defaults=True,
    )


class PairIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two stones, to be told why the second does not cost what the first does."""

    first: StoneIn
    second: StoneIn
    level: Level = LEVEL
    listing: Listing = BLEND
    language: Language = "en"
    line_ranges: Annotated[bool, _LINE_RANGES] = False


class ComparablesIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stone whose like is looked for among the sales."""

    stone: StoneIn
    count: Annotated[int, msgspec.Meta(ge=1, le=50, description="Sales, nearest first.")] = 5


class WhatIfIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stone whose neighbours are priced."""

    stone: StoneIn
    listing: Listing = BLEND
    language: Language = "en"


def stone_of(given: StoneIn | QuoteIn) -> Stone:
    """The stone that was sent.

    Raises
    ------
    StoneError
        When no stone can be so.
    """
    others = [(name, value) for name in _OTHERS if (value := getattr(given, name)) is not None]
    return Stone(
        **{attribute.name: getattr(given, attribute.name) for attribute in _ATTRIBUTES},
        others=others,
    )


class Amounts(msgspec.Struct, frozen=True):
    """A range of prices.

    Attributes
    ----------
    level : float
        Share of such sales that lie in it.
    low, high : float
        In the currency of the quote.
    """

    level: float
    low: float
    high: float


class LineOut(msgspec.Struct, frozen=True):
    """What one attribute does to the price.

    Attributes
    ----------
    name, label : str
    factor : float
        The price is multiplied by this.
    factor_range : tuple[float, float] or None
        95 % confidence limits of the factor, if asked for.
    cents, running_cents : int
        Its part of the price; the total so far.
    sentence : str
    """

    name: str
    label: str
    factor: float
    factor_range: tuple[float, float] | None
    cents: int
    running_cents: int
    sentence: str


class ReasonOut(msgspec.Struct, frozen=True):
    """Why a stone is priced with caution."""

    code: str
    attribute: str
    message: str
    remedy: str


class VerdictOut(msgspec.Struct, frozen=True):
    """How sure the answer is: ``priced``, or ``priced_with_caution`` with reasons."""

    status: Literal["priced", "priced_with_caution"]
    reasons: list[ReasonOut]


class PriceOut(msgspec.Struct, frozen=True, kw_only=True):
    """An explained price.

    Attributes
    ----------
    stone, reference : dict
        What is priced, in standard spelling, and what it is measured from.
    listing : str
    price : float
    cents : int
        The sum of the lines.
    currency, effective : str
        What the money is, and of when.
    range : Amounts or None
    verdict : VerdictOut
    lines : list[LineOut]
        The first carries the price of the reference stone.
    model : str
        Id of the model document, SHA-256.
    not_counted : list[str]
        Attributes that were sent and that the model does not read, as fluorescence.
    """

    stone: dict[str, float | str]
    reference: dict[str, float | str]
    listing: str
    price: float
    cents: int
    currency: str
    effective: str
    range: Amounts | None
    verdict: VerdictOut
    lines: list[LineOut]
    model: str
    not_counted: Annotated[
        list[str], msgspec.Meta(description="What was sent and that the model does not read.")
    ] = []


class QuoteOut(PriceOut, frozen=True, kw_only=True):
    """A quote: an explained price that is kept.

    Attributes
    ----------
    id : str or None
        To ask for it again by; None when it could not be stored, and then it is no quote.
    number : str or None
        What people call it: ``Q-2026-000123``.
    created : str or None
        When, UTC.
    valid_until : str or None
        The last day on which the house stands by it; None where it does not say.
    client, client_reference, report_number : str
    metadata : dict[str, str]
        As they were sent.
    """

    id: str | None
    number: str | None
    created: str | None
    valid_until: str | None
    client: str = ""
    client_reference: str = ""
    report_number: str = ""
    metadata: dict[str, str] = {}


class QuoteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A quote in a list.

    Attributes
    ----------
    id, number, created, valid_until, client, client_reference
        As in a quote.
    stone : str
        In words.
    price : float
    currency : str
    model : str
        Id of its model document.
    """

    id: str
    number: str
    created: str
    valid_until: str | None
    stone: str
    price: float
    currency: str
    client: str
    client_reference: str
    model: str


class QuotesOut(msgspec.Struct, frozen=True):
    """Quotes, newest first.

    Attributes
    ----------
    quotes : list[QuoteRow]
    next : str or None
        To ask for older ones by, as ``cursor``; None where there are none.
    """

    quotes: list[QuoteRow]
    next: str | None


class ComparisonOut(PriceOut, frozen=True, kw_only=True):
    """Why the second stone does not cost what the first does.

    Attributes
    ----------
    difference_cents : int
        Of the second over the first.
    """

    difference_cents: int


class ComparableOut(msgspec.Struct, frozen=True):
    """A sale of a stone like the one asked about.

    Attributes
    ----------
    stone : dict
    price, adjusted : float
        What it fetched; what that comes to for the stone asked about.
    factors : dict[str, float]
        The adjustment by line; their product is ``adjusted / price``.
    distance : float
        Between the two, in log price by line.
    """

    stone: dict[str, float | str]
    price: float
    adjusted: float
    factors: dict[str, float]
    distance: float


class ComparablesOut(msgspec.Struct, frozen=True):
    """Sales like a stone, nearest first.

    Attributes
    ----------
    price : float
        The model's.
    median, low, high : float or None
        Of the adjusted prices, half of which lie between the ends.
    """

    price: float
    median: float | None
    low: float | None
    high: float | None
    currency: str
    effective: str
    comparables: list[ComparableOut]
    model: str


class StepOut(msgspec.Struct, frozen=True):
    """A stone one step away, and what the step does to the price."""

    attribute: str
    label: str
    before: float | str
    after: float | str
    stone: dict[str, float | str]
    cents: int
    difference_cents: int
    sentence: str


class WhatIfOut(msgspec.Struct, frozen=True):
    """The steps from a stone, those that cost most first."""

    stone: dict[str, float | str]
    cents: int
    currency: str
    effective: str
    steps: list[StepOut]
    model: str


class CellOut(msgspec.Struct, frozen=True):
    """One cell of a price list; without a price where no sales stand behind it.

    Attributes
    ----------
    price, per_carat, low, high : float or None
        In the currency of the list; the range holds 90 % of such sales.
    support : int
        Stones of about this kind that were seen.
    """

    carat: float
    color: str
    clarity: str
    price: float | None
    per_carat: float | None
    low: float | None
    high: float | None
    support: int


class PriceListOut(msgspec.Struct, frozen=True):
    """Prices by weight, color and clarity for one cut."""

    cut: str
    currency: str
    effective: str
    carats: list[float]
    colors: list[str]
    clarities: list[str]
    cells: list[CellOut]
    model: str


class MatrixOut(msgspec.Struct, frozen=True):
    """Prices per carat as matrices, in the form of the open price feed OpenFacet.

    Attributes
    ----------
    l : dict[str, list[float or None]]
        By weight with a decimal, as ``0.5``: natural logarithm of the price per carat, row
        after row; null where no sales stand behind a cell.
    r, c : list[str]
        Colors, which are the rows, and clarities, which are the columns; best first.
    s : list[int]
        Numbers of rows and columns.
    ts : str
        When the prices are true.
    """

    l: dict[str, list[float | None]]  # noqa: E741  so it is called there
    r: list[str]
    c: list[str]
    s: list[int]
    ts: str
    cut: str
    currency: str
    model: str


class PeriodOut(msgspec.Struct, frozen=True):
    """The level of prices in a month or quarter; null where too few were sold."""

    period: Annotated[str, msgspec.Meta(description="As 2026-09 or 2026-Q3.")]
    sales: int
    index: float | None
    low: float | None
    high: float | None
    published: Annotated[
        float | None,
        msgspec.Meta(
            description="As it was published when the month was over, and is never revised; "
            "null for quarters, for other stones than the reference, and what is not published."
        ),
    ] = None


class IndexOut(msgspec.Struct, frozen=True):
    """An index of the prices of equal stones; the first period stated is 100."""

    by: By
    level: Annotated[float, msgspec.Meta(description="Chance that the ends hold the truth.")]
    periods: list[PeriodOut]
    model: str


class ModelOut(msgspec.Struct, frozen=True):
    """A model that quotes may be pinned to.

    Attributes
    ----------
    id : str
        SHA-256 of its document.
    """

    id: str
    active: bool
    family: str
    currency: str
    effective: str
    sales: int
    stones: int


class ChangeOut(msgspec.Struct, frozen=True):
    """Another model became active.

    Attributes
    ----------
    number : int
        Of the entry in the home's log, to ask on from.
    at : str
        When, UTC.
    action : str
        ``promote``, ``rollback`` or ``refit``.
    model, before : str
        Ids of the model that is active since, and of the one before; empty for none.
    """

    number: int
    at: str
    action: str
    model: str
    before: str


class ChangesOut(msgspec.Struct, frozen=True):
    """Changes of the active model, oldest first."""

    changes: list[ChangeOut]


class ModelsOut(msgspec.Struct, frozen=True):
    """All models of this server."""

    models: list[ModelOut]


class UsageOut(msgspec.Struct, frozen=True):
    """What was asked for in one hour, UTC."""

    hour: str
    kind: str
    requests: int
    units: int


class UsagesOut(msgspec.Struct, frozen=True):
    """Usage of one tenant."""

    tenant: str
    usage: list[UsageOut]


class AuditOut(msgspec.Struct, frozen=True):
    """One entry of the audit log."""

    number: int
    at: str
    actor: str
    action: str
    subject: str
    details: str
    sha256: str


class AuditsOut(msgspec.Struct, frozen=True):
    """A part of the audit log."""

    entries: list[AuditOut]


class SharedOut(msgspec.Struct, frozen=True):
    """The link under which anybody may read one quote."""

    url: str
