"""The words, ranges and errors of an explanation, worked out when somebody asks."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import cache
from math import exp
from operator import attrgetter
from typing import Any

import numpy as np
from msgspec import structs

from diamond_pricing.model.carried import widened
from diamond_pricing.model.effects import Placed
from diamond_pricing.model.like_sales import MOST_SALES
from diamond_pricing.model.support import BLEND, RECORDED
from diamond_pricing.model.verdict import CAUTION, PRICED, Verdict
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import (
    ATTRIBUTES,
    LIKE_LINE,
    LISTING,
    MAGIC_LINE,
    Attribute,
    Day,
    Grade,
    Measure,
    Stone,
    Stones,
)
from diamond_pricing.stones.attributes import iso
from diamond_pricing.stones.stone import ROUND
from diamond_pricing.stones.trade import graded

REFERENCE = "reference"  # name of the first line
NOTES = 20_000  # kept ready

Features = Sequence[tuple[str, ...]]  # attributes of each feature of a line


@cache
def _members(line: str) -> tuple[Attribute, ...]:
    return tuple(a for a in ATTRIBUTES.values() if a.line == line)


@cache
def _read(line: str) -> Callable[[Stone], Any]:
    """What the note of a line depends on."""
    if line == LIKE_LINE:
        return attrgetter("carat", "cut", "color", "clarity", "depth", "table")
    if line in (MAGIC_LINE, REFERENCE):
        return attrgetter("carat")
    names = [a.name for a in _members(line) if a.name != LISTING.name]
    if len(names) != 1:
        names += ["carat", "cut", "shape"]  # for averages
    return attrgetter(*names)


@dataclass(slots=True, eq=False, repr=False)
class StoneDetails:
    """Of the explanation of ``second`` from ``first``, each listed in its own way."""

    model: Any  # a `PriceModel`
    first: Stone
    second: Stone
    listings: tuple[str, str]
    log_price: float
    errors: dict[str, float] | None = None

    @property
    def _ends(self) -> tuple[tuple[Stone, str], ...]:
        """Both stones, and how each is listed."""
        return tuple(zip((self.first, self.second), self.listings, strict=True))

    def note(self, name: str, words: Words = ENGLISH) -> str:
        """What a line compares: ``VS1 rather than SI1``."""
        if name == REFERENCE:
            return words.stone(self.first)
        if name == LIKE_LINE:
            (less, _), (more, many) = (self._alike(*end) for end in self._ends)
            count = f"{many}" if many < MOST_SALES else f"{MOST_SALES}+"
            there, here = words.against(less), words.against(more)
            return words.alike.format(count=count, here=here, there=there)
        if name == self.model.market_line and self.model.is_after(self.second):
            day = words.date(self.model._as_of(self.second))
            return words.carried.format(date=day, last=words.date(iso(self.model.last_day)))
        if self.model.today != self.model.last_day:
            today = words.date(iso(self.model.today))
            words = structs.replace(
                words,
                today=words.this_day.format(date=today),
                as_of=words.other_day.format(date="{date}", today=today),
            )
        first, second = self.first, self.second
        if name == LISTING.line:
            there, here = (_list(*end, words) for end in self._ends)
            if here == there and self.model.markup is not None:
                return words.marked.format(list=here)
        elif name == "carat":
            there, here = words.carats(first.carat), words.carats(second.carat)
        elif name == MAGIC_LINE:
            weights = self.model.magic_weights
            there = _reached(first.carat, weights, words, words.reached)
            here = _reached(second.carat, weights, words, words.reached)
            if here != there:
                there = _reached(first.carat, weights, words, "{carat}")
        else:
            members, read = _members(name), self.model._effects.features[name]
            here = _described(second, members, read, words)
            if all(getattr(first, a.name) is None for a in members):
                if isinstance(members[0], Day) and here != words.today:
                    return words.as_of.format(date=here)
                return here  # the usual reference stone lacks them
            there = _described(first, members, read, words)
        form = words.same if here == there else words.rather
        return form.format(here=here, there=there)

    def told(self, name: str, words: Words = ENGLISH) -> str:
        """The same behind the label of the line: ``Clarity VS1 rather than SI1``."""
        ready = self.model._notes
        # Of stones measured from the usual reference many share a line, word for word.
        usual = self.first is self.model.reference and RECORDED not in self.listings
        key = (name, words.code, self.listings, _read(name)(self.second)) if usual else None
        found: str | None = ready.get(key) if usual else None
        if found is None:
            found = f"{words.label(name)} {self.note(name, words)}"
            if usual:
                if len(ready) > NOTES:
                    ready.clear()
                ready[key] = found
        return found

    @property
    def unread(self) -> tuple[str, ...]:
        """Attributes that were given and that the model does not read."""
        counted = self.model._counted
        return tuple(name for name in self.second.given() if name not in counted)

    def standard_error(self, name: str) -> float:
        """Of a line, from the covariance; the mark-up of the lists is taken as known."""
        if self.errors is None:
            there, here = (self._placed(*end) for end in self._ends)
            errors = self.model._effects.errors(here, there, self.model.factor).tolist()
            self.errors = {REFERENCE: 0.0} | dict(zip(self.model.lines, errors, strict=True))
            if LIKE_LINE in self.errors:
                ends = [self._alike(*end) for end in self._ends]
                lean = self.model.like_sales.lean
                spread = sum(1 / (n + lean) for _, n in ends) * (ends[0] != ends[1])
                self.errors[LIKE_LINE] = self.model.residual_sd * spread**0.5
        return self.errors[name]

    def _alike(self, stone: Stone, listing: str) -> tuple[float, int]:
        """What sales like a stone fetched beyond, on its list, and how many they are."""
        likeness = self.model._likeness
        if listing == BLEND:
            return likeness.one(stone), likeness.count_one(stone)
        one = self.model._on(Stones.of([stone]), listing)
        return float(likeness.of(one)[0]), int(likeness.count(one)[0])

    def _placed(self, stone: Stone, listing: str) -> list[Placed]:
        """A stone in the bases of the model; its own reference is placed once."""
        placed: list[Placed] = (
            self.model._reference_placed
            if stone is self.model.reference and listing == BLEND
            else self.model._effects.placed(self.model._on(Stones.of([stone]), listing))
        )
        return placed

    def range(self, level: float) -> tuple[float, float] | None:
        """Where that share of such prices lies."""
        if self.model.ranges is None:
            return None
        listing = self.listings[1]
        if listing == RECORDED and self.second.listing is None:
            listing = BLEND
        half = self.model.ranges.half_width(self.second, level, listing)
        if self.model.is_after(self.second):
            moved = self.model.market_spread(Stones.of([self.second]))
            half = float(widened(np.array([half]), moved, level)[0])
        return exp(self.log_price - half), exp(self.log_price + half)

    def verdict(self) -> Verdict:
        """Priced, or priced with caution: the worse of both stones, with each one's reasons."""
        reasons = self.model._backed(self.second).reasons
        if self.first is not self.model.reference and self.first != self.second:
            reasons += self.model._backed(self.first).reasons
        return Verdict(CAUTION if reasons else PRICED, reasons)


