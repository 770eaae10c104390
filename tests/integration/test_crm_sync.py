"""Reading a CRM: a page a transaction, repeats, echoes, faults; against the fake HubSpot over real HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import databases
import orjson
import pytest
from crm_fakes.hubspot.connected import TOKEN, Account
from forked import Child
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.connectors.crm import ChangePage, CrmLimitError, CrmObject, CrmRecord, CrmRefusedError
from leadgate.connectors.crm_opening import CrmNotConfiguredError, open_crm
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.ledger import Ledger, crm_links, crm_positions, open_ledger
from leadgate.ledger.crm_links import ReadBack
from leadgate.settings import Settings
from tasks.crm.reading import TOLD_AFTER
from tasks.crm.sync import SyncReport, open_and_sync_crm, sync_crm

READS = """
crm:
  - name: hubspot
    type: hubspot
    credentials: {token: CRM_TOKEN}
    writes:
      leadgate_score: {fact: score, policy: always}
    reads: {source: contacts, also: [leadgate_score], only: {email: set}}
"""
TEXT = PLAYBOOK.replace("sources:\n", "sources:\n  contacts: {mapping: {email: email, company: company}}\n") + READS


class Scripted:
    """A CRM that gives these pages, each by the position before it."""

    def __init__(self, *pages: Sequence[CrmRecord]) -> None:
        self.pages = list(pages)
        self.fails_at: int | None = None

    def close(self) -> None:
        pass

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        at = int(position or 0)
        if at == self.fails_at:
            raise ServiceUnreachableError("HubSpot did not answer in time", sent=True)
        if at >= len(self.pages):
            return ChangePage([], str(at), has_more=False)
        return ChangePage(self.pages[at], str(at + 1), has_more=at + 1 < len(self.pages))


@pytest.fixture
def harness(ledger: Ledger) -> Harness:
    return Harness(ledger, playbooks.parse(TEXT, path=Path("tests.yaml")))


def make_record(number: int, **more: Any) -> CrmRecord:
    values = {"email": f"lead{number}@company{number}.example", "company": f"Company {number}"} | more
    return CrmRecord(str(number), values, datetime(2026, 3, 4, tzinfo=UTC))


def sync(harness: Harness, crm: Any) -> SyncReport:
    return sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, NOW)


def test_records_become_signals_and_the_same_state_is_one(harness: Harness) -> None:
    pages = [make_record(1), make_record(2)], [make_record(2), make_record(3, email=None)]
    report = sync(harness, Scripted(*pages))
    assert (report.pages, report.new, report.known, report.unwanted, report.complete) == (2, 2, 1, 1, True)
    kept = crm_positions.read_position(harness.ledger, "hubspot", "lead")
    assert kept is not None
    assert (kept.position, kept.records, kept.complete_at) == ("2", 4, NOW)
    harness.run()
    assert harness.count_statuses()["owned"] + harness.count_statuses().get("nurture", 0) == 2
    assert harness.find_broken() == []


def test_what_leadgate_writes_is_no_news_and_what_a_person_writes_is(harness: Harness) -> None:
    written = make_record(1, leadgate_score=70, leadgate_id="L1")
    changed = make_record(1, leadgate_score=70, company="Other")
    created = CrmRecord("9", {"email": None, "leadgate_score": 10, "leadgate_id": "L9"})
    report = sync(harness, Scripted([make_record(1)], [written], [changed], [created]))
    assert (report.new, report.known) == (2, 1)


@pytest.mark.parametrize(
    "values",
    [{"email": float("nan")}, {"email": ["a"]}, {"email": {"x": 1}}, {"email": 10**80}, {"email": "x" * 300_000}],
)
def test_a_record_that_cannot_be_read_is_held_and_the_others_are_read(harness: Harness, values: dict[str, Any]) -> None:
    hostile = make_record(2, email="<b>\x00\x07\ud800" + "x" * 8_000)
    report = sync(harness, Scripted([CrmRecord("1\x00", values), hostile, make_record(3)]))
    assert (report.new, report.held, report.complete) == (3, 1, True)


def test_a_crm_that_fails_is_read_on_where_it_was(harness: Harness) -> None:
    crm = Scripted([make_record(1)], [make_record(2)])
    crm.fails_at = 1
    assert sync(harness, crm).problem == "HubSpot did not answer in time"
    kept = crm_positions.read_position(harness.ledger, "hubspot", "lead")
    assert kept is not None
    assert (kept.position, kept.failures, kept.error) == ("1", 1, "HubSpot did not answer in time")
    crm.fails_at = None
    report = sync(harness, crm)
    assert (report.new, report.records, report.problem) == (1, 1, None)


@pytest.mark.parametrize("point", ["crm.sync.read", "crm.sync.stored", "crm.sync.moved"])
def test_a_sync_that_is_killed_is_gone_on_with(harness: Harness, settings: Settings, point: str) -> None:
    crm: Any = Scripted([make_record(1), make_record(2)], [make_record(3)])
    loaded = harness.loaded

    def sync_in_child() -> None:
        with open_ledger(settings) as ledger:
            sync_crm(ledger, loaded, loaded.playbook.crm[0], crm, NOW)

    victim = Child(sync_in_child, failpoint=point)
    assert victim.killed
    report = sync(harness, crm)
    kept = crm_positions.read_position(harness.ledger, "hubspot", "lead")
    assert kept is not None
    assert (report.complete, kept.position, kept.records) == (True, "2", 3)
    assert harness.one("SELECT count(*) FROM signal") == 3


def test_a_value_that_leadgate_has_filled_in_is_no_news(harness: Harness) -> None:
    """The field is the CRM's: what a person writes there later is news."""
    empty, filled = make_record(1, company=None), make_record(1, company="Acme Ltd ")
    changed = make_record(1, company="Other")
    assert sync(harness, Scripted([empty])).new == 1
    harness.run()
    (lead,) = harness.rows("SELECT id FROM lead")[0]
    with harness.ledger.transaction() as connection:
        crm_links.link_leads(connection, "hubspot", [(lead, "1", "key")], NOW)
        crm_links.keep_read_back(
            connection, "hubspot", [ReadBack(lead, {"company": "Acme Ltd"}, {}, 0)], NOW, wrote=True
        )
    report = sync(harness, Scripted([empty], [filled], [changed]))
    assert (report.pages, report.new) == (2, 1)


