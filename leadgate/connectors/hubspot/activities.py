"""HubSpot's calls, e-mails, meetings and tasks as activities.

Belongs here: which of their properties say what. Does not belong here: reading them (``reading``), or what counts as a
touch (the playbook).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from leadgate.connectors.crm import CrmActivity, CrmObject, CrmRecord
from leadgate.connectors.hubspot.values import parse_time
from leadgate.crm.values import CrmValue

_OWNER: Final = "hubspot_owner_id"
#: The properties that are read of each kind; of tasks, that with Leadgate's key, too.
PROPERTIES: Final[Mapping[CrmObject, tuple[str, ...]]] = {
    CrmObject.CALL: (_OWNER, "hs_timestamp", "hs_call_direction", "hs_call_status", "hs_call_duration"),
    CrmObject.EMAIL: (_OWNER, "hs_timestamp", "hs_email_direction", "hs_email_status", "hs_sequence_id"),
    CrmObject.MEETING: (_OWNER, "hs_timestamp", "hs_meeting_start_time", "hs_meeting_outcome"),
    CrmObject.TASK: (_OWNER, "hs_task_status", "hs_task_completion_date"),
}
#: When a meeting begins.
MEETING_START: Final = "hs_meeting_start_time"
_STATUS: Final = {
    CrmObject.CALL: "hs_call_status",
    CrmObject.EMAIL: "hs_email_status",
    CrmObject.MEETING: "hs_meeting_outcome",
    CrmObject.TASK: "hs_task_status",
}
_TIMES: Final = {
    CrmObject.MEETING: ("hs_meeting_start_time", "hs_timestamp"),
    CrmObject.TASK: ("hs_task_completion_date",),
}
#: Statuses of what has not happened. A task has happened with ``_COMPLETED`` alone.
_NOT_DONE: Final = frozenset(
    {
        *("CANCELED", "FAILED", "QUEUED", "RINGING", "CONNECTING", "CALLING_CRM_USER", "IN_PROGRESS"),
        *("BOUNCED", "SCHEDULED_SEND", "SENDING"),
        *("NO_SHOW", "RESCHEDULED"),
    }
)
_COMPLETED: Final = "COMPLETED"
_INBOUND: Final = frozenset({"INBOUND", "INCOMING_EMAIL"})
_LONGEST: Final = 2**31 - 1  # seconds


def read_activity(kind: CrmObject, record: CrmRecord, key_property: str) -> CrmActivity:
    """A record with the properties of its kind as an activity."""
    values = record.values
    status = _read_text(values.get(_STATUS[kind])).upper()
    direction = _read_text(values.get("hs_call_direction") or values.get("hs_email_direction")).upper()
    return CrmActivity(
        id=record.id,
        kind=kind,
        lead_ids=record.lead_ids,
        owner_id=_read_text(values.get(_OWNER)) or None,
        occurred_at=_find_time(kind, values) or record.changed_at,
        changed_at=record.changed_at,
        is_done=status == _COMPLETED if kind is CrmObject.TASK else not _is_ahead(kind, status),
        is_inbound=direction in _INBOUND,
        is_automatic=bool(_read_text(values.get("hs_sequence_id"))) if kind is CrmObject.EMAIL else None,
        seconds=_read_seconds(values.get("hs_call_duration")),
        key=_read_text(values.get(key_property)) or None,
    )


def _is_ahead(kind: CrmObject, status: str) -> bool:
    """Whether it has not happened. A meeting is scheduled also after it took place, if nobody says more."""
    return status in _NOT_DONE or (status == "SCHEDULED" and kind is CrmObject.EMAIL)


def _find_time(kind: CrmObject, values: Mapping[str, CrmValue]) -> datetime | None:
    for name in _TIMES.get(kind, ("hs_timestamp",)):
        value = values.get(name)
        found = value if isinstance(value, datetime) else parse_time(value) if isinstance(value, str) else None
        if found is not None:
            return found
    return None


def _read_text(value: CrmValue) -> str:
    return str(value).strip()[:100] if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _read_seconds(value: CrmValue) -> int | None:
    """Whole seconds of a duration, which HubSpot counts in thousandths."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST * 1000:
        return None
    return int(value) // 1000
