"""The fields of a record of each kind: names, types, and which columns a playbook expression may use.

Belongs here: the one list of the fields of opportunities, renewals and expansions, and of what each stage adds to
them. Does not belong here: the fields of a lead (``leadgate.fields``), or the playbook's own fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadgate.fields import QUALIFIED, FieldType
from leadgate.vocabulary import JourneyKind, StageName

#: What an update of any kind of record can carry. The type is the one that a value has once validation has passed;
#: capture keeps every value as text.
OF_EVERY_KIND: Final[Mapping[str, FieldType]] = {
    "external_id": "text",  # the id that the source gives: the record's key
    "name": "text",
    "account": "text",  # its name or id, as told
    "owner": "text",  # as told: a rep's name, e-mail address or id in the CRM
    "product": "text",
    "country": "text",
    "language": "text",
    "amount": "number",
    "occurred_at": "timestamp",  # when it was changed
    "changed_by": "text",
}

#: The lead that a record came from: its e-mail address, its number, or its id at its source or in a CRM.
LEAD: Final = "lead"

#: The fields of each kind of record. A lead is no record: its fields are ``leadgate.fields.STANDARD``.
STANDARD: Final[Mapping[JourneyKind, Mapping[str, FieldType]]] = {
    JourneyKind.OPPORTUNITY: {
        **OF_EVERY_KIND,
        "sales_stage": "text",
        "close_date": "date",
        "created_date": "date",
        "forecast_category": "text",
        "next_step": "text",
        "next_step_date": "date",
        "budget": "text",
        "authority": "text",
        "need": "text",
        "timeline": "text",
        "lost_reason": "text",
        LEAD: "text",
    },
    JourneyKind.RENEWAL: {
        **OF_EVERY_KIND,
        "start_date": "date",
        "end_date": "date",
        "status": "text",
        "seats": "integer",
        "seats_used": "integer",
        "usage": "number",  # a share of the period before: 1.0 is the same
        "auto_renews": "boolean",
    },
    JourneyKind.EXPANSION: {
        **OF_EVERY_KIND,
        "trigger": "text",
        LEAD: "text",
        "seats": "integer",
        "seats_used": "integer",
        "usage": "number",
        "department": "text",
        "message": "text",
    },
}

#: What enrichment adds: the account, and how many other opportunities are open at it.
ENRICHED: Final[Mapping[str, FieldType]] = {
    "account_id": "text",
    "account_name": "text",
    "account_owner": "text",
    "account_tier": "text",
    "open_opportunities": "integer",
}

_STAGES: Final = tuple(StageName)
#: The stages that see what an earlier stage adds, and what that is.
_ADDED_SINCE: Final[Mapping[tuple[StageName, ...], Mapping[str, FieldType]]] = {
    _STAGES[_STAGES.index(StageName.QUALIFICATION) :]: ENRICHED,
    _STAGES[_STAGES.index(StageName.ASSIGNMENT) :]: QUALIFIED,
}


def list_columns(
    kind: JourneyKind, stage: StageName, custom: Mapping[str, FieldType] | None = None
) -> dict[str, FieldType]:
    """Columns that an expression about a record of ``kind`` may use at ``stage``, with their types.

    Every stage sees ``source``, the kind's fields and the ``custom`` ones of the playbook's section. Raises
    ``KeyError`` for a kind that is no record.
    """
    known: dict[str, FieldType] = {"source": "text", **STANDARD[kind], **(custom or {})}
    for since, added in _ADDED_SINCE.items():
        if stage in since:
            known |= added
    return known


#: Columns of a stage's frame beside a record's fields, and beside those that the stages of leads have
#: (``leadgate.fields.OF_STAGES``). A field of the playbook of such a name would take the place of what a stage decided.
OF_STAGES: Final[frozenset[str]] = frozenset(
    {
        # the record, its version, and what an update changed
        "record_id", "record_key", "record_owner", "record_outcome", "number", "values", "changes", "changed_at",
        "told", "before", "due", "superseded", "late", "rep", "had_by", "enriched", "closes_on", "pushes", "slipped_on",
        "amount_change", "pushed_days",
        # what is decided about it
        "ask", "tell", "category", "is_open", "again_at", "judgement", "item_route",
    }
)  # fmt: skip
