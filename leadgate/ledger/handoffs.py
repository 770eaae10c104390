"""The table ``handoff``: each journey that left a stage, once a generation. Append-only.

Belongs here: every statement that writes the table. Does not belong here: where the journey goes (``journeys``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.vocabulary import HandoffOutcome, JourneyStatus, StageName

_INSERT: Final = "INSERT INTO handoff (journey_id, generation, stage, outcome, reason, batch_id, playbook_hash, at) "


def record_moving(
    connection: Connection, *, stage: StageName, batch_id: int, playbook_hash: str, now: datetime
) -> None:
    """A handoff for each row of the temporary table ``moving`` (``journeys.stage_moves``) that leaves ``stage``."""
    connection.execute(
        text(
            _INSERT + "SELECT m.journey_id, m.generation - m.generations, CAST(:stage AS text), m.handoff, m.reason, "
            ":batch, CAST(:hash AS text), :now FROM moving m WHERE m.handoff IS NOT NULL ORDER BY m.journey_id"
        ),
        {"stage": stage, "batch": batch_id, "hash": playbook_hash, "now": now},
    )


def record_all_at(
    connection: Connection,
    *,
    batch_id: int,
    stage: StageName,
    status: JourneyStatus,
    outcome: HandoffOutcome,
    reason: str | None = None,
    playbook_hash: str,
    now: datetime,
) -> None:
    """A handoff for each journey of the batch that is at ``stage`` with ``status``."""
    connection.execute(
        text(
            _INSERT + "SELECT id, generation, stage, CAST(:outcome AS text), CAST(:reason AS text), :batch, "
            "CAST(:hash AS text), :now FROM journey WHERE batch_id = :batch AND stage = :stage AND status = :status "
            "ORDER BY id"
        ),
        {
            "batch": batch_id,
            "stage": stage,
            "status": status,
            "outcome": outcome,
            "reason": reason,
            "hash": playbook_hash,
            "now": now,
        },
    )


def record(
    connection: Connection,
    rows: Sequence[tuple[int, int, str]],
    *,
    stage: StageName,
    outcome: HandoffOutcome,
    reason: str,
    now: datetime,
) -> None:
    """What a person's word did to journeys that leave ``stage``.

    ``rows``: of each journey its id, its generation, and the hash of the playbook by which that happened.
    """
    ids, generations, hashes = zip(*rows, strict=True) if rows else ((), (), ())
    connection.execute(
        text(
            _INSERT + "SELECT h.id, h.generation, CAST(:stage AS text), CAST(:outcome AS text), CAST(:reason AS text), "
            "NULL, h.hash, :now FROM unnest(CAST(:ids AS bigint[]), CAST(:generations AS int[]), "
            "CAST(:hashes AS text[])) AS h (id, generation, hash) ORDER BY h.id"
        ),
        {
            "ids": list(ids),
            "generations": list(generations),
            "hashes": list(hashes),
            "stage": stage,
            "outcome": outcome,
            "reason": reason,
            "now": now,
        },
    )
