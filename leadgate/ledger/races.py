"""Repeating a transaction that lost a race against another process, such as the race for the next turn of a pool.

Belongs here: how many attempts there are, and from which one on the pools are locked. Does not belong here: the
transaction, or detecting a lost race (storing raises ``Conflict``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

from leadgate.ledger.database import Ledger
from leadgate.ledger.faults import Conflict

#: Each concurrent batch that changes a lead of this batch can cost one attempt, and the lock on pools does not stop it.
MAX_ATTEMPTS: Final = 20
#: After this many lost races the pools are locked before everything is decided again.
LOCK_AFTER: Final = 3


def make_attempts(ledger: Ledger) -> Iterator[AbstractContextManager[bool]]:
    """Yield a context manager for each attempt; a ``Conflict`` inside it starts the next one. Use it as::

        for attempt in make_attempts(ledger):
            with attempt as locked:
                return decide_and_store(locked=locked)
        raise Conflict(...)  # all attempts were lost

    ``locked``: this attempt holds the lock on all pools (from the fourth on), so no other process takes a turn. Sleeps
    between attempts in the caller's thread, so it must not be called on an event loop.
    """
    for number in range(MAX_ATTEMPTS):
        yield _attempt(ledger, locked=number >= LOCK_AFTER)
        time.sleep(0.01 * number)


@contextlib.contextmanager
def _attempt(ledger: Ledger, *, locked: bool) -> Iterator[bool]:
    with ledger.pools_locked() if locked else contextlib.nullcontext(), contextlib.suppress(Conflict):
        yield locked
