"""The effects of undoing each kind of action, for all journeys of the action at once.

Belongs here: combining the writes of the entities' modules. Does not belong here: a statement that writes a table, or
whether an action can still be undone, and by whom (``undo``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import pandas as pd
from sqlalchemy import Connection

from leadgate.actors import Actor
from leadgate.ledger import (
    activities,
    assignments,
    handoffs,
    leads,
    outbox,
    owner_messages,
    pauses,
    pools,
    work_items,
)
from leadgate.ledger.acted_journeys import ActedJourney
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.locking import read_generations
from leadgate.ledger.ownership import schedule_check_now
from leadgate.vocabulary import EndReason, HandoffOutcome, ItemResolution, JourneyStatus, MessageKind, StageName

_T = TypeVar("_T")


def withdraw_acceptance(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Withdraw the acceptance of the leads. Where it ended the journey, the owner gets the lead back, and the wait that
    ended with it goes on."""
    ended = [row for row in rows if row.status == JourneyStatus.DONE]
    if ended:
        restore_owner(connection, ended, by, now)
    for row in ended:
        pauses.reopen_ended_with(connection, row.id, _required(row.then_ended_at), now)
    assignments.unaccept(connection, _list_ids(rows))
    schedule_check_now(connection, _list_ids(rows), now)


def withdraw_touch(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Have the touch count no more. Where it ended the journey, the owner gets the lead back, and the wait that ended
    with it goes on; who was to chase the owner is asked again."""
    ended = [row for row in rows if row.is_ended_by_touch]
    if ended:
        restore_owner(connection, ended, by, now)
    for row in ended:
        pauses.reopen_ended_with(connection, row.id, _required(row.then_ended_at), now)
    activities.withdraw(connection, [_required(row.activity_id) for row in rows], now)
    for row in rows:
        at = _required(row.occurred_at)
        assignments.forget_touch(connection, _required(row.then_assignment), at)
        # the steps of the next touch count from the last one, so they are taken anew
        anew = [MessageKind.NEXT_TOUCH_OVERDUE] if row.then_last_touched_at == at else []
        if row in ended or row.status == JourneyStatus.OWNED:
            work_items.reopen_escalations(connection, row.id, row.at, besides=anew)
    schedule_check_now(connection, _list_ids(rows), now)


def keep_note_withdrawn(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Write nothing: a note whose action is undone is shown no more."""


def restore_owner(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Give the leads back to their previous owners, with the SLA clocks of then. Both owners are notified.

    A turn that the action took in a pool stays taken, and one that it gave back is taken again.
    """
    ids = _list_ids(rows)
    owned = [row for row in rows if row.owner is not None]
    assignments.end(connection, ids, EndReason.REASSIGNED, now)
    handoffs.record(
        connection,
        [(row.id, row.generation, _required(row.then_playbook_hash)) for row in owned],
        stage=StageName.FOLLOW_UP,
        outcome=HandoffOutcome.REASSIGNED,
        reason="undo",
        now=now,
    )
    work_items.close_work_items(
        connection,
        [_required(row.held_by) for row in rows if row.status == JourneyStatus.HELD],
        by=by.name,
        resolution=ItemResolution.UNDONE,
        now=now,
    )
    work_items.close_escalations(connection, ids, now)
    person_moves.give_back(connection, ids, now)
    before = [_required(row.then_assignment) for row in rows]
    pools.give_turns_back(connection, assignments.take_turns_again(connection, before), by=-1)
    assignments.reopen(connection, before, now)
    generations = read_generations(connection, ids)
    handoffs.record(
        connection,
        [(row.id, generations[row.id], _required(row.then_playbook_hash)) for row in rows],
        stage=StageName.ASSIGNMENT,
        outcome=HandoffOutcome.CONTINUED,
        reason="by hand (undo)",
        now=now,
    )
    leads.recycle(connection, [row.lead_id for row in rows if row.lead_id is not None], None)
    outbox.send(connection, _build_messages(rows, owned, generations), now)


def _build_messages(
    rows: Sequence[ActedJourney], owned: Sequence[ActedJourney], generations: Mapping[int, int]
) -> pd.DataFrame:
    """Messages to the owners who lose a lead (``owned``), and to the previous owners who have it again."""
    to_losers = owner_messages.build(
        MessageKind.LEAD_HANDED_OVER, ((row.id, row.generation, _required(row.owner)) for row in owned)
    )
    to_previous_owners = owner_messages.build_assigned(
        (row.kind, row.id, generations[row.id], _required(row.then_owner)) for row in rows
    )
    return pd.concat([to_losers, to_previous_owners], ignore_index=True)


def undo_wait(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Withdraw the wait that the action began. A wait that it replaced goes on."""
    pauses.withdraw(connection, _list_ids(rows), rows[0].at, by.name)
    undo_resume(connection, rows, by, now)


def undo_resume(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Let the wait that the action ended go on, unless its time is over by now."""
    pauses.reopen_ended_by_action(connection, _list_ids(rows), rows[0].at, now)
    schedule_check_now(connection, _list_ids(rows), now)


def undo_discard(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Open the work items again, and hold the discarded journeys behind them."""
    person_moves.hold_again(connection, _list_ids(rows), [_required(row.work_item_id) for row in rows])
    work_items.reopen(connection, sorted({_required(row.work_item_id) for row in rows}))


def undo_take(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Return the work item to the assignee that it had before it was taken."""
    work_items.put_down(connection, _required(rows[0].work_item_id), rows[0].at)


def _list_ids(rows: Sequence[ActedJourney]) -> list[int]:
    return [row.id for row in rows]


def _required(value: _T | None) -> _T:
    """``value``, which every journey of such an action has. Raises ``ValueError`` when it is missing."""
    if value is None:
        raise ValueError("the journey lacks a value that its action must have stored")
    return value
