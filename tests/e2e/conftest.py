"""The fixtures of a real ledger and one Prefect server, for these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import browser, screen, signed_in, window
from desk import Desk, desk, ledger, loaded, postgres, settings, write_csv
from prefect_api import server

from flows.run import Runner
from leadgate.settings import Settings

__all__ = [
    "browser",
    "desk",
    "ledger",
    "loaded",
    "postgres",
    "screen",
    "server",
    "settings",
    "signed_in",
    "window",
    "write_csv",
]


@pytest.fixture
def runner(desk: Desk, settings: Settings, server: str) -> Iterator[Runner]:
    with Runner(desk.ledger, settings, desk.loaded) as entered:
        yield entered
