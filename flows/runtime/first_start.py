"""The first start of a Prefect server in a data folder: one at a time, because it makes Prefect's own tables.

Belongs here: who may start, and what is written down when that is done. Does not belong here: starting and stopping the
server (``server``). Two servers that make the same tables at once end in an error of one of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final

from leadgate.data_folder import open_private
from leadgate.errors import NotAvailableError

_LOOK_EVERY: Final = 0.1  # seconds


class FirstStartError(NotAvailableError):
    """Another process makes the tables of the Prefect server for too long."""


class FirstStart:
    """Whose turn it is to start a server whose database may lack its tables. Use ``taking_turns``."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "prefect"
        self._lock: IO[Any] | None = None
        self._ended = threading.Event()

    def take_turn(self, timeout: float) -> None:
        """Wait until the tables are there, or no other process makes them; at most ``timeout`` seconds.

        Raises ``FirstStartError``.
        """
        deadline = time.monotonic() + timeout
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open_private(self._folder / "first-start.lock", "ab")
        while not self._are_made():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(_LOOK_EVERY)
                    continue
                lock.close()
                raise FirstStartError(
                    "another process of this data folder is still making the tables of the Prefect server; run again "
                    "when it is done (its log is in the data folder: prefect/server.log)"
                ) from None
            if not self._are_made():
                self._lock = lock
                return
        lock.close()

    def finish(self) -> None:
        """The server answers: its tables are there, and later starts wait for nobody."""
        if self._lock is not None:
            with contextlib.suppress(OSError), open_private(self._mark, "wb") as mark:  # the data folder may be gone
                mark.write(_name_tables().encode("ascii"))
        self.give_turn()

    def finish_when(self, is_answering: Callable[[], bool], has_ended: Callable[[], bool]) -> None:
        """Let the next one start once this server answers, or has ended. Returns at once."""
        if self._lock is None:
            return
        watcher = threading.Thread(target=self._watch, args=(is_answering, has_ended), name="first-start", daemon=True)
        watcher.start()

    def _watch(self, is_answering: Callable[[], bool], has_ended: Callable[[], bool]) -> None:
        while not self._ended.wait(_LOOK_EVERY):
            if is_answering():
                self.finish()
            elif has_ended():
                self.give_turn()

    def give_turn(self) -> None:
        """Let the next one start, whatever became of this server."""
        self._ended.set()
        if self._lock is not None:
            self._lock.close()  # which unlocks it

    @property
    def _mark(self) -> Path:
        return self._folder / "tables"

    def _are_made(self) -> bool:
        """Whether a server of this version of Prefect has run here before: its tables are there."""
        try:
            return self._mark.read_text(encoding="ascii") == _name_tables()
        except OSError:
            return False


def _name_tables() -> str:
    return f"Prefect {version('prefect')}"


@contextlib.contextmanager
def taking_turns(home: Path) -> Iterator[FirstStart]:
    """The turn is given at the end at the latest, so that a start that fails holds up nobody."""
    first = FirstStart(home)
    try:
        yield first
    finally:
        first.give_turn()
