"""A Python program on a host whose clock is wrong: ``python -m skewed SECONDS MODULE ARGUMENT …``.

Belongs here: the wrong clock, as Python code reads it (``time`` and ``datetime``), set before any module of Leadgate
is imported. The clocks that only count seconds are right, as they are on such a host.
"""

from __future__ import annotations

import datetime
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pandas  # noqa: F401 - compiled against the real class: imported after it is replaced, it crashes


def skew(seconds: float) -> None:
    """From now on this process believes that it is ``seconds`` later than it is."""
    right, right_ns, real = time.time, time.time_ns, datetime.datetime

    class Kind(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, real)

    class Wrong(real, metaclass=Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return real.fromtimestamp(right() + seconds, tz)

        @classmethod
        def utcnow(cls) -> Any:
            return real.fromtimestamp(right() + seconds, datetime.UTC).replace(tzinfo=None)

    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + int(seconds * 1e9)
    datetime.datetime = Wrong  # type: ignore[misc]
    socket.gethostname = lambda: f"host{seconds:+g}s"  # a host of its own


def start(seconds: float, *arguments: str, environment: Mapping[str, str], **more: Any) -> subprocess.Popen[str]:
    """Start ``leadgate ARGUMENT …`` on a host whose clock is ``seconds`` ahead."""
    return subprocess.Popen(
        [sys.executable, "-m", "skewed", str(seconds), "console.cli", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | dict(environment),
        text=True,
        **more,
    )


if __name__ == "__main__":
    skew(float(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
