"""From a captured lead to its record, its task and the read-back in a CRM: production's own way, over real HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from crm_books import SALESFORCE as CRM_OF_SALESFORCE
from crm_books import Org, UseBook, run_intake
from crm_books import deliver as deliver_to_crms
from crm_fakes.hubspot.connected import TOKEN, Account
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import answer_with, serve
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


def test_a_token_that_an_error_quotes_is_not_kept(connected: Harness, hubspot: Account) -> None:
    connected.capture(make_lead(1))
    connected.run()
    quoting = {"category": "VALIDATION_ERROR", "message": f"not with Authorization: Bearer {TOKEN}"}
    hubspot.fake.faults.plan(answer_with(400, quoting), matching="batch/upsert")

    assert deliver(connected).count("given_up") == 1

    ((item,),) = connected.rows("SELECT row_to_json(w)::text FROM work_item w")
    assert "not with Authorization: Bearer ***" in item
    assert TOKEN not in item


SALESFORCE = """
crm:
  - name: sales
    type: salesforce
    url: URL
    allow_private: true
    credentials: {client_id: SALESFORCE_ID, client_secret: SALESFORCE_SECRET}
    writes:
      Email: email
      LastName: last_name
      Company: company
      OwnerId: owner
    task: {subject: "Call {company}"}
"""


def test_a_lead_is_a_lead_of_salesforce_with_its_owner_and_task(harness: Harness) -> None:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=TOKEN))
    with serve(fake) as url:
        owner = fake.org.add("User", Name="Mia", Email="mia@example.com", IsActive=True, UserType="Standard")
        reps = PLAYBOOK.replace("manager: mia}", f"manager: mia, crm_ids: {{sales: '{owner}'}}}}")
        harness.loaded = playbooks.parse(reps + SALESFORCE.replace("URL", url), path=Path("tests.yaml"))
        harness.capture(make_lead(1), make_lead(2))
        harness.run()
        environ = {"SALESFORCE_ID": "app", "SALESFORCE_SECRET": TOKEN}
        report = deliver_waiting(harness.ledger, harness.loaded.playbook, NOW, environ=environ)

    assert report.count("delivered") == 2, report
    leads = {row["Leadgate_Id__c"]: row for row in fake.org.rows["Lead"].values()}
    assert sorted(leads) == ["leadgate-L1", "leadgate-L2"]
    assert {row["OwnerId"] for row in leads.values()} == {owner}
    assert leads["leadgate-L2"]["Email"] == "lead2@company2.example"
    tasks = fake.org.rows["Task"].values()
    assert sorted(task["Subject"] for task in tasks) == ["Call Company 1", "Call Company 2"]
    assert harness.rows("SELECT found_by, differing FROM crm_link") == [("created", 0)] * 2
    assert harness.rows("SELECT reason FROM work_item") == []
    assert fake.errors == []


def test_the_playbooks_own_days_and_moments_are_written_as_such(harness: Harness, org: Org, use_book: UseBook) -> None:
    own = (
        "fields:\n  renewal: {type: date, headers: [Renewal]}\n  met_at: {type: timestamp, headers: [Met]}\nsources:\n"
    )
    written = "      Leadgate_Day__c: renewal\n      Leadgate_Due__c: met_at\n      OwnerId"
    book = use_book(CRM_OF_SALESFORCE.replace("      OwnerId", written), org.url)
    harness.loaded = playbooks.parse(book.text.replace("sources:\n", own, 1), path=book.path)
    harness.capture(make_lead(1, Renewal="2026-05-01", Met="2026-03-01T10:00:00Z"))
    run_intake(harness)
    assert deliver_to_crms(harness).count("delivered") == 1
    (row,) = org.fake.org.rows["Lead"].values()
    assert (str(row["Leadgate_Day__c"]), str(row["Leadgate_Due__c"])[:16]) == ("2026-05-01", "2026-03-01 10:00")
    assert harness.rows("SELECT reason FROM work_item") == []
