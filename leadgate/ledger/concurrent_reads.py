"""Read several things from one moment of the ledger at the same time.

Belongs here: two transactions that see the same, and the sharing out of reads among them. Does not belong here: any
query.

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


def read_concurrently(ledger: Ledger, reads: Sequence[Callable[[Connection], T]]) -> list[T]:
    """What each of ``reads`` returns, in their order. All of them see the same moment of the ledger.

    They are started in their order, so a long one should come first.
    """
    waiting = deque(enumerate(reads))
    found: dict[int, T] = {}
    joined = Event()

    def work(connection: Connection) -> None:
        try:
            while waiting:
                try:
                    number, read = waiting.popleft()
                except IndexError:  # the other transaction was faster
                    return
                found[number] = read(connection)
        except BaseException:
            waiting.clear()  # the other transaction starts no further read
            raise

    def work_beside(snapshot: str) -> None:
        try:
            with ledger.snapshot(snapshot) as connection:
                joined.set()
                work(connection)
        finally:
            joined.set()

    with ThreadPoolExecutor(max_workers=1) as threads:
        with ledger.snapshot() as connection:
            snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            beside = threads.submit(work_beside, snapshot)
            try:
                work(connection)
            finally:
                joined.wait()  # a snapshot can be joined as long as the transaction that exported it lasts
        beside.result()
    return [found[number] for number in range(len(reads))]
