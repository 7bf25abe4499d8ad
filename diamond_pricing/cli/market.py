"""The command `index`: what the market did."""

import csv
import io
import json
from dataclasses import fields
from pathlib import Path
from typing import get_args

import click
import msgspec

from diamond_pricing.cli.home import example, json_option
from diamond_pricing.cli.models import chosen, model_options
from diamond_pricing.files import write
from diamond_pricing.model.market import By, Period, market_index
from diamond_pricing.stones import Stone


@click.command(epilog=example("index --model model.json --by quarter"))
@click.option(
    "--by", type=click.Choice(get_args(By)), default="month", show_default=True,
    help="Length of a period.",
)  # fmt: skip
@click.option(
    "--stone", metavar="STONE",
    help="Of which stones, where shapes or origins moved apart: '1 Ideal G VS2 shape=Oval'. "
    "Default: the reference stone.",
)  # fmt: skip
@click.option(
    "--level", type=float, default=0.9, show_default=True,
    help="Chance that low and high hold the truth.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), help="CSV file to write. Default: the screen."
)
@model_options
@json_option
def index(
    by: By, stone: str | None, level: float, out: Path | None, model: str | None,
    home: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Print an index of the prices of equal stones, from the dates of the sales.

    The first period is 100. A period of fewer than five sales has a count and no index.
    """
    found, _ = chosen(model, home)
    of = None if stone is None else Stone.parse(stone)
    periods = [msgspec.to_builtins(p) for p in market_index(found, by, of=of, level=level)]
    if as_json:
        click.echo(json.dumps({"model": found.sha256, "by": by, "periods": periods}))
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Period)])
    writer.writeheader()
    writer.writerows(periods)
    if out is None:
        click.echo(text.getvalue(), nl=False)
        return
    write(out, text.getvalue().encode())
    click.echo(f"Wrote {len(periods)} periods to {out}.", err=True)


COMMANDS = (index,)
