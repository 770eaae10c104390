"""Opening files that somebody else named: regular files only, of a limited size, below a folder where one is given.

Belongs here: the checks between a path from a playbook or a command line and an open file. Does not belong here:
what is in the file. No message quotes content.

A named pipe would be waited for without end, and a device such as ``/dev/zero`` has no end. So a path is looked at
before it is opened, opened without waiting, and looked at again through the descriptor, which nobody can exchange.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, TextIO

#: Errors of a path that leads to nothing, or over a symbolic link that must not be followed.
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


class UnusableFile(OSError):  # noqa: N818 - a kind of OSError, told by its ``strerror`` as the others are
    """The path names something that must not be read; ``strerror`` says what, and what to do."""

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(errno.EINVAL, reason, str(path))


def open_regular(path: Path) -> BinaryIO:
    """``path``, opened for reading. Raises ``UnusableFile`` for a folder, pipe, socket or device, ``OSError`` else."""
    _require_regular(os.stat(path).st_mode, path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_text_below(folder: Path, name: str, *, max_bytes: int) -> TextIO:
    """The UTF-8 text file ``name`` below ``folder``, symbolic links resolved, opened for reading; line ends stay.

    Raises ``UnusableFile`` when it is elsewhere, no regular file, or larger than ``max_bytes``; ``OSError`` else.
    """
    path = Path(os.path.realpath(folder / name))
    if not path.is_relative_to(os.path.realpath(folder)):
        raise UnusableFile(f"is outside of the folder {folder}; put a copy below it", folder / name)
    file = open_regular(path)
    try:
        require_size(file, path, max_bytes)
    except BaseException:
        file.close()
        raise
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def read_below_without_links(folder: Path, steps: Sequence[str], *, max_bytes: int) -> bytes | None:
    """The content of the file that ``steps`` lead to from ``folder``, each the name of a folder but the last.

    None for anything but a regular file of at most ``max_bytes``, and where a step is a symbolic link: each one is
    opened below the one before, so nobody can exchange a folder meanwhile. Raises ``OSError`` for other faults.
    """
    with contextlib.ExitStack() as opened:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, descriptor)
            for number, step in enumerate(steps, start=1):
                kind = os.O_DIRECTORY if number < len(steps) else os.O_NONBLOCK | os.O_NOCTTY
                descriptor = os.open(step, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=descriptor)
                opened.callback(os.close, descriptor)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
        return content if len(content) <= max_bytes else None


def require_size(file: BinaryIO, path: Path, max_bytes: int) -> None:
    """Raise ``UnusableFile`` when an open regular file is larger than ``max_bytes``."""
    if os.fstat(file.fileno()).st_size > max_bytes:
        raise UnusableFile(f"is larger than the {max_bytes:,} bytes allowed", path)


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise UnusableFile("is a directory; name a file in it", path)
    if not stat.S_ISREG(mode):
        raise UnusableFile("is not a regular file; save its content to a file first", path)
