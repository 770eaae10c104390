"""What a person's action released goes on at once: these journeys, and no others, through their stages.

Belongs here: this loop without Prefect, waiting for a consumer instead. Does not belong here: the actions
themselves, or the same as a flow that people watch (``flows.by_hand``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from leadgate.ledger import Ledger, consumers, reports
from leadgate.ledger.batches import Kind
from tasks.batches import Worker, activate, claim_these, run_batch

#: Seconds to wait for a consumer to take what was released.
PATIENCE: Final = 5.0


def go_on(
    worker: Worker, journeys: Sequence[int], now: datetime | None = None, *, kinds: Sequence[Kind]
) -> list[dict[str, Any]]:
    """Take ``journeys`` through the stages of each kind in turn. Returns where they are then."""
    activate(worker, now)
    for kind in kinds:
        while (work := claim_these(worker, kind, journeys, now)) is not None:
            run_batch(worker, work, kind)
    return reports.standing(worker.ledger, journeys)


def a_consumer_runs(ledger: Ledger) -> bool:
    """Whether a process takes what waits by itself: one that was seen lately, and that nobody has paused."""
    return any(each["alive"] and each["doing"] != consumers.PAUSED for each in consumers.all_seen(ledger))


def wait_for_consumer(
    ledger: Ledger,
    journeys: Sequence[int],
    *,
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> list[dict[str, Any]]:
    """Where ``journeys`` are once a consumer has taken them on, or after ``patience`` seconds."""
    until = time.monotonic() + patience
    while True:
        standing = reports.standing(ledger, journeys)
        if not any(each["status"] == "ready" and not each["later"] for each in standing):
            return standing
        if time.monotonic() > until:
            return standing
        sleep(0.1)
