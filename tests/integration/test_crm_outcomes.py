"""Deals of a CRM are outcomes of leads: once, of known leads alone; in memory and over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from crm_fakes.hubspot.connected import TOKEN, Account
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import serve
from crm_following import IDS, LATER, build_connection, deliver, make_book, read
from forked import Child
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate.connectors.crm import ChangePage, CrmObject, CrmRecord, CrmRefusedError
from leadgate.ledger import Ledger, crm_links, crm_positions, open_ledger
from leadgate.settings import Settings
from tasks.crm.sync import SyncReport, sync_crm

FOLLOW_UP = "follow_up: {finished_by: outcome, outcomes: [opportunity, won, lost], lost_outcomes: [lost]}\n"
CRM = """
crm:
  - name: sales
    type: hubspot
    credentials: {token: CRM_TOKEN}
    writes: {owner: owner}
    reads:
      owner: ignore
      deals: {created: opportunity, stages: {closedwon: won, closedlost: lost}}
"""
HTTP = "{owner: ignore, deals: {created: opportunity, stages: {closedwon: won, Closed Won: won}}}"


class Deals:
    """A CRM that has these deals."""

    def __init__(self, *records: CrmRecord) -> None:
        self.records = list(records)
        self.asked: list[str | None] = []
        self.error: Exception | None = None

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        assert (kind, fields) == (CrmObject.DEAL, ["dealstage", "hs_createdate"])
        if self.error is not None:
            raise self.error
        self.asked.append(position)
        return ChangePage(self.records, str(len(self.asked)), has_more=False)

    def make_position(self, since: datetime) -> str:
        return f"since {since:%Y-%m-%d %H:%M}"


def make_deal(
    id: str = "5", *, stage: Any = "open", leads: tuple[str, ...] = ("100",), created: Any = LATER
) -> CrmRecord:
    return CrmRecord(id, {"dealstage": stage, "hs_createdate": created}, LATER, lead_ids=leads)


@pytest.fixture
def owned(ledger: Ledger) -> Harness:
    """A ledger with an owned lead that is record 100, and whose journey an outcome finishes."""
    harness = Harness(ledger, make_book(CRM, IDS, text=PLAYBOOK + FOLLOW_UP))
    harness.begin(make_lead(1))
    with ledger.transaction() as connection:
        crm_links.link_leads(connection, "sales", [(harness.one("SELECT id FROM lead"), "100", "created")], NOW)
    return harness


def sync(harness: Harness, crm: Any) -> SyncReport:
    return sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, LATER)


def test_a_deal_is_an_outcome_of_its_lead(owned: Harness) -> None:
    crm = Deals(make_deal())
    assert sync(owned, crm).outcomes == 1
    owned.run(LATER)
    assert owned.count_statuses() == {"done": 1}
    assert owned.rows("SELECT source, kind, actor, occurred_at FROM activity") == [
        ("crm:sales", "opportunity", "rep", LATER)
    ]
    crm.records = [make_deal(), make_deal(stage="closedlost")]
    assert sync(owned, crm).outcomes == 1
    assert sync(owned, crm).outcomes == 0
    assert [row[0] for row in owned.rows("SELECT kind FROM activity ORDER BY id")] == ["opportunity", "lost"]
    assert crm.asked == [f"since {NOW - timedelta(days=1):%Y-%m-%d %H:%M}", "1", "2"]
    assert owned.find_broken() == []


def test_deals_of_no_known_lead_are_counted_and_ignored(owned: Harness) -> None:
    crm = Deals(
        make_deal(leads=()), make_deal(leads=("7\x00", "\ud800")), make_deal("6", stage={"x": 1}, created="<b>" * 3_000),
        CrmRecord("8", {}, None, is_deleted=True, lead_ids=("100",)), CrmRecord("9" * 8_000, {}, None, lead_ids=("100",)),
    )  # fmt: skip
    report = sync(owned, crm)
    assert (report.problem, report.unlinked, report.outcomes) == (None, 2, 2)


def test_deals_that_the_crm_refuses_leave_the_others_to_be_read(owned: Harness) -> None:
    crm = Deals()
    crm.error = CrmRefusedError("HubSpot refuses this", code="MISSING_SCOPES")
    assert sync(owned, crm).problem == "HubSpot refuses this"
    kept = crm_positions.read_position(owned.ledger, "sales", "deal")
    assert kept is not None
    assert (kept.position, kept.failures) == (None, 1)
    assert owned.rows("SELECT reason FROM work_item") == [("crm_not_read",)]


@pytest.mark.parametrize("point", ["crm.sync.stored", "crm.sync.moved"])
def test_a_sync_that_is_killed_reads_deals_once(owned: Harness, settings: Settings, point: str) -> None:
    crm: Any = Deals(make_deal(stage="closedwon"))
    loaded = owned.loaded

    def sync_in_child() -> None:
        with open_ledger(settings) as ledger:
            sync_crm(ledger, loaded, loaded.playbook.crm[0], crm, LATER)

    assert Child(sync_in_child, failpoint=point).killed
    sync(owned, crm)
    assert owned.one("SELECT count(*) FROM activity") == 2
    owned.run(LATER)
    assert owned.count_statuses() == {"done": 1}


def test_a_deal_of_hubspot_finishes_the_journey(harness: Harness, hubspot: Account) -> None:
    portal = hubspot.portal
    ids = dict.fromkeys(IDS, portal.owners[0]["id"])
    harness.loaded = make_book(build_connection("hubspot", hubspot.base_url, HTTP), ids, text=PLAYBOOK + FOLLOW_UP)
    harness.capture(make_lead(1))
    harness.run()
    assert deliver(harness) == 1
    (contact,) = portal.by_key("contacts").values()
    deal = portal.add_record("deals", dealname="Big", dealstage="closedwon")
    portal.associate("deals", deal.id, "contacts", contact.id)
    portal.add_record("deals", dealname="Another", dealstage="closedwon")

    report = read(harness)

    assert (report.problem, report.outcomes, report.unlinked, report.complete) == (None, 2, 1, True)
    harness.run(LATER)
    assert harness.count_statuses() == {"done": 1}


def test_an_opportunity_of_salesforce_finishes_the_journey(harness: Harness) -> None:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=TOKEN))
    with serve(fake) as url:
        add = fake.org.add
        ids = dict.fromkeys(IDS, add("User", Name="R", Email="r@a.example", IsActive=True, UserType="Standard"))
        harness.loaded = make_book(build_connection("salesforce", url, HTTP), ids, text=PLAYBOOK + FOLLOW_UP)
        harness.capture(make_lead(1), make_lead(2), make_lead(3))
        harness.run()
        assert deliver(harness) == 3
        first, second, third = fake.org.rows["Lead"]
        won = add("Opportunity", Name="Big", StageName="Closed Won")
        contact = fake.org.convert(first, won)
        other = add("Opportunity", Name="Small", StageName="Prospecting")
        add("OpportunityContactRole", OpportunityId=other, ContactId=contact)
        add("Opportunity", Name="Nobody's", StageName="Prospecting")
        later = add("Opportunity", Name="Next", StageName="Closed Won")  # of the contact, after the conversion
        add("OpportunityContactRole", OpportunityId=later, ContactId=fake.org.convert(third))
        with harness.ledger.transaction() as connection:  # the other lead's record is a contact by now
            lead = harness.one("SELECT lead_id FROM crm_link WHERE record_id = :id", id=second)
            crm_links.link_leads(connection, "sales", [(lead, contact, "key")], NOW)

        report = read(harness)

    assert (report.problem, report.outcomes, report.unlinked) == (None, 6, 1)
    harness.run(LATER)
    assert harness.count_statuses() == {"done": 3}
    assert fake.errors == []
