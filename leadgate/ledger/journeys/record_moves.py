"""Journeys of records: which record a journey is about, and journeys that a later update takes the place of, or whose
record is gone.

Belongs here: statements that only journeys of records need. Does not belong here: the record and its versions
(``records``), or moves that journeys of every kind make (``stage_moves``, ``person_moves``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.faults import Conflict
from leadgate.ledger.journeys.transition_sql import update
from leadgate.ledger.journeys.transitions import SUPERSEDE, SUPERSEDE_HELD
from leadgate.ledger.typed_rows import read_rows
from leadgate.vocabulary import JourneyStatus, StageName, Trigger

_THESE: Final = "j.id = ANY(:ids)"
_SUPERSEDE_OWNED: Final = update(SUPERSEDE, where=f"{_THESE} AND j.status = 'owned'", sets="batch_id = NULL")
_SUPERSEDE_HELD: Final = update(SUPERSEDE_HELD, where=_THESE, sets="work_item_id = NULL")
_SUPERSEDE_READY: Final = update(SUPERSEDE, where=f"{_THESE} AND j.status = 'ready'", sets="batch_id = NULL")


@dataclass(frozen=True, slots=True)
class EarlierJourney:
    """A journey of a record that is open."""

    id: int
    record_id: int
    status: JourneyStatus
    stage: StageName
    trigger: Trigger
    generation: int
    work_item_id: int | None
    playbook_hash: str | None  # of its open assignment


def set_records(connection: Connection, journey_ids: Sequence[int], record_ids: Sequence[int]) -> None:
    """Say of each journey which record it is about. The journeys' batch is locked, and their versions stay."""
    connection.execute(
        text(
            "UPDATE journey j SET record_id = x.record_id FROM unnest(CAST(:ids AS bigint[]), "
            "CAST(:records AS bigint[])) AS x (id, record_id) WHERE j.id = x.id"
        ),
        {"ids": list(journey_ids), "records": list(record_ids)},
    )


def lock_earlier(
    connection: Connection, record_ids: Sequence[int], journey_ids: Sequence[int], statuses: Sequence[JourneyStatus]
) -> list[EarlierJourney]:
    """The journeys of these records with one of ``statuses``, locked in the order of ids, without ``journey_ids``."""
    return read_rows(
        connection,
        EarlierJourney,
        """SELECT j.id, j.record_id, j.status, j.stage, j.trigger, j.generation, j.work_item_id,
            (SELECT a.playbook_hash FROM assignment a WHERE a.journey_id = j.id AND a.ended_at IS NULL) AS playbook_hash
        FROM journey j WHERE j.record_id = ANY(:records) AND j.status = ANY(:statuses)
            AND NOT j.id = ANY(:ids) ORDER BY j.id FOR NO KEY UPDATE OF j""",
        records=list(record_ids),
        ids=list(journey_ids),
        statuses=list(statuses),
    )


def supersede_owned(connection: Connection, journey_ids: Sequence[int], now: datetime) -> None:
    """Owned journeys end: a later update of their records took their place. A batch that has read them reads again."""
    _move(connection, _SUPERSEDE_OWNED, journey_ids, now=now)


def supersede_ready(connection: Connection, journey_ids: Sequence[int], now: datetime) -> None:
    """Ready journeys end. A run that has read them reads again."""
    _move(connection, _SUPERSEDE_READY, journey_ids, now=now)


def supersede_held(connection: Connection, journey_ids: Sequence[int]) -> None:
    """Held journeys end: a later update of their records took their place."""
    _move(connection, _SUPERSEDE_HELD, journey_ids)


def _move(connection: Connection, statement: str, journey_ids: Sequence[int], **parameters: object) -> None:
    ids = list(journey_ids)
    moved = connection.execute(text(statement), {"ids": ids} | parameters).rowcount
    if moved != len(set(ids)):
        raise Conflict(f"{len(set(ids)) - moved} journeys changed while they were decided")
