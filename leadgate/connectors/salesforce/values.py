"""The fields of Salesforce's objects as ``CrmField``, and values as Salesforce stores them, both ways.

Salesforce cuts blanks off the ends of a text, keeps an empty text as no value, and keeps seconds, no parts of them.
What is written here is written like that, so that a value which is read again is the value that was written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from leadgate.connectors.crm import CrmField, CrmFieldType, CrmObject
from leadgate.connectors.service_session import ServiceError
from leadgate.crm.values import CrmValue
from leadgate.values.json_types import JsonObject, JsonValue, as_object

OBJECT_NAMES: Final = {
    CrmObject.LEAD: "Lead",
    CrmObject.TASK: "Task",
    CrmObject.DEAL: "Opportunity",
    CrmObject.OPPORTUNITY: "Opportunity",
    CrmObject.CONTRACT: "Contract",
    CrmObject.MEETING: "Event",
}

#: Salesforce's types of fields. One that is missing here, such as an address of several parts, is left out.
_TYPES: Final = {
    **dict.fromkeys(("string", "textarea", "phone", "url", "email", "combobox", "encryptedstring"), CrmFieldType.TEXT),
    **dict.fromkeys(("picklist", "multipicklist"), CrmFieldType.CHOICE),
    **dict.fromkeys(("int", "long", "double", "currency", "percent"), CrmFieldType.NUMBER),
    **dict.fromkeys(("reference", "id"), CrmFieldType.REFERENCE),
    "boolean": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "datetime": CrmFieldType.DATETIME,
}
_LARGEST: Final = 10**18  # a number has at most 18 digits
#: Controls that no text field keeps, and halves of characters, which no JSON carries.
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Description:
    """One of Salesforce's objects, as it describes itself to the user of this connection."""

    fields: Mapping[str, CrmField]
    vendor_types: Mapping[str, str]
    external_ids: frozenset[str]  # the fields by which a record can be found and updated in one request
    restricted: frozenset[str]  # choices that take no value but those listed
    is_createable: bool
    is_updateable: bool
    is_queryable: bool

    def find(self, name: str) -> CrmField | None:
        """The field of this name, in whatever case it is written."""
        return self.fields.get(name) or next(
            (field for known, field in self.fields.items() if known.lower() == name.lower()), None
        )


def read_description(raw: JsonObject) -> Description:
    """Raises ``ServiceError`` when there is nothing in it to work with."""
    fields: dict[str, CrmField] = {}
    types: dict[str, str] = {}
    external: set[str] = set()
    restricted: set[str] = set()
    listed = raw.get("fields")
    for item in listed if isinstance(listed, list) else []:
        one = as_object(item)
        name, vendor_type = one.get("name"), one.get("type")
        if not isinstance(name, str) or not isinstance(vendor_type, str) or vendor_type not in _TYPES:
            continue
        fields[name] = _read_field(name, _TYPES[vendor_type], one)
        types[name] = vendor_type
        if one.get("externalId") is True or one.get("idLookup") is True:
            external.add(name)
        if one.get("restrictedPicklist") is True:
            restricted.add(name)
    if not fields:
        raise ServiceError("Salesforce described an object without any field")
    return Description(
        fields,
        types,
        frozenset(external),
        frozenset(restricted),
        raw.get("createable") is True,
        raw.get("updateable") is True,
        raw.get("queryable") is not False,
    )


def _read_field(name: str, kind: CrmFieldType, raw: JsonObject) -> CrmField:
    label, length, listed = raw.get("label"), raw.get("length"), raw.get("picklistValues")
    entries = [as_object(entry) for entry in listed] if isinstance(listed, list) else []
    choices = [entry.get("value") for entry in entries if entry.get("active") is not False]
    createable = raw.get("createable") is True
    return CrmField(
        name=name,
        label=label if isinstance(label, str) else name,
        type=kind,
        is_unique=raw.get("unique") is True,
        is_writable=createable or raw.get("updateable") is True,
        is_required=createable and raw.get("nillable") is False and raw.get("defaultedOnCreate") is not True,
        choices=tuple(choice for choice in choices if isinstance(choice, str)),
        max_length=length
        if kind is not CrmFieldType.NUMBER and isinstance(length, int) and not isinstance(length, bool) and length > 0
        else None,
    )


def store_value(field: CrmField, value: CrmValue) -> CrmValue:
    """``value`` as ``field`` will keep it. Raises ``ValueError``, with a reason that quotes no value."""
    if value is None:
        return None
    wanted = field.type
    if wanted in (CrmFieldType.TEXT, CrmFieldType.CHOICE, CrmFieldType.REFERENCE):
        return _store_text(value)
    if wanted is CrmFieldType.BOOLEAN and isinstance(value, bool):
        return value
    if wanted is CrmFieldType.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value) or abs(value) >= _LARGEST:
            raise ValueError("the number has more than 18 digits, or is none")
        return int(value) if isinstance(value, int) else float(value)
    if wanted is CrmFieldType.DATE and isinstance(value, date) and not isinstance(value, datetime):
        return value
    if wanted is CrmFieldType.DATETIME and isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(microsecond=0)
    raise ValueError(f"a value of the type {type(value).__name__} does not fit a field of the type {wanted}")


def _store_text(value: CrmValue) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    text = value.isoformat() if isinstance(value, date) else str(value)
    return _NO_TEXT.sub("", text).strip() or None


def write_value(stored: CrmValue) -> JsonValue:
    """What ``store_value`` gave, as JSON."""
    if isinstance(stored, datetime):
        return stored.isoformat().replace("+00:00", "Z")
    return stored.isoformat() if isinstance(stored, date) else stored


def read_value(field: CrmField, raw: JsonValue) -> CrmValue:
    """A value as Salesforce sends it. Raises ``ServiceError`` when it is not of the field's type."""
    if raw is None:
        return None
    wanted = field.type
    try:
        if wanted is CrmFieldType.NUMBER and isinstance(raw, int | float) and not isinstance(raw, bool):
            if math.isfinite(raw):
                return raw
        elif wanted is CrmFieldType.BOOLEAN and isinstance(raw, bool):
            return raw
        elif isinstance(raw, str):
            if wanted is CrmFieldType.DATE:
                return date.fromisoformat(raw)
            if wanted is CrmFieldType.DATETIME:
                return read_moment(raw)
            if wanted not in (CrmFieldType.NUMBER, CrmFieldType.BOOLEAN):
                return raw
    except ValueError:
        pass
    raise ServiceError(f"Salesforce sent a value for {field.name} that is not of the type {wanted}")


def read_moment(raw: JsonValue) -> datetime:
    """An instant, in UTC. Raises ``ValueError``."""
    if not isinstance(raw, str):
        raise ValueError("no instant")
    moment = datetime.fromisoformat(raw)
    if moment.tzinfo is None:
        raise ValueError("an instant without a zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant out of range") from None
