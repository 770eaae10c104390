"""A part of a batch: some of its journeys, worked on alone for a while under a batch row of their own.

Belongs here: opening a part, putting journeys into it, taking them back. Does not belong here: which journeys
(``tasks.bisecting``), or what a stage does with them: a part is a batch like any other, so gathering, the fence
and every statement of a stage work on it unchanged. A process that dies leaves both open, and the next process
takes each of them over by itself.

Lock order as everywhere: batches by id (a part has the higher one), then journeys by id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger.batches import Batch, extend, grow, insert_part
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys import claiming
from leadgate.vocabulary import JourneyStatus, StageName


def list_journeys_at(ledger: Ledger, batch: Batch, stage: StageName, status: JourneyStatus) -> list[int]:
    """The journeys of the batch that wait at ``stage`` with ``status``, by id."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text("SELECT id FROM journey WHERE batch_id = :batch AND stage = :stage AND status = :status ORDER BY id"),
            {"batch": batch.id, "stage": stage, "status": status},
        )
        return [row.id for row in rows]


def open_part(ledger: Ledger, batch: Batch, lease_seconds: float) -> Batch:
    """A part of ``batch``, empty, with the same holder and playbook. Raises ``LeaseLost``."""
    with ledger.transaction(flushed=False) as connection:
        extend(connection, batch, lease_seconds)
        part_id = insert_part(connection, batch)
        failpoint("part.open.before")
    failpoint("part.open.after")
    return replace(batch, id=part_id, epoch=1, size=0)


def put_in(ledger: Ledger, batch: Batch, part: Batch, journeys: Sequence[int], lease_seconds: float) -> None:
    """Move ``journeys`` from the batch into its part. Raises ``LeaseLost``."""
    with _moving(ledger, batch, part, lease_seconds) as connection:
        grow(connection, part, claiming.move_some(connection, batch.id, journeys, into=part.id))


def take_back(ledger: Ledger, batch: Batch, part: Batch, lease_seconds: float) -> None:
    """Move all that the part still holds back into the batch. Raises ``LeaseLost``."""
    with _moving(ledger, batch, part, lease_seconds) as connection:
        grow(connection, part, -claiming.move_all(connection, part.id, into=batch.id))


@contextmanager
def _moving(ledger: Ledger, batch: Batch, part: Batch, lease_seconds: float) -> Iterator[Connection]:
    with ledger.transaction(flushed=False) as connection:
        extend(connection, batch, lease_seconds)
        extend(connection, part, lease_seconds)
        yield connection
        failpoint("part.move.before")
    failpoint("part.move.after")
