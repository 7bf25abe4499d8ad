"""What an operator may set, and the limits that every request meets."""

import os
import secrets
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

import msgspec

from diamond_pricing.errors import ServiceError
from diamond_pricing.files import folder, put

FILE = "service.db"  # of the quotes, in the data directory
SECRET = "DIAMOND_PRICING_SECRET"  # noqa: S105  the name of a variable


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond these a request is refused."""

    body: int = 1 << 16  # bytes of a body
    batch: int = 64 << 20  # bytes of a batch
    rows: int = 500_000  # stones of a batch
    patience: float = 10.0  # seconds for a body, and for each further MB of a batch
    unstored: int = 10_000  # prices answered while no quote can be stored: docs/how-to/serve.md


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is set up."""

    data: Path  # directory of the secret and, without a database, of the quotes
    home: str = ""  # its active model is served; empty for the packaged model
    database: str = ""  # URL for SQLAlchemy; empty for SQLite in the directory of data
    store: bool = True  # whether quotes, usage and keys are kept; without: for measurements
    limits: Limits = Limits()
    poll: float = 1.0  # seconds between two looks at the registry and at the keys
    access_log: bool = True  # whether each request is written to the log as a line of JSON

    @property
    def url(self) -> str:
        """URL of the database."""
        return self.database or f"sqlite:///{(self.data / FILE).absolute()}"

    def secret(self) -> bytes:
        """The secret that keys are hashed with, made at the first use.

        Raises
        ------
        ServiceError
            When it is no secret.
        """
        given = os.environ.get(SECRET)
        if given is not None:  # set to nothing it is a mistake, not left out
            if len(given) < 32:
                raise ServiceError(f"{SECRET} must have 32 characters or more.")
            return given.encode()
        folder(self.data)
        file = self.data / "secret"
        if not file.exists():
            put(file, secrets.token_hex(32).encode(), 0o600)
        found = file.read_bytes()
        if len(found) < 32:
            raise ServiceError(f"{file} is damaged; restore it, or make new keys.")
        return found


@lru_cache(64)
def loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    name = host.strip("[]")
    if name.casefold() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
