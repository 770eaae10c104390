"""Leads are written to a CRM through the outbox: collapsed, linked, read back, refused, limited, killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from forked import Child, own_ledger
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.connectors.crm import (
    CrmBudget,
    CrmField,
    CrmFieldType,
    CrmLimitError,
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
from leadgate.ledger import outbox, ownership, reruns
from leadgate.playbook import Loaded
from tasks import reassignments
from tasks.crm_delivery import LEASE, OpenCrms, deliver_to_crms
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


@pytest.fixture(scope="session")
def loaded() -> Loaded:
    return playbooks.parse(BOOK, path=Path("tests.yaml"))


@dataclass
class MemoryCrm:
    """A CRM in memory that keeps what it is given by the rules of the protocol."""

    name: str = "Memory"
    budget: CrmBudget = field(default_factory=CrmBudget)
    rows_per_write: int = 100
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, CrmTask] = field(default_factory=dict)
    writes: int = 0
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


def test_a_lead_is_created_read_back_and_has_one_task(harness: Harness) -> None:
    crm = MemoryCrm()
    harness.capture(make_lead(1))
    harness.run()

    assert deliver(harness, crm).count("delivered") == 1

    ((record),) = crm.records.values()
    assert record == {
        "leadgate_id": "leadgate-L1", "email": "lead1@company1.example", "score": 30, "lead_status": "OPEN", "owner": "7",
    }  # fmt: skip
    assert [(task.subject, task.is_done) for task in crm.tasks.values()] == [("Call Company 1", False)]
    assert harness.rows("SELECT record_id, found_by, differing FROM crm_link") == [("100", "created", 0)]
    assert harness.find_broken() == []


def test_changes_collapse_into_one_write_and_what_is_unchanged_is_not_written(harness: Harness) -> None:
    crm = MemoryCrm()
    harness.capture(make_lead(1))
    harness.run()
    owner = harness.one("SELECT owner FROM assignment")
    ownership.accept(harness.ledger, 1, by=make_actor(owner), now=NOW)

    assert deliver(harness, crm).count("delivered") == 2
    assert crm.writes == 1
    ownership.touch(
        harness.ledger, 1, kind="call", rep=owner, by=make_actor(owner), at=NOW, seconds=60, now=NOW
    )  # fmt: skip
    deliver(harness, crm)
    assert crm.writes == 1  # nothing that is written has changed
    harness.run(NOW + timedelta(minutes=5))
    deliver(harness, crm, NOW + timedelta(minutes=5))
    assert (crm.writes, len(crm.tasks)) == (2, 1)
    assert all(task.is_done for task in crm.tasks.values())


@pytest.mark.parametrize("lost", ["write", "write_tasks"])
def test_a_change_whose_answer_was_lost_is_taken_back(harness: Harness, lost: str) -> None:
    """What was read back before is what the ledger says again; the CRM has something else."""
    crm = MemoryCrm()
    harness.capture(make_lead(1))
    harness.run()
    for minutes, company in ((0, "Company 1"), (1, "Somebody else"), (2, "Company 1")):
        with harness.ledger.transaction() as connection:
            connection.execute(text("UPDATE lead SET company = :company, email = :company"), {"company": company})
            outbox.tell_crms(connection, [1], NOW)
        deliver(harness, crm, NOW + timedelta(minutes=minutes))
        crm.lost = lost if company == "Company 1" else ""

    assert [record["email"] for record in crm.records.values()] == ["Company 1"]
    assert [task.subject for task in crm.tasks.values()] == ["Call Company 1"]


def test_a_task_whose_answer_was_lost_is_done_with_its_assignment(harness: Harness) -> None:
    """The ledger has no id of the task when the owner has called."""
    crm = MemoryCrm(lost="write_tasks")
    harness.capture(make_lead(1))
    harness.run()
    owner = harness.one("SELECT owner FROM assignment")
    assert deliver(harness, crm).count("failed") == 1
    ownership.touch(
        harness.ledger, 1, kind="call", rep=owner, by=make_actor(owner), at=NOW, seconds=60, now=NOW
    )  # fmt: skip
    harness.run(NOW + timedelta(minutes=5))

    deliver(harness, crm, NOW + timedelta(minutes=5))

    assert [task.is_done for task in crm.tasks.values()] == [True]
    assert items(harness) == []


def test_a_record_with_the_same_address_is_linked_and_keeps_its_values(harness: Harness) -> None:
    crm = MemoryCrm(records={"5": {"email": "LEAD1@company1.example", "title": "Boss"}})
    harness.capture(make_lead(1, **{"Job title": "Chief"}))
    harness.run()

    deliver(harness, crm)

    assert list(crm.records) == ["5"]
    assert (crm.records["5"]["title"], crm.records["5"]["leadgate_id"]) == ("Boss", "leadgate-L1")
    assert harness.rows("SELECT found_by FROM crm_link") == [("address",)]


def test_a_refused_row_asks_a_person_with_the_vendors_words_and_a_rerun_writes_it(harness: Harness) -> None:
    crm = MemoryCrm(refuse="lead1@company1.example")
    harness.capture(make_lead(1), make_lead(2))
    harness.run()

    report = deliver(harness, crm)

    assert (report.count("delivered"), report.count("given_up")) == (1, 1)
    ((reason, promise, detail),) = items(harness)
    assert (reason, promise) == ("crm_refused", "crm:sales")
    assert detail == "VALIDATION: lead1@company1.example is not allowed"
    assert harness.find_broken() == []
    crm.refuse = ""
    item = harness.one("SELECT id FROM work_item")
    reruns.rerun(harness.ledger, [item], by="rae", now=NOW, playbook=harness.loaded.playbook)
    assert deliver(harness, crm).count("delivered") == 1
    assert (len(crm.records), items(harness)) == (2, [])
    assert harness.find_broken() == []


def test_a_refused_lead_that_is_handed_over_meanwhile_is_one_work_item(harness: Harness) -> None:
    crm = MemoryCrm(refuse="lead1@company1.example", slow="write")
    harness.capture(make_lead(1))
    harness.run()
    other = next(rep for rep in ("ana", "bob") if rep != harness.one("SELECT owner FROM assignment"))
    crm.meanwhile = lambda: reassignments.reassign(
        harness.ledger, harness.loaded, 1, rep=other, anyway=True, reason="away", by=make_actor("mia"), now=NOW
    )

    assert deliver(harness, crm).count("given_up") == 2

    assert [reason for reason, _, _ in items(harness)] == ["crm_refused"]
    assert harness.find_broken() == []


def test_an_automation_that_overrides_is_a_work_item_with_both_values(harness: Harness) -> None:
    crm = MemoryCrm(override={"lead_status": "BAD"})
    harness.capture(make_lead(1))
    harness.run()
    deliver(harness, crm)

    ((reason, promise, detail),) = items(harness)
    assert (reason, promise) == ("crm_write_not_kept", "crm:sales:lead_status")
    assert "'OPEN'" in detail
    assert "'BAD'" in detail
    assert harness.find_broken() == []


def test_a_days_limit_is_one_work_item_and_loses_nothing(harness: Harness) -> None:
    crm = MemoryCrm(error=CrmLimitError("no more today", wait_seconds=3600, is_daily=True))
    harness.capture(*(make_lead(number) for number in range(1, 6)))
    harness.run()
    deliver(harness, crm)
    deliver(harness, crm, NOW + timedelta(minutes=1))

    assert [reason for reason, _, _ in items(harness)] == ["crm_limit_reached"]
    assert harness.rows("SELECT DISTINCT attempts FROM outbox WHERE target = 'crm:sales'") == [(0,)]
    crm.error = None
    assert deliver(harness, crm, NOW + timedelta(hours=2)).count("delivered") == 5
    assert len(crm.records) == 5


def test_a_temporary_fault_of_a_row_is_tried_again(harness: Harness) -> None:
    crm = MemoryCrm(refuse="lead1@company1.example", fault=RowFault.TEMPORARY)
    harness.capture(make_lead(1))
    harness.run()
    assert deliver(harness, crm).count("failed") == 1
    crm.refuse = ""
    assert deliver(harness, crm, NOW + timedelta(minutes=1)).count("delivered") == 1
    assert items(harness) == []


def test_nothing_of_the_credentials_is_kept(harness: Harness) -> None:
    crm = MemoryCrm(error=RuntimeError(SECRET))
    harness.capture(make_lead(1))
    harness.run()
    report = deliver(harness, crm)
    kept = [
        harness.rows(f"SELECT row_to_json(t)::text FROM {table} t")
        for table in ("outbox", "work_item", "crm_connection")
    ]
    assert SECRET not in str(kept) + str(report.failures)
    assert report.failures


@pytest.mark.parametrize("slow", ["find", "write", "write_tasks", "read"])
def test_a_request_that_outlasts_its_lease_leaves_the_newest_values(harness: Harness, slow: str) -> None:
    """Another consumer takes the lead over while the request is under way, and writes what has changed since."""
    crm = MemoryCrm(slow=slow)
    harness.capture(make_lead(1))
    harness.run()
    before: list[int] = []

    def be_overtaken() -> None:
        ownership.touch(
            harness.ledger, 1, kind="call", rep=owner, by=make_actor(owner), at=NOW, seconds=60, now=NOW
        )  # fmt: skip
        harness.run(NOW + LEASE)
        assert deliver(harness, crm, NOW + LEASE).count("delivered") >= 2
        before.append(crm.writes)

    owner = harness.one("SELECT owner FROM assignment")
    crm.meanwhile = be_overtaken
    deliver(harness, crm)
    deliver(harness, crm, NOW + LEASE)

    ((status),) = [record["lead_status"] for record in crm.records.values()]
    assert status == "done"
    assert all(task.is_done for task in crm.tasks.values())
    assert harness.rows("SELECT written ->> 'lead_status', differing FROM crm_link") == [("done", 0)]
    assert harness.one("SELECT count(*) FROM outbox WHERE target = 'crm:sales' AND delivered_at IS NULL") == 0
    assert (crm.writes > before[0]) == (slow != "find")  # once more, where older values may have arrived last
    assert (items(harness), harness.find_broken()) == ([], [])


@pytest.mark.parametrize(
    "failpoint",
    ["crm.claim.after", "crm.write.after", "crm.link.after", "crm.tasks.after", "crm.read.before", "crm.settle.inside", "crm.settle.after"],
)  # fmt: skip
def test_killed_anywhere_nothing_is_lost_or_written_twice(
    harness: Harness, settings: Any, failpoint: str, tmp_path: Path
) -> None:
    """The CRM is a file, which survives the process."""
    import pickle

    harness.capture(make_lead(1))
    harness.run()
    path = tmp_path / "crm"

    class FileCrm(MemoryCrm):
        def write(self, kind: CrmObject, rows: Sequence[CrmWrite]) -> list[RowResult]:
            results = super().write(kind, rows)
            path.write_bytes(pickle.dumps(self.records))
            return results

    def work() -> None:
        with own_ledger(settings) as ledger:
            deliver(Harness(ledger, harness.loaded), FileCrm())

    assert Child(work, failpoint=failpoint).killed
    crm = MemoryCrm(records=pickle.loads(path.read_bytes()) if path.exists() else {})  # noqa: S301 - our own
    assert deliver(harness, crm, NOW + LEASE - timedelta(seconds=1)).outcomes == {}
    deliver(harness, crm, NOW + LEASE)
    assert [record["score"] for record in crm.records.values()] == [30]
    assert harness.rows("SELECT count(*) FROM crm_link") == [(1,)]
    assert harness.one("SELECT count(*) FROM outbox WHERE target = 'crm:sales' AND delivered_at IS NULL") == 0
    assert harness.find_broken() == []
