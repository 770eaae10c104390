"""The ledger's canonical projection: its content without ids, times and batches.

Belongs here: what makes two histories comparable. Does not belong here: whether one of them is sound.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from leadgate.ledger.database import Ledger
from leadgate.vocabulary import StageName, list_in_sql

#: What each signal came to, in terms of content: no ids, no times, no batches.
_JOURNEYS: Final = f"""
    SELECT s.source, s.key, j.trigger, j.stage, j.status, j.generation, j.start_stage,
        (SELECT s2.key FROM journey h JOIN signal s2 ON s2.id = h.signal_id WHERE h.id = j.joined_to) AS joined_to,
        (SELECT row_to_json(x)::text FROM (SELECT w.kind, w.reason, w.stage, w.promise, w.message, w.value, w.detail,
            w.proposal, w.route FROM work_item w WHERE w.id = j.work_item_id) x) AS held_by,
        (SELECT string_agg(concat_ws('/', generation, stage, outcome, reason, playbook_hash), ' '
            ORDER BY generation, array_position(ARRAY[{list_in_sql(StageName)}], stage))
            FROM handoff h WHERE h.journey_id = j.id) AS handoffs,
        (SELECT string_agg(concat_ws('/', generation, fit, engagement, score, grade, contributions, was,
            qualified_as, outcome, reasons, evidence), ' ' ORDER BY generation)
            FROM qualification q WHERE q.journey_id = j.id) AS scores,
        (SELECT string_agg(concat_ws('/', generation, owner, pool, rule, turn, candidates, why, sla, ladder_step,
            end_reason), ' ' ORDER BY generation) FROM assignment a WHERE a.journey_id = j.id) AS owners,
        (SELECT string_agg(concat_ws('/', kind, target, split_part(key, ':', 1)), ' ' ORDER BY kind, target, key)
            FROM outbox o WHERE o.journey_id = j.id) AS messages,
        (SELECT string_agg(concat_ws('/', generation, gate, promise), ' ' ORDER BY generation, gate, promise)
            FROM warned w WHERE w.journey_id = j.id) AS warnings,
        (SELECT (to_jsonb(l)
                - ARRAY['id', 'created_at', 'rescore_at', 'score_changes_at', 'recycle_at', 'enrich_at', 'provenance',
                    'not_enriched'])::text
            FROM lead l WHERE l.id = j.lead_id) AS lead
    FROM journey j LEFT JOIN signal s ON s.id = j.signal_id"""
_REST: Final = (
    "SELECT 'pool', kind || pool, state::text FROM pool_state WHERE state <> '{}'",
    "SELECT 'identity', kind, value FROM identity",
    "SELECT 'breaker', source, gate || (SELECT string_agg(key || (value ->> 'status') || (value ->> 'window'), ' ' "
    "ORDER BY key) FROM jsonb_each(state)) FROM breaker",
    "SELECT 'activity', source, key || coalesce(kind, '') || (lead_id IS NOT NULL)::text FROM activity",
    "SELECT 'open work', kind, concat_ws('/', reason, stage, source, count(*)) FROM work_item WHERE closed_at IS NULL "
    "GROUP BY kind, reason, stage, source",
    "SELECT 'leads', '', count(*)::text FROM lead",
    "SELECT 'record', kind || source, concat_ws('/', key, version, values, is_open, category, slipped_on, enriched) "
    "FROM record",
    "SELECT 'version', r.key, concat_ws('/', v.number, v.values, v.changes, v.late) FROM record_version v "
    "JOIN record r ON r.id = v.record_id",
    "SELECT 'judgement', r.key, concat_ws('/', x.generation, x.outcome, x.reason, x.facts) FROM record_judgement x "
    "JOIN record r ON r.id = x.record_id",
    "SELECT 'deletion', r.key, count(*)::text FROM record_deletion x JOIN record r ON r.id = x.record_id "
    "GROUP BY r.key",
    "SELECT 'slip', r.key, x.close_date::text FROM record_slip x JOIN record r ON r.id = x.record_id",
)


def read_projection(ledger: Ledger) -> list[str]:
    """The ledger's content as sorted lines: equal for two histories that came to the same."""
    with ledger.transaction() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        lines: list[str] = []
        for query in (_JOURNEYS, *_REST):
            lines += [repr(tuple(row)) for row in connection.exec_driver_sql(query.replace("%", "%%"))]
    return sorted(lines)
