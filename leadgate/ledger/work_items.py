"""The table ``work_item``: what a person must decide or do.

Belongs here: every statement that writes the table, and what stages ask about open items. Does not belong here: the
journeys that an item holds (``journeys``), what a person decides (``reruns``), or lists and filters (``reports``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypedDict

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.vocabulary import ItemResolution, StageName, WorkItemKind

if TYPE_CHECKING:
    import pandas as pd

    from leadgate.values.json_types import JsonObject


class NewWorkItem(TypedDict):
    """A work item that is to be opened: the columns that are given then, but for ``id``."""

    kind: WorkItemKind
    blocking: bool
    reason: str
    stage: StageName
    promise: str | None
    source: str | None
    journey_id: int | None
    batch_id: int | None
    generation: int
    message: str
    value: str | None
    detail: str | None
    proposal: JsonObject | None
    route: str
    due_at: datetime
    opened_at: datetime


#: What tells an open work item about a journey from others at the same stage.
OpenKey = tuple[int, str, str | None]
_WORK_ITEM_COLUMNS: Final = ["id", *NewWorkItem.__annotations__, "chance"]


#: Who owns the lead that a work item ``w`` is about, if somebody does.
OWNER: Final = "(SELECT a.owner FROM assignment a WHERE a.journey_id = w.journey_id AND a.ended_at IS NULL)"


def open_work_items(connection: Connection, items: pd.DataFrame) -> list[int]:
    """Insert work items (the columns of ``NewWorkItem``) and return their ids in order.

    A column ``chance`` may be there as well: of their leads, by a learned score that says in which order people work.
    """
    failpoint("apply.work_items.before")
    ids = bulk.make_ids(connection, "work_item", len(items))
    frame = items.assign(id=ids)
    frame["proposal"] = [None if not p else orjson.dumps(p).decode() for p in bulk.list_values(frame["proposal"])]
    if "chance" not in frame:
        frame["chance"] = None
    bulk.copy(connection, "work_item", _WORK_ITEM_COLUMNS, frame)
    failpoint("apply.work_items.after")
    return ids


def close_work_items(
    connection: Connection, ids: list[int], *, by: str, resolution: ItemResolution, now: datetime
) -> None:
    """Close open work items; one that is closed already is left as it is."""
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = :now, closed_by = :by, resolution = :resolution "
            "WHERE id = ANY(:ids) AND closed_at IS NULL"
        ),
        {"ids": ids, "by": by, "resolution": resolution, "now": now},
    )


def keep_note(connection: Connection, ids: Sequence[int], note: str | None) -> None:
    """The reason that the person who decided these items gave."""
    connection.execute(text("UPDATE work_item SET note = :note WHERE id = ANY(:ids)"), {"ids": list(ids), "note": note})


def reopen(connection: Connection, ids: Sequence[int]) -> None:
    """Closed items are open again."""
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = NULL, closed_by = NULL, resolution = NULL, note = NULL "
            "WHERE id = ANY(:items)"
        ),
        {"items": list(ids)},
    )


def assign(connection: Connection, work_item_id: int, to: str, now: datetime) -> None:
    """``to`` has taken the item."""
    connection.execute(
        text("UPDATE work_item SET assignee = :by, taken_at = :now WHERE id = :id"),
        {"id": work_item_id, "by": to, "now": now},
    )


def mark_escalated(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Nobody took these items in time, and somebody else has been told."""
    connection.execute(
        text("UPDATE work_item SET escalated_at = :now WHERE id = ANY(:ids)"), {"ids": list(ids), "now": now}
    )


def put_down(connection: Connection, work_item_id: int, taken_at: datetime) -> None:
    """The item is whose it was before it was taken at ``taken_at``."""
    connection.execute(
        text(
            """
            UPDATE work_item w SET (assignee, taken_at) = (SELECT x.by, x.at FROM action x
                WHERE x.work_item_id = w.id AND x.what = 'take' AND x.at < :at
                AND NOT EXISTS (SELECT 1 FROM action u WHERE u.undoes = x.number) ORDER BY x.id DESC LIMIT 1)
            WHERE w.id = :item"""
        ),
        {"item": work_item_id, "at": taken_at},
    )


def open_recoveries(connection: Connection, journey_ids: list[int]) -> set[tuple[int, str]]:
    """Which of the journeys have an open recovery task, and for which promise."""
    rows = connection.execute(
        text(
            "SELECT journey_id, promise FROM work_item "
            "WHERE kind = 'recovery' AND closed_at IS NULL AND journey_id = ANY(:ids)"
        ),
        {"ids": journey_ids},
    )
    return {(row.journey_id, row.promise) for row in rows}


def open_failures(connection: Connection, stage: StageName, reason: str, why: str) -> tuple[int | None, int]:
    """Open work items about journeys that ``stage`` failed for because of ``why`` (their ``detail``): the one that
    several share, if there is one, and how many are about a journey of their own."""
    shared, alike = connection.execute(
        text(
            "SELECT max(id) FILTER (WHERE journey_id IS NULL), count(*) FILTER (WHERE journey_id IS NOT NULL) "
            "FROM work_item WHERE closed_at IS NULL AND stage = :stage AND reason = :reason AND detail = :why"
        ),
        {"stage": stage, "reason": reason, "why": why},
    ).one()
    return shared, alike


