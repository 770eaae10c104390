"""A pass of the shadow as a task of Prefect.

Belongs here: this task. Does not belong here: what it does (``tasks.shadow``), which a command does without Prefect.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from leadgate.ledger import Ledger, faults
from leadgate.playbook import LoadedPlaybook, PlaybookError
from tasks.shadow import describe_progress, run_shadow
from tasks.shadow_file import follow_shadow_file


@task(task_run_name="decide as the shadow", cache_policy=NO_CACHE, persist_result=False)
async def run_shadow_task(ledger: Ledger, loaded: LoadedPlaybook, file: Path | None = None) -> str:
    """Decide what was decided since the last pass, within the share of a core, beside the event loop. ``file``: of a
    draft that becomes the shadow when its content is new."""
    problem = await asyncio.to_thread(follow_shadow_file, ledger, file, loaded.path)
    said = await _run(ledger, loaded)
    return said if problem is None else f"{said}. LEADGATE_SHADOW cannot be used: {problem}"


async def _run(ledger: Ledger, loaded: LoadedPlaybook) -> str:
    try:
        with faults.removing_values(PlaybookError):
            progress = await asyncio.to_thread(run_shadow, ledger, loaded.path, limited=True)
    except PlaybookError as error:
        return f"The draft cannot decide, and rests; no lead waits for it: {error}"
    return describe_progress(progress)
