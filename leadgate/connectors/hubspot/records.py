"""Reads records, owners and descriptions of properties from HubSpot's answers, which are not trusted to be whole.

Belongs here: from JSON to the types of ``crm``. Does not belong here: single values (``values``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from leadgate.connectors.crm import CrmField, CrmFieldChange, CrmFieldType, CrmObject, CrmOwner, CrmRecord, RowFault
from leadgate.connectors.hubspot.errors import judge_row, read_error
from leadgate.connectors.hubspot.values import parse_time, parse_value
from leadgate.connectors.service_session import ServiceError
from leadgate.crm.values import CrmValue
from leadgate.values.json_types import JsonObject, JsonValue, as_object

MERGED: Final = "hs_merged_object_ids"
UPDATED_BY: Final = "hs_updated_by_user_id"
_LONGEST_ID: Final = 100
_TYPES: Final = {
    "string": CrmFieldType.TEXT,
    "phone_number": CrmFieldType.TEXT,
    "number": CrmFieldType.NUMBER,
    "bool": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.DATETIME,
    "enumeration": CrmFieldType.CHOICE,
}


def name_modified(kind: CrmObject) -> str:
    """The property that tells when a record was changed."""
    return "lastmodifieddate" if kind is CrmObject.LEAD else "hs_lastmodifieddate"


def list_objects(answer: JsonObject, name: str) -> list[JsonObject]:
    """The objects under ``name``. Raises ``ServiceError`` when there is no list of objects."""
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ServiceError(f"HubSpot answered without a list of {name}")
    return list(found)


def require_whole(answer: JsonObject) -> None:
    """Raises ``ServiceError`` for the answer to a batch that HubSpot has not read to its end, or not all of it; what is
    not there is no fault."""
    status, errors = answer.get("status"), answer.get("errors")
    if status not in (None, "COMPLETE"):
        raise ServiceError("HubSpot answered before it had read all records")
    for given in errors if isinstance(errors, list) else []:
        error = judge_row(read_error(0, given))
        if error.fault is not RowFault.GONE:
            raise ServiceError(f"HubSpot could not read some records ({error.code})")


def read_next(answer: JsonObject) -> str | None:
    """Where the next page begins; None on the last one."""
    after = as_object(as_object(answer.get("paging")).get("next")).get("after")
    if isinstance(after, int) and not isinstance(after, bool):
        after = str(after)
    return after if isinstance(after, str) and 0 < len(after) <= 1_000 else None


def read_id(value: JsonValue) -> str | None:
    """An id, which is a text; an older answer may hold a number."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
        value = str(value)
    fits = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()
    return value if fits and isinstance(value, str) else None


def read_record(
    given: JsonObject, kind: CrmObject, names: Iterable[str], fields: Mapping[str, CrmField]
) -> tuple[CrmRecord, list[str]]:
    """A record with the fields ``names``, and the ids of the records that were merged into it."""
    record_id = read_id(given.get("id"))
    if record_id is None:
        raise ServiceError("HubSpot answered with a record that has no id")
    held = as_object(given.get("properties"))
    values: dict[str, CrmValue] = {name: parse_value(held.get(name), fields.get(name)) for name in names}
    merged = held.get(MERGED)
    absorbed = [part for part in merged.split(";")[:1_000] if read_id(part)] if isinstance(merged, str) else []
    return (
        CrmRecord(
            id=record_id,
            values=values,
            changed_at=read_changed(given, kind),
            is_deleted=given.get("archived") is True,
            changed_by=read_id(held.get(UPDATED_BY)),
        ),
        absorbed,
    )


def read_changed(given: JsonObject, kind: CrmObject) -> datetime | None:
    """When a record was changed. The property comes first: it is what searches are sorted by."""
    return parse_time(as_object(given.get("properties")).get(name_modified(kind))) or parse_time(given.get("updatedAt"))


def read_last_change(record: CrmRecord, given: JsonObject, name: str) -> CrmFieldChange:
    """Who set the property ``name`` last, by its history; by the record where there is none."""
    history = as_object(given.get("propertiesWithHistory")).get(name)
    versions = [as_object(one) for one in history] if isinstance(history, list) else []
    dated = [(at, one) for one in versions if (at := parse_time(one.get("timestamp"))) is not None]
    if not dated:
        return CrmFieldChange(record.values.get(name), record.changed_at, record.changed_by)
    at, last = max(dated, key=lambda each: each[0])
    return CrmFieldChange(record.values.get(name), at, read_id(last.get("updatedByUserId")))


def read_field(given: JsonObject) -> CrmField | None:
    """A property's description. None for one without a name."""
    name = given.get("name")
    if not isinstance(name, str) or not name:
        return None
    label = given.get("label")
    limits = as_object(given.get("modificationMetadata"))
    return CrmField(
        name=name,
        label=label if isinstance(label, str) else name,
        type=_read_type(given),
        is_unique=given.get("hasUniqueValue") is True or name == "email",
        is_writable=limits.get("readOnlyValue") is not True and given.get("calculated") is not True,
        choices=tuple(_list_choices(given)),
    )


def _read_type(given: JsonObject) -> CrmFieldType:
    declared = given.get("type")
    found = _TYPES.get(declared, CrmFieldType.TEXT) if isinstance(declared, str) else CrmFieldType.TEXT
    if found is not CrmFieldType.CHOICE:
        return found
    if given.get("referencedObjectType") == "OWNER" or given.get("name") == "hubspot_owner_id":
        return CrmFieldType.REFERENCE
    if given.get("fieldType") == "booleancheckbox":
        return CrmFieldType.BOOLEAN
    return found


def _list_choices(given: JsonObject) -> Iterator[str]:
    """The values of a choice, in the order in which HubSpot shows them."""
    options = given.get("options")
    found = [as_object(option) for option in options] if isinstance(options, list) else []
    yield from (value for option in sorted(found, key=_read_order) if isinstance(value := option.get("value"), str))


def _read_order(option: JsonObject) -> int:
    """A negative order stands after all others."""
    order = option.get("displayOrder")
    valid = isinstance(order, int) and not isinstance(order, bool) and 0 <= order < 10**9
    return order if valid and isinstance(order, int) else 10**9


def read_owner(given: JsonObject) -> CrmOwner:
    """An owner. Its id is not the id of its user."""
    owner_id = read_id(given.get("id"))
    if owner_id is None:
        raise ServiceError("HubSpot answered with an owner that has no id")
    names = [name for part in ("firstName", "lastName") if isinstance(name := given.get(part), str) and name]
    email = given.get("email")
    teams = given.get("teams")
    team = as_object(teams[0]).get("name") if isinstance(teams, list) and teams else None
    return CrmOwner(
        id=owner_id,
        name=" ".join(names) or (email if isinstance(email, str) else None) or _as_name(team, owner_id),
        email=email.strip().lower() if isinstance(email, str) and email.strip() else None,
        is_active=given.get("archived") is not True,
        is_queue=given.get("type") == "QUEUE",
        user_id=read_id(given.get("userId")),
    )


def _as_name(team: JsonValue, owner_id: str) -> str:
    return team if isinstance(team, str) and team else owner_id
