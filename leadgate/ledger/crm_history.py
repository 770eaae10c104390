"""What CRMs were told of one lead: its records, what was written to them and when, and its follow-up tasks.

Belongs here: these queries and their rows, for ``lead_history``. Does not belong here: values of a CRM's records: rows
have the names of fields, and a work item about a difference has its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leadgate.crm.values import compare_stored
from leadgate.ledger.typed_rows import list_columns
from leadgate.values.json_types import JsonObject


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


@dataclass(frozen=True, slots=True)
class LinkRow:
    """The link of a lead to its record, with the values that were written and read."""

    crm: str
    record_id: str
    found_by: str
    linked_at: datetime
    gone_at: datetime | None
    written_at: datetime | None
    read_at: datetime | None
    differing: bool
    written: JsonObject
    read: JsonObject


#: Of the lead ``:lead``, by CRM.
LINKS: Final = (
    "SELECT crm, record_id, found_by, linked_at, gone_at, written_at, read_at, differing, "
    "coalesce(written, '{}') AS written, coalesce(read, '{}') AS read FROM crm_link WHERE lead_id = :lead ORDER BY crm"
)
#: The last ones of the lead ``:lead``.
TASKS: Final = (
    f"SELECT {list_columns(CrmTaskRow, 't')} FROM (SELECT * FROM crm_task WHERE lead_id = :lead "
    "ORDER BY written_at DESC LIMIT :most) t ORDER BY t.journey_id, t.generation, t.crm"
)


def build_crm_records(rows: Iterable[LinkRow]) -> list[CrmRecordRow]:
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
