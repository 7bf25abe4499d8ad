"""The tables. Times are UTC as ``2026-11-23T09:30:00Z``, which sorts as text."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

tenants = Table(
    "tenants",
    metadata,
    Column("name", Text, primary_key=True),
    Column("quota", BigInteger),  # prices a window; none: as many as it likes
    Column("seconds", Integer),  # of a window
    Column("created", Text, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.name"), nullable=False),
    Column("hash", Text, nullable=False),  # HMAC-SHA256 of the secret part
    Column("scopes", Text, nullable=False),  # parted by commas
    Column("created", Text, nullable=False),
    Column("expires", Text),
    Column("revoked", Text),
    Column("origins", Text, nullable=False, server_default=""),  # parted by spaces
)

quotes = Table(
    "quotes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("asked", Text, nullable=False),  # JSON
    Column("cents", BigInteger, nullable=False),
    Column("idempotency", Text),
    Column("fingerprint", Text),
    Column("year", Integer),  # with the number what people call it by: Q-2026-000123
    Column("number", Integer),
    Column("title", Text),  # the stone, in words
    Column("currency", Text),
    Column("client", Text),
    Column("client_reference", Text),
    Column("valid_until", Text),
    Column("search", Text),  # in small letters, all that it may be looked for by
    Column("shares", Integer, nullable=False, server_default="0"),  # links revoked so far
    UniqueConstraint("tenant", "idempotency"),
    UniqueConstraint("tenant", "year", "number"),
    Index(None, "tenant", "created"),
)

numbered = Table(  # quotes of each year
    "numbered",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
)

spent = Table(  # in the present window, for the quota
    "spent",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("start", BigInteger, nullable=False),  # of the window, seconds since 1970
    Column("units", BigInteger, nullable=False),
)

usage = Table(  # for the bill
    "usage",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("hour", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON
    Column("sha256", Text, nullable=False),  # over the entry before and this one
)
