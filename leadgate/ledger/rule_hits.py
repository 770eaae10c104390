"""How often the rules of playbooks were hit by leads: the queries behind the playbook's page.

Belongs here: a statement for each kind of rule, over the whole ledger. Does not belong here: which rules there are
(``leadgate.playbook``), or any words. No query reads a personal value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger.concurrent_reads import read_concurrently
from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import Read

#: How far back hits are counted.
RECENT: Final = timedelta(days=30)


class RuleKind(StrEnum):
    """What the name of a rule is unique in. A disqualifier is kept by its reason, a verdict by what it is."""

    CONTRIBUTION = "contribution"
    DISQUALIFIED = "disqualified"
    VERDICT = "verdict"
    ROUTE = "route"
    POOL = "pool"
    PRIORITY = "priority"
    SLA = "sla"


@dataclass(frozen=True, slots=True)
class RuleHits:
    """``recent``: how often within ``RECENT``. ``latest``: when last, at any time."""

    kind: str
    name: str
    recent: int
    latest: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """How many leads were scored, and how many got an owner, within ``RECENT``."""

    scored: int
    assigned: int


@dataclass(frozen=True)
class Hits:
    """Every rule that was ever hit, and what its hits are a part of, as of ``now``."""

    now: datetime
    counted: Counted
    by_rule: dict[tuple[str, str], RuleHits]


#: A qualification ``q`` is one of a lead: those of records are by other rules.
_OF_LEADS: Final = "NOT EXISTS (SELECT FROM journey r WHERE r.id = q.journey_id AND r.kind <> 'lead')"
_OF_SCORES: Final = f"""
    SELECT 'contribution' AS kind, c.name, count(*) FILTER (WHERE q.at > :since) AS recent, max(q.at) AS latest
    FROM qualification q CROSS JOIN LATERAL jsonb_object_keys(q.contributions) AS c (name)
    WHERE q.at <= :now AND {_OF_LEADS} GROUP BY c.name"""
_OF_REASONS: Final = f"""
    SELECT 'disqualified' AS kind, r.name, count(*) FILTER (WHERE q.at > :since) AS recent, max(q.at) AS latest
    FROM qualification q CROSS JOIN LATERAL jsonb_array_elements_text(q.reasons) AS r (name)
    WHERE q.at <= :now AND q.outcome = 'disqualified' AND {_OF_LEADS} GROUP BY r.name"""
_OF_VERDICTS: Final = f"""
    SELECT 'verdict' AS kind, coalesce(q.qualified_as, q.outcome) AS name, count(*) FILTER (WHERE q.at > :since)
        AS recent, max(q.at) AS latest
    FROM qualification q WHERE q.at <= :now AND {_OF_LEADS} GROUP BY 2"""
_OF_ASSIGNMENTS: Final = """
    SELECT CASE WHEN GROUPING(a.rule) = 0 THEN 'route' WHEN GROUPING(a.pool) = 0 THEN 'pool'
            WHEN GROUPING(a.priority) = 0 THEN 'priority' ELSE 'sla' END AS kind,
        coalesce(a.rule, a.pool, a.priority, a.sla) AS name,
        count(*) FILTER (WHERE a.assigned_at > :since) AS recent, max(a.assigned_at) AS latest
    FROM assignment a WHERE a.assigned_at <= :now AND a.kind = 'lead'
    GROUP BY GROUPING SETS ((a.rule), (a.pool), (a.priority), (a.sla))
    HAVING coalesce(a.rule, a.pool, a.priority, a.sla) IS NOT NULL"""
_COUNTED: Final = f"""
    SELECT (SELECT count(*) FROM qualification q WHERE q.at > :since AND q.at <= :now AND {_OF_LEADS}) AS scored,
        (SELECT count(*) FROM assignment a WHERE a.assigned_at > :since AND a.assigned_at <= :now
            AND a.kind = 'lead') AS assigned"""


def read_hits(ledger: Ledger, now: datetime) -> Hits:
    """The hits of every rule, those of earlier playbooks too."""
    given = {"now": now, "since": now - RECENT}
    scores, assigned = Read(RuleHits, _OF_SCORES, given), Read(RuleHits, _OF_ASSIGNMENTS, given)
    reasons, verdicts = Read(RuleHits, _OF_REASONS, given), Read(RuleHits, _OF_VERDICTS, given)
    counted = Read(Counted, _COUNTED, given)
    reads: list[Callable[[Connection], None]] = [scores, assigned, reasons, verdicts, counted]
    read_concurrently(ledger, reads)
    rows = [*scores.rows, *assigned.rows, *reasons.rows, *verdicts.rows]
    return Hits(now, counted.rows[0], {(row.kind, row.name): row for row in rows})
