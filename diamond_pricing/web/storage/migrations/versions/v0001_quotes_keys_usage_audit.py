"""Tenants, keys, quotes, usage, and the audit log that cannot be changed."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEEP = """
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$
"""


def _texts(*names: str) -> Iterator[sa.Column[str]]:
    return (sa.Column(name, sa.Text, nullable=False) for name in names)


def upgrade() -> None:
    """Make everything."""
    op.create_table(
        "tenants",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("quota", sa.BigInteger),
        sa.Column("seconds", sa.Integer),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tenants"),
    )
    op.create_table(
        "keys",
        *_texts("id", "tenant", "hash", "scopes", "created"),
        sa.Column("expires", sa.Text),
        sa.Column("revoked", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name="fk_keys_tenant"),
    )
    op.create_table(
        "quotes",
        *_texts("id", "tenant", "created", "model", "asked"),
        sa.Column("cents", sa.BigInteger, nullable=False),
        sa.Column("idempotency", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_quotes"),
        sa.UniqueConstraint("tenant", "idempotency", name="uq_quotes_tenant_idempotency"),
    )
    op.create_index("ix_quotes_tenant_created", "quotes", ["tenant", "created"])
    op.create_table(
        "spent",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_spent"),
    )
    op.create_table(
        "usage",
        *_texts("tenant", "hour", "kind"),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "hour", "kind", name="pk_usage"),
    )
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "audit",
        sa.Column("number", number, nullable=False, autoincrement=False),
        *_texts("at", "actor", "action", "subject", "details", "sha256"),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_KEEP)
        op.execute(
            "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        # Names are never bound; these are ours.
        # nosemgrep: sql-takes-parameters
        op.execute(
            f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
        )
