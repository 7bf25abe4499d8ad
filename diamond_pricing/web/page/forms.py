"""The form of a stone, made from the attribute table, and what was filled in."""

import re
from collections.abc import Mapping, Set
from typing import Any
from urllib.parse import urlencode

import msgspec
import numpy as np

from diamond_pricing.errors import ContradictionError, StoneError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.words import Words
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    MEASURES,
    OTHERS,
    Attribute,
    Day,
    Grade,
    Measure,
    Stone,
)
from diamond_pricing.stones.checks import TYPICAL_DEPTH, expected_diameter
from diamond_pricing.web.page.phrases import TEXTS, help_of, refusal
from diamond_pricing.web.problems import of_stone


class Field(msgspec.Struct, frozen=True):
    """One attribute as the form asks for it."""

    name: str
    label: str
    required: bool
    unit: str = ""
    grades: tuple[tuple[str, str], ...] = ()
    help: str = ""
    days: tuple[str, str] | None = None  # first and last, of a date


class Form(tuple[Field, ...]):
    """The fields of a stone, those that are needed first."""

    __slots__ = ()

    def measured(self, given: Mapping[str, str], faults: Set[str]) -> bool:
        """Whether an optional measure was filled in or is at fault."""
        names = {field.name for field in self if not field.grades and not field.required}
        return any(given.get(name) for name in names) or bool(names & faults)


class Problem(msgspec.Struct, frozen=True):
    """What is wrong; ``at`` is the field of the form."""

    field: str
    text: str
    at: str = ""


class Filled(msgspec.Struct, frozen=True):
    """A form as it was filled in: the texts, and the stone if it is one."""

    given: dict[str, str]
    stone: Stone | None
    problems: list[Problem]
    declined: Stone | None = None  # without its measurements

    @property
    def faults(self) -> set[str]:
        """The fields that something is wrong with."""
        return {p.field for p in self.problems}


def _asked(model: PriceModel) -> list[Attribute]:
    """The attributes that a form asks for, those that every stone has first."""
    read = model._effects.attributes
    others = sorted(
        (other for other in OTHERS if other.name in read),
        key=lambda attribute: isinstance(attribute, Measure),
    )
    every: list[Attribute] = [*MEASURES, *GRADES, *others]
    return sorted(every, key=lambda attribute: not _needed(model, attribute))


def _needed(model: PriceModel, attribute: Attribute) -> bool:
    kinds = model.support.needed if model.support is not None else ()
    return attribute.required or attribute.name in kinds


def form_of(model: PriceModel, words: Words) -> Form:
    """The fields, with the grades that the model knows."""
    fields = []
    for attribute in _asked(model):
        name, unit, days = attribute.name, "", None
        grades: tuple[tuple[str, str], ...] = ()
        if isinstance(attribute, Grade):
            seen = model.training.grades.get(name, {})
            grades = tuple((g, help_of(name, g, words)) for g in attribute.grades if g in seen)
        else:
            unit = attribute.unit
        if isinstance(attribute, Day):
            low, high = model.training.ranges[name]
            days = (attribute.shown(low), attribute.shown(high))
        label, said = words.attribute(name), help_of(name, "", words)
        needed = _needed(model, attribute)
        fields.append(Field(name, label, needed, unit, grades, said, days))
    return Form(fields)


def filled(
    model: PriceModel, query: Mapping[str, str], words: Words, prefix: str = ""
) -> Filled:
    """Read a form; every field at fault is named."""
    given: dict[str, str] = {}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for attribute in _asked(model):
        text = query.get(prefix + attribute.name, "").strip()[:80]
        if not text:
            continue
        given[attribute.name] = text
        try:
            value = attribute.parse(_plain(text, attribute))
        except StoneError as error:
            told = of_stone(error)
            known = model.training.ranges.get(attribute.name)
            said = refusal(attribute, told.code, error.given, known, words)
            problems.append(Problem(attribute.name, said, prefix + attribute.name))
            continue
        values[attribute.name] = value
        given[attribute.name] = _written(attribute, value, words)
    every = _asked(model)
    missing = [a.name for a in every if _needed(model, a) and a.name not in given]
    if missing and given:
        needed = TEXTS[words.code]["left_blank"]
        problems += [Problem(n, f"{words.attribute(n)}: {needed}", prefix + n) for n in missing]
    stone = declined = None
    if not problems and not missing:
        try:
            stone = Stone(**values)
            model.explain(stone)
        except StoneError as error:
            stone = None
            problems.append(_problem(model, error, values, words, prefix))
            kept = {k: v for k, v in values.items() if k in model.training.grades}
            declined = Stone(values["carat"], **kept)
    return Filled(given, stone, problems, declined)


_UNITS = re.compile(r"\s*(?:ct|cts|carats?|carat[oi]|car)\.?$", re.IGNORECASE)
_POINTS = re.compile(r"([0-9]{1,3})\s*(?:pts?|points?|punti)\.?", re.IGNORECASE)


def _plain(text: str, attribute: Attribute) -> str:
    """What was typed, with a decimal point and without the words for carats and points."""
    if isinstance(attribute, Grade):
        return text
    if attribute.name == "carat":
        if points := _POINTS.fullmatch(text):
            return str(int(points[1]) / 100)
        text = _UNITS.sub("", text)
    return text.replace(",", ".")


def _written(attribute: Attribute, value: Any, words: Words) -> str:
    if isinstance(attribute, Day):
        return attribute.shown(value)
    return value if isinstance(value, str) else words.number(f"{value:.10g}")


def _problem(
    model: PriceModel, error: StoneError, values: Mapping[str, Any], words: Words, prefix: str
) -> Problem:
    """Why a stone is refused, and what would make it one that can be priced."""
    fault = of_stone(error).faults[0]
    name = error.attribute
    known = model.training.ranges.get(name)
    text = refusal(ATTRIBUTES.get(name), fault.code, fault.given, known, words)
    if isinstance(error, ContradictionError) and name in ("x", "y"):
        depth = float(values.get("depth", TYPICAL_DEPTH))
        across = expected_diameter(np.array(values["carat"]), np.array(depth))
        text += " " + TEXTS[words.code]["measures_about"].format(
            weight=words.carats(values["carat"]), size=words.number(f"{float(across):.1f}")
        )
    return Problem(name, text, prefix + name)


def query_of(stone: Stone, lang: str | None, prefix: str = "") -> str:
    """The query that describes a stone."""
    values = {
        prefix + name: f"{value:.10g}" if isinstance(value, float) else value
        for name, value in stone.given().items()
    }
    return urlencode(values | ({"lang": lang} if lang else {}))
