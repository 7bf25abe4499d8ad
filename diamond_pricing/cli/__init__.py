"""The command line: each command parses, calls one function, prints.

Answers go to standard output, progress to standard error. Bad input is one line on standard
error and exit code 2.
"""

import codecs
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from diamond_pricing import PriceExplanation, PriceModel, Stone, __version__
from diamond_pricing.cli import home, market, reports, service, sums, warehouse
from diamond_pricing.cli.arithmetic import FITTING, alike
from diamond_pricing.cli.home import example
from diamond_pricing.cli.models import PACKAGED, chosen, day_options, model_options, on_day
from diamond_pricing.cli.sales import sales_in, source_option
from diamond_pricing.cli.sums import Bar, added, large
from diamond_pricing.errors import DiamondPricingError, MissingExtraError, StoneError
from diamond_pricing.files import write
from diamond_pricing.fitting import DEFAULT, FAMILIES
from diamond_pricing.model.money import written
from diamond_pricing.stones import (
    ATTRIBUTES,
    GRADES,
    LISTING,
    MEASURES,
    Grade,
    Measure,
    attribute_named,
    load_sales,
)
from diamond_pricing.stones import trade as trade_document
from diamond_pricing.stones.trade import use

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.validation import Scores


class AsTyped(click.ParamType[Any]):
    """A value of an attribute, as a person types it."""

    def __init__(self, attribute: Measure | Grade) -> None:
        self.attribute = attribute
        self.name = attribute.unit if isinstance(attribute, Measure) else "grade"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Leave it: a model or a home may bring grades of its own, see `_stone`."""
        return value


def stone_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each attribute of a stone, aliases included."""
    attributes: list[Measure | Grade] = [*MEASURES, *GRADES]
    for attribute in reversed(attributes):
        words = [word for word in attribute.aliases if word.isalpha()]
        names = [f"--{word}" for word in (attribute.name, *words)]
        if isinstance(attribute, Measure):
            allowed = f" in {attribute.unit}, {attribute.low:g} to {attribute.high:g}"
        else:
            allowed = f", worst to best: {', '.join(attribute.grades)}"
        command = click.option(
            *names,
            attribute.name,
            type=AsTyped(attribute),
            required=attribute.needed,
            help=f"{attribute.label}{allowed}.",
        )(command)
    command = click.option(
        "--with",
        "others",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_others,
        help="Any other attribute, as fluorescence=Faint; 'trade show' lists them.",
    )(command)
    return command


def _others(
    _: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any]:
    """What ``--with`` says, to be read once the trade of the home is known."""
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not value.strip():
            raise click.BadParameter(f"write NAME=VALUE, not {text!r}.", param=option)
        found[name.strip()] = value.strip()
    return found


