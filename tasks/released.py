"""What a person's action released goes on at once: these journeys, and no others, through their stages.

Belongs here: this loop without Prefect, waiting for a consumer instead. Does not belong here: the actions
themselves, or the same as a flow that people watch (``flows.form_support``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from leadgate.ledger import Ledger, consumers, reports
from leadgate.ledger.reports import JourneyStanding
from leadgate.vocabulary import BatchKind, JourneyStatus
from tasks.batches import Worker, activate, claim_these, run_batch

#: Seconds to wait for a consumer to take what was released.
PATIENCE: Final = 5.0


#: A follow-up check may send a lead back to intake.
EVERYTHING: Final[tuple[BatchKind, ...]] = (BatchKind.INTAKE, BatchKind.FOLLOW_UP, BatchKind.INTAKE)
#: A consumer takes leads through intake, and leaves those that are owned to the schedule of follow-up checks.
BESIDE_A_CONSUMER: Final[tuple[BatchKind, ...]] = (BatchKind.FOLLOW_UP,)


def go_on(
    worker: Worker, journeys: Sequence[int], now: datetime | None = None, *, kinds: Sequence[BatchKind] = EVERYTHING
) -> list[JourneyStanding]:
    """Take ``journeys`` through the stages of each kind in turn. Returns where they are then."""
    activate(worker, now)
    for kind in kinds:
        while (work := claim_these(worker, kind, journeys, now)) is not None:
            run_batch(worker, work, kind)
    return reports.list_standings(worker.ledger, journeys)


def is_consumer_running(ledger: Ledger) -> bool:
    """Whether a process takes what waits by itself: one that was seen lately, and that nobody has paused."""
    return any(each.alive and each.doing != consumers.PAUSED for each in consumers.list_consumers(ledger))


def is_any_waiting(standing: Sequence[JourneyStanding]) -> bool:
    """Whether intake can take on any of these journeys now."""
    return any(each.status == JourneyStatus.READY and not each.later for each in standing)


def wait_for_consumer(
    ledger: Ledger,
    journeys: Sequence[int],
    *,
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> list[JourneyStanding]:
    """Where ``journeys`` are once a consumer has taken them on, or after ``patience`` seconds."""
    until = time.monotonic() + patience
    while True:
        standing = reports.list_standings(ledger, journeys)
        if not is_any_waiting(standing) or time.monotonic() > until:
            return standing
        sleep(0.1)
