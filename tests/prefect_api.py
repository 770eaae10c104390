"""The Prefect API as tests ask it, of the one server that their session has."""

from __future__ import annotations

import asyncio
from typing import Any


def ask(query: Any) -> Any:
    """Run an asynchronous question to the Prefect API."""
    from prefect.client.orchestration import get_client

    async def asked() -> Any:
        async with get_client() as client:
            return await query(client)

    return asyncio.run(asked())
