"""The tables ``assignment`` and ``missed``: who has what, from when to when and why, and which due times were missed.

Belongs here: every statement that writes the tables, and what stages ask about owners. Does not belong here: who gets a
lead (``leadgate.assignment``), when something is due (``leadgate.sla``), or the pools' turns (``pools``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.ledger.owner_messages import build_sql_key
from leadgate.ledger.pools import TakenTurn
from leadgate.vocabulary import BY_A_PERSON, EndReason, MessageKind

if TYPE_CHECKING:
    import pandas as pd


#: A condition that holds for every assignment. One index is over those that have ended, another over the others: with
#: this condition PostgreSQL uses both, and reads no other journey's assignments.
ENDED_OR_NOT: Final = "(ended_at IS NULL OR ended_at IS NOT NULL)"


_ASSIGNMENT_COLUMNS = [
    "journey_id", "kind", "generation", "owner", "pool", "rule", "turn", "candidates", "why", "inputs", "pointer",
    "sla", "priority", "playbook_hash", "assigned_at", "due_at", "due_soon_at", "next_check_at", "clock_from",
    "ladder_step", "acceptance_step", "stage_step", "method", "chance",
]  # fmt: skip


def count_open_leads(connection: Connection, reps: Collection[str]) -> dict[str, int]:
    """How many leads each of ``reps`` has now. Records are no part of anybody's cap."""
    rows = connection.execute(
        text(
            """
            SELECT r.rep, (SELECT count(*) FROM assignment a WHERE a.owner = r.rep AND a.ended_at IS NULL
                AND a.kind = 'lead') AS open
            FROM unnest(CAST(:reps AS text[])) AS r(rep)"""
        ),
        {"reps": sorted(reps)},
    )
    return {row.rep: row.open for row in rows}


def list_open_of(connection: Connection, owner: str) -> list[int]:
    """The journeys of leads that ``owner`` has now."""
    rows = connection.execute(
        text(
            "SELECT journey_id FROM assignment WHERE owner = :owner AND ended_at IS NULL AND kind = 'lead' "
            "ORDER BY journey_id"
        ),
        {"owner": owner},
    )
    return [row.journey_id for row in rows]


def count_recent_leads(
    connection: Connection, midnights: Mapping[str, datetime], mondays: Mapping[str, datetime]
) -> dict[str, tuple[int, int]]:
    """For each rep of ``midnights``: leads got since the rep's last midnight, and since the Monday before, in UTC."""
    rows = connection.execute(
        text(
            """
            SELECT m.rep, since.today, since.week
            FROM unnest(CAST(:reps AS text[]), CAST(:midnights AS timestamptz[]), CAST(:mondays AS timestamptz[]))
                AS m(rep, midnight, monday)
            CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE a.assigned_at >= m.midnight) AS today, count(*) AS week
                FROM assignment a
                WHERE a.owner = m.rep AND a.assigned_at >= m.monday AND a.kind = 'lead') AS since"""
        ),
        {
            "reps": list(midnights),
            "midnights": list(midnights.values()),
            "mondays": [mondays[rep] for rep in midnights],
        },
    )
    return {row.rep: (row.today, row.week) for row in rows}


#: How an assignment ends when its owner gives the lead back, or does nothing about it.
_RETURNED: Final = f"^({'|'.join((EndReason.REJECTED, EndReason.STALE))}): "


def list_previous_owners(connection: Connection, batch_id: int, returnable: Sequence[str] = ()) -> dict[int, list[str]]:
    """Reps who had a lead of the batch in this journey and lost or returned it: they do not get it again.

    For a recycled lead also the reps who gave it back, or with whom it went stale, in its earlier journeys. After an
    assignment that ended for a reason in ``returnable``, the rep may get the lead again.
    """
    rows = connection.execute(
        text(
            f"""
            SELECT j.id AS journey_id, array_agg(DISTINCT a.owner ORDER BY a.owner) AS owners
            FROM journey j JOIN journey p ON p.lead_id = j.lead_id
            JOIN assignment a ON a.journey_id = p.id AND a.ended_at IS NOT NULL AND a.end_reason <> ALL(:returnable)
            WHERE j.batch_id = :batch AND j.stage = 'assignment' AND (j.generation > 0 OR j.trigger = 'recycle')
            AND (p.id = j.id OR j.trigger = 'recycle' AND a.end_reason ~ '{_RETURNED}')
            GROUP BY j.id"""
        ),
        {"batch": batch_id, "returnable": list(returnable)},
    )
    return {row.journey_id: list(row.owners) for row in rows}


#: How an assignment ends that gives its owner no claim on the lead when it comes back.
_LOST: Final = f"^({'|'.join((EndReason.REJECTED, EndReason.SLA_MISSED, *BY_A_PERSON))})"


