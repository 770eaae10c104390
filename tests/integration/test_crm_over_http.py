"""From a captured lead to the contact, the task and the read-back in HubSpot: production's own way, over real HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from crm_fakes.hubspot.connected import TOKEN, Account
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks
from tasks.outbox import DeliveryReport, deliver_waiting

CRM = """
crm:
  - name: sales
    type: hubspot
    url: URL
    allow_private: true
    credentials: {token: HUBSPOT_TOKEN}
    writes:
      email: email
      leadgate_score: {fact: score, policy: always}
      hubspot_owner_id: owner
    task: {subject: "Call {company}"}
"""


@pytest.fixture
def connected(harness: Harness, hubspot: Account) -> Harness:
    """A ledger whose playbook writes to the fake; its address is the one that the connector is given."""
    owner = hubspot.portal.owners[0]["id"]
    reps = PLAYBOOK.replace("manager: mia}", f"manager: mia, crm_ids: {{sales: '{owner}'}}}}")
    harness.loaded = playbooks.parse(reps + CRM.replace("URL", hubspot.base_url), path=Path("tests.yaml"))
    return harness


def deliver(harness: Harness) -> DeliveryReport:
    return deliver_waiting(harness.ledger, harness.loaded.playbook, NOW, environ={"HUBSPOT_TOKEN": TOKEN})


def test_a_lead_is_a_contact_with_its_score_owner_and_task(connected: Harness, hubspot: Account) -> None:
    connected.capture(make_lead(1), make_lead(2))
    connected.run()

    assert deliver(connected).count("delivered") == 2

    contacts = hubspot.portal.by_key("contacts")
    assert sorted(contacts) == ["leadgate-L1", "leadgate-L2"]
    owner = hubspot.portal.owners[0]["id"]
    for number, contact in ((1, contacts["leadgate-L1"]), (2, contacts["leadgate-L2"])):
        assert contact.values["email"] == f"lead{number}@company{number}.example"
        assert contact.values["leadgate_score"] == "30"
        assert contact.values["hubspot_owner_id"] == owner
        assert len(hubspot.portal.related("contacts", contact.id, "tasks")) == 1
    assert len(hubspot.portal.by_key("tasks")) == 2
    assert connected.rows("SELECT found_by, differing FROM crm_link") == [("created", 0)] * 2
    assert connected.rows("SELECT reason FROM work_item") == []
    assert connected.find_broken() == []
