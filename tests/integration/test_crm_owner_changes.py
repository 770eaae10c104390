"""Owners who are set in a CRM are followed: by whom, when they are not, races, kills; in memory and over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from crm_fakes.hubspot.connected import TOKEN, Account
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import serve
from crm_following import IDS, LATER, build_connection, deliver, find_owner, make_book, read
from forked import Child
from harness import NOW, Harness, make_actor, make_lead

from leadgate.connectors.crm import ChangePage, CrmFieldChange, CrmObject, CrmOwner, CrmRecord
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.ledger import Ledger, crm_links, crm_positions, open_ledger
from leadgate.ledger.crm_links import ReadBack
from leadgate.settings import Settings
from tasks.crm.sync import SyncReport, sync_crm
from tasks.reassignments import reassign

CRM = """
crm:
  - name: sales
    type: hubspot
    credentials: {token: CRM_TOKEN}
    writes:
      score: score
      owner: owner
    reads: {owner: follow}
"""


@dataclass
class MemoryCrm:
    """A CRM with owners, whose search shows ``seen`` and whose records have ``owner``."""

    owners: list[CrmOwner] = field(
        default_factory=lambda: [CrmOwner(i, n, None, True, user_id=f"u{i}") for n, i in IDS.items()]
    )
    seen: dict[str, Any] = field(default_factory=dict)
    now: dict[str, CrmFieldChange] = field(default_factory=dict)
    error: Exception | None = None

    def set_owner(self, record: str, owner: Any, at: datetime | None = LATER, by: str | None = None) -> None:
        self.seen[record], self.now[record] = owner, CrmFieldChange(owner, at, by)

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        assert fields == ["owner"]
        records = [CrmRecord(id, {"owner": owner}, NOW) for id, owner in self.seen.items()]
        return ChangePage(records, str(int(position or 0) + 1), has_more=False)

    def read_last_changes(self, kind: CrmObject, ids: Iterable[str], field: str) -> dict[str, CrmFieldChange]:
        if self.error is not None:
            raise self.error
        return {id: self.now[id] for id in ids if id in self.now}

    def list_owners(self) -> list[CrmOwner]:
        return self.owners


@pytest.fixture
def owned(ledger: Ledger) -> Harness:
    """A ledger with a lead of ana that was written to record 100."""
    harness = Harness(ledger, make_book(CRM, IDS))
    harness.begin(make_lead(1))
    (lead, journey, owner) = harness.rows(
        "SELECT j.lead_id, j.id, a.owner FROM journey j JOIN assignment a ON a.journey_id = j.id"
    )[0]
    if owner != "ana":
        reassign(
            ledger,
            harness.loaded,
            journey,
            rep="ana",
            reason="tests",
            by=make_actor(owner),
            now=NOW,
        )
    keep_written(harness, lead, "1", "1")
    return harness


def keep_written(harness: Harness, lead: int, written: str, read: str) -> None:
    with harness.ledger.transaction() as connection:
        crm_links.link_leads(connection, "sales", [(lead, "100", "created")], NOW)
        back = ReadBack(lead, {"owner": written, "score": 30}, {"owner": read, "score": 30}, 0)
        crm_links.keep_read_back(connection, "sales", [back], NOW, wrote=True)


def sync(harness: Harness, crm: Any, now: datetime = LATER) -> SyncReport:
    return sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, now)


def test_an_owner_who_is_set_in_the_crm_has_the_lead(owned: Harness) -> None:
    crm = MemoryCrm()
    crm.set_owner("100", "2", by="u3")
    assert sync(owned, crm).owners == 1
    assert find_owner(owned) == "bob"
    assert owned.rows("SELECT what, by, note FROM action ORDER BY id DESC LIMIT 1") == [
        ("reassign", "cyn", "set as the owner in sales")
    ]
    assert owned.rows("SELECT owner, ended_at FROM assignment WHERE owner = 'ana'")[0][1] is not None
    # the same page again changes nothing, and what the CRM has is no drift
    assert sync(owned, crm).owners == 0
    assert owned.one("SELECT written->>'owner' FROM crm_link") == "2"
    # back again: what was written first is no echo any more
    crm.set_owner("100", "1", LATER + timedelta(minutes=1))
    assert sync(owned, crm, LATER + timedelta(minutes=2)).owners == 1
    assert find_owner(owned) == "ana"
    assert owned.one("SELECT by FROM action ORDER BY id DESC LIMIT 1") == "somebody in sales"
    assert owned.find_broken() == []


NOT_FOLLOWED: list[tuple[Any, CrmFieldChange | None]] = [
    ("1", CrmFieldChange("1", LATER, None)),  # as written
    ("2", CrmFieldChange("1", LATER, None)),  # a search that is behind
    ("2", None),  # gone meanwhile
    ("2", CrmFieldChange("2", NOW - timedelta(days=1), None)),  # before Leadgate has assigned it
    (None, CrmFieldChange(None, LATER, None)),
    ({"x": 1}, CrmFieldChange("2", LATER, None)),  # type: ignore[arg-type]
    (float("nan"), CrmFieldChange("2", LATER, None)),
    (True, CrmFieldChange("2", LATER, None)),
]


def test_what_is_not_followed(owned: Harness) -> None:
    for seen, now in NOT_FOLLOWED:
        crm = MemoryCrm(seen={"100": seen}, now={} if now is None else {"100": now})
        report = sync(owned, crm)
        assert (report.owners, report.problem, find_owner(owned)) == (0, None, "ana"), (seen, now)
    assert owned.rows("SELECT reason FROM work_item") == []


def test_what_another_automation_made_of_a_write_is_not_followed(owned: Harness) -> None:
    keep_written(owned, owned.one("SELECT id FROM lead"), "1", "2")
    crm = MemoryCrm()
    crm.set_owner("100", "2")
    assert (sync(owned, crm).owners, find_owner(owned)) == (0, "ana")


def test_the_later_of_two_has_the_lead(owned: Harness) -> None:
    """Leadgate assigns while somebody sets an owner in the CRM."""
    crm = MemoryCrm()
    crm.set_owner("100", "2", NOW + timedelta(minutes=5))
    journey = owned.one("SELECT id FROM journey")
    reassign(
        owned.ledger,
        owned.loaded,
        journey,
        rep="cyn",
        reason="tests",
        by=make_actor("ana"),
        now=NOW + timedelta(minutes=6),
    )
    assert (sync(owned, crm, NOW + timedelta(minutes=7)).owners, find_owner(owned)) == (0, "cyn")
    crm.set_owner("100", "1", NOW + timedelta(minutes=8))
    assert (sync(owned, crm, NOW + timedelta(minutes=9)).owners, find_owner(owned)) == (1, "ana")


def test_a_lead_that_is_reassigned_meanwhile_is_left_alone(owned: Harness) -> None:
    class Overtaken(MemoryCrm):
        def list_owners(self) -> list[CrmOwner]:
            journey = owned.one("SELECT id FROM journey")
            reassign(owned.ledger, owned.loaded, journey, rep="cyn", reason="tests", by=make_actor("ana"), now=LATER)
            return super().list_owners()

    crm = Overtaken()
    crm.set_owner("100", "2", by="u1")
    assert (sync(owned, crm).owners, find_owner(owned)) == (0, "cyn")


def test_an_owner_who_is_no_rep_is_one_work_item(owned: Harness) -> None:
    crm = MemoryCrm()
    crm.owners.append(CrmOwner("9", "Eve \x00<b>" + "x" * 8_000, "eve@example.com", True))
    for _ in range(2):
        crm.set_owner("100", "9")
        assert sync(owned, crm).problem is None
    crm.set_owner("100", "\x00" + "9" * 8_000)
    assert sync(owned, crm).problem is None
    found = owned.rows("SELECT reason, promise, message, detail, journey_id FROM work_item ORDER BY id")
    assert [row[0] for row in found] == ["crm_owner_is_no_rep"] * 2
    assert found[0][1] == "crm:sales:9"
    assert "L1" in found[0][2]
    assert found[0][3].startswith("Eve ␀<b>x")
    assert find_owner(owned) == "ana"


def test_an_owner_who_becomes_a_rep_is_followed_then(owned: Harness) -> None:
    class Whole(MemoryCrm):
        def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> dict[str, CrmRecord]:
            return {id: CrmRecord(id, {"owner": self.now[id].value}) for id in ids}

    crm = Whole()
    crm.set_owner("100", "9")
    assert sync(owned, crm).owners == 0
    crm.seen.clear()
    owned.loaded = make_book(CRM, IDS | {"cyn": "9"})
    assert (sync(owned, crm).owners, find_owner(owned)) == (1, "cyn")
    assert owned.rows("SELECT resolution FROM work_item") == [("promise_kept",)]


def test_a_crm_that_does_not_answer_is_read_on_where_it_was(owned: Harness) -> None:
    crm = MemoryCrm(error=ServiceUnreachableError("it did not answer in time", sent=True))
    crm.set_owner("100", "2")
    assert sync(owned, crm).problem == "it did not answer in time"
    kept = crm_positions.read_position(owned.ledger, "sales", "lead")
    assert kept is not None
    assert (kept.position, kept.failures) == (None, 1)
    crm.error = None
    assert (sync(owned, crm).owners, find_owner(owned)) == (1, "bob")


@pytest.mark.parametrize("point", ["crm.owners.read", "crm.owners.followed", "crm.sync.stored"])
def test_a_sync_that_is_killed_follows_once(owned: Harness, settings: Settings, point: str) -> None:
    crm: Any = MemoryCrm()
    crm.set_owner("100", "2")
    loaded = owned.loaded

    def sync_in_child() -> None:
        with open_ledger(settings) as ledger:
            sync_crm(ledger, loaded, loaded.playbook.crm[0], crm, LATER)

    assert Child(sync_in_child, failpoint=point).killed
    sync(owned, crm)
    assert find_owner(owned) == "bob"
    assert owned.one("SELECT count(*) FROM action WHERE note = 'set as the owner in sales'") == 1
    assert owned.one("SELECT written->>'owner' FROM crm_link") == "2"
    assert owned.find_broken() == []


def test_an_owner_is_ignored_where_the_playbook_says_so(owned: Harness) -> None:
    crm = MemoryCrm()
    crm.set_owner("100", "2")
    owned.loaded = make_book(CRM.replace("follow", "ignore"), IDS)
    assert (sync(owned, crm).owners, find_owner(owned)) == (0, "ana")


def set_another_owner(harness: Harness, ids: dict[str, str], crm: str) -> tuple[str, str]:
    """A lead that is written with its owner; who has it, and who shall have it."""
    harness.loaded = make_book(crm, ids)
    harness.capture(make_lead(1))
    harness.run()
    assert deliver(harness) == 1
    owner = find_owner(harness)
    return owner, next(rep for rep in ids if rep != owner)


def test_hubspot_tells_who_has_set_an_owner(harness: Harness, hubspot: Account) -> None:
    portal = hubspot.portal
    ids = {rep: portal.add_owner(f"{rep}@example.com") for rep in IDS}
    crm = build_connection("hubspot", hubspot.base_url, "{owner: follow}")
    owner, other = set_another_owner(harness, ids, crm)
    (contact,) = portal.by_key("contacts").values()
    portal.edit(contact, by=int(ids["cyn"]) + 500_000, hubspot_owner_id=ids[other])

    report = read(harness)

    assert (report.problem, report.owners, find_owner(harness)) == (None, 1, other)
    assert harness.one("SELECT by FROM action") == "cyn"
    assert deliver(harness) == 1
    assert contact.values["hubspot_owner_id"] == ids[other]
    assert [change.source for change in contact.history["hubspot_owner_id"]] == ["CRM_UI", "INTEGRATION"]
    tasks = portal.by_key("tasks").values()
    assert {(task.values["hubspot_owner_id"], task.values["hs_task_status"]) for task in tasks} == {
        (ids[owner], "COMPLETED"),
        (ids[other], "NOT_STARTED"),
    }
    assert TOKEN not in str(harness.rows("SELECT * FROM action"))


def test_a_write_leaves_an_owner_whom_nobody_has_followed_yet(harness: Harness, hubspot: Account) -> None:
    portal = hubspot.portal
    ids = {rep: portal.add_owner(f"{rep}@example.com") for rep in IDS}
    _, other = set_another_owner(harness, ids, build_connection("hubspot", hubspot.base_url, "{owner: follow}"))
    (contact,) = portal.by_key("contacts").values()
    portal.edit(contact, hubspot_owner_id=ids[other])
    harness.capture(make_lead(1, company="Another"))
    harness.run(LATER)

    assert deliver(harness) == 1

    assert contact.values["hubspot_owner_id"] == ids[other]
    assert harness.rows("SELECT reason FROM work_item") == []
    assert (read(harness).owners, find_owner(harness)) == (1, other)
    deliver(harness)
    assert contact.values["hubspot_owner_id"] == ids[other]
    assert len(contact.history["hubspot_owner_id"]) == 2


def test_leadgates_later_owner_is_written_whatever_else_was_changed_since(harness: Harness, hubspot: Account) -> None:
    """The record says only that it was changed; the field's history says that the owner was set before."""
    portal = hubspot.portal
    portal.clock = lambda: moments[0]
    moments = [NOW]
    ids = {rep: portal.add_owner(f"{rep}@example.com") for rep in IDS}
    owner, other = set_another_owner(harness, ids, build_connection("hubspot", hubspot.base_url, "{owner: follow}"))
    third = next(rep for rep in IDS if rep not in (owner, other))
    (contact,) = portal.by_key("contacts").values()
    moments[0] = NOW + timedelta(minutes=1)
    portal.edit(contact, hubspot_owner_id=ids[other])
    journey = harness.one("SELECT id FROM journey")
    now = NOW + timedelta(minutes=2)
    reassign(harness.ledger, harness.loaded, journey, rep=third, reason="tests", by=make_actor(owner), now=now)
    moments[0] = NOW + timedelta(minutes=3)
    portal.edit(contact, phone="123")

    assert deliver(harness, moments[0]) == 1
    assert contact.values["hubspot_owner_id"] == ids[other]
    assert (read(harness, moments[0]).owners, find_owner(harness)) == (0, third)
    assert deliver(harness, moments[0]) == 1
    assert contact.values["hubspot_owner_id"] == ids[third]
    assert harness.rows("SELECT reason FROM work_item") == []


