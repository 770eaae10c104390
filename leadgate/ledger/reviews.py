"""Work items that wait for somebody: who takes one, what there is to decide by, and which nobody took in time.

Belongs here: taking a work item, the evidence of a review, and escalation. Does not belong here: the decision
itself, which moves journeys (``reruns``), or lists and filters (``reports``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from leadgate.actors import Actor, require
from leadgate.ledger import actions, outbox, work_items
from leadgate.ledger.actions import ActionError
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys.locking import lock_held_by
from leadgate.ledger.row_filter import ALL, RowFilter
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.matching import ASKS
from leadgate.permissions import Permission
from leadgate.vocabulary import ActionKind, JourneyKind, MessageKind, WorkItemKind

if TYPE_CHECKING:
    from leadgate.json_columns import LearnedPart, Proof
    from leadgate.values.json_types import JsonObject

#: What a person reviews, in the order it is listed. A breaker's item is rerun; the others close by themselves.
REVIEWED: Final = (WorkItemKind.REVIEW, WorkItemKind.EXCEPTION)


@dataclass(frozen=True)
class Taken:
    """A work item that ``by`` has taken; ``before`` is who had it until then, if somebody else."""

    work_item_id: int
    by: str
    before: str | None = None
    action: int | None = None  # the number that undoes it; none: nothing changed


@dataclass(frozen=True, slots=True)
class _Item:
    """A work item that somebody takes."""

    reason: str
    blocking: bool
    assignee: str | None
    closed_by: str | None
    resolution: str | None
    route: str
    owner: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to decide by about the work item ``id``: the journey's last qualification and the fields of its
    lead or record.

    The fields of the qualification are None before there is a score, and ``lead`` before there is a lead.
    """

    id: int
    score: int | None
    grade: str | None
    fit: int | None
    engagement: int | None
    contributions: Mapping[str, int] | None
    known: Mapping[str, Proof] | None
    learned: LearnedPart | None
    lead: JsonObject | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A lead that the work item ``id`` asks about: all of its columns, its ``owner``, if it has one now, and when it
    was last heard of. ``levels`` says what agrees."""

    id: int
    lead_id: int
    score: int
    levels: Mapping[str, str]
    lead: JsonObject
    owner: str | None
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """An item that nobody took in time; ``journey_id`` is the first that waits behind it."""

    id: int
    reason: str
    stage: str
    journey_id: int | None


@dataclass(frozen=True, slots=True)
class Escalated:
    """An item that goes to ``target``, because nobody took it in time."""

    id: int
    journey_id: int | None
    target: str


def take(ledger: Ledger, work_item_id: int, *, by: Actor, now: datetime) -> Taken:
    """Say that ``by`` decides an open work item, which is then no longer escalated.

    Taking it twice changes nothing; one that somebody else has taken changes hands, and the answer says so.
    Raises ``ActionError`` when the item does not exist, is closed, or holds no lead, and ``ActorError``
    when it is not for ``by`` to decide.
    """
    with ledger.transaction() as connection:
        item = read_row(
            connection,
            _Item,
            "SELECT reason, blocking, assignee, closed_by, resolution, route, "
            f"{work_items.OWNER} AS owner FROM work_item w WHERE id = :id FOR UPDATE",
            id=work_item_id,
        )
        if item is None:
            raise ActionError(f"there is no work item W{work_item_id}; `leadgate queue` lists the open ones")
        if item.resolution is not None:
            closed = f"{item.closed_by} closed it as {item.resolution.replace('_', ' ')}"
            raise ActionError(f"work item W{work_item_id} cannot be taken: {closed}")
        if not item.blocking:
            raise ActionError(
                f"work item W{work_item_id} ({item.reason}) cannot be taken: it holds no lead, and closes when the "
                "lead is followed up"
            )
        require(by, Permission.DECIDE_ITEMS, item.owner, (item.route, item.assignee))
        if item.assignee == by.name:
            return Taken(work_item_id, by.name)
        work_items.assign(connection, work_item_id, by.name, now)
        held = lock_held_by(connection, [work_item_id])
        number = actions.record(connection, held, ActionKind.TAKE, by, now, work_item_id)
        return Taken(work_item_id, by.name, item.assignee, number)


@dataclass(frozen=True, slots=True)
class Origin:
    """Of what a work item holds: what it is, its source, and the lead's country."""

    about: JourneyKind = JourneyKind.LEAD
    source: str | None = None
    country: str | None = None


