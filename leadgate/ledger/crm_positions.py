"""The table ``crm_position``: how far each kind of records of a CRM is read.

Belongs here: every statement that writes the table. Does not belong here: what a record becomes (``signals``), or
reading a CRM (``tasks.crm.sync``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_row


@dataclass(frozen=True)
class CrmPosition:
    """How far a kind of records is read. ``failures``: how often in a row that failed, the last time by ``error``."""

    crm: str
    kind: str
    position: str | None
    changed_at: datetime | None
    read_at: datetime | None
    complete_at: datetime | None
    records: int
    failures: int
    failed_at: datetime | None
    error: str | None


def read_position(ledger: Ledger, crm: str, kind: str) -> CrmPosition | None:
    """How far this kind of records is read; None when nobody has tried to yet."""
    with ledger.transaction() as connection:
        return read_row(
            connection,
            CrmPosition,
            "SELECT crm, kind, position, changed_at, read_at, complete_at, records, failures, failed_at, error "
            "FROM crm_position WHERE crm = :crm AND kind = :kind",
            crm=crm,
            kind=kind,
        )


def move_position(
    connection: Connection,
    crm: str,
    kind: str,
    *,
    before: str | None,
    after: str,
    records: int,
    changed_at: datetime | None,
    complete: bool,
    now: datetime,
) -> bool:
    """Go on ``after`` a page of ``records``, in the transaction that stores them.

    False when another sync has gone on meanwhile: this page is that one's. A second one waits here for the first.
    ``complete``: there is nothing more to read.
    """
    moved = connection.execute(
        text(
            """
            INSERT INTO crm_position AS p (crm, kind, position, changed_at, read_at, complete_at, records)
            VALUES (:crm, :kind, :after, :changed, :now, CASE WHEN CAST(:complete AS boolean) THEN :now END, :records)
            ON CONFLICT (crm, kind) DO UPDATE SET position = excluded.position, read_at = excluded.read_at,
                changed_at = greatest(p.changed_at, excluded.changed_at),
                complete_at = coalesce(excluded.complete_at, p.complete_at), records = p.records + excluded.records,
                failures = 0, failed_at = NULL, error = NULL
            WHERE p.position IS NOT DISTINCT FROM CAST(:before AS text)"""
        ),
        {
            "crm": crm,
            "kind": kind,
            "before": before,
            "after": after,
            "records": records,
            "changed": changed_at,
            "complete": complete,
            "now": now,
        },
    )
    return moved.rowcount == 1


def record_failure(connection: Connection, crm: str, kind: str, error: str, now: datetime) -> int:
    """Reading has failed; the position stays. Returns how often in a row."""
    failures: int = connection.execute(
        text(
            "INSERT INTO crm_position AS p (crm, kind, failures, failed_at, error) "
            "VALUES (:crm, :kind, 1, :now, :error) "
            "ON CONFLICT (crm, kind) DO UPDATE SET failures = p.failures + 1, failed_at = :now, error = :error "
            "RETURNING failures"
        ),
        {"crm": crm, "kind": kind, "error": error, "now": now},
    ).scalar_one()
    return failures
