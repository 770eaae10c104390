"""Taking an action back: each kind of action has one way back, or a reason why there is none.

Belongs here: who may take an action back, and what stands against it. Does not belong here: what is written then
(``ways_back``), or the actions themselves (``reruns``, ``ownership``, ``reviews``, ``reassignments``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, get_args

from sqlalchemy import Connection, Row, text

from leadgate.actors import Actor, OwnersAction, refusal
from leadgate.ledger import ways_back
from leadgate.ledger.actions import ActionError, record
from leadgate.ledger.database import Ledger
from leadgate.vocabulary import OPEN, ActionKind, JourneyStatus, StageName


@dataclass
class Undone:
    """What was undone. ``left`` are the journeys of the action that have moved on, each with what they did."""

    number: int
    what: str
    journeys: list[int] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)
    action: int | None = None  # the undo's own number


#: Actions that have no way back, and why.
NO_UNDO: Final = {
    ActionKind.RERUN: "its leads went on; those that were held again are in `leadgate queue`",
    ActionKind.CORRECTED: "the lead was changed and went on; where it is held again, correct it again",
    ActionKind.DONE_BY_HAND: "its leads went on as approved",
    ActionKind.SAME_PERSON: "the signal went on; `leadgate unjoin` takes it out of the lead that it joined",
    ActionKind.DIFFERENT_PERSON: "the signal went on as a lead of its own",
    ActionKind.TOUCH: "what was done about a lead stays on record",
    ActionKind.UNJOIN: "the signal is a lead of its own now, and is not joined by the same evidence again",
    ActionKind.UNDO: "do again what it has undone",
}


def undo(ledger: Ledger, number: int, *, by: Actor, now: datetime) -> Undone:
    """Take the action ``number`` back for all its journeys that nothing else has happened to since.

    Raises ``ActionError`` when it has no undo, or all of its journeys have moved on, and ``ActorError`` when it is
    somebody else's to decide.
    """
    with ledger.transaction() as connection:
        rows = _rows(connection, number)
        if not rows:
            raise ActionError(f"there is no action A{number}; `leadgate explain LEAD` tells the numbers of a lead's")
        what = rows[0].what
        if what not in _WAYS:
            raise ActionError(f"A{number} ({_in_words(what)}) cannot be undone: {NO_UNDO[what]}")
        _require(by, rows)
        way = _WAYS[what]
        undone = Undone(number, what)
        for row in rows:
            why = way.moved_on(row)
            if why is None:
                undone.journeys.append(row.id)
            else:
                undone.left[row.id] = why
        if not undone.journeys:
            first, why = next(iter(undone.left.items()))
            more = f", and so have {len(rows) - 1:,} more" if len(rows) > 1 else ""
            raise ActionError(f"A{number} ({_in_words(what)}) cannot be undone any more: J{first} {why}{more}")
        these = [row for row in rows if row.id in set(undone.journeys)]
        way.take_back(connection, these, by, now)
        undone.action = record(connection, these, ActionKind.UNDO, by, now, undoes=number)
    return undone


def owners(ledger: Ledger, number: int) -> list[str]:
    """Whose leads an action was about."""
    with ledger.transaction() as connection:
        rows = _rows(connection, number, lock=False)
        return sorted({owner for row in rows if (owner := row.then_owner or row.owner)})


def _rows(connection: Connection, number: int, *, lock: bool = True) -> Sequence[Row[Any]]:
    """Each journey of an action, in order and locked: as it is now, and what the action was.

    The columns ``then_…`` are of the assignment that the action ended or accepted. ``begun_ended_at`` is when the wait
    ended that the action began, ``ended_until`` until when the one was that the action ended, and ``again`` a wait that
    goes on. ``held_alone``: the work item that holds the journey holds no other.
    """
    return connection.execute(
        text(
            """
            SELECT j.id, j.lead_id, j.status, j.stage, j.generation, j.version, j.work_item_id AS held_by,
                x.what, x.by, x.acted_for, x.at, x.generation AS then_generation, x.version AS then_version,
                x.work_item_id, a.owner, a.accepted_at, a.touched_at, w.assignee, w.resolution,
                then_.id AS then_assignment, then_.owner AS then_owner, then_.ended_at AS then_ended_at,
                then_.end_reason AS then_end_reason, then_.playbook_hash AS then_playbook_hash,
                (SELECT h.journey_id FROM work_item h WHERE h.id = j.work_item_id) = j.id AS held_alone,
                begun.ended_at AS begun_ended_at, ended.until AS ended_until, again.id AS again,
                EXISTS (SELECT 1 FROM action u WHERE u.undoes = x.number AND u.journey_id = j.id) AS undone,
                (SELECT min(o.id) FROM journey o WHERE o.lead_id = j.lead_id AND o.id <> j.id AND o.status = ANY(:open))
                    AS other_journey
            FROM action x JOIN journey j ON j.id = x.journey_id
            LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
            LEFT JOIN work_item w ON w.id = x.work_item_id
            LEFT JOIN LATERAL (SELECT p.* FROM assignment p WHERE p.journey_id = j.id
                AND x.at = CASE x.what WHEN 'accept' THEN p.accepted_at ELSE p.ended_at END
                ORDER BY p.id DESC LIMIT 1) then_ ON true
            LEFT JOIN LATERAL (SELECT p.ended_at FROM pause p WHERE p.journey_id = j.id AND p.started_at = x.at
                ORDER BY p.id DESC LIMIT 1) begun ON true
            LEFT JOIN LATERAL (SELECT p.until FROM pause p WHERE p.journey_id = j.id AND p.ended_at = x.at
                ORDER BY p.id DESC LIMIT 1) ended ON true
            LEFT JOIN LATERAL (SELECT p.id FROM pause p WHERE p.journey_id = j.id AND p.ended_at IS NULL) again ON true
            WHERE x.number = :number ORDER BY j.id"""
            + (" FOR UPDATE OF j" if lock else "")
        ),
        {"number": number, "open": list(OPEN)},
    ).fetchall()


#: The actions that are the owner's, and so is the way back.
_OWNERS: Final = frozenset(get_args(OwnersAction))


def _require(by: Actor, rows: Sequence[Row[Any]]) -> None:
    """Whoever did it may take it back, and so may those who may decide about the owner's leads."""
    action = rows[0].what
    if action not in _OWNERS or by.name == rows[0].by:
        return
    for row in rows:
        owner = row.then_owner or row.owner
        if owner is not None and (why := refusal(by, action, owner)) is not None:
            raise ActionError(why)


