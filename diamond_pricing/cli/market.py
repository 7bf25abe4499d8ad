"""The commands `index` and `worth`: what the market did."""

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click
from click.core import ParameterSource

from diamond_pricing.cli.home import example, json_option, named
from diamond_pricing.cli.models import chosen, model_options
from diamond_pricing.cli.sales import sales_in, source_option
from diamond_pricing.cli.sums import leave_out_option
from diamond_pricing.errors import DiamondPricingError, FitError
from diamond_pricing.files import write
from diamond_pricing.fitting.grade_worth import Worth, grade_worth
from diamond_pricing.fitting.hedonic_index import By, Method, Splice, hedonic_index
from diamond_pricing.model.market import By as ModelBy
from diamond_pricing.model.market import Period, market_index
from diamond_pricing.stones import Stone, Stones, attribute_named

if TYPE_CHECKING:
    from diamond_pricing import PriceModel

OF_MODEL = ("model", "home", "stone")
OF_SALES = ("method", "window", "splice", "basket", "source", "leave_out")


@click.command(epilog=example("index --sales sales.csv --method fisher --chart index.svg"))
@click.option(
    "--by",
    type=click.Choice(get_args(By)),
    default="month",
    show_default=True,
    help="Length of a period; week with --sales only.",
)
@click.option(
    "--stone",
    metavar="STONE",
    help="Of which stones, where weights, shapes or origins moved apart: '0.3 Ideal G VS2'. "
    "Default: the reference stone.",
)
@click.option(
    "--sales",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file of dated sales (CSV, Parquet, JSON, a spreadsheet) to make the index from, "
    "instead of from a model.",
)
@click.option(
    "--method",
    type=click.Choice([name.replace(" ", "-") for name in get_args(Method)]),
    default="time-dummy",
    show_default=True,
    help="With --sales: how the index is made.",
)
@click.option(
    "--window",
    type=click.IntRange(2),
    help="With --sales and time-dummy: periods of a rolling window. Published figures are then "
    "never revised.",
)
@click.option(
    "--splice",
    type=click.Choice(get_args(Splice)),
    default="movement",
    show_default=True,
    help="With --window: how windows are linked.",
)
@click.option(
    "--basket",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --sales and laspeyres: a CSV file of the stones to price in every period, as a "
    "stock. Default: those sold in the first.",
)
@source_option
@leave_out_option
@click.option(
    "--level",
    type=float,
    default=0.9,
    show_default=True,
    help="Chance that low and high hold the truth.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="CSV file to write. Default: the screen."
)
@click.option("--chart", type=click.Path(path_type=Path), help="SVG file to draw the index in.")
@model_options
@json_option
def index(
    by: By,
    level: float,
    sales: Path | None,
    out: Path | None,
    chart: Path | None,
    as_json: bool,
    **options: Any,
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
        model, periods = _of_model(by, level, **options)
        facts: dict[str, Any] = {"model": model.sha256, "by": by}
        once = _published(by, **options)
    else:
        periods = _of_sales(sales, by, level, **options)
        facts = {"method": options["method"], "by": by}
        if options["window"] is not None:
            facts |= {"window": options["window"], "splice": options["splice"]}
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
    context = click.get_current_context()

    def given(name: str) -> bool:
        return context.get_parameter_source(name) == ParameterSource.COMMANDLINE

    for name in OF_MODEL if from_sales else OF_SALES:
        if given(name):
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option} is of an index from a model, not from --sales; leave one out."
                if from_sales
                else f"{option} needs --sales: it is of an index made from sales."
            )
    if given("splice") and context.params["window"] is None:
        raise click.UsageError("--splice needs --window: it says how windows are linked.")


def _of_model(
    by: By, level: float, *, model: str | None, home: str | None, stone: str | None, **_: Any
) -> tuple["PriceModel", list[Period]]:
    found, _where = chosen(model, home)
    of = None if stone is None else Stone.parse(stone)
    return found, market_index(found, cast(ModelBy, by), of=of, level=level)


def _published(
    by: By, *, model: str | None, home: str | None, stone: str | None, **_: Any
) -> dict[str, float] | None:
    """What a home has published; None for other periods or stones, or without a home."""
    if not home or model or stone or by != "month":
        return None
    from diamond_pricing.registry import Registry, published

    return published(Registry.at(home).entries())


def _of_sales(
    file: Path,
    by: By,
    level: float,
    *,
    method: str,
    window: int | None,
    splice: Splice,
    basket: Path | None,
    source: Path | None,
    leave_out: bool,
    **_: Any,
) -> list[Period]:
    sales, _gone = sales_in(file, source, leave_out)
    return hedonic_index(
        sales,
        cast(Method, method.replace("-", " ")),
        by=by,
        window=window,
        splice=splice,
        basket=None if basket is None else _stock(basket),
        level=level,
    )


def _stock(file: Path) -> Stones:
    import pandas as pd

    try:
        return Stones.from_frame(pd.read_csv(file))
    except (DiamondPricingError, ValueError) as error:
        raise FitError(f"{file}: {error}") from error


@click.command(epilog=example("worth color --sales sales.csv --by quarter"))
@click.argument("attribute")
@click.option(
    "--sales",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file of dated sales. Default: those of the home.",
)
@click.option(
    "--home", envvar="DIAMOND_PRICING_HOME", callback=named, help="A directory, or a URL."
)
@click.option(
    "--by",
    type=click.Choice(get_args(By)),
    default="quarter",
    show_default=True,
    help="Length of a period.",
)
@source_option
@leave_out_option
@click.option(
    "--level",
    type=float,
    default=0.9,
    show_default=True,
    help="Chance that low and high hold the truth.",
)
@json_option
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
