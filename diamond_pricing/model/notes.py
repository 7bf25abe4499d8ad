"""What a line compares, in words."""

from collections.abc import Iterable, Set

from diamond_pricing.model.support import BLEND, RECORDED
from diamond_pricing.stones import MEASURES, Stone, carats

Features = Iterable[tuple[str, ...]]

_DIMENSIONS = [measure for measure in MEASURES if measure.line == "proportions"]
_ORDERS = {"x<y": " (shorter side first)", "x=y": "", "x>y": " (longer side first)"}


def note(
    line: str,
    first: Stone,
    second: Stone,
    listings: tuple[str, str],
    read: Features,
) -> str:
    """Say what a line compares: ``VS1 rather than SI1``.

    Parameters
    ----------
    first, second : Stone
        Measured from, and priced.
    listings : tuple[str, str]
        How each of them is listed.
    read : Iterable[tuple[str, ...]]
        Attributes of each feature of this line that the model reads.
    """
    if line == "proportions":
        there, here = (_proportions(stone, read) for stone in (first, second))
        if all(getattr(first, m.name) is None for m in _DIMENSIONS):
            return here  # the usual reference stone: both averaged, or this one measured
    elif line == "listing":
        there, here = (
            _list(stone, how) for stone, how in zip((first, second), listings, strict=True)
        )
    elif line == "carat":
        there, here = carats(first.carat), carats(second.carat)
    else:
        there, here = getattr(first, line), getattr(second, line)
    return f"{here}, as the reference" if here == there else f"{here} rather than {there}"


def _list(stone: Stone, how: str) -> str:
    listing = stone.listing if how == RECORDED else how
    if listing is None or listing == BLEND:
        return "blend of the lists"
    return f"{listing}{_ORDERS[listing]}"


def _proportions(stone: Stone, read: Features) -> str:
    """Say which measurements count, which are averaged and which do nothing."""
    given = [m.name for m in _DIMENSIONS if getattr(stone, m.name) is not None]
    features = [{*names} - {"carat"} for names in read]
    used = {name for names in features if names <= {*given} for name in names}
    missing = {name for names in features if not names <= {*given} for name in names - {*given}}
    parts = []
    if missing:
        average = f"averaged over {stone.cut} stones of about {carats(stone.carat)}"
        parts.append(
            f"{_labels(missing)} not given: {average}" if used else f"not given: {average}"
        )
    if idle := {*given} - used:
        parts.append(f"{_labels(idle)} {'do' if len(idle) > 1 else 'does'} not count")
    known = _measured(stone, used)
    aside = "; ".join(parts)
    return f"{known} ({aside})" if known and aside else known or aside


def _labels(names: Set[str]) -> str:
    return ", ".join(m.label.lower() for m in _DIMENSIONS if m.name in names)


def _measured(stone: Stone, names: Set[str]) -> str:
    return ", ".join(
        f"{m.label.lower()} {getattr(stone, m.name):g} {m.unit}"
        for m in _DIMENSIONS
        if m.name in names
    )
