"""A Python program on a host whose clock is wrong: ``python -m skewed SECONDS MODULE ARGUMENT …``.

Belongs here: the wrong clock, as Leadgate's own modules would read it: ``time.time``, and ``datetime.now`` in whatever
module of theirs names it. Compiled packages read the operating system's clock, which no test can set; the clocks that
only count seconds are right, as they are on such a host.
"""

from __future__ import annotations

import datetime
import importlib.abc
import importlib.machinery
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

MENDED: Final = signal.SIGUSR1  # the clock is right from then on
OURS: Final = ("leadgate", "expectations", "tasks", "flows", "console")


def skew(seconds: float) -> None:
    """From now on this process believes that it is ``seconds`` later than it is, until it gets ``MENDED``."""
    right, right_ns, real = time.time, time.time_ns, datetime.datetime
    by = [seconds]
    signal.signal(MENDED, lambda *_: by.__setitem__(0, 0.0))

    class Kind(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, real)

    class Wrong(real, metaclass=Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return real.fromtimestamp(right() + by[0], tz)

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
            spec = importlib.machinery.PathFinder.find_spec(name, path) if name.split(".")[0] in OURS else None
            if spec is not None and spec.origin and "datetime.now(" in Path(spec.origin).read_text(encoding="utf-8"):
                loader: Any = spec.loader
                load = loader.exec_module

                def exec_module(module: ModuleType) -> None:
                    load(module)
                    vars(module)["datetime"] = Wrong

                loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder())
    time.time = lambda: right() + by[0]
    time.time_ns = lambda: right_ns() + int(by[0] * 1e9)
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
