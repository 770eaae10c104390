"""What people do in the Prefect UI, done by a browser on a real ``leadgate up``: rerun, review, pause, retry, cancel.

One ``leadgate up`` serves all of these tests, and each brings its own lead. A stage is made to fail by taking
its table away for a while, and to take long by a lock on it: faults of the outside, as Leadgate meets them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import pytest
from browser import Screen
from harness import PLAYBOOK, Harness, make_lead
from served import Served, served, wait_until
from sqlalchemy import text

from leadgate.vocabulary import STAGES


@pytest.fixture(scope="module")
def up(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Started after the browser: where there is none, nothing is."""
    with served(tmp_path_factory.mktemp("up"), PLAYBOOK) as running:
        yield running
        assert running.harness.find_broken() == []


def capture(harness: Harness, number: int, **more: Any) -> int:
    """A lead is captured just now. Its journey."""
    harness.capture(make_lead(number, **more), now=datetime.now(UTC))
    return int(harness.one("SELECT max(id) FROM journey"))


def status(harness: Harness, journey: int) -> str:
    return str(harness.one("SELECT status FROM journey WHERE id = :id", id=journey))


def held(harness: Harness, number: int, **more: Any) -> tuple[int, int]:
    """A lead that Leadgate holds: its journey and its work item."""
    journey = capture(harness, number, **more)
    wait_until(lambda: status(harness, journey) == "held", "the lead to be held")
    return journey, int(harness.one("SELECT work_item_id FROM journey WHERE id = :id", id=journey))


def handoffs(harness: Harness, journey: int) -> list[tuple[Any, ...]]:
    """Stages and how they were handed over, in order."""
    return harness.rows("SELECT stage, outcome FROM handoff WHERE journey_id = :id ORDER BY id", id=journey)


def batch_of(harness: Harness, journey: int) -> int:
    return int(harness.one("SELECT batch_id FROM handoff WHERE journey_id = :id ORDER BY id LIMIT 1", id=journey))


def holders(harness: Harness, batch: int) -> list[str]:
    """The flow runs that held the batch, in order."""
    return [
        holder for (holder,) in harness.rows("SELECT holder FROM batch_holder WHERE batch_id = :b ORDER BY id", b=batch)
    ]


@contextlib.contextmanager
def no_qualification(harness: Harness) -> Iterator[None]:
    """Qualification fails while this lasts, and the stages before it do not. The run fails with it, because the search
    for the leads to blame fails, too."""
    with harness.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE qualification RENAME TO qualification_away"))
        connection.execute(text("ALTER TABLE batch ADD CONSTRAINT no_parts CHECK (part_of IS NULL) NOT VALID"))
    try:
        yield
    finally:
        with harness.ledger.transaction() as connection:
            connection.execute(text("ALTER TABLE qualification_away RENAME TO qualification"))
            connection.execute(text("ALTER TABLE batch DROP CONSTRAINT no_parts"))


@contextlib.contextmanager
def slow_qualification(harness: Harness) -> Iterator[None]:
    """Qualification takes as long as this lasts."""
    with harness.ledger.transaction() as connection:
        connection.execute(text("LOCK TABLE qualification IN SHARE MODE"))
        yield


def fail_once(harness: Harness, number: int) -> tuple[int, int]:
    """A lead whose batch has just failed in qualification: its journey and its batch."""
    journey = capture(harness, number)
    wait_until(
        lambda: harness.one("SELECT count(*) FROM batch WHERE failures > 0 AND closed_at IS NULL") == 1, "a failure"
    )
    return journey, batch_of(harness, journey)


def switch_schedule(screen: Screen, *, on: bool) -> None:
    """The switch on the page of the intake deployment."""
    screen.open_deployment("intake")
    switch = screen.page.get_by_role("switch", name="toggle Every 15 minutes")
    assert switch.is_checked() is not on
    switch.click()
    screen.page.get_by_role("switch", name="toggle Every 15 minutes", checked=on).wait_for()
    words = "resumed in the Prefect UI" if on else "paused in the Prefect UI; leads wait"
    wait_until(lambda: screen.up.said("intake").rstrip().endswith(words), words)


# --- signing in -------------------------------------------------------------------------------------------


def test_the_ui_asks_for_the_authentication_string(window: Screen) -> None:
    window.sign_in("leadgate:wrong")
    window.page.get_by_text("Invalid").or_(window.page.get_by_text("incorrect")).first.wait_for()
    window.picture("sign-in-refused")
    window.sign_in(window.up.auth)
    window.page.wait_for_url("**/dashboard*")
    window.main.get_by_text("Active Work Pools").wait_for()
    window.picture("dashboard")


