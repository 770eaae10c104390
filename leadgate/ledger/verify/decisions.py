"""What was decided: scores and grades, turns, clocks, and the playbook that each decision names.

Belongs here: qualifications, assignments and pools. Does not belong here: what happens to an owned lead.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.handoffs import count_handoffs
from leadgate.ledger.verify.invariant import Invariant

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "score_adds_up",
        "The contributions of a score sum to the score",
        "SELECT count(*) FROM qualification",
        # few scores have contributions of their own
        "SELECT coalesce(sum(n) FILTER (WHERE score <> parts OR score <> "
        "(SELECT coalesce(sum(value::int), 0) FROM jsonb_each_text(contributions))), 0) "
        "FROM (SELECT score, fit + engagement AS parts, contributions, count(*) AS n FROM qualification "
        "GROUP BY 1, 2, 3) alike",
    ),
    Invariant(
        "grade_is_its_parts",
        "A grade is that of fit and that of engagement, and no lead has only one of them",
        "SELECT count(*) FROM qualification WHERE grade IS NOT NULL",
        "SELECT count(*) FROM qualification WHERE num_nulls(fit_grade, engagement_grade, grade) NOT IN (0, 3) "
        "OR grade <> fit_grade || engagement_grade",
    ),
    Invariant(
        "scored_again_as_decided",
        "A lead is scored again, without news, when one of its scores said so; nobody plans the past",
        "SELECT count(*) FROM lead WHERE score_changes_at IS NOT NULL",
        "SELECT (SELECT count(*) FROM lead l WHERE l.score_changes_at IS NOT NULL AND NOT EXISTS (SELECT 1 "
        "FROM journey j JOIN qualification q ON q.journey_id = j.id "
        "WHERE j.lead_id = l.id AND q.changes_at = l.score_changes_at)) "
        "+ (SELECT count(*) FROM qualification WHERE changes_at <= at)",
    ),
    Invariant(
        "turns_are_assignments",
        "Turns taken of a pool equal the assignments made by turn",
        "SELECT count(*) FROM pool_state",
        """
        SELECT count(*) FROM pool_state p WHERE
            (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(coalesce(p.state -> 'taken', '{}')))
            <> (SELECT count(*) FROM assignment a WHERE a.pool = p.pool AND a.kind = p.kind AND a.turn)""",
    ),
    Invariant(
        "turns_move_on_by_one",
        "Every turn moved its pool's count, and its owner's, on by one, or filled one that was given back",
        "SELECT count(*) FROM assignment WHERE pointer IS NOT NULL",
        """
        SELECT count(*) FROM assignment a,
            LATERAL (SELECT CASE WHEN a.pointer ? 'given_back' THEN 0 ELSE 1 END AS moved) m
        WHERE a.pointer IS NOT NULL AND (NOT a.turn OR a.pool IS NULL
            OR (a.pointer #>> '{position,1}')::bigint <> (a.pointer #>> '{position,0}')::bigint + m.moved
            OR (a.pointer #>> '{turns,1}')::bigint <> (a.pointer #>> '{turns,0}')::bigint + m.moved
            OR a.pointer ? 'given_back'
                AND (a.pointer #>> '{given_back,1}')::bigint <> (a.pointer #>> '{given_back,0}')::bigint - 1)""",
    ),
    Invariant(
        "turns_given_back_once",
        "Turns of a pool that are to be filled again are those given back, less those filled",
        "SELECT count(*) FROM pool_state",
        """
        SELECT count(*) FROM pool_state p WHERE
            (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(coalesce(p.state -> 'given_back', '{}')))
            <> (SELECT count(*) FILTER (WHERE a.turn_given_back) - count(*) FILTER (WHERE a.pointer ? 'given_back')
                FROM assignment a WHERE a.pool = p.pool AND a.kind = p.kind)
            + (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(coalesce(p.state -> 'passed', '{}')))""",
    ),
    Invariant(
        "clock_goes_on",
        "A clock that was kept began with an owner before",
        "SELECT count(*) FROM assignment WHERE clock_from IS NOT NULL",
        "SELECT count(*) FROM assignment a WHERE a.clock_from IS NOT NULL AND NOT EXISTS (SELECT 1 FROM assignment b "
        "WHERE b.journey_id = a.journey_id AND b.id < a.id AND b.assigned_at = a.clock_from)",
    ),
    Invariant(
        "decisions_name_playbook",
        "Every decision names a playbook that is kept",
        count_handoffs(),
        (
            count_handoffs("h.playbook_hash NOT IN (SELECT hash FROM playbook_version)"),
            "SELECT count(*) FROM (SELECT DISTINCT playbook_hash FROM qualification "
            "UNION SELECT DISTINCT playbook_hash FROM assignment UNION SELECT playbook_hash FROM record_judgement "
            "UNION SELECT playbook_hash FROM batch) named "
            "WHERE playbook_hash NOT IN (SELECT hash FROM playbook_version)",
        ),
    ),
)
