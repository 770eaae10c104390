"""What is known of an event when it is sent: where the lead is, who has it, and why.

Belongs here: reading this. Does not belong here: what of it a receiver is shown (``tasks.event_delivery``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_row


@dataclass(frozen=True, slots=True)
class EventFacts:
    """``owner``, ``route`` and ``pool`` are of the assignment that the event is about. ``reasons`` are of open work
    items about the journey."""

    status: str
    stage: str
    reason: str | None
    owner: str | None
    route: str | None
    pool: str | None
    reasons: list[str]


_FACTS: Final = """
    SELECT j.status, j.stage, h.reason, a.owner, a.rule AS route, a.pool,
        coalesce((SELECT array_agg(DISTINCT w.reason ORDER BY w.reason) FROM work_item w
            WHERE w.closed_at IS NULL AND (w.journey_id = j.id OR w.id = j.work_item_id)), '{}') AS reasons
    FROM journey j
    LEFT JOIN LATERAL (SELECT reason FROM handoff WHERE journey_id = j.id ORDER BY id DESC LIMIT 1) h ON true
    LEFT JOIN LATERAL (SELECT owner, rule, pool FROM assignment WHERE journey_id = j.id AND generation <= :generation
        ORDER BY id DESC LIMIT 1) a ON true
    WHERE j.id = :journey"""


def read_event_facts(ledger: Ledger, journey_id: int, generation: int) -> EventFacts | None:
    """None when the journey is not there any more."""
    with ledger.transaction() as connection:
        return read_row(connection, EventFacts, _FACTS, journey=journey_id, generation=generation)
