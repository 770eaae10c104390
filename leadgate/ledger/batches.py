"""Batches: claim what waits, fence out who lost the lease, advance, close.

Belongs here: the statements on which correctness rests. Does not belong here: who holds a batch and for how
long (``leases``), or what a stage decides or stores about a lead. Lock order everywhere: batch, journeys by
id, identities sorted, pools by id. Whoever changes a lead holds its open journey.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk, faults
from leadgate.ledger.clock import read_time
from leadgate.ledger.database import Ledger
from leadgate.ledger.faults import Conflict as Conflict
from leadgate.ledger.faults import LeaseLost as LeaseLost
from leadgate.ledger.only import ALL, Only

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["intake", "follow_up"]


@dataclass(frozen=True)
class Batch:
    """A claimed batch, as its holder knows it."""

    id: int
    epoch: int
    holder: str
    playbook_hash: str
    size: int
    claimed_at: datetime  # or taken over: what time it is for everything that is decided in it
    kind: Kind = "intake"
    failures: int = 0  # how often a run of it has failed, kills not counted


_CLAIMABLE = {
    "intake": (
        "SELECT j.id FROM journey j WHERE j.status = 'ready' AND j.batch_id IS NULL AND j.run_after <= :now "
        f"AND {Only.condition('j.id')}"
    ),
    "follow_up": f"""
        SELECT j.id FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
        WHERE j.status = 'owned' AND j.batch_id IS NULL AND a.next_check_at <= :now AND {Only.condition("j.id")}""",
}
#: By ``id``, in a form that only the index over what waits has: by the primary key PostgreSQL would walk through all
#: journeys that have been claimed before, as long as it takes most of them to wait.
_OLDEST_FIRST = "ORDER BY (j.id + 0)"


def claimable(ledger: Ledger, kind: Kind, now: datetime, limit: int, only: Only = ALL) -> list[int]:
    """The journeys that ``claim`` would take, oldest first."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(f"{_CLAIMABLE[kind]} {_OLDEST_FIRST} LIMIT :limit"), {"now": now, "limit": limit} | only.parameters
        )
        return [row.id for row in rows]


class RowsRefused(Exception):  # noqa: N818 - what happened
    """A statement failed because of the rows that it was to change; its cause says why."""


def claim(
    ledger: Ledger,
    *,
    kind: Kind = "intake",
    holder: str,
    playbook_hash: str,
    now: datetime | None = None,
    limit: int,
    lease_seconds: float,
    only: Only = ALL,
) -> Batch | None:
    """Put up to ``limit`` waiting journeys, oldest first, into a new batch; ``None`` when nothing waits.

    Raises ``RowsRefused`` when one of them cannot be put into it.
    """
    with ledger.transaction(flushed=False, of_batch=True) as connection:
        as_of, now = now is not None, read_time(connection, now)
        failpoint("claim.batch.before")
        # nothing is inserted when nothing waits: looking each second must not use up the numbers that people see
        batch_id = connection.execute(
            text(
                "INSERT INTO batch (kind, epoch, holder, lease_until, playbook_hash, size, opened_at, as_of) "
                "SELECT CAST(:kind AS text), 1, CAST(:holder AS text), "
                "clock_timestamp() + make_interval(secs => :lease), CAST(:hash AS text), 0, "
                "CAST(:now AS timestamptz), CAST(:as_of AS boolean) "
                f"WHERE EXISTS ({_CLAIMABLE[kind]}) RETURNING id"
            ),
            {
                "kind": kind,
                "holder": holder,
                "lease": lease_seconds,
                "hash": playbook_hash,
                "now": now,
                "as_of": as_of,
            }
            | only.parameters,
        ).scalar()
        if batch_id is None:
            return None
        failpoint("claim.batch.after")
        remember(connection, batch_id, 1, holder)
        try:
            size = connection.execute(
                text(
                    f"UPDATE journey SET batch_id = :batch WHERE id = ANY(ARRAY({_CLAIMABLE[kind]} "
                    f"{_OLDEST_FIRST} LIMIT :limit FOR UPDATE OF j SKIP LOCKED))"
                ),
                {"batch": batch_id, "now": now, "limit": limit} | only.parameters,
            ).rowcount
        except DBAPIError as error:
            if faults.is_ours(error):
                raise RowsRefused("journeys cannot be claimed") from error
            raise
        failpoint("claim.journeys.after")
        if size == 0:
            connection.rollback()
            return None
        connection.execute(text("UPDATE batch SET size = :size WHERE id = :id"), {"size": size, "id": batch_id})
    failpoint("claim.commit.after")
    return Batch(batch_id, 1, holder, playbook_hash, size, now, kind)


