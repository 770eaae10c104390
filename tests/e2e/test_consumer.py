"""The always-on consumer on a real Prefect server: it takes leads by itself, obeys the Prefect UI, and goes on.

What imports Prefect is imported inside functions: Prefect reads its settings then, and the fixture makes them.

Long as one file: all of it is about one process, with the same ways to start, stop and watch it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from crm_fakes.lead_ads import VERSION, FakeLeadAds
from crm_fakes.serving import serve
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tcp_proxy import TcpProxy

from leadgate import playbook as playbooks
from leadgate.ledger import crm_changes, reruns
from leadgate.ledger.batches import claim, close
from leadgate.ledger.crm_changes import NewCrmChange
from leadgate.ledger.leases import find_last_held_batch, find_standing, take_over
from leadgate.ledger.requests import Sender
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.batches import activate

PATIENT = 600.0  # seconds; nothing here waits so long


@pytest.fixture
def quick(server: str, loaded: LoadedPlaybook, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is ready for its first batch, as a consumer's is; leads are of the tests' morning; and what waits
    for seconds between two looks waits for less."""
    from flows.runtime import consumer, control, preload

    preload.preload(loaded.playbook)

    monkeypatch.setattr(control, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(control, "PAUSE_POLL", 0.1)
    monkeypatch.setattr(consumer, "ORDERS_EVERY", 0.1)
    monkeypatch.setattr(consumer, "ANSWERS_WITHIN", 2.0)
    monkeypatch.setattr(consumer, "SEEN_EVERY", 0.2)
    monkeypatch.setattr(consumer, "RETRY_EVERY", 0.3)


pytestmark = pytest.mark.usefixtures("quick")


class Running:
    """A consumer at work in this event loop, and what it told."""

    def __init__(self, harness: Harness, settings: Settings) -> None:
        from flows.runtime.consumer import Consumer

        self.told: list[str] = []
        self.consumer = Consumer(harness.ledger, settings, harness.loaded, tell=self.told.append, now=NOW)
        self.name = self.consumer.name

    @property
    def tag(self) -> str:
        return f"consumer:{self.name}"


@contextlib.asynccontextmanager
async def consuming(harness: Harness, settings: Settings) -> AsyncIterator[Running]:
    running = Running(harness, settings)
    task = asyncio.create_task(running.consumer.run())
    try:
        yield running
    finally:
        running.consumer.stop()
        await asyncio.wait_for(task, 60)


async def until(condition: Callable[[], Any], seconds: float = 60.0, *, words: Callable[[], Any] = str) -> None:
    """Return when ``condition`` holds, asked beside the loop."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"nothing happened within {seconds} s: {words()}"
        await asyncio.sleep(0.03)


async def until_owned(harness: Harness, count: int, seconds: float = 60.0) -> None:
    def done() -> bool:
        return (
            harness.count_statuses().get("owned", 0) == count
            and harness.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0
        )

    await until(done, seconds, words=lambda: harness.count_statuses())


async def until_waits(running: Running, seconds: float = 60.0) -> None:
    """Return when the consumer is ready for leads."""
    await until(lambda: running.consumer._doing == "waits for leads", seconds)
    await asyncio.sleep(0.2)


async def runs_of(running: Running) -> list[Any]:
    """Its flow runs, the first one first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=[running.tag]))
    async with get_client() as client:
        return list(await client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.START_TIME_ASC))


async def settled(running: Running, count: int) -> list[Any]:
    """Its ``count`` flow runs that began and ended."""
    deadline = time.monotonic() + 60
    while True:
        runs = [run for run in await runs_of(running) if run.state is not None and run.state.is_final()]
        if len(runs) == count:
            return runs
        assert time.monotonic() < deadline, [run.state for run in await runs_of(running)]
        await asyncio.sleep(0.1)


async def set_state(run_id: UUID | str, state: Any, *, force: bool = True) -> None:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        await client.set_flow_run_state(UUID(str(run_id)), state, force=force)


