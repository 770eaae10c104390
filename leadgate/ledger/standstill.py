"""Whether intake moves: for how long the lead that waits longest has stood still, and whether anybody should move it.

Belongs here: this one question, cheap enough to be asked every second. Does not belong here: how much waits
(``consumers``), or what is done about it.

A lead in a batch moves when a stage of its batch is stored. One that nobody has claimed moves up while batches with
older leads do, because the oldest are claimed first; when a newer one was preferred, it has been passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from leadgate.ledger.consumers import GONE_AFTER, PAUSED
from leadgate.ledger.database import Ledger

_QUERY = """
    WITH held AS (
        SELECT j.batch_id, min(j.id) AS journey_id,
            extract(epoch FROM clock_timestamp() - greatest(b.advanced_at, min(j.run_after))) AS seconds
        FROM batch b JOIN journey j ON j.batch_id = b.id AND j.status = 'ready'
        WHERE b.closed_at IS NULL AND b.lease_until < clock_timestamp() + interval '1 hour'
        GROUP BY j.batch_id, b.advanced_at),
    first AS (
        SELECT id, run_after FROM journey
        WHERE status = 'ready' AND batch_id IS NULL AND run_after <= clock_timestamp() ORDER BY id LIMIT 1),
    unclaimed AS (
        SELECT NULL::bigint AS batch_id, f.id AS journey_id,
            extract(epoch FROM clock_timestamp() - f.run_after) AS seconds
        FROM first f
        WHERE NOT EXISTS (
                SELECT 1 FROM (SELECT advanced_at FROM batch ORDER BY id DESC LIMIT 100) b
                WHERE b.advanced_at > clock_timestamp() - interval '5 seconds')
            OR EXISTS (
                SELECT 1 FROM (SELECT journey_id, at FROM handoff ORDER BY journey_id DESC LIMIT 20) h
                WHERE h.journey_id > f.id AND h.at > f.run_after + make_interval(secs => :limit)))
    SELECT coalesce(max(seconds), 0)::float AS seconds,
        (SELECT count(*) FROM consumer) AS consumers,
        (SELECT count(*) FROM consumer
            WHERE seen_at > clock_timestamp() - make_interval(secs => :gone)) AS alive,
        (SELECT count(*) FROM consumer WHERE doing = :paused
            AND seen_at > clock_timestamp() - make_interval(secs => :gone)) AS paused
    FROM (SELECT * FROM held UNION ALL SELECT * FROM unclaimed) waiting"""


@dataclass(frozen=True)
class Standstill:
    """``seconds`` for which the lead that waits longest has not moved; what the installation's consumers do."""

    seconds: float
    limit: float
    consumers: int  # that have not ended in an orderly way
    alive: int
    paused: int

    @property
    def stalled(self) -> bool:
        """A lead stands still for too long, though there is a consumer, or was one until it died, and nobody paused
        intake. Without any consumer, leads wait for the next ``leadgate run``."""
        on_purpose = self.alive > 0 and self.paused == self.alive
        return self.seconds > self.limit and self.consumers > 0 and not on_purpose


def read_standstill(ledger: Ledger, limit: float) -> Standstill:
    """How intake stands, where more than ``limit`` seconds are too long."""
    with ledger.transaction() as connection:
        row = connection.execute(
            text(_QUERY), {"limit": limit, "gone": GONE_AFTER.total_seconds(), "paused": PAUSED}
        ).one()
    return Standstill(row.seconds, limit, row.consumers, row.alive, row.paused)
