"""Learning a score, and checking the one in force, as tasks of Prefect.

Belongs here: these tasks. Does not belong here: what they do (``tasks.score_training``, ``tasks.score_drift``), which
commands do without Prefect.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from prefect import task
from prefect.cache_policies import NO_CACHE

from leadgate.ledger import Ledger, faults
from leadgate.playbook import LoadedPlaybook, Playbook
from tasks.learned_scores import NotLearnedError
from tasks.score_drift import check_score, describe_check
from tasks.score_training import describe_trained, train_score

#: Who a score of the schedule was learned by.
SCHEDULE: Final = "schedule"


@task(task_run_name="check the learned score", cache_policy=NO_CACHE, persist_result=False)
async def check_score_task(ledger: Ledger, playbook: Playbook, now: datetime) -> str:
    """Whether the score in force has drifted, beside the event loop. Returns what came of it."""
    try:
        with faults.removing_values(NotLearnedError):
            return describe_check(await asyncio.to_thread(check_score, ledger, playbook, now))
    except NotLearnedError as error:
        return str(error)


@task(task_run_name="learn a score", cache_policy=NO_CACHE, persist_result=False)
async def train_score_task(ledger: Ledger, loaded: LoadedPlaybook, now: datetime) -> str:
    """Learn a score, beside the event loop. Returns what came of it: not enough leads yet is no failure."""
    try:
        with faults.removing_values(NotLearnedError):
            return describe_trained(await asyncio.to_thread(train_score, ledger, loaded, by=SCHEDULE, now=now))
    except NotLearnedError as error:
        return str(error)
