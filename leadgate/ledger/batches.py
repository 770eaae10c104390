"""The tables ``batch`` and ``batch_holder``: claim what waits, fence out who lost the lease, close.

Belongs here: the statements on which correctness rests. Does not belong here: who holds a batch and for how long
(``leases``), which journeys it may have (``journeys.claiming``), or moving them on (``journeys.stage_moves``). Lock
order everywhere: batch, journeys by id, identities sorted, pools by id. Changing a lead locks its open journey.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from leadgate.failpoints import failpoint
from leadgate.ledger import faults
from leadgate.ledger.clock import read_time
from leadgate.ledger.database import Ledger
from leadgate.ledger.faults import Conflict as Conflict
from leadgate.ledger.faults import LeaseLost as LeaseLost
from leadgate.ledger.journeys import claiming
from leadgate.ledger.row_filter import ALL, RowFilter
from leadgate.vocabulary import BatchKind, JourneyKind


@dataclass(frozen=True)
class Batch:
    """A claimed batch, as its holder knows it."""

    id: int
    epoch: int
    holder: str
    playbook_hash: str
    size: int
    claimed_at: datetime  # or taken over: what time it is for everything that is decided in it
    kind: BatchKind = BatchKind.INTAKE
    failures: int = 0  # how often a run of it has failed, kills not counted
    journey_kind: JourneyKind = JourneyKind.LEAD  # of all its journeys


def claim(
    ledger: Ledger,
    *,
    kind: BatchKind = BatchKind.INTAKE,
    holder: str,
    playbook_hash: str,
    now: datetime | None = None,
    limit: int,
    lease_seconds: float,
    only: RowFilter = ALL,
) -> Batch | None:
    """Put up to ``limit`` waiting journeys, oldest first, into a new batch; ``None`` when nothing waits.

    All are of one kind of journey, that of the oldest.

    Raises ``RowsRefused`` when one of them cannot be put into it.
    """
    with ledger.transaction(flushed=False, plan_by_index=True) as connection:
        as_of, now = now is not None, read_time(connection, now)
        failpoint("claim.batch.before")
        # nothing is inserted when nothing waits: looking each second must not use up the numbers that people see
        opened = connection.execute(
            text(
                "INSERT INTO batch (kind, journey_kind, epoch, holder, lease_until, playbook_hash, size, opened_at, "
                "as_of) SELECT CAST(:kind AS text), next.journey_kind, 1, CAST(:holder AS text), "
                "clock_timestamp() + make_interval(secs => :lease), CAST(:hash AS text), 0, "
                "CAST(:now AS timestamptz), CAST(:as_of AS boolean) "
                f"FROM (SELECT {claiming.NEXT_KIND[kind]} AS journey_kind) next WHERE next.journey_kind IS NOT NULL "
                "RETURNING id, journey_kind"
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
        ).first()
        if opened is None:
            return None
        batch_id, journey_kind = opened.id, JourneyKind(opened.journey_kind)
        failpoint("claim.batch.after")
        remember(connection, batch_id, 1, holder)
        size = claiming.claim(connection, batch_id, kind, journey_kind, now, limit, only)
        failpoint("claim.journeys.after")
        if size == 0:
            connection.rollback()
            return None
        connection.execute(text("UPDATE batch SET size = :size WHERE id = :id"), {"size": size, "id": batch_id})
    failpoint("claim.commit.after")
    return Batch(batch_id, 1, holder, playbook_hash, size, now, kind, journey_kind=journey_kind)


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


def take_next(connection: Connection, asked: Mapping[str, Any]) -> Row[Any] | None:
    """Take over the oldest open batch whose lease has run out, or that ``holder`` left, with a higher epoch.

    ``asked``: ``holder``, ``lease`` (seconds), and ``kind``, ``id`` and ``as_of``, or none of each (``leases``).
    """
    statement = """
        UPDATE batch SET epoch = epoch + 1, holder = :holder, as_of = as_of OR CAST(:as_of AS timestamptz) IS NOT NULL,
            lease_until = clock_timestamp() + make_interval(secs => :lease)
        WHERE id = (SELECT id FROM batch WHERE closed_at IS NULL
            AND (lease_until < clock_timestamp() OR holder = :holder)
            AND (CAST(:kind AS text) IS NULL OR kind = :kind)
            AND (CAST(:id AS bigint) IS NULL OR id = :id)
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id, epoch, playbook_hash, size, kind, journey_kind, failures,
            coalesce(CAST(:as_of AS timestamptz), clock_timestamp()) AS claimed_at"""
    return connection.execute(text(statement), asked).first()


def give_up(connection: Connection, batch: Batch, *, retry_in: float, failed: bool, to_anybody: bool) -> None:
    """Let the lease run out ``retry_in`` seconds from now, and count a failure (``leases.release``)."""
    statement = """
        UPDATE batch SET lease_until = clock_timestamp() + make_interval(secs => :retry_in),
            failures = failures + :failed, holder = CASE WHEN :to_anybody THEN '' ELSE holder END
        WHERE id = :id AND epoch = :epoch AND closed_at IS NULL"""
    connection.execute(
        text(statement),
        {
            "id": batch.id,
            "epoch": batch.epoch,
            "retry_in": retry_in,
            "failed": int(failed),
            "to_anybody": to_anybody,
        },
    )


def insert_part(connection: Connection, batch: Batch) -> int:
    """An empty batch that is a part of ``batch``, with the same holder, lease and playbook. Returns its id."""
    part: int = connection.execute(
        text(
            "INSERT INTO batch (kind, journey_kind, epoch, holder, lease_until, playbook_hash, size, failures, "
            "opened_at, as_of, part_of) SELECT kind, journey_kind, 1, holder, lease_until, playbook_hash, 0, failures, "
            "opened_at, as_of, id FROM batch WHERE id = :id RETURNING id"
        ),
        {"id": batch.id},
    ).scalar_one()
    return part


def grow(connection: Connection, batch: Batch, by: int) -> None:
    """The batch has ``by`` journeys more."""
    connection.execute(text("UPDATE batch SET size = size + :by WHERE id = :id"), {"by": by, "id": batch.id})


@contextmanager
def applying(ledger: Ledger, *, flushed: bool = True) -> Iterator[Connection]:
    """The transaction of an apply: a race that PostgreSQL decides against it is a ``Conflict`` like any other."""
    try:
        with ledger.transaction(flushed=flushed, plan_by_index=True) as connection:
            yield connection
    except DBAPIError as error:
        # a lock that was not granted in time is no news of the ledger: waiting for it again would take as long
        if faults.judge(error) == "race" and faults.find_sqlstate(error) != "55P03":
            raise Conflict("another run was faster") from error
        raise


def close(ledger: Ledger, batch: Batch, now: datetime) -> None:
    """End the batch: what it still holds is free again. A second call, or one by who lost it, does nothing."""
    with ledger.transaction(flushed=False, plan_by_index=True) as connection:
        failpoint("close.before")
        closed = connection.execute(
            text("UPDATE batch SET closed_at = :now WHERE id = :id AND epoch = :epoch AND closed_at IS NULL"),
            {"id": batch.id, "epoch": batch.epoch, "now": now},
        ).rowcount
        if closed:
            claiming.set_free(connection, batch.id)
        failpoint("close.after")
