"""The forecast's snapshots: the opportunities as they were known at the end of each day.

Belongs here: the step of the housekeeping that takes them. Does not belong here: what a snapshot is
(``leadgate.ledger.forecasts``).
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from prefect import task
from prefect.cache_policies import NO_CACHE

from leadgate.counting import format_count
from leadgate.ledger import Ledger, forecasts
from tasks.housekeeping import Line


@task(task_run_name="snapshots of the forecast", cache_policy=NO_CACHE, persist_result=False)
async def keep_snapshots(ledger: Ledger, zone: str, now: datetime) -> Line:
    """Take the snapshot of each day of ``zone`` that is over and has none, and delete those that are old."""
    days = await asyncio.to_thread(forecasts.take_snapshots, ledger, zone, now)
    deleted = await asyncio.to_thread(forecasts.forget_old_snapshots, ledger, now)
    words = f"kept, as known at the end of the day in {zone}; {format_count(deleted, 'old one', 'old ones')} deleted"
    return Line("snapshots of the forecast", len(days), 0, words)
