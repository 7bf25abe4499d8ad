"""What a line compares, in words."""

from collections.abc import Sequence, Set
from functools import cache

from diamond_pricing.model.support import BLEND, RECORDED
from diamond_pricing.model.words import ENGLISH, Words
from diamond_pricing.stones import ATTRIBUTES, MAGIC_LINE, Attribute, Day, Grade, Measure, Stone
from diamond_pricing.stones.stone import ROUND
from diamond_pricing.stones.trade import graded

Features = Sequence[tuple[str, ...]]


@cache
def _members(line: str) -> tuple[Attribute, ...]:
    return tuple(a for a in ATTRIBUTES.values() if a.line == line)


def note(
    line: str,
    first: Stone,
    second: Stone,
    listings: tuple[str, str],
    read: Features,
    weights: Sequence[float] = (),
    marked: bool = False,
    words: Words = ENGLISH,
) -> str:
    """Say what a line compares: ``VS1 rather than SI1``.

    Parameters
    ----------
    first, second : Stone
        Measured from, and priced.
    listings : tuple[str, str]
        How each of them is listed.
    read : Sequence[tuple[str, ...]]
        Attributes of each feature of this line that the model reads.
    weights : Sequence[float]
        The magic weights, ascending.
    marked : bool
        Whether one price list has a mark-up over the other.
    """
    if line == "listing":
        there, here = _list(first, listings[0], words), _list(second, listings[1], words)
        if here == there and marked:
            return words.marked.format(list=here)
    elif line == "carat":
        there, here = words.carats(first.carat), words.carats(second.carat)
    elif line == MAGIC_LINE:
        there, here = (_reached(stone.carat, weights, words) for stone in (first, second))
        if here != there:
            there = _reached(first.carat, weights, words, "{carat}")
    else:
        members = _members(line)
        here = _described(second, members, read, words)
        if all(getattr(first, a.name) is None for a in members):
            if isinstance(members[0], Day) and here != words.today:
                return words.as_of.format(date=here)
            return here  # the usual reference stone lacks them
        there = _described(first, members, read, words)
    if here == there:
        return words.same.format(here=here)
    return words.rather.format(here=here, there=there)


def _reached(
    carat: float, weights: Sequence[float], words: Words, template: str | None = None
) -> str:
    """Say which magic weight a stone has reached: ``reaches 1.00 ct``."""
    reached = [weight for weight in weights if weight <= carat]
    if reached:
        return (template or words.reached).format(carat=words.carats(reached[-1]))
    return words.under.format(carat=words.carats(weights[0]))


def _list(stone: Stone, how: str, words: Words) -> str:
    listing = stone.listing if how == RECORDED else how
    if listing is None or listing == BLEND:
        return words.blend
    order = {"x<y": words.shorter, "x>y": words.longer}
    return order.get(listing, "{list}").format(list=listing)


def _described(stone: Stone, members: Sequence[Attribute], read: Features, words: Words) -> str:
    """Say which attributes of a line count, which are averaged and which do nothing."""
    if len(members) == 1 and members[0].required and any(members[0].name in f for f in read):
        return _value(stone, members[0], 1, words)  # as most lines are, and this is fast
    given = {a.name for a in members if getattr(stone, a.name) is not None}
    features = [{*names} - {"carat"} for names in read]
    used = {name for names in features if names <= given for name in names}
    missing = {name for names in features if not names <= given for name in names - given}
    parts = []
    if missing and len(members) == 1 and isinstance(members[0], Grade):
        parts.append(words.unsaid)
    elif missing and all(isinstance(ATTRIBUTES[name], Day) for name in missing):
        parts.append(words.today)
    elif missing:
        template = words.missing_some if used else words.missing
        parts.append(
            template.format(
                names=_labels(members, missing, words),
                cut=_usual(stone),
                carat=words.carats(stone.carat),
            )
        )
    if idle := given - used:
        template = words.idle_some if len(idle) > 1 else words.idle
        parts.append(template.format(names=_labels(members, idle, words)))
    known = ", ".join(_value(stone, a, len(members), words) for a in members if a.name in used)
    aside = "; ".join(parts)
    return f"{known} ({aside})" if known and aside else known or aside


def _usual(stone: Stone) -> str:
    """The cut, and the shape if given, that usual proportions depend on."""
    shape = stone.shape if stone.others else None
    if stone.cut == graded("cut").ungraded:
        return shape or ROUND
    return stone.cut if shape in (None, ROUND) else f"{shape} {stone.cut}"


def _labels(members: Sequence[Attribute], names: Set[str], words: Words) -> str:
    return ", ".join(words.attribute(a.name).lower() for a in members if a.name in names)


def _value(stone: Stone, attribute: Attribute, members: int, words: Words) -> str:
    """Write a value, with its attribute's label where a line has several."""
    value = getattr(stone, attribute.name)
    if isinstance(attribute, Measure):
        shown = attribute.shown(value)
        value = words.date(shown) if isinstance(attribute, Day) else words.number(shown)
    if members > 1:
        return f"{words.attribute(attribute.name).lower()} {value}"
    return str(value)
