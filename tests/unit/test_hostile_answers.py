"""A CRM that answers anything: no connector raises another error than it declares, or shows a credential.

The fakes answer, without a server between. Then one part of one answer is replaced, wherever it is: so a connector is
asked everything that it can be asked, and meets a wrong part at every depth. What it gives is of the types of ``crm``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import pytest
from crm_fakes.hubspot import FakeHubSpot, Portal
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import FakeService, Request, Response
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried
from requests.structures import CaseInsensitiveDict

from leadgate.connectors.crm import (
    ChangePage,
    Crm,
    CrmField,
    CrmFieldType,
    CrmFinding,
    CrmObject,
    CrmOwner,
    CrmRecord,
    CrmTask,
    CrmWrite,
    RowResult,
    WantedField,
)
from leadgate.connectors.hubspot import HubSpot, Pace
from leadgate.connectors.salesforce import ClientCredentials, Salesforce
from leadgate.connectors.service_session import Answer, ServiceError, ServiceSession

SECRET = "pat-na1-5ecret.of/the+app"  # noqa: S105 - made up
LEAD, TASK = CrmObject.LEAD, CrmObject.TASK
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
PACE = Pace(
    requests=9_999, interval=0.001, searches=9_999, search_interval=0.001, lock_wait=0, longest_wait=0.005, daily_wait=0
)

texts = st.sampled_from(
    [
        "",
        " ",
        "x",
        "\x00\x1b[31m\u202e",
        "<script>alert(1)</script>",
        "9" * 400,
        "NaN",
        "-1",
        "x" * 8_000,
        SECRET,
        f"Bearer {SECRET}",
        "TOKEN",  # the token that was issued
        "00Q5g0000000001AAA",
        "UNABLE_TO_LOCK_ROW",
        "REQUEST_LIMIT_EXCEEDED",
        "0001-01-01T00:00:00.000+0000",
        "9999-12-31T23:59:59.999+0000",
        "2026-11-27T09:00:00",
        "/services/data/v66.0/query/01g5g0000000001AAA-2000",
        "//evil.example/query/x",
        "DAILY",
    ]
)
values = st.none() | st.booleans() | st.sampled_from([0, -1, 1.5, 10**18, 2**64 - 1, -(2**63), 1e308]) | texts
hostile = values | st.lists(values, max_size=2) | st.dictionaries(texts, values, max_size=2) | st.just([[[{}]]])
statuses = st.sampled_from([200] * 8 + [201, 204, 207, 301, 400, 401, 403, 404, 409, 423, 429, 431, 477, 500, 502, 999])
headers = st.dictionaries(
    st.sampled_from(["Date", "Retry-After", "Sforce-Limit-Info", "X-HubSpot-RateLimit-Remaining"]),
    st.sampled_from(
        ["Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "99999999999999999999", "-1", "NaN", "\x00"]
    ),
    max_size=2,
)


@dataclass(frozen=True)
class Spoiling:
    """Which answer is spoilt, counted from the first; where in it, as choices on the way down; and by what.

    ``part`` replaces what is there; ``is_removed`` takes it out. With ``everywhere`` the part is spoilt under each of
    its names, in every answer from that one on. ``text`` replaces the whole body.
    """

    answer: int
    way: Sequence[int]
    everywhere: bool
    part: Any
    is_removed: bool
    status: int
    headers: Mapping[str, str]
    text: bytes | None


spoilings = st.builds(
    Spoiling,
    answer=st.integers(0, 6),
    way=st.lists(st.integers(0, 40), max_size=6),
    everywhere=st.booleans(),
    part=hostile,
    is_removed=st.booleans(),
    status=statuses,
    headers=headers,
    text=st.sampled_from([None] * 6 + [b"", b"<html>502</html>", b"\xff", b'{"a":', b"NaN", b"[" * 500, b"null"]),
)


def spoil(body: Any, spoiling: Spoiling) -> tuple[Any, str]:
    """``body`` with one part replaced or taken out, and the name under which the part stands."""
    if not spoiling.way:
        return spoiling.part, ""
    body = copy.deepcopy(body)
    at, spoilt = body, ""
    for depth, choice in enumerate(spoiling.way):
        if not isinstance(at, dict | list) or not at:
            break
        names: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
        name = names[choice % len(names)]
        spoilt = name if isinstance(name, str) else spoilt
        if depth == len(spoiling.way) - 1 or not isinstance(at[name], dict | list) or not at[name]:
            change(at, name, spoiling)
            break
        at = at[name]
    return body, spoilt


def change(at: Any, name: Any, spoiling: Spoiling) -> None:
    if spoiling.is_removed:
        del at[name]
    else:
        at[name] = spoiling.part


def spoil_named(body: Any, name: str, spoiling: Spoiling) -> Any:
    """``body`` with each part of this name replaced or taken out."""
    if isinstance(body, dict):
        found = {key: spoil_named(value, name, spoiling) for key, value in body.items()}
        if name in found:
            change(found, name, spoiling)
        return found
    return [spoil_named(each, name, spoiling) for each in body] if isinstance(body, list) else body


class Spoilt(ServiceSession):
    """Asks a fake without a server between, and spoils one of its answers."""

    def __init__(self, fake: FakeService, spoiling: Spoiling, token: str = "") -> None:
        super().__init__("the service", secrets=filter(None, [token]))
        self._fake, self._spoiling, self._token = fake, spoiling, token
        self.sent = 0
        self._name = ""  # of the part that is spoilt everywhere

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        repeatable: bool | None = None,
    ) -> Answer:
        own = {"authorization": f"Bearer {self._token}"} if self._token else {}
        kind = "application/x-www-form-urlencoded" if json is None else "application/json"
        given = {name.lower(): value for name, value in (headers or {}).items()}
        body = urlencode(data).encode() if data else b"" if json is None else orjson.dumps(json)
        target = f"{urlsplit(url).path}?{urlencode(params or {})}"
        response = self._fake.answer(Request(method, target, {"content-type": kind, **own, **given}, body))
        if self.sent == self._spoiling.answer:
            response = self._spoil(response)
        elif self._name:
            response = Response(response.status, spoil_named(response.body, self._name, self._spoiling))
        self.sent += 1
        found: CaseInsensitiveDict[str] = CaseInsensitiveDict(response.headers)
        return Answer(self.service, response.status, found, response.content, self.secrets)

    def _spoil(self, response: Response) -> Response:
        spoiling = self._spoiling
        body, name = (spoiling.text, "") if spoiling.text is not None else spoil(response.body, spoiling)
        if spoiling.everywhere and name:
            self._name, body = name, spoil_named(response.body, name, spoiling)
        if isinstance(body, dict | list | str) and isinstance(self._fake, FakeSalesforce):
            issued = next(iter(self._fake.tokens), "")
            body = orjson.loads(orjson.dumps(body).replace(b"TOKEN", issued.encode()))
        status = spoiling.status if spoiling.status != 200 else response.status
        return Response(status, orjson.dumps(body) if not isinstance(body, bytes) else body, spoiling.headers)


@dataclass
class Asked:
    """A connector, the session beneath it, and what must never be shown."""

    crm: Crm
    session: Spoilt
    record: str
    owner: str
    names: list[str]
    find_by: str
    secrets: Callable[[], list[str]]


def connect_to_hubspot(spoiling: Spoiling) -> Asked:
    portal = Portal()
    for kind in ("contacts", "tasks"):
        portal.add_property(kind, "leadgate_id", is_unique=True)
    portal.add_property("contacts", "leadgate_score", "number")
    owner = portal.add_owner("rep@example.com")
    one, two = (portal.add_record("contacts", email=f"p{n}@example.com", leadgate_score="1") for n in range(2))
    portal.archive(two)
    session = Spoilt(FakeHubSpot(portal, token=SECRET), spoiling, SECRET)
    crm = HubSpot("https://api.example", session, pace=PACE, overlap=0, deleted_every=0)
    names = ["email", "leadgate_score", "lastname"]
    return Asked(crm, session, one.id, owner, names, "email", lambda: [SECRET])


def connect_to_salesforce(spoiling: Spoiling) -> Asked:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=SECRET))
    fake.batch_rows = 1
    org = fake.org
    one, two = (org.add("Lead", LastName="Doe", Company="Acme", Email=f"p{n}@example.com") for n in range(2))
    org.delete("Lead", two)
    owner = org.add("User", Name="Rep", Email="rep@example.com", IsActive=True, UserType="Standard")
    session = Spoilt(fake, spoiling)
    crm = Salesforce("https://acme.example", session, ClientCredentials("app", SECRET), lock_waits=(), page_rows=1)
    names = ["LastName", "Company", "Email", "Leadgate_Score__c", "Leadgate_Due__c"]
    return Asked(crm, session, one, owner, names, "Email", lambda: [SECRET, *fake.tokens])


def read_all_changes(asked: Asked) -> Iterator[ChangePage]:
    position: str | None = None
    for _ in range(2):  # the second sync begins where the first ended, whatever it was told
        for _ in range(4):
            page = asked.crm.read_changes(LEAD, asked.names, position)
            yield page
            position = page.position
            if not page.has_more:
                break


def write(asked: Asked) -> list[RowResult]:
    new = {asked.names[0]: "a@example.com", asked.names[1]: 2 if asked.find_by == "email" else "Acme"}
    return asked.crm.write(LEAD, [CrmWrite("k1", new), CrmWrite("k2", new, asked.record)])


def write_tasks(asked: Asked) -> list[RowResult]:
    task = CrmTask("t1", asked.record, asked.owner, "Call", "soon", NOW + timedelta(days=1))
    return asked.crm.write_tasks([task, CrmTask("t2", asked.record, asked.owner, "Call", "soon", NOW, is_done=True)])


NEW = WantedField("extra__c", "Extra", CrmFieldType.TEXT)
WANTED = [NEW, WantedField("Email", "E-mail", CrmFieldType.TEXT)]
QUESTIONS: dict[str, Callable[[Asked], object]] = {
    "describe": lambda asked: asked.crm.describe_fields(LEAD),
    "owners": lambda asked: asked.crm.list_owners(),
    "find": lambda asked: asked.crm.find(LEAD, asked.find_by, ["p0@example.com"], asked.names),
    "find by key": lambda asked: asked.crm.find(LEAD, asked.names[0], ["p0@example.com", "Doe"], asked.names),
    "read": lambda asked: asked.crm.read(LEAD, [asked.record, "00Q5g0000000099AAA"], asked.names),
    "changes": lambda asked: list(read_all_changes(asked)),
    "write": write,
    "tasks": write_tasks,
    "check": lambda asked: asked.crm.check(LEAD, WANTED),
    "create": lambda asked: asked.crm.create_fields(TASK, [NEW]),
}


def check_types(found: object) -> None:
    """Fails for an id, a value or a time of another type than ``crm`` declares."""
    if isinstance(found, Mapping):
        for name, each in found.items():
            assert isinstance(name, str)
            check_types(each)
    elif isinstance(found, list | tuple):
        for each in found:
            check_types(each)
    elif isinstance(found, CrmRecord):
        assert isinstance(found.id, str)
        assert found.id
        assert all(value is None or isinstance(value, str | int | float | date) for value in found.values.values())
        assert found.changed_at is None or found.changed_at.tzinfo is not None
        assert isinstance(found.is_deleted, bool)
        assert all(id is None or (isinstance(id, str) and id) for id in (found.changed_by, found.follows))
        assert all(isinstance(id, str) and id for id in found.lead_ids)
    elif isinstance(found, RowResult):
        assert found.key in ("k1", "k2", "t1", "t2")
        assert isinstance(found.was_created, bool)
        assert (isinstance(found.id, str) and found.id) or found.error is not None
        if found.error is not None:
            assert all(isinstance(text, str) for text in (found.error.code, found.error.message))
            assert all(text is None or isinstance(text, str) for text in (found.error.field, found.error.other_id))
            assert (found.error.code + found.error.message + (found.error.field or "")).isprintable()
    elif isinstance(found, CrmOwner):
        assert isinstance(found.id, str)
        assert found.id
        assert isinstance(found.name, str)
        assert found.email is None or isinstance(found.email, str)
        assert isinstance(found.is_active, bool)
        assert isinstance(found.is_queue, bool)
    elif isinstance(found, CrmField):
        assert all(isinstance(text, str) for text in (found.name, found.label, *found.choices))
        assert found.max_length is None or type(found.max_length) is int
        assert type(found.is_unique) is type(found.is_writable) is type(found.is_required) is bool
    elif isinstance(found, ChangePage):
        check_types(found.records)
        assert isinstance(found.position, str)
        assert isinstance(found.has_more, bool)
        assert found.deletions_known_from is None or found.deletions_known_from.tzinfo is not None
    elif isinstance(found, CrmFinding):
        assert all(isinstance(text, str) for text in (found.subject, found.problem, found.advice))
    else:
        assert isinstance(found, str), found


def list_texts(found: object) -> Iterator[str]:
    """Every text in a result or an error, as it is and as it would be printed."""
    if isinstance(found, BaseException):
        yield from (str(found), repr(found))
        yield from list_texts({name: value for name, value in vars(found).items() if isinstance(value, str)})
        for inner in (found.__cause__, None if found.__suppress_context__ else found.__context__):
            yield from list_texts(inner)
    elif is_dataclass(found) and not isinstance(found, type):
        for each in fields(found):
            yield from list_texts(getattr(found, each.name))
    elif isinstance(found, Mapping):
        for name, value in found.items():
            yield from list_texts([name, value])
    elif isinstance(found, list | tuple):
        for value in found:
            yield from list_texts(value)
    elif found is not None:
        yield str(found)


def ask(asked: Asked, question: str) -> None:
    found: object
    try:
        found = QUESTIONS[question](asked)
    except ServiceError as error:
        found = error
    else:
        check_types(found)
    told = "\n".join(list_texts(found))
    assert [secret for secret in asked.secrets() if secret in told] == []


@pytest.mark.parametrize("connect", [connect_to_hubspot, connect_to_salesforce], ids=["hubspot", "salesforce"])
@settings(max_examples=tried(200))
@given(st.sampled_from(list(QUESTIONS)), spoilings)
def test_any_answer_is_read_or_is_an_error_that_is_declared(
    connect: Callable[[Spoiling], Asked], question: str, spoiling: Spoiling
) -> None:
    ask(connect(spoiling), question)


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
@pytest.mark.parametrize("connect", [connect_to_hubspot, connect_to_salesforce], ids=["hubspot", "salesforce"])
def test_a_date_that_no_clock_tells_is_read_or_is_an_error(connect: Callable[[Spoiling], Asked], date: str) -> None:
    for answer in range(6):
        ask(connect(Spoiling(answer, [0], False, None, False, 200, {"Date": date}, None)), "changes")


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("connect", [connect_to_hubspot, connect_to_salesforce], ids=["hubspot", "salesforce"])
def test_answers_that_are_not_spoilt_are_no_errors(connect: Callable[[Spoiling], Asked], question: str) -> None:
    asked = connect(Spoiling(-1, [], False, None, False, 200, {}, None))
    check_types(QUESTIONS[question](asked))
