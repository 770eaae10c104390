"""A Python program on a host whose clock is wrong: ``python -m skewed SECONDS MODULE ARGUMENT …``.

Belongs here: the wrong clock, as Leadgate's own modules would read it: ``time.time``, and ``datetime.now`` in whatever
module of theirs names it. Compiled packages read the operating system's clock, which no test can set; the clocks that
only count seconds are right, as they are on such a host.
"""

from __future__ import annotations

import datetime
import importlib.abc
import importlib.machinery
import json
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
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from forked import Child

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

    def asks(file: str | None) -> bool:
        return file is not None and "datetime.now(" in Path(file).read_text(encoding="utf-8")

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
            spec = importlib.machinery.PathFinder.find_spec(name, path) if name.split(".")[0] in OURS else None
            if spec is not None and asks(spec.origin):
                loader: Any = spec.loader
                load = loader.exec_module

                def exec_module(module: ModuleType) -> None:
                    load(module)
                    vars(module)["datetime"] = Wrong

                loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder())
    for name, module in list(sys.modules.items()):  # in a forked process: what its parent has imported
        if name.split(".")[0] in OURS and vars(module).get("datetime") is real and asks(module.__file__):
            vars(module)["datetime"] = Wrong
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


def fork(seconds: float, *arguments: str, environment: Mapping[str, str], code: int = 0) -> Child:
    """What ``leadgate ARGUMENT … --json`` prints on a host whose clock is ``seconds`` ahead: a command that ends, in a
    forked process, which has imported everything already."""

    from forked import Child  # what has a right clock when it is imported keeps it in a process of its own
    from typer.testing import CliRunner

    from console.cli import app

    def run() -> Any:
        os.environ.update(environment)
        skew(seconds)
        result = CliRunner().invoke(app, [*arguments, "--json"])
        assert result.exit_code == code, f"{result.stderr}\n{result.exception!r}"
        return json.loads(result.stdout)

    return Child(run)


if __name__ == "__main__":
    skew(float(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
