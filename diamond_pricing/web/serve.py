"""A server on a port: what is checked before it starts, and how it is started."""

import ctypes
import gc
import logging
import logging.config
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from diamond_pricing.errors import DiamondPricingError, MissingExtraError, ServiceError
from diamond_pricing.files import folder
from diamond_pricing.stones.trade import added
from diamond_pricing.web.door import Door
from diamond_pricing.web.settings import Settings, loopback

SETTINGS = "DIAMOND_PRICING_SETTINGS"  # how the settings reach the process that serves
HEADERS = 10_000  # milliseconds in which the head of a request must arrive
CONNECTIONS = 8192  # at once; a proxy in front closes those that say nothing
FILES = 96  # kept for what is no connection; between 30 and 40 are used
LARGEST_HEAD = 64 << 10  # bytes
log = logging.getLogger("diamond_pricing.web")


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C.

    Raises
    ------
    ServiceError
        When settings, home or database cannot be used, or when a server without keys would
        be open to others.
    MissingExtraError
        Without the extra ``api``.
    """
    try:
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces
        from granian.http import HTTP1Settings
    except ImportError as error:
        raise MissingExtraError("a server", "api") from error
    if settings.database:  # refused here in one sentence, before a process is started for it
        from diamond_pricing.web.storage import Database

        Database(settings.database).close()
    folder(settings.data)
    _free(host, port)
    if not loopback(host):
        checked(settings, host)
    if settings.home:  # the process that answers knows its attributes from the start
        from diamond_pricing.registry import Registry

        Registry.at(str(settings.home))
        os.environ["DIAMOND_PRICING_TRADE"] = added()
    os.environ[SETTINGS] = msgspec.json.encode(settings, enc_hook=str).decode()
    server = Granian(
        "diamond_pricing.web.serve:application",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        http=HTTPModes.http1,
        websockets=False,
        workers=1,
        backpressure=_connections(),
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS, max_buffer_size=LARGEST_HEAD),
        workers_kill_timeout=10,
        log_access=False,
        log_dictconfig=logging_of(settings),
    )
    server.serve()


def _free(host: str, port: int) -> None:
    """Refuse a port that somebody serves already: granian would share it with them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            raise ServiceError(f"{host}:{port} cannot be served: {error.strerror}.") from error


def _connections() -> int:
    """Let the process have as many files open as it may; say how many can be connections.

    A server that runs out of files while it accepts serves nobody, so some are kept back for
    the database, models and logs.
    """
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 4 * CONNECTIONS if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))
    return max(1, min(CONNECTIONS, files - FILES))


def checked(settings: Settings, host: str) -> None:
    """Refuse to be open to others without keys."""
    from diamond_pricing.web.storage import Database, Keys

    database = Database(settings.url)
    try:
        database.upgrade()
        keys = Keys(database, settings.secret())
        keys.refresh()
    finally:
        database.close()
    if not keys.any:
        raise ServiceError(
            f"without keys the server is open to whoever reaches it, and {host} may be reached "
            "by others: make one with 'diamond-pricing keys create', or use 127.0.0.1."
        )


def application() -> Door:
    """Make the application in the process that serves."""
    from diamond_pricing.web.app import create_app

    settings = msgspec.json.decode(
        os.environ[SETTINGS], type=Settings, dec_hook=lambda kind, text: kind(text)
    )
    logging.config.dictConfig(logging_of(settings))
    _end_with_parent()
    try:
        app = create_app(settings)
        if settings.store and not app.keys.any:
            where = "the database" if settings.database else str(settings.data)
            log.warning("there are no keys in %s: this machine is answered without one", where)
        gc.enable()
        gc.collect()
        gc.freeze()  # what a server has from its start it has to its end
        return app
    except (DiamondPricingError, OSError) as error:
        log.critical("%s", error)
        raise SystemExit(2) from error


def _end_with_parent() -> None:
    """Let the process end when the one that started it is killed, and not hold its port on."""
    if sys.platform != "linux":
        return
    end_when_parent_does = 1  # PR_SET_PDEATHSIG, prctl(2)
    ctypes.CDLL(None).prctl(end_when_parent_does, signal.SIGTERM)


def logging_of(settings: Settings) -> dict[str, Any]:
    """What is logged: our own words to standard error, requests as JSON to standard output."""
    formats = {
        "error": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        "access": "%(message)s",
    }
    streams = {"error": "ext://sys.stderr", "access": "ext://sys.stdout"}
    loggers = {
        "diamond_pricing": ("error", "INFO"),
        "diamond_pricing.access": ("access", "INFO" if settings.access_log else "WARNING"),
        "_granian": ("error", "WARNING"),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {name: {"format": text} for name, text in formats.items()},
        "handlers": {
            name: {"class": "logging.StreamHandler", "formatter": name, "stream": stream}
            for name, stream in streams.items()
        },
        "loggers": {
            name: {"handlers": [handler], "level": level, "propagate": False}
            for name, (handler, level) in loggers.items()
        },
    }


def default_data(home: str) -> Path:
    """Where a server keeps its quotes unless told otherwise."""
    if given := os.environ.get("DIAMOND_PRICING_DATA", ""):
        return Path(given)
    if home and "://" not in home:
        return Path(home) / "service"
    return Path.home() / ".diamond-pricing"
