"""One polished diamond, as a grading report describes it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from html import escape
from math import nan
from typing import Any

import numpy as np

from diamond_pricing.errors import StoneError
from diamond_pricing.stones.attributes import Day, absent, carats, shown
from diamond_pricing.stones.checks import READ, Problem, implausible, in_words, plainly_fine
from diamond_pricing.stones.trade import ATTRIBUTES, LISTING, attribute_named, graded

ROUND, GROWN = "Round", "Laboratory-grown"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Stone:
    """One polished diamond, as a grading report describes it.

    Grades may be written as people write them (``"vg"``, ``"very good"``, ``" vs1 "``);
    the stone holds the standard spelling.

    Attributes
    ----------
    carat : float
        Weight in metric carats (1 ct = 0.2 g).
    cut, color, clarity : str
        Grades of `diamond_pricing.stones.ATTRIBUTES`.
    depth, table : float or None
        Per cent of the mean girdle diameter.
    x, y, z : float or None
        Length, width and height, mm. The order of x and y does not matter to a client's
        price; in a recorded sale it tells the price list.
    others : tuple[tuple[str, float | str], ...]
        What else is known, by the name of an attribute of the trade and in its order; each
        is an attribute of the stone too (``stone.fluorescence``), None where not known.

    Raises
    ------
    UnknownGradeError
        For a grade that does not exist.
    StoneError
        For a number that is none, or that no diamond has, or what is not an attribute.
    """

    carat: float
    cut: str
    color: str
    clarity: str
    depth: float | None = None
    table: float | None = None
    x: float | None = None
    y: float | None = None
    z: float | None = None
    others: tuple[tuple[str, float | str], ...] = ()

    def __init__(
        self,
        carat: Any,
        cut: Any,
        color: Any,
        clarity: Any,
        depth: Any = None,
        table: Any = None,
        x: Any = None,
        y: Any = None,
        z: Any = None,
        others: Iterable[tuple[str, Any]] = (),
        **more: Any,
    ) -> None:
        given = (carat, cut, color, clarity, depth, table, x, y, z)
        for name, value in zip(_fields(), given, strict=True):
            attribute = ATTRIBUTES[name]
            if value is not None or attribute.required:
                value = attribute.read(value)
            object.__setattr__(self, name, value)
        further = _others({**dict(others), **more}) if others or more else ()
        object.__setattr__(self, "others", further)

    def __getattr__(self, name: str) -> Any:
        if name in ATTRIBUTES and name not in _fields():
            return dict(self.others).get(name)
        raise AttributeError(f"a stone has no attribute {name!r}", name=name, obj=self)

    def __repr__(self) -> str:
        given = {name: getattr(self, name) for name in _fields()} | dict(self.others)
        return f"Stone({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    @classmethod
    def parse(cls, text: str) -> "Stone":
        """Read a stone as people write it down.

        Weight, cut, color and clarity in this order, then anything else by name:
        ``1.01 Ideal E VS1``, ``0.70 ct very good G VS2 depth=61.5 girdle=slightly thick``.

        Raises
        ------
        StoneError
            When a part is missing or cannot be read.
        """
        if not isinstance(text, str):
            raise StoneError(f"give a text such as '1.01 Ideal E VS1', not {shown(text)}.")
        dotted = re.sub(r"(?<=\d),(?=\d)", ".", text)  # between digits it is a decimal comma
        words = [word for word in dotted.replace(",", " ").split() if word.casefold() != "ct"]
        plain: list[str] = []
        named: list[str] = []
        for word in words:
            if "=" in word:
                named.append(word)
            elif named and len(plain) >= 4:  # of a value of several words
                named[-1] += f" {word}"
            else:
                plain.append(word)
        if len(plain) < 4:
            raise StoneError(
                f"{shown(text)} is not a stone; write weight, cut, color and clarity: "
                "'1.01 Ideal E VS1'.",
                given=text,
            )
        carat = plain[0].casefold().removesuffix("ct")
        values: dict[str, str] = {"carat": carat, "cut": " ".join(plain[1:-2])}
        values |= {"color": plain[-2], "clarity": plain[-1]}
        for word in named:
            key, _, value = word.partition("=")
            name = attribute_named(key)
            if name is None or name in values or name == LISTING.name:
                raise StoneError(f"{shown(word)} is not understood.", given=text)
            values[name] = value
        read: dict[str, Any] = {n: ATTRIBUTES[n].parse(value) for n, value in values.items()}
        return cls(**read)

    @property
    def listing(self) -> str | None:
        """The price list that the order of length and width points to, if both are known."""
        if self.x is None or self.y is None or not self._round:
            return None
        return LISTING.grades[1 + (self.x > self.y) - (self.x < self.y)]

    def given(self) -> dict[str, float | str]:
        """Attributes that are not missing, by name, in the order of the fields."""
        values = {name: getattr(self, name) for name in _fields()}
        values |= {
            name: a.shown(float(value)) if isinstance(a := ATTRIBUTES[name], Day) else value
            for name, value in self.others
        }
        return {name: value for name, value in values.items() if value is not None}

    @property
    def _round(self) -> bool:
        """Whether what is known of round stones holds for it, as far as known."""
        return not self.others or self.shape in (None, ROUND)

    def problems(self) -> tuple[Problem, ...]:
        """Measurements that contradict each other, with the reasons; empty when none do."""
        if not self._round or plainly_fine(self.carat, self.depth, self.x, self.y, self.z):
            return ()
        given = {name: getattr(self, name) for name in READ}
        given = {name: nan if v is None else v for name, v in given.items()}
        flags = implausible(*(np.array([given[name]]) for name in READ))
        return tuple(in_words(name, given) for name, flag in flags.items() if flag[0])

    @property
    def graded(self) -> str:
        """Its grades as people say them, and its shape unless round: ``Oval Good E VS1``."""
        cut = "" if self.cut == graded("cut").ungraded else f"{self.cut} "
        shape = f"{self.shape} " if self.others and self.shape not in (None, ROUND) else ""
        return f"{shape}{cut}{self.color} {self.clarity}"

    @property
    def grown(self) -> bool:
        """Whether it is known to be grown in a laboratory."""
        return bool(self.others) and self.origin == GROWN

    @property
    def named(self) -> str:
        """Shape, grades and origin as people say them: ``Ideal E VS1 laboratory-grown``."""
        return f"{self.graded} laboratory-grown" if self.grown else self.graded

    def __str__(self) -> str:
        return f"{carats(self.carat)} {self.named}"

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th>{escape(ATTRIBUTES[name].label)}</th><td>{escape(str(value))}</td></tr>"
            for name, value in self.given().items()
        )
        return f"<table>{cells}</table>"


@cache
def _fields() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Stone) if field.name != "others")


def _others(given: dict[str, Any]) -> tuple[tuple[str, float | str], ...]:
    """What else is known of a stone, checked, in the order of the trade."""
    for name in given:
        if name not in ATTRIBUTES or name in _fields() or name == LISTING.name:
            meant = attribute_named(name)
            hint = f" (did you mean {meant}?)" if meant else ""
            raise StoneError(f"{shown(name)} is not an attribute of a stone{hint}.", given=name)
    return tuple(
        (name, attribute.read(given[name]))
        for name, attribute in ATTRIBUTES.items()
        if not absent(given.get(name))
    )
