"""What quotes are found by, links revoked, and the pages that may show a key."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; quotes of before have no number, keys no pages."""
    with op.batch_alter_table("quotes") as quotes:
        for name in ("year", "number"):
            quotes.add_column(sa.Column(name, sa.Integer))
        for name in (
            "title",
            "currency",
            "client",
            "client_reference",
            "valid_until",
            "search",
        ):
            quotes.add_column(sa.Column(name, sa.Text))
        quotes.add_column(sa.Column("shares", sa.Integer, nullable=False, server_default="0"))
        quotes.create_unique_constraint(
            "uq_quotes_tenant_year_number", ["tenant", "year", "number"]
        )
    with op.batch_alter_table("keys") as keys:
        keys.add_column(sa.Column("origins", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "numbered",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "year", name="pk_numbered"),
    )
