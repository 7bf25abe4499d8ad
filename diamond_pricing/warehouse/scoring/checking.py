"""What of a stone can be read, and the first reason not to price it, as SQL."""

import re
from collections.abc import Mapping, Set
from math import exp

from diamond_pricing.stones import ATTRIBUTES, GRADES, MEASURES, OTHERS
from diamond_pricing.stones.attributes import BLANK, Attribute, Day, Grade, Measure, fold
from diamond_pricing.stones.checks import (
    BOX_TOLERANCE,
    CARATS_PER_MM3,
    DIAMETER_TOLERANCE,
    HEIGHT_TOLERANCE,
    TYPICAL_DEPTH,
)
from diamond_pricing.stones.kinds import KINDS, kinds_known
from diamond_pricing.stones.stones import _SLIP, EPOCH
from diamond_pricing.terms.basis import UNRECORDED
from diamond_pricing.warehouse.scoring.arithmetic import number, searched
from diamond_pricing.warehouse.scoring.lookups import CARAT, Lookups

_OF_EVERY_STONE = tuple(grade for grade in GRADES if grade.required)


def grade_number(grade: Grade, levels: list[str], column: str) -> str:
    """Position of a grade in the tables: −1 for one that was not seen, NULL for none.

    The standard spelling of a grade that was seen is looked for first. Else case, spaces,
    points and underscores do not count, nor does a hyphen before a figure or between words.
    """
    place = {name: levels.index(name) if name in levels else -1 for name in grade.grades}
    words = {fold(name): code for name, code in place.items()}
    words |= {fold(word): place[name] for word, name in grade.spellings.items()}
    for name, code in place.items():
        words[re.sub(r"(?<=[a-z])(?=\d)", "-", fold(name))] = code
        words[name.lower().replace(" ", "-")] = code
    plain = f"LOWER(REPLACE(REPLACE(REPLACE({column}, ' ', ''), '.', ''), '_', ''))"
    seen = reversed([name for name in levels if name in place])
    usual = " ".join(f"WHEN {_text(name)} THEN {place[name]}" for name in seen)
    other = " ".join(f"WHEN {_text(word)} THEN {code}" for word, code in words.items())
    return f"CASE {column} {usual} ELSE CASE {plain} {other} END END"


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def read(tables: Lookups, given: Mapping[str, str]) -> dict[str, str]:
    """Measures as doubles, NULL where missing, and grades by number."""
    columns = {}
    for measure in MEASURES:
        column = given.get(measure.name)
        whole = column and measure.required
        value = f"CAST({column} AS DOUBLE)" if whole else _number_of(measure, column)
        columns[f"r_{measure.name}"] = value
    for grade in _OF_EVERY_STONE:
        levels = tables.levels[grade.name]
        place = grade_number(grade, levels, given[grade.name])
        if grade.ungraded:
            none = levels.index(grade.ungraded) if grade.ungraded in levels else -1
            blank = ", ".join(_text(word) for word in sorted(BLANK))
            text = f"LOWER(TRIM(COALESCE({given[grade.name]}, '')))"
            place = f"CASE WHEN {text} IN ({blank}) THEN {none} ELSE {place} END"
        columns[f"g_{grade.name}"] = place
    for other in further(tables, given):
        if isinstance(other, Measure):
            columns[f"r_{other.name}"] = _number_of(other, given.get(other.name))
            continue
        levels = tables.levels.get(other.name, [])
        gone = str(levels.index(UNRECORDED)) if UNRECORDED in levels else "CAST(NULL AS INT)"
        place = gone
        if column := given.get(other.name):
            text = f"NULLIF(TRIM({column}), '')"
            grades = tables.model.training.grades
            known = kinds_known(other.name, grades) if other.name in KINDS else ()
            levels = levels or list(known or grades[other.name])
            place = grade_number(other, levels, text)
            # −2 is a word that is not a grade of it.
            place = f"CASE WHEN {text} IS NULL THEN {gone} ELSE COALESCE({place}, -2) END"
        columns[f"g_{other.name}"] = place
    return columns


