"""What runs and what waits, as of one moment: for ``leadgate status`` and the console's page of operations.

Belongs here: asking the ledger and the state file of ``leadgate up``, and whether all is well. Does not belong here:
words and tables (``cli.status``, ``web.pages.operations``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from console.service.state_file import STATE_FILE
from leadgate.ledger import (
    Ledger,
    breakers,
    consumers,
    crm_changes,
    crm_figures,
    frozen,
    hosts,
    lookups,
    operation_figures,
    requests,
    shadows,
)
from leadgate.ledger.breakers import BreakerNow
from leadgate.ledger.crm_figures import CrmStanding
from leadgate.ledger.frozen import Frozen
from leadgate.ledger.hosts import Host
from leadgate.ledger.lookups import ProviderUse
from leadgate.ledger.operation_figures import BatchStanding, OutboxStanding, SourceStanding
from leadgate.ledger.requests import Reused
from leadgate.ledger.shadows import Shadow
from leadgate.ledger.standstill import Standstill, read_standstill
from leadgate.mapping.webhooks.facebook import LEADGEN
from leadgate.settings import Settings

_REUSED_FOR: Final = timedelta(days=7)
FRESH: Final = 15.0  # seconds; a state that is older was left by an `up` that was killed


@dataclass(frozen=True)
class Operations:
    """``state`` is what ``leadgate up`` of this data folder last wrote; None when it is not running here."""

    at: datetime
    state: dict[str, Any] | None
    waits: consumers.Waiting
    seen: list[consumers.Seen]
    unread: crm_changes.WaitingRecords
    reused: list[Reused]
    stands: Standstill
    locked: list[Frozen]
    uses: list[ProviderUse]
    unenriched: int
    crms: list[CrmStanding]
    measured: list[Host]
    off: list[Host]  # whose clocks are further off than they may be
    shadow: Shadow | None = None  # that decides now

    @property
    def taken(self) -> bool:
        """Whether somebody takes what waits, if anything does."""
        alive = any(each.alive for each in self.seen)
        return alive or self.waits.journeys + self.waits.in_batches + self.unread.count == 0

    @property
    def well(self) -> bool:
        return self.taken and not self.off and not self.stands.stalled and not self.locked

    @property
    def oldest_seconds(self) -> float | None:
        """How old the oldest waiting lead is."""
        return None if self.waits.oldest is None else (self.at - self.waits.oldest).total_seconds()


@dataclass(frozen=True)
class Flow:
    """What comes in, what is parked, what goes out, and the batches that work on it."""

    sources: list[SourceStanding]
    breakers: list[BreakerNow]  # that are open
    outbox: list[OutboxStanding]
    batches: list[BatchStanding]


def read_operations(ledger: Ledger, settings: Settings, at: datetime) -> Operations:
    """``at`` decides what waits and what is overdue."""
    measured = hosts.list_measured(ledger, consumers.GONE_AFTER.total_seconds())
    return Operations(
        at=at,
        state=_read_state(settings),
        waits=consumers.read_waiting(ledger, at),
        seen=consumers.list_consumers(ledger),
        unread=crm_changes.read_waiting(ledger, LEADGEN),
        reused=requests.list_reused_since(ledger, at - _REUSED_FOR),
        stands=read_standstill(ledger, settings.stalled_after),
        locked=frozen.find_frozen(ledger),
        uses=lookups.list_uses(ledger, at),
        unenriched=lookups.count_waiting(ledger),
        crms=crm_figures.list_standings(ledger, at),
        measured=measured,
        off=[host for host in measured if host.skew.is_beyond(settings.clock_skew_limit)],
        shadow=_find_shadow(ledger),
    )


def read_flow(ledger: Ledger, at: datetime) -> Flow:
    with ledger.snapshot() as connection:
        return Flow(
            operation_figures.list_sources(connection, at),
            [each for each in breakers.list_breakers(connection) if each.is_open],
            operation_figures.list_outbox(connection),
            operation_figures.list_batches(connection),
        )


def _find_shadow(ledger: Ledger) -> Shadow | None:
    with ledger.statement() as connection:
        return shadows.find_running(connection)


def _read_state(settings: Settings) -> dict[str, Any] | None:
    """What ``leadgate up`` last wrote, if it is running."""
    try:
        state: dict[str, Any] = orjson.loads((settings.home / STATE_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return state if time.time() - state["seen_at"] < FRESH else None
