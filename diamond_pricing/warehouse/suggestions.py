"""What a person should confirm about a file, told from its numbers."""

from collections import Counter

import msgspec
import numpy as np

from diamond_pricing.errors import StoneError
from diamond_pricing.stones import GRADES
from diamond_pricing.stones.attributes import fold
from diamond_pricing.stones.checks import expected_diameter
from diamond_pricing.warehouse.headers import UNITS, understood
from diamond_pricing.warehouse.numbers import GONE, number
from diamond_pricing.warehouse.reading import Sheet
from diamond_pricing.warehouse.source import Source

NEAR = 0.1  # of log size
# Laboratories' words for what these sales call Ideal; a person has to agree.
BEST_CUTS = {"excellent", "ex", "exc", "x", "3x", "superideal", "idealplus", "astor",
             "astorideal", "trueideal", "truehearts", "aaa"}  # fmt: skip


def suggested(sheet: Sheet, source: Source) -> tuple[Source, list[str], str]:
    """Complete a source by units that would make sizes fit weights; and say what is open.

    Returns
    -------
    tuple
        The source; notes for a person; lines, as comments of the declaration, for the words
        that are no grades of ours.
    """
    headers = [header.strip() for header in sheet.header]

    def cells(name: str) -> list[str]:
        at = headers.index(source.columns[name].strip())
        return [row[at].strip() if at < len(row) else "" for row in sheet.rows]

    units, notes = dict(source.units), []
    words_open: list[str] = []
    factor = UNITS["carat"].get(units.get("carat", ""), 1.0)
    carat = np.array([(number(t, source.decimal) or np.nan) * factor for t in cells("carat")])
    expected = expected_diameter(carat, np.full(len(carat), np.nan))
    for name in ("x", "y", "z"):
        if name not in source.columns or name in units:
            continue
        size = np.array([number(t, source.decimal) or np.nan for t in cells(name)])
        with np.errstate(all="ignore"):
            ratio = float(np.nanmedian(expected * (0.618 if name == "z" else 1) / size))
        for unit, times in UNITS["x"].items():
            if times != 1 and abs(np.log(ratio / times)) < NEAR:
                units[name] = unit
                notes.append(f"{name} seems to be in {unit}: please confirm.")
    for grade in GRADES:
        if grade.name not in source.columns:
            continue
        strange: Counter[str] = Counter()
        words = source.grades.get(grade.name, {})
        for text, count in Counter(cells(grade.name)).items():
            try:
                if text.casefold() not in GONE and text not in words:
                    grade.read(text)
            except StoneError:
                strange[text[:30]] += count
        words_open += [f"# [grades.{grade.name}]"] if strange else []
        for text, count in strange.most_common(12):
            notes.append(
                f"{grade.name} {text!r} ({count:,} rows) is no grade of ours; declare it under "
                f"[grades.{grade.name}] or its rows are set aside."
            )
            best = grade.name == "cut" and fold(text) in BEST_CUTS
            key, meant = (msgspec.json.encode(t).decode() for t in (text, best * "Ideal"))
            words_open.append(f"# {key} = {meant}  # {count:,} rows")
    ours = set(source.columns.values())
    others = [header for header in headers if header and header not in ours]
    if others:
        notes.append(f"kept as text, not used by any model: {', '.join(others)}.")
    comments = ["", "# Their words for grades; complete them.", *words_open] * bool(words_open)
    return msgspec.structs.replace(source, units=units), notes, "\n".join(comments)


def unfinished(sheet: Sheet, source: Source) -> str:
    """The columns that are to be told, as comments of a declaration, beside what is there."""
    lines = [] if source.columns else ["", "[columns]"]
    known = {f[0]: h.strip() for h in sheet.header if (f := understood(h)) is not None}
    for name in ("carat", "cut", "color", "clarity", "price", "depth", "table", "x", "y", "z"):
        if name not in source.columns:
            header = known.get(name, "")
            lines.append(
                f"{'' if header else '# '}{name} = {msgspec.json.encode(header).decode()}"
            )
    headers = ", ".join(repr(header.strip()) for header in sheet.header)
    return "\n".join([*lines, f"# the file has: {headers}", ""])
