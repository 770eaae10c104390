"""Delivery as a flow, and events that automations react to, on a real Prefect server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked import wait_for
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_lead
from prefect_api import ask, list_last_run_tasks
from receiver import SECRET, Receiver, receiving

from flows.run import Runner
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.outbox import DeliveryReport

AUTOMATIONS = Path(__file__).parents[2] / "examples" / "automations"
NOTIFIED = """
notifications:
  - {to: ana, address_env: NOTIFY_ANA}
  - {to: everybody, address_env: NOTIFY_EVERYBODY}
"""


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(PLAYBOOK + NOTIFIED, path=Path("tests.yaml"))


@pytest.fixture
def runner(harness: Harness, settings: Settings, server: Any) -> Iterator[Runner]:
    with Runner(harness.ledger, settings, harness.loaded) as entered:
        yield entered


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def delivered(harness: Harness, now: datetime) -> DeliveryReport | None:
    """The flow, as this process's session runs it."""
    from flows.deliver import deliver
    from flows.runtime import session

    async def flow() -> DeliveryReport | None:
        token = session.current_session.set(session.Session(harness.worker()))
        try:
            return await deliver(now=now)
        finally:
            session.current_session.reset(token)

    return asyncio.run(flow())


def test_the_flow_delivers_and_shows_counts_alone(
    harness: Harness, runner: Runner, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_EVERYBODY", receiver.address)
    harness.capture(*(make_lead(number) for number in range(1, 5)))
    runner.run(now=NOW)
    report = delivered(harness, NOW)
    assert report is not None
    assert (report.count("delivered"), report.without_address) == (3, {"NOTIFY_ANA": 1})
    assert list_last_run_tasks() == {"deliver | 4 due, 4 waiting"}
    (artifact,) = [a for a in ask(lambda c: c.read_latest_artifacts(limit=50)) if a.key == "delivery"]
    table = json.loads(artifact.data)
    assert {"message": "lead assigned", "to": "bob", "outcome": "delivered", "messages": 2} in table
    assert {"message": "any", "to": "NOTIFY_ANA", "outcome": "waits: the variable is not set", "messages": 1} in table
    receiver.answer = 500
    monkeypatch.setenv("NOTIFY_ANA", receiver.address)
    delivered(harness, NOW)
    (artifact,) = [a for a in ask(lambda c: c.read_latest_artifacts(limit=50)) if a.key == "delivery"]
    assert "NOTIFY_ANA: the receiver answered 500: 1" in artifact.description
    assert SECRET not in str(ask(lambda client: client.read_artifacts(limit=200)))
    assert SECRET not in str(ask(lambda client: client.read_task_runs(limit=200)))
    assert SECRET not in str(ask(lambda client: client.read_logs()))


def test_a_round_with_nothing_waiting_does_nothing(harness: Harness, runner: Runner) -> None:
    assert delivered(harness, NOW) is None


def events(name: str) -> list[Any]:
    """What has arrived under this name, newest first."""
    from prefect.events.filters import EventFilter, EventNameFilter

    found = EventFilter(event=EventNameFilter(name=[name]))
    return list(ask(lambda client: client.read_events(found, limit=50)).events)


def arrived(name: str, before: int = 0) -> list[Any]:
    wait_for(lambda: len(events(name)) > before)
    return events(name)


def test_an_opened_breaker_and_an_escalation_arrive_as_events(harness: Harness, runner: Runner) -> None:
    harness.capture(*(make_lead(number, Email="030 1234567") for number in range(100, 125)), source="partner")
    harness.capture(make_lead(1))
    runner.run(now=NOW)
    (breaker,) = arrived("leadgate.breaker.opened")
    item = harness.one("SELECT id FROM work_item WHERE kind = 'breaker'")
    assert breaker.resource.id == "leadgate.breaker.partner.validated"
    assert breaker.payload["work_item"] == item
    assert (breaker.payload["promise"], breaker.payload["source"]) == ("email_well_formed", "partner")
    assert breaker.payload["broken"] >= 10
    assert "flow-run" in {related.role for related in breaker.related}

    runner.run(now=NOW + timedelta(hours=4))
    (escalated,) = arrived("leadgate.lead.escalated")
    assert escalated.payload["to"] == "mia"
    assert escalated.resource.name == f"J{escalated.payload['journey']}"
    for event in (breaker, escalated):
        assert "company" not in event.model_dump_json()
        assert "1234567" not in event.model_dump_json()
    # a second look escalates nothing, so it says nothing
    runner.run(now=NOW + timedelta(hours=4))
    assert len(events("leadgate.lead.escalated")) == 1


def test_a_held_batch_arrives_as_an_event(ledger: Ledger, settings: Settings, server: Any) -> None:
    unfit = "gates: {validated: {expect: [{name: odd, expectation: expect_column_values_to_be_between, "
    unfit += "arguments: {column: company, min_value: 0}, severity: critical, why: Nonsense}]}}\n"
    harness = Harness(ledger, playbooks.parse(PLAYBOOK.removesuffix(INSISTS) + unfit, path=Path("tests.yaml")))
    harness.capture(make_lead(1), make_lead(2))
    before = len(events("leadgate.batch.held"))
    with Runner(ledger, settings, harness.loaded) as runner:
        runner.run(now=NOW)
    assert harness.count_statuses() == {"held": 2}
    held = arrived("leadgate.batch.held", before)[0]
    assert (held.payload["held"], held.payload["promise"], held.payload["stage"]) == (2, "odd", "validation")
    assert held.payload["work_items"] == [harness.one("SELECT id FROM work_item")]
    assert held.resource.id == f"leadgate.batch.{held.payload['batch']}"


def test_a_stage_that_fails_for_every_lead_arrives_as_an_event(
    harness: Harness, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import handoff
    from tasks.failed_batches import ENOUGH

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    before = len(events("leadgate.batch.held"))
    harness.capture(*(make_lead(number) for number in range(ENOUGH)))
    with monkeypatch.context() as patch:
        patch.setattr(handoff, "prepare", broken)
        runner.run(now=NOW)
    assert harness.count_statuses() == {"held": ENOUGH}
    newest = arrived("leadgate.batch.held", before)[0]
    assert (newest.payload["reason"], newest.payload["held"]) == ("stage_failed", ENOUGH)


@pytest.mark.parametrize("file", sorted(AUTOMATIONS.glob("*.yaml")), ids=lambda file: file.stem)
def test_an_example_automation_is_accepted_as_the_command_creates_it(server: Any, file: Path) -> None:
    from prefect.events.schemas.automations import AutomationCore

    automation = AutomationCore.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    created = ask(lambda client: client.create_automation(automation))
    (kept,) = [each for each in ask(lambda client: client.read_automations()) if each.id == created]
    ask(lambda client: client.delete_automation(created))
    assert kept.name == automation.name
    emitted = {"leadgate.breaker.opened", "leadgate.batch.held", "leadgate.lead.escalated"}
    assert kept.trigger.expect <= emitted
