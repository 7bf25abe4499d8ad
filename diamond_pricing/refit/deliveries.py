"""New files of the inbox: which there are, what is in them, and whether they can be true."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from errno import EFBIG
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from diamond_pricing.arrays import Flags, Vector
from diamond_pricing.errors import DiamondPricingError
from diamond_pricing.fitting import fit
from diamond_pricing.intake import (
    DUPLICATE,
    LARGEST,
    Intake,
    RejectedFileError,
    Source,
    SourceError,
    recorded_sales,
    take_in,
)
from diamond_pricing.model import PriceModel, packaged_model
from diamond_pricing.refit.days import within
from diamond_pricing.refit.gates import Gates
from diamond_pricing.refit.judgement import GROUP, Finding, at_most, reported, weight_bands
from diamond_pricing.registry import Store
from diamond_pricing.stones import GRADES, MEASURES, OTHERS, Stones
from diamond_pricing.stones.attributes import fold, iso, several
from diamond_pricing.stones.keys import KnownSales
from diamond_pricing.stones.stone import GROWN
from diamond_pricing.stones.trade import graded
from diamond_pricing.validation.drift import (
    Shift,
    kolmogorov_smirnov,
    population_stability,
    shift,
)

if TYPE_CHECKING:
    import pandas as pd

ALIKE = 0.9  # of the rows of a feed that brings nothing new
DEFAULT = "default"
USUAL_CUT = "Very Good"  # of the packaged sales, for a cut that they do not grade
WITHDRAWN = "withdrawn"
NEAR_DOLLARS = ("USD", "EUR", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD")
LEVEL_SHIFT = "level_shift"
MOST_MOVED = 3  # standard deviations that the market may have moved by
FEWEST = 200  # sales, old and new, from which the make-up of a source's is looked at


class Delivery(msgspec.Struct, frozen=True):
    """What the log keeps of a file.

    Its status is ``accepted``, ``held`` (its sales are kept but not used), ``rejected``, or
    ``withdrawn`` (the model that it led to was rolled back; as held, but for good).
    """

    file: str  # its name within the inbox
    source: str  # whose it is
    sha256: str  # of its content
    status: str = "accepted"
    reason: str = ""  # why it is held or rejected
    read: int = 0  # rows
    accepted: int = 0
    quarantined: int = 0
    relisted: int = 0  # rows of stones that were on sale before at another price
    faults: dict[str, int] = {}  # quarantined rows by the field at fault
    sales: str = ""  # where they stand in the home; empty for none
    again: str = ""  # the same of rows that the home had already, at the same price
    quarantine: str = ""
    settings: str = ""  # hash; with others, what was not accepted is read again


@dataclass(slots=True, eq=False)
class Arrival:
    """A file that is being looked at."""

    delivery: Delivery
    intake: Intake | None = None  # None when the file is rejected
    findings: list[Finding] = field(default_factory=list)
    # Log of the ratio of its source's prices to others'; None when that is yet to be fitted.
    level: float | None = 0.0
    later: Shift | None = None  # from the active model's prices, if it is of other days
    again: "pd.DataFrame | None" = None  # rows that the home has already, at the same price

    def become(self, status: str, reason: str = "") -> None:
        """Change what the log will say of it."""
        self.delivery = replace(self.delivery, status=status, reason=reason)

    @property
    def failed(self) -> list[Finding]:
        """The findings that stand against it."""
        return [f for f in self.findings if not f.passed]

    @property
    def nothing_new(self) -> bool:
        """Whether it lists again what the home has, as an unchanged feed does."""
        if self.intake is None or self.again is None or len(self.intake.sales):
            return False
        return len(self.again) >= ALIKE * self.intake.read


class Withdrawal(NamedTuple):
    """When a rollback withdrew a file, UTC, and the names that the file came under."""

    at: str
    names: frozenset[str]


def new_files(
    inbox: Path,
    seen: set[tuple[str, str]],
    withdrawn: Mapping[str, Withdrawal],
    tell: Callable[[str], None],
) -> list[tuple[str, str, bytes]]:
    """Name, source and content of the files whose content was not seen before, in order.

    ``seen`` holds hash and source of those that were; an empty source stands for any.
    ``withdrawn`` holds, by hash, what a rollback withdrew: put into the inbox afterwards and
    under another name it is sent anew.

    A file's source is the folder that it lies in, else ``default``. Names that begin with a
    dot, and files that are still called .part or .tmp, are left alone; those that cannot be
    read or are too large too, which is told.
    """
    found = []
    taken = {digest for digest, source in seen if not source} - set(withdrawn)
    for path in sorted(inbox.rglob("*")):
        name = path.relative_to(inbox)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        if path.suffix in (".part", ".tmp"):
            continue
        shown = printable(name.as_posix())
        try:
            if path.stat().st_size > LARGEST:
                raise OSError(EFBIG, "it is too large")
            data = path.read_bytes()
        except OSError as error:
            tell(f"{shown} is left alone: {error.strerror or 'it cannot be read'}.")
            continue
        digest = hashlib.sha256(data).hexdigest()
        source = name.parts[0] if len(name.parts) > 1 else DEFAULT
        fresh = (digest, source) not in seen
        if digest in withdrawn:
            gone = withdrawn[digest]
            # A copy that lay there already when it was withdrawn is not sent anew.
            late = datetime.fromisoformat(gone.at).timestamp() <= path.stat().st_ctime
            fresh = late and shown not in gone.names
            if not late and shown not in gone.names:
                tell(
                    f"{shown} is left alone: a rollback withdrew what it holds. If it is right "
                    "after all, put it into the inbox again under another name."
                )
        if fresh and digest not in taken:
            taken.add(digest)
            found.append((shown, source, data))
    return found


def printable(text: str) -> str:
    """Text without what would act on a terminal or cannot be written."""
    return "".join(c if c.isprintable() else "?" for c in text)[:500]


def arrived(name: str, source: str, data: bytes, store: Store, currency: str) -> Arrival:
    """Read one file by what its source declares."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        intake = take_in(name, data, declared(store, source), currency=currency)
    except (RejectedFileError, SourceError) as error:
        return Arrival(Delivery(name, source, digest, "rejected", printable(str(error))))
    return Arrival(Delivery(name, source, digest), intake)


