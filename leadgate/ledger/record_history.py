"""A record's story: each version as it was told, what was decided about it, and when it slipped.

Belongs here: the queries behind ``leadgate explain R12`` and the console's page of an opportunity. Does not belong
here: telling it in words (the console), or writing these tables (``records``). Values are not masked: a person asked
for this record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import list_columns, read_row, read_rows
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import JourneyKind, JourneyStatus

#: Versions that a story holds, the latest; a record that is updated every hour must stay readable.
MOST: Final = 200


@dataclass(frozen=True)
class RecordRow:
    """The record as its last version says."""

    id: int
    kind: str
    source: str
    key: str
    version: int
    name: str | None
    account: str | None
    owner: str | None
    sales_stage: str | None
    amount: Decimal | None
    close_date: date | None
    category: str | None
    is_open: bool
    outcome: str | None
    slipped_on: date | None
    again_at: datetime | None


@dataclass(frozen=True)
class VersionRow:
    """An update: ``changes`` maps each field to what it was before and what it is after."""

    number: int
    journey_id: int
    changed_at: datetime
    changed_by: str | None
    received_at: datetime
    stored_at: datetime
    changes: JsonObject | None
    late: bool
    owner: str | None


@dataclass(frozen=True)
class JudgementRow:
    """What qualification made of an update."""

    journey_id: int
    outcome: str
    reason: str | None
    facts: JsonObject | None
    at: datetime


@dataclass(frozen=True)
class SlipRow:
    """A close date that passed while the record was open."""

    close_date: date
    noticed_at: datetime


@dataclass(frozen=True)
class DeletionRow:
    """The record was deleted where it came from, or merged into another."""

    noticed_at: datetime


@dataclass(frozen=True)
class RecordStory:
    """A record with its versions, judgements, slips and deletions, each in the order in which they became known."""

    record: RecordRow
    versions: Sequence[VersionRow]
    judgements: Sequence[JudgementRow]
    slips: Sequence[SlipRow]
    deletions: Sequence[DeletionRow] = ()

    @property
    def is_deleted(self) -> bool:
        """Whether nothing was told of it since it was deleted."""
        last = next((each for each in reversed(self.versions) if not each.late), None)
        return bool(self.deletions) and (last is None or last.stored_at <= self.deletions[-1].noticed_at)

    @property
    def owners(self) -> frozenset[str]:
        """Everybody who has had it."""
        return frozenset(version.owner for version in self.versions if version.owner is not None)


def load_record_story(connection: Connection, record_id: int) -> RecordStory | None:
    """The story of a record; None where there is none of this number."""
    record = read_row(
        connection,
        RecordRow,
        f"SELECT {list_columns(RecordRow, 'r')} FROM record r WHERE r.id = CAST(:id AS bigint)",
        id=record_id,
    )
    if record is None:
        return None
    versions = read_rows(
        connection,
        VersionRow,
        f"SELECT {list_columns(VersionRow, 'v')} FROM record_version v WHERE v.record_id = :id "
        "ORDER BY v.number DESC LIMIT :most",
        id=record_id,
        most=MOST,
    )
    judgements = read_rows(
        connection,
        JudgementRow,
        f"SELECT {list_columns(JudgementRow, 'd')} FROM record_judgement d WHERE d.record_id = :id "
        "ORDER BY d.id DESC LIMIT :most",
        id=record_id,
        most=MOST,
    )
    slips = read_rows(
        connection,
        SlipRow,
        f"SELECT {list_columns(SlipRow, 's')} FROM record_slip s WHERE s.record_id = :id ORDER BY s.noticed_at DESC "
        "LIMIT :most",
        id=record_id,
        most=MOST,
    )
    deletions = read_rows(
        connection,
        DeletionRow,
        f"SELECT {list_columns(DeletionRow, 'd')} FROM record_deletion d WHERE d.record_id = :id "
        "ORDER BY d.noticed_at DESC LIMIT :most",
        id=record_id,
        most=MOST,
    )
    return RecordStory(record, versions[::-1], judgements[::-1], slips[::-1], deletions[::-1])


@dataclass(frozen=True, slots=True)
class ActedRecord:
    """A record with the journey that a person acts on: the owned one, else the one that waits, else the last. ``owner``
    has it now."""

    id: int
    kind: JourneyKind
    name: str | None = field(repr=False)
    account: str | None = field(repr=False)
    journey_id: int
    generation: int
    status: JourneyStatus
    owner: str | None


_ACTED: Final = """
    SELECT r.id, r.kind, r.name, r.account, j.id AS journey_id, j.generation, j.status, a.owner FROM record r
    CROSS JOIN LATERAL (SELECT o.id, o.generation, o.status FROM journey o WHERE o.record_id = r.id
        ORDER BY (o.status = 'owned') DESC, (o.status = 'held') DESC, o.id DESC LIMIT 1) j
    LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL WHERE r.id = CAST(:id AS bigint)"""


def find_acted(ledger: Ledger, record_id: int) -> ActedRecord | None:
    """The record ``record_id``; None where there is none."""
    with ledger.statement() as connection:
        return read_row(connection, ActedRecord, _ACTED, id=record_id)


def find_journey_of_record(connection: Connection, record_id: int) -> int | None:
    """The journey to explain a record by: the one that waits for a person, else the owned one, else the last."""
    found: int | None = connection.execute(
        text(
            "SELECT id FROM journey WHERE record_id = CAST(:id AS bigint) "
            "ORDER BY (status = 'held') DESC, (status = 'owned') DESC, id DESC LIMIT 1"
        ),
        {"id": record_id},
    ).scalar()
    return found
