"""The Salesforce connector against a strict fake org over real HTTP.

Long as one file: tokens, writing, reading and setting up are shown through the same connection to the same fake.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from crm_fakes.salesforce import App, DuplicateRule, FakeSalesforce, ValidationRule
from crm_fakes.serving import RESET_AFTER, RESET_BEFORE, Fault, answer_with, serve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from leadgate.connectors.crm import (
    Crm,
    CrmFieldType,
    CrmLimitError,
    CrmObject,
    CrmRefusedError,
    CrmTask,
    CrmWrite,
    RowError,
    RowFault,
    WantedField,
)
from leadgate.connectors.salesforce import ClientCredentials, JwtCredentials, Salesforce
from leadgate.connectors.service_session import Policy, ServiceError, ServiceSession, ServiceUnreachableError

QUICK = Policy(repeats=2, first_wait=0.001, longest_wait=0.01, allow_private=True)
SECRET = "the-secret-of-the-app"  # noqa: S105 - made up
LEAD, TASK, DEAL = CrmObject.LEAD, CrmObject.TASK, CrmObject.DEAL
NEW = {"LastName": "Doe", "Company": "Acme"}


@dataclass(frozen=True)
class Keys:
    private: str
    public: str


@pytest.fixture(scope="module")
def keys() -> Keys:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Keys(private.decode(), public.decode())


@dataclass
class Connected:
    """A fake org, its address, and a way to connect to it."""

    fake: FakeSalesforce
    url: str
    session: ServiceSession

    def connect(self, credentials: Any = None, **options: Any) -> Salesforce:
        options = {"lock_waits": (0.001, 0.001), **options}
        return Salesforce(self.url, self.session, credentials or ClientCredentials("app", SECRET), **options)


@pytest.fixture
def connected() -> Iterator[Connected]:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=SECRET))
    with serve(fake) as url, ServiceSession("Salesforce", policy=QUICK) as session:
        yield Connected(fake, url, session)
    assert fake.errors == []


@pytest.fixture
def fake(connected: Connected) -> FakeSalesforce:
    return connected.fake


@pytest.fixture
def crm(connected: Connected) -> Salesforce:
    return connected.connect()


def get_error(crm: Crm, row: CrmWrite, kind: CrmObject = LEAD) -> RowError:
    [result] = crm.write(kind, [row])
    assert result.error is not None
    assert result.key == row.key
    return result.error


# ---- tokens


def test_a_signed_assertion_gets_a_token(connected: Connected, keys: Keys) -> None:
    connected.fake.apps["signed"] = App("signed", "rep@example.com", public_key=keys.public)
    crm = connected.connect(JwtCredentials("signed", "rep@example.com", keys.private))
    assert crm.list_owners()


@pytest.mark.parametrize(
    "change",
    [
        {"username": "other@example.com"},
        {"audience": "https://test.salesforce.com"},
        {"consumer_key": "unknown"},
        {"lifetime": -60},
    ],
    ids=str,
)
def test_an_assertion_that_salesforce_refuses(connected: Connected, keys: Keys, change: dict[str, Any]) -> None:
    connected.fake.apps["signed"] = App("signed", "rep@example.com", public_key=keys.public)
    credentials = replace(JwtCredentials("signed", "rep@example.com", keys.private), **change)
    with pytest.raises(CrmRefusedError) as refused:
        connected.connect(credentials).list_owners()
    assert refused.value.code == "invalid_grant"


def test_a_key_that_is_none_is_not_quoted(connected: Connected) -> None:
    broken = "-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----"
    with pytest.raises(CrmRefusedError) as refused:
        connected.connect(JwtCredentials("app", "rep@example.com", broken)).list_owners()
    assert "MIIsecret" not in repr(refused.value) + repr(refused.value.__cause__)


def test_a_token_that_has_expired_is_replaced_once_for_all_threads(crm: Salesforce, fake: FakeSalesforce) -> None:
    crm.list_owners()
    fake.expire_tokens()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: crm.list_owners(), range(8)))
    assert len(fake.requests("oauth2/token")) == 2


def test_a_token_that_is_refused_again_is_an_error(crm: Salesforce, fake: FakeSalesforce) -> None:
    refusal = answer_with(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}])
    fake.faults.plan(refusal, refusal, matching="/query")
    with pytest.raises(CrmRefusedError) as refused:
        crm.list_owners()
    assert refused.value.code == "INVALID_SESSION_ID"
    assert len(fake.requests("oauth2/token")) == 2


@pytest.mark.parametrize("url", ["http://example.com", "https://user@example.com", "ftp://127.0.0.1", "salesforce", ""])
def test_tokens_are_sent_to_no_other_address(connected: Connected, url: str) -> None:
    with pytest.raises(ValueError, match="address of Salesforce"):
        Salesforce(url, connected.session, ClientCredentials("app", SECRET))


# ---- writing


def test_rows_are_created_and_found_again_by_their_key(crm: Salesforce, fake: FakeSalesforce) -> None:
    rows = [CrmWrite("k1", {**NEW, "Leadgate_Score__c": 80}), CrmWrite("k2", NEW)]
    first = crm.write(LEAD, rows)
    again = crm.write(LEAD, rows)
    assert [(r.key, r.was_created, r.error) for r in first] == [("k1", True, None), ("k2", True, None)]
    assert [(r.id, r.was_created) for r in again] == [(r.id, False) for r in first]
    assert len(fake.org.rows["Lead"]) == 2
    assert {sent.operation for sent in fake.org.sent} == {"upsert"}


def test_a_known_record_is_updated_by_its_id_and_gets_the_key(crm: Salesforce, fake: FakeSalesforce) -> None:
    id = fake.org.add("Lead", **NEW)
    [result] = crm.write(LEAD, [CrmWrite("k1", {"Status": "Working"}, id=id)])
    assert (result.id, result.was_created, result.error) == (id, False, None)
    assert fake.org.rows["Lead"][id] | {"Status": "Working", "Leadgate_Id__c": "k1"} == fake.org.rows["Lead"][id]


def test_more_rows_than_a_request_takes_are_sent_in_several(crm: Salesforce, fake: FakeSalesforce) -> None:
    results = crm.write(LEAD, [CrmWrite(f"k{n}", NEW) for n in range(401)])
    assert [r.key for r in results] == [f"k{n}" for n in range(401)]
    assert len(fake.requests("PATCH")) == 3


def test_one_key_twice_is_written_in_the_order_of_the_rows(crm: Salesforce, fake: FakeSalesforce) -> None:
    fake.org.schemas["Lead"].change("Leadgate_Id__c", case_sensitive=False)
    rows = [CrmWrite(key, {**NEW, "FirstName": name}) for key, name in (("k", "a"), ("K", "b"), ("k", "c"))]
    results = crm.write(LEAD, rows)
    assert [r.was_created for r in results] == [True, False, False]
    assert [row["FirstName"] for row in fake.org.rows["Lead"].values()] == ["c"]


def test_no_assignment_rule_takes_the_owner_away(crm: Salesforce, fake: FakeSalesforce) -> None:
    rep = fake.org.add("User", Name="Rep", IsActive=True, UserType="Standard")
    fake.org.assignment_owner = fake.org.add("Group", Name="Pool", Type="Queue")
    [created] = crm.write(LEAD, [CrmWrite("k1", {**NEW, "OwnerId": rep})])
    crm.write(LEAD, [CrmWrite("k1", {"Status": "Working"}, id=created.id)])
    assert crm.read(LEAD, [created.id or ""], ["OwnerId"])[created.id or ""].values == {"OwnerId": rep}


def _invalid(code: str, values: dict[str, Any], fault: RowFault = RowFault.PERMANENT) -> Any:
    return pytest.param(values, code, fault, id=code)


@pytest.mark.parametrize(
    ("values", "code", "fault"),
    [
        _invalid("STRING_TOO_LONG", {"FirstName": "x" * 8_000}),
        _invalid("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", {"Leadgate_Grade__c": "Z"}),
        _invalid("REQUIRED_FIELD_MISSING", {"LastName": " "}),
        _invalid("INVALID_EMAIL_ADDRESS", {"Email": "no address"}),
        _invalid("FIELD_CUSTOM_VALIDATION_EXCEPTION", {"Phone": "0"}),
        _invalid("INACTIVE_OWNER_OR_USER", {"OwnerId": "005000000000009AAA"}),
        _invalid("INVALID_CROSS_REFERENCE_KEY", {"OwnerId": "005000000000008AAA"}),
        _invalid("DUPLICATES_DETECTED", {"Email": "known@example.com"}, RowFault.DUPLICATE),
        _invalid("INVALID_FIELD_FOR_INSERT_UPDATE", {"IsConverted": True}),
        _invalid("INVALID_TYPE", {"Leadgate_Score__c": "eighty"}),
        _invalid("INVALID_TYPE", {"Leadgate_Score__c": float("nan")}),
        _invalid("INVALID_TYPE", {"Leadgate_Score__c": 10**40}),
        _invalid("INVALID_TYPE", {"Leadgate_Due__c": datetime(2026, 1, 1)}),  # noqa: DTZ001
        _invalid("INVALID_TYPE", {"Leadgate_Day__c": datetime(2026, 1, 1, tzinfo=UTC)}),
    ],
)
def test_one_bad_row_is_named_and_the_others_are_written(
    crm: Salesforce, fake: FakeSalesforce, values: dict[str, Any], code: str, fault: RowFault
) -> None:
    known = fake.org.add("Lead", **NEW, Email="known@example.com")
    fake.org.rows["User"]["005000000000009AAA"] = {"IsActive": False, "IsDeleted": False}
    fake.org.duplicate_rules.append(DuplicateRule("Same address", "Email"))
    fake.org.validation_rules.append(ValidationRule("Phone", "no such phone", lambda row: row["Phone"] == "0"))
    rows = [CrmWrite("k1", NEW), CrmWrite("k2", {**NEW, **values}), CrmWrite("k3", NEW)]
    good, bad, also_good = crm.write(LEAD, rows)
    assert good.id
    assert also_good.id
    assert bad.id is None
    assert bad.error is not None
    assert (bad.error.code, bad.error.fault) == (code, fault)
    assert len(bad.error.message) < 1_100
    if code == "DUPLICATES_DETECTED":
        assert bad.error.other_id == known


def test_a_duplicate_rule_that_only_warns_is_overruled_when_the_playbook_says_so(connected: Connected) -> None:
    connected.fake.org.add("Lead", **NEW, Email="known@example.com")
    connected.fake.org.duplicate_rules.append(DuplicateRule("Same address", "Email", blocks=False))
    row = CrmWrite("k1", {**NEW, "Email": "known@example.com"})
    assert get_error(connected.connect(), row).fault is RowFault.DUPLICATE
    assert connected.connect(save_duplicates=True).write(LEAD, [row])[0].was_created


def test_a_key_that_another_record_has_is_a_duplicate(crm: Salesforce, fake: FakeSalesforce) -> None:
    has_it = fake.org.add("Lead", **NEW, Leadgate_Id__c="k1")
    error = get_error(crm, CrmWrite("k1", {"Status": "Working"}, id=fake.org.add("Lead", **NEW)))
    assert (error.fault, error.other_id) == (RowFault.DUPLICATE, has_it)


@pytest.mark.parametrize("times", [2, 5])
def test_a_locked_record_is_tried_again_for_a_while(crm: Salesforce, fake: FakeSalesforce, times: int) -> None:
    ids = [fake.org.add("Lead", **NEW) for _ in range(2)]
    fake.org.locked[ids[0]] = times
    locked, free = crm.write(LEAD, [CrmWrite(f"k{id}", {"Status": "Working"}, id=id) for id in ids])
    assert free.error is None
    if times == 2:
        assert locked.error is None
    else:
        assert locked.error is not None
        assert locked.error.fault is RowFault.TEMPORARY
    assert len([sent for sent in fake.org.sent if sent.values["id"] == ids[1]]) == 1


def test_two_requests_with_one_new_key_make_one_record(crm: Salesforce, fake: FakeSalesforce) -> None:
    error = {
        "statusCode": "DUPLICATE_VALUE",
        "message": "duplicate value found: Leadgate_Id__c duplicates value",
        "fields": [],
    }
    fake.faults.plan(answer_with(200, [{"success": False, "errors": [error]}], acts=True), matching="PATCH")
    [result] = crm.write(LEAD, [CrmWrite("k1", NEW)])
    assert (result.error, len(fake.org.rows["Lead"])) == (None, 1)


@pytest.mark.parametrize("end", ["converted", "deleted", "purged"])
def test_a_record_that_is_gone_is_told(crm: Salesforce, fake: FakeSalesforce, end: str) -> None:
    id = fake.org.add("Lead", **NEW)
    {"converted": fake.org.convert, "deleted": _delete(fake), "purged": _purge(fake)}[end](id)
    assert get_error(crm, CrmWrite("k1", {"Status": "Working"}, id=id)).fault is RowFault.GONE


def _delete(fake: FakeSalesforce) -> Callable[[str], object]:
    return lambda id: fake.org.delete("Lead", id)


def _purge(fake: FakeSalesforce) -> Callable[[str], object]:
    return lambda id: fake.org.purge("Lead", id)


@pytest.mark.parametrize(
    "row", [CrmWrite("", NEW), CrmWrite(" ", NEW), CrmWrite("k\x00", NEW), CrmWrite("k", NEW, id="'")]
)
def test_a_row_that_names_no_record_is_not_sent(crm: Salesforce, fake: FakeSalesforce, row: CrmWrite) -> None:
    assert get_error(crm, row).fault is RowFault.PERMANENT
    assert fake.org.sent == []


@pytest.mark.parametrize("name", ["Nope__c", "Id FROM User", "attributes", "", "x" * 8_000])
def test_a_field_that_does_not_exist_refuses_the_request(crm: Salesforce, fake: FakeSalesforce, name: str) -> None:
    with pytest.raises(CrmRefusedError) as refused:
        crm.write(LEAD, [CrmWrite("k1", {**NEW, name: "x"})])
    assert refused.value.code == "INVALID_FIELD"
    assert fake.org.sent == []


def test_a_field_that_was_created_a_moment_ago_is_seen(crm: Salesforce, fake: FakeSalesforce) -> None:
    crm.write(LEAD, [CrmWrite("k1", NEW)])
    fake.org.schemas["Lead"].fields["New__c"] = replace(fake.org.schemas["Lead"].fields["FirstName"], name="New__c")
    assert crm.write(LEAD, [CrmWrite("k1", {"New__c": "x"})])[0].error is None


@pytest.mark.parametrize(
    "fault", [RESET_AFTER, RESET_BEFORE, answer_with(503, acts=True), answer_with(500)], ids=lambda f: f.name
)
def test_a_write_that_breaks_off_makes_one_record(crm: Salesforce, fake: FakeSalesforce, fault: Fault) -> None:
    fake.faults.plan(fault, matching="PATCH")
    assert crm.write(LEAD, [CrmWrite("k1", NEW)])[0].id
    assert len(fake.org.rows["Lead"]) == 1


def test_a_row_that_salesforce_cannot_read_does_not_fail_the_others(crm: Salesforce, fake: FakeSalesforce) -> None:
    rows = [CrmWrite(f"k{n}", {**NEW, "Leadgate_Day__c": date(2026, 1, 1 + n)}) for n in range(8)]
    crm.describe_fields(LEAD)
    fake.org.schemas["Lead"].change("Leadgate_Day__c", type="int")  # an administrator changes it meanwhile
    rows[5] = CrmWrite("k5", NEW)
    results = crm.write(LEAD, rows)
    assert [r.error is None for r in results] == [n == 5 for n in range(8)]
    assert results[0].error is not None
    assert results[0].error.code == "JSON_PARSER_ERROR"


@pytest.mark.parametrize(
    "value",
    ["  padded ", "", "\x00nul\x07", "\ud800", "'; DELETE", "a\r\nb", "İ" * 20, 5, True, date(2026, 1, 2)],
    ids=repr,
)
def test_a_text_is_read_as_it_was_stored(crm: Salesforce, value: Any) -> None:
    stored = crm.store_values(LEAD, {"FirstName": value})
    [result] = crm.write(LEAD, [CrmWrite("k1", {**NEW, "FirstName": value})])
    assert result.id
    assert crm.read(LEAD, [result.id], ["FirstName"])[result.id].values == stored


def test_values_of_each_type_are_read_as_they_were_written(crm: Salesforce) -> None:
    due = datetime(2026, 3, 29, 2, 30, 15, 999, tzinfo=timezone(timedelta(hours=-5)))
    values = {
        "Leadgate_Score__c": 12.5,
        "NumberOfEmployees": 40,
        "HasOptedOutOfEmail": True,
        "Leadgate_Due__c": due,
        "Leadgate_Day__c": date(2026, 3, 29),
        "Leadgate_Topics__c": "Price;Demo",
        "Phone": None,
    }
    [result] = crm.write(LEAD, [CrmWrite("k1", {**NEW, **values})])
    assert result.id
    read = crm.read(LEAD, [result.id], list(values))[result.id].values
    assert read == crm.store_values(LEAD, values)
    assert read == {**values, "Leadgate_Due__c": datetime(2026, 3, 29, 7, 30, 15, tzinfo=UTC)}


# ---- tasks


def _make_task(fake: FakeSalesforce, **changes: Any) -> CrmTask:
    lead = fake.org.add("Lead", **NEW)
    zone = timezone(timedelta(hours=-8))
    due = datetime(2026, 5, 1, 23, 0, tzinfo=zone)  # the next day in UTC
    return replace(CrmTask("t1", lead, fake.org.user, "Call Doe", "Why", due), **changes)


def test_a_task_is_due_on_its_owners_day_and_made_once(crm: Salesforce, fake: FakeSalesforce) -> None:
    task = _make_task(fake)
    [first] = crm.write_tasks([task])
    [again] = crm.write_tasks([replace(task, subject="Call Doe now")])
    assert (first.was_created, again.was_created, again.id) == (True, False, first.id)
    [row] = fake.org.rows["Task"].values()
    assert (row["ActivityDate"], row["Subject"], row["WhoId"]) == (date(2026, 5, 1), "Call Doe now", task.record_id)
    assert row["ReminderDateTime"] == task.due_at


def test_a_task_that_its_owner_has_closed_stays_closed(crm: Salesforce, fake: FakeSalesforce) -> None:
    task = _make_task(fake)
    [made] = crm.write_tasks([task])
    fake.org.change("Task", made.id or "", Status="Completed")
    crm.write_tasks([task, replace(task, id=made.id)])
    assert fake.org.rows["Task"][made.id or ""]["Status"] == "Completed"


def test_a_finished_task_is_closed(crm: Salesforce, fake: FakeSalesforce) -> None:
    task = _make_task(fake, record_id=fake.org.add("Opportunity", Name="Deal"))
    [made] = crm.write_tasks([task, replace(task, is_done=True)])[1:]
    row = fake.org.rows["Task"][made.id or ""]
    assert (row["Status"], row["IsReminderSet"], row["WhatId"]) == ("Completed", False, task.record_id)


def test_a_long_task_is_cut_and_one_without_a_zone_refused(crm: Salesforce, fake: FakeSalesforce) -> None:
    task = _make_task(fake, subject="s" * 8_000, body="b" * 80_000)
    naive = replace(task, key="t2", due_at=datetime(2026, 1, 1))  # noqa: DTZ001
    refused, made = crm.write_tasks([naive, task])
    assert made.error is None
    assert refused.error is not None
    assert refused.error.field == "ActivityDate"


# ---- limits


def test_the_budget_is_what_salesforce_said_last(crm: Salesforce, fake: FakeSalesforce) -> None:
    assert crm.budget.day_left is None
    crm.list_owners()
    assert (crm.budget.day_limit, crm.budget.day_left) == (100_000, 100_000 - fake.used)


def test_the_limit_of_a_day_is_told_apart_from_that_of_a_moment(crm: Salesforce, fake: FakeSalesforce) -> None:
    message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    fake.faults.plan(answer_with(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": message}]), matching="/query")
    with pytest.raises(CrmLimitError) as moment:
        crm.list_owners()
    fake.limit = fake.used
    with pytest.raises(CrmLimitError) as day:
        crm.list_owners()
    assert (moment.value.is_daily, day.value.is_daily) == (False, True)
    assert moment.value.wait_seconds < day.value.wait_seconds
    fake.faults.plan(answer_with(429, Retry_After="7"), matching="/query")
    with pytest.raises(CrmLimitError) as asked:
        crm.list_owners()
    assert (asked.value.wait_seconds, asked.value.is_daily) == (7, False)


def test_an_org_that_is_away_is_no_refusal(crm: Salesforce, fake: FakeSalesforce) -> None:
    fake.faults.plan(answer_with(503, b"<html>Down for Maintenance</html>"), matching="/query", times=5)
    with pytest.raises(ServiceUnreachableError):
        crm.list_owners()


# ---- reading


def test_owners_are_users_and_queues(crm: Salesforce, fake: FakeSalesforce) -> None:
    gone = fake.org.add("User", Name="Gone", Email="gone@example.com", IsActive=False, UserType="Standard")
    fake.org.add("User", Name="Robot", IsActive=True, UserType="AutomatedProcess")
    queue = fake.org.add("Group", Name="Pool", Type="Queue")
    fake.org.add("Group", Name="Role", Type="Role")
    owners = {owner.id: owner for owner in crm.list_owners()}
    assert set(owners) == {fake.org.user, gone, queue}
    assert (owners[gone].is_active, owners[queue].is_queue, owners[queue].email) == (False, True, None)


def test_values_are_data_in_a_query(crm: Salesforce, fake: FakeSalesforce) -> None:
    names = ["O'Neil", "' OR Name != '", "\\", "a\\' b", 'say "hi"', "tab\there", "Ärger & Söhne+%", "%", "_"]
    for name in names:
        fake.org.add("Lead", LastName=name, Company="Acme")
    for name in names:
        assert [r.values["LastName"] for r in crm.find(LEAD, "LastName", [name], ["LastName"])] == [name]
    impossible = ["", "  ", "x" * 8_000, "\x00", "\ud800", "not there"]
    assert crm.find(LEAD, "LastName", impossible, ["LastName"]) == []


def test_long_lists_are_split_below_the_limit_of_an_address(crm: Salesforce, fake: FakeSalesforce) -> None:
    fake.token_source.length = 4_000
    ids = [fake.org.add("Lead", **NEW, Email=f"n{n}@{'é' * 20}.example") for n in range(500)]
    addresses = [fake.org.rows["Lead"][id]["Email"] for id in ids]
    assert len(crm.find(LEAD, "Email", addresses, ["LastName"])) == 500
    assert set(crm.read(LEAD, ids, ["LastName"])) == set(ids)
    assert len(fake.requests("/query?")) > 5


@pytest.mark.parametrize("name", ["Id FROM User--", "Owner.Name", "(SELECT Id FROM Tasks)", "COUNT()", "", "Nope__c"])
def test_names_of_fields_are_no_soql(crm: Salesforce, fake: FakeSalesforce, name: str) -> None:
    with pytest.raises(CrmRefusedError):
        crm.read(LEAD, [fake.org.user], [name])
    assert not fake.requests("/query")


def test_a_record_that_is_gone_says_where_it_went(crm: Salesforce, fake: FakeSalesforce) -> None:
    merged, stays, converted, deleted = (fake.org.add("Lead", **NEW) for _ in range(4))
    fake.org.merge("Lead", stays, merged)
    contact = fake.org.convert(converted)
    fake.org.delete("Lead", deleted)
    read = crm.read(LEAD, [merged, stays, converted[:15], deleted, "00Q000000000000AAA", "no id"], ["LastName"])
    assert (read[merged].is_deleted, read[merged].follows) == (True, stays)
    assert (read[converted[:15]].is_deleted, read[converted[:15]].follows) == (True, contact)
    assert (read[deleted].is_deleted, read[deleted].follows) == (True, None)
    assert set(read) == {merged, stays, converted[:15], deleted}


class Clock:
    """A clock that a test sets; the fake and the connector share it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock(fake: FakeSalesforce) -> Clock:
    fake.org.clock = clock = Clock()
    return clock


