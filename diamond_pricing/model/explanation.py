"""A price and the reasons for it."""

from dataclasses import dataclass, field
from html import escape
from itertools import accumulate
from math import exp
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import msgspec

from diamond_pricing.errors import MoneyError, StoneError
from diamond_pricing.model.details import REFERENCE, StoneDetails
from diamond_pricing.model.money import written
from diamond_pricing.model.ranges import check_level
from diamond_pricing.model.verdict import Verdict
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import Stone

if TYPE_CHECKING:
    import pandas as pd

RANGE = 0.9


def _factor(log_effect: float) -> float:
    try:
        return exp(log_effect)
    except OverflowError as error:
        raise MoneyError("a line of a price is too large to be a factor of it.") from error


class Line(msgspec.Struct, frozen=True, eq=False):
    """What one attribute does to the price."""

    name: str  # ``clarity``
    label: str  # as a client reads it
    log_effect: float  # difference in log price from the reference stone
    cents: int  # its part of the difference in price, in whole cents
    details: StoneDetails

    @property
    def factor(self) -> float:
        """The price is multiplied by this; 1.25 adds a quarter."""
        return _factor(self.log_effect)

    @property
    def note(self) -> str:
        """What it compares: ``VS1 rather than SI1``."""
        return self.details.note(self.name)

    @property
    def standard_error(self) -> float:
        """Of ``log_effect``, from the covariance of the model's coefficients."""
        return self.details.standard_error(self.name)

    def factor_range(self, level: float = 0.95) -> tuple[float, float]:
        """Range of the factor that the sales leave open, normal in its logarithm."""
        check_level(level)
        z = NormalDist().inv_cdf(0.5 + level / 2) * self.standard_error
        return _factor(self.log_effect - z), _factor(self.log_effect + z)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.name, self.log_effect, self.cents, self.note


