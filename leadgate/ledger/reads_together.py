"""Send several reads to PostgreSQL together, and wait for it once.

Belongs here: the pipeline, and errors in it. Does not belong here: any query, or reads that are worth a connection of
their own each (``concurrent_reads``).

A page of one lead reads two dozen tables. Where each answer is waited for, a process with many threads waits longer for
its turn after each of them than PostgreSQL takes for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import psycopg
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import faults
from leadgate.ledger.typed_rows import Read, choose_maker, read_statement

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def read_together(connection: Connection, reads: Sequence[Read[Any]]) -> None:
    """Give each of ``reads`` its rows, in the transaction of ``connection``. Raises as reading one by one does."""
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    if driver is None:
        raise TypeError("the connection was given back")
    try:
        with driver.pipeline():
            cursors = [driver.execute(_compile(read.statement), read.parameters) for read in reads]
        for read, cursor in zip(reads, cursors, strict=True):
            make = choose_maker(read.row_type, (column.name for column in cursor.description or ()))
            read.rows[:] = [make(*row) for row in cursor]
    except psycopg.Error as error:
        faults.clean(error)
        lost = bool(driver.closed)
        if lost:
            connection.invalidate()
        raise DBAPIError.instance(
            f"{len(reads)} reads", None, error, psycopg.Error, hide_parameters=True, connection_invalidated=lost
        ) from error


@lru_cache(maxsize=1_000)
def _compile(statement: str) -> bytes:
    """``statement`` with its parameters as the driver names them."""
    return str(read_statement(statement).compile(dialect=_DIALECT)).encode()
