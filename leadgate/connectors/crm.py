"""What Leadgate asks of a CRM, whoever made it: records, writes, tasks, changes, owners, and limits.

Belongs here: the interface and the types that every CRM connector shares. Does not belong here: a vendor's addresses,
formats, or limits (a file for each vendor), what is written where (``playbook``), and when (``tasks``).

**Values.** ``CrmValue`` is what both sides speak: a connector turns it into what its vendor stores, by the type that
the CRM gives the field, and back. So a value that was written and then read can be compared.

**Faults.** One bad row never fails the others: ``write`` and ``write_tasks`` answer for each row. An error is raised
only for a whole request: ``ServiceUnreachableError`` (``service_session``) and the errors below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from leadgate.connectors.service_session import ServiceError
from leadgate.crm.values import CrmValue


class CrmObject(StrEnum):
    """The kinds of records that Leadgate reads and writes. A vendor may keep some of them in one kind of its own."""

    LEAD = "lead"  # a person: HubSpot's contact, Salesforce's Lead
    TASK = "task"
    DEAL = "deal"  # HubSpot's deal, Salesforce's Opportunity: as what became of a person, so with its people
    OPPORTUNITY = "opportunity"  # the same, as a record of its own: without its people
    CONTRACT = "contract"  # Salesforce's Contract
    CALL = "call"  # of Salesforce, a Task of that subtype
    EMAIL = "email"  # of Salesforce, a Task of that subtype
    MEETING = "meeting"  # HubSpot's meeting, Salesforce's Event


class CrmRefusedError(ServiceError):
    """The CRM refuses a whole request: credentials, scopes, a wrong version, a field that does not exist.

    ``code`` and ``vendor_message`` are the vendor's own; the message may quote values, so it goes to work items only.
    """

    def __init__(self, message: str, *, code: str = "", vendor_message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.vendor_message = vendor_message


class CrmLimitError(ServiceError):
    """A limit of the CRM is reached. Nothing of the request was done. Nobody should ask again for ``wait_seconds``.

    ``is_daily``: the limit is that of a day, which a person should hear of.
    """

    def __init__(self, message: str, *, wait_seconds: float, is_daily: bool = False) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.is_daily = is_daily


@dataclass(frozen=True)
class CrmRecord:
    """A record as the CRM has it. ``values`` holds the fields that were asked for; one the CRM lacks is None."""

    id: str
    values: Mapping[str, CrmValue]
    changed_at: datetime | None = None  # by the CRM's clock
    is_deleted: bool = False  # or merged or converted: there is no record of this kind with this id any more
    changed_by: str | None = None  # the vendor's id of the user or the application, where it tells
    follows: str | None = None  # the id of the record that this one was merged or converted into
    lead_ids: tuple[str, ...] = ()  # the leads that a task or a deal belongs to, in pages of changes
    named: Mapping[str, str] = field(default_factory=dict)  # what people call what it names by id (``name_references``)


@dataclass(frozen=True)
class CrmFieldChange:
    """The value that a field of a record has, who set it, and when, by the CRM's clock.

    A CRM that does not keep that of each field tells of the record's last change instead.
    """

    value: CrmValue
    changed_at: datetime | None
    changed_by: str | None  # as ``CrmOwner.user_id``


@dataclass(frozen=True)
class CrmWrite:
    """One record to write. ``key`` is Leadgate's own id, kept in the CRM's unique field.

    ``id``: the record's id in the CRM, once that is known. Without it the record is found by ``key``, and created
    where there is none. ``values`` are the fields to set; None empties one.
    """

    key: str
    values: Mapping[str, CrmValue]
    id: str | None = None


@dataclass(frozen=True)
class CrmTask:
    """A follow-up task for the owner of a record. ``key`` is Leadgate's own id: one key never makes a second task.

    ``due_at`` is in the owner's zone: a CRM that keeps a day without a zone is given the day there.
    """

    key: str
    record_id: str
    owner_id: str
    subject: str
    body: str
    due_at: datetime
    id: str | None = None  # the task's id in the CRM, once that is known
    is_done: bool = False


class RowFault(StrEnum):
    """Why a row was not written, by what helps."""

    TEMPORARY = "temporary"  # the same row may be taken later: a lock, a moment's overload
    PERMANENT = "permanent"  # a person must change the row, or a rule in the CRM
    DUPLICATE = "duplicate"  # another record has the value of a unique field, or a duplicate rule says so
    GONE = "gone"  # the record was deleted, merged or converted


@dataclass(frozen=True)
class RowError:
    """A row's error in the vendor's own words, which may quote values: for work items, never for logs."""

    fault: RowFault
    code: str
    message: str
    field: str | None = None  # the vendor's name of the field that is wrong
    other_id: str | None = None  # the record that has the value already, where the vendor tells


@dataclass(frozen=True)
class RowResult:
    """What became of one row of a write. ``id`` is the record's; None when there is none because of ``error``."""

    key: str
    id: str | None = None
    was_created: bool = False
    error: RowError | None = None


@dataclass(frozen=True)
class ChangePage:
    """A page of what changed, oldest first. ``position`` is where the next page, or the next sync, goes on.

    A position is text that only the connector reads. It is stored in the transaction that stores the page's records.
    ``deletions_known_from``: the CRM does not tell any more what was deleted before. None: it told of all deletions.
    """

    records: Sequence[CrmRecord]
    position: str
    has_more: bool
    deletions_known_from: datetime | None = None


