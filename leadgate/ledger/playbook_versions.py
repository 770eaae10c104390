"""The table ``playbook_version``: each playbook that was used, under its hash. Append-only.

Belongs here: every statement that writes the table. Does not belong here: reading a playbook's file
(``leadgate.playbook``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger import crm_connections, event_subscriptions
from leadgate.ledger.clock import read_time
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys.claiming import stop_waiting
from leadgate.ledger.pools import add_pools
from leadgate.ledger.typed_rows import read_row, read_rows


@dataclass(frozen=True, slots=True)
class Version:
    """A playbook, when it was first used, and when a batch last worked by it; None for one that no batch did."""

    hash: str
    activated_at: datetime
    batches: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class VersionContent:
    """A playbook as it was written, and the one that was activated before it, if any was."""

    hash: str
    activated_at: datetime
    content: str
    before_hash: str | None
    before_content: str | None


def activate_playbook(
    ledger: Ledger,
    hash_: str,
    content: str,
    pools: list[str],
    now: datetime | None = None,
    *,
    crms: Sequence[str] = (),
    events: Sequence[tuple[str, str]] = (),
) -> bool:
    """Keep a playbook's content under its hash, and a row of turns for each pool. True when it is new.

    ``crms``: the names of its CRMs. Changes of a lead from now on are written to these. ``events``: the systems that
    are told of events, each with a kind of events.

    Leads that wait until somebody is back wait by the playbook before; a new one may know somebody else.
    """
    with ledger.transaction() as connection:
        now = read_time(connection, now)
        new = connection.execute(
            text("INSERT INTO playbook_version VALUES (:hash, :content, :now) ON CONFLICT DO NOTHING"),
            {"hash": hash_, "content": content, "now": now},
        ).rowcount
        add_pools(connection, pools)
        if crms or new:
            crm_connections.keep_active(connection, crms)
        if events or new:
            event_subscriptions.keep_active(connection, events, now)
        if new:
            stop_waiting(connection, now)
    return new == 1


def read_playbook_content(ledger: Ledger, hash_: str) -> str | None:
    """The content that was activated under ``hash_``."""
    with ledger.transaction() as connection:
        content: str | None = connection.execute(
            text("SELECT content FROM playbook_version WHERE hash = :hash"), {"hash": hash_}
        ).scalar()
    return content


def find_latest(connection: Connection) -> str:
    """The hash of the playbook that was activated last. Raises ``LookupError`` when none ever was."""
    found: str | None = connection.execute(
        text("SELECT hash FROM playbook_version ORDER BY activated_at DESC, hash LIMIT 1")
    ).scalar()
    if found is None:
        raise LookupError("no playbook was used yet")
    return found


def list_versions(connection: Connection, most: int) -> list[Version]:
    """The playbooks that were activated last, the newest first."""
    statement = """
        SELECT v.hash, v.activated_at, count(b.id) AS batches, max(b.opened_at) AS last_used_at
        FROM playbook_version v LEFT JOIN batch b ON b.playbook_hash = v.hash
        GROUP BY v.hash, v.activated_at ORDER BY v.activated_at DESC, v.hash LIMIT :most"""
    return read_rows(connection, Version, statement, most=most)


def read_version(ledger: Ledger, hash_: str) -> VersionContent | None:
    """The playbook of ``hash_`` beside the one before it."""
    statement = """
        SELECT v.hash, v.activated_at, v.content, b.hash AS before_hash, b.content AS before_content
        FROM playbook_version v LEFT JOIN LATERAL (
            SELECT o.hash, o.content FROM playbook_version o WHERE o.activated_at < v.activated_at
            ORDER BY o.activated_at DESC, o.hash LIMIT 1) b ON true
        WHERE v.hash = :hash"""
    with ledger.transaction() as connection:
        return read_row(connection, VersionContent, statement, hash=hash_)