def sync(crm: Salesforce, position: str | None) -> tuple[list[Any], str, int]:
    """All records of a sync, its last position, and how many pages it took."""
    records: list[Any] = []
    for pages in range(1, 100):
        page = crm.read_changes(LEAD, ["LastName"], position)
        records += page.records
        position = page.position
        if not page.has_more:
            return records, position, pages
    raise AssertionError("the sync does not end")


def test_changes_of_one_second_are_all_read_page_by_page(connected: Connected, clock: Clock) -> None:
    org = connected.fake.org
    connected.fake.batch_rows = 3  # pages within pages
    crm = connected.connect(page_rows=5, now=clock)
    ids = [org.add("Lead", **NEW) for _ in range(23)]
    clock.go_on(hours=1)
    records, position, pages = sync(crm, None)
    assert [record.id for record in records] == ids
    assert pages == 5
    assert sync(crm, position)[0] == []
    clock.go_on(minutes=30)
    org.change("Lead", ids[7], LastName="New")
    late, position, _ = sync(crm, position)
    assert [(record.id, record.values["LastName"]) for record in late] == [(ids[7], "New")]


def test_a_change_that_became_visible_late_is_read(connected: Connected, clock: Clock) -> None:
    org = connected.fake.org
    crm = connected.connect(now=clock)
    org.add("Lead", **NEW)
    _, position, _ = sync(crm, None)
    clock.go_on(minutes=-2)
    late = org.add("Lead", **NEW)  # it got its stamp before the sync, and was to be seen after it
    clock.go_on(minutes=3)
    assert late in [record.id for record in sync(crm, position)[0]]


