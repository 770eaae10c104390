"""Whole flows on a real Prefect server: what a person sees of a run, and that it does what the stages do."""

from __future__ import annotations

import asyncio
import json
import re
import time
import traceback
from datetime import timedelta
from typing import Any

import pytest
from harness import NOW, Harness, make_lead
from poison import MARKER, refuse_rows
from prefect_api import ask, dump_run, list_last_run_tasks, read_last_run, read_log, read_markdown
from sqlalchemy.exc import OperationalError

from flows.run import Runner


def test_an_intake_run_takes_leads_to_their_owners_and_shows_each_stage_and_gate(
    harness: Harness, runner: Runner
) -> None:
    harness.capture(make_lead(1), make_lead(2, Phone="call me"), None)
    report = runner.run(now=NOW)
    assert harness.count_statuses() == {"owned": 1, "held": 2}
    assert harness.find_broken() == []
    (batch,) = report.batches
    assert [stage.stage for stage in batch.stages] == [
        "capture", "validation", "enrichment", "qualification", "assignment", "follow_up",
    ]  # fmt: skip
    names = list_last_run_tasks()
    assert f"capture | batch {batch.batch} | 3 in" in names
    assert f"gate validated | batch {batch.batch} | 2 rows" in names
    assert f"follow_up | batch {batch.batch} | 1 in" in names
    assert len(names) == 12


def test_a_run_says_what_became_of_its_leads_and_how_long_it_worked_on_them(harness: Harness, runner: Runner) -> None:
    harness.capture(make_lead(1), make_lead(2, Phone="call me"), None)
    (batch,) = runner.run(now=NOW).batches
    run = read_last_run()
    assert run.name == f"batch {batch.batch} · 3 leads: 1 owned, 2 held · {batch.seconds:.1f} s"
    assert run.state.message == run.name.partition(" · ")[2]
    lines = read_log(run)
    assert [line.split(":")[0] for line in lines[:-1]] == [
        "capture", "validation", "enrichment", "qualification", "assignment", "follow-up",
    ]  # fmt: skip
    assert re.fullmatch(r"validation: 2 in, 1 went on, 1 held \(phone_impossible 1\) in \d+\.\d\d s", lines[1])
    assert lines[-1] == run.state.message


def test_the_page_of_a_batch_names_who_is_held_and_who_owns_in_words(harness: Harness, runner: Runner) -> None:
    from flows.deployments import register

    form = ask(register)["rerun-handoff"]
    harness.capture(make_lead(1), make_lead(2, Phone="call me"))
    runner.run(now=NOW, kinds=("intake",))
    page = read_markdown("intake-batch")
    head = next(line for line in page.splitlines() if line.startswith("| stage"))
    assert head == "| stage | in | went on | owned | held | stay with their owner | held for |"
    item, owner = harness.one("SELECT id FROM work_item"), harness.one("SELECT owner FROM assignment")
    held, owned = [line for line in page.splitlines() if line.startswith("| J")]
    link = f"[W{item}](../../deployments/deployment/{form}/run?parameters=%7B%22work_items%22%3A%5B%22W{item}%22%5D%7D)"
    assert link in held
    assert "phone impossible" in held
    assert f"`leadgate rerun W{item}`" in held
    assert owned.startswith("| J1 | has an owner |")
    assert owner.replace("_", "\\_") in owned
    assert "company" not in page


