"""The ledger in figures for a monitoring system: counts, ages, and how long things took.

Belongs here: the queries behind ``/metrics``. Does not belong here: figures for people (``reports``), nor the
format in which a monitoring system reads them (the console).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.crm_figures import CrmStanding, read_standings
from leadgate.ledger.database import Ledger
from leadgate.ledger.reports import TO_FIRST_TOUCH, TO_OWNER

#: Upper bounds, in seconds: from a tenth of a second to a day.
BUCKETS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0)


@dataclass(frozen=True)
class Histogram:
    """``counts`` has a number for each of ``BUCKETS`` and one for what is beyond: not cumulated. ``sum`` in seconds."""

    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True)
class Figures:
    """One moment of the ledger. What waits (work items, the outbox, the longest wait) is of journeys of every kind;
    journeys, and how long things took, are of leads, unless they name records."""

    signals: dict[str, int]  # by source
    activities: dict[str, int]  # by source
    crm_changes_waiting: dict[str, int]  # by source: records of a CRM that no sync has followed
    reused: dict[str, int]  # by source: requests that were refused because their id had named another body
    journeys: dict[tuple[str, str], int]  # of leads, by status and stage
    record_journeys: dict[tuple[str, str, str], int]  # of records, by kind, status and stage
    held: dict[str, int]  # open work items by reason
    oldest_waiting: float  # seconds since the longest-waiting journey could have been taken on; 0: none waits
    outbox_waiting: int
    provider_units: dict[str, int]  # spent today, by UTC, by service of enrichment
    providers_closed: dict[str, int]  # 1 for a service that is left alone
    crms: list[CrmStanding]
    to_owner: Histogram  # capture to the first owner
    to_first_touch: Histogram  # owner to first touch


def read_metrics(ledger: Ledger, now: datetime) -> Figures:
    """All of it, in one read-only transaction."""
    with ledger.transaction() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SET LOCAL statement_timeout = '20s'"))
        journeys = connection.execute(
            text("SELECT status, stage, count(*) FROM journey WHERE kind = 'lead' GROUP BY 1, 2 ORDER BY 1, 2")
        )
        of_records = connection.execute(
            text(
                "SELECT kind, status, stage, count(*) FROM journey WHERE kind <> 'lead' GROUP BY 1, 2, 3 "
                "ORDER BY 1, 2, 3"
            )
        )
        oldest = connection.execute(
            text(
                "SELECT extract(epoch FROM CAST(:now AS timestamptz) - min(run_after)) FROM journey "
                "WHERE status = 'ready' AND batch_id IS NULL AND run_after <= :now"
            ),
            {"now": now},
        ).scalar_one()
        uses = connection.execute(
            text(
                "SELECT provider, CASE WHEN day = CAST(:now AS date) THEN spent ELSE 0 END AS spent, "
                "CASE WHEN closed_until > :now THEN 1 ELSE 0 END AS closed FROM provider_state ORDER BY 1"
            ),
            {"now": now},
        ).all()
        waiting = "SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND given_up_at IS NULL"
        return Figures(
            signals=_read_counts(connection, "SELECT source, count(*) FROM signal GROUP BY 1 ORDER BY 1"),
            activities=_read_counts(connection, "SELECT source, count(*) FROM activity GROUP BY 1 ORDER BY 1"),
            crm_changes_waiting=_read_counts(
                connection, "SELECT source, count(*) FROM crm_change WHERE followed_at IS NULL GROUP BY 1 ORDER BY 1"
            ),
            reused=_read_counts(connection, "SELECT source, sum(times) FROM reused_request GROUP BY 1 ORDER BY 1"),
            journeys={(status, stage): count for status, stage, count in journeys},
            record_journeys={(kind, status, stage): count for kind, status, stage, count in of_records},
            held=_read_counts(
                connection, "SELECT reason, count(*) FROM work_item WHERE closed_at IS NULL GROUP BY 1 ORDER BY 1"
            ),
            oldest_waiting=0.0 if oldest is None else max(0.0, float(oldest)),
            outbox_waiting=int(connection.execute(text(waiting)).scalar_one()),
            provider_units={row.provider: row.spent for row in uses},
            providers_closed={row.provider: row.closed for row in uses},
            crms=read_standings(connection, now),
            to_owner=_read_histogram(connection, TO_OWNER, BUCKETS),
            to_first_touch=_read_histogram(connection, TO_FIRST_TOUCH, BUCKETS),
        )


def _read_counts(connection: Connection, statement: str) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(text(statement))}


def _read_histogram(connection: Connection, seconds: str, bounds: Sequence[float]) -> Histogram:
    """A value on a bound belongs below it, as Prometheus has it; ``width_bucket`` counts it above."""
    rows = connection.execute(
        text(
            "SELECT (SELECT count(*) FROM unnest(CAST(:bounds AS double precision[])) b WHERE b < seconds) AS bucket, "
            f"count(*) AS n, sum(seconds) AS total FROM ({seconds}) each GROUP BY 1"
        ),
        {"bounds": list(bounds)},
    ).all()
    counts = [0] * (len(bounds) + 1)
    for row in rows:
        counts[row.bucket] = row.n
    return Histogram(tuple(counts), float(sum(row.total for row in rows)))
