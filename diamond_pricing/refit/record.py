"""What a run writes down: its deliveries with their files, and one paragraph for a person."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from diamond_pricing.intake import quarantine_csv, written_sales
from diamond_pricing.refit.deliveries import Arrival, Delivery
from diamond_pricing.refit.judgement import TOLD, Finding
from diamond_pricing.refit.ledger import Ledger
from diamond_pricing.refit.offsets import Offset
from diamond_pricing.registry.registry import content_key
from diamond_pricing.stones import several

PROMOTED, KEPT, NOTHING, REJECTED = "promoted", "kept", "nothing new", "data rejected"


def counted(arrival: Arrival, files: dict[str, bytes]) -> Delivery:
    """The delivery with its counts, its files put to those that are to be written."""
    delivery, intake = arrival.delivery, arrival.intake
    if intake is None:
        return delivery
    sales = again = quarantine = ""
    if intake.quarantined:
        text = quarantine_csv(delivery.file, intake.quarantined)
        files[quarantine := content_key("quarantine", text, ".csv")] = text
    if len(intake.sales):
        data = written_sales(intake.sales, delivery.source)
        files[sales := content_key("sales", data, ".parquet")] = data
    if arrival.again is not None:
        data = written_sales(arrival.again, delivery.source)
        files[again := content_key("sales", data, ".parquet")] = data
    return msgspec.structs.replace(
        delivery,
        again=again,
        read=intake.read,
        accepted=len(intake.sales),
        quarantined=len(intake.quarantined),
        faults=intake.reasons(),
        sales=sales,
        quarantine=quarantine,
    )


def paragraph(
    verdict: str,
    deliveries: list[Delivery],
    findings: list[Finding],
    moves: Ledger | None,
    force: str,
    numbers: dict[str, Any] | None,
    offsets: Sequence[Offset] = (),
) -> str:
    """The decision for somebody who reads nothing else."""
    read = sum(d.read for d in deliveries)
    aside = sum(d.quarantined for d in deliveries)
    files = several(len(deliveries), "file")
    were = "was" if aside == 1 else "were"
    text = (
        [f"{several(read, 'row')} came in {files}; {aside:,} {were} set aside."] if read else []
    )
    for d in deliveries:
        if d.status != "accepted":
            text.append(f"{d.file} is {d.status}: {d.reason}")
    if numbers is not None:
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
            f"Of {several(len(moves.old), 'stone')} in stock half move by less than "
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
    elif numbers is not None:
        text.append(f"{len(failed)} of {judged} gates failed: the active model is kept.")
    else:
        text.append("Nothing was fitted; the active model is kept.")
    return " ".join(text)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
