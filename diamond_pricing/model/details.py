"""The words, ranges and errors of an explanation, worked out when somebody asks."""

from collections.abc import Callable
from functools import cache
from math import exp
from operator import attrgetter
from typing import Any

import numpy as np
from msgspec import structs

from diamond_pricing.model.carried import widened
from diamond_pricing.model.effects import Placed
from diamond_pricing.model.explanation import REFERENCE
from diamond_pricing.model.like_sales import MOST_SALES
from diamond_pricing.model.notes import note
from diamond_pricing.model.support import BLEND, RECORDED, listed
from diamond_pricing.model.verdict import CAUTION, PRICED, Verdict
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import ATTRIBUTES, LIKE_LINE, LISTING, MAGIC_LINE, Stone, Stones
from diamond_pricing.stones.attributes import iso

NOTES = 20_000  # kept ready


@cache
def _read(line: str) -> Callable[[Stone], Any]:
    """What the note of a line depends on."""
    if line == LIKE_LINE:
        return attrgetter("carat", "cut", "color", "clarity", "depth", "table")
    if line in (MAGIC_LINE, REFERENCE):
        return attrgetter("carat")
    names = [a.name for a in ATTRIBUTES.values() if a.line == line and a.name != LISTING.name]
    if len(names) != 1:
        names += ["carat", "cut", "shape"]  # for averages
    return attrgetter(*names)


class StoneDetails:
    """Of the explanation of ``second`` from ``first``, each listed in its own way."""

    __slots__ = ("errors", "first", "listings", "log_price", "model", "second")

    def __init__(
        self,
        model: Any,
        first: Stone,
        second: Stone,
        listings: tuple[str, str],
        log_price: float,
    ) -> None:
        self.model, self.first, self.second, self.listings = model, first, second, listings
        self.log_price = log_price
        self.errors: dict[str, float] | None = None

    def note(self, name: str, words: Words = ENGLISH) -> str:
        """What a line compares."""
        if name == REFERENCE:
            return words.stone(self.first)
        if name == LIKE_LINE:
            (there, _), (here, many) = (
                self._alike(stone, how)
                for stone, how in zip((self.first, self.second), self.listings, strict=True)
            )
            count = f"{many}" if many < MOST_SALES else f"{MOST_SALES}+"
            ends = {"here": words.against(here), "there": words.against(there)}
            return words.alike.format(count=count, **ends)
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
        effects = self.model._effects
        read, marked = effects.features[name], self.model.markup is not None
        return note(
            name, self.first, self.second, self.listings, read, effects.magic, marked, words
        )

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
            there, here = (
                self._placed(stone, how)
                for stone, how in zip((self.first, self.second), self.listings, strict=True)
            )
            errors = self.model._effects.errors(here, there, self.model.factor).tolist()
            self.errors = {REFERENCE: 0.0} | dict(zip(self.model.lines, errors, strict=True))
            if LIKE_LINE in self.errors:
                ends = [
                    self._alike(stone, how)
                    for stone, how in zip((self.first, self.second), self.listings, strict=True)
                ]
                lean = self.model.like_sales.lean
                spread = sum(1 / (n + lean) for _, n in ends) * (ends[0] != ends[1])
                self.errors[LIKE_LINE] = self.model.residual_sd * spread**0.5
        return self.errors[name]

    def _alike(self, stone: Stone, listing: str) -> tuple[float, int]:
        """What sales like a stone fetched beyond, on its list, and how many they are."""
        likeness = self.model._likeness
        if listing == BLEND:
            return likeness.one(stone), likeness.count_one(stone)
        one = listed(Stones.of([stone]), listing, self.model.training)
        return float(likeness.of(one)[0]), int(likeness.count(one)[0])

    def _placed(self, stone: Stone, listing: str) -> list[Placed]:
        """A stone in the bases of the model; its own reference is placed once."""
        if stone is self.model.reference and listing == BLEND:
            usual: list[Placed] = self.model._reference_placed
            return usual
        one = listed(Stones.of([stone]), listing, self.model.training)
        placed: list[Placed] = self.model._effects.placed(one)
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