def is_open(connection: Connection, reason: str, promise: str) -> bool:
    """Whether a work item about no journey is open for ``reason`` and ``promise``."""
    found = connection.execute(
        text(
            "SELECT 1 FROM work_item WHERE closed_at IS NULL AND journey_id IS NULL AND reason = :reason "
            "AND promise = :promise LIMIT 1"
        ),
        {"reason": reason, "promise": promise},
    )
    return found.first() is not None


def close_empty(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Close those of these work items that hold no journey any more: another one holds it."""
    connection.execute(
        text(
            "UPDATE work_item w SET closed_at = :now, closed_by = 'leadgate', resolution = 'replaced' "
            "WHERE w.id = ANY(:ids) AND w.closed_at IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM journey j WHERE j.work_item_id = w.id AND j.status = 'held')"
        ),
        {"ids": list(ids), "now": now},
    )


def close_general(connection: Connection, reasons: Collection[str], promise: str, now: datetime) -> int:
    """What items about no journey asked for has settled by itself. Returns how many were open."""
    return connection.execute(
        text(
            "UPDATE work_item SET closed_at = :now, closed_by = 'leadgate', resolution = 'promise_kept' "
            "WHERE closed_at IS NULL AND journey_id IS NULL AND reason = ANY(:reasons) AND promise = :promise"
        ),
        {"reasons": sorted(reasons), "promise": promise, "now": now},
    ).rowcount


def list_open_promises(connection: Connection, reason: str, start: str) -> list[str]:
    """The promises of open work items about no journey that begin with ``start``."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT promise FROM work_item WHERE closed_at IS NULL AND journey_id IS NULL "
            "AND reason = :reason AND starts_with(promise, :start) ORDER BY promise"
        ),
        {"reason": reason, "start": start},
    )
    return [row.promise for row in rows]


def list_open_about(connection: Connection, reasons: Collection[str], journey_ids: Sequence[int]) -> set[OpenKey]:
    """The open work items with one of ``reasons`` about these journeys, of any generation: journey, reason, promise."""
    rows = connection.execute(
        text(
            "SELECT journey_id, reason, promise FROM work_item "
            "WHERE closed_at IS NULL AND journey_id = ANY(:ids) AND reason = ANY(:reasons)"
        ),
        {"ids": list(journey_ids), "reasons": sorted(reasons)},
    )
    return {(row.journey_id, row.reason, row.promise) for row in rows}


def close_kept(
    connection: Connection, reasons: Collection[str], promise: str, lead_ids: Sequence[int], now: datetime
) -> None:
    """What was asked about these leads has settled: items with one of ``reasons`` whose promise is, or begins with,
    ``promise``."""
    connection.execute(
        text(
            "UPDATE work_item w SET closed_at = :now, closed_by = 'leadgate', resolution = 'promise_kept' "
            "FROM journey j WHERE j.id = w.journey_id AND j.lead_id = ANY(:leads) AND w.closed_at IS NULL "
            "AND w.reason = ANY(:reasons) AND (w.promise = :promise OR starts_with(w.promise, :promise || ':'))"
        ),
        {"leads": list(lead_ids), "reasons": sorted(reasons), "promise": promise, "now": now},
    )


def gate_recoveries(connection: Connection, stage: StageName) -> set[str | None]:
    """The promises of a stage's gate that could not be checked, and have an open recovery task for it: one that names
    the batch. Others without a journey are about a CRM or a receiver of events."""
    rows = connection.execute(
        text(
            "SELECT promise FROM work_item "
            "WHERE kind = 'recovery' AND journey_id IS NULL AND batch_id IS NOT NULL AND stage = :stage "
            "AND closed_at IS NULL"
        ),
        {"stage": stage},
    )
    return {row.promise for row in rows}


def close_gate_recoveries(connection: Connection, stage: StageName, now: datetime) -> None:
    """The stage's gate could be checked again."""
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = :now, closed_by = 'leadgate', resolution = 'promise_kept' "
            "WHERE kind = 'recovery' AND journey_id IS NULL AND batch_id IS NOT NULL AND stage = :stage "
            "AND closed_at IS NULL"
        ),
        {"stage": stage, "now": now},
    )


def reopen_escalations(
    connection: Connection, journey_id: int, since: datetime, *, besides: Sequence[str] = ()
) -> None:
    """Nobody has followed up after all: what was closed for that ``since`` then is open again, but for the reasons
    ``besides``, of which the next check opens what is still due."""
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = NULL, closed_by = NULL, resolution = NULL "
            "WHERE journey_id = :id AND kind IN ('escalation', 'recovery') AND resolution = 'followed_up' "
            "AND closed_at >= :since AND reason <> ALL(:besides)"
        ),
        {"id": journey_id, "since": since, "besides": list(besides)},
    )


def close_escalations(
    connection: Connection, journey_ids: Sequence[int], now: datetime, reason: str | None = None
) -> None:
    """The follow-up happened or the lead moved on: nobody needs to chase it any more, for ``reason`` or at all."""
    if journey_ids:
        connection.execute(
            text(
                "UPDATE work_item SET closed_at = :now, closed_by = 'leadgate', resolution = 'followed_up' "
                "WHERE journey_id = ANY(:ids) AND kind IN ('escalation', 'recovery') AND closed_at IS NULL "
                "AND (CAST(:reason AS text) IS NULL OR reason = :reason)"
            ),
            {"ids": list(journey_ids), "now": now, "reason": reason},
        )
