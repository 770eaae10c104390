"""Facebook's notices of lead ads: the ids of leads, without a single answer.

The format: https://developers.facebook.com/docs/graph-api/webhooks. Belongs here: that format alone.

A notice says that there is a lead, and where; what the person answered has to be fetched from Facebook. So each notice
is held for a person, with the id. Its key is not that of the lead: an export of the same leads is captured all the
same.
"""

from __future__ import annotations

from leadgate.mapping.webhooks.reading import Held, Item, as_name, require_id, require_list, require_object
from leadgate.values.json_types import JsonObject, JsonValue

_NOTICE = (
    "Facebook tells of a lead and not what the person answered: fetch lead {} from the form in the Ads Manager, "
    "capture the export, and discard this"
)


def recognises(payload: JsonObject) -> bool:
    return isinstance(payload.get("object"), str) and "entry" in payload


def remove_secret(text: str) -> str:
    return text


def read(payload: JsonObject) -> list[Item]:
    """A notice for each lead. Facebook sends many in one body."""
    if as_name(payload.get("object")) != "page":
        return [Held("the webhook is not about a page: subscribe it to `leadgen` of the object `page` alone")]
    items: list[Item] = []
    for number, each in enumerate(require_list(payload.get("entry"), "entry"), start=1):
        entry = require_object(each, f"entry {number}")
        for change in require_list(entry.get("changes"), f"the changes of entry {number}"):
            items.append(_read_change(change, f"a change of entry {number}"))
    return items or [Held("the webhook holds no change")]


def _read_change(value: JsonValue, where: str) -> Item:
    change = require_object(value, where)
    if as_name(change.get("field")) != "leadgen":
        return Held("the webhook tells of another change than a lead: subscribe it to `leadgen` alone", part=change)
    notice = require_object(change.get("value"), f"the value of {where}")
    identity = require_id(notice.get("leadgen_id"), f"the leadgen_id of {where}")
    if not (identity.isascii() and identity.isdigit()):
        return Held("the webhook names a lead by something that is no id of Facebook", part=change)
    return Held(_NOTICE.format(identity), key=f"notice:{identity}", part=change)
