"""The table ``recorded_outcome``: what became of leads, as files say it.

Belongs here: every statement that writes the table, and finding the journeys that rows of a file are about. Does not
belong here: reading a file (``tasks.outcome_rows``), or counting outcomes (``figures``).

A recorded outcome is for figures alone: it moves no lead, ends no clock, and sends no message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger.typed_rows import read_rows


class StatedOutcome(NamedTuple):
    """A row of a file. ``way`` is by what it names the lead: lead, journey, email or external_id."""

    line: int
    way: str
    value: str
    kind: str
    reason: str | None
    at: datetime
    rep: str | None


@dataclass(frozen=True, slots=True)
class FoundJourney:
    """What a row is about: the lead, of as many ``leads`` as have its key, and the journey that was the latest at its
    time; the first one, where the row is older than that. ``known``: it is recorded already."""

    line: int
    leads: int
    lead_id: int
    journey_id: int
    captured_at: datetime
    status: str
    known: bool


#: The journey of the lead ``n`` that a moment falls into. What happened before a lead was captured is about its first.
_JOURNEY_AT: Final = """SELECT id, captured_at, status FROM journey
        WHERE lead_id = n.lead_id AND (n.journey_id IS NULL OR id = n.journey_id) AND status <> 'joined'
        ORDER BY captured_at <= n.at DESC, CASE WHEN captured_at <= n.at THEN id END DESC, id LIMIT 1"""


def find_journeys(
    connection: Connection, rows: Sequence[StatedOutcome], source: str | None, crm_kinds: Sequence[str]
) -> dict[int, FoundJourney]:
    """By line; a row of a lead that is not known is left out.

    An external id is one of ``source``, where it is given; ``crm_kinds`` are the kinds of identities that it may be.
    """
    found = read_rows(
        connection,
        FoundJourney,
        f"""
        WITH asked AS (
            SELECT * FROM unnest(CAST(:lines AS bigint[]), CAST(:ways AS text[]), CAST(:values AS text[]),
                CAST(:kinds AS text[]), CAST(:ats AS timestamptz[])) AS a (line, way, value, kind, at)),
        named AS (
            SELECT a.line, l.id AS lead_id, CAST(NULL AS bigint) AS journey_id FROM asked a
                JOIN lead l ON l.id = CASE WHEN a.way = 'lead' THEN CAST(a.value AS bigint) END
            UNION SELECT a.line, j.lead_id, j.id FROM asked a
                JOIN journey j ON j.id = CASE WHEN a.way = 'journey' THEN CAST(a.value AS bigint) END
                WHERE j.lead_id IS NOT NULL
            UNION SELECT a.line, i.lead_id, NULL FROM asked a
                JOIN identity i ON i.kind = 'email' AND i.value = a.value WHERE a.way = 'email'
            UNION SELECT a.line, i.lead_id, NULL FROM asked a
                JOIN identity i ON i.kind = ANY(CAST(:crm_kinds AS text[])) AND i.value = a.value
                WHERE a.way = 'external_id'
            UNION SELECT a.line, l.id, NULL FROM asked a JOIN lead l ON l.external_id = a.value
                WHERE a.way = 'external_id' AND (CAST(:source AS text) IS NULL
                    OR EXISTS (SELECT FROM journey j WHERE j.lead_id = l.id AND j.source = :source))),
        alone AS (
            SELECT a.line, a.kind, a.at, count(DISTINCT n.lead_id) AS leads, min(n.lead_id) AS lead_id,
                min(n.journey_id) AS journey_id
            FROM named n JOIN asked a ON a.line = n.line GROUP BY 1, 2, 3)
        SELECT n.line, n.leads, n.lead_id, j.id AS journey_id, j.captured_at, j.status, r.id IS NOT NULL AS known
        FROM alone n CROSS JOIN LATERAL ({_JOURNEY_AT}) j
        LEFT JOIN recorded_outcome r ON r.journey_id = j.id AND r.kind = n.kind AND r.occurred_at = n.at
            AND r.withdrawn_at IS NULL
        ORDER BY n.line""",
        lines=[row.line for row in rows],
        ways=[row.way for row in rows],
        values=[row.value for row in rows],
        kinds=[row.kind for row in rows],
        ats=[row.at for row in rows],
        source=source,
        crm_kinds=list(crm_kinds),
    )
    return {row.line: row for row in found}


class NewOutcome(NamedTuple):
    """An outcome of a journey, as it is recorded."""

    journey_id: int
    lead_id: int
    kind: str
    reason: str | None
    occurred_at: datetime
    rep: str | None


_COLUMNS: Final[dict[str, str]] = dict.fromkeys(NewOutcome._fields, "text") | {
    "journey_id": "bigint", "lead_id": "bigint", "occurred_at": "timestamptz",
}  # fmt: skip
_RECORD: Final = f"""
    INSERT INTO recorded_outcome AS r ({", ".join(_COLUMNS)}, by, recorded_at)
    SELECT DISTINCT ON (journey_id, kind, occurred_at) {", ".join(_COLUMNS)}, CAST(:by AS text),
        CAST(:now AS timestamptz)"""
#: What is recorded already stays as it is; what was taken back counts again.
_ONCE: Final = """
    ORDER BY journey_id, kind, occurred_at
    ON CONFLICT (journey_id, kind, occurred_at) DO UPDATE SET reason = excluded.reason, rep = excluded.rep,
        by = excluded.by, recorded_at = excluded.recorded_at, withdrawn_at = NULL, withdrawn_by = NULL
    WHERE r.withdrawn_at IS NOT NULL"""
_GIVEN: Final = (
    f"unnest({', '.join(f'CAST(:{name} AS {kind}[])' for name, kind in _COLUMNS.items())}) AS o ({', '.join(_COLUMNS)})"
)


def record(connection: Connection, rows: Sequence[NewOutcome], *, by: str, now: datetime) -> int:
    """Record outcomes. Returns how many are new."""
    failpoint("outcomes.record.before")
    parameters = {name: [row[at] for row in rows] for at, name in enumerate(_COLUMNS)}
    statement = text(f"{_RECORD} FROM {_GIVEN} {_ONCE}")
    new = connection.execute(statement, parameters | {"by": by, "now": now}).rowcount
    failpoint("outcomes.record.after")
    return new


def withdraw(connection: Connection, rows: Sequence[NewOutcome], *, by: str, now: datetime) -> int:
    """Have outcomes that are recorded count no more. Returns how many there were."""
    return connection.execute(
        text(
            f"""
            UPDATE recorded_outcome r SET withdrawn_at = :now, withdrawn_by = :by FROM {_GIVEN}
            WHERE r.journey_id = o.journey_id AND r.kind = o.kind AND r.occurred_at = o.occurred_at
                AND r.withdrawn_at IS NULL"""
        ),
        {name: [row[at] for row in rows] for at, name in enumerate(_COLUMNS)} | {"by": by, "now": now},
    ).rowcount


#: Activities that are outcomes and came before their lead had any owner, so that they ended no journey.
EARLY: Final = f"""(
    SELECT j.id AS journey_id, n.lead_id, n.kind, CAST(NULL AS text) AS reason, n.at AS occurred_at, n.rep
    FROM (SELECT t.lead_id, CAST(NULL AS bigint) AS journey_id, t.kind, t.occurred_at AS at, t.rep FROM activity t
        WHERE t.kind = ANY(:outcomes) AND t.lead_id IS NOT NULL AND t.withdrawn_at IS NULL
            AND NOT EXISTS (SELECT FROM journey o JOIN assignment a ON a.journey_id = o.id
                WHERE o.lead_id = t.lead_id AND a.assigned_at <= t.occurred_at)) n
    CROSS JOIN LATERAL ({_JOURNEY_AT}) j
    WHERE NOT EXISTS (SELECT FROM recorded_outcome r WHERE r.journey_id = j.id AND r.kind = n.kind
            AND r.occurred_at = n.at AND r.withdrawn_at IS NULL)) AS early"""


def count_early_activities(connection: Connection, outcomes: Sequence[str]) -> int:
    """Activities in ``outcomes`` that came before their lead had an owner, and are not recorded as outcomes either."""
    found: int = connection.execute(text(f"SELECT count(*) FROM {EARLY}"), {"outcomes": list(outcomes)}).scalar_one()
    return found


def record_early_activities(connection: Connection, outcomes: Sequence[str], *, by: str, now: datetime) -> int:
    """Record these as outcomes. Returns how many are new."""
    statement = text(f"{_RECORD} FROM {EARLY} {_ONCE}")
    return connection.execute(statement, {"outcomes": list(outcomes), "by": by, "now": now}).rowcount


def withdraw_of_activities(connection: Connection, outcomes: Sequence[str], *, by: str, now: datetime) -> int:
    """Have outcomes count no more that were recorded of activities in ``outcomes``. Returns how many there were."""
    return connection.execute(
        text(
            """
            UPDATE recorded_outcome r SET withdrawn_at = :now, withdrawn_by = :by
            WHERE r.withdrawn_at IS NULL AND EXISTS (SELECT FROM activity t WHERE t.lead_id = r.lead_id
                AND t.kind = r.kind AND t.kind = ANY(:outcomes) AND t.occurred_at = r.occurred_at)"""
        ),
        {"outcomes": list(outcomes), "by": by, "now": now},
    ).rowcount