def test_a_clock_of_ours_that_is_fast_passes_over_nothing(connected: Connected, clock: Clock) -> None:
    org = connected.fake.org
    crm = connected.connect(now=lambda: clock.now + timedelta(hours=2))
    org.add("Lead", **NEW)
    _, position, _ = sync(crm, None)
    clock.go_on(minutes=1)
    new, gone = org.add("Lead", **NEW), org.add("Lead", **NEW)
    org.purge("Lead", gone)
    clock.go_on(minutes=3)
    assert {new, gone} <= {record.id for record in sync(crm, position)[0]}


def test_a_record_of_the_future_does_not_move_the_position(connected: Connected, clock: Clock) -> None:
    crm = connected.connect(now=clock)
    org = connected.fake.org
    odd = org.add("Lead", **NEW)
    org.rows["Lead"][odd]["SystemModstamp"] = clock.now + timedelta(days=400)
    with pytest.raises(ServiceError):
        sync(crm, None)
    org.change("Lead", odd)
    assert [record.id for record in sync(crm, None)[0]] == [odd]


def test_deletions_are_read_even_of_records_that_are_nowhere_else(connected: Connected, clock: Clock) -> None:
    org = connected.fake.org
    crm = connected.connect(page_rows=4, now=clock)
    ids = [org.add("Lead", **NEW) for _ in range(12)]
    clock.go_on(hours=1)
    _, position, _ = sync(crm, None)
    for id in ids[:9]:
        clock.go_on(minutes=1)
        org.purge("Lead", id)
    org.delete("Lead", ids[9])
    org.merge("Lead", ids[11], ids[10])
    clock.go_on(hours=1)
    records, position, _ = sync(crm, position)
    assert {record.id for record in records if record.is_deleted} == set(ids[:11])
    assert {record.follows for record in records if record.id == ids[10]} == {ids[11]}
    clock.go_on(hours=1)
    assert sync(crm, position)[0] == []


