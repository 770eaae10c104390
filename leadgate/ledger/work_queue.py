"""The queue of open work items as people look through it: how many there are of each kind, and what became of one.

Belongs here: these queries. Does not belong here: the list itself and its filter (``reports``), the evidence of an item
(``reviews``), or deciding about one (``reruns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text

from leadgate.ledger.database import Ledger
from leadgate.ledger.reports import WorkItemFilter
from leadgate.ledger.typed_rows import read_rows
from leadgate.ledger.work_items import OWNER


@dataclass(frozen=True, slots=True)
class QueueGroup:
    """Open work items of one reason, one route and one source: how many there are, are overdue, are due within a day,
    and are somebody's own."""

    reason: str
    route: str
    source: str | None
    items: int
    overdue: int
    today: int
    mine: int


@dataclass(frozen=True, slots=True)
class ItemEnd:
    """What became of a work item. ``action`` is the number of the last thing that somebody did about its journey and
    it, and ``did`` what that was; ``undone`` tells whether it was undone."""

    id: int
    reason: str
    stage: str
    journey_id: int | None
    lead_id: int | None
    route: str
    assignee: str | None
    owner: str | None
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None
    did: str | None
    action: int | None
    undone: bool


def count_groups(ledger: Ledger, wanted: WorkItemFilter, names: Sequence[str], now: datetime) -> list[QueueGroup]:
    """How many open items there are by reason, route and source, the most frequent first; ``wanted`` without its page.

    Those are somebody's own that are routed to one of ``names``, or taken by one.
    """
    conditions, parameters = replace(wanted, after=None).build_conditions()
    # first by what an index has, without a row: there are tens of thousands of items, and a few groups of them
    statement = f"""
        SELECT g.reason, g.route, g.source, CAST(sum(g.items) AS bigint) AS items,
            CAST(sum(g.overdue) AS bigint) AS overdue, CAST(sum(g.today) AS bigint) AS today,
            CAST(sum(CASE WHEN CAST(:names AS text[]) && CAST(ARRAY[g.route, g.assignee] AS text[]) THEN g.items
                ELSE 0 END) AS bigint) AS mine
        FROM (SELECT w.reason, w.route, w.source, w.assignee, count(*) AS items,
                count(*) FILTER (WHERE w.due_at < :now) AS overdue,
                count(*) FILTER (WHERE w.due_at < CAST(:now AS timestamptz) + interval '1 day') AS today
            FROM work_item w WHERE w.closed_at IS NULL{conditions}
            GROUP BY w.reason, w.route, w.source, w.assignee) g
        GROUP BY g.reason, g.route, g.source ORDER BY items DESC, g.reason, g.route, g.source"""
    with ledger.statement() as connection:
        return read_rows(connection, QueueGroup, statement, now=now, names=list(names), **parameters)


def read_ends(ledger: Ledger, ids: Sequence[int]) -> list[ItemEnd]:
    """What became of these work items, in the order of their ids; an open one has no ``closed_at``."""
    statement = f"""
        SELECT w.id, w.reason, w.stage, w.journey_id, j.lead_id, w.route, w.assignee, {OWNER} AS owner,
            w.closed_at, w.closed_by, w.resolution, a.what AS did, a.number AS action,
            a.number IS NOT NULL AND EXISTS (SELECT FROM action u WHERE u.undoes = a.number) AS undone
        FROM work_item w LEFT JOIN journey j ON j.id = w.journey_id
        LEFT JOIN LATERAL (SELECT each.what, each.number FROM action each
            WHERE each.journey_id = w.journey_id AND each.work_item_id = w.id AND each.what <> 'undo'
            ORDER BY each.id DESC LIMIT 1) a ON true
        WHERE w.id = ANY(:ids) ORDER BY w.id"""
    with ledger.statement() as connection:
        return read_rows(connection, ItemEnd, statement, ids=list(ids))


def list_known_values(ledger: Ledger, column: str) -> list[str]:
    """Every value that ``column`` of the work items has had: what a misspelt filter is compared with."""
    if column not in ("reason", "route", "assignee", "source"):
        raise ValueError(f"work items are not filtered by {column}")
    with ledger.transaction() as connection:
        rows = connection.execute(text(f"SELECT DISTINCT {column} FROM work_item WHERE {column} IS NOT NULL"))
        return sorted(row[0] for row in rows)
