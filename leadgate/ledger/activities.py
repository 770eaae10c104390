"""The table ``activity``: what leads and reps did, and whose lead it was about.

Belongs here: every statement that writes the table, and what stages ask about activities. Does not belong here: reading
files (``connectors.files``), or what counts as a touch (``leadgate.sla.touches``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import bulk, faults
from leadgate.ledger.journeys.locking import decide_again, lock_open_journeys
from leadgate.ledger.only import ALL, Only

if TYPE_CHECKING:
    import pandas as pd


def lead_activities(connection: Connection, batch_id: int, stage: str) -> pd.DataFrame:
    """What the leads of a batch did: ``journey_id``, ``kind``, ``occurred_at``, oldest first."""
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, a.kind, a.occurred_at FROM journey j
        JOIN activity a ON a.lead_id = j.lead_id AND a.actor = 'lead'
        WHERE j.batch_id = :batch AND j.stage = :stage ORDER BY j.id, a.occurred_at, a.id""",
        batch=batch_id,
        stage=stage,
    )


def done_since(connection: Connection, batch_id: int, outcomes: Sequence[str]) -> pd.DataFrame:
    """What was done about the owned leads of a batch since their assignment, oldest first.

    What reps did, and activities of a kind in ``outcomes`` by anybody: ``journey_id``, ``kind``, ``actor``, ``rep``,
    ``occurred_at``, ``seconds``, ``automatic``.
    """
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, t.kind, t.actor, t.rep, t.occurred_at, t.seconds, t.automatic FROM journey j
        JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
        JOIN activity t ON t.lead_id = j.lead_id AND t.occurred_at >= a.assigned_at
            AND (t.actor = 'rep' OR t.kind = ANY(:outcomes))
        WHERE j.batch_id = :batch AND j.status = 'owned' ORDER BY j.id, t.occurred_at, t.id""",
        batch=batch_id,
        outcomes=list(outcomes),
    )


def unmatched(connection: Connection) -> list[int]:
    """Activities that nobody was known for and whose lead is known by now."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT u.id FROM activity u JOIN identity k ON k.kind = 'email' AND k.value = u.email "
            "WHERE u.lead_id IS NULL ORDER BY u.id"
        )
    )
    return [row.id for row in rows]


def try_to_match_activities(connection: Connection, now: datetime) -> None:
    """``match_activities`` within a transaction about something else, which an activity that cannot be matched must
    not stop: nothing is matched then, and the next claim finds the one to blame (``tasks.claiming``)."""
    try:
        with connection.begin_nested():
            match_activities(connection, now)
    except DBAPIError as error:
        if not faults.is_ours(error):
            raise


def match_activities(connection: Connection, now: datetime, only: Only = ALL) -> None:
    """Give activities that nobody was known for to the leads that are known by now.

    Activities that another transaction is giving away right now are left to it: nobody waits for anybody
    while holding activities.
    """
    matched = connection.execute(
        text(
            f"""
            UPDATE activity a SET lead_id = i.lead_id FROM identity i
            WHERE i.kind = 'email' AND i.value = a.email AND a.id IN (
                SELECT u.id FROM activity u JOIN identity k ON k.kind = 'email' AND k.value = u.email
                WHERE u.lead_id IS NULL AND {only.condition("u.id")} FOR UPDATE OF u SKIP LOCKED)
            RETURNING a.lead_id, a.actor"""
        ),
        only.parameters,
    ).fetchall()
    if not matched:
        return
    journeys = list(lock_open_journeys(connection, [row.lead_id for row in matched]).values())
    decide_again(connection, journeys)
    connection.execute(
        text(
            "UPDATE lead SET rescore_at = :now WHERE id IN (SELECT id FROM lead "
            "WHERE id = ANY(:ids) AND rescore_at IS NULL ORDER BY id FOR NO KEY UPDATE)"
        ),
        {"ids": [row.lead_id for row in matched if row.actor == "lead"], "now": now},
    )
    connection.execute(
        text("UPDATE assignment SET next_check_at = :now WHERE ended_at IS NULL AND journey_id = ANY(:ids)"),
        {"ids": journeys, "now": now},
    )
