"""The memory of the fake: one HubSpot account with its records, their history, associations, owners and rules.

Tests set it up and compare it with what they expect. It is changed under the lock of the service only, or by a test
while nothing is sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crm_fakes.hubspot.errors import Refusal, refuse_input, refuse_value
from crm_fakes.hubspot.properties import DEAL_STAGES, FIELD_TYPES, STAGES, TYPES, Property, format_time, make_defaults

#: The association from one kind to another that HubSpot makes when nobody says which.
DEFAULT_TYPES: Final = {
    ("tasks", "contacts"): 204,
    ("contacts", "tasks"): 203,
    ("tasks", "deals"): 216,
    ("deals", "tasks"): 215,
    ("deals", "contacts"): 3,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
    ("contacts", "deals"): 4,
    ("calls", "deals"): 206,
    ("deals", "calls"): 205,
    ("calls", "contacts"): 194,
    ("contacts", "calls"): 193,
    ("emails", "contacts"): 198,
    ("contacts", "emails"): 197,
    ("meetings", "contacts"): 200,
    ("contacts", "meetings"): 199,
}
#: The associations that an account may make beside the default one.
_OTHER_TYPES: Final = {("deals", "companies"): (5,)}
#: What is logged about contacts; each record says when.
_ACTIVITIES: Final = ("tasks", "calls", "emails", "meetings")


@dataclass(frozen=True)
class Change:
    """One value that a property had, since when, and from where it came."""

    value: str
    at: datetime
    source: str
    user: int | None = None  # whose doing it was


@dataclass
class Record:
    """One record. ``versions`` are what searches may still see."""

    id: str
    kind: str
    created_at: datetime
    changed_at: datetime
    values: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Change]] = field(default_factory=dict)
    archived_at: datetime | None = None
    versions: list[tuple[datetime, dict[str, str], bool]] = field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """A validation rule of the account: ``name`` must have a value, or must when ``when`` says so."""

    kind: str
    name: str
    when: tuple[str, str] | None = None


class Portal:
    """One account. ``index_lag`` is how many seconds searches are behind."""

    def __init__(self) -> None:
        self.properties = make_defaults()
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in self.properties}
        self.associations: set[tuple[str, str, str, str, int]] = set()
        self.owners: list[dict[str, Any]] = []
        self.pipelines: dict[str, dict[str, str]] = {"default": dict(DEAL_STAGES)}  # of deals: labels by stage
        self.rules: list[Rule] = []
        self.scopes: set[str] = {
            *(f"crm.objects.{kind}.{verb}" for kind in ("contacts", "deals") for verb in ("read", "write")),
            *(f"crm.schemas.{kind}.{verb}" for kind in ("contacts", "deals") for verb in ("read", "write")),
            "crm.objects.companies.read",
            "crm.objects.owners.read",
            "sales-email-read",
        }
        self.index_lag = 0.0
        self.ignored: set[tuple[str, str]] = set()  # properties that are silently not written
        self.automation: Callable[[Record], Mapping[str, str]] | None = None  # what the account sets after a write
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._ids = itertools.count(101)
        self._unique: dict[tuple[str, str], dict[str, str]] = {}
        self._merged: dict[tuple[str, str], str] = {}

    # setting up

    def add_property(self, kind: str, name: str, type_: str = "string", **options: Any) -> Property:
        fields = {"string": "text", "number": "number", "bool": "booleancheckbox", "enumeration": "select"}
        added = Property(name, type_, options.pop("field_type", fields.get(type_, "date")), **options)
        self.properties[kind][name] = added
        return added

    def add_stage(self, id_: str, label: str, pipeline: str = "default") -> None:
        """A stage of a pipeline, which may be new; deals can come to it."""
        self.pipelines.setdefault(pipeline, {})[id_] = label
        self.properties["deals"]["dealstage"].options.append(id_)
        if pipeline not in (options := self.properties["deals"]["pipeline"].options):
            options.append(pipeline)

    def add_owner(self, email: str, *, queue: bool = False, archived: bool = False, **more: Any) -> str:
        """An owner's id. It is not the id of the user."""
        number = 7000 + len(self.owners)
        stamp = format_time(self._now())
        self.owners.append(
            {
                "id": str(number),
                "type": "QUEUE" if queue else "PERSON",
                **({} if queue else {"email": email, "userId": number + 500_000, "firstName": "F", "lastName": "L"}),
                "createdAt": stamp,
                "updatedAt": stamp,
                "archived": archived,
                **more,
            }
        )
        return str(number)

    def add_record(self, kind: str, **values: str) -> Record:
        """A record that a person made in HubSpot."""
        return self.write(kind, None, values, source="CRM_UI")

    def edit(self, record: Record, *, by: int | None = None, **values: str) -> None:
        """A person changes a record in HubSpot, as the user ``by``."""
        self.write(record.kind, record, values, source="CRM_UI", user=by)

    # reading

    def modified_name(self, kind: str) -> str:
        return "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"

    def find(self, kind: str, id_: str, id_property: str | None = None, *, archived: bool = False) -> Record | None:
        """The record with this id, or with this value of a unique property; the winner's for one that was merged."""
        if id_property not in (None, "hs_object_id"):
            prop = self.properties[kind].get(id_property or "")
            if prop is None or not prop.is_unique:
                raise refuse_input(f"Unable to perform update/upsert by non-unique property {id_property}")
            id_ = self._unique.get((kind, prop.name), {}).get(_fold(prop, id_), "")
        id_ = self._merged.get((kind, id_), id_)
        found = self.records[kind].get(id_)
        return found if found is not None and (found.archived_at is not None) == archived else None

    def by_key(self, kind: str, name: str = "leadgate_id") -> dict[str, Record]:
        """The records that are there, by the value of a property. Fails when two have the same."""
        found: dict[str, Record] = {}
        for record in self.records[kind].values():
            if record.archived_at is None and (value := record.values.get(name)):
                assert value not in found, f"two {kind} have {name}"
                found[value] = record
        return found

    def related(self, kind: str, id_: str, to: str) -> list[tuple[str, int]]:
        """The ids of the records of kind ``to`` that a record is associated with, and by which type."""
        return sorted((b, t) for a, i, k, b, t in self.associations if (a, i, k) == (kind, id_, to))

    # writing

    def write(
        self,
        kind: str,
        record: Record | None,
        properties: Mapping[str, str],
        *,
        source: str,
        user: int | None = None,
    ) -> Record:
        """Create or update a record. Raises ``Refusal``, and then changes nothing."""
        stored = self.check(kind, record, properties, forced=source == "PORTAL")
        now = self._now()
        if record is None:
            record = Record(str(next(self._ids)), kind, now, now)
            self.records[kind][record.id] = record
            stored["hs_object_id"] = record.id
            stored["createdate" if kind == "contacts" else "hs_createdate"] = format_time(now)
        self._keep(record, stored, now, source, user)
        if self.automation is not None and source not in ("PORTAL", "AUTOMATION") and (more := self.automation(record)):
            self.write(kind, record, more, source="AUTOMATION")
        return record

    def check(
        self, kind: str, record: Record | None, properties: Mapping[str, str], *, forced: bool = False
    ) -> dict[str, str]:
        """The values as they would be kept. Raises ``Refusal`` for what would be refused."""
        stored: dict[str, str] = {}
        known = self.properties[kind]
        for name, value in properties.items():
            if name not in known:
                raise refuse_value("PROPERTY_DOESNT_EXIST", name, f'Property "{name}" does not exist')
            if known[name].is_read_only and not forced:
                raise refuse_value("READ_ONLY_VALUE", name, f'"{name}" is a read only property')
            if known[name].refers_to == "OWNER" and value:
                self._check_owner(name, value)
            if (kind, name) not in self.ignored:
                stored[name] = known[name].store(value)
        current = record.values if record is not None else {}
        if (stage := stored.get("lifecyclestage")) and _is_back(current.get("lifecyclestage", ""), stage):
            del stored["lifecyclestage"]  # without an error
        self._check_rules(kind, {**current, **stored})
        self._check_unique(kind, record, stored)
        if kind in _ACTIVITIES and record is None and not stored.get("hs_timestamp"):
            raise _missing("MISSING_REQUIRED_PROPERTY", "hs_timestamp")
        return stored

    def _check_owner(self, name: str, value: str) -> None:
        if not any(owner["id"] == value and not owner["archived"] for owner in self.owners):
            raise refuse_value("INVALID_OWNER_ID", name, f"{value} is not the id of an owner")

    def _check_rules(self, kind: str, values: Mapping[str, str]) -> None:
        for rule in self.rules:
            if rule.kind == kind and not values.get(rule.name):
                if rule.when is None:
                    raise _missing("MISSING_REQUIRED_PROPERTY", rule.name)
                if values.get(rule.when[0]) == rule.when[1]:
                    raise _missing("MISSING_CONDITIONAL_REQUIRED_PROPERTY", rule.name)

    def _check_unique(self, kind: str, record: Record | None, stored: Mapping[str, str]) -> None:
        for name, value in stored.items():
            prop = self.properties[kind][name]
            if not prop.is_unique or not value:
                continue
            holder = self._unique.get((kind, name), {}).get(_fold(prop, value))
            if holder is None or (record is not None and holder == record.id):
                continue
            if name == "email":
                raise Refusal(409, "OBJECT_ALREADY_EXISTS", f"Contact already exists. Existing ID: {holder}")
            raise refuse_value("CONFLICTING_UNIQUE_VALUE", name, f"{holder} already has that value.")

    def _keep(
        self, record: Record, stored: Mapping[str, str], now: datetime, source: str, user: int | None = None
    ) -> None:
        for name, value in stored.items():
            prop = self.properties[record.kind][name]
            if prop.is_unique:
                index = self._unique.setdefault((record.kind, name), {})
                index.pop(_fold(prop, record.values.get(name, "")), None)
                if value:
                    index[_fold(prop, value)] = record.id
            if record.values.get(name, "") != value:
                record.history.setdefault(name, []).insert(0, Change(value, now, source, user))
            if value:
                record.values[name] = value
            else:
                record.values.pop(name, None)
        if record.kind == "tasks" and stored.get("hs_task_status") == "COMPLETED":
            record.values.setdefault("hs_task_completion_date", format_time(now))
        record.changed_at = now
        record.values[self.modified_name(record.kind)] = format_time(now)
        self._keep_version(record, now)

    def _keep_version(self, record: Record, now: datetime) -> None:
        """What searches see, until they see the next version."""
        record.versions.append((now, dict(record.values), record.archived_at is not None))
        horizon = now - timedelta(seconds=self.index_lag)
        while len(record.versions) > 1 and record.versions[1][0] <= horizon:
            record.versions.pop(0)

    def archive(self, record: Record, *, for_privacy: bool = False) -> None:
        """Delete a record. One that is deleted for privacy leaves nothing behind."""
        now = self._now()
        record.archived_at = now
        for (kind, name), index in self._unique.items():
            if kind == record.kind:
                index.pop(_fold(self.properties[kind][name], record.values.get(name, "")), None)
        self._keep_version(record, now)
        if for_privacy:
            del self.records[record.kind][record.id]

    def restore(self, record: Record) -> None:
        """A person takes a record out of the recycle bin, as it was."""
        record.archived_at = None
        self.edit(record)

    def merge(self, winner: Record, loser: Record) -> None:
        """Merge ``loser`` into ``winner``, whose values stay."""
        self.archive(loser)
        del self.records[loser.kind][loser.id]
        self._merged[(loser.kind, loser.id)] = winner.id
        known = [part for part in winner.values.get("hs_merged_object_ids", "").split(";") if part]
        self._keep(winner, {"hs_merged_object_ids": ";".join([*known, loser.id])}, self._now(), "MERGE")

    def associate(self, kind: str, id_: str, to: str, to_id: str, type_id: int | None = None) -> None:
        default = DEFAULT_TYPES.get((kind, to))
        if default is None or type_id not in (None, default, *_OTHER_TYPES.get((kind, to), ())):
            raise refuse_input(f"association type {type_id} does not exist between {kind} and {to}")
        if self.find(kind, id_) is None or self.find(to, to_id) is None:
            raise Refusal(
                404, "OBJECT_NOT_FOUND", "One of the objects to associate does not exist", [], {"ids": [to_id]}
            )
        self.associations |= {(kind, id_, to, to_id, default), (to, to_id, kind, id_, DEFAULT_TYPES[(to, kind)])}
        if type_id is not None:
            self.associations.add((kind, id_, to, to_id, type_id))

    def create_property(self, kind: str, given: Mapping[str, Any]) -> Property:
        for name in ("fieldType", "groupName", "label", "name", "type"):
            if not isinstance(given.get(name), str) or not given[name]:
                raise refuse_input(f"Invalid input JSON: {name} is required")
        if given["type"] not in TYPES or given["fieldType"] not in FIELD_TYPES:
            raise refuse_input("Invalid input JSON: type or fieldType")
        if given["name"] in self.properties[kind]:
            raise Refusal(409, "OBJECT_ALREADY_EXISTS", f"A property named {given['name']} already exists")
        if given["groupName"] not in {prop.group for prop in self.properties[kind].values()}:
            raise refuse_input(f"property group {given['groupName']} does not exist")
        options = given.get("options", [])
        if given["type"] == "enumeration" and not options:
            raise refuse_input("options are required for an enumeration")
        for option in options:
            if not {"displayOrder", "hidden", "label", "value"} <= option.keys():
                raise refuse_input("Invalid input JSON: an option lacks a key")
        added = Property(
            given["name"],
            given["type"],
            given["fieldType"],
            given["label"],
            given["groupName"],
            [option["value"] for option in options],
            bool(given.get("hasUniqueValue")),
        )
        self.properties[kind][added.name] = added
        return added

    def visible(self, kind: str) -> Iterable[tuple[str, dict[str, str]]]:
        """The records as searches see them: as they were ``index_lag`` seconds ago."""
        horizon = self._now() - timedelta(seconds=self.index_lag)
        for record in self.records[kind].values():
            seen = [version for version in record.versions if version[0] <= horizon]
            if seen and not seen[-1][2]:
                yield record.id, seen[-1][1]

    def _now(self) -> datetime:
        now = self.clock()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _fold(prop: Property, value: str) -> str:
    return value.strip().lower() if prop.name == "email" else value.strip()


def _is_back(current: str, wanted: str) -> bool:
    return current in STAGES and wanted in STAGES and STAGES.index(wanted) < STAGES.index(current)


def _missing(code: str, name: str) -> Refusal:
    message = f"Error creating or updating the record. Some required properties were not set: {name}"
    return Refusal(
        400, "VALIDATION_ERROR", message, [{"message": message, "code": code, "context": {"properties": [name]}}]
    )
