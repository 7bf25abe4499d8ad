"""The fitted model: terms, their coefficients, and how sure we are of them.

    log price = β₀ + f₁(stone) + … + f_t(stone) + noise

Everything a price needs is fixed when the model is made. The price is exp of the fitted log
price: a median, so that half of such stones are listed above it. No smearing factor is
applied.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Matrix, Vector, frozen
from diamond_pricing.errors import DocumentError, FitError, MoneyError, StoneError
from diamond_pricing.model import document, money
from diamond_pricing.model.effects import Effects, runs_of
from diamond_pricing.model.explanation import REFERENCE, Line, PriceExplanation
from diamond_pricing.model.notes import note
from diamond_pricing.model.support import (
    BLEND,
    Unsupported,
    listed,
    refuse,
    refuse_contradictory,
    unsupported,
)
from diamond_pricing.model.training import Training
from diamond_pricing.stones import LINES, Stone, Stones
from diamond_pricing.terms import Averages, Term


@dataclass(frozen=True, slots=True, eq=False)
class PriceModel:
    """A fitted hedonic price model that explains itself. Immutable.

    Attributes
    ----------
    family : str
        ``loglinear``, ``gam`` or the name given when it was compiled.
    origin : str
        How it was fitted, in one line for a statistician.
    terms : tuple[Term, ...]
        The effects, in the order of their coefficients.
    coefficients : Vector
        Each term's own run, shape (p,), log dollars.
    covariance : Matrix
        Of the coefficients, shape (p, p), six significant digits.
    residual_sd : float
        Standard deviation of the residuals, log dollars.
    edf : float
        Effective degrees of freedom.
    reference : Stone
        The stone that explanations start from unless another is asked for.
    averages : Averages
        What stands in for missing attributes and for the price list of a blend.
    training : Training
        What it was fitted on.
    sha256 : str
        Hash of the model document; equal models have equal hashes.
    """

    family: str
    origin: str
    terms: tuple[Term, ...]
    coefficients: Vector
    covariance: Matrix
    residual_sd: float
    edf: float
    reference: Stone
    averages: Averages
    training: Training
    sha256: str = field(init=False)
    _effects: Effects = field(init=False, repr=False)

    def __post_init__(self) -> None:
        coefficients, covariance = frozen(self.coefficients), frozen(self.covariance)
        if covariance.shape != (len(coefficients), len(coefficients)):
            raise DocumentError(
                f"{len(coefficients)} coefficients, but a covariance of {covariance.shape}."
            )
        if not (np.isfinite(coefficients).all() and np.isfinite(covariance).all()):
            raise DocumentError("coefficients and covariance must be finite numbers.")
        if not (self.residual_sd >= 0 and self.edf > 0 and (np.diag(covariance) >= 0).all()):
            raise DocumentError("variances and degrees of freedom must not be negative.")
        if not (self.family.isprintable() and self.origin.isprintable()):
            raise DocumentError("family and origin must be one line of printable text.")
        effects = Effects.of(self.terms, coefficients, self.averages)
        self.training.check(effects.attributes)
        if list(self.averages.cuts) != list(self.training.grades["cut"]):
            raise DocumentError("the averages need the cuts of the training summary.")
        object.__setattr__(self, "coefficients", coefficients)
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "_effects", effects)
        object.__setattr__(self, "sha256", document.digest(self._document()))
        refuse_contradictory(self.reference)
        money.cents(self.price(Stones.of([self.reference])))  # one it cannot price is refused

    @property
    def lines(self) -> tuple[str, ...]:
        """The k lines of an explanation behind the reference price."""
        return self._effects.lines

    # ------------------------------------------------------------------ prices

    def price(
        self, stones: Stones, *, listing: str = BLEND, extrapolate: bool = False
    ) -> Vector:
        """Price n stones, in ``training.currency``; shape (n,), not rounded.

        Parameters
        ----------
        listing : str
            ``blend`` of the price lists, with the same weights for every stone, blind to
            the order of length and width; ``recorded``, the list that this order points
            to (the blend where it is not known); or the name of one list, ``x<y``,
            ``x=y`` or ``x>y``.
        extrapolate : bool
            Whether measures beyond those seen in training are priced all the same, along
            straight lines.

        Raises
        ------
        UnsupportedStoneError
            For a stone outside what the model has seen; the rows are named.
        """
        return _exp(self.log_price(stones, listing=listing, extrapolate=extrapolate))

    def log_price(
        self, stones: Stones, *, listing: str = BLEND, extrapolate: bool = False
    ) -> Vector:
        """Fitted log price, shape (n,); parameters and errors as for `price`."""
        refuse(self._unsupported(stones, extrapolate))
        rows = self._effects.rows(listed(stones, listing, self.training))
        return self._effects.total(rows, len(stones))

    def supports(self, stones: Stones, *, extrapolate: bool = False) -> NDArray[np.bool_]:
        """Say which stones `price` would not refuse, shape (n,)."""
        fine = np.ones(len(stones), bool)
        for found in self._unsupported(stones, extrapolate):
            fine &= ~found.stones
        return fine

    def contributions(
        self, stones: Stones, *, listing: str = BLEND, reference: Stone | None = None
    ) -> Matrix:
        """Log effect of each line, shape (n, k), one column for each of ``lines``.

        A row sums to the difference in log price from the reference stone, which is priced
        at the blend. Raises as `price`.
        """
        start = self._start(reference)
        for given in (stones, start):
            refuse(self._unsupported(given))
        here, there = (
            self._effects.rows(listed(given, how, self.training))
            for given, how in ((stones, listing), (start, BLEND))
        )
        return self._effects.divided(here, there, len(stones))

    def itemise(
        self, stones: Stones, *, listing: str = BLEND, reference: Stone | None = None
    ) -> Integers:
        """Whole cents of each line of `explain` for n stones, shape (n, 1 + k).

        Column 0 is the price of the reference stone; a row sums to the price. Raises as
        `price`.
        """
        effects = self.contributions(stones, listing=listing, reference=reference)
        base = self.price(self._start(reference))
        return _itemised(effects, self.price(stones, listing=listing), base)

    # ----------------------------------------------------------------- reasons

    def explain(
        self, stone: Stone, *, listing: str = BLEND, reference: Stone | None = None
    ) -> PriceExplanation:
        """Price one stone and say why.

        Parameters
        ----------
        listing : str
            As for `price`.
        reference : Stone, optional
            The stone to measure from, instead of the model's own.

        Raises
        ------
        ContradictionError
            When the stone's measurements contradict each other.
        UnsupportedStoneError
            When the model has not seen such stones.
        """
        start = self.reference if reference is None else reference
        return self._bridge(start, stone, (BLEND, listing))

    def compare(self, first: Stone, second: Stone, *, listing: str = BLEND) -> PriceExplanation:
        """Say why ``second`` does not cost what ``first`` does, line by line.

        The lines of ``compare(b, a)`` are the exact negatives of those of
        ``compare(a, b)``. Parameters and errors as for `explain`.
        """
        return self._bridge(first, second, (listing, listing))

    def _bridge(
        self, first: Stone, second: Stone, listings: tuple[str, str]
    ) -> PriceExplanation:
        ends = []
        for stone, listing in zip((first, second), listings, strict=True):
            refuse_contradictory(stone)
            one = Stones.of([stone])
            refuse(self._unsupported(one))
            ends.append(listed(one, listing, self.training))
        there, here = (self._effects.rows(end) for end in ends)
        effects = self._effects.divided(here, there, 1)
        base, price = (_exp(self._effects.total(rows, 1)) for rows in (there, here))
        start, *amounts = _itemised(effects, price, base)[0].tolist()
        gradients = self._effects.gradients(here, there)
        variances = ((gradients @ self.covariance) * gradients).sum(axis=1)
        errors = np.sqrt(np.maximum(variances, 0))  # rounding may leave −1e-12
        lines = [Line(REFERENCE, "Reference stone", 0.0, 0.0, start, str(first))]
        for j, name in enumerate(self.lines):
            words = note(name, first, second, listings, self._effects.features(name))
            lines.append(
                Line(
                    name, LINES[name], float(effects[0, j]), float(errors[j]), amounts[j], words
                )
            )
        return PriceExplanation(
            stone=second,
            reference=first,
            listing=listings[1],
            reference_price=float(base[0]),
            lines=tuple(lines),
            currency=self.training.currency,
            effective=self.training.effective,
            model=self.sha256[:12],
        )

    def _start(self, reference: Stone | None) -> Stones:
        start = self.reference if reference is None else reference
        refuse_contradictory(start)
        return Stones.of([start])

    def _unsupported(self, stones: Stones, extrapolate: bool = False) -> Iterator[Unsupported]:
        return unsupported(
            stones, self.training, self._effects.attributes, extrapolate=extrapolate
        )

    # --------------------------------------------------------------- documents

    def to_json(self) -> str:
        """Write the model document; see docs/reference/model-document.md."""
        return document.write(self._document())

    @classmethod
    def from_json(cls, text: str | bytes) -> "PriceModel":
        """Read a model document, bit for bit the model that was written.

        Raises
        ------
        DocumentError
            When a byte was changed, a field is missing, the schema is not known, or the
            content makes no sense.
        """
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        read = document.read(data)
        try:
            model = cls(
                terms=tuple(Term(entry.bases) for entry in read.terms),
                coefficients=np.array([b for entry in read.terms for b in entry.coefficients]),
                covariance=document.square(read.covariance),
                reference=_stone(read.reference),
                **{name: getattr(read, name) for name in document.SHARED},
            )
        except (FitError, StoneError, MoneyError) as error:
            raise DocumentError(f"this model document makes no sense: {error}") from error
        if model.to_json().encode() != data:
            raise DocumentError(
                "this model document is not in the standard form that to_json writes: a field "
                "twice or out of order, or a number written differently."
            )
        return model

    def _document(self) -> document.Document:
        return document.Document(
            schema=document.SCHEMA,
            terms=tuple(
                document.Entry(term.bases, tuple(run.tolist()))
                for term, run in zip(
                    self.terms, runs_of(self.terms, self.coefficients), strict=True
                )
            ),
            covariance=document.triangle(self.covariance),
            reference=self.reference.given(),
            **{name: getattr(self, name) for name in document.SHARED},
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PriceModel):
            return NotImplemented
        return self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __str__(self) -> str:
        t = self.training
        return (
            f"{self.family} model {self.sha256[:12]}, fitted on {t.rows:,} sales of "
            f"{t.stones:,} stones ({t.effective} {t.currency})"
        )


def _stone(given: dict[str, Any]) -> Stone:
    try:
        return Stone(**given)
    except TypeError as error:  # a required attribute is missing, or one is not known
        raise DocumentError(f"this model document has no sound reference: {error}.") from error


def _exp(log_price: Vector) -> Vector:
    with np.errstate(over="ignore"):  # inf is refused where it becomes money
        return np.exp(log_price)


def _itemised(effects: Matrix, price: Vector, base: Vector) -> Integers:
    """Whole cents: the base, then the lines; from (n, k) to (n, 1 + k)."""
    start = np.broadcast_to(base, price.shape)
    base_cents, price_cents = money.cents(start), money.cents(price)
    parts = money.whole_cents(money.dollars(effects, price, start), price_cents - base_cents)
    return np.column_stack([base_cents, parts])
