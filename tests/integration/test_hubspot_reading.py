"""Reading and setting up through the HubSpot connector, hostile answers, and what reaches no log and no error."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from crm_fakes.hubspot.connected import DUE, TOKEN, Account, make_rows
from crm_fakes.serving import RESET_BEFORE, SILENCE_AFTER, Response, answer_with, change_answer

from leadgate.connectors.crm import CrmFieldType, CrmObject, CrmRecord, CrmRefusedError, CrmWrite, WantedField
from leadgate.connectors.hubspot import HubSpot
from leadgate.connectors.service_session import ServiceError

LEAD, TASK, DEAL = CrmObject.LEAD, CrmObject.TASK, CrmObject.DEAL


def read_all(crm: HubSpot, kind: CrmObject, names: list[str], position: str | None) -> tuple[list[CrmRecord], str]:
    records: list[CrmRecord] = []
    for _ in range(100):
        page = crm.read_changes(kind, names, position)
        records += page.records
        position = page.position
        if not page.has_more:
            return records, position
    raise AssertionError("the changes do not end")


# reading


def test_a_time_in_the_future_does_not_end_all_reading(hubspot: Account) -> None:
    def move(name: str) -> Callable[[Response], Response]:
        def change(response: Response) -> Response:
            body = copy.deepcopy(response.body)
            for one in body["results"]:
                holder = one["properties"] if name in one["properties"] else one
                holder[name] = "9999-12-31T23:59:59.999Z"
            return Response(response.status, body)

        return change

    hubspot.portal.archive(hubspot.portal.add_record("contacts", firstname="a"))
    hubspot.fake.faults.plan(change_answer(move("archivedAt")), matching="GET /crm/objects")
    _, position = read_all(hubspot.crm, LEAD, ["firstname"], None)
    gone = hubspot.portal.add_record("contacts", firstname="b")
    hubspot.portal.archive(gone)
    records, position = read_all(hubspot.crm, LEAD, ["firstname"], position)
    assert gone.id in [record.id for record in records]

    changed = hubspot.portal.add_record("contacts", firstname="c")
    hubspot.fake.faults.plan(change_answer(move("lastmodifieddate")), matching="search")
    with pytest.raises(ServiceError):
        read_all(hubspot.crm, LEAD, ["firstname"], position)
    assert next(record.id for record in read_all(hubspot.crm, LEAD, ["firstname"], position)[0]) == changed.id


def test_records_are_found_by_a_unique_property_and_by_another(hubspot: Account) -> None:
    for n in range(260):
        hubspot.portal.add_record("contacts", email=f"p{n}@example.com", company="Acme" if n < 240 else "Other")
    found = hubspot.crm.find(LEAD, "email", [f"P{n}@example.com" for n in range(120)], ["email"])
    assert len(found) == 120
    assert not hubspot.fake.requests("/search")
    assert len(hubspot.crm.find(LEAD, "company", ["ACME"], ["company"])) == 240


def test_deleted_and_merged_records_are_told(hubspot: Account) -> None:
    kept, gone, winner, loser = (hubspot.portal.add_record("contacts", firstname=name) for name in "abcd")
    hubspot.portal.archive(gone)
    hubspot.portal.merge(winner, loser)
    read = hubspot.crm.read(LEAD, [kept.id, gone.id, loser.id, "999999"], ["firstname"])
    assert {one: (r.is_deleted, r.follows) for one, r in read.items()} == {
        kept.id: (False, None),
        gone.id: (True, None),
        loser.id: (True, winner.id),
    }
    changes, _ = read_all(hubspot.crm, LEAD, ["firstname"], None)
    assert {r.id: (r.is_deleted, r.follows) for r in changes} == {
        kept.id: (False, None),
        gone.id: (True, None),
        winner.id: (False, None),
        loser.id: (True, winner.id),
    }


def test_changes_are_read_once_by_time_and_go_on_from_there(hubspot: Account) -> None:
    for n in range(450):
        hubspot.portal.add_record("contacts", firstname=f"n{n}")
    records, position = read_all(hubspot.crm, LEAD, ["firstname"], None)
    assert {record.values["firstname"] for record in records} == {f"n{n}" for n in range(450)}
    edited = next(iter(hubspot.portal.records["contacts"].values()))
    hubspot.portal.edit(edited, firstname="new")
    again, _ = read_all(hubspot.crm, LEAD, ["firstname"], position)
    assert "new" in {record.values["firstname"] for record in again}
    assert len(again) < 100


def test_many_records_of_one_moment_are_all_read(hubspot: Account) -> None:
    moment = datetime(2026, 5, 6, 7, 8, 9, 10_000, tzinfo=UTC)
    hubspot.portal.clock = lambda: moment
    for n in range(650):
        hubspot.portal.add_record("contacts", firstname=f"n{n}")
    hubspot.portal.clock = lambda: datetime.now(UTC)
    hubspot.portal.add_record("contacts", firstname="later")
    hubspot.fake.most_per_query = 200  # no second page of any query
    records, _ = read_all(hubspot.crm, LEAD, ["firstname"], None)
    assert {r.values["firstname"] for r in records} == {*(f"n{n}" for n in range(650)), "later"}


def test_a_record_that_changes_while_pages_are_read_hides_no_other(hubspot: Account) -> None:
    stamps = iter(range(100_000))
    hubspot.portal.clock = lambda: datetime(2026, 5, 6, 7, 8, next(stamps) // 900, tzinfo=UTC).replace(
        microsecond=next(stamps) % 900 * 1000
    )
    everyone = [hubspot.portal.add_record("contacts", firstname=f"n{n}") for n in range(420)]
    page = hubspot.crm.read_changes(LEAD, ["firstname"], None)
    seen = {record.id for record in page.records}
    for record in everyone[:50]:
        hubspot.portal.edit(record, firstname="moved")
    records, _ = read_all(hubspot.crm, LEAD, ["firstname"], page.position)
    assert seen | {record.id for record in records} == {record.id for record in everyone}


def test_a_search_that_is_behind_loses_nothing(hubspot: Account) -> None:
    hubspot.portal.index_lag = 0.15
    crm = hubspot.connect(overlap=30.0)
    hubspot.portal.add_record("contacts", firstname="late")
    _, position = read_all(crm, LEAD, ["firstname"], None)
    hubspot.portal.index_lag = 0
    records, _ = read_all(crm, LEAD, ["firstname"], position)
    assert [record.values["firstname"] for record in records] == ["late"]


def test_deals_come_with_their_contacts(hubspot: Account) -> None:
    contact = hubspot.portal.add_record("contacts", firstname="Ann")
    deal = hubspot.portal.add_record("deals", dealname="Big", amount="100", dealstage="closedwon")
    hubspot.portal.associate("deals", deal.id, "contacts", contact.id)
    (record,), _ = read_all(hubspot.crm, DEAL, ["amount", "dealstage"], None)
    assert (record.lead_ids, record.values) == ((contact.id,), {"amount": 100, "dealstage": "closedwon"})


def test_a_call_with_many_contacts_comes_with_all_of_them(hubspot: Account) -> None:
    contacts = [hubspot.portal.add_record("contacts", firstname=f"n{n}").id for n in range(7)]
    calls = [hubspot.portal.add_record("calls", hs_timestamp=DUE.isoformat()) for _ in range(3)]
    for place, call in enumerate(calls[:2]):
        for contact in contacts[: 7 - place * 5]:
            hubspot.portal.associate("calls", call.id, "contacts", contact)
    hubspot.fake.most_associations = 3
    page = hubspot.crm.read_activities(CrmObject.CALL, None)
    assert {each.id: set(each.lead_ids) for each in page.activities} == {
        calls[0].id: set(contacts),
        calls[1].id: set(contacts[:2]),
        calls[2].id: set(),
    }
    assert len(hubspot.fake.requests("associations")) == 3


def fail_batch(body: dict[str, Any]) -> dict[str, Any]:
    error = {"status": "error", "category": "INTERNAL_ERROR", "message": ""}
    return {**body, "results": [], "numErrors": 1, "errors": [error]}


def never_end(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "results": [each | {"paging": {"next": {"after": "1"}}} for each in body["results"]]}


@pytest.mark.parametrize(
    "change",
    [lambda body: {**body, "status": "PENDING"}, fail_batch, never_end],
    ids=["pending", "failed", "endless"],
)
def test_associations_that_are_not_told_whole_are_an_error_and_no_call_without_contacts(
    hubspot: Account, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    call = hubspot.portal.add_record("calls", hs_timestamp=DUE.isoformat())
    hubspot.portal.associate("calls", call.id, "contacts", hubspot.portal.add_record("contacts", firstname="a").id)
    hubspot.portal.associate("calls", call.id, "contacts", hubspot.portal.add_record("contacts", firstname="b").id)
    hubspot.fake.most_associations = 1
    changed = change_answer(lambda response: Response(207, change(response.body)))
    hubspot.fake.faults.plan(changed, matching="associations", times=3)
    with pytest.raises(ServiceError):
        hubspot.crm.read_activities(CrmObject.CALL, None)


def test_emails_need_a_scope_of_their_own(hubspot: Account) -> None:
    hubspot.portal.scopes.discard("sales-email-read")
    assert hubspot.crm.read_activities(CrmObject.CALL, None).activities == []
    with pytest.raises(CrmRefusedError) as refused:
        hubspot.crm.read_activities(CrmObject.EMAIL, None)
    assert "sales-email-read" in str(refused.value)


def test_owners_have_ids_of_their_own(hubspot: Account) -> None:
    hubspot.portal.add_owner("", queue=True, teams=[{"id": "1", "name": "Inbound", "primary": True}])
    hubspot.portal.add_owner("left@example.com", archived=True)
    for n in range(120):
        hubspot.portal.add_owner(f"Rep{n}@example.com")
    owners = {owner.id: owner for owner in hubspot.crm.list_owners()}
    assert len(owners) == 123
    user_ids = {str(owner.get("userId")) for owner in hubspot.portal.owners}
    assert not user_ids & set(owners)
    assert [o.name for o in owners.values() if o.is_queue] == ["Inbound"]
    assert [o.email for o in owners.values() if not o.is_active] == ["left@example.com"]


# setting up


def test_check_finds_what_writing_would_fail_for(hubspot: Account) -> None:
    wanted = [
        WantedField("leadgate_score", "Score", CrmFieldType.TEXT),
        WantedField("leadgate_grade", "Grade", CrmFieldType.CHOICE, values=("A", "C")),
        WantedField("hs_object_id", "Id", CrmFieldType.NUMBER),
        WantedField("frstname", "First name", CrmFieldType.TEXT),
        WantedField("company", "Company", CrmFieldType.TEXT),
    ]
    hubspot.portal.properties["contacts"]["leadgate_id"].is_unique = False
    hubspot.portal.scopes -= {"crm.objects.contacts.write", "crm.objects.owners.read"}
    found = {finding.subject: finding for finding in hubspot.crm.check(LEAD, wanted)}
    assert set(found) == {
        "leadgate_id",
        "leadgate_score",
        "leadgate_grade",
        "hs_object_id",
        "frstname",
        "writing contacts",
        "reading owners",
    }
    assert "C" in found["leadgate_grade"].problem
    assert "firstname" in found["frstname"].advice
    assert "crm.objects.contacts.write" in found["writing contacts"].advice
    assert all(finding.advice for finding in found.values())
    assert not hubspot.fake.requests("upsert")


def test_create_fields_makes_what_is_missing_and_then_nothing_is(hubspot: Account) -> None:
    for kind in ("contacts", "tasks"):
        del hubspot.portal.properties[kind]["leadgate_id"]
    wanted = [
        WantedField("lg_grade", "Grade", CrmFieldType.CHOICE, values=("A", "B")),
        WantedField("lg_told", "Told", CrmFieldType.BOOLEAN),
        WantedField("lg_due", "Due", CrmFieldType.DATETIME),
        WantedField("email", "E-mail", CrmFieldType.TEXT),
    ]
    assert hubspot.crm.check(LEAD, wanted)
    assert set(hubspot.crm.create_fields(LEAD, wanted)) == {"leadgate_id", "lg_grade", "lg_told", "lg_due"}
    assert hubspot.crm.create_fields(TASK, []) == ["leadgate_id"]
    assert hubspot.crm.create_fields(LEAD, wanted) == []
    assert hubspot.crm.check(LEAD, wanted) == hubspot.crm.check(TASK, []) == []
    assert hubspot.crm.write(LEAD, [CrmWrite("L1", {"lg_told": True, "lg_due": DUE})])[0].error is None


# hostile answers, and secrets


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"7",
    b"<html>",
    b'{"results": null}',
    b'{"results": [null]}',
    b'{"results": [{}]}',
    b'{"results": [{"id": {}, "properties": 7, "objectWriteTraceId": []}], "errors": 7}',
    b'{"results": [], "errors": [null, 7, {"context": [], "errors": {}}], "numErrors": 1e99}',
    b'{"results": [{"id": "1", "properties": {"email": [1]}, "updatedAt": 1e300}], "paging": []}',
    b'{"results": [{"id": "1\\u0000", "archived": "yes", "name": 7, "options": {}}]}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: body.decode()[:30])
@pytest.mark.parametrize("status", [200, 207, 400])
def test_a_hostile_answer_is_an_error_or_a_row_that_is_not_written(hubspot: Account, body: bytes, status: int) -> None:
    hubspot.crm.describe_fields(LEAD)
    real = hubspot.fake.answer
    hubspot.fake.answer = lambda request: Response(status, body)  # type: ignore[method-assign]
    attempts: list[Callable[[], object]] = [
        lambda: hubspot.crm.write(LEAD, make_rows(2)),
        lambda: hubspot.crm.read(LEAD, ["1"], ["email"]),
        lambda: hubspot.crm.find(LEAD, "company", ["a"], ["email"]),
        lambda: hubspot.crm.read_changes(LEAD, ["email"], None),
        hubspot.crm.list_owners,
        lambda: hubspot.connect().describe_fields(LEAD),
        lambda: hubspot.crm.check(LEAD, [WantedField("email", "E-mail", CrmFieldType.TEXT)]),
    ]
    for attempt in attempts:
        try:
            result = attempt()
        except ServiceError:
            continue
        written = result if attempt is attempts[0] else []
        assert all(row.error is not None for row in written)  # type: ignore[attr-defined]
    hubspot.fake.answer = real  # type: ignore[method-assign]


def test_neither_the_token_nor_a_value_reaches_a_log_or_an_error(
    hubspot: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    echo = {"message": f"your token {TOKEN} and ann@example.com", "category": "X"}
    for fault in (
        RESET_BEFORE,
        SILENCE_AFTER,
        *(answer_with(status, echo) for status in (400, 401, 403, 404, 429, 477, 500, 503)),
    ):
        hubspot.fake.faults.stop()
        hubspot.fake.faults.plan(fault, times=9)
        try:
            hubspot.crm.find(LEAD, "email", ["ann@example.com"], ["email"])
        except ServiceError as error:
            told += [str(error), repr(error), repr(error.__cause__)]
    assert told
    text = caplog.text + "".join(told)
    assert TOKEN not in text
    assert "ann@example.com" not in text
