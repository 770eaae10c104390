"""Processes that take leads through the stages: when each was last seen, what waits for them, how they wake up.

Belongs here: what ``leadgate status`` and an always-on consumer ask the ledger. Does not belong here: claiming
(``batches``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows

GONE_AFTER: Final = timedelta(seconds=60)
PAUSED: Final = "paused in the Prefect UI"  # what a consumer does that somebody paused


def record_consumer(ledger: Ledger, *, name: str, host: str, pid: int, doing: str) -> None:
    """Note that the consumer ``name`` is alive, and what it does."""
    with ledger.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO consumer (name, host, pid, doing, started_at, seen_at) "
                "VALUES (:name, :host, :pid, :doing, clock_timestamp(), clock_timestamp()) "
                "ON CONFLICT (name) DO UPDATE SET doing = excluded.doing, seen_at = excluded.seen_at"
            ),
            {"name": name, "host": host, "pid": pid, "doing": doing},
        )


def remove_consumer(ledger: Ledger, name: str) -> None:
    """The consumer ``name`` has ended."""
    with ledger.transaction() as connection:
        connection.execute(text("DELETE FROM consumer WHERE name = :name"), {"name": name})


@dataclass(frozen=True)
class Waiting:
    """What waits: for consumers, for people, for delivery; ``oldest`` is when the oldest waiting one was captured."""

    journeys: int
    oldest: datetime | None
    in_batches: int
    later: int  # ready, but not before a moment that their pool's policy named
    open_batches: int
    stuck_batches: int  # open, and nobody holds them
    held: int
    work_items: int
    overdue_items: int
    messages: int
    owned: int  # leads; those of records follow
    overdue_leads: int
    owned_records: int = 0
    overdue_records: int = 0
    has_records: bool = False  # there are journeys of other kinds


def read_waiting(ledger: Ledger, now: datetime) -> Waiting:
    """Count what waits: of every kind, but for what is named after leads or records."""
    statement = """
        SELECT
            count(*) FILTER (WHERE status = 'ready' AND batch_id IS NULL AND run_after <= :now) AS journeys,
            min(captured_at) FILTER (WHERE status = 'ready' AND run_after <= :now) AS oldest,
            count(*) FILTER (WHERE status = 'ready' AND batch_id IS NOT NULL) AS in_batches,
            count(*) FILTER (WHERE status = 'ready' AND run_after > :now) AS later,
            (SELECT count(*) FROM batch WHERE closed_at IS NULL) AS open_batches,
            (SELECT count(*) FROM batch WHERE closed_at IS NULL AND lease_until < clock_timestamp()) AS stuck_batches,
            count(*) FILTER (WHERE status = 'held') AS held,
            (SELECT count(*) FROM work_item WHERE closed_at IS NULL) AS work_items,
            (SELECT count(*) FROM work_item WHERE closed_at IS NULL AND due_at < :now) AS overdue_items,
            (SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND given_up_at IS NULL) AS messages,
            count(*) FILTER (WHERE status = 'owned' AND kind = 'lead') AS owned,
            (SELECT count(*) FROM assignment
                WHERE ended_at IS NULL AND kind = 'lead' AND touched_at IS NULL AND due_at < :now) AS overdue_leads,
            count(*) FILTER (WHERE status = 'owned' AND kind <> 'lead') AS owned_records,
            (SELECT count(*) FROM assignment
                WHERE ended_at IS NULL AND kind <> 'lead' AND touched_at IS NULL AND due_at < :now) AS overdue_records,
            EXISTS (SELECT FROM journey WHERE kind <> 'lead') AS has_records
        FROM journey WHERE status IN ('ready', 'held', 'owned')"""
    with ledger.transaction() as connection:
        row = connection.execute(text(statement), {"now": now}).one()
    return Waiting(**row._mapping)


def count_waiting(ledger: Ledger, most: int) -> int:
    """How many journeys wait and are in no batch, counted up to ``most``: no more of the index is read than that."""
    statement = "SELECT count(*) FROM (SELECT 1 FROM journey WHERE status = 'ready' AND batch_id IS NULL LIMIT :most) w"
    with ledger.transaction() as connection:
        count: int = connection.execute(text(statement), {"most": most}).scalar_one()
        return count


@dataclass(frozen=True, slots=True)
class Seen:
    """A consumer: when it was last seen, and whether that is so lately that it is alive."""

    name: str
    host: str
    pid: int
    doing: str
    started_at: datetime
    seen_at: datetime
    seconds_ago: float
    alive: bool


def list_consumers(ledger: Ledger) -> list[Seen]:
    """Every consumer."""
    with ledger.transaction() as connection:
        return read_rows(
            connection,
            Seen,
            "SELECT c.*, c.seconds_ago < :gone_after AS alive FROM (SELECT name, host, pid, doing, started_at, "
            "seen_at, CAST(extract(epoch FROM clock_timestamp() - seen_at) AS float) AS seconds_ago FROM consumer) c "
            "ORDER BY c.started_at",
            gone_after=GONE_AFTER.total_seconds(),
        )


def list_seen_consumers(ledger: Ledger, within: float) -> set[str]:
    """The consumers that were seen in the last ``within`` seconds."""
    with ledger.transaction() as connection:
        names = connection.execute(
            text("SELECT name FROM consumer WHERE seen_at > clock_timestamp() - make_interval(secs => :within)"),
            {"within": within},
        ).scalars()
        return set(names)


def list_gone_consumers(ledger: Ledger, since: float) -> list[str]:
    """The consumers that were not seen for ``since`` seconds."""
    with ledger.transaction() as connection:
        names = connection.execute(
            text(
                "SELECT name FROM consumer WHERE seen_at < clock_timestamp() - make_interval(secs => :since) "
                "ORDER BY name"
            ),
            {"since": since},
        ).scalars()
        return list(names)


def forget_consumers(ledger: Ledger, names: Sequence[str], since: float) -> int:
    """Remove these consumers, but not one that was seen meanwhile. Returns how many are removed."""
    with ledger.transaction() as connection:
        return connection.execute(
            text(
                "DELETE FROM consumer WHERE name = ANY(:names) "
                "AND seen_at < clock_timestamp() - make_interval(secs => :since)"
            ),
            {"names": list(names), "since": since},
        ).rowcount
