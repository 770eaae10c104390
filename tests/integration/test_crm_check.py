"""Checking a CRM before the first write: what would fail is named with what to do, over real HTTP to strict fakes."""

from __future__ import annotations

from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from crm_books import HUBSPOT, SALESFORCE, Org, UseBook
from crm_fakes.hubspot.connected import TOKEN, Account

from leadgate.connectors.crm import (
    Crm,
    CrmField,
    CrmFieldType,
    CrmFinding,
    CrmLimitError,
    CrmObject,
    CrmOwner,
    CrmRefusedError,
)
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.errors import ExitCode
from leadgate.playbook import LoadedPlaybook
from tasks.crm.check import CheckReport, check_connection


def check(book: LoadedPlaybook, crm: Any) -> CheckReport:
    playbook = book.playbook
    return check_connection(playbook, playbook.crm[0], {"HUBSPOT_TOKEN": TOKEN}, lambda: crm)


def list_blocking(report: CheckReport) -> set[str]:
    return {finding.subject for finding in report.findings if finding.is_blocking}


# --- what is found ----------------------------------------------------------------------------------------


def test_an_account_that_is_ready_has_no_blocking_finding(hubspot: Account, use_book: UseBook) -> None:
    report = check(use_book(HUBSPOT, hubspot.base_url), hubspot.crm)
    assert (report.is_ready, list_blocking(report)) == (True, set())
    assert hubspot.portal.records == {kind: {} for kind in hubspot.portal.records}


def test_what_would_fail_is_found(hubspot: Account, use_book: UseBook) -> None:
    portal = hubspot.portal
    portal.properties["contacts"]["leadgate_id"].is_unique = False
    portal.properties["contacts"]["leadgate_score"].type = "date"
    portal.properties["contacts"]["leadgate_grade"].options.remove("B")
    portal.owners[0]["archived"] = True
    portal.scopes.discard("crm.objects.contacts.write")
    book = use_book(HUBSPOT, hubspot.base_url)
    report = check(book, hubspot.crm)
    assert {"leadgate_id", "leadgate_score", "leadgate_grade", "writing contacts"} <= list_blocking(report)
    told = {finding.subject: finding for finding in report.findings}
    assert "crm.objects.contacts.write" in told["writing contacts"].advice
    assert "B" in told["leadgate_grade"].problem
    reps = [finding for finding in report.findings if finding.subject in {rep.name for rep in book.playbook.reps}]
    assert reps
    assert all("is not active" in finding.problem and finding.advice for finding in reps)
    order = [finding.is_blocking for finding in report.findings]
    assert order == sorted(order, reverse=True)
    assert not portal.records["contacts"]


def test_of_two_users_with_one_address_neither_is_taken(hubspot: Account, use_book: UseBook) -> None:
    hubspot.portal.add_owner("Rep@Example.com")
    report = check(use_book(HUBSPOT, hubspot.base_url), hubspot.crm)
    assert {"2 users" in finding.problem for finding in report.findings if finding.is_blocking} == {True}
    assert any("crm_ids" in finding.advice for finding in report.findings)


def test_a_crm_that_is_only_read_needs_no_key_and_no_right_to_write(hubspot: Account, use_book: UseBook) -> None:
    section = """
crm:
  - {name: sales, type: hubspot, url: "URL", allow_private: true, credentials: {token: HUBSPOT_TOKEN},
     reads: {source: website, also: [leadgate_score], only: {nope: set}}}
"""
    del hubspot.portal.properties["contacts"]["leadgate_id"]
    hubspot.portal.scopes.discard("crm.objects.contacts.write")
    assert list_blocking(check(use_book(section, hubspot.base_url), hubspot.crm)) == {"nope"}


def test_a_salesforce_org_that_lacks_things(org: Org, cli: Cli, use_book: UseBook) -> None:
    use_book(SALESFORCE.replace("      Company: company\n", "      Grade__c: grade\n"), org.url)
    del org.fake.org.schemas["Task"].fields["Leadgate_Id__c"]
    result = read_json(cli("crm", "check", "--json", code=ExitCode.BROKEN))
    (report,) = result["crms"]
    blocking = {finding["subject"] for finding in report["findings"] if finding["is_blocking"]}
    assert blocking == {"Lead", "Lead.Grade__c", "Task.Leadgate_Id__c"}
    assert not report["is_ready"]
    assert not org.fake.org.rows["Lead"]