def declared(store: Store, source: str) -> Source | None:
    """What a home says of a source; None when it says nothing."""
    try:
        names = store.names("sources")
        found = [n for n in names if n.casefold() == f"{source}.toml".casefold()]
        if not found:
            return None
        return Source.from_toml(store.read(f"sources/{found[0]}"))
    except FileNotFoundError:
        return None
    except SourceError as error:
        raise SourceError(f"sources/{source}.toml: {error}") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"a source cannot be called {source[:40]!r}.") from error


def sift(
    arrival: Arrival, known: KnownSales, champion: PriceModel | None, gates: Gates
) -> None:
    """Set aside what the home has and what cannot be right; reject what is empty then."""
    intake = arrival.intake
    if intake is None:
        return
    if len(intake.sales):
        intake = _without_known(arrival, intake, known)
    if len(intake.sales):
        intake = _screened(intake, arrival.level, champion, gates)
    arrival.intake = intake
    if len(intake.sales):
        return
    first = intake.quarantined[0]
    reason = f"none of its {intake.read:,} rows could be used; row {first.row}: {first.reason}."
    if arrival.nothing_new and arrival.again is not None:
        rows = several(intake.read, "row")
        reason = f"the home has {len(arrival.again):,} of its {rows} already."
    arrival.become("rejected", reason)


def _without_known(arrival: Arrival, intake: Intake, known: KnownSales) -> Intake:
    """Set aside sales that the home has already, and count stones that are listed again."""
    sales = recorded_sales(intake.sales)
    matched = np.array(known.matches(sales))
    new = [sale for sale, match in zip(sales, matched, strict=True) if not match]
    arrival.delivery = replace(arrival.delivery, relisted=sum(map(known.stone_known, new)))
    if matched.any():
        arrival.again = intake.sales[matched]
    rows, words = np.flatnonzero(matched), "the home has this very sale already"
    return intake.aside((int(i), DUPLICATE, words) for i in rows)


def _screened(
    intake: Intake, level: float | None, champion: PriceModel | None, gates: Gates
) -> Intake:
    """Set aside sales whose price no stone of this kind has, by the active model.

    Without one, by a log-linear fit to the delivery itself, around its median.
    """
    model, words = champion, "the active model's"
    if model is None:
        try:
            model, words = fit(intake.sales, "loglinear"), "what its other sales lead to expect"
        except DiamondPricingError:
            return intake  # too few or too odd to tell; the fit will say so
    _, residual = residuals(model, intake.sales)
    if champion is None or level is None:
        level = float(np.nanmedian(residual))
    rows = []
    for i in np.flatnonzero(np.abs(residual - level) > np.log(gates.outlier_factor)):
        times = float(np.exp(residual[i] - level))
        how = f"{times:.1f} times" if times > 1 else f"1/{1 / times:.1f} of"
        rows.append((int(i), "price", f"the price is {how} {words}"))
    return intake.aside(rows)


def residuals(model: PriceModel, sales: "pd.DataFrame") -> tuple[Stones, Vector]:
    """Log of price over the model's, as recorded; NaN for stones that it does not support.

    Sales of days that the model's sales do not cover are held against the nearest.
    """
    stones = Stones.from_frame(sales)
    residual = np.full(len(stones), np.nan)
    near = within(model, stones)
    rows = np.flatnonzero(model.supports(near))
    if len(rows):
        price = np.log(sales["price"].to_numpy()[rows])
        residual[rows] = price - model.log_price(near.take(rows), listing="recorded")
    return stones, residual


