"""Facebook's lead ads: the webhook that names new leads by their ids, and a lead with its answers as its API gives it.

The formats: https://developers.facebook.com/docs/graph-api/webhooks and
https://developers.facebook.com/docs/marketing-api/guides/lead-ads/retrieving. Belongs here: these formats alone. Does
not belong here: asking the API (``leadgate.connectors.lead_ads``).

A webhook says that there is a lead, and where; what the person answered is read by the lead's id, or, where a source
reads nothing, is held for a person with the id. The key of a notice is not that of the lead: an export of the same
leads is captured all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from leadgate.mapping.webhooks.reading import (
    Change,
    Column,
    Held,
    Item,
    Lead,
    UnreadableWebhookError,
    as_name,
    require_id,
    require_list,
    require_object,
)
from leadgate.values.json_types import JsonObject, JsonValue

#: What a lead that a webhook names is called among records that are read by their ids.
LEADGEN: Final = "leadgen"
_NOTICE: Final = (
    "Facebook tells of a lead and not what the person answered: fetch lead {} from the form in the Ads Manager, "
    "capture the export, and discard this"
)
_ABOUT_THE_LEAD: Final = (
    "id", "created_time", "platform", "is_organic", "form_id", "ad_id", "ad_name", "adset_id", "adset_name",
    "campaign_id", "campaign_name",
)  # fmt: skip
_LATEST: Final = 4_102_444_800  # seconds: the year 2100


def recognises(payload: JsonObject) -> bool:
    return (isinstance(payload.get("object"), str) and "entry" in payload) or "field_data" in payload


def remove_secret(text: str) -> str:
    return text


def read(payload: JsonObject) -> list[Item]:
    """A notice for each lead of a webhook, of which Facebook sends many in one body; or the lead of an API's answer."""
    if "field_data" in payload:
        return [_read_lead(payload)]
    if as_name(payload.get("object")) != "page":
        return [Held("the webhook is not about a page: subscribe it to `leadgen` of the object `page` alone")]
    items: list[Item] = []
    for number, each in enumerate(require_list(payload.get("entry"), "entry"), start=1):
        entry = require_object(each, f"entry {number}")
        for change in require_list(entry.get("changes"), f"the changes of entry {number}"):
            items.append(_read_change(change, entry.get("time"), f"a change of entry {number}"))
    return items or [Held("the webhook holds no change")]


def build_notice_key(lead_id: str) -> str:
    """The key of the signal that holds a lead without its answers."""
    return f"notice:{lead_id}"


def _read_change(value: JsonValue, sent: JsonValue, where: str) -> Item:
    change = require_object(value, where)
    if as_name(change.get("field")) != LEADGEN:
        return Held("the webhook tells of another change than a lead: subscribe it to `leadgen` alone", part=change)
    notice = require_object(change.get("value"), f"the value of {where}")
    identity = require_id(notice.get("leadgen_id"), f"the leadgen_id of {where}")
    if not (identity.isascii() and identity.isdigit()):
        return Held("the webhook names a lead by something that is no id of Facebook", part=change)
    moments = (_read_moment(each) for each in (notice.get("created_time"), sent))
    created = next((each for each in moments if each is not None), datetime.fromtimestamp(0, UTC))
    named = Change(f"{LEADGEN}/{identity}", LEADGEN, identity, "creation", None, created)
    return Held(_NOTICE.format(identity), key=build_notice_key(identity), part=change, names=named)


def _read_lead(payload: JsonObject) -> Lead:
    """The lead that the API gives, by its id. A question that is answered several times is one column."""
    identity = require_id(payload.get("id"), "id")
    columns: list[Column] = []
    for number, each in enumerate(require_list(payload.get("field_data"), "field_data"), start=1):
        answer = require_object(each, f"answer {number}")
        name = as_name(answer.get("name"))
        if not name:
            raise UnreadableWebhookError(f"answer {number} has no name")
        given = [value for value in require_list(answer.get("values"), f"the values of answer {number}") if value]
        columns.append(Column((name,), ", ".join(map(str, given)) if len(given) > 1 else next(iter(given), None)))
    columns += [Column((name,), payload.get(name)) for name in _ABOUT_THE_LEAD]
    return Lead(identity, [column for column in columns if column.value is not None])


def _read_moment(value: JsonValue) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)
