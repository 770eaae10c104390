"""Accounts of CRMs to write to: the fakes of the tests with fields, owners, faults, and people who work in them.

Belongs here: an account of each vendor, its faults, and its state in words that both share. Does not belong here: what
a fake does (``tests/crm_fakes``, which has to be on the path: ``PYTHONPATH=tests``), or a process of its own for it
(``crm_apart``).
"""

from __future__ import annotations

import contextlib
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_fakes.hubspot import FakeHubSpot, Limits, Portal
from crm_fakes.hubspot.errors import Refusal
from crm_fakes.salesforce import App, DuplicateRule, FakeSalesforce
from crm_fakes.salesforce.org import RowRefused
from crm_fakes.salesforce.schema import FieldSchema
from crm_fakes.serving import (
    RESET_AFTER,
    RESET_BEFORE,
    SILENCE_AFTER,
    FakeService,
    Fault,
    Response,
    answer_with,
    change_answer,
)

#: Secrets that no log, error, ledger or artifact may hold. Both fakes quote them in the errors that they answer with.
HUBSPOT_TOKEN = "pat-na1-5torm-0f-5ecret5"  # noqa: S105 - made up
SALESFORCE_SECRET = "5torm-c0nsumer-5ecret"  # noqa: S105 - made up
REGIONS = ("North", "South")


@dataclass(frozen=True)
class KeptRecord:
    """A record of a person as the CRM has it."""

    id: str
    key: str | None
    email: str
    owner: str | None
    score: float | None
    status: str | None


@dataclass(frozen=True)
class KeptTask:
    """A follow-up task as the CRM has it. ``records``: the ids of the records that it belongs to."""

    key: str | None
    owner: str | None
    is_done: bool
    records: tuple[str, ...]


@dataclass
class State:
    """What a CRM holds, and what happened to it."""

    records: list[KeptRecord]
    tasks: list[KeptTask]
    rows_written: int
    requests: int
    faults: Counter[str]
    errors: list[str]  # of the fake itself


@dataclass
class Place:
    """Where an account is reached: for the playbook and the environment. ``owners``: rep -> their id in the CRM."""

    kind: str
    url: str
    environ: dict[str, str]
    owners: dict[str, str]
    playbook: str  # its part of the playbook's ``crm``


class Account(ABC):
    """An account of one vendor's fake."""

    kind: str
    fake: FakeService

    def __init__(self) -> None:
        self.rows_written = 0
        self.row_faults: Counter[str] = Counter()
        self._row_chance = 0.0
        self._draw = random.Random(0)

    @abstractmethod
    def describe(self, url: str) -> Place: ...

    @abstractmethod
    def list_faults(self) -> Mapping[Fault, float]: ...

    @abstractmethod
    def list_records(self) -> list[KeptRecord]: ...

    @abstractmethod
    def list_tasks(self) -> list[KeptTask]: ...

    @abstractmethod
    def add_person(self, email: str) -> None:
        """Somebody who works in the CRM makes a record by hand, unless there is one."""

    def begin_storm(self, seed: int, row_chance: float = 0.03) -> None:
        self._draw, self._row_chance = random.Random(seed), row_chance
        self.fake.faults.by_chance(self.list_faults(), seed=seed)

    def end_storm(self) -> None:
        self._row_chance = 0.0
        self.fake.faults.stop()

    def has_row_fault(self, what: str) -> bool:
        """Whether the next row of a batch is not taken for the moment."""
        if self._draw.random() >= self._row_chance:
            return False
        self.row_faults[what] += 1
        return True

    def read_times(self) -> list[tuple[float, int]]:
        """When each request was answered (``time.monotonic``), and with which status; 0 for none."""
        with self.fake.lock:
            return [(each.at, each.response.status if each.response is not None else 0) for each in self.fake.log]

    def read_state(self) -> State:
        with self.fake.lock:
            faults = Counter(exchange.fault.name for exchange in self.fake.log if exchange.fault is not None)
            return State(
                self.list_records(),
                self.list_tasks(),
                self.rows_written,
                len(self.fake.log),
                faults + self.row_faults,
                list(self.fake.errors),
            )