def doubts(
    arrival: Arrival,
    old: "pd.DataFrame | None",
    champion: PriceModel | None,
    anchor: PriceModel | None,
    gates: Gates,
) -> list[Finding]:
    """Hold what is left of a delivery against the active model, the anchor and old sales."""
    intake, name = arrival.intake, arrival.delivery.file
    assert intake is not None
    wrong = sum(q.field != DUPLICATE for q in intake.quarantined)
    says = f"{wrong:,} of {intake.read:,} rows of {name} were set aside as wrong"
    found = [at_most("quarantined", wrong / max(intake.read, 1), gates.most_quarantined, says)]
    if not len(intake.sales):
        return found
    for who, model, limit in (
        ("champion", champion, gates.level_shift),
        ("anchor", anchor, gates.level_shift_anchor),
    ):
        if model is None:
            continue
        stones, residual = residuals(model, intake.sales)
        known = ~np.isnan(residual)
        if who == "champion":
            says = f"stones of {name} are of kinds that the active model does not price"
            found.append(_unsupported(who, known, gates.most_unsupported, says))
        if known.sum() < GROUP:
            continue
        if arrival.level is None:
            found.append(_first_offset(arrival, shift("all", residual[known]), gates))
            break
        residual = residual - arrival.level
        level = shift("all", residual[known])
        moved = float(np.median(model.market_spread(stones)[known]))
        most = limit + 2 * level.error + MOST_MOVED * moved
        of = f" of {iso(model.last_day)}" if moved and model.last_day else ""
        says = (
            f"the prices of {name} lie {_percent(level)} from the {who}'s{of}, "
            f"allowed ±{100 * most:.1f} %"
        )
        passed = abs(level.median) <= most
        found.append(Finding(LEVEL_SHIFT, who, level.median, most, passed, says))
        if who == "champion":
            arrival.later = level if moved else None
            market = level.median if moved else 0.0
            found += _groups(name, stones, residual - market, gates)
    before = old
    if old is not None and "source" in old:
        before = old[old["source"] == arrival.delivery.source]
    if before is not None and min(len(before), len(intake.sales)) >= FEWEST:
        found += _make_up(name, before, intake.sales, gates)
    return found


def held_before(
    delivery: Delivery, sales: "pd.DataFrame", champion: PriceModel, gates: Gates
) -> Arrival:
    """What an earlier run holds, as far as its level may tell what the market did."""
    stones, residual = residuals(champion, sales)
    known, arrival = ~np.isnan(residual), Arrival(delivery)
    if known.sum() >= GROUP and np.median(champion.market_spread(stones)[known]) > 0:
        arrival.later = shift("all", residual[known])
        arrival.findings = _groups(
            delivery.file, stones, residual - arrival.later.median, gates
        )
    return arrival


def same_market(arrivals: Sequence[Arrival], gates: Gates, before: Sequence[Arrival]) -> None:
    """Tell what the market did from what one source did, where several sold in later days.

    What is held for its level alone is let in where another source has moved as far. What
    lies farther from the active model than another source, and from that one too, is held.
    What earlier runs hold, ``before``, confirms what comes, and is confirmed.
    """
    judged = [
        (a, a.later)
        for a in (*arrivals, *before)
        if a.later and all(f.gate == LEVEL_SHIFT for f in a.failed)
    ]
    for arrival, here in judged:
        source, file = arrival.delivery.source, arrival.delivery.file
        others = [(o.delivery, level) for o, level in judged if o.delivery.source != source]
        agree = [o for o, level in others if _apart(here, level) <= gates.level_shift]
        nearer = [(o, level) for o, level in others if abs(level.median) < abs(here.median)]
        if agree and arrival.delivery.status == "held":
            too = f"; those of {agree[0].file} do too"
            arrival.findings = [
                f if f.passed else replace(f, passed=True, says=f.says + too)
                for f in arrival.findings
            ]
            arrival.become("accepted")
        elif nearer and not agree and arrival.delivery.status == "accepted":
            other, level = nearer[0]
            finding = at_most(
                "other_source",
                min(_apart(here, level) for _, level in nearer),
                gates.level_shift,
                f"the prices of {file} lie {_percent(here)} from the champion's, those of "
                f"{other.file} of the same days {_percent(level)}",
                "champion",
            )
            arrival.findings.append(finding)
            if not finding.passed:
                arrival.become("held", f"{finding.says}.")


def _apart(one: Shift, other: Shift) -> float:
    """How far the prices of two deliveries surely lie apart, in log price."""
    return abs(one.median - other.median) - 2 * float(np.hypot(one.error, other.error))


