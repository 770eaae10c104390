"""One org of Salesforce as a ``Crm``.

**Days.** A Task's due date is a day without a zone. It is the day of ``CrmTask.due_at`` in the zone that this carries,
which is the owner's; the exact time goes into the task's reminder.

**What is never done.** Leads are not converted, nothing is deleted, no rule of the org is changed, and a task that its
owner has closed is not opened again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from leadgate.connectors.crm import (
    ActivityPage,
    ChangePage,
    CrmActivity,
    CrmBudget,
    CrmField,
    CrmFieldChange,
    CrmFinding,
    CrmObject,
    CrmOwner,
    CrmRecord,
    CrmTask,
    CrmWrite,
    RowError,
    RowFault,
    RowResult,
    WantedField,
)
from leadgate.connectors.salesforce.access import Credentials
from leadgate.connectors.salesforce.accounts import check_accounts, name_records
from leadgate.connectors.salesforce.activities import EVENT_START, FIELDS, KINDS, read_activity
from leadgate.connectors.salesforce.answers import read_id
from leadgate.connectors.salesforce.client import RestClient
from leadgate.connectors.salesforce.contacts import add_converted, find_people
from leadgate.connectors.salesforce.reading import (
    RecordReader,
    find_owner_changes,
    make_position,
    read_clock,
)
from leadgate.connectors.salesforce.setup import check_object, create_missing
from leadgate.connectors.salesforce.soql import build_query, require_name
from leadgate.connectors.salesforce.values import OBJECT_NAMES, Description, read_description, store_value
from leadgate.connectors.salesforce.writing import ROWS_PER_REQUEST, RowWriter
from leadgate.connectors.service_session import ServiceSession
from leadgate.crm.values import CrmValue
from leadgate.plain_text import format_line
from leadgate.values.json_types import JsonObject

DEFAULT_VERSION: Final = "66.0"
_OWNER: Final = "ownerid"
_LONGEST_SUBJECT: Final = 255
_LONGEST_BODY: Final = 32_000
#: The beginnings of the ids of people: a Lead's and a Contact's. A task names them in another field than the rest.
_PEOPLE: Final = ("00Q", "003")
#: Kinds of records that belong to an account, which they name by its id.
_OF_ACCOUNTS: Final = (CrmObject.OPPORTUNITY, CrmObject.CONTRACT)


class Salesforce:
    """A connection to one org. Safe to use from several threads.

    ``base_url`` is the org's own address, ``https://NAME.my.salesforce.com``: tokens are asked for there, and sent
    nowhere else. ``key_field`` is the unique external id, at Lead, Opportunity and Activity, that holds Leadgate's key.
    ``save_duplicates`` writes in spite of a duplicate rule that only warns; one that blocks refuses the row either way.
    ``permission_set`` is given access to the fields that ``create_fields`` makes. ``lock_waits`` are the seconds before
    each further attempt at a locked row.
    """

    name = "Salesforce"
    rows_per_write = ROWS_PER_REQUEST

    def __init__(
        self,
        base_url: str,
        session: ServiceSession,
        credentials: Credentials,
        *,
        api_version: str = DEFAULT_VERSION,
        key_field: str = "Leadgate_Id__c",
        save_duplicates: bool = False,
        closed_status: str = "Completed",
        permission_set: str | None = None,
        page_rows: int = 2_000,
        lock_waits: Sequence[float] = (0.5, 2.0, 5.0),
        now: Callable[[], datetime] = read_clock,
    ) -> None:
        self._session = session
        self._client = RestClient(session, base_url, credentials, version=api_version, save_duplicates=save_duplicates)
        self._key_field = require_name(key_field)
        self._closed_status = closed_status
        self._permission_set = permission_set
        self._page_rows = page_rows
        self._lock_waits = lock_waits
        self._now = now
        self._lock = threading.Lock()
        self._described: dict[CrmObject, Description] = {}

    @property
    def budget(self) -> CrmBudget:
        return self._client.budget

    def close(self) -> None:
        self._session.close()

    def describe_fields(self, kind: CrmObject) -> Mapping[str, CrmField]:
        return self._describe(kind).fields

    def check(self, kind: CrmObject, wanted: Sequence[WantedField], *, creates: bool = True) -> list[CrmFinding]:
        closed = self._closed_status if kind is CrmObject.TASK else None
        described = self._describe(kind)
        found = check_object(
            self._client, OBJECT_NAMES[kind], described, wanted, self._key_field, closed, creates=creates
        )
        return [*found, *(check_accounts(self._client) if kind in _OF_ACCOUNTS else ())]

    def create_fields(self, kind: CrmObject, wanted: Sequence[WantedField], *, dry_run: bool = False) -> list[str]:
        """Needs the permission to customise the application."""
        holder = self._permission_set
        try:
            described = self._describe(kind)
            return create_missing(
                self._client, OBJECT_NAMES[kind], described, wanted, self._key_field, holder, dry_run=dry_run
            )
        finally:
            with self._lock:
                self._described.pop(kind, None)

    def list_owners(self) -> list[CrmOwner]:
        """Users of the standard type, inactive ones too, and queues."""
        users = build_query(("Id", "Name", "Email", "IsActive"), "User", "UserType = 'Standard'", "Id ASC")
        queues = build_query(("Id", "Name", "Email"), "Group", "Type = 'Queue'", "Id ASC")
        return [
            *(_read_owner(raw, is_queue=False) for raw in self._client.query(users) if read_id(raw.get("Id"))),
            *(_read_owner(raw, is_queue=True) for raw in self._client.query(queues) if read_id(raw.get("Id"))),
        ]

    def find(self, kind: CrmObject, field: str, values: Iterable[str], fields: Sequence[str]) -> list[CrmRecord]:
        return list(self._read_with(kind, fields).find(field, values))

    def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> dict[str, CrmRecord]:
        """Ids may have 15 characters, as an address in Salesforce shows them, or 18. Those asked for are the keys."""
        asked = {id: id[:15] for id in ids if read_id(id)}
        found = {
            record.id[:15]: record for record in self._read_with(kind, fields).find("Id", asked, include_deleted=True)
        }
        return {id: found[short] for id, short in asked.items() if short in found}

    def read_last_changes(self, kind: CrmObject, ids: Iterable[str], field: str) -> dict[str, CrmFieldChange]:
        """Of a lead's owner by the history of leads, where the org keeps that; else by the last change of the record.

        A change of Leadgate's own user tells nobody.
        """
        records = {id: each for id, each in self.read(kind, ids, [field]).items() if not each.is_deleted}
        is_owner = kind is CrmObject.LEAD and field.lower() == _OWNER
        history = find_owner_changes(self._client, list(records)) if is_owner and records else {}
        found: dict[str, CrmFieldChange] = {}
        for id, record in records.items():
            value = record.values.get(field)
            set_at, set_by = history.get((id[:15], str(value)[:15]), (record.changed_at, record.changed_by))
            found[id] = CrmFieldChange(value, set_at, None if set_by == self._client.user_id else set_by)
        return found

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        page = self._read_with(kind, fields).read_changes(position, self._now(), self._page_rows)
        if kind is not CrmObject.DEAL or not page.records:
            return page
        people = find_people(self._client, [record.id for record in page.records])
        return replace(page, records=[replace(record, lead_ids=people[record.id]) for record in page.records])

    def name_references(self, kind: CrmObject, records: Sequence[CrmRecord]) -> list[CrmRecord]:
        return name_records(self._client, records) if kind in _OF_ACCOUNTS else list(records)

    def add_records(self, kind: CrmObject, activities: Sequence[CrmActivity]) -> list[CrmActivity]:
        """Each is read with the record that it is about."""
        return list(activities)

    @property
    def activity_kinds(self) -> Mapping[CrmObject, frozenset[CrmObject]]:
        return KINDS

    def read_activities(self, kind: CrmObject, position: str | None) -> ActivityPage:
        reader = self._read_activities_with(kind)
        page = reader.read_changes(position, self._now(), self._page_rows)
        found = [read_activity(kind, one, self._key_field) for one in page.records if not one.is_deleted]
        return ActivityPage(add_converted(self._client, found), page.position, page.has_more)

    def read_meetings(self, since: datetime, until: datetime) -> list[CrmActivity]:
        kind = CrmObject.MEETING
        found = self._read_activities_with(kind).find_between(EVENT_START, since, until)
        return add_converted(self._client, [read_activity(kind, record, self._key_field) for record in found])

    def _read_activities_with(self, kind: CrmObject) -> RecordReader:
        description = self._recall(kind, [])
        names = [name for name in (*FIELDS[kind], self._key_field) if description.find(name) is not None]
        return RecordReader(self._client, OBJECT_NAMES[kind], description, names)

    def make_position(self, since: datetime) -> str:
        return make_position(since)

    def write(self, kind: CrmObject, rows: Sequence[CrmWrite]) -> list[RowResult]:
        names = {name for row in rows for name in row.values}
        description = self._recall(kind, names)
        return RowWriter(self._client, OBJECT_NAMES[kind], self._key_field, description, self._lock_waits).write(rows)

    def write_tasks(self, tasks: Sequence[CrmTask]) -> list[RowResult]:
        """A subject longer than 255 characters is cut, and a body longer than 32,000."""
        results: dict[int, RowResult] = {}
        rows: dict[int, CrmWrite] = {}
        for place, task in enumerate(tasks):
            if task.due_at.tzinfo is None:
                error = RowError(RowFault.PERMANENT, "INVALID_TYPE", "the due time has no zone", field="ActivityDate")
                results[place] = RowResult(task.key, task.id, error=error)
            else:
                rows[place] = CrmWrite(task.key, self._build_task(task), task.id)
        results |= dict(zip(rows, self.write(CrmObject.TASK, list(rows.values())), strict=True))
        return [results[place] for place in range(len(tasks))]

    def store_values(self, kind: CrmObject, values: Mapping[str, CrmValue]) -> dict[str, CrmValue]:
        """``values`` as they are read again after they were written: what a comparison needs.

        Raises ``ValueError`` for one that its field cannot hold. A field that does not exist keeps its value.
        """
        description = self._recall(kind, set(values))
        found = {name: description.find(name) for name in values}
        return {
            name: value if (field := found[name]) is None else store_value(field, value)
            for name, value in values.items()
        }

    def _build_task(self, task: CrmTask) -> dict[str, CrmValue]:
        values: dict[str, CrmValue] = {
            "WhoId" if task.record_id.startswith(_PEOPLE) else "WhatId": task.record_id,
            "OwnerId": task.owner_id,
            "Subject": format_line(task.subject, _LONGEST_SUBJECT),
            "Description": task.body[:_LONGEST_BODY],
            "ActivityDate": task.due_at.date(),
            "IsReminderSet": not task.is_done,
        }
        if task.is_done:
            values["Status"] = self._closed_status
        else:
            values["ReminderDateTime"] = task.due_at
        return values

    def _read_with(self, kind: CrmObject, fields: Sequence[str]) -> RecordReader:
        return RecordReader(self._client, OBJECT_NAMES[kind], self._recall(kind, set(fields)), fields)

    def _recall(self, kind: CrmObject, names: Iterable[str]) -> Description:
        """The description as it was last read; read again when it lacks one of ``names``, which may be new."""
        known = self._described.get(kind)
        if known is None or any(known.find(name) is None for name in names):
            return self._describe(kind)
        return known

    def _describe(self, kind: CrmObject) -> Description:
        described = read_description(self._client.get(f"/sobjects/{OBJECT_NAMES[kind]}/describe"))
        with self._lock:
            self._described[kind] = described
        return described


def _read_owner(raw: JsonObject, *, is_queue: bool) -> CrmOwner:
    id, name, email = raw.get("Id"), raw.get("Name"), raw.get("Email")
    return CrmOwner(
        id=str(id),
        name=name if isinstance(name, str) else "",
        email=email if isinstance(email, str) and email else None,
        is_active=is_queue or raw.get("IsActive") is True,
        is_queue=is_queue,
        user_id=None if is_queue else str(id),
    )
