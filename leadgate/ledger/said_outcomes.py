"""What became of a journey, in SQL: won, lost or undecided, by how it ended and by what was said of it.

Belongs here: these parts of the queries of ``figures``. Does not belong here: a figure.
"""

from __future__ import annotations

from typing import Final

from leadgate.vocabulary import EndReason, RecordedVerdict

#: What became of a journey: one of ``leadgate.figures.OUTCOMES``. A first touch ends a journey and decides nothing:
#: only an acceptance by its last owner, or an outcome that the playbook names, wins it. What was said of it later wins
#: over how it ended.
OUTCOME: Final = f"""CASE WHEN w.said IS NOT NULL THEN w.said
            WHEN c.status IN ('nurture', 'disqualified', 'discarded') THEN 'lost'
            WHEN w.end_reason = ANY(:lost) THEN 'lost'
            WHEN w.accepted OR starts_with(w.end_reason, '{EndReason.OUTCOME.add("")}') THEN 'won'
            ELSE 'undecided' END"""

REJECTED: Final = f"starts_with(a.end_reason, '{EndReason.REJECTED.add('')}')"
#: When its owner decided about a lead.
DECIDED_AT: Final = f"greatest(a.accepted_at, CASE WHEN {REJECTED} THEN a.ended_at END)"

#: What was said to have become of a journey, the last word of each: outcomes that files recorded; and of a journey that
#: an outcome ended, those of the lead since, up to its next owner. A deal that is made, and then lost, is lost.
SAID: Final = f"""said AS (
    SELECT DISTINCT ON (s.journey_id) s.journey_id, s.at,
        CASE WHEN s.kind IN ('{RecordedVerdict.REJECTED}', '{RecordedVerdict.LOST}')
            OR '{EndReason.OUTCOME.add("")}' || s.kind = ANY(:lost) THEN 'lost' ELSE 'won' END AS verdict
    FROM (
        SELECT r.journey_id, r.kind, r.occurred_at AS at, r.id FROM recorded_outcome r WHERE r.withdrawn_at IS NULL
        UNION ALL
        SELECT j.id, t.kind, t.occurred_at, t.id FROM assignment a JOIN journey j ON j.id = a.journey_id
        JOIN activity t ON t.lead_id = j.lead_id AND t.occurred_at >= a.assigned_at
        WHERE a.assigned_at >= :since AND a.ended_at IS NOT NULL
            AND starts_with(a.end_reason, '{EndReason.OUTCOME.add("")}')
            AND t.kind = ANY(:outcomes) AND t.withdrawn_at IS NULL
            AND NOT EXISTS (SELECT FROM journey n JOIN assignment b ON b.journey_id = n.id
                WHERE n.lead_id = j.lead_id AND n.id > j.id AND b.assigned_at <= t.occurred_at)) s
    ORDER BY s.journey_id, s.at DESC, s.id DESC)"""