def list_origins(ledger: Ledger, work_item_ids: Sequence[int]) -> dict[int, list[Origin]]:
    """The origins of what each item holds: a correction is read differently for each."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT DISTINCT j.work_item_id, j.kind, j.source, l.country "
                "FROM journey j LEFT JOIN lead l ON l.id = j.lead_id "
                "WHERE j.work_item_id = ANY(:ids) AND j.status = 'held' ORDER BY 1, 2, 3, 4"
            ),
            {"ids": list(work_item_ids)},
        )
        found: dict[int, list[Origin]] = {}
        for row in rows:
            found.setdefault(row.work_item_id, []).append(Origin(JourneyKind(row.kind), row.source, row.country))
        return found


def read_evidence(ledger: Ledger, work_item_ids: Sequence[int]) -> dict[int, Evidence]:
    """What there is to decide by, for the items about one journey. Values are not masked."""
    statement = """
        SELECT w.id, q.score, q.grade, q.fit, q.engagement, q.contributions, q.evidence AS known,
            q.details -> 'learned' AS learned,
            CASE WHEN j.record_id IS NULL THEN to_jsonb(l) ELSE r.values END AS lead
        FROM work_item w JOIN journey j ON j.id = w.journey_id LEFT JOIN lead l ON l.id = j.lead_id
        LEFT JOIN record r ON r.id = j.record_id
        LEFT JOIN LATERAL (SELECT * FROM qualification each WHERE each.journey_id = j.id
            ORDER BY each.generation DESC LIMIT 1) q ON true
        WHERE w.id = ANY(:ids)"""
    with ledger.transaction() as connection:
        return {row.id: row for row in read_rows(connection, Evidence, statement, ids=list(work_item_ids))}


def list_advised(ledger: Ledger, most: int | None) -> list[int]:
    """Open reviews of leads that a learned score gives an order to: who has the best chance comes first."""
    statement = text(
        """
        SELECT w.id FROM work_item w
        WHERE w.closed_at IS NULL AND w.blocking AND w.kind = 'review' AND w.chance IS NOT NULL
        ORDER BY w.chance DESC, w.due_at, w.id LIMIT :most"""
    )
    with ledger.statement() as connection:
        return [row.id for row in connection.execute(statement, {"most": most})]


def list_compared(ledger: Ledger, work_item_ids: Sequence[int]) -> dict[int, list[Compared]]:
    """For the items that ask whether two records are one person: the leads in question, the likeliest first.

    Values are not masked.
    """
    statement = """
        SELECT w.id, k.lead_id, k.score, k.levels, to_jsonb(l) AS lead,
            (SELECT a.owner FROM journey o JOIN assignment a ON a.journey_id = o.id AND a.ended_at IS NULL
                WHERE o.lead_id = k.lead_id) AS owner,
            (SELECT max(o.captured_at) FROM journey o WHERE o.lead_id = k.lead_id) AS heard_at
        FROM work_item w JOIN lookalike k ON k.journey_id = w.journey_id AND k.generation = w.generation
        JOIN lead l ON l.id = k.lead_id
        WHERE w.id = ANY(:ids) AND w.reason = ANY(:asks) ORDER BY w.id, k.id"""
    found: dict[int, list[Compared]] = {}
    with ledger.transaction() as connection:
        for row in read_rows(connection, Compared, statement, ids=list(work_item_ids), asks=list(ASKS)):
            found.setdefault(row.id, []).append(row)
    return found


def lock_overdue(connection: Connection, now: datetime, only: RowFilter = ALL) -> list[Overdue]:
    """The items that hold leads, are due, taken by nobody and not escalated yet; locked until they are.

    ``journey_id`` is the first that waits behind the item where it is about several. An item that somebody
    decides at this moment is left out: it is closed next, or found by the next check.
    """
    statement = f"""
        SELECT w.id, w.reason, w.stage,
            coalesce(w.journey_id, (SELECT min(j.id) FROM journey j WHERE j.work_item_id = w.id)) AS journey_id
        FROM work_item w
        WHERE w.closed_at IS NULL AND w.blocking AND w.assignee IS NULL AND w.escalated_at IS NULL
            AND w.due_at <= :now AND {only.build_sql("w.id")}
        ORDER BY w.id FOR UPDATE OF w SKIP LOCKED"""
    rows = read_rows(connection, Overdue, statement, now=now, **only.parameters)
    return [row for row in rows if row.journey_id is not None]


def escalate(connection: Connection, late: Sequence[Escalated], now: datetime) -> None:
    """Note that ``late`` items are escalated, and tell each target."""
    import pandas as pd

    work_items.mark_escalated(connection, [item.id for item in late], now)
    messages = [
        {
            "key": outbox.OVERDUE_KEY.format(item.id),
            "journey_id": item.journey_id,
            "target": item.target,
            "kind": MessageKind.WORK_ITEM_OVERDUE,
        }
        for item in late
    ]
    outbox.send(connection, pd.DataFrame(messages), now)
