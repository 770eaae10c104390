"""The ledger's invariants as SQL, and its canonical projection.

Belongs here: one query for each thing that must always hold, and a picture of the ledger without ids,
times and batches, so that two histories can be compared. Does not belong here: repairing anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.matching import ASKS
from leadgate.models import OPEN, STAGES


@dataclass(frozen=True)
class Invariant:
    """``broken`` counts the rows that break it, ``checked`` those it is about; ``words`` says it to a person."""

    name: str
    words: str
    checked: str
    broken: str


@dataclass(frozen=True)
class Finding:
    """What checking an invariant found. Zero ``broken`` is the only good number."""

    name: str
    words: str
    checked: int
    broken: int


_OPEN = ", ".join(f"'{status}'" for status in OPEN)
_STAGE_NUMBER = "array_position(ARRAY[" + ", ".join(f"'{stage}'" for stage in STAGES) + "], {})"
#: An e-mail address or a phone number in E.164, as a POSIX pattern.
_PERSONAL = r"[[:alnum:]._%+-]+@[[:alnum:]-]+\.[[:alpha:]]{2,}|\+[1-9][0-9]{8,14}"
_ASKS: Final = ", ".join(f"'{reason}'" for reason in ASKS)
#: Whether the last word about two leads is that they are different persons.
_PARTED: Final = (
    "coalesce((SELECT NOT v.same FROM lead_verdict v WHERE v.low = least({0}, {1}) AND v.high = greatest({0}, {1}) "
    "ORDER BY v.id DESC LIMIT 1), false)"
)
_APPEND_ONLY: Final = {
    "handoff": "coalesce(reason, '')",
    "gate_result": "evidence::text",
    "warned": "words",
    "qualification": "reasons::text || evidence::text || contributions::text || details::text",
    "assignment": "why || candidates::text || coalesce(inputs::text, '') || coalesce(end_reason, '')",
    "outbox": "key || kind || coalesce(failure, '')",
    "action": "what",
    "lookalike": "levels::text",
    "lead_join": "because::text",
    "work_item": "message",
}

#: Records that name a journey or a batch without a foreign key, for speed.
_RECORDS: Final = (
    ("handoff", "journey_id"),
    ("handoff", "batch_id"),
    ("gate_result", "batch_id"),
    ("warned", "journey_id"),
    ("qualification", "journey_id"),
    ("outbox", "journey_id"),
    ("lookalike", "journey_id"),
    ("lead_join", "journey_id"),
    ("lead_verdict", "journey_id"),
    ("pause", "journey_id"),
    ("journey", "batch_id"),
    ("work_item", "batch_id"),
)

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "signal_has_journey",
        "Every signal has a journey",
        "SELECT count(*) FROM signal",
        "SELECT count(*) FROM signal s WHERE NOT EXISTS (SELECT 1 FROM journey j WHERE j.signal_id = s.id)",
    ),
    Invariant(
        "journeys_add_up",
        "Journeys by status add up to the signals, and rescores to their leads",
        "SELECT count(*) FROM journey",
        "SELECT abs((SELECT count(*) FROM journey WHERE trigger = 'signal') - (SELECT count(*) FROM signal)) "
        "+ (SELECT count(*) FROM journey WHERE trigger <> 'signal' AND lead_id IS NULL)",
    ),
    Invariant(
        "one_open_journey",
        "A lead has at most one open journey",
        f"SELECT count(DISTINCT lead_id) FROM journey WHERE status IN ({_OPEN})",
        f"SELECT count(*) FROM (SELECT lead_id FROM journey WHERE status IN ({_OPEN}) AND lead_id IS NOT NULL "
        "GROUP BY lead_id HAVING count(*) > 1) twice",
    ),
    Invariant(
        "one_lead_per_address",
        "A canonical e-mail address belongs to one lead, unless a person has parted two who share it",
        "SELECT count(*) FROM identity WHERE kind = 'email'",
        "SELECT count(*) FROM lead l JOIN identity i ON i.kind = 'email' AND i.value = l.email_canonical "
        "JOIN journey j ON j.lead_id = l.id AND j.stage NOT IN ('capture', 'validation') WHERE i.lead_id <> l.id "
        f"AND NOT {_PARTED.format('i.lead_id', 'l.id')}",
    ),
    Invariant(
        "joins_say_why",
        "Every joined journey has a record of why it joined, and of the lead that it joined",
        "SELECT count(*) FROM journey WHERE status = 'joined'",
        "SELECT count(*) FROM journey j WHERE j.status = 'joined' AND NOT EXISTS (SELECT 1 FROM lead_join n "
        "WHERE n.journey_id = j.id AND n.generation = j.generation AND n.lead_id = j.lead_id "
        "AND n.joined_to = j.joined_to AND jsonb_array_length(n.because) > 0)",
    ),
    Invariant(
        "parted_stay_apart",
        "A signal that a person parted from a lead is not with that lead",
        "SELECT count(*) FROM lead_verdict WHERE NOT same",
        f"SELECT count(*) FROM journey j WHERE j.lead_id <> j.id AND {_PARTED.format('j.lead_id', 'j.id')}",
    ),
    Invariant(
        "questions_name_leads",
        "A journey that waits because of another lead names one that exists",
        f"SELECT count(*) FROM work_item WHERE closed_at IS NULL AND reason IN ({_ASKS})",
        f"SELECT count(*) FROM journey j JOIN work_item w ON w.id = j.work_item_id AND w.reason IN ({_ASKS}) "
        "WHERE NOT EXISTS (SELECT 1 FROM lookalike k JOIN lead l "
        "ON l.id = k.lead_id WHERE k.journey_id = j.id AND k.generation = j.generation)",
    ),
    Invariant(
        "match_keys_name_leads",
        "Every key that leads are found by names a lead that exists",
        "SELECT count(*) FROM match_key",
        "SELECT count(*) FROM match_key k WHERE NOT EXISTS (SELECT 1 FROM lead l WHERE l.id = k.lead_id)",
    ),
    Invariant(
        "held_has_work_item",
        "A held journey has an open work item",
        "SELECT count(*) FROM journey WHERE status = 'held'",
        "SELECT count(*) FROM journey j LEFT JOIN work_item w ON w.id = j.work_item_id AND w.closed_at IS NULL "
        "WHERE j.status = 'held' AND w.id IS NULL",
    ),
    Invariant(
        "work_item_holds",
        "An open blocking work item holds a journey",
        "SELECT count(*) FROM work_item WHERE closed_at IS NULL AND blocking",
        "SELECT count(*) FROM work_item w WHERE w.closed_at IS NULL AND w.blocking AND NOT EXISTS "
        "(SELECT 1 FROM journey j WHERE j.work_item_id = w.id AND j.status = 'held')",
    ),
    Invariant(
        "owned_has_one_owner",
        "An owned journey has exactly one open assignment, and no other journey has one",
        "SELECT count(*) FROM journey WHERE status = 'owned'",
        "SELECT count(*) FROM (SELECT j.id FROM journey j "
        "LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL GROUP BY j.id, j.status "
        "HAVING count(a.id) <> CASE WHEN j.status = 'owned' THEN 1 ELSE 0 END) wrong",
    ),
    Invariant(
        "handoffs_gapless",
        "Handoffs are gapless for each journey and generation, and end where the journey is",
        "SELECT count(*) FROM handoff",
        f"""
        WITH runs AS (
            SELECT journey_id, generation, count(*) AS n,
                min({_STAGE_NUMBER.format("stage")}) AS first, max({_STAGE_NUMBER.format("stage")}) AS last
            FROM handoff GROUP BY journey_id, generation),
        gaps AS (SELECT journey_id FROM runs WHERE last - first + 1 <> n),
        jumps AS (
            SELECT r.journey_id FROM runs r JOIN runs p
                ON p.journey_id = r.journey_id AND p.generation = r.generation - 1 WHERE r.first > p.last + 1),
        late AS (
            SELECT r.journey_id FROM runs r JOIN journey j ON j.id = r.journey_id
            WHERE r.generation = 0 AND j.trigger = 'signal' AND r.first <> 1),
        ends AS (
            SELECT j.id AS journey_id FROM journey j
            LEFT JOIN runs r ON r.journey_id = j.id AND r.generation = j.generation
            WHERE coalesce(r.n, 0) <> {_STAGE_NUMBER.format("j.stage")} - {_STAGE_NUMBER.format("j.start_stage")}
                + CASE WHEN j.status IN ('ready', 'owned') THEN 0 ELSE 1 END
            AND j.status <> 'discarded')
        SELECT count(*) FROM (SELECT * FROM gaps UNION SELECT * FROM jumps UNION SELECT * FROM late
            UNION SELECT * FROM ends) broken""",
    ),
    Invariant(
        "score_adds_up",
        "The contributions of a score sum to the score",
        "SELECT count(*) FROM qualification",
        "SELECT count(*) FROM qualification q WHERE q.score <> q.fit + q.engagement OR q.score <> "
        "(SELECT coalesce(sum(value::int), 0) FROM jsonb_each_text(q.contributions))",
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
            <> (SELECT count(*) FROM assignment a WHERE a.pool = p.pool AND a.turn)""",
    ),
    Invariant(
        "turns_move_on_by_one",
        "Every turn moved its pool's count, and its owner's, on by one",
        "SELECT count(*) FROM assignment WHERE pointer IS NOT NULL",
        """
        SELECT count(*) FROM assignment a WHERE a.pointer IS NOT NULL AND (NOT a.turn OR a.pool IS NULL
            OR (a.pointer #>> '{position,1}')::bigint <> (a.pointer #>> '{position,0}')::bigint + 1
            OR (a.pointer #>> '{turns,1}')::bigint <> (a.pointer #>> '{turns,0}')::bigint + 1)""",
    ),
    Invariant(
        "old_owner_told",
        "Whoever lost a lead by a person's word was told",
        "SELECT count(*) FROM assignment WHERE end_reason ~ '^(reassigned|unassigned|transferred): '",
        "SELECT count(*) FROM assignment a WHERE a.end_reason ~ '^(reassigned|unassigned|transferred): ' AND NOT "
        "EXISTS (SELECT 1 FROM outbox o WHERE o.key = 'lead_handed_over:' || a.journey_id || ':' || a.generation "
        "AND o.target = a.owner)",
    ),
    Invariant(
        "clock_goes_on",
        "A clock that was kept began with an owner before",
        "SELECT count(*) FROM assignment WHERE clock_from IS NOT NULL",
        "SELECT count(*) FROM assignment a WHERE a.clock_from IS NOT NULL AND NOT EXISTS (SELECT 1 FROM assignment b "
        "WHERE b.journey_id = a.journey_id AND b.generation < a.generation AND b.assigned_at = a.clock_from)",
    ),
    Invariant(
        "decisions_name_playbook",
        "Every decision names a playbook that is kept",
        "SELECT count(*) FROM handoff",
        "SELECT count(*) FROM (SELECT playbook_hash FROM handoff UNION SELECT playbook_hash FROM qualification "
        "UNION SELECT playbook_hash FROM assignment UNION SELECT playbook_hash FROM batch) named "
        "WHERE playbook_hash NOT IN (SELECT hash FROM playbook_version)",
    ),
    Invariant(
        "owner_told_once",
        "Every assignment put exactly one message to its owner into the outbox",
        "SELECT count(*) FROM assignment",
        "SELECT count(*) FROM assignment a WHERE NOT EXISTS (SELECT 1 FROM outbox o "
        "WHERE o.key = 'assigned:' || a.journey_id || ':' || a.generation AND o.target = a.owner)",
    ),
    Invariant(
        "pauses_apart",
        "Pauses of a journey do not overlap, and at most one of them is open",
        "SELECT count(*) FROM pause",
        "SELECT count(*) FROM (SELECT lag(coalesce(ended_at, until)) OVER one > started_at AS too_long, "
        "lag(ended_at IS NULL) OVER one AS never_ended FROM pause "
        "WINDOW one AS (PARTITION BY journey_id ORDER BY started_at, id)) p WHERE too_long OR never_ended",
    ),
    Invariant(
        "missed_was_due",
        "What was missed belongs to an assignment of its journey, and was due before that was noticed",
        "SELECT count(*) FROM missed",
        "SELECT count(*) FROM missed m WHERE m.due_at > m.noticed_at OR m.since > m.due_at OR NOT EXISTS "
        "(SELECT 1 FROM assignment a WHERE a.id = m.assignment_id AND a.journey_id = m.journey_id)",
    ),
    Invariant(
        "given_up_asks_a_person",
        "A message that was given up was not delivered, and a work item asks a person",
        "SELECT count(*) FROM outbox WHERE given_up_at IS NOT NULL",
        "SELECT count(*) FROM outbox o WHERE o.given_up_at IS NOT NULL AND (o.delivered_at IS NOT NULL OR NOT EXISTS "
        "(SELECT 1 FROM work_item w WHERE w.journey_id = o.journey_id AND w.reason = 'undeliverable' "
        "AND w.promise = o.key))",
    ),
    Invariant(
        "nothing_orphaned",
        "Every record is about a journey and a batch that exist",
        " + ".join(f"(SELECT count(*) FROM {table})" for table, _ in _RECORDS).join(("SELECT ", "")),
        "SELECT count(*) FROM ("
        + " UNION ALL ".join(
            f"SELECT 1 FROM {table} r WHERE {column} IS NOT NULL "
            f"AND NOT EXISTS (SELECT 1 FROM {column.removesuffix('_id')} t WHERE t.id = r.{column})"
            for table, column in _RECORDS
        )
        + ") orphans",
    ),
    Invariant(
        "nothing_personal_kept",
        "No personal value stands in an append-only table",
        " + ".join(f"(SELECT count(*) FROM {table})" for table in _APPEND_ONLY).join(("SELECT ", "")),
        "SELECT count(*) FROM ("
        + " UNION ALL ".join(
            f"SELECT 1 FROM {table} WHERE {column} ~ '{_PERSONAL}'" for table, column in _APPEND_ONLY.items()
        )
        + ") found",
    ),
)


