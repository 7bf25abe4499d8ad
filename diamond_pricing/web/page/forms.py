"""The form of a stone, made from the attribute table, and what was filled in."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from diamond_pricing.errors import StoneError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.words import Words
from diamond_pricing.stones import GRADES, MEASURES, Grade, Measure, Stone
from diamond_pricing.web.page.phrases import TEXTS, help_of, problem_text
from diamond_pricing.web.problems import of_stone


class Field(msgspec.Struct, frozen=True):
    """One attribute as the form asks for it."""

    name: str
    label: str
    required: bool
    unit: str = ""
    grades: tuple[tuple[str, str], ...] = ()
    help: str = ""


class Form(tuple[Field, ...]):
    """The fields of a stone, those that are needed first."""

    __slots__ = ()

    def measured(self, given: Mapping[str, str], faults: Mapping[str, str]) -> bool:
        """Whether an optional measure was filled in or is at fault."""
        names = {field.name for field in self if field.unit and not field.required}
        return any(given.get(name) for name in names) or bool(names & set(faults))


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and a link to the nearest stone that can be priced."""

    field: str
    text: str
    nearest: str = ""
    link: str = ""


class Filled(msgspec.Struct, frozen=True):
    """A form as it was filled in: the texts, and the stone if it is one."""

    given: dict[str, str]
    stone: Stone | None
    problems: list[Problem]

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong with each field."""
        return {p.field: p.text for p in self.problems}


_ORDER: tuple[Measure | Grade, ...] = tuple(
    sorted((*MEASURES, *GRADES), key=lambda attribute: not attribute.required)
)


def form_of(model: PriceModel, words: Words) -> Form:
    """The fields, with the grades that the model knows."""
    fields = []
    for attribute in _ORDER:
        name, label = attribute.name, words.attribute(attribute.name)
        said = help_of(name, "", words)
        if isinstance(attribute, Measure):
            fields.append(Field(name, label, attribute.required, attribute.unit, (), said))
            continue
        seen = model.training.grades.get(name, {})
        grades = tuple((g, help_of(name, g, words)) for g in attribute.grades if g in seen)
        fields.append(Field(name, label, attribute.required, "", grades, said))
    return Form(fields)


def filled(
    model: PriceModel, query: Mapping[str, str], words: Words, prefix: str = "", path: str = "/"
) -> Filled:
    """Read a form; every field at fault is named."""
    given: dict[str, str] = {}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for attribute in _ORDER:
        text = query.get(prefix + attribute.name, "").strip()[:80]
        if not text:
            continue
        given[attribute.name] = text
        plain = text.replace(",", ".") if isinstance(attribute, Measure) else text
        try:
            values[attribute.name] = attribute.parse(plain)
        except StoneError as error:
            problems.append(_problem(error, given, words, prefix, query, path))
    missing = [a.name for a in _ORDER if a.required and a.name not in given]
    if missing and given:
        needed = TEXTS[words.code]["left_blank"]
        problems += [Problem(n, f"{words.attribute(n)}: {needed}") for n in missing]
    stone = None
    if not problems and not missing:
        try:
            stone = Stone(**values)
            model.explain(stone)
        except StoneError as error:
            problems.append(_problem(error, given, words, prefix, query, path))
            stone = None
    return Filled(given, stone, problems)


def _problem(
    error: StoneError, given: Mapping[str, str], words: Words, prefix: str,
    query: Mapping[str, str], path: str,
) -> Problem:  # fmt: skip
    found = of_stone(error)
    fault = found.faults[0]
    text = problem_text(str(error), fault.code or found.code, words)
    if words.code != "en" and error.attribute:
        text = f"{words.attribute(error.attribute)}: {text}"
    if fault.nearest is None or not error.attribute:
        return Problem(error.attribute, text)
    nearest = f"{fault.nearest:g}" if isinstance(fault.nearest, float) else str(fault.nearest)
    changed = dict(query) | {prefix + error.attribute: nearest}
    return Problem(error.attribute, text, words.number(nearest), f"{path}?{urlencode(changed)}")


def query_of(stone: Stone, lang: str | None, prefix: str = "") -> str:
    """The query that describes a stone."""
    values = {
        prefix + name: f"{value:.10g}" if isinstance(value, float) else value
        for name, value in stone.given().items()
    }
    return urlencode(values | ({"lang": lang} if lang else {}))
