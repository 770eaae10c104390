"""The fixtures of a real ledger and one Prefect server, for these tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from desk import Desk, desk, ledger, loaded, postgres, settings, write_csv

from flows.run import Runner
from leadgate.ledger import Ledger
from leadgate.settings import Settings

__all__ = ["desk", "ledger", "loaded", "postgres", "settings", "write_csv"]


@pytest.fixture(scope="session")
def server(postgres: Ledger) -> Iterator[str]:
    """One Prefect server for all of these tests."""
    from flows.server import prefect_server, wait_until_ready

    with prefect_server(postgres) as url:
        wait_until_ready(url)
        os.environ["PREFECT_API_URL"] = url
        yield url
    os.environ.pop("PREFECT_API_URL", None)


@pytest.fixture
def runner(desk: Desk, settings: Settings, server: str) -> Iterator[Runner]:
    with Runner(desk.ledger, settings, desk.loaded) as entered:
        yield entered
