"""Records that are deleted or merged in a CRM: the lead waits for a person, nobody is told, or the link moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_fakes.hubspot.connected import Account
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead

from leadgate import playbook as playbooks
from leadgate.connectors.crm import ChangePage, CrmObject, CrmRecord
from leadgate.ledger import Ledger, crm_changes, crm_links, outbox, reruns
from leadgate.ledger.crm_changes import NewCrmChange
from leadgate.ledger.requests import Sender
from tasks.crm.sync import SyncReport, sync_crm

SOURCES = """sources:
  contacts: {mapping: {email: email, company: company}}
  told: {http: {auth: hubspot, secret_env: LEADGATE_SECRET_TOLD, public_url: 'https://x.example/capture/told'}}
"""
CRM = """
crm:
  - name: hubspot
    type: hubspot
    credentials: {token: CRM_TOKEN}
    writes: {leadgate_score: score}
    reads: {source: contacts, webhooks: told, owner: ignore}
matching: {crm_ids: {hubspot: [contacts]}}
"""
ROUTES = """exceptions:
  - {to: privacy_officer, reasons: [crm_privacy_deletion]}
"""
BOOK = PLAYBOOK.replace("sources:\n", SOURCES).replace("exceptions:\n", ROUTES) + CRM
LATER = NOW + timedelta(days=1)


@pytest.fixture
def harness(ledger: Ledger) -> Harness:
    return Harness(ledger, playbooks.parse(BOOK, path=Path("tests.yaml")))


class Scripted:
    """A CRM whose next page is ``page``, and that has the records ``there`` when it is asked for ids."""

    def __init__(self, *page: CrmRecord, there: Sequence[CrmRecord] = ()) -> None:
        self.page = list(page)
        self.there = {record.id: record for record in there}
        self.number = 0

    def read_changes(self, *given: Any) -> ChangePage:
        self.number += 1
        return ChangePage(self.page, f"{id(self)}-{self.number}", has_more=False)

    def read(self, kind: CrmObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, CrmRecord]:
        return {each: self.there[each] for each in ids if each in self.there}


def sync(harness: Harness, crm: Any) -> SyncReport:
    report = sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, NOW)
    assert report.problem is None
    return report


def make_contact(number: int, **more: Any) -> CrmRecord:
    return CrmRecord(str(number), {"email": f"lead{number}@company{number}.example", "company": f"Company {number}"})


def make_gone(number: int, follows: int | None = None) -> CrmRecord:
    return CrmRecord(str(number), {}, is_deleted=True, follows=None if follows is None else str(follows))


def link(harness: Harness, *pairs: tuple[int, str]) -> None:
    with harness.ledger.transaction() as connection:
        crm_links.link_leads(connection, "hubspot", [(lead, record, "key") for lead, record in pairs], NOW)


def own(harness: Harness, *numbers: int) -> None:
    """Leads with an owner, each linked to the record of its number."""
    harness.begin(*(make_lead(number) for number in numbers))
    assert harness.count_statuses() == {"owned": len(numbers)}
    leads = [lead for (lead,) in harness.rows("SELECT id FROM lead ORDER BY id")]
    link(harness, *((lead, str(number)) for lead, number in zip(leads, numbers, strict=True)))


def list_items(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT reason, route, blocking, journey_id FROM work_item WHERE closed_at IS NULL ORDER BY id")


def count_claimable(harness: Harness) -> int:
    """Messages that somebody would be sent now."""
    targets = [target for (target,) in harness.rows("SELECT DISTINCT target FROM outbox")]
    people = [each for each in targets if not each.startswith("crm:")]
    found = 0
    while outbox.claim(harness.ledger, people, lease=timedelta(hours=1), now=LATER) is not None:
        found += 1
    return found + len(
        outbox.claim_for_crm(
            harness.ledger, "crm:hubspot", leads=10, alone_after=6, lease=timedelta(hours=1), now=LATER
        )
    )


def tell(harness: Harness, record: str, event: str) -> None:
    row = NewCrmChange("told", f"{record}/{event}", "contact", record, event, None, NOW, "{}")
    with harness.ledger.transaction() as connection:
        crm_changes.store_each_change(connection, [row], [Sender("told")], NOW)


def decide(harness: Harness, what: str) -> None:
    items = [item for (item,) in harness.rows("SELECT id FROM work_item WHERE closed_at IS NULL")]
    if what == "discard":
        reruns.discard(harness.ledger, items, by=make_actor("pat"), now=LATER, reason="asked for")
    else:
        reruns.rerun(harness.ledger, items, by=make_actor("pat"), now=LATER, playbook=harness.loaded.playbook)


def test_an_owned_lead_whose_record_is_deleted_waits_and_nobody_is_told(harness: Harness) -> None:
    own(harness, 1, 2)
    gone = Scripted(make_gone(1), make_gone(77))
    assert sync(harness, gone).gone == 1
    ((reason, route, blocking, journey),) = list_items(harness)
    assert (reason, route, blocking) == ("crm_record_deleted", "revenue_operations", True)
    assert harness.rows("SELECT status, stage FROM journey ORDER BY id") == [
        ("held", "assignment"), ("owned", "follow_up"),
    ]  # fmt: skip
    assert harness.rows("SELECT gone_at IS NULL FROM crm_link ORDER BY lead_id") == [(False,), (True,)]
    waiting = harness.one(f"SELECT count(*) FROM outbox WHERE journey_id = {journey} AND delivered_at IS NULL")
    others = harness.one(f"SELECT count(*) FROM outbox WHERE journey_id <> {journey} AND delivered_at IS NULL")
    assert (waiting > 0, count_claimable(harness)) == (True, others)
    assert sync(harness, gone).gone == 0
    assert harness.find_broken() == []


@pytest.mark.parametrize(("what", "statuses"), [("discard", {"discarded": 1}), ("rerun", {"owned": 1})])
def test_a_person_ends_it_or_lets_it_go_on(harness: Harness, what: str, statuses: dict[str, int]) -> None:
    own(harness, 1)
    sync(harness, Scripted(make_gone(1)))
    decide(harness, what)
    harness.run(LATER)
    assert harness.count_statuses() == statuses
    assert sync(harness, Scripted(make_gone(1))).gone == 0
    assert (count_claimable(harness) > 0) == (what == "rerun")
    assert harness.find_broken() == []


def test_a_lead_that_is_known_by_its_id_alone_waits_at_its_stage(harness: Harness) -> None:
    sync(harness, Scripted(make_contact(1)))
    harness.run()
    lead = harness.one("SELECT id FROM lead")
    assert sync(harness, Scripted(make_gone(1))).gone == 1
    assert harness.rows("SELECT lead_id, found_by, gone_at IS NULL FROM crm_link") == [(lead, "read", False)]
    assert harness.count_statuses() == {"held": 1}
    assert harness.one("SELECT count(*) FROM identity WHERE kind = 'crm_id:hubspot'") == 0
    assert harness.find_broken() == []


def test_a_lead_that_is_held_already_is_held_by_the_deletion(harness: Harness) -> None:
    harness.begin(make_lead(1, Country="Atlantis", Email="lead1@mailinator.com"))
    assert harness.count_statuses() == {"held": 1}
    ((lead,),) = harness.rows("SELECT id FROM lead")
    link(harness, (lead, "1"))
    tell(harness, "1", "deletion")
    assert sync(harness, Scripted()).gone == 1
    ((reason, _, blocking, _),) = list_items(harness)
    assert (reason, blocking) == ("crm_record_deleted", True)
    tell(harness, "1", "privacyDeletion")
    assert sync(harness, Scripted()).gone == 1
    assert [(reason, route) for reason, route, _, _ in list_items(harness)] == [
        ("crm_privacy_deletion", "privacy_officer")
    ]
    assert harness.find_broken() == []


def test_a_privacy_deletion_asks_about_a_lead_that_nobody_works_on(harness: Harness) -> None:
    harness.begin(make_lead(1, **{"Job title": "Student"}, Message="", Country="FR"))
    assert harness.count_statuses() == {"nurture": 1}
    ((lead,),) = harness.rows("SELECT id FROM lead")
    link(harness, (lead, "1"))
    tell(harness, "1", "privacyDeletion")
    assert sync(harness, Scripted()).problem is None
    ((reason, route, blocking, _),) = list_items(harness)
    assert (reason, route, blocking) == ("crm_privacy_deletion", "privacy_officer", False)
    decide(harness, "discard")
    assert (list_items(harness), count_claimable(harness)) == ([], 0)
    assert harness.find_broken() == []


def test_a_merged_record_is_followed_and_another_lead_is_asked_about(harness: Harness) -> None:
    own(harness, 1, 2, 3)
    merged = Scripted(make_gone(1, follows=9), make_gone(2, follows=3), there=[make_contact(3), make_contact(9)])
    report = sync(harness, merged)
    assert (report.moved, report.gone) == (1, 1)
    assert harness.rows("SELECT record_id, gone_at IS NULL FROM crm_link ORDER BY lead_id") == [
        ("9", True), ("2", False), ("3", True),
    ]  # fmt: skip
    assert [reason for reason, *_ in list_items(harness)] == ["crm_records_merged"]
    assert harness.count_statuses() == {"owned": 2, "held": 1}
    again = sync(harness, merged)
    assert (again.moved, again.gone) == (0, 0)
    assert harness.find_broken() == []


def test_a_record_that_was_converted_is_written_no_more_and_its_journey_goes_on(harness: Harness) -> None:
    own(harness, 1)
    assert sync(harness, Scripted(make_gone(1, follows=9))).gone == 0
    assert harness.rows("SELECT record_id, gone_at IS NULL FROM crm_link") == [("1", False)]
    assert (harness.count_statuses(), list_items(harness)) == ({"owned": 1}, [])


def test_deletions_of_the_fake_hubspot_are_found_over_http(harness: Harness, hubspot: Account) -> None:
    records = [hubspot.portal.add_record("contacts", email=f"lead{n}@company{n}.example", company="A") for n in (1, 2)]
    assert sync(harness, hubspot.crm).new == 2
    harness.run()
    hubspot.portal.archive(records[0])
    hubspot.portal.archive(records[1], for_privacy=True)
    tell(harness, records[1].id, "privacyDeletion")
    report = sync(harness, hubspot.crm)
    assert sorted(reason for reason, *_ in list_items(harness)) == ["crm_privacy_deletion", "crm_record_deleted"]
    assert report.gone == 2
    assert harness.find_broken() == []
