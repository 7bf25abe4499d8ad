"""A model made ready to explain stones one after another in microseconds.

Measured from a fixed reference stone and on the blend, the share of a line in a term is
again a function over the same bases. All such functions are added up beforehand: what is
left for a stone are a few looked-up numbers and, for each curve, one cubic. It gives what
`Effects.divided` gives, up to rounding in the fifteenth digit.
"""

from bisect import bisect_right
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.model.attribution import shares
from diamond_pricing.model.effects import Effects
from diamond_pricing.model.money import cent
from diamond_pricing.model.piecewise import (
    Curve,
    Intervals,
    NoPlanError,
    Sheet,
    cubics,
    edges_of,
    value_of,
)
from diamond_pricing.model.support import BLEND, Support, listed
from diamond_pricing.stones import ATTRIBUTES, GRADES, LISTING, MEASURES, Grade, Stone, Stones
from diamond_pricing.terms import Contrast, Levels, Rows, Slope, Spline, Steps, Term, parse

if TYPE_CHECKING:
    from diamond_pricing.model.price_model import PriceModel

NAMES = tuple(grade.name for grade in GRADES)
OF_EVERY_STONE: tuple[Grade, ...] = tuple(grade for grade in GRADES if grade.required)
SIZES = tuple(m.name for m in MEASURES if not m.required)
GRADED = ("cut", "color", "clarity")
HEAVIEST = 600  # hundredths of a carat that effects are kept ready for
CHUNK = 16_384  # stones at a time, so that what is worked on stays in the cache

Member = tuple[Term, dict[int, Matrix]]  # a term, and each line's effect over its rows


