"""Priced, priced with caution, or declined; and what would make the stone priceable.

The codes are stable: they are the same in the library, on the command line and wherever
else a price is asked for.

weight_outside_range    lighter or heavier than any stone seen             declined
measure_outside_range   a proportion or dimension beyond those seen        declined
grade_not_seen          no sale of that grade was seen                     declined
shape_not_priced,       ┐ a shape, or an origin (laboratory-grown), that
origin_not_priced       ┘ the model's sales do not have               declined
origin_not_said         not said to be natural or laboratory-grown, where
                        the two have prices of their own           declined
cell_without_support    no stone of about that weight, color and clarity   declined
impossible_dimension    ┐
size_contradicts_weight │ measurements that contradict each other         declined
height_contradicts_depth│
depth_contradicts_height┘
listing_not_known       a price list that the model has not seen           declined
level_not_possible      a level of a range beyond over 0 to 0.99           declined
thin_support            fewer than ten stones of about that kind           caution
carried_forward         a day after the sales, priced as the last          caution
"""

from dataclasses import dataclass
from html import escape
from typing import Any

PRICED, CAUTION, DECLINED = "priced", "priced_with_caution", "declined"
FEW = 10  # stones near by; with fewer the price is given with caution


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a stone is not simply priced."""

    code: str  # see above
    attribute: str  # the attribute at fault; empty for a combination of them
    given: Any  # what the stone has
    nearest: Any  # the nearest value that the model supports; None without a single one
    message: str  # for a person: what is wrong
    remedy: str  # for a person: what would make the stone priceable

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of three answers, with its reasons."""

    status: str  # ``priced``, ``priced_with_caution`` or ``declined``
    reasons: tuple[Reason, ...] = ()  # none for ``priced``

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"status": self.status, "reasons": [r.to_dict() for r in self.reasons]}

    def _repr_html_(self) -> str:
        told = "".join(f"<li>{escape(f'{r.message} {r.remedy}')}</li>" for r in self.reasons)
        return f"<p><b>{self.status.replace('_', ' ')}</b></p><ul>{told}</ul>"
