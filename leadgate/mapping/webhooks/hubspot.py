"""HubSpot's webhooks: records of the CRM that were created, changed, merged or deleted.

The format: https://developers.hubspot.com/docs/api/webhooks. Belongs here: that format alone. Does not belong here: the
values of a record, which a webhook does not carry (``leadgate.connectors``).

One payload is one event; HubSpot posts up to 100 in a list. ``eventId`` is not unique, so an event is known by account,
record, kind, property and time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from leadgate.mapping.webhooks.reading import Change, Item, UnreadableWebhookError, as_name, require_id
from leadgate.values.json_types import JsonObject, JsonValue

#: What HubSpot's generic subscriptions (``object.creation``) call a kind of record.
_OBJECTS: Final = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket"}
_WORD: Final = re.compile(r"[A-Za-z0-9_\-]{1,200}")
#: Which record an event is about: of an association the one that it comes from, of a merger the one that stays.
_RECORD: Final = ("objectId", "fromObjectId", "primaryObjectId")
#: What else tells one event from another of the same record and time.
_APART: Final = ("toObjectId", "associationType", "associationRemoved", "mergedObjectIds")
_LATEST: Final = 4_102_444_800_000  # milliseconds: the year 2100


def recognises(payload: JsonObject) -> bool:
    return isinstance(payload.get("subscriptionType"), str)


def remove_secret(text: str) -> str:
    return text


def read(payload: JsonObject) -> list[Item]:
    """What happened to which record, and when."""
    kind, _, event = as_name(payload.get("subscriptionType")).partition(".")
    if not _WORD.fullmatch(kind) or not _WORD.fullmatch(event):
        raise UnreadableWebhookError("subscriptionType does not say what happened to what")
    if kind == "object":
        type_id = require_id(payload.get("objectTypeId"), "objectTypeId")
        kind = _OBJECTS.get(type_id, type_id)
        if not _WORD.fullmatch(kind):
            raise UnreadableWebhookError("objectTypeId is no kind of record")
    changed = as_name(payload.get("propertyName"))
    if changed and not _WORD.fullmatch(changed):
        raise UnreadableWebhookError("propertyName is no name of a property")
    account = require_id(payload.get("portalId"), "portalId")
    where = next((name for name in _RECORD if payload.get(name) is not None), "objectId")
    record = require_id(payload.get(where), where)
    moment = _read_moment(payload.get("occurredAt"))
    parts = [account, kind, record, event, changed, str(payload.get("occurredAt"))]
    parts += [str(payload[name]) for name in _APART if payload.get(name) is not None]
    return [Change("/".join(parts), kind, record, event, changed or None, moment)]


def _read_moment(value: JsonValue) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LATEST:
        raise UnreadableWebhookError("occurredAt is no time in milliseconds")
    return datetime.fromtimestamp(value / 1000, UTC)