def test_a_position_older_than_the_log_of_deletions_says_so(connected: Connected, clock: Clock) -> None:
    org = connected.fake.org
    crm = connected.connect(now=clock)
    org.add("Lead", **NEW)
    clock.go_on(hours=1)
    first = crm.read_changes(LEAD, [], None)
    clock.go_on(days=20)
    late = crm.read_changes(LEAD, [], first.position)
    assert first.deletions_known_from is None
    assert late.deletions_known_from is not None
    assert clock.now - late.deletions_known_from < timedelta(days=15)
    assert crm.read_changes(LEAD, [], late.position).deletions_known_from is None
    org.log_purged_to = clock.now
    clock.go_on(hours=1)
    assert crm.read_changes(LEAD, [], late.position).deletions_known_from == clock.now


@pytest.mark.parametrize("position", ["", "{}", "[]", "null", '{"at":"x"}', "x" * 8_000])
def test_a_position_of_somebody_else_is_refused(crm: Salesforce, position: str) -> None:
    with pytest.raises(CrmRefusedError):
        crm.read_changes(LEAD, [], position)


# ---- setting up


def test_an_org_that_is_ready_has_no_blocking_finding(crm: Salesforce) -> None:
    lead = [WantedField(name, name, CrmFieldType.TEXT) for name in ("LastName", "Company")]
    assert crm.check(LEAD, [*lead, WantedField("OwnerId", "Owner", CrmFieldType.REFERENCE)]) == []
    assert crm.check(TASK, []) == []


