"""The state of each CRM of the playbook in use: how far it is read, what waits to be written, its limits of requests.

Belongs here: this one query, for ``leadgate status`` and ``/metrics``. Does not belong here: writing to its tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows


@dataclass(frozen=True)
class CrmStanding:
    """The state of a CRM. Ages are in seconds; None where it never happened."""

    crm: str
    read_age: float | None  # since all was read of the kind of records for which that is longest ago
    read_failures: int  # in a row, of the kind of records that failed most often
    read_error: str | None
    write_failures: int  # in a row
    left_alone_until: datetime | None
    why: str | None
    day_limit: int | None
    day_left: int | None
    day_told_age: float | None  # since the CRM last said how many requests are left today
    waiting: int  # messages in the outbox
    oldest_waiting: float | None
    gone: int  # links of leads to records that are gone


_STANDINGS: Final = """
    SELECT c.name AS crm, CAST(extract(epoch FROM CAST(:now AS timestamptz) - p.complete_at) AS float) AS read_age,
        coalesce(p.failures, 0) AS read_failures, p.error AS read_error, c.failures AS write_failures,
        CASE WHEN c.waits_until > :now THEN c.waits_until END AS left_alone_until,
        CASE WHEN c.waits_until > :now THEN c.waits_because END AS why, c.day_limit, c.day_left,
        CAST(extract(epoch FROM CAST(:now AS timestamptz) - c.seen_at) AS float) AS day_told_age,
        coalesce(o.waiting, 0) AS waiting,
        CAST(extract(epoch FROM CAST(:now AS timestamptz) - o.oldest) AS float) AS oldest_waiting,
        coalesce(l.gone, 0) AS gone
    FROM crm_connection c
    LEFT JOIN (SELECT crm, CASE WHEN count(complete_at) = count(*) THEN min(complete_at) END AS complete_at,
            max(failures) AS failures, (array_agg(error ORDER BY failures DESC, kind))[1] AS error
        FROM crm_position GROUP BY crm) p ON p.crm = c.name
    LEFT JOIN (SELECT target, count(*) AS waiting, min(created_at) AS oldest FROM outbox
        WHERE delivered_at IS NULL AND given_up_at IS NULL AND starts_with(target, 'crm:') GROUP BY target) o
        ON o.target = 'crm:' || c.name
    LEFT JOIN (SELECT crm, count(*) AS gone FROM crm_link WHERE gone_at IS NOT NULL GROUP BY crm) l ON l.crm = c.name
    WHERE c.is_active ORDER BY c.name"""


def read_standings(connection: Connection, now: datetime) -> list[CrmStanding]:
    """The CRMs of the playbook in use, by name."""
    return read_rows(connection, CrmStanding, _STANDINGS, now=now)


def list_standings(ledger: Ledger, now: datetime) -> list[CrmStanding]:
    """``read_standings`` in a transaction of its own."""
    with ledger.transaction() as connection:
        return read_standings(connection, now)
