"""The connection to one HubSpot account.

Belongs here: what ``Crm`` asks, and the properties that are known by now. Does not belong here: how it is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
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
    CrmRefusedError,
    CrmTask,
    CrmWrite,
    RowResult,
    WantedField,
)
from leadgate.connectors.hubspot.activities import MEETING_START, PROPERTIES, read_activity
from leadgate.connectors.hubspot.associations import read_deals
from leadgate.connectors.hubspot.client import KINDS, Client
from leadgate.connectors.hubspot.deals import name_deals
from leadgate.connectors.hubspot.limiter import Pace
from leadgate.connectors.hubspot.reading import (
    ChangeReader,
    make_position,
    read_by,
    read_last_changes,
    read_records,
    search_between,
    search_by,
)
from leadgate.connectors.hubspot.records import list_objects, read_next, read_owner
from leadgate.connectors.hubspot.setup import create_missing, find_problems, read_fields
from leadgate.connectors.hubspot.task_writing import write_tasks
from leadgate.connectors.hubspot.values import store_values
from leadgate.connectors.hubspot.writing import PER_WRITE, write_rows
from leadgate.connectors.service_session import ServiceError, ServiceSession
from leadgate.crm.values import CrmValue
from leadgate.nearest import propose

_FIELDS_FRESH: Final = 900.0  # seconds for which the properties are not read again
_MOST_PAGES: Final = 1_000  # of owners


#: The newest version of the API that this was written for.
DEFAULT_VERSION: Final = "2026-09"


class HubSpot:
    """One account of HubSpot, as ``Crm`` asks for it.

    ``session`` brings the credentials: its ``auth`` adds ``Authorization: Bearer`` to each request. ``version`` is a
    dated version of HubSpot's API, or ``v3``. ``key_property`` is the unique property of contacts and tasks that holds
    Leadgate's key. ``overlap`` is how many seconds searches may be behind. Deleted records are listed every
    ``deleted_every`` seconds.
    """

    name = "HubSpot"
    rows_per_write = PER_WRITE

    def __init__(
        self,
        base_url: str,
        session: ServiceSession,
        *,
        version: str = DEFAULT_VERSION,
        key_property: str = "leadgate_id",
        pace: Pace | None = None,
        overlap: float = 120.0,
        deleted_every: float = 3_600.0,
    ) -> None:
        self._pace = pace or Pace()
        self._client = Client(base_url, session, version, self._pace)
        self._key_property = key_property
        self._changes = ChangeReader(self._client, overlap=overlap, deleted_every=deleted_every)
        self._fields: dict[CrmObject, tuple[float, dict[str, CrmField]]] = {}
        self._lock = threading.Lock()

    @property
    def budget(self) -> CrmBudget:
        return self._client.budget

    def describe_fields(self, kind: CrmObject) -> Mapping[str, CrmField]:
        return self._learn_fields(kind)

    def check(self, kind: CrmObject, wanted: Sequence[WantedField], *, creates: bool = True) -> list[CrmFinding]:
        return find_problems(self._client, kind, wanted, self._key_property)

    def create_fields(self, kind: CrmObject, wanted: Sequence[WantedField], *, dry_run: bool = False) -> list[str]:
        try:
            return create_missing(self._client, kind, wanted, self._key_property, dry_run=dry_run)
        finally:
            with self._lock:
                self._fields.pop(kind, None)

    def list_owners(self) -> list[CrmOwner]:
        """The owners, those of deactivated users too. An owner that is a queue has no address."""
        found: dict[str, CrmOwner] = {}
        for archived in ("true", "false"):  # what is active stands last, and stays
            after: str | None = None
            for _ in range(_MOST_PAGES):
                params = {"limit": "100", "archived": archived, **({"after": after} if after else {})}
                answer = self._client.get(self._client.find_path("owners"), params)
                found |= {owner.id: owner for owner in map(read_owner, list_objects(answer, "results"))}
                following = read_next(answer)
                if following is None or following == after:
                    break
                after = following
            else:
                raise ServiceError("HubSpot's list of owners does not end")
        return list(found.values())

    def find(self, kind: CrmObject, field: str, values: Iterable[str], fields: Sequence[str]) -> list[CrmRecord]:
        """As ``Crm`` says. By a unique property the answer is exact; by another it is a search's, moments late."""
        asked = [value for value in values if value]
        known = self._require_fields(kind, [field])
        if known[field].is_unique:
            read = read_by(self._client, kind, asked, fields, known, field)
            return list({record.id: record for record, _, _ in read}.values())
        return search_by(self._client, kind, field, asked, fields, known)

    def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> dict[str, CrmRecord]:
        return read_records(self._client, kind, ids, fields, self._learn_fields(kind))

    def read_last_changes(self, kind: CrmObject, ids: Iterable[str], field: str) -> dict[str, CrmFieldChange]:
        return read_last_changes(self._client, kind, ids, field, self._require_fields(kind, [field]))

    def write(self, kind: CrmObject, rows: Sequence[CrmWrite]) -> list[RowResult]:
        if not rows:
            return []
        names = {name for row in rows for name in row.values}
        known = self._require_fields(kind, [*sorted(names), self._key_property])
        return write_rows(self._client, kind, rows, known, self._key_property)

    def write_tasks(self, tasks: Sequence[CrmTask]) -> list[RowResult]:
        if not tasks:
            return []
        known = self._require_fields(CrmObject.TASK, [self._key_property])
        if not known[self._key_property].is_unique:
            raise CrmRefusedError(
                f"HubSpot's property {self._key_property} of tasks does not require unique values, so that a task could"
                " be made twice; `check` tells what to do"
            )
        return write_tasks(self._client, tasks, known, self._key_property, self._pace.lock_wait)

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        return self._changes.read(kind, fields, self._learn_fields(kind), position)

    def name_references(self, kind: CrmObject, records: Sequence[CrmRecord]) -> list[CrmRecord]:
        return name_deals(self._client, records) if kind is CrmObject.OPPORTUNITY else list(records)

    def add_records(self, kind: CrmObject, activities: Sequence[CrmActivity]) -> list[CrmActivity]:
        deals = read_deals(self._client, kind, [each.id for each in activities]) if activities else {}
        return [
            replace(each, records=tuple((CrmObject.OPPORTUNITY, deal) for deal in deals.get(each.id, ())))
            for each in activities
        ]

    @property
    def activity_kinds(self) -> Mapping[CrmObject, frozenset[CrmObject]]:
        return {kind: frozenset({kind}) for kind in PROPERTIES}

    def read_activities(self, kind: CrmObject, position: str | None) -> ActivityPage:
        known = self._learn_fields(kind)
        names = [name for name in (*PROPERTIES[kind], self._key_property) if name in known]
        page = self._changes.read(kind, names, known, position)
        found = [read_activity(kind, one, self._key_property) for one in page.records if not one.is_deleted]
        return ActivityPage(found, page.position, page.has_more)

    def read_meetings(self, since: datetime, until: datetime) -> list[CrmActivity]:
        kind = CrmObject.MEETING
        known = self._learn_fields(kind)
        names = [name for name in PROPERTIES[kind] if name in known]
        found = search_between(self._client, kind, MEETING_START, since, until, names, known)
        return [read_activity(kind, record, self._key_property) for record in found]

    def make_position(self, since: datetime) -> str:
        return make_position(since)

    def predict_stored(self, kind: CrmObject, values: Mapping[str, CrmValue]) -> dict[str, CrmValue]:
        """``values`` as they are read after they were written. Raises ``ValueError`` for one that does not fit."""
        return store_values(values, self._require_fields(kind, list(values)))

    def close(self) -> None:
        self._client.close()

    def _learn_fields(self, kind: CrmObject, *, anew: bool = False) -> dict[str, CrmField]:
        with self._lock:
            read_at, known = self._fields.get(kind, (0.0, {}))
        if known and not anew and time.monotonic() - read_at < _FIELDS_FRESH:
            return known
        known = read_fields(self._client, kind)
        with self._lock:
            self._fields[kind] = time.monotonic(), known
        return known

    def _require_fields(self, kind: CrmObject, names: Sequence[str]) -> dict[str, CrmField]:
        """The properties, among them ``names``. Raises ``CrmRefusedError`` before anything is sent that must fail."""
        known = self._learn_fields(kind)
        if any(name not in known for name in names):
            known = self._learn_fields(kind, anew=True)
        for name in names:
            if name not in known:
                raise CrmRefusedError(
                    f"HubSpot's {KINDS[kind]} have no property {name!r}; {propose(name, known)}",
                    code="PROPERTY_DOESNT_EXIST",
                )
        return known
