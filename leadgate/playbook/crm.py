"""The CRMs that Leadgate reads and writes: connections, which field gets what by which policy, the follow-up task.

Belongs here: the schema of this part, and what a connection has by default for its type. Does not belong here: what is
written for one lead (``leadgate.crm``), or a vendor's addresses and formats (``connectors``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from leadgate.fields import FieldType
from leadgate.playbook.base import EnvironmentName, Name, Part
from leadgate.playbook.sources import SourceKind

#: A CRM's own name of a field, such as ``hs_lead_status`` or ``Score__c``.
CRM_FIELD_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
CrmFieldName = Annotated[str, Field(pattern=f"^{CRM_FIELD_NAME.pattern}$")]
WritePolicy = Literal["always", "if_empty", "never_clear"]

#: What may be written besides the lead's own fields, and what it is. An ``owner`` is written as the CRM's own id.
FACTS: Final[Mapping[str, FieldType]] = {
    "lead_number": "integer",
    "source": "text",
    "captured_at": "timestamp",
    "status": "text",
    "status_reason": "text",
    "score": "integer",
    "fit": "integer",
    "engagement": "integer",
    "grade": "text",
    "fit_grade": "text",
    "engagement_grade": "integer",
    "qualified_as": "text",
    "qualified_at": "timestamp",
    "reasons": "text",
    "evidence": "text",
    "owner": "text",
    "owner_name": "text",
    "owner_since": "timestamp",
    "owner_reason": "text",
    "route": "text",
    "pool": "text",
    "due_at": "timestamp",
    "touched_at": "timestamp",
    "accepted_at": "timestamp",
    "leadgate_link": "text",
}


@dataclass(frozen=True)
class CrmType:
    """What a connection to a vendor's CRM has by default. ``credentials``: the sets of words, one of which it needs."""

    url: str | None
    key_field: str
    email_field: str
    stage_field: str  # of deals
    created_field: str  # of deals
    credentials: tuple[frozenset[str], ...]
    options: frozenset[str] = frozenset()
    #: of each kind of record that is read as a record of its own, its fields
    record_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


#: The types that are built in; others are entry points of installed packages.
CRM_TYPES: Final[Mapping[str, CrmType]] = {
    "hubspot": CrmType(
        url="https://api.hubapi.com",
        key_field="leadgate_id",
        email_field="email",
        stage_field="dealstage",
        created_field="hs_createdate",
        credentials=(frozenset({"token"}),),
        options=frozenset({"version"}),
        record_fields={
            "opportunity": (
                "dealname",
                "dealstage",
                "pipeline",
                "amount",
                "closedate",
                "createdate",
                "hubspot_owner_id",
                "hs_next_step",
                "hs_manual_forecast_category",
                "closed_lost_reason",
            )
        },
    ),
    "salesforce": CrmType(
        url=None,
        key_field="Leadgate_Id__c",
        email_field="Email",
        stage_field="StageName",
        created_field="CreatedDate",
        credentials=(
            frozenset({"client_id", "client_secret"}),
            frozenset({"client_id", "username", "private_key"}),
        ),
        options=frozenset({"version", "closed_status", "permission_set"}),
        record_fields={
            "opportunity": (
                "Name",
                "StageName",
                "Amount",
                "CloseDate",
                "CreatedDate",
                "OwnerId",
                "AccountId",
                "ForecastCategoryName",
                "NextStep",
            ),
            "contract": (
                "Name",
                "ContractNumber",
                "StartDate",
                "EndDate",
                "Status",
                "OwnerId",
                "AccountId",
            ),
        },
    ),
}


class CrmFieldWrite(Part):
    """What a field of the CRM gets, and who has the last word about it.

    ``always``: Leadgate has; the CRM's value is replaced, and emptied when Leadgate has none. ``never_clear``: the
    same, but a value is never emptied. ``if_empty``: the CRM has; only an empty field gets a value.
    """

    fact: str = Field(min_length=1)  # a lead's field, or one of ``FACTS``
    policy: WritePolicy = "never_clear"
    values: dict[str, str] = {}  # Leadgate's word -> the CRM's choice; a word that is not here is written as it is


def _read_fact(value: Any) -> Any:
    return {"fact": value} if isinstance(value, str) else value


class CrmTaskText(Part):
    """The follow-up task for the owner. ``{fact}`` in a text stands for a lead's field or one of ``FACTS``."""

    subject: str = Field(min_length=1, max_length=200)
    body: str = Field(default="", max_length=4000)


class CrmDealReads(Part):
    """Which outcomes of ``follow_up`` the deals of a lead are."""

    created: Name | None = None  # that there is a deal
    stages: dict[Annotated[str, Field(min_length=1, max_length=200)], Name] = {}  # that it has come to a stage
    stage_field: CrmFieldName | None = None  # none: the type's
    created_field: CrmFieldName | None = None  # none: the type's


