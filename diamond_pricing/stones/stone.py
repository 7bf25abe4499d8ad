"""One polished diamond, as a grading report describes it."""

import re
from dataclasses import dataclass, fields
from functools import cache
from math import nan
from typing import Any

from diamond_pricing.errors import StoneError
from diamond_pricing.stones.attributes import (
    ATTRIBUTES,
    LISTING,
    attribute_named,
    carats,
    shown,
)
from diamond_pricing.stones.checks import READ, Problem, plainly_fine, problems


@dataclass(frozen=True, slots=True)
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

    Raises
    ------
    UnknownGradeError
        For a grade that does not exist.
    StoneError
        For a number that is none, or that no diamond has.
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

    def __post_init__(self) -> None:
        for name in _fields():
            given = getattr(self, name)
            attribute = ATTRIBUTES[name]
            if given is not None or attribute.required:
                read = attribute.read(given)
                if read is not given:
                    object.__setattr__(self, name, read)

    @classmethod
    def parse(cls, text: str) -> "Stone":
        """Read a stone as people write it down.

        Weight, cut, color and clarity in this order, then any measures by name:
        ``1.01 Ideal E VS1``, ``0.70 ct very good G VS2 depth=61.5 x=5.71 y=5.74``.

        Raises
        ------
        StoneError
            When a part is missing or cannot be read.
        """
        if not isinstance(text, str):
            raise StoneError(f"give a text such as '1.01 Ideal E VS1', not {shown(text)}.")
        dotted = re.sub(r"(?<=\d),(?=\d)", ".", text)  # between digits it is a decimal comma
        words = [word for word in dotted.replace(",", " ").split() if word.casefold() != "ct"]
        plain = [word for word in words if "=" not in word]
        if len(plain) < 4:
            raise StoneError(
                f"{shown(text)} is not a stone; write weight, cut, color and clarity: "
                "'1.01 Ideal E VS1'.",
                given=text,
            )
        carat = plain[0].casefold().removesuffix("ct")
        values: dict[str, str] = {"carat": carat, "cut": " ".join(plain[1:-2])}
        values |= {"color": plain[-2], "clarity": plain[-1]}
        for word in words:
            key, equals, value = word.partition("=")
            if equals:
                name = attribute_named(key)
                if name is None or name in values or name not in cls.__dataclass_fields__:
                    raise StoneError(f"{shown(word)} is not understood.", given=text)
                values[name] = value
        read: dict[str, Any] = {n: ATTRIBUTES[n].parse(value) for n, value in values.items()}
        return cls(**read)

    @property
    def listing(self) -> str | None:
        """The price list that the order of length and width points to, if both are known."""
        if self.x is None or self.y is None:
            return None
        return LISTING.grades[1 + (self.x > self.y) - (self.x < self.y)]

    def given(self) -> dict[str, float | str]:
        """Attributes that are not missing, by name, in the order of the fields."""
        values = {name: getattr(self, name) for name in _fields()}
        return {name: value for name, value in values.items() if value is not None}

    def problems(self) -> tuple[Problem, ...]:
        """Measurements that contradict each other, with the reasons; empty when none do."""
        if plainly_fine(self.carat, self.depth, self.x, self.y, self.z):
            return ()
        given = {name: getattr(self, name) for name in READ}
        return problems({name: nan if v is None else v for name, v in given.items()})

    def __str__(self) -> str:
        return f"{carats(self.carat)} {self.cut} {self.color} {self.clarity}"


@cache
def _fields() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Stone))
