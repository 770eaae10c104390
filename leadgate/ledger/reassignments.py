"""Owned leads and records that change hands by a person's word: what they are now, and what they become.

Belongs here: reading them, and composing what the entities write. Does not belong here: a statement that writes a
table, who gets them (``assignment.reassignment``), or accepting and rejecting by an owner (``ownership``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.actors import Actor
from leadgate.failpoints import failpoint
from leadgate.ledger import assignments, bulk, handoffs, leads, outbox, work_items
from leadgate.ledger.actions import record
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.transitions import REASSIGN, UNASSIGN, UNASSIGN_TO_NURTURE, Transition, find_handoff
from leadgate.ledger.owner_messages import build, build_assigned
from leadgate.ledger.work_items import NewWorkItem
from leadgate.vocabulary import (
    ActionKind,
    AssignmentMethod,
    EndReason,
    HandoffOutcome,
    MessageKind,
    StageName,
)

_CONTINUED: Final = (StageName.ASSIGNMENT, HandoffOutcome.CONTINUED)
#: How an assignment ends.
_PAST: Final = {
    ActionKind.REASSIGN: EndReason.REASSIGNED,
    ActionKind.UNASSIGN: EndReason.UNASSIGNED,
    ActionKind.TRANSFER: EndReason.TRANSFERRED,
}

_OWNED: Final = """
    SELECT j.id AS journey_id, j.kind, j.lead_id, j.record_id, j.source, j.generation, a.id AS assignment_id,
        a.owner AS had_it, a.pool, a.sla, a.priority,
        coalesce(a.clock_from, a.assigned_at) AS clock_from, a.due_at, a.due_soon_at,
        a.ladder_step, a.acceptance_step, a.stage_step, a.chance,
        coalesce(l.language, r.values ->> 'language') AS language,
        coalesce(l.product, r.values ->> 'product') AS product,
        ARRAY(SELECT DISTINCT e.owner FROM assignment e WHERE e.journey_id = j.id ORDER BY e.owner) AS excluded
    FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
    LEFT JOIN lead l ON l.id = j.lead_id LEFT JOIN record r ON r.id = j.record_id
    WHERE j.status = 'owned' AND {} ORDER BY j.id FOR NO KEY UPDATE OF j"""


@dataclass(frozen=True)
class TakenAway:
    """The work item that asks who gets the lead (none: it is in nurture), and the number that undoes it."""

    work_item_id: int | None
    action: int


@dataclass(frozen=True, slots=True)
class _Reassigned:
    """A journey, and its generation before the action."""

    id: int
    generation: int


def lock_owned(connection: Connection, journey_id: int) -> pd.DataFrame:
    """An owned journey with its open assignment, locked; no row when nobody owns it.

    ``excluded``: everybody who has or had it in this journey.
    """
    return bulk.select(connection, _OWNED.format("j.id = :id"), id=journey_id)


def lock_all_owned(connection: Connection, owner: str, journeys: Collection[int] | None = None) -> pd.DataFrame:
    """All that ``owner`` has, or what they have of ``journeys``, as ``lock_owned`` tells it, locked in order."""
    if journeys is None:
        return bulk.select(connection, _OWNED.format("a.owner = :owner"), owner=owner)
    chosen = "j.id = ANY(CAST(:ids AS bigint[])) AND a.owner = :owner"
    return bulk.select(connection, _OWNED.format(chosen), owner=owner, ids=sorted(journeys))


def hand_over(
    connection: Connection,
    frame: pd.DataFrame,
    *,
    method: AssignmentMethod,
    reason: str,
    by: Actor,
    now: datetime,
    playbook_hash: str,
) -> int:
    """Each journey of ``frame`` (columns of ``lock_owned``) to its ``owner``, as ``assignment.reassignment`` decided.

    The old assignment ends, and the next generation begins with the new one. Both owners are told. Returns the
    action's number.
    """
    failpoint("hand_over.before")
    what, next_one = ActionKind(method), frame["generation"] + 1
    _end(connection, frame, REASSIGN, what=what, now=now, playbook_hash=playbook_hash)
    _hand_off(connection, frame.assign(generation=next_one), _CONTINUED, f"by hand ({method})", now, playbook_hash)
    assignments.insert_assignments(
        connection,
        frame.assign(
            generation=next_one,
            inputs=None,
            playbook_hash=playbook_hash,
            assigned_at=now,
            method=method,
        ),
    )
    person_moves.reassign(connection, _list_journeys(frame), REASSIGN, now)
    told = build_assigned(zip(frame["kind"], frame["journey_id"], next_one, frame["owner"], strict=True))
    outbox.send(connection, pd.concat([_build_farewell(frame), told], ignore_index=True), now)
    number = _record(connection, frame, what, by, now, reason)
    failpoint("hand_over.after")
    return number


def take_away(
    connection: Connection,
    frame: pd.DataFrame,
    *,
    work_item: NewWorkItem | None,
    reason: str,
    by: Actor,
    now: datetime,
    playbook_hash: str,
) -> TakenAway:
    """Each journey of ``frame`` has no owner any more: held behind ``work_item``, or without one in nurture."""
    failpoint("hand_over.before")
    transition = UNASSIGN if work_item else UNASSIGN_TO_NURTURE
    _end(connection, frame, transition, what=ActionKind.UNASSIGN, now=now, playbook_hash=playbook_hash)
    item: int | None = None
    if work_item is None:
        person_moves.reassign(connection, _list_journeys(frame), transition, now)
        leads.drop_pending_rescores(connection, bulk.list_values(frame["lead_id"].dropna()))
    else:
        item = work_items.open_work_items(connection, pd.DataFrame([work_item]))[0]
        held = frame.assign(generation=frame["generation"] + 1)
        _hand_off(connection, held, (StageName.ASSIGNMENT, HandoffOutcome.HELD), "unassigned", now, playbook_hash)
        person_moves.reassign(connection, _list_journeys(frame), transition, now, item)
    outbox.send(connection, _build_farewell(frame), now)
    number = _record(connection, frame, ActionKind.UNASSIGN, by, now, reason, item)
    failpoint("hand_over.after")
    return TakenAway(item, number)


def _record(
    connection: Connection,
    frame: pd.DataFrame,
    what: ActionKind,
    by: Actor,
    now: datetime,
    reason: str,
    work_item_id: int | None = None,
) -> int:
    """Keep who did it, with their own words: these may name the lead, and are erasable here alone."""
    journeys = [_Reassigned(journey, generation) for journey, generation in _list_ids(frame)]
    return record(connection, journeys, what, by, now, work_item_id, note=reason)


def _end(
    connection: Connection,
    frame: pd.DataFrame,
    transition: Transition,
    *,
    what: ActionKind,
    now: datetime,
    playbook_hash: str,
) -> None:
    """End the assignments, with the handoff, and close the old owner's escalations."""
    assignments.end(connection, _list_journeys(frame), _PAST[what], now)
    left = (StageName.FOLLOW_UP, find_handoff(transition))
    _hand_off(connection, frame, left, _PAST[what], now, playbook_hash)
    work_items.close_escalations(connection, _list_journeys(frame), now)


def _hand_off(
    connection: Connection,
    frame: pd.DataFrame,
    left: tuple[StageName, HandoffOutcome],
    reason: str,
    now: datetime,
    playbook_hash: str,
) -> None:
    rows = [(journey, generation, playbook_hash) for journey, generation in _list_ids(frame)]
    stage, outcome = left
    handoffs.record(connection, rows, stage=stage, outcome=outcome, reason=reason, now=now)


def _list_ids(frame: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(bulk.list_values(frame["journey_id"]), bulk.list_values(frame["generation"]), strict=True))


def _list_journeys(frame: pd.DataFrame) -> list[int]:
    return bulk.list_values(frame["journey_id"])


def _build_farewell(frame: pd.DataFrame) -> pd.DataFrame:
    return build(
        MessageKind.LEAD_HANDED_OVER, zip(frame["journey_id"], frame["generation"], frame["had_it"], strict=True)
    )