# --- forms ------------------------------------------------------------------------------------------------


def test_a_lead_that_is_held_is_corrected_and_rerun_from_the_form(screen: Screen, up: Served) -> None:
    journey, item = held(up.harness, 1, Phone="+49 30 1")
    screen.open_form("rerun-handoff")
    screen.add_item(f"W{item}")
    screen.page.get_by_role("tab", name="Stage").click()
    assert screen.choose("stage", "validation") == list(STAGES)
    screen.page.get_by_role("tab", name="Reason").click()
    assert "email_malformed" in screen.choose("reason", "phone_impossible")
    assert screen.choose("mode", "corrected") == ["as_it_is", "corrected", "as_proposed", "done_by_hand", "discard"]
    screen.write_json('{"phone": "+49 30 901820"}')
    screen.write("by", "olga")
    screen.picture("rerun-form")
    screen.submit()
    screen.wait_for_state("Completed")
    screen.picture("rerun-run")

    assert status(up.harness, journey) == "owned"
    assert up.harness.rows("SELECT what, by FROM action WHERE journey_id = :id", id=journey) == [
        ("corrected", "olga (said in the Prefect UI)")
    ]
    screen.tab("Artifacts", "rerun-handoff-summary")
    screen.page.get_by_role("link", name="What became of each lead.").click()
    screen.page.get_by_role("link", name="rerun-handoff | corrected").wait_for()
    screen.main.locator("a[href*='/artifacts/artifact/']").click()
    screen.page.get_by_role("columnheader", name="what was done").wait_for()
    screen.picture("rerun-artifact")
    owner = up.harness.one("SELECT owner FROM assignment WHERE journey_id = :id", id=journey)
    told = screen.main.inner_text()
    for part in (f"J{journey}", f"W{item}", "phone_impossible at validation", "corrected", "has an owner", owner):
        assert part in told
    assert "901820" not in told


def test_a_form_that_is_not_clear_is_refused_where_people_look(screen: Screen, up: Served) -> None:
    before = up.harness.one("SELECT count(*) FROM action")
    screen.open_form("rerun-handoff")
    screen.submit()
    screen.wait_for_state("Failed")
    screen.main.get_by_text("nothing says which leads").first.wait_for()
    screen.picture("rerun-refused")
    screen.tab("Details", "nothing says which leads: give work_items")
    assert up.harness.one("SELECT count(*) FROM action") == before


def test_a_lead_in_the_review_band_is_approved_from_the_form(screen: Screen, up: Served) -> None:
    journey, item = held(up.harness, 2, Company="", **{"Job title": "Chief of Nothing"})
    screen.open_form("review")
    screen.add_item(f"W{item}")
    assert screen.choose("decision", "approve") == ["approve", "reject", "correct", "take", "same", "different"]
    screen.write("reason", "spoke to them")
    screen.write("by", "rita")
    screen.picture("review-form")
    screen.submit()
    screen.wait_for_state("Completed")
    screen.picture("review-run")

    assert status(up.harness, journey) == "owned"
    assert up.harness.rows("SELECT resolution, closed_by, note FROM work_item WHERE id = :id", id=item) == [
        ("done_by_hand", "rita (said in the Prefect UI)", "spoke to them")
    ]
    screen.tab("Artifacts", "What there was to decide by")
    screen.page.get_by_role("link", name="What there was to decide by").click()
    screen.main.locator("a[href*='/artifacts/artifact/']").click()
    screen.main.get_by_text("Decided: approved by rita").wait_for()
    screen.picture("review-artifact")
    assert "Score 25" in screen.main.inner_text()


# --- what a run shows -------------------------------------------------------------------------------------


def test_a_run_tells_what_became_of_its_leads_and_leads_to_the_form_for_those_it_held(
    screen: Screen, up: Served
) -> None:
    journey, item = held(up.harness, 8, Phone="+49 30 2")
    (run,) = holders(up.harness, batch_of(up.harness, journey))
    wait_until(lambda: "1 held" in up.prefect(f"flow_runs/{run}")["name"], "its name")
    # lines are sent every two seconds, and the page of a run that has ended asks for them once
    of_run = {"logs": {"flow_run_id": {"any_": [run]}}}
    wait_until(lambda: up.prefect("logs/filter", of_run), "its log")
    screen.open_run(run)
    screen.tab("Logs", "validation: 1 in, 1 held (phone_impossible 1)")
    screen.picture("intake-run")
    screen.open_deployment("intake")
    screen.main.get_by_role("link", name="1 lead: 1 held").first.wait_for()
    screen.picture("intake-deployment")

    page = {"flow_run_id": {"any_": [run]}, "key": {"any_": ["intake-batch"]}}
    (artifact,) = up.prefect("artifacts/filter", {"artifacts": page})
    screen.page.goto(f"{up.url}/v2/artifacts/artifact/{artifact['id']}")
    screen.main.get_by_role("columnheader", name="held for").wait_for()
    screen.picture("intake-batch")
    form = screen.main.get_by_role("link", name=f"W{item}", exact=True).get_attribute("href")
    screen.page.goto(urljoin(screen.page.url, form))
    screen.page.get_by_role("button", name="Submit").wait_for()
    assert screen.page.locator("form textarea").first.input_value() == f"W{item}"
    screen.picture("rerun-form-from-link")


