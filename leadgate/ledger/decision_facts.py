"""What came of the decisions about journeys: handoffs, qualifications and assignments, as they are kept.

Belongs here: reading what a decision that is made again is compared with, and what became of leads later. Does not
belong here: what it was decided from (``decision_inputs``), or the comparison (``tasks.replay``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from leadgate.ledger import bulk
from leadgate.ledger.said_outcomes import REJECTED
from leadgate.vocabulary import EndReason, StageName

if TYPE_CHECKING:
    import pandas as pd


def read_handoffs(connection: Connection, journeys: Collection[int]) -> pd.DataFrame:
    """``journey``, ``generation``, ``stage``, ``batch``, ``outcome`` and ``reason`` of the handoffs of ``journeys``."""
    return bulk.select(
        connection,
        "SELECT journey_id AS journey, generation, stage, batch_id AS batch, outcome, reason FROM handoff "
        "WHERE journey_id = ANY(:journeys)",
        journeys=list(journeys),
    )


def list_handed_on(connection: Connection, batch_id: int, stage: StageName) -> list[int]:
    """The journeys that ``stage`` handed on in a batch."""
    statement = text("SELECT journey_id FROM handoff WHERE batch_id = :batch AND stage = :stage ORDER BY journey_id")
    return list(connection.execute(statement, {"batch": batch_id, "stage": stage}).scalars())


def read_qualifications(connection: Connection, journeys: Collection[int]) -> pd.DataFrame:
    """``journey``, ``generation``, ``fit``, ``engagement``, ``grade`` and ``qualified_as``."""
    return bulk.select(
        connection,
        "SELECT journey_id AS journey, generation, fit, engagement, grade, qualified_as "
        "FROM qualification WHERE journey_id = ANY(:journeys)",
        journeys=list(journeys),
    )


def read_assignments(connection: Connection, journeys: Collection[int]) -> pd.DataFrame:
    """``journey``, ``generation``, ``owner``, ``route``, ``pool``, ``sla`` and ``due_at`` of the assignments that a
    route made."""
    return bulk.select(
        connection,
        "SELECT journey_id AS journey, generation, owner, rule AS route, pool, sla, due_at "
        "FROM assignment WHERE journey_id = ANY(:journeys) AND method = 'route'",
        journeys=list(journeys),
    )


def read_later(connection: Connection, journeys: Collection[int]) -> pd.DataFrame:
    """What became of journeys that had an owner: ``journey_id``, whether it was ``touched``, ``accepted`` and
    ``rejected``, the ``outcome`` that ended it, and the outcome that was ``recorded`` of it last."""
    return bulk.select(
        connection,
        f"""
        SELECT a.journey_id, bool_or(a.touched_at IS NOT NULL) AS touched,
            bool_or(a.accepted_at IS NOT NULL) AS accepted, bool_or({REJECTED}) AS rejected,
            max(a.end_reason) FILTER (WHERE starts_with(a.end_reason, '{EndReason.OUTCOME.add("")}')) AS outcome,
            (SELECT r.kind FROM recorded_outcome r WHERE r.journey_id = a.journey_id AND r.withdrawn_at IS NULL
                ORDER BY r.occurred_at DESC, r.id DESC LIMIT 1) AS recorded
        FROM assignment a WHERE a.journey_id = ANY(:journeys) GROUP BY a.journey_id""",
        journeys=list(journeys),
    )
