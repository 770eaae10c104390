"""Invariants of owned leads: messages to owners, pauses, missed targets, and messages that were given up.

Belongs here: the outbox, pauses and missed targets. Does not belong here: assignments and their reasons.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.owner_messages import build_sql_key
from leadgate.ledger.verify.invariant import Invariant
from leadgate.vocabulary import BY_A_PERSON, MessageKind, list_in_sql

#: SQL for the keys of the messages to the owner of an assignment ``a``: at its begin, and when a person ended it.
_ASSIGNED_KEY: Final = build_sql_key(MessageKind.LEAD_ASSIGNED, "a.journey_id", "a.generation")
_REASSIGNED_KEY: Final = build_sql_key(MessageKind.LEAD_HANDED_OVER, "a.journey_id", "a.generation")

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "owner_told_once",
        "Every assignment put exactly one message to its owner into the outbox, unless they had the record before",
        "SELECT count(*) FROM assignment",
        "SELECT count(*) FROM assignment a WHERE NOT EXISTS (SELECT 1 FROM outbox o "
        f"WHERE o.key = {_ASSIGNED_KEY} AND o.target = a.owner) AND (a.kind = 'lead' OR NOT EXISTS (SELECT 1 "
        "FROM journey j JOIN journey e ON e.record_id = j.record_id JOIN assignment b ON b.journey_id = e.id "
        "WHERE j.id = a.journey_id AND b.owner = a.owner AND b.id < a.id))",
    ),
    Invariant(
        "old_owner_told",
        "A rep who lost a lead by a person's decision was notified",
        f"SELECT count(*) FROM assignment WHERE end_reason IN ({list_in_sql(BY_A_PERSON)})",
        f"SELECT count(*) FROM assignment a WHERE a.end_reason IN ({list_in_sql(BY_A_PERSON)}) AND NOT "
        f"EXISTS (SELECT 1 FROM outbox o WHERE o.key = {_REASSIGNED_KEY} "
        "AND o.target = a.owner)",
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
        "A missed target belongs to an assignment of its journey, and was due before it was recorded as missed",
        "SELECT count(*) FROM missed",
        "SELECT count(*) FROM missed m WHERE m.due_at > m.noticed_at OR m.since > m.due_at OR NOT EXISTS "
        "(SELECT 1 FROM assignment a WHERE a.id = m.assignment_id AND a.journey_id = m.journey_id)",
    ),
    Invariant(
        "touch_counts_unless_undone",
        "What a touch logged counts, unless the last action that logged it was undone",
        "SELECT count(*) FROM action WHERE activity_id IS NOT NULL",
        "SELECT count(*) FROM (SELECT DISTINCT ON (x.activity_id) x.activity_id, "
        "EXISTS (SELECT FROM action u WHERE u.undoes = x.number) AS undone FROM action x "
        "WHERE x.activity_id IS NOT NULL ORDER BY x.activity_id, x.id DESC) logged "
        "FULL JOIN (SELECT id FROM activity WHERE withdrawn_at IS NOT NULL) withdrawn "
        "ON withdrawn.id = logged.activity_id WHERE coalesce(logged.undone, false) <> (withdrawn.id IS NOT NULL)",
    ),
    Invariant(
        "given_up_asks_a_person",
        "A message that was given up was not delivered, and a work item asks a person",
        "SELECT count(*) FROM outbox WHERE given_up_at IS NOT NULL",
        "SELECT count(*) FROM outbox o WHERE o.given_up_at IS NOT NULL AND (o.delivered_at IS NOT NULL OR NOT EXISTS "
        "(SELECT 1 FROM work_item w WHERE w.journey_id = o.journey_id AND ((w.reason = 'undeliverable' "
        "AND w.promise = o.key) OR (w.reason = 'crm_refused' AND w.promise = o.target))) AND NOT EXISTS (SELECT 1 "
        "FROM journey j JOIN journey h ON h.lead_id = j.lead_id JOIN work_item w ON w.journey_id = h.id "
        "WHERE j.id = o.journey_id AND w.reason IN ('crm_record_deleted', 'crm_privacy_deletion', "
        "'crm_records_merged')))",
    ),
)
