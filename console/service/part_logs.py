"""Logs of kept programs that stay small while the programs run.

Belongs here: opening a log for a program, and cutting the log off when it grows. Does not belong here: the life of the
program (``supervisor``).

A program writes its log itself, so it can go on writing when the process that keeps it is gone: a pipe would break
then, in the middle of an orderly end. Every write appends, so a file that is cut off goes on from its beginning.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import BinaryIO, Final

LIMIT: Final = 20_000_000  # bytes of one file
KEPT: Final = 3  # older files of a log: `.1.log` is the latest of them
_AT_ONCE: Final = 1024**2
LOOK_EVERY: Final = 0.1  # seconds: what is written meanwhile comes on top of the limit


def open_log(path: Path) -> BinaryIO:
    """The log of a program that is to be started; nothing is kept where no file can be opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab", buffering=0)
    except OSError:
        return open(os.devnull, "ab", buffering=0)


class LogKeeper:
    """Looks after one log, in a thread of its own, from ``start`` to ``stop``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._watch, name=f"log {self._path.name}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopped.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY):
            with contextlib.suppress(OSError):  # no file, or one that cannot be cut off; the next look tries again
                if self._path.stat().st_size > LIMIT:
                    self._rotate()

    def _rotate(self) -> None:
        """Move what the log holds to ``.1.log``, and cut the log off. Lines that are written between the two are lost;
        so is everything where a full disk leaves no room for the copy."""
        for number in range(KEPT, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                self._build_path(number - 1).replace(self._build_path(number))
        try:
            with self._path.open("rb") as log, self._build_path(1).open("wb") as copy:
                left = 2 * LIMIT  # a program that writes faster than we copy must not make an endless copy
                while left > 0 and (data := log.read(_AT_ONCE)):
                    copy.write(data)
                    left -= len(data)
        except OSError:
            self._build_path(1).unlink(missing_ok=True)
        finally:
            os.truncate(self._path, 0)

    def _build_path(self, number: int) -> Path:
        return self._path.with_suffix(f".{number}.log")