@dataclass(frozen=True, slots=True)
class PriceExplanation:
    """The price of one stone, with every step from the reference stone to it.

    The price is not stored: it is the sum of the lines, so the two cannot disagree.

    Attributes
    ----------
    stone, reference : Stone
        What is priced, and what it is measured from.
    listing : str
        ``blend``, ``recorded`` or the name of a price list.
    reference_price : float
        Before rounding; times every factor it is the price before rounding.
    lines : tuple[Line, ...]
        The first carries the price of the reference stone (factor 1); then one a line.
    currency, effective : str
        What the money is, and of when.
    model : str
        First characters of the SHA-256 of the model document.
    """

    stone: Stone
    reference: Stone
    listing: str
    reference_price: float
    lines: tuple[Line, ...]
    currency: str
    effective: str
    model: str
    details: StoneDetails = field(repr=False, compare=False)

    @property
    def verdict(self) -> Verdict:
        """Whether the price is given plainly or with caution, and why."""
        return self.details.verdict()

    def range(self, level: float | None = None) -> tuple[float, float] | None:
        """Where that share of such sales lies, in ``currency``; None if nobody measured it.

        Parameters
        ----------
        level : float, optional
            Over 0 and at most 0.99. Default: ``RANGE``, and no range where too few errors
            were measured for that.

        Raises
        ------
        StoneError
            For a level that is not possible.
        """
        if level is not None:
            return self.details.range(level)
        try:
            return self.details.range(RANGE)
        except StoneError:
            return None

    @property
    def cents(self) -> int:
        """The price in whole cents: the sum of the lines."""
        return sum(line.cents for line in self.lines)

    @property
    def price(self) -> float:
        """The price in ``currency``, to the cent."""
        return self.cents / 100

    @property
    def running(self) -> tuple[int, ...]:
        """Total after each line, whole cents."""
        return tuple(accumulate(line.cents for line in self.lines))

    @property
    def money(self) -> str:
        """Say what the amounts are: ``2008 US dollars``."""
        return f"{self.effective} {ENGLISH.money.get(self.currency, self.currency)}"

    @property
    def not_counted(self) -> tuple[str, ...]:
        """Attributes that were given and that the model does not read."""
        return self.details.unread

    def sentence(self, line: Line, words: Words = ENGLISH) -> str:
        """Say a line in words: ``Clarity VS1 rather than SI1: +$812, ×1.14``."""
        told, cents = self.details.told(line.name, words), line.cents
        if line.name == REFERENCE:
            return f"{told}: {words.amount(cents, self.currency, digits=0)}"
        factor = f"{line.factor:.2f}"
        if words.decimal != ".":
            factor = words.number(factor)
        return f"{told}: {words.amount(cents, self.currency, sign=True, digits=0)}, ×{factor}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values ready for JSON."""
        return {
            "stone": self.stone.given(),
            "reference": self.reference.given(),
            "listing": self.listing,
            "price": self.price,
            "cents": self.cents,
            "range": self._range(),
            "verdict": self.verdict.to_dict(),
            "currency": self.currency,
            "effective": self.effective,
            "model": self.model,
            "reference_price": self.reference_price,
            "not_counted": list(self.not_counted),
            "lines": [
                {
                    "name": line.name,
                    "label": line.label,
                    "factor": line.factor,
                    "log_effect": line.log_effect,
                    "standard_error": line.standard_error,
                    "cents": line.cents,
                    "running_cents": running,
                    "sentence": self.sentence(line),
                }
                for line, running in zip(self.lines, self.running, strict=True)
            ],
        }

    def to_frame(self) -> "pd.DataFrame":
        """One row a line, as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(
            {
                "line": [line.name for line in self.lines],
                "label": [line.label for line in self.lines],
                "compares": [line.note for line in self.lines],
                "factor": [line.factor for line in self.lines],
                "log_effect": [line.log_effect for line in self.lines],
                "standard_error": [line.standard_error for line in self.lines],
                "amount": [line.cents / 100 for line in self.lines],
                "so_far": [running / 100 for running in self.running],
            }
        )

    def _range(self) -> dict[str, float] | None:
        found = self.range()
        if found is None:
            return None
        return {"level": RANGE, "low": round(found[0], 2), "high": round(found[1], 2)}

    def __str__(self) -> str:
        rows = [
            (
                f"{line.label}: {line.note}",
                "" if i == 0 else f"×{line.factor:.4f}",
                written(line.cents, self.currency, sign=i > 0),
                written(running, self.currency),
            )
            for i, (line, running) in enumerate(zip(self.lines, self.running, strict=True))
        ]
        wide = [max(len(row[column]) for row in rows) for column in range(4)]
        text = [f"{self.stone}: {written(self.cents, self.currency)} ({self.money})", ""]
        for what, factor, amount, running in rows:
            text.append(
                f"  {what:<{wide[0]}}  {factor:>{wide[1]}}  {amount:>{wide[2]}}  "
                f"{running:>{wide[3]}}".rstrip()
            )
        range_, cautions, unread = self._below()
        text += ["", f"  {range_}"] if range_ else []
        text += [f"  {sentence}" for sentence in (*cautions, *unread)]
        return "\n".join(text)

    def _below(self) -> tuple[str, list[str], list[str]]:
        """What is said under the lines: the range, cautions, and what is not counted."""
        range_, unread = "", []
        if found := self.range():
            low, high = (written(round(100 * end), self.currency, digits=0) for end in found)
            range_ = f"{100 * RANGE:g} % of such sales lie between {low} and {high}."
        if names := [ENGLISH.attribute(name).lower() for name in self.not_counted]:
            unread.append(ENGLISH.not_in.format(names=", ".join(names)))
        return range_, [f"Caution: {r.message}" for r in self.verdict.reasons], unread

    def _repr_html_(self) -> str:
        range_, cautions, unread = self._below()
        told = f"{escape(str(self.stone))}: {_money(self, self.cents)} ({escape(self.money)})"
        below = " ".join(map(escape, filter(None, [range_, *cautions, *unread])))
        return (
            f'<table class="price-explanation"><caption>{told}</caption>\n'
            f"{reasons_html(self)}\n</table>\n<p>{below} Model {escape(self.model)}.</p>"
        )


def reasons_html(why: PriceExplanation) -> str:
    """The lines of an explanation as the head and rows of a table, the price at the foot."""
    rows = []
    for line, running in zip(why.lines, why.running, strict=True):
        first = line.name == REFERENCE
        factor = "" if first else f"×{line.factor:.3f}"
        rows.append(
            f'<tr><th scope="row">{escape(line.label)} <small>{escape(line.note)}</small></th>'
            f"<td>{factor}</td><td>{_money(why, line.cents, sign=not first)}</td>"
            f'<td class="total">{_money(why, running)}</td></tr>'
        )
    price = _money(why, why.cents)
    return (
        '<thead><tr><th scope="col">Because of</th><th scope="col">Factor</th>'
        '<th scope="col">Amount</th><th scope="col" class="total">So far</th></tr></thead>\n'
        "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n"
        f'<tfoot><tr><th scope="row">Price</th><td></td><td>{price}</td>'
        '<td class="total"></td></tr></tfoot>'
    )


def _money(why: PriceExplanation, amount: int, *, sign: bool = False) -> str:
    return escape(written(amount, why.currency, sign=sign))
