"""Run several reads in two transactions at a time, which see the same snapshot of the ledger.

Belongs here: the two transactions, and distributing the reads between them. Does not belong here: any query.

PostgreSQL sorts and groups the rows of one statement mostly in one process. Reads of much of the ledger take about
half as long when two of them run at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger

T = TypeVar("T")

#: Of ``work_mem``, for a table of groups. Where PostgreSQL cannot know how many groups there are, it takes each row for
#: one, and sorts all rows on disk rather than keep the few groups that there are in memory: half as long again.
_LARGER_HASHES = "SET LOCAL hash_mem_multiplier = 4"


def read_concurrently(ledger: Ledger, reads: Sequence[Callable[[Connection], T]]) -> list[T]:
    """The results of ``reads``, in their order. All of them see the same snapshot of the ledger.

    The reads are started in their order, so a long one should come first.
    """
    waiting = deque(enumerate(reads))
    results: dict[int, T] = {}
    joined = Event()

    def run_reads(connection: Connection) -> None:
        try:
            connection.execute(text(_LARGER_HASHES))
            while waiting:
                try:
                    number, read = waiting.popleft()
                except IndexError:  # the other transaction was faster
                    return
                results[number] = read(connection)
        except BaseException:
            waiting.clear()  # the other transaction starts no further read
            raise

    def join_snapshot(snapshot: str) -> None:
        try:
            with ledger.snapshot(snapshot) as connection:
                joined.set()
                run_reads(connection)
        finally:
            joined.set()

    with ThreadPoolExecutor(max_workers=1) as threads:
        with ledger.snapshot() as connection:
            snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            other = threads.submit(join_snapshot, snapshot)
            try:
                run_reads(connection)
            finally:
                joined.wait()  # a snapshot can only be joined while the transaction that exported it is open
        other.result()
    return [results[number] for number in range(len(reads))]