class HubSpotAccount(Account):
    kind = "hubspot"

    def __init__(self, reps: Sequence[str], index_lag: float = 0.5) -> None:
        super().__init__()
        self.portal = Portal()
        for kind in ("contacts", "tasks"):
            self.portal.add_property(kind, "leadgate_id", is_unique=True)
        self.portal.add_property("contacts", "leadgate_score", "number")
        self.portal.add_property("contacts", "leadgate_region", "enumeration", options=list(REGIONS))
        self.portal.add_property("contacts", "leadgate_status")
        self.portal.index_lag = index_lag
        self.owners = {rep: self.portal.add_owner(f"{rep}@example.com") for rep in reps}
        self.fake = FakeHubSpot(self.portal, token=HUBSPOT_TOKEN)
        write = self.portal.write

        def write_in_storm(kind: str, record: Any, properties: Mapping[str, str], *, source: str, **more: Any) -> Any:
            if source == "INTEGRATION" and self.has_row_fault("a row is locked (207)"):
                raise Refusal(423, "LOCKED", f"the record is locked; asked with {HUBSPOT_TOKEN}")
            written = write(kind, record, properties, source=source, **more)
            self.rows_written += source == "INTEGRATION"
            return written

        self.portal.write = write_in_storm

    def describe(self, url: str) -> Place:
        return Place(
            self.kind, url, {"STORM_HUBSPOT_TOKEN": HUBSPOT_TOKEN}, self.owners, f"""
  - name: hubspot
    type: hubspot
    url: {url}
    allow_private: true
    credentials: {{token: STORM_HUBSPOT_TOKEN}}
    writes:
      email: email
      company: company
      leadgate_region: city
      leadgate_score: {{fact: score, policy: always}}
      leadgate_status: {{fact: status, policy: always}}
      jobtitle: {{fact: job_title, policy: if_empty}}
      hubspot_owner_id: {{fact: owner, policy: always}}
    task: {{subject: "Call {{company}}", body: "{{evidence}}"}}
""")  # fmt: skip

    def limit(self, requests: int, seconds: float) -> None:
        """Take so many requests in any so many seconds, and refuse the others."""
        self.fake.limits = Limits(burst=requests, interval=seconds)

    def list_faults(self) -> Mapping[Fault, float]:
        limited = {"policyName": "TEN_SECONDLY_ROLLING", "category": "RATE_LIMITS", "message": f"of {HUBSPOT_TOKEN}"}
        quoting = {"message": f"Authorization: Bearer {HUBSPOT_TOKEN}"}
        return {
            answer_with(429, limited): 0.03,
            answer_with(423, {"message": "locked"}): 0.02,
            answer_with(477, {"message": "moving"}, Retry_After="0"): 0.01,
            answer_with(500, quoting): 0.01,
            answer_with(500, quoting, acts=True): 0.01,
            answer_with(502, f"<html>{HUBSPOT_TOKEN}</html>".encode()): 0.02,
            answer_with(502, b"<html></html>", acts=True): 0.02,
            RESET_BEFORE: 0.01,
            RESET_AFTER: 0.02,
            SILENCE_AFTER: 0.02,
            change_answer(_leave_out_results, "rows without an answer"): 0.01,
        }

    def list_records(self) -> list[KeptRecord]:
        return [
            KeptRecord(
                record.id,
                record.values.get("leadgate_id"),
                record.values.get("email", ""),
                record.values.get("hubspot_owner_id"),
                float(record.values["leadgate_score"]) if "leadgate_score" in record.values else None,
                record.values.get("leadgate_status"),
            )
            for record in self.portal.records["contacts"].values()
            if record.archived_at is None
        ]

    def list_tasks(self) -> list[KeptTask]:
        return [
            KeptTask(
                record.values.get("leadgate_id"),
                record.values.get("hubspot_owner_id"),
                record.values.get("hs_task_status") == "COMPLETED",
                tuple(id for id, _ in self.portal.related("tasks", record.id, "contacts")),
            )
            for record in self.portal.records["tasks"].values()
            if record.archived_at is None
        ]

    def add_person(self, email: str) -> None:
        with self.fake.lock, contextlib.suppress(Refusal):
            self.portal.add_record("contacts", email=email)


