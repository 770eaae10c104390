"""The fixtures of a real ledger and one Prefect server, for these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import program_server
import pytest
from browser import browser, screen, signed_in, window
from harness import Harness, harness, ledger, loaded, postgres, settings, template, write_csv
from prefect_api import KEPT, kept_server, server
from scheduling import shares_prefect_server

from flows.run import Runner
from leadgate.settings import Settings

__all__ = [
    "browser",
    "harness",
    "kept_server",
    "ledger",
    "loaded",
    "postgres",
    "screen",
    "server",
    "settings",
    "signed_in",
    "template",
    "window",
    "write_csv",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """After the last test that shares the server it stops: one that nobody asks takes a twentieth of a core."""
    yield
    kept = item.session.stash.get(KEPT, None)
    if kept is not None and nextitem is not None and not shares_prefect_server(nextitem.nodeid.partition("::")[0]):
        kept.stop()


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the program ``leadgate``, for pages whose commands are run."""
    with program_server.serving(tmp_path_factory.mktemp("programs")) as folder:
        yield folder


@pytest.fixture
def runner(harness: Harness, settings: Settings, server: str) -> Iterator[Runner]:
    with Runner(harness.ledger, settings, harness.loaded) as entered:
        yield entered
