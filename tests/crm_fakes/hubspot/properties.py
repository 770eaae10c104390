"""The properties of HubSpot's records: what they are made of, which values they take, and how these are stored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm_fakes.hubspot.errors import refuse_value

TYPES: Final = frozenset({"bool", "date", "datetime", "enumeration", "number", "phone_number", "string"})
FIELD_TYPES: Final = frozenset(
    [
        "booleancheckbox",
        "calculation_equation",
        "checkbox",
        "date",
        "file",
        "html",
        "number",
        "phonenumber",
        "radio",
        "select",
        "text",
        "textarea",
    ]
)
LONGEST: Final = 65_536  # characters of a text

STAGES: Final = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)


#: The stages of the pipeline that an account has from the start: internal ids, each with its label.
DEAL_STAGES: Final = {
    "appointmentscheduled": "Appointment Scheduled",
    "presentationscheduled": "Presentation Scheduled",
    "contractsent": "Contract Sent",
    "closedwon": "Closed Won",
    "closedlost": "Closed Lost",
}
FORECAST_CATEGORIES: Final = ("OMIT", "PIPELINE", "BEST_CASE", "COMMIT", "CLOSED")


@dataclass
class Property:
    """One property. ``options`` are the values of an enumeration, in their order."""

    name: str
    type: str = "string"
    field_type: str = "text"
    label: str = ""
    group: str = "contactinformation"
    options: list[str] = field(default_factory=list)
    is_unique: bool = False
    is_read_only: bool = False
    is_ours: bool = False  # HubSpot's own
    refers_to: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label or self.name,
            "type": self.type,
            "fieldType": self.field_type,
            "description": "",
            "groupName": self.group,
            "options": [
                {"label": value.title(), "value": value, "displayOrder": order, "hidden": False}
                for order, value in enumerate(self.options)
            ],
            "displayOrder": -1,
            "calculated": False,
            "externalOptions": self.refers_to is not None,
            **({"referencedObjectType": self.refers_to} if self.refers_to else {}),
            "hasUniqueValue": self.is_unique,
            "hidden": False,
            "hubspotDefined": self.is_ours,
            "modificationMetadata": {
                "archivable": not self.is_ours,
                "readOnlyDefinition": self.is_ours,
                "readOnlyValue": self.is_read_only,
            },
            "formField": False,
        }

    def store(self, value: str) -> str:
        """``value`` as it is kept. Raises ``Refusal`` for one that the type does not take."""
        if value == "":
            return ""
        if self.type == "number":
            return _store_number(self.name, value)
        if self.type == "bool" and value not in ("true", "false"):
            raise refuse_value("INVALID_BOOLEAN", self.name, f"{value} was not a valid boolean.")
        if self.type in ("date", "datetime"):
            return _store_time(self, value)
        if self.type == "enumeration" and self.refers_to is None:
            unknown = [part for part in value.split(";") if part not in self.options]
            if unknown or (";" in value and self.field_type != "checkbox"):
                raise refuse_value(
                    "INVALID_OPTION", self.name, f"{value} was not one of the allowed options: {self.options}"
                )
        if len(value) > LONGEST:
            raise refuse_value("PROPERTY_VALUE_TOO_LONG", self.name, f"{self.name} is longer than {LONGEST}.")
        if self.name == "email":
            if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value.strip()):
                raise refuse_value("INVALID_EMAIL", "email", f"Email address {value} is invalid")
            return value.strip().lower()
        return value.strip()


def _store_number(name: str, value: str) -> str:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > Decimal("1e300"):
        raise refuse_value("INVALID_NUMBER", name, f"{value} was not a valid number.")
    return value


def _store_time(prop: Property, value: str) -> str:
    found = parse_time(value)
    if found is None:
        raise refuse_value(f"INVALID_{prop.type.upper()}", prop.name, f"{value} was not a valid {prop.type}.")
    if prop.type == "datetime":
        return format_time(found)
    if found.timetz().replace(tzinfo=None).isoformat() != "00:00:00":
        raise refuse_value("INVALID_DATE", prop.name, f"{value} is at {found:%H:%M} UTC, not midnight!")
    return found.date().isoformat()


def parse_time(value: str) -> datetime | None:
    """A time as HubSpot takes it: milliseconds since 1970, or ISO 8601."""
    try:
        if re.fullmatch(r"-?\d{1,16}", value):
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        found = datetime.fromisoformat(value)
    except (ValueError, OverflowError, OSError):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_defaults() -> dict[str, dict[str, Property]]:
    """The properties that each kind of record has from the start; those that tests and demonstrations need."""
    stamps = {"contacts": ("createdate", "lastmodifieddate")}
    made: dict[str, dict[str, Property]] = {}
    groups = {
        "contacts": "contactinformation",
        "deals": "dealinformation",
        "companies": "companyinformation",
        "tasks": "task",
        "calls": "call",
        "emails": "email",
        "meetings": "meeting",
    }
    for kind, group in groups.items():
        created, modified = stamps.get(kind, ("hs_createdate", "hs_lastmodifieddate"))
        own = [
            Property(created, "datetime", "date", is_read_only=True),
            Property(modified, "datetime", "date", is_read_only=True),
            Property("hs_object_id", "number", "number", is_read_only=True),
            Property("hs_merged_object_ids", "enumeration", "checkbox", is_read_only=True),
            Property("hs_updated_by_user_id", "number", "number", is_read_only=True),
            Property("hubspot_owner_id", "enumeration", "select", refers_to="OWNER"),
        ]
        made[kind] = {prop.name: prop for prop in [*own, *_SPECIFIC[kind]()]}
        for prop in made[kind].values():
            prop.group, prop.is_ours = group, True
    return made


def _of_contacts() -> list[Property]:
    texts = ("firstname", "lastname", "company", "jobtitle", "city", "country", "website", "message")
    return [
        *(Property(name) for name in texts),
        Property("email", is_unique=True),
        Property("phone", field_type="phonenumber"),
        Property("lifecyclestage", "enumeration", "radio", options=list(STAGES)),
        Property("hs_lead_status", "enumeration", "radio", options=["NEW", "OPEN", "UNQUALIFIED", "CONNECTED"]),
    ]


def _of_deals() -> list[Property]:
    return [
        Property("dealname"),
        Property("amount", "number", "number"),
        Property("closedate", "datetime", "date"),
        Property("createdate", "datetime", "date"),
        Property("pipeline", "enumeration", "select", options=["default"]),
        Property("dealstage", "enumeration", "radio", options=list(DEAL_STAGES)),
        Property("hs_next_step"),
        Property("closed_lost_reason", field_type="textarea"),
        Property("hs_manual_forecast_category", "enumeration", "select", options=list(FORECAST_CATEGORIES)),
        Property("hs_is_closed_won", "bool", "booleancheckbox", is_read_only=True),
    ]


def _of_companies() -> list[Property]:
    return [Property("name"), Property("domain")]


def _of_tasks() -> list[Property]:
    return [
        Property("hs_timestamp", "datetime", "date"),
        Property("hs_task_subject"),
        Property("hs_task_body", field_type="html"),
        Property("hs_task_status", "enumeration", "select", options=["NOT_STARTED", "COMPLETED"]),
        Property("hs_task_priority", "enumeration", "select", options=["LOW", "MEDIUM", "HIGH"]),
        Property("hs_task_type", "enumeration", "select", options=["EMAIL", "CALL", "TODO"]),
        Property("hs_task_completion_date", "datetime", "date"),
    ]


def _of_calls() -> list[Property]:
    statuses = ["BUSY", "CANCELED", "COMPLETED", "FAILED", "IN_PROGRESS", "NO_ANSWER", "QUEUED", "RINGING"]
    return [
        Property("hs_timestamp", "datetime", "date"),
        Property("hs_call_body", field_type="html"),
        Property("hs_call_direction", "enumeration", "select", options=["INBOUND", "OUTBOUND"]),
        Property("hs_call_status", "enumeration", "select", options=statuses),
        Property("hs_call_duration", "number", "number"),
    ]


def _of_emails() -> list[Property]:
    directions = ["EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"]
    return [
        Property("hs_timestamp", "datetime", "date"),
        Property("hs_email_text", field_type="textarea"),
        Property("hs_email_direction", "enumeration", "select", options=directions),
        Property(
            "hs_email_status", "enumeration", "select", options=["BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT"]
        ),
        Property("hs_sequence_id", "number", "number"),
    ]


def _of_meetings() -> list[Property]:
    outcomes = ["SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"]
    return [
        Property("hs_timestamp", "datetime", "date"),
        Property("hs_meeting_start_time", "datetime", "date"),
        Property("hs_meeting_outcome", "enumeration", "select", options=outcomes),
    ]


_SPECIFIC: Final = {
    "contacts": _of_contacts,
    "deals": _of_deals,
    "companies": _of_companies,
    "tasks": _of_tasks,
    "calls": _of_calls,
    "emails": _of_emails,
    "meetings": _of_meetings,
}
