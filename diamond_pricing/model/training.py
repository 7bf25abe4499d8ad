"""What a model was fitted on, in a few figures."""

import re
from collections.abc import Set

import msgspec

from diamond_pricing.errors import DocumentError
from diamond_pricing.stones import ATTRIBUTES, LISTING, Grade, Measure

CURRENCY = re.compile("[A-Z]{3}")
MONTH = re.compile("[0-9]{4}-(0[1-9]|1[0-2])")
EFFECTIVE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?|undated")


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a model was fitted on. A model prices within these ranges and grades only."""

    rows: int  # sales used
    stones: int  # distinct stones among them
    left_out: dict[str, int]  # sales that could not be used, by reason
    currency: str  # ISO 4217 code of the prices
    # When the prices were true: ``2008``, ``2008-05`` or ``2008-05-31``; or ``undated``
    effective: str
    ranges: dict[str, tuple[float, float]]  # smallest and largest value of each measure
    grades: dict[str, dict[str, int]]  # sales of each grade, worst grade first
    # Sales of each month, as ``2026-09``, where the model reads their dates
    months: dict[str, int] = {}

    def check(self, read: Set[str]) -> None:
        """Refuse a summary that makes no sense or lacks what a model needs to price.

        ``read`` are the attributes that the model reads.
        """
        scales = {a.name: a.grades for a in ATTRIBUTES.values() if isinstance(a, Grade)}
        sound = (
            self.rows >= self.stones >= 1
            and CURRENCY.fullmatch(self.currency) is not None
            and EFFECTIVE.fullmatch(self.effective) is not None
            and all(low <= high for low, high in self.ranges.values())
            and all(
                name in scales and set(counts) <= set(scales[name]) and min(counts.values()) > 0
                for name, counts in self.grades.items()
                if counts
            )
            and all(count > 0 for count in self.left_out.values())
            and all(MONTH.fullmatch(m) and count > 0 for m, count in self.months.items())
        )
        if not sound:
            raise DocumentError("the training summary contradicts itself.")
        needed = [a for a in ATTRIBUTES.values() if a.required or a.name in read]
        missing = sorted({a.name for a in needed if isinstance(a, Measure)} - set(self.ranges))
        grades = [a.name for a in needed if isinstance(a, Grade) and a.name != LISTING.name]
        missing += [name for name in grades if not self.grades.get(name)]
        if missing:
            raise DocumentError(f"the training summary says nothing of {', '.join(missing)}.")
