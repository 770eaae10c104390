"""Databases beside the one that each test has: copies of a ledger, on the session's PostgreSQL; and ledgers that several
tests begin with, which are worked on once and then copied."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from functools import cache

from sqlalchemy import URL, Engine, create_engine, text

from leadgate.ledger import Ledger, open_ledger
from leadgate.settings import Settings

#: An empty, migrated ledger that nobody has opened. It has no key: who opens a copy first decides which one it has.
EMPTY = "empty"
#: The same, with the tests' key: nothing has to be agreed on when a copy is opened.
KEYED = "keyed"

_numbers = itertools.count()


def prepare(postgres: Ledger, key: str) -> None:
    """Make the databases that tests copy. The disk is not waited for: tests kill processes and servers, and never the
    machine."""
    _execute(postgres, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    postgres.engine.dispose()  # a database that somebody is connected to cannot be copied
    _execute(postgres, _copy("leadgate", EMPTY))
    engine = create_engine(postgres.engine.url.set(database=EMPTY))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM hash_key"))
    engine.dispose()
    _execute(postgres, _copy(EMPTY, KEYED))
    keyed = postgres.engine.url.set(database=KEYED).render_as_string(hide_password=False)
    with open_ledger(Settings(home=postgres.home, database_url=keyed, key=key)):
        pass


@contextlib.contextmanager
def fresh(postgres: Ledger, count: int = 1, *, of: str = EMPTY) -> Iterator[list[str]]:
    """The addresses of ``count`` copies of the database ``of``, to which nobody is connected; dropped in the end."""
    names = [f"beside_{next(_numbers)}" for _ in range(count)]
    _execute(postgres, *(_copy(of, name) for name in names))
    try:
        yield [postgres.engine.url.set(database=name).render_as_string(hide_password=False) for name in names]
    finally:
        _execute(postgres, *(f"DROP DATABASE {name} WITH (FORCE)" for name in names))


#: The copies that ``begin_with`` keeps, by their server and by what was done in them.
_kept: dict[tuple[URL, str], str] = {}


def begin_with(ledger: Ledger, key: str, do: Callable[[], object]) -> None:
    """Have the test's ledger, which is empty, as ``do`` leaves it. That is done once for each ``key``, and then copied:
    taking leads through the stages costs several times as much."""
    # the server alone: each test has a database of its own, and ``set`` does nothing with None
    name, here = ledger.engine.url.database, (ledger.engine.url.set(database="any"), key)
    ledger.engine.dispose()  # a database that somebody is connected to cannot be copied or dropped
    if here in _kept:
        _execute(
            ledger,
            f"DROP DATABASE {name} WITH (FORCE)",
            _copy(_kept[here], name),
        )
        return
    do()
    ledger.engine.dispose()
    _kept[here] = f"kept_{next(_numbers)}"
    _execute(ledger, _copy(str(name), _kept[here]))


def _copy(of: str, name: str) -> str:
    """The statement that copies a database. Its files are copied: writing them to the log, too, takes longer."""
    return f"CREATE DATABASE {name} TEMPLATE {of} OWNER leadgate STRATEGY file_copy"


def _execute(ledger: Ledger, *statements: str) -> None:
    with _superuser(ledger.engine.url.set(username="postgres", database="postgres")).connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


@cache
def _superuser(url: URL) -> Engine:
    """One connection for the whole session: opening one costs as much as copying a database."""
    return create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