@contextlib.contextmanager
def stage_held(harness: Harness) -> Iterator[Callable[[], None]]:
    """No stage can apply what it decided until what this yields is called, or this ends."""
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        # a test may end all connections meanwhile
        with contextlib.suppress(DBAPIError), harness.ledger.transaction() as connection:
            connection.execute(text("LOCK TABLE handoff IN SHARE MODE"))
            begun.set()
            let_go.wait(PATIENT)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(60)
    try:
        yield let_go.set
    finally:
        let_go.set()
        thread.join()


def apply_waits(harness: Harness) -> bool:
    """Whether a stage waits for the lock of ``stage_held``."""
    query = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relname = 'handoff' AND NOT granted"
    return bool(harness.one(query))


def holder(harness: Harness) -> str:
    """The flow run that holds the latest batch."""
    return str(harness.one("SELECT holder FROM batch ORDER BY id DESC LIMIT 1"))


def finish(scenario: Any, seconds: float = 180.0) -> None:
    """Run a test's scenario; one that hangs fails."""

    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await scenario

    asyncio.run(bounded())


# -- by itself ---------------------------------------------------------------------------------------------


def test_captured_leads_get_owners_without_a_command_in_runs_of_the_deployment(
    harness: Harness, settings: Settings
) -> None:
    async def scenario() -> None:
        from prefect.client.orchestration import get_client

        harness.capture(make_lead(1), make_lead(2, Phone="call me"))
        async with consuming(harness, settings) as running:
            await until_owned(harness, 1)
            harness.capture(make_lead(3))
            await until_owned(harness, 2)
            runs = await settled(running, 2)
        batches = [row[0] for row in harness.rows("SELECT id FROM batch ORDER BY id")]
        told = ("2 leads: 1 owned, 1 held", "1 lead: 1 owned")
        named = [run.name.rpartition(" · ")[0] for run in runs]
        assert named == [f"batch {batch} · {words}" for batch, words in zip(batches, told, strict=True)]
        assert [run.state.message for run in runs] == [run.name.partition(" · ")[2] for run in runs]
        assert all(run.state.is_completed() for run in runs)
        async with get_client() as client:
            deployment = await client.read_deployment_by_name("intake/intake")
        assert {run.deployment_id for run in runs} == {deployment.id}
        assert [str(run.id) for run in runs] == [row[0] for row in harness.rows("SELECT holder FROM batch ORDER BY id")]
        assert len(await runs_of(running)) == 2, "a run was kept ready, and nobody is there for it"
        assert any(line.startswith(f"batch {batches[1]}: 1 lead: 1 owned · ") for line in running.told)
        assert harness.one("SELECT count(*) FROM consumer") == 0

    finish(scenario())
    assert harness.find_broken() == []


def test_a_consumer_is_seen_while_it_lives(harness: Harness, settings: Settings) -> None:
    from leadgate.ledger import consumers

    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            await until(
                lambda: [each.doing for each in consumers.list_consumers(harness.ledger)] == ["waits for leads"]
            )
            (seen,) = consumers.list_consumers(harness.ledger)
            assert (seen.name, seen.alive) == (running.name, True)
        assert consumers.list_consumers(harness.ledger) == []

    finish(scenario())


