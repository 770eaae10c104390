"""How each action is taken back: what is written, for all journeys of an action at once.

Belongs here: these statements. Does not belong here: whether an action can still be taken back, and by whom (``undo``).

The rows are those of ``undo``: each journey as it is now, and what the action was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, text

from leadgate.actors import Actor
from leadgate.ledger import handoffs, outbox, owner_messages, work_items
from leadgate.ledger.actions import look_now
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.locking import read_generations
from leadgate.ledger.owner_messages import HANDED_OVER, LEAD_ASSIGNED
from leadgate.vocabulary import HandoffOutcome, StageName


def unaccept(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """Nobody has accepted the lead. Where the acceptance ended the journey, its owner has it again; so does a wait."""
    ended = [row for row in rows if row.status == "done"]
    if ended:
        give_back(connection, ended, by, now)
    for row in ended:
        connection.execute(
            text(
                "UPDATE pause SET ended_at = NULL, ended_by = NULL "
                "WHERE journey_id = :id AND ended_at = :then AND ended_by = 'leadgate' AND until > :now"
            ),
            {"id": row.id, "then": row.then_ended_at, "now": now},
        )
    connection.execute(
        text("UPDATE assignment SET accepted_at = NULL WHERE ended_at IS NULL AND journey_id = ANY(:ids)"),
        {"ids": _ids(rows)},
    )
    look_now(connection, _ids(rows), now)


def give_back(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
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
    handoffs.record(
        connection,
        [(row.id, row.generation, row.then_playbook_hash) for row in lost],
        stage=StageName.FOLLOW_UP,
        outcome=HandoffOutcome.REASSIGNED,
        reason="undo",
        now=now,
    )
    work_items.close_work_items(
        connection,
        [row.held_by for row in rows if row.status == "held"],
        by=by.name,
        resolution="undone",
        now=now,
    )
    work_items.close_escalations(connection, ids, now)
    person_moves.give_back(connection, ids, now)
    connection.execute(
        text(
            "UPDATE assignment a SET ended_at = NULL, end_reason = NULL, next_check_at = :now, "
            "generation = j.generation FROM journey j WHERE a.id = ANY(:then) AND j.id = a.journey_id"
        ),
        {"then": [row.then_assignment for row in rows], "now": now},
    )
    generations = read_generations(connection, ids)
    handoffs.record(
        connection,
        [(row.id, generations[row.id], row.then_playbook_hash) for row in rows],
        stage=StageName.ASSIGNMENT,
        outcome=HandoffOutcome.CONTINUED,
        reason="by hand (undo)",
        now=now,
    )
    connection.execute(
        text("UPDATE lead SET recycle_at = NULL WHERE id = ANY(:ids)"), {"ids": [row.lead_id for row in rows]}
    )
    outbox.send(connection, _messages(rows, lost, generations), now)


def _messages(rows: Sequence[Row[Any]], lost: Sequence[Row[Any]], generations: Mapping[int, int]) -> pd.DataFrame:
    farewells = owner_messages.build(HANDED_OVER, ((row.id, row.generation, row.owner) for row in lost))
    told = owner_messages.build(LEAD_ASSIGNED, ((row.id, generations[row.id], row.then_owner) for row in rows))
    return pd.concat([farewells, told], ignore_index=True)


def end_wait(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The wait never was; one that it replaced goes on."""
    connection.execute(
        text(
            "UPDATE pause SET ended_at = started_at, ended_by = :by "
            "WHERE journey_id = ANY(:ids) AND started_at = :at AND ended_at IS NULL"
        ),
        {"ids": _ids(rows), "at": rows[0].at, "by": by.name},
    )
    wait_on(connection, rows, by, now)


def wait_on(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The wait that the action ended goes on, if it still would."""
    connection.execute(
        text(
            "UPDATE pause SET ended_at = NULL, ended_by = NULL WHERE journey_id = ANY(:ids) AND ended_at = :at "
            "AND started_at < :at AND ended_by NOT IN ('lead', 'leadgate') AND until > :now"
        ),
        {"ids": _ids(rows), "at": rows[0].at, "now": now},
    )
    look_now(connection, _ids(rows), now)


def hold_again(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
    """The journeys wait behind their work items again, which are open again."""
    person_moves.hold_again(connection, _ids(rows), [row.work_item_id for row in rows])
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = NULL, closed_by = NULL, resolution = NULL, note = NULL "
            "WHERE id = ANY(:items)"
        ),
        {"items": sorted({row.work_item_id for row in rows})},
    )


def put_down(connection: Connection, rows: Sequence[Row[Any]], by: Actor, now: datetime) -> None:
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
