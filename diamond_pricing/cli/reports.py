"""The command `report`: render the reports of a model."""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diamond_pricing.cli import options
from diamond_pricing.cli.home import now
from diamond_pricing.cli.options import chosen, example
from diamond_pricing.errors import DiamondPricingError, MissingExtraError, ReportError
from diamond_pricing.files import write
from diamond_pricing.stones import GRADES

if TYPE_CHECKING:
    from diamond_pricing.reporting.render import Rendered

REPORTS = (
    "model_development",
    "model_card",
    "market",
    "refit",
    "inventory_audit",
    "price_list",
)
QUOTE, ALL = "quote", "all"
NAMES = (*REPORTS, QUOTE)
OF_QUOTE = ("model", "home", "stone", "as_of", "client", "client_reference", "report_number")
(CUT,) = (grade for grade in GRADES if grade.name == "cut")
FORMATS = ("html", "pdf", "ipynb", "quarto")


def _formats(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(part.strip().lower() for part in value.split(",")))
    if unknown := [name for name in asked if name not in FORMATS]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(FORMATS)}.")
    return asked


@click.command(epilog=example("report quote --stone '1.01 Ideal E VS1' --out reports"))
@click.argument("name", type=click.Choice((*NAMES, ALL)))
@click.option(
    "--model",
    help="Id of a model of the home, or a model document. Default: the active model, else the "
    "packaged one.",
)
@options.home()
@click.option(
    "--data",
    type=options.OLD_FILE,
    help="A file of sales. Default: those of the home, else the packaged ones.",
)
@click.option("--out", type=options.ANY_FILE, required=True, help="Folder to write.")
@click.option(
    "--to",
    "formats",
    default="html,pdf,ipynb",
    show_default=True,
    callback=_formats,
    help="Formats, parted by commas; quarto renders through the Quarto on the path.",
)
@click.option("--stone", help="Of a quote: '1.01 Ideal E VS1 depth=61.8'.")
@click.option("--cut", help="Of a price list. Default: Ideal, or the best of the model.")
@click.option(
    "--as-of",
    metavar="DATE",
    help="The day of a price list or quote. Default: the last of the sales.",
)
@click.option("--client", help="Of a quote: for whom it is.")
@click.option("--client-reference", help="Of a quote: what the client calls it.")
@click.option("--report-number", help="Of a quote: that of the stone's grading report.")
@click.option("--entry", help="Of a refit: its number in the log. Default: the last.")
@options.choice("--language", ("en", "it"), "en", "Of a quote.")
@options.as_json
def report(
    name: str,
    home: str | None,
    data: Path | None,
    out: Path,
    formats: tuple[str, ...],
    language: str,
    as_json: bool,
    **asked: str | None,
) -> None:
    """Render the report NAME, or all of them, into a folder.

    Names: model_development, model_card, market (needs sales with dates), refit (needs a
    home), inventory_audit, price_list, quote.
    """
    try:
        from diamond_pricing.reporting import read_source, render
    except ImportError as error:
        raise MissingExtraError("reports", "report") from error
    names: tuple[str, ...] = NAMES if name == ALL else (name,)
    if name == ALL:
        dated = chosen(asked["model"], home)[0].dates
        without = {"refit": not home, QUOTE: asked["stone"] is None, "market": not dated}
        names = tuple(one for one in names if not without.get(one))
        if without["refit"]:
            click.echo("Without a home there is no refit to report on.", err=True)
        if without[QUOTE]:
            click.echo("Without --stone there is no quote.", err=True)
    elif name == QUOTE and asked["stone"] is None:
        raise click.UsageError("a quote needs --stone, as '1.01 Ideal E VS1'.")
    if language != "en" and name not in (QUOTE, ALL):
        raise click.UsageError(f"the report {name} is in English alone; only a quote is not.")
    asked["cut"] = CUT.find(asked["cut"]) or asked["cut"]  # as people write it
    given = {key: value for key, value in asked.items() if value is not None}
    if home:
        given["home"] = str(Path(home).resolve()) if "://" not in home else home
    if data is not None:
        given["data"] = str(data.resolve())
    if (file := given.get("model")) and Path(file).is_file():
        given["model"] = str(Path(file).resolve())
    written: list[Rendered] = []
    failed = []
    with tempfile.TemporaryDirectory() as shared:
        for i, one in enumerate(names):
            source = None if one == QUOTE else read_source(one)
            known = given | {"out": str(out.resolve()), "date": now()[:10]}
            takes = OF_QUOTE if source is None else source.parameters
            if name != ALL and (strange := set(given) - set(takes)):
                raise ReportError(f"the report {one} takes no --{min(strange)}.")
            if source is None:
                written.append(_quote(given, out, formats, language))
                continue
            values = {key: known[key] for key in source.parameters if key in known}
            title = f"{one} ({i + 1} of {len(names)})"
            try:
                with click.progressbar(length=1, label=title, file=sys.stderr, width=24) as bar:
                    advance = partial(_advance, bar)
                    made = render(source, out, formats, values, advance, shared)
            except DiamondPricingError as error:
                if name != ALL:
                    raise
                failed.append(f"{one}: {error}")
                continue
            written.append(made)
            sizes = ", ".join(f"{f.name} {f.stat().st_size / 1000:,.0f} kB" for f in made.files)
            click.echo(f"  {made.seconds:.1f} s: {sizes}", err=True)
    files = [str(file) for made in written for file in made.files]
    if as_json:
        seconds = round(sum(made.seconds for made in written), 1)
        click.echo(json.dumps({"files": files, "seconds": seconds}))
    else:
        for file in files:
            click.echo(file)
    if failed:
        raise ReportError(" ".join(failed))


def _quote(
    given: dict[str, str], out: Path, formats: tuple[str, ...], language: str
) -> "Rendered":
    """Write the client's sheet that the page and the API give too."""
    began = time.monotonic()
    from diamond_pricing.reporting.render import Rendered

    # First, as a quote has a field for each attribute that the home adds.
    model, _ = chosen(given.get("model"), given.get("home"), given.get("as_of"))
    try:
        from diamond_pricing.web.sheets import sheets
    except ImportError as error:
        raise MissingExtraError("quotes", "api") from error
    client = {name: given[name] for name in OF_QUOTE[4:] if name in given}
    made = sheets(model, given["stone"], given.get("home"), now(), language, client)
    wanted = [kind for kind in formats if kind in made]
    if not wanted:
        raise ReportError(f"a quote is written as {' or '.join(made)}.")
    stem = QUOTE if language == "en" else f"{QUOTE}.{language}"
    files = []
    for kind in wanted:
        write(out / f"{stem}.{kind}", made[kind]())
        files.append(out / f"{stem}.{kind}")
    return Rendered(tuple(files), time.monotonic() - began)


def _advance(bar: Any, cell: int, of: int) -> None:
    bar.length = of
    bar.update(cell + 1 - bar.pos)


COMMANDS: list[Any] = [report]
