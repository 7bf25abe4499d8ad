"""One run: new files → checked sales → candidate → decision → one entry of the log.

Everything is written before the entry that names it; the entry is the moment at which the
run has happened. A run that dies earlier leaves nothing that anybody reads.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec.structs import replace

from diamond_pricing import __version__
from diamond_pricing.errors import DiamondPricingError, FitError
from diamond_pricing.fitting import DEFAULT, Sales, fit
from diamond_pricing.intake import FITTED, Source, recorded_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.refit import home as homes
from diamond_pricing.refit import record as records
from diamond_pricing.refit.days import within
from diamond_pricing.refit.deliveries import (
    WITHDRAWN,
    Arrival,
    Delivery,
    arrived,
    doubts,
    first_doubts,
    held_before,
    new_files,
    same_market,
    sift,
)
from diamond_pricing.refit.judgement import Decision, Evaluation, Finding, by_source, judge
from diamond_pricing.refit.ledger import Ledger, ledger
from diamond_pricing.refit.offsets import Offset, fitted_offsets, taken_off
from diamond_pricing.refit.record import KEPT, NOTHING, PROMOTED, REJECTED
from diamond_pricing.refit.sealed import sealed
from diamond_pricing.registry import Entry, Registry, Store, published
from diamond_pricing.stones import Stones
from diamond_pricing.stones.keys import KnownSales

if TYPE_CHECKING:
    import pandas as pd

FEWEST_FROZEN = 20  # sales


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run came to.

    Attributes
    ----------
    verdict : str
        ``promoted``, ``kept``, ``nothing new`` or ``data rejected``.
    says : str
        One paragraph.
    record : dict
        Everything that the decision rests on; empty when there was nothing new.
    entry : Entry or None
        Of the log; None when nothing was written.
    """

    verdict: str
    says: str
    record: dict[str, Any]
    entry: Entry | None = None


