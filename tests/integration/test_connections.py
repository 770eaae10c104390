"""Connections to the ledger are kept: those that died are replaced, and each is what it was when it is used again.
Several reads are sent by one together."""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass

import pytest
from harness import Harness, make_lead
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import Ledger
from leadgate.ledger.faults import find_sqlstate, judge
from leadgate.ledger.reads_together import read_together
from leadgate.ledger.typed_rows import Read

_COUNT = text("SELECT count(*) FROM consumer")
_ADD = text(
    "INSERT INTO consumer (name, host, pid, doing, started_at, seen_at) VALUES ('c', 'h', 1, 'waits', now(), now())"
)


@dataclass
class Numbered:
    number: int
    word: str


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


def test_reads_that_are_sent_together_each_get_their_rows(ledger: Ledger) -> None:
    statement = "SELECT n AS number, '50%' AS word FROM generate_series(1, :most) n WHERE n <> ALL(:without)"
    reads = [Read(Numbered, statement, {"most": most, "without": [2]}) for most in (0, 3, 1)]
    with ledger.snapshot(much=False) as connection:
        for _ in range(7):  # by then the driver has prepared them
            read_together(connection, reads)
    assert [[row.number for row in read.rows] for read in reads] == [[], [1, 3], [1]]
    assert reads[2].rows[0].word == "50%"


def test_a_failure_among_reads_that_are_sent_together_tells_no_value(ledger: Ledger) -> None:
    good = Read(Numbered, "SELECT 1 AS number, 'x' AS word")
    bad = Read(Numbered, "SELECT CAST(CAST(:secret AS text) AS int) AS number, 'x' AS word", {"secret": "a-secret"})
    with pytest.raises(DBAPIError) as raised, ledger.snapshot(much=False) as connection:
        read_together(connection, [good, bad, good])
    assert (find_sqlstate(raised.value), judge(raised.value)) == ("22P02", "ours")
    assert "a-secret" not in "".join(traceback.format_exception(raised.value))
    with ledger.snapshot(much=False) as connection:
        read_together(connection, [good])


def test_a_connection_that_ends_among_reads_is_the_servers_fault(ledger: Ledger) -> None:
    ends = Read(Numbered, "SELECT 1 AS number, pg_terminate_backend(pg_backend_pid()) AS word")
    with pytest.raises(DBAPIError) as raised, ledger.snapshot(much=False) as connection:
        read_together(connection, [ends, ends])
    assert judge(raised.value) == "server"
    assert open_several(ledger, 1)