class Plan:
    """Effects of single stones on the blend, by line, from a fixed reference.

    Raises
    ------
    NoPlanError
        For a model with a term over two numbers, or over one that depends on the order of
        the sides; `Effects.divided` serves those.
    """

    def __init__(self, effects: Effects, reference: Stones) -> None:
        self.lines = effects.lines
        self.reference = self.marked = self.base = self.start = 0.0
        self.start_cents = self.listing = 0
        self.ranges: list[tuple[str, float, float]] = []
        self.grades: list[tuple[str, dict[str, int]]] = []
        self.support: Support | None = None
        self.near: Any = None
        self.nodes = [log(carat) for carat in effects.averages.carats]
        gathered: dict[tuple[str, tuple[str, ...]], list[tuple[Term, dict[int, Matrix]]]] = {}
        self.levels: dict[str, dict[str, int]] = {}
        for term, table in zip(effects.terms, effects.tables, strict=True):
            if not term.bases:
                continue  # the intercept moves no line
            by_line = self._by_line(effects, term, table, reference)
            feature, grades = self._kind(term)
            gathered.setdefault((feature, grades), []).append((term, by_line))
        features = dict.fromkeys(feature for feature, _ in gathered)
        self.curves = [
            self._curve(f, {g: t for (name, g), t in gathered.items() if name == f}, effects)
            for f in features
        ]
        self.cuts = {name: i for i, name in enumerate(effects.averages.cuts)}
        self.measured = [c for c in self.curves if any(s.means is not None for s in c.sheets)]
        self.weighed = [c for c in self.curves if c not in self.measured]
        self.bare = self._bare()
        self.weights: _AtHundredths | None = None

    @classmethod
    def of(cls, model: "PriceModel") -> "Plan | None":
        """Plan of a model from its own reference stone; None where there can be none."""
        reference = listed(Stones.of([model.reference]), BLEND, model.training)
        try:
            plan = cls(model._effects, reference)
        except NoPlanError:
            return None
        total, marked, _ = model._total(reference)
        plan.reference, plan.marked = float(total[0]), float(marked[0])
        plan.base = plan.reference - plan.marked
        with np.errstate(over="ignore"):  # inf is refused where it becomes money
            plan.start = float(np.exp(plan.reference))
        plan.start_cents = cent(plan.start)
        plan.listing = model.lines.index(LISTING.name) if LISTING.name in model.lines else -1
        training, read = model.training, model._effects.attributes
        plan.ranges = [
            (m.name, *training.ranges[m.name]) for m in MEASURES if m.name in read | {"carat"}
        ]
        plan.grades = [
            (g.name, training.grades[g.name]) for g in GRADES if g.required or g.name in read
        ]
        plan.support = model.support
        plan.near = None if model.support is None else model.support.around().tolist()
        return plan

    def plain(self, stone: Stone) -> bool:
        """Whether nothing about a stone could make the model refuse it."""
        for name, low, high in self.ranges:
            value = getattr(stone, name)
            if value is not None and not low <= value <= high:
                return False
        for name, seen in self.grades:
            value = getattr(stone, name)
            if value not in seen:
                return False
        if self.support is None or self.near is None:
            return True
        return bool(self.support.near_one(stone, self.near))

    def _by_line(
        self, effects: Effects, term: Term, table: Vector, reference: Stones
    ) -> dict[int, Matrix]:
        """Effect of each line over all rows of the bases, listing taken at the blend."""
        rows = [basis.rows(reference, effects.averages) for basis in term.bases]

        # The columns of a basis sum to 1, so that a constant is one too; a slope's do not,
        # and it gets a column of ones in front.
        slopes = [isinstance(basis, Slope) for basis in term.bases]
        whole = np.pad(table, [(int(slope), 0) for slope in slopes])

        def moved_to(moved: frozenset[str]) -> Matrix:
            part = whole
            for axis, (basis, row, slope) in enumerate(
                zip(term.bases, rows, slopes, strict=True)
            ):
                if basis.line not in moved:
                    fixed = _contracted(part, axis, Rows(row.position + slope, row.weight))
                    part = np.repeat(np.expand_dims(fixed, axis), whole.shape[axis], axis)
                    if slope:
                        part[(slice(None),) * axis + (1,)] = 0.0
            return part

        found = {}
        for line, effect in shares(term.lines, moved_to).items():
            blend = np.asarray(effect)
            for axis in reversed(range(len(term.bases))):
                if LISTING.name in term.bases[axis].attributes:
                    blend = np.take(blend, term.bases[axis].width, axis=axis)
            found[self.lines.index(line)] = blend
        return found

    @staticmethod
    def _kind(term: Term) -> tuple[str, tuple[str, ...]]:
        """Tell the number and the grades of a term."""
        numbers = [b for b in term.bases if not isinstance(b, Levels | Contrast)]
        if len(numbers) > 1 or any(LISTING.name in b.attributes for b in numbers):
            raise NoPlanError("a term over two numbers")
        levels = [b for b in term.bases if isinstance(b, Levels)]
        if any(not ATTRIBUTES[b.attribute].required for b in levels if b.attribute in NAMES):
            raise NoPlanError("a grade that a stone may lack")
        grades = tuple(b.attribute for b in levels if b.attribute in NAMES)
        if not numbers:
            return "", grades
        (number,) = numbers
        if isinstance(number, Steps):
            return "carat", grades
        expression = parse(number.expression)
        if expression.ordered or (isinstance(number, Spline) and number.degree > 3):
            raise NoPlanError("a number that depends on the order of the sides")
        return expression.text, grades

    def _curve(
        self, feature: str, members: dict[tuple[str, ...], list[Member]],
        effects: Effects,
    ) -> Curve:  # fmt: skip
        numbers = [
            b for terms in members.values() for term, _ in terms for b in term.bases
            if not isinstance(b, Levels | Contrast)
        ]  # fmt: skip
        edges = edges_of(numbers)
        sheets = []
        for grades, terms in _merged(members).items():
            lines = tuple(dict.fromkeys(line for _, by_line in terms for line in by_line))
            known: Any = 0.0
            means: Any = None
            for term, by_line in terms:
                for line, effect in by_line.items():
                    pieces, mean = cubics(term, effect, edges)
                    if grades and not _graded(term):  # the same for every grade
                        pieces = pieces[:, None, :]
                        mean = None if mean is None else mean[:, None]
                    at = np.arange(len(lines)) == lines.index(line)
                    known = known + pieces[..., None, :] * at[:, None]
                    if mean is not None:
                        means = (0.0 if means is None else means) + mean[..., None] * at
            for term, _ in terms:
                for basis in term.bases:
                    if isinstance(basis, Levels) and basis.attribute in NAMES:
                        seen = {name: i for i, name in enumerate(basis.levels)}
                        if self.levels.setdefault(basis.attribute, seen) != seen:
                            raise NoPlanError("levels in different orders")
            by_cut = None
            if means is not None:
                cells = (len(effects.averages.cuts), len(self.nodes))
                by_cut = np.reshape(means, (*cells, *means.shape[1:])).tolist()
            known = np.asarray(known)
            level = not known[..., 1:].any()
            # A line that no stone moves here (the price list, on the blend) is left out.
            moved = [j for j in range(len(lines)) if known[..., j, :].any() or _any(means, j)]
            known = known[..., moved, :]
            if by_cut is not None:
                by_cut = np.asarray(by_cut)[..., moved].tolist()
            kept = known[..., 0] if level else known
            used = tuple(lines[j] for j in moved)
            powers = np.moveaxis(known.reshape(-1, len(moved), 4), 0, 2)[:, : 1 if level else 4]
            columns = [[column.copy() for column in line] for line in powers]
            sheets.append(Sheet(grades, used, level, kept.tolist(), by_cut, columns))
        intervals = Intervals(np.array(edges)) if edges else None
        return Curve(feature, value_of(feature), edges, sheets, intervals)

    def effects(self, stone: Stone) -> list[float]:
        """Log effect of each line."""
        total = [0.0] * len(self.lines)
        place = {name: self.levels[name][getattr(stone, name)] for name in self.levels}
        curves = self.curves
        if stone.x is stone.y is stone.z is stone.depth is stone.table is None:
            curves = self.weighed
            self._averaged(self.bare, stone, place, total)
        for curve in curves:
            x = curve.value(stone)
            if x is None:
                self._averaged(curve.sheets, stone, place, total)
                continue
            edges = curve.edges
            if edges:
                i = bisect_right(edges, x) - 1
                i = 0 if i < 0 else min(i, len(edges) - 2)
                low = edges[i]
                u = (x - low) / (edges[i + 1] - low)
            else:
                i, u = 0, x
            for sheet in curve.sheets:
                pieces = sheet.known[i]
                for name in sheet.grades:
                    pieces = pieces[place[name]]
                if sheet.level:
                    for line, a in zip(sheet.lines, pieces):  # noqa: B905  hot
                        total[line] += a
                else:
                    for line, (a, b, c, d) in zip(sheet.lines, pieces):  # noqa: B905  hot
                        total[line] += a + u * (b + u * (c + u * d))
        return total

    def table(self, stones: Stones) -> Matrix:
        """Log effect of each line for n stones on the blend, shape (n, k)."""
        n = len(stones)
        place = {}
        for name, levels in self.levels.items():
            grade = ATTRIBUTES[name]
            assert isinstance(grade, Grade)
            of_code = np.array([*(levels.get(g, -1) for g in grade.grades), -1])
            place[name] = of_code[stones[name]]
        total = np.zeros((len(self.lines), n))
        for start in range(0, n, CHUNK):
            rows = slice(start, min(start + CHUNK, n))
            columns = {name: column[rows] for name, column in stones.columns.items()}
            some = {name: where[rows] for name, where in place.items()}
            part = total[:, rows]
            self._add_weighed(columns, some, part)
            # Stones without any measurement go the way that `effects` goes.
            bare = np.logical_and.reduce([np.isnan(columns[name]) for name in SIZES])
            if bare.any():
                at = slice(None) if bare.all() else np.flatnonzero(bare)
                self._add_means(self.bare, columns, some, part, at)
            if not bare.all():
                kept = ~bare
                whole = kept.all()
                if not whole:
                    columns = {name: column[kept] for name, column in columns.items()}
                    some = {name: where[kept] for name, where in some.items()}
                measured = part if whole else np.zeros((len(part), int(kept.sum())))
                for curve in self.measured:
                    self._add(curve, columns, some, measured)
                if not whole:
                    part[:, kept] += measured
        return total.T

    def _add_weighed(self, columns: Any, place: dict[str, Any], total: Matrix) -> None:
        """Add what depends on weight and grades alone.

        Most weights are recorded in hundredths of a carat: for those all curves over the
        weight are added up beforehand.
        """
        if self.weights is None:
            self.weights = _AtHundredths(self)
        whole = np.rint(columns["carat"] * 100)
        # A hair below a hundredth is below a weight that prices jump at.
        on = (columns["carat"] == whole / 100) & self.weights.held(whole)
        if on.all():
            self.weights.add(whole, place, total)
            return
        for few in (on, ~on):
            if few.any():
                part = np.zeros((len(total), int(few.sum())))
                graded = {name: where[few] for name, where in place.items()}
                if few is on:
                    self.weights.add(whole[few], graded, part)
                else:
                    weighed = {"carat": columns["carat"][few]}
                    for curve in self.weighed:
                        self._add(curve, weighed, graded, part)
                total[:, few] += part

    def _add(self, curve: Curve, columns: Any, place: dict[str, Any], total: Matrix) -> None:
        n = total.shape[1]
        missing = np.zeros(n, bool)
        if curve.feature == "":
            x = np.zeros(n)
        elif curve.feature == "carat":
            x = columns["carat"]
        else:
            x, missing = parse(curve.feature).known(columns)
        if missing.all():
            self._add_means(curve.sheets, columns, place, total, slice(None))
            return
        gone = missing.any()
        if gone:
            x = np.where(missing, 1.0, x)
        i, u = curve.intervals.of(x) if curve.intervals else (np.zeros(n, np.int64), x)
        for sheet in curve.sheets:
            at = i
            for name in sheet.grades:
                at = at * len(self.levels[name]) + place[name]
            for line, powers in zip(sheet.lines, sheet.columns, strict=True):
                effect = powers[-1].take(at)
                for column in powers[-2::-1]:
                    effect *= u
                    effect += column.take(at)
                total[line] += np.where(missing, 0.0, effect) if gone else effect
        if gone:
            self._add_means(curve.sheets, columns, place, total, np.flatnonzero(missing))

    def _add_means(
        self, sheets: list[Sheet], columns: Any, place: dict[str, Any], total: Matrix,
        rows: Any,
    ) -> None:  # fmt: skip
        nodes = np.array(self.nodes)
        at = np.interp(np.log(columns["carat"][rows]), nodes, np.arange(len(nodes)))
        i = np.minimum(at.astype(np.int64), max(len(nodes) - 2, 0))
        share = at - i
        j = np.minimum(i + 1, len(nodes) - 1)
        grade = ATTRIBUTES["cut"]
        assert isinstance(grade, Grade)
        cut = np.array([self.cuts.get(g, -1) for g in grade.grades])[columns["cut"][rows]]
        for sheet in sheets:
            means = np.asarray(sheet.means)
            grades = tuple(place[name][rows] for name in sheet.grades)
            low, high = means[(cut, i, *grades)], means[(cut, j, *grades)]
            for k, line in enumerate(sheet.lines):
                total[line, rows] += low[:, k] + share * (high[:, k] - low[:, k])

    def _bare(self) -> list[Sheet]:
        """What stands in for all measures at once: the means of all curves, added up."""
        added: dict[tuple[str, ...], tuple[tuple[int, ...], Any]] = {}
        every = tuple(range(len(self.lines)))
        for curve in self.measured:
            for sheet in curve.sheets:
                means = np.asarray(sheet.means)
                full = np.zeros((*means.shape[:-1], len(every)))
                full[..., list(sheet.lines)] = means
                before = added.get(sheet.grades, (every, 0.0))[1]
                added[sheet.grades] = (every, before + full)
        sheets = []
        for grades, (_, means) in added.items():
            used = tuple(np.flatnonzero(means.reshape(-1, len(every)).any(axis=0)).tolist())
            sheets.append(Sheet(grades, used, True, None, means[..., list(used)].tolist()))
        return sheets

    def _averaged(
        self, sheets: list[Sheet], stone: Stone, place: dict[str, int], total: list[float]
    ) -> None:
        nodes, at = self.nodes, log(stone.carat)
        i = min(max(bisect_right(nodes, at) - 1, 0), max(len(nodes) - 2, 0))
        j = min(i + 1, len(nodes) - 1)
        share = (at - nodes[i]) / (nodes[j] - nodes[i]) if j > i else 0.0
        share = min(max(share, 0.0), 1.0)
        cut = self.cuts[stone.cut]
        for sheet in sheets:
            low, high = sheet.means[cut][i], sheet.means[cut][j]
            for name in sheet.grades:
                low, high = low[place[name]], high[place[name]]
            for line, a, b in zip(sheet.lines, low, high):  # noqa: B905  hot
                total[line] += a + share * (b - a)


