"""Doing something for many rows at once, when some of the rows make it fail.

Belongs here: repeating it over halves until these are known. Does not belong here: what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger import Ledger, faults

MOST_ALONE: Final = 32  # single rows that fail one after the other; the rest is left for the next time


def do_apart(
    ledger: Ledger, ids: Sequence[int], do: Callable[[Connection, Sequence[int]], object]
) -> Iterator[tuple[int, Exception]]:
    """Do it for all of ``ids``, in as few transactions as it takes. The ids for which it fails alone, and why.

    Faults of the server and lost races are raised.
    """
    waiting, in_a_row = [list(ids)] if ids else [], 0
    while waiting and in_a_row < MOST_ALONE:
        some = waiting.pop()
        try:
            with ledger.transaction() as connection:
                do(connection, some)
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
    """Two halves, the first of them last; none of a single one."""
    middle = len(ids) // 2
    return [ids[middle:], ids[:middle]] if middle else []
