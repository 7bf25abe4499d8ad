"""Alembic runs this; the connection, and with it the transaction, is ours."""

from alembic import context

from diamond_pricing.web.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # ours is around it
)
context.run_migrations()
