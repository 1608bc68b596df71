"""Alembic's entry: runs the migrations on the connection it is given. Holds no address and reads no file."""

from alembic import context

from vault.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
