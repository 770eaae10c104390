"""Writes to a CRM whose end is not known: processes that die or are overtaken, answers that are lost."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from forked import Child, own_ledger
from harness import NOW, Harness, make_actor, make_lead
from memory_crm import BOOK, MemoryCrm, deliver, items
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.connectors.crm import (
    CrmObject,
    CrmWrite,
    RowResult,
)
from leadgate.ledger import outbox, ownership
from leadgate.playbook import LoadedPlaybook
from tasks import reassignments
from tasks.crm.delivery import LEASE


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(BOOK, path=Path("tests.yaml"))


@pytest.mark.parametrize("lost", ["write", "write_tasks"])
def test_a_change_whose_answer_was_lost_is_taken_back(harness: Harness, lost: str) -> None:
    """What was read back before is what the ledger says again; the CRM has something else."""
    crm = MemoryCrm()
    harness.begin(make_lead(1))
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
    harness.begin(make_lead(1))
    owner = harness.one("SELECT owner FROM assignment")
    assert deliver(harness, crm).count("failed") == 1
    ownership.touch(
        harness.ledger, 1, kind="call", rep=owner, by=make_actor(owner), at=NOW, seconds=60, now=NOW
    )  # fmt: skip
    harness.run(NOW + timedelta(minutes=5))

    deliver(harness, crm, NOW + timedelta(minutes=5))

    assert [task.is_done for task in crm.tasks.values()] == [True]
    assert items(harness) == []


def test_a_refused_lead_that_is_handed_over_meanwhile_is_one_work_item(harness: Harness) -> None:
    crm = MemoryCrm(refuse="lead1@company1.example", slow="write")
    harness.begin(make_lead(1))
    other = next(rep for rep in ("ana", "bob") if rep != harness.one("SELECT owner FROM assignment"))
    crm.meanwhile = lambda: reassignments.reassign(
        harness.ledger, harness.loaded, 1, rep=other, anyway=True, reason="away", by=make_actor("mia"), now=NOW
    )

    assert deliver(harness, crm).count("given_up") == 2

    assert [reason for reason, _, _ in items(harness)] == ["crm_refused"]
    assert harness.find_broken() == []


class KilledError(BaseException):
    """What stands in for SIGKILL in a process that goes on."""


def test_a_lead_that_no_process_survives_takes_no_other_along(harness: Harness) -> None:
    class Deadly(MemoryCrm):
        def _write_row(self, row: CrmWrite) -> RowResult:
            if row.values["email"] == "lead1@company1.example":
                raise KilledError
            return super()._write_row(row)

    crm = Deadly()
    harness.begin(*(make_lead(number) for number in range(1, 4)))
    for number in range(16):
        with contextlib.suppress(KilledError):
            deliver(harness, crm, NOW + number * LEASE)

    assert sorted(record["email"] for record in crm.records.values()) == [
        "lead2@company2.example", "lead3@company3.example",
    ]  # fmt: skip
    ((reason, _, _),) = items(harness)
    assert reason == "crm_refused"
    assert harness.find_broken() == []


@pytest.mark.parametrize("slow", ["find", "write", "write_tasks", "read"])
def test_a_request_that_outlasts_its_lease_leaves_the_newest_values(harness: Harness, slow: str) -> None:
    """Another consumer takes the lead over while the request is under way, and writes what has changed since."""
    crm = MemoryCrm(slow=slow)
    harness.begin(make_lead(1))
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

    harness.begin(make_lead(1))
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
