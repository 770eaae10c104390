"""Databases beside the one that each test has: copies of a ledger, on the session's PostgreSQL."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

from sqlalchemy import create_engine, text

from leadgate.ledger import Ledger

_numbers = itertools.count()


def write_without_waiting(postgres: Ledger) -> None:
    """The disk is not waited for: tests kill processes and servers, and never the machine."""
    superuser = postgres.engine.url.set(username="postgres", database="postgres")
    engine = create_engine(superuser, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@contextlib.contextmanager
def fresh(postgres: Ledger, count: int = 1, *, of: str = "leadgate") -> Iterator[list[str]]:
    """The addresses of ``count`` copies of the database ``of``, an empty, migrated ledger; dropped in the end.

    A copy has no key yet: the data folder that opens it first decides which one it has.
    """
    postgres.engine.dispose()  # a database that somebody is connected to cannot be copied
    superuser = postgres.engine.url.set(username="postgres", database="postgres")
    engine = create_engine(superuser, isolation_level="AUTOCOMMIT")
    names = [f"beside_{next(_numbers)}" for _ in range(count)]
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {of} OWNER leadgate"))
    for name in names:
        _forget_the_key(postgres, name)
    try:
        yield [postgres.engine.url.set(database=name).render_as_string(hide_password=False) for name in names]
    finally:
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def _forget_the_key(postgres: Ledger, name: str) -> None:
    engine = create_engine(postgres.engine.url.set(database=name))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM hash_key"))
    engine.dispose()
