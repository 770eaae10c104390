"""Opportunities and contracts that a CRM has, over real HTTP: each change is an update that goes through the stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_fakes.hubspot.connected import TOKEN, Account
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import answer_with, serve
from deals_of_hubspot import HUBSPOT, KINDS, SOURCES, add_deal, sync, take
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.connectors.salesforce import ClientCredentials, Salesforce
from leadgate.connectors.service_session import Policy, ServiceSession
from leadgate.ledger import Ledger, crm_positions
from tasks.crm.check import check_connection
from tasks.crm.setup import set_up_connection
from tasks.crm.sync import SyncReport

SALESFORCE = """
crm:
  - name: sales
    type: salesforce
    url: https://sales.my.salesforce.com
    credentials: {client_id: SALESFORCE_ID, client_secret: SALESFORCE_SECRET}
    reads: {opportunities: {source: deals}, contracts: {source: contracts}}
"""
ENVIRON = {"HUBSPOT_TOKEN": TOKEN, "SALESFORCE_ID": "app", "SALESFORCE_SECRET": TOKEN}
QUICK = Policy(repeats=1, first_wait=0.001, longest_wait=0.01, allow_private=True)


def make_harness(ledger: Ledger, section: str) -> Harness:
    text = PLAYBOOK.replace("sources:\n", SOURCES, 1).replace(
        "manager: mia}", "manager: mia, email: rep@example.com}", 1
    )
    return Harness(ledger, playbooks.parse(text + KINDS + section, path=Path("tests.yaml")))


# --- HubSpot ----------------------------------------------------------------------------------------------


@pytest.fixture
def desk(ledger: Ledger) -> Harness:
    return make_harness(ledger, HUBSPOT)


def test_a_deal_of_hubspot_goes_through_the_stages_to_its_owner(desk: Harness, hubspot: Account) -> None:
    deal = add_deal(hubspot)
    first, main = (hubspot.portal.add_record("companies", name=name) for name in ("Acme Berlin", "Acme"))
    hubspot.portal.associate("deals", deal.id, "companies", first.id)
    hubspot.portal.associate("deals", deal.id, "companies", main.id, 5)
    report = sync(desk, hubspot.crm)
    assert (report.new, report.held, report.problem, report.complete) == (1, 0, None, True)
    desk.run()
    rep = desk.loaded.playbook.reps[0].name
    assert desk.rows("SELECT key, account, owner, sales_stage, amount::int, close_date, is_open FROM record") == [
        (deal.id, "Acme", rep, "needs_analysis", 8000, date(2026, 4, 30), True)
    ]
    assert desk.rows("SELECT status, lead_id FROM journey") == [("owned", None)]
    assert desk.one("SELECT owner FROM assignment WHERE ended_at IS NULL") == rep
    assert desk.find_broken() == []


def test_a_deal_that_moves_on_is_a_version_and_the_same_deal_again_is_no_news(desk: Harness, hubspot: Account) -> None:
    deal = add_deal(hubspot)
    sync(desk, hubspot.crm)
    take(desk)
    assert sync(desk, hubspot.crm).new == 0
    user = hubspot.portal.owners[0]["userId"]
    hubspot.portal.edit(deal, by=user, dealstage="contractsent", closedate="2026-05-15T00:00:00.000Z")
    assert sync(desk, hubspot.crm).new == 1
    take(desk, NOW + timedelta(hours=1))
    [(changes, facts)] = desk.rows(
        "SELECT v.changes, j.facts FROM record_version v JOIN record_judgement j ON j.journey_id = v.journey_id "
        "WHERE v.number = 2"
    )
    assert changes["sales_stage"] == ["needs_analysis", "negotiation"]
    assert changes["close_date"] == ["2026-04-30", "2026-05-15"]
    assert facts["pushed_days"] == 15
    assert desk.find_broken() == []


def test_a_deal_that_comes_back_to_an_earlier_state_is_news(desk: Harness, hubspot: Account) -> None:
    deal = add_deal(hubspot)
    told = [sync(desk, hubspot.crm).new]
    for amount in ("9000", "8000"):
        hubspot.portal.edit(deal, amount=amount)
        told.append(sync(desk, hubspot.crm).new)
    assert told == [1, 1, 1]
    take(desk)
    assert desk.one("SELECT amount::int FROM record") == 8000
    assert desk.find_broken() == []


def test_a_stage_that_the_playbook_does_not_know_is_held_with_what_to_do(desk: Harness, hubspot: Account) -> None:
    hubspot.portal.add_stage("1098765", "Legal review", pipeline="99")
    add_deal(hubspot, dealstage="1098765", pipeline="99")
    sync(desk, hubspot.crm)
    take(desk)
    [(message,)] = desk.rows("SELECT message FROM work_item")
    assert "Legal review" in message
    assert "1098765" not in message


def test_deals_are_read_page_by_page(desk: Harness, hubspot: Account) -> None:
    for number in range(203):
        add_deal(hubspot, dealname=f"Deal {number}")
    report = sync(desk, hubspot.crm)
    assert (report.new, report.problem, report.complete) == (203, None, True)
    assert report.pages >= 2
    assert sync(desk, hubspot.crm).new == 0


@pytest.mark.parametrize("matching", ["pipelines", "associations", "deals/search", "companies", "owners"])
def test_a_sync_that_hubspot_fails_goes_on_where_it_was(desk: Harness, hubspot: Account, matching: str) -> None:
    company = hubspot.portal.add_record("companies", name="Acme")
    for number in range(3):
        deal = add_deal(hubspot, dealname=f"Deal {number}")
        hubspot.portal.associate("deals", deal.id, "companies", company.id)
    hubspot.fake.faults.plan(answer_with(200, {}), matching=matching)
    assert sync(desk, hubspot.crm).problem is not None
    assert desk.one("SELECT count(*) FROM signal") == 0
    report = sync(desk, hubspot.crm)
    assert (report.new, report.problem, report.complete) == (3, None, True)


def test_a_limit_of_the_day_and_a_token_that_has_expired_are_told(desk: Harness, hubspot: Account) -> None:
    add_deal(hubspot)
    hubspot.fake.limits.used_today = hubspot.fake.limits.daily
    limited = sync(desk, hubspot.crm)
    assert limited.wait_seconds is not None
    hubspot.fake.limits.used_today = 0
    hubspot.fake.token = "another"  # noqa: S105
    refused = sync(desk, hubspot.crm)
    assert "token" in str(refused.problem)
    kept = crm_positions.read_position(desk.ledger, "sales", "opportunity")
    assert kept is not None
    assert (kept.failures, kept.position) == (2, None)
    hubspot.fake.token = TOKEN
    assert sync(desk, hubspot.crm).new == 1


@pytest.mark.parametrize(
    ("scope", "subject"),
    [("crm.objects.deals.read", "reading deals"), ("crm.objects.companies.read", "reading companies")],
)
def test_check_and_setup_tell_a_scope_that_is_missing(
    desk: Harness, hubspot: Account, scope: str, subject: str
) -> None:
    [connection], playbook = desk.loaded.playbook.crm, desk.loaded.playbook
    assert check_connection(playbook, connection, ENVIRON, lambda: hubspot.connect()).findings == []
    hubspot.portal.scopes -= {scope}
    for ask in (check_connection, set_up_connection):
        report = ask(playbook, connection, ENVIRON, lambda: hubspot.connect())
        [found] = [each for each in report.findings if each.subject == subject]
        assert scope in found.advice
        assert not report.is_ready


def test_a_deal_that_is_deleted_in_hubspot_is_followed_up_no_more(desk: Harness, hubspot: Account) -> None:
    deal, other = add_deal(hubspot), add_deal(hubspot, dealname="Other")
    sync(desk, hubspot.crm)
    take(desk)
    hubspot.portal.archive(deal)
    report = sync(desk, hubspot.crm)
    assert (report.deleted, report.ended, report.new) == (1, 1, 0)
    assert desk.rows(
        "SELECT r.key, r.is_open, j.status FROM record r JOIN journey j ON j.record_id = r.id ORDER BY r.id"
    ) == [
        (deal.id, False, "done"),
        (other.id, True, "owned"),
    ]
    assert sync(desk, hubspot.crm).ended == 0
    assert desk.rows("SELECT target FROM outbox WHERE kind = 'record_deleted'") == [
        (desk.loaded.playbook.reps[0].name,)
    ]
    assert desk.find_broken() == []


def test_a_deal_that_is_restored_as_it_was_goes_to_its_owner_again(desk: Harness, hubspot: Account) -> None:
    deal = add_deal(hubspot)
    sync(desk, hubspot.crm)
    take(desk)
    hubspot.portal.archive(deal)
    sync(desk, hubspot.crm, NOW + timedelta(minutes=1))
    hubspot.portal.restore(deal)
    assert sync(desk, hubspot.crm, NOW + timedelta(minutes=2)).new == 1
    take(desk, NOW + timedelta(minutes=2))
    assert desk.rows("SELECT is_open, owner FROM record") == [(True, desk.loaded.playbook.reps[0].name)]
    assert desk.rows("SELECT status FROM journey ORDER BY id") == [("done",), ("owned",)]
    assert desk.find_broken() == []


def test_a_deal_that_is_merged_into_another_is_gone_once(desk: Harness, hubspot: Account) -> None:
    deal, other = add_deal(hubspot), add_deal(hubspot, dealname="Other")
    sync(desk, hubspot.crm)
    take(desk)
    hubspot.portal.merge(other, deal)
    assert sync(desk, hubspot.crm, NOW + timedelta(minutes=1)).ended == 1
    hubspot.portal.edit(other, amount="9000")
    assert sync(desk, hubspot.crm, NOW + timedelta(minutes=2)).ended == 0
    assert desk.one("SELECT count(*) FROM record_deletion") == 1
    assert desk.rows("SELECT key FROM record WHERE is_open") == [(other.id,)]
    assert desk.find_broken() == []


# --- Salesforce -------------------------------------------------------------------------------------------


@dataclass
class Org:
    """A ledger, the fake org that it reads, and the clock of both."""

    harness: Harness
    fake: FakeSalesforce
    crm: Salesforce
    owner: str
    account: str
    now: datetime = NOW

    def go_on(self, **time: float) -> None:
        self.now += timedelta(**time)

    def add_opportunity(self, **values: Any) -> str:
        given = {
            "Name": "Acme 100 seats", "StageName": "Proposal/Price Quote", "Amount": 20_000.0, "OwnerId": self.owner,
            "CloseDate": date(2026, 4, 30), "AccountId": self.account, "ForecastCategoryName": "Best Case",
        }  # fmt: skip
        return self.fake.org.add("Opportunity", **given | values)

    def sync(self) -> SyncReport:
        self.go_on(minutes=10)
        return sync(self.harness, self.crm, self.now)

    def run(self) -> None:
        take(self.harness, self.now)


@pytest.fixture
def org(ledger: Ledger) -> Iterator[Org]:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=TOKEN))
    with serve(fake) as url, ServiceSession("Salesforce", policy=QUICK) as session:
        owner = fake.org.add("User", Name="Rep", Email="rep@example.com", IsActive=True, UserType="Standard")
        account = fake.org.add("Account", Name="Acme")
        crm = Salesforce(url, session, ClientCredentials("app", TOKEN), page_rows=2)
        made = Org(make_harness(ledger, SALESFORCE), fake, crm, owner, account)
        crm._now = fake.org.clock = lambda: made.now
        yield made
    assert fake.errors == []


def test_an_opportunity_of_salesforce_goes_through_the_stages_to_its_owner(org: Org) -> None:
    ids = [org.add_opportunity(Name=f"Deal {number}") for number in range(5)]
    report = org.sync()
    assert (report.new, report.held, report.problem, report.complete) == (5, 0, None, True)
    assert report.pages >= 3
    org.run()
    desk = org.harness
    rep = desk.loaded.playbook.reps[0].name
    assert desk.rows("SELECT key, account, owner, sales_stage, amount::int, category FROM record ORDER BY key") == [
        (id, "Acme", rep, "proposal", 20_000, "best_case") for id in sorted(ids)
    ]
    assert desk.count_statuses()["owned"] == 5
    assert org.sync().new == 0
    assert desk.find_broken() == []


def test_a_close_date_that_is_pushed_in_salesforce_asks_the_manager(org: Org) -> None:
    id = org.add_opportunity()
    org.sync()
    org.run()
    org.fake.org.change("Opportunity", id, by=org.owner, CloseDate=date(2026, 7, 1))
    assert org.sync().new == 1
    org.run()
    desk = org.harness
    assert desk.rows("SELECT kind, reason FROM work_item") == [("review", "approval_needed")]
    assert desk.rows("SELECT number, changed_by, changes FROM record_version WHERE number = 2") == [
        (2, desk.loaded.playbook.reps[0].name, {"close_date": ["2026-04-30", "2026-07-01"]})
    ]
    assert desk.find_broken() == []


def test_a_value_that_is_emptied_in_salesforce_is_empty(org: Org) -> None:
    id = org.add_opportunity(NextStep="Send the contract")
    org.sync()
    org.run()
    org.fake.org.change("Opportunity", id, NextStep=None)
    assert org.sync().new == 1
    org.run()
    assert org.harness.one("SELECT values ->> 'next_step' FROM record") is None


@pytest.mark.parametrize("way", ["delete", "purge"])
def test_an_opportunity_that_is_deleted_in_salesforce_is_followed_up_no_more(org: Org, way: str) -> None:
    id, other = org.add_opportunity(), org.add_opportunity(Name="Other")
    org.sync()
    org.run()
    getattr(org.fake.org, way)("Opportunity", id)
    assert org.sync().ended == 1
    desk = org.harness
    rep = desk.loaded.playbook.reps[0].name
    assert desk.rows("SELECT key FROM record WHERE is_open") == [(other,)]
    assert desk.count_statuses() == {"done": 1, "owned": 1}
    assert desk.rows("SELECT target FROM outbox WHERE kind = 'record_deleted'") == [(rep,)]
    assert org.sync().ended == 0
    assert desk.find_broken() == []


def test_a_contract_that_nears_its_end_has_an_owner_for_its_renewal(org: Org) -> None:
    end = org.now.date() + timedelta(days=60)
    given = {"AccountId": org.account, "OwnerId": org.owner, "Status": "Activated"}
    near = org.fake.org.add("Contract", **given, ContractNumber="00000101", EndDate=end)
    later = org.fake.org.add("Contract", **given, ContractNumber="00000102", EndDate=end + timedelta(days=400))
    assert org.sync().new == 2
    org.run()
    desk = org.harness
    rep = desk.loaded.playbook.reps[0].name
    assert desk.rows(
        "SELECT r.key, r.kind, r.name, r.account, j.status, a.owner FROM record r JOIN journey j ON j.record_id = r.id "
        "LEFT JOIN assignment a ON a.journey_id = j.id ORDER BY r.name"
    ) == [
        (near, "renewal", "00000101", "Acme", "owned", rep),
        (later, "renewal", "00000102", "Acme", "nurture", None),
    ]
    assert desk.find_broken() == []


@pytest.mark.parametrize("hidden", ["Account", "Contract", "Opportunity"])
def test_check_tells_an_object_that_may_not_be_read(org: Org, hidden: str) -> None:
    [connection], playbook = org.harness.loaded.playbook.crm, org.harness.loaded.playbook

    def check() -> Any:
        session = ServiceSession("Salesforce", policy=QUICK)
        crm = Salesforce(org.crm._client._base, session, ClientCredentials("app", TOKEN))
        return check_connection(playbook, connection, ENVIRON, lambda: crm)

    assert check().findings == []
    del org.fake.org.schemas[hidden]
    report = check()
    assert not report.is_ready
    assert report.findings