@dataclass(frozen=True)
class CrmActivity:
    """A call, an e-mail, a meeting or a task, as somebody logged it in the CRM."""

    id: str
    kind: CrmObject
    lead_ids: tuple[str, ...]
    owner_id: str | None
    occurred_at: datetime | None  # a task: when it was completed
    changed_at: datetime | None
    is_done: bool = True  # false: it is planned, was cancelled, or failed
    is_inbound: bool = False  # the lead did it
    is_automatic: bool | None = None  # a sequence or a list sent it
    seconds: int | None = None
    key: str | None = None  # Leadgate's own, of a task that it has written
    records: tuple[tuple[CrmObject, str], ...] = ()  # the opportunities and contracts that it is about: kind and id


@dataclass(frozen=True)
class ActivityPage:
    """A page of activities that changed, oldest first; as ``ChangePage``. Deleted ones are left out."""

    activities: Sequence[CrmActivity]
    position: str
    has_more: bool


@dataclass(frozen=True)
class CrmOwner:
    """Somebody, or a queue, that a record can belong to."""

    id: str
    name: str
    email: str | None
    is_active: bool
    is_queue: bool = False
    user_id: str | None = None  # of the user who it is, as changes name them


class CrmFieldType(StrEnum):
    """What a field of a CRM holds, as far as writing it matters."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    REFERENCE = "reference"  # the id of another record, such as an owner


@dataclass(frozen=True)
class CrmField:
    """A field as the CRM describes it."""

    name: str
    label: str
    type: CrmFieldType
    is_unique: bool = False
    is_writable: bool = True
    is_required: bool = False
    choices: tuple[str, ...] = ()  # the values that a choice allows
    max_length: int | None = None


@dataclass(frozen=True)
class CrmBudget:
    """What a CRM has said of its limits lately. None: nothing yet."""

    day_limit: int | None = None
    day_left: int | None = None
    burst_limit: int | None = None
    burst_left: int | None = None


@dataclass(frozen=True)
class CrmFinding:
    """Something that ``check`` found. ``is_blocking``: writing would fail. ``advice`` says what to do."""

    subject: str
    problem: str
    advice: str
    is_blocking: bool = True


@dataclass(frozen=True)
class WantedField:
    """A field that the playbook wants to write or read, for ``check`` and ``create_fields``."""

    name: str
    label: str
    type: CrmFieldType
    is_unique: bool = False
    is_written: bool = True
    values: tuple[str, ...] = field(default=())  # what is written to a choice


class Crm(Protocol):
    """A connection to one account of a CRM. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """The vendor's name, as people read it."""
        ...

    @property
    def budget(self) -> CrmBudget: ...

    @property
    def rows_per_write(self) -> int:
        """The most rows that one request of ``write`` takes; more are sent in several."""
        ...

    def describe_fields(self, kind: CrmObject) -> Mapping[str, CrmField]:
        """The fields of a kind of record, by name."""
        ...

    def check(self, kind: CrmObject, wanted: Sequence[WantedField], *, creates: bool = True) -> list[CrmFinding]:
        """What would make reading or writing fail: missing fields, types, choices, scopes, rules. Writes nothing.

        ``creates``: whether records will be created, or only updated.
        """
        ...

    def create_fields(self, kind: CrmObject, wanted: Sequence[WantedField], *, dry_run: bool = False) -> list[str]:
        """Create the wanted fields that are missing, and that for Leadgate's key. Returns their names.

        ``dry_run``: tell which, and create none. Raises ``CrmRefusedError`` for one that only a person can create.
        """
        ...

    def list_owners(self) -> list[CrmOwner]: ...

    def find(self, kind: CrmObject, field: str, values: Iterable[str], fields: Sequence[str]) -> list[CrmRecord]:
        """The records whose ``field`` has one of ``values``, with ``fields``."""
        ...

    def read(self, kind: CrmObject, ids: Iterable[str], fields: Sequence[str]) -> dict[str, CrmRecord]:
        """The records with these ids. One that is gone is there with ``is_deleted``, or is missing."""
        ...

    def read_last_changes(self, kind: CrmObject, ids: Iterable[str], field: str) -> dict[str, CrmFieldChange]:
        """The last change of ``field`` in each record that is there: as it is now, and not as a search saw it."""
        ...

    def write(self, kind: CrmObject, rows: Sequence[CrmWrite]) -> list[RowResult]:
        """Create or update records; a result for each row, in their order. Repeating it changes nothing more."""
        ...

    def write_tasks(self, tasks: Sequence[CrmTask]) -> list[RowResult]:
        """Create follow-up tasks, or update those that are there; a result for each, in their order."""
        ...

    def read_changes(self, kind: CrmObject, fields: Sequence[str], position: str | None) -> ChangePage:
        """What changed since ``position``, deleted records too; from the beginning without a position.

        A page may bring again what an earlier one has brought.
        """
        ...

    def name_references(self, kind: CrmObject, records: Sequence[CrmRecord]) -> list[CrmRecord]:
        """``records``, each with what people call what it names by an id alone, in ``named``.

        ``account``: the name of its account; ``sales_stage``: the label of a stage; ``name``: what the record is
        called where it has no name of its own. A name that the CRM does not have is left out.
        """
        ...

    def add_records(self, kind: CrmObject, activities: Sequence[CrmActivity]) -> list[CrmActivity]:
        """``activities``, kept in records of ``kind``, each with the ``records`` that it is about."""
        ...

    @property
    def activity_kinds(self) -> Mapping[CrmObject, frozenset[CrmObject]]:
        """The kinds of records in which activities are, each with what its activities may be."""
        ...

    def read_activities(self, kind: CrmObject, position: str | None) -> ActivityPage:
        """What changed since ``position`` of one of ``activity_kinds``."""
        ...

    def read_meetings(self, since: datetime, until: datetime) -> list[CrmActivity]:
        """The meetings that begin in this time, whenever they were changed."""
        ...

    def make_position(self, since: datetime) -> str:
        """The position from which on changes and activities are read that were changed ``since`` then."""
        ...

    def close(self) -> None: ...
