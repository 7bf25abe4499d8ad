"""What is fixed before sales are counted: the terms, the bins, the groups of features.

Sums over sales add up only if they were taken over the same columns with the same weights.
A frame holds both: the terms of a *founding* model with the bins of each feature, and that
model's prices, from which each sale's weight follows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations_with_replacement, pairwise
from math import prod
from typing import NamedTuple

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError
from diamond_pricing.fitting.engine.tables import Features, grouped, taken
from diamond_pricing.model import PriceModel
from diamond_pricing.model.effects import Effects
from diamond_pricing.stones import ATTRIBUTES, LISTING, OTHERS, Grade, Stones
from diamond_pricing.stones.attributes import month_number
from diamond_pricing.stones.trade import graded
from diamond_pricing.terms import AnyBasis, Periods, Rows, Spline, Steps, Term, looked_up
from diamond_pricing.terms.expression import parse

KINDS = ("grade", "weight", "bands", "number", "months")
NODES = 128  # bins of a number besides the weight
HEAVIEST = 30.0  # carats of the last bin of weights
A_LITTLE = 1e-6  # hundredths of a carat: 0.29 · 100 is a little less than 29
MEDIAN = 0.7063866  # of the absolute value of Student's t with 8 degrees of freedom
LARGER = 32  # a table this many times as large is not counted instead of a smaller one …
SMALL = 200_000  # … unless it is small


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """The bins of one feature.

    By kind: in ``grade`` bin i holds grade i, and the last none where a stone may lack it; in
    ``weight`` it holds i hundredths of a carat and less than one more; ``bands`` are bins of
    ``weight`` joined; in ``number`` each holds the nearest of evenly spaced nodes; ``months``
    are parts of the calendar of ``step`` months each, from the month ``low``, which counts
    from the year 0.
    """

    values: Vector  # where the bases are evaluated for the sales of each bin, shape (m,)
    kind: str
    held: int = 1  # bins with stones in the sample that they were learned from
    low: float = 0.0  # first node of a number
    step: float = 1.0  # distance of its nodes
    # First bin of ``weight`` of each band but the first.
    starts: Integers = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.values)

    def codes(self, given: Vector) -> Integers:
        """Bin of each value of the feature, shape (n,)."""
        match self.kind:
            case "grade":
                return np.where(given < 0, len(self) - 1, given).astype(np.int64)
            case "weight":
                floor = np.floor(given * 100 + A_LITTLE)
                return floor.clip(0, len(self) - 1).astype(np.int64)
            case "number":
                node = np.floor((given - self.low) / self.step + 0.5)
                return node.clip(0, len(self) - 1).astype(np.int64)
            case "months":
                period = np.searchsorted(self.values, given, side="right") - 1
                return period.clip(0, len(self) - 1).astype(np.int64)
        raise AssertionError("bands are counted from the bins of the weight")


class Group(NamedTuple):
    """Terms over the same features, or over fewer of them."""

    features: Features
    terms: list[int]  # which terms


@dataclass(frozen=True, eq=False)
class Frame:
    """Terms and bins, and the model that weighs the sales."""

    terms: tuple[Term, ...]  # as a model document has them; the intercept first
    # By feature. Bands of the weight that are in a term of three are a feature of their own,
    # or its tables would have a cell for every weight; so are those in a term of dates.
    bins: dict[str, Bins]
    founding: PriceModel | None = None  # without one all sales weigh alike
    # Share of the stones that the founding model was fitted to, drawn by their number; its
    # errors on them tell nothing.
    seen: float = 0.0

    @classmethod
    def of(
        cls,
        terms: Sequence[Term],
        stones: Stones,
        founding: PriceModel | None = None,
        seen: float = 0.0,
    ) -> "Frame":
        """Learn bins from a sample of stones.

        Raises FitError for terms that depend on the order of the sides, or a founding model
        that cannot weigh sales.
        """
        _weighing(founding)
        bins: dict[str, Bins] = {}
        for term in terms:
            for basis in term.bases:
                for name in (basis.feature, feature_of(basis, term)):
                    if name not in bins:
                        bins[name] = _learned(name, basis, stones, bins)
        return cls(tuple(terms), bins, founding, seen)

    def check(self) -> None:
        """Refuse bins that do not fit the terms, as a file may hold; raises FitError."""
        _weighing(self.founding)
        bases = [(basis, term) for term in self.terms for basis in term.bases]
        names = {name for b, t in bases for name in (b.feature, feature_of(b, t))}
        sound = (
            names == set(self.bins)
            and all(b.kind in KINDS and len(b) and b.step > 0 for b in self.bins.values())
            and all(
                len(b) == len(_codes(name))
                for name, b in self.bins.items()
                if isinstance(ATTRIBUTES.get(name), Grade)
            )
        )
        if not sound:
            raise FitError("the bins of these sums do not fit their terms.")

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The largest sets of features that stand together in a term, with their terms."""
        features = [[feature_of(b, t) for b in t.bases] for t in self.terms]
        return tuple(Group(*of) for of in grouped(features).items())

    @property
    def columns(self) -> tuple[slice, ...]:
        """Where the columns of each term stand."""
        stops = np.cumsum([0, *(term.width for term in self.terms)]).tolist()
        return tuple(slice(a, b) for a, b in pairwise(stops))

    @property
    def p(self) -> int:
        """Number of columns."""
        return sum(term.width for term in self.terms)

    @property
    def coded(self) -> tuple[str, ...]:
        """Features that sales are counted by, bands of the weight left out."""
        return tuple(name for name, bins in self.bins.items() if bins.kind != "bands")

    def size(self, features: Features) -> int:
        """Number of cells over some features."""
        return prod(len(self.bins[f]) for f in features)

    def likely(self, features: Features) -> int:
        """About how many of them hold sales, were there ever so many."""
        return prod(
            self.bins[f].held
            for f in features
            if self.bins[f].kind != "bands" or "carat" not in features
        )

    def tables(self) -> dict[Features, list[tuple[int, int]]]:
        """The tables to count, and which pairs of groups each of them serves."""
        pairs: dict[Features, list[tuple[int, int]]] = {}
        for g, h in combinations_with_replacement(range(len(self.groups)), 2):
            union = tuple(sorted({*self.groups[g].features, *self.groups[h].features}))
            pairs.setdefault(union, []).append((g, h))
        served: dict[Features, list[tuple[int, int]]] = {}
        for union in sorted(pairs, key=lambda f: (-self.likely(f), f)):
            most = max(LARGER * self.likely(union), SMALL)
            wider = [f for f in served if set(union) <= set(f) and self.likely(f) <= most]
            at = min(wider, key=self.likely) if wider else union
            served.setdefault(at, []).extend(pairs[union])
        return served

    def cells(self, features: Features) -> dict[str, Integers]:
        """Bin of each feature in every cell over some features, the last fastest."""
        shape = [len(self.bins[f]) for f in features]
        index = np.unravel_index(np.arange(prod(shape)), shape)
        return dict(zip(features, index, strict=True))

    def placed(self, basis: AnyBasis, term: Term) -> Rows:
        """Rows of a basis at the bins of its feature; nothing for a grade without a level."""
        rows = basis.placed(self.bins[feature_of(basis, term)].values)
        seen = rows.position < basis.width
        return Rows(np.where(seen, rows.position, 0), np.where(seen, rows.weight, 0.0))

    def effects(self, effects: Effects) -> Iterator[tuple[Group, Vector, Vector]]:
        """For each group the log effects of its terms, of a model with these terms.

        In every cell, on its own list and on the blend; shape (cells,).
        """
        for group in self.groups:
            n, at = self.size(group.features), self.cells(group.features)
            listed, blended = np.zeros(n), np.zeros(n)
            for i in group.terms:
                term = self.terms[i]
                here, blind = [], []
                for basis in term.bases:
                    here.append(taken(self.placed(basis, term), at[feature_of(basis, term)]))
                    if basis.feature == LISTING.name:
                        mean = np.full((n, 1), basis.width)
                        blind.append(Rows(mean, np.ones((n, 1))))
                    else:
                        blind.append(here[-1])
                listed += looked_up(effects.tables[i], here, n)
                blended += looked_up(effects.tables[i], blind, n)
            yield group, listed, blended

    def scale(self) -> Vector:
        """Scale of the errors by band of the ranges, clarity, cut and color.

        Shape (bands, clarities, cuts, colors), log dollars: that of Student's t with the
        median of the founding model's held-out errors.
        """
        ranges = None if self.founding is None else self.founding.ranges
        assert ranges is not None
        known = ranges.clarities
        column = [known.index(g) if g in known else 0 for g in graded("clarity").grades]
        half = np.array(
            [[ranges.half(row[i], 0.5, "recorded") for i in column] for row in ranges.part]
        )
        cut, color = (
            np.array([ranges.difficulty.get(n, {}).get(g, 1.0) for g in graded(n).grades])
            for n in ("cut", "color")
        )
        scale: Vector = half[:, :, None, None] * cut[:, None] * color / MEDIAN
        return scale


