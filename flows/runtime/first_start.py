"""The first start of a Prefect server in a data folder: one at a time, because it makes Prefect's own tables.

Belongs here: the lock that a first start holds, and the file that says that the tables exist. Does not belong here:
starting and stopping the server (``server``). When two servers make the same tables at once, one of them fails.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final, Self

from leadgate.data_folder import open_private
from leadgate.errors import NotAvailableError

_POLL_SECONDS: Final = 0.1


class FirstStartError(NotAvailableError):
    """Another process is still making the tables of the Prefect server when the timeout ends."""


class FirstStart:
    """The turn of one process to start a server whose database may lack Prefect's tables.

    A context manager: its end releases the turn, so that a start that fails does not block the next one.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "prefect"
        self._lock: IO[Any] | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release_turn()

    def take_turn(self, timeout: float) -> None:
        """Wait until the tables exist, or until no other process is making them.

        Raises ``FirstStartError`` after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open_private(self._folder / "first-start.lock", "ab")
        while not self._tables_exist():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(_POLL_SECONDS)
                    continue
                lock.close()
                raise FirstStartError(
                    "another process of this data folder is still making the tables of the Prefect server; run again "
                    "when it is done (its log is in the data folder: prefect/server.log)"
                ) from None
            if not self._tables_exist():
                self._lock = lock
                return
        lock.close()

    def finish(self) -> None:
        """Write down that the tables exist, so that later starts do not wait, and release the turn."""
        if self._lock is not None:
            with contextlib.suppress(OSError), open_private(self._marker, "wb") as file:  # the data folder may be gone
                file.write(_name_prefect_version().encode("ascii"))
        self.release_turn()

    def finish_when(self, is_answering: Callable[[], bool], has_ended: Callable[[], bool]) -> None:
        """Call ``finish`` once this server answers, or ``release_turn`` once it has ended. Returns at once."""
        if self._lock is None:
            return
        watcher = threading.Thread(target=self._watch, args=(is_answering, has_ended), name="first-start", daemon=True)
        watcher.start()

    def _watch(self, is_answering: Callable[[], bool], has_ended: Callable[[], bool]) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            if is_answering():
                self.finish()
            elif has_ended():
                self.release_turn()

    def release_turn(self) -> None:
        """Let the next process start its server, also when this server failed."""
        self._ended.set()
        if self._lock is not None:
            self._lock.close()  # which unlocks it

    @property
    def _marker(self) -> Path:
        return self._folder / "tables"

    def _tables_exist(self) -> bool:
        """Whether a server of this version of Prefect has run here before: its tables are there."""
        try:
            return self._marker.read_text(encoding="ascii") == _name_prefect_version()
        except OSError:
            return False


def _name_prefect_version() -> str:
    return f"Prefect {version('prefect')}"
