"""Which model a command speaks of."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from diamond_pricing.cli.home import named
from diamond_pricing.errors import RegistryError
from diamond_pricing.model import PriceModel, packaged_model

PACKAGED = "the packaged model"
HEX = re.compile("[0-9a-f]+")  # what an id is made of


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --model and --home, whose values `chosen` takes."""
    for option in (
        click.option(
            "--home",
            envvar="DIAMOND_PRICING_HOME",
            callback=named,
            help="A home (directory or URL), whose active model is then the default.",
        ),
        click.option(
            "--model",
            envvar="DIAMOND_PRICING_MODEL",
            callback=named,
            help="A model document, or an id of the home. Default: the home's active model, "
            "else the packaged model.",
        ),
    ):
        command = option(command)
    return command


def day_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --as-of and --carry-forward, whose values `on_day` takes."""
    for option in (
        click.option(
            "--carry-forward",
            is_flag=True,
            help="Price days after the sales as the last of them, in wider ranges.",
        ),
        click.option(
            "--as-of",
            callback=named,
            metavar="DATE",
            help="The day of the prices, as 2026-09-30. Default: the last of the sales.",
        ),
    ):
        command = option(command)
    return command


def on_day(model: PriceModel, as_of: str | None, *, carry_forward: bool) -> PriceModel:
    """The model of the day that is asked for."""
    model = model.carry_forward() if carry_forward else model
    return model if as_of is None else model.as_of(as_of)


def chosen(model: str | None, home: str | None) -> tuple[PriceModel, str]:
    """Load the model asked for, and say in words which it is.

    Raises
    ------
    DiamondPricingError, OSError
        When it cannot be read.
    """
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
