"""What a stage leaves behind: work items, gate results, breakers, messages, actions.

Belongs here: writes that every stage shares, and releasing what it held. Does not belong here: moving a journey
(``batches``) or what one stage alone stores (in ``people`` and ``decisions``).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.ledger.clock import read_time
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys.claiming import stop_waiting

if TYPE_CHECKING:
    import pandas as pd

#: A condition that holds for every assignment. One index is over those that have ended, another over the others: with
#: this condition PostgreSQL uses both, and reads no other journey's assignments.
ENDED_OR_NOT: Final = "(ended_at IS NULL OR ended_at IS NOT NULL)"

#: The key of the message that a work item was not taken in time, and who it went to (of a ``work_item w``).
OVERDUE_KEY: Final = "work_item_overdue:{}"
ESCALATED_TO: Final = f"(SELECT o.target FROM outbox o WHERE o.key = '{OVERDUE_KEY.format('')}' || w.id)"

_WORK_ITEM_COLUMNS = [
    "id", "kind", "blocking", "reason", "stage", "promise", "source", "journey_id", "batch_id", "generation",
    "message", "value", "detail", "proposal", "route", "due_at", "opened_at",
]  # fmt: skip


def activate_playbook(ledger: Ledger, hash_: str, content: str, pools: list[str], now: datetime | None = None) -> bool:
    """Keep a playbook's content under its hash, and a row of turns for each pool. True when it is new.

    Leads that wait until somebody is back wait by the playbook before; a new one may know somebody else.
    """
    with ledger.transaction() as connection:
        now = read_time(connection, now)
        new = connection.execute(
            text("INSERT INTO playbook_version VALUES (:hash, :content, :now) ON CONFLICT DO NOTHING"),
            {"hash": hash_, "content": content, "now": now},
        ).rowcount
        for pool in sorted(pools):
            connection.execute(
                text("INSERT INTO pool_state (pool, version) VALUES (:pool, 0) ON CONFLICT DO NOTHING"),
                {"pool": pool},
            )
        if new:
            stop_waiting(connection, now)
    return new == 1


def playbook_content(ledger: Ledger, hash_: str) -> str | None:
    """The content that was activated under ``hash_``."""
    with ledger.transaction() as connection:
        content: str | None = connection.execute(
            text("SELECT content FROM playbook_version WHERE hash = :hash"), {"hash": hash_}
        ).scalar()
    return content


def open_work_items(connection: Connection, items: pd.DataFrame) -> list[int]:
    """Insert work items (columns of ``work_item`` without ``id``) and return their ids in order."""
    failpoint("apply.work_items.before")
    ids = bulk.new_ids(connection, "work_item", len(items))
    frame = items.assign(id=ids)
    frame["proposal"] = [None if not p else orjson.dumps(p).decode() for p in bulk.plain(frame["proposal"])]
    bulk.copy(connection, "work_item", _WORK_ITEM_COLUMNS, frame)
    failpoint("apply.work_items.after")
    return ids


def close_work_items(connection: Connection, ids: list[int], *, by: str, resolution: str, now: datetime) -> None:
    """Close open work items; one that is closed already is left as it is."""
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = :now, closed_by = :by, resolution = :resolution "
            "WHERE id = ANY(:ids) AND closed_at IS NULL"
        ),
        {"ids": ids, "by": by, "resolution": resolution, "now": now},
    )


def gate_result(connection: Connection, row: dict[str, Any], warned: pd.DataFrame) -> None:
    """Keep a gate's evidence, and which journeys passed with a warning (rows of ``warned``, if there are any)."""
    failpoint("apply.gate_result.before")
    connection.execute(
        text(
            "INSERT INTO gate_result (batch_id, gate, rows, held, warned, evidence, seconds, at) "
            "VALUES (:batch_id, :gate, :rows, :held, :warned, CAST(:evidence AS jsonb), :seconds, :at)"
        ),
        row | {"evidence": orjson.dumps(row["evidence"]).decode()},
    )
    if not warned.empty:
        bulk.temporary(
            connection,
            "warnings_seen",
            {"journey_id": "bigint", "generation": "int", "gate": "text", "promise": "text", "reason": "text",
             "words": "text"},
            warned,
        )  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO warned (journey_id, generation, gate, promise, reason, words) "
                "SELECT DISTINCT ON (journey_id, generation, gate, promise) journey_id, generation, gate, promise, "
                "reason, words FROM warnings_seen ORDER BY journey_id, generation, gate, promise ON CONFLICT DO NOTHING"
            )
        )
    failpoint("apply.gate_result.after")


def lock_breakers(
    connection: Connection, gate: str, sources: list[str]
) -> dict[str, tuple[dict[str, Any], int | None]]:
    """The breakers of ``sources`` at ``gate``, locked in order: source -> (state per promise, work item)."""
    known = _lock_known_breakers(connection, gate, sources)
    if new := sorted(set(sources) - known.keys()):  # a source's first leads
        for source in new:
            connection.execute(
                text("INSERT INTO breaker (source, gate) VALUES (:source, :gate) ON CONFLICT DO NOTHING"),
                {"source": source, "gate": gate},
            )
        known = _lock_known_breakers(connection, gate, sources)
    return known


