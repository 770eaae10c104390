"""The fake of Salesforce by itself: a client that is not ours works with it, and it refuses what Salesforce refuses.

simple-salesforce speaks https to Salesforce's hosts only. An adapter of its session sends that to the fake on loopback,
and nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from crm_fakes.salesforce import App, DuplicateRule, FakeSalesforce, ValidationRule
from crm_fakes.serving import serve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, format_soql
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id

SECRET = "the-secret-of-the-app"  # noqa: S105 - made up
NEW = {"LastName": "Doe", "Company": "Acme"}
UPSERT = "composite/sobjects/Lead/Leadgate_Id__c"


class Loopback(HTTPAdapter):
    """Sends what is meant for ``https://anything`` to the fake."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._netloc = urlsplit(base_url).netloc

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = urlsplit(request.url or "")._replace(scheme="http", netloc=self._netloc).geturl()
        return super().send(request, *args, **options)


@pytest.fixture
def fake() -> Iterator[FakeSalesforce]:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=SECRET))
    yield fake
    assert fake.errors == []


@pytest.fixture
def session(fake: FakeSalesforce) -> Iterator[requests.Session]:
    with serve(fake) as base_url, requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Loopback(base_url))
        yield session


@pytest.fixture
def client(fake: FakeSalesforce, session: requests.Session) -> Salesforce:
    token = fake.give_token()
    return Salesforce(session_id=token, instance_url="https://acme.my.salesforce.com", session=session, version="66.0")


def upsert(client: Salesforce, *records: dict[str, Any], path: str = UPSERT, **more: Any) -> Any:
    named = [{"attributes": {"type": "Lead"}, **record} for record in records]
    return client.restful(path, method="PATCH", json={"allOrNone": False, "records": named, **more})


def get_error(refused: pytest.ExceptionInfo[Any]) -> str:
    [error] = refused.value.content
    assert error["message"]
    return str(error["errorCode"])


# ---- a client that is not ours


def test_another_client_logs_in_with_a_secret_and_with_a_key(fake: FakeSalesforce, session: requests.Session) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forms = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    public = key.public_key().public_bytes(forms[0], serialization.PublicFormat.SubjectPublicKeyInfo)
    fake.apps["signed"] = App("signed", "rep@example.com", public_key=public.decode())

    with_secret = Salesforce(consumer_key="app", consumer_secret=SECRET, domain="acme.my", session=session)
    private = key.private_bytes(*forms).decode()
    with_key = Salesforce(username="rep@example.com", consumer_key="signed", privatekey=private, session=session)

    assert with_secret.session_id != with_key.session_id
    for client in (with_secret, with_key):
        assert client.query("SELECT Id FROM User")["totalSize"] == 1
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(consumer_key="app", consumer_secret="wrong", domain="acme.my", session=session)  # noqa: S106
    assert refused.value.code == "invalid_client"


def test_another_client_logs_in_anew_when_its_token_has_expired(
    fake: FakeSalesforce, session: requests.Session
) -> None:
    client = Salesforce(consumer_key="app", consumer_secret=SECRET, domain="acme.my", session=session)
    fake.expire_tokens()
    assert client.query("SELECT Id FROM User")["done"]
    assert len(fake.requests("oauth2/token")) == 2


def test_another_client_queries_page_by_page(fake: FakeSalesforce, client: Salesforce) -> None:
    names = ["O'Neill", 'He said "no" \\ maybe', "two\nlines", "Plain", "Ünï"]
    for name in names:
        fake.org.add("Lead", LastName=name, Company="Acme", Leadgate_Due__c=datetime(2026, 12, 1, 9, tzinfo=UTC))
    fake.batch_rows = 2

    found = list(client.query_all_iter(format_soql("SELECT Id, LastName FROM Lead WHERE LastName IN {}", names)))
    assert sorted(row["LastName"] for row in found) == sorted(names)
    assert {row["attributes"]["type"] for row in found} == {"Lead"}
    assert len(fake.requests("GET /services/data/v66.0/query/01g")) == 2

    due = format_soql("SELECT Id FROM Lead WHERE Leadgate_Due__c = {}", datetime(2026, 12, 1, 9, tzinfo=UTC))
    fake.batch_rows = 2_000
    first = client.query(due)
    assert (first["totalSize"], first["done"], "nextRecordsUrl" in first) == (5, True, False)
    assert client.query("SELECT Id FROM Lead WHERE LastName = 'Nobody'") == {
        "totalSize": 0,
        "done": True,
        "records": [],
    }
    assert client.api_usage["api-usage"].used == fake.used


