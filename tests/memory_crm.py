"""A CRM in memory, which delivery is tested against: it can refuse, take its time, lose answers, and override."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness import NOW, PLAYBOOK, Harness

from leadgate.connectors.crm import (
    CrmBudget,
    CrmField,
    CrmFieldType,
    CrmObject,
    CrmOwner,
    CrmRecord,
    CrmTask,
    CrmWrite,
    RowError,
    RowFault,
    RowResult,
)
from leadgate.connectors.service_session import ServiceUnreachableError
from tasks.crm.delivery import OpenCrms, deliver_to_crms
from tasks.outbox import DeliveryReport

CRM = """
crm:
  - name: sales
    type: hubspot
    credentials: {token: CRM_TOKEN}
    writes:
      email: email
      score: {fact: score, policy: always}
      title: {fact: job_title, policy: if_empty}
      lead_status: {fact: status, values: {owned: OPEN}}
      owner: owner
    task: {subject: "Call {company}", body: "{evidence}"}
"""
BOOK = PLAYBOOK.replace("manager: mia}", "manager: mia, crm_ids: {sales: '7'}}") + CRM
SECRET = "pat-na1-secret"  # noqa: S105 - of nobody


@dataclass
class MemoryCrm:
    """A CRM in memory that keeps what it is given by the rules of the protocol."""

    name: str = "Memory"
    budget: CrmBudget = field(default_factory=CrmBudget)
    rows_per_write: int = 100
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, CrmTask] = field(default_factory=dict)
    writes: int = 0
    rows: list[str] = field(default_factory=list)  # the key of each row that was written, of tasks too
    refuse: str = ""  # rows with this value are refused
    fault: RowFault = RowFault.PERMANENT
    override: dict[str, Any] = field(default_factory=dict)  # another automation
    error: Exception | None = None
    lost: str = ""  # the next request of this name does what it asks, and its answer does not arrive
    slow: str = ""  # the next request of this name takes so long that ``meanwhile`` is done before it is
    meanwhile: Callable[[], object] = lambda: None

    def _take_time(self, name: str) -> None:
        if self.slow == name:
            self.slow = ""
            self.meanwhile()

    def _lose_answer(self, name: str) -> None:
        if self.lost == name:
            self.lost = ""
            raise ServiceUnreachableError("no answer", sent=True)

    def describe_fields(self, kind: CrmObject) -> dict[str, CrmField]:
        return {"title": CrmField("title", "Title", CrmFieldType.TEXT, max_length=20)}

    def list_owners(self) -> list[CrmOwner]:
        return [CrmOwner("7", "Everybody", None, True)]

    def find(self, kind: CrmObject, name: str, values: Iterable[str], fields: Sequence[str]) -> list[CrmRecord]:
        wanted = {value.casefold() for value in values}
        self._take_time("find")
        return [
            CrmRecord(id, {each: record.get(each) for each in fields})
            for id, record in self.records.items()
            if str(record.get(name)).casefold() in wanted
        ]

    def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> dict[str, CrmRecord]:
        self._take_time("read")
        return {
            id: CrmRecord(id, {each: self.records[id].get(each) for each in fields}) for id in ids if id in self.records
        }

    def write(self, kind: CrmObject, rows: Sequence[CrmWrite]) -> list[RowResult]:
        if self.error is not None:
            raise self.error
        self._take_time("write")
        self.writes += 1
        self.rows += [row.key for row in rows]
        results = [self._write_row(row) for row in rows]
        self._lose_answer("write")
        return results

    def _write_row(self, row: CrmWrite) -> RowResult:
        if self.refuse and self.refuse in map(str, row.values.values()):
            return RowResult(row.key, error=RowError(self.fault, "VALIDATION", f"{self.refuse} is not allowed"))
        known = [id for id, record in self.records.items() if record.get("leadgate_id") == row.key]
        id = row.id or (known[0] if known else str(100 + len(self.records)))
        if id not in self.records and row.id:
            return RowResult(row.key, error=RowError(RowFault.GONE, "GONE", "not there"))
        created = id not in self.records
        self.records.setdefault(id, {"leadgate_id": row.key}).update(row.values)
        self.records[id].update(self.override)
        return RowResult(row.key, id, created)

    def write_tasks(self, tasks: Sequence[CrmTask]) -> list[RowResult]:
        self._take_time("write_tasks")
        self.rows += [task.key for task in tasks]
        self.tasks.update({task.key: task for task in tasks})
        self._lose_answer("write_tasks")
        return [RowResult(task.key, f"t{task.key}") for task in tasks]

    def close(self) -> None:
        pass


def deliver(harness: Harness, crm: MemoryCrm, now: Any = NOW) -> DeliveryReport:
    report = DeliveryReport()
    deliver_to_crms(
        harness.ledger, harness.loaded.playbook, report, now,
        environ={"CRM_TOKEN": SECRET}, waiting={"crm:sales": 1}, open_crms=OpenCrms(lambda *_: crm),  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    return report


def items(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT reason, promise, detail FROM work_item WHERE closed_at IS NULL ORDER BY id")
