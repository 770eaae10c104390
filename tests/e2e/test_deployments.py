"""Deployments: what ``register`` makes is what prefect.yaml says, and what people changed of them stays.

What imports Prefect is imported inside functions: Prefect reads its settings then, and the fixture makes them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect_api import ask

ROOT = Path(__file__).parents[2]


@pytest.fixture
def api(server: str) -> Iterator[None]:
    """A server without deployments of ours; the next test registers its own."""

    async def forget(client: Any) -> None:
        for deployment in await client.read_deployments():
            await client.delete_deployment(deployment.id)

    ask(forget)
    yield
    ask(forget)


pytestmark = pytest.mark.usefixtures("api")


def written() -> dict[str, dict[str, Any]]:
    """The deployments of prefect.yaml by entrypoint."""
    content = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return {each["entrypoint"]: each for each in content["deployments"]}


def register() -> dict[str, Any]:
    from flows.deployments import register

    return dict(ask(register))


def stored() -> dict[str, Any]:
    """What the server has, by the flow's entrypoint."""
    return {each.entrypoint: each for each in ask(lambda client: client.read_deployments())}


def facts(deployment: Any) -> dict[str, Any]:
    """What two deployments must have in common to be the same for people, schedulers and workers."""
    schedules = [
        (getattr(s.schedule, "interval", None), getattr(s.schedule, "cron", None)) for s in deployment.schedules
    ]
    return {
        "name": deployment.name,
        "description": deployment.description,
        "tags": deployment.tags,
        "schedules": schedules,
        "work pool": deployment.work_pool_name,
        "parameters": deployment.parameters,
        "form": deployment.parameter_openapi_schema,
        "enforced": deployment.enforce_parameter_schema,
        "path": deployment.path,
        "pull": deployment.pull_steps or [],
        "paused": deployment.paused,
    }


def test_prefect_yaml_says_the_same_as_the_code() -> None:
    from flows.deployments import DEPLOYMENTS
    from flows.runtime.server import WORK_POOL

    file = written()
    assert list(file) == [deployment.entrypoint for deployment in DEPLOYMENTS]
    for deployment in DEPLOYMENTS:
        each = file[deployment.entrypoint]
        schedules: list[dict[str, Any]] = []
        if deployment.every is not None:
            schedules = [{"interval": int(deployment.every.total_seconds())}]
        if deployment.cron is not None:
            schedules = [{"cron": deployment.cron}]
        assert each["name"] == deployment.name
        assert each["work_pool"] == {"name": WORK_POOL}
        assert each["description"] == deployment.description
        assert tuple(each["tags"]) == deployment.tags
        assert each.get("schedules", []) == schedules
        assert each.get("parameters", {}) == deployment.parameters
        assert deployment.load().name == deployment.flow


def test_prefect_deploy_makes_what_register_makes() -> None:
    register()
    ours = {entrypoint: facts(deployment) for entrypoint, deployment in stored().items()}
    assert set(ours) == set(written())

    async def forget(client: Any) -> None:
        for deployment in await client.read_deployments():
            await client.delete_deployment(deployment.id)

    ask(forget)
    deployed = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    theirs = {entrypoint: facts(deployment) for entrypoint, deployment in stored().items()}
    assert theirs == ours


def test_registering_twice_changes_nothing() -> None:
    first = register()
    before = stored()
    assert register() == first
    after = stored()
    assert {name: each.updated for name, each in after.items()} == {name: each.updated for name, each in before.items()}


def test_a_name_that_is_too_long_is_refused_before_anything_is_stored() -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    register()
    forms = [each for each in stored().values() if "by" in each.parameter_openapi_schema["properties"]]
    assert len(forms) == 3
    for deployment in forms:
        needed = {"rerun": {}, "review": {"work_items": ["W1"], "decision": "approve"}}
        given: dict[str, Any] = needed.get(deployment.name.split("-")[0], {"rep": "ana", "reason": "left us"})

        async def create(client: Any, id_: Any = deployment.id, given: dict[str, Any] = given) -> None:
            await client.create_flow_run_from_deployment(id_, parameters=given | {"by": "x" * 81})

        with pytest.raises(PrefectHTTPStatusError, match="too long"):
            ask(create)
    runs = ask(lambda client: client.read_flow_runs(limit=200))
    assert not any("by" in run.parameters for run in runs)