def further(tables: Lookups, given: Mapping[str, str]) -> list[Attribute]:
    """Attributes beside those of every trade that the model reads, and the kind of stone."""
    read = tables.model._effects.attributes
    return [
        other
        for other in OTHERS
        if other.name in read or (other.name in KINDS and other.name in given)
    ]


def _number_of(measure: Measure, column: str | None) -> str:
    if column is None:
        return "CAST(NULL AS DOUBLE)"
    if isinstance(measure, Day):
        days = f"DATE_DIFF('day', CAST('1970-01-01' AS DATE), CAST({column} AS DATE))"
        return f"CAST({days} AS DOUBLE) + {number(EPOCH)}"
    value = f"CAST({column} AS DOUBLE)"
    return f"CASE WHEN ISNAN({value}) THEN NULL ELSE {value} END"


def _off(value: str, expected: str, tolerance: float) -> str:
    """Whether the logarithms of two positive numbers lie further apart than a tolerance."""
    up, down = number(exp(tolerance)), number(exp(-tolerance))
    return f"({value} > {expected} * {up} OR {value} < {expected} * {down})"


def checked_depth() -> dict[str, str]:
    """As `checks.implausible`, with cubes and ratios in place of roots and logarithms."""
    box, weight = "(r_x * r_y * r_z)", f"(r_carat * {number(1 / CARATS_PER_MM3)})"
    off = _off("(r_depth * (r_x + r_y))", "(200e0 * r_z)", HEIGHT_TOLERANCE)
    fits = f"r_x > 0e0 AND r_y > 0e0 AND r_z > 0e0 AND NOT {_off(box, weight, BOX_TOLERANCE)}"
    return {"bad_depth": f"CASE WHEN {fits} AND {off} THEN 1 ELSE 0 END"}


def checked_sides() -> dict[str, str]:
    """Length and width against the weight; ``cube`` is that of the diameter expected."""
    typical = number(TYPICAL_DEPTH)
    known = "bad_depth = 0 AND r_depth > 0e0"  # some engines stop at a division by zero
    depth = f"CASE WHEN {known} THEN r_depth ELSE {typical} END"
    cube = f"(r_carat / ({number(CARATS_PER_MM3 / 100)} * ({depth})))"
    columns = {"cube": cube, "likely": depth}
    for name in ("x", "y"):
        side = f"r_{name}"
        off = _off(f"({side} * {side} * {side})", cube, 3 * DIAMETER_TOLERANCE)
        columns[f"bad_{name}"] = f"CASE WHEN {off} THEN 1 ELSE 0 END"
    return columns


def trouble(tables: Lookups, given: Mapping[str, str]) -> str:
    """Code of the first reason not to price a stone, but for what stands behind a cell."""
    model = tables.model
    unread = " OR ".join(f"g_{grade.name} IS NULL" for grade in _OF_EVERY_STONE)
    cases = [
        (_impossible(given, model._effects.attributes), "'impossible_value'"),
        (unread, "'unknown_grade'"),
    ]
    if {"x", "y", "z"} & set(given):
        cases.append(("bad_depth + bad_x + bad_y + bad_z > 0", _contradiction()))
    kinds = [other.name for other in further(tables, given) if isinstance(other, Grade)]
    cases += [(f"g_{name} = -2", "'unknown_grade'") for name in kinds]
    unseen = " OR ".join(f"g_{name} < 0" for name, _ in model._grades)
    cases.append((unseen, "'grade_not_seen'"))
    unpriced = [name for name in kinds if name not in model._effects.attributes]
    cases += [(f"g_{name} < 0", f"'{name}_not_priced'") for name in unpriced]
    for name, low, high in model._ranges:
        code = "'weight_outside_range'" if name == CARAT else "'measure_outside_range'"
        if name in given:
            cases.append((_outside(name, low, high), code))
    return f"CASE {' '.join(f'WHEN {when} THEN {code}' for when, code in cases)} END"


