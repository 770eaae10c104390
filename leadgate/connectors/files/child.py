"""The process that reads one file: ``python -m leadgate.connectors.files.child LIMITS PATH``.

Belongs here: the limits of the process, and sending all rows. Does not belong here: reading a format (``formats``). The
file is untrusted, so the process has no secret, no connection, and no other file than this one and stdout, a pipe.
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

_GRACE_SECONDS: Final = 5.0  # so that the waiting process is the first to report that reading takes too long


def main(limits_json: str, path: str) -> None:
    given = messages.load(limits_json.encode())
    encoding = given.pop("encoding")
    limits = Limits(**given)
    # openpyxl imports numpy where it is installed, which costs 80 MB and threads before anything is read
    sys.modules["numpy"] = None  # type: ignore[assignment] # makes an import of numpy fail
    _apply_limits(limits)
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
    """Stdout, for messages. An alarm ends the process when it sends nothing for ``seconds``.

    The alarm is off while a message waits for its reader.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds + _GRACE_SECONDS
        self._descriptor = sys.stdout.fileno()
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def send(self, kind: bytes, content: object) -> None:
        left = memoryview(messages.encode_message(kind, content))
        signal.setitimer(signal.ITIMER_REAL, 0)
        while left:
            left = left[os.write(self._descriptor, left) :]
        signal.setitimer(signal.ITIMER_REAL, self._seconds)


def _apply_limits(limits: Limits) -> None:
    """Limit memory and processor time; forbid core dumps, which would hold values, files and other processes."""
    _set_limit(resource.RLIMIT_DATA, limits.memory_mb * 1024**2)
    _set_limit(resource.RLIMIT_CPU, int(limits.seconds + _GRACE_SECONDS) + 1)
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        _set_limit(nothing, 0)


def _set_limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
