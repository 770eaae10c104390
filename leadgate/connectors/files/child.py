"""The process that reads one file: ``python -m leadgate.connectors.files.child LIMITS PATH``.

Belongs here: its limits, and sending rows until there are no more. Does not belong here: reading a format. What it
reads is untrusted, so it has no secret, no connection and no file but that one and the pipe that is its stdout.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

from leadgate.connectors.files import formats, messages
from leadgate.connectors.files.table import FileError, Limits

_GRACE: Final = 5.0  # seconds: the process that waits for the rows is to be the first to say that it takes too long


def main(limits_json: str, path: str) -> None:
    given = messages.load(limits_json.encode())
    encoding = given.pop("encoding")
    limits = Limits(**given)
    # openpyxl takes numpy along where there is one, which costs it 80 MB and threads before it has read anything
    sys.modules["numpy"] = None  # type: ignore[assignment] # Python's way to say that there is none
    _limit(limits)
    pipe = _Pipe(limits.silent_seconds)
    try:
        table = formats.open_table(Path(path), limits=limits, encoding=encoding)
        pipe.send(messages.OPENED, messages.encode_opened(table))
        for rows in table.read_pages():
            pipe.send(messages.PAGE, messages.encode_page(table, rows))
        pipe.send(messages.PAGE, messages.encode_page(table, ()))
    except FileError as error:
        pipe.send(messages.REFUSED, {"reason": error.reason})
    except MemoryError:
        os._exit(messages.OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)  # nobody wants the rows any more
    except Exception as error:  # its text could quote the file
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        at = "" if where is None else f" at {Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}"
        pipe.send(messages.FAULT, {"fault": f"{type(error).__name__}{at}"})
    os._exit(0)  # without taking millions of objects down one by one


class _Pipe:
    """Stdout. The alarm that ends a process which gives no row stands still while it waits for a reader."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds + _GRACE
        self._descriptor = sys.stdout.fileno()
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def send(self, kind: bytes, content: object) -> None:
        left = memoryview(messages.encode_message(kind, content))
        signal.setitimer(signal.ITIMER_REAL, 0)
        while left:
            left = left[os.write(self._descriptor, left) :]
        signal.setitimer(signal.ITIMER_REAL, self._seconds)


def _limit(limits: Limits) -> None:
    """Memory and processor time; no core dump of what was read, no file written, no process started."""
    _set(resource.RLIMIT_DATA, limits.memory_mb * 1024**2)
    _set(resource.RLIMIT_CPU, int(limits.seconds + _GRACE) + 1)
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        _set(nothing, 0)


def _set(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
