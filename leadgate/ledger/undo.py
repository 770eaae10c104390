"""Taking an action back: each kind of action has one way back, or a reason why there is none.

Belongs here: who may take an action back, and what stands against it. Does not belong here: what is written then
(``undo_effects``), or the actions themselves (``reruns``, ``ownership``, ``reviews``, ``reassignments``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, get_args

from sqlalchemy import Connection

from leadgate.actors import Actor, ActorError, OwnersAction, require
from leadgate.ledger import pools, undo_effects
from leadgate.ledger.acted_journeys import ActedJourney, read_acted_journeys
from leadgate.ledger.actions import ActionError, record
from leadgate.ledger.database import Ledger
from leadgate.permissions import Permission
from leadgate.vocabulary import ActionKind, EndReason, JourneyStatus, StageName


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
    ActionKind.UNJOIN: "the signal is a lead of its own now, and is not joined by the same evidence again",
    ActionKind.UNDO: "do again what it has undone",
}


def undo(ledger: Ledger, number: int, *, by: Actor, now: datetime) -> Undone:
    """Take the action ``number`` back for all its journeys that nothing else has happened to since.

    Raises ``ActionError`` when it has no undo, or all of its journeys have moved on, and ``ActorError`` when it is
    somebody else's to decide.
    """
    with ledger.transaction() as connection:
        pools.hold(connection)
        rows = read_acted_journeys(connection, number)
        if not rows:
            raise ActionError(f"there is no action A{number}; `leadgate explain LEAD` tells the numbers of a lead's")
        what = ActionKind(rows[0].what)
        if what not in _WAYS:
            raise ActionError(f"A{number} ({_write_as_words(what)}) cannot be undone: {NO_UNDO[what]}")
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
            raise ActionError(f"A{number} ({_write_as_words(what)}) cannot be undone any more: J{first} {why}{more}")
        these = [row for row in rows if row.id in set(undone.journeys)]
        way.take_back(connection, these, by, now)
        undone.action = record(connection, these, ActionKind.UNDO, by, now, undoes=number)
    return undone


def list_action_owners(ledger: Ledger, number: int) -> list[str]:
    """Whose leads an action was about."""
    with ledger.transaction() as connection:
        rows = read_acted_journeys(connection, number, lock=False)
        return sorted({owner for row in rows if (owner := row.then_owner or row.owner)})


#: The actions that are the owner's, and so is the way back.
_OWNERS: Final[dict[str, OwnersAction]] = {name: name for name in get_args(OwnersAction)}


def _require(by: Actor, rows: Sequence[ActedJourney]) -> None:
    """The person who did it may undo it, and so may those who may do it. A note is its author's alone."""
    if by.name == rows[0].by:
        return
    if rows[0].what == ActionKind.NOTE:
        raise ActorError(f"{rows[0].by} wrote this note, and only they may take it back; another note can answer it")
    action = _OWNERS.get(rows[0].what)
    for row in rows:
        owner = row.then_owner or row.owner
        if action is None:
            require(by, Permission.DECIDE_ITEMS, owner, (row.route, row.assignee))
        elif owner is not None:
            require(by, action, owner)


# --- what stands against it -------------------------------------------------------------------------------


def _check_unchanged(row: ActedJourney) -> str | None:
    """Nothing at all has happened to the journey since."""
    if row.undone:
        return "was undone before"
    if row.version != row.then_version:
        return f"has moved on: it is {_describe_place(row)} now"
    return _check_followed(row)


def _check_followed(row: ActedJourney) -> str | None:
    if row.other_journey is not None:
        return f"has been followed by J{row.other_journey}, another journey of the same {row.kind}"
    return None


def _check_new_owner_idle(row: ActedJourney) -> str | None:
    """The new owner has it still, and has done nothing about it."""
    if row.undone:
        return "was undone before"
    if row.status != JourneyStatus.OWNED or row.generation != row.then_generation + 1:
        return f"has moved on: it is {_describe_place(row)} now"
    if row.touched_at is not None or row.accepted_at is not None:
        return f"has moved on: {row.owner} has {'touched' if row.touched_at else 'accepted'} it"
    return None


