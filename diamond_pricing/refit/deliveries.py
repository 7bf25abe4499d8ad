"""New files of the inbox: which there are, what is in them, and whether they can be true."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from diamond_pricing.arrays import Vector
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
from diamond_pricing.model import PriceModel
from diamond_pricing.model.packaged import packaged_model
from diamond_pricing.refit.days import within
from diamond_pricing.refit.gates import Gates
from diamond_pricing.refit.judgement import BAND_NAMES, BANDS, GROUP, TOLD, Finding
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
ENDINGS = (
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".json",
    ".jsonl",
    ".ndjson",
    ".xlsx",
    ".xlsm",
    ".xlsb",
    ".xls",
    ".ods",
    ".gz",
    ".zip",
)
NEAR_DOLLARS = ("USD", "EUR", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD")
LEVEL_SHIFT = "level_shift"
MOST_MOVED = 3  # standard deviations that the market may have moved by
FEWEST = 200  # sales, old and new, from which the make-up of a source's is looked at


class Delivery(msgspec.Struct, frozen=True):
    """What the log keeps of a file.

    Attributes
    ----------
    file, source : str
        Its name within the inbox; whose it is.
    sha256 : str
        Of its content.
    status : str
        ``accepted``, ``held`` (its sales are kept but not used), ``rejected``, or
        ``withdrawn`` (the model that it led to was rolled back; as held, but for good).
    reason : str
        Why it is held or rejected.
    read, accepted, quarantined, relisted : int
        Rows; those of stones that were on sale before at another price.
    faults : dict[str, int]
        Quarantined rows by the field at fault.
    sales, again, quarantine : str
        Where they stand in the home; empty for none. ``again`` are rows that the home had
        already, at the same price.
    settings : str
        Hash of the settings that it was read with; with others, what was not accepted is
        read again.
    """

    file: str
    source: str
    sha256: str
    status: str = "accepted"
    reason: str = ""
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    relisted: int = 0
    faults: dict[str, int] = {}
    sales: str = ""
    again: str = ""
    quarantine: str = ""
    settings: str = ""


@dataclass(slots=True, eq=False)
class Arrival:
    """A file that is being looked at.

    Attributes
    ----------
    delivery : Delivery
    intake : Intake or None
        None when the file is rejected.
    findings : list[Finding]
    level : float or None
        Log of the ratio of its source's prices to others'; None when that is to be fitted
        and was not yet.
    later : Shift or None
        Where its prices lie from the active model's, if its sales are of other days.
    again : DataFrame or None
        Rows that the home has already, at the same price.
    """

    delivery: Delivery
    intake: Intake | None = None
    findings: list[Finding] = field(default_factory=list)
    level: float | None = 0.0
    later: Shift | None = None
    again: "pd.DataFrame | None" = None

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


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """When a rollback withdrew a file, UTC, and the names that the file came under."""

    at: str
    names: frozenset[str]

    def before(self, moment: float) -> bool:
        """Whether it was before a moment, in seconds since 1970."""
        return datetime.fromisoformat(self.at).timestamp() <= moment


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
        try:
            if path.stat().st_size > LARGEST:
                tell(f"{printable(name.as_posix())} is left alone: it is too large.")
                continue
            data = path.read_bytes()
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            tell(f"{printable(name.as_posix())} is left alone: {reason}.")
            continue
        digest = hashlib.sha256(data).hexdigest()
        source = name.parts[0] if len(name.parts) > 1 else DEFAULT
        shown = printable(name.as_posix())
        if digest in withdrawn:
            gone = withdrawn[digest]
            # A copy that lay there already when it was withdrawn is not sent anew.
            late = gone.before(path.stat().st_ctime)
            if not late and shown not in gone.names:
                tell(
                    f"{shown} is left alone: a rollback withdrew what it holds. If it is right "
                    "after all, put it into the inbox again under another name."
                )
            fresh = late and shown not in gone.names
        else:
            fresh = (digest, source) not in seen
        if fresh and digest not in taken:
            taken.add(digest)
            found.append((shown, source, data))
    return found


def printable(text: str) -> str:
    """Text without what would act on a terminal or cannot be written."""
    return "".join(c if c.isprintable() else "?" for c in text)[:500]


def arrived(name: str, source: str, data: bytes, store: Store, currency: str) -> Arrival:
    """Read one file by what its source declares."""
    delivery = Delivery(name, source, hashlib.sha256(data).hexdigest())
    try:
        intake = take_in(name, data, declared(store, source), currency=currency)
    except (RejectedFileError, SourceError) as error:
        reason = printable(str(error))
        return Arrival(_replace(delivery, status="rejected", reason=reason))
    return Arrival(delivery, intake)


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


def without_known(arrival: Arrival, known: KnownSales) -> Arrival:
    """Set aside sales that the home has already, and count stones that are listed again."""
    if arrival.intake is None or not len(arrival.intake.sales):
        return arrival
    sales = recorded_sales(arrival.intake.sales)
    matched = known.matches(sales)
    rows = [
        (i, DUPLICATE, "the home has this very sale already")
        for i, match in enumerate(matched)
        if match
    ]
    again = sum(
        known.stone_known(sale) for sale, match in zip(sales, matched, strict=True) if not match
    )
    return replace(
        arrival,
        delivery=_replace(arrival.delivery, relisted=again),
        intake=arrival.intake.aside(rows),
        again=arrival.intake.sales[np.array(matched)] if any(matched) else None,
    )


def screened(arrival: Arrival, champion: PriceModel | None, gates: Gates) -> Arrival:
    """Set aside sales whose price no stone of this kind has, by the active model.

    Without one, by a log-linear fit to the delivery itself, around its median.
    """
    intake = arrival.intake
    if intake is None or not len(intake.sales):
        return arrival
    model, words = champion, "the active model's"
    if model is None:
        try:
            model, words = fit(intake.sales, "loglinear"), "what its other sales lead to expect"
        except DiamondPricingError:
            return arrival  # too few or too odd to tell; the fit will say so
    _, residual = residuals(model, intake.sales)
    level = arrival.level if champion is not None else None
    off = residual - (float(np.nanmedian(residual)) if level is None else level)
    limit = np.log(gates.outlier_factor)
    rows = []
    for i in np.flatnonzero(np.abs(off) > limit):
        times = float(np.exp(off[i]))
        how = f"{times:.1f} times" if times > 1 else f"1/{1 / times:.1f} of"
        rows.append((int(i), "price", f"the price is {how} {words}"))
    return replace(arrival, intake=intake.aside(rows))


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
    share = wrong / max(intake.read, 1)
    found = [
        Finding(
            "quarantined",
            "",
            share,
            gates.most_quarantined,
            share <= gates.most_quarantined,
            f"{wrong:,} of {intake.read:,} rows of {name} were set aside as wrong",
        )
    ]
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
            strange = float(1 - known.mean())
            found.append(
                Finding(
                    "unsupported",
                    who,
                    strange,
                    gates.most_unsupported,
                    strange <= gates.most_unsupported or len(known) < GROUP,
                    f"{int((~known).sum()):,} of {len(known):,} stones of {name} are of kinds "
                    "that the active model does not price",
                )
            )
        if known.sum() < GROUP:
            continue
        if arrival.level is None:
            found += [_first_level(arrival, shift("all", residual[known]), gates)]
            break
        residual = residual - arrival.level
        level = shift("all", residual[known])
        moved = float(np.median(model.market_spread(stones)[known]))
        most = limit + 2 * level.error + MOST_MOVED * moved
        of = f" of {iso(model.last_day)}" if moved and model.last_day else ""
        found.append(
            Finding(
                LEVEL_SHIFT,
                who,
                level.median,
                most,
                abs(level.median) <= most,
                f"the prices of {name} lie {100 * np.expm1(level.median):+.1f} % from the "
                f"{who}'s{of}, allowed ±{100 * most:.1f} %",
            )
        )
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


def same_market(
    arrivals: Sequence[Arrival], gates: Gates, before: Sequence[Arrival] = ()
) -> None:
    """Tell what the market did from what one source did, where several sold in later days.

    What is held for its level alone is let in where another source has moved as far. What
    lies farther from the active model than another source, and from that one too, is held.

    Parameters
    ----------
    before : Sequence[Arrival]
        What earlier runs hold; it confirms what comes, and is confirmed.
    """
    judged = [
        a
        for a in (*arrivals, *before)
        if a.later and all(f.gate == LEVEL_SHIFT for f in a.failed)
    ]
    for arrival in judged:
        others = [o for o in judged if o.delivery.source != arrival.delivery.source]
        agree = [o for o in others if _apart(arrival, o) <= gates.level_shift]
        nearer = [o for o in others if abs(_level(o)) < abs(_level(arrival))]
        if agree and arrival.delivery.status == "held":
            arrival.findings = [
                msgspec.structs.replace(
                    f,
                    passed=True,
                    says=f.says if f.passed else f"{f.says}; those of {_file(agree[0])} do too",
                )
                for f in arrival.findings
            ]
            arrival.delivery = _replace(arrival.delivery, status="accepted", reason="")
        elif nearer and not agree and arrival.delivery.status == "accepted":
            apart = min(_apart(arrival, o) for o in nearer)
            at = (f"{100 * np.expm1(_level(a)):+.1f} %" for a in (arrival, nearer[0]))
            finding = Finding(
                "other_source",
                "champion",
                apart,
                gates.level_shift,
                apart <= gates.level_shift,
                f"the prices of {_file(arrival)} lie {next(at)} from the champion's, those of "
                f"{_file(nearer[0])} of the same days {next(at)}",
            )
            arrival.findings.append(finding)
            if not finding.passed:
                arrival.delivery = _replace(
                    arrival.delivery, status="held", reason=f"{finding.says}."
                )


def _apart(one: Arrival, other: Arrival) -> float:
    """How far the prices of two deliveries surely lie apart, in log price."""
    assert one.later is not None
    assert other.later is not None
    error = np.hypot(one.later.error, other.later.error)
    return float(abs(_level(one) - _level(other)) - 2 * error)


def _level(arrival: Arrival) -> float:
    return 0.0 if arrival.later is None else float(arrival.later.median)


def _file(arrival: Arrival) -> str:
    return arrival.delivery.file


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
    strange = float(1 - known.mean())
    found = [
        Finding(
            "unsupported",
            "packaged",
            strange,
            gates.most_unsupported_first,
            strange <= gates.most_unsupported_first,
            f"{int((~known).sum()):,} of {len(known):,} stones of {name} are of kinds that the "
            "packaged model does not price; are the weights in carats?",
        )
    ]
    if known.sum() >= GROUP:
        level = float(np.median(residual[known]))
        times = float(np.exp(abs(level)))
        found.append(
            Finding(
                "first_level",
                "packaged",
                times,
                gates.first_level,
                times <= gates.first_level,
                f"the prices of {name} lie at {np.exp(level):.3g} times those of the packaged "
                "model of 2008; are unit, currency and decimal sign right?",
            )
        )
    return found


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


def _first_level(arrival: Arrival, level: Shift, gates: Gates) -> Finding:
    """Judge where a source's prices lie, when the offset is to be fitted for the first time."""
    return Finding(
        "first_offset",
        "",
        level.median,
        gates.largest_offset,
        abs(level.median) <= gates.largest_offset,
        f"the prices of {arrival.delivery.source} lie {100 * np.expm1(level.median):+.1f} % "
        f"from the active model's, an offset of ±{100 * gates.largest_offset:.0f} % is allowed",
    )


