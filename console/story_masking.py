"""A lead's story with its personal values masked: for who may see that there is a lead, and not who it is.

Belongs here: which values of a story are masked. Does not belong here: masking one value (``leadgate.masking``), or who
may see which (``leadgate.actors``).

A column that the tables declare as personal is masked in every row, so one that is added later is masked as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import orjson

from console.redaction import mask_field, mask_fields, mask_item
from leadgate.ledger.lead_history import Story
from leadgate.masking import mask
from leadgate.values.json_types import as_object

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from leadgate.ledger.story_rows import LeadRow, SignalRow
    from leadgate.values.json_types import JsonValue

_Row = TypeVar("_Row", bound="DataclassInstance")


def mask_story(story: Story) -> Story:
    """``story`` with every personal value masked; companies, titles, countries and what was decided stay."""
    return replace(
        story,
        lead=None if story.lead is None else _mask_lead(story.lead),
        signals=[_mask_signal(each) for each in story.signals],
        assignments=[
            replace(each, inputs=None if each.inputs is None else mask_fields(each.inputs))
            for each in story.assignments
        ],
        work_items=[
            replace(mask_item(each), detail=mask(each.detail) or None, note=mask(each.note) or None)
            for each in story.work_items
        ],
        corrections=[
            each if mask_field(each.field, each.value) == each.value else mask_row(each, "correction")
            for each in story.corrections
        ],
        actions=mask_rows(story.actions, "action"),
        activities=mask_rows(story.activities, "activity"),
        pauses=mask_rows(story.pauses, "pause"),
        joins=mask_rows(story.joins, "lead_join"),
        reused=mask_rows(story.reused, "reused_request"),
        crm_records=mask_rows(story.crm_records, "crm_link"),
        crm_tasks=mask_rows(story.crm_tasks, "crm_task"),
    )


def mask_rows(rows: Sequence[_Row], table: str) -> list[_Row]:
    return [mask_row(row, table) for row in rows]


def mask_row(row: _Row, table: str) -> _Row:
    """A row with what its table declares as personal masked."""
    names = {each.name for each in fields(row)} & _list_personal(table)
    return replace(row, **{name: mask_value(getattr(row, name)) for name in names})


def mask_value(value: JsonValue) -> JsonValue:
    """A value of whatever kind, masked; only what is empty, true or false stays."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {name: mask_value(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(each) for each in value]
    return mask(str(value))


def _mask_lead(lead: LeadRow) -> LeadRow:
    harmless = mask_fields({name: getattr(lead, name) for name in _list_personal("lead") if hasattr(lead, name)})
    kept = {"custom": mask_value(lead.custom), "attributes": mask_value(lead.attributes)}
    structured = {name: getattr(lead, name) for name in ("provenance", "account_candidates", "not_enriched")}
    return replace(lead, **harmless | structured | kept)


def _mask_signal(signal: SignalRow) -> SignalRow:
    """The columns that came stay, without their values."""
    payload = mask_value(as_object(orjson.loads(signal.payload)))
    return replace(mask_row(signal, "signal"), payload=orjson.dumps(payload).decode(), recognised=signal.recognised)


@cache
def _list_personal(table: str) -> frozenset[str]:
    from sqlmodel import SQLModel

    import leadgate.models

    columns = SQLModel.metadata.tables[table].columns
    return frozenset(column.name for column in columns if column.info == leadgate.models.PERSONAL)