def refit(
    inbox: Path,
    store: Store,
    *,
    at: str,
    by: str,
    dry_run: bool = False,
    force: str = "",
    hold: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Take new files in, refit, judge, and promote or keep.

    Parameters
    ----------
    at, by : str
        When and who, for the log.
    dry_run : bool
        Decide, and write nothing.
    force : str
        A reason to promote in spite of the gates; held deliveries of earlier runs are taken
        in too. What no reason helps against: a fit that fails, or no proof of the shape.
    hold : Sequence[str]
        Files that stay held all the same, as the log names them.

    Raises
    ------
    BusyError
        When another run is under way.
    """
    root = getattr(store, "root", None)
    if root is not None and root.resolve().is_relative_to(inbox.resolve()):
        raise FitError(f"the home {root} lies in the inbox; keep them apart.")
    if not inbox.is_dir():
        raise FileNotFoundError(2, "there is no such inbox", str(inbox))
    with nullcontext() if dry_run else store.writing(wait=False):
        return _Run(inbox, store, at, by, force.strip(), hold, tell, not dry_run).decide()


@dataclass
class _Run:
    """One run's view of its home, read once, and what it comes to."""

    inbox: Path
    store: Store
    at: str
    by: str
    force: str
    hold: Sequence[str]
    tell: Callable[[str], None]
    write: bool

    def __post_init__(self) -> None:
        self.registry = Registry(self.store)
        self.home, self.gates = homes.home_of(self.store), homes.gates_of(self.store)
        self.entries = self.registry.entries()
        self.last = self.entries[-1] if self.entries else None
        self.offsets_before = homes.offsets_of(self.entries)
        self.candidate: PriceModel | None = None
        self.moves: Ledger | None = None
        self.numbers: dict[str, Any] = {}
        self.offsets: list[Offset] = []

    def decide(self) -> Outcome:
        """Take in, fit, judge; and write what came of it."""
        known = homes.deliveries_of(self.entries)
        settings = homes.settings_hash(self.store)
        seen = {
            (d.sha256, "" if d.status in ("accepted", WITHDRAWN) else d.source)
            for d in known.values()
            if d.status in ("accepted", WITHDRAWN) or d.settings == settings
        }
        files = new_files(self.inbox, seen, homes.withdrawals_of(self.entries), self.tell)
        again = {sha256(data).hexdigest() for _, _, data in files}
        waiting = [
            d
            for d in known.values()
            if d.status == "held" and d.sha256 not in again and d.file not in self.hold
        ]
        self.held = waiting if self.force else []
        if not files and not self.held:
            return Outcome(NOTHING, f"Nothing new in {self.inbox}.", {})
        last = self.last
        self.champion = self.registry.model(last.active) if last and last.active else None
        self.anchor = self.registry.model(last.anchor) if last and last.anchor else None
        self._same_currency()
        self.stock = homes.stock_of(self.store)  # before the fit: it may be wrong
        accepted = [d for d in known.values() if d.status == "accepted"]
        old = homes.stored_sales(self.store, accepted)
        self.arrivals = self._arrivals(files, old, settings)
        if not self.force:
            self.held = self._confirmed(waiting)
        self.findings = [finding for arrival in self.arrivals for finding in arrival.findings]
        good = [a for a in self.arrivals if a.delivery.status == "accepted"]
        if good or self.held:
            return self._close(self._judged(good, old))
        return self._close(NOTHING if all(a.nothing_new for a in self.arrivals) else REJECTED)

    def _same_currency(self) -> None:
        """Refuse to call the amounts that a home has already by another name."""
        for model in (self.champion, self.anchor):
            if model is not None and model.training.currency != self.home.currency:
                raise FitError(
                    f"home.toml says {self.home.currency}, but the sales and models of this "
                    f"home are in {model.training.currency}; begin another home."
                )

    def _arrivals(
        self, files: list[tuple[str, str, bytes]], old: "pd.DataFrame | None", settings: str
    ) -> list[Arrival]:
        """Read and look at each file; what is taken of one is known to the next."""
        known = KnownSales()
        if old is not None:
            known.add(recorded_sales(old))
        arrivals = []
        for name, source, data in files:
            self.tell(f"Reading {name} …")
            arrival = arrived(name, source, data, self.store, self.home.currency)
            arrival.level = self._level(source) if arrival.intake is not None else 0.0
            sift(arrival, known, self.champion, self.gates)
            if arrival.delivery.status != "rejected":
                arrival.findings = doubts(arrival, old, self.champion, self.anchor, self.gates)
                if self.champion is None:
                    arrival.findings += first_doubts(arrival, self.home.currency, self.gates)
                failed = [f.says for f in arrival.failed]
                if failed and (not self.force or name in self.hold):
                    arrival.become("held", "; ".join(failed) + ".")
            arrival.delivery = replace(arrival.delivery, settings=settings)
            if arrival.delivery.status == "accepted" and arrival.intake is not None:
                known.add(recorded_sales(arrival.intake.sales))
            arrivals.append(arrival)
        return arrivals

    def _confirmed(self, waiting: list[Delivery]) -> list[Delivery]:
        """Tell the market from a source, by what is held from earlier runs too."""
        known = []
        if self.champion is not None and any(a.later for a in self.arrivals):
            for delivery in filter(attrgetter("sales"), waiting):
                sales = homes.checked(self.store, delivery.sales)
                known.append(held_before(delivery, sales, self.champion, self.gates))
        same_market(self.arrivals, self.gates, known)
        return [a.delivery for a in known if a.delivery.status == "accepted"]

    def _level(self, source: str) -> float | None:
        """Log of what a source's prices are divided by; None when that is yet to be fitted."""
        declared = homes.declared_sources(self.store, [source]).get(source, Source())
        if declared.offset != FITTED:
            return float(np.log(declared.offset))
        found = self.offsets_before.get(source)
        return found.log if found else None

    def _judged(self, good: list[Arrival], old: "pd.DataFrame | None") -> str:
        """Fit to all sales that count and judge the fit; give the verdict."""
        new = [a.intake.sales.assign(source=a.delivery.source) for a in good if a.intake]
        held = homes.stored_sales(self.store, self.held)
        sales = homes.once([part for part in (old, held, *new) if part is not None])
        frozen = homes.held_out(sales)
        self.numbers = {"trained_on": int((~frozen).sum()), "judged_on": int(frozen.sum())}
        self.tell(f"Fitting {self.home.family} to {self.numbers['trained_on']:,} sales …")
        try:
            sources = homes.declared_sources(self.store, sales["source"])
            fitted = [name for name, source in sources.items() if source.offset == FITTED]
            self.offsets = fitted_offsets(sales[~frozen], fitted, self.champion)
            found = {offset.source: offset for offset in self.offsets}
            sales = sales.assign(price=taken_off(sales, sources, found))
            candidate = fit(
                sales[~frozen],
                self.home.family,
                currency=self.home.currency,
                effective=self.home.effective,
            )
            left_out = candidate.training.left_out
            self.numbers |= {
                "trained_on": candidate.training.rows,
                "not_used": sum(left_out.values()),
                "not_used_for": ", ".join(f"{why} {n:,}" for why, n in left_out.items()),
            }
            decision = self._decision(candidate, sales[frozen], sales[~frozen])
        except DiamondPricingError as error:
            if self.champion is None and not isinstance(error, FitError):
                raise
            finding = Finding("fit", "", 0.0, 1.0, False, f"the fit failed: {error}")
            self.findings.append(finding)
            return self._kept(good, [finding])
        self.findings += decision.findings
        self.candidate = candidate
        sure = all(f.passed for f in decision.findings if f.gate == "certificate")
        if not decision.promote and not (self.force and sure):
            return self._kept(good, decision.failed)
        if self.champion is not None:
            self.tell("Comparing the prices of all stones …")
            stones = homes.stones_compared(self.store, lambda: sales)
            self.moves = ledger(self.champion, candidate, stones)
        return PROMOTED

    def _kept(self, good: list[Arrival], failed: Sequence[Finding]) -> str:
        """Hold what came in with a candidate that is not let in; give the verdict."""
        for arrival in good:
            arrival.become("held", "; ".join(f.says for f in failed) + ".")
        return KEPT

    def _decision(
        self, candidate: PriceModel, frozen: "pd.DataFrame", rest: "pd.DataFrame"
    ) -> Decision:
        """Judge on the frozen sales that every one of the models supports.

        A home's first sales may be too few for that; the fits without each fold of them are
        judged then.
        """
        stones = Stones.from_frame(frozen)
        models = [m for m in (candidate, self.champion, self.anchor) if m is not None]
        rows = np.flatnonzero(np.all([m.supports(within(m, stones)) for m in models], axis=0))
        if len(rows) < FEWEST_FROZEN and len(models) == 1 and candidate.family == DEFAULT:
            from diamond_pricing.fitting.monotone import fit_held_out

            held = fit_held_out(rest, self.home.currency, self.home.effective)[1]
            found = Evaluation.cross_fitted(candidate, held)
            self.numbers["cross_fitted"] = len(found.price)
            return judge(found, None, None, self.gates)
        if len(rows) < FEWEST_FROZEN:
            raise FitError(
                f"only {len(rows)} sales are held out to judge by; at least {FEWEST_FROZEN} "
                f"are needed, as {FEWEST_FROZEN * homes.FROZEN} sales have. Bring more sales."
            )
        price = frozen["price"].to_numpy(float)[rows]
        sales = Sales(stones.take(rows), price, self.home.currency, self.home.effective)
        first, *others = (Evaluation.of(m, sales) for m in models)
        before = others[0] if self.champion is not None else None
        pinned = others[-1] if self.anchor is not None else None
        decision = judge(first, before, pinned, self.gates)
        noted = by_source(first, frozen["source"].to_numpy(str)[rows])
        return Decision(decision.promote, (*decision.findings, *noted))

    def _close(self, verdict: str) -> Outcome:
        """Write everything, the entry last."""
        last, candidate = self.last, self.candidate
        new = candidate if verdict == PROMOTED else None
        files: dict[str, bytes] = {}
        deliveries = [records.counted(a, files) for a in self.arrivals]
        if new is not None:
            deliveries += [replace(d, status="accepted") for d in self.held]
        record: dict[str, Any] = {
            "verdict": verdict,
            "deliveries": msgspec.to_builtins(deliveries),
            "findings": msgspec.to_builtins(self.findings),
            "offsets": msgspec.to_builtins(self.offsets),
            "gates": msgspec.to_builtins(self.gates),
            "home": msgspec.to_builtins(self.home),
            "champion": last.active if last else "",
            "anchor": last.anchor if last else "",
            "candidate": candidate.sha256 if candidate else "",
            "forced": self.force,
            "version": __version__,
            **self.numbers,
        }
        if self.moves is not None:
            record["ledger"] = records.keep(files, "ledgers", self.moves.to_csv(), ".csv")
            record["movers"] = self.moves.movers()
        if self.champion is not None:
            text = sealed(self.champion, self.arrivals, self.stock, self.at)
            record["sealed"] = records.keep(files, "sealed", text, ".csv")
        record["says"] = records.paragraph(
            verdict,
            deliveries,
            self.findings,
            self.moves,
            self.force,
            self.numbers,
            self.offsets,
        )
        if not self.write:
            return Outcome(verdict, record["says"], record)
        body = msgspec.json.format(msgspec.json.encode(record, order="deterministic"), indent=1)
        key = records.keep(files, "records", body, ".json")
        for name, data in files.items():
            self.store.put(name, data)
        if candidate is not None:
            self.registry.add(candidate)
        details = {"verdict": verdict, "record": key, "deliveries": record["deliveries"]}
        if "sealed" in record:
            details["sealed"] = record["sealed"]
        active = anchor = None
        if new is not None:
            active = new.sha256
            anchor = None if last and last.anchor else active
            details["offsets"] = record["offsets"]
            details["published"] = records.to_publish(published(self.entries), new)
        entry = self.registry.append(
            "refit",
            at=self.at,
            by=self.by,
            reason=self.force or record["says"],
            after=last.number if last else 0,
            active=active,
            anchor=anchor,
            details=details,
        )
        return Outcome(verdict, record["says"], record, entry)
