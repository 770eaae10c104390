"""Two transactions share reads of one moment of the ledger."""

from __future__ import annotations

from functools import partial
from threading import Barrier

import pytest
from harness import Harness, make_lead
from sqlalchemy import Connection, text

from leadgate.ledger.concurrent_reads import read_concurrently


def count_signals(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM signal")).scalar_one())


def test_both_transactions_see_the_same_moment(harness: Harness) -> None:
    harness.capture(make_lead(1))
    both = Barrier(2, timeout=30)

    def capture_and_count(connection: Connection) -> tuple[int, int]:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        if both.wait() == 0:
            harness.capture(make_lead(2))
        both.wait()
        return process, count_signals(connection)

    (one, first), (other, second) = read_concurrently(harness.ledger, [capture_and_count, capture_and_count])
    assert one != other
    assert (first, second) == (1, 1)
    assert harness.one("SELECT count(*) FROM signal") == 2


def test_results_come_in_the_order_of_the_reads(harness: Harness) -> None:
    def value(connection: Connection, number: int) -> int:
        return int(connection.execute(text("SELECT CAST(:number AS int)"), {"number": number}).scalar_one())

    reads = [partial(value, number=number) for number in range(20)]
    assert read_concurrently(harness.ledger, reads) == list(range(20))
    assert read_concurrently(harness.ledger, []) == []


@pytest.mark.parametrize("failing", [0, 1])
def test_the_error_of_a_read_is_raised_and_no_further_read_is_started(harness: Harness, failing: int) -> None:
    both, later = Barrier(2, timeout=30), []

    def read(connection: Connection, number: int) -> None:
        both.wait()
        if number == failing:
            raise LookupError("no such figure")
        connection.execute(text("SELECT pg_sleep(0.2)"))

    with pytest.raises(LookupError, match="no such figure"):
        read_concurrently(
            harness.ledger, [*(partial(read, number=n) for n in (0, 1)), *[lambda _: later.append(1)] * 9]
        )
    assert later == []
    assert harness.one("SELECT count(*) FROM signal") == 0


def test_a_read_changes_nothing(harness: Harness) -> None:
    def erase(connection: Connection) -> int:
        return connection.execute(text("DELETE FROM signal")).rowcount

    harness.capture(make_lead(1))
    with pytest.raises(Exception, match="25006"):
        read_concurrently(harness.ledger, [erase])
    assert harness.one("SELECT count(*) FROM signal") == 1


def test_reading_a_snapshot_keeps_the_statements_that_the_connection_has_prepared(harness: Harness) -> None:
    asked = "SELECT count(*) AS {} FROM pg_prepared_statements WHERE statement LIKE '%asked_often%'"
    for _ in range(8):  # the driver prepares a statement that it sees for the sixth time
        with harness.ledger.snapshot() as connection:
            connection.execute(text(asked.format("asked_often")))
    with harness.ledger.snapshot() as connection:  # the same connection: nobody else uses the ledger
        assert connection.execute(text(asked.format("asked_once"))).scalar_one() == 1
