"""Reading CRMs as a flow, on a real Prefect server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness
from prefect_api import ask, dump_run, list_last_run_tasks, read_last_run

from leadgate import playbook as playbooks
from leadgate.connectors.crm import ChangePage, CrmLimitError, CrmRecord
from leadgate.ledger import Ledger

SECRET = "pat-na1-secret"  # noqa: S105 - of nobody
CRMS = """
crm:
  - {name: first, type: hubspot, credentials: {token: FIRST_TOKEN}, reads: {source: contacts}}
  - {name: second, type: hubspot, credentials: {token: SECOND_TOKEN}, reads: {source: people}}
  - {name: third, type: hubspot, credentials: {token: THIRD_TOKEN}, writes: {email: email}}
"""
SOURCES = "sources:\n  contacts: {mapping: {email: email}}\n  people: {mapping: {email: email}}\n"
ADS = """  ads:
    http: {auth: facebook, secret_env: LEADGATE_SECRET_A, verify_env: LEADGATE_SECRET_B, answers: {token_env: ADS_TOKEN}}
"""


class OnePage:
    """A CRM with one record."""

    def read_changes(self, *given: Any) -> ChangePage:
        return ChangePage([CrmRecord("1", {"email": "ann@acme.example"})], "1", has_more=False)

    def close(self) -> None:
        pass


class Exhausted(OnePage):
    def read_changes(self, *given: Any) -> ChangePage:
        raise CrmLimitError("HubSpot takes no more requests today", wait_seconds=3600, is_daily=True)


def run_flow(harness: Harness) -> Any:
    from flows.runtime import session
    from flows.sync_crm import sync_crm

    async def flow() -> Any:
        token = session.current_session.set(session.Session(harness.worker()))
        try:
            return await sync_crm(now=NOW, return_state=True)
        finally:
            session.current_session.reset(token)

    return asyncio.run(flow())


@pytest.mark.usefixtures("server")
def test_each_crm_is_a_task_run_and_one_that_fails_stops_no_other(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PLAYBOOK.replace("sources:\n", SOURCES + ADS) + CRMS
    harness = Harness(ledger, playbooks.parse(text, path=Path("tests.yaml")))
    crms: dict[str, Any] = {"first": Exhausted(), "second": OnePage()}
    monkeypatch.setenv("FIRST_TOKEN", SECRET)
    monkeypatch.setattr("tasks.crm.sync_task.open_crm", lambda connection, environ: crms[connection.name])
    state = run_flow(harness)
    assert state.is_failed()
    assert "second: 1 record, 1 new signal · complete" in state.message
    assert "first: 0 records, 0 new signals · HubSpot takes no more requests today" in state.message
    assert list_last_run_tasks() == {"sync | first", "sync | second", "answers | ads"}
    (artifact,) = [a for a in ask(lambda c: c.read_latest_artifacts(limit=50)) if a.key == "crm-sync"]
    told = [(line["CRM"], line["new signals"]) for line in json.loads(artifact.data)]
    assert told == [("first", 0), ("second", 1), ("ads", 0)]
    assert harness.rows("SELECT reason, promise FROM work_item") == [("crm_not_read", "crm:first")]
    crms["first"] = OnePage()
    assert run_flow(harness).is_completed()
    assert harness.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    crms["first"] = None  # a connector with a fault
    assert run_flow(harness).is_failed()
    assert SECRET not in dump_run(read_last_run())


@pytest.mark.usefixtures("server")
def test_a_playbook_that_reads_no_crm_has_no_task_run(harness: Harness) -> None:
    assert run_flow(harness).is_completed()
    assert list_last_run_tasks() == set()