def remember(connection: Connection, batch_id: int, epoch: int, holder: str) -> None:
    """Keep who holds the batch from now on."""
    connection.execute(
        text(
            "INSERT INTO batch_holder (batch_id, epoch, holder, at) VALUES (:batch, :epoch, :holder, clock_timestamp())"
        ),
        {"batch": batch_id, "epoch": epoch, "holder": holder},
    )


def fence(connection: Connection, batch: Batch, lease_seconds: float) -> None:
    """The first statement of every apply. Raises ``LeaseLost``, and then nothing is written."""
    failpoint("apply.fence.before")
    extend(connection, batch, lease_seconds, advanced=True)
    failpoint("apply.fence.after")


def extend(connection: Connection, batch: Batch, lease_seconds: float, *, advanced: bool = False) -> None:
    """Hold the batch for another ``lease_seconds``. Raises ``LeaseLost``.

    ``advanced``: the transaction moves its journeys on. A batch whose lease is renewed for ever without that stands
    still (``consumers.standstill``).
    """
    moved = ", advanced_at = clock_timestamp()" if advanced else ""
    held = connection.execute(
        text(
            f"UPDATE batch SET lease_until = clock_timestamp() + make_interval(secs => :lease){moved} "
            "WHERE id = :id AND epoch = :epoch AND closed_at IS NULL"
        ),
        {"lease": lease_seconds, "id": batch.id, "epoch": batch.epoch},
    ).rowcount
    if held != 1:
        raise LeaseLost(f"batch {batch.id} was taken over or closed by another run")


@contextmanager
def applying(ledger: Ledger, *, flushed: bool = True) -> Iterator[Connection]:
    """The transaction of an apply: a race that PostgreSQL decides against it is a ``Conflict`` like any other."""
    try:
        with ledger.transaction(flushed=flushed, of_batch=True) as connection:
            yield connection
    except DBAPIError as error:
        # a lock that was not granted in time is no news of the ledger: waiting for it again would take as long
        if faults.judge(error) == "race" and faults.sqlstate(error) != "55P03":
            raise Conflict("another run was faster") from error
        raise


def lock_journeys(connection: Connection, batch: Batch, stage: str, status: str, frame: pd.DataFrame) -> None:
    """Lock the stage's journeys and compare their versions with those gathered. Raises ``Conflict``."""
    failpoint("apply.lock.before")
    rows = connection.execute(
        text(
            "SELECT id, version FROM journey WHERE batch_id = :batch AND stage = :stage AND status = :status "
            "ORDER BY id FOR NO KEY UPDATE"
        ),
        {"batch": batch.id, "stage": stage, "status": status},
    ).fetchall()
    gathered = sorted(zip(bulk.plain(frame["journey_id"]), bulk.plain(frame["version"]), strict=True))
    if [tuple(row) for row in rows] != gathered:
        raise Conflict(f"journeys of batch {batch.id} changed while {stage} was deciding")
    failpoint("apply.lock.after")


_MOVING_TYPES = {
    # a key, because a batch's transactions rule out hash joins: without one, each is compared with the whole batch
    "journey_id": "bigint PRIMARY KEY",
    "version": "int",
    "next_stage": "text",
    "next_status": "text",
    "lead_id": "bigint",
    "work_item_id": "bigint",
    "joined_to": "bigint",
    "run_after": "timestamptz",
    "generation": "int",
    "start_stage": "text",
    "handoff": "text",
    "reason": "text",
}


