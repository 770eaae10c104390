"""Housekeeping on a real Prefect server: the dead are told from the living, the old from the young.

The server dates every state itself, so a run grows old here by asking as of a later moment. What imports Prefect is
imported inside functions: Prefect reads its settings then, and the fixture makes them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness import NOW, Harness, make_lead
from opportunities import Told, tell
from sqlalchemy import text

from flows.run import Runner
from leadgate.ledger.batches import Batch, claim
from leadgate.playbook import Retention
from leadgate.settings import Settings
from tasks.batches import activate

LATER = timedelta(hours=1)
WEEK = timedelta(days=7)
LONG = timedelta(days=9)  # longer than the playbook's retention, and than the server's own vacuum is left time
OLD_RUNS = "flow runs older than 7 days"


@pytest.fixture
def keep(harness: Harness, server: Any) -> Callable[..., dict[str, Any]]:
    """Run the flow ``at_once`` times as of ``later`` than now; returns the first one's lines by what they are about."""

    def run(later: timedelta = LATER, *, at_once: int = 1, **parameters: Any) -> dict[str, Any]:
        from flows.housekeeping import housekeeping
        from flows.runtime import session

        async def passes() -> Any:
            now = datetime.now(UTC) + later
            return await asyncio.gather(*(housekeeping(now=now, **parameters) for _ in range(at_once)))

        activate(harness.worker(), NOW)
        token = session.current_session.set(session.Session(harness.worker()))
        try:
            first, *_ = asyncio.run(passes())
        finally:
            session.current_session.reset(token)
        return {line.what: line for line in first}

    return run


def ask(query: Callable[[Any], Any]) -> Any:
    from prefect.client.orchestration import get_client

    async def asked() -> Any:
        async with get_client() as client:
            return await query(client)

    return asyncio.run(asked())


def started(flow: str = "intake", state: str = "Running", tags: tuple[str, ...] = (), **parameters: Any) -> UUID:
    """A flow run as a process leaves it that dies at once: in ``state``, and silent."""
    from prefect import Flow, states

    async def nothing(batch: int | None = None) -> None: ...

    def create(client: Any) -> Any:
        flow_ = Flow(nothing, name=flow, persist_result=False)
        return client.create_flow_run(flow_, state=getattr(states, state)(), tags=tags, parameters=parameters)

    return ask(create).id  # type: ignore[no-any-return]


def state_of(run: UUID) -> tuple[str, str]:
    """The name of its state, and its message."""
    state = ask(lambda client: client.read_flow_run(run)).state
    return state.name, state.message or ""


def exists(run: UUID) -> bool:
    from prefect.exceptions import ObjectNotFound

    try:
        state_of(run)
    except ObjectNotFound:
        return False
    return True


def claimed(harness: Harness, holder: str, lease_seconds: float) -> Batch:
    harness.capture(make_lead(1), make_lead(2))
    activate(harness.worker(), NOW)
    batch = claim(
        harness.ledger, holder=holder, playbook_hash=harness.loaded.hash, now=NOW, limit=10, lease_seconds=lease_seconds
    )
    assert batch is not None
    return batch


def lapse(harness: Harness, by: str) -> None:
    """As if the holder of every batch was last heard of ``by`` ago."""
    with harness.ledger.transaction() as connection:
        connection.execute(
            text(f"UPDATE batch SET opened_at = now() - interval '1 day', lease_until = now() - interval '{by}'")
        )


def consumer(harness: Harness, name: str, ago: str) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO consumer (name, host, pid, doing, started_at, seen_at) "
                f"VALUES (:name, 'here', 1, 'waiting', now() - interval '3 days', now() - interval '{ago}')"
            ),
            {"name": name},
        )


def beat(run: UUID, at: datetime) -> None:
    """A heartbeat of ``run``, as its engine sends it, is in the server's events."""

    async def send(client: Any) -> None:
        name, resource = "prefect.flow-run.heartbeat", f"prefect.flow-run.{run}"
        event = {"event": name, "occurred": at.isoformat(), "resource": {"prefect.resource.id": resource}}
        await client.request("POST", "/events", json=[event | {"id": str(uuid4())}])
        asked = {"resource": {"id": [resource]}, "occurred": {"until": (at + LATER).isoformat()}}
        for _ in range(150):  # the server writes what it heard every few seconds
            if (await client.request("POST", "/events/filter", json={"filter": asked})).json()["total"]:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the server did not keep the event")

    ask(send)


