"""What tests with Prefect share: one server for all of them, and questions to its API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from leadgate.ledger import Ledger


@pytest.fixture(scope="session")
def server(postgres: Ledger) -> Iterator[str]:
    """One Prefect server for all of these tests."""
    from flows.server import prefect_server, wait_until_ready

    with prefect_server(postgres) as url:
        wait_until_ready(url)
        os.environ["PREFECT_API_URL"] = url
        yield url
    os.environ.pop("PREFECT_API_URL", None)


def ask(query: Any) -> Any:
    """Run an asynchronous question to the Prefect API."""
    from prefect.client.orchestration import get_client

    async def asked() -> Any:
        async with get_client() as client:
            return await query(client)

    return asyncio.run(asked())