def _percent(level: Shift) -> str:
    return f"{100 * np.expm1(level.median):+.1f} %"


def first_doubts(arrival: Arrival, currency: str, gates: Gates) -> list[Finding]:
    """Hold a home's first delivery against the packaged model: in carats, and whole amounts.

    Only in currencies whose unit is worth about as much as a dollar. Stones of other shapes
    are held against round ones; grown ones, which cost a fraction, are not compared.
    """
    intake, model = arrival.intake, packaged_model()
    if intake is None or currency not in NEAR_DOLLARS:
        return []
    sales = _as_packaged(intake.sales, model)
    if len(sales) < GROUP:
        return []
    _, residual = residuals(model, sales)
    known = ~np.isnan(residual)
    name = arrival.delivery.file
    says = (
        f"stones of {name} are of kinds that the packaged model does not price; "
        "are the weights in carats?"
    )
    found = [_unsupported("packaged", known, gates.most_unsupported_first, says)]
    if known.sum() >= GROUP:
        level = float(np.median(residual[known]))
        says = (
            f"the prices of {name} lie at {np.exp(level):.3g} times those of the packaged "
            "model of 2008; are unit, currency and decimal sign right?"
        )
        times = np.exp(abs(level))
        found.append(at_most("first_level", times, gates.first_level, says, "packaged"))
    return found


def _unsupported(who: str, known: Flags, limit: float, says: str) -> Finding:
    """How many stones a model does not price; of a few that says nothing."""
    strange = float(1 - known.mean())
    says = f"{int((~known).sum()):,} of {len(known):,} {says}"
    passed = strange <= limit or len(known) < GROUP
    return Finding("unsupported", who, strange, limit, passed, says)


def _as_packaged(sales: "pd.DataFrame", model: PriceModel) -> "pd.DataFrame":
    """Natural stones as the packaged sales describe them: round, and on their scale of cut."""
    cut, known = graded("cut"), model.training.grades["cut"]
    if "origin" in sales:
        sales = sales[sales["origin"] != GROWN]
    meant = {
        grade: next((g for g in cut.candidates.get(fold(grade), ()) if g in known), USUAL_CUT)
        for grade in cut.grades
        if grade not in known
    }
    further = [other.name for other in OTHERS if other.name in sales]
    return sales.drop(columns=further).assign(cut=sales["cut"].replace(meant))


def _first_offset(arrival: Arrival, level: Shift, gates: Gates) -> Finding:
    """Judge where a source's prices lie, when the offset is to be fitted for the first time."""
    most = gates.largest_offset
    says = (
        f"the prices of {arrival.delivery.source} lie {_percent(level)} from the active "
        f"model's, an offset of ±{100 * most:.0f} % is allowed"
    )
    return Finding("first_offset", "", level.median, most, abs(level.median) <= most, says)


def _groups(name: str, stones: Stones, residual: Vector, gates: Gates) -> list[Finding]:
    """The grade or weight band whose prices lie farthest off, beyond its own error."""
    known = ~np.isnan(residual)
    labels = {g.name: stones.labels(g.name) for g in GRADES}
    labels["weight"] = weight_bands(stones)
    groups = [
        (f"{attribute} {group}", known & (label == group))
        for attribute, label in labels.items()
        for group in np.unique(label[known])
    ]
    shifts = [shift(group, residual[of]) for group, of in groups if of.sum() >= GROUP]
    if not shifts:
        return []
    beyond, here = max(((abs(s.median) - 3 * s.error, s) for s in shifts), key=itemgetter(0))
    says = (
        f"of {name} the {here.n:,} sales of {here.group} lie {_percent(here)} from the "
        "champion's prices"
    )
    return [at_most("group_shift", beyond, gates.group_shift, says, "champion")]


def _make_up(  # against earlier sales of the same source: others may sell other stones
    name: str, old: "pd.DataFrame", new: "pd.DataFrame", gates: Gates
) -> list[Finding]:
    found = []
    for grade in GRADES:
        index = population_stability(*(f[grade.name].to_numpy(str) for f in (old, new)))
        says = (
            f"the make-up of {grade.name} in {name} differs from the old sales by a "
            f"stability index of {index:.2f}"
        )
        found.append(at_most("psi", index, gates.psi, says))
    for measure in MEASURES:
        before, now = (f[measure.name].dropna().to_numpy(np.float64) for f in (old, new))
        if min(len(before), len(now)) < FEWEST:
            continue
        distance = kolmogorov_smirnov(before, now)
        says = (
            f"{measure.label.lower()} in {name} differs from the old sales by a KS "
            f"distance of {distance:.2f}"
        )
        found.append(reported(f"ks_{measure.name}", distance, says))
    return found
