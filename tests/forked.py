"""Processes for tests that kill them: forked, so that nothing has to be imported again.

A child leaves by ``os._exit``: exit handlers are its parent's (pytest's, the embedded PostgreSQL's). For
the same reason it opens a ledger of its own and never touches a connection that it inherited.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from leadgate.ledger import Ledger, keys
from leadgate.settings import Settings


class Child:
    """A forked process that does ``work`` and hands its result back."""

    def __init__(
        self,
        work: Callable[[], Any],
        *,
        failpoint: str | None = None,
        trace: Path | None = None,
        with_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._answer, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._answer)
            _work_and_leave(work, write, failpoint, trace, with_signal)
        os.close(write)
        self._status: int | None = None
        self._read = b""

    def kill(self) -> None:
        """SIGKILL, unless it has ended already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait_until_frozen(self) -> None:
        """Waits until SIGSTOP has reached it."""
        assert os.WIFSTOPPED(os.waitpid(self.pid, os.WUNTRACED)[1])

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        if self._status is None:
            with os.fdopen(self._answer, "rb") as answer:
                self._read = answer.read()
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    @property
    def killed(self) -> bool:
        """Waits, and says whether the child was killed."""
        return self.wait() == -signal.SIGKILL

    def result(self) -> Any:
        """Waits for what ``work`` returned. Fails the test with the child's traceback if it raised."""
        code = self.wait()
        assert code == 0, f"the child ended with {code}\n{self._read.decode(errors='replace')}"
        return pickle.loads(self._read)  # noqa: S301 - written by our own child


def _work_and_leave(
    work: Callable[[], Any], write: int, failpoint: str | None, trace: Path | None, with_signal: signal.Signals
) -> None:
    gc.freeze()  # collecting an inherited connection would say goodbye to the server in the parent's name
    if failpoint is not None:
        os.environ["LEADGATE_FAILPOINT"] = failpoint
        os.environ["LEADGATE_FAILPOINT_SIGNAL"] = with_signal.name
    if trace is not None:
        os.environ["LEADGATE_FAILPOINT_TRACE"] = str(trace)
    code, answer = 1, b""
    try:
        answer = pickle.dumps(work())
        code = 0
    except BaseException:
        answer = traceback.format_exc().encode()
    finally:
        with contextlib.suppress(OSError), os.fdopen(write, "wb") as file:
            file.write(answer)
        os._exit(code)


@contextlib.contextmanager
def own_ledger(settings: Settings) -> Iterator[Ledger]:
    """A ledger on the migrated database of ``settings``, with connections of this process."""
    assert settings.database_url is not None
    engine = create_engine(settings.database_url, connect_args={"options": "-c timezone=UTC -c lock_timeout=60000"})
    try:
        yield Ledger(engine, settings.home, keys.find(settings) or b"")
    finally:
        engine.dispose()


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return when ``condition`` holds; fail the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened within {seconds} s"
        time.sleep(0.01)
