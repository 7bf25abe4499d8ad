"""What a person should confirm about a file, told from its numbers."""

from collections import Counter

import msgspec
import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import StoneError
from diamond_pricing.intake.headers import MEASUREMENTS, PER_CARAT, PRICE, UNITS, meaning
from diamond_pricing.intake.mapping import dates_notes, grade_meant
from diamond_pricing.intake.numbers import number, sides
from diamond_pricing.intake.reading import Sheet
from diamond_pricing.intake.source import DROP, ROW, Source
from diamond_pricing.stones import GRADES, MEASURES, OTHERS, Grade, several
from diamond_pricing.stones.attributes import blank, fold
from diamond_pricing.stones.checks import expected_diameter
from diamond_pricing.stones.kinds import KINDS, ORIGIN, OTHER, SHAPE

PARTIES = {"source", "supplier", "vendor", "retailer", "seller", "company"}
NEAR = 0.1  # of log size
HEAVY = 10.0  # carats; a list whose median is above is in points
# Laboratories' words for what these sales call Ideal; a person has to agree.
BEST_CUTS = {"trueideal", "aaa"}


def suggested(sheet: Sheet, source: Source) -> tuple[Source, list[str], str]:
    """Complete a source by units that would make sizes fit weights; and say what is open.

    Returns
    -------
    tuple
        The source; notes for a person; lines, as comments of the declaration, for the words
        that are no grades of ours.
    """
    headers = sheet.headers
    units = _units(sheet, source)
    notes = [
        f"{name} seems to be in {unit}: please confirm."
        for name, unit in units.items()
        if name not in source.units
    ]
    if source.signs == DROP:
        notes.append("signs behind grades, as in F+ or VS1-, are dropped.")
    if PRICE not in source.columns and PER_CARAT not in source.columns:
        notes.append("prices are derived: the list price less the discount, by the weight.")
    if source.identity == ROW:
        notes.append("nothing numbers or measures the stones: every row counts as one.")
    notes += dates_notes(sheet, source)
    words_open: list[str] = []
    for grade in (*GRADES, *(a for a in OTHERS if isinstance(a, Grade))):
        if grade.name not in source.columns:
            continue
        lost = "its rows are set aside"
        if grade not in GRADES and grade.name not in KINDS:
            lost = "it counts as not given"
        strange: Counter[str] = Counter()
        for text, count in Counter(sheet.column(source.columns[grade.name])).items():
            try:
                if not blank(text) and (said := grade_meant(grade, text, source)) != OTHER:
                    grade.read(said)
            except StoneError:
                strange[text[:30]] += count
        words_open += [f"# [grades.{grade.name}]"] if strange else []
        for text, count in strange.most_common(12):
            notes.append(
                f"{grade.name} {text!r} ({several(count, 'row')}) is not a grade known here; "
                f"declare it under [grades.{grade.name}] or {lost}."
            )
            best = grade.name == "cut" and fold(text) in BEST_CUTS
            key, meant = (msgspec.json.encode(t).decode() for t in (text, best * "Ideal"))
            words_open.append(f"# {key} = {meant}  # {several(count, 'row')}")
    ours = set(source.columns.values())
    others = [header for header in headers if header and header not in ours]
    for header in others:
        if fold(header) in PARTIES and 1 < len(set(sheet.column(header))) < 20:
            notes.append(
                f"{header} names several whose prices may differ throughout: divide the file, "
                'one source each, and give them offset = "fitted".'
            )
    if others:
        notes.append(f"kept as text, not used by any model: {', '.join(others)}.")
    comments = ["", "# Their words for grades; complete them.", *words_open] * bool(words_open)
    return msgspec.structs.replace(source, units=units), notes, "\n".join(comments)


def _units(sheet: Sheet, source: Source) -> dict[str, str]:
    """The units in which weights, sizes and proportions are those of real stones."""
    units = dict(source.units)

    def numbers(name: str, part: int = 0) -> Vector:
        found = (
            number((sides(t) if name == MEASUREMENTS else [t])[part], source.decimal)
            for t in sheet.column(source.columns[name])
        )
        return np.array([np.nan if v is None or v <= 0 else v for v in found])

    carat = numbers("carat")
    if "carat" not in units and np.isfinite(carat).any() and np.nanmedian(carat) > HEAVY:
        units["carat"] = "pt"
    carat = carat * UNITS["carat"].get(units.get("carat", ""), 1.0)
    expected = expected_diameter(carat, np.full(len(carat), np.nan))
    for name in ("x", "y", "z", MEASUREMENTS):
        if name in source.columns and name not in units:
            ratio = expected * (0.618 if name == "z" else 1) / numbers(name)
            for unit, times in UNITS["x"].items():
                if np.isfinite(ratio).any() and (
                    times != 1 and abs(np.log(np.nanmedian(ratio) / times)) < NEAR
                ):
                    units[name] = unit
    for name in ("depth", "table"):
        if name in source.columns and name not in units:
            share = numbers(name)
            if np.isfinite(share).any() and np.nanmedian(share) < 1:
                units[name] = "fraction"
    return units


def unfinished(sheet: Sheet, source: Source) -> str:
    """The declaration with the columns that can be told, and as comments those that cannot."""
    named = [(meaning(header), header) for header in sheet.headers]
    count = Counter(name for name, _ in named)
    known = {name: header for name, header in named if count[name] == 1}
    weight, *sizes = (measure.name for measure in MEASURES)
    wanted = (weight, *(grade.name for grade in GRADES), PRICE, *sizes, SHAPE, ORIGIN)
    told = {name: known[name] for name in wanted if name in known} | source.columns
    columns = {name: told[name] for name in (*wanted, *told) if name in told}
    text = msgspec.structs.replace(source, columns=columns).to_toml()
    head = "[columns]\n"
    if head not in text:
        text += f"\n{head}"
    lines = [f"# the file has: {', '.join(map(repr, sheet.headers))}\n"]
    lines += [f'# {name} = ""\n' for name in wanted if name not in told]
    return text.replace(head, head + "".join(lines), 1)
