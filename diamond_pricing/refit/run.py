"""One run: new files → checked sales → candidate → decision → one entry of the log.

Everything is written before the entry that names it; the entry is the moment at which the
run has happened. A run that dies earlier leaves nothing that anybody reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from diamond_pricing import __version__
from diamond_pricing.errors import DiamondPricingError, FitError
from diamond_pricing.fitting import DEFAULT, Sales, fit
from diamond_pricing.intake import FITTED, Source, recorded_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.refit import home as homes
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
    screened,
    settled,
    without_known,
)
from diamond_pricing.refit.judgement import (
    Decision,
    Evaluation,
    Finding,
    judge,
    residuals_by_source,
)
from diamond_pricing.refit.ledger import Ledger, ledger
from diamond_pricing.refit.offsets import Offset, fitted_offsets, taken_off
from diamond_pricing.refit.published import to_publish
from diamond_pricing.refit.record import KEPT, NOTHING, PROMOTED, REJECTED, counted, paragraph
from diamond_pricing.refit.sealed import sealed
from diamond_pricing.registry import Entry, Registry, Store, published
from diamond_pricing.registry.registry import content_key
from diamond_pricing.stones import Stones
from diamond_pricing.stones.keys import KnownSales

if TYPE_CHECKING:
    import pandas as pd

FEWEST_FROZEN = 20  # sales

Tell = Callable[[str], None]


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
    tell: Tell = lambda _: None,
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
    if dry_run:
        return _Run(inbox, store, at, by, force, hold, tell).decide(write=False)
    with store.writing(wait=False):
        return _Run(inbox, store, at, by, force, hold, tell).decide(write=True)


class _Run:
    """One run's view of its home, read once."""

    def __init__(
        self,
        inbox: Path,
        store: Store,
        at: str,
        by: str,
        force: str,
        hold: Sequence[str],
        tell: Tell,
    ) -> None:
        self.hold = frozenset(hold)
        self.inbox, self.store, self.at, self.by = inbox, store, at, by
        self.force, self.tell = force.strip(), tell
        self.registry = Registry(store)
        self.home, self.gates = homes.home_of(store), homes.gates_of(store)
        self.entries = self.registry.entries()
        self.last = self.entries[-1] if self.entries else None
        self.offsets = homes.offsets_of(self.entries)

    def decide(self, *, write: bool) -> Outcome:
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
        held = waiting if self.force else []
        if not files and not held:
            return Outcome(NOTHING, f"Nothing new in {self.inbox}.", {})
        last = self.last
        self.champion = self.registry.model(last.active) if last and last.active else None
        self.anchor = self.registry.model(last.anchor) if last and last.anchor else None
        self._same_currency()
        self.stock = homes.stock_of(self.store)  # before the fit: it may be wrong
        accepted = [d for d in known.values() if d.status == "accepted"]
        old = homes.stored_sales(self.store, accepted)
        arrivals = self._arrivals(files, old, settings)
        if not self.force:
            held = self._confirmed(arrivals, waiting)
        findings = [finding for arrival in arrivals for finding in arrival.findings]
        good = [a for a in arrivals if a.delivery.status == "accepted"]
        if not good and not held:
            verdict = NOTHING if all(a.nothing_new for a in arrivals) else REJECTED
            return self._close(verdict, arrivals, held, findings, write=write)
        return self._judged(arrivals, good, held, findings, old, write)

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
            arrival = screened(without_known(arrival, known), self.champion, self.gates)
            arrival = settled(arrival)
            status, reason = arrival.delivery.status, arrival.delivery.reason
            if status != "rejected":
                arrival.findings = doubts(arrival, old, self.champion, self.anchor, self.gates)
                if self.champion is None:
                    arrival.findings += first_doubts(arrival, self.home.currency, self.gates)
                failed = [f.says for f in arrival.failed]
                if failed and (not self.force or name in self.hold):
                    status, reason = "held", "; ".join(failed) + "."
            arrival.delivery = msgspec.structs.replace(
                arrival.delivery, settings=settings, status=status, reason=reason
            )
            if status == "accepted" and arrival.intake is not None:
                known.add(recorded_sales(arrival.intake.sales))
            arrivals.append(arrival)
        return arrivals

    def _confirmed(self, arrivals: list[Arrival], waiting: list[Delivery]) -> list[Delivery]:
        """Tell the market from a source, by what is held from earlier runs too."""
        known = [
            held_before(
                delivery, homes.checked(self.store, delivery.sales), self.champion, self.gates
            )
            for delivery in waiting
            if self.champion is not None and delivery.sales and any(a.later for a in arrivals)
        ]
        same_market(arrivals, self.gates, known)
        return [a.delivery for a in known if a.delivery.status == "accepted"]

    def _level(self, source: str) -> float | None:
        """Log of what a source's prices are divided by; None when that is yet to be fitted."""
        declared = homes.declared_sources(self.store, [source]).get(source, Source())
        if declared.offset != FITTED:
            return float(np.log(declared.offset))
        return self.offsets[source].log if source in self.offsets else None

    def _judged(
        self,
        arrivals: list[Arrival],
        good: list[Arrival],
        held: list[Delivery],
        findings: list[Finding],
        old: "pd.DataFrame | None",
        write: bool,
    ) -> Outcome:

        new = [a.intake.sales.assign(source=a.delivery.source) for a in good if a.intake]
        parts = [p for p in (old, homes.stored_sales(self.store, held), *new) if p is not None]
        sales = homes.once(parts)
        frozen = homes.held_out(sales)
        numbers: dict[str, Any] = {
            "trained_on": int((~frozen).sum()),
            "judged_on": int(frozen.sum()),
        }
        self.tell(f"Fitting {self.home.family} to {numbers['trained_on']:,} sales …")
        candidate, offsets = None, []
        try:
            sources = homes.declared_sources(self.store, sales["source"])
            fitted = [name for name, source in sources.items() if source.offset == FITTED]
            offsets = fitted_offsets(sales[~frozen], fitted, self.champion)
            found = {offset.source: offset for offset in offsets}
            sales = sales.assign(price=taken_off(sales, sources, found))
            candidate = fit(
                sales[~frozen],
                self.home.family,
                currency=self.home.currency,
                effective=self.home.effective,
            )
            left_out = candidate.training.left_out
            numbers |= {
                "trained_on": candidate.training.rows,
                "not_used": sum(left_out.values()),
                "not_used_for": ", ".join(f"{why} {n:,}" for why, n in left_out.items()),
            }
            decision = self._decision(candidate, sales[frozen], sales[~frozen], numbers)
        except DiamondPricingError as error:
            if self.champion is None and not isinstance(error, FitError):
                raise
            finding = Finding("fit", "", 0.0, 1.0, False, f"the fit failed: {error}")
            decision, candidate = Decision(False, (finding,)), None
        sure = all(f.passed for f in decision.findings if f.gate in ("certificate", "fit"))
        promote = decision.promote or (bool(self.force) and sure)
        if not promote:
            reason = "; ".join(f.says for f in decision.failed) + "."
            for arrival in good:
                arrival.delivery = msgspec.structs.replace(
                    arrival.delivery, status="held", reason=reason
                )
        moves = None
        if promote and self.champion is not None and candidate is not None:
            self.tell("Comparing the prices of all stones …")
            stones = homes.stones_compared(self.store, lambda: sales)
            moves = ledger(self.champion, candidate, stones)
        return self._close(
            PROMOTED if promote else KEPT,
            arrivals,
            held,
            [*findings, *decision.findings],
            candidate,
            moves,
            numbers,
            offsets,
            write=write,
        )

    def _decision(
        self,
        candidate: PriceModel,
        frozen: "pd.DataFrame",
        rest: "pd.DataFrame",
        numbers: dict[str, Any],
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
            numbers["cross_fitted"] = len(found.price)
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
        told = residuals_by_source(first, frozen["source"].to_numpy(str)[rows])
        return Decision(decision.promote, (*decision.findings, *told))

    def _close(
        self,
        verdict: str,
        arrivals: list[Arrival],
        held: list[Delivery],
        findings: list[Finding],
        candidate: PriceModel | None = None,
        moves: Ledger | None = None,
        numbers: dict[str, Any] | None = None,
        offsets: list[Offset] | None = None,
        *,
        write: bool,
    ) -> Outcome:
        """Write everything, the entry last."""
        promoted = verdict == PROMOTED and candidate is not None
        last, offsets = self.last, offsets or []
        files: dict[str, bytes] = {}
        deliveries = [counted(a, files) for a in arrivals]
        if promoted:
            deliveries += [msgspec.structs.replace(d, status="accepted") for d in held]
        record: dict[str, Any] = {
            "verdict": verdict,
            "deliveries": [msgspec.to_builtins(d) for d in deliveries],
            "findings": [msgspec.to_builtins(f) for f in findings],
            "offsets": [msgspec.to_builtins(o) for o in offsets],
            "gates": msgspec.to_builtins(self.gates),
            "home": msgspec.to_builtins(self.home),
            "champion": last.active if last else "",
            "anchor": last.anchor if last else "",
            "candidate": candidate.sha256 if candidate else "",
            "forced": self.force,
            "version": __version__,
            **(numbers or {}),
        }
        if moves is not None:
            text = moves.to_csv()
            record["ledger"] = content_key("ledgers", text, ".csv")
            record["movers"] = moves.movers()
            files[record["ledger"]] = text
        if self.champion is not None:
            text = sealed(self.champion, arrivals, self.stock, self.at)
            record["sealed"] = content_key("sealed", text, ".csv")
            files[record["sealed"]] = text
        record["says"] = paragraph(
            verdict, deliveries, findings, moves, self.force, numbers, offsets
        )
        if not write:
            return Outcome(verdict, record["says"], record)
        body = msgspec.json.format(msgspec.json.encode(record, order="deterministic"), indent=1)
        files[key := content_key("records", body, ".json")] = body
        for name, data in files.items():
            self.store.put(name, data)
        if candidate is not None:
            self.registry.add(candidate)
        details = {"verdict": verdict, "record": key, "deliveries": record["deliveries"]}
        if "sealed" in record:
            details["sealed"] = record["sealed"]
        if promoted:
            details["offsets"] = record["offsets"]
        if promoted and candidate is not None:
            details["published"] = to_publish(published(self.entries), candidate)
        first = promoted and (last is None or not last.anchor)
        entry = self.registry.append(
            "refit",
            at=self.at,
            by=self.by,
            reason=self.force or record["says"],
            after=last.number if last else 0,
            active=candidate.sha256 if promoted and candidate else None,
            anchor=candidate.sha256 if first and candidate else None,
            details=details,
        )
        return Outcome(verdict, record["says"], record, entry)
