"""Leads as a frame, a row each: for analysis.

Belongs here: this query. Does not belong here: one lead with everything about it (``lead_history``), or figures
(``figures``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pandas as pd
from sqlmodel import SQLModel

import leadgate.models  # noqa: F401 - declares the tables
from leadgate.fields import ENRICHED, STANDARD, VALIDATED
from leadgate.ledger import bulk
from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.database import Ledger

#: The fields of a lead that have a column.
FIELDS: Final = tuple(
    name for name in (STANDARD | VALIDATED | ENRICHED) if name in SQLModel.metadata.tables["lead"].columns
)


def read_leads(ledger: Ledger, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """A row for each lead that was created from ``since`` up to, not including, ``until``, in the order of their ids.

    ``lead_id``, ``created_at``, ``FIELDS``, ``custom`` (the playbook's own fields, a dictionary); ``journey_id``,
    ``source``, ``captured_at``, ``stage`` and ``status`` of the open journey, else of the last that did not join
    another; its last ``score``, ``grade`` and ``qualified_as``; and its last ``owner``, ``pool``, ``assigned_at``,
    ``due_at`` and ``touched_at``. Values are not masked; times are aware.
    """
    columns = ", ".join(f"l.{name}" for name in FIELDS)
    with ledger.snapshot() as connection:
        return bulk.select(
            connection,
            f"""
            SELECT l.id AS lead_id, l.created_at, {columns}, l.custom,
                j.id AS journey_id, j.source, j.captured_at, j.stage, j.status,
                q.score, q.grade, q.qualified_as, a.owner, a.pool, a.assigned_at, a.due_at, a.touched_at
            FROM lead l
            CROSS JOIN LATERAL (SELECT * FROM journey WHERE lead_id = l.id
                ORDER BY (status IN ('ready', 'held', 'owned')) DESC, (status = 'joined'), id DESC LIMIT 1) j
            LEFT JOIN LATERAL (SELECT * FROM qualification WHERE journey_id = j.id
                ORDER BY generation DESC LIMIT 1) q ON true
            LEFT JOIN LATERAL (SELECT * FROM assignment WHERE journey_id = j.id AND {ENDED_OR_NOT}
                ORDER BY id DESC LIMIT 1) a ON true
            WHERE l.created_at >= coalesce(:since, l.created_at)
                AND (CAST(:until AS timestamptz) IS NULL OR l.created_at < :until)
            ORDER BY l.id""",
            since=since,
            until=until,
        )
