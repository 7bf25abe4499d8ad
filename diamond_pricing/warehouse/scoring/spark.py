"""What Spark needs otherwise: tables loaded from one text, layers that stay apart."""

from collections.abc import Iterable, Mapping
from typing import Any

SPARK = ("spark", "databricks")


def table(name: str, kinds: Mapping[str, str], rows: Iterable[str], dialect: str) -> str:
    """A table from rows written as CSV in one literal, which Spark plans as one value.

    A VALUES list of this size takes its parser a minute.
    """
    stored = " USING parquet" if dialect == "spark" else ""
    schema = ", ".join(f"{column} {kind}" for column, kind in kinds.items())
    text = "\n".join(rows)
    return (
        f"CREATE TABLE {name}{stored} AS SELECT INLINE(ARRAY(FROM_CSV(line, '{schema}')))\n"
        f"FROM (SELECT EXPLODE(SPLIT('{text}', '\\n')) AS line);\n"
    )


def apart(tree: Any, exp: Any) -> Any:
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
