"""Which fields of a CRM the playbook needs, of which type, and which words are written to them.

Belongs here: from a connection of the playbook to the fields that a connector checks or creates. Does not belong here:
what a CRM has (``connectors``), or the values for one lead (``leadgate.crm``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadgate import fields
from leadgate.connectors.crm import Crm, CrmField, CrmFieldType, CrmObject, CrmRefusedError, WantedField
from leadgate.playbook import CrmConnection, CrmFieldWrite, Playbook
from leadgate.playbook.crm import CRM_TYPES, FACTS
from leadgate.vocabulary import JourneyStatus, QualifiedAs, StageName
from tasks.crm.leads import list_fields
from tasks.crm.record_updates import list_named_fields, list_usual_fields

_TYPES: Final[Mapping[fields.FieldType, CrmFieldType]] = {
    "text": CrmFieldType.TEXT,
    "integer": CrmFieldType.NUMBER,
    "number": CrmFieldType.NUMBER,
    "boolean": CrmFieldType.BOOLEAN,
    "date": CrmFieldType.DATE,
    "timestamp": CrmFieldType.DATETIME,
}
_FIT: Final = "ABCD"
_ENGAGEMENT: Final = "1234"


def writes_records(connection: CrmConnection) -> bool:
    """Whether anything is written to the CRM: a task needs the record of its lead."""
    return bool(connection.writes) or connection.task is not None


def list_kinds(connection: CrmConnection) -> list[CrmObject]:
    """The kinds of records that are read or written."""
    kinds = [] if _is_of_records_alone(connection) else [CrmObject.LEAD]
    if connection.task is not None:
        kinds.append(CrmObject.TASK)
    if connection.reads is not None and connection.reads.deals is not None:
        kinds.append(CrmObject.DEAL)
    if connection.reads is not None:
        kinds += [CrmObject(kind) for kind in connection.reads.records]
    return kinds


def _is_of_records_alone(connection: CrmConnection) -> bool:
    """Whether no lead is read or written: opportunities and contracts are all that is read."""
    reads = connection.reads
    if reads is None or not reads.records or writes_records(connection):
        return False
    return reads.source is None and reads.deals is None and not reads.activities


def read_known(crm: Crm, kind: CrmObject) -> Mapping[str, CrmField]:
    """The fields that a CRM has; none when it refuses to tell, which its check then says in its own words."""
    try:
        return crm.describe_fields(kind)
    except CrmRefusedError:
        return {}


def list_wanted(
    playbook: Playbook, connection: CrmConnection, kind: CrmObject, known: Mapping[str, CrmField]
) -> list[WantedField]:
    """The fields that the playbook needs of a kind of record, each once. ``known``: those that the CRM has.

    A field that is only read may be of any type: its values are cleaned like those of any source.
    """
    wanted: dict[str, WantedField] = {}
    if kind is CrmObject.DEAL:
        return [_build_read(name, known) for name in list_deal_fields(connection)]
    if connection.reads is not None and (reads := connection.reads.records.get(kind.value)) is not None:
        named = [*list_usual_fields(connection, kind.value), *list_named_fields(playbook, reads)]
        return [_build_read(name, known) for name in dict.fromkeys(named)]
    if writes_records(connection) and connection.unique_field is not None:
        key = connection.unique_field
        wanted[key] = WantedField(key, "Leadgate id", CrmFieldType.TEXT, is_unique=True)
    if kind is not CrmObject.LEAD:
        return list(wanted.values())
    for name, write in connection.writes.items():
        wanted.setdefault(name, _build_written(playbook, name, write, known.get(name)))
    read = list_fields(connection, playbook)
    if writes_records(connection) and connection.address_field is not None:
        read.append(connection.address_field)
    for name in read:
        wanted.setdefault(name, _build_read(name, known))
    return list(wanted.values())


def list_deal_fields(connection: CrmConnection) -> list[str]:
    """The fields of deals that are read: the stage, and when one was created."""
    deals = connection.reads.deals if connection.reads is not None else None
    if deals is None:
        return []
    type_ = CRM_TYPES.get(connection.type)
    names = (
        deals.stage_field or (type_.stage_field if type_ else ""),
        deals.created_field or (type_.created_field if type_ else ""),
    )
    return [name for name in names if name]


def _build_read(name: str, known: Mapping[str, CrmField]) -> WantedField:
    return WantedField(name, name, known[name].type if name in known else CrmFieldType.TEXT, is_written=False)


def _build_written(playbook: Playbook, name: str, write: CrmFieldWrite, known: CrmField | None) -> WantedField:
    if write.fact == "owner":
        return WantedField(name, "Leadgate owner", CrmFieldType.REFERENCE)
    own = playbook.fields.get(write.fact)
    type_ = _TYPES[FACTS.get(write.fact) or playbook.columns_at(StageName.FOLLOW_UP).get(write.fact, "text")]
    words = [write.values.get(word, word) for word in _list_words(playbook, write.fact)]
    values = tuple(dict.fromkeys([*words, *write.values.values()]))
    is_choice = known is not None and known.type is CrmFieldType.CHOICE
    if values and type_ in (CrmFieldType.TEXT, CrmFieldType.NUMBER) and (write.values or is_choice):
        type_ = CrmFieldType.CHOICE
    label = (own.label if own is not None else "") or f"Leadgate {write.fact.replace('_', ' ')}"
    return WantedField(name, label, type_, values=values)


def _list_words(playbook: Playbook, fact: str) -> tuple[str, ...]:
    """The words that a fact has one of, where they are known."""
    match fact:
        case "status":
            return tuple(status.value for status in JourneyStatus if status is not JourneyStatus.JOINED)
        case "qualified_as":
            return tuple(verdict.value for verdict in QualifiedAs)
        case "fit_grade":
            return tuple(_FIT)
        case "engagement_grade":
            return tuple(_ENGAGEMENT)
        case "grade":
            return tuple(fit + engagement for fit in _FIT for engagement in _ENGAGEMENT)
        case "source":
            return tuple(playbook.sources)
        case "pool":
            return tuple(pool.name for pool in playbook.pools)
        case "route":
            return tuple(route.name for route in playbook.routing)
        case _:
            return ()
