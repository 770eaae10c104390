"""What a HubSpot account lacks for Leadgate, and creating it.

Belongs here: findings about properties, choices and rights, each with what to do. Does not belong here: which fields
the playbook wants. Validation rules of an account are in no API: a row that breaks one is refused when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from leadgate.connectors.crm import CrmField, CrmFieldType, CrmFinding, CrmObject, WantedField
from leadgate.connectors.hubspot.client import KINDS, Client, list_scopes
from leadgate.connectors.hubspot.errors import HubSpotRefusedError
from leadgate.connectors.hubspot.records import list_objects, read_field
from leadgate.nearest import propose
from leadgate.values.json_types import JsonObject, JsonValue

#: The property of each kind whose group the properties of Leadgate join.
_NEIGHBOURS: Final = {
    CrmObject.LEAD: ("email", "contactinformation"),
    CrmObject.DEAL: ("dealname", "dealinformation"),
    CrmObject.OPPORTUNITY: ("dealname", "dealinformation"),
    CrmObject.TASK: ("hs_task_subject", "task"),
}
_TYPES: Final = {
    CrmFieldType.TEXT: ("string", "text"),
    CrmFieldType.NUMBER: ("number", "number"),
    CrmFieldType.BOOLEAN: ("enumeration", "booleancheckbox"),
    CrmFieldType.DATE: ("date", "date"),
    CrmFieldType.DATETIME: ("datetime", "date"),
    CrmFieldType.CHOICE: ("enumeration", "select"),
    CrmFieldType.REFERENCE: ("enumeration", "select"),
}


def read_fields(client: Client, kind: CrmObject) -> dict[str, CrmField]:
    """The properties of a kind of record, by name."""
    answer = client.get(client.find_path("properties", KINDS[kind]))
    found = (read_field(given) for given in list_objects(answer, "results"))
    return {field.name: field for field in found if field is not None}


def find_problems(
    client: Client, kind: CrmObject, wanted: Sequence[WantedField], key_property: str
) -> list[CrmFinding]:
    """What would make reading or writing fail. Writes nothing."""
    try:
        fields = read_fields(client, kind)
    except HubSpotRefusedError as refusal:
        return [_explain_refusal(kind, "reading properties", refusal)]
    is_written = any(field.is_written for field in wanted)
    found = list(_check_rights(client, kind, is_written=is_written))
    keeps_key = kind is CrmObject.TASK or (kind is CrmObject.LEAD and is_written)
    if keeps_key:
        found += _check_key(kind, fields, key_property)
    for field in wanted:
        if field.name != key_property or not keeps_key:
            found += _check_field(kind, fields, field)
    return found


def _check_rights(client: Client, kind: CrmObject, *, is_written: bool) -> Iterator[CrmFinding]:
    records = client.find_path("objects", KINDS[kind])
    trials: list[tuple[str, Callable[[], JsonObject]]] = [
        (f"reading {KINDS[kind]}", lambda: client.get(records, {"limit": "1"})),
        ("reading owners", lambda: client.get(client.find_path("owners"), {"limit": "1"})),
    ]
    if kind is CrmObject.OPPORTUNITY:
        trials += [
            ("reading companies", lambda: client.get(client.find_path("objects", "companies"), {"limit": "1"})),
            ("reading pipelines", lambda: client.get(client.find_path("pipelines", KINDS[kind]))),
        ]
    if is_written:  # without a row: the answer is a refusal in any case, and nothing is written
        trials.append((f"writing {KINDS[kind]}", lambda: client.post(f"{records}/batch/update", {"inputs": []})))
    for subject, attempt in trials:
        try:
            attempt()
        except HubSpotRefusedError as refusal:
            if refusal.error.status in (401, 403):
                yield _explain_refusal(kind, subject, refusal)
            elif not subject.startswith("writing"):
                yield CrmFinding(subject, str(refusal), "Look up the error in HubSpot's documentation.")


def _explain_refusal(kind: CrmObject, subject: str, refusal: HubSpotRefusedError) -> CrmFinding:
    if refusal.error.status == 403:
        scopes = sorted(set(list_scopes(refusal.error)))
        named = ", ".join(scopes) if scopes else f"the one for {subject}"
        return CrmFinding(
            subject, str(refusal), f"Add to the app's scopes in HubSpot: {named}. The token stays as it is."
        )
    if refusal.error.status == 401:
        return CrmFinding(subject, str(refusal), "Copy the token from the app in HubSpot into the environment again.")
    return CrmFinding(subject, str(refusal), f"Compare the version and the address with HubSpot's for {KINDS[kind]}.")


def _check_key(kind: CrmObject, fields: Mapping[str, CrmField], name: str) -> Iterator[CrmFinding]:
    field = fields.get(name)
    advice = f"Create a property {name} of {KINDS[kind]} in HubSpot: single-line text that requires unique values."
    if field is None:
        yield CrmFinding(name, f"{KINDS[kind]} have no property {name} for Leadgate's key", advice)
    elif not field.is_unique or field.type is not CrmFieldType.TEXT:
        problem = "is no text" if field.type is not CrmFieldType.TEXT else "does not require unique values"
        more = (
            "HubSpot cannot change that of a property that is there: create another one, and name it in the settings."
        )
        yield CrmFinding(name, f"the property {name} of {KINDS[kind]} {problem}", more)
    elif not field.is_writable:
        yield CrmFinding(name, f"the property {name} of {KINDS[kind]} cannot be written", advice)


def _check_field(kind: CrmObject, fields: Mapping[str, CrmField], wanted: WantedField) -> Iterator[CrmFinding]:
    field = fields.get(wanted.name)
    if field is None:
        hint = propose(wanted.name, fields)
        yield CrmFinding(
            wanted.name,
            f"{KINDS[kind]} have no property {wanted.name}",
            f"Create it in HubSpot, or correct its name; {hint}",
        )
        return
    if field.type is not wanted.type and not _is_compatible(field.type, wanted.type):
        problem = f"the property holds {field.type}, and the playbook has {wanted.type}"
        yield CrmFinding(wanted.name, problem, "Use another property, or change the field in the playbook.")
    if wanted.is_written and not field.is_writable:
        yield CrmFinding(wanted.name, "HubSpot sets the property itself", "Write to another property, or only read it.")
    if wanted.is_unique and not field.is_unique:
        yield CrmFinding(wanted.name, "the property does not require unique values", "Create another one that does.")
    lacking = [value for value in wanted.values if value not in field.choices]
    if field.type is CrmFieldType.CHOICE and wanted.is_written and lacking:
        problem = f"the property lacks the options {', '.join(lacking)}"
        yield CrmFinding(wanted.name, problem, "Add them to the property in HubSpot, by their internal names.")


def _is_compatible(held: CrmFieldType, wanted: CrmFieldType) -> bool:
    """A text holds anything that is written as one; a choice and a reference are texts from a list."""
    return held is CrmFieldType.TEXT or (
        wanted is CrmFieldType.TEXT and held in (CrmFieldType.CHOICE, CrmFieldType.REFERENCE)
    )


def create_missing(
    client: Client, kind: CrmObject, wanted: Sequence[WantedField], key_property: str, *, dry_run: bool
) -> list[str]:
    """Create the properties that are missing, the one for the key too. Returns their names."""
    fields = read_fields(client, kind)
    neighbour, group = _NEIGHBOURS[kind]
    for given in list_objects(client.get(client.find_path("properties", KINDS[kind])), "results"):
        name = given.get("groupName")
        if given.get("name") == neighbour and isinstance(name, str):
            group = name
    asked = {field.name: field for field in wanted}
    if kind in (CrmObject.LEAD, CrmObject.TASK):
        asked[key_property] = WantedField(key_property, "Leadgate id", CrmFieldType.TEXT, is_unique=True)
    missing = [field for field in asked.values() if field.name not in fields]
    return [field.name for field in missing if dry_run or _create(client, kind, field, group)]


def _create(client: Client, kind: CrmObject, field: WantedField, group: str) -> bool:
    type_, field_type = _TYPES[field.type]
    body: dict[str, JsonValue] = {
        "name": field.name,
        "label": field.label or field.name,
        "groupName": group,
        "type": type_,
        "fieldType": field_type,
    }
    if field.is_unique:
        body["hasUniqueValue"] = True
    if field.type is CrmFieldType.REFERENCE:
        body |= {"externalOptions": True, "referencedObjectType": "OWNER"}
    elif type_ == "enumeration":
        values = ("true", "false") if field.type is CrmFieldType.BOOLEAN else field.values
        body["options"] = [
            {"label": value, "value": value, "displayOrder": order, "hidden": False}
            for order, value in enumerate(values)
        ]
    try:
        client.post(client.find_path("properties", KINDS[kind]), body)
    except HubSpotRefusedError as refusal:
        if refusal.error.status != 409:  # it is there: another request made it
            raise
        return False
    return True