class SalesforceAccount(Account):
    kind = "salesforce"

    def __init__(self, reps: Sequence[str]) -> None:
        super().__init__()
        self.fake = FakeSalesforce(App("storm", "leadgate@example.com", consumer_secret=SALESFORCE_SECRET))
        self.fake.limit = 10_000_000
        self.org = self.fake.org
        fields = self.org.schemas["Lead"].fields
        fields["Region__c"] = FieldSchema("Region__c", "picklist", choices=REGIONS, restricted=True)
        fields["Leadgate_Status__c"] = FieldSchema("Leadgate_Status__c")
        fields["Title"] = FieldSchema("Title")
        self.org.duplicate_rules.append(DuplicateRule("One person, one lead", "Email"))
        self.owners = {
            rep: self.org.add("User", Name=rep, Email=f"{rep}@example.com", IsActive=True, UserType="Standard")
            for rep in reps
        }
        write = self.org.write

        def write_in_storm(operation: str, of: str, *rest: Any) -> Any:
            if self.has_row_fault("a row is locked (200)"):
                raise RowRefused("UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access; {SALESFORCE_SECRET}")
            written = write(operation, of, *rest)
            self.rows_written += 1
            return written

        self.org.write = write_in_storm

    def describe(self, url: str) -> Place:
        environ = {"STORM_SALESFORCE_ID": "storm", "STORM_SALESFORCE_SECRET": SALESFORCE_SECRET}
        return Place(
            self.kind, url, environ, self.owners, f"""
  - name: salesforce
    type: salesforce
    url: {url}
    allow_private: true
    credentials: {{client_id: STORM_SALESFORCE_ID, client_secret: STORM_SALESFORCE_SECRET}}
    writes:
      Email: email
      LastName: last_name
      Company: company
      Region__c: city
      Leadgate_Score__c: {{fact: score, policy: always}}
      Leadgate_Status__c: {{fact: status, policy: always}}
      Title: {{fact: job_title, policy: if_empty}}
      OwnerId: owner
    task: {{subject: "Call {{company}}", body: "{{evidence}}"}}
""")  # fmt: skip

    def list_faults(self) -> Mapping[Fault, float]:
        quoting = f"Authorization: Bearer {SALESFORCE_SECRET}"
        busy = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": f"ConcurrentPerOrgLongTxn Limit exceeded {quoting}"}]
        ended = [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]
        away = [{"errorCode": "SERVER_UNAVAILABLE", "message": quoting}]
        return {
            answer_with(403, busy): 0.01,
            answer_with(401, ended): 0.01,
            answer_with(500, away): 0.01,
            answer_with(500, away, acts=True): 0.01,
            answer_with(502, f"<html>{quoting}</html>".encode()): 0.02,
            answer_with(503, away): 0.02,
            answer_with(502, b"<html></html>", acts=True): 0.02,
            RESET_BEFORE: 0.01,
            RESET_AFTER: 0.02,
            SILENCE_AFTER: 0.02,
        }

    def list_records(self) -> list[KeptRecord]:
        return [
            KeptRecord(
                id,
                row.get("Leadgate_Id__c"),
                row.get("Email") or "",
                row.get("OwnerId"),
                row.get("Leadgate_Score__c"),
                row.get("Leadgate_Status__c"),
            )
            for id, row in self.org.rows["Lead"].items()
            if not row["IsDeleted"]
        ]

    def list_tasks(self) -> list[KeptTask]:
        return [
            KeptTask(
                row.get("Leadgate_Id__c"), row["OwnerId"], row["Status"] == "Completed", (row["WhoId"],)
            )
            for row in self.org.rows["Task"].values()
            if not row["IsDeleted"]
        ]  # fmt: skip

    def add_person(self, email: str) -> None:
        with self.fake.lock:
            if all(row.get("Email") != email for row in self.org.rows["Lead"].values()):
                self.org.add("Lead", LastName="By hand", Company="By hand", Email=email)


def _leave_out_results(response: Response) -> Response:
    """An answer about several rows that says nothing of every second one."""
    body = response.body
    if not isinstance(body, dict) or not isinstance(body.get("results"), list) or len(body["results"]) < 2:
        return response
    if not any("objectWriteTraceId" in row for row in body["results"]):
        return response  # of a reading
    return Response(response.status, {**body, "results": body["results"][::2]}, response.headers)


ACCOUNTS: Mapping[str, Callable[[Sequence[str]], Account]] = {
    "hubspot": HubSpotAccount,
    "salesforce": SalesforceAccount,
}
