"""Leads are written to a CRM through the outbox: collapsed, linked, read back, refused, limited, killed."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, Harness, make_actor, make_lead
from memory_crm import BOOK, SECRET, MemoryCrm, deliver, items

from leadgate import playbook as playbooks
from leadgate.connectors.crm import CrmLimitError, CrmRecord, RowFault, RowResult
from leadgate.ledger import ownership, reruns, undo
from leadgate.playbook import LoadedPlaybook


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(BOOK, path=Path("tests.yaml"))


def test_a_lead_is_created_read_back_and_has_one_task(harness: Harness) -> None:
    crm = MemoryCrm()
    harness.begin(make_lead(1))

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
    harness.begin(make_lead(1))
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


@pytest.mark.parametrize("delivered", [True, False], ids=["after the CRM was told", "before"])
def test_a_touch_that_is_taken_back_leaves_one_open_task(harness: Harness, delivered: bool) -> None:
    crm = MemoryCrm()
    harness.begin(make_lead(1))
    deliver(harness, crm)
    owner = harness.one("SELECT owner FROM assignment")
    who: dict[str, Any] = {"by": make_actor(owner), "now": NOW}
    done = ownership.touch(harness.ledger, 1, kind="call", rep=owner, at=NOW, seconds=60, **who)
    harness.run(NOW + timedelta(minutes=5))
    if delivered:
        deliver(harness, crm, NOW + timedelta(minutes=5))
    undo.undo(harness.ledger, done.action or 0, **who | {"now": NOW + timedelta(minutes=6)})
    deliver(harness, crm, NOW + timedelta(minutes=6))
    assert sorted(task.is_done for task in crm.tasks.values()) == [False, True]
    assert [record["lead_status"] for record in crm.records.values()] == ["OPEN"]
    assert harness.find_broken() == []


def test_a_record_with_the_same_address_is_linked_and_keeps_its_values(harness: Harness) -> None:
    crm = MemoryCrm(records={"5": {"email": "LEAD1@company1.example", "title": "Boss"}})
    harness.begin(make_lead(1, **{"Job title": "Chief"}))

    deliver(harness, crm)

    assert list(crm.records) == ["5"]
    assert (crm.records["5"]["title"], crm.records["5"]["leadgate_id"]) == ("Boss", "leadgate-L1")
    assert harness.rows("SELECT found_by FROM crm_link") == [("address",)]


def test_a_refused_row_asks_a_person_with_the_vendors_words_and_a_rerun_writes_it(harness: Harness) -> None:
    crm = MemoryCrm(refuse="lead1@company1.example")
    harness.begin(make_lead(1), make_lead(2))

    report = deliver(harness, crm)

    assert (report.count("delivered"), report.count("given_up")) == (1, 1)
    ((reason, promise, detail),) = items(harness)
    assert (reason, promise) == ("crm_refused", "crm:sales")
    assert detail == "VALIDATION: lead1@company1.example is not allowed"
    assert harness.find_broken() == []
    crm.refuse = ""
    item = harness.one("SELECT id FROM work_item")
    reruns.rerun(harness.ledger, [item], by=make_actor("rae"), now=NOW, playbook=harness.loaded.playbook)
    assert deliver(harness, crm).count("delivered") == 1
    assert (len(crm.records), items(harness)) == (2, [])
    assert harness.find_broken() == []


def test_an_automation_that_overrides_is_a_work_item_with_both_values(harness: Harness) -> None:
    crm = MemoryCrm(override={"lead_status": "BAD"})
    harness.begin(make_lead(1))
    deliver(harness, crm)

    ((reason, promise, detail),) = items(harness)
    assert (reason, promise) == ("crm_write_not_kept", "crm:sales:lead_status")
    assert "'OPEN'" in detail
    assert "'BAD'" in detail
    assert harness.find_broken() == []


def test_a_days_limit_is_one_work_item_and_loses_nothing(harness: Harness) -> None:
    crm = MemoryCrm(error=CrmLimitError("no more today", wait_seconds=3600, is_daily=True))
    harness.begin(*(make_lead(number) for number in range(1, 6)))
    deliver(harness, crm)
    deliver(harness, crm, NOW + timedelta(minutes=1))

    assert [reason for reason, _, _ in items(harness)] == ["crm_limit_reached"]
    assert harness.rows("SELECT DISTINCT attempts FROM outbox WHERE target = 'crm:sales'") == [(0,)]
    crm.error = None
    assert deliver(harness, crm, NOW + timedelta(hours=2)).count("delivered") == 5
    assert len(crm.records) == 5
    assert items(harness) == []


def test_a_temporary_fault_of_a_row_is_tried_again(harness: Harness) -> None:
    crm = MemoryCrm(refuse="lead1@company1.example", fault=RowFault.TEMPORARY)
    harness.begin(make_lead(1))
    assert deliver(harness, crm).count("failed") == 1
    crm.refuse = ""
    assert deliver(harness, crm, NOW + timedelta(minutes=1)).count("delivered") == 1
    assert items(harness) == []


def test_nothing_of_the_credentials_is_kept(harness: Harness) -> None:
    crm = MemoryCrm(error=RuntimeError(SECRET))
    harness.begin(make_lead(1))
    report = deliver(harness, crm)
    kept = [
        harness.rows(f"SELECT row_to_json(t)::text FROM {table} t")
        for table in ("outbox", "work_item", "crm_connection")
    ]
    assert SECRET not in str(kept) + str(report.failures)
    assert report.failures


class MeetingCrm(MemoryCrm):
    """The first request of each thread waits for that of the other: both have claimed leads then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._together, self._has_met, self._lock = (
            threading.Barrier(2, timeout=60),
            threading.local(),
            threading.Lock(),
        )

    def find(self, *asked: Any) -> list[CrmRecord]:
        if not getattr(self._has_met, "has", False):
            self._has_met.has = True
            self._together.wait()
        with self._lock:
            return super().find(*asked)

    def write(self, *asked: Any) -> list[RowResult]:
        with self._lock:
            return super().write(*asked)


def test_two_that_deliver_the_same_backlog_write_each_lead_once(harness: Harness) -> None:
    leads = 30
    crm = MeetingCrm(rows_per_write=2)
    harness.begin(*(make_lead(number) for number in range(leads)))

    with ThreadPoolExecutor(2) as pool:
        delivered = [report.count("delivered") for report in pool.map(lambda _: deliver(harness, crm), range(2))]

    assert sum(delivered) == leads
    assert min(delivered) > 0
    assert sorted(Counter(crm.rows).values()) == [1] * (2 * leads)  # a record and a task of each
    assert (len(crm.records), len(crm.tasks)) == (leads, leads)
    assert (items(harness), harness.find_broken()) == ([], [])
