"""A model as one SQL script: look-up tables, and a view of prices over a table of stones."""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Any

import numpy as np

from diamond_pricing.errors import MissingExtraError, SourceError
from diamond_pricing.model import PriceModel
from diamond_pricing.model.explanation import RANGE
from diamond_pricing.stones import ATTRIBUTES, OTHERS, Day, attribute_named
from diamond_pricing.stones.kinds import KINDS
from diamond_pricing.warehouse.scoring.lookups import Lookups, lookups
from diamond_pricing.warehouse.scoring.view import Layer, answers, columns_of, layers

_DIALECTS = """duckdb postgres sqlite bigquery snowflake redshift mysql clickhouse trino spark
    databricks"""
DIALECTS = tuple(_DIALECTS.split())
COLUMNS = ("carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,2}")
SPARK = ("spark", "databricks")
_STATEMENT = 100_000  # characters of an INSERT
_ROWS = 1000  # of an INSERT; some engines take no more
_MATERIALIZED = ("postgres", "sqlite")  # they would write out inner expressions again and again
_NAN = {"duckdb", "bigquery", "clickhouse", "trino", *SPARK}


def sql(
    model: PriceModel,
    dialect: str,
    *,
    table: str = "stones",
    prefix: str = "diamond_",
    columns: Sequence[str] | None = None,
    level: float = RANGE,
) -> str:
    """Write a model as a script that gives its prices where the stones are.

    Parameters
    ----------
    dialect : str
        One of ``DIALECTS``.
    table, prefix : str
        The table of stones, which may have a schema in front; what the names of our tables
        and of the view, ``{prefix}prices``, begin with.
    columns : Sequence[str], optional
        Columns of the table that the view has too; by default ``COLUMNS`` and the further
        attributes that the model reads, but no date: a stock has none. Those that mean an
        attribute, in any spelling that data frames may use, are read for the price.
    level : float
        Share of such sales within the range.

    Returns
    -------
    str
        CREATE TABLE, INSERT and CREATE VIEW; run again it replaces what it made.

    Raises
    ------
    SourceError
        For names that cannot be, or a dialect that is not written.
    NotCompilableError
        For a model with effects over two numbers at once.
    """
    if dialect not in DIALECTS:
        raise SourceError(f"dialect {dialect!r} is not written; choose {', '.join(DIALECTS)}.")
    read = model._effects.attributes
    if columns is None:
        further = (a.name for a in OTHERS if a.name in read and not isinstance(a, Day))
        columns = (*COLUMNS, *further)
    given = _attributes(columns, read)
    for name, what in ((table, "table"), (f"{prefix}prices", "prefix")):
        if not _NAME.fullmatch(name):
            raise SourceError(
                f"{what} {name!r}: write letters, figures and _, with a schema before a point."
            )
    absent = frozenset(ATTRIBUTES) - set(given)
    tables = lookups(model, level, absent)
    parts = [
        f"-- Prices of {model}.\n-- The view {prefix}prices gives whole cents of "
        f"{model.training.currency}.\n",
        f"{_transpiled(f'DROP VIEW IF EXISTS {prefix}prices', dialect)};\n",
    ]
    for name, kinds, rows in _all_rows(tables, prefix):
        parts += _created(name, kinds, rows, dialect)
    parts.append(f"{_view(tables, prefix, table, columns, given, dialect)};\n")
    return "\n".join(parts)


def _attributes(columns: Sequence[str], read: Set[str]) -> dict[str, str]:
    """By attribute the column that means it, as SQL."""
    given: dict[str, str] = {}
    further = {other.name for other in OTHERS}
    for column in columns:
        name = attribute_named(column)
        if name in further - set(KINDS) - read or (name in further and name in given):
            continue  # carried along
        if name in given:
            raise SourceError(f"columns {given[name]} and {column!r} both mean {name}.")
        if name is not None and name != "listing":
            given[name] = _quoted(column)
    for name in ("carat", "cut", "color", "clarity"):
        if name not in given:
            raise SourceError(
                f"no column for {name} among {', '.join(columns)}; name all columns that the "
                "view is to have."
            )
    return given