# --- pause, retry, cancel ---------------------------------------------------------------------------------


def test_leads_wait_while_intake_is_paused(screen: Screen, up: Served) -> None:
    switch_schedule(screen, on=False)
    screen.picture("intake-paused")
    journey = capture(up.harness, 3)
    assert "paused in the Prefect UI" in up.leadgate("status")  # takes longer than a consumer that is not paused
    assert status(up.harness, journey) == "ready"
    assert handoffs(up.harness, journey) == []
    switch_schedule(screen, on=True)
    wait_until(lambda: status(up.harness, journey) == "owned", "an owner")
    assert "paused" not in up.doing()


def test_a_failed_run_that_is_retried_continues_at_the_stage_that_failed(screen: Screen, up: Served) -> None:
    with no_qualification(up.harness):
        journey, batch = fail_once(up.harness, 4)
        switch_schedule(screen, on=False)  # so that nobody but the retry goes on with it
        before = handoffs(up.harness, journey)
    assert [stage for stage, _ in before] == ["capture", "validation", "enrichment"]
    failed = holders(up.harness, batch)[-1]
    later = capture(up.harness, 5)

    screen.open_run(failed)
    screen.wait_for_state("Failed")
    screen.picture("retry-failed")
    screen.act("Retry")
    screen.wait_for_state("Completed")
    screen.tab("Details", "Run Count")
    assert "Run Count\n2" in screen.main.inner_text()
    screen.picture("retry-completed")
    screen.tab("Task Runs", f"follow_up | batch {batch} | 1 in")
    assert screen.main.get_by_text("qualification | batch").count() == 2
    assert screen.main.get_by_text("enrichment | batch").count() <= 1  # none where this run took over a failed one

    assert status(up.harness, journey) == "owned"
    assert handoffs(up.harness, journey)[:3] == before
    assert [stage for stage, _ in handoffs(up.harness, journey)] == list(STAGES)[:5]
    assert holders(up.harness, batch)[-2:] == [failed, failed]
    assert status(up.harness, later) == "ready"  # it was not in that batch, and intake is paused
    switch_schedule(screen, on=True)
    wait_until(lambda: status(up.harness, later) == "owned", "an owner")


def test_a_failed_run_that_is_retried_too_late_says_who_finished_its_batch(screen: Screen, up: Served) -> None:
    with no_qualification(up.harness):
        journey, batch = fail_once(up.harness, 6)
    wait_until(lambda: status(up.harness, journey) == "owned", "the consumer to try it again")
    before = handoffs(up.harness, journey)
    failed, finished = holders(up.harness, batch)

    screen.open_run(failed)
    screen.wait_for_state("Failed")
    screen.act("Retry")
    screen.wait_for_state("Completed")
    screen.tab("Details", f"Batch {batch} was finished by run {finished}; there was nothing left to do.")
    screen.picture("retry-too-late")
    assert handoffs(up.harness, journey) == before


def test_a_run_that_is_cancelled_leaves_its_leads_behind_a_work_item(screen: Screen, up: Served) -> None:
    with slow_qualification(up.harness):
        journey = capture(up.harness, 7)
        waits = "SELECT count(*) FROM pg_locks WHERE relation = 'qualification'::regclass AND NOT granted"
        wait_until(lambda: up.harness.one(waits) > 0, "qualification to wait")
        (run,) = holders(up.harness, batch_of(up.harness, journey))
        screen.open_run(run)
        screen.wait_for_state("Running")
        screen.act("Cancel", confirm="Cancel Flow Run")
        screen.wait_for_state("Cancelling")
        screen.picture("cancel-asked")
    screen.wait_for_state("Cancelled")
    screen.tab("Details", "1 journey waits behind a work item")
    screen.picture("cancel-done")
    wait_until(lambda: status(up.harness, journey) == "held", "the lead to be held")
    (reason, note) = up.harness.rows(
        "SELECT reason, message FROM work_item WHERE id = (SELECT work_item_id FROM journey WHERE id = :id)", id=journey
    )[0]
    assert reason == "run_cancelled"
    assert run in note
