"""A process that is frozen inside a transaction: another one relieves it, and it writes nothing when it wakes up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from commands import Cli, read_json
from desk import NOW, Desk, make_lead
from forked import Child, wait_for
from open_gate import pass_all
from sqlalchemy import text

from leadgate.ledger import open_ledger
from leadgate.ledger.batches import claim, fence
from leadgate.ledger.frozen import end_frozen, find_frozen
from leadgate.playbook import Loaded
from leadgate.settings import Settings
from tasks.batches import Worker, activate, run_waiting

LEASE = 2.0  # seconds


def frozen_at(failpoint: str, settings: Settings, loaded: Loaded) -> Child:
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
    failpoint: str, desk: Desk, settings: Settings, awake: list[Child]
) -> None:
    desk.capture(make_lead(1), make_lead(2))
    child = frozen_at(failpoint, settings, desk.loaded)
    awake.append(child)

    def everybody_is_through() -> bool:
        desk.run(lease_seconds=LEASE)
        return desk.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0

    wait_for(everybody_is_through)
    before = desk.rows("SELECT * FROM handoff ORDER BY id"), desk.rows("SELECT * FROM assignment ORDER BY id")
    assert "ready" not in desk.statuses()

    os.kill(child.pid, signal.SIGCONT)
    child.wait()
    assert (desk.rows("SELECT * FROM handoff ORDER BY id"), desk.rows("SELECT * FROM assignment ORDER BY id")) == before
    assert desk.holds() == []


def test_status_names_the_batch_and_the_process_that_locks_it(
    desk: Desk, settings: Settings, awake: list[Child], cli: Cli
) -> None:
    desk.capture(make_lead(1))
    awake.append(frozen_at("apply.commit.before", settings, desk.loaded))
    wait_for(lambda: find_frozen(desk.ledger) != [])

    (told,) = read_json(cli("status", "--json", code=1))["frozen"]
    assert told["batch_id"] == 1
    assert str(awake[0].pid) in told["process"]
    assert str(awake[0].pid) in cli("status", code=1).stdout


def test_a_process_that_is_at_work_on_its_batch_keeps_its_session(desk: Desk) -> None:
    """Its lease is over, because the same transaction extends it; PostgreSQL works on a statement of its meanwhile."""
    desk.capture(make_lead(1))
    activate(desk.worker())
    working = claim(desk.ledger, holder="slow", playbook_hash=desk.loaded.hash, now=NOW, limit=1, lease_seconds=0.1)
    assert working is not None
    done: list[bool] = []

    def work_for_long() -> None:
        with desk.ledger.transaction() as connection:
            fence(connection, working, 30.0)
            connection.execute(text("SELECT pg_sleep(2)"))
        done.append(True)

    thread = threading.Thread(target=work_for_long)
    thread.start()
    ended = 0
    while thread.is_alive():
        ended += end_frozen(desk.ledger, lease_seconds=0.2)
    thread.join()
    assert ended == 0
    assert done
