"""The table ``crm_task``: the follow-up task that an assignment has in a CRM.

Belongs here: every statement that writes the table, and which tasks a lead's assignments need. Does not belong here:
what a task says (``leadgate.crm``).

A task is announced before it is sent: without an answer, the CRM may have it as it was before or as it was sent. So its
content counts as unknown until the CRM has told, and it is known here when its assignment ends.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows


@dataclass(frozen=True)
class NeededTask:
    """An assignment with a task, or one that needs one. ``is_done``: nobody has to follow up any more."""

    lead_id: int
    journey_id: int
    generation: int
    owner: str
    due_at: datetime
    is_done: bool
    task_id: str | None = field(repr=False)
    owner_id: str | None = field(repr=False)  # as it was written last
    content: str | None


@dataclass(frozen=True)
class WrittenTask:
    """A task as it was written."""

    lead_id: int
    journey_id: int
    generation: int
    task_id: str = field(repr=False)
    owner_id: str
    content: str
    is_done: bool


def read_needed_tasks(ledger: Ledger, crm: str, lead_ids: Collection[int]) -> list[NeededTask]:
    """The assignments of these leads that wait for a first touch, and those whose tasks may be open in the CRM.

    An assignment that an undo has reopened is of a later generation: it needs a task of its own, and the one before is
    done.
    """
    with ledger.transaction() as connection:
        return read_rows(
            connection,
            NeededTask,
            """
            SELECT j.lead_id, a.journey_id, a.generation, a.owner, coalesce(a.due_at, a.assigned_at) AS due_at,
                a.ended_at IS NOT NULL OR a.touched_at IS NOT NULL AS is_done, t.task_id, t.owner_id, t.content
            FROM journey j JOIN assignment a ON a.journey_id = j.id
            LEFT JOIN crm_task t ON t.crm = :crm AND t.journey_id = a.journey_id AND t.generation = a.generation
            WHERE j.lead_id = ANY(:leads) AND ((a.ended_at IS NULL AND a.touched_at IS NULL)
                OR (t.journey_id IS NOT NULL AND NOT t.is_done))
            UNION ALL
            SELECT j.lead_id, t.journey_id, t.generation, a.owner, coalesce(a.due_at, a.assigned_at), true, t.task_id,
                t.owner_id, t.content
            FROM journey j JOIN crm_task t ON t.crm = :crm AND t.journey_id = j.id AND NOT t.is_done
            CROSS JOIN LATERAL (SELECT * FROM assignment o WHERE o.journey_id = j.id AND o.generation > t.generation
                ORDER BY o.generation LIMIT 1) a
            WHERE j.lead_id = ANY(:leads) AND NOT EXISTS (SELECT FROM assignment o
                WHERE o.journey_id = t.journey_id AND o.generation = t.generation)
            ORDER BY journey_id, generation""",
            crm=crm,
            leads=sorted(lead_ids),
        )


def announce_tasks(connection: Connection, crm: str, tasks: Sequence[tuple[NeededTask, str]], now: datetime) -> None:
    """Keep that tasks are about to be sent, each with the CRM's id of its owner."""
    connection.execute(
        text(
            """
            INSERT INTO crm_task (crm, journey_id, generation, lead_id, task_id, owner_id, content, is_done, written_at)
            SELECT CAST(:crm AS text), t.journey_id, t.generation, t.lead_id, NULL, t.owner_id, '', false, :now
            FROM unnest(CAST(:journeys AS bigint[]), CAST(:generations AS int[]), CAST(:leads AS bigint[]),
                CAST(:owners AS text[])) AS t(journey_id, generation, lead_id, owner_id)
            ORDER BY t.journey_id, t.generation
            ON CONFLICT (crm, journey_id, generation) DO UPDATE SET content = ''"""
        ),
        {
            "crm": crm,
            "journeys": [task.journey_id for task, _ in tasks],
            "generations": [task.generation for task, _ in tasks],
            "leads": [task.lead_id for task, _ in tasks],
            "owners": [owner for _, owner in tasks],
            "now": now,
        },
    )


def withdraw_tasks(connection: Connection, crm: str, tasks: Sequence[NeededTask]) -> None:
    """The CRM has refused to create these tasks: none of them is there."""
    connection.execute(
        text(
            "DELETE FROM crm_task t USING unnest(CAST(:journeys AS bigint[]), CAST(:generations AS int[])) "
            "AS r(journey_id, generation) WHERE t.crm = :crm AND t.journey_id = r.journey_id "
            "AND t.generation = r.generation AND t.task_id IS NULL"
        ),
        {
            "crm": crm,
            "journeys": [task.journey_id for task in tasks],
            "generations": [task.generation for task in tasks],
        },
    )


@dataclass(frozen=True)
class OwnTask:
    """A task that Leadgate has written. ``waits``: for its owner, who has not followed up otherwise."""

    task_id: str = field(repr=False)
    lead_id: int
    waits: bool


def read_own_tasks(connection: Connection, crm: str, task_ids: Collection[str]) -> dict[str, OwnTask]:
    """The tasks among these that Leadgate has written, by id."""
    rows = read_rows(
        connection,
        OwnTask,
        """
        SELECT t.task_id, t.lead_id, NOT t.is_done AND a.id IS NOT NULL AS waits FROM crm_task t
        LEFT JOIN assignment a ON a.journey_id = t.journey_id AND a.generation = t.generation
            AND a.ended_at IS NULL AND a.touched_at IS NULL
        WHERE t.crm = :crm AND t.task_id = ANY(:tasks)""",
        crm=crm,
        tasks=sorted(task_ids),
    )
    return {row.task_id: row for row in rows}


def keep_tasks(connection: Connection, crm: str, tasks: Sequence[WrittenTask], now: datetime) -> None:
    """Keep the ids under which tasks were written, so that the next write changes the same ones."""
    connection.execute(
        text(
            """
            INSERT INTO crm_task (crm, journey_id, generation, lead_id, task_id, owner_id, content, is_done, written_at)
            SELECT CAST(:crm AS text), t.journey_id, t.generation, t.lead_id, t.task_id, t.owner_id, t.content,
                t.is_done, :now
            FROM unnest(CAST(:journeys AS bigint[]), CAST(:generations AS int[]), CAST(:leads AS bigint[]),
                CAST(:tasks AS text[]), CAST(:owners AS text[]), CAST(:contents AS text[]), CAST(:done AS boolean[]))
                AS t(journey_id, generation, lead_id, task_id, owner_id, content, is_done)
            ORDER BY t.journey_id, t.generation
            ON CONFLICT (crm, journey_id, generation) DO UPDATE SET task_id = excluded.task_id,
                owner_id = excluded.owner_id, content = excluded.content, is_done = excluded.is_done, written_at = :now
            """
        ),
        {
            "crm": crm,
            "journeys": [task.journey_id for task in tasks],
            "generations": [task.generation for task in tasks],
            "leads": [task.lead_id for task in tasks],
            "tasks": [task.task_id for task in tasks],
            "owners": [task.owner_id for task in tasks],
            "contents": [task.content for task in tasks],
            "done": [task.is_done for task in tasks],
            "now": now,
        },
    )
