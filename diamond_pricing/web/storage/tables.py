"""The tables. Times are UTC as ``2026-11-23T09:30:00Z``, which sorts as text."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("quota", sa.BigInteger),  # prices a window; none: as many as it likes
    sa.Column("seconds", sa.Integer),  # of a window
    sa.Column("created", sa.Text, nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, sa.ForeignKey("tenants.name"), nullable=False),
    sa.Column("hash", sa.Text, nullable=False),  # HMAC-SHA256 of the secret part
    sa.Column("scopes", sa.Text, nullable=False),  # separated by commas
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("expires", sa.Text),
    sa.Column("revoked", sa.Text),
    sa.Column("origins", sa.Text, nullable=False, server_default=""),  # separated by spaces
)

quotes = sa.Table(
    "quotes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("asked", sa.Text, nullable=False),  # JSON
    sa.Column("cents", sa.BigInteger, nullable=False),
    sa.Column("idempotency", sa.Text),
    sa.Column("fingerprint", sa.Text),
    sa.Column("year", sa.Integer),  # with the number what people call it by: Q-2026-000123
    sa.Column("number", sa.Integer),
    sa.Column("title", sa.Text),  # the stone, in words
    sa.Column("currency", sa.Text),
    sa.Column("client", sa.Text),
    sa.Column("client_reference", sa.Text),
    sa.Column("valid_until", sa.Text),
    sa.Column("search", sa.Text),  # in small letters, all that it may be looked for by
    sa.Column("shares", sa.Integer, nullable=False, server_default="0"),  # links revoked so far
    sa.UniqueConstraint("tenant", "idempotency"),
    sa.UniqueConstraint("tenant", "year", "number"),
    sa.Index(None, "tenant", "created"),
)

numbered = sa.Table(  # quotes of each year
    "numbered",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("year", sa.Integer, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
)

spent = sa.Table(  # in the present window, for the quota
    "spent",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("start", sa.BigInteger, nullable=False),  # of the window, seconds since 1970
    sa.Column("units", sa.BigInteger, nullable=False),
)

usage = sa.Table(  # for the bill
    "usage",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("hour", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("units", sa.BigInteger, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column(
        "number",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),  # JSON
    sa.Column("sha256", sa.Text, nullable=False),  # over the entry before and this one
)
