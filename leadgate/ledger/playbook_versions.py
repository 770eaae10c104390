"""The table ``playbook_version``: each playbook that was used, under its hash. Append-only.

Belongs here: every statement that writes the table. Does not belong here: reading a playbook's file
(``leadgate.playbook``), or which of them is in use (``playbook_activations``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger import crm_connections, event_subscriptions, playbook_activations, shadows
from leadgate.ledger.clock import read_time
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys.claiming import stop_waiting
from leadgate.ledger.pools import add_pools
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.vocabulary import ActivationMethod


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


@dataclass(frozen=True, slots=True)
class KeptPlaybook:
    """What the ledger keeps of a playbook. ``crms``: the names of its CRMs. ``events``: the systems that are told of
    events, each with a kind of events."""

    hash: str
    content: str
    pools: Sequence[str]
    crms: Sequence[str] = ()
    events: Sequence[tuple[str, str]] = ()


def keep_playbook(ledger: Ledger, playbook: KeptPlaybook, now: datetime | None = None, *, by: str) -> bool:
    """Have a playbook that a process works by under its hash, and a row of turns for each of its pools. One that the
    ledger does not know is the one in use from now on, as ``by`` runs the process. True when it is such a one."""
    with ledger.transaction() as connection:
        now = read_time(connection, now)
        if not _is_kept(connection, playbook.hash):
            playbook_activations.lock(connection)
            before = playbook_activations.read_active(connection)
            if not _is_kept(connection, playbook.hash):  # nobody else has kept it meanwhile
                same = before is not None and before.content == playbook.content
                method = ActivationMethod.UPGRADE if same else ActivationMethod.FILE
                file = before.file if before is not None and same else None
                activate(connection, playbook, now, by=by, method=method, file=file)
                return True
        add_pools(connection, playbook.pools)
        if (playbook.crms or playbook.events) and playbook_activations.is_active(connection, playbook.hash):
            _keep_receivers(connection, playbook, now)
    return False


def activate(
    connection: Connection,
    playbook: KeptPlaybook,
    now: datetime,
    *,
    by: str,
    method: ActivationMethod,
    reason: str | None = None,
    file: str | None = None,
) -> int:
    """Make a playbook the one in use; who calls this has the lock of ``playbook_activations``. Returns the activation.

    Changes of a lead from now on are written to its CRMs and told to its receivers of events. Leads that wait until
    somebody is back wait by the playbook before; this one may know somebody else. A shadow of this
    playbook ends.
    """
    connection.execute(
        text("INSERT INTO playbook_version VALUES (:hash, :content, :now) ON CONFLICT DO NOTHING"),
        {"hash": playbook.hash, "content": playbook.content, "now": now},
    )
    add_pools(connection, playbook.pools)
    _keep_receivers(connection, playbook, now)
    stop_waiting(connection, now)
    shadows.stop_activated(connection, playbook.hash, playbook.content, now, by=by)
    return playbook_activations.add_activation(
        connection, playbook.hash, now, by=by, method=method, reason=reason, file=file
    )


def _is_kept(connection: Connection, hash_: str) -> bool:
    return bool(
        connection.execute(
            text("SELECT EXISTS (SELECT 1 FROM playbook_version WHERE hash = :hash)"), {"hash": hash_}
        ).scalar()
    )


def _keep_receivers(connection: Connection, playbook: KeptPlaybook, now: datetime) -> None:
    crm_connections.keep_active(connection, playbook.crms)
    event_subscriptions.keep_active(connection, playbook.events, now)


def read_playbook_content(ledger: Ledger, hash_: str) -> str | None:
    """The content that was activated under ``hash_``."""
    with ledger.transaction() as connection:
        return read_content(connection, hash_)


def read_content(connection: Connection, hash_: str) -> str | None:
    """The content of the playbook of ``hash_``."""
    content: str | None = connection.execute(
        text("SELECT content FROM playbook_version WHERE hash = :hash"), {"hash": hash_}
    ).scalar()
    return content


def find_contents(ledger: Ledger, start: str) -> list[str]:
    """The content of every playbook that was used whose hash starts with ``start``."""
    with ledger.transaction() as connection:
        statement = text("SELECT content FROM playbook_version WHERE starts_with(hash, :start) ORDER BY activated_at")
        return list(connection.execute(statement, {"start": start}).scalars())


def list_versions(connection: Connection, most: int) -> list[Version]:
    """The playbooks that were used first most lately, the newest first."""
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
