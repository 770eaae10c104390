"""Reconciling CRMs as a flow, on a real Prefect server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from crm_books import run_intake
from harness import NOW, PLAYBOOK, Harness, make_lead
from prefect_api import ask, dump_run, list_last_run_tasks, read_last_run

from leadgate import playbook as playbooks
from leadgate.connectors.crm import CrmRecord
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.ledger import Ledger, crm_links
from leadgate.ledger.crm_links import ReadBack

SECRET = "pat-na1-secret"  # noqa: S105 - of nobody
CRMS = """
crm:
  - {name: first, type: hubspot, credentials: {token: FIRST_TOKEN}, writes: {score: score}}
  - {name: second, type: hubspot, credentials: {token: SECOND_TOKEN}, writes: {score: score}}
  - {name: third, type: hubspot, credentials: {token: THIRD_TOKEN}, reads: {}}
"""


class OneRecord:
    """A CRM whose only record has another score than the one that was written."""

    def describe_fields(self, *given: Any) -> dict[str, None]:
        return {"score": None, "leadgate_id": None}

    def read(self, *given: Any) -> dict[str, CrmRecord]:
        return {"101": CrmRecord("101", {"score": 99, "leadgate_id": "leadgate-L1"})}

    def close(self) -> None:
        pass


class Unreachable(OneRecord):
    def read(self, *given: Any) -> dict[str, CrmRecord]:
        raise ServiceUnreachableError("HubSpot cannot be reached", sent=False)


def run_flow(harness: Harness) -> Any:
    from flows.reconcile_crm import reconcile_crm
    from flows.runtime import session

    async def flow() -> Any:
        token = session.current_session.set(session.Session(harness.worker()))
        try:
            return await reconcile_crm(now=NOW, return_state=True)
        finally:
            session.current_session.reset(token)

    return asyncio.run(flow())


@pytest.mark.usefixtures("server")
def test_a_drift_is_a_work_item_and_a_crm_that_fails_stops_no_other(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness(ledger, playbooks.parse(PLAYBOOK + CRMS, path=Path("tests.yaml")))
    harness.capture(make_lead(1))
    run_intake(harness)
    with ledger.transaction() as connection:
        for crm in ("first", "second"):
            crm_links.link_leads(connection, crm, [(1, "101", "key")], NOW)
            crm_links.keep_read_back(connection, crm, [ReadBack(1, {"score": 30}, {"score": 30}, 0)], NOW, wrote=True)
        connection.exec_driver_sql("UPDATE outbox SET delivered_at = now()")
    crms: dict[str, Any] = {"first": Unreachable(), "second": OneRecord()}
    monkeypatch.setenv("FIRST_TOKEN", SECRET)
    monkeypatch.setattr("tasks.crm.reconcile_task.open_crm", lambda connection, environ: crms[connection.name])
    state = run_flow(harness)
    assert state.is_failed()
    assert "second: 1 record compared, 1 field differs" in state.message
    assert "first: 0 records compared · HubSpot cannot be reached" in state.message
    assert list_last_run_tasks() == {"reconcile | first", "reconcile | second"}
    (artifact,) = [a for a in ask(lambda c: c.read_latest_artifacts(limit=50)) if a.key == "crm-reconcile"]
    assert [(line["CRM"], line["new work items"]) for line in json.loads(artifact.data)] == [
        ("first", 0),
        ("second", 1),
    ]
    assert harness.rows("SELECT reason, promise FROM work_item") == [("crm_write_not_kept", "crm:second:score")]
    crms["first"] = OneRecord()
    assert run_flow(harness).is_completed()
    crms["first"] = None  # a connector with a fault
    assert run_flow(harness).is_failed()
    assert SECRET not in dump_run(read_last_run())


@pytest.mark.usefixtures("server")
def test_a_playbook_that_writes_to_no_crm_has_no_task_run(harness: Harness) -> None:
    assert run_flow(harness).is_completed()
    assert list_last_run_tasks() == set()
