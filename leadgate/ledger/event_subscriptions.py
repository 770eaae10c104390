"""The table ``event_subscription``: which systems are told of which events, and which of them are gone.

Belongs here: every statement that writes the table. Does not belong here: what waits to be sent (``outbox``), or what
is known of an event (``event_facts``).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger


def keep_active(connection: Connection, subscriptions: Collection[tuple[str, str]], now: datetime) -> None:
    """From now on these systems are told of events of these kinds, and no others."""
    wanted = sorted(subscriptions)
    parameters = {"names": [name for name, _ in wanted], "kinds": [kind for _, kind in wanted], "now": now}
    connection.execute(
        text(
            "INSERT INTO event_subscription (name, kind, since) SELECT name, kind, :now "
            "FROM unnest(CAST(:names AS text[]), CAST(:kinds AS text[])) AS n(name, kind) ORDER BY 1, 2 "
            "ON CONFLICT (name, kind) DO UPDATE SET is_active = true, since = excluded.since "
            "WHERE NOT event_subscription.is_active"
        ),
        parameters,
    )
    connection.execute(
        text(
            "UPDATE event_subscription s SET is_active = false, gone_at = NULL WHERE s.is_active AND NOT EXISTS "
            "(SELECT 1 FROM unnest(CAST(:names AS text[]), CAST(:kinds AS text[])) AS n(name, kind) "
            "WHERE n.name = s.name AND n.kind = s.kind)"
        ),
        parameters,
    )


def list_gone(ledger: Ledger) -> set[str]:
    """The systems that take no events any more, by name."""
    with ledger.transaction() as connection:
        return set(connection.execute(text("SELECT name FROM event_subscription WHERE gone_at IS NOT NULL")).scalars())


def mark_gone(connection: Connection, name: str, now: datetime) -> bool:
    """The system takes no events any more. False when that was known."""
    rows = connection.execute(
        text("UPDATE event_subscription SET gone_at = :now WHERE name = :name AND gone_at IS NULL RETURNING kind"),
        {"name": name, "now": now},
    )
    return bool(rows.all())


def go_on(connection: Connection, name: str) -> None:
    """A person says that the system takes events again."""
    connection.execute(text("UPDATE event_subscription SET gone_at = NULL WHERE name = :name"), {"name": name})