def test_a_capture_wakes_it(harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runtime import consumer

    monkeypatch.setattr(consumer, "LOOK_EVERY", PATIENT)

    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            for number in range(3):
                harness.capture(make_lead(number))
                await until_owned(harness, number + 1)

    finish(scenario())
    assert harness.find_broken() == []


def test_a_lead_that_a_webhook_names_gets_an_owner_without_a_command(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, secret = "EAAG-a-page-token-0123456789", "9f86d081884c7d659a2feaa0c55ad015"
    fake = FakeLeadAds(token, secret)
    fake.add(1, **{name: str(value) for name, value in make_lead(1).items() if name != "id"})
    monkeypatch.setenv("PAGE_TOKEN", token)
    monkeypatch.setenv("LEADGATE_SECRET_ADS", secret)
    http = "auth: facebook, secret_env: LEADGATE_SECRET_ADS, verify_env: LEADGATE_SECRET_VERIFY"
    with serve(fake) as url:
        answers = f"{{token_env: PAGE_TOKEN, url: '{url}/{VERSION}', allow_private: true}}"
        text = PLAYBOOK.replace("sources:\n", f"sources:\n  ads: {{http: {{{http}, answers: {answers}}}}}\n")
        harness.loaded = playbooks.parse(text, path=Path("ads.yaml"))

        async def scenario() -> None:
            async with consuming(harness, settings) as running:
                await until_waits(running)
                named = NewCrmChange("ads", "leadgen/1", "leadgen", "1", "creation", None, NOW, "{}")
                with harness.ledger.transaction() as connection:
                    crm_changes.store_each_change(connection, [named], [Sender("ads")], NOW)
                await until_owned(harness, 1)

        finish(scenario())
    assert harness.rows("SELECT source, key FROM signal") == [("ads", "id:1")]


@pytest.mark.parametrize("after", [0.0, 0.05])
def test_it_leaves_no_run_kept_ready_whenever_it_is_stopped(harness: Harness, settings: Settings, after: float) -> None:
    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            harness.capture(make_lead(1))
            await until(lambda: harness.count_statuses().get("owned") == 1)
            await asyncio.sleep(after)
        await asyncio.sleep(0.5)
        assert [run.state.name for run in await runs_of(running)] == ["Completed"]

    finish(scenario())


def test_a_consumer_whose_task_is_cancelled_ends(harness: Harness, settings: Settings) -> None:
    async def scenario() -> None:
        running = Running(harness, settings)
        task = asyncio.create_task(running.consumer.run())
        await until_waits(running)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 60)
        assert task.done()
        assert await runs_of(running) == []

    finish(scenario())
    assert harness.one("SELECT count(*) FROM consumer") == 0


def test_two_consumers_share_what_waits(harness: Harness, settings: Settings) -> None:
    harness.capture(*(make_lead(number) for number in range(150)))
    small = replace(settings, batch_limit=25)

    async def scenario() -> None:
        async with consuming(harness, small) as one, consuming(harness, small) as two:
            await until_owned(harness, 150)
            runs = [*await runs_of(one), *await runs_of(two)]
        held = harness.rows("SELECT batch_id, count(*) FROM batch_holder GROUP BY batch_id")
        assert all(count == 1 for _, count in held), "a batch was taken over from a consumer that lives"
        used = {str(run.id) for run in runs}
        assert {row[0] for row in harness.rows("SELECT holder FROM batch")} <= used
        assert len(await settled(one, len(await runs_of(one)))) > 0
        assert len(await settled(two, len(await runs_of(two)))) > 0

    finish(scenario())
    assert harness.one("SELECT count(*) FROM handoff WHERE stage = 'assignment'") == 150
    assert harness.find_broken() == []


# -- orders from the Prefect UI ----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def deployment_paused() -> AsyncIterator[Callable[[], Any]]:
    """The intake deployment is paused until what this yields is awaited, or this ends."""
    from prefect.client.orchestration import get_client

    from flows.deployments import register

    async with get_client() as client:
        ids = await register(client)
        await client.pause_deployment(ids["intake"])

        async def resume() -> None:
            await client.resume_deployment(ids["intake"])

        try:
            yield resume
        finally:
            await resume()


def test_pausing_the_deployment_stops_the_claims_and_resuming_goes_on(harness: Harness, settings: Settings) -> None:
    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            async with deployment_paused() as resume:
                await until(lambda: any("paused" in line for line in running.told))
                harness.capture(make_lead(1))
                await asyncio.sleep(1.5)
                assert harness.count_statuses() == {"ready": 1}
                assert harness.one("SELECT count(*) FROM batch") == 0
                await until(lambda: harness.one("SELECT doing FROM consumer") == "paused in the Prefect UI")
                await resume()
                await until_owned(harness, 1)
            assert any("resumed" in line for line in running.told)

    finish(scenario())
    assert harness.find_broken() == []


def test_a_consumer_that_starts_while_the_deployment_is_paused_claims_nothing(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.runtime import consumer

    monkeypatch.setattr(consumer, "ORDERS_EVERY", PATIENT)  # it has looked before it registered its deployments
    harness.capture(make_lead(1))

    async def scenario() -> None:
        async with deployment_paused(), consuming(harness, settings) as running:
            await until(lambda: running.consumer._doing == "paused in the Prefect UI")
            await asyncio.sleep(1)
            assert harness.count_statuses() == {"ready": 1}
            assert harness.one("SELECT count(*) FROM batch") == 0

    finish(scenario())


def test_a_pause_that_comes_while_a_run_begins_stops_the_claim(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.runtime import consumer
    from flows.runtime.started_runs import StartedRuns

    monkeypatch.setattr(consumer, "ORDERS_EVERY", PATIENT)  # the test itself says when the pause is seen
    begin = StartedRuns.wait_for_run
    harness.capture(make_lead(1))

    async def scenario() -> None:
        running = Running(harness, settings)

        async def waiting(self: StartedRuns, *given: Any) -> Any:
            run = await begin(self, *given)
            running.consumer._set_hindrance(consumer.PAUSED)
            return run

        monkeypatch.setattr(StartedRuns, "wait_for_run", waiting)
        task = asyncio.create_task(running.consumer.run())
        await until(lambda: any("paused" in line for line in running.told))
        await asyncio.sleep(1)
        assert harness.one("SELECT count(*) FROM batch") == 0
        running.consumer.stop()
        await asyncio.wait_for(task, 60)

    finish(scenario())


def test_a_cancelled_run_holds_its_leads_behind_a_work_item(harness: Harness, settings: Settings) -> None:
    from prefect.states import Cancelling

    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            with stage_held(harness) as let_go:
                harness.capture(make_lead(1), make_lead(2))
                await until(lambda: apply_waits(harness))
                await set_state(holder(harness), Cancelling())
                let_go()
            (run,) = await settled(running, 1)
            assert run.state.is_cancelled()
            assert "2 journeys wait behind a work item" in run.state.message
            assert harness.rows("SELECT kind, reason, stage FROM work_item") == [
                ("recovery", "run_cancelled", "validation")
            ]
            assert str(run.id) in harness.one("SELECT message FROM work_item")
            assert harness.count_statuses() == {"held": 2}
            harness.capture(make_lead(3))
            await until_owned(harness, 1)  # others go on
            assert harness.find_broken() == []
            reruns.rerun(harness.ledger, [1], by=make_actor("ops"), now=NOW, playbook=harness.loaded.playbook)
            await until_owned(harness, 3)

    finish(scenario())
    assert harness.find_broken() == []


def test_a_paused_run_waits_and_goes_on_when_it_is_resumed(harness: Harness, settings: Settings) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Paused

    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            with stage_held(harness) as let_go:
                harness.capture(make_lead(1))
                await until(lambda: apply_waits(harness))
                run_id = holder(harness)
                await set_state(run_id, Paused(timeout_seconds=600))
                let_go()
            await until(lambda: harness.one("SELECT stage FROM journey") == "validation")
            await asyncio.sleep(settings.lease_seconds + 1)
            assert harness.rows("SELECT stage, status FROM journey") == [("validation", "ready")]
            assert harness.one("SELECT count(*) FROM batch_holder") == 1, "the paused run lost its batch"
            async with get_client() as client:
                await client.resume_flow_run(UUID(run_id))
            await until_owned(harness, 1)
            (run,) = await settled(running, 1)
            assert (str(run.id), run.state.is_completed()) == (run_id, True)

    finish(scenario())
    assert harness.find_broken() == []


def test_a_suspended_run_keeps_its_batch_and_others_go_on(harness: Harness, settings: Settings) -> None:
    from prefect.states import Suspended

    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            with stage_held(harness) as let_go:
                harness.capture(make_lead(1))
                await until(lambda: apply_waits(harness))
                await set_state(holder(harness), Suspended(timeout_seconds=600))
                let_go()
            await until(lambda: any("suspended" in line for line in running.told))
            harness.capture(make_lead(2))
            await until(lambda: harness.count_statuses().get("owned") == 1)
            first = harness.one("SELECT min(id) FROM batch")
            stands = find_standing(harness.ledger, first)
            assert stands is not None
            assert not stands.closed
            assert stands.lease_remaining > 3600
            assert harness.one("SELECT failures FROM batch WHERE id = :id", id=first) == 0

    finish(scenario())
    assert harness.find_broken() == []


def test_a_ready_run_that_somebody_cancelled_or_deleted_costs_no_lead_and_no_time(
    harness: Harness, settings: Settings
) -> None:
    """The batch was claimed for it: it must not wait for its lease to run out."""
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelled

    async def scenario() -> None:
        async with consuming(harness, replace(settings, lease_seconds=PATIENT)) as running:
            await until_waits(running)
            for run in await runs_of(running):
                await set_state(run.id, Cancelled())
            for number in (1, 2):  # two are kept: one is ready, and the next one
                harness.capture(make_lead(number))
                await until(
                    lambda: "ready" not in harness.count_statuses()
                )  # owned, or held as those of any cancelled run
                await until_waits(running)
            async with get_client() as client:
                for run in await runs_of(running):
                    if run.state is not None and run.state.is_pending():
                        await client.delete_flow_run(run.id)
            before = harness.count_statuses().get("owned", 0)
            harness.capture(make_lead(3))
            await until_owned(harness, before + 1)
            assert running.consumer._session.claimed == {}

    finish(scenario())
    assert harness.one("SELECT coalesce(sum(failures), 0) FROM batch") == 0
    assert harness.count_statuses().get("held", 0) == harness.one(
        "SELECT count(*) FROM work_item WHERE reason = 'run_cancelled'"
    )
    assert harness.find_broken() == []


# -- when a stage fails ------------------------------------------------------------------------------------


class Broken:
    """Enrichment raises while ``on``, in a way that no search for a lead to blame could cure. The batch is not tried
    again before ``let_lease_end``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from flows.runtime import control
        from tasks import stage_task

        monkeypatch.setattr(control, "compute_retry_delay", lambda error, failures: PATIENT)
        self.on = True
        real = stage_task.run_steps

        def stage_steps(stage: Any, *given: Any) -> Any:
            if self.on and stage.name == "enrichment":
                raise ZeroDivisionError("lead1@company1.example divided by zero")
            return real(stage, *given)

        monkeypatch.setattr(stage_task, "run_steps", stage_steps)


def test_a_stage_that_raises_fails_the_run_and_the_batch_is_tried_again(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(monkeypatch)

    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            harness.capture(make_lead(1))
            (run,) = await settled(running, 1)
            assert run.state.is_failed()
            assert "ZeroDivisionError" in str(run.state.message)
            assert harness.rows("SELECT stage, status FROM journey") == [("enrichment", "ready")]
            assert harness.one("SELECT failures FROM batch") == 1
            harness.capture(make_lead(2, Company=""))  # goes on meanwhile, with the stage mended
            broken.on = False
            await until(lambda: harness.count_statuses().get("nurture") == 1)
            assert "owned" not in harness.count_statuses()
            let_lease_end(harness)
            await until_owned(harness, 1)
            first, second = (row[0] for row in harness.rows("SELECT id FROM batch ORDER BY id"))
            again = harness.rows("SELECT batch_id, epoch FROM batch_holder ORDER BY id")
            assert again == [(first, 1), (second, 1), (first, 2)]
            assert any("a run failed (ZeroDivisionError)" in line for line in running.told)
            assert not any("company1.example" in line for line in running.told)
            assert "company1.example" not in str(run.model_dump())

    finish(scenario())
    assert harness.find_broken() == []


def let_lease_end(harness: Harness) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE batch SET lease_until = clock_timestamp() WHERE closed_at IS NULL"))


def test_how_long_a_batch_waits_after_a_failure() -> None:
    import httpx

    from flows.runtime import control

    assert [control.compute_retry_delay(ValueError("ours"), failures) for failures in range(3)] == [2.0, 6.0, 18.0]
    assert control.compute_retry_delay(httpx.ConnectError("away"), 2) == 1.0
    away = RuntimeError("the API could not be asked")
    away.__cause__ = httpx.ConnectError("away")
    assert not control.is_failure(away)
    assert control.is_failure(ValueError("ours"))


# -- a run that is retried in the Prefect UI ---------------------------------------------------------------


async def run_anew(harness: Harness, run_id: UUID) -> Any:
    """The flow run once more, as a worker runs it: by Prefect's own engine, in a session of its own."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow_async

    from flows.intake import intake
    from flows.runtime import session

    async with get_client() as client:
        run = await client.read_flow_run(run_id)
    token = session.current_session.set(session.Session(harness.worker("a worker's")))
    try:
        return await run_flow_async(intake, flow_run=run, parameters={}, return_type="state")
    finally:
        session.current_session.reset(token)


async def failed_run(harness: Harness, settings: Settings, broken: Broken) -> UUID:
    """A flow run that failed at enrichment, and that somebody retries in the Prefect UI."""
    from prefect.states import AwaitingRetry

    async with consuming(harness, settings) as running:
        await until_waits(running)
        harness.capture(make_lead(1))
        (run,) = await settled(running, 1)
        assert run.state.is_failed()
    broken.on = False
    await set_state(run.id, AwaitingRetry())
    return UUID(str(run.id))


def test_a_run_that_is_retried_goes_on_at_the_stage_that_failed(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(monkeypatch)

    async def scenario() -> None:
        run_id = await failed_run(harness, settings, broken)
        harness.capture(make_lead(2))  # waits too, and is none of this run's
        state = await run_anew(harness, run_id)
        assert state.is_completed()
        assert find_last_held_batch(harness.ledger, str(run_id)) == harness.one("SELECT min(id) FROM batch")

    finish(scenario())
    assert harness.count_statuses() == {"owned": 1, "ready": 1}
    once = harness.rows("SELECT stage, count(*) FROM handoff GROUP BY stage")
    assert {count for _, count in once} == {1}, once
    assert harness.find_broken() == []


def test_a_retry_of_what_another_run_finished_says_so(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(monkeypatch)

    async def scenario() -> None:
        run_id = await failed_run(harness, settings, broken)
        let_lease_end(harness)
        harness.run(holder="run-of-another")
        assert harness.count_statuses() == {"owned": 1}
        state = await run_anew(harness, run_id)
        assert state.is_completed()
        batch = harness.one("SELECT id FROM batch")
        assert state.message == f"Batch {batch} was finished by run run-of-another; there was nothing left to do."

    finish(scenario())
    assert harness.find_broken() == []


def test_a_retry_waits_while_another_run_has_the_batch(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(monkeypatch)

    async def scenario() -> None:
        run_id = await failed_run(harness, settings, broken)
        let_lease_end(harness)
        started = time.monotonic()
        other = take_over(harness.ledger, holder="another", lease_seconds=1.5)
        assert other is not None
        state = await run_anew(harness, run_id)
        assert state.is_completed()
        assert time.monotonic() - started > 1.0

    finish(scenario())
    assert harness.count_statuses() == {"owned": 1}
    assert harness.find_broken() == []


def test_a_batch_that_does_not_exist_is_named(harness: Harness) -> None:
    from flows.intake import intake
    from flows.runtime import session

    async def scenario() -> None:
        token = session.current_session.set(session.Session(harness.worker()))
        try:
            await intake(batch=4711)
        finally:
            session.current_session.reset(token)

    with pytest.raises(LookupError, match="there is no batch 4711; leave it empty"):
        finish(scenario())


# -- when a server is away ---------------------------------------------------------------------------------


def test_while_prefect_is_away_leads_wait_and_then_go_on(harness: Harness, settings: Settings, server: str) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    async def scenario(proxy: TcpProxy) -> None:
        async with consuming(harness, replace(settings, lease_seconds=PATIENT)) as running:
            await until_waits(running)
            proxy.cut()
            await until(lambda: any("does not answer" in line for line in running.told))
            await until(lambda: harness.one("SELECT doing FROM consumer") == "waits for Prefect")
            harness.capture(make_lead(1))  # capture needs no Prefect
            harness.capture(make_lead(2))
            await asyncio.sleep(1)
            assert "owned" not in harness.count_statuses()
            assert sum("does not answer" in line for line in running.told) == 1, running.told
            assert harness.one("SELECT count(*) FROM batch WHERE size > 0") == 0, "claimed what cannot be worked on"
            proxy.mend()
            await until_owned(harness, 2)
            assert "the Prefect API answers again" in running.told
        assert harness.one("SELECT sum(failures) FROM batch") == 0

    with (
        TcpProxy.open_to(server) as proxy,
        # Prefect's client asks five times more, for over a minute, where a request is under way when the server goes
        temporary_settings({PREFECT_API_URL: proxy.url, PREFECT_CLIENT_MAX_RETRIES: 1}),
    ):
        finish(scenario(proxy))
    assert harness.find_broken() == []


def test_prefect_going_away_between_stages_costs_no_failure(harness: Harness, settings: Settings, server: str) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    async def scenario(proxy: TcpProxy) -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            with stage_held(harness) as let_go:
                harness.capture(make_lead(1))
                await until(lambda: apply_waits(harness))
                proxy.cut()
                let_go()
            await asyncio.sleep(1)
            proxy.mend()
            await until_owned(harness, 1)

    with (
        TcpProxy.open_to(server) as proxy,
        # as above: the tries of Prefect's client take longer than this test waits
        temporary_settings({PREFECT_API_URL: proxy.url, PREFECT_CLIENT_MAX_RETRIES: 1}),
    ):
        finish(scenario(proxy))
    assert harness.one("SELECT sum(failures) FROM batch") == 0
    assert harness.find_broken() == []


def disconnect(harness: Harness) -> None:
    """End every other connection, and return when they are gone: what the test itself reads next is not cut."""
    harness.rows(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_it_survives_the_loss_of_every_connection_to_postgresql(
    harness: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.runtime import consumer

    monkeypatch.setattr(consumer, "LOOK_EVERY", PATIENT)  # so that it must hear of captures again, too

    async def scenario() -> None:
        async with consuming(harness, settings) as running:
            await until_waits(running)
            disconnect(harness)
            harness.capture(make_lead(1))
            await until_owned(harness, 1)
            harness.capture(make_lead(2))
            await until_owned(harness, 2)
            monkeypatch.setattr(consumer, "LOOK_EVERY", 1.0)  # what a lost connection left is not announced
            with stage_held(harness):
                harness.capture(*(make_lead(number) for number in range(3, 40)))
                await until(lambda: apply_waits(harness))
                disconnect(harness)  # while a batch is at work
            await until_owned(harness, 39)

    finish(scenario())
    assert harness.find_broken() == []


# -- what is left of batches -------------------------------------------------------------------------------


def test_what_a_killed_consumer_left_is_taken_over(harness: Harness, settings: Settings) -> None:
    activate(harness.worker(), NOW)
    harness.capture(make_lead(1))
    dead = claim(harness.ledger, holder="dead", playbook_hash=harness.loaded.hash, now=NOW, limit=10, lease_seconds=0.5)
    assert dead is not None

    async def scenario() -> None:
        async with consuming(harness, settings):
            await until_owned(harness, 1)
        close(harness.ledger, dead, NOW)  # the dead one comes back to life: it has lost its batch

    finish(scenario())
    assert harness.rows("SELECT batch_id, epoch FROM batch_holder ORDER BY id") == [(dead.id, 1), (dead.id, 2)]
    assert harness.find_broken() == []
