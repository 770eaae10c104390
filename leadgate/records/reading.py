"""What an update of a record says: its columns as fields of the kind, and their values by type.

Belongs here: names of columns and cleaning of values, a row at a time; pure. Does not belong here: what an update
changes (``versions``), or what follows from it (a module for each kind).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Final, NamedTuple

from leadgate.fields import FieldType
from leadgate.mapping.column_notations import find_stated_decimals, holds_amounts, settle_value, writes_day_first
from leadgate.mapping.headers import map_headers
from leadgate.playbook import Playbook, Source
from leadgate.records.fields import STANDARD
from leadgate.values.answers import read_yes_or_no
from leadgate.values.figures import read_amount, read_integer, read_number
from leadgate.values.json_types import JsonValue
from leadgate.values.lists import read_lists
from leadgate.values.moments import read_date, read_moment
from leadgate.values.text import clean_line, clean_lines, is_no_value
from leadgate.vocabulary import JourneyKind

#: The largest amount that a record can have: twelve digits before the point are more than any deal.
MAX_AMOUNT: Final = 1e12
#: Whole numbers up to this one: of seats, not of money.
_MAX_INTEGER: Final = 10**9
_SEVERAL_LINES: Final = frozenset({"message", "next_step", "need"})
_A_TYPE: Final[Mapping[FieldType, str]] = {
    "text": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "date": "a date",
    "timestamp": "a date with a time",
}


@cache
def _list_names(kind: JourneyKind) -> dict[str, tuple[str, ...]]:
    """The names that columns of exports have for each field of ``kind``."""
    names = read_lists("record_column_names")
    return {field: names.get(field, ()) for field in STANDARD[kind]}


def list_field_types(playbook: Playbook) -> dict[str, FieldType]:
    """The fields of the kind of which ``playbook`` is a view, its own ones too, with their types."""
    return {**STANDARD[playbook.kind], **{name: field.type for name, field in playbook.fields.items()}}


def map_record_headers(headers: Sequence[str], source: str, playbook: Playbook) -> dict[str, str]:
    """Which field of the kind each column of ``source`` fills: by the source's mapping, the section's, its fields, and
    the usual names. A column that is not in the result is none of them."""
    declared = playbook.sources.get(source)
    overrides = {**playbook.headers, **(declared.mapping if declared else {})}
    names = dict(_list_names(playbook.kind))
    for name, field in playbook.fields.items():
        names[name] = (*names.get(name, ()), *field.headers)
    # the first field in the order of the list has a name, as for leads; a dict would give it to the last
    mapped = map_headers(headers, overrides=overrides, custom=dict(reversed(names.items())))
    known = list_field_types(playbook)
    return {header: field for header, field in mapped.items() if field in known}


class Reading(NamedTuple):
    """How the values of one source are read: by what it states of dates and numbers."""

    source: Source | None
    day_first: bool

    @classmethod
    def of(cls, source: str, playbook: Playbook) -> Reading:
        declared = playbook.sources.get(source)
        return cls(declared, writes_day_first(declared, playbook))


def read_values(
    told: Mapping[str, str | None], types: Mapping[str, FieldType], reading: Reading, now: datetime
) -> tuple[dict[str, JsonValue], dict[str, str]]:
    """The values of an update by field, and what is wrong with those that cannot be read.

    ``told`` has the text of each field that the update names; None: it names the field and says nothing, so that the
    field is cleared. Dates are ISO texts, moments ISO texts in UTC.
    """
    values: dict[str, JsonValue] = {}
    problems: dict[str, str] = {}
    for name, raw in told.items():
        type_ = types[name]
        text = None if raw is None else (clean_lines if name in _SEVERAL_LINES else clean_line)(raw)
        if text is None or (type_ != "text" and is_no_value(text)):
            values[name] = None
            continue
        values[name] = _read_value(text, type_, name, reading, now)
        if values[name] is None:
            problems[name] = f"not {_A_TYPE[type_]}"
            del values[name]
    return values, problems


def _read_value(text: str, type_: FieldType, name: str, reading: Reading, now: datetime) -> JsonValue:
    if type_ in ("integer", "number"):
        text = settle_value(text, "number", None, reading.source)
    if type_ == "integer":
        whole = read_integer(text)
        return whole if whole is not None and abs(whole) <= _MAX_INTEGER else None
    if type_ == "number":
        number = read_number(text, grouped=holds_amounts(name) and find_stated_decimals(reading.source) is None)
        if number is None and name == "amount":
            number = read_amount(text)
        return number if number is not None and abs(number) <= MAX_AMOUNT else None
    if type_ == "boolean":
        return read_yes_or_no(text)
    if type_ == "date":
        day = read_date(text, day_first=reading.day_first, relative_to=now)
        return None if day is None else day.isoformat()
    if type_ == "timestamp":
        moment = read_moment(text, day_first=reading.day_first, relative_to=now)
        return None if moment is None else moment.isoformat()
    return text


def parse_stored(value: JsonValue, type_: FieldType) -> object:
    """A value of ``read_values`` as expressions and decisions take it: days and moments in place of their texts."""
    if value is None:
        return None
    if type_ == "date":
        return date.fromisoformat(str(value))
    if type_ == "timestamp":
        return datetime.fromisoformat(str(value))
    return value
