"""Moving journeys by a person's word: released, discarded, rejected, reassigned, and taken back.

Belongs here: transitions of a person; the breaker releases what it parked in the same way, and what a person deletes
in a CRM is held so. Does not belong here: what
else such an action writes, or whether it is allowed (``reruns``, ``reassignments``, ``joins``, ``undo`` …). The caller
has locked the journeys and compared their status; a row that does not match all the same is a ``Conflict``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.faults import Conflict
from leadgate.ledger.journeys.locking import HeldJourney
from leadgate.ledger.journeys.transition_sql import update
from leadgate.ledger.journeys.transitions import (
    APPROVE,
    DISCARD,
    GIVE_BACK,
    HOLD,
    HOLD_AGAIN,
    HOLD_INSTEAD,
    REASSIGN,
    REJECT,
    REJECT_FOR_GOOD,
    REJECT_TO_NURTURE,
    RERUN,
    UNASSIGN,
    UNASSIGN_TO_NURTURE,
    UNJOIN,
    Transition,
)
from leadgate.vocabulary import JourneyStatus, StageName

_THESE: Final = "j.id = ANY(:ids)"
#: What a person has answered for before stays waived.
_AGAIN: Final = (
    "waived = CASE WHEN CAST(:waived AS text) IS NULL THEN j.waived ELSE "
    "array_append(array_remove(j.waived, CAST(:waived AS text)), CAST(:waived AS text)) END, "
    "work_item_id = NULL, run_after = :now"
)
_RERUN: Final = update(
    RERUN,
    where=_THESE,
    sets="stage = coalesce(CAST(:stage AS text), j.stage), start_stage = coalesce(CAST(:stage AS text), j.stage), "
    + _AGAIN,
)
_APPROVE: Final = update(APPROVE, where=_THESE, sets=f"start_stage = 'assignment', {_AGAIN}")
_DISCARD: Final = update(DISCARD, where=_THESE, sets="work_item_id = NULL")
_HOLD: Final = update(HOLD, where=_THESE, sets="work_item_id = :item, batch_id = NULL")
_HOLD_INSTEAD: Final = update(HOLD_INSTEAD, where=_THESE, sets="work_item_id = :item")
_FREE: Final = "batch_id = NULL, run_after = :now"
_REJECTED: Final = {
    REJECT: update(REJECT, where=_THESE, sets=f"{_FREE}, start_stage = 'assignment'"),
    REJECT_TO_NURTURE: update(REJECT_TO_NURTURE, where=_THESE, sets=_FREE),
    REJECT_FOR_GOOD: update(REJECT_FOR_GOOD, where=_THESE, sets=_FREE),
}
_REASSIGNED: Final = {
    each: update(each, where=_THESE, sets=f"{_FREE}, waived = NULL, {more}")
    for each, more in {
        REASSIGN: "start_stage = 'assignment', work_item_id = NULL",
        UNASSIGN: "start_stage = 'assignment', work_item_id = :item",
        UNASSIGN_TO_NURTURE: "work_item_id = NULL",
    }.items()
}
_UNJOIN: Final = update(
    UNJOIN,
    where=_THESE,
    sets=f"{_FREE}, start_stage = 'capture', lead_id = NULL, joined_to = NULL, waived = NULL",
)
# a generation of its own: the one that the action ended is on record
_GIVE_BACK: Final = update(
    GIVE_BACK,
    where=_THESE,
    sets=f"{_FREE}, start_stage = 'assignment', work_item_id = NULL, waived = NULL, generation = greatest("
    "j.generation, 1 + (SELECT max(h.generation) FROM handoff h WHERE h.journey_id = j.id))",
)
_HOLD_AGAIN: Final = update(
    HOLD_AGAIN,
    where="j.id = x.id",
    source="unnest(CAST(:ids AS bigint[]), CAST(:items AS bigint[])) x (id, item)",
    sets="work_item_id = x.item",
)


def release(
    connection: Connection,
    journeys: Sequence[HeldJourney],
    *,
    now: datetime,
    stage: StageName | None = None,
    waived: str | None = None,
) -> None:
    """Make held journeys ready again, one generation on: at ``stage``, or where they are. A stage before that of the
    journey runs again; assignment follows what a person approved at qualification. ``waived``: the promise that a
    person answers for, beside those of before.

    Raises ``ValueError`` for a stage that the journeys cannot go to.
    """
    transition = APPROVE if stage == StageName.ASSIGNMENT and any(j.stage != stage for j in journeys) else RERUN
    for here in {journey.stage for journey in journeys}:
        if not transition.can_move((JourneyStatus.HELD, here), (JourneyStatus.READY, stage or here)):
            raise ValueError(f"a journey that is held at {here} cannot go on at {stage}")
    statement = _APPROVE if transition is APPROVE else _RERUN
    _move(connection, statement, [journey.id for journey in journeys], stage=stage, waived=waived, now=now)


def discard(connection: Connection, journeys: Sequence[HeldJourney]) -> None:
    """End held journeys."""
    _move(connection, _DISCARD, [journey.id for journey in journeys])


def hold(connection: Connection, journey_ids: Sequence[int], work_item_id: int, now: datetime) -> None:
    """Ready journeys wait behind the work item, whatever run has them."""
    _move(connection, _HOLD, journey_ids, item=work_item_id, now=now)


def hold_instead(connection: Connection, journey_ids: Sequence[int], work_item_id: int) -> None:
    """Held journeys wait behind this work item, and not behind the one before."""
    _move(connection, _HOLD_INSTEAD, journey_ids, item=work_item_id)


def reject(connection: Connection, journey_id: int, transition: Transition, now: datetime) -> None:
    """An owned journey by one of the transitions of a rejection."""
    _move(connection, _REJECTED[transition], [journey_id], now=now)


def reassign(
    connection: Connection,
    journey_ids: Sequence[int],
    transition: Transition,
    now: datetime,
    work_item_id: int | None = None,
) -> None:
    """Owned journeys by one of the transitions of a reassignment. A batch that has read them reads them again."""
    _move(connection, _REASSIGNED[transition], journey_ids, now=now, item=work_item_id)


def unjoin(connection: Connection, journey_id: int, now: datetime) -> None:
    """A journey that was taken for another lead's starts from its signal again, without a lead."""
    _move(connection, _UNJOIN, [journey_id], now=now)


def give_back(connection: Connection, journey_ids: Sequence[int], now: datetime) -> None:
    """The journeys are their owners' again."""
    _move(connection, _GIVE_BACK, journey_ids, now=now)


def hold_again(connection: Connection, journey_ids: Sequence[int], work_item_ids: Sequence[int]) -> None:
    """Discarded journeys wait behind their work items again."""
    _move(connection, _HOLD_AGAIN, journey_ids, items=list(work_item_ids))


def _move(connection: Connection, statement: str, journey_ids: Sequence[int], **parameters: object) -> None:
    ids = list(journey_ids)
    moved = connection.execute(text(statement), {"ids": ids} | parameters).rowcount
    if moved != len(set(ids)):
        raise Conflict(f"{len(set(ids)) - moved} journeys changed while they were decided")
