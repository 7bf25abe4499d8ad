"""The fitted model: terms, their coefficients, and how sure we are of them.

    log price = β₀ + f₁(stone) + … + f_t(stone) + noise

Everything a price needs is fixed when the model is made. The price is exp of the fitted log
price: a median, so that half of such stones are listed above it. No smearing factor is
applied.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import exp, inf, log
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from diamond_pricing.arrays import Integers, Matrix, Vector, frozen
from diamond_pricing.errors import (
    DocumentError,
    FitError,
    MoneyError,
    ReportError,
    StoneError,
    UnsupportedStoneError,
)
from diamond_pricing.model import display, document, money
from diamond_pricing.model.carried import FEWEST_MONTHS, Past, widened
from diamond_pricing.model.certificate import Certificate
from diamond_pricing.model.details import REFERENCE, StoneDetails
from diamond_pricing.model.effects import Effects, Entry, Inference, Placed, parts_of, runs_of
from diamond_pricing.model.explanation import RANGE, Line, PriceExplanation
from diamond_pricing.model.from_reference import FromReference
from diamond_pricing.model.like_sales import Likeness, LikeSales
from diamond_pricing.model.markup import Markup
from diamond_pricing.model.ranges import Ranges
from diamond_pricing.model.support import (
    BLEND,
    INFERRED,
    RECORDED,
    Support,
    Unsupported,
    listed,
    refuse,
    refuse_contradictory,
    unsupported,
)
from diamond_pricing.model.tables import Tables
from diamond_pricing.model.training import Training
from diamond_pricing.model.verdict import CAUTION, DECLINED, FEW, PRICED, Reason, Verdict
from diamond_pricing.stones import (
    ATTRIBUTES,
    LIKE_LINE,
    LINES,
    LISTING,
    Day,
    Grade,
    Measure,
    Stone,
    Stones,
    several,
)
from diamond_pricing.stones.attributes import iso
from diamond_pricing.stones.kinds import KINDS, ORIGIN
from diamond_pricing.stones.stone import GROWN
from diamond_pricing.stones.trade import entries_of, graded
from diamond_pricing.terms import Averages, Periods, Term

if TYPE_CHECKING:
    import pandas as pd


class Start(NamedTuple):
    """The reference stone on the blend: log price, mark-up in it, price and its cents."""

    log_price: float
    marked: float
    price: float
    cents: int


@dataclass(frozen=True, eq=False, repr=False)
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
    factor : Matrix
        U, shape (p, r): the covariance of the coefficients is UU'.
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
    markup : Markup or None
        What one price list asks on top of the other, where the sales show it.
    inference : Inference or None
        How likely each sale's price list is, given the stone.
    ranges : Ranges or None
        How far prices scatter around this model's.
    support : Support or None
        How many sales stand behind each kind of stone.
    certificate : Certificate or None
        Proof that no price falls when a stone improves.
    trade : tuple[dict, ...]
        The attributes that it reads beside those that every trade has, as
        `diamond_pricing.stones.trade.use` takes them.
    like_sales : LikeSales or None
        What like sales fetched beyond what the terms explain, where that is worth a line.
    sha256 : str
        Hash of the model document, whatever the day is that prices are asked for.
    carries : bool
        Whether days after the sales are priced, see `carry_forward`.
    today : float or None
        The day, see `Day`, of stones that say none; None where no dates are read.
    """

    family: str
    origin: str
    terms: tuple[Term, ...]
    coefficients: Vector
    factor: Matrix
    residual_sd: float
    edf: float
    reference: Stone
    averages: Averages
    training: Training
    markup: Markup | None = None
    inference: Inference | None = None
    ranges: Ranges | None = None
    support: Support | None = None
    certificate: Certificate | None = None
    trade: tuple[dict[str, Any], ...] = ()
    like_sales: LikeSales | None = None
    sha256: str = field(init=False)
    carries: bool = field(init=False, default=False)
    today: float | None = field(init=False, default=None)
    _document_of: "PriceModel | None" = field(init=False, default=None, repr=False)
    _effects: Effects = field(init=False, repr=False)

    def __post_init__(self) -> None:
        coefficients, factor = frozen(self.coefficients), frozen(self.factor)
        if factor.ndim != 2 or len(factor) != len(coefficients):
            raise DocumentError(
                f"{len(coefficients)} coefficients, but a covariance of {factor.shape}."
            )
        if not (np.isfinite(coefficients).all() and np.isfinite(factor).all()):
            raise DocumentError("coefficients and covariance must be finite numbers.")
        if not (self.residual_sd >= 0 and self.edf > 0):
            raise DocumentError("variances and degrees of freedom must not be negative.")
        if not (self.family.isprintable() and self.origin.isprintable()):
            raise DocumentError("family and origin must be one line of printable text.")
        more = () if self.like_sales is None else (LIKE_LINE,)
        effects = Effects.of(self.terms, coefficients, self.averages, more)
        if self.inference is not None:
            self.inference.effects(self.averages)  # refuses what does not fit
        self.training.check(effects.attributes)
        if list(self.averages.cuts) != list(self.training.grades["cut"]):
            raise DocumentError("the averages need the cuts of the training summary.")
        made = self.__dict__
        made.update(coefficients=coefficients, factor=factor, _effects=effects)
        made["today"] = self.last_day
        if not self.trade:
            grades = {name: set(counts) for name, counts in self.training.grades.items()}
            made["trade"] = entries_of(effects.attributes, grades)
        made["sha256"] = document.digest(self._document())
        refuse_contradictory(self.reference)
        for axis in self._tables.axes:
            if axis.graded and axis.feature != LISTING.name:
                lacking = set(self.training.grades[axis.feature]) - set(axis.marks)
                if lacking:
                    raise DocumentError(
                        f"the terms have no {axis.feature} {', '.join(sorted(lacking))}, which "
                        "the training summary has."
                    )
        refuse(self._unsupported(Stones.of([self.reference])))
        _ = self._start  # a reference that costs no money is refused

    @cached_property
    def _tables(self) -> Tables:
        return self._effects.compiled()

    @cached_property
    def _likeness(self) -> Likeness | None:
        return None if self.like_sales is None else Likeness(self.like_sales)

    @cached_property
    def _alike_at_start(self) -> float:
        """What like sales fetched beyond, of the reference stone on the blend."""
        assert self._likeness is not None
        return self._likeness.one(self.reference)

    @cached_property
    def _listed_reference(self) -> Stones:
        """The reference stone on the blend."""
        return self._on(Stones.of([self.reference]), BLEND)

    def _on(self, stones: Stones, listing: str) -> Stones:
        return listed(stones, listing, self.training)

    @cached_property
    def _from_reference(self) -> FromReference:
        weights = self.training.ranges["carat"]
        return FromReference(self._tables, self._listed_reference, weights)

    @cached_property
    def _start(self) -> Start:
        """What the reference stone costs on the blend."""
        log_price, marked = self._total(self._listed_reference)
        price = float(_exp(log_price)[0])
        return Start(float(log_price[0]), float(marked[0]), price, money.cent(price))

    @cached_property
    def _reference_placed(self) -> list[Placed]:
        return self._effects.placed(self._listed_reference)

    @cached_property
    def _counted(self) -> frozenset[str]:
        """Attributes that need not be named as not counted."""
        needed = {a.name for a in ATTRIBUTES.values() if a.required}
        return frozenset(self._effects.attributes | KINDS.keys() | needed)

    @cached_property
    def _notes(self) -> dict[Any, str]:
        """Notes of lines that were asked for, see `StoneDetails.told`."""
        return {}

    @property
    def covariance(self) -> Matrix:
        """Covariance of the coefficients, shape (p, p)."""
        return self.factor @ self.factor.T

    @property
    def lines(self) -> tuple[str, ...]:
        """The k lines of an explanation behind the reference price."""
        return self._effects.lines

    @cached_property
    def dates(self) -> str | None:
        """The date that it reads, if any."""
        read = self._effects.attributes
        return next(
            (n for n in ATTRIBUTES if isinstance(ATTRIBUTES[n], Day) and n in read), None
        )

    def _as_of(self, stone: Stone) -> str:
        """When the price of a stone is true: its own date, else when all are."""
        day = None if self.dates is None else getattr(stone, self.dates)
        return self.training.effective if day is None else iso(day)

    @cached_property
    def market_line(self) -> str:
        """The line of the date; empty where it reads none."""
        return "" if self.dates is None else ATTRIBUTES[self.dates].line

    @property
    def last_day(self) -> float | None:
        """The last day that its sales cover, see `Day`; None where it reads no dates."""
        return None if self.dates is None else self.training.ranges[self.dates][1]

    def carry_forward(self) -> "PriceModel":
        """The same model, which prices days after its sales as the last one.

        No farther ahead than the sales go back. Ranges widen with the distance by how far the
        market of such stones moved before, and each verdict says so.

        Raises
        ------
        FitError
            When its sales have no dates, or too short a past.
        """
        self._by_periods()
        if (months := len(self.by_month()[0])) < FEWEST_MONTHS:
            raise FitError(
                f"the sales of this model have {several(months, 'month')}; {FEWEST_MONTHS} "
                "months are needed to carry prices forward."
            )
        view = object.__new__(PriceModel)
        view.__dict__.update(self.__dict__, carries=True)
        view.__dict__.pop("_ranges", None)
        return view

    def as_of(self, day: object) -> "PriceModel":
        """The same model, whose prices are as of a day rather than the last of its sales.

        Parameters
        ----------
        day : date, str or float
            A date, text such as ``2026-09-30``, or its number, see `Day`.

        Raises
        ------
        FitError
            When its sales have no dates.
        StoneError
            For a day that is none, or that the model does not price.
        """
        self._by_periods()
        name = self.dates or ""
        known = ATTRIBUTES[name].read(day)
        assert isinstance(known, float)
        given: dict[str, Any] = self.reference.given() | {name: known}
        refuse(self._unsupported(Stones.of([Stone(**given)])))
        terms = tuple(
            Term(tuple(b.on(known) if isinstance(b, Periods) else b for b in term.bases))
            for term in self.terms
        )
        training = structs.replace(self.training, effective=iso(known))
        view = replace(self, terms=terms, training=training)
        view.__dict__.update(
            sha256=self.sha256,
            carries=self.carries,
            today=known,
            _document_of=self._document_of or self,
        )
        return view

    def _by_periods(self) -> None:
        if not any(isinstance(b, Periods) for term in self.terms for b in term.bases):
            dated = "no levels by month" if self.dates else "no dates"
            raise FitError(f"the sales of this model have {dated}; its prices are of one day.")

    def by_month(self, of: Stone | None = None) -> tuple[tuple[float, ...], Matrix]:
        """The months from the first sale to the last, and the design in the middle of each.

        Parameters
        ----------
        of : Stone, optional
            Whose design; the reference stone's.

        Returns
        -------
        tuple
            The first days of m months, see `Day`, and their rows, shape (m, p).
        """
        if self.dates is None:
            raise ReportError(
                "the sales of this model have no dates; there is no index to show."
            )
        stone = self.reference if of is None else of
        refuse(self._unsupported(Stones.of([stone])))
        ends, stones = self._past.monthly(stone)
        return ends, self.design(stones)

    @cached_property
    def _past(self) -> Past:
        assert self.dates is not None
        return Past(self._effects, self.coefficients, self.training, self.dates)

    def days(self, stones: Stones) -> Vector:
        """When the price of each stone is true, see `Day`; NaN where no dates are read."""
        if self.dates is None or self.today is None:
            return np.full(len(stones), np.nan)
        day = stones[self.dates]
        return np.where(np.isnan(day), self.today, day)

    def market_spread(self, stones: Stones) -> Vector:
        """How far the market may have moved between the sales and the stones' own days.

        Returns
        -------
        Vector
            Standard deviation of log price, shape (n,); 0 for days within the sales.
        """
        if self.dates is None:
            return np.zeros(len(stones))
        return self._past.spread(stones, self.days(stones))

    @property
    def magic_weights(self) -> tuple[float, ...]:
        """Weights that prices jump at, carats, ascending."""
        return self._effects.magic

    def design(self, stones: Stones, *, listing: str = BLEND) -> Matrix:
        """Design matrix of n stones, shape (n, p).

        Times ``coefficients`` it is the log price before the mark-up of the price list.
        Raises as `price`.
        """
        refuse(self._unsupported(stones))
        return self._effects.design(self._on(stones, listing))

    # ------------------------------------------------------------------ prices

    def price(
        self,
        stones: Stones,
        *,
        listing: str = BLEND,
        extrapolate: bool = False,
        unsupported: Literal["raise", "nan"] = "raise",
    ) -> Vector:
        """Price n stones, in ``training.currency``; shape (n,), not rounded.

        Parameters
        ----------
        listing : str
            ``blend`` of the price lists, with the same weights for every stone, blind to
            the order of length and width; ``recorded``, the list that this order points
            to (the blend where it is not known); ``inferred``, the lists mixed by how
            likely each is, for forecasts only; or the name of one list, ``x<y``, ``x=y``
            or ``x>y``.
        extrapolate : bool
            Whether measures beyond those seen in training are priced all the same, along
            straight lines.
        unsupported : str
            ``raise``, or ``nan`` to give NaN for stones that the model does not support.

        Raises
        ------
        UnsupportedStoneError
            For a stone outside what the model has seen; the rows are named.
        """
        if unsupported == "nan":
            found = np.full(len(stones), np.nan)
            fine = np.flatnonzero(self.supports(stones, extrapolate=extrapolate))
            some = stones.take(fine)
            found[fine] = self.price(some, listing=listing, extrapolate=extrapolate)
            return found
        if unsupported != "raise":
            raise StoneError(f"unsupported is 'raise' or 'nan', not {unsupported!r}.")
        return _exp(self.log_price(stones, listing=listing, extrapolate=extrapolate))

    def log_price(
        self, stones: Stones, *, listing: str = BLEND, extrapolate: bool = False
    ) -> Vector:
        """Fitted log price, shape (n,); parameters and errors as for `price`."""
        refuse(self._unsupported(stones, extrapolate))
        if listing == INFERRED:
            return self._inferred(stones)
        if listing == BLEND:
            return _summed(self._start.log_price, self._moved(stones))
        return self._total(self._on(stones, listing))[0]

    def _total(self, stones: Stones) -> tuple[Vector, Vector]:
        """Log price of n stones on their lists, and the mark-up in it; shapes (n,)."""
        base = self._tables.total(self._tables.placed(stones), len(stones))
        if self._likeness is not None:
            base = base + self._likeness.of(stones)
        if self.markup is None:
            return base, np.zeros(len(stones))
        marked = self.markup.of(base, stones)
        return base + marked, marked

    def _inferred(self, stones: Stones) -> Vector:
        """Mix the log prices on the lists by how likely each list is."""
        if self.inference is None:
            raise UnsupportedStoneError(
                "this model cannot tell which price list a sale stood on; it has not seen two.",
                attribute=LISTING.name,
                given=INFERRED,
            )
        mixed = np.zeros(len(stones))
        for name, likely in self.inference.probabilities(stones, self.averages).items():
            mixed += likely * self._total(self._on(stones, name))[0]
        return mixed

    def alike(self, carat: float, cut: str, color: str, clarity: str) -> Stone:
        """A stone of that weight and grades, and else as the reference is.

        Of a grade that the model has not seen it has the reference's.
        """
        given = {"cut": cut, "color": color, "clarity": clarity}
        seen = self.training.grades
        known: dict[str, Any] = {
            name: grade for name, grade in given.items() if grade in seen.get(name, ())
        }
        return replace(self.reference, carat=carat, **known)

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
        refuse(self._unsupported(stones))
        if reference is not None:
            refuse(self._unsupported(Stones.of([reference])))
            refuse_contradictory(reference)
        return self._contributed(stones, listing, reference)

    def _contributed(self, stones: Stones, listing: str, reference: Stone | None) -> Matrix:
        if reference is None and listing == BLEND:
            return self._moved(stones)
        start = self._listed_reference
        if reference is not None:
            start = self._on(Stones.of([reference]), BLEND)
        return self._divided(self._on(stones, listing), start)[0]

    def _moved(self, stones: Stones) -> Matrix:
        """Log effect of each line on the blend, from the model's own reference."""
        effects = self._from_reference.many(stones)
        blend = self._on(stones, BLEND)
        if self._likeness is not None:
            effects[:, -1] = self._likeness.of(blend) - self._alike_at_start
        if self.markup is not None:
            start = self._start
            base = _summed(start.log_price - start.marked, effects)
            place = self.lines.index(LISTING.line)
            effects[:, place] += self.markup.of(base, blend) - start.marked
        return effects

    def _divided(self, stones: Stones, start: Stones) -> tuple[Matrix, Vector, Vector]:
        """Log effect of each line, and the log prices before and after.

        The mark-up belongs to the line of the price list.
        """
        tables, n = self._tables, len(stones)
        effects, before, after = tables.divided(tables.placed(stones), tables.placed(start), n)
        if self._likeness is not None:
            there, here = self._likeness.of(start), self._likeness.of(stones)
            effects[:, -1] = here - there
            before, after = before + there, after + here
        if self.markup is not None:
            from_, to = self.markup.of(before, start), self.markup.of(after, stones)
            effects[:, self.lines.index(LISTING.line)] += to - from_
            before, after = before + from_, after + to
        return effects, before, after

    def itemise(
        self, stones: Stones, *, listing: str = BLEND, reference: Stone | None = None
    ) -> Integers:
        """Whole cents of each line of `explain` for n stones, shape (n, 1 + k).

        Column 0 is the price of the reference stone; a row sums to the price. Raises as
        `price`.
        """
        effects = self.contributions(stones, listing=listing, reference=reference)
        base = self._start.log_price
        if reference is not None:
            base = float(self.log_price(Stones.of([reference]))[0])
        return _itemised(effects, _exp(_summed(base, effects)), _exp(np.array([base])))

    def appraise(
        self, stones: Stones, *, level: float = RANGE, listing: str = BLEND
    ) -> tuple[Integers, Vector, Vector]:
        """Cents of each line as `itemise`, and both ends of the range as `range`, at once.

        Where too few errors were measured the ends are NaN. Unlike those two it takes it
        that `supports` was asked: a stone that is not supported gets a wrong price here.
        """
        effects = self._contributed(stones, listing, None)
        base = self._start.log_price
        log_price = _summed(base, effects)
        cents = _itemised(effects, _exp(log_price), _exp(np.array([base])))
        half = np.full(len(stones), np.nan)
        if self.ranges is not None:
            half = self._half_widths(stones, level, listing)
        return cents, _exp(log_price - half), _exp(log_price + half)

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
        if reference is None and listing == BLEND:
            explained = self._quick(stone)
            if explained is not None:
                return explained
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
        there, here = map(self._checked, (first, second), listings)
        effects, before, after = self._divided(here, there)
        base, price = _exp(before), _exp(after)
        cents = _itemised(effects, price, base)[0].tolist()
        details = StoneDetails(self, first, second, listings, float(after[0]))
        return self._explained(details, float(base[0]), effects[0].tolist(), cents)

    def _checked(self, stone: Stone, listing: str) -> Stones:
        """A stone on a list, if the model prices it."""
        one = Stones.of([stone])
        if stone.problems() or not self._plain(stone):
            refuse_contradictory(stone)
            refuse(self._unsupported(one))
        return self._on(one, listing)

    def _explained(
        self, details: StoneDetails, base: float, effects: list[float], cents: list[int]
    ) -> PriceExplanation:
        """Put it together; ``cents`` are those of the reference stone, then of each line."""
        start, *amounts = cents
        lines = [Line(REFERENCE, "Reference stone", 0.0, start, details)]
        for name, effect, amount in zip(self.lines, effects, amounts, strict=True):
            lines.append(Line(name, LINES[name], effect, amount, details))
        stone = second = details.second
        if second.origin is None and set(self.training.grades.get(ORIGIN, ())) == {GROWN}:
            given: dict[str, Any] = second.given()
            stone = Stone(**given | {ORIGIN: GROWN})
        return PriceExplanation(
            stone=stone,
            reference=details.first,
            listing=details.listings[1],
            reference_price=base,
            lines=tuple(lines),
            currency=self.training.currency,
            effective=self._as_of(second) if second.others else self.training.effective,
            model=self.sha256[:12],
            details=details,
        )

    def _quick(self, stone: Stone) -> PriceExplanation | None:
        """Explain a plain stone from the model's own reference on the blend, fast.

        None where the general way is needed: for a stone that may be refused.
        """
        if not isinstance(stone, Stone) or not self._plain(stone) or stone.problems():
            return None
        start = self._start
        effects = self._from_reference.one(stone)
        if self._likeness is not None:
            effects[-1] = self._likeness.one(stone) - self._alike_at_start
        if self.markup is not None:
            base = start.log_price - start.marked + sum(effects)
            place = self.lines.index(LISTING.line)
            effects[place] += self.markup.blend(base, stone.carat) - start.marked
        log_price = start.log_price + sum(effects)
        price = _exp_one(log_price)
        mean = money.one_logarithmic_mean(price, start.price)
        amounts = money.whole_cents_of_one(
            [effect * mean for effect in effects], money.cent(price) - start.cents
        )
        details = StoneDetails(self, self.reference, stone, (BLEND, BLEND), log_price)
        return self._explained(details, start.price, effects, [start.cents, *amounts])

    def _plain(self, stone: Stone) -> bool:
        """Whether the model surely supports a stone."""
        for name, low, high in self._ranges:
            value = getattr(stone, name)
            if value is not None and not low <= value <= high:
                return False
        for name, seen in self._grades:
            if getattr(stone, name) not in seen:
                return False
        if stone.others and any(
            name in KINDS and name not in self._effects.attributes for name, _ in stone.others
        ):
            return False  # to be looked at
        return self.support is None or bool(self.support.near_one(stone, self._around))

    @cached_property
    def _ranges(self) -> tuple[tuple[str, float, float], ...]:
        read = self._effects.attributes | {"carat"}
        ranges = self.training.ranges
        if self.carries and self.dates is not None:
            first, last = ranges[self.dates]
            ranges = ranges | {self.dates: (first, 2 * last - first)}
        measures = (a for a in ATTRIBUTES.values() if isinstance(a, Measure))
        return tuple((m.name, *ranges[m.name]) for m in measures if m.name in read)

    @cached_property
    def _grades(self) -> tuple[tuple[str, frozenset[str | None]], ...]:
        read, seen = self._effects.attributes, self.training.grades
        grades = (a for a in ATTRIBUTES.values() if isinstance(a, Grade))
        return tuple(
            (g.name, frozenset(seen[g.name]) | (set() if g.required else {None}))
            for g in grades
            if (g.required or g.name in read) and g.name != LISTING.name
        )

    @cached_property
    def _around(self) -> Any:
        assert self.support is not None
        return self.support.by_name()

    def range(
        self,
        stones: Stones,
        *,
        level: float | None = None,
        listing: str = BLEND,
        extrapolate: bool = False,
    ) -> tuple[Vector, Vector]:
        """Lower and upper end of the range of n prices, each shape (n,).

        Parameters
        ----------
        level : float, optional
            Share of such sales that lie within, over 0 and up to 0.99. Default: ``RANGE``,
            and NaN where too few errors were measured for that.

        Raises
        ------
        DocumentError
            When this model's errors were not measured.
        StoneError
            For a level that is not possible for all of the stones.
        """
        if self.ranges is None:
            raise DocumentError(f"a {self.family} model states no ranges; fit 'monotone'.")
        log_price = self.log_price(stones, listing=listing, extrapolate=extrapolate)
        half = self._half_widths(stones, RANGE if level is None else level, listing)
        if level is not None and np.isnan(half).any():  # tell what all of them allow
            parts = set(self.ranges.parts(stones.take(np.isnan(half))).tolist())
            self.ranges.half(min(parts, key=self.ranges.counts.__getitem__), level, listing)
        return _exp(log_price - half), _exp(log_price + half)

    def _half_widths(self, stones: Stones, level: float, listing: str) -> Vector:
        assert self.ranges is not None
        half = self.ranges.half_widths(stones, level, listing)
        if listing == RECORDED:  # where no list is recorded the price is that of the blend
            known = stones[LISTING.name] >= 0
            half = np.where(known, half, self.ranges.half_widths(stones, level, BLEND))
        moved = self.market_spread(stones)
        return widened(half, moved, level) if moved.any() else half

    def assess(self, stone: Stone) -> Verdict:
        """Say whether a stone is priced, priced with caution or declined, and why."""
        reasons = []
        for p in stone.problems():
            given = getattr(stone, p.attribute)
            remedy = "Correct the measurement, or leave it out."
            reasons.append(Reason(p.code, p.attribute, given, None, p.reason, remedy))
        for found in self._unsupported(Stones.of([stone])):
            nearest, message = found.nearest(found.value(0)), found.sentence(0)
            what = (found.code, found.attribute, found.given(0))
            reasons.append(Reason(*what, nearest, message, found.remedy))
        return Verdict(DECLINED, tuple(reasons)) if reasons else self._backed(stone)

    def _backed(self, stone: Stone) -> Verdict:
        """How sure the price of a stone is that the model prices."""
        reasons = []
        if self.is_after(stone):
            day, last = self._as_of(stone), iso(self.last_day or 0)
            far = f"{day} is after the last sale, {last}, whose market is carried forward."
            remedy, date = "Refit on later sales.", self.dates or ""
            reasons.append(Reason("carried_forward", date, day, last, far, remedy))
        near = FEW if self.support is None else self.support.near_one(stone, self._around)
        if near < FEW:
            many = several(near, "stone")
            few = f"{stone}: based on only {many} of about this weight, color and clarity."
            remedy = "See the comparables."
            reasons.append(Reason("thin_support", "", str(stone), None, few, remedy))
        return Verdict(CAUTION if reasons else PRICED, tuple(reasons))

    def is_after(self, stone: Stone) -> bool:
        """Whether the day of a stone lies after the sales."""
        if self.dates is None or self.today is None or self.last_day is None:
            return False
        day = getattr(stone, self.dates) if stone.others else None
        return float(self.today if day is None else day) > self.last_day

    def _unsupported(self, stones: Stones, extrapolate: bool = False) -> Iterator[Unsupported]:
        if not isinstance(stones, Stones):
            raise StoneError(
                f"many stones are priced as Stones, not as {type(stones).__name__}: "
                "Stones.from_frame(frame), or Stones.of([stone, ...])."
            )
        return unsupported(
            stones,
            self.training,
            self._effects.attributes,
            self.support,
            extrapolate=extrapolate,
            carried=self.carries,
        )

    # --------------------------------------------------------------- documents

    def to_json(self) -> str:
        """Write the model document; see docs/reference/model-document.md."""
        return document.write((self._document_of or self)._document())

    @classmethod
    def from_json(cls, text: str | bytes) -> "PriceModel":
        """Read a model document, bit for bit the model that was written.

        Raises
        ------
        DocumentError
            When a byte was changed, a field is missing, the schema is not known, or the
            content makes no sense.
        """
        if not isinstance(text, str | bytes | bytearray):
            raise DocumentError(f"a model document is text, not {type(text).__name__}.")
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        read = document.read(data)
        terms, coefficients = parts_of(read.terms)
        try:
            model = cls(
                terms=terms,
                coefficients=coefficients,
                factor=read.covariance.matrix(),
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
        given: dict[str, Any] = {name: getattr(self, name) for name in document.SHARED}
        runs = runs_of(self.terms, self.coefficients)
        return document.Document(
            schema=document.SCHEMA,
            terms=tuple(
                Entry(term.bases, tuple(run.tolist()))
                for term, run in zip(self.terms, runs, strict=True)
            ),
            covariance=document.Covariance.of(self.factor),
            reference=self.reference.given(),
            **given,
        )

    def to_frame(self, level: float = 0.95) -> "pd.DataFrame":
        """One row a coefficient, with its standard error, t, p and limits at ``level``."""
        return display.coefficients(self, level)

    def summary(self, level: float = 0.95) -> str:
        """Summarise the model and its coefficients as text; needs pandas."""
        return display.summary(self, level)

    def _repr_html_(self) -> str:
        return display.html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy as the document; another process reads it anew."""
        return _again, (self.to_json(), self.carries, self.today)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PriceModel):
            return NotImplemented
        return self._known_by == other._known_by

    def __hash__(self) -> int:
        return hash(self._known_by)

    @property
    def _known_by(self) -> tuple[str, float | None, bool]:
        return self.sha256, self.today, self.carries

    def __repr__(self) -> str:
        return f"<PriceModel: {self}>"

    def __str__(self) -> str:
        t = self.training
        return (
            f"{self.family} model {self.sha256[:12]}, fitted on {t.rows:,} sales of "
            f"{t.stones:,} stones ({t.effective} {t.currency})"
        )


def nearest_priced(model: PriceModel, stone: Stone) -> Stone | None:
    """The nearest stone that the model prices, without measurements; None if there is none.

    Nearest in steps: a grade of color or clarity is one, a tenth of the weight is one.
    """
    low, high = model.training.ranges["carat"]
    there = min(max(stone.carat, low), high)
    weights = {there, *(round(there * (1 + step / 50), 2) for step in range(-15, 16))}
    seen = model.training.grades
    given = {
        name: value
        for name, value in stone.given().items()
        if isinstance(value, str) and value in seen.get(name, ())
    }
    given["cut"] = given.get("cut") or [*seen["cut"]][-1]
    found = []
    for weight, color, clarity in product(weights, seen["color"], seen["clarity"]):
        if low <= weight <= high:
            values: dict[str, Any] = {"carat": weight, "color": color, "clarity": clarity}
            steps = abs(log(weight / stone.carat)) / 0.1
            for name in ("color", "clarity"):
                scale = graded(name).grades
                steps += abs(scale.index(values[name]) - scale.index(getattr(stone, name)))
            found.append((steps, weight, Stone(**given | values)))
    found.sort(key=lambda one: one[:2])
    known = model.supports(Stones.of([one for *_, one in found]))
    return next((one for (*_, one), fine in zip(found, known, strict=True) if fine), None)


def _again(text: str, carries: bool, today: float | None) -> PriceModel:
    model = PriceModel.from_json(text)
    model = model.carry_forward() if carries else model
    return model if today == model.today else model.as_of(today)


def _stone(given: dict[str, Any]) -> Stone:
    try:
        return Stone(**given)
    except TypeError as error:  # a required attribute is missing, or one is not known
        raise DocumentError(f"this model document has no sound reference: {error}.") from error


def _summed(base: float, effects: Matrix) -> Vector:
    """Base and all lines, added in a fixed order, so that a batch changes no bit."""
    total = np.zeros(len(effects))
    for effect in effects.T:
        total = total + effect
    return base + total


def _exp(log_price: Vector) -> Vector:
    with np.errstate(over="ignore"):  # inf is refused where it becomes money
        return np.exp(log_price)


def _exp_one(log_price: float) -> float:
    try:
        return exp(log_price)
    except OverflowError:
        return inf  # as `_exp`


def _itemised(effects: Matrix, price: Vector, base: Vector) -> Integers:
    """Whole cents: the base, then the lines; from (n, k) to (n, 1 + k)."""
    start = np.broadcast_to(base, price.shape)
    base_cents, price_cents = money.cents(start), money.cents(price)
    parts = money.whole_cents(money.dollars(effects, price, start), price_cents - base_cents)
    return np.column_stack([base_cents, parts])
