"""Owned leads that change hands by a person's word: what they are now, and what they become.

Belongs here: these queries. Does not belong here: who gets them
(``assignment.reassignment``), or accepting and rejecting by an owner (``actions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, text

from leadgate.actors import Actor
from leadgate.failpoints import failpoint
from leadgate.ledger import bulk, decisions, records
from leadgate.ledger.actions import record
from leadgate.ledger.owner_messages import HANDED_OVER, LEAD_ASSIGNED, build

#: An old owner is told of it by this kind of message.

#: How an assignment ends.
_PAST: Final = {"reassign": "reassigned", "unassign": "unassigned", "transfer": "transferred"}

_OWNED: Final = """
    SELECT j.id AS journey_id, j.lead_id, j.source, j.generation, a.id AS assignment_id, a.owner AS had_it,
        a.pool, a.sla, a.priority, coalesce(a.clock_from, a.assigned_at) AS clock_from, a.due_at, a.due_soon_at,
        a.ladder_step, a.acceptance_step, a.stage_step,
        l.language, l.product, ARRAY(SELECT DISTINCT e.owner FROM assignment e
            WHERE e.journey_id = j.id ORDER BY e.owner) AS excluded
    FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL JOIN lead l ON l.id = j.lead_id
    WHERE j.status = 'owned' AND {} ORDER BY j.id FOR NO KEY UPDATE OF j"""


@dataclass(frozen=True)
class TakenAway:
    """The work item that asks who gets the lead (none: it is in nurture), and the number that undoes it."""

    work_item_id: int | None
    action: int


def owned(connection: Connection, journey_id: int) -> pd.DataFrame:
    """An owned journey with its open assignment, locked; no row when nobody owns it.

    ``excluded``: everybody who has or had it in this journey.
    """
    return bulk.select(connection, _OWNED.format("j.id = :id"), id=journey_id)


def book(connection: Connection, owner: str) -> pd.DataFrame:
    """All that ``owner`` has, as ``owned`` tells it, locked in order."""
    return bulk.select(connection, _OWNED.format("a.owner = :owner"), owner=owner)


def status(connection: Connection, journey_id: int) -> str | None:
    """The status of a journey, if there is one."""
    found: str | None = connection.execute(
        text("SELECT status FROM journey WHERE id = :id"), {"id": journey_id}
    ).scalar()
    return found


def hand_over(
    connection: Connection, frame: pd.DataFrame, *, what: str, reason: str, by: Actor, now: datetime, playbook_hash: str
) -> int:
    """Each journey of ``frame`` (the columns of ``owned``) to its ``owner``, as ``assignment.reassignment`` decided.

    The old assignment ends, and the next generation begins with the new one. Both owners are told. Returns the
    action's number.
    """
    failpoint("hand_over.before")
    next_one = frame["generation"] + 1
    _end(connection, frame, what=what, outcome="reassigned", now=now, playbook_hash=playbook_hash)
    connection.execute(
        text(
            "INSERT INTO handoff (journey_id, generation, stage, outcome, reason, playbook_hash, at) "
            "SELECT journey_id, generation + 1, 'assignment', 'continued', :what, CAST(:hash AS text), :now "
            "FROM handing_over ORDER BY journey_id"
        ),
        {"what": f"by hand ({what})", "hash": playbook_hash, "now": now},
    )
    decisions.insert_assignments(
        connection, frame.assign(generation=next_one, inputs=None, playbook_hash=playbook_hash, assigned_at=now)
    )
    _move(connection, status="owned", stage="follow_up", generations=1, now=now)
    told = build(LEAD_ASSIGNED, zip(frame["journey_id"], next_one, frame["owner"], strict=True))
    records.send(connection, pd.concat([_farewell(frame), told], ignore_index=True), now)
    number = _record(connection, frame, what, by, now, reason)
    failpoint("hand_over.after")
    return number


def take_away(
    connection: Connection,
    frame: pd.DataFrame,
    *,
    work_item: dict[str, Any] | None,
    reason: str,
    by: Actor,
    now: datetime,
    playbook_hash: str,
) -> TakenAway:
    """Each journey of ``frame`` has no owner any more: held behind ``work_item``, or without one in nurture."""
    failpoint("hand_over.before")
    outcome = "reassigned" if work_item else "nurture"
    _end(connection, frame, what="unassign", outcome=outcome, now=now, playbook_hash=playbook_hash)
    item: int | None = None
    if work_item is None:
        _move(connection, status="nurture", stage="follow_up", generations=0, now=now)
        decisions.forget_news(connection, [int(lead) for lead in frame["lead_id"]])
    else:
        item = records.open_work_items(connection, pd.DataFrame([work_item]))[0]
        connection.execute(
            text(
                "INSERT INTO handoff (journey_id, generation, stage, outcome, reason, playbook_hash, at) "
                "SELECT journey_id, generation + 1, 'assignment', 'held', 'unassigned', CAST(:hash AS text), :now "
                "FROM handing_over ORDER BY journey_id"
            ),
            {"hash": playbook_hash, "now": now},
        )
        _move(connection, status="held", stage="assignment", generations=1, now=now, work_item_id=item)
    records.send(connection, _farewell(frame), now)
    number = _record(connection, frame, "unassign", by, now, reason, item)
    failpoint("hand_over.after")
    return TakenAway(item, number)


def _record(
    connection: Connection,
    frame: pd.DataFrame,
    what: str,
    by: Actor,
    now: datetime,
    reason: str,
    work_item_id: int | None = None,
) -> int:
    """Keep who did it, with their own words: these may name the lead, and are erasable here alone."""
    rows: list[Any] = [*frame[["journey_id", "generation"]].rename(columns={"journey_id": "id"}).itertuples()]
    return record(connection, rows, what, by, now, work_item_id, note=reason)


def _end(
    connection: Connection,
    frame: pd.DataFrame,
    *,
    what: str,
    outcome: str,
    now: datetime,
    playbook_hash: str,
) -> None:
    """End the assignments, with the handoff and the end of whatever chased the old owner."""
    bulk.temporary(
        connection,
        "handing_over",
        {"journey_id": "bigint", "assignment_id": "bigint", "generation": "int"},
        frame,
    )
    connection.execute(
        text(
            "UPDATE assignment a SET ended_at = :now, end_reason = :ending FROM handing_over h "
            "WHERE a.id = h.assignment_id"
        ),
        {"now": now, "ending": _PAST[what]},
    )
    connection.execute(
        text(
            "INSERT INTO handoff (journey_id, generation, stage, outcome, reason, playbook_hash, at) "
            "SELECT journey_id, generation, 'follow_up', :outcome, :reason, CAST(:hash AS text), :now "
            "FROM handing_over ORDER BY journey_id"
        ),
        {"outcome": outcome, "reason": _PAST[what], "hash": playbook_hash, "now": now},
    )
    decisions.close_escalations(connection, [int(journey) for journey in frame["journey_id"]], now)


def _move(
    connection: Connection, *, status: str, stage: str, generations: int, now: datetime, work_item_id: int | None = None
) -> None:
    """Move the journeys on; a batch that has read them meets a conflict, and reads them again."""
    connection.execute(
        text(
            "UPDATE journey j SET status = :status, stage = :stage, version = version + 1, batch_id = NULL, "
            "run_after = :now, work_item_id = :item, generation = j.generation + :more, waived = NULL, "
            "start_stage = CASE WHEN :more = 1 THEN 'assignment' ELSE start_stage END "
            "FROM handing_over h WHERE j.id = h.journey_id"
        ),
        {"status": status, "stage": stage, "now": now, "item": work_item_id, "more": generations},
    )


def _farewell(frame: pd.DataFrame) -> pd.DataFrame:
    return build(HANDED_OVER, zip(frame["journey_id"], frame["generation"], frame["had_it"], strict=True))
