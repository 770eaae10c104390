"""The roles and databases on the embedded PostgreSQL: one of each for Leadgate and for Prefect.

Neither role is a superuser, and neither can connect to the other's database.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, create_engine, text

#: An advisory lock, so that two processes that start at once do one thing after the other.
_SETUP_LOCK = 7_283_001


def provision(superuser: URL) -> tuple[str, str]:
    """Create what is missing. Returns the address of the ledger, and that of Prefect's database for asyncpg."""
    engine = create_engine(superuser, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _SETUP_LOCK})
            for name in ("leadgate", "prefect"):
                _create(connection, "pg_roles", "rolname", name, f"CREATE ROLE {name} LOGIN")
                _create(connection, "pg_database", "datname", name, f"CREATE DATABASE {name} OWNER {name}")
            for name in ("leadgate", "prefect", "postgres", "template1"):
                if connection.execute(
                    text("SELECT has_database_privilege('public', :name, 'CONNECT')"), {"name": name}
                ).scalar_one():
                    connection.execute(text(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC"))
            # what Prefect shows is no record: a crash may take its last moment away, and leads do not wait for its disk
            connection.execute(text("ALTER ROLE prefect SET synchronous_commit = off"))
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _SETUP_LOCK})
    finally:
        engine.dispose()
    ledger = superuser.set(username="leadgate", database="leadgate")
    prefect = superuser.set(drivername="postgresql+asyncpg", username="prefect", database="prefect")
    return ledger.render_as_string(hide_password=False), prefect.render_as_string(hide_password=False)


def _create(connection: Connection, catalog: str, column: str, name: str, statement: str) -> None:
    exists: Any = connection.execute(text(f"SELECT 1 FROM {catalog} WHERE {column} = :name"), {"name": name})
    if exists.first() is None:
        connection.execute(text(statement))