def _weighing(founding: PriceModel | None) -> None:
    if founding is not None and (founding.markup is not None or founding.ranges is None):
        raise FitError(
            "sums over sales are weighed by a model of the family 'monotone' whose price "
            "lists were not paired; this one is of another kind."
        )


def _codes(name: str) -> Vector:
    """Codes of a grade by bin; the last is of no grade, where a stone may lack it."""
    codes = np.arange(len(graded(name).grades), dtype=float)
    return np.append(codes, -1.0) if ATTRIBUTES[name] in OTHERS.items else codes


def feature_of(basis: AnyBasis, term: Term) -> str:
    """The feature that a basis of a term is counted by."""
    dated = any(isinstance(other, Periods) for other in term.bases)
    if isinstance(basis, Steps) and (dated or len(term.bases) > 2):
        return f"carat in {len(basis.at) + 1} bands"
    return basis.feature


def weights(offset: float) -> Vector:
    """Weight that stands for each bin of hundredths, carats."""
    values: Vector = np.round(np.arange(int(HEAVIEST * 100) + 1) / 100 + offset, 6)
    return np.maximum(values, 0.005)  # no stone weighs nothing


def _learned(name: str, basis: AnyBasis, stones: Stones, bins: dict[str, Bins]) -> Bins:
    if isinstance(ATTRIBUTES.get(name), Grade):
        held = len(np.unique(stones[name]))
        return Bins(_codes(name), "grade", held)
    if name == "carat":
        hundredths = np.floor(stones["carat"] * 100 + A_LITTLE)
        # Where weights are given in thousandths, those of a bin are on average heavier.
        within = float((stones["carat"] * 100 - hundredths).mean().clip(0, 1))
        return Bins(weights(round(within / 100, 4)), "weight", len(np.unique(hundredths)))
    if isinstance(basis, Steps):
        starts = np.searchsorted(bins["carat"].values, np.array(basis.at))
        middles = (np.array([0.0, *basis.at]) + np.array([*basis.at, 2 * basis.at[-1]])) / 2
        return Bins(middles, "bands", len(middles), starts=starts)
    if isinstance(basis, Periods):
        first, second = (float(month_number(day)) for day in basis.starts[:2])
        opening: Vector = np.array(basis.starts[:-1], float)
        return Bins(opening, "months", basis.width, first, second - first)
    if not isinstance(basis, Spline):
        raise FitError(f"a term over {name} is not counted at scale; fit 'monotone'.")
    expression = parse(basis.expression)
    if expression.ordered:
        raise FitError(f"{name} depends on the order of length and width.")
    low, high = basis.knots[basis.degree], basis.knots[-basis.degree - 1]
    plain = Bins(
        np.linspace(low, high, NODES), "number", NODES, low, (high - low) / (NODES - 1)
    )
    values = expression.evaluate(stones.columns)
    values = values[np.isfinite(values)]
    code = plain.codes(values)
    count = np.bincount(code, minlength=NODES)
    mean = np.bincount(code, values, NODES) / np.maximum(count, 1)
    # The sales of a bin are on average elsewhere than at its middle.
    values = np.where(count > 0, mean, plain.values)
    return Bins(values, "number", int((count > 0).sum()), low, plain.step)
