"""Commands around a server: start it, and who may use it."""

import gc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diamond_pricing.cli import options
from diamond_pricing.cli.home import who
from diamond_pricing.cli.options import example
from diamond_pricing.errors import MissingExtraError

if TYPE_CHECKING:
    from diamond_pricing.web.settings import Settings
    from diamond_pricing.web.storage import Database


# Where a server keeps what it remembers.
service_options = options.together(
    options.home("Home whose active model is served. Default: the packaged model."),
    click.option(
        "--data",
        type=options.FOLDER,
        help="Directory of the secret and the quotes. Default: $DIAMOND_PRICING_DATA, else "
        "HOME/service, else one in your own directory.",
    ),
    click.option(
        "--database",
        default="",
        envvar="DIAMOND_PRICING_DATABASE",
        help="URL of the quotes' database, as postgresql://… (extra 'postgres'). "
        "Default: SQLite in the data directory.",
    ),
)


def _settings(home: str | None, data: Path | None, database: str) -> "Settings":
    if home:
        from diamond_pricing.registry import Registry

        Registry.at(home)  # before anything is made in it
    home = home or ""
    try:
        from diamond_pricing.web.serve import default_data
        from diamond_pricing.web.settings import Settings
    except ImportError as error:
        raise MissingExtraError("a server", "api") from error
    return Settings(data=data or default_data(home), home=home, database=database)


@click.command(epilog=example("serve --port 8000"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@service_options
def serve(host: str, port: int, home: str | None, data: Path | None, database: str) -> None:
    """Serve prices over HTTP: the page at /, the API at /v1, its description at /docs."""
    gc.disable()  # importing makes much and no garbage
    settings = _settings(home, data, database)
    from diamond_pricing.web.serve import serve as run

    click.echo(f"http://{host}:{port}/", err=True)
    run(settings, host, port)


@click.command(epilog=example("mcp --home home"))
@options.home("Home whose active model answers. Default: the packaged model.")
def mcp(home: str | None) -> None:
    """Serve prices to an assistant over standard input and output (Model Context Protocol).

    Its tools explain, compare and assess stones, find like sales and list prices.
    """
    from diamond_pricing.web.models import Models

    models = Models(home or "")  # first, as a stone has a field for each attribute of the home
    from diamond_pricing.web.agents import agent_server

    agent_server(models).run("stdio")


@click.group(epilog=example("keys create --tenant acme --scope quote,batch"))
def keys() -> None:
    """Keys of those who may use the API."""


@keys.command("create", epilog=example("keys create --tenant acme --scope quote,batch"))
@click.option("--tenant", required=True, help="Whose key: small letters, digits, hyphens.")
@click.option(
    "--scope",
    required=True,
    help="Some of quote, batch, model, admin, separated by commas; or publish alone, for a key "
    "in a page.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help="Of a page whose scripts may use the key, as https://shop.example.",
)
@click.option(
    "--quota", help="Prices of the tenant in a window: 1000/hour. Default: as before."
)
@click.option("--days", type=click.IntRange(1, 36500), help="Until it expires. Default: never.")
@service_options
def create(
    tenant: str, scope: str, home: str | None, data: Path | None, database: str, **limits: Any
) -> None:
    """Make a key and show it, this once."""
    from diamond_pricing.web.storage import create_key

    settings = _settings(home, data, database)
    scopes = [part.strip() for part in scope.split(",") if part.strip()]
    secret = settings.secret()
    store = _database(settings)
    click.echo(create_key(store, secret, tenant, scopes, by=who(), **limits))
    click.echo("Keep it: it is not shown again.", err=True)


@keys.command("list", epilog=example("keys list"))
@options.as_json
@service_options
def listed(as_json: bool, home: str | None, data: Path | None, database: str) -> None:
    """List the keys, without what makes them keys."""
    from diamond_pricing.web.storage.keys import listed_keys
    from diamond_pricing.web.storage.quota import SECONDS

    found = listed_keys(_database(_settings(home, data, database), must_be=True))
    if as_json:
        click.echo(json.dumps(found))
        return
    windows = {seconds: name for name, seconds in SECONDS.items()}
    for row in found:
        seconds = row["seconds"]
        quota = f"{row['quota']}/{windows[int(seconds)]}" if seconds else "no quota"
        state = "revoked" if row["revoked"] else f"until {row['expires'] or 'revoked'}"
        click.echo(f"{row['id']}  {row['tenant']}  {row['scopes']}  {quota}  {state}")


@keys.command("revoke", epilog=example("keys revoke 7d0798b46080"))
@click.argument("key")
@service_options
def revoke(key: str, home: str | None, data: Path | None, database: str) -> None:
    """Make a KEY, given by its id or whole, useless for ever."""
    from diamond_pricing.web.storage import revoke_key

    settings = _settings(home, data, database)
    revoke_key(_database(settings, must_be=True), settings.secret(), key, by=who())
    click.echo("Revoked; servers know within a second.")


@keys.command("audit", epilog=example("keys audit"))
@service_options
def audit(home: str | None, data: Path | None, database: str) -> None:
    """Show the audit log and check that nobody changed it."""
    from diamond_pricing.errors import ServiceError
    from diamond_pricing.web.storage import audit_faults, audited

    settings = _settings(home, data, database)
    with _database(settings, must_be=True).reading() as connection:
        after = 0
        while found := audited(connection, after):
            for row in found:
                click.echo(
                    f"{row['number']}  {row['at']}  {row['actor']}  {row['action']}  "
                    f"{row['subject']}  {row['details']}"
                )
            after = found[-1]["number"]
        faults = audit_faults(connection, settings.secret())
    if faults:
        raise ServiceError(" ".join(faults))


def _database(settings: "Settings", *, must_be: bool = False) -> "Database":
    from diamond_pricing.errors import ServiceError
    from diamond_pricing.web.settings import FILE
    from diamond_pricing.web.storage import Database

    if must_be and not settings.database and not (settings.data / FILE).is_file():
        raise ServiceError(f"there are no keys in {settings.data}; see --data and --home.")
    database = Database(settings.url)
    database.upgrade()
    return database


COMMANDS: tuple[click.Command, ...] = (serve, keys, mcp)
