"""Taking an action back: each kind of action has one way back, or a reason why there is none.

Belongs here: these ways, each for all journeys of an action, and what stands against them. Does not belong here: the
actions themselves (``actions``, ``owner_actions``, ``reviews``, ``handovers``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, get_args

import pandas as pd
from sqlalchemy import Connection, Row, text

from leadgate.actors import Actor, OwnersAction, refusal
from leadgate.ledger import decisions, records
from leadgate.ledger.actions import ActionError, look_now, record
from leadgate.ledger.database import Ledger
from leadgate.ledger.handovers import HANDED_OVER
from leadgate.models import OPEN


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
    "rerun": "its leads went on; those that were held again are in `leadgate queue`",
    "corrected": "the lead was changed and went on; where it is held again, correct it again",
    "done_by_hand": "its leads went on as approved",
    "same_person": "the signal went on; `leadgate unjoin` takes it out of the lead that it joined",
    "different_person": "the signal went on as a lead of its own",
    "touch": "what was done about a lead stays on record",
    "unjoin": "the signal is a lead of its own now, and is not joined by the same evidence again",
    "undo": "do again what it has undone",
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
        undone.action = record(connection, these, "undo", by, now, undoes=number)
    return undone


def owners(ledger: Ledger, number: int) -> list[str]:
    """Whose leads an action was about."""
    with ledger.transaction() as connection:
        return sorted({owner for row in _rows(connection, number) if (owner := row.then_owner or row.owner)})


def _rows(connection: Connection, number: int) -> Sequence[Row[Any]]:
    """Each journey of an action, locked in order: as it is now, and what the action was.

    ``then_owner`` had it until the action. ``begun_ended_at`` is when the wait ended that the action began,
    ``ended_until`` until when the one was that the action ended, and ``again`` a wait that goes on.
    """
    return connection.execute(
        text(
            """
            SELECT j.id, j.lead_id, j.status, j.stage, j.generation, j.version, j.work_item_id AS held_by,
                x.what, x.by, x.acted_for, x.at, x.generation AS then_generation, x.version AS then_version,
                x.work_item_id, a.owner, a.accepted_at, a.touched_at, w.assignee, w.resolution,
                then_.id AS then_assignment, then_.owner AS then_owner,
                begun.ended_at AS begun_ended_at, ended.until AS ended_until, again.id AS again,
                EXISTS (SELECT 1 FROM action u WHERE u.undoes = x.number AND u.journey_id = j.id) AS undone,
                (SELECT min(o.id) FROM journey o WHERE o.lead_id = j.lead_id AND o.id <> j.id AND o.status = ANY(:open))
                    AS other_journey
            FROM action x JOIN journey j ON j.id = x.journey_id
            LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
            LEFT JOIN work_item w ON w.id = x.work_item_id
            LEFT JOIN LATERAL (SELECT p.id, p.owner FROM assignment p WHERE p.journey_id = j.id AND p.ended_at = x.at
                ORDER BY p.id DESC LIMIT 1) then_ ON true
            LEFT JOIN LATERAL (SELECT p.ended_at FROM pause p WHERE p.journey_id = j.id AND p.started_at = x.at
                ORDER BY p.id DESC LIMIT 1) begun ON true
            LEFT JOIN LATERAL (SELECT p.until FROM pause p WHERE p.journey_id = j.id AND p.ended_at = x.at
                ORDER BY p.id DESC LIMIT 1) ended ON true
            LEFT JOIN LATERAL (SELECT p.id FROM pause p WHERE p.journey_id = j.id AND p.ended_at IS NULL) again ON true
            WHERE x.number = :number ORDER BY j.id FOR UPDATE OF j"""
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
    if row.other_journey is not None:
        return f"has been followed by J{row.other_journey}, a new journey of the same lead"
    return None


def _new_owner_is_idle(row: Row[Any]) -> str | None:
    """The new owner has it still, and has done nothing about it."""
    if row.undone:
        return "was undone before"
    if row.status != "owned" or row.generation != row.then_generation + 1:
        return f"has moved on: it is {_where(row)} now"
    if row.touched_at is not None or row.accepted_at is not None:
        return f"has moved on: {row.owner} has {'touched' if row.touched_at else 'accepted'} it"
    return None


def _acceptance_stands(row: Row[Any]) -> str | None:
    if row.status != "owned" or row.accepted_at != row.at:
        return "was undone before" if row.undone else f"has moved on: it is {_where(row)} now"
    return None


def _wait_goes_on(row: Row[Any]) -> str | None:
    if row.undone:
        return "was undone before"
    if row.status != "owned" or row.begun_ended_at is not None:
        return "is not waited for any more"
    return None


def _may_wait_again(row: Row[Any]) -> str | None:
    if row.undone:
        return "was undone before"
    if row.status != "owned":
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
    if row.status == "owned":
        return f"{row.owner}'s"
    return f"{row.status.replace('_', ' ')} at {row.stage.replace('_', '-')}"


def _in_words(what: str) -> str:
    return what.replace("_", " ")


# --- the ways back ----------------------------------------------------------------------------------------


def _unaccept(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    connection.execute(
        text("UPDATE assignment SET accepted_at = NULL WHERE ended_at IS NULL AND journey_id = ANY(:ids)"),
        {"ids": _ids(rows)},
    )
    look_now(connection, _ids(rows), now)


def _give_back(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The owner of before has the lead again, with the clock that they had. Whoever has it now is told, too.

    A turn that was taken of a pool meanwhile stays taken.
    """
    ids = _ids(rows)
    lost = [row for row in rows if row.owner is not None]
    connection.execute(
        text(
            "UPDATE assignment SET ended_at = :now, end_reason = 'reassigned' "
            "WHERE ended_at IS NULL AND journey_id = ANY(:ids)"
        ),
        {"ids": ids, "now": now},
    )
    connection.execute(
        text(
            "INSERT INTO handoff (journey_id, generation, stage, outcome, reason, playbook_hash, at) "
            "SELECT j.id, j.generation, 'follow_up', 'reassigned', 'undo', a.playbook_hash, :now FROM journey j "
            "JOIN assignment a ON a.id = ANY(:then) AND a.journey_id = j.id WHERE j.id = ANY(:lost) ORDER BY j.id"
        ),
        {"lost": _ids(lost), "then": [row.then_assignment for row in rows], "now": now},
    )
    records.close_work_items(
        connection,
        [row.held_by for row in rows if row.status == "held"],
        by=by.name,
        resolution="undone",
        now=now,
    )
    decisions.close_escalations(connection, ids, now)
    # a generation of its own: the one that the action ended is on record
    connection.execute(
        text(
            "UPDATE journey j SET status = 'owned', stage = 'follow_up', start_stage = 'assignment', batch_id = NULL, "
            "work_item_id = NULL, waived = NULL, run_after = :now, version = version + 1, generation = greatest("
            "j.generation, 1 + (SELECT max(h.generation) FROM handoff h WHERE h.journey_id = j.id)) "
            "WHERE id = ANY(:ids)"
        ),
        {"ids": ids, "now": now},
    )
    connection.execute(
        text(
            "UPDATE assignment a SET ended_at = NULL, end_reason = NULL, next_check_at = :now, "
            "generation = j.generation FROM journey j WHERE a.id = ANY(:then) AND j.id = a.journey_id"
        ),
        {"then": [row.then_assignment for row in rows], "now": now},
    )
    connection.execute(
        text(
            "INSERT INTO handoff (journey_id, generation, stage, outcome, reason, playbook_hash, at) "
            "SELECT j.id, j.generation, 'assignment', 'continued', 'by hand (undo)', a.playbook_hash, :now "
            "FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL "
            "WHERE j.id = ANY(:ids) ORDER BY j.id"
        ),
        {"ids": ids, "now": now},
    )
    connection.execute(
        text("UPDATE lead SET recycle_at = NULL WHERE id = ANY(:ids)"), {"ids": [row.lead_id for row in rows]}
    )
    records.send(connection, _messages(connection, rows, lost), now)