class _AtHundredths:
    """Effects of weight and grades at every hundredth of a carat, added up over all curves.

    One table over weight, color and clarity, one over weight and cut, and one over the three
    grades for what else depends on them; a table has a column for each line that it moves.
    """

    def __init__(self, plan: Plan) -> None:
        low, high = next((a, b) for name, a, b in plan.ranges if name == "carat")
        self.first, last = max(1, int(low * 100)), min(int(high * 100) + 1, HEAVIEST)
        count = max(0, last - self.first + 1)
        self.last = self.first + count - 1
        self.levels = {name: len(levels) for name, levels in plan.levels.items()}
        homes: dict[tuple[str, ...], list[Curve]] = {}
        for curve in plan.weighed if count else ():
            for sheet in curve.sheets:
                home: tuple[str, ...] = GRADED
                if set(sheet.grades) <= {"color", "clarity"}:
                    home = ("carat", "color", "clarity")
                elif set(sheet.grades) <= {"cut"}:
                    home = ("carat", "cut")
                elif curve.feature:
                    home = ("carat", *GRADED)
                alone = Curve(curve.feature, curve.value, curve.edges, [sheet], curve.intervals)
                homes.setdefault(home, []).append(alone)
        self.tables = [self._table(plan, home, curves, count) for home, curves in homes.items()]

    def _table(
        self, plan: Plan, home: tuple[str, ...], curves: list[Curve], count: int
    ) -> tuple[tuple[str, ...], list[tuple[int, Vector]]]:
        axes = [count if name == "carat" else self.levels.get(name, 1) for name in home]
        index = np.unravel_index(np.arange(int(np.prod(axes))), axes)
        place = dict(zip(home, index, strict=True))
        n = len(index[0])
        weights = place.get("carat", np.zeros(n, np.int64)) + self.first
        columns = {"carat": weights / 100}
        total = np.zeros((len(plan.lines), n))
        for curve in curves:
            plan._add(curve, columns, place, total)
        moved = [(line, total[line]) for line in range(len(total)) if total[line].any()]
        return home, moved

    def held(self, hundredths: Vector) -> NDArray[np.bool_]:
        """Which weights are in the tables, shape (n,)."""
        return (hundredths >= self.first) & (hundredths <= self.last)

    def add(self, hundredths: Vector, place: dict[str, Any], total: Matrix) -> None:
        """Add the effects of n stones, each of a weight that is held."""
        weight = hundredths.astype(np.int64) - self.first
        for home, moved in self.tables:
            at: Any = 0
            for name in home:
                code = weight if name == "carat" else place.get(name, 0)
                size = 1 if name == "carat" else self.levels.get(name, 1)
                at = at * size + code
            for line, column in moved:
                total[line] += column.take(at)


def _merged(
    members: dict[tuple[str, ...], list[Member]],
) -> dict[tuple[str, ...], list[Member]]:
    """Let terms without grades stand on the smallest sheet with one: one look-up fewer."""
    homes = [grades for grades in members if len(grades) == 1]
    if () not in members or not homes:
        return members
    merged = {grades: list(terms) for grades, terms in members.items() if grades}
    merged[homes[-1]] += members[()]
    return merged


def _graded(term: Term) -> bool:
    return any(isinstance(b, Levels) and b.attribute in NAMES for b in term.bases)


def _any(means: Any, line: int) -> bool:
    return means is not None and bool(means[..., line].any())


def _contracted(table: Matrix, axis: int, rows: Rows) -> Matrix:
    """Weigh the rows of one axis as those of a single stone."""
    total: Matrix = np.zeros(table.shape[:axis] + table.shape[axis + 1 :])
    for i, w in zip(rows.position[0].tolist(), rows.weight[0].tolist(), strict=True):
        total = total + w * np.take(table, i, axis=axis)
    return total