def _lock_known_breakers(
    connection: Connection, gate: str, sources: list[str]
) -> dict[str, tuple[dict[str, Any], int | None]]:
    rows = connection.execute(
        text(
            "SELECT source, state, work_item_id FROM breaker WHERE gate = :gate AND source = ANY(:sources) "
            "ORDER BY source FOR UPDATE"
        ),
        {"gate": gate, "sources": sources},
    )
    return {row.source: (row.state, row.work_item_id) for row in rows}


def keep_breaker(
    connection: Connection, source: str, gate: str, state: dict[str, Any], work_item_id: int | None
) -> None:
    """Write back a breaker that ``lock_breakers`` locked."""
    connection.execute(
        text(
            "UPDATE breaker SET state = CAST(:state AS jsonb), work_item_id = :item "
            "WHERE source = :source AND gate = :gate"
        ),
        {"source": source, "gate": gate, "state": orjson.dumps(state).decode(), "item": work_item_id},
    )


def send(connection: Connection, messages: pd.DataFrame, now: datetime) -> None:
    """Put messages (``key``, ``journey_id``, ``target``, ``kind``) into the outbox; a known key is left alone."""
    if messages.empty:
        return
    failpoint("apply.outbox.before")
    bulk.temporary(
        connection,
        "sending",
        {"n": "int", "key": "text", "journey_id": "bigint", "target": "text", "kind": "text"},
        messages.assign(n=range(len(messages))),
    )
    connection.execute(
        text(
            "INSERT INTO outbox (key, journey_id, target, kind, created_at) "
            "SELECT key, journey_id, target, kind, :now FROM sending ORDER BY n ON CONFLICT (key) DO NOTHING"
        ),
        {"now": now},
    )
    failpoint("apply.outbox.after")


def tell_owners(connection: Connection, joined: pd.DataFrame, now: datetime) -> None:
    """Tell the owner of each open journey in ``joined_to`` that the lead was heard of again, and look at it."""
    if joined.empty:
        return
    pairs = {
        "journey": bulk.plain(joined["journey_id"]),
        "holder": bulk.plain(joined["joined_to"]),
        "now": now,
    }
    connection.execute(
        text(
            """
            INSERT INTO outbox (key, journey_id, target, kind, created_at)
            SELECT 'heard_again:' || p.journey, a.journey_id, a.owner, 'lead_heard_again', :now
            FROM unnest(CAST(:journey AS bigint[]), CAST(:holder AS bigint[])) AS p(journey, holder)
            CROSS JOIN LATERAL (SELECT journey_id, owner FROM assignment
                WHERE journey_id = p.holder AND ended_at IS NULL LIMIT 1) a
            ORDER BY p.journey ON CONFLICT (key) DO NOTHING"""
        ),
        pairs,
    )
    # a lead that is heard of ends the wait for it
    connection.execute(
        text("UPDATE assignment SET next_check_at = :now WHERE ended_at IS NULL AND journey_id = ANY(:holder)"), pairs
    )


def tell_last_owners(connection: Connection, journey_ids: list[int], now: datetime) -> None:
    """Tell whoever had these journeys' leads last that they warmed up; once a journey."""
    if not journey_ids:
        return
    connection.execute(
        text(
            """
            INSERT INTO outbox (key, journey_id, target, kind, created_at)
            SELECT 'warmed_up:' || j.id, j.id, last.owner, 'lead_warmed_up', :now
            FROM journey j JOIN LATERAL (SELECT a.owner FROM journey o JOIN assignment a ON a.journey_id = o.id
                WHERE o.lead_id = j.lead_id ORDER BY a.id DESC LIMIT 1) last ON true
            WHERE j.id = ANY(:ids) ORDER BY j.id ON CONFLICT (key) DO NOTHING"""
        ),
        {"ids": journey_ids, "now": now},
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


def open_failures(connection: Connection, stage: str, reason: str, why: str) -> tuple[int | None, int]:
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


def gate_recoveries(connection: Connection, stage: str) -> set[str | None]:
    """The promises of a stage's gate that could not be checked, and have an open recovery task for it."""
    rows = connection.execute(
        text(
            "SELECT promise FROM work_item "
            "WHERE kind = 'recovery' AND journey_id IS NULL AND stage = :stage AND closed_at IS NULL"
        ),
        {"stage": stage},
    )
    return {row.promise for row in rows}


def close_gate_recoveries(connection: Connection, stage: str, now: datetime) -> None:
    """The stage's gate could be checked again."""
    connection.execute(
        text(
            "UPDATE work_item SET closed_at = :now, closed_by = 'leadgate', resolution = 'promise_kept' "
            "WHERE kind = 'recovery' AND journey_id IS NULL AND stage = :stage AND closed_at IS NULL"
        ),
        {"stage": stage, "now": now},
    )
