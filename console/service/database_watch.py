"""Look after PostgreSQL while ``leadgate up`` runs: does it answer, why not, and when is it started again.

Belongs here: the state of PostgreSQL, with the reason in words, and the pauses between two starts. Does not belong
here: how the embedded PostgreSQL is started (``leadgate.ledger.embedded``), or what is printed (``up``).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import Ledger
from leadgate.ledger.faults import find_sqlstate

FIRST_PAUSE: Final = 0.5  # seconds between two starts; each failed start doubles it
LONGEST_PAUSE: Final = 60.0
DISK_IS_FULL: Final = "its disk is full: free some space, and everything goes on by itself"
_LEAST_FREE: Final = 1_000_000  # bytes; with less, PostgreSQL cannot even write that it starts
_NO_SPACE: Final = "No space left on device"  # PostgreSQL's words for ENOSPC, in its log and in errors
_DISK_FULL: Final = "53100"


class Health(NamedTuple):
    """``state`` is ``up`` or ``down``; ``reason`` says in one line what is done about it, or what a person must do."""

    state: str
    reason: str = ""


class DatabaseWatch:
    """Looks at PostgreSQL, and starts an embedded one again, with longer and longer pauses while that fails."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._pause = FIRST_PAUSE
        self._next_start = clock()
        self._reason = ""

    def look(self) -> Health:
        """How PostgreSQL is now."""
        try:
            with self._ledger.transaction() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            return Health("down", self._start_again(error))
        self._pause, self._next_start, self._reason = FIRST_PAUSE, self._clock(), ""
        return Health("up")

    def _start_again(self, error: DBAPIError) -> str:
        """Start an embedded PostgreSQL if its pause is over. Returns the reason to tell."""
        if self._ledger.revive is None:
            return DISK_IS_FULL if find_sqlstate(error) == _DISK_FULL else "waiting for it"
        if self._clock() < self._next_start:
            return self._reason or "starting it again"
        try:
            self._ledger.revive()
        except Exception as failure:  # its last processes may still be ending: the next start is another try
            self._next_start = self._clock() + self._pause
            first_try = self._pause == FIRST_PAUSE
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            if self._is_disk_full(failure):
                self._reason = DISK_IS_FULL
            elif not first_try:
                self._reason = f"it does not start, and is tried again: {' '.join(str(failure).split())}"
        return self._reason or "starting it again"

    def _is_disk_full(self, failure: Exception) -> bool:
        return _NO_SPACE in str(failure) or shutil.disk_usage(self._ledger.home).free < _LEAST_FREE
