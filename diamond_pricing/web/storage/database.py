"""The connection to the database, and its schema brought up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import SQLITE_BUSY, OperationalError
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects.sqlite import insert as lite_insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from diamond_pricing.errors import ServiceError, StorageError
from diamond_pricing.files import folder

NEWEST = "0002"  # the last of migrations/versions
PATIENCE = 2.0  # seconds that a writer waits for another
STARTING = 60.0  # seconds that a server waits for another that makes the tables
_PATIENT: dict[str, Any] = {
    "pool_pre_ping": True,
    "pool_timeout": PATIENCE,
    "connect_args": {
        "connect_timeout": 3,
        "tcp_user_timeout": 4000,
        "options": f"-c lock_timeout={int(1000 * PATIENCE)} -c statement_timeout=5000 "
        "-c idle_in_transaction_session_timeout=10000",
    },
}
_WAITING = text(  # until the transaction ends
    "SELECT set_config('lock_timeout', :ms, true), set_config('statement_timeout', :ms, true)"
)


class Database:
    """One database; safe for several threads and several servers.

    Parameters
    ----------
    url : str
        As SQLAlchemy takes it: ``sqlite:///service.db``, ``postgresql+psycopg://…``.

    Raises
    ------
    ServiceError
        When the URL is none, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            if parsed.drivername in ("postgresql", "postgres"):
                parsed = parsed.set(drivername="postgresql+psycopg")
            if parsed.get_backend_name() not in ("sqlite", "postgresql"):
                raise ServiceError("the database must be SQLite or PostgreSQL.")
            self.sqlite = parsed.get_backend_name() == "sqlite"
            if self.sqlite and parsed.database:
                folder(Path(parsed.database).parent)
            options = {} if self.sqlite else _PATIENT
            self.engine: Engine = create_engine(parsed, **options)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise ServiceError(
                f"the database cannot be used: {error}. PostgreSQL needs the extra 'postgres'."
            ) from error
        self.url = parsed
        self._file: tuple[int, int] | None = None  # what was opened, to notice if it goes
        if self.sqlite:
            event.listen(self.engine, "connect", _prepared)
            event.listen(self.engine, "begin", _begun)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for looking things up; StorageError when that fails."""
        self._look()
        with _told(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, patience: float = PATIENCE) -> Iterator[Connection]:
        """A transaction that is durable when the block ends; StorageError when it fails.

        It waits ``patience`` seconds for another writer.
        """
        self._look()
        with _told(), self.engine.connect() as connection:
            writer = connection.execution_options(patience=patience)
            with writer.begin():
                if not self.sqlite and patience > PATIENCE:
                    writer.execute(_WAITING, {"ms": str(int(1000 * patience))})
                yield writer

    def _look(self) -> None:
        """Notice that the file was deleted or exchanged: SQLite would write on into nothing."""
        if not self.sqlite or not self.url.database:
            return
        try:
            found = Path(self.url.database).stat()
        except OSError as error:
            if self._file is None:
                return  # it is about to be made
            raise StorageError("the database's file is gone.") from error
        now = (found.st_dev, found.st_ino)
        if self._file is None:
            self._file = now
        elif self._file != now:
            raise StorageError("another file stands where the database was.")

    def upgrade(self) -> None:
        """Bring the schema up to date; servers that start at once wait for each other."""
        with self.reading() as connection:
            found = _version(connection)
        if found == NEWEST:
            return
        if found is not None and found > NEWEST:
            raise ServiceError(
                f"the database has schema {found}, newer than this program's {NEWEST}."
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "diamond_pricing.web.storage:migrations")
        with self.writing(STARTING) as connection:
            if not self.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(7242024)"))
            if _version(connection) == NEWEST:
                return  # another server was faster
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def inserting(connection: Connection, table: Table) -> Any:
    """An INSERT that can say what to do ``on_conflict``.

    That of PostgreSQL takes a tenth of a second to import.
    """
    if connection.dialect.name == "sqlite":
        return lite_insert(table)
    from sqlalchemy.dialects.postgresql import insert

    return insert(table)


@contextmanager
def _told() -> Iterator[None]:
    """Whatever the database complains of, as our own error; its words may hold secrets."""
    try:
        yield
    except SQLAlchemyError as error:
        origin = getattr(error, "orig", None)
        said = str(origin or error).splitlines()[0] if str(origin or error) else ""
        raise StorageError(f"the database failed: {said}") from error
    except OSError as error:
        raise StorageError(f"the database failed: {error.strerror}") from error


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found else None


def _prepared(connection: Any, _: Any) -> None:
    # SQLAlchemy begins transactions itself: sqlite3's own way would let a reader that
    # becomes a writer fail at once instead of waiting.
    connection.isolation_level = None
    _log_ahead(connection)
    for setting in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        f"busy_timeout = {int(1000 * PATIENCE)}",
    ):
        # It binds nothing; these are our own words.
        # nosemgrep: sql-takes-parameters
        connection.execute(f"PRAGMA {setting}")


def _log_ahead(connection: Any) -> None:
    # Of two that bring a new file to WAL at once, SQLite refuses one without waiting: it reads
    # already and so cannot wait for a writer that waits for readers.
    until = monotonic() + 5 * PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except OperationalError as error:
            if error.sqlite_errorcode & 0xFF != SQLITE_BUSY or monotonic() > until:
                raise
        sleep(0.01)


def _begun(connection: Connection) -> None:
    patience = connection.get_execution_options().get("patience")  # of a writer
    if not patience:
        connection.exec_driver_sql("BEGIN")
        return
    # nosemgrep: sql-takes-parameters
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(1000 * patience)}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