def test_a_run_of_a_dead_process_is_crashed_and_says_who_goes_on_with_its_leads(harness: Harness, keep: Any) -> None:
    batch = claimed(harness, "run-gone", 5.0)
    lapse(harness, "20 minutes")
    run = started(batch=batch.id)
    lines = keep()
    name, message = state_of(run)
    assert name == "Crashed"
    assert f"batch {batch.id} (2 journeys) is taken over by the next run" in message
    assert lines["flow runs of dead processes"].done >= 1
    assert lines["batches whose lease ran out"].left == 1
    assert [report.batch for report in harness.run()] == [batch.id]
    assert harness.count_statuses() == {"owned": 2}


def test_a_run_with_a_live_lease_stays(harness: Harness, keep: Any) -> None:
    run = started(batch=claimed(harness, "run-alive", 120.0).id)
    by_name = started()
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE batch SET holder = :run"), {"run": str(by_name)})
    keep()
    assert state_of(run)[0] == "Running"
    assert state_of(by_name)[0] == "Running"
    lapse(harness, "20 minutes")
    keep()
    assert state_of(run)[0] == "Crashed"


def test_a_lease_that_ran_out_a_moment_ago_is_no_proof(harness: Harness, keep: Any) -> None:
    """PostgreSQL may have been away for a moment, and the process goes on when it is back."""
    run = started(batch=claimed(harness, "run-cut-off", 5.0).id)
    lapse(harness, "1 minute")
    keep()
    assert state_of(run)[0] == "Running"


def test_a_young_run_stays_whatever_the_ledger_says(keep: Any) -> None:
    run = started()
    keep(later=timedelta(minutes=1))
    assert state_of(run)[0] == "Running"


def test_a_run_whose_heart_beats_stays_until_it_stops(keep: Any) -> None:
    beating, never_beat = started("deliver"), started("deliver")
    beat(beating, datetime.now(UTC) + timedelta(minutes=30))
    keep(later=timedelta(minutes=35))
    assert state_of(beating)[0] == "Running"
    line = keep(later=timedelta(minutes=45))["flow runs of dead processes"]
    assert state_of(beating)[0] == "Crashed"
    assert state_of(never_beat)[0] == "Running"  # nothing tells whether it lives
    assert line.left >= 1
    assert "give no sign" in line.words


def test_a_run_that_a_dead_process_was_to_cancel_is_cancelled(keep: Any) -> None:
    run = started(state="Cancelling")
    keep()
    assert state_of(run)[0] == "Cancelled"


def test_runs_of_every_deployment_are_looked_after(keep: Any) -> None:
    from flows.deployments import DEPLOYMENTS

    runs = {deployment.flow: started(deployment.flow, "Pending") for deployment in DEPLOYMENTS}
    keep(timedelta(days=2))
    assert {flow: state_of(run)[0] for flow, run in runs.items()} == dict.fromkeys(runs, "Crashed")


def test_runs_kept_ready_go_with_their_consumer(harness: Harness, keep: Any) -> None:
    consumer(harness, "here", "1 second")
    consumer(harness, "gone", "5 minutes")
    consumer(harness, "long-gone", "2 days")
    kept = {name: started(state="Pending", tags=("ready", f"consumer:{name}")) for name in ("here", "gone", "unheard")}
    lines = keep()
    assert {name for name, run in kept.items() if exists(run)} == {"here"}
    assert lines["runs kept ready for nobody"].done == 2
    assert lines["consumers not seen for a day"].done == 1
    assert {name for (name,) in harness.rows("SELECT name FROM consumer")} == {"here", "gone"}


def test_runs_of_other_flows_are_left_alone(keep: Any) -> None:
    running, ended = started("somebody-elses"), started("somebody-elses", "Completed")
    keep(later=LONG)
    assert state_of(running)[0] == "Running"
    assert exists(ended)


def test_what_is_old_is_deleted_with_all_that_hangs_on_it_and_what_is_young_stays(
    harness: Harness, settings: Settings, keep: Any
) -> None:
    def batch() -> UUID:
        with Runner(harness.ledger, settings, harness.loaded) as runner:
            (report,) = runner.run(now=NOW, kinds=("intake",)).batches
        runs = ask(lambda client: client.read_flow_runs(limit=200))
        name = f"batch {report.batch} · "
        return next(run.id for run in runs if run.name.startswith(name) and run.id not in known)

    known: set[UUID] = {run.id for run in ask(lambda client: client.read_flow_runs(limit=200))}
    harness.capture(make_lead(1))
    old = batch()
    between = datetime.now(UTC)
    harness.capture(make_lead(2))
    young = batch()
    assert left_of(old)["artifacts"] == left_of(young)["artifacts"] == 2
    lines = keep(later=between - datetime.now(UTC) + (NOW - cutoffs().flow_runs))
    assert left_of(old) == {"task runs": 0, "artifacts": 0, "logs": 0}
    assert not exists(old)
    assert exists(young)
    assert left_of(young)["task runs"] == 12
    assert left_of(young)["artifacts"] == 2
    assert lines[OLD_RUNS].done >= 1


