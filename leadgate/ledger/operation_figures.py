"""What runs, in figures: sources, the outbox and the last batches; for the console's page of operations.

Belongs here: these queries. Does not belong here: breakers (``breakers``), what waits (``consumers``), CRMs
(``crm_figures``), figures for a monitoring system (``metrics``), or any words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger.typed_rows import read_rows

_PERIOD: Final = timedelta(days=7)
_MOST_BATCHES: Final = 20


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """What came from a source: signals of the last hour, day and seven days, the last of them, and how many of those
    seven days' leads are held now."""

    source: str
    hour: int
    day: int
    week: int
    last_at: datetime
    held: int


@dataclass(frozen=True, slots=True)
class OutboxStanding:
    """Messages to a target that are not delivered: those that wait, those of them that failed before, and why."""

    target: str
    waiting: int
    retried: int
    oldest_at: datetime
    failure: str | None


@dataclass(frozen=True, slots=True)
class BatchStanding:
    """A batch, and its holder: the flow run that works on it, or another process."""

    id: int
    kind: str
    holder: str
    size: int
    failures: int
    opened_at: datetime
    closed_at: datetime | None
    stuck: bool


_SOURCES: Final = """
    SELECT source, count(*) FILTER (WHERE captured_at > CAST(:now AS timestamptz) - interval '1 hour') AS hour,
        count(*) FILTER (WHERE captured_at > CAST(:now AS timestamptz) - interval '1 day') AS day, count(*) AS week,
        max(captured_at) AS last_at, count(*) FILTER (WHERE status = 'held') AS held
    FROM journey WHERE captured_at > :since AND captured_at <= :now AND trigger = 'signal'
    GROUP BY source ORDER BY source"""

#: Why the one failed that was tried most often; only those that failed are sorted.
_OUTBOX: Final = """
    SELECT w.target, w.waiting, w.retried, w.oldest_at, f.failure FROM (
        SELECT target, count(*) AS waiting, count(*) FILTER (WHERE attempts > 0) AS retried,
            min(created_at) AS oldest_at
        FROM outbox WHERE delivered_at IS NULL AND given_up_at IS NULL GROUP BY target) w
    LEFT JOIN (
        SELECT DISTINCT ON (target) target, failure FROM outbox
        WHERE delivered_at IS NULL AND given_up_at IS NULL AND failure IS NOT NULL
        ORDER BY target, attempts DESC, id) f ON f.target = w.target
    UNION ALL
    SELECT 'reports by e-mail', count(*), count(*) FILTER (WHERE m.attempt > 0), min(m.due_at),
        (array_agg(m.failure ORDER BY m.attempt DESC, m.id) FILTER (WHERE m.failure IS NOT NULL))[1]
    FROM saved_view v CROSS JOIN LATERAL (SELECT * FROM report_mail m WHERE m.view_id = v.id
        ORDER BY m.due_at DESC, (m.step = 'sent') DESC, m.id DESC LIMIT 1) m
    WHERE v.deleted_at IS NULL AND m.step IN ('asked', 'claimed', 'failed') HAVING count(*) > 0
    ORDER BY waiting DESC, target"""

_BATCHES: Final = f"""
    SELECT id, kind, holder, size, failures, opened_at, closed_at,
        closed_at IS NULL AND lease_until < clock_timestamp() AS stuck
    FROM (SELECT * FROM batch ORDER BY id DESC LIMIT {_MOST_BATCHES}) b
    ORDER BY closed_at IS NOT NULL, id DESC"""


def list_sources(connection: Connection, now: datetime) -> list[SourceStanding]:
    """The sources from which something came in the last seven days."""
    return read_rows(connection, SourceStanding, _SOURCES, now=now, since=now - _PERIOD)


def list_outbox(connection: Connection) -> list[OutboxStanding]:
    """The targets to which something waits to be sent, the most first."""
    return read_rows(connection, OutboxStanding, _OUTBOX)


def list_batches(connection: Connection) -> list[BatchStanding]:
    """The last batches; those that are open come first."""
    return read_rows(connection, BatchStanding, _BATCHES)
