"""Which processes live, by their command lines. For the embedded PostgreSQL, whose lock file may name a dead one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def read_command_line(pid: int) -> str:
    """The command line of a process that lives; empty for one that has ended."""
    if (_PROC / "self").exists():
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return _run_ps("-p", str(pid))


def has_process_with(word: str) -> bool:
    """Whether a process lives that has ``word`` in its command line."""
    if (_PROC / "self").exists():
        return any(word in read_command_line(int(entry.name)) for entry in _PROC.glob("[0-9]*"))
    return word in _run_ps("-A")


def collect(pid: int) -> None:
    """Let the system forget a dead child of this process, which is its parent where it is a container's first one."""
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG)


def is_dead(pid: int) -> bool:
    """Whether it has ended and its parent never asked how: its id is still taken."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _run_ps(*which: str) -> str:
    found = subprocess.run(["ps", "-ww", "-o", "args=", *which], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return found.stdout
