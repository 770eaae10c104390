"""The data folder: made for its owner alone, or closed to the other users of the machine.

Belongs here: permissions of what Leadgate keeps on the disk. Does not belong here: what is in it.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import IO, Any, Final

from leadgate.errors import NotAvailableError

PRIVATE: Final = 0o077  # as a umask: what other users may not do with files that Leadgate makes
_OURS: Final = ("postgresql", "prefect", "logs", "run", "up.json")
_LOCK: Final = "up.lock"  # made before anything else
_log = logging.getLogger("leadgate")


class DataFolderError(NotAvailableError):
    """The data folder cannot be used; the message says why and what to do."""


def prepare(home: Path) -> None:
    """Make the data folder, or close one that is open to other users. Raises ``DataFolderError``."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(home.stat().st_mode) & PRIVATE:
            if any(each.name != _LOCK for each in home.iterdir()):
                _require_ours(home)
            _close(home)
    except OSError as error:
        raise DataFolderError(f"cannot use {home} as the data folder: {error.strerror}; set LEADGATE_HOME") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise DataFolderError(f"cannot write to the data folder {home}; set LEADGATE_HOME to one you own")


def open_private(file: Path, mode: str = "a") -> IO[Any]:
    """Open a file to which other users have no access, whatever the umask is, when this makes it."""
    return open(file, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def close_if_ours(home: Path) -> None:
    """Close a data folder that is open to other users, where nothing has to be kept in it. Others are left alone."""
    if has_our_files(home) and os.access(home, os.W_OK | os.X_OK):
        prepare(home)


def has_our_files(home: Path) -> bool:
    """Whether Leadgate has kept things in ``home``."""
    return any((home / name).exists() for name in _OURS)


def _require_ours(home: Path) -> None:
    """Nobody's home, and no folder for everybody, is closed by mistake."""
    if not has_our_files(home) or home.stat().st_mode & stat.S_ISVTX or home == home.parent or home == Path.home():
        raise DataFolderError(
            f"the folder {home} is open to other users of this machine and holds more than Leadgate's data; leads must "
            f"not be kept there. Set LEADGATE_HOME to a folder of its own, or close this one: chmod 700 {home}"
        )


def _close(home: Path) -> None:
    """Take the rights of other users from the folder and what is in it, but for the server's files, already closed."""
    told = has_our_files(home)
    home.chmod(0o700)
    for folder, folders, files in os.walk(home):
        if Path(folder) == home:
            folders[:] = [name for name in folders if not name.startswith("postgresql")]
        for name in (*folders, *files):
            each = Path(folder, name)
            if not each.is_symlink():
                each.chmod(stat.S_IMODE(each.stat().st_mode) & ~PRIVATE)
    if told:
        _log.warning("The data folder %s was open to other users of this machine. It is closed to them now.", home)
