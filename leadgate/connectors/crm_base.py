"""The base of a CRM's connector: what it answers for a CRM that has nothing of the kind.

Belongs here: answers that need no vendor. Does not belong here: the interface (``crm``). A connector of another package
derives from ``CrmBase`` and writes what its CRM can do; the steps are in CONTRIBUTING.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

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
    RowError,
    RowFault,
    RowResult,
    WantedField,
)


class CrmBase(ABC):
    """A CRM of which nothing is read on a schedule, and that has no tasks. ``crm.Crm`` says what each method does.

    A connector has to write ``describe_fields``, ``list_owners``, ``find``, ``read`` and ``write``.
    """

    name = "a CRM"
    rows_per_write = 100

    @property
    def budget(self) -> CrmBudget:
        return CrmBudget()

    @abstractmethod
    def describe_fields(self, kind: CrmObject) -> Mapping[str, CrmField]: ...

    def check(self, kind: CrmObject, wanted: Sequence[WantedField], *, creates: bool = True) -> list[CrmFinding]:
        """Fields that are missing, cannot be written, are not unique, or lack a choice, by ``describe_fields``."""
        known = self.describe_fields(kind)
        return [finding for each in wanted for finding in _check_field(each, known.get(each.name))]

    def create_fields(self, kind: CrmObject, wanted: Sequence[WantedField], *, dry_run: bool = False) -> list[str]:
        missing = [each.name for each in wanted if each.name not in self.describe_fields(kind)]
        if missing and not dry_run:
            raise CrmRefusedError(f"{self.name} lets no program create fields; create {', '.join(missing)} there")
        return []

    @abstractmethod
    def list_owners(self) -> list[CrmOwner]: ...

    @abstractmethod
    def find(self, kind: CrmObject, field: str, values: Iterable[str], fields: Sequence[str]) -> list[CrmRecord]: ...

    @abstractmethod
    def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> dict[str, CrmRecord]: ...

    def read_last_changes(self, kind: CrmObject, ids: Iterable[str], field: str) -> dict[str, CrmFieldChange]:
        """Of a CRM that does not keep the changes of each field: the record's last change."""
        return {
            id_: CrmFieldChange(record.values.get(field), record.changed_at, record.changed_by)
            for id_, record in self.read(kind, ids, [field]).items()
            if not record.is_deleted
        }

    @abstractmethod
    def write(self, kind: CrmObject, rows: Sequence[CrmWrite]) -> list[RowResult]: ...

    def write_tasks(self, tasks: Sequence[CrmTask]) -> list[RowResult]:
        error = RowError(RowFault.PERMANENT, "NO_TASKS", f"{self.name} has no tasks; take crm[].task out")
        return [RowResult(task.key, error=error) for task in tasks]

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        raise CrmRefusedError(f"{self.name} does not tell what changed; take crm[].reads out")

    def add_records(self, kind: CrmObject, activities: Sequence[CrmActivity]) -> list[CrmActivity]:
        return list(activities)

    def name_references(self, kind: CrmObject, records: Sequence[CrmRecord]) -> list[CrmRecord]:
        return list(records)

    @property
    def activity_kinds(self) -> Mapping[CrmObject, frozenset[CrmObject]]:
        return {}

    def read_activities(self, kind: CrmObject, position: str | None) -> ActivityPage:
        raise CrmRefusedError(f"{self.name} does not tell of activities; take crm[].reads.activities out")

    def read_meetings(self, since: datetime, until: datetime) -> list[CrmActivity]:
        return []

    def make_position(self, since: datetime) -> str:
        return since.isoformat()

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Nothing is open."""


def _check_field(wanted: WantedField, known: CrmField | None) -> list[CrmFinding]:
    name = wanted.name
    if known is None:
        return [CrmFinding(name, "there is no such field", "create it, or correct its name in the playbook")]
    found = []
    if wanted.is_written and not known.is_writable:
        found.append(CrmFinding(name, "it cannot be written", "write another field, or let the connection write it"))
    if wanted.is_unique and not known.is_unique:
        found.append(CrmFinding(name, "its values need not be unique", "make it unique: it holds Leadgate's key"))
    lacking = [value for value in wanted.values if known.choices and value not in known.choices]
    if lacking:
        found.append(
            CrmFinding(name, f"it has no choice {', '.join(lacking)}", "add the choice, or map it in `values`")
        )
    return found
