"""Waiting for a lead: when it began, until when it was to last, and what ended it.

Belongs here: reading and writing pauses. Does not belong here: what a pause does to a due time
(``leadgate.sla.pauses``, ``leadgate.sla.sla_targets``), or a person asking for one (``ownership``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from leadgate.ledger import bulk

if TYPE_CHECKING:
    import pandas as pd

#: When the lead of a pause ``p`` was first heard of since it began: an activity, or a signal that joined its journey.
ANSWERED_AT: Final = """least(
    (SELECT min(t.occurred_at) FROM activity t
        WHERE t.lead_id = j.lead_id AND t.actor = 'lead' AND t.occurred_at > p.started_at),
    (SELECT min(q.captured_at) FROM journey q
        WHERE q.lead_id = j.lead_id AND q.joined_to = j.id AND q.captured_at > p.started_at))"""


def read_batch_pauses(connection: Connection, batch_id: int) -> pd.DataFrame:
    """The pauses of a batch's owned journeys, oldest first: ``pause_id``, ``journey_id``, ``started_at``, ``until``,
    ``ended_at``, and of an open one ``answered_at``, the lead's first sign of life since it began."""
    return bulk.select(
        connection,
        f"""
        SELECT p.id AS pause_id, p.journey_id, p.started_at, p.until, p.ended_at,
            CASE WHEN p.ended_at IS NULL THEN {ANSWERED_AT} END AS answered_at
        FROM pause p JOIN journey j ON j.id = p.journey_id
        WHERE j.batch_id = :batch AND j.status = 'owned' ORDER BY p.journey_id, p.started_at""",
        batch=batch_id,
    )


def begin(connection: Connection, journey_id: int, *, until: datetime, reason: str, by: str, now: datetime) -> None:
    """Wait for a lead from ``now`` on. A wait that is open has to end first."""
    connection.execute(
        text("INSERT INTO pause (journey_id, reason, by, started_at, until) VALUES (:id, :reason, :by, :now, :until)"),
        {"id": journey_id, "reason": reason, "by": by, "now": now, "until": until},
    )


def find_same(connection: Connection, journey_id: int, *, until: datetime, reason: str, by: str) -> int | None:
    """The number of the action that began the open wait, when that is what is asked for again; else None."""
    found: int | None = connection.execute(
        text(
            "SELECT x.number FROM pause p JOIN action x ON x.journey_id = p.journey_id AND x.what = 'wait' "
            "AND x.at = p.started_at WHERE p.journey_id = :id AND p.ended_at IS NULL AND p.until = :until "
            "AND p.reason = :reason AND p.by = :by ORDER BY x.id DESC LIMIT 1"
        ),
        {"id": journey_id, "until": until, "reason": reason, "by": by},
    ).scalar()
    return found


def end(connection: Connection, frame: pd.DataFrame) -> None:
    """End the pauses ``pause_id`` at ``ended_at``, by ``ended_by``."""
    if not frame.empty:
        types = {"pause_id": "bigint", "ended_at": "timestamptz", "ended_by": "text"}
        bulk.fill_temporary(connection, "pauses_over", types, frame)
        connection.execute(
            text(
                "UPDATE pause p SET ended_at = o.ended_at, ended_by = o.ended_by FROM pauses_over o "
                "WHERE p.id = o.pause_id AND p.ended_at IS NULL"
            )
        )


def list_open(connection: Connection, journey_ids: Sequence[int]) -> list[int]:
    """Those of these journeys that have an open pause."""
    rows = connection.execute(
        text("SELECT journey_id FROM pause WHERE ended_at IS NULL AND journey_id = ANY(:ids) ORDER BY journey_id"),
        {"ids": list(journey_ids)},
    )
    return [row.journey_id for row in rows]


def end_open(connection: Connection, journey_id: int, by: str, now: datetime) -> bool:
    """End the open pause, at the latest when it was to end or the lead was heard of. Whether it had not by ``now``."""
    ended = connection.execute(
        text(
            f"""
            UPDATE pause p SET ended_at = least(:now, o.over_at), ended_by = CASE WHEN o.over_at > :now THEN :by
                WHEN o.over_at = o.until THEN 'leadgate' ELSE 'lead' END
            FROM (SELECT p.id, p.until, least(p.until, {ANSWERED_AT}) AS over_at FROM pause p
                JOIN journey j ON j.id = p.journey_id WHERE p.journey_id = :id AND p.ended_at IS NULL) o
            WHERE p.id = o.id RETURNING p.ended_by NOT IN ('leadgate', 'lead')"""
        ),
        {"id": journey_id, "now": now, "by": by},
    ).scalar()
    return bool(ended)


def reopen_ended_with(connection: Connection, journey_id: int, ended_at: datetime, now: datetime) -> None:
    """The wait that ended when its journey did goes on, if it still would."""
    connection.execute(
        text(
            "UPDATE pause SET ended_at = NULL, ended_by = NULL "
            "WHERE journey_id = :id AND ended_at = :then AND ended_by = 'leadgate' AND until > :now"
        ),
        {"id": journey_id, "then": ended_at, "now": now},
    )


def reopen_ended_by_action(connection: Connection, journey_ids: Sequence[int], at: datetime, now: datetime) -> None:
    """The waits that a person ended ``at`` go on, if they still would."""
    connection.execute(
        text(
            "UPDATE pause SET ended_at = NULL, ended_by = NULL WHERE journey_id = ANY(:ids) AND ended_at = :at "
            "AND started_at < :at AND ended_by NOT IN ('lead', 'leadgate') AND until > :now"
        ),
        {"ids": list(journey_ids), "at": at, "now": now},
    )


def withdraw(connection: Connection, journey_ids: Sequence[int], started_at: datetime, by: str) -> None:
    """The open waits that began at ``started_at`` never were."""
    connection.execute(
        text(
            "UPDATE pause SET ended_at = started_at, ended_by = :by "
            "WHERE journey_id = ANY(:ids) AND started_at = :at AND ended_at IS NULL"
        ),
        {"ids": list(journey_ids), "at": started_at, "by": by},
    )
