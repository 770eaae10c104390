"""Whether an org is ready for Leadgate, and the fields that it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from leadgate.connectors.crm import CrmField, CrmFieldType, CrmFinding, CrmRefusedError, WantedField
from leadgate.connectors.salesforce.answers import clean_text, read_row_error
from leadgate.connectors.salesforce.client import RestClient
from leadgate.connectors.salesforce.soql import build_query, quote_text, require_name
from leadgate.connectors.salesforce.values import Description
from leadgate.values.json_types import JsonObject, JsonValue, as_object

#: What Salesforce says of something that is there already.
_THERE: Final = frozenset({"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE"})
_LONGEST_LISTED: Final = 5  # values or rules in one sentence


def check_object(
    client: RestClient,
    of: str,
    description: Description,
    wanted: Sequence[WantedField],
    key_field: str,
    closed_status: str | None,
    *,
    creates: bool = True,
) -> list[CrmFinding]:
    """What would make reading or writing fail. ``closed_status``: the status that a finished task is given.

    ``creates``: whether records will be created, or only updated.
    """
    writes = any(field.is_written for field in wanted) or closed_status is not None
    return [
        *_check_permissions(of, description, writes=writes, creates=creates),
        *(_check_key(of, description, key_field) if writes else ()),
        *(
            finding
            for field in wanted
            if field.name.lower() != key_field.lower() or not writes
            for finding in _check_field(of, description, field)
        ),
        *(_check_required(of, description, wanted, key_field) if writes and creates and closed_status is None else ()),
        *_check_status(description, closed_status),
        *(_check_rules(client, of) if writes else ()),
    ]


def _check_permissions(of: str, description: Description, *, writes: bool, creates: bool) -> Iterator[CrmFinding]:
    lacking = [
        word
        for word, allowed in (
            ("read", description.is_queryable),
            ("create", description.is_createable or not (writes and creates)),
            ("edit", description.is_updateable or not writes),
        )
        if not allowed
    ]
    if lacking:
        yield CrmFinding(
            of,
            f"the user of this connection may not {' or '.join(lacking)} records of {of}",
            f"give its permission set the object permissions {', '.join(lacking)} for {of}",
        )


def _check_key(of: str, description: Description, key_field: str) -> Iterator[CrmFinding]:
    where = f"{of}.{key_field}"
    field = description.find(key_field)
    make = f"create it at {_home(of)}: text of 64 characters, unique (case-sensitive), external id"
    if field is None:
        yield CrmFinding(
            where,
            "the field that holds Leadgate's key is missing, or hidden from this user",
            f"{make}; and give the user's permission set access to it",
        )
    elif field.name not in description.external_ids:
        yield CrmFinding(where, "the field is no external id, so no record can be found by it", make)
    elif not field.is_unique:
        yield CrmFinding(where, "the field is not unique, so that one key could make two records", make)
    elif not field.is_writable:
        yield CrmFinding(where, "this user may not write the field", "give its permission set edit access to it")


def _check_field(of: str, description: Description, wanted: WantedField) -> Iterator[CrmFinding]:
    where = f"{of}.{wanted.name}"
    field = description.find(wanted.name)
    if field is None:
        yield CrmFinding(
            where,
            "the field is missing, or hidden from this user",
            f"create it at {_home(of)}, and give the user's permission set access to it",
        )
        return
    if not _is_compatible(field.type, wanted.type):
        yield CrmFinding(
            where,
            f"the field is of the type {field.type}, and {wanted.type} is written to it",
            "name another field in the playbook, or change the type in Salesforce",
        )
    if wanted.is_written and not field.is_writable:
        yield CrmFinding(
            where, "this user may not write the field", "give its permission set edit access; a formula has none"
        )
    if wanted.is_unique and not field.is_unique:
        yield CrmFinding(where, "the field is not unique", "mark it as unique in Salesforce")
    if wanted.is_written and field.type is CrmFieldType.CHOICE:
        yield from _check_choices(where, description, field, wanted)


def _is_compatible(held: CrmFieldType, wanted: CrmFieldType) -> bool:
    """A text holds anything, and a choice is a text from a list."""
    return held in (CrmFieldType.TEXT, wanted) or (held is CrmFieldType.CHOICE and wanted is CrmFieldType.TEXT)


def _check_choices(where: str, description: Description, field: CrmField, wanted: WantedField) -> Iterator[CrmFinding]:
    separator = ";" if description.vendor_types.get(field.name) == "multipicklist" else None
    values = [part for value in wanted.values for part in value.split(separator) if separator] or list(wanted.values)
    missing = [value for value in dict.fromkeys(values) if value not in field.choices]
    if missing:
        is_restricted = field.name in description.restricted
        yield CrmFinding(
            where,
            f"the picklist lacks {_join(missing)}",
            "add the values in Salesforce"
            + ("" if is_restricted else "; until then they are stored, and nobody can choose them"),
            is_blocking=is_restricted,
        )


def _check_required(
    of: str, description: Description, wanted: Sequence[WantedField], key_field: str
) -> Iterator[CrmFinding]:
    written = {field.name.lower() for field in wanted if field.is_written} | {key_field.lower()}
    lacking = [
        field.name for field in description.fields.values() if field.is_required and field.name.lower() not in written
    ]
    if lacking:
        yield CrmFinding(
            of,
            f"a new record needs {_join(lacking)}, which the playbook does not write",
            "write these fields, or let Leadgate update records and create none",
        )


def _check_status(description: Description, closed_status: str | None) -> Iterator[CrmFinding]:
    field = description.find("Status")
    if closed_status is not None and field is not None and closed_status not in field.choices:
        yield CrmFinding(
            "Task.Status",
            f"there is no status {closed_status}, which a finished task is given",
            f"name one of these: {_join(field.choices)}",
        )


def _check_rules(client: RestClient, of: str) -> Iterator[CrmFinding]:
    """Rules of the org that change or refuse what is written. Reading some of them needs permissions of their own."""
    named = quote_text(of)
    for what, soql, column, tooling, advice in (
        (
            "assignment rules",
            build_query(("Name",), "AssignmentRule", f"SobjectType = {named} AND Active = TRUE"),
            "Name",
            False,
            "Leadgate asks Salesforce not to apply them; a flow or a trigger can still change the owner",
        ),
        (
            "duplicate rules",
            build_query(("MasterLabel",), "DuplicateRule", f"SobjectType = {named} AND IsActive = TRUE"),
            "MasterLabel",
            False,
            "a record that they block becomes a work item; let them pass what this user writes, if that is wrong",
        ),
        (
            "validation rules",
            f"SELECT ValidationName FROM ValidationRule "
            f"WHERE Active = TRUE AND EntityDefinition.QualifiedApiName = {named}",
            "ValidationName",
            True,
            "a record that breaks one becomes a work item with the rule's message",
        ),
    ):
        try:
            names = [str(raw.get(column)) for raw in client.query(soql, tooling=tooling)]
        except CrmRefusedError:
            yield CrmFinding(
                of,
                f"this user may not see the {what}",
                "look in Salesforce whether one of them would refuse or change what Leadgate writes",
                is_blocking=False,
            )
            continue
        if names:
            yield CrmFinding(of, f"active {what}: {_join([clean_text(name) for name in names])}", advice, False)


def create_missing(
    client: RestClient,
    of: str,
    description: Description,
    wanted: Sequence[WantedField],
    key_field: str,
    permission_set: str | None,
    *,
    dry_run: bool,
) -> list[str]:
    """Create what is missing by the Tooling API. Returns the names of the new fields.

    Raises ``CrmRefusedError``; fields that were made before it stay, and a repetition makes the rest.
    """
    key = WantedField(key_field, "Leadgate id", CrmFieldType.TEXT, is_unique=True)
    missing = [field for field in (key, *wanted) if description.find(field.name) is None]
    missing = list({field.name.lower(): field for field in reversed(missing)}.values())[::-1]
    bodies = [(field, _build_field(of, field)) for field in missing]  # all of them, before the first is made
    holder = _find_permission_set(client, permission_set) if permission_set and missing else None
    if dry_run:
        return [field.name for field in missing]
    created = []
    for field, body in bodies:
        if _create(client, body):
            created.append(field.name)
        if holder is not None:
            _permit(client, of, field.name, holder)
    return created


def _create(client: RestClient, body: JsonValue) -> bool:
    """False when the field is there: another request made it, or this user may not see it yet."""
    try:
        client.write("POST", "/tooling/sobjects/CustomField", body, repeatable=False)
    except CrmRefusedError as refusal:
        if refusal.code not in _THERE:
            raise
        return False
    return True


def _build_field(of: str, field: WantedField) -> JsonValue:
    name = require_name(field.name)
    if not name.endswith("__c"):
        raise CrmRefusedError(
            f"{name} is a standard field of Salesforce, which cannot be created; correct its name in the playbook"
        )
    metadata: dict[str, JsonValue] = {"label": field.label[:40], **_build_type(field)}
    return {"FullName": f"{_home(of)}.{name}", "Metadata": metadata}


def _build_type(field: WantedField) -> JsonObject:
    match field.type:
        case CrmFieldType.TEXT if field.is_unique:
            return {"type": "Text", "length": 64, "unique": True, "externalId": True, "caseSensitive": True}
        case CrmFieldType.TEXT:
            return {"type": "Text", "length": 255}
        case CrmFieldType.NUMBER:
            return {"type": "Number", "precision": 18, "scale": 4}
        case CrmFieldType.BOOLEAN:
            return {"type": "Checkbox", "defaultValue": "false"}
        case CrmFieldType.DATE:
            return {"type": "Date"}
        case CrmFieldType.DATETIME:
            return {"type": "DateTime"}
        case CrmFieldType.CHOICE:
            values: JsonValue = [{"valueName": value, "label": value, "default": False} for value in field.values]
            return {
                "type": "Picklist",
                "valueSet": {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}},
            }
        case CrmFieldType.REFERENCE:
            raise CrmRefusedError(f"{field.name} refers to other records; create it in Salesforce by hand")


def _find_permission_set(client: RestClient, name: str) -> str:
    found = list(client.query(build_query(("Id",), "PermissionSet", f"Name = {quote_text(name)}")))
    if not found:
        raise CrmRefusedError(f"Salesforce has no permission set {name!r}; create it, or correct its name")
    return str(found[0].get("Id"))


def _permit(client: RestClient, of: str, name: str, holder: str) -> None:
    record: JsonObject = {
        "attributes": {"type": "FieldPermissions"},
        "ParentId": holder,
        "SobjectType": of,
        "Field": f"{of}.{name}",
        "PermissionsRead": True,
        "PermissionsEdit": True,
    }
    answer = client.write("POST", "/composite/sobjects", {"allOrNone": False, "records": [record]}, repeatable=False)
    results = answer if isinstance(answer, list) else []
    if results and read_row_error(results[0], by_id=False).code in _THERE:
        return
    if not results or as_object(results[0]).get("success") is not True:
        raise CrmRefusedError(
            f"{name} was created, but Salesforce gave the permission set no access to it; give it access in Salesforce"
        )


def _home(of: str) -> str:
    """The object at which a field is made: tasks and events share theirs."""
    return "Activity" if of == "Task" else of


def _join(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LONGEST_LISTED])
    return shown if len(names) <= _LONGEST_LISTED else f"{shown} and {len(names) - _LONGEST_LISTED} more"
