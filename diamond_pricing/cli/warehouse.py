"""The commands `score` and `export-sql`: prices where the stones are."""

import json
from pathlib import Path
from typing import Any

import click

from diamond_pricing.cli.home import example
from diamond_pricing.cli.sums import Bar
from diamond_pricing.model import PriceModel
from diamond_pricing.model.explanation import RANGE
from diamond_pricing.stones import LISTING

_model_option = click.option(
    "--model",
    "model_file",
    type=click.Path(path_type=Path),
    envvar="DIAMOND_PRICING_MODEL",
    help="A model document. Default: demo/model.json here, else the packaged model.",
)
_level_option = click.option(
    "--level", type=float, default=RANGE, show_default=True, help="Share of sales in the range."
)


@click.command(epilog=example("score stones.parquet priced.parquet"))
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@_model_option
@_level_option
@click.option(
    "--listing",
    type=click.Choice(("blend", "recorded", *LISTING.grades), case_sensitive=False),
    default="blend",
    show_default=True,
    help="The price list.",
)
@click.option("--prefix", default="", help="Put before the names of the added columns.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def score(
    source: str, target: Path, model_file: Path | None, level: float, listing: str,
    prefix: str, as_json: bool,
) -> None:  # fmt: skip
    """Price the stones of SOURCE, a Parquet or CSV file or a pattern, into TARGET."""
    from diamond_pricing.warehouse import scoring

    with Bar("rows") as bar:
        scored = scoring.score(
            source, target, _model(model_file), level=level, listing=listing, prefix=prefix,
            progress=lambda done, of: bar("pricing", done / of if of else 0.0, of or done),
        )  # fmt: skip
    if as_json:
        found = {name: getattr(scored, name) for name in scored.__slots__}
        click.echo(json.dumps({**found, "out": str(target)}))
        return
    click.echo(f"{target}: {scored.rows:,} rows, {scored.priced:,} priced.")
    if scored.with_caution:
        click.echo(f"  with caution: {scored.with_caution:,} (few sales of such stones)")
    for code, count in scored.refused.items():
        click.echo(f"  refused: {count:,} ({code})")


@click.command(name="export-sql", epilog=example("export-sql --dialect duckdb --out p.sql"))
@_model_option
@_level_option
@click.option("--dialect", required=True, help="Of the database: duckdb, postgres, sqlite …")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The script to write."
)
@click.option("--table", default="stones", show_default=True, help="Your table of stones.")
@click.option(
    "--prefix", default="diamond_", show_default=True, help="Of the names that are created."
)
@click.option(
    "--columns",
    default="carat,cut,color,clarity,depth,table,x,y,z",
    show_default=True,
    help="Columns of the table that the view has too; name a key among them.",
)
def export_sql(
    model_file: Path | None, level: float, dialect: str, out: Path, table: str, prefix: str,
    columns: str,
) -> None:  # fmt: skip
    """Write the model as SQL: look-up tables, and a view of prices over your table."""
    from diamond_pricing.files import write
    from diamond_pricing.warehouse.scoring import sql

    named = tuple(name.strip() for name in columns.split(",") if name.strip())
    text = sql(
        _model(model_file), dialect, table=table, prefix=prefix, columns=named, level=level
    )
    write(out, text.encode())
    click.echo(f"{out}: the view {prefix}prices over {table}, {len(text) / 1e6:.1f} MB.")


def _model(file: Path | None) -> PriceModel:
    from diamond_pricing.cli import _model as chosen

    return chosen(file)[0]


COMMANDS: list[Any] = [score, export_sql]
