"""A record of a CRM as the columns of a signal, and what tells one state of it from another. Pure.

Belongs here: values as JSON, which records are wanted, and the key of a state. Does not belong here: a vendor's
formats (``connectors``), or what a column means (``headers``).

**The key** is the record's id with a hash of its values, so the same state of a record is one signal, however often
it is read; once the record has changed, also with how often it has. What Leadgate writes is no part of the state: a
write that comes back is no news.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Final

import orjson

from leadgate.crm.values import is_same
from leadgate.limits import MAX_KEY_LENGTH
from leadgate.plain_text import make_storable
from leadgate.values.json_types import JsonObject, JsonValue

#: The column of a signal with the record's id; it is read as ``external_id``.
RECORD_ID: Final = "record_id"
MOST_CHARACTERS: Final = 262_144  # of a record's values together, as of what is posted
_MOST_DIGITS: Final = 40
_AROUND: Final = 8 + 12  # characters of a key besides the id and the state
#: What a playbook says of a field instead of listing its values.
SET, EMPTY = "set", "empty"


class RecordError(ValueError):
    """A record that no signal can be made of; the message names the field, and no value."""


def read_columns(record_id: str, values: Mapping[str, object]) -> JsonObject:
    """The record's values that are there, as JSON, with its id. Raises ``RecordError``.

    >>> read_columns("7", {"email": "a@b.example", "phone": None, "since": date(2026, 3, 4)})
    {'email': 'a@b.example', 'since': '2026-03-04', 'record_id': '7'}
    """
    columns: dict[str, JsonValue] = {}
    length = 0
    for name, value in values.items():
        plain = _read_value(name, value)
        if plain is None or plain == "":
            continue
        length += len(plain) if isinstance(plain, str) else 1
        if length > MOST_CHARACTERS:
            raise RecordError(f"its values have more than {MOST_CHARACTERS:,} characters")
        columns[name] = plain
    columns[RECORD_ID] = record_id
    return columns


def _read_value(name: str, value: object) -> JsonValue:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        if abs(value) >= 10**_MOST_DIGITS:
            raise RecordError(f"{name} is a number of more than {_MOST_DIGITS} digits")
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RecordError(f"{name} is no number that can be stored")
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo is not None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise RecordError(f"{name} holds a {type(value).__name__}, which is no value of a field")


def is_wanted(values: Mapping[str, object], only: Mapping[str, str | Collection[str]]) -> bool:
    """Whether a record is one of those that the playbook reads.

    >>> only = {"email": "set", "opted_out": "empty", "stage": ["lead", "subscriber"]}
    >>> is_wanted({"email": "a@b.example", "opted_out": None, "stage": "lead"}, only)
    True
    >>> is_wanted({"email": "a@b.example", "opted_out": True, "stage": "lead"}, only)
    False
    """
    for name, asked in only.items():
        value = values.get(name)
        there = value is not None and value != ""
        if isinstance(asked, str):
            if there != (asked == SET):
                return False
        elif not there or _format(value) not in asked:
            return False
    return True


def _format(value: object) -> str:
    """A value as a playbook writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def select_state(columns: JsonObject, ours: Collection[str], written: Mapping[str, JsonValue]) -> JsonObject:
    """What a record says by itself: without its id, without the fields ``ours``, in which Leadgate has the last word,
    and without values that are as Leadgate has ``written`` them.

    A box that is not ticked says nothing: a CRM has no other way to leave one empty.
    """
    return {
        name: value
        for name, value in columns.items()
        if name != RECORD_ID
        and value is not False
        and name not in ours
        and not (name in written and _is_as_written(written[name], value))
    }


def _is_as_written(written: JsonValue, value: JsonValue) -> bool:
    plain = (str, int, float, bool)
    return isinstance(written, plain) and isinstance(value, plain) and is_same(written, value)


def make_key(record_id: str, state: str, turns: int = 0) -> str:
    """The key of a signal: the same for the same ``state`` of the same record, as long as it does not change.

    A record that comes back to an earlier state is news, and not the signal of before: ``turns`` counts its changes.
    """
    if len(record_id) + len(state) + _AROUND > MAX_KEY_LENGTH:
        record_id = hash_record(record_id)
    return f"record:{record_id}:{state}" if turns == 0 else f"record:{record_id}:{state}:{turns}"


def hash_state(state: JsonObject) -> str:
    """A hash of a state: the same for the same values."""
    storable = {
        make_storable(name): make_storable(value) if isinstance(value, str) else value for name, value in state.items()
    }
    content = orjson.dumps(storable, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def hash_record(record_id: str) -> str:
    """A hash of a record's id."""
    return hashlib.blake2b(record_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
