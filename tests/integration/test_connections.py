"""Connections to the ledger are kept: those that died are replaced, and each is what it was when it is used again."""

from __future__ import annotations

import contextlib

import pytest
from harness import Harness, make_lead
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import Ledger

_COUNT = text("SELECT count(*) FROM consumer")
_ADD = text(
    "INSERT INTO consumer (name, host, pid, doing, started_at, seen_at) VALUES ('c', 'h', 1, 'waits', now(), now())"
)


def find_process(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def open_several(ledger: Ledger, count: int) -> list[int]:
    """The processes of PostgreSQL behind so many connections, all of which are then idle."""
    with contextlib.ExitStack() as stack:
        return [find_process(stack.enter_context(ledger.transaction())) for _ in range(count)]


def test_connections_that_postgresql_ended_are_replaced_without_an_error(ledger: Ledger) -> None:
    idle = open_several(ledger, 3)
    with ledger.transaction() as connection:
        own = find_process(connection)
        ended = [process for process in idle if process != own]
        for process in ended:
            connection.execute(text("SELECT pg_terminate_backend(:process, 10000)"), {"process": process})
    again = open_several(ledger, 3)
    assert len(set(again)) == 3
    assert not {*again} & {*ended}


def test_no_connection_is_opened_for_a_moment(ledger: Ledger) -> None:
    first = open_several(ledger, 8)
    assert sorted(open_several(ledger, 8)) == sorted(first)


def test_a_statement_is_a_transaction_of_its_own(ledger: Ledger) -> None:
    with ledger.statement() as connection:
        connection.execute(_ADD)
    with contextlib.suppress(LookupError), ledger.transaction() as connection:
        connection.execute(text("DELETE FROM consumer"))
        raise LookupError
    with ledger.statement() as connection:
        assert connection.execute(_COUNT).scalar_one() == 1


def test_a_snapshot_is_of_one_moment_and_changes_nothing(harness: Harness) -> None:
    with harness.ledger.snapshot(much=False) as connection:
        count = text("SELECT count(*) FROM signal")
        assert connection.execute(count).scalar_one() == 0
        harness.capture(make_lead(1))
        assert connection.execute(count).scalar_one() == 0
        with pytest.raises(DBAPIError, match="read_only_sql_transaction"):
            connection.execute(_ADD)
    with harness.ledger.transaction() as connection:
        connection.execute(_ADD)
        assert connection.execute(_COUNT).scalar_one() == 1
