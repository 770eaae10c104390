"""Reading journeys to change them: locked in the order of their ids, and with the version that writers compare.

Belongs here: these queries, and raising ``journey.version`` where nothing else of the journey changes. Does not belong
here: transitions (``stage_moves``, ``person_moves``). Lock order everywhere: batch, journeys by id, identities sorted,
pools by id. Changing a lead needs its open journey locked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.ledger.batches import Batch
from leadgate.ledger.database import Ledger
from leadgate.ledger.faults import Conflict
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.vocabulary import OPEN, JourneyKind, JourneyStatus, StageName, list_in_sql

if TYPE_CHECKING:
    import pandas as pd


_OPEN: Final = list_in_sql(OPEN)


@dataclass(frozen=True, slots=True)
class HeldJourney:
    """A journey that waits behind a work item. ``by_time``: it is about a record of which nothing was told."""

    id: int
    lead_id: int | None
    stage: StageName
    generation: int
    work_item_id: int
    kind: JourneyKind
    by_time: bool


@dataclass(frozen=True, slots=True)
class LockedJourney:
    """A journey as it is now; ``owner`` and ``playbook_hash`` are of its open assignment, if it has one."""

    id: int
    kind: JourneyKind
    lead_id: int | None
    record_id: int | None
    status: JourneyStatus
    stage: StageName
    generation: int
    owner: str | None
    playbook_hash: str | None


class AboutJourney(TypedDict, total=False):
    """What a work item says of the journey that it is about, if it is about one."""

    journey_id: int
    source: str
    generation: int


def lock_journeys(
    connection: Connection, batch: Batch, stage: StageName, status: JourneyStatus, frame: pd.DataFrame
) -> None:
    """Lock the stage's journeys and compare their versions with those gathered. Raises ``Conflict``."""
    failpoint("apply.lock.before")
    rows = connection.execute(
        text(
            "SELECT id, version FROM journey WHERE batch_id = :batch AND stage = :stage AND status = :status "
            "ORDER BY id FOR NO KEY UPDATE"
        ),
        {"batch": batch.id, "stage": stage, "status": status},
    ).fetchall()
    gathered = sorted(zip(bulk.list_values(frame["journey_id"]), bulk.list_values(frame["version"]), strict=True))
    if [tuple(row) for row in rows] != gathered:
        raise Conflict(f"journeys of batch {batch.id} changed while {stage} was deciding")
    failpoint("apply.lock.after")


def lock_waiting_stages(connection: Connection, batch: Batch) -> list[StageName]:
    """The stages at which journeys of the batch still wait, those journeys locked."""
    rows = connection.execute(
        text("SELECT stage FROM journey WHERE batch_id = :batch AND status = 'ready' ORDER BY id FOR NO KEY UPDATE"),
        {"batch": batch.id},
    )
    return [StageName(stage) for stage in sorted({row.stage for row in rows})]


def lock_batch_journeys(connection: Connection, batch: Batch, status: JourneyStatus) -> list[int]:
    """The batch's journeys with ``status``, locked, by id."""
    rows = connection.execute(
        text("SELECT id FROM journey WHERE batch_id = :batch AND status = :status ORDER BY id FOR NO KEY UPDATE"),
        {"batch": batch.id, "status": status},
    )
    return [row.id for row in rows]


def count_entering_by_stage(ledger: Ledger, batch: Batch) -> dict[str, int]:
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


def lock_held_by(connection: Connection, work_item_ids: Sequence[int]) -> list[HeldJourney]:
    """The journeys that these items hold, locked in order."""
    return read_rows(
        connection,
        HeldJourney,
        "SELECT id, lead_id, stage, generation, work_item_id, kind, "
        "record_id IS NOT NULL AND signal_id IS NULL AS by_time FROM journey "
        "WHERE work_item_id = ANY(:items) AND status = 'held' ORDER BY id FOR UPDATE",
        items=list(work_item_ids),
    )


def lock_journey(connection: Connection, journey_id: int) -> LockedJourney | None:
    """A journey, locked.

    It is read once it is locked: a statement that waits for the lock reads the journey as it is then, but its
    assignment as it was before, and the lead may have gone to somebody else.
    """
    connection.execute(text("SELECT FROM journey WHERE id = :id FOR UPDATE"), {"id": journey_id})
    return read_row(
        connection,
        LockedJourney,
        "SELECT j.id, j.kind, j.lead_id, j.record_id, j.status, j.stage, j.generation, a.owner, a.playbook_hash "
        "FROM journey j LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL WHERE j.id = :id",
        id=journey_id,
    )


def read_generations(connection: Connection, journey_ids: Sequence[int]) -> dict[int, int]:
    """The generation of each of these journeys."""
    rows = connection.execute(
        text("SELECT id, generation FROM journey WHERE id = ANY(:ids)"), {"ids": list(journey_ids)}
    )
    return {row.id: row.generation for row in rows}


def lock_open_journeys(connection: Connection, lead_ids: Collection[int]) -> dict[int, int]:
    """The open journey of each lead that has one. Changing a lead needs its open journey locked, by id."""
    if not lead_ids:
        return {}
    rows = connection.execute(
        text(
            f"SELECT lead_id, id FROM journey WHERE lead_id = ANY(:leads) AND status IN ({_OPEN}) "
            "ORDER BY id FOR NO KEY UPDATE"
        ),
        {"leads": sorted(set(lead_ids))},
    )
    return {row.lead_id: row.id for row in rows}


def lock_journeys_about(connection: Connection, lead_ids: Collection[int], record_ids: Collection[int]) -> list[int]:
    """The open journeys of these leads and records, locked in the order of ids."""
    if not lead_ids and not record_ids:
        return []
    rows = connection.execute(
        text(
            "SELECT id FROM journey WHERE (lead_id = ANY(CAST(:leads AS bigint[])) "
            f"OR record_id = ANY(CAST(:records AS bigint[]))) AND status IN ({_OPEN}) ORDER BY id FOR NO KEY UPDATE"
        ),
        {"leads": sorted(set(lead_ids)), "records": sorted(set(record_ids))},
    )
    return [row.id for row in rows]


def decide_again(connection: Connection, journey_ids: Collection[int], *, except_in: int | None = None) -> None:
    """There is news of these leads: a stage that has read them meets a conflict, and reads them again.

    ``except_in`` names the batch that brings the news itself.
    """
    if journey_ids:
        connection.execute(
            text(
                "UPDATE journey SET version = version + 1 "
                "WHERE id = ANY(:ids) AND batch_id IS DISTINCT FROM CAST(:batch AS bigint)"
            ),
            {"ids": sorted(set(journey_ids)), "batch": except_in},
        )


def raise_versions(connection: Connection, journey_ids: Collection[int]) -> None:
    """A person has changed something about these journeys: a stage that has read them decides again."""
    connection.execute(
        text("UPDATE journey SET version = version + 1 WHERE id = ANY(:ids)"), {"ids": list(journey_ids)}
    )


def read_journey_origin(connection: Connection, journey_id: int) -> AboutJourney:
    """What a work item says of this journey."""
    row = connection.execute(text("SELECT source, generation FROM journey WHERE id = :id"), {"id": journey_id}).one()
    return {"journey_id": journey_id, "source": row.source, "generation": row.generation}