def test_another_client_writes_reads_and_deletes_a_record(fake: FakeSalesforce, client: Salesforce) -> None:
    key = format_external_id("Leadgate_Id__c", "leadgate-L1/ä")
    made = client.Lead.upsert(key, NEW, raw_response=True)
    assert (made.status_code, made.json()["created"]) == (201, True)
    again = client.Lead.upsert(key, {"Company": "Acme Ltd"}, raw_response=True)
    assert (again.status_code, again.json()) == (200, {**made.json(), "created": False})

    id = made.json()["id"]
    assert client.Lead.update(id, {"FirstName": "Ann"}) == 204
    read = client.Lead.get_by_custom_id("Leadgate_Id__c", "leadgate-L1/ä")
    assert read == client.Lead.get(id)
    assert (read["FirstName"], read["Company"], read["IsConverted"]) == ("Ann", "Acme Ltd", False)
    assert client.Lead.create(NEW)["success"] is True

    assert client.Lead.delete(id) == 204
    with pytest.raises(SalesforceResourceNotFound):
        client.Lead.get(id)
    assert client.query(f"SELECT Id FROM Lead WHERE Id = '{id}'")["totalSize"] == 0
    [deleted] = client.query(f"SELECT Id, IsDeleted FROM Lead WHERE Id = '{id}'", include_deleted=True)["records"]
    assert deleted["IsDeleted"] is True
    assert fake.org.rows["Lead"][id]["IsDeleted"]