def test_a_connection_that_creates_nothing_needs_not_what_a_new_record_needs(
    org: Org, cli: Cli, use_book: UseBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = SALESFORCE.replace("      Company: company\n", "").replace(
        "    writes:", "    create: false\n    writes:"
    )
    use_book(section, org.url)
    org.fake.org.schemas["Lead"].createable = False
    cli("crm", "check", "sales")


def test_deals_that_are_read_are_checked_too(hubspot: Account, use_book: UseBook) -> None:
    section = (
        HUBSPOT + "    reads: {deals: {created: opportunity_created, stages: {closdwon: won}, stage_field: STAGE}}\n"
    )
    hubspot.portal.add_property("deals", "team_stage", "enumeration", options=["closedwon"])
    report = check(use_book(section.replace("STAGE", "team_stage"), hubspot.base_url), hubspot.crm)
    (finding,) = report.findings
    assert (finding.subject, finding.is_blocking, "closedwon" in finding.advice) == ("team_stage", False, True)
    hubspot.portal.scopes.discard("crm.objects.deals.read")
    report = check(use_book(section.replace("STAGE", "gone_stage"), hubspot.base_url), hubspot.crm)
    assert {"gone_stage", "reading deals"} <= list_blocking(report)


# --- the command ------------------------------------------------------------------------------------------


def test_variables_that_are_not_set_are_named_and_the_crm_is_not_asked(
    hubspot: Account, cli: Cli, use_book: UseBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_book(HUBSPOT, hubspot.base_url)
    monkeypatch.delenv("HUBSPOT_TOKEN", raising=False)
    assert "HUBSPOT_TOKEN" in join_lines(cli("crm", "check", code=ExitCode.UNREACHABLE))
    assert not hubspot.fake.requests("")


def test_the_command_tells_what_blocks_and_ends_with_it(
    hubspot: Account, cli: Cli, use_book: UseBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_book(HUBSPOT, hubspot.base_url)
    assert "Ready" in join_lines(cli("crm", "check"))
    del hubspot.portal.properties["tasks"]["leadgate_id"]
    told = join_lines(cli("crm", "check", "sales", code=ExitCode.BROKEN))
    assert "blocks" in told
    assert TOKEN not in told
    assert "sales" in cli("crm", "check", "sale", code=ExitCode.WRONG_INPUT).stderr


def test_a_wrong_token_is_a_finding_and_never_printed(
    hubspot: Account, cli: Cli, use_book: UseBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_book(HUBSPOT, hubspot.base_url)
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-wrong-5ecret")
    result = cli("crm", "check", "--json", code=ExitCode.BROKEN)
    assert "pat-wrong" not in result.stdout + result.stderr
    (report,) = read_json(result)["crms"]
    assert report["findings"]


# --- faults -----------------------------------------------------------------------------------------------


class Broken:
    """A CRM that answers each question with what it is told to, an error or a value."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.is_closed = False

    def _give(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def describe_fields(self, kind: CrmObject) -> dict[str, CrmField]:
        return {"email": CrmField("email", "E-mail", CrmFieldType.TEXT)}

    def check(self, kind: CrmObject, wanted: Any, *, creates: bool = True) -> list[CrmFinding]:
        found: list[CrmFinding] = self._give()
        return found

    def list_owners(self) -> list[CrmOwner]:
        return [CrmOwner("1", "\x1b[31m<b>", "rep@example.com", True), CrmOwner("2", "x" * 8_000, None, True, True)]

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("error", "was_asked"),
    [
        (ServiceUnreachableError("HubSpot cannot be reached", sent=False), False),
        (CrmLimitError("the limit of the day", wait_seconds=float("nan"), is_daily=True), False),
        (CrmRefusedError("x" * 8_000, code="X", vendor_message=f"token {TOKEN}"), True),
        (ZeroDivisionError(TOKEN), False),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_crm_that_fails_is_a_finding(use_book: UseBook, error: Exception, was_asked: bool) -> None:
    crm = Broken(error)
    report = check(use_book(HUBSPOT, "http://127.0.0.1:1"), crm)
    assert (report.is_ready, report.was_asked, crm.is_closed) == (False, was_asked, True)
    assert TOKEN not in repr(report)
    assert all(len(finding.problem) <= 1_000 for finding in report.findings)


def test_what_a_crm_says_does_nothing_to_a_terminal(
    hubspot: Account, cli: Cli, use_book: UseBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_book(HUBSPOT, hubspot.base_url)
    hostile = Broken([CrmFinding("\x1b[2J", f"[bold]{n}{'x' * 8_000}\r\n", "\u202eadvice") for n in range(500)])
    crm: Crm = hostile  # type: ignore[assignment]
    monkeypatch.setattr("console.cli.crm_check.open_crm", lambda *_: crm)
    for arguments in ((), ("--json",)):
        told = cli("crm", "check", *arguments, code=ExitCode.BROKEN).stdout
        assert not {"\x1b", "\r", "\u202e"} & set(told)
        assert "[bold]" in told
        assert len(told) < 200_000