listing_option = click.option(
    "--listing",
    type=click.Choice(("blend", "recorded", *LISTING.grades), case_sensitive=False),
    default="blend",
    show_default=True,
    help="The blend of the price lists, the list that the order of length and width points "
    "to, or one list by name.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="A file of sales (CSV, Parquet, JSON, a spreadsheet), or a pattern of many. Default: "
    "the 53,940 packaged sales of 2008.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Diamond prices that explain themselves."""


@cli.command(epilog=example("explain --carat 1.01 --cut Ideal --color E --clarity VS1"))
@stone_options
@click.option("--reference", metavar="STONE", help="Stone to measure from: '0.70 Ideal G SI1'.")
@click.option(
    "--html", type=click.Path(path_type=Path), help="Also write a page with a picture."
)
@listing_option
@day_options
@model_options
@json_option
def explain(
    reference: str | None,
    html: Path | None,
    listing: str,
    as_of: str | None,
    carry_forward: bool,
    model: str | None,
    home: str | None,
    as_json: bool,
    others: dict[str, Any],
    **attributes: Any,
) -> None:
    """Price one stone and say why."""
    found, where = chosen(model, home)
    found = on_day(found, as_of, carry_forward=carry_forward)
    stone = _stone(attributes, others)
    start = None if reference is None else Stone.parse(reference)
    why = found.explain(stone, listing=listing, reference=start)
    if html is not None:
        from diamond_pricing.exhibits import explanation_page

        write(html, explanation_page(why).encode())
        _tell(f"Wrote {html}.")
    _answer(why, where, found, as_json)


def _stone(given: dict[str, str | None], others: dict[str, str]) -> Stone:
    """The stone of the options, and what ``--with`` names in any spelling of the name."""
    read: dict[str, Any] = {"cut": None} | {
        name: ATTRIBUTES[name].parse(text) for name, text in given.items() if text is not None
    }
    for word, text in others.items():
        name = attribute_named(word)
        if name is None or read.get(name) is not None:
            raise StoneError(
                f"--with {word}={text}: {word!r} is not an attribute of a stone; "
                "'diamond-pricing trade show' lists them."
            )
        read[name] = ATTRIBUTES[name].parse(text)
    return Stone(**read)


@cli.command(epilog=example("compare '1.01 Ideal E VS1' '0.70 Very Good G VS2 depth=61.5'"))
@click.argument("first")
@click.argument("second")
@listing_option
@day_options
@model_options
@json_option
def compare(
    first: str,
    second: str,
    listing: str,
    as_of: str | None,
    carry_forward: bool,
    model: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Say why the SECOND stone does not cost what the FIRST does.

    Write a stone as weight, cut, color, clarity, then any measures by name.
    """
    found, where = chosen(model, home)
    found = on_day(found, as_of, carry_forward=carry_forward)
    why = found.compare(Stone.parse(first), Stone.parse(second), listing=listing)
    difference = written(why.cents - why.lines[0].cents, why.currency, sign=True)
    _answer(why, where, found, as_json, f"\n\nDifference: {difference}.")


@cli.command(epilog=example("fit --data sales.csv --effective 2026 --out model.json"))
@click.option(
    "--family", type=click.Choice(tuple(FAMILIES)), default=DEFAULT, show_default=True
)
@data_option
@source_option
@click.option("--currency", help="ISO code of the prices. Default: that of the file, or USD.")
@click.option("--effective", help="When the prices were true: a year or a date.")
@click.option(
    "--sums",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="Fit to sums that `tally` wrote instead; more than one, and all in a folder, are "
    "added.",
)
@click.option(
    "--without",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="Sums to take away again.",
)
@click.option(
    "--trade",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A TOML file of attributes that the sales have beside those of 'trade show'.",
)
@sums.leave_out_option
@sums.memory_option
@sums.threads_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@json_option
def fit(
    family: str,
    data: Path | None,
    source: Path | None,
    currency: str | None,
    effective: str | None,
    sums: tuple[Path, ...],
    without: tuple[Path, ...],
    trade: Path | None,
    leave_out: bool,
    memory: str,
    threads: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Fit a model to sales and write its document.

    Of Parquet files, many files and large ones the sales are counted where they are.
    """
    if trade is not None:
        use(trade)
    if sums:
        if data is not None or currency or family != DEFAULT:
            raise click.UsageError("--sums goes with --without and --effective alone.")
        model = _of_sums(sums, without, effective)
    elif without:
        raise click.UsageError("--without needs --sums to take them away from.")
    elif large(data):
        model = _where_they_are(
            data,
            family,
            currency=currency,
            effective=effective,
            leave_out=leave_out,
            memory=memory,
            threads=threads,
        )
    else:
        sales, gone = _sales(data, source, leave_out, currency)
        _tell(f"Fitting {family} to {len(sales):,} sales …")
        with Bar() as bar:
            shown = {"progress": bar} if family == DEFAULT else {}
            model = FAMILIES[family](sales, currency, effective, **shown)
        if gone:
            from diamond_pricing.fitting.sales import counting

            model = counting(model, gone)
    write(out, model.to_json().encode())
    _write_signature(out, model)
    training = model.training
    if as_json:
        click.echo(
            json.dumps(
                {
                    "model": model.sha256,
                    "family": model.family,
                    "origin": model.origin,
                    "rows": training.rows,
                    "stones": training.stones,
                    "left_out": training.left_out,
                    "residual_sd": model.residual_sd,
                    "edf": model.edf,
                    "out": str(out),
                }
            )
        )
        return
    click.echo(f"{out}: {model}.")
    for reason, count in training.left_out.items():
        click.echo(f"  left out: {count:,} sales ({reason})")
    click.echo(
        f"  typical residual {100 * model.residual_sd:.1f} %, {model.edf:.0f} effective df"
    )
    click.echo(f"  {model.origin}")


def _of_sums(
    files: tuple[Path, ...], without: tuple[Path, ...], effective: str | None
) -> PriceModel:
    moments = added(files, without)
    _tell(f"Fitting {DEFAULT} to sums over {moments.n:,} sales …")
    from diamond_pricing.fitting.atscale import fit_moments

    return fit_moments(moments, effective=effective)


def _where_they_are(data: Path | None, family: str, **how: Any) -> PriceModel:
    from diamond_pricing.warehouse import at_scale

    with Bar() as bar:
        return at_scale.fit(str(data), family, progress=bar, **how)


@cli.group(epilog=example("trade show"))
def trade() -> None:
    """The attributes that stones have."""


@trade.command("show", epilog=example("trade show --home home > trade.toml"))
@click.option("--home", envvar="DIAMOND_PRICING_HOME", help="A home, whose trade.toml counts.")
@click.option("--added", is_flag=True, help="Only what the home adds or changes.")
def show_trade(home: str | None, added: bool) -> None:
    """Print the trade: every attribute with its grades, limits and spellings, as TOML.

    A file trade.toml in a home, or --trade of 'fit', adds attributes in the same form.
    """
    if home:
        from diamond_pricing.registry import Registry

        Registry.at(home)
    click.echo(trade_document.added() if added else trade_document.written(), nl=False)


@cli.command(epilog=example("evaluate --family monotone --data sales.csv"))
@click.option(
    "--family",
    "families",
    type=click.Choice(tuple(FAMILIES)),
    multiple=True,
    default=("loglinear", DEFAULT),
    show_default=True,
    help="May be given more than once.",
)
@data_option
@source_option
@click.option("--folds", type=click.IntRange(2, 50), default=5, show_default=True)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Shuffles the stones."
)
@sums.leave_out_option
@sums.memory_option
@sums.threads_option
@json_option
def evaluate(
    families: tuple[str, ...],
    data: Path | None,
    source: Path | None,
    folds: int,
    seed: int,
    leave_out: bool,
    memory: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Cross-validate families by stone, beside naive baselines.

    On Parquet files, many files and large ones only the family monotone, where they are.
    """
    if large(data):
        if _given("seed") or (_given("families") and set(families) != {DEFAULT}):
            raise click.UsageError(
                "Parquet files, many files and large ones are evaluated where they are: for "
                f"the family {DEFAULT} alone, in folds that no --seed shuffles."
            )
        _evaluate_there(
            data, folds, as_json, leave_out=leave_out, memory=memory, threads=threads
        )
        return
    sales, _ = _sales(data, source, leave_out)
    from diamond_pricing.exhibits import evaluation_table
    from diamond_pricing.validation import cross_validate

    once = list(dict.fromkeys(families))
    result = cross_validate(sales, once, folds=folds, seed=seed, progress=_tell)
    if not as_json:
        click.echo(evaluation_table(result))
        return
    click.echo(
        json.dumps(
            {
                "rows": len(result.price),
                "folds": folds,
                "seed": seed,
                "currency": result.currency,
                "effective": result.effective,
                "models": [
                    {
                        "name": p.name,
                        "listing": p.listing or None,
                        "unpriced": result.unpriced(p),
                        "overall": _plain(result.overall(p)),
                        "by_carat": {band: _plain(s) for band, s in result.by_band(p)},
                    }
                    for p in result.predictions
                ],
            }
        )
    )


def _given(option: str) -> bool:
    found = click.get_current_context().get_parameter_source(option)
    return found == ParameterSource.COMMANDLINE


def _evaluate_there(data: Path | None, folds: int, as_json: bool, **how: Any) -> None:
    from diamond_pricing.warehouse import at_scale

    with Bar() as bar:
        found = at_scale.evaluate(str(data), folds=folds, progress=bar, **how)
    rows = found.table()
    if as_json:
        facts = {"rows": found.sales, "folds": folds, "log_rmse": found.log_rmse}
        click.echo(json.dumps({**facts, "family": DEFAULT, "by_carat": rows}))
        return
    click.echo(f"Family {DEFAULT}, {found.sales:,} sales, {folds} folds by stone.")
    click.echo("Errors of held-out prices, per cent: so many sales keep below.\n")
    click.echo(f"{'':>12}  {'sales':>13}  {'50 %':>6}  {'90 %':>6}  {'95 %':>6}")
    for row in rows:
        ends = "  ".join(f"{row[key]:6.1f}" for key in ("p50", "p90", "p95"))
        click.echo(f"{row['band']:>12}  {row['sales']:>13,}  {ends}")
    click.echo(f"\nRoot mean squared error of log price: {found.log_rmse:.4f}.")


# What a command or a module belongs to, where it was not installed.
_EXTRAS = {
    "inspect": "refit",
    "refit": "refit",
    "expert": "refit",
    "registry": "refit",
    "report": "report",
    "keys": "api",
    "serve": "api",
    "tally": "fit,scale",
    "score": "scale",
    "export-sql": "scale",
}
_MODULES = {
    "daqp": "fit",
    "pandas": "fit",
    "patsy": "fit",
    "pygam": "fit",
    "scipy": "fit",
    "statsmodels": "fit",
    "threadpoolctl": "fit",
    "pyarrow": "refit",
    "alembic": "api",
    "granian": "api",
    "litestar": "api",
    "sqlalchemy": "api",
    "duckdb": "scale",
    "ibis": "scale",
    "sqlglot": "scale",
    "pyspark": "spark",
    "matplotlib": "report",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; give its exit code."""
    if arguments is None and sys.argv[1:2] and sys.argv[1] in FITTING:
        alike()
    codecs.register_error("plain", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")
    if sys.stdout is None:
        return _fail("standard output is closed.")
    try:
        code = cli(arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(error.format_message())
    except DiamondPricingError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        command = next(iter(sys.argv[1:] if arguments is None else arguments), "")
        module = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(command) if module in _MODULES else None
        extra = extra or _MODULES.get(module)
        if extra is None:
            raise
        return _fail(str(MissingExtraError(f"'{command}'", extra)))
    except BrokenPipeError:
        # Whoever read us went away; Python would complain once more on closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return 130
    else:
        return code if isinstance(code, int) else 0
    return 0


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """Write what a terminal's encoding lacks with characters that it has."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = {"−": "-", "×": "x", "±": "+/-", "…": "...", "–": "-", "€": "EUR ", "£": "GBP "}
    lost = error.object[error.start : error.end]
    return "".join(plain.get(character, "?") for character in lost), error.end


def _fail(message: str) -> int:
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    return 2


def _plain(scores: "Scores") -> dict[str, float | None]:
    """Scores for JSON, which has no NaN."""
    return {name: None if value != value else value for name, value in asdict(scores).items()}


def _tell(step: str) -> None:
    click.echo(step, err=True)


def _sales(
    file: Path | None, declared: Path | None, leave_out: bool, currency: str | None = None
) -> tuple["pd.DataFrame", dict[str, int]]:
    """The packaged sales, or those of a file; and how many of them were left out, by reason."""
    if file is None:
        return load_sales(), {}
    return sales_in(file, declared, leave_out, currency)


def _write_signature(file: Path, model: PriceModel) -> None:
    """Sign a document that was written, where a key is configured."""
    from diamond_pricing.registry.signing import MODEL, Signing, beside

    signing = Signing.configured()
    if signing.name:
        write(beside(file), signing.sign(MODEL, model.sha256))


def _answer(
    why: PriceExplanation, where: str, model: PriceModel, as_json: bool, more: str = ""
) -> None:
    if as_json:
        click.echo(json.dumps({**why.to_dict(), "model_source": where}, ensure_ascii=False))
        return
    click.echo(f"{why}{more}")
    click.echo(f"\nFrom {where}: {model}.")
    if where == PACKAGED:
        click.echo(
            f"Prices of {model.training.effective}. For those of your market fit your own "
            "sales: diamond-pricing fit --data SALES --out mine.json, then --model mine.json."
        )


for _command in (
    *home.COMMANDS,
    *market.COMMANDS,
    *reports.COMMANDS,
    *service.COMMANDS,
    *sums.COMMANDS,
    *warehouse.COMMANDS,
):
    cli.add_command(_command)
