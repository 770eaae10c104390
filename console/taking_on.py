"""Leads that a person's action released are taken through their stages by this process.

Belongs here: which kinds of work this process does, and as whom. Does not belong here: the stages (``tasks.released``),
what is told of it (``cli.going_on``), or the thread in which the console does it (``web.going_on``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:  # slow to import
    from leadgate.ledger import Ledger
    from leadgate.ledger.reports import JourneyStanding
    from leadgate.playbook import LoadedPlaybook
    from leadgate.settings import Settings


def take_on(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    settings: Settings,
    journeys: Sequence[int],
    now: datetime | None,
    *,
    beside_a_consumer: bool,
) -> list[JourneyStanding]:
    """Where ``journeys`` are once they have gone on. A running consumer takes those on that wait for intake; this
    process always checks the owned ones."""
    from tasks import released
    from tasks.batches import Worker

    worker = Worker(ledger, loaded, f"by-hand-{uuid4().hex}", settings.lease_seconds, settings.batch_limit)
    kinds = released.BESIDE_A_CONSUMER if beside_a_consumer else released.EVERYTHING
    return released.go_on(worker, journeys, now, kinds=kinds)
