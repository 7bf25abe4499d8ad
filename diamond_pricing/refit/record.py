"""What a run writes down: its deliveries with their files, and one paragraph for a person."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from diamond_pricing.intake import quarantine_csv, written_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.model.market import market_index
from diamond_pricing.refit.deliveries import Arrival, Delivery
from diamond_pricing.refit.judgement import TOLD, Finding
from diamond_pricing.refit.ledger import Ledger
from diamond_pricing.refit.offsets import Offset
from diamond_pricing.registry.registry import content_key
from diamond_pricing.stones import several
from diamond_pricing.stones.attributes import iso

if TYPE_CHECKING:
    import pandas as pd

PROMOTED, KEPT, NOTHING, REJECTED = "promoted", "kept", "nothing new", "data rejected"


def keep(files: dict[str, bytes], folder: str, data: bytes, suffix: str) -> str:
    """Put a file to those that are to be written; give its key."""
    key = content_key(folder, data, suffix)
    files[key] = data
    return key


def counted(arrival: Arrival, files: dict[str, bytes]) -> Delivery:
    """The delivery with its counts, its files put to those that are to be written."""
    delivery, intake = arrival.delivery, arrival.intake
    if intake is None:
        return delivery

    def keep_sales(sales: "pd.DataFrame") -> str:
        return keep(files, "sales", written_sales(sales, delivery.source), ".parquet")

    wrong = intake.quarantined
    table = quarantine_csv(delivery.file, wrong)
    return msgspec.structs.replace(
        delivery,
        read=intake.read,
        accepted=len(intake.sales),
        quarantined=len(wrong),
        faults=intake.reasons(),
        sales=keep_sales(intake.sales) if len(intake.sales) else "",
        again="" if arrival.again is None else keep_sales(arrival.again),
        quarantine=keep(files, "quarantine", table, ".csv") if wrong else "",
    )


def to_publish(before: dict[str, float], model: PriceModel) -> dict[str, float]:
    """The months of the index that a promoted model adds; none where sales have no dates.

    Each refit knows the past better than the one before, so that the *best* index, read off
    the active model, changes backwards. What contracts and reports rest on must not. A month
    is published when the sales go beyond it, and never revised; the movement from the month
    published last is that of the model that is promoted then (the movement splice of rolling
    windows; Krsinich 2016).
    """
    if model.last_day is None:
        return {}
    running = iso(model.last_day)[:7]
    best = {p.period: p.index for p in market_index(model) if p.index and p.period < running}
    known = [month for month in before if month in best]
    if before and not known:
        return {}  # nothing to link to
    base = before[known[-1]] / best[known[-1]] if known else 100 / next(iter(best.values()), 1)
    after = known[-1] if known else ""
    return {m: round(base * index, 4) for m, index in best.items() if m > after}


def paragraph(
    verdict: str,
    deliveries: list[Delivery],
    findings: list[Finding],
    moves: Ledger | None,
    force: str,
    numbers: dict[str, Any],
    offsets: Sequence[Offset],
) -> str:
    """The decision for somebody who reads nothing else."""
    read = sum(d.read for d in deliveries)
    aside = sum(d.quarantined for d in deliveries)
    files = several(len(deliveries), "file")
    were = "was" if aside == 1 else "were"
    came = f"{several(read, 'row')} came in {files}; {aside:,} {were} set aside."
    text = [came] if read else []
    out = [d for d in deliveries if d.status != "accepted"]
    text += [f"{d.file} is {d.status}: {d.reason}" for d in out]
    if numbers:
        fitted = f"A candidate was fitted to {several(numbers['trained_on'], 'sale')}"
        judged_on = f"judged on {numbers['judged_on']:,} that no model was fitted on"
        if numbers.get("cross_fitted"):
            judged_on = (
                f"judged on {numbers['cross_fitted']:,} of them, each by a fit without it"
            )
        text.append(f"{fitted} and {judged_on}.")
        if numbers.get("not_used"):
            text.append(
                f"{several(numbers['not_used'], 'sale')} could not be used: "
                f"{numbers['not_used_for']}."
            )
        told = {f.gate: f.says for f in findings if f.gate in ("error", "coverage")}
        text += [_sentence(says) for says in (*map(str, offsets), *told.values())]
    if moves is not None and len(moves.old):
        change = np.abs(moves.new / np.maximum(moves.old, 1) - 1)
        text.append(
            f"Of {several(len(moves.old), 'stone')} compared, half move by less than "
            f"{100 * np.median(change):.1f} %; most in money moves "
            + (moves.movers(1) or ["none."])[0]
        )
        if moves.left_out:
            text.append(f"Not compared: {moves.left_out:,} that one of the models declines.")
    failed = [f for f in findings if not f.passed]
    judged = sum(not f.says.endswith(TOLD) for f in findings)
    against = [f"{f.says}." for f in failed] + [d.reason for d in deliveries if d.reason]
    if verdict == PROMOTED and force:
        text.append(f"It was promoted by force: {force}.")
        text += [f"Against it stood: {' '.join(dict.fromkeys(against))}"] if against else []
    elif verdict == PROMOTED:
        text.append(f"All {judged} gates passed; it is promoted.")
    elif numbers:
        text.append(f"{len(failed)} of {judged} gates failed: the active model is kept.")
    else:
        text.append("Nothing was fitted; the active model is kept.")
    return " ".join(text)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
