"""What reps log in a CRM are activities of their leads: touches, whose, once, of known leads alone; also over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from crm_fakes.hubspot.connected import Account
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import serve
from crm_following import ENVIRON, IDS, LATER, build_connection, deliver, find_owner, make_book, read
from forked import Child
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate.connectors.crm import ActivityPage, CrmActivity, CrmObject, CrmOwner, CrmRecord, CrmRefusedError
from leadgate.connectors.hubspot.activities import PROPERTIES
from leadgate.connectors.hubspot.activities import read_activity as read_hubspot_activity
from leadgate.connectors.salesforce.activities import FIELDS
from leadgate.connectors.salesforce.activities import read_activity as read_salesforce_activity
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.ledger import Ledger, crm_links, crm_positions, crm_tasks, open_ledger
from leadgate.ledger.crm_tasks import WrittenTask
from leadgate.settings import Settings
from tasks.crm.check import ask_activities
from tasks.crm.sync import SyncReport, sync_crm

FOLLOW_UP = "follow_up: {touches: [{kind: call, min_seconds: 10}, email, meeting, task]}\n"
CRM = """
crm:
  - name: sales
    type: hubspot
    credentials: {token: CRM_TOKEN}
    writes: {owner: owner}
    reads:
      owner: ignore
      activities: {call: call, email: email, task: task}