# --- what stands against it -------------------------------------------------------------------------------


def _stands_as_left(row: Row[Any]) -> str | None:
    """Nothing at all has happened to the journey since."""
    if row.undone:
        return "was undone before"
    if row.version != row.then_version:
        return f"has moved on: it is {_where(row)} now"
    return _followed(row)


def _followed(row: Row[Any]) -> str | None:
    if row.other_journey is not None:
        return f"has been followed by J{row.other_journey}, a new journey of the same lead"
    return None


def _new_owner_is_idle(row: Row[Any]) -> str | None:
    """The new owner has it still, and has done nothing about it."""
    if row.undone:
        return "was undone before"
    if row.status != JourneyStatus.OWNED or row.generation != row.then_generation + 1:
        return f"has moved on: it is {_where(row)} now"
    if row.touched_at is not None or row.accepted_at is not None:
        return f"has moved on: {row.owner} has {'touched' if row.touched_at else 'accepted'} it"
    return None


def _rejection_stands(row: Row[Any]) -> str | None:
    """Assignment may have found a new owner since, who has done nothing about it, or nobody yet."""
    if row.undone or row.status == JourneyStatus.OWNED:
        return _new_owner_is_idle(row)
    waits = row.status == JourneyStatus.READY or (row.status == JourneyStatus.HELD and row.held_alone)
    if waits and row.stage == StageName.ASSIGNMENT and row.generation == row.then_generation + 1:
        return None
    return _stands_as_left(row)


def _acceptance_stands(row: Row[Any]) -> str | None:
    """The lead is its owner's still, or is done because it was accepted."""
    if row.status == JourneyStatus.OWNED and row.accepted_at == row.at:
        return None
    if row.status == JourneyStatus.DONE and row.then_end_reason == "accepted" and row.generation == row.then_generation:
        return _followed(row)
    return "was undone before" if row.undone else f"has moved on: it is {_where(row)} now"


def _wait_goes_on(row: Row[Any]) -> str | None:
    if row.undone:
        return "was undone before"
    if row.status != JourneyStatus.OWNED or row.begun_ended_at is not None:
        return "is not waited for any more"
    return None


def _may_wait_again(row: Row[Any]) -> str | None:
    if row.undone:
        return "was undone before"
    if row.status != JourneyStatus.OWNED:
        return f"has moved on: it is {_where(row)} now"
    if row.again is not None:
        return "is waited for anew"
    return None


def _is_taken(row: Row[Any]) -> str | None:
    if row.resolution is not None:
        return f"has moved on: W{row.work_item_id} was closed as {_in_words(row.resolution)}"
    if row.assignee != row.by:
        return f"has moved on: W{row.work_item_id} is {row.assignee or 'nobody'}'s now"
    return None


def _where(row: Row[Any]) -> str:
    if row.status == JourneyStatus.OWNED:
        return f"{row.owner}'s"
    return f"{row.status.replace('_', ' ')} at {row.stage.replace('_', '-')}"


def _in_words(what: str) -> str:
    return what.replace("_", " ")


@dataclass(frozen=True)
class _Way:
    """How an action is taken back. ``moved_on`` says what a journey did since that stands against it, if anything."""

    moved_on: Callable[[Row[Any]], str | None]
    take_back: Callable[[Connection, Sequence[Row[Any]], Actor, datetime], None]


_WAYS: Final[dict[ActionKind, _Way]] = {
    ActionKind.ACCEPT: _Way(_acceptance_stands, ways_back.unaccept),
    ActionKind.REJECT: _Way(_rejection_stands, ways_back.give_back),
    ActionKind.UNASSIGN: _Way(_stands_as_left, ways_back.give_back),
    ActionKind.REASSIGN: _Way(_new_owner_is_idle, ways_back.give_back),
    ActionKind.TRANSFER: _Way(_new_owner_is_idle, ways_back.give_back),
    ActionKind.WAIT: _Way(_wait_goes_on, ways_back.end_wait),
    ActionKind.RESUME: _Way(_may_wait_again, ways_back.wait_on),
    ActionKind.DISCARDED: _Way(_stands_as_left, ways_back.hold_again),
    ActionKind.TAKE: _Way(_is_taken, ways_back.put_down),
}
#: The actions that have an undo.
UNDOABLE: Final = frozenset(_WAYS)
