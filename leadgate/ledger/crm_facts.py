"""What is known of leads now, as a CRM is told: the last journey of each, with its last score and its last assignment.

Belongs here: this one query. Does not belong here: what is written of it (``leadgate.crm``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import text

from leadgate.crm.facts import LeadFacts
from leadgate.lead_columns import LEAD_COLUMNS
from leadgate.ledger.database import Ledger
from leadgate.vocabulary import JourneyStatus

#: The lead's own fields: those that a person would look for in a CRM.
_FIELDS: Final = tuple(name for name, kind in LEAD_COLUMNS.items() if kind != "jsonb")
_FACTS: Final = f"""
    SELECT l.id AS lead_id, j.id AS journey_id, j.generation, j.source, j.status, j.captured_at,
        h.reason AS status_reason, q.fit, q.engagement, q.score, q.grade, q.fit_grade, q.engagement_grade,
        q.qualified_as, q.at AS qualified_at, q.contributions, q.details, q.reasons, q.evidence, a.owner,
        a.assigned_at AS owner_since, a.why AS owner_reason, a.rule AS route, a.pool, a.due_at, a.touched_at,
        a.accepted_at, l.custom, {", ".join(f"l.{name} AS lead_{name}" for name in _FIELDS)}
    FROM lead l
    CROSS JOIN LATERAL (SELECT * FROM journey o WHERE o.lead_id = l.id AND o.status <> 'joined'
        ORDER BY o.id DESC LIMIT 1) j
    LEFT JOIN LATERAL (SELECT reason FROM handoff o WHERE o.journey_id = j.id ORDER BY o.id DESC LIMIT 1) h ON true
    LEFT JOIN LATERAL (SELECT o.* FROM qualification o JOIN journey p ON p.id = o.journey_id
        WHERE p.lead_id = l.id ORDER BY o.journey_id DESC, o.generation DESC LIMIT 1) q ON true
    LEFT JOIN LATERAL (SELECT * FROM assignment o WHERE o.journey_id = j.id ORDER BY o.id DESC LIMIT 1) a ON true
    WHERE l.id = ANY(:leads)"""


def read_facts(ledger: Ledger, lead_ids: Collection[int]) -> dict[int, LeadFacts]:
    """What is known of each of these leads. One whose journeys all joined others, or that is no lead, is left out."""
    with ledger.transaction() as connection:
        rows = connection.execute(text(_FACTS), {"leads": sorted(lead_ids)}).mappings().all()
    found = {}
    for row in rows:
        values = {name: row[f"lead_{name}"] for name in _FIELDS}
        own = {name: value for name, value in (row["custom"] or {}).items() if not isinstance(value, (dict, list))}
        rest = {name: value for name, value in row.items() if name != "custom" and not name.startswith("lead_")}
        facts = LeadFacts(
            lead_id=row["lead_id"], values=own | values, **rest | {"status": JourneyStatus(row["status"])}
        )
        found[facts.lead_id] = facts
    return found
