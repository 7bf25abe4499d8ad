"""The command line: each command parses, calls one function, prints.

Answers go to standard output, progress to standard error. Bad input is one line on standard
error and exit code 2.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diamond_pricing import PriceExplanation, PriceModel, Stone, __version__, packaged_model
from diamond_pricing.errors import DiamondPricingError, FitError
from diamond_pricing.stones import GRADES, MEASURES, Grade, Measure, load_sales

if TYPE_CHECKING:
    import pandas as pd

DEMO_MODEL = Path("demo/model.json")  # what `make demo` fits
FAMILIES = ("loglinear", "gam")


class AsTyped(click.ParamType[Any]):
    """A value of an attribute, as a person types it."""

    def __init__(self, attribute: Measure | Grade) -> None:
        self.attribute = attribute
        self.name = attribute.unit if isinstance(attribute, Measure) else "grade"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read it by the attribute's own rules."""
        return self.attribute.parse(value) if isinstance(value, str) else value


class Described(click.ParamType[Stone]):
    """A whole stone, as people write it down."""

    name = "stone"

    def convert(self, value: Any, param: Any, ctx: Any) -> Stone:
        """Read it by `Stone.parse`."""
        return value if isinstance(value, Stone) else Stone.parse(value)


def stone_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each attribute of a stone, aliases included."""
    attributes: list[Measure | Grade] = [*MEASURES, *GRADES]
    for attribute in reversed(attributes):
        words = [word for word in attribute.aliases if word.isalpha()]
        names = [f"--{word}" for word in (attribute.name, *words)]
        unit = attribute.unit if isinstance(attribute, Measure) else "worst to best: "
        grades = ", ".join(attribute.grades) if isinstance(attribute, Grade) else ""
        command = click.option(
            *names,
            attribute.name,
            type=AsTyped(attribute),
            required=attribute.required,
            help=f"{attribute.label}; {unit}{grades}.",
        )(command)
    return command


model_option = click.option(
    "--model",
    "model_file",
    type=click.Path(path_type=Path),
    envvar="DIAMOND_PRICING_MODEL",
    help="A model document. Default: demo/model.json here, else the packaged model.",
)
listing_option = click.option(
    "--listing",
    default="blend",
    show_default=True,
    help="blend, recorded, or one price list: x<y, x=y, x>y.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="A CSV file of sales. Default: the 53,940 packaged sales of 2008.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Diamond prices that explain themselves."""


@cli.command()
@stone_options
@click.option(
    "--reference", type=Described(), help="Stone to measure from: '0.70 Ideal G SI1'."
)
@click.option(
    "--html", type=click.Path(path_type=Path), help="Also write a page with a picture."
)
@listing_option
@model_option
@json_option
def explain(
    reference: Stone | None,
    html: Path | None,
    listing: str,
    model_file: Path | None,
    as_json: bool,
    **attributes: Any,
) -> None:
    r"""Price one stone and say why.

    \b
    Example:
      diamond-pricing explain --carat 1.01 --cut Ideal --color E --clarity VS1
    """
    stone = Stone(**attributes)
    model, where = _model(model_file)
    why = model.explain(stone, listing=listing, reference=reference)
    if html is not None:
        from diamond_pricing.exhibits import explanation_page

        _write(html, explanation_page(why))
        _tell(f"Wrote {html}.")
    _answer(why, where, model, as_json)


@cli.command()
@click.argument("first", type=Described())
@click.argument("second", type=Described())
@listing_option
@model_option
@json_option
def compare(
    first: Stone, second: Stone, listing: str, model_file: Path | None, as_json: bool
) -> None:
    r"""Say why the SECOND stone does not cost what the FIRST does.

    Write a stone as weight, cut, color, clarity, then any measures by name.

    \b
    Example:
      diamond-pricing compare '1.01 Ideal E VS1' '0.70 Very Good G VS2 depth=61.5'
    """
    model, where = _model(model_file)
    _answer(model.compare(first, second, listing=listing), where, model, as_json)


@cli.command()
@click.option("--family", type=click.Choice(FAMILIES), default="gam", show_default=True)
@data_option
@click.option("--currency", help="ISO code of the prices. Default: USD.")
@click.option("--effective", help="When the prices were true: a year or a date.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@json_option
def fit(
    family: str,
    data: Path | None,
    currency: str | None,
    effective: str | None,
    out: Path,
    as_json: bool,
) -> None:
    r"""Fit a model to sales and write its document.

    \b
    Example:
      diamond-pricing fit --family gam --data sales.csv --effective 2026 --out model.json
    """
    sales = _sales(data)
    _tell(f"Fitting {family} to {len(sales):,} sales …")
    from diamond_pricing.fitting import fit as fit_model

    model = fit_model(sales, family, currency=currency, effective=effective)
    _write(out, model.to_json())
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


@cli.command()
@click.option(
    "--family", "families", type=click.Choice(FAMILIES), multiple=True, default=FAMILIES,
    show_default=True, help="May be given more than once.",
)  # fmt: skip
@data_option
@click.option("--folds", type=click.IntRange(2, 50), default=5, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Shuffles the stones.")
@json_option
def evaluate(
    families: tuple[str, ...], data: Path | None, folds: int, seed: int, as_json: bool
) -> None:
    r"""Cross-validate families by stone, beside naive baselines.

    \b
    Example:
      diamond-pricing evaluate --family gam --data sales.csv
    """
    sales = _sales(data)
    from diamond_pricing.exhibits import evaluation_table
    from diamond_pricing.validation import cross_validate

    result = cross_validate(sales, families, folds=folds, seed=seed, progress=_tell)
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
                        "overall": asdict(result.overall(p)),
                        "by_carat": {band: asdict(s) for band, s in result.by_band(p)},
                    }
                    for p in result.predictions
                ],
            }
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; give its exit code."""
    try:
        cli(arguments, standalone_mode=False)
    except click.ClickException as error:
        return _fail(error.format_message())
    except DiamondPricingError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # Whoever read us went away; Python would complain once more on closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return 130
    return 0


def _fail(message: str) -> int:
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    return 2


def _tell(step: str) -> None:
    click.echo(step, err=True)


def _model(file: Path | None) -> tuple[PriceModel, str]:
    """Load the model asked for, and say in words which it is."""
    if file is None and DEMO_MODEL.exists():
        file = DEMO_MODEL
    if file is None:
        return packaged_model(), "the packaged model"
    try:
        return PriceModel.from_json(file.read_bytes()), str(file)
    except DiamondPricingError as error:
        raise type(error)(f"{file}: {error}") from error


def _sales(file: Path | None) -> "pd.DataFrame":
    if file is None:
        return load_sales()
    import pandas as pd

    try:
        return pd.read_csv(file)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise FitError(f"{file} is not a CSV file of sales: {error}") from error


def _write(file: Path, text: str) -> None:
    """Write aside and rename, so that a file is whole or not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        Path(aside).chmod(0o644)
        Path(aside).replace(file)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _answer(why: PriceExplanation, where: str, model: PriceModel, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**why.to_dict(), "model_source": where}, ensure_ascii=False))
        return
    click.echo(str(why))
    click.echo(f"\nFrom {where}: {model}.")


if __name__ == "__main__":
    sys.exit(main())
