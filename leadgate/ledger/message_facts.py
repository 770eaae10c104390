"""What is known of the leads and records that messages are about, as far as a notification may show it.

Belongs here: reading these facts. Does not belong here: which of them a message shows, and how
(``tasks.message_texts``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """A lead or a record, and its last score. Text is as the lead typed it, or as the record was told: ``company`` is a
    record's account."""

    journey_id: int
    name: str | None = field(default=None, repr=False)
    job_title: str | None = field(default=None, repr=False)
    company: str | None = field(default=None, repr=False)
    country: str | None = field(default=None, repr=False)
    score: int | None = None
    grade: str | None = None
    contributions: dict[str, int] = field(default_factory=dict)  # rule -> points
    records: dict[str, str] = field(default_factory=dict, repr=False)  # CRM -> the id of the lead's record there
    record_name: str | None = field(default=None, repr=False)
    sales_stage: str | None = None


_FACTS: Final = """
    SELECT j.id AS journey_id, coalesce(nullif(concat_ws(' ', l.first_name, l.last_name), ''), l.full_name) AS name,
        l.job_title, l.company, l.country, q.score, q.grade, coalesce(q.contributions, '{}') AS contributions,
        coalesce((SELECT jsonb_object_agg(crm, record_id) FROM crm_link
            WHERE lead_id = l.id AND gone_at IS NULL), '{}') AS records,
        CAST(NULL AS text) AS record_name, CAST(NULL AS text) AS sales_stage
    FROM journey j JOIN lead l ON l.id = j.lead_id
    LEFT JOIN LATERAL (SELECT score, grade, contributions FROM qualification
        WHERE journey_id = j.id ORDER BY generation DESC LIMIT 1) q ON true
    WHERE j.id = ANY(:ids)"""
_FACTS_OF_RECORDS: Final = """
    SELECT j.id AS journey_id, CAST(NULL AS text) AS name, CAST(NULL AS text) AS job_title, r.account AS company,
        r.values ->> 'country' AS country, q.score, q.grade, coalesce(q.contributions, '{}') AS contributions,
        CAST('{}' AS jsonb) AS records, r.name AS record_name, r.sales_stage
    FROM journey j JOIN record r ON r.id = j.record_id
    LEFT JOIN LATERAL (SELECT score, grade, contributions FROM qualification
        WHERE journey_id = j.id ORDER BY generation DESC LIMIT 1) q ON true
    WHERE j.id = ANY(:ids)"""


def read_message_facts(ledger: Ledger, journey_ids: Collection[int]) -> dict[int, MessageFacts]:
    """The facts of these journeys' leads, by journey."""
    return _read_facts(ledger, _FACTS, journey_ids)


def read_record_facts(ledger: Ledger, journey_ids: Collection[int]) -> dict[int, MessageFacts]:
    """The facts of these journeys' records, by journey."""
    return _read_facts(ledger, _FACTS_OF_RECORDS, journey_ids)


def _read_facts(ledger: Ledger, statement: str, journey_ids: Collection[int]) -> dict[int, MessageFacts]:
    with ledger.transaction() as connection:
        return {row.journey_id: row for row in read_rows(connection, MessageFacts, statement, ids=list(journey_ids))}
