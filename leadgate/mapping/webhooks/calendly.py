"""Calendly's webhooks: somebody booked a meeting, cancelled it, or did not come.

The format: https://developer.calendly.com (Webhook Payload). Belongs here: that format alone.

A booking is a lead for a source of leads, and for a source of activities something that the lead did
(``meeting_booked``, ``meeting_canceled``, ``meeting_no_show``). ``kind`` is a column that only activities have.
"""

from __future__ import annotations

from typing import Final

from leadgate.mapping.webhooks.reading import (
    Column,
    Item,
    Lead,
    UnreadableWebhookError,
    as_name,
    require_id,
    require_list,
    require_object,
)
from leadgate.values.json_types import JsonObject, as_object

BOOKED: Final = "meeting_booked"
#: Calendly's events, as kinds of activities.
_KINDS: Final = {
    "invitee.created": BOOKED,
    "invitee.canceled": "meeting_canceled",
    "invitee_no_show.created": "meeting_no_show",
}


def recognises(payload: JsonObject) -> bool:
    return isinstance(payload.get("event"), str) and "payload" in payload


def remove_secret(text: str) -> str:
    return text


def read(payload: JsonObject) -> list[Item]:
    """The booking, by the address that Calendly gives it. A booking at another time is a new one."""
    event = as_name(payload.get("event"))
    if event not in _KINDS:
        raise UnreadableWebhookError("event is none of " + ", ".join(_KINDS))
    invitee = require_object(payload.get("payload"), "payload")
    # a person who did not come is named by the booking inside
    about = invitee if "uri" in invitee or "invitee" not in invitee else as_object(invitee.get("invitee"))
    booking = require_id(about.get("uri"), "payload.uri")
    meeting = as_object(about.get("scheduled_event"))
    columns = [
        Column(("email",), about.get("email")),
        Column(("full name",), about.get("name")),
        Column(("first name",), about.get("first_name")),
        Column(("last name",), about.get("last_name")),
        Column(("kind",), _KINDS[event]),
        Column(("occurred_at",), payload.get("created_at")),
        Column(("meeting",), meeting.get("name")),
        Column(("meeting_start",), meeting.get("start_time")),
        Column(("meeting_end",), meeting.get("end_time")),
        Column(("time_zone",), about.get("timezone")),
        Column(("rescheduled",), True if about.get("old_invitee") else None),
        Column(("text_reminder_number",), about.get("text_reminder_number"), "phone"),
        *_read_answers(about),
        *(Column((as_name(name),), value) for name, value in as_object(about.get("tracking")).items()),
    ]
    told = [column for column in columns if column.value not in (None, "")]
    return [Lead(f"{event} {booking}", told, is_new=_KINDS[event] == BOOKED)]


def _read_answers(about: JsonObject) -> list[Column]:
    columns: list[Column] = []
    for number, each in enumerate(require_list(about.get("questions_and_answers"), "questions_and_answers"), start=1):
        answer = require_object(each, f"answer {number}")
        columns.append(Column((as_name(answer.get("question")) or f"question {number}",), answer.get("answer")))
    return columns
