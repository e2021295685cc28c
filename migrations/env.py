"""Runs the migrations on a connection handed in by the house; a bare `alembic` command is not needed."""

from alembic import context

from tenants.records import Record

connection = context.config.attributes["connection"]

context.configure(connection=connection, target_metadata=Record.metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
