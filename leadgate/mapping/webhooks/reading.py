"""What a webhook turns out to be: a lead with named values, a change of a CRM's record, or held for a person.

Belongs here: the types that every vendor's file uses, choosing one name for a value, and reading JSON of unknown shape.
Does not belong here: what a vendor sends (a file for each).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from leadgate.limits import MAX_HEADER_LENGTH
from leadgate.mapping.headers import make_distinct
from leadgate.values.json_types import JsonObject, JsonValue


class UnreadableWebhookError(ValueError):
    """A payload is not as its vendor documents it. The message says where, and repeats no value."""


class Column(NamedTuple):
    """A value with the names that it goes by: the first one that means a field is used, else the last one.

    ``field`` is what the vendor's type of the question says, for a value whose names mean nothing.
    """

    names: tuple[str, ...]
    value: JsonValue
    field: str | None = None


class Lead(NamedTuple):
    """What a payload says of one lead, or of one activity. ``key`` is the vendor's own id.

    ``is_new``: the person asks for something, which is a lead. What is not new only happened: an activity.
    """

    key: str
    columns: Sequence[Column]
    is_new: bool = True


class Change(NamedTuple):
    """A record of another system that was made or changed, without its values. ``key`` is what a repeat has, too."""

    key: str
    object: str
    record_id: str
    event: str
    property: str | None
    occurred_at: datetime


class Held(NamedTuple):
    """A payload, or a ``part`` of it, that a person has to look at, under the ``key`` of its signal, if it has one.

    ``names``: the record whose values it lacks. A source that reads these by the record's id holds nothing.
    """

    reason: str
    key: str | None = None
    part: JsonObject | None = None
    names: Change | None = None


Item: TypeAlias = "Lead | Held | Change"

#: The longest id of a vendor; a longer one is no id.
_LONGEST_ID: Final = 500


def name_columns(columns: Sequence[Column], find_field: Callable[[str], str | None]) -> dict[str, JsonValue]:
    """One name for each value. ``find_field`` says which field a name means, if any."""
    taken: dict[str, int] = {}
    chosen: list[tuple[str | None, Column]] = []
    fields: set[str] = set()
    for column in columns:
        usable = [name for name in column.names if 0 < len(name) <= MAX_HEADER_LENGTH]
        name = next((each for each in usable if find_field(each) is not None), None)
        if name is not None:
            fields.add(find_field(name) or "")
        chosen.append((name, column))
    named: dict[str, JsonValue] = {}
    for name, column in chosen:
        if name is None and column.field is not None and column.field not in fields:
            name = column.field
            fields.add(name)
        if name is None:
            name = next((each for each in reversed(column.names) if 0 < len(each) <= MAX_HEADER_LENGTH), "unnamed")
        named[make_distinct(name, taken)] = column.value
    return named


def require_object(value: JsonValue, where: str) -> JsonObject:
    """Raises ``UnreadableWebhookError`` when ``value`` is no object."""
    if not isinstance(value, Mapping):
        raise UnreadableWebhookError(f"{where} is {_describe(value)}, and should be an object")
    return value


def require_list(value: JsonValue, where: str) -> Sequence[JsonValue]:
    """Raises ``UnreadableWebhookError`` when ``value`` is no list. Nothing is an empty one."""
    if value is None:
        return []
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise UnreadableWebhookError(f"{where} is {_describe(value)}, and should be a list")
    return value


def require_id(value: JsonValue, where: str) -> str:
    """An id as text. Raises ``UnreadableWebhookError`` when ``value`` is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise UnreadableWebhookError(f"{where} is {_describe(value)}, and should be an id")
    text = str(value).strip()
    if not 0 < len(text) <= _LONGEST_ID:
        raise UnreadableWebhookError(f"{where} has {len(text):,} characters, which is no id")
    return text


def as_name(value: JsonValue) -> str:
    """A name of a column; empty when ``value`` is none."""
    return value.strip() if isinstance(value, str) else ""


def _describe(value: JsonValue) -> str:
    if value is None:
        return "missing"
    kinds = {bool: "a truth value", str: "text", int: "a number", float: "a number"}
    return kinds.get(type(value), "an object" if isinstance(value, Mapping) else "a list")