def test_another_client_reads_the_log_of_deletions(fake: FakeSalesforce, client: Salesforce) -> None:
    id = fake.org.add("Lead", **NEW)
    fake.org.purge("Lead", id)
    now = fake.org.now()
    log = client.Lead.deleted(now - timedelta(days=1), now + timedelta(minutes=1))
    assert [deletion["id"] for deletion in log["deletedRecords"]] == [id]
    moments = [log["deletedRecords"][0]["deletedDate"], log["earliestDateAvailable"], log["latestDateCovered"]]
    assert all(datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z") <= now for moment in moments)
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.Lead.deleted(now - timedelta(days=17), now)
    assert get_error(refused) == "INVALID_REPLICATION_DATE"


def test_another_client_reads_what_objects_there_are(client: Salesforce) -> None:
    described = client.describe()
    assert {"Lead", "Task", "Opportunity", "User"} <= {found["name"] for found in described["sobjects"]}
    fields = {field["name"]: field for field in client.Lead.describe()["fields"]}
    assert fields["Leadgate_Id__c"]["externalId"]
    assert fields["Leadgate_Id__c"]["unique"]
    assert [choice["value"] for choice in fields["Status"]["picklistValues"]] == ["Open", "Working", "Closed"]
    assert client.limits()["DailyApiRequests"]["Remaining"] < client.limits()["DailyApiRequests"]["Max"]


def test_another_client_writes_a_collection(fake: FakeSalesforce, client: Salesforce) -> None:
    rows = [{"Leadgate_Id__c": f"L{n}", **NEW} for n in range(200)]
    rows[7]["LastName"] = ""
    results = upsert(client, *rows)
    assert [result["success"] for result in results] == [n != 7 for n in range(200)]
    assert results[7]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert len(fake.org.rows["Lead"]) == 199
    id = results[0]["id"]
    [updated] = upsert(client, {"id": id, "Phone": "1"}, path="composite/sobjects")
    assert updated == {"id": id, "success": True, "errors": []}


def test_another_client_tells_errors_apart(fake: FakeSalesforce, client: Salesforce) -> None:
    for query, code in (
        ("SELECT Id FORM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE LastName = 'a' AND Company = 'b' OR Company = 'c'", "MALFORMED_QUERY"),
        ("SELECT Nothing__c FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing__c", "INVALID_TYPE"),
        ("SELECT Id FROM Lead WHERE LastName = 3", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR"),
    ):
        with pytest.raises(SalesforceMalformedRequest) as malformed:
            client.query(query)
        assert get_error(malformed) == code, query
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.Lead.create({"LastName": "Doe"})
    assert get_error(refused) == "REQUIRED_FIELD_MISSING"
    with pytest.raises(SalesforceResourceNotFound):
        client.Nothing__c.describe()
    with pytest.raises(SalesforceResourceNotFound):
        client.Lead.upsert("Company/Acme", NEW)  # no external id
    for _ in range(2):
        fake.org.add("Lead", Leadgate_Id__c="L1", **NEW)
    with pytest.raises(SalesforceMoreThanOneRecord) as several:
        client.Lead.upsert("Leadgate_Id__c/L1", NEW)
    assert len(several.value.content) == 2
    fake.limit = fake.used
    with pytest.raises(SalesforceRefusedRequest) as exceeded:
        client.query("SELECT Id FROM Lead")
    assert get_error(exceeded) == "REQUEST_LIMIT_EXCEEDED"
    fake.expire_tokens()
    with pytest.raises(SalesforceExpiredSession) as expired:
        client.query("SELECT Id FROM Lead")
    assert get_error(expired) == "INVALID_SESSION_ID"


# ---- what is refused


def row(**values: Any) -> dict[str, Any]:
    return {"Leadgate_Id__c": "L1", **NEW, **values}


@pytest.mark.parametrize(
    ("records", "more", "path", "code"),
    [
        ([row(Nothing__c="x")], {}, UPSERT, "INVALID_FIELD"),
        ([row(NumberOfEmployees="12")], {}, UPSERT, "JSON_PARSER_ERROR"),
        ([row(NumberOfEmployees=True)], {}, UPSERT, "JSON_PARSER_ERROR"),
        ([row(LastName=5)], {}, UPSERT, "JSON_PARSER_ERROR"),
        ([row(LastName=["Doe"])], {}, UPSERT, "JSON_PARSER_ERROR"),
        ([row(HasOptedOutOfEmail="yes")], {}, UPSERT, "JSON_PARSER_ERROR"),
        ([row(Leadgate_Day__c="1.12.2026")], {}, UPSERT, "JSON_PARSER_ERROR"),
        ([row(Leadgate_Due__c="2026-12-01T09:00:00")], {}, UPSERT, "JSON_PARSER_ERROR"),
        ([row() for _ in range(201)], {}, UPSERT, "EXCEEDED_ID_LIMIT"),
        ([], {}, UPSERT, "INVALID_INPUT"),
        ([row(attributes={})], {}, UPSERT, "INVALID_INPUT"),
        ([row(attributes={"type": "Task"})], {}, UPSERT, "INVALID_TYPE"),
        ([row(attributes={"type": "Nothing"})], {}, "composite/sobjects", "INVALID_TYPE"),
        ([row(id="00Q5g0000000001AAA")], {}, UPSERT, "INVALID_FIELD"),
        ([row()], {"allOrNone": "no"}, UPSERT, "JSON_PARSER_ERROR"),
        ([row()], {"more": 1}, UPSERT, "JSON_PARSER_ERROR"),
    ],
)
def test_a_request_is_refused_as_a_whole(
    fake: FakeSalesforce, client: Salesforce, records: list[Any], more: dict[str, Any], path: str, code: str
) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        upsert(client, *records, path=path, **more)
    assert get_error(refused) == code
    assert fake.org.rows["Lead"] == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Leadgate_Id__c": ""}, "MISSING_ARGUMENT"),
        ({"Company": None}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "x" * 81}, "STRING_TOO_LONG"),
        ({"Email": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"Leadgate_Grade__c": "Z"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Leadgate_Topics__c": "Price;Weather"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Leadgate_Score__c": 1e18}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"OwnerId": "nobody"}, "MALFORMED_ID"),
        ({"OwnerId": "0055g9999999999AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"IsConverted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"SystemModstamp": "2026-12-01T09:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Company": "Forbidden"}, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        ({"Phone": "2"}, "DUPLICATES_DETECTED"),
    ],
    ids=str,
)
def test_a_row_is_refused_and_the_others_are_written(
    fake: FakeSalesforce, client: Salesforce, changes: dict[str, Any], code: str
) -> None:
    fake.org.validation_rules.append(ValidationRule("rule", "not this one", lambda row: row["Company"] == "Forbidden"))
    fake.org.duplicate_rules.append(DuplicateRule("by phone", "Phone"))
    fake.org.add("Lead", **NEW, Phone="2")
    first, bad, last = upsert(client, row(Leadgate_Id__c="L2"), row(**changes), row(Leadgate_Id__c="L3"))
    assert (first["success"], last["success"]) == (True, True)
    assert (bad["success"], "id" in bad) == (False, False)
    [error] = bad["errors"]
    assert error["statusCode"] == code
    assert len(fake.org.rows["Lead"]) == 3


