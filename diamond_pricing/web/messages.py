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
_LEVEL = "Share of such sales that the range holds, over 0 and at most 0.99."
_LISTING = (
    "blend of the price lists; recorded, the one that the order of x and y points to; or "
)
_LISTING += "the name of one, as x<y."
_REFERENCE = msgspec.Meta(description="The stone to measure from, instead of the model's own.")
_EFFECTIVE = msgspec.Meta(
    description="When the prices are to be true: a year or date that a model of this server "
    "has. By default that of the active model."
)
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
Metadata = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=60)],
        Annotated[str, msgspec.Meta(max_length=500)],
    ],
    msgspec.Meta(max_length=20, description="Of yours; kept and given back."),
]
Level = Annotated[float, msgspec.Meta(description=_LEVEL)]
Listing = Annotated[str, msgspec.Meta(description=_LISTING)]
Language = Annotated[Literal["en", "it"], msgspec.Meta(description="Of the sentences.")]


def _field(attribute: Attribute) -> tuple[Any, ...]:
    """Name, type and default of a stone's field."""
    said = attribute.label
    kind: Any = str
    extra: dict[str, Any] | None = None
    if isinstance(attribute, Day):
        extra = {"format": "date"}
    elif isinstance(attribute, Measure):
        said, kind = ", ".join(filter(None, (attribute.label, attribute.unit))), float
        extra = {"minimum": attribute.low, "maximum": attribute.high}
    else:
        order = "from worst to best" if attribute.ordered else "one of"
        said += f", {order}: {', '.join(attribute.grades)}"
    meta = msgspec.Meta(description=f"{said}.", extra_json_schema=extra and {"extra": extra})
    typed: Any = Annotated[kind, meta]
    return (attribute.name, typed) if attribute.needed else (attribute.name, typed | None, None)


_CORE: tuple[Attribute, ...] = (*MEASURES, *GRADES)
_ATTRIBUTES = sorted(_CORE, key=lambda attribute: not attribute.required)
_OTHERS = tuple(other.name for other in OTHERS)
_FIELDS = [_field(attribute) for attribute in (*_ATTRIBUTES, *OTHERS)]

if TYPE_CHECKING:

    class StoneIn(msgspec.Struct, frozen=True, kw_only=True):
        """A stone in the words a person uses."""
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


class QuoteIn(
    StoneIn, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A stone, and how its price is to be told."""

    reference: Annotated[StoneIn | None, _REFERENCE] = None
    level: Level = LEVEL
    listing: Listing = BLEND
    effective: Annotated[str | None, _EFFECTIVE] = None
    language: Language = "en"
    line_ranges: Annotated[bool, _LINE_RANGES] = False
    carry_forward: Annotated[bool, _CARRY] = False
    client: Annotated[str, _CLIENT] = ""
    client_reference: Annotated[str, _CLIENT_REFERENCE] = ""
    report_number: Annotated[str, _REPORT] = ""
    metadata: Metadata = msgspec.field(default_factory=dict)


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
    """The stone that was sent; StoneError when no stone can be so."""
    others = [(name, value) for name in _OTHERS if (value := getattr(given, name)) is not None]
    return Stone(
        **{attribute.name: getattr(given, attribute.name) for attribute in _ATTRIBUTES},
        others=others,
    )


class Amounts(msgspec.Struct, frozen=True):
    """A range of prices."""

    level: float  # share of such sales that lie in it
    low: float  # in the currency of the quote
    high: float


class LineOut(msgspec.Struct, frozen=True):
    """What one attribute does to the price."""

    name: str
    label: str
    factor: float  # the price is multiplied by this
    factor_range: tuple[float, float] | None  # 95 % confidence limits, if asked for
    cents: int  # its part of the price
    running_cents: int  # the total so far
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
    """An explained price."""

    stone: dict[str, float | str]  # what is priced, in standard spelling
    reference: dict[str, float | str]  # what it is measured from
    listing: str
    price: float
    cents: int  # the sum of the lines
    currency: str
    effective: str  # when the money is of
    range: Amounts | None
    verdict: VerdictOut
    lines: list[LineOut]  # the first carries the price of the reference stone
    model: str  # id of the model document, SHA-256
    not_counted: Annotated[
        list[str], msgspec.Meta(description="What was sent and that the model does not read.")
    ] = []


class QuoteOut(PriceOut, frozen=True, kw_only=True):
    """A quote: an explained price that is kept."""

    id: str | None  # to ask for it again by; None when it could not be stored: no quote
    number: str | None  # what people call it: Q-2026-000123
    created: str | None  # UTC
    valid_until: str | None  # the last day on which the house keeps to it, if it says so
    client: str = ""  # this and what follows as they were sent
    client_reference: str = ""
    report_number: str = ""
    metadata: dict[str, str] = {}


class QuoteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A quote in a list."""

    id: str
    number: str
    created: str
    valid_until: str | None
    stone: str  # in words
    price: float
    currency: str
    client: str
    client_reference: str
    model: str  # id of its model document


class QuotesOut(msgspec.Struct, frozen=True):
    """Quotes, newest first."""

    quotes: list[QuoteRow]
    next: str | None  # to ask for older ones by, as cursor; None where there are none


class ComparisonOut(PriceOut, frozen=True, kw_only=True):
    """Why the second stone does not cost what the first does."""

    difference_cents: int  # of the second over the first


class ComparableOut(msgspec.Struct, frozen=True):
    """A sale of a stone like the one asked about."""

    stone: dict[str, float | str]
    price: float  # what it fetched
    adjusted: float  # what that comes to for the stone asked about
    factors: dict[str, float]  # the adjustment by line; their product is adjusted / price
    distance: float  # between the two, in log price by line


class ComparablesOut(msgspec.Struct, frozen=True):
    """Sales like a stone, nearest first."""

    price: float  # the model's
    median: Annotated[
        float | None,
        msgspec.Meta(description="Of the 40 nearest, adjusted, however many are listed."),
    ]
    low: float | None  # half of them lie between the ends
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
    """One cell of a price list; without a price where no sales stand behind it."""

    carat: float
    color: str
    clarity: str
    price: float | None  # in the currency of the list
    per_carat: float | None
    low: float | None  # the range holds 90 % of such sales
    high: float | None
    support: int  # stones of about this kind that were seen


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
    """Prices per carat as matrices, in the form of the open price feed OpenFacet."""

    # By weight with a decimal, as 0.5: natural logarithm of the price per carat, row after row;
    # null where no sales stand behind a cell.
    l: dict[str, list[float | None]]  # noqa: E741  so it is called there
    r: list[str]  # colors, which are the rows, best first
    c: list[str]  # clarities, which are the columns, best first
    s: list[int]  # numbers of rows and columns
    ts: str  # when the prices are true
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
    """A model that quotes may be pinned to."""

    id: str  # SHA-256 of its document
    active: bool
    family: str
    currency: str
    effective: str
    sales: int
    stones: int


class ChangeOut(msgspec.Struct, frozen=True):
    """Another model became active."""

    number: int  # of the entry in the home's log, to ask on from
    at: str  # UTC
    action: str  # promote, rollback or refit
    model: str  # id of the model that is active since
    before: str  # id of the one before; empty for none


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
