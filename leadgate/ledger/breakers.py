"""The table ``breaker``: the breakers of each source at each gate.

Belongs here: every statement that writes the table. Does not belong here: when a breaker opens (``leadgate.breaker``),
or what it parks (``tasks.source_breaker``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from sqlalchemy import Connection, text

from leadgate.ledger.typed_rows import read_rows

if TYPE_CHECKING:
    from leadgate.values.json_types import JsonObject


class KeptBreaker(NamedTuple):
    """The breakers of a source at a gate: a state for each promise, and the work item of an open one."""

    state: JsonObject
    work_item_id: int | None


@dataclass(frozen=True, slots=True)
class BreakerNow:
    """A breaker that is not closed, or has seen a row break its promise. ``window``: the last rows, 1 for each that
    did. Of an open one, ``parked`` journeys wait behind the work item, which all promises of the source at the gate
    share."""

    source: str
    gate: str
    promise: str
    status: str
    window: str
    opened_at: datetime | None = None
    work_item_id: int | None = None
    parked: int = 0

    @property
    def is_open(self) -> bool:
        """Open, or half-open."""
        return self.status != "closed"

    @property
    def seen(self) -> int:
        return len(self.window)

    @property
    def broken(self) -> int:
        return self.window.count("1")


_NOW: Final = """
    SELECT b.source, b.gate, p.key AS promise, p.value ->> 'status' AS status, p.value ->> 'window' AS window,
        CAST(p.value ->> 'opened_at' AS timestamptz) AS opened_at, o.work_item_id,
        (SELECT count(*) FROM journey j WHERE j.work_item_id = o.work_item_id) AS parked
    FROM breaker b CROSS JOIN LATERAL jsonb_each(b.state) AS p (key, value)
    CROSS JOIN LATERAL (SELECT CASE WHEN p.value ->> 'status' <> 'closed' THEN b.work_item_id END AS work_item_id) o
    WHERE p.value ->> 'status' <> 'closed' OR strpos(p.value ->> 'window', '1') > 0
    ORDER BY b.source, b.gate, p.key"""


def list_breakers(connection: Connection) -> list[BreakerNow]:
    """The breakers that have seen something break: those that are open, and those that may open next."""
    return read_rows(connection, BreakerNow, _NOW)


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
