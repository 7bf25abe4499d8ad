"""The command line: each command parses, calls one function, prints.

Answers go to standard output, progress to standard error. Bad input is one line on standard
error and exit code 2.
"""

import codecs
import io
import json
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diamond_pricing import PriceExplanation, PriceModel, Stone, __version__
from diamond_pricing.cli import home, market, options, reports, service, sums, warehouse
from diamond_pricing.cli.arithmetic import FITTING, alike
from diamond_pricing.cli.options import chosen, example
from diamond_pricing.cli.sums import Bar, added, large, sales_in
from diamond_pricing.errors import DiamondPricingError, MissingExtraError, StoneError
from diamond_pricing.files import write
from diamond_pricing.fitting import DEFAULT, FAMILIES
from diamond_pricing.model.money import written
from diamond_pricing.stones import ATTRIBUTES, GRADES, MEASURES, Grade, Measure, attribute_named
from diamond_pricing.stones import trade as trade_document

if TYPE_CHECKING:
    from diamond_pricing.validation import Scores


def _others(
    _: click.Context, option: click.Parameter, asked: tuple[str, ...]
) -> dict[str, str]:
    """What ``--with`` says, to be read once the trade of the home is known."""
    found = {}
    for text in asked:
        name, equals, value = text.partition("=")
        if not equals or not value.strip():
            raise click.BadParameter(f"write NAME=VALUE, not {text!r}.", param=option)
        found[name.strip()] = value.strip()
    return found


def _option_of(attribute: Measure | Grade) -> options.Decorator:
    """The option for an attribute of a stone, aliases included."""
    # Any text: a model or a home may bring grades of its own, see `_stone`.
    text = click.types.StringParamType()
    words = [word for word in attribute.aliases if word.isalpha()]
    names = [f"--{word}" for word in (attribute.name, *words)]
    if isinstance(attribute, Measure):
        text.name = attribute.unit
        allowed = f" in {attribute.unit}, {attribute.low:g} to {attribute.high:g}"
    else:
        text.name = "grade"
        allowed = f", worst to best: {', '.join(attribute.grades)}"
    said = f"{attribute.label}{allowed}."
    return click.option(*names, attribute.name, type=text, required=attribute.needed, help=said)


