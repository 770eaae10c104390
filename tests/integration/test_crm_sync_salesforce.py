"""Reading Salesforce by ``leadgate crm sync``'s way, over real HTTP: what changed, what is gone, and what is no news."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import answer_with, serve
from harness import NOW, PLAYBOOK, Harness, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.connectors.salesforce import ClientCredentials, Salesforce
from leadgate.connectors.service_session import Policy, ServiceSession
from leadgate.ledger import Ledger, crm_positions, outbox
from leadgate.vocabulary import CrmMessageKind
from tasks.crm.sync import SyncReport, sync_crm
from tasks.outbox import DeliveryReport, deliver_waiting

SECRET = "the-secret-of-the-app"  # noqa: S105 - made up
ENVIRON = {"SALESFORCE_ID": "app", "SALESFORCE_SECRET": SECRET}
CRM = """
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
      Leadgate_Score__c: {fact: score, policy: always}
    reads:
      source: leads
      also: [NumberOfEmployees, Leadgate_Score__c, Leadgate_Due__c, Leadgate_Day__c, HasOptedOutOfEmail, Leadgate_Topics__c]
      only: {Email: set}
matching: {crm_ids: {sales: [leads]}}
"""
SOURCE = "  leads: {mapping: {Email: email, LastName: last_name, Company: company}}\n"
QUICK = Policy(repeats=1, first_wait=0.001, longest_wait=0.01, allow_private=True)


@dataclass
class Sales:
    """A ledger, the fake org that it reads, and the clock of both."""

    harness: Harness
    fake: FakeSalesforce
    crm: Salesforce
    now: datetime = NOW

    def go_on(self, **time: float) -> None:
        self.now += timedelta(**time)

    def add(self, number: int, **values: Any) -> str:
        given = {"LastName": f"Doe{number}", "Company": f"Company {number}", "Email": f"p{number}@c{number}.example"}
        return self.fake.org.add("Lead", **given | values)

    def sync(self) -> SyncReport:
        return sync_crm(
            self.harness.ledger, self.harness.loaded, self.harness.loaded.playbook.crm[0], self.crm, self.now
        )

    def deliver(self) -> DeliveryReport:
        playbook = self.harness.loaded.playbook
        return deliver_waiting(self.harness.ledger, playbook, self.now, environ=ENVIRON)


@pytest.fixture
def sales(ledger: Ledger) -> Iterator[Sales]:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=SECRET))
    with serve(fake) as url, ServiceSession("Salesforce", policy=QUICK) as session:
        owner = fake.org.add("User", Name="Ann", Email="ann@example.com", IsActive=True, UserType="Standard")
        rules = PLAYBOOK.replace("manager: mia}", f"manager: mia, crm_ids: {{sales: '{owner}'}}}}")
        rules = rules.replace("sources:\n", f"sources:\n{SOURCE}") + CRM.replace("URL", url)
        harness = Harness(ledger, playbooks.parse(rules, path=Path("tests.yaml")))
        crm = Salesforce(url, session, ClientCredentials("app", SECRET), page_rows=2)
        made = Sales(harness, fake, crm)
        crm._now = fake.org.clock = lambda: made.now
        yield made
    assert fake.errors == []


def test_leads_become_signals_page_by_page_and_a_change_is_news_of_the_same_lead(sales: Sales) -> None:
    due = datetime(2026, 12, 1, 9, tzinfo=UTC)
    ids = [sales.add(n, Leadgate_Due__c=due, Leadgate_Day__c=due.date(), NumberOfEmployees=40) for n in range(5)]
    sales.add(9, Email=None)
    sales.go_on(hours=1)
    report = sales.sync()
    assert (report.new, report.unwanted, report.held, report.problem, report.complete) == (5, 1, 0, None, True)
    assert report.pages >= 3
    sales.harness.run(now=sales.now)
    payload = orjson.loads(sales.harness.one("SELECT payload FROM signal ORDER BY id LIMIT 1"))
    assert payload | {"NumberOfEmployees": 40, "Leadgate_Due__c": due.isoformat(), "record_id": ids[0]} == payload

    again = sales.sync()  # the overlap brings records that are known
    assert (again.new, again.complete) == (0, True)
    sales.go_on(hours=1)
    sales.fake.org.change("Lead", ids[3], NumberOfEmployees=41)
    later = sales.sync()
    assert (later.records, later.new) == (1, 1)
    sales.harness.run(now=sales.now)
    assert sales.harness.one("SELECT count(*) FROM lead") == 5
    assert sales.harness.find_broken() == []


def test_what_leadgate_writes_is_no_news_and_what_a_person_writes_is(sales: Sales) -> None:
    sales.sync()
    sales.harness.capture(make_lead(1), make_lead(2))
    sales.harness.run(now=sales.now)
    sales.go_on(minutes=10)
    assert sales.deliver().count("delivered") == 2
    sales.go_on(minutes=10)
    report = sales.sync()
    assert (report.records, report.new, report.echoes) == (2, 0, 2)
    [id] = [id for id, row in sales.fake.org.rows["Lead"].items() if row["Leadgate_Id__c"] == "leadgate-L1"]
    sales.fake.org.change("Lead", id, NumberOfEmployees=7)
    sales.go_on(minutes=10)
    assert sales.sync().new == 1
    assert sales.harness.rows("SELECT reason FROM work_item") == []


def test_deleted_merged_and_converted_leads_are_no_signals_of_their_own(sales: Sales) -> None:
    sales.crm._page_rows = 50  # else the log of deletions brings some that an earlier page has brought
    ids = [sales.add(n) for n in range(5)]
    sales.go_on(hours=1)
    sales.sync()
    sales.harness.run(now=sales.now)
    sales.go_on(hours=1)
    org = sales.fake.org
    org.delete("Lead", ids[0])
    org.purge("Lead", ids[1])  # only the log of deletions knows of it
    org.merge("Lead", ids[2], ids[3])
    org.convert(ids[4])
    sales.go_on(hours=1)
    report = sales.sync()
    assert (report.deleted, report.new, report.problem, report.complete) == (4, 0, None, True)
    assert sales.harness.one("SELECT count(*) FROM signal") == 5
    assert sales.harness.find_broken() == []


def test_a_lead_that_was_converted_is_not_written_any_more(sales: Sales) -> None:
    sales.harness.capture(make_lead(1))
    sales.harness.run(now=sales.now)
    assert sales.deliver().count("delivered") == 1
    [id] = sales.fake.org.rows["Lead"]
    contact = sales.fake.org.convert(id)
    with sales.harness.ledger.transaction() as connection:
        journeys = [row.id for row in connection.execute(text("SELECT id FROM journey"))]
        outbox.tell_crms(connection, journeys, sales.now, kind=CrmMessageKind.WRITE_AGAIN, crm="sales")
    sales.go_on(hours=1)
    before = sales.fake.org.rows["Lead"][id]["SystemModstamp"]
    sales.deliver()
    [(message, detail)] = sales.harness.rows("SELECT message, detail FROM work_item WHERE reason = 'crm_refused'")
    assert "not in the CRM any more" in message
    assert contact in detail
    assert sales.fake.org.rows["Lead"][id]["SystemModstamp"] == before
    assert len(sales.fake.org.rows["Lead"]) == 1


def test_after_a_long_break_changes_are_read_and_unknown_deletions_are_told(sales: Sales) -> None:
    first, second = sales.add(1), sales.add(2)
    sales.go_on(hours=1)
    assert sales.sync().complete
    sales.fake.org.purge("Lead", first)
    sales.go_on(days=20)
    sales.fake.org.change("Lead", second, NumberOfEmployees=5)
    sales.go_on(minutes=5)
    report = sales.sync()
    assert (report.new, report.complete, report.problem) == (1, True, None)
    assert report.deletions_known_from is not None
    assert timedelta(days=14) < sales.now - report.deletions_known_from < timedelta(days=15)
    sales.go_on(hours=1)
    assert sales.sync().deletions_known_from is None


@pytest.mark.parametrize("matching", ["oauth2/token", "/query", "/deleted"])
def test_a_sync_that_salesforce_fails_goes_on_where_it_was(sales: Sales, matching: str) -> None:
    for number in range(5):
        sales.add(number)
    sales.go_on(hours=1)
    sales.fake.batch_rows = 1
    sales.fake.faults.plan(answer_with(200, {}), answer_with(503), matching=matching)
    for _ in range(4):
        report = sales.sync()
        if report.complete:
            break
        assert report.problem
    assert report.complete
    assert sales.harness.one("SELECT count(*) FROM signal") == 5
    kept = crm_positions.read_position(sales.harness.ledger, "sales", "lead")
    assert kept is not None
    assert (kept.failures, kept.error) == (0, None)