def verify(ledger: Ledger) -> list[Finding]:
    """Check every invariant on one consistent picture of the ledger."""
    with ledger.transaction() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        return [
            Finding(i.name, i.words, _count(connection, i.checked), _count(connection, i.broken)) for i in INVARIANTS
        ]


def _count(connection: Connection, query: str) -> int:
    # a colon of a cast or a pattern is no parameter: the driver gets the text as it is
    return int(connection.exec_driver_sql(query.replace("%", "%%")).scalar_one())


#: What each signal came to, in terms of content: no ids, no times, no batches.
_JOURNEYS: Final = """
    SELECT s.source, s.key, j.trigger, j.stage, j.status, j.generation, j.start_stage,
        (SELECT s2.key FROM journey h JOIN signal s2 ON s2.id = h.signal_id WHERE h.id = j.joined_to) AS joined_to,
        (SELECT row_to_json(x)::text FROM (SELECT w.kind, w.reason, w.stage, w.promise, w.message, w.value, w.detail,
            w.proposal, w.route FROM work_item w WHERE w.id = j.work_item_id) x) AS held_by,
        (SELECT string_agg(concat_ws('/', generation, stage, outcome, reason, playbook_hash), ' '
            ORDER BY generation, array_position(ARRAY['capture', 'validation', 'enrichment', 'qualification',
            'assignment', 'follow_up'], stage)) FROM handoff h WHERE h.journey_id = j.id) AS handoffs,
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
                - ARRAY['id', 'created_at', 'rescore_at', 'score_changes_at', 'recycle_at', 'provenance'])::text
            FROM lead l WHERE l.id = j.lead_id) AS lead
    FROM journey j LEFT JOIN signal s ON s.id = j.signal_id"""
_REST: Final = (
    "SELECT 'pool', pool, state::text FROM pool_state",
    "SELECT 'identity', kind, value FROM identity",
    "SELECT 'breaker', source, gate || (SELECT string_agg(key || (value ->> 'status') || (value ->> 'window'), ' ' "
    "ORDER BY key) FROM jsonb_each(state)) FROM breaker",
    "SELECT 'activity', source, key || coalesce(kind, '') || (lead_id IS NOT NULL)::text FROM activity",
    "SELECT 'open work', kind, concat_ws('/', reason, stage, source, count(*)) FROM work_item WHERE closed_at IS NULL "
    "GROUP BY kind, reason, stage, source",
    "SELECT 'leads', '', count(*)::text FROM lead",
)


def projection(ledger: Ledger) -> list[str]:
    """The ledger's content as sorted lines: equal for two histories that came to the same."""
    with ledger.transaction() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        lines: list[Any] = []
        for query in (_JOURNEYS, *_REST):
            lines += [repr(tuple(row)) for row in connection.exec_driver_sql(query.replace("%", "%%"))]
    return sorted(lines)