def _impossible(given: Mapping[str, str], read: Set[str]) -> str:
    found = ["r_carat IS NULL", "ISNAN(r_carat)"]
    for name in given:
        measure = ATTRIBUTES[name]
        if name not in (m.name for m in MEASURES) and name not in read:
            continue
        if name in ("x", "y", "z"):
            slip = number(_SLIP)
            found.append(f"(r_{name} <= -{slip} OR r_{name} >= {slip})")
        elif isinstance(measure, Measure):
            found.append(_outside(name, measure.low, measure.high))
    return " OR ".join(found)


def _outside(name: str, low: float, high: float) -> str:
    return f"r_{name} < {number(low)} OR r_{name} > {number(high)}"


def checked_height() -> dict[str, str]:
    """Height against what is known of the sides, which counts where neither of them is bad."""
    across = (
        "CASE WHEN r_x IS NULL THEN r_y WHEN r_y IS NULL THEN r_x ELSE (r_x + r_y) / 2e0 END"
    )
    height = f"(likely / 100e0 * ({across}))"
    loose = _off("r_z", height, DIAMETER_TOLERANCE)
    tight = _off("r_z", height, HEIGHT_TOLERANCE)
    unmeasured = _off(
        "(r_z * r_z * r_z)",
        "(likely * likely * likely * cube / 1000000e0)",
        3 * DIAMETER_TOLERANCE,
    )
    off = (
        f"CASE WHEN r_x IS NULL AND r_y IS NULL THEN {unmeasured} "
        f"WHEN r_depth IS NULL THEN {loose} ELSE {tight} END"
    )
    return {"bad_z": f"CASE WHEN {off} THEN 1 ELSE 0 END"}


def _contradiction() -> str:
    """Code for depth, length, width, height, in this order; see `checks.in_words`."""
    cases = [("bad_depth = 1", "depth_contradicts_height")]
    for name in ("x", "y"):
        cases.append((f"bad_{name} = 1 AND r_{name} <= 0e0", "impossible_dimension"))
        cases.append((f"bad_{name} = 1", "size_contradicts_weight"))
    cases.append(("r_z <= 0e0", "impossible_dimension"))
    whole = "r_depth IS NOT NULL AND r_x IS NOT NULL AND r_y IS NOT NULL"
    cases.append((whole, "height_contradicts_depth"))
    written = " ".join(f"WHEN {when} THEN {_text(code)}" for when, code in cases)
    return f"CASE {written} ELSE 'size_contradicts_weight' END"


def _period(tables: Lookups, day: Day) -> str:
    """Number of the period of a day; the one behind all others where there is none."""
    starts = [day.read(start) for start in tables.levels.get(day.name, [])[1:-1]]
    known = searched(f"r_{day.name}", starts)
    none = f"r_{day.name} IS NULL OR trouble IS NOT NULL"
    return f"CASE WHEN {none} THEN {len(starts) + 1} ELSE {known} END"


def clean(tables: Lookups) -> dict[str, str]:
    """Put the reference's weight for that of a stone without a price: all is then finite."""
    carat = number(tables.model.reference.carat)
    columns = {"m_carat": f"CASE WHEN trouble IS NULL THEN r_carat ELSE {carat} END"}
    for measure in MEASURES:
        if not measure.required:
            name = measure.name
            columns[f"m_{name}"] = f"CASE WHEN trouble IS NULL THEN r_{name} END"
    for grade in _OF_EVERY_STONE:
        name = grade.name
        columns[f"k_{name}"] = f"CASE WHEN trouble IS NULL THEN g_{name} ELSE 0 END"
    for other in OTHERS:
        if other.name in tables.model._effects.attributes:
            ours, theirs = ("m", "r") if isinstance(other, Measure) else ("k", "g")
            columns[f"{ours}_{other.name}"] = (
                f"CASE WHEN trouble IS NULL THEN {theirs}_{other.name}"
                f"{' ELSE 0' if other.name in tables.levels else ''} END"
            )
            if isinstance(other, Day):
                columns[f"k_{other.name}"] = _period(tables, other)
    return columns
