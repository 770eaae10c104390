"""Run one operation over many rows when some of the rows make it fail.

Belongs here: halving until the failing rows are known. Does not belong here: what happens to these rows, or a stage of
a batch (``bisecting``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger import Ledger, faults

MAX_FAILURES_IN_A_ROW: Final = 32  # single rows that fail one after the other; the rest is left for the next run


def run_without_failing_rows(
    ledger: Ledger, ids: Sequence[int], run: Callable[[Connection, Sequence[int]], object]
) -> Iterator[tuple[int, Exception]]:
    """Call ``run`` for all of ``ids`` in few transactions. Yields each id for which ``run`` fails alone, and the error.

    Faults of the server and lost races are raised.
    """
    waiting, in_a_row = [list(ids)] if ids else [], 0
    while waiting and in_a_row < MAX_FAILURES_IN_A_ROW:
        some = waiting.pop()
        try:
            with ledger.transaction() as connection:
                run(connection, some)
        except Exception as error:
            if not faults.is_ours(error):
                raise
            if len(some) == 1:
                in_a_row += 1
                yield some[0], error
            waiting += halve(some)
        else:
            in_a_row = 0


def halve(ids: list[int]) -> list[list[int]]:
    """The two halves, the second one first (callers pop from the end); an empty list for a single id."""
    middle = len(ids) // 2
    return [ids[middle:], ids[:middle]] if middle else []
