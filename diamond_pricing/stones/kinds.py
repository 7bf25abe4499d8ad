"""Kinds of stone that one model does not price together unless its sales do: shape, origin."""

from collections.abc import Mapping, Sequence
from typing import Any

from diamond_pricing.stones.attributes import blank
from diamond_pricing.stones.trade import graded

SHAPE, ORIGIN, LABORATORY = "shape", "origin", "laboratory"
KINDS = {SHAPE: "Round", ORIGIN: "Natural"}  # what sales that do not tell are of
OTHER = "other"  # what a source may say that a word means: none that is priced


def kinds_known(kind: str, grades: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """The shapes, or origins, that a model prices, by the grades of its sales."""
    return tuple(grades.get(kind, ())) or (KINDS[kind],)


def of_other_kind(kind: str, texts: Sequence[Any], only: Sequence[str]) -> dict[int, str]:
    """A sentence for each text that does not say ``only`` kinds that are priced.

    Texts that say nothing are taken for one of them.
    """
    grade = graded(kind)
    return {
        at: f"{kind} {str(text)[:40]!r} is not priced here, only {' and '.join(only)}"
        for at, text in enumerate(texts)
        if not blank(text) and grade.find(text) not in only
    }
