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
    """Beyond these a request is refused.

    Attributes
    ----------
    body, batch : int
        Bytes of a body, and of a batch.
    rows : int
        Stones of a batch.
    patience : float
        Seconds for a body, and for each further MB of a batch.
    unstored : int
        Prices that may be told while quotes cannot be stored; see `docs/how-to/serve.md`.
    """

    body: int = 1 << 16
    batch: int = 64 << 20
    rows: int = 500_000
    patience: float = 10.0
    unstored: int = 10_000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is set up.

    Attributes
    ----------
    data : Path
        Directory of the secret and, unless ``database`` says otherwise, of the quotes.
    home : str
        Home whose active model is served; empty for the packaged model.
    database : str
        URL for SQLAlchemy; empty for SQLite in ``data``.
    store : bool
        Whether quotes and usage are kept. Without, there are no quotes and no keys: for
        measurements.
    limits : Limits
    poll : float
        Seconds between two looks at the registry and at the keys.
    access_log : bool
        Whether each request is written to the log as a line of JSON.
    """

    data: Path
    home: str = ""
    database: str = ""
    store: bool = True
    limits: Limits = Limits()
    poll: float = 1.0
    access_log: bool = True

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
