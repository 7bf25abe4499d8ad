"""The commands `score` and `export-sql`: prices where the stones are."""

import json
from pathlib import Path
from typing import Any

import click

from diamond_pricing.cli import options
from diamond_pricing.cli.options import chosen, example
from diamond_pricing.cli.sums import Bar
from diamond_pricing.errors import SourceError
from diamond_pricing.model.explanation import RANGE

_level_option = click.option(
    "--level", type=float, default=RANGE, show_default=True, help="Share of sales in the range."
)


@click.command(epilog=example("score stones.parquet priced.parquet"))
@click.argument("source")
@click.argument("target", type=options.ANY_FILE)
@options.dated_model
@_level_option
@options.listing("The price list.")
@click.option("--prefix", default="", help="Put before the names of the added columns.")
@click.option(
    "--source",
    "declared",
    type=options.OLD_FILE,
    help="A declared source, as of a home: names, units and words of the columns.",
)
@options.as_json
def score(
    source: str,
    target: Path,
    level: float,
    listing: str,
    prefix: str,
    declared: Path | None,
    as_json: bool,
    **model: Any,
) -> None:
    """Price the stones of SOURCE, a table in a file or a pattern of several, into TARGET."""
    from diamond_pricing.intake import Source
    from diamond_pricing.warehouse import scoring

    found, where = chosen(**model)  # first, as its home may add attributes to the trade
    known = Source.from_toml(declared.read_bytes()) if declared else Source()
    money, when = found.training.currency, found.training.effective
    if known.currency not in ("", money):
        raise SourceError(
            f"the source is in {known.currency}, and the model prices in {money}; take the "
            "currency out of the declaration and convert afterwards."
        )
    with Bar("rows") as bar:
        scored = scoring.score(
            source,
            target,
            found,
            level=level,
            listing=listing,
            prefix=prefix,
            declared=known,
            progress=lambda done, of: bar("pricing", done / of if of else 0.0, of or done),
        )
    if as_json:
        told = {name: getattr(scored, name) for name in scored.__slots__}
        said = {"currency": money, "effective": when, "model": found.sha256}
        click.echo(json.dumps({**told, **said, "out": str(target)}))
        return
    click.echo(f"{target}: {scored.rows:,} rows, {scored.priced:,} priced.")
    click.echo(f"  prices: {money}, {when}, by {where} ({found.sha256[:12]})")
    if scored.with_caution:
        click.echo(f"  with caution: {scored.with_caution:,} (few sales of such stones)")
    for code, count in scored.refused.items():
        click.echo(f"  refused: {count:,} ({code})")
    if scored.unread:
        click.echo(f"  columns that were not read: {', '.join(scored.unread)}")


@click.command(name="export-sql", epilog=example("export-sql --dialect duckdb --out p.sql"))
@options.dated_model
@_level_option
@click.option("--dialect", required=True, help="Of the database: duckdb, postgres, sqlite …")
@click.option("--out", type=options.ANY_FILE, required=True, help="The script to write.")
@click.option("--table", default="stones", show_default=True, help="Your table of stones.")
@click.option(
    "--prefix", default="diamond_", show_default=True, help="Of the names that are created."
)
@click.option(
    "--columns",
    help="Columns of the table that the view has too; name a key among them. Default: carat, "
    "cut, color, clarity, depth, table, x, y, z and what else the model reads but dates.",
)
def export_sql(
    level: float,
    dialect: str,
    out: Path,
    table: str,
    prefix: str,
    columns: str | None,
    **model: Any,
) -> None:
    """Write the model as SQL: look-up tables, and a view of prices over your table."""
    from diamond_pricing.files import write
    from diamond_pricing.warehouse.scoring import sql

    named = None
    if columns is not None:
        named = tuple(name.strip() for name in columns.split(",") if name.strip())
    found, _ = chosen(**model)
    text = sql(found, dialect, table=table, prefix=prefix, columns=named, level=level)
    write(out, text.encode())
    click.echo(f"{out}: the view {prefix}prices over {table}, {len(text) / 1e6:.1f} MB.")


COMMANDS: list[Any] = [score, export_sql]
