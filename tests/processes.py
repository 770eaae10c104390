"""Tests in several processes: ``--processes 3``. One process collects all tests, and the others are forked from it.

Importing the test modules and collecting the tests takes as long as a tenth of them, and is done once. A process that
has nothing left to do gets the tests of the next file (``scheduling``), so that all end together.

Belongs here: the processes, and what they tell of their tests. Does not belong here: which tests belong together
(``scheduling``), or processes that a test starts (``forked``).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NoReturn

import pytest
from scheduling import group_tests

_END_WITHIN: Final = 20.0  # seconds to take fixtures down after ctrl-C


@dataclass
class _Told:
    """What a process tells of one test, or (without a ``nodeid``) of what it could not do."""

    nodeid: str = ""
    location: Any = None
    reports: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


class _Asked:
    """The question for more tests."""


def add_option(parser: pytest.Parser) -> None:
    parser.addoption("--processes", type=int, default=1, help="run tests in so many processes, forked from one")


def share_tests(config: pytest.Config) -> None:
    """Run tests in as many processes as the option says."""
    if (count := config.getoption("processes")) > 1:
        config.pluginmanager.register(Processes(count))


class Processes:
    """The plugin of the process that collects: it forks the others, gives them tests, and hears what became of them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._running: dict[Connection, tuple[int, list[int]]] = {}  # its process, and the tests that it has

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        option = session.config.option
        if option.collectonly or (session.testsfailed and not option.continue_on_collection_errors):
            return None
        waiting = deque(group_tests([item.nodeid for item in session.items]))
        try:
            for number in range(min(self._count, len(waiting))):
                self._fork(session, number)
            while self._running:
                for connection in wait(list(self._running)):
                    assert isinstance(connection, Connection)
                    self._hear(session, connection, waiting)
        finally:
            self._end()
        return True

    def _fork(self, session: pytest.Session, number: int) -> None:
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined] # one for all of them
        ours, its = Pipe()
        pid = os.fork()
        if pid == 0:
            for connection in (ours, *self._running):
                connection.close()
            _run_and_leave(session, number, its)
        its.close()
        self._running[ours] = pid, []

    def _hear(self, session: pytest.Session, connection: Connection, waiting: deque[list[int]]) -> None:
        _, has = self._running[connection]
        try:
            told = connection.recv()
        except (EOFError, ConnectionError):
            self._bury(session, connection, waiting)
            return
        if isinstance(told, _Asked):
            given = waiting.popleft() if waiting else []
            has.extend(given)
            connection.send(given)
        elif told.error:
            raise RuntimeError(told.error)
        else:
            has.pop(0)
            _report(session, told)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    def _bury(self, session: pytest.Session, connection: Connection, waiting: deque[list[int]]) -> None:
        """A process has ended. When a test has ended it, that test has failed, and another process goes on."""
        pid, has = self._running.pop(connection)
        connection.close()
        _, status = os.waitpid(pid, 0)
        if not has:
            return
        item = session.items[has.pop(0)]
        said = f"the process of this test ended in the middle of it ({os.waitstatus_to_exitcode(status)})"
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call")
        kept = session.config.hook.pytest_report_to_serializable(config=session.config, report=report)
        _report(session, _Told(item.nodeid, item.location, [kept]))
        if has:
            waiting.appendleft(has)
        if waiting:
            self._fork(session, pid)

    def _end(self) -> None:
        """They take their fixtures down when nobody hears them any more."""
        for connection in self._running:
            connection.close()
        deadline = time.monotonic() + _END_WITHIN
        for pid, _ in self._running.values():
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(pid, os.WNOHANG) == (0, 0):
                    if time.monotonic() > deadline:
                        os.kill(pid, signal.SIGKILL)
                    time.sleep(0.05)
        self._running.clear()


def _report(session: pytest.Session, told: _Told) -> None:
    """Tell the plugins of this process what another has told, as if the test had run here."""
    hook = session.config.hook
    for warned in told.warnings:
        hook.pytest_warning_recorded.call_historic(kwargs=warned)
    hook.pytest_runtest_logstart(nodeid=told.nodeid, location=told.location)
    for data in told.reports:
        report = hook.pytest_report_from_serializable(config=session.config, data=data)
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=told.nodeid, location=told.location)


class _Telling:
    """The plugin of a process that runs tests: it tells of each when it is done."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self._config, self._connection = config, connection
        self._told = _Told()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        kept = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._told.reports.append(kept)

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        message = warning_message.message
        text = str(message) if isinstance(message, Warning) else message
        known = warning_message.category.__module__ == "builtins"  # any other may refuse to be made of a text
        category = warning_message.category if known else UserWarning
        plain = warnings.WarningMessage(category(text), category, warning_message.filename, warning_message.lineno)
        self._told.warnings.append({"warning_message": plain, "when": when, "nodeid": nodeid, "location": location})

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        told, self._told = self._told, _Told()
        told.nodeid, told.location = nodeid, location
        self._connection.send(told)


def _run_and_leave(session: pytest.Session, number: int, connection: Connection) -> NoReturn:
    config = session.config
    try:
        atexit._clear()  # what this process inherited is the other's to do
        _stand_alone(config, number)
        config.pluginmanager.register(_Telling(config, connection))
        for item, following in pairwise(_list_tests(session, connection)):
            assert item is not None
            config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail or session.shouldstop:
                break
    except (KeyboardInterrupt, EOFError, ConnectionError):
        pass  # nobody hears this process any more
    except BaseException:
        with contextlib.suppress(OSError):
            connection.send(_Told(error=traceback.format_exc()))
    finally:
        with contextlib.suppress(BaseException):
            session._setupstate.teardown_exact(None)
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        os._exit(0)


def _list_tests(session: pytest.Session, connection: Connection) -> Iterator[pytest.Item | None]:
    """The tests that this process is given, and None after the last."""
    while True:
        connection.send(_Asked())
        given = connection.recv()
        if not given:
            break
        for index in given:
            yield session.items[index]
    yield None


def _stand_alone(config: pytest.Config, number: int) -> None:
    """What the process shares with the one that it was forked from, and must not: the terminal, files of captured
    output, and the folder of the tests."""
    plugins = config.pluginmanager
    plugins.unregister(name="terminalreporter")
    capture: Any = plugins.get_plugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture()
    folders: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    folders._basetemp = folders.getbasetemp() / f"process-{number}"
    folders._basetemp.mkdir(mode=0o700)
