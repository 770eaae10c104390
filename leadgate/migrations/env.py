"""What Alembic asks for: run on the connection that ``ledger.schema.migrate`` holds the lock on."""

from alembic import context
from sqlmodel import SQLModel

import leadgate.models  # noqa: F401 - declares the tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