def _reached(carat: float, weights: Sequence[float], words: Words, form: str) -> str:
    """Say which magic weight a stone has reached: ``reaches 1.00 ct``."""
    reached = [weight for weight in weights if weight <= carat]
    if reached:
        return form.format(carat=words.carats(reached[-1]))
    return words.under.format(carat=words.carats(weights[0]))


def _list(stone: Stone, how: str, words: Words) -> str:
    listing = stone.listing if how == RECORDED else how
    if listing is None or listing == BLEND:
        return words.blend
    order = {"x<y": words.shorter, "x>y": words.longer}
    return order.get(listing, "{list}").format(list=listing)


def _described(stone: Stone, members: Sequence[Attribute], read: Features, words: Words) -> str:
    """Say which attributes of a line count, which are averaged and which do nothing."""
    if len(members) == 1 and members[0].required and any(members[0].name in f for f in read):
        return _value(stone, members[0], 1, words)  # as most lines are, and this is fast
    given = {a.name for a in members if getattr(stone, a.name) is not None}
    features = [{*names} - {"carat"} for names in read]
    used = {name for names in features if names <= given for name in names}
    missing = {name for names in features if not names <= given for name in names - given}
    parts = []
    if missing and len(members) == 1 and isinstance(members[0], Grade):
        parts.append(words.unsaid)
    elif missing and all(isinstance(ATTRIBUTES[name], Day) for name in missing):
        parts.append(words.today)
    elif missing:
        template = words.missing_some if used else words.missing
        parts.append(
            template.format(
                names=_labels(members, missing, words),
                cut=_usual(stone),
                carat=words.carats(stone.carat),
            )
        )
    if idle := given - used:
        template = words.idle_some if len(idle) > 1 else words.idle
        parts.append(template.format(names=_labels(members, idle, words)))
    known = ", ".join(_value(stone, a, len(members), words) for a in members if a.name in used)
    aside = "; ".join(parts)
    return f"{known} ({aside})" if known and aside else known or aside


def _usual(stone: Stone) -> str:
    """The cut, and the shape if given, that usual proportions depend on."""
    shape = stone.shape if stone.others else None
    if stone.cut == graded("cut").ungraded:
        return shape or ROUND
    return stone.cut if shape in (None, ROUND) else f"{shape} {stone.cut}"


def _labels(members: Sequence[Attribute], names: Set[str], words: Words) -> str:
    return ", ".join(words.attribute(a.name).lower() for a in members if a.name in names)


def _value(stone: Stone, attribute: Attribute, members: int, words: Words) -> str:
    """Write a value, with its attribute's label where a line has several."""
    value = getattr(stone, attribute.name)
    if isinstance(attribute, Measure):
        shown = attribute.shown(value)
        value = words.date(shown) if isinstance(attribute, Day) else words.number(shown)
    if members > 1:
        return f"{words.attribute(attribute.name).lower()} {value}"
    return str(value)
