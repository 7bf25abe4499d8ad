"""The view of prices as layers of columns, each computed from those before it.

A layer becomes one common table expression, so that no expression is computed twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from diamond_pricing.intake.judged import REFUSED
from diamond_pricing.model.like_sales import Cells
from diamond_pricing.model.support import ORIGIN_NOT_SAID
from diamond_pricing.model.verdict import CAUTION, FEW, PRICED
from diamond_pricing.stones import ATTRIBUTES, LIKE_LINE, LISTING, Measure
from diamond_pricing.warehouse.scoring.arithmetic import feature, number, polynomial, searched
from diamond_pricing.warehouse.scoring.checking import (
    checked_depth,
    checked_height,
    checked_sides,
    clean,
    read,
    trouble,
)
from diamond_pricing.warehouse.scoring.lookups import CARAT, LOG_CARAT, Lookup, Lookups

_CLOSE = 1e-4  # as in diamond_pricing.model.money
_HALF = "5e-1"
_MANY = 1024  # more than lines; a power of two, so that nothing is rounded


@dataclass(slots=True)
class Layer:
    """Columns by name, and the tables that are joined: name and key; none for the only row."""

    columns: dict[str, str]
    joins: list[tuple[str, str]] = field(default_factory=list)


def columns_of(table: Lookup) -> dict[str, np.ndarray]:
    """The columns of a table that are not zero throughout, by name, each of its shape."""
    found = {f"{table.name}_{name}": values for name, values in table.plain.items()}
    for i, low in enumerate(table.lows.values()):
        wide = low.reshape(-1, *(1,) * (len(table.shape) - 1))
        found[f"{table.name}_low{i}"] = np.broadcast_to(wide, table.shape)
    constant: dict[int, np.ndarray] = {}
    for (line, variable), cubic in table.cubics.items():
        constant[line] = constant.get(line, 0.0) + cubic[..., 0]
        place = 1 if variable == CARAT and table.name[0] in "wcdo" else 0
        for power in (1, 2, 3):
            if cubic[..., power].any():
                found[f"{table.name}_{line}_{place}{power}"] = cubic[..., power]
    return found | {f"{table.name}_{line}_c": v for line, v in constant.items() if v.any()}


def layers(tables: Lookups, prefix: str, given: Mapping[str, str]) -> list[Layer]:
    """All layers; ``given`` is by attribute the column of the stones, as SQL."""
    optional = frozenset(n for n in given if isinstance(ATTRIBUTES[n], Measure)) - {CARAT}
    # DuckDB would write out layers that stand on each other, and compute what they share
    # again and again; between them it keeps a join apart.
    apart = [(f"{prefix}one", "")]
    return [
        Layer(read(tables, given)),
        Layer(checked_depth()),
        Layer(checked_sides()),
        Layer(checked_height()),
        Layer({"trouble": trouble(tables, given)}),
        Layer(clean(tables)),
        Layer(_placed(tables)),
        _celled(tables, prefix),
        Layer({"key_w": _key(tables, tables.weight, "at_weight")}),
        _weighed(tables, prefix),
        Layer(_numbers(tables, optional)),
        Layer(_keys(tables)),
        _joined(tables, prefix),
        Layer(_base(tables)),
        *_marked(tables, prefix),
        Layer(_money(tables)),
        Layer(_parts(tables), apart),
        *_rounded(tables, apart),
        Layer(_answers(tables), apart),
    ]


def _placed(tables: Lookups) -> dict[str, str]:
    nodes = list(tables.model.averages.carats)
    low = tables.model.training.ranges[CARAT][0]
    cell = f"CAST(FLOOR((m_carat - {number(low)}) * {number(tables.cells[0])}) AS INT)"
    columns = {"log_carat": "LN(m_carat)", "cell": cell}
    if any(table.missing for table in tables.others):
        columns["at_node"] = searched("m_carat", nodes)
    return columns


def _celled(tables: Lookups, prefix: str) -> Layer:
    """Interval of the weight."""
    edges = range(tables.cells[2].shape[1])
    above = "".join(f" + CAST(m_carat >= edge{j} AS INT)" for j in edges)
    return Layer({"at_weight": f"first_edge{above}"}, [(f"{prefix}cell", "cell")])


def _numbers(tables: Lookups, optional: frozenset[str]) -> dict[str, str]:
    columns = {}
    for table in tables.others:
        if table.name[0] == "p":
            number_of = f"k_{table.feature}" if table.graded else ""
            columns[f"f_{table.name}"] = number_of or feature(table.feature, optional)
    return columns


def _key(tables: Lookups, table: Lookup, place: str) -> str:
    """Number of a row of a table, from its place and the grades."""
    for grade in table.grades:
        place = f"({place}) * {len(tables.levels[grade])} + k_{grade}"
    return place


def _keys(tables: Lookups) -> dict[str, str]:
    columns = {}
    for table in tables.others:
        known, place = f"f_{table.name}", "at_weight" if table.feature == CARAT else "0"
        if table.name[0] == "p":
            place = known if table.graded else searched(known, table.edges)
            columns[f"v_{table.name}"] = known
        if table.cells is not None:
            place = _cell(tables, table.cells)
        if table.missing:
            rows = table.shape[0] - len(table.missing) - 1
            place = f"CASE WHEN {known} IS NULL THEN at_node + {rows} ELSE {place} END"
            either = "log_carat" if table.graded else f"COALESCE({known}, log_carat)"
            columns[f"v_{table.name}"] = either
        columns[f"key_{table.name}"] = _key(tables, table, place)
    return columns


def _cell(tables: Lookups, cells: Cells) -> str:
    """Number of the cell of like sales, with one more along each side for what is unknown."""
    place = "0"
    for side in cells.sides[cells.listed :]:
        if side.grades:
            cases = [
                f"WHEN {tables.levels[side.attribute].index(name)} THEN {i}"
                for i, name in enumerate(side.grades)
            ]
            at = f"CASE k_{side.attribute} {' '.join(cases)} ELSE {len(side)} END"
        else:
            value = f"m_{side.attribute}"
            at = searched(value, side.edges)
            if side.attribute != CARAT:
                at = f"CASE WHEN {value} IS NULL THEN {len(side)} ELSE {at} END"
        place = f"({place}) * {len(side) + 1} + {at}"
    return place


def _weighed(tables: Lookups, prefix: str) -> Layer:
    """Join the largest table by itself, or an engine may take the stones to build on."""
    weight = tables.weight
    columns = {name: name for name in columns_of(weight) if "_low" not in name}
    for i, variable in enumerate(weight.lows):
        value = "m_carat" if variable == CARAT else "log_carat"
        columns[f"u{0 if variable == LOG_CARAT else 1}"] = f"{value} - w_low{i}"
    return Layer(columns, [(f"{prefix}w", "key_w")])


def _joined(tables: Lookups, prefix: str) -> Layer:
    joins = [(f"{prefix}{table.name}", f"key_{table.name}") for table in tables.others]
    columns = {}
    for table in tables.others:
        if table.name[0] == "p":
            columns[f"u_{table.name}"] = f"v_{table.name} - {table.name}_low0"
        columns |= {name: name for name in columns_of(table) if "_low" not in name}
    return Layer(columns, joins)


def _base(tables: Lookups) -> dict[str, str]:
    """Log effect of each line but the mark-up, and whether anything stands behind a price."""
    columns = {}
    every = [(table, columns_of(table)) for table in (tables.weight, *tables.others)]
    for line, name in enumerate(tables.model.lines):
        parts = []
        for table, known in every:
            if f"{table.name}_{line}_c" in known:
                parts.append(f"{table.name}_{line}_c")
            for place in (0, 1):
                names = [f"{table.name}_{line}_{place}{power}" for power in (1, 2, 3)]
                if any(name in known for name in names):
                    u = f"u_{table.name}" if table.name[0] == "p" else f"u{place}"
                    parts.append(polynomial([n if n in known else "" for n in names], u))
        if name == LIKE_LINE:
            effects = [f"{t.name}_effect" for t in tables.others if t.cells is not None]
            start = number(tables.model._alike_at_start)
            parts = [f"({' + '.join(effects)}) - ({start})"]
        columns[f"b{line}"] = " + ".join(parts) or "0e0"
    if tables.model.support is None:
        return columns | {"code": "trouble"}
    kinds = _beginning(tables, "near_")
    near = f"LEAST({', '.join(['w_near', *kinds])})" if kinds else "w_near"
    none = f"trouble IS NULL AND {near} = 0"
    unsaid = [f"{column} = 1" for column in _beginning(tables, "unsaid_")]
    code = "".join(f"WHEN {none} AND {said} THEN '{ORIGIN_NOT_SAID}' " for said in unsaid)
    code = f"CASE {code}WHEN {none} THEN 'cell_without_support' ELSE trouble END"
    return columns | {"near": near, "code": code}


def _beginning(tables: Lookups, start: str) -> list[str]:
    """Further columns of the smaller tables whose names begin so."""
    return [
        f"{t.name}_{name}" for t in tables.others for name in t.plain if name.startswith(start)
    ]


def _marked(tables: Lookups, prefix: str) -> list[Layer]:
    markup, start = tables.model.markup, tables.model._start
    count = len(tables.model.lines)
    every = " + ".join(f"b{line}" for line in range(count))
    kept = {f"e{line}": f"b{line}" for line in range(count)}
    if markup is None:
        return [Layer(kept)]
    last = len(markup.blended[0]) - 1
    base = number(start.log_price - start.marked - markup.start)
    place = f"(({every}) + {base}) / {number(markup.step)}"
    clip = f"LEAST(GREATEST({place}, 0e0), {number(last)})"
    node = f"w_part + LEAST(CAST(FLOOR(place) AS INT), {last - 1})"
    line = tables.model.lines.index(LISTING.line)
    kept[f"e{line}"] = f"b{line} + (k_0 + place * k_1 - {number(start.marked)})"
    return [
        Layer({"place": clip}),
        Layer({"key_m": node}),
        Layer(kept, [(f"{prefix}m", "key_m")]),
    ]


def _money(tables: Lookups) -> dict[str, str]:
    every = " + ".join(f"e{line}" for line in range(len(tables.model.lines)))
    priced = f"EXP(({every}) + {number(tables.model._start.log_price)})"
    columns = {"total": every, "price": f"CASE WHEN code IS NULL THEN {priced} END"}
    if tables.model.ranges is not None:
        columns["half"] = " * ".join(["w_half", *_beginning(tables, "half_")])
    return columns


def _parts(tables: Lookups) -> dict[str, str]:
    start = number(tables.model._start.price)
    mean = (
        f"CASE WHEN ABS(total) < {number(_CLOSE)} "
        f"THEN SQRT(price) * SQRT({start}) * (1e0 + total * total / 24e0) "
        f"ELSE (price - {start}) / total END"
    )
    cents = f"FLOOR(price * 100e0 + {_HALF})"
    firsts = " ".join(
        f"WHEN e{line} < 0e0 THEN -1e0 WHEN e{line} > 0e0 THEN 1e0"
        for line in range(len(tables.model.lines))
    )
    moved = f"({cents} - {number(tables.model._start.cents)})"
    sign = (
        f"CASE WHEN {moved} < 0e0 THEN -1e0 WHEN {moved} > 0e0 THEN 1e0 {firsts} ELSE 1e0 END"
    )
    return {"mean_cents": f"({mean}) * 100e0", "moved": moved, "side": sign}


def _rounded(tables: Lookups, apart: list[tuple[str, str]]) -> list[Layer]:
    """Shares of the lines, rounded down, and what is left of each and of the price."""
    floors: dict[str, str] = {}
    ranks: dict[str, str] = {}
    every = range(len(tables.model.lines))
    for i in every:
        share = f"e{i} * mean_cents * side"
        floors |= {f"s{i}": share, f"w{i}": f"FLOOR({share})"}
        ranks[f"d{i}"] = f"s{i} - w{i}"
    ranks["left_over"] = f"moved * side - ({' + '.join(f'w{i}' for i in every)})"
    return [Layer(floors, apart), Layer(ranks, apart)]


def _answers(tables: Lookups) -> dict[str, str]:
    """Whole cents by largest remainder, as `diamond_pricing.model.money.whole_cents`."""
    model = tables.model
    count = len(model.lines)
    start = model._start.cents
    found = {"price_cents": f"CAST(moved AS BIGINT) + {start}"}
    if model.ranges is not None:
        for name, sign in (("low", "/"), ("high", "*")):
            end = f"FLOOR(price {sign} EXP(half) * 100e0 + {_HALF})"
            found[f"{name}_cents"] = f"CAST({end} AS BIGINT)"
    found["reference_cents"] = f"CASE WHEN code IS NULL THEN CAST({start} AS BIGINT) END"
    for i in range(count):
        # Engines compare numbers slower than they round them: −1 where a remainder is less.
        before = [f"FLOOR(d{j} - d{i})" for j in range(i)]
        after = [f"FLOOR(d{i} - d{j})" for j in range(i + 1, count)]
        rank = " - ".join([" + ".join([number(i), *before]), *after])
        whole = f"side * (w{i} - FLOOR(({rank} - left_over) / {number(_MANY)}))"
        found[f"{model.lines[i]}_cents"] = f"CAST({whole} AS BIGINT)"
    for name in ("low_cents", "high_cents"):
        found.setdefault(name, "CAST(NULL AS BIGINT)")
    caution = f"WHEN near < {FEW} THEN '{CAUTION}'" if model.support is not None else ""
    status = f"CASE WHEN code IS NOT NULL THEN '{REFUSED}' {caution} ELSE '{PRICED}' END"
    return {"status": status, **found, "reason": "code"}


def answers(tables: Lookups) -> list[str]:
    """Names of the columns that the view adds, but for the code."""
    ends = ["low_cents", "high_cents", "reference_cents"]
    return ["status", "price_cents", *ends, *(f"{line}_cents" for line in tables.model.lines)]
