"""Creating what a CRM lacks: what is missing, once, however many do it, and what is left for a person."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from crm_books import HUBSPOT, SALESFORCE, Org, UseBook
from crm_fakes.hubspot.connected import TOKEN, Account
from crm_fakes.serving import RESET_AFTER, answer_with

from leadgate.connectors.crm import CrmObject
from leadgate.connectors.crm_opening import open_crm
from leadgate.errors import ExitCode
from leadgate.playbook import LoadedPlaybook
from tasks.crm.setup import SetupReport, set_up_connection

MISSING = ("leadgate_id", "leadgate_score", "leadgate_grade")
LACKING = SALESFORCE.replace("      OwnerId", "      Leadgate_Route__c: route\n      OwnerId").replace(
    "    task:", "    options: {permission_set: Leadgate}\n    task:"
)
SALESFORCE_ENVIRON = {"SALESFORCE_ID": "app", "SALESFORCE_SECRET": TOKEN}


def set_up(book: LoadedPlaybook, crm: Any) -> SetupReport:
    return set_up_connection(book.playbook, book.playbook.crm[0], {"HUBSPOT_TOKEN": TOKEN}, lambda: crm)


def remove_properties(hubspot: Account) -> None:
    for name in MISSING:
        del hubspot.portal.properties["contacts"][name]
    del hubspot.portal.properties["tasks"]["leadgate_id"]


def test_a_dry_run_tells_what_would_be_created_and_creates_nothing(
    hubspot: Account, cli: Cli, use_book: UseBook
) -> None:
    use_book(HUBSPOT, hubspot.base_url)
    remove_properties(hubspot)
    report = read_json(cli("crm", "setup", "--dry-run", "--json"))["crms"][0]
    assert {(each["kind"], each["name"]) for each in report["created"]} == {
        *(("lead", name) for name in MISSING),
        ("task", "leadgate_id"),
    }
    assert (report["dry_run"], report["findings"]) == (True, [])
    assert "leadgate_grade" in join_lines(cli("crm", "setup", "--dry-run"))
    assert "leadgate_id" not in hubspot.portal.properties["contacts"]


def test_what_is_missing_is_created_once_and_the_check_is_content(
    hubspot: Account, cli: Cli, use_book: UseBook
) -> None:
    use_book(HUBSPOT, hubspot.base_url)
    remove_properties(hubspot)
    first = read_json(cli("crm", "setup", "--json"))["crms"][0]
    again = read_json(cli("crm", "setup", "--json"))["crms"][0]
    assert (len(first["created"]), first["is_ready"], again["created"]) == (4, True, [])
    contacts = hubspot.portal.properties["contacts"]
    assert contacts["leadgate_id"].is_unique
    assert set(contacts["leadgate_grade"].options) == {"A", "B"}
    assert contacts["leadgate_score"].type == "number"
    cli("crm", "check")


def test_what_only_a_person_can_do_is_left_and_the_rest_is_created(
    hubspot: Account, cli: Cli, use_book: UseBook
) -> None:
    use_book(HUBSPOT, hubspot.base_url)
    hubspot.portal.properties["contacts"]["leadgate_grade"].options.remove("B")
    hubspot.portal.properties["tasks"]["leadgate_id"].is_unique = False
    del hubspot.portal.properties["contacts"]["leadgate_score"]
    report = read_json(cli("crm", "setup", "--json", code=ExitCode.BROKEN))["crms"][0]
    assert [each["name"] for each in report["created"]] == ["leadgate_score"]
    assert {each["subject"] for each in report["findings"]} == {"leadgate_grade", "leadgate_id"}


def test_a_field_that_is_only_read_is_not_created(hubspot: Account, use_book: UseBook) -> None:
    section = HUBSPOT + "    reads: {source: website, also: [fristname]}\n"
    report = set_up(use_book(section, hubspot.base_url), hubspot.crm)
    assert report.created == []
    assert {finding.subject for finding in report.findings if finding.is_blocking} == {"fristname"}


def test_without_the_right_to_create_it_is_told_and_nothing_is_half_done(hubspot: Account, use_book: UseBook) -> None:
    remove_properties(hubspot)
    hubspot.portal.scopes.discard("crm.schemas.contacts.write")
    report = set_up(use_book(HUBSPOT, hubspot.base_url), hubspot.crm)
    assert report.created == []
    assert not report.is_ready
    assert set(MISSING) <= {finding.subject for finding in report.findings if finding.is_blocking}
    assert TOKEN not in repr(report)


@pytest.mark.parametrize("fault", [RESET_AFTER, answer_with(503, acts=True)], ids=lambda fault: fault.name)
def test_a_request_that_breaks_off_makes_no_second_field(hubspot: Account, use_book: UseBook, fault: Any) -> None:
    """The field is there, and nobody says so: it is no error, and the next time finds it."""
    remove_properties(hubspot)
    hubspot.fake.faults.plan(fault, matching="POST /crm/properties")
    book = use_book(HUBSPOT, hubspot.base_url)
    set_up(book, hubspot.crm)
    assert hubspot.fake.requests("POST /crm/properties")
    assert set_up(book, hubspot.connect()).is_ready
    assert set_up(book, hubspot.connect()).created == []


def test_of_two_at_once_each_field_is_created_by_one(hubspot: Account, use_book: UseBook) -> None:
    remove_properties(hubspot)
    book = use_book(HUBSPOT, hubspot.base_url)
    crms = [hubspot.connect() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda crm: set_up(book, crm), crms))
    created = [(each.kind, each.name) for report in reports for each in report.created]
    assert sorted(created) == sorted([*((CrmObject.LEAD, name) for name in MISSING), (CrmObject.TASK, "leadgate_id")])
    assert all(report.is_ready for report in reports)


def test_a_salesforce_org_gets_its_fields_and_their_permissions(org: Org, use_book: UseBook) -> None:
    book = use_book(LACKING, org.url)
    org.fake.org.add("PermissionSet", Name="Leadgate")
    for name in ("Lead", "Task"):
        del org.fake.org.schemas[name].fields["Leadgate_Id__c"]
    connection = book.playbook.crm[0]

    def run(_: int) -> SetupReport:
        return set_up_connection(
            book.playbook, connection, SALESFORCE_ENVIRON, lambda: open_crm(connection, SALESFORCE_ENVIRON)
        )

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(run, range(2)))
    created = sorted((each.kind.value, each.name) for report in reports for each in report.created)
    assert created == [("lead", "Leadgate_Id__c"), ("lead", "Leadgate_Route__c"), ("task", "Leadgate_Id__c")]
    assert [report.is_ready for report in reports] == [True, True]
    assert {row["Field"] for row in org.fake.org.rows["FieldPermissions"].values()} == {
        "Lead.Leadgate_Id__c", "Lead.Leadgate_Route__c", "Task.Leadgate_Id__c",
    }  # fmt: skip


def test_a_standard_field_of_salesforce_is_left_for_a_person(org: Org, use_book: UseBook) -> None:
    book = use_book(SALESFORCE.replace("      Email: email", "      Emial: email"), org.url)
    connection = book.playbook.crm[0]
    for dry_run in (True, False):
        report = set_up_connection(
            book.playbook,
            connection,
            SALESFORCE_ENVIRON,
            lambda: open_crm(connection, SALESFORCE_ENVIRON),
            dry_run=dry_run,
        )
        assert report.created == []
        assert {finding.subject for finding in report.findings if finding.is_blocking} == {"Emial", "Lead.Emial"}