def test_one_key_twice_in_a_request_is_refused_both_times(fake: FakeSalesforce, client: Salesforce) -> None:
    results = upsert(client, row(), row(Company="Other"), row(Leadgate_Id__c="L2"))
    assert [result["success"] for result in results] == [False, False, True]
    assert results[0]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"


def test_records_that_cannot_be_changed_are_refused(fake: FakeSalesforce, client: Salesforce) -> None:
    org = fake.org
    converted, deleted, locked, open_one = (org.add("Lead", **NEW, Leadgate_Id__c=f"L{n}") for n in range(4))
    org.convert(converted)
    org.delete("Lead", deleted)
    org.locked[locked] = 1
    inactive = org.add("User", Name="Left", IsActive=False, UserType="Standard")
    changes = [
        ({"id": converted, "Phone": "1"}, "CANNOT_UPDATE_CONVERTED_LEAD"),
        ({"id": deleted, "Phone": "1"}, "ENTITY_IS_DELETED"),
        ({"id": locked, "Phone": "1"}, "UNABLE_TO_LOCK_ROW"),
        ({"id": open_one, "OwnerId": inactive}, "INACTIVE_OWNER_OR_USER"),
        ({"id": "00Q5g0000009999AAA", "Phone": "1"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"id": "Doe", "Phone": "1"}, "MALFORMED_ID"),
        ({"id": inactive, "Phone": "1"}, "MALFORMED_ID"),
    ]
    results = upsert(client, *(change for change, _ in changes), path="composite/sobjects")
    assert [result["errors"][0]["statusCode"] for result in results] == [code for _, code in changes]
    [unlocked] = upsert(client, {"id": locked, "Phone": "1"}, path="composite/sobjects")
    assert unlocked["success"]


@pytest.mark.parametrize("version", ["9.0", "30.0", "66", "99.0"])
def test_a_version_that_does_not_exist_is_not_found(
    fake: FakeSalesforce, session: requests.Session, version: str
) -> None:
    client = Salesforce(session_id=fake.give_token(), instance_url="https://acme", session=session, version=version)
    with pytest.raises(SalesforceResourceNotFound):
        client.query("SELECT Id FROM Lead")


def test_collections_need_a_version_that_has_them(fake: FakeSalesforce, session: requests.Session) -> None:
    client = Salesforce(session_id=fake.give_token(), instance_url="https://acme", session=session, version="45.0")
    with pytest.raises(SalesforceResourceNotFound):
        upsert(client, row())


def test_the_key_stands_in_the_address_only(client: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.Lead.upsert("Leadgate_Id__c/L1", row())
    assert get_error(refused) == "INVALID_FIELD"


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer nonsense", "Basic Og=="])
def test_nobody_comes_in_without_a_token(fake: FakeSalesforce, session: requests.Session, authorization: str) -> None:
    answer = session.get("https://acme/services/data/v66.0/sobjects", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    assert fake.used == 0