def test_a_check_finds_what_would_fail(crm: Salesforce, fake: FakeSalesforce) -> None:
    lead = fake.org.schemas["Lead"]
    lead.change("Leadgate_Id__c", unique=False)
    lead.change("FirstName", createable=False, updateable=False)
    lead.updateable = False
    fake.org.add("AssignmentRule", Name="Round robin", SobjectType="Lead", Active=True)
    fake.org.add("DuplicateRule", MasterLabel="Same person", SobjectType="Lead", IsActive=True)
    rule = {"ValidationName": "Phone needed", "Active": True, "EntityDefinition.QualifiedApiName": "Lead"}
    fake.org.add("ValidationRule", **rule)
    fake.org.schemas["Task"].change("Status", choices=("Todo", "Finished"))
    findings = crm.check(
        LEAD,
        [
            WantedField("Nope__c", "Nope", CrmFieldType.TEXT),
            WantedField("FirstName", "First name", CrmFieldType.TEXT),
            WantedField("Phone", "Phone", CrmFieldType.NUMBER, is_unique=True),
            WantedField("Leadgate_Grade__c", "Grade", CrmFieldType.CHOICE, values=("A", "Z")),
            WantedField("Status", "Status", CrmFieldType.CHOICE, values=("Odd",)),
            WantedField("Leadgate_Topics__c", "Topics", CrmFieldType.CHOICE, values=("Price;Odd",)),
            WantedField("LastName", "Name", CrmFieldType.TEXT),
        ],
    )
    told = {(finding.subject, finding.is_blocking) for finding in findings}
    blocking = {"Lead", "Lead.Leadgate_Id__c", "Lead.Nope__c", "Lead.FirstName", "Lead.Phone"}
    assert told == {
        *((subject, True) for subject in (*blocking, "Lead.Leadgate_Grade__c", "Lead.Leadgate_Topics__c")),
        ("Lead.Status", False),
        ("Lead", False),
    }
    texts = " ".join(f"{finding.problem} {finding.advice}" for finding in findings)
    assert all(word in texts for word in ("Round robin", "Same person", "Phone needed", "Company", "edit"))
    assert [finding.subject for finding in crm.check(TASK, [])] == ["Task.Status"]
    assert fake.org.sent == []