def _groups(name: str, stones: Stones, residual: Vector, gates: Gates) -> list[Finding]:
    """The grade or weight band whose prices lie farthest off, beyond its own error."""
    known = ~np.isnan(residual)
    labels = {g.name: stones.labels(g.name) for g in GRADES}
    labels["weight"] = BAND_NAMES[np.searchsorted(BANDS, stones["carat"], side="right")]
    worst = None
    for attribute, label in labels.items():
        for group in np.unique(label[known]):
            of = known & (label == group)
            if of.sum() >= GROUP:
                here = shift(f"{attribute} {group}", residual[of])
                beyond = abs(here.median) - 3 * here.error
                if worst is None or beyond > worst[0]:
                    worst = (beyond, here)
    if worst is None:
        return []
    beyond, here = worst
    return [
        Finding(
            "group_shift",
            "champion",
            beyond,
            gates.group_shift,
            beyond <= gates.group_shift,
            f"of {name} the {here.n:,} sales of {here.group} lie "
            f"{100 * np.expm1(here.median):+.1f} % from the champion's prices",
        )
    ]


def _make_up(  # against earlier sales of the same source: others may sell other stones
    name: str, old: "pd.DataFrame", new: "pd.DataFrame", gates: Gates
) -> list[Finding]:
    found = []
    for grade in GRADES:
        index = population_stability(
            old[grade.name].to_numpy(str), new[grade.name].to_numpy(str)
        )
        found.append(
            Finding(
                "psi",
                "",
                index,
                gates.psi,
                index <= gates.psi,
                f"the make-up of {grade.name} in {name} differs from the old sales by a "
                f"stability index of {index:.2f}",
            )
        )
    for measure in MEASURES:
        before, now = (f[measure.name].dropna().to_numpy(np.float64) for f in (old, new))
        if min(len(before), len(now)) < FEWEST:
            continue
        distance = kolmogorov_smirnov(before, now)
        found.append(
            Finding(
                f"ks_{measure.name}",
                "",
                distance,
                1.0,
                True,
                f"{measure.label.lower()} in {name} differs from the old sales by a KS "
                f"distance of {distance:.2f} {TOLD}",
            )
        )
    return found


def settled(arrival: Arrival) -> Arrival:
    """Reject a file of which nothing is left."""
    intake = arrival.intake
    if intake is None or len(intake.sales):
        return arrival
    first = intake.quarantined[0]
    reason = f"none of its {intake.read:,} rows could be used; row {first.row}: {first.reason}."
    if arrival.nothing_new:
        known = 0 if arrival.again is None else len(arrival.again)
        reason = f"the home has {known:,} of its {several(intake.read, 'row')} already."
    return replace(
        arrival, delivery=_replace(arrival.delivery, status="rejected", reason=reason)
    )


def _replace(delivery: Delivery, **changes: Any) -> Delivery:
    return msgspec.structs.replace(delivery, **changes)
