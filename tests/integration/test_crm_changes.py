"""What a CRM's webhooks name is read by its id: once, whatever is killed; against the fake HubSpot over real HTTP too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from crm_fakes.hubspot.connected import Account
from forked import Child
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.connectors.crm import ChangePage, CrmObject, CrmRecord, CrmRefusedError
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.ledger import Ledger, crm_changes, open_ledger
from leadgate.ledger.crm_changes import NewCrmChange
from leadgate.ledger.requests import Sender
from leadgate.settings import Settings
from tasks.crm.sync import SyncReport, sync_crm

SOURCES = """sources:
  contacts: {mapping: {email: email}}
  told: {http: {auth: hubspot, secret_env: LEADGATE_SECRET_TOLD, public_url: 'https://x.example/capture/told'}}
"""
READS = """
crm:
  - name: hubspot
    type: hubspot
    credentials: {token: CRM_TOKEN}
    reads: {source: contacts, webhooks: told, only: {email: set}}
"""


@pytest.fixture
def harness(ledger: Ledger) -> Harness:
    return Harness(ledger, playbooks.parse(PLAYBOOK.replace("sources:\n", SOURCES) + READS, path=Path("tests.yaml")))


class ById:
    """A CRM whose search finds nothing yet."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)
        self.asked: list[list[str]] = []
        self.fails = False
        self.refused: set[str] = set()

    def read_changes(self, *given: Any) -> ChangePage:
        return ChangePage([], "1", has_more=False)

    def read(self, kind: CrmObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, CrmRecord]:
        self.asked.append(list(ids))
        if self.fails:
            raise ServiceUnreachableError("HubSpot did not answer in time", sent=True)
        if self.refused & set(ids):
            raise CrmRefusedError("HubSpot refuses an id")
        return {each: CrmRecord(each, {"email": f"lead{each}@acme.example"}) for each in ids if each in self.ids}


def tell(harness: Harness, *changes: tuple[str, str], kind: str = "contact", number: int = 0) -> None:
    """Webhooks of the CRM: record and event."""
    rows = [
        NewCrmChange("told", f"{number}/{kind}/{id_}/{event}", kind, id_, event, None, NOW, "{}")
        for id_, event in changes
    ]
    with harness.ledger.transaction() as connection:
        crm_changes.store_each_change(connection, rows, [Sender("told")] * len(rows), NOW)


def sync(harness: Harness, crm: Any) -> SyncReport:
    return sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, NOW)


def count_waiting(harness: Harness) -> int:
    return int(harness.one("SELECT count(*) FROM crm_change WHERE followed_at IS NULL"))


def test_a_record_that_a_webhook_names_is_a_signal_once(harness: Harness) -> None:
    crm = ById("1", "2")
    tell(harness, ("1", "creation"), ("1", "propertyChange"), ("2", "creation"), ("3", "creation"))
    tell(harness, ("9", "creation"), kind="deal")
    report = sync(harness, crm)
    assert (report.followed, report.new, report.problem, count_waiting(harness)) == (5, 2, None, 0)
    assert crm.asked == [["1", "2", "3"]]
    tell(harness, ("1", "propertyChange"), number=1)
    again = sync(harness, crm)
    assert (again.followed, again.new, again.known) == (1, 0, 1)
    harness.run()
    assert harness.one("SELECT count(*) FROM lead") == 2
    assert harness.find_broken() == []


@pytest.mark.parametrize("point", ["crm.follow.read", "crm.follow.stored", "crm.follow.marked"])
def test_following_that_is_killed_is_gone_on_with(harness: Harness, settings: Settings, point: str) -> None:
    tell(harness, *((str(number), "creation") for number in range(150)))
    crm = ById(*map(str, range(150)))

    def sync_in_child() -> None:
        with open_ledger(settings) as ledger:
            sync_crm(ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, NOW)  # type: ignore[arg-type]

    assert Child(sync_in_child, failpoint=point).killed
    report = sync(harness, crm)
    assert (report.complete, count_waiting(harness)) == (True, 0)
    assert harness.one("SELECT count(*) FROM signal") == 150


def test_of_two_that_follow_at_once_one_stores(harness: Harness) -> None:
    tell(harness, ("1", "creation"))
    crm = ById("1")

    class Overtaken(ById):
        def read(self, *given: Any) -> dict[str, CrmRecord]:
            assert sync(harness, crm).followed == 1
            return super().read(*given)

    report = sync(harness, Overtaken("1"))
    assert (report.followed, report.new, count_waiting(harness)) == (0, 0, 0)
    assert harness.one("SELECT count(*) FROM signal") == 1


def test_a_crm_that_does_not_answer_loses_no_change_and_an_id_that_it_refuses_holds_no_other_up(
    harness: Harness,
) -> None:
    tell(harness, ("1", "creation"), ("x" * 200, "creation"), ("2", "creation"))
    crm = ById("1", "2")
    crm.fails = True
    assert sync(harness, crm).problem == "HubSpot did not answer in time"
    assert count_waiting(harness) == 3
    crm.fails, crm.refused = False, {"x" * 200}
    report = sync(harness, crm)
    assert (report.problem, report.new, count_waiting(harness)) == (None, 2, 0)


def test_webhooks_of_a_source_that_no_connection_names_are_left(harness: Harness) -> None:
    text = PLAYBOOK.replace("sources:\n", SOURCES) + READS.replace("webhooks: told, ", "")
    harness = Harness(harness.ledger, playbooks.parse(text, path=Path("tests.yaml")))
    tell(harness, ("1", "creation"))
    crm = ById("1")
    assert (sync(harness, crm).followed, crm.asked, count_waiting(harness)) == (0, [], 1)


def test_the_fake_hubspot_is_asked_for_what_its_search_does_not_know_yet(harness: Harness, hubspot: Account) -> None:
    hubspot.portal.index_lag = 600.0
    record = hubspot.portal.add_record("contacts", email="ann@acme.example")
    assert sync(harness, hubspot.crm).new == 0
    tell(harness, (record.id, "creation"), ("404", "creation"))
    report = sync(harness, hubspot.crm)
    assert (report.problem, report.new, report.followed) == (None, 1, 2)