def test_a_batch_that_was_begun_goes_on_where_it_stopped(
    harness: Harness, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import handoff

    real = handoff.prepare

    def broken(stage: Any, *rest: Any) -> Any:
        if stage.name == "qualification":
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly"))
        return real(stage, *rest)

    harness.capture(make_lead(1), make_lead(2, Phone="call me"))
    with monkeypatch.context() as patch:
        patch.setattr(handoff, "prepare", broken)
        with pytest.raises(OperationalError):
            runner.run(now=NOW, kinds=("intake",))
    (batch,) = runner.run(now=NOW, kinds=("intake",)).batches
    assert harness.count_statuses() == {"owned": 1, "held": 1}
    assert {name.split(" | ")[0] for name in list_last_run_tasks()} == {
        "qualification", "gate qualified", "assignment", "gate assigned", "follow_up", "gate followed_up",
    }  # fmt: skip
    assert f"qualification | batch {batch.batch} | 1 in" in list_last_run_tasks()
    assert harness.find_broken() == []


def test_gates_leave_tables_with_masked_values(harness: Harness, runner: Runner) -> None:
    harness.capture(make_lead(1, Email="broken address of somebody"))
    runner.run(now=NOW)
    artifacts = ask(lambda client: client.read_latest_artifacts(limit=50))
    by_key = {artifact.key: artifact for artifact in artifacts}
    assert {"intake-gates", "gate-validated", "intake-batch"} <= set(by_key)
    table = str(json.loads(by_key["gate-validated"].data))
    assert "email_well_formed" in table
    assert "J1: b•••" in table
    assert "broken address" not in table


def test_the_follow_up_flow_reminds_and_a_second_run_does_not(harness: Harness, runner: Runner) -> None:
    harness.capture(make_lead(1))
    runner.run(now=NOW)
    later = NOW + timedelta(hours=3)
    for _ in range(2):
        runner.run(now=later)
    assert harness.one("SELECT count(*) FROM outbox WHERE kind = 'first_touch_due'") == 1
    assert harness.find_broken() == []


def test_a_run_with_nothing_waiting_makes_no_flow_run(harness: Harness, runner: Runner) -> None:
    assert runner.run(now=NOW).batches == []


def test_a_stage_is_retried_when_postgresql_was_away_for_a_moment(
    harness: Harness, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import handoff

    real, calls = handoff.prepare, []

    def away_once(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly"))
        return real(*arguments)

    monkeypatch.setattr(handoff, "prepare", away_once)
    harness.capture(make_lead(1))
    runner.run(now=NOW)
    assert harness.count_statuses() == {"owned": 1}


def test_a_stage_that_fails_for_one_lead_holds_it_and_the_flow_completes(
    harness: Harness, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import handoff

    real, calls = handoff.prepare, []

    def broken(stage: Any, ledger: Any, work: Any) -> Any:
        prepared = real(stage, ledger, work)
        if stage.name == "validation" and prepared is not None:
            frame = prepared.decided.frame
            calls.append(len(frame))
            if "lead2@company2.example" in set(frame["email"]):
                raise ZeroDivisionError(MARKER)
        return prepared

    harness.capture(make_lead(1), make_lead(2), make_lead(3))
    with monkeypatch.context() as patch:
        patch.setattr(handoff, "prepare", broken)
        (batch,) = runner.run(now=NOW, kinds=("intake",)).batches
    assert calls == [3, 1, 2, 1, 1]
    assert harness.count_statuses() == {"owned": 2, "held": 1}
    assert batch.stages[1].outcomes == {"continue": 2, "hold": 1}
    run = read_last_run()
    assert run.state is not None
    assert run.state.is_completed()
    assert MARKER not in dump_run(run)
    assert harness.find_broken() == []


def test_what_a_failed_run_shows_holds_no_value(harness: Harness, runner: Runner) -> None:
    harness.capture(make_lead(1))
    with refuse_rows(harness, "lead", "true", "53200"), pytest.raises(OperationalError) as caught:
        runner.run(now=NOW)
    assert MARKER not in "".join(traceback.format_exception(caught.value))
    run = read_last_run()
    assert run.state is not None
    assert run.state.is_failed()
    shown = dump_run(run)
    assert "53200" in shown  # there is something to look through
    assert MARKER not in shown


def test_a_task_run_says_what_came_of_it_and_what_it_is_part_of(
    harness: Harness, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect is told once of a task run that is soon over; of one that takes longer as it goes on, too."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    from tasks import stage_task, task_runs

    real = stage_task.run_steps
    tries = []

    def stage_steps(stage: Any, *given: Any) -> Any:
        if stage.name == "enrichment":
            tries.append(1)
            if len(tries) == 1:
                raise OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly"))
            time.sleep(3 * task_runs.SHOWN_AFTER)
        return real(stage, *given)

    monkeypatch.setattr(task_runs, "SHOWN_AFTER", 0.1)
    monkeypatch.setattr(stage_task, "RETRY_AFTER", (0.0,))
    monkeypatch.setattr(stage_task, "run_steps", stage_steps)
    harness.capture(make_lead(1))
    runner.run(now=NOW, kinds=("intake",))
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[read_last_run().id]))
    runs = ask(lambda client: client.read_task_runs(flow_run_filter=of_run, limit=200))
    by_id = {run.id: run for run in runs}
    gates = [run for run in runs if run.name.startswith("gate ")]
    assert len(gates) == 6
    assert {by_id[gate.task_inputs["__parents__"][0].id].name.split(" | ")[0] for gate in gates} == {
        "capture", "validation", "enrichment", "qualification", "assignment", "follow_up",
    }  # fmt: skip
    assert all(run.start_time < run.end_time and run.run_count == 1 for run in runs)
    states = {run.state_type.value for run in runs if not run.name.startswith("enrichment")}
    assert states == {"COMPLETED"}
    failed, late = sorted((run for run in runs if run.name.startswith("enrichment")), key=lambda run: run.start_time)
    assert (failed.state_type.value, late.state_type.value) == ("FAILED", "COMPLETED")
    assert "OperationalError" in failed.state.message
    assert [state.type.value for state in ask(lambda client: read_states(client, late.id))] == ["RUNNING", "COMPLETED"]
    assert harness.count_statuses() == {"owned": 1}


def test_prefect_hears_of_short_task_runs_when_they_keep_no_lead_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that are soon over in the end, at the latest; of a long one while it goes on."""
    from types import SimpleNamespace
    from uuid import uuid4

    from tasks import stage_task, task_runs

    told: list[tuple[str, str | None, str]] = []

    def emit(run: Any, before: Any, state: Any, follows: Any) -> str:
        told.append((run.name, before and before.name, state.name))
        assert before is None or run.start_time == before.timestamp < state.timestamp == run.end_time
        return f"{run.name} {state.name}"

    flow = SimpleNamespace(flow_run=SimpleNamespace(id=uuid4(), run_count=1))
    monkeypatch.setattr(task_runs, "FlowRunContext", SimpleNamespace(get=lambda: flow))
    monkeypatch.setattr(task_runs, "emit_task_run_state_change_event", emit)

    async def work(seconds: float = 0.0, error: Exception | None = None) -> None:
        await asyncio.sleep(seconds)
        if error is not None:
            raise error

    async def flow_run() -> None:
        async with task_runs.telling():
            await task_runs.record(stage_task.stage_task, "short", work())
            assert told == []
            monkeypatch.setattr(task_runs, "SHOWN_AFTER", 0.01)
            await task_runs.record(stage_task.stage_task, "long", work(0.2))
            assert told == long
            monkeypatch.setattr(task_runs, "SHOWN_AFTER", 60.0)
            with pytest.raises(ValueError, match="broken"):
                await task_runs.record(stage_task.stage_task, "last", work(error=ValueError("broken")))
            assert told == long

    monkeypatch.setattr(task_runs, "SHOWN_AFTER", 60.0)
    long = [("long", None, "Running"), ("long", "Running", "Completed")]
    asyncio.run(flow_run())
    assert told == [*long, ("short", "Running", "Completed"), ("last", "Running", "Failed")]


async def read_states(client: Any, task_run_id: Any) -> list[Any]:
    from prefect.client.schemas.objects import State

    answer = await client.request("GET", "/task_run_states/", params={"task_run_id": str(task_run_id)})
    return [State.model_validate(state) for state in answer.json()]