def _quoted(column: str) -> str:
    """A column in the dialect of DuckDB; quoted where it must be."""
    plain = _PLAIN.fullmatch(column) and column.lower() != "table"
    return column if plain else '"' + column.replace('"', '""') + '"'


def _all_rows(tables: Lookups, prefix: str) -> Iterator[tuple[str, dict[str, str], Any]]:
    """Name, columns with types, and rows of each table."""
    for table in (tables.weight, *tables.others):
        columns = columns_of(table)
        kinds = {
            name: "INT" if np.asarray(values).dtype.kind == "i" else "DOUBLE"
            for name, values in columns.items()
        }
        rows = [np.ravel(values).tolist() for values in columns.values()]
        numbered = zip(range(int(np.prod(table.shape))), *rows, strict=True)
        yield f"{prefix}{table.name}", {"k": "INT", **kinds}, numbered
    _, first, held = tables.cells
    kinds = {"k": "INT", "first_edge": "INT"}
    kinds |= {f"edge{j}": "DOUBLE" for j in range(held.shape[1])}
    rows = [first.tolist(), *(column.tolist() for column in held.T)]
    yield f"{prefix}cell", kinds, zip(range(len(first)), *rows, strict=True)
    yield f"{prefix}one", {"one": "INT"}, [(1,)]
    if tables.markup is not None:
        rows = [column.tolist() for column in tables.markup.T]
        kinds = {"k": "INT", "k_0": "DOUBLE", "k_1": "DOUBLE"}
        yield f"{prefix}m", kinds, zip(range(len(tables.markup)), *rows, strict=True)


def _created(name: str, kinds: dict[str, str], rows: Any, dialect: str) -> Iterator[str]:
    """Statements that make one table."""
    yield f"{_transpiled(f'DROP TABLE IF EXISTS {name}', dialect)};"
    missing = "" if dialect in SPARK else "NULL"  # there a cell of a CSV file
    texts = (",".join(missing if v != v else _value(v) for v in row) for row in rows)
    if dialect in SPARK:
        yield _loaded(name, kinds, texts, dialect)
        return
    columns = ", ".join(f"{column} {kind}" for column, kind in kinds.items())
    create = _transpiled(f"CREATE TABLE {name} ({columns})", dialect)
    if dialect == "clickhouse":
        create += " ENGINE = MergeTree ORDER BY tuple()"
    yield f"{create};"
    head = f"INSERT INTO {name} VALUES\n"
    batch: list[str] = []
    length = 0
    for text in texts:
        if batch and (length + len(text) > _STATEMENT or len(batch) == _ROWS):
            yield head + ",\n".join(batch) + ";"
            batch, length = [], 0
        batch.append(f"({text})")
        length += len(text) + 4
    yield head + ",\n".join(batch) + ";\n"


