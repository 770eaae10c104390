"""How each action is taken back: what is written, for all journeys of an action at once.

Belongs here: composing what the entities write. Does not belong here: a statement that writes a table, or whether an
action can still be taken back, and by whom (``undo``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import pandas as pd
from sqlalchemy import Connection

from leadgate.actors import Actor
from leadgate.ledger import assignments, handoffs, leads, outbox, owner_messages, pauses, work_items
from leadgate.ledger.acted_journeys import ActedJourney
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.locking import read_generations
from leadgate.ledger.ownership import schedule_check_now
from leadgate.vocabulary import EndReason, HandoffOutcome, ItemResolution, JourneyStatus, MessageKind, StageName

_T = TypeVar("_T")


def unaccept(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """Nobody has accepted the lead. Where the acceptance ended the journey, its owner has it again; so does a wait."""
    ended = [row for row in rows if row.status == JourneyStatus.DONE]
    if ended:
        give_back(connection, ended, by, now)
    for row in ended:
        pauses.reopen_ended_with(connection, row.id, _required(row.then_ended_at), now)
    assignments.unaccept(connection, _list_ids(rows))
    schedule_check_now(connection, _list_ids(rows), now)


def give_back(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """The owner of before has the lead again, with the clock that they had. The owner of now is notified, too.

    A turn that was taken of a pool meanwhile stays taken.
    """
    ids = _list_ids(rows)
    lost = [row for row in rows if row.owner is not None]
    assignments.end(connection, ids, EndReason.REASSIGNED, now)
    handoffs.record(
        connection,
        [(row.id, row.generation, _required(row.then_playbook_hash)) for row in lost],
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
    assignments.reopen(connection, [_required(row.then_assignment) for row in rows], now)
    generations = read_generations(connection, ids)
    handoffs.record(
        connection,
        [(row.id, generations[row.id], _required(row.then_playbook_hash)) for row in rows],
        stage=StageName.ASSIGNMENT,
        outcome=HandoffOutcome.CONTINUED,
        reason="by hand (undo)",
        now=now,
    )
    leads.recycle(connection, [_required(row.lead_id) for row in rows], None)
    outbox.send(connection, _build_messages(rows, lost, generations), now)


def _build_messages(
    rows: Sequence[ActedJourney], lost: Sequence[ActedJourney], generations: Mapping[int, int]
) -> pd.DataFrame:
    farewells = owner_messages.build(
        MessageKind.LEAD_HANDED_OVER, ((row.id, row.generation, _required(row.owner)) for row in lost)
    )
    told = owner_messages.build(
        MessageKind.LEAD_ASSIGNED, ((row.id, generations[row.id], _required(row.then_owner)) for row in rows)
    )
    return pd.concat([farewells, told], ignore_index=True)


def end_wait(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """The wait never was; one that it replaced goes on."""
    pauses.withdraw(connection, _list_ids(rows), rows[0].at, by.name)
    wait_on(connection, rows, by, now)


def wait_on(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """The wait that the action ended goes on, if it still would."""
    pauses.reopen_ended_by_action(connection, _list_ids(rows), rows[0].at, now)
    schedule_check_now(connection, _list_ids(rows), now)


def hold_again(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """The journeys wait behind their work items again, which are open again."""
    person_moves.hold_again(connection, _list_ids(rows), [_required(row.work_item_id) for row in rows])
    work_items.reopen(connection, sorted({_required(row.work_item_id) for row in rows}))


def put_down(connection: Connection, rows: Sequence[ActedJourney], by: Actor, now: datetime) -> None:
    """The work item is whose it was before it was taken."""
    work_items.put_down(connection, _required(rows[0].work_item_id), rows[0].at)


def _list_ids(rows: Sequence[ActedJourney]) -> list[int]:
    return [row.id for row in rows]


def _required(value: _T | None) -> _T:
    """What every journey of such an action has. Raises ``ValueError`` where one has none."""
    if value is None:
        raise ValueError("the journey has nothing that can be taken back")
    return value
