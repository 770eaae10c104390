"""What may be shown, and how: text that came from outside, personal values.

Belongs here: the pure functions between a stored value and a screen or a file. Does not belong here: what
is shown where (``summary``, ``explain``, ``queue``), or cells of a spreadsheet (``spreadsheet``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from leadgate.fields import ENRICHED, PERSONAL, STANDARD, VALIDATED
from leadgate.masking import mask, mask_within

if TYPE_CHECKING:
    from leadgate.ledger.reports import OpenWorkItem
    from leadgate.ledger.story_rows import WorkItemRow
    from leadgate.values.json_types import JsonObject, JsonValue
    from tasks.reviews import Review

_Item = TypeVar("_Item", "OpenWorkItem", "WorkItemRow")
#: Fields that are known to hold no personal value; of the playbook's own nobody knows what they hold.
_HARMLESS: Final = frozenset({**STANDARD, **VALIDATED, **ENRICHED}) - PERSONAL - {"external_id"}

SHOWN: Final = 200  # characters of a value, where a person asked for the lead

#: C0 and C1 controls, line and paragraph separators, marks that reverse the direction of writing, and half
#: surrogates. Any of them can move the cursor, hide text, or stop the output.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def sanitise(value: object, limit: int | None = None) -> str:
    """``value`` as one line that does nothing to a terminal; control characters become signs.

    >>> sanitise("red\\x1b[31m\\r\\nalert")
    'red␛[31m␍␊alert'
    >>> sanitise("x" * 12, limit=10)
    'xxxxxxxxxx… (12 characters)'
    """
    text = str(value)
    length = len(text)
    if limit is None and text.isprintable():  # none of those characters is; most texts of a page have none
        return text
    if limit is not None and length > limit:
        text = text[:limit]
    shown = _CONTROL.sub(_sign, text)
    return shown if len(text) == length else f"{shown}… ({length:,} characters)"


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's pictures of the control characters
    if code == 0x7F:
        return "␡"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


@cache
def _list_harmless_promises() -> frozenset[tuple[str, str]]:
    """Stage and promise whose shown value is no personal one: a country, a score, an owner."""
    from expectations import PROMISES
    from leadgate.vocabulary import StageName

    return frozenset(
        (stage.value, promise.name)
        for stage in StageName
        for promise in PROMISES[stage.gate]
        if promise.shown_column is not None and promise.shown_column not in PERSONAL
    )


def mask_field(name: str, value: JsonValue) -> JsonValue:
    """The value of a lead's field; masked where it may be a personal one."""
    return value if value is None or name in _HARMLESS else mask(str(value))


def mask_fields(values: JsonObject) -> dict[str, JsonValue]:
    """Fields of a lead, by name, with the values masked that may be personal."""
    return {name: mask_field(name, value) for name, value in values.items()}


def mask_item(item: _Item) -> _Item:
    """A work item with its personal values masked."""
    value, detail, proposal = item.value, item.detail, item.proposal
    if value is not None and (item.stage, item.promise) not in _list_harmless_promises():
        value = mask(value)
    if detail is not None:
        detail = mask_within(detail)
    if proposal:
        proposal = {field: mask(str(each)) if field in PERSONAL else each for field, each in proposal.items()}
    return replace(item, value=value, detail=detail, proposal=proposal)


def mask_review(each: Review) -> Review:
    """A review with its personal values masked; of the playbook's own fields nobody knows what they hold."""
    others = [replace(other, values=mask_fields(other.values)) for other in each.others]
    return replace(
        each,
        item=mask_item(each.item),
        values=mask_fields(each.values),
        record=mask_fields(each.record),
        others=others,
    )


def format_json(value: object) -> str:
    """``value`` as indented JSON that does nothing to a terminal either."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
    # within JSON these stand in strings only; the line breaks of the indentation stay
    return re.sub(_CONTROL.pattern.replace("\x00-\x1f", ""), lambda found: f"\\u{ord(found[0]):04x}", text)
