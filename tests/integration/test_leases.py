"""Who holds a batch: taking over what a dead run left, waiting after a failure, giving up to a person."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from desk import NOW, Desk, make_lead
from open_gate import pass_all
from sqlalchemy.exc import DBAPIError, OperationalError

from leadgate.ledger import reruns
from leadgate.ledger.actions import ActionError
from leadgate.ledger.batches import Batch, Conflict, LeaseLost, claim, close, fence
from leadgate.ledger.leases import find_last_held_batch, find_standing, lease, read_lease_remaining, release, take_over
from tasks import batches
from tasks.batches import STAGES, activate, claim_next_work, resume_work, run_waiting
from tasks.bisecting import run_stage
from tasks.failed_batches import CANCELLED, FAILED, MAX_FAILURES, hold_batch
from tasks.stage import Stage, StageReport, Work

LONG = 60.0  # seconds; no test waits so long


@pytest.fixture
def claimed(desk: Desk) -> Callable[..., Batch]:
    """Capture ``leads`` and claim them as ``holder``."""

    def make(holder: str = "first", *, leads: int = 2, lease_seconds: float = LONG) -> Batch:
        activate(desk.worker(), NOW)
        start = desk.one("SELECT count(*) FROM signal")
        desk.capture(*(make_lead(number) for number in range(start, start + leads)))
        batch = claim(
            desk.ledger, holder=holder, playbook_hash=desk.loaded.hash, now=NOW, limit=100, lease_seconds=lease_seconds
        )
        assert batch is not None
        return batch

    return make


def take(desk: Desk, holder: str, batch_id: int | None = None, **more: Any) -> Batch | None:
    return take_over(desk.ledger, holder=holder, lease_seconds=LONG, batch_id=batch_id, **more)


# -- holding and taking over -------------------------------------------------------------------------------


def test_a_held_batch_is_nobody_elses(desk: Desk, claimed: Callable[..., Batch]) -> None:
    batch = claimed()
    assert take(desk, "second") is None
    assert take(desk, "second", batch.id) is None
    stands = find_standing(desk.ledger, batch.id)
    assert stands is not None
    assert (stands.holder, stands.closed) == ("first", False)
    assert LONG - 10 < stands.lease_remaining <= LONG


def test_whose_lease_ran_out_is_fenced_off(desk: Desk, claimed: Callable[..., Batch]) -> None:
    late = claimed(lease_seconds=0.0)
    taken = take(desk, "second")
    assert taken is not None
    assert (taken.id, taken.epoch, taken.holder) == (late.id, late.epoch + 1, "second")
    with pytest.raises(LeaseLost), desk.ledger.transaction() as connection:
        fence(connection, late, LONG)
    close(desk.ledger, late, NOW)  # does nothing: it is not theirs to end
    release(desk.ledger, late, failed=True)
    stands = find_standing(desk.ledger, late.id)
    assert stands is not None
    assert (stands.holder, stands.closed) == ("second", False)
    assert stands.lease_remaining > LONG - 10
    assert desk.one("SELECT failures FROM batch") == 0
    assert desk.holds() == []


def test_a_run_takes_its_own_batch_back_at_once(desk: Desk, claimed: Callable[..., Batch]) -> None:
    batch = claimed()
    again = take(desk, "first", batch.id)
    assert again is not None
    assert again.epoch == batch.epoch + 1


def test_one_batch_is_asked_for_and_others_are_left_alone(desk: Desk, claimed: Callable[..., Batch]) -> None:
    older, wanted = claimed(lease_seconds=0.0), claimed(lease_seconds=0.0)
    taken = take(desk, "second", wanted.id)
    assert taken is not None
    assert taken.id == wanted.id
    oldest = take(desk, "third")
    assert oldest is not None
    assert oldest.id == older.id
    assert take(desk, "fourth", 10_000) is None
    assert find_standing(desk.ledger, 10_000) is None


def test_a_batch_of_another_kind_is_left_alone(desk: Desk, claimed: Callable[..., Batch]) -> None:
    claimed(lease_seconds=0.0)
    assert take(desk, "second", kind="follow_up") is None
    assert read_lease_remaining(desk.ledger, "follow_up") is None
    assert read_lease_remaining(desk.ledger, "intake") == 0.0


def test_who_held_a_batch_is_remembered(desk: Desk, claimed: Callable[..., Batch]) -> None:
    first, second = claimed("one", lease_seconds=0.0), claimed("one")
    assert find_last_held_batch(desk.ledger, "one") == second.id
    assert take(desk, "two", first.id) is not None
    assert find_last_held_batch(desk.ledger, "one") == second.id
    assert find_last_held_batch(desk.ledger, "two") == first.id
    assert find_last_held_batch(desk.ledger, "nobody") is None
    assert desk.rows("SELECT batch_id, epoch, holder FROM batch_holder ORDER BY id") == [
        (first.id, 1, "one"), (second.id, 1, "one"), (first.id, 2, "two"),
    ]  # fmt: skip


def test_a_closed_batch_says_who_closed_it_and_is_not_taken_over(desk: Desk, claimed: Callable[..., Batch]) -> None:
    claimed("one", lease_seconds=0.0)
    work = resume_work(desk.worker("two"), 1, NOW)
    assert work is not None
    close(desk.ledger, work.batch, NOW)
    stands = find_standing(desk.ledger, 1)
    assert stands is not None
    assert (stands.holder, stands.closed) == ("two", True)
    assert take(desk, "one", 1) is None
    assert read_lease_remaining(desk.ledger, "intake") is None


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
    desk: Desk, claimed: Callable[..., Batch], error: BaseException, counted: int
) -> None:
    batch = claimed()
    with pytest.raises(type(error)), lease(desk.ledger, batch, LONG):
        raise error
    assert desk.one("SELECT failures FROM batch") == counted
    taken = take(desk, "second")
    assert taken is not None
    assert taken.failures == counted


def test_after_a_failure_a_batch_waits_as_long_as_it_is_told(desk: Desk, claimed: Callable[..., Batch]) -> None:
    batch = claimed()
    patience = {ValueError: 0.6}
    with (
        pytest.raises(ValueError, match="again"),
        lease(desk.ledger, batch, LONG, patience=lambda error: patience[type(error)]),
    ):
        raise ValueError("again")
    assert take(desk, "second") is None
    remaining = read_lease_remaining(desk.ledger, "intake")
    assert remaining is not None
    assert 0 < remaining <= 0.6
    time.sleep(0.7)
    assert take(desk, "second") is not None


def test_a_lease_is_renewed_while_the_work_lasts(desk: Desk, claimed: Callable[..., Batch]) -> None:
    batch = claimed(lease_seconds=0.9)
    with lease(desk.ledger, batch, 0.9):
        time.sleep(1.5)
        assert take(desk, "second") is None
    assert read_lease_remaining(desk.ledger, "intake") is not None  # what ends it is its close, not the lease


# -- giving up ---------------------------------------------------------------------------------------------


def fail(desk: Desk, stage: str, times: int = MAX_FAILURES) -> None:
    """Runs that fail at ``stage`` in a way that no search for a lead to blame could cure."""

    def broken(at: Stage, *rest: Any) -> StageReport:
        if at.name == stage:
            raise ZeroDivisionError
        return run_stage(at, *rest)

    for attempt in range(times):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batches, "run_stage", broken)
            with pytest.raises(ZeroDivisionError):
                run_waiting(desk.worker(f"run {attempt}"), lambda: NOW, kinds=["intake"], check=pass_all)


def items(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.rows("SELECT kind, reason, stage, blocking, closed_at IS NULL FROM work_item ORDER BY stage")


def test_what_failed_again_and_again_waits_for_a_person_at_its_stage(desk: Desk) -> None:
    desk.capture(make_lead(1), make_lead(2))
    fail(desk, "enrichment")
    assert desk.statuses() == {"ready": 2}  # it fails once more only when somebody tries
    run_waiting(desk.worker("next"), lambda: NOW, check=pass_all)
    assert items(desk) == [("recovery", FAILED, "enrichment", True, True)]
    assert desk.rows("SELECT DISTINCT status, stage, batch_id, work_item_id FROM journey") == [
        ("held", "enrichment", None, 1)
    ]
    assert desk.rows("SELECT stage, count(*) FROM handoff WHERE outcome = 'held' GROUP BY stage") == [("enrichment", 2)]
    assert desk.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0
    assert "failed 3 times" in desk.one("SELECT message FROM work_item")
    assert "batch 1" in desk.one("SELECT message FROM work_item")
    assert desk.holds() == []


def test_leads_that_come_later_do_not_wait_for_a_batch_that_fails(desk: Desk) -> None:
    desk.capture(make_lead(1))
    fail(desk, "enrichment")
    desk.capture(make_lead(2))
    run_waiting(desk.worker("next"), lambda: NOW, check=pass_all)
    assert desk.statuses() == {"held": 1, "owned": 1}
    assert desk.holds() == []


def test_a_rerun_lets_the_leads_go_on_where_they_are(desk: Desk) -> None:
    desk.capture(make_lead(1), make_lead(2))
    fail(desk, "enrichment")
    run_waiting(desk.worker("next"), lambda: NOW, check=pass_all)
    report = reruns.rerun(desk.ledger, [1], by="ops", now=NOW, playbook=desk.loaded.playbook)
    assert (report.work_items, report.released) == (1, 2)
    assert desk.rows("SELECT DISTINCT status, stage, work_item_id FROM journey") == [("ready", "enrichment", None)]
    (done,) = run_waiting(desk.worker("later"), lambda: NOW, kinds=["intake"], check=pass_all)
    entered = {stage.stage: sum(stage.outcomes.values()) for stage in done.stages}
    assert (entered["capture"], entered["validation"], entered["enrichment"]) == (0, 0, 2)
    assert desk.statuses() == {"owned": 2}
    assert items(desk) == [("recovery", FAILED, "enrichment", True, False)]
    assert desk.holds() == []


def begun(desk: Desk, stages: int, *, limit: int = 100) -> Work:
    """A batch that got through its first ``stages``."""
    worker = desk.worker("cancelled", limit=limit)
    activate(worker, NOW)
    work = claim_next_work(worker, NOW)
    assert work is not None
    for stage in STAGES["intake"][:stages]:
        run_stage(stage, desk.ledger, work, pass_all)
    return work


@pytest.mark.parametrize("stages", range(5))
def test_a_cancelled_batch_is_held_where_it_is(desk: Desk, stages: int) -> None:
    desk.capture(make_lead(1), make_lead(2))
    work = begun(desk, stages)
    assert hold_batch(desk.ledger, work, reason=CANCELLED, why="in the Prefect UI", now=NOW) == 2
    stage = STAGES["intake"][stages].name
    assert items(desk) == [("recovery", CANCELLED, stage, True, True)]
    assert "in the Prefect UI" in desk.one("SELECT message FROM work_item")
    assert desk.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0
    assert desk.holds() == []
    run_waiting(desk.worker("other"), lambda: NOW, check=pass_all)
    assert desk.statuses() == {"held": 2}  # held is held: nobody takes it on by himself

    reruns.rerun(desk.ledger, [1], by="ops", now=NOW, playbook=desk.loaded.playbook)
    run_waiting(desk.worker("other"), lambda: NOW, check=pass_all)
    assert desk.statuses() == {"owned": 2}
    assert desk.holds() == []


def test_what_is_owned_stays_owned_when_the_rest_is_cancelled(desk: Desk) -> None:
    desk.capture(make_lead(1), make_lead(2, Company=""))
    work = begun(desk, 5)
    assert hold_batch(desk.ledger, work, reason=CANCELLED, why="in the Prefect UI", now=NOW) == 0
    assert items(desk) == []
    assert desk.statuses() == {"owned": 1, "nurture": 1}
    assert desk.one("SELECT count(*) FROM journey WHERE batch_id IS NOT NULL") == 0
    assert desk.holds() == []


def test_journeys_at_several_stages_are_held_behind_an_item_each(desk: Desk) -> None:
    """A rerun brings journeys back at later stages, so that one batch has some of each."""
    desk.capture(make_lead(1))
    hold_batch(desk.ledger, begun(desk, 3), reason=CANCELLED, why="once", now=NOW)
    reruns.rerun(desk.ledger, [1], by="ops", now=NOW, playbook=desk.loaded.playbook)
    desk.capture(make_lead(2))
    assert hold_batch(desk.ledger, begun(desk, 0), reason=CANCELLED, why="twice", now=NOW) == 2
    assert [(row[2], row[4]) for row in items(desk)] == [
        ("capture", True), ("qualification", False), ("qualification", True),
    ]  # fmt: skip
    assert desk.holds() == []


def test_who_lost_the_lease_holds_nothing(desk: Desk) -> None:
    desk.capture(make_lead(1))
    work = begun(desk, 1)
    release(desk.ledger, work.batch)
    assert take(desk, "other") is not None
    with pytest.raises(LeaseLost):
        hold_batch(desk.ledger, work, reason=CANCELLED, why="too late", now=NOW)
    assert items(desk) == []
    assert desk.statuses() == {"ready": 1}
    assert desk.holds() == []


def test_a_run_that_did_not_finish_cannot_be_done_by_hand(desk: Desk) -> None:
    desk.capture(make_lead(1))
    hold_batch(desk.ledger, begun(desk, 3), reason=CANCELLED, why="in the Prefect UI", now=NOW)
    with pytest.raises(ActionError, match="did not finish, which nobody can do by hand; rerun it"):
        reruns.mark_done_by_hand(desk.ledger, [1], by="ops", now=NOW, evidence="called")
    assert desk.statuses() == {"held": 1}
    assert items(desk) == [("recovery", CANCELLED, "qualification", True, True)]


def test_cancelled_leads_can_be_discarded(desk: Desk) -> None:
    desk.capture(make_lead(1))
    hold_batch(desk.ledger, begun(desk, 2), reason=CANCELLED, why="in the Prefect UI", now=NOW)
    reruns.discard(desk.ledger, [1], by="ops", now=NOW + timedelta(hours=1), reason="a test of ours")
    assert desk.statuses() == {"discarded": 1}
    assert desk.holds() == []
