"""The webhook of Google Ads lead forms: the answers of one person, called by their column.

The format: https://developers.google.com/google-ads/webhook/docs/implementation. Belongs here: that format alone.

Google does not sign. It sends the secret in the body (``google_key``), so the body is stored without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import orjson

from leadgate.mapping.webhooks.reading import (
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
from leadgate.values.json_types import JsonObject

REMOVED: Final = "(removed)"
_KEY: Final = re.compile(r'("google_key"\s*:\s*)"(?:[^"\\]|\\.)*"')
_ABOUT_THE_AD: Final = ("form_id", "campaign_id", "adgroup_id", "creative_id", "asset_group_id", "gcl_id")


def recognises(payload: JsonObject) -> bool:
    return "google_key" in payload


def remove_secret(text: str) -> str:
    """``text`` with ``REMOVED`` for its secret; all else to the letter, unless the name of the secret is escaped."""
    without = _KEY.sub(rf'\1"{REMOVED}"', text)
    try:
        values = orjson.loads(without)
    except orjson.JSONDecodeError:
        return without
    if isinstance(values, Mapping) and values.get("google_key", REMOVED) != REMOVED:
        return orjson.dumps({**values, "google_key": REMOVED}).decode()
    return without


def read(payload: JsonObject) -> list[Item]:
    """The lead, by Google's id. What Google sends as a test is nobody's, and is held."""
    if payload.get("is_test") not in (None, False, "", "false"):
        return [Held("is a test that Google sent (is_test): the address and the key are right; discard it")]
    identity = require_id(payload.get("lead_id"), "lead_id")
    columns: list[Column] = []
    given: set[str] = set()
    for number, each in enumerate(require_list(payload.get("user_column_data"), "user_column_data"), start=1):
        answer = require_object(each, f"answer {number}")
        column, name = as_name(answer.get("column_id")), as_name(answer.get("column_name"))
        if column and column in given:
            raise UnreadableWebhookError(f"answer {number} is a second one in the same column; which holds is not said")
        given.add(column)
        columns.append(Column((column, name), answer.get("string_value")))
    columns += [Column((name,), payload.get(name)) for name in ("lead_id", *_ABOUT_THE_AD)]
    return [Lead(identity, [column for column in columns if column.value is not None])]
