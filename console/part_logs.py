"""Logs of kept programs that stay small while the programs run.

Belongs here: reading what a program prints and writing files of bounded size. Does not belong here: the life of the
program (``supervisor``).

The program writes to a pipe, and a thread of ours writes the file: a program that opened the file itself could not be
made to stop, and one that prints without end would fill the disk.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import BinaryIO, Final

LIMIT: Final = 20_000_000  # bytes of one file
KEPT: Final = 3  # older files of a log: `.1.log` is the latest of them
_AT_ONCE: Final = 64 * 1024


class PartLog:
    """Appends bytes to ``path``; a file that has ``LIMIT`` bytes becomes ``.1.log``, and the oldest is removed.

    A write that fails, because the disk is full for example, drops these bytes: the program must not stand still
    because nobody reads its pipe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab", buffering=0)
                self._size = self._file.tell()
            if self._size and self._size + len(data) > LIMIT:
                self._rotate()
            self._size += self._file.write(data)
        except OSError:
            self.close()

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def _rotate(self) -> None:
        self.close()
        for number in range(KEPT, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                _older(self.path, number - 1).replace(_older(self.path, number))
        self.path.replace(_older(self.path, 1))
        self._file = self.path.open("ab", buffering=0)
        self._size = 0


def _older(path: Path, number: int) -> Path:
    return path.with_suffix(f".{number}.log")


def keep(output: BinaryIO, path: Path) -> threading.Thread:
    """Write everything that comes out of ``output`` to the log ``path``, until its end. Closes ``output``."""

    log = PartLog(path)
    log.write(b"")  # the file is there as soon as the program is

    def pump() -> None:
        with output:
            while data := os.read(output.fileno(), _AT_ONCE):
                log.write(data)
        log.close()

    thread = threading.Thread(target=pump, name=f"log {path.name}", daemon=True)
    thread.start()
    return thread
