"""A process that is frozen inside a transaction: another one relieves it, and it writes nothing when it wakes up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from commands import Cli, read_json
from forked import Child, wait_for
from harness import NOW, Harness, make_lead
from sqlalchemy import text
from stub_gates import pass_all

from leadgate.ledger import open_ledger
from leadgate.ledger.batches import claim, fence
from leadgate.ledger.frozen import end_frozen, find_frozen
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.batches import Worker, activate, run_waiting

LEASE = 2.0  # seconds


def frozen_at(failpoint: str, settings: Settings, loaded: LoadedPlaybook) -> Child:
    """A consumer that is stopped at ``failpoint``, inside a transaction."""

    def work() -> int:
        with open_ledger(replace(settings, lease_seconds=LEASE)) as ledger:
            worker = Worker(ledger, loaded, "frozen", LEASE)
            return len(run_waiting(worker, lambda: NOW, check=pass_all))

    child = Child(work, failpoint=failpoint, with_signal=signal.SIGSTOP)
    child.wait_until_frozen()
    return child


@pytest.fixture
def awake() -> Iterator[list[Child]]:
    """Children of a test; none is left frozen."""
    children: list[Child] = []
    yield children
    for child in children:
        child.kill()


@pytest.mark.parametrize("failpoint", ["apply.commit.before", "apply.lock.after:3", "close.after"])
def test_a_consumer_that_is_frozen_in_a_transaction_is_relieved_and_writes_nothing_when_it_wakes(
    failpoint: str, harness: Harness, settings: Settings, awake: list[Child]
) -> None:
    harness.capture(make_lead(1), make_lead(2))
    child = frozen_at(failpoint, settings, harness.loaded)
    awake.append(child)

    def everybody_is_through() -> bool:
        harness.run(lease_seconds=LEASE)
        return harness.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0

    wait_for(everybody_is_through)
    before = harness.rows("SELECT * FROM handoff ORDER BY id"), harness.rows("SELECT * FROM assignment ORDER BY id")
    assert "ready" not in harness.count_statuses()

    os.kill(child.pid, signal.SIGCONT)
    child.wait()
    assert (
        harness.rows("SELECT * FROM handoff ORDER BY id"),
        harness.rows("SELECT * FROM assignment ORDER BY id"),
    ) == before
    assert harness.find_broken() == []


def test_status_names_the_batch_and_the_process_that_locks_it(
    harness: Harness, settings: Settings, awake: list[Child], cli: Cli
) -> None:
    harness.capture(make_lead(1))
    awake.append(frozen_at("apply.commit.before", settings, harness.loaded))
    wait_for(lambda: find_frozen(harness.ledger) != [])

    (told,) = read_json(cli("status", "--json", code=1))["frozen"]
    assert told["batch_id"] == 1
    assert str(awake[0].pid) in told["process"]
    assert str(awake[0].pid) in cli("status", code=1).stdout


def test_a_process_that_is_at_work_on_its_batch_keeps_its_session(harness: Harness) -> None:
    """Its lease is over, because the same transaction extends it; PostgreSQL works on a statement of its meanwhile."""
    harness.capture(make_lead(1))
    activate(harness.worker())
    working = claim(
        harness.ledger, holder="slow", playbook_hash=harness.loaded.hash, now=NOW, limit=1, lease_seconds=1.0
    )
    assert working is not None
    done: list[bool] = []

    def work_for_long() -> None:
        with harness.ledger.transaction() as connection:
            fence(connection, working, 30.0)
            connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
        done.append(True)

    at_work = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database() "
        "AND state_change < clock_timestamp() - interval '0.2 s'"
    )
    thread = threading.Thread(target=work_for_long)
    with harness.ledger.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
        thread.start()
        wait_for(lambda: harness.one(at_work) == 1)
        wait_for(lambda: bool(harness.one("SELECT lease_until < clock_timestamp() FROM batch")))
        assert end_frozen(harness.ledger, lease_seconds=0.2) == 0
    thread.join()
    assert done
