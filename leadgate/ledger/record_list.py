"""Records as a list: those of a kind, of an owner, or that are open, what is to close next first.

Belongs here: the filter and this query. Does not belong here: one record's story (``record_history``), leads
(``lead_list``), or figures (``forecasts``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows
from leadgate.vocabulary import JourneyKind, JourneyStatus, StageName


@dataclass(frozen=True)
class RecordFilter:
    """Every condition that is given must hold. ``owner``: who follows the record up, else the rep whom it names."""

    kind: JourneyKind | None = None
    owner: str | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A record, and where its journey stands that waits for a person, else the owned one, else the last. ``owner`` is
    who follows it up, else the rep whom it names."""

    id: int
    kind: JourneyKind
    source: str
    key: str = field(repr=False)
    name: str | None = field(repr=False)
    account: str | None = field(repr=False)
    owner: str | None
    sales_stage: str | None
    amount: Decimal | None
    close_date: date | None
    category: str | None
    is_open: bool
    outcome: str | None
    slipped_on: date | None
    journey_id: int | None
    status: JourneyStatus | None
    stage: StageName | None
    due_at: datetime | None  # the first touch of the owner who follows it up


_LISTED: Final = """
    SELECT r.id, r.kind, r.source, r.key, r.name, r.account, coalesce(a.owner, r.owner) AS owner, r.sales_stage,
        r.amount, r.close_date, r.category, r.is_open, r.outcome, r.slipped_on, j.id AS journey_id, j.status, j.stage,
        CASE WHEN a.touched_at IS NULL THEN a.due_at END AS due_at
    FROM record r
    LEFT JOIN LATERAL (SELECT o.id, o.status, o.stage FROM journey o WHERE o.record_id = r.id
        ORDER BY (o.status = 'held') DESC, (o.status = 'owned') DESC, o.id DESC LIMIT 1) j ON true
    LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
    WHERE (CAST(:kind AS text) IS NULL OR r.kind = :kind) AND (r.is_open OR NOT CAST(:open AS boolean))
        AND (CAST(:owner AS text) IS NULL OR coalesce(a.owner, r.owner) = :owner)
    ORDER BY r.is_open DESC, r.close_date, r.id LIMIT :most"""


def list_records(ledger: Ledger, wanted: RecordFilter, most: int) -> list[ListedRecord]:
    """At most ``most`` records: those that are open first, and of them what is to close next."""
    with ledger.statement() as connection:
        return read_rows(
            connection,
            ListedRecord,
            _LISTED,
            kind=wanted.kind,
            owner=wanted.owner,
            open=wanted.is_open,
            most=most,
        )