def _value(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    if value == 0:
        return "0e0"
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _loaded(name: str, kinds: dict[str, str], rows: Iterator[str], dialect: str) -> str:
    """A table for Spark, from rows written as CSV in one literal, planned as one value.

    A VALUES list of this size takes its parser a minute.
    """
    stored = " USING parquet" if dialect == "spark" else ""
    schema = ", ".join(f"{column} {kind}" for column, kind in kinds.items())
    text = "\n".join(rows)
    return (
        f"CREATE TABLE {name}{stored} AS SELECT INLINE(ARRAY(FROM_CSV(line, '{schema}')))\n"
        f"FROM (SELECT EXPLODE(SPLIT('{text}', '\\n')) AS line);\n"
    )


def _view(
    tables: Lookups,
    prefix: str,
    table: str,
    columns: Sequence[str],
    given: dict[str, str],
    dialect: str,
) -> str:
    carried = {f"s_{i}": _quoted(column) for i, column in enumerate(columns)}
    steps = layers(tables, prefix, {name: f"s.{column}" for name, column in given.items()})
    steps[0].columns = {f: f"s.{c}" for f, c in carried.items()} | steps[0].columns
    ours = answers(tables)
    clash = {column.lower() for column in columns} & {*ours, "code"}
    if clash:
        raise SourceError(
            f"the view has a column {sorted(clash)[0]!r} of its own; leave it out."
        )
    last = [f"{f} AS {c}" for f, c in carried.items()] + ours + ["reason AS code"]
    for step in steps if dialect in SPARK else ():
        step.joins = [join for join in step.joins if join[1]]
    expressions = _chained(steps, f"{table} AS s", set(carried) | set(ours) | {"reason"})
    hint = "MATERIALIZED " if dialect in _MATERIALIZED else ""
    ctes = ",\n".join(f"l{i} AS {hint}({text})" for i, text in enumerate(expressions))
    text = f"WITH {ctes} SELECT {', '.join(last)} FROM l{len(expressions) - 1}"  # noqa: S608  names are checked
    return _transpiled(f"CREATE VIEW {prefix}prices AS {text}", dialect)


def _chained(steps: list[Layer], source: str, wanted: set[str]) -> list[str]:
    """A SELECT for each layer, which carries what later ones need."""
    needed, kept = set(wanted), []
    for step in reversed(steps):
        carried = needed - set(step.columns)
        kept.append(carried)
        read = " ".join(step.columns.values()) + " " + " ".join(key for _, key in step.joins)
        needed = carried | set(re.findall(r"[a-z_][a-z_0-9]*", read))
    found: list[str] = []
    known: set[str] = set()
    for i, (step, carried) in enumerate(zip(steps, reversed(kept), strict=True)):
        through = sorted(carried & known)
        chosen = through + [f"{value} AS {name}" for name, value in step.columns.items()]
        origin = source if i == 0 else f"l{i - 1}"
        joins = "".join(
            f" JOIN {name} ON {name}.k = l{i - 1}.{key}" if key else f" CROSS JOIN {name}"
            for name, key in step.joins
        )
        found.append(f"SELECT {', '.join(chosen)} FROM {origin}{joins}")  # noqa: S608  likewise
        known = set(through) | set(step.columns)
    return found


def _transpiled(text: str, dialect: str) -> str:
    try:
        import sqlglot
        from sqlglot import exp
    except ImportError as error:
        raise MissingExtraError("SQL of a model", "scale") from error
    tree = sqlglot.parse_one(text, read="duckdb")
    if dialect in SPARK:
        tree = _apart(tree, exp)
    if dialect not in _NAN:
        tree = tree.transform(lambda node: _without_nan(node, exp, dialect))
    # Of SQLite it warns that days cannot be told apart, and writes how they are.
    told = sqlglot.ErrorLevel.IGNORE if dialect == "sqlite" else sqlglot.ErrorLevel.WARN
    return tree.sql(dialect=dialect, pretty=False, unsupported_level=told)


def _without_nan(node: Any, exp: Any, dialect: str) -> Any:
    """What an engine has in place of ISNAN; some have no NaN at all."""
    if not isinstance(node, exp.IsNan):
        return node
    if dialect in ("postgres", "redshift", "snowflake"):
        nan = exp.cast(exp.Literal.string("NaN"), "double")
        return exp.EQ(this=node.this, expression=nan)
    return exp.false()


def _apart(tree: Any, exp: Any) -> Any:
    """Let each common table expression compute its columns in a generator of one row.

    Spark may write projections that stand on each other, and conditions on them, out into
    one, which grows with every layer. Through a generator it moves neither.
    """
    for i, inner in enumerate(tree.find_all(exp.CTE)):
        select = inner.this
        computed = [one for one in select.selects if not isinstance(one.unalias(), exp.Column)]
        if not computed:
            continue
        fields: list[Any] = []
        for one in computed:
            fields += [exp.Literal.string(one.alias), one.unalias().copy()]
        struct = exp.Anonymous(this="NAMED_STRUCT", expressions=fields)
        names = [exp.to_identifier(one.alias) for one in computed]
        lateral = exp.Lateral(
            this=exp.Anonymous(this="INLINE", expressions=[exp.array(struct)]),
            view=True,
            alias=exp.TableAlias(this=exp.to_identifier(f"t{i}"), columns=names),
        )
        for one in computed:
            one.replace(exp.column(one.alias, table=f"t{i}"))
        select.append("laterals", lateral)
    return tree
