"""What a line compares, in words."""

from collections.abc import Sequence, Set

from diamond_pricing.model.support import BLEND, RECORDED
from diamond_pricing.stones import ATTRIBUTES, MAGIC_LINE, Attribute, Measure, Stone, carats

Features = Sequence[tuple[str, ...]]

_ORDERS = {"x<y": " (shorter side first)", "x=y": "", "x>y": " (longer side first)"}


def note(
    line: str,
    first: Stone,
    second: Stone,
    listings: tuple[str, str],
    read: Features,
    weights: Sequence[float] = (),
    marked: bool = False,
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
    members = [a for a in ATTRIBUTES.values() if a.line == line]
    if line == "listing":
        there, here = _list(first, listings[0]), _list(second, listings[1])
        if here == there and marked:
            return f"{here}, whose mark-up depends on the price"
    elif line == "carat":
        there, here = carats(first.carat), carats(second.carat)
    elif line == MAGIC_LINE:
        there, here = (_reached(stone.carat, weights) for stone in (first, second))
    else:
        there, here = (_described(stone, members, read) for stone in (first, second))
        if all(getattr(first, a.name) is None for a in members):
            return here  # the usual reference stone lacks them
    return f"{here}, as the reference" if here == there else f"{here} rather than {there}"


def _reached(carat: float, weights: Sequence[float]) -> str:
    """Say which magic weight a stone has reached: ``1.00 ct reached``."""
    reached = [weight for weight in weights if weight <= carat]
    return f"{carats(reached[-1])} reached" if reached else f"under {carats(weights[0])}"


def _list(stone: Stone, how: str) -> str:
    listing = stone.listing if how == RECORDED else how
    if listing is None or listing == BLEND:
        return "blend of the lists"
    return f"{listing}{_ORDERS[listing]}"


def _described(stone: Stone, members: Sequence[Attribute], read: Features) -> str:
    """Say which attributes of a line count, which are averaged and which do nothing."""
    given = {a.name for a in members if getattr(stone, a.name) is not None}
    features = [{*names} - {"carat"} for names in read]
    used = {name for names in features if names <= given for name in names}
    missing = {name for names in features if not names <= given for name in names - given}
    parts = []
    if missing:
        which = f"{_labels(members, missing)} " if used else ""
        average = f"averaged over {stone.cut} stones of about {carats(stone.carat)}"
        parts.append(f"{which}not given: {average}")
    if idle := given - used:
        parts.append(f"{_labels(members, idle)} {'do' if len(idle) > 1 else 'does'} not count")
    known = ", ".join(_value(stone, a, len(members)) for a in members if a.name in used)
    aside = "; ".join(parts)
    return f"{known} ({aside})" if known and aside else known or aside


def _labels(members: Sequence[Attribute], names: Set[str]) -> str:
    return ", ".join(a.label.lower() for a in members if a.name in names)


def _value(stone: Stone, attribute: Attribute, members: int) -> str:
    """Write a value, with its attribute's label where a line has several."""
    value = getattr(stone, attribute.name)
    text = f"{value:g} {attribute.unit}" if isinstance(attribute, Measure) else value
    return f"{attribute.label.lower()} {text}" if members > 1 else text