def advance(
    connection: Connection,
    batch: Batch,
    *,
    stage: str,
    status: str,
    next_stage: str,
    next_status: str,
    now: datetime,
    apart: pd.DataFrame,
    together: int,
) -> None:
    """Move the stage's journeys on and record the handoffs. Raises ``Conflict``: every row must match.

    ``apart`` has one row (the columns of ``_MOVING_TYPES``) for each journey that does not simply go
    on; ``handoff`` is its recorded outcome, or none when there is no handoff (it waits). The other
    journeys, ``together`` of them, go to ``next_stage`` in one statement: nothing to send for them.
    """
    failpoint("apply.advance.before")
    context = {"batch": batch.id, "stage": stage, "status": status, "now": now, "hash": batch.playbook_hash}
    if not apart.empty:
        bulk.temporary(connection, "moving", _MOVING_TYPES, apart)
        moved = connection.execute(
            text(
                """
                UPDATE journey j SET stage = m.next_stage, status = m.next_status, version = j.version + 1,
                    lead_id = m.lead_id, work_item_id = m.work_item_id, joined_to = m.joined_to,
                    run_after = coalesce(m.run_after, j.run_after), generation = m.generation,
                    start_stage = coalesce(m.start_stage, j.start_stage),
                    batch_id = CASE WHEN m.next_status = :next_status AND m.next_stage = :next_stage
                        THEN j.batch_id END
                FROM moving m WHERE j.id = m.journey_id AND j.version = m.version AND j.batch_id = :batch"""
            ),
            context | {"next_status": next_status, "next_stage": next_stage},
        ).rowcount
        if moved != len(apart):
            raise Conflict(f"{len(apart) - moved} journeys of batch {batch.id} changed while it was applied")
        connection.execute(
            text(
                """
                INSERT INTO handoff (journey_id, generation, stage, outcome, reason, batch_id, playbook_hash, at)
                SELECT m.journey_id, m.generation - (m.handoff = 'reassigned')::int,
                    CAST(:stage AS text), m.handoff, m.reason, :batch, CAST(:hash AS text), :now
                FROM moving m WHERE m.handoff IS NOT NULL ORDER BY m.journey_id"""
            ),
            context,
        )
    failpoint("apply.advance.apart")
    if together:
        where = "batch_id = :batch AND stage = :stage AND status = :status"
        connection.execute(
            text(
                "INSERT INTO handoff (journey_id, generation, stage, outcome, batch_id, playbook_hash, at) "
                f"SELECT id, generation, stage, 'continued', :batch, CAST(:hash AS text), :now "
                f"FROM journey WHERE {where} ORDER BY id"
            ),
            context,
        )
        moved = connection.execute(
            text(
                "UPDATE journey SET stage = :next_stage, status = :next_status, version = version + 1, "
                f"lead_id = coalesce(lead_id, id) WHERE {where}"
            ),
            context | {"next_stage": next_stage, "next_status": next_status},
        ).rowcount
        if moved != together:
            raise Conflict(f"{abs(together - moved)} journeys of batch {batch.id} changed while it was applied")
    failpoint("apply.advance.after")


def waiting_at(connection: Connection, batch: Batch) -> list[str]:
    """The stages at which journeys of the batch still wait, those journeys locked."""
    rows = connection.execute(
        text("SELECT stage FROM journey WHERE batch_id = :batch AND status = 'ready' ORDER BY id FOR NO KEY UPDATE"),
        {"batch": batch.id},
    )
    return sorted({row.stage for row in rows})


def journeys_in(connection: Connection, batch: Batch, status: str) -> list[int]:
    """The batch's journeys with ``status``, locked, by id."""
    rows = connection.execute(
        text("SELECT id FROM journey WHERE batch_id = :batch AND status = :status ORDER BY id FOR NO KEY UPDATE"),
        {"batch": batch.id, "status": status},
    )
    return [row.id for row in rows]


def entering_by_stage(ledger: Ledger, batch: Batch) -> dict[str, int]:
    """How many of the batch's journeys each stage has still to look at: where the batch stands."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT stage, count(*) AS journeys FROM journey "
                "WHERE batch_id = :batch AND status IN ('ready', 'owned') GROUP BY stage"
            ),
            {"batch": batch.id},
        )
        return {row.stage: row.journeys for row in rows}


def hold_rest(
    connection: Connection, batch: Batch, *, stage: str, reason: str, work_item_id: int, now: datetime
) -> int:
    """Hold every journey of the batch that waits at ``stage``, each with its handoff. Returns how many."""
    where = "batch_id = :batch AND stage = :stage AND status = 'ready'"
    parameters = {"batch": batch.id, "stage": stage, "reason": reason, "item": work_item_id, "now": now}
    connection.execute(
        text(
            "INSERT INTO handoff (journey_id, generation, stage, outcome, reason, batch_id, playbook_hash, at) "
            "SELECT id, generation, stage, 'held', CAST(:reason AS text), :batch, CAST(:hash AS text), :now "
            f"FROM journey WHERE {where} ORDER BY id"
        ),
        parameters | {"hash": batch.playbook_hash},
    )
    return connection.execute(
        text(
            "UPDATE journey SET status = 'held', version = version + 1, work_item_id = :item, batch_id = NULL "
            f"WHERE {where}"
        ),
        parameters,
    ).rowcount


def close(ledger: Ledger, batch: Batch, now: datetime) -> None:
    """End the batch: what it still holds is free again. A second call, or one by who lost it, does nothing."""
    with ledger.transaction(flushed=False, of_batch=True) as connection:
        failpoint("close.before")
        closed = connection.execute(
            text("UPDATE batch SET closed_at = :now WHERE id = :id AND epoch = :epoch AND closed_at IS NULL"),
            {"id": batch.id, "epoch": batch.epoch, "now": now},
        ).rowcount
        if closed:
            connection.execute(text("UPDATE journey SET batch_id = NULL WHERE batch_id = :id"), {"id": batch.id})
        failpoint("close.after")
