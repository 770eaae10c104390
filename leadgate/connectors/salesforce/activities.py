"""Salesforce's Tasks and Events as activities.

A Task is a call, an e-mail or a plain task by its subtype; it counts from when it was completed, for its date is a day
without a zone. An Event is a meeting. Copies of an Event for those who are invited, and the heads of series, are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Final

from leadgate.connectors.crm import CrmActivity, CrmObject, CrmRecord
from leadgate.crm.values import CrmValue

#: What the activities of a kind of records may be.
KINDS: Final[Mapping[CrmObject, frozenset[CrmObject]]] = {
    CrmObject.TASK: frozenset({CrmObject.CALL, CrmObject.EMAIL, CrmObject.TASK}),
    CrmObject.MEETING: frozenset({CrmObject.MEETING}),
}
#: The fields that are read, as far as the org has them; of Tasks, that with Leadgate's key, too.
FIELDS: Final[Mapping[CrmObject, tuple[str, ...]]] = {
    CrmObject.TASK: (
        *(
            "WhoId",
            "WhatId",
            "OwnerId",
            "IsClosed",
            "CompletedDateTime",
            "TaskSubtype",
            "CallType",
            "CallDurationInSeconds",
        ),
    ),
    CrmObject.MEETING: ("WhoId", "WhatId", "OwnerId", "StartDateTime", "ActivityDate", "IsChild", "IsRecurrence"),
}
#: When an Event begins.
EVENT_START: Final = "StartDateTime"
_SUBTYPES: Final = {
    "Call": CrmObject.CALL,
    "Email": CrmObject.EMAIL,
    "ListEmail": CrmObject.EMAIL,
}
_AUTOMATIC: Final = "ListEmail"
_LONGEST: Final = 2**31 - 1  # seconds
#: The records that activities can be about, by how their ids begin.
_RECORDS: Final = {"006": CrmObject.OPPORTUNITY, "800": CrmObject.CONTRACT}
_MIDDAY: Final = time(12, tzinfo=UTC)


def read_activity(kind: CrmObject, record: CrmRecord, key_field: str) -> CrmActivity:
    """A record with the fields of its kind as an activity."""
    values = record.values
    subtype = str(values.get("TaskSubtype") or "")
    is_task = kind is CrmObject.TASK
    if is_task:
        is_done, occurred_at = values.get("IsClosed") is True, _read_moment(values.get("CompletedDateTime"))
    else:
        is_done = values.get("IsChild") is not True and values.get("IsRecurrence") is not True
        occurred_at = _read_moment(values.get("StartDateTime")) or _read_moment(values.get("ActivityDate"))
    who, what, owner, key = (values.get(name) for name in ("WhoId", "WhatId", "OwnerId", key_field))
    about = _RECORDS.get(what[:3]) if isinstance(what, str) else None
    return CrmActivity(
        id=record.id,
        kind=_SUBTYPES.get(subtype, CrmObject.TASK) if is_task else kind,
        lead_ids=(who,) if isinstance(who, str) and who else (),
        owner_id=owner if isinstance(owner, str) and owner else None,
        occurred_at=occurred_at or record.changed_at,
        changed_at=record.changed_at,
        is_done=is_done,
        is_inbound=values.get("CallType") == "Inbound",
        is_automatic=True if subtype == _AUTOMATIC else None,
        seconds=_read_seconds(values.get("CallDurationInSeconds")),
        key=key if isinstance(key, str) and key else None,
        records=((about, what),) if about is not None and isinstance(what, str) else (),
    )


def _read_moment(value: CrmValue) -> datetime | None:
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, _MIDDAY) if isinstance(value, date) else None


def _read_seconds(value: CrmValue) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST:
        return None
    return int(value)