def test_salesforce_tells_who_has_changed_a_lead(harness: Harness) -> None:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=TOKEN))
    with serve(fake) as url:
        add = fake.org.add
        ids = {rep: add("User", Name=rep, Email=f"{rep}@a.example", IsActive=True, UserType="Standard") for rep in IDS}
        owner, other = set_another_owner(harness, ids, build_connection("salesforce", url, "{owner: follow}"))
        (lead,) = fake.org.rows["Lead"]
        fake.org.change("Lead", lead, by=ids[owner], OwnerId=ids[other])
        report = read(harness)
        assert (report.problem, report.owners, find_owner(harness)) == (None, 1, other)
        assert harness.one("SELECT by FROM action") == owner
        assert deliver(harness) == 1
        assert fake.org.rows["Lead"][lead]["OwnerId"] == ids[other]


def test_the_history_of_salesforce_tells_who_has_set_an_owner_and_when(harness: Harness) -> None:
    """The record was changed since, by somebody else or by Leadgate itself."""
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=TOKEN))
    fake.org.track_owners()
    with serve(fake) as url:
        add = fake.org.add
        ids = {rep: add("User", Name=rep, Email=f"{rep}@a.example", IsActive=True, UserType="Standard") for rep in IDS}
        owner, other = set_another_owner(harness, ids, build_connection("salesforce", url, "{owner: follow}"))
        third = next(rep for rep in IDS if rep not in (owner, other))
        (lead,) = fake.org.rows["Lead"]
        fake.org.change("Lead", lead, by=ids[third], OwnerId=ids[other])
        harness.capture(make_lead(1, company="Another"))
        harness.run(LATER)
        assert deliver(harness) == 1
        assert fake.org.rows["Lead"][lead]["OwnerId"] == ids[other]
        assert (read(harness).owners, find_owner(harness)) == (1, other)
        assert harness.one("SELECT by FROM action") == third


def test_what_leadgate_has_changed_in_salesforce_tells_nobody(harness: Harness) -> None:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=TOKEN))
    with serve(fake) as url:
        add = fake.org.add
        ids = {rep: add("User", Name=rep, Email=f"{rep}@a.example", IsActive=True, UserType="Standard") for rep in IDS}
        _, other = set_another_owner(harness, ids, build_connection("salesforce", url, "{owner: follow}"))
        (lead,) = fake.org.rows["Lead"]
        fake.org.change("Lead", lead, by=fake.org.user_id, OwnerId=ids[other])
        assert (read(harness).owners, find_owner(harness)) == (1, other)
        assert harness.one("SELECT by FROM action") == "somebody in sales"