def test_a_work_pool_of_an_earlier_version_is_locked() -> None:
    from prefect.client.schemas.actions import WorkPoolUpdate
    from prefect.workers.process import ProcessWorker

    from flows.runtime.server import WORK_POOL
    from flows.runtime.worker import JOB_TEMPLATE

    register()
    open_to_all = WorkPoolUpdate(base_job_template=ProcessWorker.get_default_base_job_template())
    ask(lambda client: client.update_work_pool(WORK_POOL, open_to_all))
    register()
    assert ask(lambda client: client.read_work_pool(WORK_POOL)).base_job_template == JOB_TEMPLATE


def test_what_somebody_paused_stays_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import deployments

    ids = register()

    async def pause(client: Any) -> None:
        follow_up = await client.read_deployment(ids["follow-up"])
        await client.update_deployment_schedule(follow_up.id, follow_up.schedules[0].id, active=False)
        await client.pause_deployment(ids["intake"])

    ask(pause)
    register()
    there = stored()
    assert [each.active for each in there["flows.follow_up.follow_up"].schedules] == [False]
    assert there["flows.intake.intake"].paused

    newer = tuple(replace(each, description=f"{each.description} Newer.") for each in deployments.DEPLOYMENTS)
    monkeypatch.setattr(deployments, "DEPLOYMENTS", newer)
    assert register() == ids
    there = stored()
    assert all(each.description.endswith("Newer.") for each in there.values())
    assert [each.active for each in there["flows.follow_up.follow_up"].schedules] == [False]
    assert [each.active for each in there["flows.deliver.deliver"].schedules] == [True]
    assert there["flows.intake.intake"].paused, "an upgrade lets leads go that somebody had stopped"


def test_no_two_deployments_have_the_same_name() -> None:
    from flows.deployments import DEPLOYMENTS

    names = [deployment.name for deployment in DEPLOYMENTS]
    assert len(set(names)) == len(names) > 1


def test_deployments_under_their_former_name_are_replaced_and_what_was_paused_stays_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flows import deployments

    def register_under_former_name() -> dict[str, Any]:
        with monkeypatch.context() as patch:
            former = tuple(replace(each, name=deployments.FORMER_NAME) for each in deployments.DEPLOYMENTS)
            patch.setattr(deployments, "DEPLOYMENTS", former)
            patch.setattr(deployments, "FORMER_NAME", "even older")
            return register()

    async def pause(client: Any, flow: str, there: dict[str, Any]) -> None:
        await client.pause_deployment(there[flow])

    async def switch_off(client: Any, flow: str, there: dict[str, Any]) -> None:
        deployment = await client.read_deployment(there[flow])
        await client.update_deployment_schedule(deployment.id, deployment.schedules[0].id, active=False)

    before = register_under_former_name()
    ask(lambda client: pause(client, "intake", before))
    ask(lambda client: switch_off(client, "follow-up", before))
    after = register()
    assert not set(after.values()) & set(before.values())
    there = {each.id: each for each in ask(lambda client: client.read_deployments())}
    assert sorted(each.name for each in there.values()) == sorted(each.name for each in deployments.DEPLOYMENTS)
    assert [flow for flow, made in after.items() if there[made].paused] == ["intake"]
    off = [flow for flow, made in after.items() if not all(each.active for each in there[made].schedules)]
    assert off == ["follow-up"]

    again = register_under_former_name()  # a process of an earlier version has started beside this one
    ask(lambda client: switch_off(client, "deliver", again))
    assert register() == after
    there = {each.id: each for each in ask(lambda client: client.read_deployments())}
    assert set(there) == set(after.values())
    off = [flow for flow, made in after.items() if not all(each.active for each in there[made].schedules)]
    assert off == ["follow-up", "deliver"]
    assert there[after["intake"]].paused


def test_another_version_is_registered_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import deployments

    ids = register()
    before = stored()
    changed = [
        replace(each, cron="5 5 * * *") if each.flow == "housekeeping" else each for each in deployments.DEPLOYMENTS
    ]
    monkeypatch.setattr(deployments, "DEPLOYMENTS", tuple(changed))
    assert register() == ids
    after = stored()
    assert [each.schedule.cron for each in after["flows.housekeeping.housekeeping"].schedules] == ["5 5 * * *"]
    different = {name for name, each in after.items() if each.updated != before[name].updated}
    assert different == {"flows.housekeeping.housekeeping"}
    register()
    again = stored()
    assert {name: each.updated for name, each in again.items()} == {name: each.updated for name, each in after.items()}
