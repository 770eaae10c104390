"""Programs that are kept running: started, looked at, started again when they die, stopped in turn.

Belongs here: the life of processes. Does not belong here: which programs Leadgate consists of (``up``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from console.service import part_logs
from console.service.part_logs import LogKeeper
from flows.runtime.server import die_with_parent
from leadgate.data_folder import PRIVATE

State = Literal["starting", "up", "down", "stopped"]

#: Seconds before a program that died is started again: at once, then later and later while it keeps dying.
_DELAYS: Final = (0.0, 1.0, 2.0, 5.0, 10.0)
_STEADY: Final = 60.0  # seconds; after that its next death is a first one again
SILENT: Final = 120.0  # seconds for which a program that lives may not answer, at its start or later


@dataclass
class Part:
    """One program. ``ready`` says whether it answers, for those that can be asked."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)  # all of it: nothing is inherited
    folder: Path | None = None  # its working directory
    ready: Callable[[], bool] = lambda: True
    note: str = ""  # where it is, for people
    grace: float = 15.0  # seconds to end in when asked to
    state: State = "stopped"
    restarts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _deaths: int = 0
    _started: float = 0.0
    _not_before: float = 0.0
    _silent_since: float | None = None
    _keeper: LogKeeper | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it. Ctrl-C does not reach it: it is stopped in its turn."""
        with part_logs.open_log(self.log) as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, and arguments from here
                list(self.command),
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
                start_new_session=True,
                umask=PRIVATE,
            )
        self._keeper = self._keeper or LogKeeper(self.log)
        self._keeper.start()
        self._started = time.monotonic()
        self._silent_since = None
        self.state = "starting"

    def look(self) -> State | None:
        """Look after it: start it again if it died. Returns its state when that has changed."""
        before = self.state
        now = time.monotonic()
        if self._process is None:
            if now >= self._not_before:
                self.start()
                self.restarts += 1
        elif self._process.poll() is not None:
            self._deaths = 0 if now - self._started > _STEADY else self._deaths
            self._not_before = now + _DELAYS[min(self._deaths, len(_DELAYS) - 1)]
            self._deaths += 1
            self._process = None
            self.state = "down"
        elif self.state == "starting" or self.note:
            if self.ready():
                self.state, self._silent_since = "up", None
            else:
                self.state = "starting" if self.state == "starting" else "down"
                self._silent_since = self._silent_since or now
                if now - self._silent_since > SILENT:  # it lives and will not answer: the next look starts it again
                    self._process.kill()
        return self.state if self.state != before else None

    def stop(self) -> None:
        """Ask it to end, and end it if it does not; and then whatever it started and left behind."""
        process, self._process = self._process, None
        self.state = "stopped"
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=self.grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with contextlib.suppress(ProcessLookupError):  # a worker that was killed leaves the flow runs it started
            os.killpg(process.pid, signal.SIGKILL)
        if self._keeper is not None:
            self._keeper.stop()