"""
HTTP = "{owner: ignore, activities: [call, email, meeting, task]}"


class Activities:
    """A CRM that has these activities in one kind of records."""

    activity_kinds: Mapping[CrmObject, frozenset[CrmObject]] = {CrmObject.TASK: frozenset(CrmObject)}

    def __init__(self, *found: CrmActivity) -> None:
        self.found = list(found)
        self.asked: list[str | None] = []

    def read_activities(self, kind: CrmObject, position: str | None) -> ActivityPage:
        assert kind is CrmObject.TASK
        self.asked.append(position)
        return ActivityPage(self.found, str(len(self.asked)), has_more=False)

    def make_position(self, since: datetime) -> str:
        return f"since {since:%Y-%m-%d}"

    def list_owners(self) -> list[CrmOwner]:
        return []


def make_activity(owner: str | None = "1", **more: Any) -> CrmActivity:
    made = CrmActivity("5", CrmObject.CALL, ("100",), owner, LATER, LATER, seconds=95)
    return replace(made, **more)


@pytest.fixture
def owned(ledger: Ledger) -> Harness:
    """A ledger with an owned lead that is record 100."""
    harness = Harness(ledger, make_book(CRM, IDS, text=PLAYBOOK + FOLLOW_UP))
    harness.begin(make_lead(1))
    with ledger.transaction() as connection:
        crm_links.link_leads(connection, "sales", [(harness.one("SELECT id FROM lead"), "100", "created")], NOW)
    return harness


def sync(harness: Harness, crm: Any) -> SyncReport:
    return sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, LATER)


def is_touched(harness: Harness) -> bool:
    harness.run(LATER)
    return bool(harness.one("SELECT touched_at IS NOT NULL FROM assignment"))


def test_a_call_of_the_owner_stops_the_clock(owned: Harness) -> None:
    crm = Activities(make_activity(IDS[find_owner(owned)]))
    assert sync(owned, crm).activities == 1
    assert is_touched(owned)
    assert owned.one("SELECT touched_at FROM assignment") == LATER
    told = owned.rows("SELECT source, kind, actor, rep, seconds, email, lead_id IS NOT NULL FROM activity")
    assert told == [("crm:sales", "call", "rep", owned.one("SELECT owner FROM assignment"), 95, None, True)]
    assert sync(owned, crm).activities == 0
    assert crm.asked == [f"since {NOW - timedelta(days=1):%Y-%m-%d}", "1"]
    kept = crm_positions.read_position(owned.ledger, "sales", "task")
    assert kept is not None
    assert (kept.position, kept.records) == ("2", 2)
    assert owned.find_broken() == []


def test_what_is_no_touch_of_the_owner(owned: Harness) -> None:
    owner = IDS[find_owner(owned)]
    other = next(id for id in IDS.values() if id != owner)
    counted = [
        make_activity(other, id="1"),
        make_activity("77", id="2"),  # whom the CRM does not list
        make_activity(None, id="3"),
        make_activity(owner, id="4", seconds=3),  # shorter than a touch
        make_activity(owner, id="5", occurred_at=NOW - timedelta(days=3)),  # before the assignment
    ]
    passed_over = [
        make_activity(owner, id="6", is_inbound=True),
        make_activity(owner, id="7", is_done=False),
        make_activity(owner, id="8", kind=CrmObject.MEETING),  # which the playbook does not read
        make_activity(owner, id="9", occurred_at=LATER + timedelta(days=1)),
        make_activity(owner, id="10", kind=CrmObject.TASK, key="leadgate-J99-1"),  # of another ledger
    ]
    unlinked = [make_activity(owner, id="11", lead_ids=()), make_activity(owner, id="12", lead_ids=("7\x00", "\ud800"))]
    report = sync(owned, Activities(*counted, *passed_over, *unlinked))
    assert (report.problem, report.activities, report.passed_over, report.unlinked) == (None, 5, 5, 2)
    assert not is_touched(owned)
    names = {row[0] for row in owned.rows("SELECT rep FROM activity WHERE seconds = 95")}
    assert "somebody in sales" in names


def test_hostile_activities_are_stored_as_far_as_they_can_be(owned: Harness) -> None:
    crm = Activities(
        make_activity("9" * 8_000, id="<b>\x00\ud800" + "x" * 8_000),
        make_activity("\x00", id="2", occurred_at=None, seconds=None),
        make_activity("1", id="3", occurred_at=datetime(2026, 3, 4, 10, 1)),  # noqa: DTZ001 - without a zone
    )
    report = sync(owned, crm)
    assert (report.problem, report.activities) == (None, 3)


ODD: list[Any] = [
    *(None, "", "x" * 8_000, True, -1, 10**400, float("nan"), float("inf"), "999999999999999", "\x00\ud800"),
    *(date(1, 1, 1), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), datetime(2026, 3, 4, 10)),  # noqa: DTZ001
]


def test_odd_values_of_activities_are_read_and_stored(owned: Harness) -> None:
    found = []
    for number, odd in enumerate(ODD):
        for kind, names in PROPERTIES.items():
            record = CrmRecord(f"h{number}", dict.fromkeys(names, odd), LATER, lead_ids=("100",))
            found.append(read_hubspot_activity(kind, record, "leadgate_id"))
        for kind, names in FIELDS.items():
            record = CrmRecord(f"s{number}", dict.fromkeys(names, odd) | {"WhoId": "100", "IsClosed": True}, LATER)
            found.append(read_salesforce_activity(kind, record, "Leadgate_Id__c"))
    report = sync(owned, Activities(*found, make_activity(id="9", seconds=10**12)))
    assert (report.problem, report.unlinked) == (None, 0)
    assert report.activities > len(ODD)


def test_the_follow_up_task_that_its_owner_completes_is_a_touch_and_not_what_leadgate_completes(owned: Harness) -> None:
    lead, journey = owned.rows("SELECT lead_id, id FROM journey")[0]
    owner = IDS[find_owner(owned)]
    crm = Activities(
        make_activity(owner, id="t1", kind=CrmObject.TASK, key=f"leadgate-J{journey}-0", lead_ids=(), seconds=None)
    )

    def keep(*, is_done: bool) -> None:
        generation = owned.one("SELECT generation FROM assignment")
        with owned.ledger.transaction() as connection:
            task = WrittenTask(lead, journey, generation, "t1", owner, "", is_done)
            crm_tasks.keep_tasks(connection, "sales", [task], NOW)

    keep(is_done=True)
    report = sync(owned, crm)
    assert (report.activities, report.passed_over) == (0, 1)
    keep(is_done=False)
    assert sync(owned, crm).activities == 1
    assert is_touched(owned)
    crm.found = [replace(crm.found[0], id="t1", occurred_at=LATER)]
    assert sync(owned, crm).passed_over == 1


@pytest.mark.parametrize("point", ["crm.sync.stored", "crm.sync.moved"])
def test_a_sync_that_is_killed_reads_activities_once(owned: Harness, settings: Settings, point: str) -> None:
    crm: Any = Activities(make_activity(IDS[find_owner(owned)]))
    loaded = owned.loaded

    def sync_in_child() -> None:
        with open_ledger(settings) as ledger:
            sync_crm(ledger, loaded, loaded.playbook.crm[0], crm, LATER)

    assert Child(sync_in_child, failpoint=point).killed
    sync(owned, crm)
    assert owned.one("SELECT count(*) FROM activity") == 1
    assert is_touched(owned)


def test_owners_who_cannot_be_listed_leave_the_page_to_the_next_sync(owned: Harness) -> None:
    class Silent(Activities):
        def list_owners(self) -> list[CrmOwner]:
            raise ServiceUnreachableError("it did not answer in time", sent=True)

    assert sync(owned, Silent(make_activity("77"))).problem == "it did not answer in time"
    assert owned.one("SELECT count(*) FROM activity") == 0
    assert sync(owned, Activities(make_activity("77"))).activities == 1


def test_a_check_names_the_activities_that_the_crm_refuses() -> None:
    class Refusing(Activities):
        def read_activities(self, kind: CrmObject, position: str | None) -> ActivityPage:
            raise CrmRefusedError("HubSpot refuses this", code="MISSING_SCOPES")

    connection = make_book(CRM, IDS).playbook.crm[0]
    crm: Any = Refusing()
    (found,) = ask_activities(connection, crm)
    assert (found.subject, found.problem, found.is_blocking) == (
        "reading activities: task",
        "HubSpot refuses this",
        True,
    )


def test_hubspot_calls_emails_meetings_and_tasks(harness: Harness, hubspot: Account) -> None:
    portal = hubspot.portal
    ids = {rep: portal.add_owner(f"{rep}@example.com") for rep in IDS}
    text = PLAYBOOK + FOLLOW_UP
    harness.loaded = make_book(build_connection("hubspot", hubspot.base_url, HTTP), ids, text=text)
    harness.capture(make_lead(1), make_lead(2))
    harness.run()
    assert deliver(harness) == 2
    first, second = (portal.by_key("contacts")[f"leadgate-L{number}"] for number in (1, 2))
    owner = {"hubspot_owner_id": first.values["hubspot_owner_id"], "hs_timestamp": LATER.isoformat()}
    logged = [
        ("calls", {"hs_call_direction": "OUTBOUND", "hs_call_status": "COMPLETED", "hs_call_duration": "95000"}),
        ("calls", {"hs_call_direction": "INBOUND", "hs_call_status": "COMPLETED"}),
        ("calls", {"hs_call_direction": "OUTBOUND", "hs_call_status": "CANCELED"}),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "SENT"}),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "SENT", "hs_sequence_id": "7"}),
        ("emails", {"hs_email_direction": "INCOMING_EMAIL"}),
        ("meetings", {"hs_meeting_start_time": LATER.isoformat(), "hs_meeting_outcome": "COMPLETED"}),
        ("meetings", {"hs_meeting_start_time": (LATER + timedelta(days=2)).isoformat()}),
    ]
    for kind, values in logged:
        record = portal.add_record(kind, **owner, **values)
        portal.associate(kind, record.id, "contacts", first.id)
    portal.add_record("calls", **owner)
    # the follow-up task of the other lead is completed by its owner
    task = next(
        each
        for each in portal.by_key("tasks").values()
        if portal.related("tasks", each.id, "contacts")[0][0] == second.id
    )
    portal.edit(task, hs_task_status="COMPLETED", hs_task_completion_date=LATER.isoformat())

    report = read(harness)

    assert (report.problem, report.activities, report.unlinked) == (None, 5, 1)
    told = harness.rows("SELECT lead_id, kind, seconds, automatic FROM activity ORDER BY lead_id, kind, automatic")
    assert told == [
        (1, "call", 95, None), (1, "email", None, False), (1, "email", None, True), (1, "meeting", None, None),
        (2, "task", None, None),
    ]  # fmt: skip
    harness.run(LATER)
    assert harness.rows("SELECT touched_at IS NOT NULL FROM assignment") == [(True,), (True,)]
    assert read(harness).activities == 0
    assert read(harness, LATER + timedelta(days=3)).activities == 1  # the meeting that was planned
    assert read(harness, LATER + timedelta(days=30)).activities == 0
    assert ENVIRON["CRM_TOKEN"] not in str(harness.rows("SELECT * FROM activity"))


def test_salesforce_tasks_and_events(harness: Harness) -> None:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=ENVIRON["CRM_TOKEN"]))
    with serve(fake) as url:
        add = fake.org.add
        ids = {rep: add("User", Name=rep, Email=f"{rep}@a.example", IsActive=True, UserType="Standard") for rep in IDS}
        harness.loaded = make_book(build_connection("salesforce", url, HTTP), ids, text=PLAYBOOK + FOLLOW_UP)
        harness.capture(make_lead(1), make_lead(2))
        harness.run()
        assert deliver(harness) == 2
        (first, row), (second, _) = fake.org.rows["Lead"].items()
        by = {"WhoId": first, "OwnerId": row["OwnerId"], "Status": "Completed", "CompletedDateTime": LATER}
        add("Task", **by, TaskSubtype="Call", CallType="Outbound", CallDurationInSeconds=95)
        add("Task", **by, TaskSubtype="Call", CallType="Inbound")
        add("Task", **by, TaskSubtype="ListEmail")
        add("Task", **by | {"Status": "Not Started", "CompletedDateTime": None}, TaskSubtype="Call")
        add("Event", WhoId=first, OwnerId=row["OwnerId"], StartDateTime=LATER)
        add("Event", WhoId=first, OwnerId=row["OwnerId"], StartDateTime=LATER, IsChild=True)
        add("Event", OwnerId=row["OwnerId"], StartDateTime=LATER)
        add("Event", WhoId=first, OwnerId=row["OwnerId"], StartDateTime=LATER + timedelta(days=2))
        own = next(id for id, each in fake.org.rows["Task"].items() if each["WhoId"] == second)
        fake.org.change("Task", own, Status="Completed", CompletedDateTime=LATER)

        report = read(harness)

        assert (report.problem, report.activities, report.unlinked) == (None, 4, 2)  # one meeting, found both ways
        told = harness.rows("SELECT lead_id, kind, seconds, automatic FROM activity ORDER BY lead_id, kind")
        assert told == [
            (1, "call", 95, None), (1, "email", None, True), (1, "meeting", None, None), (2, "task", None, None),
        ]  # fmt: skip
        harness.run(LATER)
        assert harness.rows("SELECT touched_at IS NOT NULL FROM assignment") == [(True,), (True,)]
        assert read(harness).activities == 0
        assert read(harness, LATER + timedelta(days=3)).activities == 1  # the event that was planned
    assert fake.errors == []


def test_what_reps_do_with_the_contact_that_a_lead_became_counts_for_the_lead(harness: Harness) -> None:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=ENVIRON["CRM_TOKEN"]))
    with serve(fake) as url:
        add = fake.org.add
        ids = {rep: add("User", Name=rep, Email=f"{rep}@a.example", IsActive=True, UserType="Standard") for rep in IDS}
        harness.loaded = make_book(build_connection("salesforce", url, HTTP), ids, text=PLAYBOOK + FOLLOW_UP)
        harness.capture(make_lead(1), make_lead(2), make_lead(3))
        harness.run()
        assert deliver(harness) == 3
        logged = {"Status": "Completed", "CompletedDateTime": LATER, "TaskSubtype": "Call", "CallDurationInSeconds": 95}
        rows = [(id, row["OwnerId"]) for id, row in fake.org.rows["Lead"].items()]
        (called, owner), (met, meets), (left, _) = rows
        contacts = {id: fake.org.convert(id) for id in (called, met)}
        add("Task", WhoId=contacts[called], OwnerId=owner, **logged)
        add("Event", WhoId=contacts[met], OwnerId=meets, StartDateTime=LATER)
        add("Task", WhoId=add("Contact", LastName="Nobody's"), OwnerId=owner, **logged)
        asked = len(fake.requests("ConvertedContactId"))

        report = read(harness)

        assert (report.problem, report.activities, report.unlinked) == (None, 2, 1)
        assert harness.rows("SELECT lead_id, kind FROM activity ORDER BY lead_id") == [(1, "call"), (2, "meeting")]
        harness.run(LATER)
        touched = (
            "SELECT j.lead_id FROM assignment a JOIN journey j ON j.id = a.journey_id WHERE touched_at IS NOT NULL"
        )
        assert harness.rows(f"{touched} ORDER BY 1") == [(1,), (2,)]
        assert read(harness).activities == 0
        assert len(fake.requests("ConvertedContactId")) > asked
        assert fake.org.rows["Lead"][left]["IsConverted"] is False
    assert fake.errors == []
