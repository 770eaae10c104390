"""Batches whose lease has run out while a process that does not go on still locks them.

A process that is frozen inside a transaction (SIGSTOP, a paused machine, a cut cable) keeps the locks of that
transaction, and a take-over passes over what is locked. Belongs here: finding such sessions, and ending them. Does not
belong here: taking a batch over (``leases``), or the limits that PostgreSQL applies by itself (``database``).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import text

from leadgate.ledger.database import APPLICATION, Ledger

#: Milliseconds that ending a session may take before the caller goes on without it.
_ENDS_WITHIN: Final = 2000

#: A row that an open transaction has changed names that transaction in ``xmax``. Only sessions of Leadgate's own role
#: and name count, whose transaction is older than the lapse, and that PostgreSQL waits for: a session that is at work
#: on a long statement goes on by itself.
_FROZEN: Final = f"""
    FROM batch b JOIN pg_stat_activity a ON a.backend_xid = b.xmax
    WHERE b.closed_at IS NULL AND b.lease_until < clock_timestamp()
        AND a.datname = current_database() AND a.usename = current_user AND a.application_name LIKE '{APPLICATION} %'
        AND a.xact_start < b.lease_until AND a.wait_event_type = 'Client'
        AND a.state_change < clock_timestamp() - make_interval(secs => :silent)"""


class Frozen(NamedTuple):
    """A batch, the process that locks it (as PostgreSQL lists the process), and for how long its lease is over."""

    batch_id: int
    process: str
    lapsed_seconds: float


def find_frozen(ledger: Ledger, silent_seconds: float = 1.0) -> list[Frozen]:
    """Batches whose lease is over and that a process locks which has sent nothing for ``silent_seconds``."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT b.id, a.application_name AS process, "
                f"extract(epoch FROM clock_timestamp() - b.lease_until)::float AS lapsed {_FROZEN} ORDER BY b.id"
            ),
            {"silent": silent_seconds},
        )
        return [Frozen(row.id, row.process, row.lapsed) for row in rows]


def end_frozen(ledger: Ledger, lease_seconds: float) -> int:
    """End the sessions that lock a batch after its lease and have been silent for half a lease. Returns how many.

    Their transactions are rolled back. A process that wakes up finds its session gone, and its batch taken over.
    """
    with ledger.transaction() as connection:
        ended = connection.execute(
            text(f"SELECT pg_terminate_backend(a.pid, {_ENDS_WITHIN}) AS ended {_FROZEN}"),
            {"silent": lease_seconds / 2},
        )
        return sum(row.ended for row in ended)
