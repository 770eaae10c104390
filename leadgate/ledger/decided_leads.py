"""Leads whose outcome is known, with what was known of them when they were scored: what scoring rules are measured by.

Belongs here: these queries. Does not belong here: scoring (``leadgate.scoring``), or what counts as won and lost
(``said_outcomes``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.fields import ENRICHED, STANDARD, VALIDATED
from leadgate.ledger import bulk
from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.said_outcomes import DECIDED_AT, OUTCOME, SAID
from leadgate.vocabulary import EndReason

if TYPE_CHECKING:
    import pandas as pd

_ALWAYS: Final = datetime(1900, 1, 1, tzinfo=UTC)
_COLUMNS: Final = ", ".join(f"l.{name}" for name in (*STANDARD, *VALIDATED, *ENRICHED, "custom"))
#: Of each lead the last journey that is decided: one that had an owner, or of which an outcome was said.
_DECIDED: Final = f"""
    WITH {SAID},
    latest AS (
        SELECT DISTINCT ON (a.journey_id) a.journey_id, a.end_reason, a.accepted_at IS NOT NULL AS accepted,
            {DECIDED_AT} AS decided_at
        FROM assignment a WHERE {ENDED_OR_NOT} ORDER BY a.journey_id, a.id DESC),
    outcomes AS (
        SELECT DISTINCT ON (c.lead_id) c.lead_id, c.id AS journey_id, c.source, {OUTCOME} AS outcome,
            least(s.at, (SELECT q.at FROM qualification q WHERE q.journey_id = c.id
                ORDER BY q.generation DESC LIMIT 1), c.captured_at + interval '100 years') AS as_of
        FROM journey c LEFT JOIN latest o ON o.journey_id = c.id LEFT JOIN said s ON s.journey_id = c.id
        CROSS JOIN LATERAL (SELECT o.end_reason, o.accepted,
            CASE WHEN o.decided_at > s.at THEN NULL ELSE s.verdict END AS said) w
        WHERE c.lead_id IS NOT NULL AND c.status <> 'joined'
            AND (s.journey_id IS NOT NULL OR o.journey_id IS NOT NULL)
        ORDER BY c.lead_id, c.id DESC)
    SELECT journey_id, lead_id, source, outcome = 'won' AS won, as_of FROM outcomes
    WHERE outcome <> 'undecided' ORDER BY lead_id"""


def read_decided(connection: Connection, outcomes: Sequence[str], lost: Sequence[str]) -> pd.DataFrame:
    """``journey_id``, ``lead_id``, ``source``, ``won``, and ``as_of``: when the lead was scored last, or what became of
    it was so, whichever is earlier. ``outcomes`` are those of the playbook, ``lost`` those of them that lose a lead."""
    return bulk.select(
        connection,
        _DECIDED,
        since=_ALWAYS,
        outcomes=list(outcomes),
        lost=[EndReason.OUTCOME.add(name) for name in lost],
    )


def read_values(connection: Connection, lead_ids: Sequence[int]) -> pd.DataFrame:
    """``lead_id`` and the values that the rules may read, as they are now."""
    return bulk.select(
        connection,
        f"SELECT l.id AS lead_id, {_COLUMNS} FROM lead l WHERE l.id = ANY(:ids) ORDER BY l.id",
        ids=list(lead_ids),
    )


def read_activities(connection: Connection, lead_ids: Sequence[int]) -> pd.DataFrame:
    """What these leads did: ``lead_id``, ``kind``, ``occurred_at``."""
    return bulk.select(
        connection,
        "SELECT t.lead_id, t.kind, t.occurred_at FROM activity t WHERE t.lead_id = ANY(:ids) AND t.actor = 'lead' "
        "ORDER BY t.lead_id, t.occurred_at, t.id",
        ids=list(lead_ids),
    )
