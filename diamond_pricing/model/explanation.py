"""A price and the reasons for it."""

from dataclasses import dataclass
from itertools import accumulate
from math import exp
from typing import Any

from diamond_pricing.model.money import written
from diamond_pricing.stones import Stone

REFERENCE = "reference"  # name of the first line


@dataclass(frozen=True, slots=True)
class Line:
    """What one attribute does to the price.

    Attributes
    ----------
    name, label : str
        ``clarity``; as a client reads it.
    log_effect : float
        Difference in log price from the reference stone.
    standard_error : float
        Of ``log_effect``, from the covariance of the model's coefficients.
    cents : int
        Its part of the difference in price, in whole cents.
    note : str
        What it compares: ``VS1 rather than SI1``.
    """

    name: str
    label: str
    log_effect: float
    standard_error: float
    cents: int
    note: str

    @property
    def factor(self) -> float:
        """The price is multiplied by this; 1.25 adds a quarter."""
        return exp(self.log_effect)


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
        name = {"USD": "US dollars", "EUR": "euros", "GBP": "pounds"}
        return f"{self.effective} {name.get(self.currency, self.currency)}"

    def sentence(self, line: Line) -> str:
        """Say a line in words: ``Clarity VS1 rather than SI1: +$812, ×1.14``."""
        if line.name == REFERENCE:
            return f"{line.label} {line.note}: {written(line.cents, self.currency, digits=0)}"
        amount = written(line.cents, self.currency, sign=True, digits=0)
        return f"{line.label} {line.note}: {amount}, ×{line.factor:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values ready for JSON."""
        return {
            "stone": self.stone.given(),
            "reference": self.reference.given(),
            "listing": self.listing,
            "price": self.price,
            "cents": self.cents,
            "currency": self.currency,
            "effective": self.effective,
            "model": self.model,
            "reference_price": self.reference_price,
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
        return "\n".join(text)