def test_missing_fields_are_created_and_the_permission_set_may_use_them(connected: Connected) -> None:
    org = connected.fake.org
    crm = connected.connect(permission_set="Leadgate")
    holder = org.add("PermissionSet", Name="Leadgate")
    del org.schemas["Task"].fields["Leadgate_Id__c"]
    wanted = [
        WantedField("Score__c", "Score", CrmFieldType.NUMBER),
        WantedField("Grade__c", "Grade", CrmFieldType.CHOICE, values=("A", "B")),
        WantedField("Subject", "Subject", CrmFieldType.TEXT),
        *(
            WantedField(f"{kind}__c", "x", kind)
            for kind in (CrmFieldType.BOOLEAN, CrmFieldType.DATE, CrmFieldType.DATETIME, CrmFieldType.TEXT)
        ),
    ]
    names = crm.create_fields(TASK, wanted)
    assert names[:3] == ["Leadgate_Id__c", "Score__c", "Grade__c"]
    assert len(names) == 7
    assert next((row["ParentId"], row["Field"]) for row in org.rows["FieldPermissions"].values()) == (
        holder,
        "Task.Leadgate_Id__c",
    )
    assert crm.check(TASK, wanted) == []
    assert crm.create_fields(TASK, wanted) == []


def test_a_field_that_is_there_and_hidden_is_made_visible(connected: Connected) -> None:
    """A setup was killed between the field and its permission: the next one goes on."""
    org = connected.fake.org
    org.add("PermissionSet", Name="Leadgate")
    crm = connected.connect(permission_set="Leadgate")
    seen = org.schemas["Lead"].describe()  # what this user sees, and goes on to see
    connected.fake.faults.plan(answer_with(200, seen), matching="Lead/describe", times=2)
    fields = org.schemas["Lead"].fields
    fields["New__c"] = replace(fields["FirstName"], name="New__c")
    assert crm.create_fields(LEAD, [WantedField("New__c", "New", CrmFieldType.TEXT)]) == []
    assert [row["Field"] for row in org.rows["FieldPermissions"].values()] == ["Lead.New__c"]


