"""What must be set before any test module is imported: some import Prefect, which sets up its log then.

The folders of the tests are in memory where there is room: PostgreSQL copies a database for most tests, and making and
removing its files on a disk is a tenth of the CPU time of all tests. Looking for cycles of garbage in what was imported
again and again is another tenth: what is imported stays, and is not looked at. Nobody looks while test modules are
imported, and seldom while tests run, for most of what they leave is no cycle. One of several processes does not take
apart what it imported as it ends, which takes seconds: its tests are reported by then.

Does not belong here: a database, Prefect or Great Expectations; the pure tests run in seconds without them.
"""

import atexit
import gc
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import properties  # noqa: F401 - declares the profiles, one of which a command may name
import pytest
from hypothesis import settings

_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a private folder in it
_ROOM = 4_000_000_000  # bytes; what fails stays there until the next run
_COLLECTED_AFTER = (20_000, 20, 50)  # new objects, and collections of younger ones; Python's own are 700, 10 and 10

settings.load_profile("everyday")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # as ``flows.runtime.server.use_defaults`` does
if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


class _Imported:
    """What was imported so far is left alone by the garbage collector: first all test modules, then the gates, which
    the first run imports and which are half of all objects."""

    def __init__(self) -> None:
        self._gates_too = False

    def pytest_collection_finish(self) -> None:
        gc.collect()
        gc.freeze()
        gc.enable()

    def pytest_runtest_logfinish(self) -> None:
        if not self._gates_too and "great_expectations" in sys.modules:
            self._gates_too = True
            gc.collect()
            gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    # what a shell starts in the background ignores ctrl-C, and so would the commands that tests start and interrupt
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(_Imported())
    if hasattr(config, "workerinput"):
        atexit.register(os._exit, 0)
    else:
        atexit.register(gc.unfreeze)  # libraries expect to be taken apart; pytest looks for cycles just before
    gc.disable()  # until all test modules are imported
    gc.set_threshold(*_COLLECTED_AFTER)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Several processes share the files as ``scheduling`` says."""
    if config.getoption("dist") != "loadfile":
        return None
    from scheduling import Scheduling

    return Scheduling(config, log)