class CrmRecordReads(Part):
    """Records of their own that are read: each change is a signal of ``source``, which says of which kind they are.

    The connector knows the usual fields, and the ``mapping`` of the source may name more.
    """

    source: Name
    also: tuple[CrmFieldName, ...] = ()  # further fields


#: The kinds of records of their own that a CRM can have, and of which kind their source is.
RECORD_SOURCES: Final[Mapping[str, SourceKind]] = {"opportunity": "opportunities", "contract": "renewals"}


def _read_record_source(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


#: What reps log in a CRM.
CrmActivityWord = Literal["call", "email", "meeting", "task"]


def _read_words(value: Any) -> Any:
    """A list stands for kinds of activities that the playbook calls as Leadgate does."""
    return {word: word for word in value} if isinstance(value, list) else value


class CrmReads(Part):
    """What is read of a CRM. The ``mapping`` of ``source`` says which fields of a lead are read, and what each is."""

    source: Name | None = None  # of the signals that leads become; none: they become none
    webhooks: Name | None = None  # the source of the CRM's own webhooks, whose records are read at once
    also: tuple[CrmFieldName, ...] = ()  # further fields, which are kept as attributes
    # which records: of a field, that it is set, or empty, or one of these values
    only: dict[CrmFieldName, Literal["set", "empty"] | tuple[str, ...]] = {}
    owner: Literal["follow", "ignore"] = "follow"  # what becomes of an owner whom somebody sets in the CRM
    deals: CrmDealReads | None = None  # none: they are not read
    opportunities: Annotated[CrmRecordReads | None, BeforeValidator(_read_record_source)] = None  # none: not read
    contracts: Annotated[CrmRecordReads | None, BeforeValidator(_read_record_source)] = None  # none: not read
    # what reps do in the CRM -> the kind of activity that it is; what is not here is not read
    activities: Annotated[dict[CrmActivityWord, Name], BeforeValidator(_read_words)] = {}

    @property
    def records(self) -> dict[str, CrmRecordReads]:
        """The kinds of records of their own that are read, by the keys of ``RECORD_SOURCES``."""
        kinds = {"opportunity": self.opportunities, "contract": self.contracts}
        return {kind: reads for kind, reads in kinds.items() if reads is not None}


class CrmConnection(Part):
    """A connection to one account of a CRM."""

    name: Name
    type: Name  # one of ``CRM_TYPES``, or an entry point of the group ``leadgate.connectors``
    url: str | None = Field(default=None, max_length=500)  # none: the type's
    allow_private: bool = False  # whether the address may lead to a network that is not public
    credentials: dict[Name, EnvironmentName] = {}  # what the connector calls it -> the variable that holds it
    options: dict[Name, str] = {}  # further settings of the connector, such as its version
    key_field: CrmFieldName | None = None  # the unique field with Leadgate's key; none: the type's
    email_field: CrmFieldName | None = None  # by which a record is found that has no key yet; none: the type's
    create: bool = True  # false: records are updated, and never created
    writes: dict[CrmFieldName, Annotated[CrmFieldWrite, BeforeValidator(_read_fact)]] = {}
    task: CrmTaskText | None = None  # none: no tasks
    reads: CrmReads | None = None  # none: nothing is read
    link: str | None = Field(default=None, max_length=500)  # of a lead's page; {lead_number} stands for its number
    record_link: str | None = Field(default=None, max_length=500)  # of a record's page; {record_id} stands for its id

    @property
    def target(self) -> str:
        """The target of this connection's messages in the outbox."""
        return f"{CRM_TARGET}{self.name}"

    @property
    def owner_field(self) -> str | None:
        """The field to which the owner is written."""
        return next((name for name, write in self.writes.items() if write.fact == "owner"), None)

    @property
    def names_owners(self) -> bool:
        """Whether the CRM is told who owns a lead, or a task."""
        return self.task is not None or self.owner_field is not None

    @property
    def followed_field(self) -> str | None:
        """The field with the owner, when an owner who is set in the CRM is followed."""
        return self.owner_field if self.reads is not None and self.reads.owner == "follow" else None

    @property
    def address(self) -> str | None:
        return self.url or (CRM_TYPES[self.type].url if self.type in CRM_TYPES else None)

    @property
    def unique_field(self) -> str | None:
        """The field that holds Leadgate's key."""
        return self.key_field or (CRM_TYPES[self.type].key_field if self.type in CRM_TYPES else None)

    @property
    def address_field(self) -> str | None:
        """The field that holds the e-mail address."""
        return self.email_field or (CRM_TYPES[self.type].email_field if self.type in CRM_TYPES else None)


#: How a target of the outbox begins that is a CRM.
CRM_TARGET: Final = "crm:"
