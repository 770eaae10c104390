"""Who holds a batch: taking over what a dead run left, waiting after a failure, giving up to a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from forked import wait_for
from harness import NOW, Harness, make_actor, make_lead
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from stub_gates import pass_all

from leadgate.ledger import reruns
from leadgate.ledger.actions import ActionError
from leadgate.ledger.batches import Batch, Conflict, LeaseLost, claim, close, fence
from leadgate.ledger.leases import find_last_held_batch, find_standing, lease, read_lease_remaining, release, take_over
from tasks import batches
from tasks.batches import STAGES, activate, claim_next_work, resume_work, run_waiting
from tasks.bisecting import run_stage
from tasks.failed_batches import CANCELLED, FAILED, MAX_FAILURES, hold_batch
from tasks.stage import AnyStage, StageReport, Work

LONG = 60.0  # seconds; no test waits so long


@pytest.fixture
def claimed(harness: Harness) -> Callable[..., Batch]:
    """Capture ``leads`` and claim them as ``holder``."""

    def make(holder: str = "first", *, leads: int = 2, lease_seconds: float = LONG) -> Batch:
        activate(harness.worker(), NOW)
        start = harness.one("SELECT count(*) FROM signal")
        harness.capture(*(make_lead(number) for number in range(start, start + leads)))
        batch = claim(
            harness.ledger,
            holder=holder,
            playbook_hash=harness.loaded.hash,
            now=NOW,
            limit=100,
            lease_seconds=lease_seconds,
        )
        assert batch is not None
        return batch

    return make


def take(harness: Harness, holder: str, batch_id: int | None = None, **more: Any) -> Batch | None:
    return take_over(harness.ledger, holder=holder, lease_seconds=LONG, batch_id=batch_id, **more)


def let_time_pass(harness: Harness, seconds: float) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(
            text("UPDATE batch SET lease_until = lease_until - make_interval(secs => :s)"), {"s": seconds}
        )


# -- holding and taking over -------------------------------------------------------------------------------


def test_a_held_batch_is_nobody_elses(harness: Harness, claimed: Callable[..., Batch]) -> None:
    batch = claimed()
    assert take(harness, "second") is None
    assert take(harness, "second", batch.id) is None
    stands = find_standing(harness.ledger, batch.id)
    assert stands is not None
    assert (stands.holder, stands.closed) == ("first", False)
    assert LONG - 10 < stands.lease_remaining <= LONG


def test_whose_lease_ran_out_is_fenced_off(harness: Harness, claimed: Callable[..., Batch]) -> None:
    late = claimed(lease_seconds=0.0)
    taken = take(harness, "second")
    assert taken is not None
    assert (taken.id, taken.epoch, taken.holder) == (late.id, late.epoch + 1, "second")
    with pytest.raises(LeaseLost), harness.ledger.transaction() as connection:
        fence(connection, late, LONG)
    close(harness.ledger, late, NOW)  # does nothing: it is not theirs to end
    release(harness.ledger, late, failed=True)
    stands = find_standing(harness.ledger, late.id)
    assert stands is not None
    assert (stands.holder, stands.closed) == ("second", False)
    assert stands.lease_remaining > LONG - 10
    assert harness.one("SELECT failures FROM batch") == 0
    assert harness.find_broken() == []


def test_a_run_takes_its_own_batch_back_at_once(harness: Harness, claimed: Callable[..., Batch]) -> None:
    batch = claimed()
    again = take(harness, "first", batch.id)
    assert again is not None
    assert again.epoch == batch.epoch + 1


def test_one_batch_is_asked_for_and_others_are_left_alone(harness: Harness, claimed: Callable[..., Batch]) -> None:
    older, wanted = claimed(lease_seconds=0.0), claimed(lease_seconds=0.0)
    taken = take(harness, "second", wanted.id)
    assert taken is not None
    assert taken.id == wanted.id
    oldest = take(harness, "third")
    assert oldest is not None
    assert oldest.id == older.id
    assert take(harness, "fourth", 10_000) is None
    assert find_standing(harness.ledger, 10_000) is None


def test_a_batch_of_another_kind_is_left_alone(harness: Harness, claimed: Callable[..., Batch]) -> None:
    claimed(lease_seconds=0.0)
    assert take(harness, "second", kind="follow_up") is None
    assert read_lease_remaining(harness.ledger, "follow_up") is None
    assert read_lease_remaining(harness.ledger, "intake") == 0.0


def test_who_held_a_batch_is_remembered(harness: Harness, claimed: Callable[..., Batch]) -> None:
    first, second = claimed("one", lease_seconds=0.0), claimed("one")
    assert find_last_held_batch(harness.ledger, "one") == second.id
    assert take(harness, "two", first.id) is not None
    assert find_last_held_batch(harness.ledger, "one") == second.id
    assert find_last_held_batch(harness.ledger, "two") == first.id
    assert find_last_held_batch(harness.ledger, "nobody") is None
    assert harness.rows("SELECT batch_id, epoch, holder FROM batch_holder ORDER BY id") == [
        (first.id, 1, "one"), (second.id, 1, "one"), (first.id, 2, "two"),
    ]  # fmt: skip


def test_a_closed_batch_says_who_closed_it_and_is_not_taken_over(
    harness: Harness, claimed: Callable[..., Batch]
) -> None:
    claimed("one", lease_seconds=0.0)
    work = resume_work(harness.worker("two"), 1, NOW)
    assert work is not None
    close(harness.ledger, work.batch, NOW)
    stands = find_standing(harness.ledger, 1)
    assert stands is not None
    assert (stands.holder, stands.closed) == ("two", True)
    assert take(harness, "one", 1) is None
    assert read_lease_remaining(harness.ledger, "intake") is None


# -- after a failure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (ValueError("a rule that cannot be"), 1),
        (DBAPIError("statement", {}, Exception("a value that does not fit")), 1),
        (OperationalError("statement", {}, Exception("the server closed the connection")), 0),
        (LeaseLost("taken over"), 0),
        (Conflict("another run was faster"), 0),
        (KeyboardInterrupt(), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_faults_of_ours_count_as_failures(
    harness: Harness, claimed: Callable[..., Batch], error: BaseException, counted: int
) -> None:
    batch = claimed()
    with pytest.raises(type(error)), lease(harness.ledger, batch, LONG):
        raise error
    assert harness.one("SELECT failures FROM batch") == counted
    taken = take(harness, "second")
    assert taken is not None
    assert taken.failures == counted


def test_after_a_failure_a_batch_waits_as_long_as_it_is_told(harness: Harness, claimed: Callable[..., Batch]) -> None:
    batch = claimed()
    delays = {ValueError: 600.0}
    with (
        pytest.raises(ValueError, match="again"),
        lease(harness.ledger, batch, LONG, retry_delay=lambda error: delays[type(error)]),
    ):
        raise ValueError("again")
    assert take(harness, "second") is None
    remaining = read_lease_remaining(harness.ledger, "intake")
    assert remaining is not None
    assert LONG < remaining <= 600
    let_time_pass(harness, 600)
    assert take(harness, "second") is not None


def test_a_lease_is_renewed_while_the_work_lasts(harness: Harness, claimed: Callable[..., Batch]) -> None:
    batch = claimed(lease_seconds=3.0)
    first = harness.one("SELECT lease_until FROM batch")
    with lease(harness.ledger, batch, 3.0):
        for _ in range(2):
            before = harness.one("SELECT lease_until FROM batch")
            wait_for(lambda before=before: harness.one("SELECT lease_until FROM batch") > before)  # type: ignore[misc]
        assert take(harness, "second") is None
    assert harness.one("SELECT lease_until FROM batch") > first
    assert read_lease_remaining(harness.ledger, "intake") is not None  # what ends it is its close, not the lease


# -- giving up ---------------------------------------------------------------------------------------------


def fail(harness: Harness, stage: str, times: int = MAX_FAILURES) -> None:
    """Runs that fail at ``stage`` in a way that no search for a lead to blame could cure."""

    def broken(at: AnyStage, *rest: Any) -> StageReport:
        if at.name == stage:
            raise ZeroDivisionError
        return run_stage(at, *rest)

    for attempt in range(times):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batches, "run_stage", broken)
            with pytest.raises(ZeroDivisionError):
                run_waiting(harness.worker(f"run {attempt}"), lambda: NOW, kinds=["intake"], check=pass_all)


def items(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT kind, reason, stage, blocking, closed_at IS NULL FROM work_item ORDER BY stage")


def test_what_failed_again_and_again_waits_for_a_person_at_its_stage(harness: Harness) -> None:
    harness.capture(make_lead(1), make_lead(2))
    fail(harness, "enrichment")
    assert harness.count_statuses() == {"ready": 2}  # it fails once more only when somebody tries
    run_waiting(harness.worker("next"), lambda: NOW, check=pass_all)
    assert items(harness) == [("recovery", FAILED, "enrichment", True, True)]
    assert harness.rows("SELECT DISTINCT status, stage, batch_id, work_item_id FROM journey") == [
        ("held", "enrichment", None, 1)
    ]
    assert harness.rows("SELECT stage, count(*) FROM handoff WHERE outcome = 'held' GROUP BY stage") == [
        ("enrichment", 2)
    ]
    assert harness.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0
    assert "failed 3 times" in harness.one("SELECT message FROM work_item")
    assert "batch 1" in harness.one("SELECT message FROM work_item")
    assert harness.find_broken() == []


def test_leads_that_come_later_do_not_wait_for_a_batch_that_fails(harness: Harness) -> None:
    harness.capture(make_lead(1))
    fail(harness, "enrichment")
    harness.capture(make_lead(2))
    run_waiting(harness.worker("next"), lambda: NOW, check=pass_all)
    assert harness.count_statuses() == {"held": 1, "owned": 1}
    assert harness.find_broken() == []


def test_a_rerun_lets_the_leads_go_on_where_they_are(harness: Harness) -> None:
    harness.capture(make_lead(1), make_lead(2))
    fail(harness, "enrichment")
    run_waiting(harness.worker("next"), lambda: NOW, check=pass_all)
    report = reruns.rerun(harness.ledger, [1], by=make_actor("ops"), now=NOW, playbook=harness.loaded.playbook)
    assert (report.work_items, report.released) == (1, 2)
    assert harness.rows("SELECT DISTINCT status, stage, work_item_id FROM journey") == [("ready", "enrichment", None)]
    (done,) = run_waiting(harness.worker("later"), lambda: NOW, kinds=["intake"], check=pass_all)
    entered = {stage.stage: sum(stage.outcomes.values()) for stage in done.stages}
    assert (entered["capture"], entered["validation"], entered["enrichment"]) == (0, 0, 2)
    assert harness.count_statuses() == {"owned": 2}
    assert items(harness) == [("recovery", FAILED, "enrichment", True, False)]
    assert harness.find_broken() == []


def begun(harness: Harness, stages: int, *, limit: int = 100) -> Work:
    """A batch that got through its first ``stages``."""
    worker = harness.worker("cancelled", limit=limit)
    activate(worker, NOW)
    work = claim_next_work(worker, NOW)
    assert work is not None
    for stage in STAGES["lead"][:stages]:
        run_stage(stage, harness.ledger, work, pass_all)
    return work


@pytest.mark.parametrize("stages", range(5))
def test_a_cancelled_batch_is_held_where_it_is(harness: Harness, stages: int) -> None:
    harness.capture(make_lead(1), make_lead(2))
    work = begun(harness, stages)
    assert hold_batch(harness.ledger, work, reason=CANCELLED, why="in the Prefect UI", now=NOW) == 2
    stage = STAGES["lead"][stages].name
    assert items(harness) == [("recovery", CANCELLED, stage, True, True)]
    assert "in the Prefect UI" in harness.one("SELECT message FROM work_item")
    assert harness.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0
    assert harness.find_broken() == []
    run_waiting(harness.worker("other"), lambda: NOW, check=pass_all)
    assert harness.count_statuses() == {"held": 2}  # held is held: nobody takes it on by himself

    reruns.rerun(harness.ledger, [1], by=make_actor("ops"), now=NOW, playbook=harness.loaded.playbook)
    run_waiting(harness.worker("other"), lambda: NOW, check=pass_all)
    assert harness.count_statuses() == {"owned": 2}
    assert harness.find_broken() == []


def test_what_is_owned_stays_owned_when_the_rest_is_cancelled(harness: Harness) -> None:
    harness.capture(make_lead(1), make_lead(2, Company=""))
    work = begun(harness, 5)
    assert hold_batch(harness.ledger, work, reason=CANCELLED, why="in the Prefect UI", now=NOW) == 0
    assert items(harness) == []
    assert harness.count_statuses() == {"owned": 1, "nurture": 1}
    assert harness.one("SELECT count(*) FROM journey WHERE batch_id IS NOT NULL") == 0
    assert harness.find_broken() == []


def test_journeys_at_several_stages_are_held_behind_an_item_each(harness: Harness) -> None:
    """A rerun brings journeys back at later stages, so that one batch has some of each."""
    harness.capture(make_lead(1))
    hold_batch(harness.ledger, begun(harness, 3), reason=CANCELLED, why="once", now=NOW)
    reruns.rerun(harness.ledger, [1], by=make_actor("ops"), now=NOW, playbook=harness.loaded.playbook)
    harness.capture(make_lead(2))
    assert hold_batch(harness.ledger, begun(harness, 0), reason=CANCELLED, why="twice", now=NOW) == 2
    assert [(row[2], row[4]) for row in items(harness)] == [
        ("capture", True), ("qualification", False), ("qualification", True),
    ]  # fmt: skip
    assert harness.find_broken() == []


def test_who_lost_the_lease_holds_nothing(harness: Harness) -> None:
    harness.capture(make_lead(1))
    work = begun(harness, 1)
    release(harness.ledger, work.batch)
    assert take(harness, "other") is not None
    with pytest.raises(LeaseLost):
        hold_batch(harness.ledger, work, reason=CANCELLED, why="too late", now=NOW)
    assert items(harness) == []
    assert harness.count_statuses() == {"ready": 1}
    assert harness.find_broken() == []


def test_a_run_that_did_not_finish_cannot_be_done_by_hand(harness: Harness) -> None:
    harness.capture(make_lead(1))
    hold_batch(harness.ledger, begun(harness, 3), reason=CANCELLED, why="in the Prefect UI", now=NOW)
    with pytest.raises(ActionError, match="did not finish, which nobody can do by hand; rerun it"):
        reruns.mark_done_by_hand(harness.ledger, [1], by=make_actor("ops"), now=NOW, evidence="called")
    assert harness.count_statuses() == {"held": 1}
    assert items(harness) == [("recovery", CANCELLED, "qualification", True, True)]


def test_cancelled_leads_can_be_discarded(harness: Harness) -> None:
    harness.capture(make_lead(1))
    hold_batch(harness.ledger, begun(harness, 2), reason=CANCELLED, why="in the Prefect UI", now=NOW)
    reruns.discard(harness.ledger, [1], by=make_actor("ops"), now=NOW + timedelta(hours=1), reason="a test of ours")
    assert harness.count_statuses() == {"discarded": 1}
    assert harness.find_broken() == []
