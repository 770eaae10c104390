"""The table ``breaker``: the breakers of each source at each gate.

Belongs here: every statement that writes the table. Does not belong here: when a breaker opens (``leadgate.breaker``),
or what it parks (``tasks.source_breaker``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import Connection, text

if TYPE_CHECKING:
    from leadgate.values.json_types import JsonObject


class KeptBreaker(NamedTuple):
    """The breakers of a source at a gate: a state for each promise, and the work item of an open one."""

    state: JsonObject
    work_item_id: int | None


def lock_breakers(connection: Connection, gate: str, sources: list[str]) -> dict[str, KeptBreaker]:
    """The breakers of ``sources`` at ``gate``, locked in order."""
    known = _lock_known_breakers(connection, gate, sources)
    if new := sorted(set(sources) - known.keys()):  # a source's first leads
        for source in new:
            connection.execute(
                text("INSERT INTO breaker (source, gate) VALUES (:source, :gate) ON CONFLICT DO NOTHING"),
                {"source": source, "gate": gate},
            )
        known = _lock_known_breakers(connection, gate, sources)
    return known


def _lock_known_breakers(connection: Connection, gate: str, sources: list[str]) -> dict[str, KeptBreaker]:
    rows = connection.execute(
        text(
            "SELECT source, state, work_item_id FROM breaker WHERE gate = :gate AND source = ANY(:sources) "
            "ORDER BY source FOR UPDATE"
        ),
        {"gate": gate, "sources": sources},
    )
    return {row.source: KeptBreaker(row.state, row.work_item_id) for row in rows}


def keep_breaker(connection: Connection, source: str, gate: str, state: JsonObject, work_item_id: int | None) -> None:
    """Write back a breaker that ``lock_breakers`` locked."""
    connection.execute(
        text(
            "UPDATE breaker SET state = CAST(:state AS jsonb), work_item_id = :item "
            "WHERE source = :source AND gate = :gate"
        ),
        {"source": source, "gate": gate, "state": orjson.dumps(state).decode(), "item": work_item_id},
    )


def reset(connection: Connection, work_item_ids: Sequence[int]) -> None:
    """The breakers that these work items stand for are closed, and count from the beginning."""
    connection.execute(
        text("UPDATE breaker SET state = '{}', work_item_id = NULL WHERE work_item_id = ANY(:ids)"),
        {"ids": list(work_item_ids)},
    )
