"""The table ``decision_input``: what stages decided from. Append-only.

Belongs here: every statement that reads or writes the table. Does not belong here: how the content is written and read
(``tasks.decision_inputs``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.vocabulary import JourneyKind, StageName

#: What is read at a time: so many rows, or fewer that have so many journeys. A row of a large batch is a megabyte.
_ROWS_AT_A_TIME: Final = 50
_JOURNEYS_AT_A_TIME: Final = 10_000
_ROWS: Final = (
    "SELECT i.id, i.batch_id, i.stage, i.journeys, i.at, i.content, b.playbook_hash "
    "FROM decision_input i JOIN batch b ON b.id = i.batch_id"
)
_IN_ORDER: Final = "ORDER BY i.at, i.batch_id, i.id"


@dataclass(frozen=True, slots=True)
class DecisionInputRow:
    """What ``stage`` decided from for ``journeys`` journeys of a batch, and the playbook that it decided by."""

    id: int
    batch_id: int
    stage: StageName
    journeys: int
    at: datetime
    content: bytes
    playbook_hash: str


def insert(
    connection: Connection, batch_id: int, stage: StageName, journeys: int, at: datetime, content: bytes
) -> None:
    connection.execute(
        text(
            "INSERT INTO decision_input (batch_id, stage, journeys, at, content) "
            "VALUES (:batch_id, :stage, :journeys, :at, :content)"
        ),
        {"batch_id": batch_id, "stage": stage, "journeys": journeys, "at": at, "content": content},
    )


def list_since(
    connection: Connection, kind: JourneyKind, since: datetime | None, until: datetime | None = None
) -> Iterator[DecisionInputRow]:
    """The rows of batches of ``kind``, in the order in which they were decided; a row is read when it is asked for."""
    wanted = list(
        connection.execute(
            text(
                "SELECT i.id, i.journeys FROM decision_input i JOIN batch b ON b.id = i.batch_id "
                "WHERE b.journey_kind = :kind AND (CAST(:since AS timestamptz) IS NULL OR i.at >= :since) "
                "AND (CAST(:until AS timestamptz) IS NULL OR i.at < :until) ORDER BY i.at, i.batch_id, i.id"
            ),
            {"kind": kind, "since": since, "until": until},
        )
    )
    statement = f"{_ROWS} WHERE i.id = ANY(:ids) {_IN_ORDER}"
    ids: list[int] = []
    journeys = 0
    for place, row in enumerate(wanted, start=1):
        ids.append(row.id)
        journeys += row.journeys
        if len(ids) == _ROWS_AT_A_TIME or journeys >= _JOURNEYS_AT_A_TIME or place == len(wanted):
            yield from read_rows(connection, DecisionInputRow, statement, ids=ids)
            ids, journeys = [], 0


def count_decisions(connection: Connection, since: datetime, until: datetime | None = None) -> int:
    """How many decisions there are of leads and records: a replay's size."""
    statement = text(
        "SELECT coalesce(sum(journeys), 0) FROM decision_input WHERE at >= :since "
        "AND (CAST(:until AS timestamptz) IS NULL OR at < :until)"
    )
    return int(connection.execute(statement, {"since": since, "until": until}).scalar_one())


def is_any_since(connection: Connection, kind: JourneyKind, since: datetime | None) -> bool:
    """Whether anything was decided about ``kind`` from ``since`` on that can be decided again."""
    statement = text(
        "SELECT EXISTS (SELECT FROM decision_input i JOIN batch b ON b.id = i.batch_id "
        "WHERE b.journey_kind = :kind AND (CAST(:since AS timestamptz) IS NULL OR i.at >= :since))"
    )
    return bool(connection.execute(statement, {"kind": kind, "since": since}).scalar_one())


def list_of_batches(connection: Connection, batches: Collection[int]) -> list[DecisionInputRow]:
    """The rows of these batches, in the order in which they were decided."""
    statement = f"{_ROWS} WHERE i.batch_id = ANY(:batches) {_IN_ORDER}"
    return read_rows(connection, DecisionInputRow, statement, batches=sorted(batches))


def list_before(connection: Connection, batches: Collection[int], journeys: Collection[int]) -> list[DecisionInputRow]:
    """What stages before assignment decided from for ``journeys`` in other batches, before the last of ``batches``."""
    statement = f"""
        {_ROWS} WHERE i.stage <> 'assignment' AND i.batch_id IN (SELECT h.batch_id FROM handoff h
            WHERE h.journey_id = ANY(:journeys) AND h.batch_id < :last AND h.batch_id <> ALL(:batches)) {_IN_ORDER}"""
    return read_rows(
        connection, DecisionInputRow, statement, journeys=sorted(journeys), batches=sorted(batches), last=max(batches)
    )


def find_assignment_before(connection: Connection, batch_id: int) -> DecisionInputRow | None:
    """The last assignment of leads before a batch: the state of pools and reps of then."""
    statement = f"""
        {_ROWS} WHERE i.stage = 'assignment' AND b.journey_kind = 'lead' AND i.id = (SELECT max(o.id)
            FROM decision_input o JOIN batch p ON p.id = o.batch_id
            WHERE o.stage = 'assignment' AND p.journey_kind = 'lead' AND o.batch_id < :batch)"""
    return read_row(connection, DecisionInputRow, statement, batch=batch_id)
