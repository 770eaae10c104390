"""Trying again after a lost race for what several processes change, such as the turns of a pool.

Belongs here: how often, and when the rivals are kept away. Does not belong here: what is tried, or noticing that a race
was lost (storing raises ``Conflict``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

from leadgate.ledger.database import Ledger
from leadgate.ledger.faults import Conflict

#: Each batch that brings news of leads of this one may cost an attempt, and no lock keeps these away.
MAX_ATTEMPTS: Final = 20
#: After this many lost races the pools are locked before everything is decided again.
LOCK_AFTER: Final = 3


def make_attempts(ledger: Ledger) -> Iterator[AbstractContextManager[bool]]:
    """Each attempt is a context that a lost race (``Conflict``) ends; the next one decides anew. Return from it.

    The context tells whether this attempt has the lock on all pools: from the fourth on, nobody else takes a turn
    meanwhile, so every attempt ends. When none was left without a return, raise ``Conflict``. Waits in the caller's
    thread, so never call this on an event loop.
    """
    for number in range(MAX_ATTEMPTS):
        yield _attempt(ledger, locked=number >= LOCK_AFTER)
        time.sleep(0.01 * number)


@contextlib.contextmanager
def _attempt(ledger: Ledger, *, locked: bool) -> Iterator[bool]:
    with ledger.pools_locked() if locked else contextlib.nullcontext(), contextlib.suppress(Conflict):
        yield locked
