"""Opportunities beside leads, as the stages leave them: owned, held behind a work item, or won; all by SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

SOURCE = "opportunities"
#: Of ten opportunities, one is held for its manager, one is won, and the others are owned by one rep after the other.
_HELD, _WON = 0, 1
_STATEMENTS = (
    """CREATE TEMP TABLE made ON COMMIT DROP AS SELECT i, nextval(pg_get_serial_sequence('signal', 'id')) AS signal,
        nextval(pg_get_serial_sequence('journey', 'id')) AS journey,
        nextval(pg_get_serial_sequence('record', 'id')) AS record,
        nextval(pg_get_serial_sequence('record_version', 'id')) AS version,
        nextval(pg_get_serial_sequence('work_item', 'id')) AS item,
        (CAST(:reps AS text[]))[1 + i % cardinality(CAST(:reps AS text[]))] AS rep,
        CASE i % 10 WHEN :held THEN 'held' WHEN :won THEN 'done' ELSE 'owned' END AS status,
        CAST(:now AS timestamptz) - i * interval '1 minute' AS at FROM generate_series(0, :count - 1) i""",
    """INSERT INTO signal (id, source, key, payload, received_at)
        SELECT signal, :source, 'opportunity ' || i, '{}', at FROM made""",
    """INSERT INTO record (id, kind, source, key, version, version_id, values, name, account, account_key, owner,
            sales_stage, amount, close_date, category, is_open, outcome, slipped_on, created_at, updated_at)
        SELECT record, 'opportunity', :source, 'D' || i, 1, version,
            jsonb_build_object('name', 'Deal ' || i, 'account', 'Acme ' || i % 7, 'amount', 1000 + i),
            'Deal ' || i, 'Acme ' || i % 7, 'acme ' || i % 7, rep, 'proposal', 1000 + i, date '2026-03-31',
            CASE status WHEN 'done' THEN 'closed' ELSE 'commit' END, status <> 'done',
            CASE status WHEN 'done' THEN 'won' END, CASE WHEN i = 2 THEN date '2026-03-31' END, at, at FROM made""",
    """INSERT INTO journey (id, kind, trigger, signal_id, record_id, source, captured_at, stage, status, version,
            generation, start_stage, handed_on_at, run_after)
        SELECT journey, 'opportunity', 'signal', signal, record, :source, at,
            CASE status WHEN 'owned' THEN 'follow_up' ELSE 'qualification' END,
            CASE status WHEN 'held' THEN 'ready' ELSE status END, 1, 0, 'capture',
            array_fill(at + interval '1 s', ARRAY[CASE status WHEN 'owned' THEN 5 ELSE 4 END]), at FROM made""",
    """INSERT INTO record_version (id, record_id, number, journey_id, changed_at, changed_by, received_at, stored_at, values,
            changes, late, owner, sales_stage, amount, close_date, category, is_open)
        SELECT version, record, 1, journey, at - interval '1 h', rep, at, at, jsonb_build_object('name', 'Deal ' || i),
            jsonb_build_object('amount', jsonb_build_array(NULL, 1000 + i)), false, rep, 'proposal', 1000 + i,
            date '2026-03-31', 'commit', status <> 'done' FROM made""",
    """INSERT INTO work_item (id, kind, blocking, reason, stage, source, journey_id, generation, message, route, due_at,
            opened_at)
        SELECT item, 'review', true, 'pushed', 'qualification', :source, journey, 0, 'The close date was pushed',
            'mia', at + interval '8 h', at FROM made WHERE status = 'held'""",
    "UPDATE journey j SET status = 'held', work_item_id = item FROM made WHERE j.id = journey AND made.status = 'held'",
    """INSERT INTO handoff (journey_id, generation, stage, outcome, playbook_hash, at)
        SELECT journey, 0, s.stage, CASE WHEN s.n < 4 OR status = 'owned' THEN 'continued' ELSE status END, :hash,
            at + interval '1 s'
        FROM made CROSS JOIN unnest(ARRAY['capture', 'validation', 'enrichment', 'qualification', 'assignment'])
            WITH ORDINALITY AS s (stage, n) WHERE s.n < 5 OR status = 'owned'""",
    """INSERT INTO qualification (journey_id, generation, fit, engagement, score, contributions, details, qualified_as,
            outcome, reasons, evidence, playbook_hash, at)
        SELECT journey, 0, 30, 0, 30, '{"has_company": 30}', '{}', 'marketing_qualified', 'continue', '[]', '{}', :hash,
            at FROM made""",
    """INSERT INTO record_judgement (journey_id, generation, record_id, outcome, reason, facts, playbook_hash, at)
        SELECT journey, 0, record, CASE status WHEN 'owned' THEN 'continue' WHEN 'held' THEN 'hold' ELSE 'done' END,
            CASE status WHEN 'held' THEN 'pushed' END, '{"amount_change": 1000}', :hash, at FROM made""",
    """INSERT INTO assignment (journey_id, kind, generation, owner, pool, rule, turn, candidates, why, sla,
            playbook_hash, assigned_at, due_at, due_soon_at, next_check_at, touched_at, ladder_step)
        SELECT journey, 'opportunity', 0, rep, 'everybody', 'to_its_owner', false, '[]', 'The record names them',
            'standard', :hash, at + interval '1 s', at + interval '2 h', at + interval '1 h', at + interval '90 days',
            CASE WHEN i % 4 = 3 THEN at + interval '30 min' END, 0
        FROM made WHERE status = 'owned'""",
    """INSERT INTO missed (assignment_id, journey_id, target, since, due_at, noticed_at)
        SELECT a.id, a.journey_id, 'first_touch', a.assigned_at, a.due_at, a.due_at
        FROM assignment a JOIN made ON a.journey_id = journey WHERE i % 4 = 2""",
    """INSERT INTO outbox (key, journey_id, target, kind, created_at)
        SELECT concat_ws(':', 'assigned', journey, 0), journey, rep, 'record_assigned', at FROM made WHERE status = 'owned'""",
    """INSERT INTO record_slip (record_id, close_date, journey_id, noticed_at)
        SELECT record, date '2026-03-31', journey, at + interval '40 days' FROM made WHERE i = 2""",
)


def insert_opportunities(connection: Connection, count: int, reps: list[str], now: datetime) -> None:
    """``count`` opportunities, captured a minute after the other up to ``now``. A playbook has been used before."""
    hash_ = connection.execute(
        text("SELECT hash FROM playbook_version ORDER BY activated_at DESC LIMIT 1")
    ).scalar_one()
    given = {
        "count": count, "reps": reps, "now": now, "hash": hash_, "source": SOURCE, "held": _HELD, "won": _WON,
    }  # fmt: skip
    for statement in _STATEMENTS:
        connection.execute(text(statement), {name: each for name, each in given.items() if f":{name}" in statement})
