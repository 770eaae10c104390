"""What CRMs were told of one lead: its records, what was written to them and when, and its follow-up tasks.

Belongs here: these queries and their rows, for ``lead_history``. Does not belong here: values of a CRM's records: rows
have the names of fields, and a work item about a difference has its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.crm.values import compare_stored
from leadgate.ledger.typed_rows import list_columns, read_rows


@dataclass(frozen=True, slots=True)
class CrmRecordRow:
    """The record that the lead is in a CRM. ``differing``: the fields of ``fields`` that held another value when the
    record was last read."""

    crm: str
    record_id: str
    found_by: str
    linked_at: datetime
    gone_at: datetime | None
    written_at: datetime | None
    read_at: datetime | None
    fields: Sequence[str]
    differing: Sequence[str]


@dataclass(frozen=True, slots=True)
class CrmTaskRow:
    """The follow-up task that an assignment has in a CRM. ``task_id``: none, when the CRM has not told yet."""

    crm: str
    journey_id: int
    generation: int
    task_id: str | None
    is_done: bool
    written_at: datetime


def read_crm_records(connection: Connection, lead_id: int) -> list[CrmRecordRow]:
    """The lead's records, by CRM."""
    rows = connection.execute(
        text(
            "SELECT crm, record_id, found_by, linked_at, gone_at, written_at, read_at, differing, "
            "coalesce(written, '{}') AS written, coalesce(read, '{}') AS read FROM crm_link WHERE lead_id = :lead "
            "ORDER BY crm"
        ),
        {"lead": lead_id},
    )
    return [
        CrmRecordRow(
            row.crm,
            row.record_id,
            row.found_by,
            row.linked_at,
            row.gone_at,
            row.written_at,
            row.read_at,
            sorted(row.written),
            sorted(compare_stored(row.written, row.read)) if row.differing else (),
        )
        for row in rows
    ]


def read_crm_tasks(connection: Connection, lead_id: int, most: int) -> list[CrmTaskRow]:
    """The lead's follow-up tasks, the last ones."""
    return read_rows(
        connection,
        CrmTaskRow,
        f"SELECT {list_columns(CrmTaskRow, 't')} FROM (SELECT * FROM crm_task WHERE lead_id = :lead "
        "ORDER BY written_at DESC LIMIT :most) t ORDER BY t.journey_id, t.generation, t.crm",
        lead=lead_id,
        most=most,
    )
