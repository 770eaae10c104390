"""Which batch works on which journeys.

Belongs here: the journeys that may be claimed, and every statement that writes ``journey.batch_id`` alone, or when a
journey may be claimed. Does not belong here: the batch itself and its lease (``batches``, ``leases``, ``parts``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import faults
from leadgate.ledger.database import Ledger
from leadgate.ledger.row_filter import ALL, RowFilter
from leadgate.vocabulary import BatchKind, JourneyKind

#: The journeys ``j`` that a batch of each kind may claim.
CLAIMABLE: Final = {
    BatchKind.INTAKE: (
        "FROM journey j WHERE j.status = 'ready' AND j.batch_id IS NULL AND j.run_after <= :now "
        f"AND {RowFilter.build_sql('j.id')}"
    ),
    BatchKind.FOLLOW_UP: f"""FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
        WHERE j.status = 'owned' AND j.batch_id IS NULL AND a.next_check_at <= :now
        AND {RowFilter.build_sql("j.id")}""",
}
#: By ``id``, in a form that only the index over what waits has: by the primary key PostgreSQL would walk through all
#: journeys that have been claimed before, as long as it takes most of them to wait.
_OLDEST_FIRST: Final = "ORDER BY (j.id + 0)"
#: The kind of the journeys that the next batch has; NULL where nothing can be claimed. For intake it is that of the
#: oldest, so that no kind waits for ever behind another.
NEXT_KIND: Final = {
    BatchKind.INTAKE: f"(SELECT j.kind {CLAIMABLE[BatchKind.INTAKE]} {_OLDEST_FIRST} LIMIT 1)",
    BatchKind.FOLLOW_UP: f"(SELECT j.kind {CLAIMABLE[BatchKind.FOLLOW_UP]} LIMIT 1)",
}


def list_claimable(ledger: Ledger, kind: BatchKind, now: datetime, limit: int, only: RowFilter = ALL) -> list[int]:
    """The journeys that ``batches.claim`` would take, oldest first."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(f"SELECT j.id {CLAIMABLE[kind]} {_OLDEST_FIRST} LIMIT :limit"),
            {"now": now, "limit": limit} | only.parameters,
        )
        return [row.id for row in rows]


class RowsRefused(Exception):  # noqa: N818 - what happened
    """A statement failed because of the rows that it was to change; its cause says why."""


def claim(
    connection: Connection,
    batch_id: int,
    kind: BatchKind,
    journey_kind: JourneyKind,
    now: datetime,
    limit: int,
    only: RowFilter,
) -> int:
    """Put up to ``limit`` of the journeys of a kind that may be claimed, oldest first, into a batch. Returns how many.

    Raises ``RowsRefused`` when one of them cannot be put into it.
    """
    try:
        return connection.execute(
            text(
                f"UPDATE journey SET batch_id = :batch WHERE id = ANY(ARRAY(SELECT j.id {CLAIMABLE[kind]} "
                f"AND j.kind = :journey_kind {_OLDEST_FIRST} LIMIT :limit FOR UPDATE OF j SKIP LOCKED))"
            ),
            {"batch": batch_id, "journey_kind": journey_kind, "now": now, "limit": limit} | only.parameters,
        ).rowcount
    except DBAPIError as error:
        if faults.is_ours(error):
            raise RowsRefused("journeys cannot be claimed") from error
        raise


_MOVE: Final = (
    "UPDATE journey SET batch_id = :into WHERE id IN (SELECT id FROM journey WHERE {} ORDER BY id FOR NO KEY UPDATE)"
)


def move_some(connection: Connection, batch_id: int, journey_ids: Sequence[int], *, into: int) -> int:
    """Move these journeys of a batch into another one. Returns how many it has."""
    return connection.execute(
        text(_MOVE.format("id = ANY(:ids) AND batch_id = :batch")),
        {"into": into, "batch": batch_id, "ids": list(journey_ids)},
    ).rowcount


def move_all(connection: Connection, batch_id: int, *, into: int) -> int:
    """Move all journeys of a batch into another one. Returns how many."""
    return connection.execute(text(_MOVE.format("batch_id = :batch")), {"into": into, "batch": batch_id}).rowcount


def set_free(connection: Connection, batch_id: int) -> None:
    """No batch works any more on what this one still holds."""
    connection.execute(text("UPDATE journey SET batch_id = NULL WHERE batch_id = :id"), {"id": batch_id})


def stop_waiting(connection: Connection, now: datetime) -> None:
    """Journeys that wait at assignment until somebody is back may be claimed now."""
    connection.execute(
        text(
            "UPDATE journey SET run_after = :now WHERE id IN (SELECT id FROM journey WHERE status = 'ready' "
            "AND batch_id IS NULL AND stage = 'assignment' AND run_after > :now ORDER BY id "
            "FOR UPDATE SKIP LOCKED)"
        ),
        {"now": now},
    )
