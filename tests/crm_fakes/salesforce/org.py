"""The records of the fake org, and what happens when one is written: defaults, checks, rules, automation."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from crm_fakes.salesforce.schema import FieldSchema, ObjectSchema, build_history, build_schemas
from crm_fakes.salesforce.soql import Row

_LOG_OF_DELETIONS: Final = timedelta(days=15)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_CHECK: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class RequestRefused(Exception):  # noqa: N818 - what a whole request is answered with
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class RowRefused(Exception):  # noqa: N818
    def __init__(self, code: str, message: str, *fields: str, **more: Any) -> None:
        super().__init__(message)
        self.error = {"statusCode": code, "message": message, "fields": list(fields), **more}


@dataclass(frozen=True)
class ValidationRule:
    name: str
    message: str
    is_broken: Callable[[Row], bool]
    of: str = "Lead"
    field: str = ""


@dataclass(frozen=True)
class DuplicateRule:
    """Two records of ``of`` with the same ``field``. ``blocks``: nobody can save in spite of it."""

    label: str
    field: str
    of: str = "Lead"
    blocks: bool = True


@dataclass(frozen=True)
class Sent:
    """One row that a client sent to be written, as it was sent."""

    operation: str
    of: str
    values: Mapping[str, Any]


def lengthen(id: str) -> str:
    """An id of 15 characters with the three that tell its capitals."""
    groups = (id[0:5], id[5:10], id[10:15])
    return id + "".join(_CHECK[sum(c.isupper() << place for place, c in enumerate(group))] for group in groups)


class Org:
    def __init__(self) -> None:
        self.schemas: dict[str, ObjectSchema] = build_schemas()
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in self.schemas}
        self.sent: list[Sent] = []
        self.validation_rules: list[ValidationRule] = []
        self.duplicate_rules: list[DuplicateRule] = []
        self.assignment_owner: str | None = None  # whom an active assignment rule gives every lead
        self.automation: Callable[[str, Row], None] | None = None  # a flow that changes what was saved
        self.locked: dict[str, int] = {}  # id: how often a write meets a lock
        self.deletions: list[tuple[datetime, str, str]] = []  # when, object, id
        self.log_purged_to: datetime | None = None
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._numbers = itertools.count(1)
        self.user = self.add("User", Name="Leadgate", Email="leadgate@example.com", IsActive=True, UserType="Standard")

    def now(self) -> datetime:
        return self.clock().replace(microsecond=0)

    def find_schema(self, name: str) -> ObjectSchema | None:
        return next((schema for known, schema in self.schemas.items() if known.lower() == name.lower()), None)

    def add(self, of: str, **values: Any) -> str:
        """A record that is there, by no rule. Returns its id."""
        row: Row = {name: field.default for name, field in self.schemas[of].fields.items()}
        row.update({name: False for name, field in self.schemas[of].fields.items() if field.type == "boolean"})
        row["OwnerId"] = getattr(self, "user", None)
        row |= values
        id = lengthen(f"{self.schemas[of].prefix}5g{next(self._numbers):010d}")
        row |= {"Id": id, "CreatedDate": self.now(), "IsDeleted": False}
        self.rows[of][id] = row
        self._stamp(row)
        return id

    def change(self, of: str, id: str, *, by: str | None = None, **values: Any) -> None:
        """What a person does in Salesforce, as the user ``by``."""
        if of == "Lead" and "OwnerId" in values:
            self._keep_history(id, self.rows[of][id]["OwnerId"], values["OwnerId"], by)
        self.rows[of][id] |= values
        self._stamp(self.rows[of][id])
        if by is not None:
            self.rows[of][id]["LastModifiedById"] = by

    def track_owners(self) -> None:
        """Have the org keep the history of leads' owners."""
        self.schemas["LeadHistory"] = build_history()
        self.rows["LeadHistory"] = {}

    def _keep_history(self, lead: str, old: Any, new: Any, by: str | None) -> None:
        if "LeadHistory" not in self.schemas or old == new:
            return
        names = [self.rows["User"][each]["Name"] if each in self.rows["User"] else None for each in (old, new)]
        for before, after in (names, (old, new)):  # the change is told twice: by names, and by ids
            row = {"LeadId": lead, "Field": "Owner", "OldValue": before, "NewValue": after}
            self.add("LeadHistory", **row, CreatedById=by or self.user_id)

    def delete(self, of: str, id: str) -> None:
        self.change(of, id, IsDeleted=True)
        self.deletions.append((self.now(), of, id))

    def purge(self, of: str, id: str) -> None:
        """The record is deleted, and the recycle bin emptied: the log alone knows of it."""
        self.delete(of, id)
        del self.rows[of][id]

    def convert(self, id: str, opportunity: str | None = None) -> str:
        """A person converts a lead, into an opportunity too; its tasks and events are the contact's from then on.
        Returns the contact's id."""
        contact = self.add("Contact", LastName=self.rows["Lead"][id]["LastName"])
        for of in ("Task", "Event"):
            for each in [key for key, row in self.rows.get(of, {}).items() if row.get("WhoId") == id]:
                self.change(of, each, WhoId=contact)
        self.change("Lead", id, IsConverted=True, ConvertedContactId=contact, ConvertedOpportunityId=opportunity)
        return contact

    def merge(self, of: str, stays: str, goes: str) -> None:
        self.change(of, goes, MasterRecordId=stays)
        self.delete(of, goes)
        self.change(of, stays)

    def find_deleted(self, of: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
        if end - start <= timedelta(minutes=1):
            raise RequestRefused("INVALID_REPLICATION_DATE", "endDate must be more than a minute after startDate")
        if start < self.now() - _LOG_OF_DELETIONS - timedelta(days=1):
            raise RequestRefused("INVALID_REPLICATION_DATE", "startDate before the time that is kept")
        if self.log_purged_to is not None and start < self.log_purged_to:
            raise RequestRefused("INVALID_REPLICATION_DATE", "the recycle bin was purged")
        start = max(start, self.now() - _LOG_OF_DELETIONS).replace(second=0)
        still = {id for rows in self.rows.values() for id, row in rows.items() if not row["IsDeleted"]}
        return [
            {"id": id, "deletedDate": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
            for at, name, id in self.deletions
            if name == of and start <= at <= end and id not in still
        ]

    def write(
        self, operation: str, of: str, raw: Mapping[str, Any], headers: Mapping[str, str], key: str | None = None
    ) -> tuple[str, bool]:
        """Create, update by id, or upsert by the field ``key``. Gives the id, and whether it was created."""
        schema = self.schemas[of]
        self.sent.append(Sent(operation, of, dict(raw)))
        values = {field.name: parse_value(field, value) for field, value in name_fields(schema, raw)}
        id = self._find_target(operation, schema, raw, values, key)
        if id is None:
            return self._create(schema, values, headers), True
        self._update(schema, id, values, headers)
        return id, False

    def _find_target(
        self, operation: str, schema: ObjectSchema, raw: Mapping[str, Any], values: Row, key: str | None
    ) -> str | None:
        if operation == "create":
            return None
        if operation == "update":
            id = str(next((value for name, value in raw.items() if name.lower() == "id"), ""))
            if not re.fullmatch(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?", id) or not id.startswith(schema.prefix):
                raise RowRefused("MALFORMED_ID", f"{schema.name} ID: id value of incorrect type: {id}", "Id")
            values.pop("Id", None)
            found = next((known for known in self.rows[schema.name] if known[:15] == id[:15]), None)
            if found is None:
                raise RowRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            return found
        assert key is not None
        if not values.get(key):
            raise RowRefused("MISSING_ARGUMENT", f"{key} not specified", key)
        matching = self.find_by_key(schema, key, str(values[key]))
        if len(matching) > 1:
            raise RowRefused("DUPLICATE_EXTERNAL_ID", f"{key}: more than one record found for external id field", key)
        return matching[0] if matching else None

    def find_by_key(self, schema: ObjectSchema, key: str, value: str) -> list[str]:
        """The ids of the records that have ``value`` in the external id ``key``."""
        fold: Callable[[str], str] = str if schema.fields[key].case_sensitive else str.lower
        return [
            id
            for id, row in self.rows[schema.name].items()
            if not row["IsDeleted"] and row.get(key) is not None and fold(str(row[key])) == fold(value)
        ]

    def _create(self, schema: ObjectSchema, values: Row, headers: Mapping[str, str]) -> str:
        if not schema.createable:
            raise RowRefused("INSUFFICIENT_ACCESS_OR_READONLY", "entity is not createable")
        row: Row = {name: field.default for name, field in schema.fields.items()}
        row |= {name: False for name, field in schema.fields.items() if field.type == "boolean"}
        row |= {"OwnerId": self.user, "IsDeleted": False, **values}
        missing = [name for name, field in schema.fields.items() if field.required and row.get(name) is None]
        if missing:
            raise RowRefused("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)
        self._check(schema, row, values, headers, None)
        id = lengthen(f"{schema.prefix}5g{next(self._numbers):010d}")
        self._save(schema, {**row, "Id": id, "CreatedDate": self.now()}, headers)
        return id

    def _update(self, schema: ObjectSchema, id: str, values: Row, headers: Mapping[str, str]) -> None:
        row = self.rows[schema.name][id]
        if row["IsDeleted"]:
            raise RowRefused("ENTITY_IS_DELETED", "entity is deleted")
        if self.locked.get(id, 0) > 0:
            self.locked[id] -= 1
            raise RowRefused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        if row.get("IsConverted"):
            raise RowRefused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        empty = [name for name, value in values.items() if value is None and schema.fields[name].required]
        if empty:
            raise RowRefused("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(empty)}]", *empty)
        changed = {**row, **values}
        self._check(schema, changed, values, headers, id)
        self._save(schema, changed, headers)

    def _save(self, schema: ObjectSchema, row: Row, headers: Mapping[str, str]) -> None:
        if schema.name == "Lead" and self.assignment_owner and headers.get("sforce-auto-assign", "").upper() != "FALSE":
            row["OwnerId"] = self.assignment_owner
        if self.automation is not None:
            self.automation(schema.name, row)
        if schema.name == "Lead" and (before := self.rows["Lead"].get(row["Id"])) is not None:
            self._keep_history(row["Id"], before["OwnerId"], row["OwnerId"], None)
        self.rows[schema.name][row["Id"]] = row
        self._stamp(row)

    def _stamp(self, row: Row) -> None:
        row |= {"LastModifiedDate": self.now(), "SystemModstamp": self.now(), "LastModifiedById": self.user_id}
        if "CompletedDateTime" in row:  # a Task
            row["IsClosed"] = row.get("Status") == "Completed"
            row["CompletedDateTime"] = (row["CompletedDateTime"] or self.now()) if row["IsClosed"] else None

    @property
    def user_id(self) -> str:
        return getattr(self, "user", lengthen("0055g0000000000"))

    def _check(self, schema: ObjectSchema, row: Row, values: Row, headers: Mapping[str, str], id: str | None) -> None:
        for name, value in values.items():
            field = schema.fields[name]
            if not (field.createable if id is None else field.updateable):
                raise RowRefused(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {name}. Check the security.",
                    name,
                )
            if value is not None:
                self._check_value(field, value)
            if value is not None and field.unique:
                self._check_unique(schema, field, value, id)
        for rule in self.validation_rules:
            if rule.of == schema.name and rule.is_broken(row):
                raise RowRefused("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, *filter(None, [rule.field]))
        self._check_duplicates(schema, row, headers, id)

    def _check_value(self, field: FieldSchema, value: Any) -> None:
        name = field.name
        if isinstance(value, str) and len(value) > field.length:
            raise RowRefused("STRING_TOO_LONG", f"{name}: data value too large (max length={field.length})", name)
        if field.type == "email" and not _EMAIL.fullmatch(value):
            raise RowRefused("INVALID_EMAIL_ADDRESS", f"{name}: invalid email address: {value}", name)
        if field.restricted:
            for part in value.split(";") if field.type == "multipicklist" else [value]:
                if part not in field.choices:
                    raise RowRefused(
                        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                        f"{name}: bad value for restricted picklist field: {part}",
                        name,
                    )
        if field.type in ("double", "currency") and abs(value) >= 10**18:
            raise RowRefused("NUMBER_OUTSIDE_VALID_RANGE", f"{name}: value outside of valid range", name)
        if field.type == "reference":
            self._check_reference(field, value)

    def _check_reference(self, field: FieldSchema, value: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?", value):
            raise RowRefused("MALFORMED_ID", f"{field.name}: id value of incorrect type: {value}", field.name)
        of = next((o for o in field.refers_to if value.startswith(self.schemas[o].prefix)), None)
        row = next((r for k, r in self.rows[of].items() if k[:15] == value[:15]), None) if of else None
        if row is None or row["IsDeleted"]:
            raise RowRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)
        if of == "User" and not row["IsActive"]:
            raise RowRefused("INACTIVE_OWNER_OR_USER", f"operation performed with inactive user [{value}]", field.name)

    def _check_unique(self, schema: ObjectSchema, field: FieldSchema, value: Any, id: str | None) -> None:
        fold = (lambda text: str(text)) if field.case_sensitive else (lambda text: str(text).lower())
        for known, row in self.rows[schema.name].items():
            if known != id and not row["IsDeleted"] and row[field.name] and fold(row[field.name]) == fold(value):
                raise RowRefused(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {field.name} duplicates value on record with id: {known}",
                )

    def _check_duplicates(self, schema: ObjectSchema, row: Row, headers: Mapping[str, str], id: str | None) -> None:
        options = dict(
            part.strip().split("=", 1)
            for part in headers.get("sforce-duplicate-rule-header", "").split(";")
            if "=" in part
        )
        for rule in self.duplicate_rules:
            if rule.of != schema.name or (not rule.blocks and options.get("allowSave") == "true"):
                continue
            for known, other in self.rows[schema.name].items():
                if (
                    known != id
                    and not other["IsDeleted"]
                    and row.get(rule.field)
                    and other[rule.field] == row[rule.field]
                ):
                    match = {"matchRecords": [{"record": {"attributes": {"type": schema.name}, "Id": known}}]}
                    raise RowRefused(
                        "DUPLICATES_DETECTED",
                        "Use one of these records?",
                        duplicateResult={
                            "allowSave": not rule.blocks,
                            "duplicateRule": rule.label,
                            "matchResults": [match],
                        },
                    )


def name_fields(schema: ObjectSchema, raw: Mapping[str, Any]) -> list[tuple[FieldSchema, Any]]:
    named = []
    for name, value in raw.items():
        if name == "attributes" or name.lower() == "id":
            continue
        if (field := schema.find(name)) is None or field.type == "address":
            raise RequestRefused("INVALID_FIELD", f"No such column '{name}' on sobject of type {schema.name}")
        named.append((field, value))
    return named


def parse_value(field: FieldSchema, value: Any) -> Any:
    """A value of JSON as the org stores it. One of a wrong type makes the whole request unreadable."""
    if value is None:
        return None
    try:
        match field.type:
            case "boolean" if isinstance(value, bool):
                return value
            case "int" if isinstance(value, int) and not isinstance(value, bool):
                return value
            case "double" | "currency" if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
            case "date" if isinstance(value, str):
                return date.fromisoformat(value)
            case "datetime" if isinstance(value, str) and (moment := datetime.fromisoformat(value)).tzinfo:
                return moment.astimezone(UTC).replace(microsecond=0)
            case "boolean" | "int" | "double" | "currency" | "date" | "datetime":
                pass
            case _ if isinstance(value, str):
                return value.strip() or None
    except ValueError:
        pass
    raise RequestRefused(
        "JSON_PARSER_ERROR", f"Cannot deserialize instance of {field.type} from {type(value).__name__} value"
    )
