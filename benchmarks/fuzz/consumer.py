"""A process that takes leads through the stages until none waits, and the one who watches it.

Belongs here: the process, how it is told to work, and for how long nothing moved. Does not belong here: what is
sent (``doors``), what has become of it (``hunt``). A process of its own, because a regular expression that never ends
cannot be interrupted from within.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from benchmarks.fuzz.errors import Injector, Once
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings

#: Intake may stand still for so many seconds.
LIMIT: Final = 60.0
_ROOT: Final = Path(__file__).parents[2]
_CALL: Final = re.compile(r'.*?([^/"]+)", line (\d+) in .*')
_STACKS: Final = "stacks.txt"
_LOOKED: Final = 0.2  # seconds between two looks at what moves
_STARTS_WITHIN: Final = 120.0


@dataclass
class Ran:
    """How a consumer fared: for how long nothing moved, at most; which errors came out; None: it never ended."""

    standstill: float
    ended: bool
    statements: int = 0
    raised: bool = False
    errors: list[str] = field(default_factory=list)
    stood_at: str = ""  # the innermost calls of each thread, when it had to be killed


class Consumer:
    """A running process, told to work by ``run``."""

    def __init__(self, settings: Settings, ledger: Ledger, loaded: LoadedPlaybook, folder: Path) -> None:
        self._ledger, self._folder = ledger, folder
        playbook = folder / f"{loaded.hash[:16]}.json"
        playbook.write_text(loaded.text, encoding="utf-8")
        known = {"LEADGATE_HOME": str(settings.home), "LEADGATE_DATABASE_URL": settings.database_url or ""}
        known |= {"LEADGATE_KEY": settings.key} if settings.key is not None else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz.consumer", str(playbook), str(loaded.path), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("LEADGATE_")} | known,
            text=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the consumer of the hunt has no pipes")
        self._asks, self._answers = self._process.stdin, self._process.stdout
        if self._answer(_STARTS_WITHIN) is None:
            self.kill()
            raise RuntimeError("the consumer of the hunt did not start")

    def run(self, once: Once | None = None, limit: float = LIMIT) -> Ran:
        """Until nothing waits, or nothing has moved for ``limit`` seconds: then the process is killed."""
        self._asks.write(json.dumps(once) + "\n")
        self._asks.flush()
        moved_at, moved, longest = time.monotonic(), self._moved(), 0.0
        while True:
            answer = self._answer(_LOOKED)
            now, seen = time.monotonic(), self._moved()
            longest = max(longest, now - moved_at)
            if answer is not None:
                return Ran(longest, **answer)
            if seen != moved:
                moved, moved_at = seen, now
            elif now - moved_at > limit or self._process.poll() is not None:
                stood_at = self._stood_at()
                self.kill()
                return Ran(longest, ended=False, stood_at=stood_at)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._asks, self._answers):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _stood_at(self) -> str:
        """Where the process is, from the faulthandler: that tells even of a loop in C."""
        if not self.alive:
            return "it had died"
        self._process.send_signal(signal.SIGUSR1)
        time.sleep(1)
        stacks = (self._folder / _STACKS).read_text(encoding="utf-8")
        threads = [stack.splitlines()[1:] for stack in re.split(r"(?:Current t|T)hread ", stacks)[1:]]
        return " | ".join(" < ".join(_CALL.sub(r"\1:\2", line) for line in calls[:6]) for calls in reversed(threads))

    def _moved(self) -> Any:
        with self._ledger.transaction() as connection:
            return connection.execute(text("SELECT max(id) FROM handoff")).scalar_one()

    def _answer(self, seconds: float) -> Any:
        ready, _, _ = select.select([self._answers], [], [], seconds)
        line = self._answers.readline() if ready else ""
        return json.loads(line) if line else None


def main(playbook: Path, path: Path, folder: Path) -> None:
    """The process. Reads a line for each time it is to work, and answers with a line."""
    with contextlib.ExitStack() as opened:
        answers = opened.enter_context(os.fdopen(os.dup(1), "w", encoding="utf-8"))
        os.dup2(2, 1)  # whatever else is printed is no answer
        stacks = opened.enter_context((folder / _STACKS).open("w", encoding="utf-8"))
        faulthandler.register(signal.SIGUSR1, file=stacks)
        from expectations import gate
        from tasks.batches import Worker, run_waiting

        loaded = playbooks.parse(playbook.read_text(encoding="utf-8"), path=path)
        gate.preload(loaded.playbook)
        with open_ledger(Settings.from_environment()) as ledger:
            injector = Injector(ledger.engine)
            worker = Worker(ledger, loaded, f"hunt-{os.getpid()}", lease_seconds=30.0)
            _say(answers, {})
            for line in sys.stdin:
                once = json.loads(line)
                injector.arm(None if once is None else Once(*once))
                errors: list[str] = []
                while True:
                    try:
                        run_waiting(worker)
                        if not _some_wait(ledger):
                            break
                        time.sleep(_LOOKED)  # what failed is tried again in some seconds
                    except Exception as error:  # whoever runs a consumer starts it again
                        errors.append(_kind(error))
                        time.sleep(min(2.0, 0.05 * 2 ** len(errors)))
                told = {"statements": injector.statements, "raised": injector.raised, "errors": errors}
                _say(answers, {"ended": True} | told)


def _some_wait(ledger: Ledger) -> bool:
    """Whether any journey is to go on that waits for nobody."""
    with ledger.transaction() as connection:
        return bool(
            connection.execute(
                text("SELECT EXISTS (SELECT 1 FROM journey WHERE status = 'ready' AND waits_for IS NULL)")
            ).scalar_one()
        )


def _say(answers: Any, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _kind(error: BaseException) -> str:
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return type(error).__name__ + (f" {state}" if state else "")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