def find_earlier_owners(connection: Connection, batch_id: int) -> dict[int, str]:
    """Who had the lead of each journey of the batch in the journey before, unless they lost it or gave it back."""
    rows = connection.execute(
        text(
            f"""
            SELECT DISTINCT ON (j.id) j.id, a.owner, a.end_reason ~ '{_LOST}' AS lost
            FROM journey j JOIN journey before ON before.lead_id = j.lead_id AND before.id < j.id
            JOIN assignment a ON a.journey_id = before.id AND a.ended_at IS NOT NULL
            WHERE j.batch_id = :batch AND j.stage = 'assignment' AND j.status = 'ready'
                AND j.lead_id <> j.id  -- else this is the lead's first journey
            ORDER BY j.id, a.id DESC"""
        ),
        {"batch": batch_id},
    )
    return {row.id: row.owner for row in rows if not row.lost}


def insert_assignments(connection: Connection, frame: pd.DataFrame) -> None:
    """One open assignment a journey, with the journey's ``kind``."""
    failpoint("apply.assignments.before")
    bulk.copy(connection, "assignment", _ASSIGNMENT_COLUMNS, frame)
    failpoint("apply.assignments.after")


_OWNED = f"""
    SELECT j.id AS journey_id, j.version, j.generation, j.lead_id, j.source, j.captured_at,
        a.id AS assignment_id, a.owner, a.pool, a.sla, a.assigned_at,
        coalesce(a.clock_from, a.assigned_at) AS clock_from, a.due_at, a.due_soon_at, a.ladder_step,
        a.acceptance_step, a.next_touch_step, a.stage_step, a.touched_at, a.last_touched_at, a.accepted_at,
        a.stale_since, a.playbook_hash AS assigned_under,
        (SELECT count(*) FROM assignment o WHERE o.journey_id = j.id AND o.ended_at IS NULL) AS open_assignments,
        -- a row each: as EXISTS it may read the whole outbox
        coalesce(
            (SELECT true FROM outbox b
                WHERE b.key = {build_sql_key(MessageKind.LEAD_ASSIGNED, "j.id", "a.generation")} LIMIT 1),
            false
        ) AS owner_told
    FROM journey j LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
    WHERE j.batch_id = :batch AND j.status = 'owned' ORDER BY j.id"""


def read_owned(connection: Connection, batch_id: int) -> pd.DataFrame:
    """The owned journeys of a batch with their open assignment."""
    return bulk.select(connection, _OWNED, batch=batch_id).drop_duplicates("journey_id", ignore_index=True)


def find_last_active(connection: Connection, batch_id: int) -> dict[int, datetime]:
    """When anybody last did something about each owned lead of a batch, or the lead was heard of, since it was
    assigned; leads without any are left out."""
    rows = connection.execute(
        text(
            """
            SELECT j.id, greatest(
                (SELECT max(occurred_at) FROM activity WHERE lead_id = j.lead_id AND occurred_at >= a.assigned_at
                    AND withdrawn_at IS NULL),
                (SELECT max(q.captured_at) FROM journey q WHERE q.lead_id = j.lead_id AND q.joined_to = j.id)) AS at
            FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
            WHERE j.batch_id = :batch AND j.status = 'owned'"""
        ),
        {"batch": batch_id},
    )
    return {row.id: row.at for row in rows if row.at is not None}


_FOLLOWED_UP = {
    "ladder_step": "int",
    "acceptance_step": "int",
    "next_touch_step": "int",
    "stage_step": "int",
    "due_at": "timestamptz",
    "due_soon_at": "timestamptz",
    "touched_at": "timestamptz",
    "last_touched_at": "timestamptz",
    "stale_since": "timestamptz",
    "next_check_at": "timestamptz",
    "ended_at": "timestamptz",
    "end_reason": "text",
}


def follow_up(connection: Connection, frame: pd.DataFrame) -> None:
    """Write what a follow-up check decided: ``assignment_id`` and the columns above.

    Of a row about which nothing happened (``quiet``), and most are, only when to look again.
    """
    if frame.empty:
        return
    failpoint("apply.follow_up.before")
    quiet = frame["quiet"].astype(bool)
    _update_assignments(connection, "looked_at", ["next_check_at"], frame[quiet])
    _update_assignments(connection, "followed_up", list(_FOLLOWED_UP), frame[~quiet])
    failpoint("apply.follow_up.after")


def _update_assignments(connection: Connection, name: str, columns: Sequence[str], frame: pd.DataFrame) -> None:
    if not frame.empty:
        types = {"assignment_id": "bigint"} | {column: _FOLLOWED_UP[column] for column in columns}
        bulk.fill_temporary(connection, name, types, frame)
        sets = ", ".join(f"{column} = f.{column}" for column in columns)
        connection.execute(text(f"UPDATE assignment a SET {sets} FROM {name} f WHERE a.id = f.assignment_id"))


