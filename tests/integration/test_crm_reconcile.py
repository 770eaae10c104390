"""Comparing what was written to a CRM with what it has now: drifts, gone records, and what is none; over real HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from crm_books import HUBSPOT, SALESFORCE, Org, UseBook, deliver, run_intake
from crm_fakes.hubspot.connected import TOKEN, Account
from crm_fakes.hubspot.portal import Record
from forked import Child
from harness import NOW, Harness, make_lead
from sqlalchemy import text

from leadgate.connectors.crm import CrmObject, CrmRecord
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.errors import ExitCode
from leadgate.ledger import open_ledger
from leadgate.settings import Settings
from tasks.crm.reconcile import ReconcileReport, reconcile_crm

SINCE = NOW - timedelta(days=7)


@pytest.fixture
def template(taken: str) -> str:
    return taken


def reconcile(harness: Harness, crm: Any, **options: Any) -> ReconcileReport:
    playbook = harness.loaded.playbook
    return reconcile_crm(harness.ledger, playbook, playbook.crm[0], crm, SINCE, NOW, **options)


def execute(harness: Harness, statement: str) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(text(statement))


def get_contact(hubspot: Account, lead: int = 1) -> Record:
    return hubspot.portal.by_key("contacts")[f"leadgate-L{lead}"]


def items(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT reason, promise FROM work_item WHERE closed_at IS NULL ORDER BY id")


# --- what is a drift --------------------------------------------------------------------------------------


def test_what_stands_is_no_drift(written: Harness, hubspot: Account) -> None:
    report = reconcile(written, hubspot.crm)
    assert (report.records, report.same, report.is_whole, report.opened) == (2, 2, True, 0)
    assert items(written) == []


def test_a_drift_is_told_once_with_both_values_and_closes_when_it_is_gone(written: Harness, hubspot: Account) -> None:
    contact = get_contact(hubspot)
    hubspot.portal.edit(contact, leadgate_score="99")
    first = reconcile(written, hubspot.crm)
    again = reconcile(written, hubspot.crm)
    assert (first.drifting, first.opened, again.drifting, again.opened) == (1, 1, 1, 0)
    (drift,) = again.drifts
    assert (drift.name, drift.written, drift.read, drift.is_new) == ("leadgate_score", "30", "99", False)
    assert items(written) == [("crm_write_not_kept", "crm:sales:leadgate_score")]
    assert "99" in written.one("SELECT detail FROM work_item")
    assert written.one("SELECT differing FROM crm_link WHERE lead_id = 1") == 1

    hubspot.portal.edit(contact, leadgate_score="30")
    assert reconcile(written, hubspot.crm).is_whole
    assert items(written) == []
    hubspot.portal.edit(contact, leadgate_score="99")
    assert reconcile(written, hubspot.crm).opened == 1


def test_a_drift_that_a_person_has_closed_is_told_again_when_it_changes(written: Harness, hubspot: Account) -> None:
    hubspot.portal.edit(get_contact(hubspot), leadgate_score="99")
    reconcile(written, hubspot.crm)
    execute(written, "UPDATE work_item SET closed_at = now(), closed_by = 'mia', resolution = 'done_by_hand'")
    assert reconcile(written, hubspot.crm).opened == 0
    hubspot.portal.edit(get_contact(hubspot), leadgate_score="98")
    assert reconcile(written, hubspot.crm).opened == 1


def test_what_a_person_writes_into_a_field_of_the_crm_is_none(written: Harness, hubspot: Account) -> None:
    hubspot.portal.edit(get_contact(hubspot), company="Another", firstname="Ann")
    assert reconcile(written, hubspot.crm).is_whole


def test_a_field_that_the_playbook_does_not_write_any_more_is_none(
    written: Harness, hubspot: Account, use_book: UseBook
) -> None:
    hubspot.portal.edit(get_contact(hubspot), leadgate_score="99")
    written.loaded = use_book(
        HUBSPOT.replace("      leadgate_score: {fact: score, policy: always}\n", ""), hubspot.base_url
    )
    assert reconcile(written, hubspot.crm).is_whole


def test_an_owner_who_is_followed_is_none_and_stays_to_be_followed(
    written: Harness, hubspot: Account, use_book: UseBook
) -> None:
    other = hubspot.portal.add_owner("other@example.com")
    hubspot.portal.edit(get_contact(hubspot), hubspot_owner_id=other)
    book = HUBSPOT + "    reads: {owner: follow}\n"
    written.loaded = use_book(book, hubspot.base_url)
    assert reconcile(written, hubspot.crm).is_whole
    assert other not in str(written.one("SELECT read FROM crm_link WHERE lead_id = 1"))


def test_a_record_without_its_key_is_a_drift(written: Harness, hubspot: Account) -> None:
    hubspot.portal.edit(get_contact(hubspot), leadgate_id="")
    report = reconcile(written, hubspot.crm)
    assert ([drift.name for drift in report.drifts], report.opened) == (["leadgate_id"], 1)


def test_a_record_that_is_gone_is_told_once_and_a_rerun_finds_or_creates_it(written: Harness, hubspot: Account) -> None:
    hubspot.portal.archive(get_contact(hubspot))
    first, again = reconcile(written, hubspot.crm), reconcile(written, hubspot.crm)
    assert (first.gone, first.gone_leads, first.opened, again.records, again.opened) == (1, [1], 1, 1, 0)
    assert items(written) == [("crm_refused", "crm:sales")]
    assert written.one("SELECT gone_at IS NOT NULL FROM crm_link WHERE lead_id = 1")


def test_another_account_marks_nothing_as_gone(written: Harness, hubspot: Account) -> None:
    """All records of a page are missing: rather than that all were deleted, it is not the CRM that was written to."""
    written.capture(*(make_lead(number) for number in range(3, 12)))
    run_intake(written)
    deliver(written)
    for contact in list(hubspot.portal.records["contacts"].values()):
        hubspot.portal.archive(contact)
    report = reconcile(written, hubspot.crm)
    assert report.problem
    assert "another account" in report.problem
    assert written.one("SELECT count(*) FROM crm_link WHERE gone_at IS NOT NULL") == 0
    assert items(written) == []


def test_a_report_alone_changes_nothing(written: Harness, hubspot: Account) -> None:
    hubspot.portal.edit(get_contact(hubspot), leadgate_score="99")
    hubspot.portal.archive(get_contact(hubspot, 2))
    before = written.rows("SELECT lead_id, gone_at, read, read_at, differing FROM crm_link ORDER BY 1")
    report = reconcile(written, hubspot.crm, report_only=True)
    assert (report.drifting, report.gone, report.opened) == (1, 1, 0)
    assert items(written) == []
    assert written.rows("SELECT lead_id, gone_at, read, read_at, differing FROM crm_link ORDER BY 1") == before


def test_only_the_period_is_compared_a_page_after_another(written: Harness, hubspot: Account) -> None:
    hubspot.portal.edit(get_contact(hubspot, 2), leadgate_score="99")
    report = reconcile(written, hubspot.crm, page=1)
    assert (report.records, report.drifting) == (2, 1)
    execute(written, "UPDATE crm_link SET written_at = written_at - interval '30 days' WHERE lead_id = 2")
    report = reconcile(written, hubspot.crm)
    assert (report.records, report.drifting) == (1, 0)


# --- at the same time as writes, and faults ---------------------------------------------------------------


class Changing:
    """A CRM about which something happens while it is read."""

    def __init__(self, crm: Any, happen: Any) -> None:
        self._crm, self._happen = crm, happen

    def describe_fields(self, kind: CrmObject) -> Any:
        return self._crm.describe_fields(kind)

    def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> Mapping[str, CrmRecord]:
        found: Mapping[str, CrmRecord] = self._crm.read(kind, ids, fields)
        self._happen()
        return found


@pytest.mark.parametrize("statement", [
    "UPDATE crm_link SET written_at = written_at + interval '1 second' WHERE lead_id = 1",
    "UPDATE outbox SET delivered_at = NULL WHERE journey_id = 1",
], ids=["written", "being written"])  # fmt: skip
def test_a_record_that_is_written_meanwhile_is_left_out(written: Harness, hubspot: Account, statement: str) -> None:
    hubspot.portal.edit(get_contact(hubspot), leadgate_score="99")
    report = reconcile(written, Changing(hubspot.crm, lambda: execute(written, statement)))
    assert (report.being_written, report.same, report.drifting, report.opened) == (1, 1, 0, 0)
    assert items(written) == []


@pytest.mark.parametrize("point", ["crm.reconcile.read", "crm.reconcile.inside"])
def test_a_comparison_that_is_killed_is_done_again(
    written: Harness, hubspot: Account, settings: Settings, point: str
) -> None:
    hubspot.portal.edit(get_contact(hubspot), leadgate_score="99")
    playbook = written.loaded.playbook
    records = hubspot.crm.read(CrmObject.LEAD, [get_contact(hubspot).id], ["leadgate_score", "leadgate_id"])

    fields = hubspot.crm.describe_fields(CrmObject.LEAD)

    class Kept:
        def describe_fields(self, *_: Any) -> Any:
            return fields

        def read(self, *_: Any) -> Mapping[str, CrmRecord]:
            return records

    def compare_in_child() -> None:
        with open_ledger(settings) as ledger:
            reconcile_crm(ledger, playbook, playbook.crm[0], Kept(), SINCE, NOW, page=1)  # type: ignore[arg-type]

    assert Child(compare_in_child, failpoint=point).killed
    assert reconcile(written, hubspot.crm).opened == 1
    assert len(items(written)) == 1


@pytest.mark.parametrize(
    "error", [ServiceUnreachableError("HubSpot did not answer", sent=True), ZeroDivisionError(TOKEN)], ids=repr
)
def test_a_crm_that_does_not_answer_is_a_problem_of_the_report(written: Harness, error: Exception) -> None:
    class Failing:
        def describe_fields(self, *_: Any) -> Any:
            return {"leadgate_score": None, "leadgate_id": None}

        def read(self, *_: Any) -> Any:
            raise error

    report = reconcile(written, Failing())
    assert report.problem
    assert TOKEN not in repr(report)
    assert items(written) == []


def test_a_value_that_nobody_wrote_is_a_drift_whatever_it_is(written: Harness, hubspot: Account) -> None:
    real = hubspot.crm.read

    @dataclass
    class Hostile:
        value: Any

        def describe_fields(self, kind: CrmObject) -> Any:
            return hubspot.crm.describe_fields(kind)

        def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> Mapping[str, CrmRecord]:
            found = real(kind, ids, fields)
            return {id: CrmRecord(id, {**each.values, "leadgate_score": self.value}) for id, each in found.items()}

    for value in (float("nan"), 10**400, "x" * 8_000, "<b>\x00\x07\ud800", True, None):
        report = reconcile(written, Hostile(value))
        assert report.drifting == 2
        assert max(len(drift.read) for drift in report.drifts) < 1_000
        assert reconcile(written, Hostile(value)).opened == 0
    assert len(items(written)) == 2


def test_a_field_that_was_removed_from_the_crm_is_told_once_and_no_drift(written: Harness, hubspot: Account) -> None:
    del hubspot.portal.properties["contacts"]["leadgate_score"]
    hubspot.portal.edit(get_contact(hubspot), email="other@elsewhere.example")
    report = reconcile(written, hubspot.connect())
    assert [drift.name for drift in report.drifts] == ["email"]
    assert report.problem is not None
    assert "leadgate_score" in report.problem


# --- the command ------------------------------------------------------------------------------------------


def test_the_command_shows_both_values_masked_and_ends_with_what_it_found(
    written: Harness, hubspot: Account, cli: Cli
) -> None:
    hubspot.portal.edit(get_contact(hubspot), email="other@elsewhere.example", leadgate_score="99")
    arguments = ("crm", "reconcile", "sales", "--since", "7d", "--now", NOW)
    told = join_lines(cli(*arguments, "--report-only", code=ExitCode.BROKEN))
    assert "leadgate_score" in told
    assert "99" in told
    assert "other@elsewhere.example" not in told
    shown = join_lines(cli(*arguments, "--report-only", "--show-personal", code=ExitCode.BROKEN))
    assert "other@elsewhere.example" in shown
    report = read_json(cli(*arguments, "--json", code=ExitCode.BROKEN))["crms"][0]
    assert (report["drifting"], report["opened"]) == (2, 2)
    assert "elsewhere.example" not in str(report).replace("o•••@elsewhere.example", "")


def test_the_command_is_content_or_says_what_is_wrong(
    written: Harness, hubspot: Account, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "2" in join_lines(cli("crm", "reconcile", "--now", NOW))
    for since in ("7", "x", "1e9d", "99999999999999d"):
        cli("crm", "reconcile", "--since", since, code=ExitCode.WRONG_INPUT)
    monkeypatch.delenv("HUBSPOT_TOKEN")
    assert "HUBSPOT_TOKEN" in cli("crm", "reconcile", code=ExitCode.UNREACHABLE).stderr


def test_a_salesforce_org_is_compared(harness: Harness, org: Org, use_book: UseBook, cli: Cli) -> None:
    harness.loaded = use_book(SALESFORCE, org.url)
    assert deliver(harness).count("delivered") == 2
    cli("crm", "reconcile", "--now", NOW)
    rows = org.fake.org.rows["Lead"]
    first, second = sorted(rows)
    org.fake.org.change("Lead", first, Company="Another")
    org.fake.org.delete("Lead", second)
    report = read_json(cli("crm", "reconcile", "--json", "--now", NOW, code=ExitCode.BROKEN))["crms"][0]
    assert (report["drifting"], report["gone"], report["opened"]) == (1, 1, 2)
