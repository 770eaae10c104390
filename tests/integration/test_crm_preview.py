"""A preview of a sync stores nothing and tells what the sync would make of the records; slices of a first read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from crm_fakes.hubspot.connected import TOKEN, Account
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.connectors.crm import ChangePage, CrmObject, CrmRecord
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.ledger import Ledger, crm_positions
from tasks.crm.preview import PreviewReport, preview_crm
from tasks.crm.sync import sync_crm

READS = """
crm:
  - name: hubspot
    type: hubspot
    credentials: {token: CRM_TOKEN}
    reads: {source: contacts, only: {email: set}}
"""
TEXT = PLAYBOOK.replace("sources:\n", "sources:\n  contacts: {mapping: {email: email, country: country}}\n") + READS
TABLES = ("signal", "journey", "lead", "work_item", "crm_position", "playbook_version")


class Pages:
    """A CRM with these pages."""

    def __init__(self, *pages: Sequence[CrmRecord]) -> None:
        self.pages = pages
        self.fails = False

    def close(self) -> None:
        pass

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        at = int(position or 0)
        if self.fails and at:
            raise ServiceUnreachableError("HubSpot did not answer in time", sent=True)
        page = self.pages[at] if at < len(self.pages) else []
        return ChangePage(page, str(min(at + 1, len(self.pages))), has_more=at + 1 < len(self.pages))


@pytest.fixture
def harness(ledger: Ledger) -> Harness:
    return Harness(ledger, playbooks.parse(TEXT, path=Path("tests.yaml")))


def make_record(number: int, **more: Any) -> CrmRecord:
    return CrmRecord(str(number), {"email": f"lead{number}@company{number}.example", "country": "DE"} | more)


def preview(harness: Harness, crm: Any, most: int | None = None) -> PreviewReport:
    return preview_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, NOW, most=most)


def count_rows(harness: Harness) -> list[Any]:
    return [harness.one(f"SELECT count(*) FROM {table}") for table in TABLES]


def test_a_preview_tells_what_would_become_of_records_and_stores_nothing(harness: Harness) -> None:
    crm = Pages(
        [make_record(1), make_record(2, email="no address"), make_record(3, email=None), make_record(1)],
        [make_record(4, email=float("nan")), make_record(5, country="Atlantis"), CrmRecord("6", {}, is_deleted=True)],
        [make_record(7, email="<b>\x00\x07\ud800" + "x" * 8_000)],
    )
    before = count_rows(harness)
    report = preview(harness, crm)
    assert count_rows(harness) == before
    assert (report.records, report.new, report.known, report.unwanted, report.deleted) == (8, 5, 1, 1, 1)
    assert report.complete
    sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, NOW)  # type: ignore[arg-type]
    harness.run()
    stages = "('capture', 'validation')"
    made = harness.rows(f"SELECT reason, count(*) FROM work_item WHERE stage IN {stages} GROUP BY 1")
    assert report.held == dict(made)
    again = preview(harness, crm)
    assert (again.new, again.records) == (0, 0)


def test_a_first_read_is_taken_in_slices(harness: Harness) -> None:
    crm: Any = Pages([make_record(1), make_record(2)], [make_record(3), make_record(4)], [make_record(5)])
    part = preview(harness, crm, most=3)
    assert (part.records, part.complete) == (4, False)
    connection = harness.loaded.playbook.crm[0]
    done = [sync_crm(harness.ledger, harness.loaded, connection, crm, NOW, max_records=2) for _ in range(3)]
    assert [(each.records, each.complete) for each in done] == [(2, False), (2, False), (1, True)]
    kept = crm_positions.read_position(harness.ledger, "hubspot", "lead")
    assert kept is not None
    assert (kept.records, kept.position) == (5, "3")


def test_a_preview_of_a_crm_that_fails_says_what_it_has_seen(harness: Harness) -> None:
    crm = Pages([make_record(1)], [make_record(2)])
    crm.fails = True
    report = preview(harness, crm)
    assert (report.new, report.problem) == (1, "HubSpot did not answer in time")
    assert harness.one("SELECT count(*) FROM crm_position") == 0


def test_the_command_previews(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: Harness, hubspot: Account
) -> None:
    hubspot.portal.add_record("contacts", email="ann@acme.example")
    hubspot.portal.add_record("contacts", email="nobody@acme..example")
    monkeypatch.setattr("console.cli.crm_sync.open_crm", lambda connection, environ: hubspot.crm)
    path = tmp_path / "crm.yaml"
    path.write_text(TEXT)
    shown = cli("--playbook", str(path), "crm", "sync", "--preview")
    assert "would be held: email_malformed" in shown.output
    told = orjson.loads(cli("--playbook", str(path), "crm", "sync", "--preview", "--most", "1", "--json").stdout)
    assert (told["crms"][0]["new"], told["crms"][0]["problem"]) == (2, None)
    assert TOKEN not in shown.output
    assert cli("--playbook", str(path), "crm", "sync", "--most", "0", code=2).output
