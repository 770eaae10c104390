"""Links between pages of the Prefect UI, for artifacts in Markdown.

Belongs here: addresses of pages, relative to the page of an artifact: so they hold wherever the UI is served, behind a
proxy and in both of its versions. Does not belong here: what is linked (``evidence``, ``review``, ``rerun``). A table
artifact shows links as text.
"""

from __future__ import annotations

import contextlib
import json
from typing import Final
from urllib.parse import quote
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

RERUN: Final = "rerun-handoff/rerun-handoff"


async def find_rerun_form() -> UUID | None:
    """The deployment whose form reruns work items; ``None`` where none is registered, or Prefect does not say."""
    with contextlib.suppress(ObjectNotFound, httpx.HTTPError, PrefectHTTPStatusError):
        async with get_client() as client:
            return (await client.read_deployment_by_name(RERUN)).id
    return None


def link_work_item(item: int, form: UUID | None) -> str:
    """``W12`` in Markdown: a link to the form that reruns it, filled in, where there is one."""
    if form is None:
        return f"W{item}"
    parameters = quote(json.dumps({"work_items": [f"W{item}"]}, separators=(",", ":")), safe="")
    return f"[W{item}](../../deployments/deployment/{form}/run?parameters={parameters})"