def record_missed(connection: Connection, frame: pd.DataFrame, now: datetime) -> None:
    """Keep what was missed, once for each clock that ran out, and when it was met after all.

    A row of ``frame`` that is not ``missed`` was met in time: that it was recorded as missed, because the touch became
    known late, is made good.
    """
    if frame.empty:
        return
    types = {"assignment_id": "bigint", "journey_id": "bigint", "target": "text", "since": "timestamptz",
             "due_at": "timestamptz", "met_at": "timestamptz", "missed": "boolean"}  # fmt: skip
    bulk.fill_temporary(connection, "targets_due", types, frame)
    connection.execute(
        text(
            "INSERT INTO missed (assignment_id, journey_id, target, since, due_at, noticed_at, met_at) "
            "SELECT assignment_id, journey_id, target, since, due_at, :now, met_at FROM targets_due WHERE missed "
            "ORDER BY assignment_id, target, since ON CONFLICT (assignment_id, target, since) DO NOTHING"
        ),
        {"now": now},
    )
    connection.execute(
        text(
            "UPDATE missed m SET met_at = d.met_at FROM targets_due d WHERE m.assignment_id = d.assignment_id "
            "AND m.target = d.target AND m.since = d.since AND m.met_at IS DISTINCT FROM d.met_at"
        )
    )


def accept(connection: Connection, journey_id: int, now: datetime) -> bool:
    """The owner of a journey has accepted it. False when it was accepted before."""
    return bool(
        connection.execute(
            text(
                "UPDATE assignment SET accepted_at = :now "
                "WHERE journey_id = :id AND ended_at IS NULL AND accepted_at IS NULL"
            ),
            {"id": journey_id, "now": now},
        ).rowcount
    )


def unaccept(connection: Connection, journey_ids: Sequence[int]) -> None:
    """Nobody has accepted these journeys."""
    connection.execute(
        text("UPDATE assignment SET accepted_at = NULL WHERE ended_at IS NULL AND journey_id = ANY(:ids)"),
        {"ids": list(journey_ids)},
    )


def forget_touch(connection: Connection, assignment_id: int, at: datetime) -> None:
    """The touch ``at`` that moment counts no more. The follow-up check finds those that remain."""
    connection.execute(
        text(
            "UPDATE assignment SET touched_at = nullif(touched_at, :at), "
            "last_touched_at = CASE WHEN last_touched_at = :at THEN nullif(touched_at, :at) ELSE last_touched_at END "
            "WHERE id = :id"
        ),
        {"id": assignment_id, "at": at},
    )


def end(connection: Connection, journey_ids: Sequence[int], reason: str, now: datetime) -> None:
    """The open assignments of these journeys end."""
    connection.execute(
        text(
            "UPDATE assignment SET ended_at = :now, end_reason = :reason "
            "WHERE ended_at IS NULL AND journey_id = ANY(:ids)"
        ),
        {"ids": list(journey_ids), "reason": reason, "now": now},
    )


def give_turn_back(connection: Connection, journey_id: int, pools: Collection[str]) -> TakenTurn | None:
    """The turn that the open assignment took of one of ``pools`` is given back. None where it took none of them."""
    row = connection.execute(
        text(
            "UPDATE assignment SET turn_given_back = true WHERE journey_id = :id AND ended_at IS NULL AND turn "
            "AND NOT turn_given_back AND pool = ANY(:pools) RETURNING pool, kind, owner"
        ),
        {"id": journey_id, "pools": sorted(pools)},
    ).one_or_none()
    return None if row is None else TakenTurn(*row)


def take_turns_again(connection: Connection, assignment_ids: Sequence[int]) -> list[TakenTurn]:
    """Of these assignments, the turns that were given back are not."""
    rows = connection.execute(
        text(
            "UPDATE assignment SET turn_given_back = false WHERE id = ANY(:ids) AND turn_given_back "
            "RETURNING pool, kind, owner"
        ),
        {"ids": list(assignment_ids)},
    )
    return [TakenTurn(*row) for row in rows]


def reopen(connection: Connection, assignment_ids: Sequence[int], now: datetime) -> None:
    """These assignments go on, with the clock that they had, in the generation of their journeys."""
    connection.execute(
        text(
            "UPDATE assignment a SET ended_at = NULL, end_reason = NULL, next_check_at = :now, "
            "generation = j.generation FROM journey j WHERE a.id = ANY(:ids) AND j.id = a.journey_id"
        ),
        {"ids": list(assignment_ids), "now": now},
    )


def look_again(connection: Connection, journey_ids: Sequence[int], at: datetime) -> None:
    """Check the open assignments of these journeys again at ``at``."""
    if journey_ids:
        connection.execute(
            text("UPDATE assignment SET next_check_at = :at WHERE ended_at IS NULL AND journey_id = ANY(:ids)"),
            {"ids": list(journey_ids), "at": at},
        )
