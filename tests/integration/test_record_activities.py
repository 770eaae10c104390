"""What reps do about records, by files and by CRMs: whose record it is, also when it is known later, and its clock."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_fakes.hubspot.connected import Account
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import serve
from crm_following import ENVIRON, read
from harness import NOW, PLAYBOOK, Harness
from posting import HTTP_PLAYBOOK, Client
from stub_gates import pass_all

from leadgate import playbook as playbooks
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, activities
from leadgate.ledger.clock import ask_time
from tasks.activities import Reader
from tasks.batches import run_waiting

SOURCES = "sources:\n  deals: {kind: opportunities}\n  contracts: {kind: renewals}\n"
KINDS = "kinds: {opportunity: {}, renewal: {}}\n"
LATER = NOW + timedelta(hours=1)
TOUCHED = "SELECT touched_at FROM assignment"
CRM = """
crm:
  - name: sales
    type: {type}
    url: {url}
    allow_private: true
    credentials: {credentials}
    reads: {reads}
"""


def make_book(section: str = "", address: str = "") -> Any:
    text = PLAYBOOK.replace("sources:\n", SOURCES, 1)
    if address:
        text = text.replace("{name: ana, manager: mia}", f"{{name: ana, manager: mia, email: {address}}}")
    return playbooks.parse(text + KINDS + section, path=Path("tests.yaml"))


def deal(**more: str) -> dict[str, str]:
    return {
        "Id": "006A", "Opportunity Name": "Acme", "Owner": "ana", "Stage": "Prospecting",
        "Last Modified Date": "2026-03-04T08:00:00Z",
    } | more  # fmt: skip


def run(desk: Harness, now: Any = NOW) -> None:
    run_waiting(desk.worker(), lambda: now, check=pass_all)


@pytest.fixture
def desk(ledger: Ledger) -> Harness:
    harness = Harness(ledger, make_book())

    def work() -> None:
        harness.capture(deal(), source="deals")
        run(harness)

    harness.begin_with("a deal of ana's", work)
    return harness


def log(desk: Harness, **columns: str) -> None:
    """A row of an export of activities."""
    row = {"Activity": "Call", "Date": LATER.isoformat(), "Rep": "ana"} | columns
    parted = Reader("activities", "calls.csv", desk.loaded.playbook, LATER).sort([Row(2, row)])
    assert parted.held == []
    with desk.ledger.transaction() as connection:
        activities.store_activities(connection, parted.activities, LATER)
        activities.match_activities(connection, LATER)


@pytest.mark.parametrize("columns", [{"record": "R1"}, {"Deal ID": "006A"}, {"Associated Deal IDs": "006A; 006B"}])
def test_a_row_that_names_a_record_stops_its_clock_without_an_address(desk: Harness, columns: dict[str, str]) -> None:
    log(desk, **columns)
    run(desk, LATER)
    assert desk.one(TOUCHED) == LATER
    assert desk.rows("SELECT record_id, lead_id, email FROM activity") == [(1, None, None)]
    assert desk.find_broken() == []


def test_a_row_about_a_record_that_is_not_known_yet_finds_it_later(desk: Harness) -> None:
    log(desk, **{"Deal ID": "006B"})
    assert desk.one("SELECT record_id FROM activity") is None
    desk.capture(deal(Id="006B"), source="deals", now=LATER)
    run(desk, LATER)
    run(desk, LATER)
    assert desk.one("SELECT r.key FROM activity a JOIN record r ON r.id = a.record_id") == "006B"
    assert desk.find_broken() == []


def test_an_id_that_two_sources_have_names_neither(desk: Harness) -> None:
    desk.capture({"Id": "006A", "Account": "Acme", "Owner": "bob", "End Date": "2026-04-30"}, source="contracts")
    run(desk)
    log(desk, **{"Deal ID": "006A"})
    assert desk.one("SELECT record_id FROM activity") is None
    log(desk, record="R1", Date=(LATER - timedelta(minutes=1)).isoformat())
    assert desk.rows("SELECT record_id FROM activity ORDER BY id") == [(None,), (1,)]


def test_without_records_in_the_playbook_a_row_needs_an_address() -> None:
    row = Row(2, {"Activity": "Call", "Date": LATER.isoformat(), "Deal ID": "006A", "Email": ""})
    book = playbooks.parse(PLAYBOOK, path=Path("tests.yaml")).playbook
    parted = Reader("activities", "calls.csv", book, LATER).sort([row])
    assert (parted.activities, parted.held_lines) == ([], [2])


def test_a_call_about_a_deal_of_hubspot_is_the_records_also_before_the_deal_is_known(
    ledger: Ledger, hubspot: Account
) -> None:
    portal, url = hubspot.portal, hubspot.base_url
    owner = portal.owners[0]
    reads = "{opportunities: deals, activities: [call]}"
    section = CRM.format(type="hubspot", url=url, credentials="{token: CRM_TOKEN}", reads=reads)
    desk = Harness(ledger, make_book(section, owner["email"]))
    made = portal.add_record("deals", dealname="Acme", dealstage="appointmentscheduled", hubspot_owner_id=owner["id"])

    def call(at: Any) -> None:
        one = portal.add_record(
            "calls", hubspot_owner_id=owner["id"], hs_timestamp=at.isoformat(), hs_call_direction="OUTBOUND",
            hs_call_status="COMPLETED",
        )  # fmt: skip
        portal.associate("calls", one.id, "deals", made.id)

    call(NOW)
    report = read(desk, NOW)
    assert (report.problem, report.new, report.activities, report.unlinked) == (None, 1, 1, 0)
    run(desk)
    run(desk)
    assert desk.rows("SELECT record_id, lead_id FROM activity") == [(1, None)]
    call(LATER)
    assert read(desk, LATER).activities == 1
    run(desk, LATER)
    assert desk.one("SELECT count(*) FROM activity WHERE record_id = 1") == 2
    assert desk.one(TOUCHED) is not None
    assert read(desk, LATER).activities == 0
    assert desk.find_broken() == []


def test_tasks_and_events_of_salesforce_are_those_of_the_opportunity_they_name(ledger: Ledger) -> None:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=ENVIRON["CRM_TOKEN"]))
    fake.org.clock = lambda: LATER
    with serve(fake) as url:
        owner = fake.org.add("User", Name="Ana", Email="ana@a.example", IsActive=True, UserType="Standard")
        reads = "{opportunities: deals, activities: [call, meeting]}"
        credentials = "{client_id: CRM_ID, client_secret: CRM_TOKEN}"
        section = CRM.format(type="salesforce", url=url, credentials=credentials, reads=reads)
        desk = Harness(ledger, make_book(section, "ana@a.example"))
        won = fake.org.add("Opportunity", Name="Acme", StageName="Prospecting", OwnerId=owner)
        fake.org.add(
            "Task", WhatId=won, OwnerId=owner, Status="Completed", CompletedDateTime=LATER, TaskSubtype="Call",
            CallType="Outbound",
        )  # fmt: skip
        fake.org.add("Event", WhatId=won, OwnerId=owner, StartDateTime=LATER)
        report = read(desk, LATER)
        assert (report.problem, report.activities, report.unlinked) == (None, 2, 0)
        run(desk, LATER)
        run(desk, LATER)
        assert desk.rows("SELECT kind, record_id, rep FROM activity ORDER BY kind") == [
            ("call", 1, "ana"), ("meeting", 1, "ana")
        ]  # fmt: skip
        assert desk.rows(TOUCHED) == [(LATER,)]
        assert desk.find_broken() == []
    assert fake.errors == []


@pytest.fixture
def loaded() -> Any:
    """For what is posted."""
    text = HTTP_PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n", 1)
    return playbooks.parse(text + "kinds: {opportunity: {}}\n", path=Path("tests.yaml"))


def test_an_activity_that_is_posted_names_its_record(harness: Harness, client: Client) -> None:
    harness.capture(deal(), source="deals")
    run(harness)
    happened = {"kind": "call", "rep": "ana", "date": LATER.isoformat(), "record": "R1"}
    answer = client.post([happened, {"kind": "call", "date": LATER.isoformat()}], "activities")
    assert [sorted(each) for each in answer.data["activities"]] == [["id", "new"], ["held_as_signal", "new"]]
    run(harness, ask_time(harness.ledger))  # the door goes by the ledger's clock
    assert harness.rows("SELECT record_id, rep FROM activity") == [(1, "ana")]
    assert harness.one(TOUCHED) == LATER
