"""What is sent and answered, as types: the documentation and the checks come from these.

The fields of a stone are those of the attribute table, so that an attribute that is added
there can be sent at once.
"""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from diamond_pricing.model.support import BLEND
from diamond_pricing.stones import GRADES, MEASURES, Grade, Measure, Stone

LEVEL = 0.9


def _field(attribute: Measure | Grade) -> tuple[Any, ...]:
    """Name, type and default of a stone's field."""
    if isinstance(attribute, Measure):
        words = f"{attribute.label}, {attribute.unit}."
        extra = {"minimum": attribute.low, "maximum": attribute.high}
        kind: Any = Annotated[
            float, msgspec.Meta(description=words, extra_json_schema={"extra": extra})
        ]
    else:
        words = f"{attribute.label}, from worst to best: {', '.join(attribute.grades)}."
        kind = Annotated[str, msgspec.Meta(description=words)]
    if attribute.required:
        return (attribute.name, kind)
    return (attribute.name, kind | None, None)


_ALL: tuple[Measure | Grade, ...] = (*MEASURES, *GRADES)
_ATTRIBUTES = sorted(_ALL, key=lambda attribute: not attribute.required)
_FIELDS = [_field(attribute) for attribute in _ATTRIBUTES]

if TYPE_CHECKING:

    class StoneIn(msgspec.Struct):
        """A stone in the words a person uses."""

    class QuoteIn(msgspec.Struct):
        """A stone, and how its price is to be told."""

        reference: StoneIn | None
        level: float
        listing: str
else:
    StoneIn = msgspec.defstruct(
        "StoneIn", _FIELDS, frozen=True, forbid_unknown_fields=True, kw_only=True,
        module=__name__, namespace={"__doc__": "A stone in the words a person uses."},
    )  # fmt: skip
    _level = msgspec.Meta(
        description="Share of such sales that the range holds, over 0 and at most 0.99."
    )
    _listing = msgspec.Meta(
        description="blend of the price lists; recorded, the one that the order of x and y "
        "points to; or the name of one, as x<y."
    )
    _reference = msgspec.Meta(
        description="The stone to measure from, instead of the model's own."
    )
    QuoteIn = msgspec.defstruct(
        "QuoteIn",
        [
            *_FIELDS,
            ("reference", Annotated[StoneIn | None, _reference], None),
            ("level", Annotated[float, _level], LEVEL),
            ("listing", Annotated[str, _listing], BLEND),
        ],
        frozen=True, forbid_unknown_fields=True, kw_only=True, module=__name__,
        namespace={"__doc__": "A stone, and how its price is to be told."},
    )  # fmt: skip


def stone_of(given: StoneIn | QuoteIn) -> Stone:
    """The stone that was sent.

    Raises
    ------
    StoneError
        When no stone can be so.
    """
    return Stone(
        **{attribute.name: getattr(given, attribute.name) for attribute in _ATTRIBUTES}
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
    factor_low, factor_high : float
        95 % confidence limits of the factor.
    cents, running_cents : int
        Its part of the price; the total so far.
    sentence : str
    """

    name: str
    label: str
    factor: float
    factor_low: float
    factor_high: float
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

    status: str
    reasons: list[ReasonOut]


class PriceOut(msgspec.Struct, frozen=True):
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
