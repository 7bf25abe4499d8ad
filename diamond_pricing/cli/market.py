"""The commands `index` and `worth`: what the market did."""

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast, get_args

import click

from diamond_pricing.cli import options
from diamond_pricing.cli.options import chosen, example
from diamond_pricing.cli.sums import sales_in
from diamond_pricing.errors import DiamondPricingError, FitError
from diamond_pricing.files import write
from diamond_pricing.fitting.grade_worth import Worth, grade_worth
from diamond_pricing.fitting.hedonic_index import By, Method, Splice, hedonic_index
from diamond_pricing.model.market import By as ModelBy
from diamond_pricing.model.market import Period, market_index
from diamond_pricing.stones import Stone, Stones, attribute_named

OF_MODEL = ("model", "home", "stone")
OF_SALES = ("method", "window", "splice", "basket", "source", "leave_out")
METHODS = [name.replace(" ", "-") for name in get_args(Method)]
level_option = click.option(
    "--level",
    type=float,
    default=0.9,
    show_default=True,
    help="Chance that low and high hold the truth.",
)


@click.command(epilog=example("index --sales sales.csv --method fisher --chart index.svg"))
@options.choice("--by", get_args(By), "month", "Length of a period; week with --sales only.")
@click.option(
    "--stone",
    metavar="STONE",
    help="Of which stones, where weights, shapes or origins moved apart: '0.3 Ideal G VS2'. "
    "Default: the reference stone.",
)
@click.option(
    "--sales",
    type=options.OLD_FILE,
    help="A file of dated sales (CSV, Parquet, JSON, a spreadsheet) to make the index from, "
    "instead of from a model.",
)
@options.choice("--method", METHODS, "time-dummy", "With --sales: how the index is made.")
@click.option(
    "--window",
    type=click.IntRange(2),
    help="With --sales and time-dummy: periods of a rolling window. Published figures are then "
    "never revised.",
)
@options.choice(
    "--splice", get_args(Splice), "movement", "With --window: how windows are linked."
)
@click.option(
    "--basket",
    type=options.OLD_FILE,
    help="With --sales and laspeyres: a CSV file of the stones to price in every period, as a "
    "stock. Default: those sold in the first.",
)
@options.source
@options.leave_out
@level_option
@click.option("--out", type=options.ANY_FILE, help="CSV file to write. Default: the screen.")
@click.option("--chart", type=options.ANY_FILE, help="SVG file to draw the index in.")
@options.model
@options.as_json
def index(
    by: By,
    level: float,
    sales: Path | None,
    out: Path | None,
    chart: Path | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Print an index of the prices of equal stones, from the dates of the sales.

    Of a model, or with --sales straight from sales by a method of statistical offices. The
    first period is 100. A period of fewer than five sales has a count and no index. Of a home,
    what was published of each month when it was over, and is never revised, stands beside it.
    """
    _check(sales is not None)
    once = None
    if chart is not None and chart.suffix.casefold() != ".svg":
        raise click.UsageError(f"--chart draws an SVG file; {chart} must end in .svg.")
    if sales is None:
        model, _ = chosen(how["model"], how["home"])
        stone = None if how["stone"] is None else Stone.parse(how["stone"])
        periods = market_index(model, cast(ModelBy, by), of=stone, level=level)
        facts: dict[str, Any] = {"model": model.sha256, "by": by}
        # What a home publishes is of its active model, its reference stone, and months.
        if how["home"] and not how["model"] and stone is None and by == "month":
            from diamond_pricing.registry import Registry, published

            once = published(Registry.at(how["home"]).entries())
    else:
        frame, _ = sales_in(sales, how["source"], how["leave_out"])
        method = cast(Method, how["method"].replace("-", " "))
        basket = None if how["basket"] is None else _stock(how["basket"])
        windows = {"window": how["window"], "splice": how["splice"]}
        periods = hedonic_index(frame, method, by=by, level=level, basket=basket, **windows)
        facts = {"method": how["method"], "by": by}
        if how["window"] is not None:
            facts |= windows
    rows = [asdict(period) for period in periods]
    names = [field.name for field in fields(Period)]
    if once is not None:
        shown = {month: round(index, 2) for month, index in once.items()}
        rows = [row | {"published": shown.get(row["period"])} for row in rows]
        names.append("published")
    if chart is not None:
        from diamond_pricing.exhibits import index_chart

        write(chart, index_chart(periods).svg.encode())
        click.echo(f"Wrote {chart}.", err=True)
    text = _csv(names, rows)
    if out is not None:
        write(out, text.encode())
        click.echo(f"Wrote {len(periods)} periods to {out}.", err=True)
    if as_json:
        click.echo(json.dumps({**facts, "periods": rows}))
    elif out is None:
        click.echo(text, nl=False)


def _csv(names: list[str], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _check(from_sales: bool) -> None:
    """Refuse options of the other kind of index; environment variables do not count."""
    for name in OF_MODEL if from_sales else OF_SALES:
        if options.given(name):
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option} is of an index from a model, not from --sales; leave one out."
                if from_sales
                else f"{option} needs --sales: it is of an index made from sales."
            )
    if options.given("splice") and click.get_current_context().params["window"] is None:
        raise click.UsageError("--splice needs --window: it says how windows are linked.")


def _stock(file: Path) -> Stones:
    import pandas as pd

    try:
        return Stones.from_frame(pd.read_csv(file))
    except (DiamondPricingError, ValueError) as error:
        raise FitError(f"{file}: {error}") from error


@click.command(epilog=example("worth color --sales sales.csv --by quarter"))
@click.argument("attribute")
@click.option(
    "--sales", type=options.OLD_FILE, help="A file of dated sales. Default: those of the home."
)
@options.home()
@options.choice("--by", get_args(By), "quarter", "Length of a period.")
@options.source
@options.leave_out
@level_option
@options.as_json
def worth(
    attribute: str,
    sales: Path | None,
    home: str | None,
    by: By,
    source: Path | None,
    leave_out: bool,
    level: float,
    as_json: bool,
) -> None:
    """Print what each grade of ATTRIBUTE is worth in each period, against the usual grade.

    Weight and everything else that the sales record being equal. A grade of fewer than five
    sales in a period has a count alone.
    """
    if sales is not None:
        frame, _gone = sales_in(sales, source, leave_out)
    elif home:
        from diamond_pricing.refit.home import counted_sales
        from diamond_pricing.registry import Registry

        registry = Registry.at(home)
        frame = counted_sales(registry.store, registry.entries())
    else:
        raise click.UsageError("give --sales or --home.")
    name = attribute_named(attribute) or attribute
    rows = [asdict(row) for row in grade_worth(frame, name, by=by, level=level)]
    if as_json:
        click.echo(json.dumps({"attribute": name, "by": by, "grades": rows}))
        return
    click.echo(_csv([field.name for field in fields(Worth)], rows), nl=False)


COMMANDS = (index, worth)