stone_options = options.together(
    click.option(
        "--with",
        "others",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_others,
        help="Any other attribute, as fluorescence=Faint; 'trade show' lists them.",
    ),
    *map(_option_of, MEASURES),
    *map(_option_of, GRADES),
)
listing_option = options.listing(
    "The blend of the price lists, the list that the order of length and width points to, or "
    "one list by name."
)
data_option = click.option(
    "--data",
    type=options.ANY_FILE,
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
@click.option("--html", type=options.ANY_FILE, help="Also write a page with a picture.")
@listing_option
@options.dated_model
@options.as_json
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
    found, where = chosen(model, home, as_of, carry_forward)
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
@options.dated_model
@options.as_json
def compare(first: str, second: str, listing: str, as_json: bool, **model: Any) -> None:
    """Say why the SECOND stone does not cost what the FIRST does.

    Write a stone as weight, cut, color, clarity, then any measures by name.
    """
    found, where = chosen(**model)
    why = found.compare(Stone.parse(first), Stone.parse(second), listing=listing)
    difference = written(why.cents - why.lines[0].cents, why.currency, sign=True)
    _answer(why, where, found, as_json, f"\n\nDifference: {difference}.")


@cli.command(epilog=example("fit --data sales.csv --effective 2026 --out model.json"))
@options.choice("--family", tuple(FAMILIES), DEFAULT)
@data_option
@options.source
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
    "--without", type=options.OLD_FILE, multiple=True, help="Sums to take away again."
)
@options.trade
@options.leave_out
@options.engine
@click.option("--out", type=options.ANY_FILE, required=True, help="File to write.")
@options.as_json
def fit(
    family: str,
    data: Path | None,
    source: Path | None,
    currency: str | None,
    effective: str | None,
    sums: tuple[Path, ...],
    without: tuple[Path, ...],
    leave_out: bool,
    out: Path,
    as_json: bool,
    **engine: Any,
) -> None:
    """Fit a model to sales and write its document.

    Of Parquet files, many files and large ones the sales are counted where they are.
    """
    if sums:
        if data is not None or currency or family != DEFAULT:
            raise click.UsageError("--sums goes with --without and --effective alone.")
        moments = added(sums, without)
        _tell(f"Fitting {DEFAULT} to sums over {moments.n:,} sales …")
        from diamond_pricing.fitting.atscale import fit_moments

        model = fit_moments(moments, effective=effective)
    elif without:
        raise click.UsageError("--without needs --sums to take them away from.")
    elif large(data):
        from diamond_pricing.warehouse import at_scale

        how = {"currency": currency, "effective": effective, "leave_out": leave_out, **engine}
        with Bar() as bar:
            model = at_scale.fit(str(data), family, progress=bar, **how)
    else:
        sales, gone = sales_in(data, source, leave_out, currency)
        _tell(f"Fitting {family} to {len(sales):,} sales …")
        with Bar() as bar:
            shown = {"progress": bar} if family == DEFAULT else {}
            model = FAMILIES[family](sales, currency, effective, **shown)
        if gone:
            from diamond_pricing.fitting.sales import counting

            model = counting(model, gone)
    write(out, model.to_json().encode())
    from diamond_pricing.registry.signing import MODEL, Signing, beside

    signing = Signing.configured()
    if signing.name:
        write(beside(out), signing.sign(MODEL, model.sha256))
    training = model.training
    if as_json:
        facts = {
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
        click.echo(json.dumps(facts))
        return
    click.echo(f"{out}: {model}.")
    for reason, count in training.left_out.items():
        click.echo(f"  left out: {count:,} sales ({reason})")
    click.echo(f"  {home.residual_words(model)}\n  {model.origin}")


@cli.group(epilog=example("trade show"))
def trade() -> None:
    """The attributes that stones have."""


@trade.command("show", epilog=example("trade show --home home > trade.toml"))
@options.home("A home, whose trade.toml counts.")
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
@options.source
@click.option("--folds", type=click.IntRange(2, 50), default=5, show_default=True)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Shuffles the stones."
)
@options.leave_out
@options.engine
@options.as_json
def evaluate(
    families: tuple[str, ...],
    data: Path | None,
    source: Path | None,
    folds: int,
    seed: int,
    leave_out: bool,
    as_json: bool,
    **engine: Any,
) -> None:
    """Cross-validate families by stone, beside naive baselines.

    On Parquet files, many files and large ones only the family monotone, where they are.
    """
    if large(data):
        if options.given("seed") or (options.given("families") and set(families) != {DEFAULT}):
            raise click.UsageError(
                "Parquet files, many files and large ones are evaluated where they are: for "
                f"the family {DEFAULT} alone, in folds that no --seed shuffles."
            )
        _evaluate_there(data, folds, as_json, leave_out=leave_out, **engine)
        return
    sales, _ = sales_in(data, source, leave_out)
    from diamond_pricing.exhibits import evaluation_table
    from diamond_pricing.validation import cross_validate

    once = list(dict.fromkeys(families))
    result = cross_validate(sales, once, folds=folds, seed=seed, progress=_tell)
    if not as_json:
        click.echo(evaluation_table(result))
        return
    models = [
        {
            "name": p.name,
            "listing": p.listing or None,
            "unpriced": result.unpriced(p),
            "overall": _plain(result.overall(p)),
            "by_carat": {band: _plain(s) for band, s in result.by_band(p)},
        }
        for p in result.predictions
    ]
    facts = {"rows": len(result.price), "folds": folds, "seed": seed}
    dated = {"currency": result.currency, "effective": result.effective}
    click.echo(json.dumps({**facts, **dated, "models": models}))


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
_COMMANDS = {
    "refit": ("expert", "inspect", "refit", "registry"),
    "report": ("report",),
    "api": ("keys", "serve"),
    "fit,scale": ("tally",),
    "scale": ("export-sql", "score"),
}
_MODULES = {
    "fit": ("daqp", "pandas", "patsy", "pygam", "scipy", "statsmodels", "threadpoolctl"),
    "refit": ("pyarrow",),
    "api": ("alembic", "granian", "litestar", "sqlalchemy"),
    "scale": ("duckdb", "ibis", "sqlglot"),
    "spark": ("pyspark",),
    "report": ("matplotlib",),
}


def _extra_of(name: str, extras: dict[str, tuple[str, ...]]) -> str | None:
    return next((extra for extra, names in extras.items() if name in names), None)


_tell = partial(click.echo, err=True)


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
        extra = _extra_of((error.name or "").partition(".")[0], _MODULES)
        if extra is None:
            raise
        extra = _extra_of(command, _COMMANDS) or extra
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


def _answer(
    why: PriceExplanation, where: str, model: PriceModel, as_json: bool, more: str = ""
) -> None:
    if as_json:
        click.echo(json.dumps({**why.to_dict(), "model_source": where}, ensure_ascii=False))
        return
    click.echo(f"{why}{more}")
    click.echo(f"\nFrom {where}: {model}.")
    if where == options.PACKAGED:
        click.echo(
            f"Prices of {model.training.effective}. For those of your market fit your own "
            "sales: diamond-pricing fit --data SALES --out mine.json, then --model mine.json."
        )


for _part in (home, market, reports, service, sums, warehouse):
    for _command in _part.COMMANDS:
        cli.add_command(_command)