@pytest.mark.parametrize(
    "field", [WantedField("Standard", "x", CrmFieldType.TEXT), WantedField("Other__c", "x", CrmFieldType.REFERENCE)]
)
def test_a_field_that_cannot_be_created_stops_before_the_first(
    crm: Salesforce, fake: FakeSalesforce, field: WantedField
) -> None:
    with pytest.raises(CrmRefusedError):
        crm.create_fields(LEAD, [WantedField("New__c", "New", CrmFieldType.TEXT), field])
    assert not fake.requests("POST /services/data")


# ---- secrets


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_secret_reaches_a_log_or_an_error(
    connected: Connected, keys: Keys, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    fake = connected.fake
    fake.apps["signed"] = App("signed", "rep@example.com", public_key=keys.public)
    told, secrets = "", []
    for credentials in (ClientCredentials("app", SECRET), JwtCredentials("signed", "rep@example.com", keys.private)):
        for matching in ("oauth2/token", "PATCH"):
            crm = connected.connect(credentials)
            fake.faults.stop()
            fake.expire_tokens()
            fake.log.clear()
            crm.list_owners()
            own = [*fake.tokens, SECRET if isinstance(credentials, ClientCredentials) else keys.private]
            own += _get_assertions(fake)
            secrets += own
            quoted = " ".join(own)
            error = {"errorCode": "X", "error": "x", "message": quoted, "error_description": quoted, "statusCode": "X"}
            body = [{**error, "success": False, "errors": [error], "access_token": quoted}]
            fake.faults.plan(answer_with(status, body), matching=matching, times=4)
            if matching == "oauth2/token":
                fake.expire_tokens()
            try:
                told += repr(crm.write(LEAD, [CrmWrite("k1", NEW)]))
            except ServiceError as error:
                told += f"{error!r} {error.__cause__!r} {vars(error)} {credentials!r}"
    assert len(secrets) >= 10
    assert [secret for secret in secrets if secret in told + caplog.text] == []


def _get_assertions(fake: FakeSalesforce) -> list[str]:
    bodies = [request.body.decode() for request in fake.requests("oauth2/token")]
    return [body.partition("assertion=")[2] for body in bodies if "assertion=" in body]


def test_it_is_used_from_several_threads(crm: Salesforce, fake: FakeSalesforce) -> None:
    started = threading.Barrier(4)

    def write(number: int) -> bool:
        started.wait(5)
        return all(r.error is None for r in crm.write(LEAD, [CrmWrite(f"{number}-{n}", NEW) for n in range(20)]))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(4)))
    assert len(fake.org.rows["Lead"]) == 80
    assert len(fake.requests("oauth2/token")) == 1