def _check_rejection(row: ActedJourney) -> str | None:
    """Assignment may have found a new owner since, who has done nothing about it, or nobody yet."""
    if row.undone or row.status == JourneyStatus.OWNED:
        return _check_new_owner_idle(row)
    waits = row.status == JourneyStatus.READY or (row.status == JourneyStatus.HELD and row.held_alone)
    if waits and row.stage == StageName.ASSIGNMENT and row.generation == row.then_generation + 1:
        return None
    return _check_unchanged(row)


def _check_acceptance(row: ActedJourney) -> str | None:
    """The lead is its owner's still, or is done because it was accepted."""
    if row.status == JourneyStatus.OWNED and row.accepted_at == row.at:
        return None
    if (
        row.status == JourneyStatus.DONE
        and row.then_end_reason == EndReason.ACCEPTED
        and row.generation == row.then_generation
    ):
        return _check_followed(row)
    return "was undone before" if row.undone else f"has moved on: it is {_describe_place(row)} now"


def _check_touch(row: ActedJourney) -> str | None:
    """The lead is its owner's still, or is done because of this touch or of one before it."""
    if row.undone:
        return "was undone before"
    if row.occurred_at is None:
        return "has a touch of before touches could be undone"
    if row.status == JourneyStatus.OWNED and row.then_owned_in == row.generation:
        if row.is_first_touch and row.task_closed_in is not None:
            return f"was told to {row.task_closed_in} as touched, where its follow-up task is closed"
        return None
    if row.is_ended_by_touch:
        return _check_followed(row)
    if row.then_end_reason == EndReason.TOUCHED and not row.is_first_touch:
        return None  # nothing followed from it
    return f"has moved on: it is {_describe_place(row)} now"


def _check_note(row: ActedJourney) -> str | None:
    return "was undone before" if row.undone else None


def _check_wait(row: ActedJourney) -> str | None:
    if row.undone:
        return "was undone before"
    if row.status != JourneyStatus.OWNED or row.begun_ended_at is not None:
        return "is not waited for any more"
    return None


def _check_wait_again(row: ActedJourney) -> str | None:
    if row.undone:
        return "was undone before"
    if row.status != JourneyStatus.OWNED:
        return f"has moved on: it is {_describe_place(row)} now"
    if row.again is not None:
        return "is waited for anew"
    return None


def _is_taken(row: ActedJourney) -> str | None:
    if row.resolution is not None:
        return f"has moved on: W{row.work_item_id} was closed as {_write_as_words(row.resolution)}"
    if row.assignee != row.by:
        return f"has moved on: W{row.work_item_id} is {row.assignee or 'nobody'}'s now"
    return None


def _describe_place(row: ActedJourney) -> str:
    if row.status == JourneyStatus.OWNED:
        return f"{row.owner}'s"
    return f"{row.status.replace('_', ' ')} at {row.stage.replace('_', '-')}"


def _write_as_words(what: str) -> str:
    return what.replace("_", " ")


@dataclass(frozen=True)
class _Way:
    """How an action is taken back. ``moved_on`` says what a journey did since that stands against it, if anything."""

    moved_on: Callable[[ActedJourney], str | None]
    take_back: Callable[[Connection, Sequence[ActedJourney], Actor, datetime], None]


_WAYS: Final[dict[ActionKind, _Way]] = {
    ActionKind.ACCEPT: _Way(_check_acceptance, undo_effects.withdraw_acceptance),
    ActionKind.REJECT: _Way(_check_rejection, undo_effects.restore_owner),
    ActionKind.UNASSIGN: _Way(_check_unchanged, undo_effects.restore_owner),
    ActionKind.REASSIGN: _Way(_check_new_owner_idle, undo_effects.restore_owner),
    ActionKind.TRANSFER: _Way(_check_new_owner_idle, undo_effects.restore_owner),
    ActionKind.WAIT: _Way(_check_wait, undo_effects.undo_wait),
    ActionKind.RESUME: _Way(_check_wait_again, undo_effects.undo_resume),
    ActionKind.DISCARDED: _Way(_check_unchanged, undo_effects.undo_discard),
    ActionKind.TOUCH: _Way(_check_touch, undo_effects.withdraw_touch),
    ActionKind.NOTE: _Way(_check_note, undo_effects.keep_note_withdrawn),
    ActionKind.TAKE: _Way(_is_taken, undo_effects.undo_take),
}
#: The actions that have an undo.
UNDOABLE: Final = frozenset(_WAYS)