def _messages(connection: Connection, rows: Sequence[Row[Any]], lost: Sequence[Row[Any]]) -> pd.DataFrame:
    found = connection.execute(
        text("SELECT id, generation FROM journey WHERE id = ANY(:ids)"), {"ids": _ids(rows)}
    ).fetchall()
    generations: dict[int, int] = {row.id: row.generation for row in found}
    told = [(f"{HANDED_OVER}:{row.id}:{row.generation}", row.id, row.owner, HANDED_OVER) for row in lost]
    told += [(f"assigned:{row.id}:{generations[row.id]}", row.id, row.then_owner, "lead_assigned") for row in rows]
    return pd.DataFrame(told, columns=["key", "journey_id", "target", "kind"])


def _end_wait(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The wait never was; one that it replaced goes on."""
    connection.execute(
        text(
            "UPDATE pause SET ended_at = started_at, ended_by = :by "
            "WHERE journey_id = ANY(:ids) AND started_at = :at AND ended_at IS NULL"
        ),
        {"ids": _ids(rows), "at": rows[0].at, "by": by.name},
    )
    _wait_on(connection, rows, by, now)


def _wait_on(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The wait that the action ended goes on, if it still would."""
    connection.execute(
        text(
            "UPDATE pause SET ended_at = NULL, ended_by = NULL WHERE journey_id = ANY(:ids) AND ended_at = :at "
            "AND started_at < :at AND ended_by NOT IN ('lead', 'leadgate') AND until > :now"
        ),
        {"ids": _ids(rows), "at": rows[0].at, "now": now},
    )
    look_now(connection, _ids(rows), now)


def _hold_again(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The journeys wait behind their work items again, which are open again."""
    connection.execute(
        text(
            "UPDATE journey j SET status = 'held', work_item_id = x.item, version = j.version + 1 "
            "FROM unnest(CAST(:ids AS bigint[]), CAST(:items AS bigint[])) x (id, item) WHERE j.id = x.id"
        ),
        {"ids": _ids(rows), "items": [row.work_item_id for row in rows]},
    )
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = NULL, closed_by = NULL, resolution = NULL, note = NULL "
            "WHERE id = ANY(:items)"
        ),
        {"items": sorted({row.work_item_id for row in rows})},
    )


def _put_down(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The work item is whose it was before it was taken."""
    connection.execute(
        text(
            """
            UPDATE work_item w SET (assignee, taken_at) = (SELECT x.by, x.at FROM action x
                WHERE x.work_item_id = w.id AND x.what = 'take' AND x.at < :at
                AND NOT EXISTS (SELECT 1 FROM action u WHERE u.undoes = x.number) ORDER BY x.id DESC LIMIT 1)
            WHERE w.id = :item"""
        ),
        {"item": rows[0].work_item_id, "at": rows[0].at},
    )


def _ids(rows: Sequence[Row[Any]]) -> list[int]:
    return [row.id for row in rows]


@dataclass(frozen=True)
class _Way:
    """How an action is taken back. ``moved_on`` says what a journey did since that stands against it, if anything."""

    moved_on: Callable[[Row[Any]], str | None]
    take_back: Callable[[Connection, Sequence[Row[Any]], Actor, datetime], None]


_WAYS: Final[dict[str, _Way]] = {
    "accept": _Way(_acceptance_stands, _unaccept),
    "reject": _Way(_stands_as_left, _give_back),
    "unassign": _Way(_stands_as_left, _give_back),
    "reassign": _Way(_new_owner_is_idle, _give_back),
    "transfer": _Way(_new_owner_is_idle, _give_back),
    "wait": _Way(_wait_goes_on, _end_wait),
    "resume": _Way(_may_wait_again, _wait_on),
    "discarded": _Way(_stands_as_left, _hold_again),
    "take": _Way(_is_taken, _put_down),
}
#: The actions that have an undo.
UNDOABLE: Final = frozenset(_WAYS)
