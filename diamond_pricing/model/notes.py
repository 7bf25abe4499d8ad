"""What a line compares, in words."""

from collections.abc import Set

from diamond_pricing.model.support import BLEND, RECORDED
from diamond_pricing.stones import ATTRIBUTES, MEASURES, Measure, Stone


def note(
    line: str,
    first: Stone,
    second: Stone,
    listings: tuple[str, str],
    read: Set[str],
) -> str:
    """Say what a line compares: ``VS1 rather than SI1``.

    Parameters
    ----------
    first, second : Stone
        Measured from, and priced.
    listings : tuple[str, str]
        How each of them is listed.
    read : Set[str]
        The attributes that the model reads.
    """
    if line == "proportions":
        return _proportions(first, second, read)
    if line == "listing":
        there, here = (
            _list(stone, how) for stone, how in zip((first, second), listings, strict=True)
        )
    elif line == "carat":
        there, here = _weights(first.carat, second.carat)
    else:
        there, here = getattr(first, line), getattr(second, line)
    return f"{here}, as the reference" if here == there else f"{here} rather than {there}"


def _weights(first: float, second: float) -> tuple[str, str]:
    digits = 2
    while digits < 6 and f"{first:.{digits}f}" == f"{second:.{digits}f}" and first != second:
        digits += 1
    return f"{first:.{digits}f} ct", f"{second:.{digits}f} ct"


def _list(stone: Stone, how: str) -> str:
    if how == BLEND:
        return "blend of the lists"
    if how != RECORDED:
        return f"list {how}"
    return f"list {stone.listing}" if stone.listing else "blend of the lists (none recorded)"


def _proportions(first: Stone, second: Stone, read: Set[str]) -> str:
    wanted = [m.name for m in MEASURES if m.line == "proportions" and m.name in read]
    known = [name for name in wanted if getattr(second, name) is not None]
    missing = [name for name in wanted if name not in known]
    if known == wanted and all(getattr(first, n) == getattr(second, n) for n in wanted):
        return f"{_measured(second, known)}, as the reference"
    text = _measured(second, known)
    if missing:
        average = f"averaged over {second.cut} stones of about {second.carat:.2f} ct"
        names = ", ".join(ATTRIBUTES[name].label.lower() for name in missing)
        text = f"{text} ({names} not given: {average})" if known else f"not given: {average}"
    return text


def _measured(stone: Stone, names: list[str]) -> str:
    parts = []
    for name in names:
        measure = ATTRIBUTES[name]
        assert isinstance(measure, Measure)
        parts.append(f"{measure.label.lower()} {getattr(stone, name):g} {measure.unit}")
    return ", ".join(parts)
