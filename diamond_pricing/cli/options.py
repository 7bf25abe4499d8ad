"""Options that several commands have, and what they choose: above all a model."""

import re
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from diamond_pricing.errors import RegistryError
from diamond_pricing.model import PriceModel, packaged_model
from diamond_pricing.stones import LISTING
from diamond_pricing.stones.trade import use

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
PACKAGED = "the packaged model"
HEX = re.compile("[0-9a-f]+")  # what an id is made of
ANY_FILE = click.Path(path_type=Path)
OLD_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


def example(words: str, before: str = "") -> str:
    """An example for the end of a help text, which is not wrapped."""
    # A backspace on a line of its own keeps click from wrapping what follows.
    return f"{before}\b\nExample:\n  diamond-pricing {words}"


def named(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """An option that names something: a variable of the shell that is not set names nothing."""
    if value is not None and not value.strip():
        raise click.BadParameter("it names nothing.", param=option)
    return value


def given(option: str) -> bool:
    """Whether a person typed the option; an environment variable does not count."""
    source = click.get_current_context().get_parameter_source(option)
    return source == ParameterSource.COMMANDLINE


def together(*options: Decorator) -> Decorator:
    """Several options as one decorator, in their order."""
    return lambda command: reduce(lambda made, add: add(made), reversed(options), command)


def home(text: str = "A directory, or a URL.", **how: Any) -> Decorator:
    """Add --home, with its help."""
    return click.option(
        "--home", envvar="DIAMOND_PRICING_HOME", callback=named, help=text, **how
    )


def choice(
    name: str, among: Sequence[str], default: str, text: str | None = None, **how: Any
) -> Decorator:
    """Add an option that is one of several words."""
    words = click.Choice(among, **how)
    return click.option(name, type=words, default=default, show_default=True, help=text)


def listing(text: str) -> Decorator:
    """Add --listing, with its help."""
    lists = ("blend", "recorded", *LISTING.grades)
    return choice("--listing", lists, "blend", text, case_sensitive=False)


def _read_trade(_: Any, __: Any, file: Path | None) -> None:
    if file is not None:
        use(file)


trade = click.option(
    "--trade",
    type=OLD_FILE,
    expose_value=False,
    callback=_read_trade,
    help="A TOML file of attributes that the sales have beside those of 'trade show'.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
source = click.option(
    "--source", type=OLD_FILE, help="How the file is written, as 'inspect' prints it."
)
leave_out = click.option(
    "--leave-out",
    is_flag=True,
    help="Leave out sales without a sound price or grade, and count them.",
)
engine = together(
    click.option(
        "--memory-limit",
        "memory",
        default="1GB",
        show_default=True,
        help="What DuckDB may use of it before it goes to the disk.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Of DuckDB. Default: one a core."),
)
model = together(
    click.option(
        "--model",
        envvar="DIAMOND_PRICING_MODEL",
        callback=named,
        help="A model document, or an id of the home. Default: the home's active model, "
        "else the packaged model.",
    ),
    home("A home (directory or URL), whose active model is then the default."),
)
dated_model = together(
    click.option(
        "--as-of",
        callback=named,
        metavar="DATE",
        help="The day of the prices, as 2026-09-30. Default: the last of the sales.",
    ),
    click.option(
        "--carry-forward",
        is_flag=True,
        help="Price days after the sales as the last of them, in wider ranges.",
    ),
    model,
)


def chosen(
    model: str | None, home: str | None, as_of: str | None = None, carry_forward: bool = False
) -> tuple[PriceModel, str]:
    """Load the model asked for, as of a day, and say in words which it is."""
    found, where = _chosen(model, home)
    found = found.carry_forward() if carry_forward else found
    return found if as_of is None else found.as_of(as_of), where


def _chosen(model: str | None, home: str | None) -> tuple[PriceModel, str]:
    if home and not (model and (Path(model).is_file() or not HEX.fullmatch(model))):
        from diamond_pricing.registry import Registry

        registry = Registry.at(home)
        if model:
            return registry.model(model), f"{model} of {home}"
        active = registry.active()
        if active is None:
            raise RegistryError(f"there is no active model in {home}.")
        return active, f"the active model of {home}"
    if not model:
        return packaged_model(), PACKAGED
    from diamond_pricing.registry.signing import read_model

    return read_model(Path(model)), model