def test_a_record_that_changes_back_is_news_and_one_that_is_read_again_is_not(harness: Harness) -> None:
    one, other = make_record(1), make_record(1, company="Other")
    first = sync(harness, Scripted([one], [other], [one], [one]))
    assert (first.new, first.known) == (3, 1)
    harness.run()
    assert harness.rows("SELECT company FROM lead") == [("Company 1",)]
    more = sync(harness, Scripted(*[[one]] * 5, [other], [other]))
    assert (more.new, more.known) == (1, 2)
    keys = [key for (key,) in harness.rows("SELECT key FROM signal")]
    assert len(set(keys)) == 4


def test_the_fake_hubspot_is_read_over_http(harness: Harness, hubspot: Account) -> None:
    for number in range(3):
        hubspot.portal.add_record("contacts", email=f"lead{number}@company{number}.example", company="Acme")
    first = sync(harness, hubspot.crm)
    second = sync(harness, hubspot.connect())
    assert (first.problem, first.new, second.problem, second.new) == (None, 3, None, 0)
    hubspot.fake.token = "another"  # noqa: S105 - made up
    refused = sync(harness, hubspot.connect())
    assert refused.problem is not None
    assert TOKEN not in refused.problem
    assert TOKEN not in str(harness.rows("SELECT * FROM crm_position"))


def test_a_page_is_stored_by_one_of_two_syncs(harness: Harness) -> None:
    crm = Scripted([make_record(1)], [make_record(2)])

    class Overtaken:
        def read_changes(self, *given: Any) -> ChangePage:
            page = crm.read_changes(*given)
            if given[2] is None:
                sync(harness, crm)
            return page

    report = sync(harness, Overtaken())
    assert (report.new, report.complete) == (0, True)
    assert harness.one("SELECT count(*) FROM signal") == 2


def test_the_command_tells_what_was_read_and_what_cannot_be(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = Scripted([make_record(1)])
    monkeypatch.setattr("console.cli.crm_sync.open_crm", lambda connection, environ: crm)
    path = tmp_path / "crm.yaml"
    path.write_text(TEXT)
    done = cli("--playbook", str(path), "crm", "sync", "--json")
    assert orjson.loads(done.stdout)["crms"][0]["new"] == 1
    monkeypatch.setattr("console.cli.crm_sync.open_crm", open_crm)
    assert "did you mean 'hubspot'" in cli("--playbook", path, "crm", "sync", "hubspott", code=2).output
    assert "CRM_TOKEN is not set" in cli("--playbook", path, "crm", "sync", "hubspot", code=4).output


def list_items(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT reason, promise, detail, closed_by FROM work_item ORDER BY id")


def read(harness: Harness, open_session: Any) -> SyncReport:
    return open_and_sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], open_session, NOW)


def test_a_sync_may_be_the_first_command_of_an_installation(
    cli: Any, postgres: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(TEXT, encoding="utf-8")
    with databases.fresh(postgres, of="template0") as (url,):
        monkeypatch.setenv("LEADGATE_DATABASE_URL", url)
        assert "CRM_TOKEN is not set" in cli("--playbook", path, "crm", "sync", code=4).output


def test_a_crm_that_cannot_be_read_is_one_work_item_until_it_is_read(harness: Harness) -> None:
    crm = Scripted([make_record(1)])
    crm.fails_at = 0
    for _ in range(TOLD_AFTER - 1):
        read(harness, lambda: crm)
    assert list_items(harness) == []
    for _ in range(2):
        read(harness, lambda: crm)
    assert list_items(harness) == [("crm_not_read", "crm:hubspot", None, None)]
    crm.fails_at = None
    assert read(harness, lambda: crm).new == 1
    assert list_items(harness) == [("crm_not_read", "crm:hubspot", None, "leadgate")]
    assert harness.find_broken() == []


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (CrmLimitError("no more today", wait_seconds=3600, is_daily=True), None),
        (CrmRefusedError("HubSpot refuses", code="MISSING_SCOPES", vendor_message="<b>\x00"), "MISSING_SCOPES <b>"),
        (CrmNotConfiguredError("CRM_TOKEN is not set"), None),
    ],
)
def test_what_a_person_must_mend_is_told_at_once(harness: Harness, error: Exception, detail: str | None) -> None:
    def open_session() -> Any:
        raise error

    assert [read(harness, open_session).problem for _ in range(2)] == [str(error)] * 2
    ((reason, _, told, _),) = list_items(harness)
    assert (reason, told) == ("crm_not_read", detail)


def test_a_fault_of_a_connector_is_a_problem_of_its_crm_and_shows_no_credentials(harness: Harness) -> None:
    def open_session() -> Any:
        raise RuntimeError(TOKEN)

    report = read(harness, open_session)
    assert report.problem is not None
    assert "RuntimeError" in report.problem
    kept = [harness.rows(f"SELECT row_to_json(t)::text FROM {name} t") for name in ("crm_position", "work_item")]
    assert TOKEN not in str(kept) + str(report)
