"""The table ``crm_connection``: which CRMs are written to, and which of them are left alone for a while.

Belongs here: every statement that writes the table. Does not belong here: what is written to a CRM (``crm_links``), or
what waits to be written (``outbox``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_row


@dataclass(frozen=True)
class ConnectionState:
    """How a CRM answered lately. ``failures``: requests in a row that it did not answer."""

    name: str
    failures: int
    waits_until: datetime | None
    waits_because: str | None
    day_limit: int | None
    day_left: int | None
    seen_at: datetime | None


def keep_active(connection: Connection, names: Sequence[str]) -> None:
    """Changes of leads are written to these CRMs from now on, and to no other."""
    connection.execute(
        text(
            "INSERT INTO crm_connection (name) SELECT name FROM unnest(CAST(:names AS text[])) AS n(name) ORDER BY 1 "
            "ON CONFLICT (name) DO UPDATE SET is_active = true WHERE NOT crm_connection.is_active"
        ),
        {"names": sorted(names)},
    )
    connection.execute(
        text("UPDATE crm_connection SET is_active = false WHERE is_active AND NOT name = ANY(CAST(:names AS text[]))"),
        {"names": sorted(names)},
    )


def read_state(ledger: Ledger, name: str) -> ConnectionState | None:
    """How a CRM answered lately; None when no playbook with it was used yet."""
    with ledger.transaction() as connection:
        return read_row(
            connection,
            ConnectionState,
            "SELECT name, failures, waits_until, waits_because, day_limit, day_left, seen_at FROM crm_connection "
            "WHERE name = :name",
            name=name,
        )


def wait(connection: Connection, name: str, because: str, until: datetime) -> int:
    """Nobody asks the CRM before ``until``. Returns how often in a row it was so."""
    failures: int | None = connection.execute(
        text(
            "UPDATE crm_connection SET failures = failures + 1, waits_because = :because, "
            "waits_until = greatest(waits_until, :until) WHERE name = :name RETURNING failures"
        ),
        {"name": name, "because": because, "until": until},
    ).scalar()
    return failures or 1


def keep_answer(
    connection: Connection, name: str, now: datetime, *, day_limit: int | None, day_left: int | None
) -> None:
    """The CRM has answered, and said how much may still be asked today."""
    connection.execute(
        text(
            "UPDATE crm_connection SET failures = 0, waits_until = NULL, waits_because = NULL, seen_at = :now, "
            "day_limit = coalesce(CAST(:limit AS int), day_limit), day_left = coalesce(CAST(:left AS int), day_left) "
            "WHERE name = :name"
        ),
        {"name": name, "now": now, "limit": day_limit, "left": day_left},
    )


def lock(connection: Connection, name: str) -> None:
    """What is decided about the CRM as a whole is decided by one process after the other."""
    connection.execute(text("SELECT 1 FROM crm_connection WHERE name = :name FOR NO KEY UPDATE"), {"name": name})


def go_on(connection: Connection, name: str) -> None:
    """The CRM is asked again at once: a person says that what was wrong is mended."""
    connection.execute(
        text("UPDATE crm_connection SET waits_until = NULL, waits_because = NULL WHERE name = :name"), {"name": name}
    )


def read_failures(connection: Connection, name: str) -> int:
    """How many requests in a row the CRM did not answer."""
    found: int | None = connection.execute(
        text("SELECT failures FROM crm_connection WHERE name = :name"), {"name": name}
    ).scalar()
    return found or 0