def cutoffs(**keep: timedelta) -> Any:
    from tasks import retention

    return asyncio.run(retention.compute_cutoffs(Retention(**keep), NOW))


def test_a_server_that_leadgate_starts_deletes_by_itself_and_is_left_time_for_it(keep: Any) -> None:
    assert cutoffs().by_server == WEEK
    assert NOW - cutoffs().flow_runs == WEEK + timedelta(hours=2)
    run = started(state="Completed")
    words = keep(later=WEEK + LATER)[OLD_RUNS].words
    assert exists(run)
    assert "the server itself deletes after 7 days" in words


def test_artifacts_are_kept_no_longer_than_their_flow_runs(server: str) -> None:
    assert cutoffs(artifacts=timedelta(days=30)).artifacts is None
    assert cutoffs(artifacts=timedelta(days=1)).artifacts == NOW - timedelta(days=1)


def left_of(run: UUID) -> dict[str, int]:
    of_run = {"flow_run_id": {"any_": [str(run)]}}

    async def counted(client: Any) -> dict[str, int]:
        artifacts = await client.request("POST", "/artifacts/filter", json={"artifacts": of_run})
        logs = await client.request("POST", "/logs/filter", json={"logs": of_run})
        tasks = await client.request("POST", "/task_runs/filter", json={"task_runs": of_run})
        return {
            "task runs": len(tasks.json()),
            "artifacts": len(artifacts.json()),
            "logs": len(logs.json()),
        }

    return ask(counted)  # type: ignore[no-any-return]


def test_a_second_pass_finds_nothing_to_do(keep: Any) -> None:
    dead = started()
    keep()
    crashed = ask(lambda client: client.read_flow_run(dead)).state.id
    assert {line.done for line in keep().values()} == {0}
    assert ask(lambda client: client.read_flow_run(dead)).state.id == crashed


def test_the_day_that_is_over_is_kept_once_as_a_snapshot_of_the_forecast(harness: Harness, keep: Any) -> None:
    tell(harness.ledger, Told("500 seats", datetime.now(UTC) - timedelta(days=3)))
    assert [keep()["snapshots of the forecast"].done for _ in range(2)] == [1, 0]
    assert harness.one("SELECT count(*) FROM forecast_snapshot") == 1


def test_two_at_once_do_no_harm(keep: Any) -> None:
    runs, dead = [started(state="Completed") for _ in range(60)], started()
    keep(at_once=2)
    assert state_of(dead)[0] == "Crashed"
    keep(later=LONG, at_once=2, dead_after_minutes=30 * 24 * 60)  # as of then, each would take the other for dead
    assert not any(exists(run) for run in runs)


def test_a_pass_does_no_more_than_it_may_and_the_next_goes_on(keep: Any) -> None:
    keep(later=LONG)
    runs = [started(state="Completed") for _ in range(6)]
    line = keep(later=LONG, at_most_rows=4)[OLD_RUNS]
    assert 1 <= line.done <= 4
    assert line.left >= 2
    assert any(exists(run) for run in runs)
    assert keep(later=LONG, at_most_seconds=0)[OLD_RUNS].done == 0
    keep(later=LONG)
    assert not any(exists(run) for run in runs)


def test_artifacts_may_go_before_their_flow_runs(harness: Harness, keep: Any) -> None:
    run = started(state="Completed")
    key = {"key": "gate-captured", "type": "table", "data": "[]", "flow_run_id": str(run)}
    ask(lambda client: client.request("POST", "/artifacts/", json=key))
    short = Retention(artifacts=timedelta(days=1))
    rules = harness.loaded.playbook.model_copy(update={"retention": short})
    harness.loaded = dataclasses.replace(harness.loaded, playbook=rules, hash="f" * 64)
    assert keep(later=timedelta(days=2))["artifacts older than 1 day"].done >= 1
    assert left_of(run)["artifacts"] == 0
    assert exists(run)


def test_what_was_done_is_in_the_names_of_its_task_runs_and_in_a_table(keep: Any) -> None:
    keep()
    names = {run.name for run in ask(lambda client: client.read_task_runs(limit=200))}
    assert "leases that ran out | 0" in names
    artifacts = ask(lambda client: client.read_latest_artifacts(limit=50))
    table = next(json.loads(artifact.data) for artifact in artifacts if artifact.key == "housekeeping")
    assert [row["what"] for row in table].count("flow runs of dead processes") == 1
    assert all(set(row) == {"what", "done", "left", "in words"} for row in table)
