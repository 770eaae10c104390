"""Reading an untrusted file in a process of its own, which may need no more than so much memory and time.

Belongs here: starting that process, taking its rows, ending it, and what its end means. Does not belong here: reading a
format (``formats``), the process itself (``child``).

The process is started afresh rather than forked: it has no variable of the environment, no open file and no connection
of this one. It sends pages of rows and waits while the pipe is full, so that no more than a page is in memory here.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from leadgate.connectors.files import messages, recognise
from leadgate.connectors.files.table import FileError, Limits, Row, Table

_LIMITS = Limits()
_PIPE_BYTES: Final = 1024 * 1024
_END_SECONDS: Final = 5.0
_MODULE: Final = "leadgate.connectors.files.child"
#: openpyxl takes lxml where another package has brought it along, whose errors past the limit of memory are others.
_WITHOUT_LXML: Final = {"OPENPYXL_LXML": "False"}
#: All that the process gets of the environment: where an unusual Python finds its own libraries.
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def read(path: Path, *, limits: Limits = _LIMITS, encoding: str | None = None) -> IsolatedTable:
    """Open ``path`` as a table: CSV with any usual delimiter, JSON, JSON lines, or XLSX.

    The format is told from the content, never from the suffix. ``encoding`` overrides what would be
    detected in a text file. Iterate the table for its rows; each iteration starts from the top. Close it, or
    use it as a context, so that the process which reads it ends.

    Raises ``FileError`` when the file is missing, no regular file, empty, only headers, not a table at all, or
    past a limit.
    """
    recognise.read_head(path)  # what is plainly no file to read needs no process
    return IsolatedTable(path, limits, encoding)


class IsolatedTable(Table):
    """A table whose rows are read by another process."""

    def __init__(self, path: Path, limits: Limits, encoding: str | None) -> None:
        self._limits, self._named_encoding = limits, encoding
        self._reader: _Reader | None = _Reader(path, limits, encoding)
        opened = self._reader.open()
        self.format = opened.format
        super().__init__(path, opened.headers, opened.bytes_total)
        self.encoding, self.delimiter, self.sheet = opened.encoding, opened.delimiter, opened.sheet
        self._position = 0

    def __iter__(self) -> Iterator[Row]:
        for page in self.read_pages():
            yield from page

    def read_pages(self) -> Iterator[list[Row]]:
        reader, self._reader = self._reader, None
        if reader is None:  # a second iteration
            reader = _Reader(self.path, self._limits, self._named_encoding)
            reader.open()
        self.blank = self._position = 0
        headers = self.headers if self.is_grid else None
        with reader:
            while (page := reader.read_page(headers)).rows:
                self._position, self.blank = page.position, page.blank
                yield page.rows
            self._position, self.blank = page.position, page.blank

    def position(self) -> int:
        return self._position

    def close(self) -> None:
        """End the process, if rows were not asked for to the end."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_reader", None) is not None:
            self.close()


class _Reader:
    """The process, and the clock of the time in which it was waited for."""

    def __init__(self, path: Path, limits: Limits, encoding: str | None) -> None:
        self._path, self._limits, self._waited = path, limits, 0.0
        given = orjson.dumps(asdict(limits) | {"encoding": encoding})
        # -P: nothing is imported from the folder where the command was called. A session of its own: ctrl-C is ours.
        command = [os.fsencode(sys.executable), b"-P", b"-B", b"-X", b"utf8", b"-m", _MODULE.encode(), given]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module; the path is one argument
            [*command, os.path.realpath(os.fsencode(path))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _WITHOUT_LXML,
            cwd="/",
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        self._pipe = self._process.stdout.fileno()
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(OSError):  # a limit of the machine: slower, and no worse
                fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def open(self) -> messages.Opened:
        """How the file is read. Raises ``FileError``, and ends the process."""
        with self._ending_on_error():
            return messages.decode_opened(self._receive(messages.OPENED))

    def read_page(self, headers: Sequence[str] | None) -> messages.Page:
        """The next rows, none at the end of the file. Raises ``FileError``, and ends the process."""
        with self._ending_on_error():
            return messages.decode_page(self._receive(messages.PAGE), headers)

    @contextmanager
    def _ending_on_error(self) -> Iterator[None]:
        try:
            yield
        except (
            KeyError,
            TypeError,
            ValueError,
        ) as error:  # taken over by what it read
            self.close()
            raise FileError(self._path, "its reader sent something that makes no sense") from error
        except BaseException:
            self.close()
            raise

    def _receive(self, expected: bytes) -> Any:
        since = time.monotonic()
        kind, size = messages.HEAD.unpack(self._take(messages.HEAD.size, since))
        if size > messages.MOST_BYTES:
            raise ValueError("more at once than any row can be")
        content = messages.load(self._take(size, since))
        self._waited += time.monotonic() - since
        if kind == messages.REFUSED:
            raise FileError(self._path, str(content["reason"]))
        if kind == messages.FAULT:
            raise FileError(
                self._path, f"reading it failed ({content['fault']}), a fault of Leadgate's own; please report it"
            )
        if kind != expected:
            raise ValueError("a message out of turn")
        return content

    def _take(self, size: int, since: float) -> bytearray:
        """Exactly ``size`` bytes of the pipe."""
        taken = bytearray()
        while len(taken) < size:
            limits, waiting = self._limits, time.monotonic() - since
            left = min(limits.silent_seconds - waiting, limits.seconds - self._waited - waiting)
            if left <= 0 or not _is_readable(self._pipe, left):
                raise self._build_timeout_error()
            piece = os.read(self._pipe, min(size - len(taken), _PIPE_BYTES))
            if not piece:
                raise self._build_end_error()
            taken += piece
        return taken

    def _build_timeout_error(self) -> FileError:
        limits = self._limits
        if self._waited < limits.seconds - limits.silent_seconds:
            return FileError(
                self._path,
                f"reading it took longer than {limits.silent_seconds:g} s without a row (limit "
                "LEADGATE_FILE_SILENT_SECONDS); export it as CSV, split it, or raise the limit if you trust it",
            )
        return FileError(
            self._path,
            f"reading it took longer than {limits.seconds:g} s in all (limit LEADGATE_FILE_SECONDS); split it, or "
            "raise the limit if you trust it",
        )

    def _build_end_error(self) -> FileError:
        """What the end of the process means, when it comes without a word."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # it closed the pipe and goes on
            self._process.kill()
            code = self._process.wait()
        if code == messages.OUT_OF_MEMORY:
            return FileError(
                self._path,
                f"reading it takes more than {self._limits.memory_mb:,} MB of memory (limit LEADGATE_FILE_MEMORY_MB); "
                "export it as CSV, split it, or raise the limit if you trust it",
            )
        if code in (-signal.SIGALRM, -signal.SIGXCPU):
            return self._build_timeout_error()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return FileError(
            self._path,
            f"the process that reads it was ended ({how}): the machine or the limit LEADGATE_FILE_MEMORY_MB has too "
            "little memory, or the file is damaged; export it as CSV, or split it",
        )

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(1, seconds * 1000)))
